"""`autosign disable`: close the auto-sign of doctors who left."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.autosign.link_commands import print_halt, send_calls
from pipeline.cli.autosign.status_commands import EXIT_ATTENTION
from pipeline.cli.context import Session, read_answer
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.autosign.journalled_calls import CallsReport
    from pipeline.autosign.leavers import Leaver, LeaverSheet
    from pipeline.cli.run_log import RunRecorder
    from pipeline.domain.auto_sign import CallEnd


@click.command("disable")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="The count that would be typed.")
@click.pass_obj
def disable_doctors(session: Session, file: Path, *, count: int | None) -> int:
    """Close the auto-sign of doctors who left.

    FILE is a sheet with name and whole identity number, of any format that a roster has; `export --leavers --numbers` writes one
    as far as earlier rosters still hold the numbers. Doctors are matched with the ledger by the number. Nothing follows from
    absence in a roster.

    Each doctor is shown, then how many there are has to be typed. The doctors need not agree. The licence is not given back, and the seal
    itself stays.
    """
    from pipeline.cli.run_log import record_command
    from pipeline.config.named_paths import require_existing

    require_existing(file)
    config = session.require_config()
    with record_command(session, "autosign", config) as recorder:
        from pipeline.autosign.leavers import open_leaver_sheet

        opening = open_leaver_sheet(
            config,
            session.clock,
            file,
            run=recorder.run,
            invocation=session.invocation,
            warnings=session,
        )
        with opening as sheet, recorder.write_log(recorder.own_folder):
            return _disable(recorder, sheet, file=file, count=count)


def _disable(recorder: RunRecorder, sheet: LeaverSheet, *, file: Path, count: int | None) -> int:
    from pipeline.autosign.leavers import build_disable_call
    from pipeline.workflow.stage_settings import get_product

    session, config = recorder.session, recorder.config
    _show(session, sheet)
    if not sheet.leavers:
        session.print_json(disabled=0, doctors=[], refused_lines=_list_refused(session, sheet))
        session.inform("autosign.disable.none")
        return recorder.record_nothing_to_do(EXIT_ATTENTION if sheet.refused else 0)
    _require_count(session, len(sheet.leavers), count)
    product = get_product(config)
    calls = [build_disable_call(leaver, product, sheet.opened.masker) for leaver in sheet.leavers]
    report = send_calls(recorder, sheet.opened, calls)
    cancelled = _cancel_open_links(recorder, sheet, report)
    _print_report(session, sheet, report, cancelled, file)
    requests = {**report.traffic.requests, **cancelled.traffic.requests}
    halt = report.halt or cancelled.halt
    exit_code = _compute_exit_code(sheet, report, cancelled)
    return recorder.record_calls(replace(report.traffic, requests=requests), halt, exit_code)


def _cancel_open_links(recorder: RunRecorder, sheet: LeaverSheet, report: CallsReport) -> CallsReport:
    """Make the links void by which a doctor who left could open auto-sign again; the service refuses that while it is open."""
    from pipeline.autosign.links import build_cancel_call, enter_cancelled_links, list_open_links
    from pipeline.workflow.stage_settings import get_product

    opened, clock = sheet.opened, recorder.session.clock
    closed = [key for key, end in report.ends.items() if end.verdict in {"done", "refused"}]
    links = list_open_links(closed, opened.ledger.list_auto_sign_calls(), now=clock.now())
    product = get_product(recorder.config)
    calls = [
        build_cancel_call(leaver.key, leaver.signer, product, opened.masker)
        for leaver in sheet.leavers
        if leaver.key in links
    ]
    cancelled = send_calls(recorder, opened, calls)
    enter_cancelled_links(opened.ledger, links, cancelled, now=clock.now())
    return cancelled


def _show(session: Session, sheet: LeaverSheet) -> None:
    """Show each doctor, and each line that names none."""
    for leaver in sheet.leavers:
        session.inform(
            "autosign.disable.doctor",
            name=leaver.name,
            id_masked=leaver.id_masked,
            department=leaver.department or "—",
            seal_name=leaver.seal.seal_name,
        )
    for line in sheet.refused:
        session.alert(
            "autosign.disable.line", sheet=line.sheet, row=line.row, name=line.name or "—", reason=line.reason
        )


def _require_count(session: Session, wanted: int, count: int | None) -> None:
    """Have the number of doctors typed, or given by the option; UsageError where it is another one."""
    if count is None and not sys.stdin.isatty():
        raise UsageError("autosign.disable.ask", n=wanted)
    session.alert("autosign.disable.warning", n=wanted)
    if count is None:
        typed = read_answer(f"{session.render_question('autosign.disable.type')} ")
        count = int(typed) if typed.isascii() and typed.isdigit() else -1
    if count != wanted:
        raise UsageError("autosign.disable.other_count", n=wanted)


def _print_report(
    session: Session, sheet: LeaverSheet, report: CallsReport, cancelled: CallsReport, file: Path
) -> None:
    """Print what stopped the calls, and what became of each doctor that is not as wanted."""
    print_halt(session, report if report.halt is not None else cancelled)
    doctors = []
    for leaver in sheet.leavers:
        end = report.ends.get(leaver.key)
        doctors.append(
            {
                "name": leaver.name,
                "id_masked": leaver.id_masked,
                "verdict": end.verdict if end else None,
                "code": end.code if end else None,
                "request_id": end.request_id if end else None,
            }
        )
    session.print_json(
        disabled=report.count("done"), doctors=doctors, refused_lines=_list_refused(session, sheet)
    )
    if session.as_json:
        return
    session.print_text("autosign.disable.done", n=report.count("done"))
    for leaver in sheet.leavers:
        _print_trouble(session, leaver, report.ends.get(leaver.key))
    if unclear := cancelled.count("unknown") + cancelled.count("not_executed"):
        session.print_text("autosign.cancel.unclear", n=unclear)
    if report.count("done"):
        session.inform("autosign.disable.stays")
    if report.count("unknown"):
        session.suggest_command("autosign.disable.look", "autosign", "status", str(file))


def _print_trouble(session: Session, leaver: Leaver, end: CallEnd | None) -> None:
    from pipeline.esign.products import ESSBASIC
    from pipeline.reports.explanations import describe_code
    from pipeline.reports.presenter import Presenter

    if end is None:
        session.print_text("autosign.disable.not_reached", name=leaver.name)
    elif end.verdict != "done":
        code = end.code or ""
        advice = describe_code(code, Presenter(session.spoken), ESSBASIC.auto_sign_disable)
        words = advice or session.render_sentence("autosign.no_words")
        session.print_text(f"autosign.disable.{end.verdict}", name=leaver.name, code=code, words=words)


def _list_refused(session: Session, sheet: LeaverSheet) -> Sequence[dict[str, object]]:
    return [
        {
            "sheet": line.sheet,
            "row": line.row,
            "name": line.name,
            "reason": line.reason.render(session.language),
        }
        for line in sheet.refused
    ]


def _compute_exit_code(sheet: LeaverSheet, report: CallsReport, cancelled: CallsReport) -> int:
    from pipeline.domain.run import more_severe_exit

    if signal := report.signal or cancelled.signal:
        return 128 + signal
    halt = report.halt or cancelled.halt
    code = halt.exit if halt is not None else 0
    is_closed = report.count("done") == len(sheet.leavers) and not sheet.refused
    is_whole = is_closed and not cancelled.count("unknown") + cancelled.count("not_executed")
    return code if is_whole else more_severe_exit(code, EXIT_ATTENTION)
