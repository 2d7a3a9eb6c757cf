"""The cells of an .xlsb, picked out of its records and packed anew for calamine ([MS-XLSB] §2.4).

A formula goes as its value, an error stays here. So do the formats: calamine does not apply them to the numbers that
Excel writes as whole ones (measured, 0.9.1).
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from struct import Struct, pack

from pipeline.errors import FileRefused
from pipeline.intake.readers.calamine_bridge import ERRORS, Batch, damaged
from pipeline.intake.readers.text_limits import MAX_COLUMN, MAX_ROW, MAX_TEXT, text_over
from pipeline.intake.readers.xlsx.styles import GENERAL, Format
from pipeline.messages.texts import make_text

ROW, STRING, END = 0, 19, 146  # END: of the cells of a sheet
BLANK, _RK, _ERROR, _TRUTH, _REAL, _TEXT, _SHARED = range(1, 8)
_FORMULAS = {8: _TEXT, 9: _REAL, 10: _TRUTH, 11: _ERROR}
_SHORT = 11  # by which the number of a cell is greater that names no column
_RICH = 62  # a text with runs
_SIZES = {BLANK: 0, _RK: 4, _ERROR: 1, _TRUTH: 1, _REAL: 8, _TEXT: 4, _SHARED: 4}  # at least, of the value
_KINDS = {  # number of a cell's record -> what its value is
    **{kind: kind for kind in _SIZES},
    **{kind + _SHORT: kind for kind in _SIZES},
    **_FORMULAS,
    _RICH: _TEXT,
}
CELLS = frozenset(_KINDS)
BLANKS = frozenset({BLANK, BLANK + _SHORT})
RUN = -1  # stands for many records at once, heads and all, as ``RUN_CELL`` unpacks them

# Texts by their place among the shared ones, and short numbers, are most of any sheet: both take 14 bytes
RUN_OF_CELLS = re.compile(rb"(?:[\x02\x07]\x0c.{12}){2,}", re.DOTALL)
RUN_OF_BLANKS = re.compile(rb"(?:\x01\x08.{8}){2,}", re.DOTALL)  # of which the last alone is told of
RUN_CELL = Struct("<2B3I")  # number, size, column, format (the upper byte is none of it), value

_BEGIN, _DIMENSION, _STRINGS, _SHEET, _SHEETS_END, _BOOK_END = 145, 148, 159, 156, 144, 132
_FORMAT = 0xFF_FFFF

Record = tuple[int, bytes]  # number, body


class Picker:
    """Puts the cells of a sheet into batches; FileRefused names a damaged one.

    ``strings`` is how many shared strings there are; ``places`` tells which column stands where in a batch, None:
    where it stands in the sheet.
    """

    def __init__(
        self, formats: Sequence[Format], strings: int, places: Mapping[int, int] | None, height: int
    ) -> None:
        self._special = {place: style for place, style in enumerate(formats) if style != GENERAL}
        self._strings, self._places, self._height = strings, places, height
        self._batch = Batch(height)
        self._row = self._column = -1
        self._begun = False  # the row stands in the batch

    def batches(self, records: Iterator[Record], *, until: int) -> Iterator[Batch]:
        """Yield the cells of a sheet's records; behind the row ``until`` there are none."""
        for kind, body in records:
            if kind == END or self._row > until:
                break
            if kind == ROW:
                self._next_row(int.from_bytes(body[:4], "little"))
            elif kind == RUN or kind in CELLS:
                if not (self._begun or kind in BLANKS):
                    if not self._batch.takes(self._row):
                        yield self._batch
                        self._batch = Batch(self._height)
                        self._batch.takes(self._row)
                    self._batch.body += record(ROW, pack("<I", max(self._row, 0)))
                    self._begun = True
                if kind == RUN:
                    self._run(body)
                else:
                    self._cell(kind, body)
        if self._batch.body:
            yield self._batch

    def _next_row(self, row: int) -> None:
        if not self._row < row < MAX_ROW:
            raise FileRefused(
                "FILE_CORRUPT", {"found": make_text("file.row_order", row=row + 1, before=self._row + 1)}
            )
        self._row, self._column, self._begun = row, -1, False

    def _run(self, run: bytes) -> None:
        special, strings = self._special, self._strings
        column = -1
        for kind, _, column, style, value in RUN_CELL.iter_unpack(run):
            if column >= MAX_COLUMN or (kind == _SHARED and value >= strings):
                raise self._damaged(column)
            if kind == _RK and style & _FORMAT in special:
                self._batch.formats[self._row][column] = special[style & _FORMAT]
        self._column = column
        if self._places is None:
            self._batch.body += run
        else:
            for kind, _, column, _, value in RUN_CELL.iter_unpack(run):
                self._put(kind, column, pack("<I", value))

    def _cell(self, kind: int, body: bytes) -> None:
        value, at = _KINDS[kind], 4 if is_short(kind) else 8
        column = self._column + 1 if is_short(kind) else int.from_bytes(body[:4], "little")
        if self._row < 0 or column >= MAX_COLUMN or len(body) < at + _SIZES[value]:
            raise self._damaged(column)
        self._column = column
        if value in (_RK, _REAL):
            style = int.from_bytes(body[at - 4 : at], "little") & _FORMAT
            if style in self._special:
                self._batch.formats[self._row][column] = self._special[style]
            self._put(value, column, body[at : at + _SIZES[value]])
        elif value == _TEXT:
            self._put(value, column, self._text(column, body[at + (kind == _RICH) :]))
        elif value == _SHARED:
            if int.from_bytes(body[at : at + 4], "little") >= self._strings:
                raise self._damaged(column)
            self._put(value, column, body[at : at + 4])
        elif value == _TRUTH:
            self._put(value, column, body[at : at + 1])
        elif value == _ERROR:
            if body[at] not in ERRORS:
                raise self._damaged(column)
            self._batch.over[self._row][column] = ERRORS[body[at]]
            self._put(_TRUTH, column, b"\0")

    def _text(self, column: int, body: bytes) -> bytes:
        """Return the length and the text that a cell's value begins with."""
        length = int.from_bytes(body[:4], "little")
        if length > MAX_TEXT:
            raise text_over(column, self._row + 1, length)
        if len(body) < 4 + 2 * length:
            raise self._damaged(column)
        return body[: 4 + 2 * length]

    def _put(self, kind: int, column: int, value: bytes) -> None:
        place = column if self._places is None else self._places[column]
        self._batch.body += record(kind, pack("<2I", place, 0) + value)

    def _damaged(self, column: int) -> FileRefused:
        return damaged(max(self._row, 0), min(column, MAX_COLUMN))


