"""`status` and `explain`: what the ledger holds, without a call and without the lock."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, cast

import click

from pipeline.cli.context import Session
from pipeline.cli.hospitals import for_each_hospital
from pipeline.cli.terminal import EXIT_TONES, Tone
from pipeline.clock import shown
from pipeline.config.environment import restore_argument
from pipeline.domain.masking import mask_text
from pipeline.domain.message import Message
from pipeline.domain.run import Status
from pipeline.errors import EsignImportError, UsageError
from pipeline.messages.catalogue import join_messages, make_message, render
from pipeline.support.terminal_text import align_columns, join

if TYPE_CHECKING:
    from pipeline.config.settings import Config
    from pipeline.operations.export import ListedRun
    from pipeline.resolution.ledger_status import LastRun, LedgerStatus, RunFault
    from pipeline.resolution.timeline import PersonTimeline
    from pipeline.workflow.hosts_factory import ServerReaders

EXIT_CODES = ("0", "1", "2", "3", "4", "5", "6", "7", "74", "130", "143")  # of runs
HOUR = 3600.0  # seconds
MAX_PEOPLE_LISTED = 20  # of the doctors whom a query fits


@click.command()
@click.option(
    "--max-age",
    metavar="AGE",
    help="Exit code for hospitals whose last run is older than this, or failed: 26h, 2d.",
)
@click.option(
    "--runs", "count", type=click.IntRange(min=1), metavar="N", help="List the last N runs as well."
)
@click.pass_obj
@for_each_hospital()
def status(session: Session, *, max_age: str | None, count: int | None) -> int:
    """Show what the ledger holds: seals, unknown rows, last run.

    Of several hospitals it prints one line each: last run, age, exit code, rows that wait for a decision.

    With --max-age only those with a fault: no run, too old, interrupted, failed. The exit code is that of the run, or 5.
    """
    max_seconds = _parse_max_age(max_age) if max_age is not None else None
    if not session.is_one_of_several:
        return _show_status(session, max_seconds, count)
    if session.as_json:
        return _print_of_several(session, max_seconds, count)
    session.headless_streams.clear()  # each line begins with its hospital
    try:
        return _print_of_several(session, max_seconds, count)
    except EsignImportError as error:
        session.print_text("status_line.unread", name=session.profile, exit=error.exit_code)
        raise


def _parse_max_age(text: str) -> float:
    from pipeline.config.values import parse_age, parse_duration

    try:
        return parse_age(text) or parse_duration(text)
    except ValueError:
        raise UsageError("status_line.no_age", value=text) from None


def _print_of_several(session: Session, max_age: float | None, count: int | None) -> int:
    """Print the status of one of several hospitals; return the exit code.

    It is one line, with ``max_age`` only where the last run has a fault; with ``--json`` an object in any case.
    """
    from pipeline.resolution.ledger_status import get_run_fault, read_status

    config = session.require_ready_config()
    ledger_status = read_status(config, session.clock, readers=_get_readers(), warnings=session)
    fault = get_run_fault(ledger_status.last_run, max_age) if max_age is not None else None
    runs = _collect_runs(config, session, count)
    _print_json(session, ledger_status, fault, has_max_age=max_age is not None, runs=runs)
    if max_age is None or fault is not None:
        _print_status_line(session, ledger_status)
        _print_runs(session, runs)
    return fault.exit if fault is not None else 0


def _get_readers() -> ServerReaders:
    """Return the readers of servers that the hospitals of one command line share."""
    from pipeline.workflow.hosts_factory import ServerReaders

    context = click.get_current_context()
    if ServerReaders.__name__ not in context.meta:
        context.meta[ServerReaders.__name__] = context.with_resource(closing(ServerReaders()))
    return cast("ServerReaders", context.meta[ServerReaders.__name__])


def _print_json(
    session: Session,
    ledger_status: LedgerStatus,
    fault: RunFault | None,
    *,
    has_max_age: bool,
    runs: Sequence[ListedRun] | None,
) -> None:
    checked = {"fault": fault.kind if fault else None} if has_max_age else {}
    listed = {} if runs is None else {"runs": [run.to_dict() for run in runs]}
    session.print_json(**ledger_status.to_dict(), **checked, **listed)


def _collect_runs(config: Config, session: Session, count: int | None) -> Sequence[ListedRun] | None:
    """Return the newest runs, None where the list was not asked for."""
    if count is None:
        return None
    from pipeline.operations.export import collect_runs

    return collect_runs(config, session.clock, count)


def _print_runs(session: Session, runs: Sequence[ListedRun] | None) -> None:
    """Print a line for each run, the newest first, with rows and exit code."""
    if not runs or session.as_json:
        return
    from pipeline.reports.presenter import Presenter

    presenter = Presenter(session.spoken)
    lines = []
    for run in runs:
        shown_statuses = run.count_shown_statuses()
        counts = [f"{presenter.name_status(status)} {rows}" for status, rows in shown_statuses.items()]
        lines.append(_list_run_texts(session, run, counts))
    for line in align_columns(lines):
        session.print_data(line)


def _list_run_texts(session: Session, run: ListedRun, counts: Sequence[str]) -> list[str]:
    """Return the columns of a run in the list, the longest last."""
    rows = session.render_sentence(
        "runs.rows",
        n=run.files,
        counts=session.render_sentence("separator.comma").join(counts) or "—",
        halt=session.render_sentence("runs.halt", code=run.halt) if run.halt else "",
        accepted=session.render_sentence("runs.accepted") if run.accepted_guards else "",
    )
    return [
        run.run,
        run.command,
        shown(run.started),
        session.render_sentence("runs.exit", exit="—" if run.exit is None else run.exit),
        session.render_sentence("runs.user", user=run.user) if run.user else "—",
        rows,
    ]


def _show_status(session: Session, max_age: float | None, count: int | None) -> int:
    """Print everything; return the exit code, with ``max_age`` that of a fault of the last run."""
    from pipeline.resolution.ledger_status import get_run_fault, read_last_run, read_status
    from pipeline.workflow.tenant_ledger import is_all_on_one_machine, read_other_user

    config = session.require_ready_config()
    try:
        ledger_status = read_status(config, session.clock, warnings=session)
    except EsignImportError as error:
        last_run = read_last_run(config, session.clock)
        if last_run is not None:
            _print_run(session, last_run)
        _print_halt(session, last_run, unless=error)
        raise
    fault = get_run_fault(ledger_status.last_run, max_age) if max_age is not None else None
    runs = _collect_runs(config, session, count)
    _print_json(session, ledger_status, fault, has_max_age=max_age is not None, runs=runs)
    _print_runs(session, runs)
    exit_code = fault.exit if fault is not None else 0
    if ledger_status.ledger is None:
        return _report_without_ledger(session, config, ledger_status) or exit_code
    session.print_text("status_ledger", path=ledger_status.ledger, tenant=ledger_status.tenant)
    session.print_text("status_places", state=ledger_status.state_folder, share=ledger_status.share)
    if is_all_on_one_machine(config):
        session.print_text("status_one_machine")
    if (other_user := read_other_user(config, session.clock)) is not None:
        state = ledger_status.state_folder
        session.print_text("status_other_user", Tone.NEEDS_PERSON, user=other_user, state=state)
    people = ledger_status.people
    if people.in_flight:
        session.print_text("status_in_flight", n=people.in_flight)
    names_existing = sum(create.status == Status.EXISTS.value for create in ledger_status.unknown)
    session.print_text(
        "status_people",
        sealed=people.sealed,
        unknown=people.unknown - names_existing,
        exists=make_message("status_people.exists", n=names_existing) if names_existing else "",
        refused=people.refused,
    )
    if ledger_status.auto_sign is not None and not session.as_json:
        from pipeline.reports.presenter import Presenter
        from pipeline.reports.totals import describe_auto_sign

        session.print_data(describe_auto_sign(ledger_status.auto_sign, Presenter(session.spoken)))
    for create in ledger_status.unknown:
        session.print_text(
            "status_unknown",
            Tone.NEEDS_PERSON,
            status=make_message(f"status.{create.status}"),
            name=create.name,
            seal_name=create.seal_name,
            at=shown(create.sent),
            trace=create.trace_id,
        )
    if ledger_status.last_run is not None:
        _print_run(session, ledger_status.last_run)
    _print_next_steps(session, config, ledger_status)
    return exit_code


def _print_status_line(session: Session, ledger_status: LedgerStatus) -> None:
    name, run, waiting = session.profile, ledger_status.last_run, ledger_status.waiting
    if run is None:
        session.print_text("status_line.never", name=name)
        return
    age = _describe_age(run.age_seconds)
    if run.finished is None or run.exit is None:
        key = "status_line.running" if run.under_way else "status_line.cut"
        session.print_text(key, name=name, started=shown(run.started), age=age, waiting=waiting)
        return
    code = str(run.exit)
    session.print_text(
        "status_line.ended",
        name=name,
        finished=shown(run.finished),
        age=age,
        exit=code,
        why=session.render_sentence(f"exit.{code}") if code in EXIT_CODES else "—",
        waiting=waiting,
    )


def _describe_age(seconds: float) -> Message:
    if seconds < 2 * HOUR:
        return make_message("age.minutes", n=round(seconds / 60))
    if seconds < 48 * HOUR:
        return make_message("age.hours", n=round(seconds / HOUR))
    return make_message("age.days", n=round(seconds / (24 * HOUR)))


def _report_without_ledger(session: Session, config: Config, ledger_status: LedgerStatus) -> int:
    """Print that there is no ledger, and a run that ended before it had one; return the exit code."""
    if ledger_status.last_run is not None:
        _print_run(session, ledger_status.last_run)
    if ledger_status.last_run is None:
        session.print_text("status_none")
        session.suggest_command("next_check", "check")
    else:
        session.print_text("status_unsent")
        _print_next_steps(session, config, ledger_status)
    return 0


def _print_run(session: Session, run: LastRun) -> None:
    """Print which run was the last, and how it ended if it has."""
    if run.finished is None or run.exit is None:
        key = "status_running" if run.under_way else "status_cut"
        session.print_text(key, run=run.run, command=run.command, started=shown(run.started))
        return
    code = str(run.exit)
    why = session.render_sentence(f"exit.{code}") if code in EXIT_CODES else "—"
    if not session.as_json:
        text = session.render_sentence(
            "status_run", run=run.run, command=run.command, exit=code, why=why, finished=shown(run.finished)
        )
        session.print_data(text, tone=EXIT_TONES.get(run.exit, Tone.FAULT))


def _print_next_steps(session: Session, config: Config, ledger_status: LedgerStatus) -> None:
    """Print what to do after the last run, the most urgent at the very end."""
    from pipeline.resolution.ledger_status import describe_command_line, read_open_rows
    from pipeline.resolution.status_steps import list_status_steps

    last_run = ledger_status.last_run
    _print_halt(session, last_run)
    record, open_rows = read_open_rows(config, session.clock, ledger_status)
    steps = list_status_steps(
        record,
        describe_command_line(config, session.invocation),
        rows=open_rows,
        unresolved=len(ledger_status.unknown),
        is_under_way=last_run is not None and last_run.under_way,
    )
    session.print_steps(steps)


def _print_halt(session: Session, run: LastRun | None, unless: EsignImportError | None = None) -> None:
    """Print why a run stopped early, if it did, ``unless`` an error that is printed has the same words."""
    from pipeline.reports.explanations import describe_recorded_halt
    from pipeline.reports.presenter import Presenter

    if run is not None and run.halted:
        code = run.halted["code"]
        message = describe_recorded_halt(run.halted, Presenter(session.spoken))
        # the record of the run is masked
        if unless is None or mask_text(message).strip() != mask_text(unless.render(session.spoken)).strip():
            key = "run_refused" if code == "USAGE" else "run_halted"
            session.print_text(key, Tone.FAULT, code=code, message=message)


@click.command()
@click.argument("query", nargs=-1, required=True, metavar="QUERY...")
@click.pass_obj
def explain(session: Session, *, query: tuple[str, ...]) -> int:
    """Show one doctor's history across runs.

    QUERY is a name, staff number, last four digits, whole number, seal name, SealId, RequestId or trace id; of several
    words all must fit the doctor.

    ROW or FILE:ROW, such as 12 or roster.xlsx:12, is a row of the last run.
    """
    from pipeline.resolution.explanation import explain_people, render_timeline

    config = session.require_ready_config()
    query_words = tuple(map(restore_argument, query))
    explanation = explain_people(config, session.clock, query_words, session.invocation, warnings=session)
    if not explanation.people:
        return report_no_match(session, explanation.similar, query_words, config)
    if explanation.step is None:
        return list_matches(session, explanation.people, query_words)
    session.print_json(**explanation.to_dict(session.language))
    if session.as_json:
        return 0
    step = explanation.step
    for line in render_timeline(explanation, session.language, config.base.absolute()):
        session.print_data(line)
    if step.is_decision:  # each command is a decision; the last command that is printed decides nothing
        session.suggest_command("next_decided", "run")
    elif step.commands:
        session.print_next_step(session.render_sentence("next_run"), step.commands[0])
    else:
        session.suggest_command("next_run", "status")
    return 0


def list_matches(
    session: Session,
    timelines: Sequence[PersonTimeline],
    query_words: Sequence[str],
    *,
    command: tuple[str, ...] = ("explain",),
) -> int:
    """List the doctors whom the query fits, and show how to narrow it with this command."""
    from pipeline.resolution.explanation import Explanation, render_people
    from pipeline.resolution.person_query import choose_unique_word

    language = session.language
    session.print_json(**Explanation(tuple(timelines)).to_dict())
    if session.as_json:
        return 2
    query = mask_text(" ".join(query_words))
    session.print_data(render("many", language, n=len(timelines), query=query))
    for line in render_people(timelines[:MAX_PEOPLE_LISTED], language):
        session.print_data(line)
    if (more := len(timelines) - MAX_PEOPLE_LISTED) > 0:
        session.print_data(render("many.more", language, n=more))
    first, *others = timelines
    narrower = [*filter(None, [first.name]), choose_unique_word(first, others)]
    words = narrower if command == ("explain",) else [" ".join(narrower)]
    line = f"{session.invocation} {join([*command, *words])}"
    session.print_next_step(render("many.narrow", language), line)
    return 2


def report_no_match(
    session: Session, similar: Sequence[str], query_words: Sequence[str], config: Config
) -> int:
    """Print that a query fits no doctor, with similar words; return the exit code."""
    from pipeline.resolution.explanation import Explanation

    session.print_json(**Explanation((), similar=tuple(similar)).to_dict())
    path, out = config.name_ledger(), config.resolve_path(config.out)
    session.alert("explain_nobody", query=mask_text(" ".join(query_words)), path=path, out=out)
    if similar:
        session.alert("explain_similar", names=join_messages(similar))
        session.suggest_command("next_run", "explain", similar[0])
    else:
        session.suggest_command("next_check", "check")
    return 2
