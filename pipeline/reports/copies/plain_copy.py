"""Writes the marked copy of a roster that openpyxl cannot copy: a new workbook with the same cells in the same places.

A cell keeps its type, so that each problem of the roster is found in the copy as well. Only a number of 16 and more digits
becomes the text with an exponent that a spreadsheet shows: the digits that were lost must not come back as zeros. Every cell
has the format of text, so that a number typed into it stays as it was typed. No cell holds a formula of the roster.
"""

from __future__ import annotations

import re
import tempfile
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path

import xlsxwriter
from xlsxwriter.utility import xl_cell_to_rowcol

from pipeline.domain.results_format import (
    get_appended_columns,
)
from pipeline.domain.roster import CellKind, format_number
from pipeline.domain.run import SHOWN_STATUSES
from pipeline.errors import NotCopied
from pipeline.messages.catalogue import make_message
from pipeline.reports.row_notes import (
    APPENDED_WIDTHS,
    AUTHOR,
    HEADINGS,
    MAX_COLUMN,
    MAX_NOTES,
    NOTE_WIDTH,
    RowNotes,
    make_headings,
    make_note_lines,
    measure_note,
)
from pipeline.reports.styles import (
    FAULT,
    FONT,
    FONT_SIZE,
    PAPER,
    Format,
    Look,
    Styles,
    Worksheet,
    clean_text,
    colour_status,
    estimate_width,
    set_up_printing,
)
from pipeline.support.atomic_files import make_draft_prefix

RosterCell = tuple[CellKind, object, str]  # type, value, the text that a person sees
RosterLine = tuple[int, Mapping[int, RosterCell], bool]  # number from 1, cells by column from 0, is it hidden

_NARROWEST, _WIDEST = 9, 40
_MEASURED_LINES = 500  # below the titles, whose texts give the widths of the columns
_MAX_ROW = 1_048_576
_DEEPEST_FREEZE = 10  # lines of titles that stay in sight while the sheet scrolls
_EXACT = 1e15  # from here on a spreadsheet shows a number with an exponent
_MAX_FORMAT = 255  # characters of a number format
_FIRST_DATE = datetime(1900, 3, 1)  # noqa: DTZ001  a sheet's dates have no zone; before it Excel's calendar is wrong
_NAME_SIGNS = re.compile(r"[\[\]:*?/\\]")  # that no name of a sheet holds
_MAX_NAME = 31
# a formula gives an error only as its value; none of these is the roster's
_ERRORS = {
    "#N/A": "=NA()",
    "#DIV/0!": "=1/0",
    "#NAME?": "=#NAME?",
    "#NULL!": "=#NULL!",
    "#NUM!": "=#NUM!",
    "#REF!": "=#REF!",
    "#VALUE!": "=#VALUE!",
}
_OTHER_ERROR = "#VALUE!"


@dataclass(frozen=True, slots=True)
class PlainSheet:
    """A sheet of a roster that is to be copied."""

    name: str | None
    is_hidden: bool
    lines: Iterator[RosterLine] = field(repr=False)
    merges: Sequence[tuple[int, int, int, int]]  # first and last row from 1, first and last column from 0
    hidden_columns: Collection[int]
    header_row: int  # the first line of titles, from 1; 0 where the sheet holds no doctor
    notes: Sequence[RowNotes] = field(repr=False)


def write_plain_copy(
    sheets: Iterable[PlainSheet], target: Path, properties: Mapping[str, str], language: str
) -> None:
    """Write the copy; its ``properties`` name the files it is made from.

    Raises NotCopied where a sheet has no room for the appended columns, or has pictures in its cells.
    """
    # until the book is closed its rows lie there, with whole numbers
    with tempfile.TemporaryDirectory(prefix=make_draft_prefix(), dir=target.parent) as folder:
        options = {
            "constant_memory": True,
            "tmpdir": folder,
            "default_format_properties": {"font_name": FONT, "font_size": FONT_SIZE},
        }
        with xlsxwriter.Workbook(str(target), options) as book:
            book.set_properties({"author": AUTHOR})
            for name, value in properties.items():
                book.set_custom_property(name, value)
            looks = _Looks(Styles(book))
            names: set[str] = set()
            notes_left = MAX_NOTES
            is_active = False
            for source in sheets:
                sheet = book.add_worksheet(_choose_sheet_name(source.name, names))
                if source.is_hidden:
                    sheet.hide()
                elif source.header_row and not is_active:
                    is_active = True
                    sheet.activate()
                    sheet.set_first_sheet()
                set_up_printing(sheet, language)
                writer = _SheetWriter(sheet, source, looks, language, notes_left)
                writer.write()
                notes_left = writer.notes_left


def _choose_sheet_name(name: str | None, taken: set[str]) -> str:
    """Return a sheet's name, changed as far as Excel takes no such name; text files and tables of pages have none."""
    wanted = _NAME_SIGNS.sub("_", name or "Sheet1").strip("'")[:_MAX_NAME] or "_"
    number, chosen = 1, wanted
    while chosen.casefold() in taken:
        number += 1
        suffix = f" ({number})"
        chosen = wanted[: _MAX_NAME - len(suffix)] + suffix
    taken.add(chosen.casefold())
    return chosen


