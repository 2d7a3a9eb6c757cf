"""Finds the same person under a corrected number: by the name with staff number, mobile or picture.

A row whose key is not in the ledger may be a person who is there under another number. Such a row is held until a person
decides; sent, it would make a second seal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from pipeline.domain.roster import Doctor, Field, Problem, list_spellings
from pipeline.domain.run import RowPlan, Status
from pipeline.domain.seals import (
    CreateAttempt,
    LedgerSnapshot,
    LiveSeal,
    PersonHistory,
    PersonMarks,
    SealContent,
)
from pipeline.planning.seal_content import Digest, IsSameImage, ToDay

_LAST_FOUR = 4
_KNOWN_STATUSES = frozenset({Status.UNCHANGED, Status.CHANGED, Status.UNKNOWN, Status.EXISTS})


def unite_persons(
    doctors: Sequence[Doctor], snapshot: LedgerSnapshot, person_key: Callable[[str], str] | None
) -> list[Doctor]:
    """Return the doctors with the key under which the ledger knows their person, whichever number the row gives.

    ``person_key`` makes the key of a lifetime number. A ledger of an earlier version may hold the key of another card's
    number as it was written.
    """

    def find_key(doctor: Doctor) -> str | None:
        key = doctor.key
        if key is None or person_key is None or doctor.number is None:
            return key
        spellings = list_spellings(doctor.number, doctor.id_type)
        if len(spellings) > 1 and key not in snapshot.people:
            key = next(filter(snapshot.people.__contains__, map(person_key, spellings)), key)
        return snapshot.same_persons.get(key, key)

    return [
        doctor if (key := find_key(doctor)) == doctor.key else replace(doctor, key=key) for doctor in doctors
    ]


class AbsentPersons:
    """People with a live seal or an unresolved attempt who are not in this run's rosters, by name."""

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
        self._by_name: defaultdict[str, list[tuple[PersonHistory, LiveSeal | CreateAttempt]]] = defaultdict(
            list
        )
        for key, person in snapshot.people.items():
            made = person.seal or person.unresolved_attempt
            if made is not None and key not in present_keys:
                for name in _list_names(person, made):
                    self._by_name[name].append((person, made))
        for namesakes in self._by_name.values():
            namesakes.sort(key=lambda known: (_time_of(known[1]), known[0].key))

    def find(self, doctor: Doctor) -> tuple[PersonHistory, list[Field]] | None:
        """Return the person whom a row may be, and the fields that agree beside the name; None for a new person."""
        for person, made in self._by_name.get((doctor.name or "").casefold(), ()):
            if (person.key, doctor.key) in self._other_persons:
                continue
            if agreeing := list(self._find_agreeing_fields(doctor, person, made.content)):
                return person, agreeing
        return None

    def _find_agreeing_fields(
        self, doctor: Doctor, person: PersonHistory, content: SealContent | None
    ) -> Iterator[Field]:
        if doctor.comparable_staff_no and self._digest(doctor.comparable_staff_no) == person.staff_no_digest:
            yield Field.STAFF_NO
        if doctor.mobile and self._digest(doctor.mobile) in {
            person.mobile_digest,
            content and content.mobile,
        }:
            yield Field.MOBILE
        if doctor.picture and content and self._is_same_image(doctor.picture, content):
            yield Field.PICTURE


def describe_possibly_same(
    doctor: Doctor, person: PersonHistory, agreeing_fields: Sequence[Field], to_day: ToDay
) -> Problem:
    """Return the problem of a row that may be a person with a seal, or with a create that has no verdict."""
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
    cell = doctor.row.address(Field.NUMBER)
    return Problem("PERSON_POSSIBLY_SAME", "error", Field.NUMBER, cell, detail)


def find_new_marks(row_plans: Iterable[RowPlan], digest: Digest) -> dict[str, PersonMarks]:
    """Return, by key, staff number and mobile of known people where their rows differ from the ledger."""
    new_marks: dict[str, PersonMarks] = {}
    for row_plan in row_plans:
        doctor, person = row_plan.doctor, row_plan.history
        if person is None or row_plan.status not in _KNOWN_STATUSES or person.key in new_marks:
            continue
        made = person.seal or person.unresolved_attempt
        if made is None:
            continue
        # name and mobile of an unchanged row are the seal's
        if row_plan.status is Status.UNCHANGED and made.content is not None:
            mobile = made.content.mobile if doctor.mobile else None
        elif (doctor.name or "").casefold() in _list_names(person, made):
            mobile = digest(doctor.mobile) if doctor.mobile else None
        else:
            continue
        marks = PersonMarks(
            digest(doctor.comparable_staff_no) if doctor.comparable_staff_no else "", mobile or ""
        )
        if (marks.staff_no or person.staff_no_digest, marks.mobile or person.mobile_digest) != (
            person.staff_no_digest,
            person.mobile_digest,
        ):
            new_marks[person.key] = marks
    return new_marks


def _time_of(made: LiveSeal | CreateAttempt) -> float:
    return made.created_at if isinstance(made, LiveSeal) else made.signed_at


def _list_names(person: PersonHistory, made: LiveSeal | CreateAttempt) -> set[str]:
    names = {person.name, made.content.name if made.content else None}
    return {name.casefold() for name in names if name}
