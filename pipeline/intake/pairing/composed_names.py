"""File names made of the values of one row: 张伟-内科-1001, 20.张伟 with its serial number, 张伟_主治医师_东院区.

Such a file is evidence for the row if every part of its stem is a value of the row's own cells, and one part is the
identity number, the staff number or the name. Parts end at a joint (``file_names.JOINTS``) and where letters and digits
meet other characters. Names without further values are matched in ``expected_names``.

Digits alone (3-12) and a last digit (张伟-2) may count pictures and are no evidence, except an identity number.

A serial number may come from an older list. So a further value distinguishes no two people of one name: a file that
bears a name and no number fits everyone of that name, unless a department in it shows whose it is. A part that is
another row's staff number makes the file fit that row as well, one that is another row's identity number makes it that
row's. A file that fits two people is evidence for neither (``evidence``).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.domain.roster import Doctor, Field
from pipeline.intake.fields.normalize import is_placeholder
from pipeline.intake.layout.skipped_parts import names_former_staff
from pipeline.intake.pairing.expected_names import (
    NAME,
    NUMBER,
    STAFF_NO,
    STRENGTH,
    DepartmentMatch,
    ImageMatch,
    get_department_match,
    list_names,
    make_department_key,
    may_be_longer_name,
)
from pipeline.intake.pairing.file_names import JOINTS, comparison_key
from pipeline.intake.pairing.image_index import Candidate, FileNameVariant, ImageIndex

_SIGNS = re.escape("".join(sorted(set("".join(JOINTS)))))
_PIECE = re.compile(rf"[a-z0-9]++|[^a-z0-9{_SIGNS}()]++")
_JOINT = "|".join(re.escape(sign) for sign in sorted(JOINTS, key=len, reverse=True))
_STEM = re.compile(
    rf"(?:{_PIECE.pattern})(?:(?:{_JOINT})(?:{_PIECE.pattern}))*+(?:\((?:{_PIECE.pattern})++\))?"
)
_MOST_PIECES = 8  # of one stem
_MOST_ROWS = 64  # that a part may lead to


@dataclass(frozen=True, slots=True)
class _RowValues:
    """What a row holds, as comparison keys."""

    evidence: Mapping[str, str]  # identity number, staff number and names, and which of them each is
    departments: Collection[str]
    others: Collection[str] = field(repr=False)  # the values of its further cells

    def holds(self, part: str) -> bool:
        return part in self.evidence or part in self.departments or part in self.others

    def get_evidence(self, parts: Iterable[str]) -> str | None:
        """Return the strongest evidence among the parts, None if there is none."""
        kinds = [self.evidence[part] for part in parts if part in self.evidence]
        return min(kinds, key=STRENGTH.__getitem__, default=None)


class ComposedNames:
    """Finds the rows whose values a file name is made of."""

    def __init__(
        self,
        doctors: Sequence[Doctor],
        departments: Sequence[Sequence[str]],
        known_departments: Collection[str],
    ) -> None:
        """Index the rows; ``departments`` are those of each row's person, the known ones are all as comparison keys."""
        self._doctors, self._departments, self._known = doctors, departments, known_departments
        self._rows_by_part: defaultdict[str, list[int]] = defaultdict(list)
        self._evidence: list[dict[str, str]] = []
        for row, doctor in enumerate(doctors):
            self._evidence.append(_list_evidence(doctor))
            for part in self._evidence[row]:
                self._rows_by_part[part].append(row)

    def add_matches(self, index: ImageIndex, by_row: Sequence[list[ImageMatch]]) -> None:
        """Add to the matches of every row the files that are named by its values, and those that may be."""
        for variants in index.variants.values():
            for variant in variants:
                for row, match in self._list_matches(variant, by_row):
                    if not _is_matched(variant.candidate, by_row[row]):
                        by_row[row].append(match)

    def _list_matches(
        self, variant: FileNameVariant, by_row: Sequence[list[ImageMatch]]
    ) -> Iterator[tuple[int, ImageMatch]]:
        key = variant.comparison_key
        pieces = list(_PIECE.finditer(key))
        if not 2 <= len(pieces) <= _MOST_PIECES or _STEM.fullmatch(key) is None:
            return
        spans = [
            key[first.start() : last.end()] for number, first in enumerate(pieces) for last in pieces[number:]
        ]
        rows = {row for span in spans for row in self._rows_by_part.get(span, ())}
        if not rows or len(rows) > _MOST_ROWS or names_former_staff(variant.stem):
            return
        owners: dict[int, Sequence[str]] = {}
        for row in sorted(rows):
            if not _is_matched(variant.candidate, by_row[row]):
                parts = self._divide(variant, row)
                if parts and not self._has_number_of_another(parts, row):
                    owners[row] = parts
        for row, parts in owners.items():
            yield row, self._make_match(variant, row, parts)
            for other in self._list_rivals(parts, row):
                if other not in owners:
                    yield other, self._make_match(variant, other, parts)

    def _divide(self, variant: FileNameVariant, row: int) -> Sequence[str] | None:
        """Return the values of a row that a stem is made of, the strongest evidence first; None where it is not."""
        values = self._get_values(row)
        divisions = []
        for parts in _list_divisions(variant.comparison_key, values):
            if len(parts) < 2 or values.get_evidence(parts) is None or _may_be_count(parts, values):
                continue
            ends_with_name = values.evidence.get(parts[-1]) == NAME
            if not (ends_with_name and may_be_longer_name(variant, parts[-1])):
                divisions.append(parts)
        return min(divisions, key=lambda parts: STRENGTH[values.get_evidence(parts) or NAME], default=None)

    def _has_number_of_another(self, parts: Iterable[str], row: int) -> bool:
        """Return whether a part is an identity number that the row does not have."""
        for part in parts:
            owners = self._rows_by_part.get(part, ())
            if part not in self._evidence[row] and any(
                self._evidence[other][part] == NUMBER for other in owners
            ):
                return True
        return False

    def _list_rivals(self, parts: Sequence[str], row: int) -> Iterator[int]:
        """Yield the other rows that a file may mean although a value in its name is not theirs."""
        evidence = self._get_values(row).get_evidence(parts)
        if evidence == NUMBER:
            return
        departments = [part for part in parts if part in self._known]
        for part in parts:
            for other in self._rows_by_part.get(part, ()):
                kind = self._evidence[other][part]
                is_other_department = departments and not any(map(self._get_values(other).holds, departments))
                is_namesake = kind == NAME and evidence == NAME and not is_other_department
                if other != row and (is_namesake or kind == STAFF_NO):
                    yield other

    def _get_values(self, row: int) -> _RowValues:
        doctor = self._doctors[row]
        picture = doctor.row.fields.get(Field.PICTURE)
        texts = [cell.display_text for cell in doctor.row.cells if cell is not picture]
        return _RowValues(
            self._evidence[row],
            frozenset(map(make_department_key, self._departments[row])),
            frozenset(comparison_key(text) for text in texts if not is_placeholder(text)),
        )

    def _make_match(self, variant: FileNameVariant, row: int, parts: Sequence[str]) -> ImageMatch:
        values = self._get_values(row)
        evidence = values.get_evidence(parts)
        assert evidence is not None
        department: DepartmentMatch = ""
        if any(part in values.departments for part in parts):
            department = "own"
        elif evidence == NAME:
            department = get_department_match(variant, self._departments[row], self._known)
        is_exact = variant.stem == variant.base and not variant.is_recoded
        return ImageMatch(variant.candidate, evidence, variant.base, is_exact, department, is_joined=True)


