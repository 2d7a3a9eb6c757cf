"""Workbooks that Excel 2003 and programs of hospitals save as XML ("XML Spreadsheet 2003"), often named .xls.

The vocabulary is Microsoft's ``urn:schemas-microsoft-com:office:spreadsheet``. The text is parsed twice: what is hidden
or merged stands behind the cells that it concerns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from math import isinf
from xml.parsers.expat import ExpatError

from pipeline.domain.roster import CellKind
from pipeline.errors import FileRefused
from pipeline.intake.readers.budget import ReadBudget
from pipeline.intake.readers.calamine_bridge import NO_VALUE
from pipeline.intake.readers.charset import detect
from pipeline.intake.readers.model import Book, Line, Merge, RawCell, date_cell, letters, text_cell
from pipeline.intake.readers.options import ReadOptions
from pipeline.intake.readers.text_limits import MAX_COLUMN, MAX_ROW, MAX_TEXT, text_over, too_many_bytes
from pipeline.intake.readers.xlsx.numerals import is_true, whole
from pipeline.intake.readers.xlsx.package import parser
from pipeline.intake.readers.xlsx.shared_strings import require_bounded
from pipeline.intake.readers.xlsx.styles import EPOCH_1900, GENERAL, Format, formats_of, styled_number
from pipeline.intake.readers.xml_sheets import Outline, sheets
from pipeline.messages.texts import make_text

MAX_BYTES = 100_000_000
_MAX_MERGES = 100_000
_MAX_SHEETS = 1_000
_DECLARED = re.compile(rb"<\?xml[^>]{1,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})")
_WHOLE = re.compile(r"[+-]?\d{1,40}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,5})?", re.ASCII)
# names of formats in the place of codes; those of dates hold the letters of one
_PLAIN = {
    "General Number",
    "Fixed",
    "Standard",
    "Scientific",
    "Currency",
    "Euro Currency",
    "Yes/No",
    "True/False",
}
_COUNTED = text_cell("-")  # stands for any cell that holds something

Attributes = Mapping[str, str]


def read(data: bytes, *, manner: ReadOptions) -> Book:
    """Open a workbook; its lines are streamed as they are walked.

    Raises FileRefused for one that is damaged, oversized or hostile, cells and all.
    """
    if len(data) > MAX_BYTES:
        raise too_many_bytes(len(data), MAX_BYTES)
    outline = _Reader(ReadBudget(manner.max_rows), outline=True)
    for _ in outline.lines(data):
        pass
    return Book(sheets(outline.outlines, _Reader(ReadBudget(manner.max_rows)).lines(data)))


class _Reader:
    """Handlers: one worksheet open at a time, in it one row, in it one cell, in it its data."""

    def __init__(self, tally: ReadBudget, *, outline: bool = False) -> None:
        self._outline = outline  # cells are counted, not read
        self.outlines: list[Outline] = []
        self._tally = tally
        self._ready: list[Line | None] = []  # None: the sheet's end
        self._codes: dict[str, str] = {}  # style -> its number format
        self._formats: dict[str, Format] = {}
        self._style = ""
        self._table = self._aside = False  # aside: a remark on a cell has data of its own
        self._row = self._column = 0
        self._attributes: Attributes = {}  # of the row
        self._cells: dict[int, RawCell] = {}
        self._cell: Attributes = {}
        self._type: str | None = None  # of the cell's data
        self._text: list[str] = []
        self._parser = parser("XML 2003")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._starts = {
            "Style": self._start_style, "NumberFormat": self._number_format, "Worksheet": self._start_sheet,
            "Table": self._start_table, "Visible": self._start_visible,
        }  # fmt: skip
        self._ends = {"Worksheet": self._end_sheet, "Table": self._end_table, "Visible": self._end_visible}
        self._starts_within = {  # a table; elsewhere these names mean other things
            "Column": self._start_column, "Row": self._start_row, "Cell": self._start_cell, "Data": self._start_data,
            "Comment": self._start_comment,
        }  # fmt: skip
        self._ends_within = {
            "Row": self._end_row, "Cell": self._end_cell, "Data": self._end_data, "Comment": self._end_comment,
        }  # fmt: skip

    def lines(self, data: bytes) -> Iterator[Line | None]:
        """Yield the lines that hold something, and None behind the last of each sheet."""
        declared = _DECLARED.search(data[:1000])
        charset = detect(data, declared[1].decode("ascii") if declared else "")
        try:
            for chunk in charset.chunks(data):
                self._parser.Parse(chunk, False)
                require_bounded(self._text, self._place())
                yield from self._take()
            self._parser.Parse("", True)
        except ExpatError as error:
            raise FileRefused("FILE_CORRUPT", {"found": f"XML: {error.lineno}:{error.offset}"}) from error
        yield from self._take()

    def _take(self) -> list[Line | None]:
        ready, self._ready = self._ready, []
        return ready

    def _place(self) -> str:
        return f"{letters(self._column)}{self._row}"

    def _start(self, tag: str, attributes: Attributes) -> None:
        name = _local(tag)
        handler = self._starts.get(name) or (self._starts_within.get(name) if self._table else None)
        if handler is not None:
            handler({_local(name): value for name, value in attributes.items()} if attributes else attributes)

    def _end(self, tag: str) -> None:
        name = _local(tag)
        handler = self._ends.get(name) or (self._ends_within.get(name) if self._table else None)
        if handler is not None:
            handler()

    def _start_style(self, attributes: Attributes) -> None:
        self._style = attributes.get("ID", "")

    def _number_format(self, attributes: Attributes) -> None:
        code = attributes.get("Format", "")
        if code and code not in _PLAIN:
            self._codes[self._style] = code

    def _start_sheet(self, attributes: Attributes) -> None:
        self.outlines.append(Outline(attributes.get("Name", "")))
        if len(self.outlines) > _MAX_SHEETS:
            raise FileRefused(
                "FILE_SUSPICIOUS", {"found": make_text("file.too_many_sheets", limit=_MAX_SHEETS)}
            )
        if not self._formats:
            self._formats = dict(zip(self._codes, formats_of(self._codes, self._codes), strict=True))

    def _end_sheet(self) -> None:
        self._ready.append(None)

    def _start_table(self, _attributes: Attributes) -> None:
        self._table, self._row, self._column = bool(self.outlines), 0, -1

    def _end_table(self) -> None:
        self._table = False

    def _start_column(self, attributes: Attributes) -> None:
        first = self._index(attributes, self._column + 1, MAX_COLUMN)
        self._column = first + self._number(attributes, "Span", MAX_COLUMN)
        if is_true(attributes.get("Hidden")):
            self.outlines[-1].hidden_columns.update(range(first, min(self._column + 1, MAX_COLUMN)))

    def _start_row(self, attributes: Attributes) -> None:
        self._attributes, self._cells = attributes, {}
        self._row = self._index(attributes, self._row, MAX_ROW) + 1
        self._column = -1

    def _end_row(self) -> None:
        if self._cells:
            self._tally.rows(1)
            self._tally.cells(len(self._cells))
            self._ready.append(Line(self._row, self._cells, is_true(self._attributes.get("Hidden"))))
        self._row += self._number(self._attributes, "Span", MAX_ROW)

    def _start_cell(self, attributes: Attributes) -> None:
        self._cell, self._type = attributes, None
        self._text.clear()
        self._column = self._index(attributes, self._column + 1, MAX_COLUMN)

    def _end_cell(self) -> None:
        attributes = self._cell
        if self._text or (self._type is None and "Formula" in attributes):
            self._cells[self._column] = _COUNTED if self._outline else self._read("".join(self._text))
        if "MergeAcross" in attributes or "MergeDown" in attributes:
            self._merge()

    def _merge(self) -> None:
        left = self._column
        across, down = (self._number(self._cell, name, MAX_ROW) for name in ("MergeAcross", "MergeDown"))
        self._column += across
        if across or down:
            merges = self.outlines[-1].merges
            merges.append(
                Merge(self._row, min(self._row + down, MAX_ROW), left, min(self._column, MAX_COLUMN - 1))
            )
            if len(merges) > _MAX_MERGES:
                raise FileRefused(
                    "FILE_SUSPICIOUS", {"found": make_text("file.too_many_merged", limit=_MAX_MERGES)}
                )

    def _start_data(self, attributes: Attributes) -> None:
        if not self._aside:
            self._type = attributes.get("Type", "String")
            self._parser.CharacterDataHandler = self._text.append

    def _end_data(self) -> None:
        self._parser.CharacterDataHandler = None

    def _start_comment(self, _attributes: Attributes) -> None:
        self._aside = True

    def _end_comment(self) -> None:
        self._aside = False

    def _start_visible(self, _attributes: Attributes) -> None:
        self._text.clear()
        self._parser.CharacterDataHandler = self._text.append

    def _end_visible(self) -> None:
        self._parser.CharacterDataHandler = None
        if self.outlines and "".join(self._text).strip() in ("SheetHidden", "SheetVeryHidden"):
            self.outlines[-1].hidden = True

    def _read(self, text: str) -> RawCell:
        if len(text) > MAX_TEXT:
            raise text_over(self._column, self._row, len(text))
        try:
            return self._typed(text)
        except ValueError:
            raise self._damaged() from None

    def _typed(self, text: str) -> RawCell:
        match self._type:
            case "Number":
                return self._styled(text.strip())
            case "DateTime":
                return date_cell(datetime.fromisoformat(text.strip()).replace(tzinfo=None))
            case "Boolean":
                truth = text.strip() == "1"
                return RawCell(CellKind.BOOL, truth, "TRUE" if truth else "FALSE")
            case "Error":
                return RawCell(CellKind.ERROR, text, text)
            case None:
                return NO_VALUE
            case _:
                return text_cell(text)

    def _styled(self, text: str) -> RawCell:
        """Return a number with every digit as written, under the format of its cell or row."""
        if not _DECIMAL.fullmatch(text):
            raise ValueError
        value = int(text) if _WHOLE.fullmatch(text) else float(text)
        if isinf(value):
            raise ValueError
        style = self._cell.get("StyleID") or self._attributes.get("StyleID", "")
        return styled_number(value, self._formats.get(style, GENERAL), EPOCH_1900)

    def _index(self, attributes: Attributes, usual: int, limit: int) -> int:
        """Return where a row, column or cell stands, from 0; it may leave some out, but never go back."""
        said = whole(attributes["Index"], limit) if "Index" in attributes else usual + 1
        if said is None or not usual < said <= limit:
            raise self._damaged()
        return said - 1

    def _number(self, attributes: Attributes, name: str, limit: int) -> int:
        number = whole(attributes.get(name, "0"), limit)
        if number is None:
            raise self._damaged()
        return number

    def _damaged(self) -> FileRefused:
        return FileRefused(
            "FILE_CORRUPT",
            {"found": make_text("file.cell", cell=f"{letters(max(self._column, 0))}{max(self._row, 1)}")},
        )


@lru_cache(maxsize=1_024)
def _local(name: str) -> str:
    return name.rpartition(":")[2]
