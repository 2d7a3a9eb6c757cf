"""The cells of an .xls, picked out of its records and packed anew for calamine ([MS-XLS] §2.4).

Whatever comes in, BIFF8 goes out, without formulas, formats, names and drawings: a formula goes as its value, while
an error and a value that was never computed stay here. calamine does not undo the code pages that Chinese BIFF5 is
written in, and it believes the one that a BIFF8 file claims, though its texts are UTF-16 (both measured, 0.9.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct, pack

from pipeline.errors import FileRefused
from pipeline.intake.readers import ole
from pipeline.intake.readers.calamine_bridge import ERRORS, NO_VALUE, Batch, damaged
from pipeline.intake.readers.model import RawCell
from pipeline.intake.readers.text_limits import MAX_COLUMN, text_over
from pipeline.intake.readers.xlsx.styles import GENERAL, Format

BOF, EOF, BOUNDSHEET = 0x0809, 0x000A, 0x0085
NUMBER, RK, MULRK, BOOLERR = 0x0203, 0x027E, 0x00BD, 0x0205
LABELSST, LABEL, RSTRING, FORMULA, STRING = 0x00FD, 0x0204, 0x00D6, 0x0006, 0x0207
# the cells that hold something, and how long their records are at least
CELLS = {NUMBER: 14, RK: 10, MULRK: 12, BOOLERR: 8, LABELSST: 10, LABEL: 8, RSTRING: 8, FORMULA: 20}
RUN = -1  # stands for many records at once, heads and all, as ``RUN_CELL`` unpacks them

# Texts by their place among the shared ones, and short numbers, are most of any sheet: both take 14 bytes
RUN_OF_CELLS = re.compile(rb"(?:(?:\xfd\x00|\x7e\x02)\x0a\x00.{10}){2,4096}", re.DOTALL)
RUN_CELL = Struct("<5H4x")  # number, size, row, column, format

_MAX_RECORD = 0xFFFF
_NO_NUMBER = (
    b"\xff\xff"  # how a formula's value ends that is none of: text, truth, error, empty text (§2.5.133)
)
_TEXT, _TRUTH, _ERROR, _EMPTY = range(4)
_CALCULATE_ON_LOAD = 2  # set by writers that do not calculate; Excel leaves it 0
_CELL = Struct("<3H")  # row, column, format
_STYLE = Struct("<H")
_OUT = Struct("<5H")  # number and size of the record, row, column, no format
_FALSE = b"\0\0"

Record = tuple[int, int, int]  # its number, where its body begins in the stream, the body's size


@dataclass(frozen=True, slots=True)
class Script:
    """How a file writes texts: BIFF8 in UTF-16 or its short form, earlier ones in a code page."""

    unicode: bool
    codec: str

    def read(self, stream: bytes, at: int, end: int, *, width: int = 2) -> str:
        """Return the text at a place, led by its length in ``width`` bytes; ValueError if it goes beyond ``end``."""
        size = int.from_bytes(stream[at : at + width], "little")
        at += width
        codec = self.codec
        if self.unicode:
            wide = at < end and stream[at] & 1
            codec, size, at = ("utf-16-le", 2 * size, at + 1) if wide else ("latin-1", size, at + 1)
        if size and at + size > end:
            raise ValueError
        return stream[at : at + size].decode(codec)


def batches(
    stream: bytes, records: Iterator[Record], *, script: Script, formats: Sequence[Format], height: int
) -> Iterator[Batch]:
    """Yield the cells of the sheet whose records these are, ``height`` rows at a time.

    FileRefused names a damaged cell.
    """
    picker = _Picker(stream, script, formats, height)
    for kind, at, size in records:
        if kind == RUN:
            picker.run(at, size)
        elif kind == STRING:
            picker.text_of_formula(at, size)
        elif kind in CELLS:
            picker.cell(kind, at, size)
        if picker.ready:
            yield from picker.ready
            picker.ready.clear()
    if picker.batch.body:
        yield picker.batch


def within(stream: bytes, records: Iterator[Record], rows: range) -> Iterator[Record]:
    """Yield the cells of some rows, for a sheet whose rows come in no order."""
    inside = False
    for kind, at, size in records:
        if kind == RUN:
            for place in range(at, at + size, RUN_CELL.size):
                one, body, row, _, _ = RUN_CELL.unpack_from(stream, place)
                if row in rows:
                    yield one, place + RUN_CELL.size - body, body
        elif kind in CELLS:
            inside = _CELL.unpack_from(stream, at)[0] in rows
        if inside and (kind in CELLS or kind == STRING):
            yield kind, at, size


def says_nothing(stream: bytes, at: int) -> bool:
    """Tell whether a formula gives an empty text."""
    return stream[at + 12 : at + 14] == _NO_NUMBER and stream[at + 6] == _EMPTY


def workbook(strings: bytes, batch: Batch) -> bytes:
    """Return a workbook with one sheet that holds the batch; ``strings`` are the records of the shared strings."""
    bof, end = Struct("<4H12x"), pack("<2H", EOF, 0)
    head = bof.pack(BOF, 16, 0x0600, 0x0005)
    sheet = pack("<2HI4Bc", BOUNDSHEET, 9, len(head) + 13 + len(strings) + len(end), 0, 0, 1, 0, b"A")
    return ole.wrap(b"".join((head, sheet, strings, end, bof.pack(BOF, 16, 0x0600, 0x0010), batch.body, end)))


class _Picker:
    """Puts cells into batches; one that is complete is ``ready``."""

    def __init__(self, stream: bytes, script: Script, formats: Sequence[Format], height: int) -> None:
        self.batch = Batch(height)
        self.ready: list[Batch] = []
        self._stream, self._script, self._height = stream, script, height
        self._special = {place: style for place, style in enumerate(formats) if style != GENERAL}
        self._awaited: tuple[int, int] | None = None  # the formula whose text is still to come

    def run(self, at: int, size: int) -> None:
        """Put in a run of cells as they are, parted where a batch is full."""
        special = self._special
        self._awaited = None
        begun, place = at, at
        last = -1
        for kind, _, row, column, style in RUN_CELL.iter_unpack(self._stream[at : at + size]):
            if row != last:
                batch = self.batch
                self._room(row)
                if batch is not self.batch:
                    batch.body += self._stream[begun:place]
                    begun = place
                last = row
            if column >= MAX_COLUMN:
                raise damaged(row, column)
            if style in special and kind == RK:
                self.batch.formats[row][column] = special[style]
            place += RUN_CELL.size
        self.batch.body += self._stream[begun:place]

    def cell(self, kind: int, at: int, size: int) -> None:
        """Put in what a record of CELLS holds."""
        stream = self._stream
        self._awaited = None
        if size < CELLS[kind]:
            raise damaged(max(self.batch.bottom, 0), 0)
        row, column, style = _CELL.unpack_from(stream, at)
        if column >= MAX_COLUMN:
            raise damaged(row, column)
        self._room(row)
        if kind in (NUMBER, RK):
            self._number(kind, row, column, style, stream[at + 6 : at + CELLS[kind]])
        elif kind == LABELSST:
            self._put(LABELSST, row, column, stream[at + 6 : at + 10])
        elif kind == MULRK:
            for place in range(at + 4, at + size - 7, 6):
                (style,) = _STYLE.unpack_from(stream, place)
                self._number(RK, row, column, style, stream[place + 2 : place + 6])
                column += 1
        elif kind == BOOLERR:
            self._truth(row, column, stream[at + 6], is_error=stream[at + 7] != 0)
        elif kind == FORMULA:
            self._formula(at, row, column, style)
        else:
            self._text(row, column, at + 6, at + size)

    def text_of_formula(self, at: int, size: int) -> None:
        """Put in the text that a formula gave; its record follows the formula's."""
        if self._awaited is not None:
            row, column = self._awaited
            del self.batch.over[row][column]
            self._text(row, column, at, at + size)
            self._awaited = None

    def _room(self, row: int) -> None:
        if not self.batch.takes(row):
            self.ready.append(self.batch)
            self.batch = Batch(self._height)
            self.batch.takes(row)

    def _formula(self, at: int, row: int, column: int, style: int) -> None:
        stream = self._stream
        value = stream[at + 6 : at + 14]
        if value[6:] != _NO_NUMBER:
            if not any(value) and stream[at + 14] & _CALCULATE_ON_LOAD:
                self._over(row, column, NO_VALUE)
            else:
                self._number(NUMBER, row, column, style, value)
        elif value[0] == _TEXT:
            self._over(row, column, NO_VALUE)
            self._awaited = (row, column)
        elif value[0] in (_TRUTH, _ERROR):
            self._truth(row, column, value[2], is_error=value[0] == _ERROR)
        elif value[0] != _EMPTY:
            raise damaged(row, column)

    def _truth(self, row: int, column: int, value: int, *, is_error: bool) -> None:
        if not is_error:
            self._put(BOOLERR, row, column, bytes((value != 0, 0)))
        elif value in ERRORS:
            self._over(row, column, ERRORS[value])
        else:
            raise damaged(row, column)

    def _text(self, row: int, column: int, at: int, end: int) -> None:
        try:
            raw = self._script.read(self._stream, at, end).encode("utf-16-le", "surrogatepass")
        except UnicodeDecodeError as error:
            raise FileRefused("FILE_ENCODING", {"line": str(row + 1)}) from error
        except ValueError:
            raise damaged(row, column) from None
        if len(raw) + 9 > _MAX_RECORD:
            raise text_over(column, row + 1, len(raw) // 2)
        self._put(LABEL, row, column, pack("<HB", len(raw) // 2, 1) + raw)

    def _number(self, kind: int, row: int, column: int, style: int, number: bytes) -> None:
        if style in self._special:
            self.batch.formats[row][column] = self._special[style]
        self._put(kind, row, column, number)

    def _over(self, row: int, column: int, cell: RawCell) -> None:
        """Keep a cell that calamine cannot tell, and its place."""
        self.batch.over[row][column] = cell
        self._put(BOOLERR, row, column, _FALSE)

    def _put(self, kind: int, row: int, column: int, value: bytes) -> None:
        self.batch.body += _OUT.pack(kind, 6 + len(value), row, column, 0) + value
