"""Writes the marked copies of a run's rosters into ``rosters/`` below its results.

Each .xlsx and .xlsm roster of the hospital gets one if the copy loses nothing; else a note of the file gives the reason.
A copy is kept only if it reads exactly like its roster. The copy of the last run is carried forward where it would be
made of the same roster and the same marks.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

from pipeline.domain.results_format import APPENDED_COLUMNS, COPIES, ExactSheet, join_originals
from pipeline.domain.roster import FileReport, Row
from pipeline.domain.run import Notice, RowOutcome, RunReport, needs_fixing
from pipeline.errors import FileRefused, NotCopied
from pipeline.intake.layout.column_titles import ColumnAliases
from pipeline.intake.read_rosters import read_roster
from pipeline.intake.readers.model import ReadOptions
from pipeline.intake.readers.xlsx.copying import collect_exact_sheets
from pipeline.messages.catalogue import make_message
from pipeline.reports.earlier_results import (
    clear_copies,
    read_copies,
    remember_contents,
    remember_written,
)
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_marks import RowMarks, build_row_marks
from pipeline.support.atomic_files import copy_into, write_atomically
from pipeline.version import __version__

LOG = logging.getLogger(__name__)
MAX_ROWS = 20_000  # of all rosters of a run: openpyxl takes half a second for a thousand rows
_SUFFIXES = (".xlsx", ".xlsm")
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """The marked copy of one roster that is to be written."""

    roster: FileReport
    name: str  # masked
    marks: Sequence[RowMarks] = field(repr=False)
    contents: str  # a digest of all that the copy is made of
    earlier: bytes | None = field(repr=False)  # the copy of an earlier run with the same contents
    exact_sheets: Sequence[ExactSheet] = field(repr=False)  # none where an earlier copy is carried forward
    rows_digest: str | None  # of what the run has read; None where an earlier copy is carried forward


@dataclass(frozen=True, slots=True)
class MarkedCopies:
    """The marked copies of one run: planned before its workbook, which names them, and written after it."""

    folders: Sequence[Path]  # the first gets the copies, the others copies of them
    columns: Mapping[str, str]  # of the configuration: title of a column -> field
    headings: Sequence[str]  # of the appended columns
    requests: Sequence[CopyRequest]
    reasons: Mapping[Path, str]  # roster -> why it gets none
    notices: Sequence[Notice]  # of failures

    def announce(self, report: RunReport) -> RunReport:
        """Return the report with the copies that are going to be written, and the reasons why there are no others."""
        copies = {request.roster.path: self.folders[0] / request.name for request in self.requests}
        return _add_to_report(report, copies, self.reasons, self.notices)

    def write(self, report: RunReport) -> RunReport:
        """Write the copies in place of those of the last run; return the announced report with those that were written."""
        for folder in self.folders:
            clear_copies(folder)
        copies: dict[Path, Path] = {}
        reasons: dict[Path, str] = {}
        notices: list[Notice] = []
        for request in self.requests:
            path = request.roster.path
            with _noting_failure(request.roster, notices):
                target = self.folders[0] / request.name
                try:
                    copies[path] = written = _carry_forward(request, target) or _write_copy(
                        request, target, self
                    )
                except NotCopied as refusal:
                    reasons[path] = refusal.why
                    continue
                for folder in self.folders[1:]:
                    copy = copy_into(folder, written, written.name)
                    remember_written(copy)
                    remember_contents(copy, request.contents)
        return _add_to_report(report, copies, reasons, notices)


def plan_marked_copies(
    report: RunReport, columns: Mapping[str, str], presenter: Presenter, latest: Path | None
) -> MarkedCopies:
    """Return the marked copies of a run, also for ``latest``; ``columns`` are the configuration's."""
    folders = tuple(dict.fromkeys(folder / COPIES for folder in (report.out, latest) if folder is not None))
    headings = tuple(map(presenter.render, APPENDED_COLUMNS))
    outcomes: defaultdict[Path, list[RowOutcome]] = defaultdict(list)
    for outcome in report.outcomes:
        outcomes[outcome.doctor.row.origin.path].append(outcome)
    earlier_copies = {contents: data for folder in folders for contents, data in read_copies(folder).items()}
    requests: list[CopyRequest] = []
    reasons: dict[Path, str] = {}
    notices: list[Notice] = []
    rows_left = MAX_ROWS
    for roster in _order_rosters(report.files, outcomes) if report.command in ("check", "run") else ():
        if roster.rows > rows_left:
            reasons[roster.path] = make_message("copy.rows", limit=MAX_ROWS)
            continue
        rows_left -= roster.rows
        rows = outcomes[roster.path]
        with _noting_failure(roster, notices):
            marks = [build_row_marks(outcome, presenter) for outcome in rows]
            contents = _digest_contents(roster, marks, columns, presenter.language)
            earlier = earlier_copies.get(contents)
            rows_digest = None if earlier else _digest_rows((outcome.doctor.row for outcome in rows), roster)
            try:
                exact_sheets = () if earlier else _look_over(roster)
            except NotCopied as refusal:
                reasons[roster.path] = refusal.why
                continue
            name = _choose_name(presenter.mask_text(roster.path.name), (request.name for request in requests))
            requests.append(CopyRequest(roster, name, marks, contents, earlier, exact_sheets, rows_digest))
    return MarkedCopies(folders, dict(columns), headings, requests, reasons, notices)


