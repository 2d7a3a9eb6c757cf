"""Decides what to do next about one doctor, from the doctor's timeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.clock import shown, stamp
from pipeline.domain.run import Status
from pipeline.domain.service_codes import ResponsibleRole
from pipeline.ledger.protocol import RunRecord
from pipeline.messages.catalogue import make_phrase
from pipeline.messages.problems import find_problem_kind
from pipeline.messages.service_errors import find_halt_advice, find_refusal_advice
from pipeline.reports.next_steps import CommandLine, NextStep
from pipeline.reports.status_steps import find_workbook
from pipeline.resolution.timeline import PersonTimeline


def choose_person_step(  # noqa: PLR0911 - one for each status
    timeline: PersonTimeline, command_line: CommandLine, find_run: Callable[[str], RunRecord | None]
) -> NextStep:
    """Return what to do next about a doctor; ``find_run`` returns the record of a run by its id."""
    if timeline.is_run_under_way and timeline.status not in {Status.SEALED, Status.UNCHANGED}:
        return NextStep(make_phrase("step.under_way"), (command_line.build("status"),))
    record = find_run(timeline.seen.run) if timeline.seen else None
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
    row = timeline.newest_row
    is_superseded = row is not None and any(problem.code == "ROW_SUPERSEDED" for problem in row.problems)
    if not timeline.gone and is_superseded and row is not None and row.status is Status.REJECTED:
        return NextStep(make_phrase("step.roster_wrong"), who="clerk")
    if timeline.doubtful_picture and not timeline.gone:
        return NextStep(make_phrase("step.doubtful"), who="clerk")
    return NextStep(make_phrase("step.gone" if timeline.gone else "step.nothing"))


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


def _find_detail(timeline: PersonTimeline, code: str, word: str) -> Mapping[str, str]:
    """Return the detail of the newest row's first problem of a code that has this word; empty for none."""
    problems = timeline.newest_row.problems if timeline.newest_row else ()
    details = (problem.detail for problem in problems if problem.code == code)
    return next((detail for detail in details if detail.get(word)), {})


def _find_responsible_role(timeline: PersonTimeline) -> ResponsibleRole:
    """Return who can put a rejected row right."""
    errors = timeline.newest_row.errors if timeline.newest_row else ()
    known = [kind for error in errors if (kind := find_problem_kind(error.code)) is not None]
    return "it" if errors and all(entry.who == "it" for entry in known) else "clerk"


def _send_again(timeline: PersonTimeline, command_line: CommandLine, record: RunRecord | None) -> NextStep:
    """Return how an unsent row goes on: at once, or after the cause of the halt was removed."""
    if timeline.newest_row is None or timeline.gone:
        return NextStep(make_phrase("step.unseen"), (command_line.repeat_run(None),))
    command = command_line.repeat_run(record)
    halt = record.content.get("halted") if record else None
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
