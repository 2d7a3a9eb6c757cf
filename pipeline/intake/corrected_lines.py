"""Compares the lines of a results workbook with the roster rows they came from: the same doctor, or perhaps another one.

A correction changes a name or a number. If both are new, or one of them is another row's, columns may have been pasted
in another order, or the line was used for another doctor. Such a line is still read, but the picture of its roster row
is not taken over. Likeness only raises doubts here, it never finds a picture.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pipeline.domain.roster import CellKind, Correction, Field, Row
from pipeline.intake.conflicts import KEPT_DIGITS, find_kept_digits
from pipeline.intake.fields.normalize import count_common_start, get_field_text, get_text
from pipeline.intake.pairing import file_names
from pipeline.intake.pairing.expected_names import NAME, NUMBER, STAFF_NO

_HAN = re.compile(r"[^\u3400-\u9fff\U00020000-\U000323af]")
_SLIPS = 2  # characters in which a mistyped number may differ from the right one
_BUCKET = 8  # characters at either end, one of which a number with a slip shares with the right one
# what distinguishes people, and its weight: staff number and mobile together never outvote the name
_MARKS = {Field.NUMBER: 3, Field.NAME: 3, Field.STAFF_NO: 1, Field.MOBILE: 1}
_MOST_HOLDERS = 50  # roster rows that share a mark and are compared
_FOREIGN_MARKS = 2  # marks of another row that no correction gives to a row that keeps none of its own

Mark = tuple[Field, str]


class _Person(NamedTuple):
    """The values of a row that identify its doctor, as rows are compared."""

    row: str  # the row token
    name: str
    number: str
    staff_no: str


class _RowIndex:
    """The rows of the roster and the workbook's lines, by name, number and staff number."""

    def __init__(self, lines: Sequence[_Person], roster: Sequence[_Person]) -> None:
        names = {line.name for line in lines} | {line.name[:2] for line in lines}
        numbers = {key for line in lines for key in _list_ends(line.number)}
        staff = {line.staff_no for line in lines}
        self._by_key: defaultdict[tuple[str, str], list[_Person]] = defaultdict(list)
        for person in (*roster, *lines):
            for kind, keys, wanted in (
                (NAME, {person.name, _keep_han(person.name)[:2]}, names),
                (NUMBER, _list_ends(person.number), numbers),
                (STAFF_NO, {person.staff_no}, staff),
            ):
                for key in keys & wanted - {""}:
                    self._by_key[kind, key].append(person)

    def find_by_name(self, line: _Person) -> list[_Person]:
        """Return the other rows that have a line's name, or may have meant it."""
        others = self._find_others(line, NAME, (line.name, line.name[:2]))
        return [other for other in others if may_be_same_name(other.name, line.name)]

    def find_by_number(self, line: _Person) -> list[_Person]:
        """Return the other rows that have a line's number, or may have meant it."""
        others = self._find_others(line, NUMBER, _list_ends(line.number))
        return [other for other in others if _may_be_same_number(other.number, line.number)]

    def find_by_staff_no(self, line: _Person) -> list[_Person]:
        """Return the other rows that have a line's staff number."""
        return self._find_others(line, STAFF_NO, (line.staff_no,))

    def _find_others(self, line: _Person, kind: str, keys: Iterable[str]) -> list[_Person]:
        return [other for key in keys for other in self._by_key[kind, key] if other.row != line.row]


def relate_lines(lines: Sequence[Row], roster_rows: Mapping[str, Row], runs: Mapping[Path, str]) -> list[Row]:
    """Return the lines, each with its relation to its roster row; ``roster_rows`` are by row_id."""
    if not lines:
        return []
    people = [_identify_row(line.row_token or "", line) for line in lines]
    origins = {row_id: _identify_row(row_id, row) for row_id, row in roster_rows.items()}
    rows = _RowIndex(people, list(origins.values()))
    entry_owners = _find_entry_owners(lines, roster_rows)
    related = []
    for line, person in zip(lines, people, strict=True):
        text = get_field_text(line, Field.PICTURE)
        roster_row = roster_rows.get(person.row)
        own = text != "" and roster_row is not None and text == get_field_text(roster_row, Field.PICTURE)
        correction = Correction(
            row_token=person.row,
            run=runs.get(line.origin.path, ""),
            picture_entry_unchanged=own,
            picture_entry_owner="" if own else entry_owners.get(text, ""),
            trusted_evidence=_find_trusted_evidence(person, origins.get(person.row), rows),
        )
        related.append(replace(line, correction=correction))
    return related


def _find_trusted_evidence(line: _Person, origin: _Person | None, rows: _RowIndex) -> frozenset[str] | None:
    """Return the evidence that finds the picture of a line that may be another doctor's; None if it surely is not.

    The number always does. Name and staff number do where they came or stayed together with the number, and no other
    row has them with another number: else they may have stayed behind, or strayed alone. Where the roster row is gone,
    the staff number does only if one row of the roster has all three.
    """
    if origin is None:
        if any(line[1:] == other[1:] for other in rows.find_by_number(line)):
            return frozenset({NUMBER, NAME, STAFF_NO})
        new_name = new_number = True
        new_staff_no = False
    else:
        new_name = line.name not in ("", origin.name)
        new_number = line.number not in ("", origin.number)
        new_staff_no = line.staff_no not in ("", origin.staff_no)
    namesakes, numbered = rows.find_by_name(line), rows.find_by_number(line)
    if not (new_name and new_number) and not (
        (new_name and _is_anothers_name(line, origin, namesakes))
        or (new_number and _is_anothers_number(line, origin, numbered))
    ):
        return None
    trusted = {NUMBER}
    if new_name == new_number and all(_may_be_same_number(other.number, line.number) for other in namesakes):
        trusted.add(NAME)
    if new_staff_no == new_number and all(
        _may_be_same_number(other.number, line.number) for other in rows.find_by_staff_no(line)
    ):
        trusted.add(STAFF_NO)
    return frozenset(trusted)