@contextmanager
def _noting_failure(roster: FileReport, notices: list[Notice]) -> Iterator[None]:
    """Let a failure cost one roster its copy, and add a notice of it."""
    try:
        yield
    except Exception as error:
        LOG.exception("a marked copy could not be written", extra={"kind": type(error).__name__})
        notices.append(Notice("COPY_FAILED", {"file": roster.path.name, "kind": type(error).__name__}))


def _add_to_report(
    report: RunReport, copies: Mapping[Path, Path], reasons: Mapping[Path, str], notices: Sequence[Notice]
) -> RunReport:
    """Return the report with the paths of the copies, the reasons why there is none, and what failed."""
    return replace(
        report,
        copies=copies,
        files=tuple(_note_reason(roster, reasons.get(roster.path)) for roster in report.files),
        notices=(*report.notices, *notices),
    )


def _order_rosters(
    files: Iterable[FileReport], outcomes: Mapping[Path, Sequence[RowOutcome]]
) -> list[FileReport]:
    """Return the rosters to be copied, those with rows to correct first."""
    rosters = [
        report
        for report in files
        if report.status == "read" and report.rows and report.path.suffix.lower() in _SUFFIXES
    ]
    return sorted(rosters, key=lambda report: not any(map(needs_fixing, outcomes.get(report.path, ()))))


def _choose_name(masked: str, taken: Iterable[str]) -> str:
    """Return a roster's masked name in characters that every system takes in a name."""
    name = Path(masked.replace("*", "_"))
    names = set(map(str.casefold, taken))
    number, free = 1, name.name
    while free.casefold() in names:
        number += 1
        free = f"{name.stem} ({number}){name.suffix}"
    return free


def _note_reason(report: FileReport, reason: str | None) -> FileReport:
    if reason is None:
        return report
    return replace(report, notes=(make_message("note.no_copy", why=reason), *report.notes))


def _digest_contents(
    report: FileReport, marks: Iterable[RowMarks], columns: Mapping[str, str], language: str
) -> str:
    """Return a digest of all that a marked copy is made of: the roster, the marks of each row, and the programs."""
    programs = (__version__, version("openpyxl"))
    head = (
        programs,
        language,
        report.path.suffix.lower(),
        report.sha256,
        report.originals,
        sorted(columns.items()),
    )
    digest = hashlib.sha256(repr(head).encode())
    for row in marks:
        shown = (row.sheet, row.row, row.status.value, row.texts, list(row.faults.items()))
        digest.update(repr(shown).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _carry_forward(request: CopyRequest, target: Path) -> Path | None:
    """Write the copy that an earlier run made of the same contents; None where there is none, or the roster has changed."""
    data, roster = request.earlier, request.roster
    if data is None or hashlib.sha256(roster.path.read_bytes()).hexdigest() != roster.sha256:
        return None
    written = write_atomically(target, lambda draft: _write_bytes(draft, data), numbered=True)
    remember_written(written)
    return written


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _read_unchanged(roster: FileReport) -> bytes:
    """Return a roster's bytes; NotCopied where they are no longer those that the run has read."""
    data = roster.path.read_bytes()
    if hashlib.sha256(data).hexdigest() != roster.sha256:
        raise NotCopied(make_message("file.changed_since"))
    return data


def _look_over(roster: FileReport) -> Sequence[ExactSheet]:
    """Return what a copy takes over as it is; NotCopied where the copy would lose something."""
    data = _read_unchanged(roster)
    if not data.startswith(_ZIP):
        raise NotCopied(make_message("copy.encrypted"))
    try:
        return collect_exact_sheets(data)
    except FileRefused as refusal:
        raise NotCopied(make_message("copy.feature", what=refusal.code)) from refusal


def _write_copy(request: CopyRequest, target: Path, job: MarkedCopies) -> Path:
    from pipeline.reports.marked_copy import CopySource, write_marked_copy  # noqa: PLC0415 - openpyxl takes time

    report = request.roster
    data = _read_unchanged(report)
    headers: dict[str, int] = {}
    for line in report.skipped:
        if line.why == "header":
            headers.setdefault(line.sheet or "", line.first)
    held = {sheet.sheet or "" for sheet in report.sheets if sheet.rows}
    source = CopySource(
        data=data,
        has_macros=report.path.suffix.lower() == ".xlsm",
        header_rows={name: row for name, row in headers.items() if name in held},
        exact_sheets=request.exact_sheets,
        originals=join_originals(report.sha256 or "", report.originals),
    )

    def fill(draft: Path) -> None:
        write_marked_copy(source, draft, request.marks, job.headings)
        copied = _digest_file(draft, report, job.columns)
        if copied != request.rows_digest:
            raise NotCopied(make_message("copy.differs"))

    written = write_atomically(target, fill, numbered=True)
    remember_written(written)
    return written


def _digest_file(path: Path, roster: FileReport, columns: Mapping[str, str]) -> str:
    """Return a digest of everything that is read from a roster, or a copy of it, but its name."""
    aliases = ColumnAliases.from_config(columns)
    options = ReadOptions(read_former=all(sheet.status != "former" for sheet in roster.sheets))
    rows, report = read_roster(path, aliases, options=options)
    return _digest_rows(rows, report)


def _digest_rows(rows: Iterable[Row], report: FileReport) -> str:
    digest = hashlib.sha256(repr(report.skipped).encode())
    for row in rows:
        cells = [tuple(cell) for cell in row.cells]
        fields = {field: cell.column for field, cell in row.fields.items()}
        digest.update(repr((row.origin.sheet, row.origin.row, row.hidden, cells, fields)).encode())
    return digest.hexdigest()
