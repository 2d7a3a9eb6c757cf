"""Workbooks of Excel 5 to 2003 and of WPS (.xls, .et), read by xlrd; record numbers are those of [MS-XLS] §2.3.

What comes is the stream of records. xlrd refuses a workbook for damage in records that no roster needs, and for a table
of texts whose count is wrong. So the former are hidden from it, and the texts are read here.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from struct import pack, pack_into, unpack_from
from typing import Any

import xlrd

from pipeline.domain.roster import CellKind
from pipeline.errors import FileRefused
from pipeline.intake.readers.model import Book, Line, Merge, RawCell, Sheet, text_cell, truth_cell
from pipeline.intake.readers.xlsx.styles import (
    EPOCH_1900,
    EPOCH_1904,
    GENERAL,
    Format,
    make_formats,
    styled_number,
)
from pipeline.messages.catalogue import make_message

DAMAGED = make_message("file.records")

_CHINESE = "gb18030"  # it covers all code pages of China, and is taken where a program left the code page out
xlrd.book.encoding_from_codepage.update(dict.fromkeys((936, 10008, 54936), _CHINESE))

_BARE = 0x0809  # BOF of Excel 5 and later
_EOF, _BOUNDSHEET, _RECALC_ID, _DRAWINGS, _FILEPASS = 0x000A, 0x0085, 0x01C1, 0x00EB, 0x002F
_SST, _CONTINUE = 0x00FC, 0x003C
_FORMULAS = (0x0006, 0x0206, 0x0406)
_EMPTY_TEXT = b"\x03\0\0\0\0\0\xff\xff"  # the value of a formula that gives an empty text (§2.5.133)
_PICTURES = b"\x01\xf0"  # OfficeArtBStoreContainer ([MS-ODRAW] §2.2.20)
_WPS_PICTURE = re.compile(r"=(?:_xlfn\.)?DISPIMG\(", re.IGNORECASE)  # the text of a picture in a cell of WPS
_WORKSHEET = 0x0010
_UNICODE = 80  # xlrd's number of the first version whose texts are UTF-16
_UNKNOWN = 0xFFFE  # a record number that no program reads
# What xlrd is given in place of a record that holds no cell. A text with runs (RSTRING) is read as a plain one (LABEL),
# which begins alike.
_REPLACED = {
    **dict.fromkeys(
        (
            0x0017, 0x0018, 0x0023, 0x01AE,  # names and links to other files
            0x005C, 0x008C, 0x0092, 0x0293,  # who saved the file, country, colours, names of styles
            0x001A, 0x001B, 0x0041, 0x0055, 0x0099, 0x00A0, 0x00AB, 0x023E,  # views, widths and breaks between pages
            0x001C, 0x005D, 0x01B6, 0x01B8, 0x0800,  # notes, drawings and links to pages
            0x015F, 0x01B0, 0x01B1,  # labels and rules of formatting
            _SST,
        ),
        _UNKNOWN,
    ),
    0x00D6: 0x0204,
}  # fmt: skip


@dataclass(slots=True)
class _Records:
    """The records of a workbook: what xlrd is to read of them, and what is known besides."""

    data: bytearray
    kinds: dict[int, bytes] = field(default_factory=dict)  # of the globals: number -> body of the last one
    texts: dict[int, str] = field(
        default_factory=dict
    )  # by their place in the table of texts, if there is one
    has_wrong_count: bool = False  # of texts
    empty_formulas: dict[int, set[tuple[int, int]]] = field(
        default_factory=dict
    )  # start of a sheet -> row, column
    has_results: bool = False  # a formula has another value than an empty text and 0

    def is_computed(self) -> bool:
        """Return whether a program computed the formulas.

        xlwt and its kin write an empty text as the value of every formula, and no RECALCID. Excel writes one from 2002 on.
        """
        return _RECALC_ID in self.kinds or self.has_results


def read(data: bytes) -> Book:
    """Return the sheets of a workbook; of the hidden ones the names."""
    records = _scan_records(_add_globals(data))
    book = _open_workbook(bytes(records.data))
    records.data.clear()  # as large as the file
    book._sharedstrings = records.texts  # noqa: SLF001  no list: xlrd would take the last text for the place -1
    notes = [make_message("note.text_count")] if records.has_wrong_count else []
    if _holds_pictures(records.kinds.get(_DRAWINGS, b"")):
        notes.append(make_message("note.pictures_not_read", format=".xls"))
    return Book(_list_sheets(book, records), tuple(notes))


def _list_sheets(book: xlrd.book.Book, records: _Records) -> Iterator[Sheet]:
    codes = {str(number_format.format_key): number_format.format_str for number_format in book.format_list}
    formats = make_formats((str(style.format_key) for style in book.xf_list), codes)
    epoch = EPOCH_1904 if book.datemode == 1 else EPOCH_1900
    for index, name in enumerate(book.sheet_names()):
        if book._sheet_visibility[index] & 3:  # noqa: SLF001  a hidden sheet is not even parsed
            yield Sheet(name, iter(()), hidden=True)
            continue
        start = book._sh_abs_posn[index]  # noqa: SLF001
        uncomputed = set() if records.is_computed() else records.empty_formulas.get(start, set())
        sheet = book.sheet_by_index(index)
        yield Sheet(
            name,
            _list_lines(sheet, uncomputed, formats, epoch),
            merges=[
                Merge(top + 1, bottom, first, right - 1)
                for top, bottom, first, right in sheet.merged_cells
                if (bottom - top, right - first) != (1, 1)
            ],
            hidden_columns=frozenset(column for column, info in sheet.colinfo_map.items() if info.hidden),
        )
        book.unload_sheet(index)


def _open_workbook(data: bytes) -> xlrd.book.Book:
    options = {"formatting_info": True, "ragged_rows": True, "on_demand": True, "logfile": io.StringIO()}
    book = xlrd.open_workbook(file_contents=data, **options)
    if book.biff_version < _UNICODE and book.codepage is None:
        book = xlrd.open_workbook(file_contents=data, encoding_override=_CHINESE, **options)
    return book


def _add_globals(data: bytes) -> bytes:
    """Return bare records of one sheet as a workbook: programs of hospitals write them, and Excel opens them."""
    kind, _, _, substream = unpack_from("<4H", data)
    if kind != _BARE or substream != _WORKSHEET:
        return data
    version = pack("<H", 0x0500)
    begin = pack("<2H", _BARE, 8) + version + pack("<3H", 0x0005, 0, 0)
    name = b"\x06Sheet1"
    offset = len(begin) + 4 + 6 + len(name) + 4
    sheet = pack("<2HI2B", _BOUNDSHEET, 6 + len(name), offset, 0, 0) + name
    return begin + sheet + pack("<2H", _EOF, 0) + data[:4] + version + data[6:]


def _scan_records(data: bytes) -> _Records:
    """Return the records of a workbook with those replaced that xlrd shall not read; FileRefused for one with an opening password."""
    records = _Records(bytearray(data))
    starts = []  # of the visible sheets with cells
    parts: list[bytes] = []  # of the table of texts
    before = 0
    for kind, body, offset, _ in _list_records(data, 0):
        records.kinds[kind] = body
        if kind == _BOUNDSHEET:
            start, state, type_ = unpack_from("<I2B", body)
            starts += [] if state & 3 or type_ else [start]
        if kind == _SST or (kind == _CONTINUE and parts and before in (_SST, _CONTINUE)):
            parts.append(body)
        before = kind
        if kind in _REPLACED:
            pack_into("<H", records.data, offset, _REPLACED[kind])
    if _FILEPASS in records.kinds:
        raise FileRefused("FILE_ENCRYPTED")
    if parts:
        records.texts = dict(enumerate(_list_texts(parts)))
        (count,) = unpack_from("<I", parts[0], 4)
        records.has_wrong_count = count != len(records.texts)
    for start in starts:
        _scan_sheet(records, data, start)
    return records


def _scan_sheet(records: _Records, data: bytes, start: int) -> None:
    """Replace the records of a sheet that xlrd shall not read, and look at the values of its formulas."""
    empty = records.empty_formulas[start] = set()
    for kind, body, offset, depth in _list_records(data, start):
        if kind in _REPLACED:
            pack_into("<H", records.data, offset, _REPLACED[kind])
        elif kind in _FORMULAS and depth == 1:
            if body[6:14] == _EMPTY_TEXT:
                empty.add(unpack_from("<2H", body))
            elif body[6:14] != bytes(8):  # of a number: libraries that compute nothing write 0
                records.has_results = True


def _list_records(records: bytes, start: int) -> Iterator[tuple[int, bytes, int, int]]:
    """Yield number, body, place and depth of the records from a BOF to its EOF."""
    depth = 0
    offset = start
    while True:
        kind, size = unpack_from("<2H", records, offset)
        depth += kind == _BARE
        depth -= kind == _EOF
        yield kind, records[offset + 4 : offset + 4 + size], offset, depth
        if depth <= 0:
            return
        offset += 4 + size


def _list_texts(parts: Sequence[bytes]) -> Iterator[str]:
    """Yield the texts that a table of texts holds, whatever number it states (§2.4.265, §2.5.293).

    Where it breaks off it ends: a cell whose text would follow refuses the file.
    """
    part, offset = 0, 8
    try:
        while True:
            while offset >= len(parts[part]):  # formats and phonetic hints may go on in the next part
                offset -= len(parts[part])
                part += 1
            length, flags = unpack_from("<HB", parts[part], offset)
            offset += 3
            behind = 0
            if flags & 0x08:
                behind += 4 * unpack_from("<H", parts[part], offset)[0]
                offset += 2
            if flags & 0x04:
                behind += unpack_from("<I", parts[part], offset)[0]
                offset += 4
            text = b""
            while True:
                width = 2 if flags & 0x01 else 1
                end = offset + width * min(length - len(text) // 2, (len(parts[part]) - offset) // width)
                piece = parts[part][offset:end]
                text += piece if width == 2 else piece.decode("latin-1").encode("utf-16-le")
                if len(text) == 2 * length:
                    break
                part += 1
                while not parts[part]:
                    part += 1
                flags, offset = parts[part][0], 1  # a text that goes on begins with its width again
            offset = end + behind
            yield text.decode("utf-16-le")
    except (IndexError, struct.error):
        return


def _holds_pictures(drawings: bytes) -> bool:
    """Return whether a drawing group holds pictures: they stand behind its first part, which is none."""
    if len(drawings) <= 16:
        return False
    (length,) = unpack_from("<I", drawings, 12)
    return drawings[18 + length : 20 + length] == _PICTURES


def _list_lines(
    sheet: xlrd.sheet.Sheet, uncomputed: set[tuple[int, int]], formats: Sequence[Format], epoch: datetime
) -> Iterator[Line]:
    for row in range(sheet.nrows):
        cells = {}
        values = sheet.row_values(row)
        for column, kind in enumerate(sheet.row_types(row)):
            cell: RawCell | None
            if kind in (xlrd.XL_CELL_NUMBER, xlrd.XL_CELL_DATE):
                cell = _read_number(values[column], sheet.cell_xf_index(row, column), formats, epoch)
            else:
                cell = _read_cell(kind, values[column], is_computed=(row, column) not in uncomputed)
            if cell:
                cells[column] = cell
        if cells:
            info = sheet.rowinfo_map.get(row)
            yield Line(row + 1, cells, bool(info and info.hidden))


def _read_number(value: float, style: int, formats: Sequence[Format], epoch: datetime) -> RawCell:
    number = int(value) if value.is_integer() and abs(value) < 1e15 else value
    is_there = style < len(formats)  # a style that is not there changes nothing
    return styled_number(number, formats[style] if is_there else GENERAL, epoch)


def _read_cell(kind: int, value: Any, *, is_computed: bool) -> RawCell | None:
    """Return a cell that holds no number; None for an empty one."""
    if kind == xlrd.XL_CELL_TEXT and value:
        is_picture = _WPS_PICTURE.match(str(value))
        return RawCell(CellKind.PICTURE, None, "") if is_picture else text_cell(value)
    if kind == xlrd.XL_CELL_TEXT:
        return None if is_computed else RawCell(CellKind.NO_VALUE, None, "")
    if kind == xlrd.XL_CELL_BOOLEAN:
        return truth_cell(bool(value))
    if kind == xlrd.XL_CELL_ERROR:
        error = xlrd.error_text_from_code[value]
        return RawCell(CellKind.ERROR, error, error)
    return None
