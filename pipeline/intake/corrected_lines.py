"""How the lines of a results workbook stand to the roster rows they came from: the same doctor, or perhaps another one.

A correction changes a name or a number. Where both are new, or one of them is another row's, somebody may have pasted
columns in another order or used the line for another doctor. Such a line is still read, but the picture of its roster
row is not taken over. Likeness serves here to doubt alone, never to find a picture.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pipeline.domain.roster import CellKind, Correction, Field, Row
from pipeline.intake.fields.normalize import get_text, trim_ends
from pipeline.intake.fields.person_ids import find_kept_digits
from pipeline.intake.pairing import file_names
from pipeline.intake.pairing.expected_names import NAME, NUMBER, STAFF_NO

_HAN = re.compile(r"[^\u3400-\u9fff\U00020000-\U000323af]")
_KEPT, _WHOLE = 15, 18  # digits of a number that a spreadsheet keeps, and all of them
_SLIPS = 2  # characters in which a mistyped number may differ from the right one
_BUCKET = 8  # characters at either end, one of which a number with a slip shares with the right one


class _Person(NamedTuple):
    """What a row says of who it is, as rows are compared."""

    row: str  # the ticket
    name: str
    number: str
    staff_no: str


class _Rows:
    """The rows of the roster and the workbook's lines, by what is looked for among them."""

    def __init__(self, lines: Sequence[_Person], standing: Sequence[_Person]) -> None:
        names = {line.name for line in lines} | {line.name[:2] for line in lines}
        numbers = {key for line in lines for key in _buckets(line.number)}
        staff = {line.staff_no for line in lines}
        self._found: defaultdict[tuple[str, str], list[_Person]] = defaultdict(list)
        for person in (*standing, *lines):
            for kind, keys, wanted in (
                (NAME, {person.name, _han(person.name)[:2]}, names),
                (NUMBER, _buckets(person.number), numbers),
                (STAFF_NO, {person.staff_no}, staff),
            ):
                for key in keys & wanted - {""}:
                    self._found[kind, key].append(person)

    def of_name(self, line: _Person) -> list[_Person]:
        """Return the other rows that have a line's name, or may have meant it."""
        found = [*self._found[NAME, line.name], *self._found[NAME, line.name[:2]]]
        return [each for each in found if each.row != line.row and _same_name(each.name, line.name)]

    def of_number(self, line: _Person) -> list[_Person]:
        """Return the other rows that have a line's number, or may have meant it."""
        found = [each for key in _buckets(line.number) for each in self._found[NUMBER, key]]
        return [each for each in found if each.row != line.row and _same_number(each.number, line.number)]

    def of_staff_no(self, line: _Person) -> list[_Person]:
        """Return the other rows that have a line's staff number."""
        return [each for each in self._found[STAFF_NO, line.staff_no] if each.row != line.row]


def relate_lines(lines: Sequence[Row], at: Mapping[str, Row], runs: Mapping[Path, str]) -> list[Row]:
    """Return the lines, each with how it stands to its roster row; ``at`` are roster rows by row_id."""
    if not lines:
        return []
    people = [_person(line.row_token or "", line) for line in lines]
    origins = {row_id: _person(row_id, row) for row_id, row in at.items()}
    rows = _Rows(people, list(origins.values()))
    entries = _entries(lines, at)
    related = []
    for line, person in zip(lines, people, strict=True):
        text = _entry(line)
        standing = at.get(person.row)
        own = text != "" and standing is not None and text == _entry(standing)
        correction = Correction(
            row_token=person.row,
            run=runs.get(line.origin.path, ""),
            picture_entry_unchanged=own,
            picture_entry_owner="" if own else entries.get(text, ""),
            trusted_evidence=_trusted(person, origins.get(person.row), rows),
        )
        related.append(replace(line, correction=correction))
    return related


