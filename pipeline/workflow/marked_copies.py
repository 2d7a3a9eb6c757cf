"""Writes the marked copies of a run's rosters into ``rosters/`` below its results.

An .xlsx or .xlsm is copied as it is, if openpyxl loses nothing of it. Any other roster, and a workbook that is too large for
openpyxl, is copied anew: the same cells in the same places of a new .xlsx. A roster with pictures, controls or a password gets
no copy, which would lack them; a note of the file gives the reason.
A copy is kept only if it reads like its roster. The copy of the last run is carried forward where it would be made of the
same roster and the same marks.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from pipeline.domain.message import Message
from pipeline.domain.results_format import APPENDED_COLUMNS, COPIES, ExactSheet, join_originals
from pipeline.domain.roster import FileReport, Row
from pipeline.domain.run import Notice, RowOutcome, RunReport, needs_fixing
from pipeline.errors import FileRefused, FormatsLost, NotCopied
from pipeline.intake.layout.column_titles import ColumnAliases
from pipeline.intake.read_rosters import open_book, read_roster
from pipeline.intake.readers.detect import detect_kind
from pipeline.intake.readers.model import ReadOptions, Sheet
from pipeline.intake.readers.xlsx.copying import collect_exact_sheets, require_no_pictures
from pipeline.intake.readers.xlsx.package import Package
from pipeline.messages.catalogue import make_message
from pipeline.reports.earlier_results import (
    clear_copies,
    read_copies,
    remember_contents,
    remember_written,
)
from pipeline.reports.plain_copy import PlainSheet, convert_cell, write_plain_copy
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_marks import RowMarks, build_row_marks
from pipeline.support.atomic_files import copy_into, write_atomically
from pipeline.version import __version__

LOG = logging.getLogger(__name__)
MAX_ROWS = 20_000  # of all rosters of a run that openpyxl copies: it takes half a second for a thousand rows
_NOTES = frozenset({"note.no_copy", "note.plain_copy"})


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """The marked copy of one roster that is to be written."""

    roster: FileReport
    name: str  # masked
    outcomes: Sequence[RowOutcome] = field(repr=False)
    contents: str  # a digest of all that the copy is made of
    earlier: bytes | None = field(repr=False)  # the copy of an earlier run with the same contents
    # what openpyxl does not take over; None for a copy that is made anew
    exact_sheets: Sequence[ExactSheet] | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class MarkedCopies:
    """The marked copies of one run: planned before its workbook, which names them, and written after it."""

    folders: Sequence[Path]  # the first gets the copies, the others copies of them
    columns: Mapping[str, str]  # of the configuration: title of a column -> field
    presenter: Presenter
    requests: Sequence[CopyRequest]
    notes: Mapping[Path, str]  # roster -> why it gets no copy, or that its copy is made anew
    notices: Sequence[Notice]  # of failures

    def announce(self, report: RunReport) -> RunReport:
        """Return the report with the copies that are going to be written, and the notes of their rosters."""
        copies = {request.roster.path: self.folders[0] / request.name for request in self.requests}
        return _add_to_report(report, copies, self.notes, self.notices)

    def write(self, report: RunReport) -> RunReport:
        """Write the copies in place of those of the last run; return the announced report with those that were written."""
        for folder in self.folders:
            clear_copies(folder)
        copies: dict[Path, Path] = {}
        notes: dict[Path, str] = {}
        notices: list[Notice] = []
        for request in self.requests:
            path = request.roster.path
            with _noting_failure(request.roster, notices):
                target = self.folders[0] / request.name
                try:
                    written = _carry_forward(request, target) or self._write_exactly(request, target)
                    if written is None:
                        written = self._write_anew(request, target)
                        notes[path] = make_message("note.plain_copy")
                except NotCopied as refusal:
                    notes[path] = make_message("note.no_copy", why=refusal.why)
                    continue
                copies[path] = written
                remember_written(written)
                for folder in self.folders[1:]:
                    copy = copy_into(folder, written, written.name)
                    remember_written(copy)
                    remember_contents(copy, request.contents)
        return _add_to_report(report, copies, notes, notices)

    def _write_exactly(self, request: CopyRequest, target: Path) -> Path | None:
        """Write a copy that keeps the workbook as it is; None where it has to be made anew."""
        from pipeline.reports.marked_copy import (  # noqa: PLC0415 - openpyxl takes time
            CopySource,
            write_marked_copy,
        )

        roster = request.roster
        if request.exact_sheets is None:
            return None
        headers: dict[str, int] = {}
        for line in roster.skipped:
            if line.why == "header":
                headers.setdefault(line.sheet or "", line.first)
        held = {sheet.sheet or "" for sheet in roster.sheets if sheet.rows}
        source = CopySource(
            data=_read_unchanged(roster),
            has_macros=roster.path.suffix.lower() == ".xlsm",
            header_rows={name: row for name, row in headers.items() if name in held},
            exact_sheets=request.exact_sheets,
            originals=join_originals(roster.sha256 or "", roster.originals),
        )

        def fill(draft: Path) -> None:
            headings = [self.presenter.render(key) for key in APPENDED_COLUMNS]
            write_marked_copy(source, draft, self._build_marks(request), headings)
            if not self._reads_alike(draft, request, _digest_rows):
                raise FormatsLost

        try:
            return write_atomically(target, fill, numbered=True)
        except FormatsLost:
            return None

    def _write_anew(self, request: CopyRequest, target: Path) -> Path:
        """Write a copy of the cells alone. Raises NotCopied."""
        roster = request.roster
        data = _read_unchanged(roster)

        def fill(draft: Path) -> None:
            try:
                book = open_book(data, roster.path, ColumnAliases.from_config(self.columns), ReadOptions())
                sheets = _list_plain_sheets(book.sheets, roster, self._build_marks(request))
                originals = join_originals(roster.sha256 or "", roster.originals)
                write_plain_copy(sheets, draft, originals, self.presenter.language)
            except FileRefused as refusal:
                raise NotCopied(make_message("copy.encrypted")) from refusal
            if not self._reads_alike(draft, request, _digest_content):
                raise NotCopied(make_message("copy.differs"))

        return write_atomically(target.with_suffix(".xlsx"), fill, numbered=True)

    def _build_marks(self, request: CopyRequest) -> Iterator[RowMarks]:
        return (build_row_marks(outcome, self.presenter) for outcome in request.outcomes)

    def _reads_alike(
        self, copy: Path, request: CopyRequest, digest: Callable[[Iterable[Row], FileReport], str]
    ) -> bool:
        """Return whether a copy reads like its roster."""
        rows = (outcome.doctor.row for outcome in request.outcomes)
        return digest(*self._read_copy(copy, request.roster)) == digest(rows, request.roster)

    def _read_copy(self, copy: Path, roster: FileReport) -> tuple[Iterable[Row], FileReport]:
        aliases = ColumnAliases.from_config(self.columns)
        options = ReadOptions(read_former=all(sheet.status != "former" for sheet in roster.sheets))
        return read_roster(copy, aliases, options=options)


def plan_marked_copies(
    report: RunReport, columns: Mapping[str, str], presenter: Presenter, latest: Path | None
) -> MarkedCopies:
    """Return the marked copies of a run, also for ``latest``; ``columns`` are the configuration's."""
    folders = tuple(dict.fromkeys(folder / COPIES for folder in (report.out, latest) if folder is not None))
    outcomes: defaultdict[Path, list[RowOutcome]] = defaultdict(list)
    for outcome in report.outcomes:
        outcomes[outcome.doctor.row.origin.path].append(outcome)
    earlier_copies = {contents: data for folder in folders for contents, data in read_copies(folder).items()}
    names = _CopyNames(presenter.mask_text(roster.path.name) for roster in report.files)
    requests: list[CopyRequest] = []
    notes: dict[Path, str] = {}
    notices: list[Notice] = []
    rows_left = MAX_ROWS
    for roster in _order_rosters(report.files, outcomes) if report.command in ("check", "run") else ():
        is_small = roster.rows <= rows_left
        rows_left -= roster.rows if is_small else 0
        rows = outcomes[roster.path]
        with _noting_failure(roster, notices):
            marks = (build_row_marks(outcome, presenter) for outcome in rows)
            exact, anew = _digest_contents(roster, marks, columns, presenter.language)
            exact_sheets: Sequence[ExactSheet] | None
            if is_small and exact in earlier_copies:
                exact_sheets = ()
            elif anew in earlier_copies:
                exact_sheets = None
            else:
                try:
                    exact_sheets = _look_over(roster, is_small=is_small)
                except NotCopied as refusal:
                    notes[roster.path] = make_message("note.no_copy", why=refusal.why)
                    continue
            if exact_sheets is None:
                notes[roster.path] = make_message("note.plain_copy")
            contents = anew if exact_sheets is None else exact
            name = names.choose(presenter.mask_text(roster.path.name), keeps_macros=exact_sheets is not None)
            request = CopyRequest(roster, name, rows, contents, earlier_copies.get(contents), exact_sheets)
            requests.append(request)
    return MarkedCopies(folders, dict(columns), presenter, requests, notes, notices)


