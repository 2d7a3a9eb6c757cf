"""Writes the marked copies of a run's rosters into ``rosters/`` below its results.

Each .xlsx and .xlsm roster of the hospital gets one if the copy loses nothing; else a note of the file gives the reason.
A copy is kept only if it reads exactly like its roster. The copy of the last run is carried forward where it would be
made of the same roster and the same marks.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from pipeline import __version__
from pipeline.domain.results_format import COPIES, join_originals
from pipeline.domain.roster import FileReport, Row
from pipeline.domain.run import Notice, RowOutcome, RunReport, needs_fixing
from pipeline.errors import FileRefused, NotCopied
from pipeline.intake.layout.column_titles import ColumnAliases
from pipeline.intake.read_rosters import read_roster
from pipeline.intake.readers.model import ReadOptions
from pipeline.intake.readers.xlsx.copying import collect_exact_sheets
from pipeline.messages.texts import make_text
from pipeline.reports.earlier_results import (
    clear_copies,
    read_copies,
    remember_contents,
    remember_written,
)
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_marks import list_appended_texts, list_faults
from pipeline.support.atomic_files import copy_into, write_atomically

LOG = logging.getLogger(__name__)
MAX_ROWS = 20_000  # of all rosters of a run: openpyxl takes half a second for a thousand rows
_SUFFIXES = (".xlsx", ".xlsm")
_ZIP = b"PK\x03\x04"


def write_marked_copies(
    report: RunReport, columns: Mapping[str, str], presenter: Presenter, latest: Path | None
) -> RunReport:
    """Write the copies, also into ``latest``; return the report with their paths, reasons and failures.

    ``columns`` are those of the configuration: title of a column -> field.
    """
    folders = dict.fromkeys(folder / COPIES for folder in (report.out, latest) if folder is not None)
    earlier_copies = _take_earlier_copies(folders)
    if report.command not in ("check", "run"):
        return report
    outcomes: defaultdict[Path, list[RowOutcome]] = defaultdict(list)
    for outcome in report.outcomes:
        outcomes[outcome.doctor.row.origin.path].append(outcome)
    copies: dict[Path, Path] = {}
    reasons: dict[Path, str] = {}
    notices: list[Notice] = []
    rows_left = MAX_ROWS
    for file_report in _order_rosters(report.files, outcomes):
        path = file_report.path
        if file_report.rows > rows_left:
            reasons[path] = make_text("copy.rows", limit=MAX_ROWS)
            continue
        name = _choose_name(path, copies.values(), presenter)
        try:
            contents = _digest_contents(file_report, outcomes[path], columns, presenter)
            target = report.out / COPIES / name
            written = _carry_forward(earlier_copies.get(contents), file_report, target)
            if written is None:
                written = _write_copy(file_report, outcomes[path], target, columns, presenter)
            copies[path] = written
            for folder in list(folders)[1:]:
                copy = copy_into(folder, written, written.name)
                remember_written(copy)
                remember_contents(copy, contents)
        except NotCopied as refusal:
            reasons[path] = refusal.why
        except Exception as error:
            LOG.exception("a marked copy could not be written", extra={"kind": type(error).__name__})
            notices.append(Notice("COPY_FAILED", {"file": path.name, "kind": type(error).__name__}))
        else:
            rows_left -= file_report.rows
    return replace(
        report,
        copies=copies,
        files=tuple(_note_reason(file_report, reasons.get(file_report.path)) for file_report in report.files),
        notices=(*report.notices, *notices),
    )


def _take_earlier_copies(folders: Iterable[Path]) -> dict[str, bytes]:
    """Remove the copies of earlier runs, and return those that may be carried forward, by what they were made of."""
    copies: dict[str, bytes] = {}
    for folder in folders:
        copies |= read_copies(folder)
        clear_copies(folder)
    return copies


def _order_rosters(
    files: Iterable[FileReport], outcomes: Mapping[Path, Sequence[RowOutcome]]
) -> list[FileReport]:
    """Return the rosters to be copied, those with rows to correct first."""
    rosters = [
        report
        for report in files
        if report.status == "read"
        and report.rows
        and report.run is None
        and report.path.suffix.lower() in _SUFFIXES
    ]
    return sorted(rosters, key=lambda report: not any(map(needs_fixing, outcomes.get(report.path, ()))))


def _choose_name(path: Path, taken: Iterable[Path], presenter: Presenter) -> str:
    """Return the roster's name, masked, in characters that every system takes in a name."""
    name = Path(presenter.mask_text(path.name).replace("*", "_"))
    names = {copy.name.casefold() for copy in taken}
    number, free = 1, name.name
    while free.casefold() in names:
        number += 1
        free = f"{name.stem} ({number}){name.suffix}"
    return free


