"""Finds the known person whose corrected number a row may give, by name key, staff number, mobile and picture.

Two of these four agree: the row is held until a person decides. Sent, it would make a second seal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date

from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Doctor, Field, ImageFile, Problem
from pipeline.domain.seals import (
    CreateAttempt,
    LedgerSnapshot,
    LiveSeal,
    PersonHistory,
    SealContent,
    are_declared_two,
)
from pipeline.errors import NotReadNow

CODE = "PERSON_POSSIBLY_SAME"
Digest = Callable[[str], str]  # HMAC of a number, a mobile or a staff number under the site key
IsSameImage = Callable[[ImageFile, SealContent], bool]  # equal bytes or equal pixels
ToDay = Callable[[float], date]  # local calendar day of unix seconds
_LAST_FOUR = 4
_ENOUGH = 2  # of the four marks
# people whose picture is compared with a row's: one mobile may be a ward's. A picture of one more stops the row when it
# is prepared (IMAGE_SHARED)
_MOST_COMPARED = 10

Mark = tuple[Field, str]  # a field and its value: the name key, or a digest
Known = tuple[PersonHistory, LiveSeal | CreateAttempt]


class AbsentPersons:
    """People with a live seal or an unresolved attempt who are not in this run's rosters, by their marks."""

    def __init__(
        self,
        snapshot: LedgerSnapshot,
        present_keys: Collection[str | None],
        digest: Digest,
        is_same_image: IsSameImage,
    ) -> None:
        """Collect them; ``present_keys`` are the keys of all rows of this run's rosters."""
        self._other_persons = snapshot.other_persons
        self._digest = digest
        self._is_same_image = is_same_image
        self._by_mark: defaultdict[Mark, list[Known]] = defaultdict(list)
        for key, person in snapshot.people.items():
            made = person.seal or person.unresolved_attempt
            if made is not None and key not in present_keys:
                for mark in _list_known_marks(person, made):
                    self._by_mark[mark].append((person, made))

    def find(self, doctor: Doctor) -> tuple[PersonHistory, list[Field]] | None:
        """Return the person whom a row may be, and the fields that agree; None for a new person."""
        if not self._by_mark:
            return None
        candidates: dict[str, tuple[Known, list[Field]]] = {}
        for mark in _list_marks(doctor, self._digest):
            for known in self._by_mark.get(mark, ()):
                candidates.setdefault(known[0].key, (known, []))[1].append(mark[0])
        compared = 0
        for (person, made), agreeing in sorted(candidates.values(), key=lambda one: _sort_key(*one[0])):
            if are_declared_two(self._other_persons, person.key, doctor.key):
                continue
            compared += 1
            if compared <= _MOST_COMPARED and self._has_its_picture(doctor, made.content):
                agreeing.append(Field.PICTURE)
            if len(agreeing) >= _ENOUGH:
                return person, agreeing
        return None

    def _has_its_picture(self, doctor: Doctor, content: SealContent | None) -> bool:
        if doctor.picture is None or content is None:
            return False
        try:
            return self._is_same_image(doctor.picture, content)
        except NotReadNow:
            return False


def find_present_person(doctor: Doctor, snapshot: LedgerSnapshot) -> tuple[PersonHistory, list[Field]] | None:
    """Return the person of another row of this run whose corrected number a row may give, and the fields that agree.

    Such a person has a live seal or an unresolved attempt; the conflict of the rows is known already.
    """
    people = (snapshot.people.get(key) for key in doctor.possibly_same)
    known = [person for person in people if person and (person.seal or person.unresolved_attempt)]
    conflict = find_conflict(doctor)
    if not known or conflict is None:
        return None
    return known[0], [Field(field) for field in conflict.detail["same"].split(", ")]


def find_conflict(doctor: Doctor) -> Problem | None:
    """Return the problem of a row that may be the person of another row of this run."""
    return next((problem for problem in doctor.problems if problem.code == CODE), None)


def describe_possibly_same(
    doctor: Doctor, person: PersonHistory, agreeing_fields: Sequence[Field], to_day: ToDay
) -> tuple[Doctor, Problem]:
    """Return the row and the problem that it may be a person with a seal, or with a create that has no verdict.

    Where that person's row is in this run, the problem takes the place of the conflict of the rows.
    """
    detail = {
        "sealed": person.seal_name or "—",
        "tail": (person.id_masked or "—")[-_LAST_FOUR:],
        "agreed": " ".join(agreeing_fields),
    }
    if person.seal:
        detail |= {"seal": person.seal.seal_id, "day": to_day(person.seal.created_at).isoformat()}
    elif person.unresolved_attempt:
        detail |= {
            "trace": person.unresolved_attempt.uuid,
            "day": to_day(person.unresolved_attempt.signed_at).isoformat(),
        }
    conflict = find_conflict(doctor)
    if conflict is not None and person.key in doctor.possibly_same:
        detail["other"] = conflict.detail["other"]
        doctor = replace(doctor, problems=tuple(one for one in doctor.problems if one is not conflict))
    return doctor, Problem(CODE, "error", Field.NUMBER, doctor.row.address(Field.NUMBER), detail)


def list_name_keys(person: PersonHistory, made: LiveSeal | CreateAttempt) -> set[str]:
    """Return the keys of a known person's names: the newest one, and the one that was sent."""
    names = {person.name, made.content.name if made.content else None}
    return {make_name_key(name) for name in names if name}


def _list_known_marks(person: PersonHistory, made: LiveSeal | CreateAttempt) -> Iterator[Mark]:
    for name_key in list_name_keys(person, made):
        yield Field.NAME, name_key
    if person.staff_no_digest:
        yield Field.STAFF_NO, person.staff_no_digest
    for mobile in {person.mobile_digest, made.content.mobile if made.content else None}:
        if mobile:
            yield Field.MOBILE, mobile


def _list_marks(doctor: Doctor, digest: Digest) -> Iterator[Mark]:
    if doctor.name:
        yield Field.NAME, make_name_key(doctor.name)
    if doctor.comparable_staff_no:
        yield Field.STAFF_NO, digest(doctor.comparable_staff_no)
    if doctor.mobile:
        yield Field.MOBILE, digest(doctor.mobile)


def _sort_key(person: PersonHistory, made: LiveSeal | CreateAttempt) -> tuple[float, str]:
    return made.created_at if isinstance(made, LiveSeal) else made.signed_at, person.key
