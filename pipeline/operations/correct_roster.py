"""Corrects a cell of a roster in the roster itself, so that every later run reads it.

An .xlsx or .xlsm is written by openpyxl as its marked copy is, in its place. Any other roster becomes an .xlsx next to it and
goes; until it is gone the new file names it as its original, so that a run reads one of them (`read_rosters`). The former
file is kept before. The new one is read before it takes its name: nothing but the cell may differ.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import accumulate, count
from pathlib import Path
from typing import Self

from pipeline.clock import Clock
from pipeline.config.named_paths import read_passwords
from pipeline.config.settings import Config
from pipeline.domain.results_format import ExactSheet
from pipeline.domain.roster import Cell, CellKind, Field, FileReport, Row
from pipeline.errors import FormatsLost, NotCopied, RosterChanged
from pipeline.intake.layout.column_titles import ColumnAliases
from pipeline.intake.read_rosters import open_book, read_roster
from pipeline.intake.readers.detect import detect_kind
from pipeline.intake.readers.discover import expand_paths, get_lock_file
from pipeline.intake.readers.model import (
    Line,
    MergedCells,
    RawCell,
    ReadOptions,
    parse_column,
    text_cell,
)
from pipeline.messages.catalogue import make_message
from pipeline.operations.replaced_files import keep_replaced_file
from pipeline.reports.copies.plain_copy import PlainSheet, write_plain_copy
from pipeline.support.atomic_files import (
    create_atomically,
    remove_old_drafts,
    write_atomically,
)
from pipeline.support.failpoints import hit_failpoint
from pipeline.workflow.roster_copies import digest_content, digest_rows, look_over


@dataclass(frozen=True, slots=True)
class RosterReading:
    """A roster as it was read."""

    path: Path = field(repr=False)
    sha256: str
    rows: Sequence[Row] = field(repr=False)
    report: FileReport = field(repr=False)

    def move(self, path: Path) -> RosterReading:
        """Return the roster as it reads under another name."""
        rows = [replace(row, origin=replace(row.origin, path=path)) for row in self.rows]
        return replace(self, path=path, rows=rows, report=replace(self.report, path=path))

    def get_sheet_index(self, row: Row) -> int:
        """Return which sheet of the file a row is of; sheets of text files and the tables of pages have no names."""
        index = next(index for index, other in enumerate(self.rows) if other is row)
        ends = accumulate(sheet.rows for sheet in self.report.sheets)
        return next(number for number, end in enumerate(ends) if index < end)


def change_cell(row: Row, name: Field, text: str) -> Row:
    """Return a row in which the cell of a field holds a text."""
    before = row.fields[name]
    kind = CellKind.TEXT if text else CellKind.EMPTY
    cell = Cell(before.column, before.header, text or None, kind, text)
    cells = tuple(cell if other.column == cell.column else other for other in row.cells)
    return replace(row, cells=cells, fields={**row.fields, name: cell})


class RosterCorrector:
    """Reads and corrects the rosters of one hospital; former files are kept (`pipeline.operations.replaced_files`)."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config, self._clock = config, clock
        self._aliases = ColumnAliases.from_config(config.columns)
        self._configured = [config.resolve_path(path) for path in config.roster]
        self._options = ReadOptions(
            passwords=read_passwords(config, os.environ),
            read_former=config.intake.read_former,
        )

    def list_rosters(self) -> list[Path]:
        """Return the files that a run reads."""
        return expand_paths(self._configured)

    def read(self, path: Path) -> RosterReading:
        """Read a roster; one that is refused has no rows."""
        is_asked_for = path in self._configured  # also where it is called 离职 or the like
        options = replace(self._options, read_former=True) if is_asked_for else self._options
        rows, report = read_roster(path, self._aliases, options=options)
        return RosterReading(path, report.sha256 or "", rows, report)

    def correct(self, roster: RosterReading, row: Row, name: Field, text: str) -> RosterReading:
        """Write a text into the cell of a field; return the roster as it is then.

        Raises NotCopied where that has to be done in Excel, RosterChanged where the file is no longer as it was read, OSError
        where the disk refuses. The roster is then as it was.
        """
        data = _read_unchanged(roster)
        if (lock := get_lock_file(roster.path)) is not None:
            raise NotCopied(make_message("rows.open", lock=lock.name))
        exact_sheets = look_over(roster.report, data)
        correction = _Correction.of(roster, data, row, name, text)
        remove_old_drafts(roster.path.resolve().parent, now=self._clock.now())
        if detect_kind(data) == "xlsx":
            if exact_sheets is None:
                raise NotCopied(make_message("rows.would_lose"))
            return self._write_exactly(correction, exact_sheets)
        return self._write_anew(correction)

    def _write_exactly(self, correction: _Correction, exact_sheets: Sequence[ExactSheet]) -> RosterReading:
        """Write the workbook in its place; return it as it was read before it took that."""
        from pipeline.reports.copies.exact_workbook import write_text_cell  # noqa: PLC0415 - openpyxl takes time

        roster, row = correction.roster, correction.row
        cells = exact_sheets[correction.position[0]].cells
        others = [cell for name, cell in row.fields.items() if name is not correction.name]
        if any("<f" in cells.get(row.address_of(cell), "") for cell in others):
            raise NotCopied(make_message("rows.formula"))
        path = roster.path.resolve()  # a link stays one
        written: list[RosterReading] = []

        def fill(draft: Path) -> None:
            try:
                write_text_cell(
                    correction.data,
                    exact_sheets,
                    draft,
                    sheet=row.origin.sheet or "",
                    address=row.address(correction.name) or "",
                    text=correction.text,
                    has_macros=path.suffix.lower() == ".xlsm",
                )
            except FormatsLost as error:
                raise NotCopied(make_message("rows.would_lose")) from error
            written.append(self._require_one_change(correction, draft))
            keep_replaced_file(self._config, path, self._clock.now())

        def take_place(draft: Path, target: Path) -> None:
            _read_unchanged(roster)
            _keep_access(target, draft)
            os.replace(draft, target)  # noqa: PTH105 - as `write_atomically` does it

        write_atomically(path, fill, replace=take_place)
        return written[0].move(roster.path)

    def _require_one_change(self, correction: _Correction, draft: Path) -> RosterReading:
        """Read what was written. Raises NotCopied where more than the cell differs from the roster, or another row does.

        A cell that is merged down belongs to several rows.
        """
        before, _ = self._digest_other_cells(correction, correction.data)
        after, cell = self._digest_other_cells(correction, draft.read_bytes())
        has_text = (cell.kind, cell.display_text) == (CellKind.TEXT, correction.text) if cell else False
        written = self.read(draft)
        are_rows_alike = digest_rows(written.rows, written.report) == digest_rows(
            correction.expected, correction.roster.report
        )
        if before != after or not are_rows_alike or not (has_text or (cell is None and not correction.text)):
            raise NotCopied(make_message("rows.differs"))
        return written

    def _digest_other_cells(self, correction: _Correction, data: bytes) -> tuple[str, RawCell | None]:
        """Return a digest of every sheet of a workbook but for the cell, and the cell."""
        book = open_book(data, correction.roster.path, self._aliases, self._options)
        digest, own = hashlib.sha256(), None
        for index, sheet in enumerate(book.sheets):
            shape = (sheet.name, sheet.hidden, sorted(sheet.merges), sorted(sheet.hidden_columns))
            digest.update(repr(shape).encode())
            for line in sheet.lines:
                for column, cell in line.cells.items():
                    if (index, line.number, column) == correction.position:
                        own = cell
                    else:
                        shown = (line.number, line.hidden, column, tuple(cell))
                        digest.update(repr(shown).encode("utf-8", "surrogatepass"))
        return digest.hexdigest(), own

    def _write_anew(self, correction: _Correction) -> RosterReading:
        """Write an .xlsx with the same cells next to the roster, and take the roster away."""
        roster, path = correction.roster, correction.roster.path
        if path.resolve().parent not in [folder.resolve() for folder in self._configured]:
            raise NotCopied(make_message("rows.named_file"))
        names = (path.with_name(f"{path.stem}{f' ({n})' if n > 1 else ''}.xlsx") for n in count(1))
        target = next(name for name in names if not name.exists())
        properties = roster.report.originals.make_properties(roster.sha256, path.name)
        with create_atomically(target) as draft:
            write_plain_copy(self._list_sheets(correction), draft, properties, "zh")
            written = self.read(draft)
            if digest_content(written.rows, written.report) != digest_content(
                correction.expected, roster.report
            ):
                raise NotCopied(make_message("rows.differs"))
            keep_replaced_file(self._config, path, self._clock.now())
            _keep_access(path, draft)
        hit_failpoint(f"correct: before {path.name} goes")
        if hashlib.sha256(target.read_bytes()).hexdigest() != written.sha256:
            raise RosterChanged  # another file has taken the name
        try:
            _read_unchanged(roster)
            path.unlink()
        except BaseException:
            target.unlink()
            raise
        return written.move(target)

    def _list_sheets(self, correction: _Correction) -> Iterator[PlainSheet]:
        """Yield the sheets of the roster with the cell changed, without what lies hidden under cells merged down."""
        book = open_book(correction.data, correction.roster.path, self._aliases, self._options)
        for index, sheet in enumerate(book.sheets):
            merged = MergedCells(sheet.merges)
            changed = (correction.change_line(index, line) for line in sheet.lines)
            lines = ((line.number, _list_visible(line, merged), line.hidden) for line in changed)
            yield PlainSheet(sheet.name, sheet.hidden, lines, sheet.merges, sheet.hidden_columns, 0, ())


