"""Writes the marked copy of a roster: the hospital's own workbook with faulty cells yellow and each row's end next to it.

openpyxl copies the workbook. What it would write otherwise than the file has it is put back
(`pipeline.intake.readers.xlsx.copying` collects it). A copy that comes back as a roster is marked anew: its columns are
used again, marks of an earlier run are taken off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path

from openpyxl.cell.cell import MergedCell
from openpyxl.comments import Comment
from openpyxl.packaging.custom import StringProperty
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import column_index_from_string, get_column_letter
from openpyxl.worksheet.cell_range import CellRange
from openpyxl.worksheet.dimensions import ColumnDimension

from pipeline.domain.results_format import (
    ORIGINALS_PROPERTY,
    ExactSheet,
    get_appended_columns,
)
from pipeline.domain.run import ShownStatus
from pipeline.errors import FormatsLost
from pipeline.reports.copies.exact_workbook import Book, Cell, Sheet, open_workbook, save_exactly
from pipeline.reports.row_notes import (
    APPENDED_WIDTHS,
    AUTHOR,
    HEADINGS,
    MAX_COLUMN,
    MAX_NOTES,
    NOTE_START,
    NOTE_WIDTH,
    RowNotes,
    make_headings,
    make_note_lines,
    measure_note,
)
from pipeline.reports.styles import COLOURS, FAULT, FONT_SIZE, clean_text, count_lines, measure_height

_READ_COLUMNS = 200  # of a row that its cells show, see `pipeline.intake.layout.row_builder`
_YELLOW = f"FF{FAULT[1:]}"
_TALLEST = 409.0  # points of a row


@dataclass(frozen=True, slots=True)
class CopySource:
    """A roster to be copied."""

    data: bytes = field(repr=False)
    has_macros: bool
    header_rows: Mapping[str, int]  # of the sheets that hold doctors: the first row of titles
    exact_sheets: Sequence[ExactSheet] = field(repr=False)  # of each sheet
    properties: Mapping[str, str]  # of the copy, which name the files it is made from


def write_marked_copy(source: CopySource, target: Path, notes: Iterable[RowNotes], language: str) -> None:
    """Write the marked copy of a roster. Raises FormatsLost where it would lose something."""
    with open_workbook(source.data, source.exact_sheets, has_macros=source.has_macros) as book:
        _mark_and_save(book, source, target, notes, language)


def _mark_and_save(
    book: Book, source: CopySource, target: Path, notes: Iterable[RowNotes], language: str
) -> None:
    by_sheet: dict[str, list[RowNotes]] = {name: [] for name in source.header_rows}
    for row_notes in notes:
        by_sheet[row_notes.sheet or ""].append(row_notes)
    marked: dict[str, _MarkedSheet] = {}
    notes_left = MAX_NOTES
    was_marked = ORIGINALS_PROPERTY in book.custom_doc_props.names
    for name, rows in by_sheet.items():
        marked[name] = sheet = _MarkedSheet(book[name], source.header_rows[name], rows, language, notes_left)
        if was_marked:
            sheet.remove_marks()
        sheet.mark_faults()
        notes_left = sheet.notes_left
    for name, value in source.properties.items():
        if name in book.custom_doc_props.names:
            del book.custom_doc_props[name]
        book.custom_doc_props.append(StringProperty(name=name, value=value))
    save_exactly(
        book,
        target,
        source.exact_sheets,
        written={name: sheet.written for name, sheet in marked.items()},
        noted={name: sheet.noted for name, sheet in marked.items()},
    )


class _MarkedSheet:
    """One sheet that is being marked."""

    def __init__(
        self,
        sheet: Sheet,
        header_row: int,
        notes: Sequence[RowNotes],
        language: str,
        notes_left: int,
    ) -> None:
        self.notes_left = notes_left
        self.written: set[str] = set()  # addresses of the appended cells
        self.noted: set[str] = set()  # addresses of cells whose note was changed
        self._sheet, self._header_row = sheet, header_row
        self._notes, self._language = notes, language
        self._titles = {
            cell.column: str(cell.value)
            for (cell,) in sheet.iter_cols(
                min_row=header_row, max_row=header_row, max_col=min(sheet.max_column, MAX_COLUMN)
            )
            if cell.value is not None
        }
        appended = get_appended_columns(self._titles, HEADINGS)
        self._is_marked = appended is not None
        self._first_column = appended[0] if appended else self._compute_free_column()
        self._looks: dict[object, object] = {}

    def mark_faults(self) -> None:
        """Mark the faulty cells, and fill the appended columns."""
        self._write_headings()
        for row_notes in self._notes:
            self._write_row(row_notes)
            for address, texts in row_notes.faults.items():
                self._mark_cell(self._get_cell(address), texts)
        self._set_widths()
        self._extend_filter()

    def remove_marks(self) -> None:
        """Take the marks of an earlier run off the doctors' rows."""
        for row_notes in self._notes:
            row = row_notes.row
            cells = [
                cell
                for (cell,) in self._sheet.iter_cols(min_row=row, max_row=row, max_col=self._first_column - 1)
            ]
            for index, cell in enumerate(cells):
                if _is_yellow(cell):
                    cell.fill = _choose_fill(cells, index)
                if cell.comment is not None and NOTE_START in cell.comment.text:
                    kept = [line for line in cell.comment.text.split("\n") if not line.startswith(NOTE_START)]
                    self._set_note(cell, kept)

    def _compute_free_column(self) -> int:
        """Return the first column that is free in the rows that are written."""
        letters = {row_notes.last_column for row_notes in self._notes if row_notes.last_column}
        merges = self._sheet.merged_cells.ranges
        reaching = [merge.max_col for merge in merges if merge.max_row >= self._header_row]
        last: int = max([*map(column_index_from_string, letters), *self._titles, *reaching])
        if last + len(HEADINGS) > _READ_COLUMNS:  # rows may hold cells that their doctors do not show
            last = max(last, self._sheet.max_column)
        if last + len(HEADINGS) > MAX_COLUMN:
            raise FormatsLost
        return last + 1

    def _write_headings(self) -> None:
        columns = range(self._first_column, self._first_column + len(HEADINGS))
        headings = make_headings(self._titles, columns, self._language)
        model = self._sheet.cell(self._header_row, self._first_column - 1)
        for column, heading in zip(columns, headings, strict=True):
            cell = self._write(self._header_row, column, heading)
            if not self._is_marked:
                cell.font, cell.fill, cell.border = copy(model.font), copy(model.fill), copy(model.border)
                cell.alignment = Alignment(horizontal="center", vertical="center")

    def _write_row(self, notes: RowNotes) -> None:
        for column, text in enumerate(notes.texts, start=self._first_column):
            cell = self._write(notes.row, column, clean_text(text) or None)
            is_status, is_reason = column == self._first_column, column == self._first_column + 1
            self._set_look(cell, notes.status if is_status else None, wraps=is_reason)
        self._set_height(notes)

    def _set_height(self, notes: RowNotes) -> None:
        """Make a row tall enough for its reasons, in letters as large as those of the roster; a taller row stays."""
        size = self._sheet.cell(notes.row, self._first_column + 1).font.size or FONT_SIZE
        larger = max(1.0, size / FONT_SIZE)
        lines = count_lines(notes.texts[1], (APPENDED_WIDTHS[1] - 1) / larger)
        dimension = self._sheet.row_dimensions[notes.row]
        points = min(_TALLEST, measure_height(lines) * larger)
        if lines > 1 and points > (dimension.height or 0):
            dimension.height = points

    def _write(self, row: int, column: int, text: str | None) -> Cell:
        cell = self._sheet.cell(row, column)
        if isinstance(cell, MergedCell):
            raise FormatsLost
        cell.value = text
        self.written.add(cell.coordinate)
        return cell

    def _set_look(self, cell: Cell, status: ShownStatus | None, *, wraps: bool) -> None:
        """Give a cell the font size and border of its left neighbour; equal looks are made once."""
        model = self._sheet.cell(cell.row, self._first_column - 1)
        key = (model.style_id, status, wraps)
        if key not in self._looks:
            fill, ink = COLOURS[status] if status else ("", "")
            cell.font = Font(
                name=model.font.name, size=model.font.size, color=f"FF{ink[1:]}" if ink else None
            )
            cell.fill = PatternFill("solid", fgColor=f"FF{fill[1:]}") if fill else PatternFill()
            cell.border = copy(model.border)
            cell.alignment = (
                Alignment(horizontal="center", vertical="center")
                if status
                else Alignment(horizontal="left", vertical="center", indent=1, wrap_text=wraps)
            )
            cell.number_format = "@"
            self._looks[key] = copy(cell._style)  # noqa: SLF001  a style costs a search in the book's table
        cell._style = copy(self._looks[key])  # noqa: SLF001

    def _get_cell(self, address: str) -> Cell:
        """Return a cell, or the one that shows its value where it is merged."""
        cell = self._sheet[address]
        if isinstance(cell, MergedCell):
            merge = next(merge for merge in self._sheet.merged_cells.ranges if address in merge)
            cell = self._sheet.cell(merge.min_row, merge.min_col)
        return cell

    def _mark_cell(self, cell: Cell, texts: Sequence[str]) -> None:
        cell.fill = PatternFill("solid", fgColor=_YELLOW)
        if self.notes_left <= 0:
            return
        self.notes_left -= 1
        kept = cell.comment.text.split("\n") if cell.comment else []
        lines = make_note_lines(texts)
        self._set_note(cell, [*kept, *(line for line in lines if line not in kept)])

    def _set_note(self, cell: Cell, lines: Sequence[str]) -> None:
        """Write a note, in a box that its text fits into; a larger box stays."""
        self.noted.add(cell.coordinate)
        if not "".join(lines):
            cell.comment = None
            return
        earlier = cell.comment or Comment("", AUTHOR, width=NOTE_WIDTH, height=0)
        text = clean_text("\n".join(lines))
        width = max(earlier.width, NOTE_WIDTH)
        height = max(earlier.height, measure_note(text, width))
        cell.comment = Comment(text, earlier.author, width=width, height=height)

    def _set_widths(self) -> None:
        """Set the widths of the appended columns, which a range of columns in the file may cover."""
        if self._is_marked:
            return
        dimensions = self._sheet.column_dimensions
        end = self._first_column + len(HEADINGS)
        for letter, dimension in list(dimensions.items()):
            dimension.reindex()
            first, last = dimension.min, dimension.max
            if last < self._first_column or first >= end:
                continue
            del dimensions[letter]
            for start, stop in ((first, self._first_column - 1), (end, last)):
                if start <= stop:
                    part = copy(dimension)
                    part.index, part.min, part.max = get_column_letter(start), start, stop
                    dimensions[part.index] = part
        for column, width in enumerate(APPENDED_WIDTHS, start=self._first_column):
            letter = get_column_letter(column)
            dimensions[letter] = ColumnDimension(self._sheet, letter, width=width, customWidth=True)

    def _extend_filter(self) -> None:
        """Let the sheet's filter cover the appended columns, so that rows stay whole when it sorts them."""
        if not self._sheet.auto_filter.ref:
            return
        covered = CellRange(self._sheet.auto_filter.ref)
        if covered.max_col == self._first_column - 1:
            covered.expand(right=len(HEADINGS))
            self._sheet.auto_filter.ref = covered.coord


def _is_yellow(cell: Cell) -> bool:
    return bool(cell.fill.fill_type == "solid" and cell.fill.fgColor.rgb == _YELLOW)


def _choose_fill(cells: Sequence[Cell], index: int) -> PatternFill:
    """Return the fill of a cell that is no longer yellow: that of its row, if the cells next to it agree on one."""
    neighbours = (reversed(cells[:index]), cells[index + 1 :])
    nearest = (next((cell for cell in side if not _is_yellow(cell)), None) for side in neighbours)
    fills = [copy(cell.fill) for cell in nearest if cell is not None]
    return fills[0] if fills and fills[0] == fills[-1] else PatternFill()
