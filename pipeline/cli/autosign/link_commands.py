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
    split_words,
)
from pipeline.cli.context import Session
from pipeline.errors import UsageError
from pipeline.messages.catalogue import make_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.autosign.doctors import OpenDoctors, SealedDoctor
    from pipeline.autosign.journalled_calls import CallsReport, PersonCall
    from pipeline.autosign.links import LinkNeed, LinkPlan, LinksReport
    from pipeline.cli.run_log import RunRecorder
    from pipeline.ledger.database_ledger import DatabaseLedger
    from pipeline.reports.presenter import Presenter

DECLINED = 0
MAX_LISTED = 20  # doctors without a link, on a terminal


@click.command("links")
@click.argument("words", nargs=-1, metavar="[ROSTER...] [QUERY]")
@click.option("--renew", is_flag=True, help="Also replace links that are expired or used.")
@click.option("--sms", is_flag=True, help="Have the service text each link for opening to its doctor, once.")
@click.option("--yes", is_flag=True, help="Do not ask before text messages are sent.")
@click.pass_obj
def make_links(session: Session, words: tuple[str, ...], *, renew: bool, sms: bool, yes: bool) -> int:
    """Make links for doctors who cannot sign yet, and a page to print.

    Whom `autosign status` found not open, or open without a seal, gets a link to open auto-sign; whom it found open with
    another seal, gets a link to choose the seal. A link that can still be opened is shown again.

    The workbook holds the links, for those who send them by their own messenger. The page has six doctors an A4 sheet,
    each with a QR code. ROSTER and QUERY are those of `autosign status`.
    """
    from pipeline.cli.run_log import record_command

    config = session.require_config()
    rosters, query = split_words(words)
    with record_command(session, "autosign", config) as recorder:
        from pipeline.autosign.printable_page import require_qr_codes

        require_qr_codes()
        with open_doctors(recorder, rosters) as opened:
            doctors = choose_one_doctor(opened, query)
            return _make_links(recorder, opened, doctors, renew=renew, sms=sms, yes=yes)


def _make_links(
    recorder: RunRecorder,
    opened: OpenDoctors,
    doctors: Sequence[SealedDoctor],
    *,
    renew: bool,
    sms: bool,
    yes: bool,
) -> int:
    from pipeline.autosign.links import LinksReport
    from pipeline.domain.auto_sign import DAY
    from pipeline.workflow.stage_settings import get_product

    session, config = recorder.session, recorder.config
    plan = _plan(session, opened, doctors, renew=renew, sms=sms)
    if plan.count_sms() and not _confirm(session, "sms", yes=yes, n=plan.count_sms()):
        return recorder.record_nothing_to_do(DECLINED)
    product, seconds = get_product(config), config.autosign.link_days * DAY
    calls = [need.build_call(product, seconds, opened.masker) for need in plan.due]
    sent = send_calls(recorder, opened, calls)
    report = LinksReport(_plan(session, opened, doctors), sent)
    files = _write_files(session, recorder.own_folder, report, opened.ledger)
    _print_links(session, report, files, opened.ledger)
    return recorder.record_calls(sent.traffic, sent.halt, _compute_exit_code(sent, report.missing))


def _plan(
    session: Session,
    opened: OpenDoctors,
    doctors: Sequence[SealedDoctor],
    *,
    renew: bool = False,
    sms: bool = False,
) -> LinkPlan:
    """Decide who needs which link; links that were used meanwhile are entered as that."""
    from pipeline.autosign.doctors import enter_used_links
    from pipeline.autosign.links import plan_links

    ledger, now = opened.ledger, session.clock.now()
    enter_used_links(ledger, now=now)
    records, calls = ledger.list_auto_sign_records(), ledger.list_auto_sign_calls()
    return plan_links(doctors, records, calls, now=now, renew=renew, wants_sms=sms)


