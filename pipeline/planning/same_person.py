"""The same person under a corrected number: known by the name with staff number, mobile or picture.

A row whose key the ledger does not hold may be a person whom it knows under another number. Such a row is held until a
human decides; sent, it would make a second seal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from pipeline.domain.roster import Doctor, Field, ImageFile, Problem, list_spellings
from pipeline.domain.run import RowPlan, Status
from pipeline.domain.seals import (
    CreateAttempt,
    LedgerSnapshot,
    LiveSeal,
    PersonHistory,
    PersonMarks,
    SealContent,
)

Digest = Callable[[str], str]  # of a staff number or a mobile, under the site key

_LAST_FOUR = 4
_KNOWN = frozenset({Status.UNCHANGED, Status.CHANGED, Status.UNKNOWN, Status.EXISTS})


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
        spelled = list_spellings(doctor.number, doctor.id_type)
        if len(spelled) > 1 and key not in snapshot.people:
            key = next((each for each in map(person_key, spelled) if each in snapshot.people), key)
        return snapshot.same_persons.get(key, key)

    return [
        doctor if (key := find_key(doctor)) == doctor.key else replace(doctor, key=key) for doctor in doctors
    ]


class AbsentPersons:
    """People with a live seal or an unresolved attempt who do not stand in tonight's rosters, by name."""

    def __init__(
        self,
        snapshot: LedgerSnapshot,
        present: Collection[str | None],
        digest: Digest,
        same_picture: Callable[[ImageFile, SealContent], bool],
    ) -> None:
        """Collect them; ``present`` are the keys of all rows of tonight's rosters."""
        self._other_persons = snapshot.other_persons
        self._digest = digest
        self._same_picture = same_picture
        self._by_name: defaultdict[str, list[tuple[PersonHistory, LiveSeal | CreateAttempt]]] = defaultdict(
            list
        )
        for key, past in snapshot.people.items():
            made = past.seal or past.unresolved_attempt
            if made is not None and key not in present:
                for name in _names(past, made):
                    self._by_name[name].append((past, made))
        for namesakes in self._by_name.values():
            namesakes.sort(key=lambda known: (_time_of(known[1]), known[0].key))

    def find(self, doctor: Doctor) -> tuple[PersonHistory, list[Field]] | None:
        """Return whom a row may be, and in what it agrees beside the name; None for a new person."""
        for past, made in self._by_name.get((doctor.name or "").casefold(), ()):
            if (past.key, doctor.key) in self._other_persons:
                continue
            if agreed := list(self._agreement(doctor, past, made.content)):
                return past, agreed
        return None

    def _agreement(self, doctor: Doctor, past: PersonHistory, content: SealContent | None) -> Iterator[Field]:
        if doctor.comparable_staff_no and self._digest(doctor.comparable_staff_no) == past.staff_no_digest:
            yield Field.STAFF_NO
        if doctor.mobile and self._digest(doctor.mobile) in {past.mobile_digest, content and content.mobile}:
            yield Field.MOBILE
        if doctor.picture and content and self._same_picture(doctor.picture, content):
            yield Field.PICTURE


def describe_possibly_same(
    doctor: Doctor, past: PersonHistory, agreed: Sequence[Field], day_of: Callable[[float], date]
) -> Problem:
    """Return the problem of a row that may be a person with a seal, or with a create that has no verdict."""
    detail = {
        "sealed": past.seal_name or "—",
        "tail": (past.id_masked or "—")[-_LAST_FOUR:],
        "agreed": " ".join(agreed),
    }
    if past.seal:
        detail |= {"seal": past.seal.seal_id, "day": day_of(past.seal.created_at).isoformat()}
    elif past.unresolved_attempt:
        detail |= {
            "trace": past.unresolved_attempt.uuid,
            "day": day_of(past.unresolved_attempt.signed_at).isoformat(),
        }
    address = doctor.row.address(Field.NUMBER)
    return Problem("PERSON_POSSIBLY_SAME", "error", Field.NUMBER, address, detail)


def find_new_marks(planned: Iterable[RowPlan], digest: Digest) -> dict[str, PersonMarks]:
    """Return, by key, staff number and mobile of known people whose rows give others than the ledger remembers."""
    found: dict[str, PersonMarks] = {}
    for each in planned:
        doctor, past = each.doctor, each.history
        if past is None or each.status not in _KNOWN or past.key in found:
            continue
        made = past.seal or past.unresolved_attempt
        if made is None:
            continue
        if (
            each.status is Status.UNCHANGED and made.content is not None
        ):  # then name and mobile are the seal's
            mobile = made.content.mobile if doctor.mobile else None
        elif (doctor.name or "").casefold() in _names(past, made):
            mobile = digest(doctor.mobile) if doctor.mobile else None
        else:
            continue
        marks = PersonMarks(
            digest(doctor.comparable_staff_no) if doctor.comparable_staff_no else "", mobile or ""
        )
        if (marks.staff_no or past.staff_no_digest, marks.mobile or past.mobile_digest) != (
            past.staff_no_digest,
            past.mobile_digest,
        ):
            found[past.key] = marks
    return found


def _time_of(made: LiveSeal | CreateAttempt) -> float:
    return made.created_at if isinstance(made, LiveSeal) else made.signed_at


def _names(past: PersonHistory, made: LiveSeal | CreateAttempt) -> set[str]:
    names = {past.name, made.content.name if made.content else None}
    return {name.casefold() for name in names if name}
