"""Decides what to do next for one doctor, by the doctor's present status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline.clock import shown, stamp
from pipeline.domain.run import Status
from pipeline.domain.service_codes import ResponsibleRole
from pipeline.ledger.protocol import RunRecord
from pipeline.messages.localized import Bilingual
from pipeline.messages.problem_entries import CATALOGUE
from pipeline.messages.resolution import make_timeline_phrase
from pipeline.messages.results import make_result_phrase as results_phrase
from pipeline.messages.service_error_advice import find_halt_advice, find_refusal_advice
from pipeline.messages.service_errors import Advice
from pipeline.reports.next_steps import CommandLine, NextStep, find_workbook, read_run_record
from pipeline.resolution.timeline import PersonTimeline


def choose_person_step(
    timeline: PersonTimeline, command_line: CommandLine, find_run: Callable[[str], RunRecord | None]
) -> NextStep:
    """Return what to do next about a doctor; ``find_run`` returns the record of a run by its id."""
    if timeline.run_under_way and timeline.status not in {Status.SEALED, Status.UNCHANGED}:
        return NextStep(make_timeline_phrase("next.under_way"), (command_line.build("status"),))
    return _choose_by_status(timeline, command_line, find_run)


def _choose_by_status(
    timeline: PersonTimeline, command_line: CommandLine, find_run: Callable[[str], RunRecord | None]
) -> NextStep:
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
        return NextStep(make_timeline_phrase("next.roster_wrong"), who="clerk")
    return NextStep(make_timeline_phrase("next.gone" if timeline.is_gone else "next.nothing"))


def _resolve_create(timeline: PersonTimeline, command_line: CommandLine) -> NextStep:
    create = timeline.open_create
    assert create is not None
    created = command_line.build("resolve", create.uuid, "--seal-id", "SEALID")
    if timeline.status is Status.EXISTS:
        text = make_timeline_phrase("next.exists", seal=create.seal_name)
        not_theirs = command_line.build("resolve", create.uuid, "--not-theirs")
        return NextStep(text, (created, not_theirs), "it", is_decision=True)
    text = make_timeline_phrase(
        "next.unknown", seal=create.seal_name, fence=shown(stamp(create.replayable_until), to=19)
    )
    not_created = command_line.build("resolve", create.uuid, "--not-created")
    return NextStep(text, (created, not_created), "it", is_decision=True)


def _decide_on_change(timeline: PersonTimeline, command_line: CommandLine) -> NextStep:
    assert timeline.seal is not None
    seal_id = timeline.seal.seal_id
    commands = (
        command_line.build("resolve", seal_id, "--keep"),
        command_line.build("resolve", seal_id, "--replace", "--seal-name", "NAME"),
    )
    return NextStep(make_timeline_phrase("next.changed"), commands, "clerk", is_decision=True)


def _follow_advice(timeline: PersonTimeline, command_line: CommandLine, record: RunRecord | None) -> NextStep:
    """Return what the code of a refusal asks for: rows are corrected in To fix, all else is put right elsewhere."""
    code = timeline.refused_create.code if timeline.refused_create else None
    advice = find_refusal_advice(code or "")
    if advice.who == "clerk":
        step = _correct_sheet(command_line, record, advice.who)
        return replace(step, notes=(_explain(advice), make_timeline_phrase("next.waits")))
    text = make_timeline_phrase("next.failed", todo=_explain(advice))
    return NextStep(text, (command_line.build("retry"),), advice.who)


def _explain(advice: Advice) -> Bilingual:
    return Bilingual(advice.describe("zh"), advice.describe("en"))


def _correct_row(timeline: PersonTimeline, command_line: CommandLine, record: RunRecord | None) -> NextStep:
    known_person = _find_known_person(timeline)
    if not known_person:
        return _correct_sheet(command_line, record, _find_responsible_role(timeline))
    commands = (
        command_line.build("resolve", known_person, "--same-person"),
        command_line.build("resolve", known_person, "--other-person"),
    )
    return NextStep(make_timeline_phrase("next.possibly_same"), commands, "clerk", is_decision=True)


def _find_known_person(timeline: PersonTimeline) -> str:
    """Return the SealId or trace id of the person whose corrected number this may be, "" for none."""
    line = timeline.newest_line
    for problem, detail in zip(line["problems"], line.get("words") or (), strict=False):
        if problem["code"] == "PERSON_POSSIBLY_SAME" and detail:
            return str(detail.get("seal") or detail.get("trace") or "")
    return ""


def _find_responsible_role(timeline: PersonTimeline) -> ResponsibleRole:
    """Return who can put a rejected row right."""
    problems = timeline.newest_line.get("problems", ())
    errors = [problem["code"] for problem in problems if problem["severity"] == "error"]
    known = [CATALOGUE[code] for code in errors if code in CATALOGUE]
    return "it" if errors and all(entry.who == "it" for entry in known) else "clerk"


def _send_again(timeline: PersonTimeline, command_line: CommandLine, record: RunRecord | None) -> NextStep:
    """Return how an unsent row goes on: at once, or after the cause of the halt was removed."""
    if timeline.newest_row is None or timeline.is_gone:
        return NextStep(make_timeline_phrase("next.unseen"), (command_line.repeat_run(None),))
    command = command_line.repeat_run(record)
    halt = read_run_record(record).get("halted")
    advice = find_halt_advice(halt["code"]) if halt else None
    if advice is None or advice.rerun == "itself":
        return NextStep(make_timeline_phrase("next.again"), (command,))
    return NextStep(make_timeline_phrase("next.failed", todo=_explain(advice)), (command,), advice.who)


def _correct_sheet(command_line: CommandLine, record: RunRecord | None, who: ResponsibleRole) -> NextStep:
    workbook = find_workbook([Path(record.out)]) if record else None
    if workbook is None:
        return NextStep(make_timeline_phrase("next.fix_roster"), (command_line.repeat_run(record),), who)
    text = make_timeline_phrase("next.fix", path=workbook, sheet=results_phrase("sheet.fix"))
    return NextStep(text, (command_line.build("retry", str(workbook)),), who)