def _confirm(session: Session, what: str, *, yes: bool, **details: object) -> bool:
    """Ask whether to go on; UsageError without a terminal."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("autosign.ask", what=make_message(f"autosign.before.{what}", **details))
    if session.confirm(f"autosign.confirm.{what}", **details):
        return True
    session.print_json(declined=True)
    session.inform("autosign.declined")
    return False


def send_calls(recorder: RunRecorder, opened: OpenDoctors, calls: Sequence[PersonCall]) -> CallsReport:
    """Send calls about people, with the progress of a run; without any, not even the keys are needed."""
    from pipeline.autosign.journalled_calls import CallsReport, JournalledCalls
    from pipeline.ledger.lock import read_user_name

    if not calls:
        return CallsReport({})
    with open_resources(recorder, opened, action=calls[0].action) as (resources, progress):
        return JournalledCalls(resources, read_user_name(), progress).run(calls)


def _compute_exit_code(report: CallsReport, missing: Sequence[object]) -> int:
    """Return the exit code: a doctor without a link needs a person."""
    from pipeline.domain.run import more_severe_exit

    if report.signal is not None:
        return 128 + report.signal
    code = report.halt.exit if report.halt is not None else 0
    return more_severe_exit(code, EXIT_ATTENTION) if missing else code


def _write_files(session: Session, folder: Path, report: LinksReport, ledger: DatabaseLedger) -> list[Path]:
    """Write the workbook and the page, none where no doctor needs a link."""
    from pipeline.autosign.printable_page import write_printable_page
    from pipeline.reports.link_list import LINKS, write_link_workbook
    from pipeline.reports.presenter import Presenter

    presenter, links = Presenter(session.language), report.links
    reasons = [(need.doctor.name, _explain_missing(need, presenter, ledger)) for need in report.missing]
    files = []
    if links or reasons:
        files.append(write_link_workbook(folder / LINKS, links, reasons, presenter))
    if links:
        files.append(write_printable_page(folder / "links.html", links, presenter))
    return files


def _explain_missing(need: LinkNeed, presenter: Presenter, ledger: DatabaseLedger) -> str:
    """Return why a doctor who needs a link has none, and what to do."""
    from pipeline.domain.auto_sign import SHARED_LINK
    from pipeline.esign.auto_sign_calls import NO_URL
    from pipeline.esign.products import ESSBASIC
    from pipeline.reports.explanations import describe_code

    call = need.last_call
    if call is None:
        return presenter.render("autosign.missing.not_reached")
    if call.verdict == "done":
        return presenter.render("autosign.missing.spent")
    code = call.code or ""
    if code == NO_URL:
        return presenter.render("autosign.missing.no_url")
    if code == SHARED_LINK:
        people, given = ledger.snapshot().people, ledger.list_auto_sign_calls()
        others = {one.key for one in given if one.url == call.url and one.key != call.key}
        names = ", ".join(sorted(people[key].name or people[key].id_masked or "—" for key in others))
        return presenter.render("autosign.missing.shared", names=names)
    # by its name the advice for both products is found
    action = ESSBASIC.auto_sign_seal_url if need.kind == "seal_link" else ESSBASIC.auto_sign_enable_url
    words = describe_code(code, presenter, action) or presenter.render("autosign.no_words")
    key = "refused" if call.verdict == "refused" else "no_answer"
    return presenter.render(f"autosign.missing.{key}", code=code or "—", words=words)


def _print_links(
    session: Session, report: LinksReport, files: Sequence[Path], ledger: DatabaseLedger
) -> None:
    """Print what stopped the calls, what was made, who has no link and why, and the files."""
    from pipeline.reports.presenter import Presenter

    links, missing, calls = report.links, report.missing, report.calls
    made, never_asked = report.made, report.plan.others.get(None, 0)
    print_halt(session, calls)
    presenter = Presenter(session.spoken)
    reasons = [(need.doctor.name, need.kind, _explain_missing(need, presenter, ledger)) for need in missing]
    session.print_json(
        links=[link.to_dict() for link in links],
        missing=[{"name": name, "kind": kind, "reason": reason} for name, kind, reason in reasons],
        made=made,
        never_asked=never_asked,
        files=[str(path) for path in files],
        halted={"code": calls.halt.code, "exit": calls.halt.exit} if calls.halt else None,
    )
    if session.as_json:
        return
    if not report.plan.needs:
        session.print_text("autosign.links.none_needed")
    else:
        session.print_text("autosign.links.made", n=len(links), made=made, kept=max(len(links) - made, 0))
    is_short = sys.stdout.isatty() and not session.verbose
    for name, _, reason in reasons[:MAX_LISTED] if is_short else reasons:
        session.print_text("autosign.links.missing_one", name=name, reason=reason)
    if is_short and (more := len(missing) - MAX_LISTED) > 0:
        session.print_text("autosign.more", n=more)
    for path in files:
        session.inform("export.file", path=path)
    if never_asked:
        session.inform("autosign.links.never_asked", n=never_asked)
        session.suggest_command("autosign.next_ask", "autosign", "status")


def print_halt(session: Session, report: CallsReport) -> None:
    """Print what stopped the calls."""
    from pipeline.reports.explanations import describe_halt
    from pipeline.reports.presenter import Presenter

    halt = report.halt
    if halt is not None:
        message = describe_halt(halt.code, halt.message, Presenter(session.spoken), halt.detail)
        session.alert("run_halted", code=halt.code, message=message)
