"""Which rows are one person, as far as the rows themselves show it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal

from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Cell, CellKind, Doctor, Field
from pipeline.intake.fields.id_number import get_lifetime_number
from pipeline.intake.fields.normalize import drop_spaces, fold_width, get_field_text, get_text, trim_ends

KEPT_DIGITS, _WHOLE = 15, 18  # digits of a number that a spreadsheet keeps, and all of them
_CUT = re.compile(r"[0-9]+(?:\.[0-9]*)?E\+?[0-9]{1,3}|[0-9]{18}(?:\.0*)?", re.IGNORECASE)


def compute_person_ids(doctors: Sequence[Doctor]) -> list[Hashable]:
    """Return a person_id for each row, equal for rows of one person, as far as rows show it.

    The person's key decides, or the lifetime number without a site key. A row whose number cannot be used is a person
    of its own, unless the rest of it belongs to exactly one row's person with a usable number: the same name, and the
    staff number or the digits that a spreadsheet kept of the number. Among themselves such rows are one person if the
    name and the written number, staff number or mobile are the same. Without any of these, equal rows of two files are
    one person: the same roster may be there twice.
    """
    equal: Counter[Hashable] = Counter()
    own_ids = [_make_own_id(doctor, index, equal) for index, doctor in enumerate(doctors)]
    lost = {get_name_key(doctor) for doctor in doctors if not doctor.number}
    known: defaultdict[tuple[str, str], set[Hashable]] = defaultdict(set)
    for doctor, person_id in zip(doctors, own_ids, strict=True):
        if doctor.number and lost and get_name_key(doctor) in lost:
            for trace in _list_traces(doctor, doctor.number[:KEPT_DIGITS]):
                known[trace].add(person_id)
    return [
        person_id if doctor.number else _recognise_person(doctor, known, person_id)
        for doctor, person_id in zip(doctors, own_ids, strict=True)
    ]


def _make_own_id(doctor: Doctor, index: int, equal: Counter[Hashable]) -> Hashable:
    """Return the id that a row itself gives; ``equal`` counts equal rows of a file, each of which is a person."""
    if doctor.number and doctor.id_type:
        return doctor.key or get_lifetime_number(doctor.number, doctor.id_type)
    if not doctor.name:
        return index
    name_key = make_name_key(doctor.name)
    written = get_field_text(doctor.row, Field.NUMBER)
    if any(map(str.isdigit, written)):
        return name_key, written
    if doctor.staff_no:
        return name_key, Field.STAFF_NO, doctor.comparable_staff_no
    if doctor.mobile:
        return name_key, Field.MOBILE, doctor.mobile
    row = (
        name_key,
        *((field, trim_ends(get_text(cell))) for field, cell in sorted(doctor.row.fields.items())),
    )
    of_file = doctor.row.origin.path, row
    equal[of_file] += 1
    return row, equal[of_file]


def _recognise_person(
    doctor: Doctor, known: Mapping[tuple[str, str], set[Hashable]], person_id: Hashable
) -> Hashable:
    traces = _list_traces(doctor, get_kept_digits(doctor.row.fields.get(Field.NUMBER)))
    people = set().union(*(known.get(trace, ()) for trace in traces))
    return people.pop() if len(people) == 1 else person_id


def _list_traces(doctor: Doctor, digits: str | None) -> list[tuple[str, str]]:
    """Return what identifies a person in addition to the whole number, each together with the name."""
    if doctor.name is None:
        return []
    traits = (f"staff {doctor.comparable_staff_no}" if doctor.staff_no else None, digits)
    name_key = make_name_key(doctor.name)
    return [(name_key, trait) for trait in traits if trait]


def get_kept_digits(cell: Cell | None) -> str | None:
    """Return the 15 digits that are left of a number of 18 in a numeric cell, an exponent or a lost tail."""
    if cell is None or cell.kind not in (CellKind.NUMBER, CellKind.TEXT):
        return None
    text = str(cell.value) if cell.kind is CellKind.NUMBER else drop_spaces(fold_width(cell.display_text))
    if not _CUT.fullmatch(text):
        return None
    digits = f"{Decimal(text):f}".partition(".")[0]
    return digits[:KEPT_DIGITS] if len(digits) == _WHOLE else None


def get_name_key(doctor: Doctor) -> str | None:
    """Return the key of a row's name, None where it has no usable one."""
    return make_name_key(doctor.name) if doctor.name else None
