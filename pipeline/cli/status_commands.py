"""`status` and `explain`: what the ledger holds, without a call and without the lock."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.context import Session
from pipeline.clock import shown, stamp
from pipeline.config.environment import restore_argument
from pipeline.domain.masking import mask_path, mask_text
from pipeline.domain.message import Message
from pipeline.errors import EsignImportError
from pipeline.messages.catalogue import join_messages, make_message, render
from pipeline.support.terminal_text import join

if TYPE_CHECKING:
    from pipeline.config.settings import Config
    from pipeline.ledger.protocol import RunRecord
    from pipeline.reports.next_steps import CommandLine
    from pipeline.resolution.person_query import PersonFinder
    from pipeline.resolution.timeline import PersonTimeline, RecordedRow

EXIT_CODES = ("0", "1", "2", "3", "4", "5", "6", "7", "74", "130", "143")  # of runs
HOUR = 3600.0  # seconds
MAX_PEOPLE_LISTED = 20  # of the doctors whom a query fits


@click.command()
@click.pass_obj
def status(session: Session) -> int:
    """Show what the ledger holds: seals, unknown rows, last run.

    Of several hospitals it prints one line each: last run, age, exit code, rows that wait for a decision.
    """
    if session.several is None or session.as_json:
        return _show_status(session)
    session.headless_streams.clear()  # each line begins with its hospital
    try:
        return _show_status(session)
    except EsignImportError as error:
        session.print_text("status_line.unread", name=session.hospital, exit=error.exit_code)
        raise


def _show_status(session: Session) -> int:
    from pipeline.cli.certify_commands import warn_of_unanswered_create
    from pipeline.resolution.timeline import list_open_rows
    from pipeline.workflow.hosts_factory import make_store
    from pipeline.workflow.recorded_runs import read_last_recorded_run, select_later_run
    from pipeline.workflow.tenant_ledger import open_configured_ledger

    config = session.require_ready_config()
    recorded_run = read_last_recorded_run(config.resolve_path(config.out), config.tenant)
    try:
        if not make_store(config).exists():
            return _report_without_ledger(session, config, recorded_run)
        with open_configured_ledger(config, session.clock) as (ledger, site_key):
            people = ledger.snapshot().people.values()
            ledger_run = ledger.get_last_run()
            open_rows = list_open_rows(ledger_run, ledger) if ledger_run else []
            warn_of_unanswered_create(session, ledger)
    except EsignImportError:
        if recorded_run is not None and (session.several is None or session.as_json):
            _print_run(session, recorded_run, is_under_way=False)
            _print_halt(session, recorded_run)
        raise
    is_under_way = (
        ledger_run is not None and ledger_run.finished is None and make_store(config).hold.is_taken()
    )
    last_run = ledger_run if is_under_way else select_later_run(ledger_run, recorded_run)
    creates = [
        (person.unresolved_attempt, person.seal_name) for person in people if person.unresolved_attempt
    ]
    present_run = last_run.run if is_under_way and last_run is not None else None
    unknown = [
        {
            "name": attempt.content.name,
            "seal_name": seal_name,
            "sent": stamp(attempt.signed_at),
            "trace_id": attempt.uuid,
        }
        for attempt, seal_name in creates
        if attempt.run != present_run
    ]
    in_flight = len(creates) - len(unknown)
    if last_run is not None and (ledger_run is None or last_run.run != ledger_run.run):
        open_rows = list_open_rows(last_run, None)
    waiting = len(unknown) + _count_changed_rows(open_rows)
    if session.several is not None and not session.as_json:
        return _print_status_line(session, last_run, waiting=waiting, is_under_way=is_under_way)
    session.print_text("status_ledger", path=config.name_ledger(), tenant=site_key.tenant)
    if in_flight:
        session.print_text("status_in_flight", n=in_flight)
    counts = {
        "sealed": sum(person.seal is not None for person in people),
        "unknown": len(unknown),
        "refused": sum(bool(person.refusals) and person.seal is None for person in people),
    }
    session.print_text("status_people", **counts)
    for create in unknown:
        name, seal_name, sent, trace = create.values()
        session.print_text("status_unknown", name=name, seal_name=seal_name, at=shown(str(sent)), trace=trace)
    if last_run is not None:
        _print_run(session, last_run, is_under_way=is_under_way)
    session.print_json(
        ledger=config.name_ledger(),
        tenant=site_key.tenant,
        people={**counts, "in_flight": in_flight},
        unknown=unknown,
        waiting=waiting,
        last_run=_run_as_dict(session, last_run, is_under_way=is_under_way),
    )
    _print_next_steps(
        session, config, last_run, open_rows, unresolved=len(unknown), is_under_way=is_under_way
    )
    return 0


def _run_as_dict(session: Session, run: RunRecord | None, *, is_under_way: bool) -> dict[str, object] | None:
    """Return the JSON of a run; ``exit`` is null while it is under way, and where it was killed."""
    return (
        None
        if run is None
        else {
            "run": run.run,
            "command": run.command,
            "started": stamp(run.started),
            "finished": stamp(run.finished) if run.finished is not None else None,
            "age_seconds": round(_compute_age(session, run)),
            "exit": run.exit,
            "under_way": is_under_way,
            "halted": run.content.get("halted"),
            "out": mask_path(Path(run.out)),
        }
    )


def _print_status_line(session: Session, run: RunRecord | None, *, waiting: int, is_under_way: bool) -> int:
    """Print a hospital's line; return the exit code."""
    name = session.hospital
    if run is None:
        session.print_text("status_line.never", name=name)
        return 0
    age = _describe_age(_compute_age(session, run))
    if run.finished is None or run.exit is None:
        key = "status_line.running" if is_under_way else "status_line.cut"
        session.print_text(key, name=name, started=shown(stamp(run.started)), age=age, waiting=waiting)
        return 0
    code = str(run.exit)
    session.print_text(
        "status_line.ended",
        name=name,
        finished=shown(stamp(run.finished)),
        age=age,
        exit=code,
        why=session.render_sentence(f"exit.{code}") if code in EXIT_CODES else "—",
        waiting=waiting,
    )
    return 0