def _trusted(line: _Person, origin: _Person | None, rows: _Rows) -> frozenset[str] | None:
    """Return which evidence finds the picture of a line that may be another doctor's; None where it surely is not.

    The number always does. Name and staff number do where they came or stayed together with the number, and no other
    row has them with another number: else they may have stayed behind, or strayed alone. Where the roster row is gone,
    the staff number does only if one row of the roster has all three.
    """
    if origin is None:
        if any(line[1:] == each[1:] for each in rows.of_number(line)):
            return frozenset({NUMBER, NAME, STAFF_NO})
        new_name = new_number = True
        new_staff_no = False
    else:
        new_name = line.name not in ("", origin.name)
        new_number = line.number not in ("", origin.number)
        new_staff_no = line.staff_no not in ("", origin.staff_no)
    namesakes, numbered = rows.of_name(line), rows.of_number(line)
    if not (new_name and new_number) and not (
        (new_name and _is_anothers_name(line, origin, namesakes))
        or (new_number and _is_anothers_number(line, origin, numbered))
    ):
        return None
    trusted = {NUMBER}
    if new_name == new_number and all(_same_number(each.number, line.number) for each in namesakes):
        trusted.add(NAME)
    if new_staff_no == new_number and all(
        _same_number(each.number, line.number) for each in rows.of_staff_no(line)
    ):
        trusted.add(STAFF_NO)
    return frozenset(trusted)


def _is_anothers_name(line: _Person, origin: _Person | None, namesakes: Sequence[_Person]) -> bool:
    mended = origin is not None and _same_name(origin.name, line.name)
    return any(
        not _same_number(each.number, line.number) and (each.name == line.name or not mended)
        for each in namesakes
    )


def _is_anothers_number(line: _Person, origin: _Person | None, numbered: Sequence[_Person]) -> bool:
    mended = origin is not None and _same_number(origin.number, line.number)
    return any(
        not _same_name(each.name, line.name) and (each.number == line.number or not mended)
        for each in numbered
    )


def _entries(lines: Sequence[Row], at: Mapping[str, Row]) -> dict[str, str]:
    """Return the picture entries of roster rows that some line has as well, and where the first row of each stands."""
    wanted = {_entry(line) for line in lines} - {""}
    found: dict[str, str] = {}
    for row in at.values():
        text = _entry(row)
        if text in wanted:
            origin = row.display_origin
            found.setdefault(text, " ".join(filter(None, (origin.file, origin.sheet, str(origin.row)))))
    return found


def _entry(row: Row) -> str:
    return trim_ends(get_text(row.fields.get(Field.PICTURE)))


def _person(ticket: str, row: Row) -> _Person:
    cell = row.fields.get(Field.NUMBER)
    number = _spelling(row, Field.NUMBER)
    if cell is not None and (cell.kind is CellKind.NUMBER or "e" in number):
        number = find_kept_digits(cell) or number
    return _Person(ticket, _spelling(row, Field.NAME), number, _spelling(row, Field.STAFF_NO))


def _spelling(row: Row, field: Field) -> str:
    """Return a cell's text without width, case, blanks, dots and joints."""
    return file_names.lookup_key(file_names.comparison_key(get_text(row.fields.get(field))))


def _buckets(number: str) -> set[str]:
    return {number[:_BUCKET], f"…{number[-_BUCKET:]}"} if len(number) >= _BUCKET else {number}


def _same_number(first: str, second: str) -> bool:
    """Tell whether two texts may mean one number: alike but for a slip, or as far as a spreadsheet kept it."""
    if first == second or not first or not second:
        return first == second
    if _KEPT in (len(first), len(second)) and first[:_KEPT] == second[:_KEPT]:
        return True
    longer = max(len(first), len(second))
    if longer < _KEPT or abs(len(first) - len(second)) > _SLIPS:
        return False
    alike = _common(first, second)
    return alike + _common(first[alike:][::-1], second[alike:][::-1]) >= longer - _SLIPS


def _common(first: str, second: str) -> int:
    return next(
        (n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
        min(len(first), len(second)),
    )


def _same_name(first: str, second: str) -> bool:
    """Tell whether two texts may mean one name: the Han characters of one begin the other's."""
    if first == second:
        return True
    short, long = sorted((_han(first), _han(second)), key=len)
    return len(short) > 1 and long.startswith(short)


def _han(text: str) -> str:
    return _HAN.sub("", text)