@contextmanager
def _noting_failure(roster: FileReport, notices: list[Notice]) -> Iterator[None]:
    """Let a failure cost one roster its copy, and add a notice of it."""
    try:
        yield
    except Exception as error:
        LOG.exception("a marked copy could not be written", extra={"kind": type(error).__name__})
        notices.append(Notice("COPY_FAILED", {"file": roster.path.name, "kind": type(error).__name__}))


def _add_to_report(
    report: RunReport, copies: Mapping[Path, Path], notes: Mapping[Path, str], notices: Sequence[Notice]
) -> RunReport:
    """Return the report with the paths of the copies, the notes of their rosters, and what failed."""
    return replace(
        report,
        copies=copies,
        files=tuple(_add_note(roster, notes.get(roster.path)) for roster in report.files),
        notices=(*report.notices, *notices),
    )


def _add_note(roster: FileReport, note: str | None) -> FileReport:
    """Return the report of a roster with a note on its copy, in place of one that was announced."""
    if note is None:
        return roster
    others = [other for other in roster.notes if not (isinstance(other, Message) and other.key in _NOTES)]
    return replace(roster, notes=(note, *others))


def _order_rosters(
    files: Iterable[FileReport], outcomes: Mapping[Path, Sequence[RowOutcome]]
) -> list[FileReport]:
    """Return the rosters to be copied, those with rows to correct first."""
    rosters = [report for report in files if report.status == "read" and report.rows]
    return sorted(rosters, key=lambda report: not any(map(needs_fixing, outcomes.get(report.path, ()))))