def convert_cell(kind: CellKind, value: object, text: str) -> RosterCell:
    """Return a cell of a roster as it reads in the copy."""
    if kind is CellKind.NUMBER and isinstance(value, int | float):
        if abs(value) >= _EXACT:
            shown = format_number(value)
            return CellKind.TEXT, shown, shown
        kept = float(f"{value:.16G}")  # which XlsxWriter writes
        return kind, kept, text if make_number_format(kept, text) else format_number(kept)
    if kind is CellKind.ERROR:
        error = text if text in _ERRORS else _OTHER_ERROR
        return kind, error, error
    if kind is CellKind.DATE and not _make_date_format(value):
        return CellKind.TEXT, text, text
    return kind, value, text


def make_number_format(value: float, shown: str) -> str:
    """Return the format under which a number is shown so; "" where there is none."""
    if shown == format_number(value):
        return "@"
    if value < 0 or value != int(value):
        return ""
    digits = str(int(value))
    parts: list[str] = []
    for char in reversed(shown):
        if digits and char == digits[-1]:
            digits = digits[:-1]
            parts.append("0")
        elif not digits and char == "0":
            parts.append("0")
        else:
            parts.append(f"\\{char}")
    code = "".join(reversed(parts))
    return "" if digits or len(code) > _MAX_FORMAT else code


def _make_date_format(value: object) -> str:
    """Return the format of a date, a moment or a time of day; "" for one that no cell holds."""
    if isinstance(value, datetime):
        if value < _FIRST_DATE:
            return ""
        return "yyyy-mm-dd" if value.time() == time() else "yyyy-mm-dd hh:mm:ss"
    return "hh:mm:ss" if isinstance(value, time) and not value.microsecond else ""


class _Looks:
    """The formats of the copy."""

    def __init__(self, styles: Styles) -> None:
        self._styles = styles
        self._formats: dict[tuple[str, str], Format] = {}
        self._properties: Mapping[str, Look] = {
            "": {},
            "fault": {"bg_color": FAULT},
            "title": {"bold": True, "bg_color": PAPER, "text_wrap": True},
            "merged": {"align": "center"},
            "reason": {"text_wrap": True},
            **{status: {**colour_status(status), "align": "center"} for status in SHOWN_STATUSES},
        }

    def get_format(self, look: str, number_format: str = "@") -> Format:
        key = (look, number_format)
        if key not in self._formats:
            properties = {**self._properties[look], "num_format": number_format}
            self._formats[key] = self._styles.make_cell_format(**properties)
        return self._formats[key]


