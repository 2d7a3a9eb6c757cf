"""Binary workbooks through calamine: their cells go in by batches of rows that were scanned first, lines come out.

calamine gives texts, numbers and truth values, and fast. It holds the whole rectangle from the first cell to the last
(one stray cell at IV65536 costs 1 GB, at XFD1048576 it aborts the process), gives errors and empty cells alike, and
panics over what it does not expect (all measured, 0.9.1). So it never sees a foreign file: ``biff`` and ``xlsb`` pick
the records of cells and put them into small workbooks of their own, and what calamine does not tell is laid over.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from math import isfinite
from operator import gt

import python_calamine

from pipeline.domain.roster import CellKind
from pipeline.errors import FileRefused
from pipeline.intake.readers.budget import ReadBudget
from pipeline.intake.readers.model import Line, Merge, RawCell, letters, number_cell, text_cell
from pipeline.intake.readers.text_limits import MAX_COLUMN, MAX_TEXT, text_over
from pipeline.intake.readers.xlsx.styles import Format, styled_number
from pipeline.messages.texts import make_text

_MAX_RECORDS = 16_000_000  # of a file, each counted as often as it is read: twice where it holds something
_MAX_WORK = 4_000_000_000  # bytes given to calamine: every batch brings the shared strings again
_OPENING = 400_000  # bytes: what a batch costs that has none
_MAX_AREA = 100_000_000  # cells of all rectangles, empty ones too
_AREA = 500_000  # cells of a batch's rectangle
_BODY = 16_000_000  # bytes of a batch; beyond it a new one is begun at the next row
_MAX_BODY = 64_000_000  # bytes of a single row
_MAX_MERGES = 100_000

# Cell errors: [MS-XLS] §2.5.10, [MS-XLSB] §2.5.97.2
ERRORS = {
    code: RawCell(CellKind.ERROR, text, text)
    for code, text in {
        0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A",
        0x2B: "#GETTING_DATA",
    }.items()
}  # fmt: skip
NO_VALUE = RawCell(CellKind.NO_VALUE, None, "")
_PICTURE = re.compile(r"=(_xlfn\.)?DISPIMG\(", re.IGNORECASE)  # what WPS shows for a picture in a cell


@dataclass(slots=True)
class Survey:
    """What is known of a sheet before its first line is walked; rows and columns from 0."""

    rows: set[int] = field(default_factory=set)  # that hold something
    columns: set[int] = field(default_factory=set)  # alike
    cells: int = 0  # alike
    sorted: bool = True  # the rows come in their order
    merges: list[Merge] = field(default_factory=list)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    _last: int = -1

    def fill(self, rows: Sequence[int], columns: Sequence[int]) -> None:
        """Note cells that hold something, in the order of the file; one row stands for all columns of a list."""
        if rows[0] < self._last or any(map(gt, rows, islice(rows, 1, None))):
            self.sorted = False
        self._last = rows[-1]
        self.rows.update(rows)
        self.columns.update(columns)
        self.cells += len(columns)

    def hide_columns(self, first: int, last: int) -> None:
        """Note hidden columns; a range to the end of the sheet is usual."""
        self.hidden_columns.update(range(first, min(last + 1, MAX_COLUMN)))

    def merge(self, top: int, bottom: int, left: int, right: int) -> None:
        """Add merged cells; one cell alone is none."""
        if len(self.merges) >= _MAX_MERGES:
            raise FileRefused(
                "FILE_SUSPICIOUS", {"found": make_text("file.too_many_merged", limit=_MAX_MERGES)}
            )
        if top < bottom or left < right:
            self.merges.append(Merge(top + 1, bottom + 1, left, right))


class Batch:
    """The cells of some rows as calamine will read them, and beside them what it does not tell."""

    def __init__(self, height: int) -> None:
        self.body = bytearray()  # records
        self.over: defaultdict[int, dict[int, RawCell]] = defaultdict(dict)  # row -> column -> cell
        self.formats: defaultdict[int, dict[int, Format]] = defaultdict(
            dict
        )  # of numbers that are not plain, alike
        self.top = self.bottom = -1
        self._height = height

    def takes(self, row: int) -> bool:
        """Tell whether a cell of this row still belongs here, and take note of the row if it does."""
        if self.top < 0:
            self.top = self.bottom = row
        elif row != self.bottom:
            top, bottom = min(self.top, row), max(self.bottom, row)
            if bottom - top >= self._height or len(self.body) > _BODY:
                return False
            self.top, self.bottom = top, bottom
        elif len(self.body) > _MAX_BODY:
            raise FileRefused(
                "FILE_SUSPICIOUS",
                {"found": make_text("file.row_too_large", row=row + 1, limit=_MAX_BODY // 1_000_000)},
            )
        return True


def height_of(width: int) -> int:
    """Return how many rows of so many columns a batch may span."""
    return max(_AREA // max(width, 1), 1)


class Budget(ReadBudget):
    """What one file may still ask for."""

    def __init__(self, max_rows: int) -> None:
        super().__init__(max_rows)
        self.left = _MAX_RECORDS
        self._work = _MAX_WORK
        self._area = _MAX_AREA

    def records(self, number: int) -> None:
        """Count records that were scanned, each time they are."""
        self.left -= number
        if self.left < 0:
            raise FileRefused(
                "FILE_SUSPICIOUS", {"found": make_text("file.too_many_records", limit=_MAX_RECORDS)}
            )

    def work(self, size: int, area: int) -> None:
        """Count bytes that calamine parses, and cells of the rectangle that it makes of them."""
        self._work -= size + _OPENING
        self._area -= area
        if self._work < 0 or self._area < 0:
            raise FileRefused("FILE_SUSPICIOUS", {"found": make_text("file.cells_too_far_apart")})


def damaged(row: int, column: int) -> FileRefused:
    """Return why a cell that makes no sense refuses its file; row and column from 0."""
    return FileRefused("FILE_CORRUPT", {"found": make_text("file.cell", cell=f"{letters(column)}{row + 1}")})


@dataclass(frozen=True, slots=True)
class Reader:
    """How the batches of one sheet become lines."""

    pack: Callable[[Batch], bytes]  # makes a workbook of one sheet
    survey: Survey
    epoch: datetime
    budget: Budget
    columns: Sequence[int] | None = None  # of the sheet, by the columns of its batches; None: the same

    def lines(self, batches: Iterator[Batch]) -> Iterator[Line]:
        """Yield the lines of the sheet that hold something."""
        last = -1
        for batch in batches:
            if batch.top <= last:
                found = make_text("file.row_order", row=batch.top + 1, before=last + 1)
                raise FileRefused("FILE_CORRUPT", {"found": found})
            last = batch.bottom
            workbook = self.pack(batch)
            batch.body = bytearray()
            top, left, rows = values(workbook)
            self.budget.work(len(workbook), sum(map(len, rows)))
            del workbook
            if rows and not batch.top <= top <= top + len(rows) - 1 <= batch.bottom:
                raise damaged(top, left)
            yield from self._batch(batch, top, left, rows)
            if batch.over:  # calamine lost a cell, and perhaps more
                raise damaged(min(batch.over), 0)

    def _batch(self, batch: Batch, top: int, left: int, rows: list[list[object]]) -> Iterator[Line]:
        for row, found in enumerate(rows, top):
            formats = batch.formats.get(row, {})
            cells = {}
            for place, value in enumerate(found, left):
                if value != "":
                    column = self.columns[place] if self.columns else place
                    cells[column] = self._cell(value, row, column, formats)
            over = batch.over.pop(row, None)
            if over:
                if not over.keys() <= cells.keys():  # each kept its place within the batch
                    raise damaged(row, min(over))
                cells.update(over)
            if cells:
                yield Line(row + 1, cells, row in self.survey.hidden_rows)

    def _cell(self, value: object, row: int, column: int, formats: Mapping[int, Format]) -> RawCell:
        if isinstance(value, str):
            if len(value) > MAX_TEXT:
                raise text_over(column, row + 1, len(value))
            if value[0] == "=" and _PICTURE.match(value):  # WPS keeps its bytes where nobody documents
                return RawCell(CellKind.PICTURE, None, "")
            return text_cell(value)
        if isinstance(value, bool):
            return RawCell(CellKind.BOOL, value, "TRUE" if value else "FALSE")
        if not isinstance(value, int | float) or not isfinite(value):
            raise damaged(row, column)
        style = formats.get(column)
        return styled_number(value, style, self.epoch) if style else number_cell(value)


def values(workbook: bytes) -> tuple[int, int, list[list[object]]]:
    """Return the rows of a workbook's only sheet as calamine reads them, and the row and column they begin at."""
    with _calamine():
        opened = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(workbook))
        sheet = opened.get_sheet_by_index(0)
        top, left = sheet.start or (0, 0)
        rows: Sequence[Sequence[object]] = sheet.to_python()
        return top, left, list(map(list, rows))


@contextmanager
def _calamine() -> Iterator[None]:
    """Turn calamine's errors into the file's refusal; a panic of its Rust code is no Exception."""
    try:
        yield
    except python_calamine.CalamineError as error:
        raise FileRefused("FILE_CORRUPT", {"found": make_text("file.cells")}) from error
    except BaseException as error:
        if type(error).__module__ != "pyo3_runtime":
            raise
        raise FileRefused("FILE_CORRUPT", {"found": make_text("file.cells")}) from error
