"""Which files each row may mean by name, and which files two people may mean."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final

from pipeline.domain.roster import Doctor
from pipeline.intake.conflicts import compute_person_ids
from pipeline.intake.fields.normalize import is_placeholder
from pipeline.intake.pairing.composed_names import ComposedNames
from pipeline.intake.pairing.expected_names import (
    COLUMN,
    NAME,
    STAFF_NO,
    ImageMatch,
    bears_name,
    get_bare_name,
    get_department_match,
    list_rows_by_name,
    make_department_key,
    match_by_name,
)
from pipeline.intake.pairing.file_names import comparison_key, is_count
from pipeline.intake.pairing.image_index import Candidate, ImageIndex, list_variants
from pipeline.intake.pairing.picture_column import PictureEntry
from pipeline.intake.pairing.wards import Wards, is_part_of_ward

_PATH_SIGNS = re.compile(r"[/\\]")
_SHAREABLE = frozenset({STAFF_NO, NAME})  # two people may have the same; an identity number belongs to one
FOREIGN: Final = "other"  # of a match's department: no evidence, and a name alone next to it is none either


@dataclass(frozen=True, slots=True)
class ImageMatches:
    """The files that every row may mean, in the order of the rows, and those that more than one person may mean."""

    person_ids: Sequence[Hashable] = field(repr=False)
    by_row: Sequence[Sequence[ImageMatch]] = field(repr=False)
    # all that fit a row, also those whose file belongs to a better match
    fitting: Sequence[Sequence[ImageMatch]] = field(repr=False)
    shared: Mapping[Candidate, Sequence[int]] = field(repr=False)  # with the indices of all their rows
    named: Sequence[Sequence[ImageMatch]] = field(repr=False)  # the files that each row's entry names

    def valid_matches(self, matches: Sequence[ImageMatch]) -> list[ImageMatch]:
        """Return the matches that are evidence for their row.

        A file in the folder of another department is no evidence; next to it a name alone is none either (a namesake).
        """
        valid = [
            match
            for match in matches
            if match.department != FOREIGN
            and (match.evidence == COLUMN or match.candidate not in self.shared)
        ]
        has_foreign = any(match.department == FOREIGN for match in matches)
        are_weak = all(match.evidence == NAME and not match.department for match in valid)
        return [] if has_foreign and are_weak else valid


def may_be_other_wards(valid: Iterable[ImageMatch]) -> bool:
    """Return whether a file lies in another ward's folder and no better evidence than a name supports the row's matches."""
    matches = list(valid)
    return any(match.ward == "other" for match in matches) and all(
        match.evidence in (NAME, COLUMN) and match.ward != "own" for match in matches
    )


def compute_image_matches(
    doctors: Sequence[Doctor], entries: Sequence[PictureEntry], index: ImageIndex
) -> ImageMatches:
    """Return who may mean which file; it does not depend on the order of rows or files.

    An entry names a file by its name alone. Where that names only which of a folder's pictures it is (1.png, 签名.png), the folder
    decides as it does for a name.
    Among namesakes a file belongs to the one whose department its folder or its stem names, if that is one alone.
    """
    person_ids = compute_person_ids(doctors)
    departments = _collect_departments(person_ids, doctors)
    known = frozenset(make_department_key(name) for names in departments.values() for name in names)
    of_rows = [departments.get(person, ()) for person in person_ids]
    named = [
        list(match_by_name(doctor, of_row, known, index))
        for of_row, doctor in zip(of_rows, doctors, strict=True)
    ]
    ComposedNames(doctors, of_rows, known).add_matches(index, named)
    by_row = list(named)
    shared = _resolve_shared_files(person_ids, by_row)
    _share_files_of_staff_numbers(person_ids, doctors, by_row, shared)
    _share_files_of_namesakes(person_ids, doctors, departments, by_row, shared)
    of_entries = [
        [_note_department(match, entry.text or "", of_row, known) for match in entry.named]
        for of_row, entry in zip(of_rows, entries, strict=True)
    ]
    rows = [
        row
        for row, (person, doctor) in enumerate(zip(person_ids, doctors, strict=True))
        if (by_row[row] or of_entries[row]) and person not in departments and doctor.has_ward_alone
    ]
    if rows:
        lists = [doctor.row.origin.roster_list for doctor in doctors]
        wards = Wards(person_ids, lists, chain.from_iterable(departments.values()), index)
        for row in rows:
            roster, _ = lists[row]
            by_row[row] = [wards.note_ward(match, person_ids[row], roster) for match in by_row[row]]
            of_entries[row] = [
                wards.note_ward(match, person_ids[row], roster)
                if depends_on_folder(match, entries[row].text or "")
                else match
                for match in of_entries[row]
            ]
    return ImageMatches(person_ids, by_row, named, shared, of_entries)


def depends_on_folder(match: ImageMatch, text: str) -> bool:
    """Return whether the file that an entry names shows in its folder alone whose it is, and the entry does not name that folder."""
    folders = match.candidate.relative_path.split("/")[:-1]
    parts = [comparison_key(part) for part in _PATH_SIGNS.split(text)[:-1]]
    is_named = bool(folders) and comparison_key(folders[-1]) in parts
    return bool(folders) and not is_named and is_count(match.candidate.stem)


def _note_department(
    match: ImageMatch, text: str, departments: Sequence[str], known_departments: Collection[str]
) -> ImageMatch:
    """Return an entry's match, as foreign where its folder is another department's or not the one that the entry names."""
    if not depends_on_folder(match, text):
        return match
    if _names_folder(text):
        return replace(match, department=FOREIGN)
    variant = next(iter(list_variants(match.candidate)))
    department = get_department_match(variant, departments, known_departments)
    return replace(match, department=FOREIGN) if department == FOREIGN else match


def _names_folder(text: str) -> bool:
    """Return whether an entry names a folder; a drive (D:) and a folder of all pictures (印章图片) are none."""
    folder = "".join(_PATH_SIGNS.split(text)[-2:-1])
    return not folder.endswith(":") and not is_count(folder)


def _collect_departments(
    person_ids: Sequence[Hashable], doctors: Sequence[Doctor]
) -> dict[Hashable, tuple[str, ...]]:
    """Return the departments of every person who has any: who works in two has two rows."""
    departments: dict[Hashable, set[str]] = {}
    for person, doctor in zip(person_ids, doctors, strict=True):
        if doctor.department and not is_placeholder(doctor.department):
            departments.setdefault(person, set()).add(doctor.department)
    return {person: tuple(sorted(names)) for person, names in departments.items()}


def _resolve_shared_files(
    person_ids: Sequence[Hashable], by_row: list[list[ImageMatch]]
) -> dict[Candidate, list[int]]:
    """Take files from the rows they do not belong to, in place; return those that several people may mean.

    One that is exactly one person's name is taken from whose department and name are that together (南宫明: not 宫明 of
    南); one that a department gives to one person is taken from the rest.
    """
    shareable: defaultdict[Candidate, list[tuple[int, ImageMatch]]] = defaultdict(list)
    for row, matches in enumerate(by_row):
        for match in matches:
            if match.evidence in _SHAREABLE:
                shareable[match.candidate].append((row, match))
    shared: dict[Candidate, list[int]] = {}
    taken: defaultdict[int, set[Candidate]] = defaultdict(set)
    for candidate, rows in shareable.items():
        people = {person_ids[row] for row, _ in rows}
        if len(people) == 1:
            continue
        by_name = all(match.evidence == NAME for _, match in rows)
        owners = (_list_owners(person_ids, rows) if by_name else set()) or people
        for row, _ in rows:
            if person_ids[row] not in owners:
                taken[row].add(candidate)
        if len(owners) > 1:
            shared[candidate] = [row for row, _ in rows if person_ids[row] in owners]
    for row, candidates in taken.items():
        by_row[row] = [match for match in by_row[row] if match.candidate not in candidates]
    return shared


def _share_files_of_staff_numbers(
    person_ids: Sequence[Hashable],
    doctors: Sequence[Doctor],
    by_row: Sequence[Sequence[ImageMatch]],
    shared: dict[Candidate, list[int]],
) -> None:
    """Add to ``shared`` the files found by a staff number that two people have, one perhaps with leading zeros."""
    rows_of: defaultdict[str, list[int]] = defaultdict(list)
    for row, doctor in enumerate(doctors):
        if doctor.comparable_staff_no and not is_placeholder(doctor.comparable_staff_no):
            rows_of[doctor.comparable_staff_no].append(row)
    for rows in rows_of.values():
        if len({person_ids[row] for row in rows}) > 1:
            for row in rows:
                for match in by_row[row]:
                    if match.evidence == STAFF_NO and not bears_name(match, doctors[row]):
                        shared.setdefault(match.candidate, rows)


def _share_files_of_namesakes(
    person_ids: Sequence[Hashable],
    doctors: Sequence[Doctor],
    departments: Mapping[Hashable, Sequence[str]],
    by_row: Sequence[Sequence[ImageMatch]],
    shared: dict[Candidate, list[int]],
) -> None:
    """Add to ``shared`` the files found by a name that another person has as well, in whatever spelling (吕布, 呂布).

    A department excludes the other person only where that one's department is known, and is no part of it.
    """
    for rows in list_rows_by_name(doctors).values():
        if len({person_ids[row] for row in rows}) == 1:
            continue
        for row in rows:
            others = [other for other in rows if person_ids[other] != person_ids[row]]
            own = _list_bare_departments(departments.get(person_ids[row], ()))
            near = [other for other in others if _may_be_near(departments.get(person_ids[other], ()), own)]
            for match in by_row[row]:
                rivals = near if match.department == "own" else others
                if match.evidence == NAME and rivals:
                    shared.setdefault(match.candidate, [row, *rivals])


def _list_bare_departments(departments: Iterable[str]) -> list[str]:
    return [get_bare_name(make_department_key(name)) for name in departments]


def _may_be_near(departments: Collection[str], others: Collection[str]) -> bool:
    """Return whether a person's departments are not known, or may be one with some other bare name (内科一病区: 内科)."""
    return not departments or any(
        is_part_of_ward(name, others) for name in _list_bare_departments(departments)
    )


def _list_owners(person_ids: Sequence[Hashable], rows: Sequence[tuple[int, ImageMatch]]) -> set[Hashable]:
    """Return the people whose file it can be, of those who match it by name; empty where all of them can."""
    whole = [(row, match) for row, match in rows if not match.is_joined]
    owners = {person_ids[row] for row, match in whole or rows if match.department == "own"}
    if owners or len(whole) in (0, len(rows)):
        return owners
    return {person_ids[row] for row, match in whole if match.department != FOREIGN}
