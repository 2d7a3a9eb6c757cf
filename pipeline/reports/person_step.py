"""Decides what to do next about one doctor, of whom a `PersonState` holds what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.clock import shown, stamp
from pipeline.domain.roster import Field
from pipeline.domain.row_tasks import RowTask, choose_task, get_detail, get_known_person
from pipeline.domain.run import EndedRow, Status, has_doubtful_picture, is_held_problem
from pipeline.messages.catalogue import join_messages, make_message
from pipeline.messages.problems import get_problem_kind_if_known
from pipeline.messages.service_errors import get_halt_advice, get_refusal_advice
from pipeline.reports.next_steps import CommandLine, NextStep, make_step, note_unshown

if TYPE_CHECKING:
    from pipeline.domain.seals import Attempt
    from pipeline.domain.service_codes import ResponsibleRole
    from pipeline.ledger.records import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonState:
    """What is known of a doctor."""

    command_line: CommandLine
    status: Status
    row: EndedRow | None  # the newest
    is_gone: bool  # the newest runs do not see the doctor any more
    is_run_under_way: bool
    open_create: Attempt | None
    contradicting: Sequence[str]  # SealIds of which one is to be chosen
    seal_id: str | None
    refusal_code: str  # of the last create
    last_run: RunRecord | None  # that saw the doctor


def choose_person_step(person: PersonState) -> NextStep:
    """Return what to do next about a doctor."""
    return note_unshown(_choose_step(person))


def _choose_step(person: PersonState) -> NextStep:  # noqa: PLR0911 - one for each status
    if person.is_run_under_way and person.status not in {Status.SEALED, Status.UNCHANGED}:
        return make_step("step.under_way", person.command_line.build("status"))
    match person.status:
        case Status.UNKNOWN | Status.EXISTS:
            return _resolve_create(person)
        case Status.CHANGED:
            return _decide_on_change(person)
        case Status.FAILED:
            return _follow_advice(person)
        case Status.REJECTED:
            return _correct_row(person)
        case Status.NOT_SENT | Status.READY:
            return _send_person_again(person)
        case Status.SEALED | Status.UNCHANGED:
            return _keep_seal(person)


def _keep_seal(person: PersonState) -> NextStep:
    """Return what is left to do for a sealed doctor: nothing, unless pictures are not certain."""
    row = person.row
    if person.is_gone or row is None:
        return make_step("step.gone" if person.is_gone else "step.nothing")
    if person.status is Status.UNCHANGED and has_doubtful_picture(row):
        return replace(make_step("step.doubtful"), who="clerk")
    return make_step("step.nothing")


def _resolve_create(person: PersonState) -> NextStep:
    create = person.open_create
    assert create is not None
    build = person.command_line.build
    if person.status is Status.EXISTS:
        text = make_message("step.exists", seal=create.seal_name)
        alternative = build("resolve", create.uuid, "--not-theirs")
    else:
        moment = shown(stamp(create.dead_at), to=19)
        key = "step.contradicting" if create.is_contested else "step.unknown"
        text = make_message(key, seal=create.seal_name, moment=moment)
        alternative = build("resolve", create.uuid, "--not-created", "--sure")
    choice = build("resolve", create.uuid, "--seal-id", "SEALID")
    if create.has_own_seal:
        seal_ids = person.contradicting
        text = make_message("step.choose_seal", n=len(seal_ids), seal_ids=join_messages(seal_ids))
        return NextStep(text, (choice,), "it", is_decision=True)
    return NextStep(text, (choice, alternative), "it", is_decision=True)


def _decide_on_change(person: PersonState) -> NextStep:
    seal_id, build = person.seal_id, person.command_line.build
    assert seal_id is not None
    if get_detail(person.row, "CONTENT_CHANGED", "sealed"):
        again = person.command_line.repeat_run(person.last_run)
        keep = build("resolve", seal_id, "--keep")
        return replace(make_step("step.another_person", again, command=keep), who="clerk")
    differing_fields = get_detail(person.row, "CONTENT_CHANGED", "differs").get("differs", "").split()
    # a seal name that the roster changed is the name of the new seal
    new_name = () if Field.SEAL_NAME in differing_fields else ("--seal-name", "NAME")
    commands = (
        build("resolve", seal_id, "--keep"),
        build("resolve", seal_id, "--replace", *new_name),
    )
    return NextStep(make_message("step.changed"), commands, "clerk", is_decision=True)


def _follow_advice(person: PersonState) -> NextStep:
    """Return what the code of a refusal asks for: rows are corrected, all else is put right elsewhere."""
    advice = get_refusal_advice(person.refusal_code)
    retry = person.command_line.repeat_run(person.last_run, "retry")
    if advice.who == "clerk":
        notes = (advice.as_message(), make_message("step.waits"))
        return NextStep(make_message("step.fix_roster"), (retry,), advice.who, notes)
    return NextStep(make_message("step.failed", todo=advice.as_message()), (retry,), advice.who)


def _correct_row(person: PersonState) -> NextStep:
    row, build = person.row, person.command_line.build
    known_person = get_known_person(row) if row else ""
    held = filter(is_held_problem, row.problems if row else ())
    name = next((str(problem.detail.get("name", "")) for problem in held), "")
    if known_person:
        commands = (
            build("resolve", known_person, "--same-person"),
            build("resolve", known_person, "--other-person"),
        )
        return NextStep(make_message("step.possibly_same"), commands, "clerk", is_decision=True)
    if name:
        keep = build("resolve", name, "--keep")
        return NextStep(make_message("step.held_picture"), (keep,), "clerk", is_decision=True)
    again = person.command_line.repeat_run(person.last_run)
    needs_picture = row is not None and choose_task(row) is RowTask.ADD_PICTURE
    text = make_message("step.fix_picture" if needs_picture else "step.fix_roster")
    return NextStep(text, (again,), _get_responsible_role(row))


def _send_person_again(person: PersonState) -> NextStep:
    """Return how an unsent row goes on: at once, or after the cause of the halt was removed."""
    if person.row is None or person.is_gone:
        return make_step("step.unseen", person.command_line.repeat_run(None))
    again = person.command_line.repeat_run(person.last_run)
    halt = person.last_run.content.get("halted") if person.last_run else None
    if halt and halt["code"] == "SEALS_EXIST":
        return replace(make_step("next.adopt", person.command_line.build("adopt", "--help")), who="it")
    advice = get_halt_advice(halt["code"]) if halt else None
    if advice is None or advice.rerun == "itself":
        return make_step("step.again", again)
    return NextStep(make_message("step.failed", todo=advice.as_message()), (again,), advice.who)


def _get_responsible_role(row: EndedRow | None) -> ResponsibleRole:
    """Return who can put a rejected row right."""
    errors = row.errors if row else ()
    known = [kind for error in errors if (kind := get_problem_kind_if_known(error.code)) is not None]
    return "it" if errors and all(entry.who == "it" for entry in known) else "clerk"
