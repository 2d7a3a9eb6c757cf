"""What a night says when it is over: counts, the commonest reasons, where the results are, what to type next."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pipeline.cli.context import Session
from pipeline.config.settings import Config
from pipeline.domain.run import RowOutcome, RunReport, Status
from pipeline.intake.readers.discover import SUFFIXES
from pipeline.messages.catalogue import phrase
from pipeline.messages.localized import Joined
from pipeline.reports.columns import find_titles, say_layouts, say_misspelt
from pipeline.reports.display_values import UNSETTLED
from pipeline.reports.next_steps import REPORT_PAGE, WORKBOOK, Step, next_steps
from pipeline.reports.notice_text import describe_notices
from pipeline.reports.presenter import Presenter
from pipeline.reports.reasons import counted, is_spare_copy, label, sentence
from pipeline.reports.records import run_record
from pipeline.reports.service_text import describe_halt_of, describe_task_of
from pipeline.workflow.run_environment import write_results

YAML = frozenset({".yaml", ".yml"})
FILES_NAMED = 10  # in one sentence
REASONS = 8  # shown on the screen; all are in the workbook
TELLING = frozenset({Status.REJECTED, Status.FAILED, Status.UNKNOWN, Status.EXISTS, Status.NOT_SENT})


def write_and_print_results(
    session: Session, config: Config, night: RunReport, *, latest: Path | None, steps: bool = True
) -> int:
    """Write a night's results, tell it, and return its exit code."""
    session.hear_titles(find_titles(night))
    night = replace(night, latest=latest)
    presenter = Presenter.for_outcomes(night.outcomes, session.spoken)
    of_files = replace(presenter, language=session.language)
    written = write_results(night, config, of_files, latest=latest)
    if "edited" in written:
        session.alarm("kept_edits", path=WORKBOOK, kept=written["edited"])
    if "copy" in written:
        session.alarm("copy_held", path=WORKBOOK, copy=written["copy"])
    night = replace(night, workbook=written[WORKBOOK].name)
    _alarm(session, night, presenter)
    if session.as_json:
        session.put(json.dumps(run_record(night, presenter.masker), ensure_ascii=False))
    if not session.quiet:
        _tell(session, night, presenter, written)
        if steps:
            _say_steps(session, next_steps(night, presenter))
    return night.exit


def _alarm(session: Session, night: RunReport, presenter: Presenter) -> None:
    """Say what stopped the run and which rosters were refused, also with ``-q``."""
    if night.halt is not None:
        text = describe_halt_of(night, presenter)
        session.alarm("halted", code=night.halt.code, message=text)
    for text in describe_notices(night, presenter):
        session.say("warning", text=text)
    for place, why in night.unreadable_images:
        told = presenter.render_text(why)
        session.alarm("pictures_unread", place=presenter.mask_text(place), why=told)
    refused = [report for report in night.files if report.status == "refused"]
    strangers = [report for report in refused if report.path.suffix.lower() not in SUFFIXES]
    # a * of the shell, or a configuration: their reasons are of no use
    if len(strangers) > 1 or any(report.path.suffix.lower() in YAML for report in strangers):
        refused = [report for report in refused if report not in strangers]
        names = [presenter.mask_text(report.path.name) for report in strangers]
        named = Joined(names[:FILES_NAMED], phrase("mark.comma")).say(session.spoken)
        session.alarm("no_rosters", files=named, more=" …" if len(names) > FILES_NAMED else "")
    for report in refused:
        for trouble in report.problems:
            why = sentence(trouble, presenter)
            session.alarm("file_refused", file=presenter.mask_text(report.path.name), why=why)


def _tell(session: Session, night: RunReport, presenter: Presenter, written: dict[str, Path]) -> None:
    tell_columns = say_layouts if night.command == "check" else say_misspelt
    for text in tell_columns(night.files, presenter):
        session.write(text)
    if empty := [report.path.name for report in night.files if report.status == "read" and not report.rows]:
        named = Joined(empty[:FILES_NAMED], phrase("mark.comma")).say(session.spoken)
        session.say(
            "no_doctors", files=presenter.mask_text(named), more=" …" if len(empty) > FILES_NAMED else ""
        )
    rows: dict[Status, list[RowOutcome]] = defaultdict(list)
    for outcome in night.outcomes:
        rows[outcome.status].append(outcome)
    for status in Status:
        if rows[status]:
            spare = sum(map(is_spare_copy, rows[status]))
            key = "count_with_spare" if spare else "count"
            session.say(key, status=presenter.name_status(status), rows=len(rows[status]), n=spare)
            if status in TELLING:
                _reasons(session, rows[status], presenter, told=night.halt.code if night.halt else "")
    session.say("results", path=presenter.mask_path(written[WORKBOOK]))
    session.say("report", path=presenter.mask_path(written[REPORT_PAGE]))


def _say_steps(session: Session, steps: Iterable[Step]) -> None:
    """Say the steps so that the first stands last: above the prompt, and the command to type at the very end."""
    for text, command in _by_command(steps):
        if command:
            session.then(text, command)
        else:
            session.say("next", text=text)


def _by_command(steps: Iterable[Step]) -> list[tuple[str, str | None]]:
    """Return texts and commands, those without a command first; what one command does is said once."""
    texts: dict[str | None, list[str]] = {}
    for step in steps:
        texts.setdefault(step.command, []).append(step.text)
    alone = [(text, None) for text in texts.pop(None, [])]
    return [*alone, *(("\n   ".join(said), command) for command, said in reversed(texts.items()))]


def _reasons(session: Session, outcomes: list[RowOutcome], presenter: Presenter, *, told: str) -> None:
    """Say the commonest reasons, each with where it occurs first; of a code of the service who acts and what to do.

    What to do about ``told`` was said already.
    """
    found: Counter[str] = Counter()
    first: dict[str, RowOutcome] = {}
    for outcome in outcomes:
        for code in counted(outcome) or filter(None, [outcome.code]):
            found[code] += 1
            first.setdefault(code, outcome)
    for code, rows in found.most_common(REASONS):
        origin = first[code].doctor.row.display_origin
        place = presenter.mask_text(origin.file)
        status = first[code].status
        exists = status is Status.EXISTS
        named = (
            presenter.name_status(status) if exists else label(code, presenter, unsettled=status in UNSETTLED)
        )
        session.say("reason", rows=rows, code=code, label=named, file=place, row=origin.row)
        task = describe_task_of(code, presenter)
        if task is not None and code != told:
            session.say("reason_task", task=task)
    if len(found) > REASONS:
        session.say("reasons_more", n=len(found) - REASONS)
