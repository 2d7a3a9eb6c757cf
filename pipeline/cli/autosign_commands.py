"""`autosign`: after the seal, who can sign, and links for those who cannot yet."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.context import Session
from pipeline.cli.help import CommandGroup
from pipeline.cli.terminal import Tone
from pipeline.clock import shown, stamp
from pipeline.config.environment import restore_argument
from pipeline.domain.results_format import LINKS
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.autosign.calls import CallResources
    from pipeline.autosign.doctors import OpenDoctors, SealedDoctor
    from pipeline.autosign.links import LinksReport
    from pipeline.autosign.status import DoctorStatus, StatusReport
    from pipeline.cli.run_progress import Progress
    from pipeline.domain.auto_sign import AutoSignRecord, AutoSignState
    from pipeline.domain.run import Halt
    from pipeline.workflow.session import SessionRecord

MAX_LISTED = 20  # doctors of a state, or without a link, on a terminal
EXIT_ATTENTION, EXIT_LATER, EXIT_ROSTER = 3, 5, 7


@click.group("autosign", cls=CommandGroup)
def autosign_group() -> None:
    """After the seal: find out which doctors can sign."""


@autosign_group.command("status")
@click.argument("query", nargs=-1, metavar="[QUERY...]")
@click.pass_obj
def show_status(session: Session, query: tuple[str, ...]) -> int:
    """Ask the service which doctors with a seal can sign.

    It asks for the doctors who stand in the rosters. Each answer is in the ledger at once: type the same command again after
    an interruption.

    QUERY, a name, staff number, last four digits, seal name or SealId, asks for one doctor alone; of several words all must
    fit the doctor.
    """
    with _record_command(session) as record, _open_doctors(session, record) as opened:
        report = _query_doctors(session, record, opened, _choose_one_doctor(opened, query))
        code = _compute_exit_code(report, opened)
        _print_report(session, report, opened)
        return record.end_without_rows(report.traffic, report.halt, code).exit


@autosign_group.command("links")
@click.argument("query", nargs=-1, metavar="[QUERY...]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The workbook to write (default: links.xlsx in the folder of the results).",
)
@click.pass_obj
def make_link_sheet(session: Session, query: tuple[str, ...], *, out: Path | None) -> int:
    """Write a sheet of links for doctors who cannot sign yet.

    Whom `autosign status` found not open, or open without a seal, gets a link to open auto-sign; whom it found open with
    another seal, gets a link to choose the seal. Links are made anew each time. They stand in the sheet alone: no message
    is sent to a doctor.

    QUERY is that of `autosign status`.
    """
    if out is not None and out.suffix.lower() != ".xlsx":
        raise UsageError("export.ending", path=out, known=".xlsx")
    with _record_command(session) as record, _open_doctors(session, record) as opened:
        doctors = _choose_one_doctor(opened, query)
        records = opened.ledger.list_auto_sign_records()
        report = _make_links(session, record, opened, doctors, records)
        file = _write_sheet(session, out or record.own_folder / LINKS, report)
        never_asked = sum(doctor.key not in records for doctor in doctors)
        _print_links_report(session, report, file, never_asked)
        code = _compute_links_exit_code(report)
        return record.end_without_rows(report.traffic, report.halt, code).exit


def _record_command(session: Session) -> AbstractContextManager[SessionRecord]:
    from pipeline.cli.run_log import CommandObserver
    from pipeline.workflow.session import record_session

    config = session.require_config()
    return record_session("autosign", config, CommandObserver(session), session.clock)


@contextmanager
def _open_doctors(session: Session, record: SessionRecord) -> Iterator[OpenDoctors]:
    """Yield the sealed doctors of the rosters, while the log of the command is written."""
    from pipeline.autosign.doctors import open_sealed_doctors

    opening = open_sealed_doctors(
        record.config,
        session.clock,
        run=record.run,
        invocation=session.invocation,
        warnings=session,
    )
    with opening as opened, record.write_log(record.own_folder):
        yield opened


def _choose_one_doctor(opened: OpenDoctors, query: Sequence[str]) -> list[SealedDoctor]:
    """Return the doctor to whom all words of a query belong, without one all; UsageError where it fits none or several."""
    query = [*map(restore_argument, query)]
    chosen = [doctor for doctor in opened.doctors if all(map(doctor.is_meant_by, query))]
    if query and len(chosen) != 1:
        key = "autosign.several" if chosen else "autosign.none_fits"
        raise UsageError(key, query=" ".join(query), n=len(chosen), then=("explain", *query))
    return chosen


@contextmanager
def _open_resources(
    session: Session, record: SessionRecord, opened: OpenDoctors, *, action: str
) -> Iterator[tuple[CallResources, Progress]]:
    """Yield what calls about people work with, and the progress, which shows the pace of an action."""
    from pipeline.autosign.calls import CallResources
    from pipeline.cli.run_progress import Progress
    from pipeline.sending.run_state import StopSignal
    from pipeline.workflow.hosts_factory import make_limiter
    from pipeline.workflow.stage_settings import get_credentials_places

    config, run = record.config, record.run
    with (
        closing(make_limiter(config, session.clock)) as limiter,
        closing(Progress(session, config, limiter, run, action=action)) as progress,
    ):
        resources = CallResources(
            config=config,
            clock=session.clock,
            ledger=opened.ledger,
            credentials=get_credentials_places(config),
            limiter=limiter,
            stop=StopSignal(),
            masker=opened.masker,
            run=run,
            outages=progress.outages,
        )
        yield resources, progress


def _query_doctors(
    session: Session, record: SessionRecord, opened: OpenDoctors, doctors: Sequence[SealedDoctor]
) -> StatusReport:
    """Ask for doctors, with the progress of a run."""
    from pipeline.autosign.status import StatusInquiry
    from pipeline.workflow.stage_settings import get_product

    action = get_product(record.config).auto_sign_status
    with _open_resources(session, record, opened, action=action) as (resources, progress):
        return StatusInquiry(resources, progress).run(doctors)


def _compute_exit_code(report: StatusReport, opened: OpenDoctors) -> int:
    """Return the exit code: a doctor who cannot sign yet is no error, one without an answer needs a person."""
    from pipeline.domain.run import more_severe_exit

    if report.signal is not None:
        return 128 + report.signal
    code: int = report.halt.exit if report.halt is not None else 0
    if not report.is_complete:
        code = more_severe_exit(code, EXIT_LATER)
    if report.unanswered:
        code = more_severe_exit(code, EXIT_ATTENTION)
    if any(file.needs_correction for file in opened.files):
        code = more_severe_exit(code, EXIT_ROSTER)
    return code


def _print_report(session: Session, report: StatusReport, opened: OpenDoctors) -> None:
    """Print what stopped the calls, how many doctors are in which state, who cannot sign, and what to do next."""
    for file in opened.files:
        if file.needs_correction:
            session.alert("autosign.roster_unread", file=opened.masker.mask_text(file.path.name))
    _print_halt(session, report.halt)
    session.print_json(**report.to_dict())
    if session.as_json:
        return
    counts = report.counts
    if not counts.sealed:
        session.print_text("autosign.no_doctors")
        session.suggest_command("next_run", "run")
        return
    session.print_text("autosign.asked", asked=report.asked, sealed=counts.sealed)
    for state, n in counts.states.items():
        session.print_text(f"autosign.count.{state}", n=n)
    if never := counts.sealed - counts.asked:
        session.print_text("autosign.count.never", n=never)
    for state in counts.states:
        doctors = [doctor for doctor in report.doctors if doctor.state is state]
        _print_doctors(session, state, doctors, report.action)
    _suggest_next(session, report)


def _print_halt(session: Session, halt: Halt | None) -> None:
    """Print what stopped the calls."""
    from pipeline.reports.explanations import describe_halt
    from pipeline.reports.presenter import Presenter

    if halt is not None:
        message = describe_halt(halt.code, halt.message, Presenter(session.spoken), halt.detail)
        session.alert("run_halted", Tone.FAULT, code=halt.code, message=message)


def _suggest_next(session: Session, report: StatusReport) -> None:
    """Print the command that goes on: for who was not asked for, else for who cannot sign yet."""
    from pipeline.domain.auto_sign import NEEDED_KINDS

    if not report.is_complete:
        session.suggest_command("autosign.next_rest", "autosign", "status")
    elif any(map(report.counts.get, NEEDED_KINDS)):
        session.suggest_command("autosign.next_links", "autosign", "links")


def _print_doctors(
    session: Session, state: AutoSignState, doctors: Sequence[DoctorStatus], action: str
) -> None:
    """List the doctors of a state that leaves something to do, with the step above them; on a terminal the first ones."""
    from pipeline.domain.auto_sign import AutoSignState

    if state is AutoSignState.OPEN:
        return
    session.print_text(f"autosign.step.{state}")
    is_short = sys.stdout.isatty() and not session.verbose
    for doctor in doctors[:MAX_LISTED] if is_short else doctors:
        _print_doctor(session, doctor, action)
    if is_short and (more := len(doctors) - MAX_LISTED) > 0:
        session.print_text("autosign.more", n=more)


def _print_doctor(session: Session, status: DoctorStatus, action: str) -> None:
    from pipeline.reports.explanations import describe_code
    from pipeline.reports.presenter import Presenter

    doctor, record = status.doctor, status.record
    assert record is not None
    assert status.state is not None
    code = record.code or ""
    words = describe_code(code, Presenter(session.spoken), action) or session.render_sentence(
        "autosign.no_words"
    )
    number = doctor.doctor.staff_no or doctor.id_masked
    position = " ".join(filter(None, (doctor.department, number)))
    session.print_text(
        f"autosign.doctor.{status.state}",
        name=doctor.name,
        place=position,
        seal_id=doctor.seal.seal_id,
        chosen=record.seal_id or "",
        until=shown(stamp(record.license_to))[:10] if record.license_to else "",
        code=code,
        words=words,
    )


def _make_links(
    session: Session,
    record: SessionRecord,
    opened: OpenDoctors,
    doctors: Sequence[SealedDoctor],
    records: Mapping[str, AutoSignRecord],
) -> LinksReport:
    """Make the links, with the progress of a run; where no doctor needs one, not even the keys are needed."""
    from pipeline.autosign.links import LinksReport, list_needs, make_links, name_action
    from pipeline.workflow.stage_settings import get_product

    needs = list_needs(doctors, records, now=session.clock.now())
    if not needs:
        return LinksReport()
    action = name_action(get_product(record.config), needs[0].kind)
    with _open_resources(session, record, opened, action=action) as (resources, progress):
        return make_links(resources, needs, progress)


def _compute_links_exit_code(report: LinksReport) -> int:
    """Return the exit code: a doctor without a link needs a person."""
    from pipeline.domain.run import more_severe_exit

    if report.signal is not None:
        return 128 + report.signal
    code = report.halt.exit if report.halt is not None else 0
    return more_severe_exit(code, EXIT_ATTENTION) if report.missing else code


def _write_sheet(session: Session, path: Path, report: LinksReport) -> Path | None:
    """Write the workbook; None where no doctor needs a link."""
    from pipeline.autosign.links import write_link_workbook
    from pipeline.reports.presenter import Presenter

    if not report.doctors:
        return None
    return write_link_workbook(path, report, Presenter(session.language))


def _print_links_report(session: Session, report: LinksReport, file: Path | None, never_asked: int) -> None:
    """Print what stopped the calls, how many links there are, who has none and why, and the workbook."""
    from pipeline.reports.presenter import Presenter

    _print_halt(session, report.halt)
    presenter = Presenter(session.spoken)
    reasons = [(link, link.explain_missing(presenter)) for link in report.missing]
    session.print_json(
        links=[link.to_dict() for link in report.links],
        missing=[{**link.to_dict(), "reason": reason} for link, reason in reasons],
        never_asked=never_asked,
        file=str(file) if file else None,
        halted={"code": report.halt.code, "exit": report.halt.exit} if report.halt else None,
    )
    if session.as_json:
        return
    if report.doctors:
        session.print_text("autosign.links.made", n=len(report.links))
    else:
        session.print_text("autosign.links.none_needed")
    is_short = sys.stdout.isatty() and not session.verbose
    for link, reason in reasons[:MAX_LISTED] if is_short else reasons:
        session.print_text("autosign.links.missing_one", name=link.doctor.name, reason=reason)
    if is_short and (more := len(reasons) - MAX_LISTED) > 0:
        session.print_text("autosign.more", n=more)
    if file is not None:
        session.inform("export.file", path=file)
    if never_asked:
        session.inform("autosign.links.never_asked", n=never_asked)
        session.suggest_command("autosign.next_ask", "autosign", "status")