class _CopyNames:
    """The names of the copies: each that of its roster, and none that of another roster, which it would overwrite."""

    def __init__(self, rosters: Iterable[str]) -> None:
        self._rosters = {_make_file_name(name).name.casefold() for name in rosters}
        self._stems: set[str] = set()

    def choose(self, masked: str, *, keeps_macros: bool) -> str:
        """Return the name of the copy of a roster, whose own name is ``masked``."""
        own = _make_file_name(masked)
        suffix = ".xlsm" if keeps_macros and own.suffix.lower() == ".xlsm" else ".xlsx"
        number, stem = 1, own.stem
        while stem.casefold() in self._stems or self._is_of_another(stem + suffix, own.name):
            number += 1
            stem = f"{own.stem} ({number})"
        self._stems.add(stem.casefold())
        return own.name if (stem + suffix).casefold() == own.name.casefold() else stem + suffix

    def _is_of_another(self, name: str, own: str) -> bool:
        return name.casefold() != own.casefold() and name.casefold() in self._rosters


def _make_file_name(masked: str) -> Path:
    """Return a masked name in characters that every system takes in a name."""
    return Path(masked.replace("*", "_"))


def _digest_contents(
    report: FileReport, marks: Iterable[RowMarks], columns: Mapping[str, str], language: str
) -> tuple[str, str]:
    """Return digests of all that a marked copy is made of, by openpyxl and anew: the roster, the marks, and the programs."""
    programs = (__version__, version("openpyxl"), version("XlsxWriter"))
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
    exact, anew = digest.copy(), digest
    exact.update(b"exact")
    anew.update(b"anew")
    return exact.hexdigest(), anew.hexdigest()


