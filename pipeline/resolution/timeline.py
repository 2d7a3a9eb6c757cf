"""One doctor's timeline: what the ledger knows of a person in order of time, the present status, what to do next."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as _field
from itertools import chain
from pathlib import Path
from typing import Any

from pipeline.clock import shown, stamp
from pipeline.domain.run import Status
from pipeline.domain.service_codes import ResponsibleRole
from pipeline.ledger.person_history import AttemptRecord, PersonRecords, RowHistoryEntry, SealRecord
from pipeline.ledger.protocol import Decision, RunRecord
from pipeline.messages.catalogue import make_phrase
from pipeline.messages.problem_entries import CATALOGUE
from pipeline.messages.service_errors import find_halt_advice, find_refusal_advice
from pipeline.reports.next_steps import CommandLine, NextStep
from pipeline.reports.status_steps import find_workbook, read_run_record

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
    decision: Decision | None = None


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

    @property
    def has_doubtful_picture(self) -> bool:
        """Whether the newest run found pictures of which it is not known whether they are the sealed doctor's."""
        line = self.newest_line
        problems = zip(line.get("problems", ()), line.get("words", ()), strict=False)
        return self.status is Status.UNCHANGED and any(
            problem["code"] == "IMAGE_AMBIGUOUS" and words.get("found") for problem, words in problems
        )


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
    names = chain((line["name"] for line in lines), (create.name for create in person.attempts[::-1]))
    known_names = list(dict.fromkeys(filter(None, (*names, person.name))))
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
        run_under_way=next(
            (entry.run for entry in entries if entry.run and entry.run == run_under_way), None
        ),
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
        row_moments = (row.first_started for row in rows[run])
        create_moments = (create.signed_at for create in creates[run])
        moment = record.started if record else min(chain(row_moments, create_moments))
        sorted_rows = tuple(sorted(rows[run], key=_rank_weight, reverse=True))
        entries.append(TimelineEntry(moment, run, record, sorted_rows, tuple(creates[run])))
    entries += [TimelineEntry(decision.decided_at, decision=decision) for decision in person.decisions]
    return tuple(sorted(entries, key=lambda entry: entry.moment))


# -- what to do next


def choose_person_step(  # noqa: PLR0911 - one for each status
    timeline: PersonTimeline, command_line: CommandLine, find_run: Callable[[str], RunRecord | None]
) -> NextStep:
    """Return what to do next about a doctor; ``find_run`` returns the record of a run by its id."""
    if timeline.run_under_way and timeline.status not in {Status.SEALED, Status.UNCHANGED}:
        return NextStep(make_phrase("step.under_way"), (command_line.build("status"),))
    record = find_run(timeline.newest_row.last_run) if timeline.newest_row else None
    match timeline.status:
        case Status.UNKNOWN | Status.EXISTS:
            return _resolve_create(timeline, command_line)
        case Status.CHANGED:
            return _decide_on_change(timeline, command_line)
        case Status.FAILED:
            return _follow_advice(timeline, command_line, record)
        case Status.REJECTED:
            return _correct_row(timeline, command_line, record)
        case Status.NOT_SENT | Status.READY:
            return _send_again(timeline, command_line, record)
        case Status.SEALED | Status.UNCHANGED:
            return _keep_seal(timeline)


def _keep_seal(timeline: PersonTimeline) -> NextStep:
    """Return what is left to do for a sealed doctor: nothing, unless the roster still holds a superseded row."""
    line = timeline.newest_line
    codes = {problem["code"] for problem in line.get("problems", ())}
    if not timeline.is_gone and line.get("status") == Status.REJECTED and "ROW_SUPERSEDED" in codes:
        return NextStep(make_phrase("step.roster_wrong"), who="clerk")
    if timeline.has_doubtful_picture and not timeline.is_gone:
        return NextStep(make_phrase("step.doubtful"), who="clerk")
    return NextStep(make_phrase("step.gone" if timeline.is_gone else "step.nothing"))


def _resolve_create(timeline: PersonTimeline, command_line: CommandLine) -> NextStep:
    create = timeline.open_create
    assert create is not None
    text, alternative = make_phrase("step.exists", seal=create.seal_name), "--not-theirs"
    if timeline.status is not Status.EXISTS:
        fence = shown(stamp(create.replayable_until), to=19)
        text = make_phrase("step.unknown", seal=create.seal_name, fence=fence)
        alternative = "--not-created"
    commands = (
        command_line.build("resolve", create.uuid, "--seal-id", "SEALID"),
        command_line.build("resolve", create.uuid, alternative),
    )
    return NextStep(text, commands, "it", is_decision=True)


