"""`autosign links`: links by which doctors open auto-sign or choose their seal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.autosign.status_commands import (
    EXIT_ATTENTION,
    choose_one_doctor,
    open_doctors,
    open_resources,
    print_halt,
)
from pipeline.cli.context import Session
from pipeline.domain.results_format import LINKS
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.autosign.doctors import OpenDoctors, SealedDoctor
    from pipeline.autosign.links import LinksReport
    from pipeline.cli.run_log import RunRecorder
    from pipeline.domain.auto_sign import AutoSignRecord

MAX_LISTED = 20  # doctors without a link, on a terminal


@click.command("links")
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
    from pipeline.cli.run_log import record_command

    if out is not None and out.suffix.lower() != ".xlsx":
        raise UsageError("export.ending", path=out, known=".xlsx")
    config = session.require_config()
    recording = record_command(session, "autosign", config)
    with recording as recorder, open_doctors(recorder) as opened:
        doctors = choose_one_doctor(opened, query)
        records = opened.ledger.list_auto_sign_records()
        report = _make_links(recorder, opened, doctors, records)
        file = _write_sheet(session, out or recorder.own_folder / LINKS, report)
        never_asked = sum(doctor.key not in records for doctor in doctors)
        _print_report(session, report, file, never_asked)
        return recorder.record_calls(report.traffic, report.halt, _compute_exit_code(report))


def _make_links(
    recorder: RunRecorder,
    opened: OpenDoctors,
    doctors: Sequence[SealedDoctor],
    records: Mapping[str, AutoSignRecord],
) -> LinksReport:
    """Make the links, with the progress of a run; where no doctor needs one, not even the keys are needed."""
    from pipeline.autosign.links import LinksReport, list_needs, make_links, name_action
    from pipeline.workflow.stage_settings import get_product

    needs = list_needs(doctors, records, now=recorder.session.clock.now())
    if not needs:
        return LinksReport()
    action = name_action(get_product(recorder.config), needs[0].kind)
    with open_resources(recorder, opened, action=action) as (resources, progress):
        return make_links(resources, needs, progress)


def _compute_exit_code(report: LinksReport) -> int:
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


def _print_report(session: Session, report: LinksReport, file: Path | None, never_asked: int) -> None:
    """Print what stopped the calls, how many links there are, who has none and why, and the workbook."""
    from pipeline.reports.presenter import Presenter

    print_halt(session, report.halt)
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