@dataclass(frozen=True, slots=True)
class _Correction:
    """What is written into which cell of which roster; ``data`` are its bytes."""

    roster: RosterReading
    data: bytes = field(repr=False)
    row: Row
    name: Field
    text: str = field(repr=False)
    position: tuple[
        int, int, int
    ]  # the number of the sheet from 0, the row as Excel shows it, the column from 0

    @classmethod
    def of(cls, roster: RosterReading, data: bytes, row: Row, name: Field, text: str) -> Self:
        """Return the correction of a row's field."""
        column = parse_column(row.fields[name].column)
        return cls(roster, data, row, name, text, (roster.get_sheet_index(row), row.origin.row, column))

    @property
    def expected(self) -> Sequence[Row]:
        """The rows as they are to read then."""
        changed = change_cell(self.row, self.name, self.text)
        return [changed if row is self.row else row for row in self.roster.rows]

    def change_line(self, sheet: int, line: Line) -> Line:
        """Return a line of a sheet with the cell changed, if it is the cell's."""
        if (sheet, line.number) != self.position[:2]:
            return line
        own = self.position[2]
        cells = {column: cell for column, cell in line.cells.items() if column != own}
        if self.text:
            cells[own] = text_cell(self.text)
        return line._replace(cells=dict(sorted(cells.items())))


def _list_visible(line: Line, merged: MergedCells) -> dict[int, RawCell]:
    """Return the cells of a line but for those under a cell that is merged down over them."""
    visible = {}
    for column, cell in line.cells.items():
        merge = merged.covering(line.number, column)
        if merge is None or (merge.first_row, merge.first_column) == (line.number, column):
            visible[column] = cell
    return visible


def _read_unchanged(roster: RosterReading) -> bytes:
    """Return the bytes of a roster. Raises RosterChanged where they are no longer those that were read."""
    try:
        data = roster.path.read_bytes()
    except FileNotFoundError as error:
        raise RosterChanged from error
    if hashlib.sha256(data).hexdigest() != roster.sha256:
        raise RosterChanged
    return data


def _keep_access(former: Path, new: Path) -> None:
    """Give a file the rights of the one whose place it takes, as far as the system allows it."""
    status = former.stat()
    with suppress(OSError):
        shutil.copymode(former, new)
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(new, status.st_uid, status.st_gid)
