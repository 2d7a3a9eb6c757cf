"""What a run shows at its end: counts, the commonest reasons, where the results are, what to do next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.cli.context import Session
from pipeline.cli.terminal import STATUS_TONES, Tone
from pipeline.domain.message import Message
from pipeline.domain.results_format import WORKBOOK
from pipeline.domain.roster import ROSTER_SUFFIXES
from pipeline.domain.run import (
    SHOWN_STATUSES,
    UNRESOLVED_STATUSES,
    Repeat,
    RowOutcome,
    RunReport,
    ShownStatus,
    Status,
    get_shown_status,
)
from pipeline.messages.areas import get_pair
from pipeline.messages.catalogue import join_messages, make_message
from pipeline.reports.explanations import (
    count_doubted_numbers,
    describe_halt_of,
    describe_layouts,
    describe_misspelt_titles,
    describe_notices,
    describe_problem,
    describe_skipped_lines,
    describe_task_of,
    name_code,
    name_warning,
)
from pipeline.reports.next_steps import REPORT_PAGE, list_run_steps
from pipeline.reports.presenter import Presenter
from pipeline.reports.records import run_record
from pipeline.reports.row_values import get_main_code
from pipeline.reports.totals import NEEDS_NOTHING, describe_auto_sign

YAML = frozenset({".yaml", ".yml"})
MAX_FILES_NAMED = 10  # in one sentence
MAX_ROWS_NAMED = 2  # of one reason
MAX_REASONS = 8  # on the screen; all are in the workbook
UNREAD_NOTES = frozenset(
    {
        "note.former_file",
        "note.number_above",
        "note.pictures_drifted",
        "note.replaced",
        "note.replaced_by_fewer",
        "note.unread_sheets",
    }
)
WITH_REASONS = frozenset({Status.REJECTED, Status.FAILED, Status.UNKNOWN, Status.EXISTS, Status.NOT_SENT})


def print_results(
    session: Session, report: RunReport, files: Mapping[str, Path], *, steps: bool = True
) -> None:
    """Print the results of a run or check, whose ``files`` were written, and the next ``steps``."""
    presenter = Presenter.for_report(report, session.spoken)
    if "edited" in files:
        session.alert("kept_edits", path=WORKBOOK, kept=files["edited"])
    if "copy" in files:
        session.alert("copy_held", path=WORKBOOK, copy=files["copy"])
    report = replace(report, workbook=files[WORKBOOK].name)
    _print_problems(session, report, presenter)
    session.print_record(run_record(report, presenter.masker))
    if session.quiet:
        return
    _print_counts(session, report, presenter)
    session.inform("results", path=presenter.mask_path(files[WORKBOOK]))
    session.inform("report", path=presenter.mask_path(files[REPORT_PAGE]))
    if steps:
        session.print_steps(list_run_steps(report, presenter.masker))


def _print_problems(session: Session, report: RunReport, presenter: Presenter) -> None:
    """Print what stopped the run and which rosters were refused, also with ``-q``."""
    if report.halt is not None:
        text = describe_halt_of(report, presenter)
        session.alert("run_halted", Tone.FAULT, code=report.halt.code, message=text)
    for text in describe_notices(report, presenter):
        session.inform("warning", Tone.NEEDS_PERSON, text=text)
    for path, reason in report.unreadable_images:
        session.alert("pictures_unread", place=presenter.mask_text(path), why=presenter.render_text(reason))
    refused = [file for file in report.files if file.needs_correction]
    other_files = [file for file in refused if file.path.suffix.lower() not in ROSTER_SUFFIXES]
    # a * of the shell, or a configuration: their reasons are of no use
    if len(other_files) > 1 or any(file.path.suffix.lower() in YAML for file in other_files):
        refused = [file for file in refused if file not in other_files]
        names = [presenter.mask_text(file.path.name) for file in other_files]
        session.alert("no_rosters", Tone.FAULT, **join_names(session, names))
    for file in refused:
        for problem in file.problems:
            reason = describe_problem(problem, presenter)
            key, tone = "file_refused", Tone.FAULT
            if file.reading == "partly":
                key, tone = "file_partly", Tone.NEEDS_PERSON
            session.alert(key, tone, file=presenter.mask_text(file.path.name), why=reason)


def join_names(session: Session, names: Sequence[str]) -> dict[str, str]:
    """Return what a sentence about several files is filled with: the first names, and whether there are more."""
    named = join_messages(names[:MAX_FILES_NAMED]).render(session.spoken)
    return {"files": named, "more": " …" if len(names) > MAX_FILES_NAMED else ""}


def _print_counts(session: Session, report: RunReport, presenter: Presenter) -> None:
    """Print how the columns were read, and how many rows ended how, with the commonest reasons."""
    describe_columns = describe_layouts if report.command == "check" else describe_misspelt_titles
    templates = set(get_pair("init.template"))
    read = [file for file in report.files if file.rows or file.path.name not in templates]
    for text in describe_columns(read or report.files, presenter):
        session.print_line(text)
    for file, note in _list_unread(report):
        session.inform(
            "unread",
            Tone.NEEDS_PERSON,
            file=presenter.mask_text(file),
            note=presenter.render_text(presenter.mask_text(note)),
        )
    if skipped := describe_skipped_lines(report, presenter):
        session.print_line(skipped)
    empty = [
        file.path.name
        for file in (read or report.files)
        if file.status == "read" and not file.rows and file.sheets
    ]
    if empty:
        names = join_names(session, [presenter.mask_text(name) for name in empty])
        session.inform("no_doctors", Tone.NEEDS_PERSON, **names)
    rows: dict[ShownStatus, list[RowOutcome]] = defaultdict(list)
    for outcome in report.outcomes:
        rows[get_shown_status(outcome)].append(outcome)
    explained = report.halt.code if report.halt else ""
    with_sheets = _list_files_with_sheets(report)
    for status in filter(rows.get, SHOWN_STATUSES):
        key = "count_of_duplicates" if status is Repeat.DUPLICATE else "count"
        name = presenter.name_status(status)
        text = session.render_sentence(key, status=name, rows=len(rows[status]))
        session.print_line(text, tone=STATUS_TONES.get(status.value))
        if status in WITH_REASONS:
            _print_reasons(session, rows[status], presenter, explained=explained, with_sheets=with_sheets)
    _print_notes(session, report, presenter, with_sheets=with_sheets)
    if report.auto_sign is not None:
        session.print_line(describe_auto_sign(report.auto_sign, presenter))


def _list_unread(report: RunReport) -> Iterator[tuple[str, str]]:
    """Yield each file's notes on what was not read although people may stand in it."""
    for file in report.files:
        for note in file.notes:
            inner = note.arguments.get("note", note) if isinstance(note, Message) else note
            if isinstance(inner, Message) and inner.key in UNREAD_NOTES:
                yield file.path.name, note


