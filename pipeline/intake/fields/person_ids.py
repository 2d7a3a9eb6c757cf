"""Finds out which rows are the same person, as far as rows show it.

The person's key decides, or the lifetime number without a site key. A row whose number cannot be used is a person of its
own, unless the rest of it belongs to exactly one row's person with a usable number: the same name, and the staff number
or the digits that a spreadsheet kept of the number. Among themselves such rows are one person if the name and the
written number, staff number or mobile are the same. Without any of these, equal rows of two files are one person: the
same roster may be there twice.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal

from pipeline.domain.roster import Cell, CellKind, Doctor, Field
from pipeline.intake.fields.id_number import find_lifetime_number
from pipeline.intake.fields.normalize import drop_spaces, fold_width, get_text, trim_ends

_WHOLE = 18
_KEPT = 15  # digits of a number in a spreadsheet's cell: index, birth date and one more
_CUT = re.compile(r"[0-9]+(?:\.[0-9]*)?E\+?[0-9]{1,3}|[0-9]{18}(?:\.0*)?", re.IGNORECASE)


def find_person_ids(doctors: Sequence[Doctor]) -> list[Hashable]:
    """Return a person_id for each row, equal for rows of one person."""
    equal: Counter[Hashable] = Counter()
    own_ids = [_make_own_id(doctor, index, equal) for index, doctor in enumerate(doctors)]
    lost = {doctor.name for doctor in doctors if not doctor.number}
    known: defaultdict[tuple[str, str], set[Hashable]] = defaultdict(set)
    for doctor, person_id in zip(doctors, own_ids, strict=True):
        if doctor.number and doctor.name in lost:
            for trace in _list_traces(doctor, doctor.number[:_KEPT]):
                known[trace].add(person_id)
    return [
        person_id if doctor.number else _recognise_person(doctor, known, person_id)
        for doctor, person_id in zip(doctors, own_ids, strict=True)
    ]


def _make_own_id(doctor: Doctor, index: int, equal: Counter[Hashable]) -> Hashable:
    """Return the id that a row itself gives; ``equal`` counts equal rows of a file, each of which is a person."""
    if doctor.number and doctor.id_type:
        return doctor.key or find_lifetime_number(doctor.number, doctor.id_type)
    if not doctor.name:
        return index
    written = trim_ends(get_text(doctor.row.fields.get(Field.NUMBER)))
    if any(map(str.isdigit, written)):
        return doctor.name, written
    if doctor.staff_no:
        return doctor.name, Field.STAFF_NO, doctor.comparable_staff_no
    if doctor.mobile:
        return doctor.name, Field.MOBILE, doctor.mobile
    row = (
        doctor.name,
        *((field, trim_ends(get_text(cell))) for field, cell in sorted(doctor.row.fields.items())),
    )
    of_file = doctor.row.origin.path, row
    equal[of_file] += 1
    return row, equal[of_file]


def _recognise_person(
    doctor: Doctor, known: Mapping[tuple[str, str], set[Hashable]], person_id: Hashable
) -> Hashable:
    traces = _list_traces(doctor, find_kept_digits(doctor.row.fields.get(Field.NUMBER)))
    people = set().union(*(known.get(trace, ()) for trace in traces))
    return people.pop() if len(people) == 1 else person_id


def _list_traces(doctor: Doctor, digits: str | None) -> list[tuple[str, str]]:
    """Return what identifies a person beside the whole number, each together with the name."""
    if doctor.name is None:
        return []
    marks = (f"staff {doctor.comparable_staff_no}" if doctor.staff_no else None, digits)
    return [(doctor.name, mark) for mark in marks if mark]


def find_kept_digits(cell: Cell | None) -> str | None:
    """Return the 15 digits that are left of a number of 18 in a numeric cell, an exponent or a lost tail."""
    if cell is None or cell.kind not in (CellKind.NUMBER, CellKind.TEXT):
        return None
    text = str(cell.value) if cell.kind is CellKind.NUMBER else drop_spaces(fold_width(cell.display_text))
    if not _CUT.fullmatch(text):
        return None
    digits = f"{Decimal(text):f}".partition(".")[0]
    return digits[:_KEPT] if len(digits) == _WHOLE else None
