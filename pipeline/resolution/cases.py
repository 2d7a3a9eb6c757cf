"""The cases on the desk: people whose last create has no verdict, rows that differ from their seal, corrected numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as _field

from pipeline.domain.roster import Doctor
from pipeline.domain.run import RowPlan, Status
from pipeline.domain.seals import CreateAttempt, LedgerSnapshot, PersonHistory


@dataclass(frozen=True, slots=True)
class Case:
    """One person who waits for a decision."""

    key: str
    status: Status  # unknown, exists, changed; rejected where the row may be a known person's
    name: str = _field(repr=False)
    past: PersonHistory = _field(repr=False)
    planned: RowPlan | None = _field(default=None, repr=False)  # the roster's row, if it has one

    @property
    def possibly_same(self) -> PersonHistory | None:
        """The person whose corrected number this row may give."""
        return self.planned.possibly_same if self.planned else None

    @property
    def attempt(self) -> CreateAttempt | None:
        """The create without a verdict."""
        return self.past.unresolved_attempt

    @property
    def seal_name(self) -> str:
        """The seal name that was sent."""
        return (self.past.seal.seal_name if self.past.seal else self.past.seal_name) or ""

    def answers_to(self, query: str) -> bool:
        """Tell whether a query means this person: name, staff number, last four, seal name, SealId, trace id, key."""
        doctor = self.planned.doctor if self.planned else None
        words = {self.name, self.seal_name, self.key}
        for past in filter(None, (self.past, self.possibly_same)):
            words |= {past.key, past.seal.seal_id if past.seal else ""}
            words.add(past.unresolved_attempt.uuid if past.unresolved_attempt else "")
        if doctor is not None:
            words |= {doctor.staff_no or "", doctor.number or "", (doctor.number or "")[-4:]}
        return bool(query) and query.casefold() in {word.casefold() for word in words}


def cases(planned: Sequence[RowPlan], snapshot: LedgerSnapshot) -> list[Case]:
    """Return every case once, those of the roster in its order, then the others by name."""
    rows: dict[str, RowPlan] = {}
    for each in planned:
        if each.doctor.key is not None and _waits(each):
            rows.setdefault(each.doctor.key, each)
    found = [_of_row(key, each) for key, each in rows.items()]
    gone = [
        Case(key, _status(past.unresolved_attempt), past.unresolved_attempt.content.name, past)
        for key, past in snapshot.people.items()
        if past.unresolved_attempt is not None and key not in rows
    ]
    return found + sorted(gone, key=lambda case: case.name)


def add_cases(found: Sequence[Case], others: Sequence[Case]) -> list[Case]:
    """Return the cases of two sets of rosters, one a person; one with a row counts before one without."""
    by_key = {case.key: case for case in found}
    for case in others:
        if case.key not in by_key or by_key[case.key].planned is None:
            by_key[case.key] = case
    return list(by_key.values())


def _waits(planned: RowPlan) -> bool:
    if planned.possibly_same is not None:
        return True
    return planned.history is not None and (
        planned.status is Status.CHANGED or planned.history.unresolved_attempt is not None
    )


def _of_row(key: str, planned: RowPlan) -> Case:
    past = planned.history or PersonHistory(key)
    status = planned.status if past.unresolved_attempt is None else _status(past.unresolved_attempt)
    return Case(key, status, _name(planned.doctor, past), past, planned)


def _status(attempt: CreateAttempt) -> Status:
    return Status.EXISTS if attempt.verdict == "exists" else Status.UNKNOWN


def _name(doctor: Doctor, past: PersonHistory) -> str:
    if doctor.name:
        return doctor.name
    made = past.unresolved_attempt or past.seal
    return made.content.name if made is not None and made.content is not None else ""
