"""A worksheet that takes neighbouring cells of a row as one thing.

XlsxWriter makes a dozen calls of each cell, and 100,000 rows have 1,500,000 cells: half of what writing them costs.
Here a stretch of texts and whole numbers lies in the sheet's own table as if it were one cell, and becomes to the
letter what XlsxWriter makes of its cells one by one. That rests on methods which are private to it, so a test compares
the two; all else on such a sheet goes the usual way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import CellStringTuple, Worksheet

from pipeline.results.text import LONGEST, clean

_SPECIAL = re.compile('[&<>"\ufffe\uffff]|_x|^ | $')  # XML escapes it, Excel's own way, or keeps its blanks
_letters = cache(xl_col_to_name)


def _is_plain(text: str) -> bool:
    return text.isprintable() and not _SPECIAL.search(text)


PlainCell = tuple[str | int, Any]  # with its format; XlsxWriter is untyped


class _Stretch(NamedTuple):
    """Cells side by side; XlsxWriter asks every entry of its table for a format."""

    cells: Sequence[PlainCell]
    format: None = None


class StreamedSheet(Worksheet):  # type: ignore[misc]
    """A sheet of a workbook with ``constant_memory``."""

    def __init__(self) -> None:
        super().__init__()
        self._style_indices: dict[object, int] = {}  # of formats that were written

    def write_plain(self, row: int, column: int, cells: Sequence[PlainCell]) -> None:
        """Write texts as texts, whatever they look like, and whole numbers, from a column on; rows come in their order.

        An empty text becomes an empty cell that keeps its format.
        """
        self._check_dimensions(row, column)
        self._check_dimensions(row, column + len(cells) - 1)
        if row > self.previous_row:
            self._write_single_row(row)
        self.table[row][column] = _Stretch(cells)

    def _write_cell(self, row: int, column: int, cell: object) -> None:
        if not isinstance(cell, _Stretch):
            super()._write_cell(row, column, cell)
            return
        known, line, written = self._style_indices, row + 1, []
        for place, (value, form) in enumerate(cell.cells, start=column):
            style = known.get(form)
            if style is None:  # in the order of first use, as XlsxWriter numbers them
                style = known[form] = form._get_xf_index()  # noqa: SLF001 - its number has no other name
            start = f'<c r="{_letters(place)}{line}" s="{style}"'
            if not isinstance(value, str):
                written.append(f"{start}><v>{value:.16G}</v></c>")
            elif not value:
                written.append(f"{start}/>")
            elif len(value) < LONGEST // 2 and (value.isalnum() or _is_plain(value)):
                written.append(f'{start} t="inlineStr"><is><t>{value}</t></is></c>')
            else:
                self.fh.write("".join(written))
                written.clear()
                super()._write_cell(row, place, CellStringTuple(clean(value), form))
        self.fh.write("".join(written))
