"""Which files each row may mean by name, and which files two people may mean."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

from pipeline.domain.roster import Doctor
from pipeline.intake.conflicts import find_person_ids
from pipeline.intake.fields.normalize import is_placeholder
from pipeline.intake.pairing import file_names
from pipeline.intake.pairing.expected_names import (
    COLUMN,
    NAME,
    STAFF_NO,
    ImageMatch,
    make_department_key,
    match_by_name,
)
from pipeline.intake.pairing.image_index import Candidate, ImageIndex, list_variants
from pipeline.intake.pairing.wards import Wards, has_ward_alone

# as comparison keys: identity cards, permits, other cards
_NUMBER = re.compile(r"[0-9]{17}[0-9x]|[a-z][0-9a-z()]{6,19}")
_PERMIT = re.compile(r"[hm][0-9]{8,10}")
_LIFETIME = 9  # characters of a permit that no renewal changes


@dataclass(frozen=True, slots=True)
class SealedPerson:
    """A person who has a seal."""

    key: str
    name: str | None = field(repr=False)
    seal_name: str
    picture_known: bool  # False for a seal that was made elsewhere


@dataclass(frozen=True)
class SealedPeople:
    """All people who have a seal."""

    people: Sequence[SealedPerson] = field(default=(), repr=False)
    # by key, as rosters gave them; called only where a staff number may be another's
    list_staff_numbers: Callable[[], Mapping[str, Collection[str]]] = field(default=dict, repr=False)
    make_key: Callable[[str], str] | None = field(default=None, repr=False)  # lifetime number -> key
    # row_id of rows without a usable number -> key of the person whose seal their corrected copy holds
    list_corrected: Callable[[], Mapping[str, str]] = field(default=dict, repr=False)

    def has_seal(self, key: str | None) -> bool:
        """Return whether a person has a seal."""
        return key in self._by_key

    @cached_property
    def has_adopted(self) -> bool:
        """Whether the picture of some person's seal is not known."""
        return not all(person.picture_known for person in self.people)

    def is_own_person(self, doctor: Doctor, key: str) -> bool:
        """Return whether a row without a usable number was corrected already, and got that person's seal."""
        return doctor.key is None and self._corrected.get(doctor.row_id or "") == key

    @cached_property
    def _corrected(self) -> Mapping[str, str]:
        return self.list_corrected()

    def find_by_name(self, name: str) -> Sequence[SealedPerson]:
        """Return the people of a name, as a roster or a file writes it."""
        return self._by_name.get(_make_name_key(name), ())

    def find_by_staff_no(self, staff_no: str) -> Sequence[SealedPerson]:
        """Return the people of a staff number."""
        return self._by_staff_no.get(file_names.comparison_key(staff_no), ())

    def find_by_stem(self, stem: str) -> list[SealedPerson]:
        """Return the people whose name, staff number or identity number a stem is exactly."""
        comparison_key = file_names.comparison_key(stem)
        if not comparison_key:
            return []
        keys = [key for key in self._make_keys(comparison_key) if key in self._by_key]
        return [*self.find_by_name(stem), *self.find_by_staff_no(stem), *(self._by_key[key] for key in keys)]

    def _make_keys(self, comparison_key: str) -> list[str]:
        """Return the keys that a text may lead to if it is an identity number."""
        if self.make_key is None or not _NUMBER.fullmatch(comparison_key):
            return []
        number = comparison_key.upper()
        keys = [self.make_key(number)]
        if _PERMIT.match(comparison_key):
            keys.append(self.make_key(number[:_LIFETIME]))
        return keys

    @cached_property
    def _by_key(self) -> Mapping[str, SealedPerson]:
        return {person.key: person for person in self.people}

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[SealedPerson]]:
        index: defaultdict[str, list[SealedPerson]] = defaultdict(list)
        for person in self.people:
            if person.name:
                index[_make_name_key(person.name)].append(person)
        return index

    @cached_property
    def _by_staff_no(self) -> Mapping[str, Sequence[SealedPerson]]:
        index: defaultdict[str, list[SealedPerson]] = defaultdict(list)
        for key, numbers in self.list_staff_numbers().items():
            if (person := self._by_key.get(key)) is not None:
                for number in numbers:
                    index[file_names.comparison_key(number)].append(person)
        return index


