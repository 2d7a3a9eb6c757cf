"""Refuses numbers of which a spreadsheet or a program kept fewer than 18 digits before they became text.

Excel keeps 15 digits, some writers 16, a double 53 bits; the check digit of one such number in eleven fits by chance,
and then it is another person's. What a number shows by itself is checked in
`id_number`; this module checks what only its neighbours show.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from decimal import Decimal

from pipeline.domain.roster import Field, Problem, Row
from pipeline.intake.fields.id_number import Identity, IsKnown
from pipeline.intake.fields.normalize import get_text, trim_ends
from pipeline.messages.problems import problem

Rounding = Callable[[int], bool]  # could this number be what such a program made of another?

_EIGHTEEN_DIGITS = re.compile(r"[0-9]{18}")
# failing numbers of one rounding that give a sheet away, and their share of all that fail: by chance so in less than one
# honest sheet in a thousand
_FEWEST, _SHARE = 3, 0.75


def _is_double(number: int) -> bool:
    return int(float(number)) == number


def _is_shortest_double(number: int) -> bool:
    """Return whether JavaScript and JSON print a double so, or a number cut to 16 digits leaves it."""
    return int(Decimal(repr(float(number)))) == number


_ROUNDINGS: tuple[Rounding, ...] = (_is_double, _is_shortest_double)


def refuse_rounded_numbers(
    rows: Sequence[Row], identities: Sequence[Identity], *, is_known: IsKnown = lambda *_: False
) -> list[Identity]:
    """Return the identities, refused where the number's sheet went through a program that rounds.

    A typing error fits a rounding seldom, a rounded number always, and one rounded number in eleven passes the check
    digit. So where three and more numbers of a sheet fail it, nearly all of them are of one rounding, and they are at
    least as many as those of that rounding that pass (one in ten of which is then another person's), every number of
    that rounding is refused. Numbers with an X, or written in groups, cannot have been rounded; one for which
    ``is_known`` is true was not.
    """
    failing: defaultdict[Hashable, list[int]] = defaultdict(list)
    for row, identity in zip(rows, identities, strict=True):
        if any(map(_has_wrong_check_digit, identity.problems)) and (number := _read_digits(row)) is not None:
            failing[_identify_sheet(row)].append(number)
    passing: dict[Hashable, list[int]] = {
        sheet: [] for sheet, numbers in failing.items() if len(numbers) >= _FEWEST
    }
    if not passing:
        return list(identities)
    for row, identity in zip(rows, identities, strict=True):
        if identity.number and _identify_sheet(row) in passing and (number := _read_digits(row)) is not None:
            passing[_identify_sheet(row)].append(number)
    suspect = {sheet: _find_roundings(failing[sheet], passed) for sheet, passed in passing.items()}
    return [
        _refuse_number(row, identity)
        if _is_rounded(row, suspect.get(_identify_sheet(row), ())) and not _is_known(identity, is_known)
        else identity
        for row, identity in zip(rows, identities, strict=True)
    ]


def _has_wrong_check_digit(refusal: Problem) -> bool:
    """Return whether the check digit refused the number; 000 is left out: it shows no other rounding."""
    return refusal.code == "ID_CHECKSUM" or refusal.detail.get("tail") == "00"


def _find_roundings(failing: Sequence[int], passing: Sequence[int]) -> list[Rounding]:
    return [
        kind
        for kind in _ROUNDINGS
        if sum(map(kind, failing)) >= max(_FEWEST, _SHARE * len(failing), sum(map(kind, passing)))
    ]


def _is_rounded(row: Row, kinds: Sequence[Rounding]) -> bool:
    number = _read_digits(row) if kinds else None
    return number is not None and any(kind(number) for kind in kinds)


def _is_known(identity: Identity, is_known: IsKnown) -> bool:
    number, card = identity.number, identity.id_type
    return number is not None and card is not None and is_known(number, card)


def _refuse_number(row: Row, identity: Identity) -> Identity:
    lost = problem("ID_PRECISION_LOST", Field.NUMBER, row.address(Field.NUMBER))
    others = tuple(other for other in identity.problems if other.code not in ("ID_CHECKSUM", lost.code))
    return replace(identity, number=None, id_type=None, problems=(*others, lost), changes=())


def _read_digits(row: Row) -> int | None:
    text = trim_ends(get_text(row.fields.get(Field.NUMBER)))
    return int(text) if _EIGHTEEN_DIGITS.fullmatch(text) else None


def _identify_sheet(row: Row) -> Hashable:
    return row.origin.path, row.origin.sheet
