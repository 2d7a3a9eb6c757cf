"""One doctor's timeline: what the ledger knows of a person, in the order in which it happened, and the present status."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as _field
from typing import Any

from pipeline.domain.run import Status
from pipeline.ledger.person_queries import AttemptRecord, PersonRecords, RowHistoryEntry, SealRecord
from pipeline.ledger.protocol import DecisionRecord, RunRecord

_WITH_SEAL = frozenset({Status.SEALED, Status.UNCHANGED, Status.CHANGED})
# of several rows of a person the last of these counts most; a spare copy is rejected and counts least
_BY_WEIGHT = (Status.REJECTED, Status.NOT_SENT, Status.READY, Status.FAILED)


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One run, with the doctor's rows and what was sent for them, or one decision."""

    moment: float  # unix seconds
    run: str | None = None
    record: RunRecord | None = None  # None: the ledger does not know this run any more
    rows: tuple[RowHistoryEntry, ...] = ()  # the row that was sent first
    creates: tuple[AttemptRecord, ...] = ()
    decision: DecisionRecord | None = None


@dataclass(frozen=True, slots=True)
class PersonTimeline:
    """A doctor: identity, present status, and every entry, oldest first."""

    key: str | None
    name: str | None = _field(repr=False)
    other_names: tuple[str, ...] = _field(repr=False)
    staff_no: str | None
    id_masked: str | None
    mobile_masked: str | None
    status: Status
    seal: SealRecord | None  # the live one
    seal_name: str | None  # fixed at the first create, else the one that was planned
    seal_name_locked: bool
    open_create: AttemptRecord | None  # nothing is sent before it is resolved
    refused_create: AttemptRecord | None  # the last create, where the service refused it
    newest_row: RowHistoryEntry | None = _field(repr=False)
    is_gone: bool  # the newest runs do not see the doctor any more
    creates_sent: int
    entries: tuple[TimelineEntry, ...] = _field(repr=False)
    run_under_way: str | None = None  # a run that has not ended, where it knows the doctor

    @property
    def newest_line(self) -> Mapping[str, Any]:
        """The newest line of the doctor's row, empty for one that no run has seen."""
        return parse_line(self.newest_row) if self.newest_row else {}


def parse_line(entry: RowHistoryEntry) -> Mapping[str, Any]:
    """Return a row's line of outcomes.jsonl as it was written, with the ``words`` of its problems if it has them."""
    line: Mapping[str, Any] = json.loads(entry.row.line)
    return line


def build_timeline(
    person: PersonRecords, *, find_run: Callable[[str], RunRecord | None], run_under_way: str | None = None
) -> PersonTimeline:
    """Build a timeline; ``find_run`` returns what is known of a run, ``run_under_way`` has not ended yet."""
    rows = sorted(person.said, key=_rank_newness, reverse=True)
    newest_row = rows[0] if rows else None
    lines = [parse_line(row) for row in rows]
    names = [
        *(line["name"] for line in lines),
        *(create.name for create in reversed(person.creates)),
        person.name,
    ]
    known_names = list(dict.fromkeys(filter(None, names)))
    last_create = person.creates[-1] if person.creates else None
    entries = _build_entries(person, find_run)
    return PersonTimeline(
        key=person.key,
        name=known_names[0] if known_names else None,
        other_names=tuple(known_names[1:]),
        staff_no=_find_first(lines, "staff_no"),
        id_masked=_find_first(lines, "id_masked") or person.id_masked,
        mobile_masked=_find_first(lines, "mobile_masked"),
        status=_find_status(person, newest_row),
        seal=_find_live_seal(person),
        seal_name=person.seal_name or _find_first(lines, "seal_name"),
        seal_name_locked=person.seal_name is not None,
        open_create=_find_open_create(person),
        refused_create=last_create if last_create and last_create.verdict == "refused" else None,
        newest_row=newest_row,
        is_gone=bool(person.said) and not any(row.still for row in person.said),
        creates_sent=sum(create.sent for create in person.creates),
        entries=entries,
        run_under_way=run_under_way
        if any(run_under_way == entry.run for entry in entries if entry.run)
        else None,
    )


def _find_live_seal(person: PersonRecords) -> SealRecord | None:
    return next((seal for seal in person.seals if seal.ended_by is None), None)


def _find_open_create(person: PersonRecords) -> AttemptRecord | None:
    return next((create for create in person.creates if create.open), None)


def _find_status(person: PersonRecords, newest_row: RowHistoryEntry | None) -> Status:
    """Return the present status of a person: what the ledger holds counts first, then the newest run."""
    open_create = _find_open_create(person)
    if open_create is not None:
        return Status.EXISTS if open_create.verdict == "exists" else Status.UNKNOWN
    row_status = Status(newest_row.row.status) if newest_row else None
    last_decision = max((decision.at for decision in person.decisions), default=0.0)
    is_decided_since = newest_row is not None and last_decision > newest_row.until
    if _find_live_seal(person) is not None:
        if row_status is None or row_status not in _WITH_SEAL or is_decided_since:
            return Status.SEALED
        return row_status
    if is_decided_since:
        return Status.NOT_SENT  # not created, or given up: the next run sends it
    if row_status is None or row_status is Status.READY:  # no run has ended with it: the ledger counts
        is_refused = bool(person.creates) and person.creates[-1].verdict == "refused"
        return Status.FAILED if is_refused else Status.NOT_SENT
    return row_status if row_status in _BY_WEIGHT else Status.NOT_SENT


def _rank_newness(row: RowHistoryEntry) -> tuple[float, int, float]:
    """Order rows by what counts: the newest run, in it the row that was sent, then the row that is newer."""
    return row.until, _rank_weight(row), row.at


def _rank_weight(row: RowHistoryEntry) -> int:
    status = Status(row.row.status)
    return _BY_WEIGHT.index(status) if status in _BY_WEIGHT else len(_BY_WEIGHT)


def _find_first(lines: Sequence[Mapping[str, Any]], field: str) -> str | None:
    return next((str(line[field]) for line in lines if line.get(field)), None)


def _build_entries(
    person: PersonRecords, find_run: Callable[[str], RunRecord | None]
) -> tuple[TimelineEntry, ...]:
    """Join what belongs to one run; each decision is an entry of its own."""
    rows: defaultdict[str, list[RowHistoryEntry]] = defaultdict(list)
    creates: defaultdict[str, list[AttemptRecord]] = defaultdict(list)
    for row in person.said:
        rows[row.first].append(row)
    for create in person.creates:
        creates[create.run].append(create)
    entries = []
    for run in {*rows, *creates}:
        record = find_run(run)
        moment = (
            record.started
            if record
            else min([*(row.at for row in rows[run]), *(create.at for create in creates[run])])
        )
        sorted_rows = tuple(sorted(rows[run], key=_rank_weight, reverse=True))
        entries.append(TimelineEntry(moment, run, record, sorted_rows, tuple(creates[run])))
    entries += [TimelineEntry(decision.at, decision=decision) for decision in person.decisions]
    return tuple(sorted(entries, key=lambda entry: entry.moment))