def is_short(kind: int) -> bool:
    """Tell whether a cell names no column: it stands right of the one before."""
    return _SHORT < kind <= _SHORT + _SHARED


def text(body: bytes, at: int) -> tuple[str, int]:
    """Return a text and where it ends; ValueError where the record does. None at all is an empty one (§2.5.166)."""
    length = int.from_bytes(body[at : at + 4], "little")
    at += 4
    if length == 0xFFFF_FFFF:
        return "", at
    end = at + 2 * length
    if end > len(body):
        raise ValueError
    return body[at:end].decode("utf-16-le"), end


def record(kind: int, body: bytes) -> bytes:
    """Return a record with its head."""
    number = bytes((kind,)) if kind < 0x80 else bytes((kind & 0x7F | 0x80, kind >> 7))
    size, left = bytearray(), len(body)
    while left > 0x7F:
        size.append(left & 0x7F | 0x80)
        left >>= 7
    return b"%b%b%c%b" % (number, bytes(size), left, body)


def workbook(strings: bytes, count: int, batch: Batch) -> bytes:
    """Return a workbook with one sheet that holds the batch; ``strings`` are the records of ``count`` shared strings."""
    name = pack("<I", 1) + "A".encode("utf-16-le")
    parts = {
        "_rels/workbook.bin.rels": b'<Relationships><Relationship Id="A" Target="worksheets/a.bin"/></Relationships>',
        "workbook.bin": record(_SHEET, pack("<2I", 0, 1) + name + name)
        + record(_SHEETS_END, b"")
        + record(_BOOK_END, b""),
        "sharedStrings.bin": record(_STRINGS, pack("<2I", count, count)) + strings,
        "worksheets/a.bin": record(_DIMENSION, bytes(16))
        + record(_BEGIN, b"")
        + batch.body
        + record(END, b""),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for part, content in parts.items():
            archive.writestr(f"xl/{part}", content)
    return packed.getvalue()