NO_SEALED_PEOPLE = SealedPeople()


def _make_name_key(name: str) -> str:
    """Return a name as two programs may write it alike: dots and joints do not count."""
    return file_names.lookup_key(file_names.comparison_key(name))


# --- which row may mean which file

_SHAREABLE = frozenset({STAFF_NO, NAME})  # two people may have the same; an identity number belongs to one
FOREIGN = frozenset({"other", "namesake"})  # no evidence, and beside it neither is a name alone


@dataclass(frozen=True, slots=True)
class ImageMatches:
    """The files that every row may mean, in the order of the rows, and those that more than one person may mean."""

    person_ids: Sequence[Hashable] = field(repr=False)
    by_row: Sequence[Sequence[ImageMatch]] = field(repr=False)
    # all that fit a row, also those whose file belongs to a better match
    fitting: Sequence[Sequence[ImageMatch]] = field(repr=False)
    shared: Mapping[Candidate, Sequence[int]] = field(repr=False)  # with the indices of all their rows

    def valid_matches(self, matches: Sequence[ImageMatch]) -> list[ImageMatch]:
        """Return the matches that are evidence for their row.

        A file that lies in another department is none, and beside it neither is a name alone: there is a namesake.
        """
        valid = [
            match
            for match in matches
            if match.evidence == COLUMN
            or (match.candidate not in self.shared and match.department not in FOREIGN)
        ]
        has_foreign = any(match.department in FOREIGN for match in matches)
        are_weak = all(match.evidence == NAME and not match.department for match in valid)
        return [] if has_foreign and are_weak else valid


def may_be_other_wards(valid: Iterable[ImageMatch]) -> bool:
    """Return whether a file lies in another ward's folder and no better evidence than a name supports the row's matches."""
    matches = list(valid)
    return any(match.ward == "other" for match in matches) and all(
        match.evidence == NAME and match.ward != "own" for match in matches
    )


def find_matches(
    doctors: Sequence[Doctor], index: ImageIndex, sealed_people: SealedPeople = NO_SEALED_PEOPLE
) -> ImageMatches:
    """Return who may mean which file; it does not depend on the order of rows or files.

    Among namesakes a file belongs to the one whose department its folder or its stem names, if that is one alone.
    ``sealed_people`` have a seal, whether or not they are in the roster.
    """
    person_ids = find_person_ids(doctors)
    departments = _collect_departments(person_ids, doctors)
    known = frozenset(make_department_key(name) for names in departments.values() for name in names)
    named = [
        list(match_by_name(doctor, departments.get(person, ()), known, index))
        for person, doctor in zip(person_ids, doctors, strict=True)
    ]
    keys = frozenset(doctor.key for doctor in doctors if doctor.key)
    by_row = [
        _mark_namesakes(doctor, matches, sealed_people, keys)
        for doctor, matches in zip(doctors, named, strict=True)
    ]
    shared = _resolve_shared_files(person_ids, by_row)
    rows = [
        row
        for row, (person, doctor) in enumerate(zip(person_ids, doctors, strict=True))
        if by_row[row] and person not in departments and has_ward_alone(doctor)
    ]
    if rows:
        wards = Wards(person_ids, doctors, chain.from_iterable(departments.values()), index)
        for row in rows:
            by_row[row] = [wards.mark(match, person_ids[row], doctors[row]) for match in by_row[row]]
    return ImageMatches(person_ids, by_row, named, shared)