def _note_reason(report: FileReport, reason: str | None) -> FileReport:
    if reason is None:
        return report
    return replace(report, notes=(make_text("note.no_copy", why=reason), *report.notes))


def _digest_contents(
    report: FileReport,
    outcomes: Sequence[RowOutcome],
    columns: Mapping[str, str],
    presenter: Presenter,
) -> str:
    """Return a digest of all that a marked copy is made of: the roster, the marks of each row, and the programs."""
    programs = (__version__, version("openpyxl"))
    head = (
        programs,
        presenter.language,
        report.path.suffix.lower(),
        report.sha256,
        report.originals,
        sorted(columns.items()),
    )
    digest = hashlib.sha256(repr(head).encode())
    for outcome in outcomes:
        origin = outcome.doctor.row.origin
        texts, faults = list_appended_texts(outcome, presenter), list_faults(outcome, presenter)
        marks = (origin.sheet, origin.row, outcome.status.value, texts, list(faults.items()))
        digest.update(repr(marks).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _carry_forward(data: bytes | None, report: FileReport, target: Path) -> Path | None:
    """Write the copy that an earlier run made of the same contents; None where there is none, or the roster has changed."""
    if data is None or hashlib.sha256(report.path.read_bytes()).hexdigest() != report.sha256:
        return None
    written = write_atomically(target, lambda draft: _write_bytes(draft, data), numbered=True)
    remember_written(written)
    return written


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _write_copy(
    report: FileReport,
    outcomes: Sequence[RowOutcome],
    target: Path,
    columns: Mapping[str, str],
    presenter: Presenter,
) -> Path:
    from pipeline.reports.marked_copy import CopySource, write_marked_copy  # noqa: PLC0415 - openpyxl takes time

    data = report.path.read_bytes()
    if hashlib.sha256(data).hexdigest() != report.sha256:
        raise NotCopied(make_text("file.changed_since"))
    if not data.startswith(_ZIP):
        raise NotCopied(make_text("copy.encrypted"))
    try:
        exact_sheets = collect_exact_sheets(data)
    except FileRefused as refusal:
        raise NotCopied(make_text("copy.feature", what=refusal.code)) from refusal
    headers: dict[str, int] = {}
    for line in report.skipped:
        if line.why == "header":
            headers.setdefault(line.sheet or "", line.first)
    held = {sheet.sheet or "" for sheet in report.sheets if sheet.rows}
    source = CopySource(
        data=data,
        has_macros=report.path.suffix.lower() == ".xlsm",
        header_rows={name: row for name, row in headers.items() if name in held},
        exact_sheets=exact_sheets,
        originals=join_originals(report.sha256, report.originals),
    )

    def fill(draft: Path) -> None:
        write_marked_copy(source, draft, outcomes, presenter)
        copied = _digest_file(draft, columns)
        # the run has read the roster: it is read once more only where a results workbook has changed its rows since
        rows = [outcome.doctor.row for outcome in outcomes]
        if copied != _digest_rows(rows, report) and copied != _digest_file(report.path, columns):
            raise NotCopied(make_text("copy.differs"))

    written = write_atomically(target, fill, numbered=True)
    remember_written(written)
    return written


def _digest_file(path: Path, columns: Mapping[str, str]) -> str:
    """Return a digest of everything that is read from a roster but its name."""
    aliases = ColumnAliases.from_config(columns)
    rows, report = read_roster(path, aliases, to_fix_only=False, corrections=False, options=ReadOptions())
    return _digest_rows(rows, report)


def _digest_rows(rows: Iterable[Row], report: FileReport) -> str:
    digest = hashlib.sha256(repr(report.skipped).encode())
    for row in rows:
        cells = [tuple(cell) for cell in row.cells]
        fields = {field: cell.column for field, cell in row.fields.items()}
        digest.update(repr((row.origin.sheet, row.origin.row, row.hidden, cells, fields)).encode())
    return digest.hexdigest()
