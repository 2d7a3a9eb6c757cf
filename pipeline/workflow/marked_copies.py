"""Writes the marked copies of a run's rosters into ``rosters/`` below its results.

An .xlsx or .xlsm is copied as it is, if openpyxl loses nothing of it. Any other roster, and a workbook that is too large for
openpyxl, is copied anew: the same cells in the same places of a new .xlsx. A roster with pictures, controls or a password gets
no copy, which would lack them; a note of the file gives the reason.
A copy is kept only if it reads like its roster.

The workbook leads to the copies of rosters with rows to correct, so these are written before it, all others after it.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.domain.results_format import COPIES, ExactSheet
from pipeline.domain.roster import FileReport, Row
from pipeline.domain.run import Notice, RowOutcome, RunReport, needs_fixing
from pipeline.errors import FileRefused, FormatsLost, NotCopied
from pipeline.intake.layout.column_titles import ColumnAliases
from pipeline.intake.read_rosters import open_book, read_roster
from pipeline.intake.readers.model import ReadOptions
from pipeline.messages.catalogue import make_message
from pipeline.reports.copies.plain_copy import write_plain_copy
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_notes import RowNotes, build_row_notes
from pipeline.reports.written_workbooks import WrittenWorkbooks
from pipeline.support.atomic_files import copy_into, write_atomically
from pipeline.workflow.roster_copies import (
    digest_content,
    digest_rows,
    list_plain_sheets,
    look_over,
    read_unchanged,
)
from pipeline.workflow.run_plan import EndedRun

LOG = logging.getLogger(__name__)
MAX_ROWS = 20_000  # of all rosters of a run that openpyxl copies: it takes half a second for a thousand rows


class MarkedCopies:
    """Writes the marked copies of a run in place of those of the last one, also into ``latest``."""

    def __init__(
        self, ended: EndedRun, columns: Mapping[str, str], presenter: Presenter, latest: Path | None
    ) -> None:
        """Remove the last run's copies; ``columns`` are the configuration's."""
        report = ended.report
        self._outcomes: defaultdict[Path, list[RowOutcome]] = defaultdict(list)
        for outcome in ended.list_whole_outcomes():
            self._outcomes[outcome.doctor.row.origin.path].append(outcome)
        self._copies: dict[Path, Path] = {}  # roster -> its copy
        self._notes: dict[Path, str] = {}  # roster -> why it has no copy, or that its copy is made anew
        self._notices: list[Notice] = []  # of failures
        self._columns, self._presenter = columns, presenter
        self._folders = tuple(dict.fromkeys(folder for folder in (report.out, latest) if folder is not None))
        self._names = _CopyNames(presenter.mask_text(roster.path.name) for roster in report.files)
        self._rows_left = MAX_ROWS
        for folder in self._folders:
            WrittenWorkbooks(folder).clear_copies()

    def write_copies_to_correct(self, report: RunReport) -> RunReport:
        """Write the copies of rosters with rows to correct, to which the workbook leads.

        Returns the report with the paths of the copies, the notes of their rosters, and notices of what failed.
        """
        return self._write_copies(report, to_correct=True)

    def write_other_copies(self, report: RunReport) -> RunReport:
        """Write the copies of all other rosters; return the report as `write_copies_to_correct` does."""
        return self._write_copies(report, to_correct=False)

    def _write_copies(self, report: RunReport, *, to_correct: bool) -> RunReport:
        files, failed = [], len(self._notices)
        for roster in report.files:
            outcomes = self._outcomes[roster.path]
            is_asked = any(map(needs_fixing, outcomes)) == to_correct
            if is_asked and roster.status == "read" and roster.rows:
                self._write_or_notice(roster, outcomes)
                files.append(_add_note(roster, self._notes.get(roster.path)))
            else:
                files.append(roster)
        return replace(
            report,
            copies=dict(self._copies),
            files=tuple(files),
            notices=(*report.notices, *self._notices[failed:]),
        )

    def _write_or_notice(self, roster: FileReport, outcomes: Sequence[RowOutcome]) -> None:
        """Write the copy of a roster; a failure costs this roster its copy, and is a notice."""
        try:
            self._write_copy(roster, outcomes)
        except NotCopied as refusal:
            self._notes[roster.path] = make_message("note.no_copy", why=refusal.why)
        except Exception as error:
            kind = type(error).__name__
            LOG.exception("a marked copy could not be written", extra={"kind": kind})
            self._notices.append(Notice("COPY_FAILED", {"file": roster.path.name, "kind": kind}))

    def _write_copy(self, roster: FileReport, outcomes: Sequence[RowOutcome]) -> None:
        is_small = roster.rows <= self._rows_left
        self._rows_left -= roster.rows if is_small else 0
        row_notes = [build_row_notes(outcome, self._presenter) for outcome in outcomes]
        masked = self._presenter.mask_text(roster.path.name)
        source = _Source(
            roster,
            read_unchanged(roster),
            [outcome.doctor.row for outcome in outcomes],
            row_notes,
            roster.originals.make_properties(roster.sha256 or "", masked),
        )
        exact_sheets = look_over(roster, source.data, is_small=is_small)
        name = self._names.choose(masked, keeps_macros=exact_sheets is not None)
        target = self._folders[0] / COPIES / name
        copy = self._write_exactly(source, exact_sheets, target) if exact_sheets is not None else None
        if copy is None:
            copy = self._write_anew(source, target)
            self._notes[roster.path] = make_message("note.plain_copy")
        self._copies[roster.path] = copy
        WrittenWorkbooks(self._folders[0]).remember(copy)
        for folder in self._folders[1:]:
            also = copy_into(folder / COPIES, copy, copy.name)
            WrittenWorkbooks(folder).remember(also, copied_from=copy)

    def _write_exactly(
        self, source: _Source, exact_sheets: Sequence[ExactSheet], target: Path
    ) -> Path | None:
        """Write a copy that keeps the workbook as it is; None where it has to be made anew."""
        from pipeline.reports.copies.marked_copy import (  # noqa: PLC0415 - openpyxl takes time
            CopySource,
            write_marked_copy,
        )

        roster = source.roster
        headers: dict[str, int] = {}
        for line in roster.skipped:
            if line.why == "header":
                headers.setdefault(line.sheet or "", line.first)
        held = {sheet.sheet or "" for sheet in roster.sheets if sheet.rows}
        copied = CopySource(
            data=source.data,
            has_macros=roster.path.suffix.lower() == ".xlsm",
            header_rows={name: row for name, row in headers.items() if name in held},
            exact_sheets=exact_sheets,
            properties=source.properties,
        )

        def fill(draft: Path) -> None:
            write_marked_copy(copied, draft, source.row_notes, self._presenter.language)
            if not self._reads_alike(draft, source, digest_rows):
                raise FormatsLost

        try:
            return write_atomically(target, fill, numbered=True)
        except FormatsLost:
            return None

    def _write_anew(self, source: _Source, target: Path) -> Path:
        """Write a copy of the cells alone. Raises NotCopied."""
        roster = source.roster
        aliases = ColumnAliases.from_config(self._columns)
        try:
            book = open_book(source.data, roster.path, aliases, ReadOptions())
        except FileRefused as refusal:
            raise NotCopied(make_message("copy.encrypted")) from refusal

        def fill(draft: Path) -> None:
            sheets = list_plain_sheets(book.sheets, roster, iter(source.row_notes))
            write_plain_copy(sheets, draft, source.properties, self._presenter.language)
            if not self._reads_alike(draft, source, digest_content):
                raise NotCopied(make_message("copy.differs"))

        return write_atomically(target.with_suffix(".xlsx"), fill, numbered=True)

    def _reads_alike(
        self, copy: Path, source: _Source, digest: Callable[[Iterable[Row], FileReport], str]
    ) -> bool:
        """Return whether a copy reads like its roster."""
        aliases = ColumnAliases.from_config(self._columns)
        options = ReadOptions(read_former=all(sheet.status != "former" for sheet in source.roster.sheets))
        return digest(*read_roster(copy, aliases, options=options)) == digest(source.rows, source.roster)


@dataclass(frozen=True, slots=True)
class _Source:
    """A roster that is copied."""

    roster: FileReport
    data: bytes = field(repr=False)
    rows: Sequence[Row] = field(repr=False)
    row_notes: Sequence[RowNotes] = field(repr=False)  # of its rows
    properties: Mapping[str, str]  # of the copy


def _add_note(roster: FileReport, note: str | None) -> FileReport:
    """Return the report of a roster with a note on its copy before the others."""
    return roster if note is None else replace(roster, notes=(note, *roster.notes))


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
