"""Finds the known person whose corrected number a row may give, by name key, staff number, mobile and picture.

Two of these four agree: the row is held until a person decides. Sent, it would make a second seal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property

from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Doctor, Field, Problem
from pipeline.domain.seals import (
    CreateAttempt,
    LedgerSnapshot,
    LiveSeal,
    PersonHistory,
    SealContent,
    are_declared_two,
)
from pipeline.errors import NotReadNow
from pipeline.intake.images.prepare import ImageExaminer

CODE = "PERSON_POSSIBLY_SAME"
Digest = Callable[[str], str]  # HMAC of a number, a mobile or a staff number under the site key
ToDay = Callable[[float], date]  # local calendar day of unix seconds
_LAST_FOUR = 4
_ENOUGH = 2  # of the four marks
# people whose picture is compared with a row's: one mobile may be a ward's. A picture of one more stops the row when it
# is prepared (IMAGE_SHARED)
_MOST_COMPARED = 10

Mark = tuple[Field, str]  # a field and its value: the name key, or a digest
Known = tuple[PersonHistory, LiveSeal | CreateAttempt]


class KnownPersons:
    """People with a live seal or an unresolved attempt, by marks of which the ledger alone shows at least one.

    The rows of this run are compared with each other before (`get_present_person`).
    """

    def __init__(
        self,
        snapshot: LedgerSnapshot,
        doctors: Sequence[Doctor],
        digest: Digest,
        images: ImageExaminer,
    ) -> None:
        """Keep what they are found in."""
        self._snapshot, self._doctors = snapshot, doctors
        self._digest = digest
        self._images = images

    @cached_property
    def _by_mark(self) -> Mapping[Mark, Sequence[Known]]:
        rows: defaultdict[str | None, list[Doctor]] = defaultdict(list)
        for doctor in self._doctors:
            rows[doctor.key].append(doctor)
        by_mark: defaultdict[Mark, list[Known]] = defaultdict(list)
        for key, person in self._snapshot.people.items():
            made = person.seal or person.unresolved_attempt
            if made is not None:
                for mark in self._list_known_marks(person, made, rows.get(key, ())):
                    by_mark[mark].append((person, made))
        return by_mark

    def _list_known_marks(
        self, person: PersonHistory, made: LiveSeal | CreateAttempt, rows: Sequence[Doctor]
    ) -> set[Mark]:
        """Return a person's marks: those of the rows, and the ledger's where all rows are blank; none if none is blank."""
        known: set[Mark] = set()
        if not any(row.staff_no for row in rows) and person.staff_no_digest:
            known.add((Field.STAFF_NO, person.staff_no_digest))
        if not any(row.mobile for row in rows):
            mobiles = {person.mobile_digest, made.content.mobile if made.content else None}
            known |= {(Field.MOBILE, mobile) for mobile in mobiles if mobile}
        if rows and not known:
            return known
        known |= {(Field.NAME, name_key) for name_key in list_name_keys(person, made)}
        return known.union(*(_list_marks(row, self._digest) for row in rows))

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
            if are_declared_two(self._snapshot.other_persons, person.key, doctor.key):
                continue
            compared += 1
            if compared <= _MOST_COMPARED and self._has_its_picture(doctor, made.content):
                agreeing.append(Field.PICTURE)
            if len(agreeing) >= _ENOUGH:
                return person, agreeing
        return None

    def _has_its_picture(self, doctor: Doctor, content: SealContent | None) -> bool:
        image = doctor.picture or doctor.held_image
        if image is None or content is None:
            return False
        try:
            return self._images.is_same_image(image, content)
        except NotReadNow:
            return False


def get_present_person(doctor: Doctor, snapshot: LedgerSnapshot) -> tuple[PersonHistory, list[Field]] | None:
    """Return the person of another row of this run whose corrected number a row may give, and the fields that agree.

    Such a person has a live seal or an unresolved attempt; the conflict of the rows is known already.
    """
    people = (snapshot.people.get(key) for key in doctor.possibly_same)
    known = [person for person in people if person and (person.seal or person.unresolved_attempt)]
    conflict = get_possibly_same_problem(doctor)
    if not known or conflict is None:
        return None
    return known[0], [Field(field) for field in conflict.detail["same"].split(", ")]


def get_possibly_same_problem(doctor: Doctor) -> Problem | None:
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
    conflict = get_possibly_same_problem(doctor)
    if conflict is not None and person.key in doctor.possibly_same:
        detail["other"] = conflict.detail["other"]
        doctor = replace(doctor, problems=tuple(one for one in doctor.problems if one is not conflict))
    return doctor, Problem(CODE, "error", Field.NUMBER, doctor.row.address(Field.NUMBER), detail)


def list_name_keys(person: PersonHistory, made: LiveSeal | CreateAttempt) -> set[str]:
    """Return the keys of a known person's names: the newest one, and the one that was sent."""
    names = {person.name, made.content.name if made.content else None}
    return {make_name_key(name) for name in names if name}


def _list_marks(doctor: Doctor, digest: Digest) -> Iterator[Mark]:
    if doctor.name:
        yield Field.NAME, make_name_key(doctor.name)
    if doctor.comparable_staff_no:
        yield Field.STAFF_NO, digest(doctor.comparable_staff_no)
    if doctor.mobile:
        yield Field.MOBILE, digest(doctor.mobile)


def _sort_key(person: PersonHistory, made: LiveSeal | CreateAttempt) -> tuple[float, str]:
    return made.created_at if isinstance(made, LiveSeal) else made.signed_at, person.key
