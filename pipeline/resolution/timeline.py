"""One doctor's timeline: what the ledger knows of a person, in the order in which it happened, and the present status.

`timeline_as_dict` is what `explain --json` prints; timeline_text.py makes lines of text from it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as _field
from typing import Any

from pipeline.clock import stamp
from pipeline.domain.masking import mask_answer, mask_text
from pipeline.domain.roster import Field, Problem
from pipeline.domain.run import Status
from pipeline.ledger.person_history import AttemptRecord, PersonRecords, RowHistoryEntry, SealRecord
from pipeline.ledger.protocol import UPLOAD_REFUSED, DecisionRecord, RunRecord
from pipeline.messages.problem_entries import CATALOGUE
from pipeline.messages.texts import load_text, load_texts
from pipeline.reports.explanations import describe_problem
from pipeline.reports.next_steps import NextStep
from pipeline.reports.presenter import Presenter

_WITH_SEAL = frozenset({Status.SEALED, Status.UNCHANGED, Status.CHANGED})
# of several rows of a person the last of these counts most; a spare copy is rejected and counts least
_BY_WEIGHT = (Status.REJECTED, Status.NOT_SENT, Status.READY, Status.FAILED)
# kinds of decisions whose detail holds nothing personal
_WITH_DETAIL = frozenset({"replace", "not_created", "place_shown", "place_not_shown"})
_Values = Mapping[str, Any]


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
    rows = sorted(person.rows, key=_rank_newness, reverse=True)
    newest_row = rows[0] if rows else None
    lines = [parse_line(row) for row in rows]
    names = [
        *(line["name"] for line in lines),
        *(create.name for create in reversed(person.attempts)),
        person.name,
    ]
    known_names = list(dict.fromkeys(filter(None, names)))
    last_create = person.attempts[-1] if person.attempts else None
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
        is_gone=bool(person.rows) and not any(row.is_current for row in person.rows),
        creates_sent=sum(create.was_sent for create in person.attempts),
        entries=entries,
        run_under_way=run_under_way
        if any(run_under_way == entry.run for entry in entries if entry.run)
        else None,
    )


def _find_live_seal(person: PersonRecords) -> SealRecord | None:
    return next((seal for seal in person.seals if seal.ended_by is None), None)


def _find_open_create(person: PersonRecords) -> AttemptRecord | None:
    return next((create for create in person.attempts if create.is_open), None)


def _find_status(person: PersonRecords, newest_row: RowHistoryEntry | None) -> Status:
    """Return the present status of a person: what the ledger holds counts first, then the newest run."""
    open_create = _find_open_create(person)
    if open_create is not None:
        return Status.EXISTS if open_create.verdict == "exists" else Status.UNKNOWN
    row_status = Status(newest_row.row.status) if newest_row else None
    last_decision = max((decision.decided_at for decision in person.decisions), default=0.0)
    is_decided_since = newest_row is not None and last_decision > newest_row.last_started
    if _find_live_seal(person) is not None:
        if row_status is None or row_status not in _WITH_SEAL or is_decided_since:
            return Status.SEALED
        return row_status
    if is_decided_since:
        return Status.NOT_SENT  # not created, or given up: the next run sends it
    if row_status is None or row_status is Status.READY:  # no run has ended with it: the ledger counts
        is_refused = bool(person.attempts) and person.attempts[-1].verdict == "refused"
        return Status.FAILED if is_refused else Status.NOT_SENT
    return row_status if row_status in _BY_WEIGHT else Status.NOT_SENT


def _rank_newness(row: RowHistoryEntry) -> tuple[float, int, float]:
    """Order rows by what counts: the newest run, in it the row that was sent, then the row that is newer."""
    return row.last_started, _rank_weight(row), row.first_started


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
    for row in person.rows:
        rows[row.first_run].append(row)
    for create in person.attempts:
        creates[create.run].append(create)
    entries = []
    for run in {*rows, *creates}:
        record = find_run(run)
        moment = (
            record.started
            if record
            else min(
                [
                    *(row.first_started for row in rows[run]),
                    *(create.signed_at for create in creates[run]),
                ]
            )
        )
        sorted_rows = tuple(sorted(rows[run], key=_rank_weight, reverse=True))
        entries.append(TimelineEntry(moment, run, record, sorted_rows, tuple(creates[run])))
    entries += [TimelineEntry(decision.decided_at, decision=decision) for decision in person.decisions]
    return tuple(sorted(entries, key=lambda entry: entry.moment))


def summarize(timeline: PersonTimeline) -> dict[str, Any]:
    """Return who a doctor is."""
    return {
        "key": timeline.key,
        "name": timeline.name,
        "staff_no": timeline.staff_no,
        "id_masked": timeline.id_masked,
        "status": timeline.status.value,
        "seal_name": timeline.seal_name,
    }


def timeline_as_dict(timeline: PersonTimeline, step: NextStep, language: str) -> dict[str, Any]:
    """Return everything: who, the present status, what to do next, and every entry, oldest first.

    Moments are local ISO 8601; sentences are in ``language``; personal data is masked already.
    """
    seal, newest_row = timeline.seal, timeline.newest_row
    return {
        **summarize(timeline),
        "other_names": list(timeline.other_names),
        "mobile_masked": timeline.mobile_masked,
        "seal_name_frozen": timeline.seal_name_locked,
        "seal": {
            "seal_id": seal.seal_id,
            "seal_name": seal.seal_name,
            "source": seal.source,
            "at": stamp(seal.entered_at),
            "request_id": seal.request_id,
            "trace_id": seal.attempt,
        }
        if seal
        else None,
        "creates": timeline.creates_sent,
        "seen": {
            **_address_as_dict(timeline.newest_line),
            "run": newest_row.last_run,
            "at": stamp(newest_row.last_started),
        }
        if newest_row
        else None,
        "gone": timeline.is_gone,
        "next": {
            "who": step.who,
            "text": step.text.render(language),
            "commands": list(step.commands),
            "notes": [note.render(language) for note in step.notes],
        },
        "history": [_entry_as_dict(entry, language, timeline.run_under_way) for entry in timeline.entries],
    }


def _address_as_dict(line: _Values) -> dict[str, Any]:
    return {"path": line["path"], "sheet": line["sheet"], "row": line["row"]}


def _entry_as_dict(entry: TimelineEntry, language: str, run_under_way: str | None) -> dict[str, Any]:
    if entry.decision is not None:
        return {"at": stamp(entry.moment), "what": "decision", **_decision_as_dict(entry.decision)}
    record = entry.record
    run_record = json.loads(record.record) if record and record.record else {}
    is_under_way = entry.run == run_under_way
    return {
        "at": stamp(entry.moment),
        "what": "run",
        "run": entry.run,
        "command": record.command if record else None,
        "exit": record.exit if record else None,
        "under_way": is_under_way,
        "cut_short": record is not None and record.finished is None and not is_under_way,
        "halted": load_texts(run_record["halted"]) if run_record.get("halted") else None,
        "rows": [_row_as_dict(row, language) for row in entry.rows],
        "creates": [_create_as_dict(create) for create in entry.creates],
    }


def _row_as_dict(row: RowHistoryEntry, language: str) -> dict[str, Any]:
    line = parse_line(row)
    return {
        **_address_as_dict(line),
        "row_id": row.row.row_id,
        "status": row.row.status,
        "until": stamp(row.last_started),
        "nights": row.runs,
        "spare_copy": _is_spare_copy(line),
        "problems": list(_problems_as_dicts(line, language)),
        "changes": line["changes"],
        "picture": line["picture"],
        "service": line["service"],
    }


def _is_spare_copy(line: _Values) -> bool:
    """Return whether a row only repeats one that is sent (as `outcomes.is_redundant_copy`, of a line)."""
    errors = [
        (problem["code"], detail or {})
        for problem, detail in zip(line["problems"], line.get("words") or (), strict=False)
        if problem["severity"] == "error"
    ]
    return (
        line["status"] == "rejected"
        and bool(errors)
        and all(code == "ROW_DUPLICATE" and not detail.get("differs") for code, detail in errors)
    )


def _problems_as_dicts(line: _Values, language: str) -> Iterator[dict[str, Any]]:
    """Yield a row's problems, in the reader's language where the line holds what their messages are made of."""
    details = line.get("words") or [None] * len(line["problems"])
    for entry, detail in zip(line["problems"], details, strict=True):
        message = entry["message"]
        if detail is not None:
            texts = {name: load_text(text) for name, text in detail.items()}
            field = Field(entry["field"]) if entry["field"] else None
            problem = Problem(entry["code"], entry["severity"], field, entry["cell"], texts)
            message = mask_text(describe_problem(problem, Presenter(language), masked=False))
        known_problem = CATALOGUE.get(entry["code"])
        yield {**entry, "message": message, "who": known_problem.who if known_problem else None}


def _create_as_dict(create: AttemptRecord) -> dict[str, Any]:
    is_answered = bool(create.code or create.request_id or create.http_status)
    wait_seconds = (
        None  # also of an attempt that a dead process left: the next run settled it, without an answer
    )
    if create.settled_at is not None and create.contract != UPLOAD_REFUSED and is_answered:
        wait_seconds = round(max(0.0, create.settled_at - create.signed_at), 3)
    return {
        "at": stamp(create.signed_at),
        "what": "upload" if create.contract == UPLOAD_REFUSED else "create",
        "seal_name": create.seal_name,
        "host": create.host,
        "trace_id": create.uuid,
        "verdict": create.verdict,
        "code": create.code,
        "message": mask_answer(create.message) if create.message else None,
        "http_status": create.http_status,
        "request_id": create.request_id,
        "seal_id": create.seal_id,
        "wait_seconds": wait_seconds,
        "settled_by": create.decision,
    }


def _decision_as_dict(decision: DecisionRecord) -> dict[str, Any]:
    return {
        "number": decision.number,
        "kind": decision.kind,
        "who": decision.who,
        "why": mask_text(decision.why),
        "trace_id": decision.attempt,
        "seal_id": decision.seal_id,
        "detail": decision.detail if decision.kind in _WITH_DETAIL else None,
    }