def _decide_on_change(timeline: PersonTimeline, command_line: CommandLine) -> NextStep:
    assert timeline.seal is not None
    seal_id = timeline.seal.seal_id
    if _find_detail(timeline, "CONTENT_CHANGED", "sealed"):
        return NextStep(
            make_phrase("step.another_person"), (command_line.build("resolve", seal_id),), "clerk"
        )
    commands = (
        command_line.build("resolve", seal_id, "--keep"),
        command_line.build("resolve", seal_id, "--replace", "--seal-name", "NAME"),
    )
    return NextStep(make_phrase("step.changed"), commands, "clerk", is_decision=True)


def _follow_advice(timeline: PersonTimeline, command_line: CommandLine, record: RunRecord | None) -> NextStep:
    """Return what the code of a refusal asks for: rows are corrected in To fix, all else is put right elsewhere."""
    code = timeline.refused_create.code if timeline.refused_create else None
    advice = find_refusal_advice(code or "")
    if advice.who == "clerk":
        step = _correct_sheet(command_line, record, advice.who)
        return replace(step, notes=(advice, make_phrase("step.waits")))
    text = make_phrase("step.failed", todo=advice)
    return NextStep(text, (command_line.build("retry"),), advice.who)


def _correct_row(timeline: PersonTimeline, command_line: CommandLine, record: RunRecord | None) -> NextStep:
    known_person = _find_known_person(timeline)
    name = str(_find_detail(timeline, "IMAGE_AMBIGUOUS", "earlier").get("name", ""))
    if name and not known_person:
        keep = command_line.build("resolve", name, "--keep")
        return NextStep(make_phrase("step.held_picture"), (keep,), "clerk", is_decision=True)
    if not known_person:
        return _correct_sheet(command_line, record, _find_responsible_role(timeline))
    commands = (
        command_line.build("resolve", known_person, "--same-person"),
        command_line.build("resolve", known_person, "--other-person"),
    )
    return NextStep(make_phrase("step.possibly_same"), commands, "clerk", is_decision=True)


def _find_known_person(timeline: PersonTimeline) -> str:
    """Return the SealId or trace id of the person whose corrected number this may be, "" for none."""
    detail = _find_detail(timeline, "PERSON_POSSIBLY_SAME", "agreed")
    return str(detail.get("seal") or detail.get("trace") or "")


def _find_detail(timeline: PersonTimeline, code: str, word: str) -> Mapping[str, Any]:
    """Return the words of the first problem of a code that has this one, in the newest line; empty for none."""
    line = timeline.newest_line
    problems = zip(line.get("problems", ()), line.get("words") or (), strict=False)
    return next((detail for problem, detail in problems if problem["code"] == code and detail.get(word)), {})


def _find_responsible_role(timeline: PersonTimeline) -> ResponsibleRole:
    """Return who can put a rejected row right."""
    problems = timeline.newest_line.get("problems", ())
    errors = [problem["code"] for problem in problems if problem["severity"] == "error"]
    known = [CATALOGUE[code] for code in errors if code in CATALOGUE]
    return "it" if errors and all(entry.who == "it" for entry in known) else "clerk"


def _send_again(timeline: PersonTimeline, command_line: CommandLine, record: RunRecord | None) -> NextStep:
    """Return how an unsent row goes on: at once, or after the cause of the halt was removed."""
    if timeline.newest_row is None or timeline.is_gone:
        return NextStep(make_phrase("step.unseen"), (command_line.repeat_run(None),))
    command = command_line.repeat_run(record)
    halt = read_run_record(record).get("halted")
    advice = find_halt_advice(halt["code"]) if halt else None
    if advice is None or advice.rerun == "itself":
        return NextStep(make_phrase("step.again"), (command,))
    return NextStep(make_phrase("step.failed", todo=advice), (command,), advice.who)


def _correct_sheet(command_line: CommandLine, record: RunRecord | None, who: ResponsibleRole) -> NextStep:
    workbook = find_workbook([Path(record.out)]) if record else None
    if workbook is None:
        return NextStep(make_phrase("step.fix_roster"), (command_line.repeat_run(record),), who)
    text = make_phrase("step.fix", path=workbook, sheet=make_phrase("sheet.fix"))
    return NextStep(text, (command_line.build("retry", str(workbook)),), who)
