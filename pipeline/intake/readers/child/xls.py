"""Workbooks of Excel 5 to 2003 and of WPS (.xls, .et), read by xlrd; record numbers are those of [MS-XLS] §2.3."""

from __future__ import annotations

import io
from collections.abc import Iterator
from struct import pack, unpack_from
from typing import Any

import xlrd

from pipeline.intake.readers.child.program import WPS_PICTURE, Output, Refused, ValueKind, make_number

DAMAGED = "file.records"

_CHINESE = "gb18030"  # it covers all code pages of China, and is taken where a program left the code page out
xlrd.book.encoding_from_codepage.update(dict.fromkeys((936, 10008, 54936), _CHINESE))

_BARE = 0x0809  # BOF of Excel 5 and later
_EOF, _BOUNDSHEET, _RECALC_ID, _DRAWINGS, _CODEPAGE = 0x000A, 0x0085, 0x01C1, 0x00EB, 0x0042
_FORMULAS = (0x0006, 0x0206, 0x0406)
_EMPTY_TEXT = b"\x03\0\0\0\0\0\xff\xff"  # the value of a formula that gives an empty text (§2.5.133)
_PICTURES = b"\x01\xf0"  # OfficeArtBStoreContainer ([MS-ODRAW] §2.2.20)
_WORKSHEET = 0x0010
_UNICODE = 80  # xlrd's number of the first version whose texts are UTF-16


def read(data: bytes, output: Output) -> None:
    """Write the visible sheets of a workbook, and the names of the others."""
    book = _open_workbook(data)
    records, start = bytes(book.mem), book.base
    kinds = {kind: body for kind, body, _, _ in _list_records(records, start)}
    explicit = {str(number_format.format_key): number_format.format_str for number_format in book.format_list}
    output.write_facts(
        formats=[str(style.format_key) for style in book.xf_list],
        codes=explicit,
        since_1904=book.datemode == 1,
        pictures=_holds_pictures(kinds.get(_DRAWINGS, b"")),
    )
    for index, name in enumerate(book.sheet_names()):
        if book._sheet_visibility[index] & 3:  # noqa: SLF001  a hidden sheet is not even parsed
            output.end_sheet(name, hidden=True)
            continue
        uncomputed: set[tuple[int, int]] = set()
        if _RECALC_ID not in kinds:
            uncomputed = _list_uncomputed(records, book._sh_abs_posn[index])  # noqa: SLF001
        _write_sheet(book.sheet_by_index(index), uncomputed, output)
        book.unload_sheet(index)


def _open_workbook(data: bytes) -> xlrd.book.Book:
    """Open a workbook; raises Refused FILE_ENCRYPTED where it has an opening password."""
    options = {"formatting_info": True, "ragged_rows": True, "on_demand": True, "logfile": io.StringIO()}
    data = _add_globals(data)
    try:
        book = xlrd.open_workbook(file_contents=data, **options)
    except xlrd.XLRDError as error:
        if "encrypted" in str(error):
            raise Refused("FILE_ENCRYPTED") from error
        raise
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


def _list_uncomputed(records: bytes, start: int) -> set[tuple[int, int]]:
    """Return row and column, from 0, of the formulas that may never have been computed.

    xlwt and its kin write an empty text as the value of every formula, and no RECALCID. Excel writes one.
    """
    return {
        unpack_from("<2H", body)
        for kind, body, _, depth in _list_records(records, start)
        if kind in _FORMULAS and depth == 1 and body[6:14] == _EMPTY_TEXT
    }


def _holds_pictures(drawings: bytes) -> bool:
    """Return whether a drawing group holds pictures: they stand behind its first part, which is none."""
    if len(drawings) <= 16:
        return False
    (length,) = unpack_from("<I", drawings, 12)
    return drawings[18 + length : 20 + length] == _PICTURES


def _write_sheet(sheet: xlrd.sheet.Sheet, uncomputed: set[tuple[int, int]], output: Output) -> None:
    for row in range(sheet.nrows):
        cells = []
        values = sheet.row_values(row)
        for column, kind in enumerate(sheet.row_types(row)):
            cell = _read_cell(
                sheet, row, column, kind, values[column], is_computed=(row, column) not in uncomputed
            )
            if cell:
                cells.append([column, *cell])
        if cells:
            info = sheet.rowinfo_map.get(row)
            output.write_row(row + 1, cells, hidden=bool(info and info.hidden))
    merges = [
        (top + 1, bottom, first, right - 1)
        for top, bottom, first, right in sheet.merged_cells
        if (bottom - top, right - first) != (1, 1)
    ]
    hidden = [column for column, info in sheet.colinfo_map.items() if info.hidden]
    output.end_sheet(sheet.name, merges=merges, hidden_columns=hidden)


def _read_cell(
    sheet: xlrd.sheet.Sheet, row: int, column: int, kind: int, value: Any, *, is_computed: bool
) -> list[object]:
    """Return kind and value of a cell; nothing for an empty one."""
    if kind == xlrd.XL_CELL_TEXT:
        if value:
            return [ValueKind.PICTURE, None] if WPS_PICTURE.match(str(value)) else [ValueKind.TEXT, value]
        return [] if is_computed else [ValueKind.NO_VALUE, None]
    if kind in (xlrd.XL_CELL_NUMBER, xlrd.XL_CELL_DATE):
        number = int(value) if value.is_integer() and abs(value) < 1e15 else value
        return make_number(number, sheet.cell_xf_index(row, column))
    if kind == xlrd.XL_CELL_BOOLEAN:
        return [ValueKind.TRUTH, bool(value)]
    if kind == xlrd.XL_CELL_ERROR:
        return [ValueKind.ERROR, xlrd.error_text_from_code[value]]
    return []
