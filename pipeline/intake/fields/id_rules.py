"""Checks whole numbers of each card, and finds everything that is wrong with one.

GB 11643 (18 characters: province, birth date, sequence, MOD 11-2 check character) holds for identity cards and for
the residence permits of Hong Kong, Macao and Taiwan people; the permit of Hong Kong and Macao people is H or M and
ten digits. No message holds more of a number than the part that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from operator import mul

from pipeline.domain.roster import CardType, Field, Problem, Severity
from pipeline.intake.fields.normalize import list_characters
from pipeline.messages.problems import build_problem
from pipeline.messages.texts import make_text

YOUNGEST, OLDEST = 18, 100  # years of age, both allowed
_MOST_LISTED = 5  # places of strange characters, in one message

# The weights are 2^(18-i) mod 11 for place i, and the sum picks the check character.
_WEIGHTS = tuple(pow(2, 17 - index, 11) for index in range(17))
_CHECK_CHARACTERS = "10X98765432"

_PROVINCE = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
_RESIDENCE_PERMIT = ("81", "82", "83")  # Hong Kong, Macao, Taiwan

_DIGITS = frozenset("0123456789")
_EIGHTEEN = re.compile(r"[0-9]{17}[0-9X]")
_FIFTEEN = re.compile(r"[0-9]{15}")
# meant as a citizen's number, whatever was lost, added or mistyped: no other card's is so long, but for that of
# foreigners who live here, which is 18 characters and starts with 9, or was three letters and 12 digits
_CITIZEN_LIKE = re.compile(r"[0-8].{14,}|[^9].{15,}|9.{18,}")
_TWO = re.compile(r"[0-9]{17}[0-9X][^0-9X]*[0-9]{17}[0-9X]")
_PERMIT = re.compile(r"[HM][0-9]{10}")
_PERMIT_LIKE = re.compile(r"[HM][A-Za-z]?[0-9]{6}")
_WITHOUT_RENEWALS = re.compile(r"[HM][0-9]{8}")  # cards print the count of renewals apart


def check_character(digits: str) -> str:
    """Return the MOD 11-2 check character (0–9 or X) of 17 digits (GB 11643)."""
    total = sum(map(mul, map(int, digits), _WEIGHTS))
    return _CHECK_CHARACTERS[total % 11]


def check_number(
    number: str, declared: CardType | None, address: str | None, today: date
) -> tuple[CardType, Iterable[Problem]]:
    """Return the card that a normalised, non-empty number belongs to, and all that is wrong with it as such.

    The number's own form decides; ``declared`` matters only where it has none. What looks like a citizen's number is
    judged as one also beside the name of another card: a damaged one must not pass as a passport.
    """
    if declared is CardType.OTHER_CARD_TYPE and not _CITIZEN_LIKE.fullmatch(number):
        if _PERMIT.fullmatch(number):
            return CardType.HONGKONG_AND_MACAO, ()
        return declared, _explain_no_other(number, address)
    if _EIGHTEEN.fullmatch(number):
        resident = number.startswith(_RESIDENCE_PERMIT)
        card = CardType.HONGKONG_MACAO_AND_TAIWAN if resident else CardType.ID_CARD
        return card, _check_eighteen(number, address, today)
    if _PERMIT.fullmatch(number):
        return CardType.HONGKONG_AND_MACAO, ()
    if declared is CardType.HONGKONG_AND_MACAO or _PERMIT_LIKE.match(number):
        return CardType.HONGKONG_AND_MACAO, _explain_no_permit(number, address)
    if declared is CardType.OTHER_CARD_TYPE:
        declared = CardType.ID_CARD
    return declared or CardType.ID_CARD, _explain_no_eighteen(number, address)


def _check_eighteen(number: str, address: str | None, today: date) -> Iterator[Problem]:
    if not _PROVINCE.match(number):
        yield refuse_number("ID_REGION", address, found=number[:2])
    birth = _read_birth(number)
    if birth is None or birth > today:
        yield refuse_number("ID_BIRTH", address, found=f"{number[6:10]}-{number[10:12]}-{number[12:14]}")
    elif not YOUNGEST <= (age := _count_years(birth, today)) <= OLDEST:
        yield refuse_number("ID_AGE", address, found=age)
    expected = check_character(number[:17])
    if number[17] != expected:
        yield refuse_number("ID_CHECKSUM", address, found=number[17], expected=expected)


def find_next_judgement(number: str, today: date) -> date | None:
    """Return the first day on which the age of a number's person is judged otherwise, or given otherwise; None: never."""
    birth = _read_birth(number) if _EIGHTEEN.fullmatch(number) else None
    if birth is None or birth > today:
        return birth
    age = _count_years(birth, today)
    year = birth.year + (OLDEST if YOUNGEST <= age <= OLDEST else age) + 1
    try:
        return birth.replace(year=year)
    except ValueError:  # who was born on 29 February is a year older on 1 March
        return date(year, 3, 1)


def _explain_no_eighteen(number: str, address: str | None) -> Iterator[Problem]:
    if _FIFTEEN.fullmatch(number):
        yield refuse_number("ID_15_DIGIT", address)
    elif _TWO.fullmatch(number):
        yield refuse_number("ID_FORMAT", address, why=make_text("cell.two_numbers"))
    else:
        at_end = len(number) - 1 if number.endswith("X") else len(number)
        strange = [index for index in range(at_end) if number[index] not in _DIGITS]
        yield from _list_strange(number, strange, address)
        yield from _check_length(number, 18, strange, address)


def _explain_no_permit(number: str, address: str | None) -> Iterator[Problem]:
    """Yield what is wrong with a number that is meant as a permit; nine characters, as cards print them, are never padded."""
    # HA, MA: the permit of residents who are no Chinese citizens
    if number[0] not in "HM" or number[1:2].isalpha():
        yield refuse_number("ID_FORMAT", address, why="H / M + 10 × 0–9")
    elif _WITHOUT_RENEWALS.fullmatch(number):
        yield refuse_number("ID_LENGTH", address, length=9, expected=11, renewals=2)
    else:
        strange = [index for index in range(1, len(number)) if number[index] not in _DIGITS]
        yield from _list_strange(number, strange, address)
        yield from _check_length(number, 11, strange, address)


def _explain_no_other(number: str, address: str | None) -> Iterator[Problem]:
    strange = [index for index, char in enumerate(number) if not "!" <= char <= "~"]
    yield from _list_strange(number, strange, address)


def _list_strange(number: str, indices: Sequence[int], address: str | None) -> Iterator[Problem]:
    """Yield a problem that names every character that does not belong, each once, and its position (the first is 1)."""
    if indices:
        counted = ", ".join(str(index + 1) for index in indices[:_MOST_LISTED])
        more = "…" if len(indices) > _MOST_LISTED else ""
        characters = list_characters(number[index] for index in indices)
        yield refuse_number("ID_CHAR", address, found=characters, place=counted + more)


def _check_length(
    number: str, expected: int, strange: Sequence[int], address: str | None
) -> Iterator[Problem]:
    """Yield a problem for a wrong length; a number that is whole without its strange characters is not too long."""
    if expected not in (len(number), len(number) - len(strange)):
        yield refuse_number("ID_LENGTH", address, length=len(number), expected=expected)


def refuse_number(
    code: str, address: str | None, *, severity: Severity | None = None, **detail: object
) -> Problem:
    """Return a problem of the number cell."""
    return build_problem(code, Field.NUMBER, address, severity=severity, **detail)


def _read_birth(number: str) -> date | None:
    try:
        return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None


def _count_years(birth: date, today: date) -> int:
    return today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))
