"""What an answer's code and text mean for a create and for an upload."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pipeline.domain.service_codes import CODES, Meaning, means_name_exists

STOPPING: frozenset[Meaning] = frozenset({"credentials", "permission", "account", "quota", "contract"})

# Where an upload differs: it creates nothing, so what is in doubt is simply sent again.
_UPLOAD: Mapping[str, Meaning] = {
    "LimitExceeded.CallTimes": "throttle",
    "MissingParameter.SealImage": "row",
    "OperationDenied.Forbid": "permission",
    "OperationDenied.NoIdentityVerify": "permission",
    **dict.fromkeys(
        ("InvalidParameter.DupTask", "InvalidParameter.Status", "OperationDenied.AlreadyHas"), "row"
    ),
}
_FREQUENCY = re.compile("每秒|频率|frequency", re.IGNORECASE)
_RATE = re.compile(r"`(\d+)`.*?`(\d+)`", re.DOTALL)
_EMPTY_WORDS = re.compile(
    r"操作失败|请稍后再?重?试|failed ?operation|operation ?failed|失败|[\s\W]", re.IGNORECASE
)


def of_create(code: str, message: str) -> Meaning:
    """Return what an error answer to a create means; the text only refines codes that leave it open."""
    if means_name_exists(code, message):
        return "exists"
    if code == "LimitExceeded" and _FREQUENCY.search(message):
        return "throttle"
    return CODES.get(code, "unknown")


def of_upload(code: str, message: str) -> Meaning:
    """Return what an error answer to an upload means; an unlisted code counts as its first part."""
    if code == "LimitExceeded" and _FREQUENCY.search(message):
        return "throttle"
    if code in _UPLOAD:
        return _UPLOAD[code]
    return CODES.get(code) or CODES.get(code.partition(".")[0], "unknown")


def has_reason(code: str, message: str) -> bool:
    """Tell whether a refusal says why; a bare FailedOperation often does not, and then no night repeats it."""
    return code != "FailedOperation" or bool(_EMPTY_WORDS.sub("", message))


def stated_rate(message: str) -> tuple[int | None, int | None]:
    """Return the calls a second that a throttle's message grants and those it counted, as far as it says so.

    It names them in backquotes: first what was counted, then the limit.
    """
    match = _RATE.search(message)
    return (int(match[2]), int(match[1])) if match and int(match[2]) > 0 else (None, None)