def _carry_forward(request: CopyRequest, target: Path) -> Path | None:
    """Write the copy that an earlier run made of the same contents; None where there is none, or the roster has changed."""
    data, roster = request.earlier, request.roster
    if data is None or hashlib.sha256(roster.path.read_bytes()).hexdigest() != roster.sha256:
        return None
    return write_atomically(target, lambda draft: _write_bytes(draft, data), numbered=True)


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _read_unchanged(roster: FileReport) -> bytes:
    """Return a roster's bytes; NotCopied where they are no longer those that the run has read."""
    data = roster.path.read_bytes()
    if hashlib.sha256(data).hexdigest() != roster.sha256:
        raise NotCopied(make_message("file.changed_since"))
    return data


def _look_over(roster: FileReport, *, is_small: bool) -> Sequence[ExactSheet] | None:
    """Return what openpyxl does not take over of a roster; None where it does not copy it, and it is copied anew.

    Raises NotCopied where a copy would lack pictures, controls or a password.
    """
    data = _read_unchanged(roster)
    kind = detect_kind(data)
    if kind == "encrypted":
        raise NotCopied(make_message("copy.encrypted"))
    has_pictures = any(
        isinstance(note, Message) and note.key == "note.pictures_not_read" for note in roster.notes
    )
    if has_pictures and kind != "html":  # those of a page are no part of its file
        raise NotCopied(make_message("copy.pictures"))
    if kind != "xlsx":
        return None
    package = Package(data)
    require_no_pictures(package)
    try:
        return collect_exact_sheets(package) if is_small else None
    except (FormatsLost, FileRefused):
        return None


def _list_plain_sheets(
    sheets: Iterable[Sheet], roster: FileReport, marks: Iterator[RowMarks]
) -> Iterator[PlainSheet]:
    """Yield the sheets of a roster for a copy that is made anew; the marks stand in the order of its rows."""
    headers: defaultdict[str | None, list[int]] = defaultdict(list)
    for line in roster.skipped:
        if line.why == "header":
            headers[line.sheet].append(line.first)
    for sheet, report in zip(sheets, roster.sheets, strict=True):
        own_marks = list(islice(marks, report.rows))
        yield PlainSheet(
            sheet.name,
            sheet.hidden,
            ((line.number, line.cells, line.hidden) for line in sheet.lines),
            sheet.merges,
            sheet.hidden_columns,
            _take_header(headers[sheet.name], own_marks),
            own_marks,
        )


def _take_header(headers: list[int], marks: Sequence[RowMarks]) -> int:
    """Take the titles of the next table off a list; return their line, 0 for a table without doctors.

    The tables of a page have no names: their titles stand one after the other in the list.
    """
    if not marks or not headers:
        return 0
    header = headers.pop(0)
    while headers and header < headers[0] < marks[-1].row:
        del headers[0]
    return header


def _digest_rows(rows: Iterable[Row], report: FileReport) -> str:
    """Return a digest of everything that is read from a roster but its name."""
    digest = hashlib.sha256(repr(report.skipped).encode())
    for row in rows:
        cells = [tuple(cell) for cell in row.cells]
        fields = {field: cell.column for field, cell in row.fields.items()}
        digest.update(repr((row.origin.sheet, row.origin.row, row.hidden, cells, fields)).encode())
    return digest.hexdigest()


def _digest_content(rows: Iterable[Row], _report: FileReport) -> str:
    """Return a digest of the rows of a roster as they read in a copy that is made anew."""
    digest = hashlib.sha256()
    for row in rows:
        cells = []
        for cell in row.cells:
            kind, _, text = convert_cell(cell.kind, cell.value, cell.display_text)
            cells.append((cell.column, cell.header, kind, text))
        fields = {field: cell.column for field, cell in row.fields.items()}
        digest.update(repr((row.origin.row, row.hidden, cells, fields)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