def _mark_namesakes(
    doctor: Doctor, matches: list[ImageMatch], sealed_people: SealedPeople, keys: frozenset[str]
) -> list[ImageMatch]:
    """Return a row's matches, those marked that a sealed person outside of the roster may mean as well.

    ``keys`` are the people of the roster. The picture of a new doctor may be that person's, scanned again: a name alone,
    or a staff number alone that was that person's, does not identify the doctor, in whichever folder the file lies.
    Neither does it for a doctor who has a seal, where the picture of the other one's seal is not known.
    """
    evidence = {match.evidence for match in matches} & _SHAREABLE
    is_new = not sealed_people.has_seal(doctor.key)
    if not evidence or not (is_new or sealed_people.has_adopted):
        return matches
    name, staff_no = doctor.name or "", doctor.staff_no or ""
    name_key = file_names.comparison_key(name)

    def may_be_meant(person: SealedPerson) -> bool:
        is_absent = person.key not in keys and (is_new or not person.picture_known)
        return is_absent and not sealed_people.is_own_person(doctor, person.key)

    has_namesake = NAME in evidence and any(map(may_be_meant, sealed_people.find_by_name(name)))
    has_earlier_owner = STAFF_NO in evidence and any(
        # one of the same name is held as possibly the same person
        may_be_meant(person) and file_names.comparison_key(person.name or "") != name_key
        for person in sealed_people.find_by_staff_no(staff_no)
    )

    def may_be_theirs(match: ImageMatch) -> bool:
        if match.evidence == STAFF_NO:
            return has_earlier_owner and name_key not in file_names.comparison_key(match.candidate.stem)
        return match.evidence == NAME and has_namesake

    return [replace(match, department="namesake") if may_be_theirs(match) else match for match in matches]


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
        owners = (_find_owners(person_ids, rows) if by_name else set()) or people
        for row, _ in rows:
            if person_ids[row] not in owners:
                taken[row].add(candidate)
        if len(owners) > 1:
            shared[candidate] = [row for row, _ in rows if person_ids[row] in owners]
    for row, candidates in taken.items():
        by_row[row] = [match for match in by_row[row] if match.candidate not in candidates]
    return shared


def _find_owners(person_ids: Sequence[Hashable], rows: Sequence[tuple[int, ImageMatch]]) -> set[Hashable]:
    """Return the people whose file it can be, of those who match it by name; empty where all of them can."""
    whole = [(row, match) for row, match in rows if not match.is_joined]
    owners = {person_ids[row] for row, match in whole or rows if match.department == "own"}
    if owners or len(whole) in (0, len(rows)):
        return owners
    return {person_ids[row] for row, match in whole if match.department not in FOREIGN}


# --- files that an entry names and another person bears


@dataclass(frozen=True, slots=True)
class ContestedFile:
    """The rows that a file is taken from, and the seals of people outside of the roster whose name it bears."""

    rows: frozenset[int]
    seal_names: tuple[str, ...] = ()


def find_contested_files(
    doctors: Sequence[Doctor],
    entry_matches: Sequence[Sequence[ImageMatch]],
    matches: ImageMatches,
    sealed_people: SealedPeople,
) -> Mapping[Candidate, ContestedFile]:
    """Return the files that a row's picture entry names and that by their own name are another person's.

    Another person is one of the roster, or one who has a seal. A file that fits both (namesakes) belongs to the entry.
    """
    naming: defaultdict[Candidate, list[int]] = defaultdict(list)
    for row, entry in enumerate(entry_matches):
        own = {match.candidate for match in matches.by_row[row]} if entry else ()
        for match in entry:
            if match.candidate not in own:
                naming[match.candidate].append(row)
    if not naming:
        return {}
    bearing: defaultdict[Candidate, list[int]] = defaultdict(list)
    for row, fitting in enumerate(matches.fitting):
        for match in fitting:
            if match.candidate in naming:
                bearing[match.candidate].append(row)
    contested: dict[Candidate, ContestedFile] = {}
    for candidate, rows in naming.items():
        people = {matches.person_ids[row] for row in rows}
        others = [row for row in bearing[candidate] if {matches.person_ids[row]} != people]
        keys = {doctors[row].key for row in rows}
        seal_names = () if others else _list_seal_names(candidate, keys, sealed_people)
        if others or seal_names:
            contested[candidate] = ContestedFile(frozenset((*rows, *others)), seal_names)
    return contested


def _list_seal_names(
    candidate: Candidate, keys: set[str | None], sealed_people: SealedPeople
) -> tuple[str, ...]:
    """Return the seal names of people, other than these, whose name, staff number or number a file bears."""
    bearers = {
        person
        for variant in list_variants(candidate)
        for person in sealed_people.find_by_stem(variant.base)
        if {person.key} != keys
    }
    return tuple(sorted(person.seal_name or person.name or "?" for person in bearers))
