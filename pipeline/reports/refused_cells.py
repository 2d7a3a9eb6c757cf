"""Which cells of a row the service's refusal is about: they are what somebody has to look at."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.domain.roster import Field
from pipeline.domain.run import RowOutcome, Status
from pipeline.messages.results import TOLD_FIELDS
from pipeline.messages.service_error_advice import advice_for, known

_OF_CODE: Mapping[str, tuple[Field, ...]] = {
    "FailedOperation.AgeNotAchieveNormalLegal": (Field.NUMBER,),
    "FailedOperation.IdCardNumberCheckFailed": (Field.NUMBER,),
    "FailedOperation.UserInfoNoMatch": (Field.NAME, Field.NUMBER),
    "InvalidParameter.CardNumber": (Field.NUMBER,),
    "InvalidParameter.CardType": (Field.ID_TYPE, Field.NUMBER),
    "InvalidParameter.FileType": (Field.PICTURE,),
    "InvalidParameter.Image": (Field.PICTURE,),
    "InvalidParameter.LimitSealName": (Field.SEAL_NAME,),
    "InvalidParameter.Mobile": (Field.MOBILE,),
    "InvalidParameter.Name": (Field.NAME,),
    "InvalidParameter.NonsupportMobile": (Field.MOBILE,),
    "InvalidParameter.Sensitive": (Field.NAME, Field.SEAL_NAME),
    "InvalidParameter.SensitiveFileContent": (Field.PICTURE,),
    "InvalidParameterValue.InvalidMobile": (Field.MOBILE,),
    "LimitExceeded.FileSize": (Field.PICTURE,),
    "MissingParameter.SealName": (Field.SEAL_NAME,),
    "OperationDenied.InvalidApproverAge": (Field.NUMBER,),
    "OperationDenied.Sensitive": (Field.NAME, Field.SEAL_NAME),
    "RequestSizeLimitExceeded": (Field.PICTURE,),
}
PERSON = (Field.NAME, Field.NUMBER)  # what a refusal is about that says nothing more


def find_refused_fields(outcome: RowOutcome) -> tuple[Field, ...]:
    """Return the fields a refusal is about; none where the row was not refused, or the row's owner can do nothing."""
    if outcome.status is not Status.FAILED:
        return ()
    code = outcome.code or ""
    if code in _OF_CODE:
        return _OF_CODE[code]
    if known(code) and advice_for(code).who != "clerk":
        return ()
    told = dict.fromkeys(field for word, field in TOLD_FIELDS.items() if word in (outcome.message or ""))
    return tuple(told) or PERSON