def _is_anothers_name(line: _Person, origin: _Person | None, namesakes: Sequence[_Person]) -> bool:
    corrects_own_row = origin is not None and may_be_same_name(origin.name, line.name)
    return any(
        not _may_be_same_number(other.number, line.number)
        and (other.name == line.name or not corrects_own_row)
        for other in namesakes
    )


def _is_anothers_number(line: _Person, origin: _Person | None, numbered: Sequence[_Person]) -> bool:
    corrects_own_row = origin is not None and _may_be_same_number(origin.number, line.number)
    return any(
        not may_be_same_name(other.name, line.name) and (other.number == line.number or not corrects_own_row)
        for other in numbered
    )


def _find_entry_owners(lines: Sequence[Row], roster_rows: Mapping[str, Row]) -> dict[str, str]:
    """Return the picture entries of roster rows that some line has as well, with the place of the first row of each."""
    wanted = {get_field_text(line, Field.PICTURE) for line in lines} - {""}
    owners: dict[str, str] = {}
    for row in roster_rows.values():
        text = get_field_text(row, Field.PICTURE)
        if text in wanted:
            origin = row.display_origin
            owners.setdefault(text, " ".join(filter(None, (origin.file, origin.sheet, str(origin.row)))))
    return owners


def _identify_row(token: str, row: Row) -> _Person:
    cell = row.fields.get(Field.NUMBER)
    number = _fold_field(row, Field.NUMBER)
    if cell is not None and (cell.kind is CellKind.NUMBER or "e" in number):
        number = find_kept_digits(cell) or number
    return _Person(token, _fold_field(row, Field.NAME), number, _fold_field(row, Field.STAFF_NO))


def _fold_field(row: Row, field: Field) -> str:
    """Return a cell's text without width, case, blanks, dots and joints."""
    return file_names.lookup_key(file_names.comparison_key(get_text(row.fields.get(field))))


def _list_ends(number: str) -> set[str]:
    return {number[:_BUCKET], f"…{number[-_BUCKET:]}"} if len(number) >= _BUCKET else {number}


def _may_be_same_number(first: str, second: str) -> bool:
    """Return whether two texts may mean one number: equal but for a slip, or as far as a spreadsheet kept it."""
    if first == second or not first or not second:
        return first == second
    if KEPT_DIGITS in (len(first), len(second)) and first[:KEPT_DIGITS] == second[:KEPT_DIGITS]:
        return True
    longer = max(len(first), len(second))
    if longer < KEPT_DIGITS or abs(len(first) - len(second)) > _SLIPS:
        return False
    start = count_common_start(first, second)
    return start + count_common_start(first[start:][::-1], second[start:][::-1]) >= longer - _SLIPS


def may_be_same_name(first: str, second: str) -> bool:
    """Return whether two texts may mean one name: the Han characters of one begin the other's."""
    if first == second:
        return True
    short, long = sorted((_keep_han(first), _keep_han(second)), key=len)
    return len(short) > 1 and long.startswith(short)


def _keep_han(text: str) -> str:
    return _HAN.sub("", text)


def find_swapped_row(rows: Sequence[Row], roster_rows: Mapping[str, Row]) -> Row | None:
    """Return the first row of a workbook that has another row's token; ``roster_rows`` are by row_id.

    A correction changes a cell or two, so a row still resembles the roster row of its token. A row that resembles
    another token's row more has changed places with it: its visible columns were sorted or moved alone, and its picture
    would go to another doctor. Name and number decide; staff number and mobile count if these are blank.
    """

    def weigh_own(row: Row) -> int:
        marks = _list_marks(row) & _list_marks(roster_rows[row.row_token or ""])
        return sum(_MARKS[field] for field, _ in marks)

    rows_with_token = [row for row in rows if row.row_token in roster_rows]
    row_marks = {mark for row in rows_with_token for mark in _list_marks(row)}
    holders: defaultdict[Mark, list[str]] = defaultdict(list)
    for row_id, roster_row in roster_rows.items():
        for mark in _list_marks(roster_row) & row_marks:
            if len(holders[mark]) < _MOST_HOLDERS:
                holders[mark].append(row_id)
    likeness = {row.row_token: _weigh_likeness(row, holders) for row in rows_with_token}
    by_token = {row.row_token: row for row in rows_with_token}
    for row in rows_with_token:
        own_weight = weigh_own(row)
        weights = likeness[row.row_token]
        nearest = max(weights, key=lambda row_id: weights[row_id], default=None)
        if nearest is None or nearest == row.row_token or weights[nearest] <= own_weight:
            continue
        if own_weight == 0 and len(_list_marks(row) & _list_marks(roster_rows[nearest])) >= _FOREIGN_MARKS:
            return row
        # the other row has its own place
        if nearest in by_token and weigh_own(by_token[nearest]) < max(1, *likeness[nearest].values()):
            return row
    return None


def _weigh_likeness(row: Row, holders: Mapping[Mark, Sequence[str]]) -> Counter[str]:
    """Return the weight of the row's marks that each roster row has."""
    weights: Counter[str] = Counter()
    for mark in _list_marks(row):
        for row_id in holders.get(mark, ()):
            weights[row_id] += _MARKS[mark[0]]
    return weights


def _list_marks(row: Row) -> set[Mark]:
    return {(field, text) for field in _MARKS if (text := get_field_text(row, field))}