def _list_files_with_sheets(report: RunReport) -> set[Path]:
    """Return the files whose rows stand in more than one sheet."""
    sheets: defaultdict[Path, set[str | None]] = defaultdict(set)
    for outcome in report.outcomes:
        origin = outcome.doctor.row.origin
        sheets[origin.path].add(origin.sheet)
    return {path for path, names in sheets.items() if len(names) > 1}


def _print_reasons(
    session: Session,
    outcomes: list[RowOutcome],
    presenter: Presenter,
    *,
    explained: str,
    with_sheets: Collection[Path],
) -> None:
    """Print the commonest reasons, each with where it occurs first; of a code of the service who acts and what to do.

    What to do about the code ``explained`` was printed already, and that nothing was sent because of it: an answer to a row
    that was not sent is not at fault in its row. Of the files ``with_sheets`` the sheet is named.
    """
    by_code: defaultdict[str, list[RowOutcome]] = defaultdict(list)
    for outcome in outcomes:
        code = get_main_code(outcome)
        if code is None and not (explained and outcome.status is Status.NOT_SENT):
            code = outcome.code
        if code:
            by_code[code].append(outcome)
    for code, rows in _take_commonest(session, by_code):
        status = rows[0].status
        if status is Status.EXISTS:
            name = presenter.name_status(status)
        else:
            name = name_code(code, presenter, unresolved=status in UNRESOLVED_STATUSES)
        _print_reason(session, code, name, rows, presenter, with_sheets=with_sheets)
        task = describe_task_of(code, presenter) or count_doubted_numbers(code, rows, presenter)
        if task and code != explained:
            session.inform("reason_task", task=task)
    without_reason = sum(get_main_code(outcome) is None and not outcome.code for outcome in outcomes)
    if by_code and without_reason:
        session.inform("reason_not_yet", rows=without_reason)


def _print_notes(
    session: Session, report: RunReport, presenter: Presenter, *, with_sheets: Collection[Path]
) -> None:
    """Print how many rows that need nothing have warnings, and the commonest warnings as `_print_reasons` does."""
    noted = [outcome for outcome in report.outcomes if outcome.status in NEEDS_NOTHING and outcome.problems]
    if not noted:
        return
    session.inform("count_of_notes", n=len(noted))
    by_code: defaultdict[str, list[RowOutcome]] = defaultdict(list)
    names: dict[str, str] = {}
    for outcome in noted:
        for code, problem in {problem.code: problem for problem in outcome.problems}.items():
            by_code[code].append(outcome)
            if code not in names:
                names[code] = name_warning(problem, presenter)
    for code, rows in _take_commonest(session, by_code):
        _print_reason(session, code, names[code], rows, presenter, with_sheets=with_sheets)


def _take_commonest(
    session: Session, by_code: Mapping[str, list[RowOutcome]]
) -> Iterator[tuple[str, list[RowOutcome]]]:
    """Yield the codes that most rows have, with the rows; then print how many other codes there are."""
    commonest_first = sorted(by_code.items(), key=lambda item: -len(item[1]))
    yield from commonest_first[:MAX_REASONS]
    if len(by_code) > MAX_REASONS:
        session.inform("reasons_more", n=len(by_code) - MAX_REASONS)


def _print_reason(
    session: Session,
    code: str,
    name: str,
    outcomes: Sequence[RowOutcome],
    presenter: Presenter,
    *,
    with_sheets: Collection[Path],
) -> None:
    """Print how many rows have a code, and all of them or the first: two rows may be at odds with each other."""
    shown = outcomes if len(outcomes) <= MAX_ROWS_NAMED else outcomes[:1]
    rows_of_sheets: defaultdict[str, list[int]] = defaultdict(list)
    for outcome in shown:
        origin = outcome.doctor.row.origin
        sheet = origin.sheet if origin.path in with_sheets else None
        rows_of_sheets[" ".join(filter(None, (origin.file, sheet)))].append(origin.row)
    places = [
        make_message(
            "reason_row" if len(rows) == 1 else "reason_rows",
            place=presenter.mask_text(location),
            row=rows[0],
            last=rows[-1],
        )
        for location, rows in rows_of_sheets.items()
    ]
    key = "reason" if len(shown) == len(outcomes) else "reason_such_as"
    session.inform(key, rows=len(outcomes), code=code, label=name, places=join_messages(places))
