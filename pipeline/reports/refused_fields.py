"""Finds the fields that a refusal of the service is about: their cells turn yellow."""

from __future__ import annotations

from collections.abc import Container, Mapping

from pipeline.domain.roster import Field
from pipeline.domain.run import RowOutcome, Status
from pipeline.messages.results import FIELDS_BY_WORD
from pipeline.messages.service_errors import find_advice, is_known_code

# code of a refusal -> the fields that it is about
_REFUSED_FIELDS: Mapping[str, tuple[Field, ...]] = {
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
_PERSON_FIELDS = (Field.NAME, Field.NUMBER)  # of a refusal that names no field


def find_refused_fields(outcome: RowOutcome) -> tuple[Field, ...]:
    """Return the fields a refusal is about; none if the row was not refused, or the roster's owner can do nothing."""
    if outcome.status is not Status.FAILED:
        return ()
    code = outcome.code or ""
    if code in _REFUSED_FIELDS:
        return _REFUSED_FIELDS[code]
    if is_known_code(code) and find_advice(code).who != "clerk":
        return ()
    fields = dict.fromkeys(field for word, field in FIELDS_BY_WORD.items() if word in (outcome.message or ""))
    return tuple(fields) or _PERSON_FIELDS


def choose_refused_fields(outcome: RowOutcome, available: Container[Field]) -> list[Field]:
    """Return the fields of a refusal among those that a table has a column for, by default those of the person."""
    fields = find_refused_fields(outcome)
    refused = [field for field in fields if field in available]
    return refused or [field for field in _PERSON_FIELDS if fields and field in available]