class _SheetWriter:
    """Writes one sheet from top to bottom."""

    def __init__(
        self,
        sheet: Worksheet,
        source: PlainSheet,
        looks: _Looks,
        language: str,
        notes_left: int,
    ) -> None:
        self.notes_left = notes_left
        self._sheet, self._source, self._looks, self._language = sheet, source, looks, language
        self._notes = {notes.row: notes for notes in source.notes}
        self._faults = _list_faults(source)
        self._is_marked = False  # by an earlier run
        self._centred = {
            (first_row, first_column)
            for first_row, _, first_column, last_column in source.merges
            if first_column < last_column
        }
        self._first_column = MAX_COLUMN  # of the appended ones
        self._widths: defaultdict[int, int] = defaultdict(lambda: _NARROWEST)
        self._lines_to_measure = 0

    def write(self) -> None:
        for number, cells, is_hidden in self._source.lines:
            if number > _MAX_ROW:
                raise NotCopied(make_message("copy.no_room"))
            if is_hidden:
                self._sheet.set_row(number - 1, None, None, {"hidden": True})
            self._write_line(number, cells)
        for first_row, last_row, first_column, last_column in self._source.merges:
            # its own way to merge writes each cell again, which a row that is streamed no longer takes
            self._sheet.merge.append([first_row - 1, first_column, last_row - 1, last_column])
        for column, width in self._widths.items():
            self._sheet.set_column(column, column, width)
        for column in self._source.hidden_columns:
            self._sheet.set_column(column, column, None, None, {"hidden": True})
        if 0 < self._source.header_row <= _DEEPEST_FREEZE:
            self._sheet.freeze_panes(self._source.header_row, 0)

    def _write_line(self, number: int, cells: Mapping[int, RosterCell]) -> None:
        is_header = number == self._source.header_row
        notes = self._notes.get(number)
        if is_header:
            self._begin_table(cells)
        own = (
            range(self._first_column, self._first_column + len(HEADINGS)) if is_header or notes else range(0)
        )
        for column, (kind, value, text) in cells.items():
            if column not in own:
                look = self._choose_look(number, column)
                self._write_cell(number, column, convert_cell(kind, value, text), look)
            elif not self._is_marked:
                raise NotCopied(make_message("copy.no_room"))
        for column, texts in self._faults.get(number, {}).items():
            if column not in cells:
                self._sheet.write_blank(number - 1, column, None, self._looks.get_format("fault"))
            self._write_note(number, column, texts)
        if notes is not None:
            self._write_notes(number, notes)
        if self._lines_to_measure:
            self._lines_to_measure -= 1
            self._measure(cells)

    def _begin_table(self, cells: Mapping[int, RosterCell]) -> None:
        """Choose the appended columns, and write their titles."""
        titles = {column: text for column, (kind, _, text) in cells.items() if kind is CellKind.TEXT}
        appended = get_appended_columns(titles, HEADINGS)
        self._is_marked = appended is not None
        self._first_column = appended[0] if appended else self._compute_free_column(titles)
        columns = range(self._first_column, self._first_column + len(HEADINGS))
        headings = make_headings(titles, columns, self._language)
        row, look = self._source.header_row - 1, self._looks.get_format("title")
        for column, heading in zip(columns, headings, strict=True):
            self._sheet.write_string(row, column, heading, look)
        self._widths.update(zip(columns, APPENDED_WIDTHS, strict=True))
        self._lines_to_measure = _MEASURED_LINES

    def _compute_free_column(self, titles: Iterable[int]) -> int:
        """Return the first column that is free in the rows that are written."""
        lasts = {notes.last_column for notes in self._source.notes if notes.last_column}
        reaching = [
            last_column
            for _, last_row, _, last_column in self._source.merges
            if last_row >= self._source.header_row
        ]
        first: int = 1 + max([*titles, *reaching, *(xl_cell_to_rowcol(f"{last}1")[1] for last in lasts)])
        if first + len(HEADINGS) > MAX_COLUMN:
            raise NotCopied(make_message("copy.no_room"))
        return first

    def _choose_look(self, number: int, column: int) -> str:
        if column in self._faults.get(number, ()):
            return "fault"
        if number == self._source.header_row:
            return "title"
        return "merged" if (number, column) in self._centred else ""

    def _write_cell(self, number: int, column: int, cell: RosterCell, look: str) -> None:
        kind, value, text = cell
        row, sheet, usual = number - 1, self._sheet, self._looks.get_format(look)
        if kind is CellKind.TEXT:
            sheet.write_string(row, column, text, usual)
        elif kind is CellKind.NUMBER and isinstance(value, int | float):
            code = make_number_format(value, text)
            sheet.write_number(row, column, value, self._looks.get_format(look, code))
        elif kind is CellKind.DATE:
            sheet.write_datetime(row, column, value, self._looks.get_format(look, _make_date_format(value)))
        elif kind is CellKind.BOOL:
            # under the format of text LibreOffice shows 1 and 0
            sheet.write_boolean(row, column, value, self._looks.get_format(look, "General"))
        elif kind is CellKind.ERROR:
            sheet.write_formula(row, column, _ERRORS[text], usual, text)
        elif kind is CellKind.NO_VALUE:
            sheet.write_formula(row, column, _ERRORS["#N/A"], usual, "")
        else:
            raise NotCopied(make_message("copy.cell_pictures"))

    def _write_notes(self, number: int, notes: RowNotes) -> None:
        """Fill the appended columns of a row."""
        for index, text in enumerate(notes.texts):
            look = self._looks.get_format((notes.status, "reason", "")[index])
            cell = (number - 1, self._first_column + index)
            if text:
                self._sheet.write_string(*cell, clean_text(text), look)
            else:
                self._sheet.write_blank(*cell, None, look)

    def _write_note(self, number: int, column: int, texts: Sequence[str]) -> None:
        if self.notes_left <= 0:
            return
        self.notes_left -= 1
        note = clean_text("\n".join(make_note_lines(texts)))
        options = {"author": AUTHOR, "width": NOTE_WIDTH, "height": measure_note(note)}
        self._sheet.write_comment(number - 1, column, note, options)

    def _measure(self, cells: Mapping[int, RosterCell]) -> None:
        """Widen columns for the texts of a line."""
        for column, (_, _, text) in cells.items():
            if not self._first_column <= column < self._first_column + len(HEADINGS):
                width = 3 + max(map(estimate_width, text.split("\n")))
                self._widths[column] = max(self._widths[column], min(width, _WIDEST))


def _list_faults(source: PlainSheet) -> dict[int, dict[int, Sequence[str]]]:
    """Return the faulty cells of a sheet with what is wrong: by line and column; a merged cell shows it where it begins."""
    rows: defaultdict[int, dict[int, list[str]]] = defaultdict(dict)
    lines_of_column: defaultdict[int, list[int]] = defaultdict(list)
    for notes in source.notes:
        for address, texts in notes.faults.items():
            row, column = xl_cell_to_rowcol(address)
            rows[row + 1][column] = list(texts)
            lines_of_column[column].append(row + 1)
    for first_row, last_row, first_column, last_column in source.merges:
        for column in [column for column in lines_of_column if first_column <= column <= last_column]:
            numbers = lines_of_column[column]
            for number in numbers[bisect_left(numbers, first_row) : bisect_right(numbers, last_row)]:
                if (number, column) != (first_row, first_column) and column in rows[number]:
                    texts = rows[number].pop(column)
                    shown = rows[first_row].setdefault(first_column, [])
                    shown += [text for text in texts if text not in shown]
    return {number: dict(columns) for number, columns in rows.items()}
