"""Binary workbooks of the .xlsx family (.xlsb), read by calamine; records are those of [MS-XLSB] §2.3.

calamine 0.9.1 gives an error cell and an empty cell alike, leaves out texts with runs and cells without a column, and
does not apply number formats to whole numbers (all measured). So the records of each sheet are scanned for these, and
for what is hidden or merged.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from struct import unpack_from
from typing import Any

import python_calamine
from defusedxml.ElementTree import fromstring

from pipeline.intake.readers.child.program import (
    MAX_COLUMN,
    WPS_PICTURE,
    Output,
    Refused,
    ValueKind,
    make_number,
)

DAMAGED = "file.cells"

_WORKBOOK = "xl/workbook.bin"  # calamine looks for no other
_ROW = 0
_ERROR_CELLS = (3, 11)
_NUMBERS = (2, 5, 9)
_LOST = (*range(13, 19), 62)  # cells that calamine leaves out; Excel writes none of them
_COLUMNS, _MERGE, _SHEET_END = 60, 176, 130
_FORMAT, _STYLE, _STYLES, _STYLES_END = 44, 47, 617, 618
_SHEET, _PROPERTIES = 156, 153
_ERRORS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}  # fmt: skip  §2.5.97.2


Record = tuple[int, bytes]  # number, body


@dataclass(slots=True)
class _Scan:
    """What the records of a sheet hold that calamine does not give; rows and columns from 0."""

    errors: dict[tuple[int, int], str] = field(default_factory=dict)
    styles: dict[tuple[int, int], int] = field(default_factory=dict)  # of numbers
    merges: list[tuple[int, int, int, int]] = field(default_factory=list)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)


def read(data: bytes, output: Output) -> None:
    """Write the visible sheets of a workbook, and the names of the others."""
    package = zipfile.ZipFile(io.BytesIO(data))
    relations = _read_relations(package)
    records = list(_list_records(package.read(_WORKBOOK)))
    numbers, codes = _read_formats(package, relations)
    since_1904 = any(kind == _PROPERTIES and body[0] & 1 for kind, body in records)
    output.write_facts(formats=numbers, codes=codes, since_1904=since_1904)
    parts = {}
    for kind, body in records:
        if kind == _SHEET:
            identifier, end = _read_text(body, 8)
            parts[_read_text(body, end)[0]] = relations.get(identifier, ("", ""))
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    for sheet in book.sheets_metadata:
        relation, part = parts[sheet.name]
        if relation != "worksheet":  # charts, dialogs and macros hold no roster
            continue
        if sheet.visible != python_calamine.SheetVisibleEnum.Visible:
            output.end_sheet(sheet.name, hidden=True)
            continue
        scan = _scan_sheet(_list_records(package.read(part)))
        _write_sheet(book.get_sheet_by_name(sheet.name), scan, output)


def _read_relations(package: zipfile.ZipFile) -> dict[str, tuple[str, str]]:
    """Return the relationships of the workbook: identifier -> (last word of the type, target part)."""
    folder, name = posixpath.split(_WORKBOOK)
    root = fromstring(package.read(f"{folder}/_rels/{name}.rels"), forbid_dtd=True)
    return {
        relation.get("Id", ""): (
            relation.get("Type", "").rsplit("/", 1)[-1],
            posixpath.normpath(posixpath.join("/", folder, relation.get("Target", ""))).lstrip("/"),
        )
        for relation in root
    }


def _read_formats(
    package: zipfile.ZipFile, relations: dict[str, tuple[str, str]]
) -> tuple[list[str], dict[str, str]]:
    """Return the number format of each cell style, and the codes of the formats that are not built in."""
    part = next((target for kind, target in relations.values() if kind == "styles"), None)
    numbers: list[str] = []
    codes: dict[str, str] = {}
    is_of_cells = False
    for kind, body in _list_records(package.read(part)) if part in package.namelist() else ():
        if kind == _FORMAT:
            codes[str(*unpack_from("<H", body))] = _read_text(body, 2)[0]
        elif kind in (_STYLES, _STYLES_END):
            is_of_cells = kind == _STYLES
        elif kind == _STYLE and is_of_cells:
            numbers.append(str(*unpack_from("<H", body, 2)))
    return numbers, codes


def _list_records(part: bytes) -> Iterator[Record]:
    """Yield the records of a part: the number in one or two bytes, the size in up to four."""
    offset = 0
    while offset < len(part):
        kind = part[offset]
        if kind & 0x80:
            offset += 1
            kind = kind & 0x7F | (part[offset] & 0x7F) << 7
        size = shift = 0
        while True:
            offset += 1
            size |= (part[offset] & 0x7F) << shift
            shift += 7
            if not part[offset] & 0x80 or shift > 21:
                break
        offset += 1
        if offset + size > len(part):
            raise Refused("FILE_CORRUPT", "file.cut_off")
        yield kind, part[offset : offset + size]
        offset += size


def _read_text(body: bytes, offset: int) -> tuple[str, int]:
    """Return a text and where it ends; none at all is an empty one (§2.5.166)."""
    (length,) = unpack_from("<I", body, offset)
    if length == 0xFFFF_FFFF:
        return "", offset + 4
    end = offset + 4 + 2 * length
    if end > len(body):
        raise ValueError
    return body[offset + 4 : end].decode("utf-16-le"), end


def _scan_sheet(records: Iterator[Record]) -> _Scan:
    """Scan the records of a sheet; raises Refused where it breaks off or holds cells that calamine loses."""
    scan = _Scan()
    row = -1
    kind = -1
    for kind, body in records:
        if kind in _NUMBERS:
            column, style = unpack_from("<2I", body)
            scan.styles[row, column] = style & 0xFF_FFFF
        elif kind in _ERROR_CELLS:
            scan.errors[row, int.from_bytes(body[:4], "little")] = _ERRORS[body[8]]
        elif kind == _ROW:
            row, flags = unpack_from("<I7xB", body)
            scan.hidden_rows.update([row] if flags & 0x10 else [])
        elif kind in _LOST:
            raise Refused("FILE_FORMAT", "Excel (.xlsb)")
        elif kind == _COLUMNS:
            first, last, flags = unpack_from("<2I8xH", body)
            scan.hidden_columns.update(range(first, min(last + 1, MAX_COLUMN)) if flags & 1 else ())
        elif kind == _MERGE:
            top, bottom, first_column, right = unpack_from("<4I", body)
            if (top, first_column) != (bottom, right):
                scan.merges.append((top + 1, bottom + 1, first_column, right))
    if kind != _SHEET_END:
        raise Refused("FILE_CORRUPT", "file.cut_off")
    return scan


def _write_sheet(sheet: python_calamine.CalamineSheet, scan: _Scan, output: Output) -> None:
    top, first_column = sheet.start or (0, 0)
    errors: dict[int, dict[int, str]] = {}
    for (row, column), error in scan.errors.items():
        errors.setdefault(row, {})[column] = error
    rows = dict(enumerate(sheet.to_python(), top))
    for row in sorted({*rows, *errors}):
        cells: dict[int, list[object]] = {
            column: _read_cell(value, scan.styles.get((row, column)))
            for column, value in enumerate(rows.get(row, ()), first_column)
            if value != ""
        }
        cells |= {column: [ValueKind.ERROR, error] for column, error in errors.get(row, {}).items()}
        if cells:
            entries = [[column, *cells[column]] for column in sorted(cells)]
            output.write_row(row + 1, entries, hidden=row in scan.hidden_rows)
    output.end_sheet(sheet.name, merges=scan.merges, hidden_columns=scan.hidden_columns)


def _read_cell(value: Any, style: int | None) -> list[object]:
    """Return kind and value of a cell that holds something."""
    if isinstance(value, str):
        return [ValueKind.PICTURE, None] if WPS_PICTURE.match(value) else [ValueKind.TEXT, value]
    if isinstance(value, bool):
        return [ValueKind.TRUTH, value]
    if isinstance(value, datetime):
        return [ValueKind.DATE, (value + timedelta(seconds=0.5)).replace(microsecond=0).isoformat()]
    if isinstance(value, date | time):
        return [ValueKind.DATE, value.isoformat()]
    if isinstance(value, timedelta):
        value = value / timedelta(days=1)
    return make_number(value) if style is None else make_number(value, style)
