"""What a whole number of each card looks like, and everything that is wrong with one that is not.

GB 11643 (18 characters: province, birth date, sequence, MOD 11-2 check character) holds for identity cards and for
the residence permits of Hong Kong, Macao and Taiwan people; the permit of Hong Kong and Macao people is H or M and
ten digits (rosters.md §3). No message holds more of a number than the part that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from pipeline.intake.folding import spell_each
from pipeline.problems import problem
from pipeline.roster import CardType, Field, Problem

YOUNGEST, OLDEST = 18, 100  # years of age, both allowed
OTHER_LENGTH = 64  # characters: our own bound, the API page names none

# The weights are 2^(18-i) mod 11 for place i, and the sum picks the check character.
_WEIGHTS = tuple(pow(2, 17 - index, 11) for index in range(17))
_CHECK_CHARACTERS = "10X98765432"

_PROVINCE = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
_RESIDENCE_PERMIT = ("81", "82", "83")  # Hong Kong, Macao, Taiwan: nothing but 0000 follows

_DIGITS = frozenset("0123456789")
_EIGHTEEN = re.compile(r"[0-9]{17}[0-9X]")
_FIFTEEN = re.compile(r"[0-9]{15}")
_PERMIT = re.compile(r"[HM][0-9]{10}")
_PERMIT_LIKE = re.compile(r"[HM][0-9]{6}")
_LOST_TAIL = re.compile(r"[0-9]{15}000")  # what is left of 18 digits once a spreadsheet kept 15


def check_character(digits: str) -> str:
    """Return the MOD 11-2 check character (0–9 or X) of 17 digits (GB 11643)."""
    total = sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=True))
    return _CHECK_CHARACTERS[total % 11]


def has_lost_tail(number: str) -> bool:
    """Tell whether the number could be one of 18 digits that lost its last three, whatever its check digit says."""
    return _LOST_TAIL.fullmatch(number) is not None


def judge(
    number: str, declared: CardType | None, address: str | None, today: date
) -> tuple[CardType, tuple[Problem, ...]]:
    """Return the card that a normalised, non-empty number belongs to, and all that is wrong with it as such.

    The number's own form decides; ``declared`` matters only where it has none.
    """
    if _EIGHTEEN.fullmatch(number):
        problems = _judge_eighteen(number, address, today)
        # A card of another kind may have 18 digits as well: a foreigner's residence card starts with 9.
        if declared is not CardType.OTHER_CARD_TYPE or not problems:
            resident = number.startswith(_RESIDENCE_PERMIT)
            return CardType.HONGKONG_MACAO_AND_TAIWAN if resident else CardType.ID_CARD, problems
    if _PERMIT.fullmatch(number):
        return CardType.HONGKONG_AND_MACAO, ()
    if declared is CardType.OTHER_CARD_TYPE:
        return declared, _misshapen_other(number, address)
    if declared is CardType.HONGKONG_AND_MACAO or _PERMIT_LIKE.match(number):
        return CardType.HONGKONG_AND_MACAO, _misshapen_permit(number, address)
    return declared or CardType.ID_CARD, _misshapen_eighteen(number, address)


def _judge_eighteen(number: str, address: str | None, today: date) -> tuple[Problem, ...]:
    found: list[Problem] = []
    if not _PROVINCE.match(number):
        found.append(problem("ID_REGION", Field.NUMBER, address, found=number[:2]))
    elif number.startswith(_RESIDENCE_PERMIT) and number[2:6] != "0000":
        found.append(problem("ID_REGION", Field.NUMBER, address, severity="warning", found=number[:6]))
    birth = _birth(number)
    if birth is None or birth > today:
        written = f"{number[6:10]}-{number[10:12]}-{number[12:14]}"
        found.append(problem("ID_BIRTH", Field.NUMBER, address, found=written))
    elif not YOUNGEST <= (age := _age(birth, today)) <= OLDEST:
        found.append(problem("ID_AGE", Field.NUMBER, address, found=age))
    expected = check_character(number[:17])
    if number[17] != expected and has_lost_tail(number):
        found.append(problem("ID_PRECISION_LOST", Field.NUMBER, address, tail=number[-3:]))
    elif number[17] != expected:
        found.append(problem("ID_CHECKSUM", Field.NUMBER, address, found=number[17], expected=expected))
    return tuple(found)


def _misshapen_eighteen(number: str, address: str | None) -> tuple[Problem, ...]:
    if _FIFTEEN.fullmatch(number):
        return (problem("ID_15_DIGIT", Field.NUMBER, address),)
    return (*_strange(number.removesuffix("X"), address), *_length(number, 18, address))


def _misshapen_permit(number: str, address: str | None) -> tuple[Problem, ...]:
    """Judge what is meant as a permit; the nine characters that cards print apart are never padded."""
    if number[0] not in "HM":
        return (problem("ID_FORMAT", Field.NUMBER, address, why="H / M + 10 × 0–9"),)
    return (*_strange(number[1:], address), *_length(number, 11, address))


def _misshapen_other(number: str, address: str | None) -> tuple[Problem, ...]:
    strange = tuple(char for char in number if not "!" <= char <= "~")
    too_long = len(number) > OTHER_LENGTH
    return (*_strange(strange, address), *(_length(number, OTHER_LENGTH, address) if too_long else ()))


def _strange(characters: Iterable[str], address: str | None) -> tuple[Problem, ...]:
    """Name every character that is no ASCII digit, each once."""
    strange = [char for char in characters if char not in _DIGITS]
    return (problem("ID_CHAR", Field.NUMBER, address, found=spell_each(strange)),) if strange else ()


def _length(number: str, expected: int, address: str | None) -> tuple[Problem, ...]:
    if len(number) == expected:
        return ()
    return (problem("ID_LENGTH", Field.NUMBER, address, length=len(number), expected=expected),)


def _birth(number: str) -> date | None:
    try:
        return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None


def _age(birth: date, today: date) -> int:
    return today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))