def _compute_age(session: Session, run: RunRecord) -> float:
    """Return the seconds since a run ended, or since it began where it has no end."""
    return max(0.0, session.clock.now() - (run.started if run.finished is None else run.finished))


def _count_changed_rows(rows: Sequence[RecordedRow]) -> int:
    """Return how many rows differ from their seal, and wait for a decision."""
    return sum(row.status == "changed" for row in rows)


def _describe_age(seconds: float) -> Message:
    if seconds < 2 * HOUR:
        return make_message("age.minutes", n=round(seconds / 60))
    if seconds < 48 * HOUR:
        return make_message("age.hours", n=round(seconds / HOUR))
    return make_message("age.days", n=round(seconds / (24 * HOUR)))


def _report_without_ledger(session: Session, config: Config, recorded_run: RunRecord | None) -> int:
    """Print that there is no ledger, and a run that ended before it had one; return the exit code."""
    from pipeline.reports.earlier_results import get_earlier_run
    from pipeline.resolution.timeline import list_open_rows

    open_rows = list_open_rows(recorded_run, None) if recorded_run else []
    lost_run = get_earlier_run(config.resolve_path(config.out), config.tenant)
    last_run = _run_as_dict(session, recorded_run, is_under_way=False)
    session.print_json(ledger=None, lost=bool(lost_run), last_run=last_run)
    if session.several is not None and not session.as_json:
        if lost_run:
            session.alert("status_lost", path=lost_run)
        _print_status_line(session, recorded_run, waiting=_count_changed_rows(open_rows), is_under_way=False)
        return 74 if lost_run else 0
    if recorded_run is not None:
        _print_run(session, recorded_run, is_under_way=False)
    if lost_run:
        session.alert("status_lost", path=lost_run)
        session.suggest_command("next_rebuild", "ledger", "rebuild")
        return 74
    session.print_text("status_none")
    if recorded_run is None:
        session.suggest_command("next_check", "check")
    else:
        _print_next_steps(session, config, recorded_run, open_rows)
    return 0


def _print_run(session: Session, run: RunRecord, *, is_under_way: bool) -> None:
    """Print which run was the last, and how it ended if it has."""
    if run.finished is None or run.exit is None:
        key = "status_running" if is_under_way else "status_cut"
        session.print_text(key, run=run.run, command=run.command, started=shown(stamp(run.started)))
        return
    code, finished = str(run.exit), shown(stamp(run.finished))
    why = session.render_sentence(f"exit.{code}") if code in EXIT_CODES else "—"
    session.print_text("status_run", run=run.run, command=run.command, exit=code, why=why, finished=finished)