def list_pieces(comparison: str) -> list[str]:
    """Return what stands between the joints of a stem's comparison key: 张伟, 内科 and 1001 of 张伟-内科-1001."""
    return _PIECE.findall(comparison)


def _list_evidence(doctor: Doctor) -> dict[str, str]:
    """Return the parts that show whose a file is: the comparison key of each, and what it is."""
    staff_no = doctor.staff_no or ""
    values = [
        *((name, NAME) for name in list_names(doctor)),
        ("" if is_placeholder(staff_no) else staff_no, STAFF_NO),
        (doctor.number or "", NUMBER),
    ]
    return {comparison_key(text): kind for text, kind in values if text}


def _may_be_count(parts: Sequence[str], values: _RowValues) -> bool:
    """Return whether a stem may count pictures: 3-12 holds digits alone, 张伟-2 ends with one that may be a copy's."""
    if all(part.isdecimal() for part in parts):
        return values.get_evidence(parts) != NUMBER
    return len(parts[-1]) == 1 and parts[-1].isdecimal() and parts[-1] not in values.evidence


def _list_divisions(text: str, values: _RowValues) -> Iterator[tuple[str, ...]]:
    """Yield every way in which a comparison key is made of a row's values and joints between them."""
    pieces = [(piece.start(), piece.end()) for piece in _PIECE.finditer(text)]
    waiting: list[tuple[int, tuple[str, ...]]] = [(0, ())]
    while waiting:
        number, parts = waiting.pop()
        if number == len(pieces):
            yield parts
            continue
        for last in range(number, len(pieces)):
            part = text[pieces[number][0] : pieces[last][1]]
            if values.holds(part):
                waiting.append((last + 1, (*parts, part)))


def _is_matched(candidate: Candidate, matches: Iterable[ImageMatch]) -> bool:
    return any(match.candidate is candidate for match in matches)
