"""The person in a create or a query: card type, number, name, mobile, as the service checks them.

Written apart from our own intake on purpose: two readings of the same page watch each other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from pipeline.sandbox.answers import Refusal

_CHECK_DIGITS = "10X98765432"
_EIGHTEEN = re.compile(r"[0-9]{17}[0-9X]")
_PERMIT = re.compile(r"[HM][0-9]{10}")
_MOBILE = re.compile(r"1[0-9]{10}")
_NAME = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff][·\u3007\u3400-\u9fff\U00020000-\U0003ffff]*")
ADULT = 18


@dataclass(frozen=True, slots=True)
class PersonRules:
    """What the service checks of a person; what it does in truth is not documented, so each is a switch."""

    check_digit: bool = True
    check_age: bool = False
    check_name: bool = False
    other_card_type: bool = False  # the white list is open


def lifetime(number: str) -> str:
    """Return the part of a number that stays with its person: a permit's last two digits count its renewals."""
    return number[:9] if _PERMIT.fullmatch(number) else number


def check_person(name: str, number: str, card_type: str, *, rules: PersonRules, now: float) -> None:
    """Raise Refusal when the service would not take this person; an empty ``card_type`` is an identity card."""
    if not name.strip():
        raise Refusal("InvalidParameterValue", "参数UserName不能为空")
    if not number.strip():
        raise Refusal("InvalidParameterValue", "参数IdCardNumber不能为空")
    if rules.check_name and not _NAME.fullmatch(name):
        raise Refusal("InvalidParameter.Name")
    match card_type or "ID_CARD":
        case "ID_CARD" | "HONGKONG_MACAO_AND_TAIWAN":
            _check_eighteen(number, rules=rules, now=now)
        case "HONGKONG_AND_MACAO":
            if not _PERMIT.fullmatch(number):
                raise Refusal("InvalidParameter.CardNumber")
        case "OTHER_CARD_TYPE":
            if not rules.other_card_type:
                raise Refusal("OperationDenied.WhiteListForbid")
        case _:
            raise Refusal("InvalidParameter.CardType")


def check_mobile(mobile: str) -> None:
    """Raise Refusal unless the mobile has 11 digits that start with 1."""
    if not _MOBILE.fullmatch(mobile):
        raise Refusal("InvalidParameter.Mobile")


def _check_eighteen(number: str, *, rules: PersonRules, now: float) -> None:
    if not _EIGHTEEN.fullmatch(number):
        raise Refusal("InvalidParameter.CardNumber")
    if rules.check_digit:
        total = sum(int(digit) << (17 - place) for place, digit in enumerate(number[:17]))
        if _CHECK_DIGITS[total % 11] != number[17]:
            raise Refusal("InvalidParameter.CardNumber")
    if rules.check_age and _age(number, now) < ADULT:
        raise Refusal("OperationDenied.InvalidApproverAge")


def _age(number: str, now: float) -> int:
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise Refusal("InvalidParameter.CardNumber") from None
    today = datetime.fromtimestamp(now, UTC).date()
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