def _describe_command_line(session: Session, config: Config) -> CommandLine:
    """Return how the program is called, and what it reads when no roster is named."""
    from pipeline.reports.next_steps import CommandLine

    rosters = tuple(str(config.resolve_path(roster).absolute()) for roster in config.roster)
    return CommandLine(session.invocation, rosters, str(config.resolve_path(config.seals).absolute()))


def _print_next_steps(
    session: Session,
    config: Config,
    last_run: RunRecord | None,
    open_rows: Sequence[RecordedRow],
    *,
    unresolved: int = 0,
    is_under_way: bool = False,
) -> None:
    """Print what to do after the last run, the most urgent at the very end."""
    from pipeline.reports.next_steps import list_status_steps

    _print_halt(session, last_run)
    steps = list_status_steps(
        last_run,
        _describe_command_line(session, config),
        rows=open_rows,
        unresolved=unresolved,
        is_under_way=is_under_way,
    )
    session.print_steps(steps)


def _print_halt(session: Session, run: RunRecord | None) -> None:
    """Print why a run stopped early, if it did."""
    from pipeline.messages.catalogue import load_texts
    from pipeline.reports.explanations import describe_halt
    from pipeline.reports.presenter import Presenter

    if run is not None and (stored := run.content.get("halted")):
        halt = load_texts(stored)
        message = describe_halt(halt["code"], halt["message"], Presenter(session.spoken), halt)
        session.print_text("run_halted", code=halt["code"], message=message)


@click.command()
@click.argument("query", nargs=-1, required=True, metavar="QUERY...")
@click.pass_obj
def explain(session: Session, *, query: tuple[str, ...]) -> int:
    """Show one doctor's history across runs.

    QUERY is a name, staff number, last four digits, whole number, seal name, SealId, RequestId or trace id; of several
    words all must fit the doctor.

    ROW or FILE:ROW, such as 12 or roster.xlsx:12, is a row of the last run.
    """
    from pipeline.resolution.person_query import PersonFinder
    from pipeline.workflow.hosts_factory import make_store
    from pipeline.workflow.tenant_ledger import open_configured_ledger

    config = session.require_ready_config()
    out = config.resolve_path(config.out)
    query_words = tuple(map(restore_argument, query))
    with open_configured_ledger(config, session.clock) as (ledger, site_key):
        # the newest run is under way if it has not ended and a process holds the lock
        under_way = next(
            (
                run.run
                for run in ledger.list_runs(1)
                if run.finished is None and make_store(config).hold.is_taken()
            ),
            None,
        )
        finder = PersonFinder(ledger, site_key, out, under_way, ledger.list_same_persons())
        whole_query = " ".join(query_words)
        timelines = finder.list_timelines(query_words) or finder.list_timelines([whole_query])
        timelines = timelines or finder.list_timelines_of_row(whole_query)
        if not timelines:
            return report_no_match(session, finder, query_words, config)
        if len(timelines) > 1:
            return list_matches(session, timelines, query_words)
        return _print_timeline(session, finder, timelines[0], config)


def _print_timeline(session: Session, finder: PersonFinder, timeline: PersonTimeline, config: Config) -> int:
    from pipeline.reports.person_step import choose_person_step
    from pipeline.resolution.explanation import dump_timeline, render_timeline

    command_line = _describe_command_line(session, config)
    step = choose_person_step(timeline.make_state(command_line, finder.ledger.get_run))
    if session.as_json:
        session.print_json(query_fits=1, doctor=dump_timeline(timeline, step, session.language))
        return 0
    for line in render_timeline(timeline, step, session.language, config.base.absolute()):
        session.print_data(line)
    if step.is_decision:  # each command is a decision; the last command that is printed decides nothing
        session.suggest_command("next_list", "resolve")
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
    from pipeline.resolution.explanation import render_people, summarize
    from pipeline.resolution.person_query import choose_unique_word

    language = session.language
    session.print_json(query_fits=len(timelines), people=[summarize(timeline) for timeline in timelines])
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
    session: Session, finder: PersonFinder, query_words: Sequence[str], config: Config
) -> int:
    """Print that a query fits no doctor, with similar words; return the exit code."""
    similar = finder.suggest_words(query_words)
    session.print_json(query_fits=0, similar=similar)
    path, out = config.name_ledger(), config.resolve_path(config.out)
    session.alert("explain_nobody", query=mask_text(" ".join(query_words)), path=path, out=out)
    if similar:
        session.alert("explain_similar", names=join_messages(similar))
        session.suggest_command("next_run", "explain", similar[0])
    else:
        session.suggest_command("next_check", "check")
    return 2
