"""Binary workbooks (.xlsb), record by record ([MS-XLSB] 2.1.4 and 2.4): no library writes them."""

import io
import struct
import zipfile

from generated_rosters.truth import FilePlan, SheetPlan
from generated_rosters.values import Err, Flag, Num, Value

ROW, ERROR, BOOL, REAL, TEXT = 0, 3, 4, 5, 6
BEGIN_SHEET, END_SHEET, BEGIN_BOOK, END_BOOK = 129, 130, 131, 132
BEGIN_SHEETS, END_SHEETS, SHEET = 143, 144, 156
BEGIN_DATA, END_DATA, DIMENSION = 145, 146, 148
MERGE, BEGIN_MERGES, END_MERGES = 176, 177, 178
STATES = {"visible": 0, "hidden": 1, "veryHidden": 2}
ERRORS = {"#VALUE!": 0x0F, "#REF!": 0x17, "#N/A": 0x2A}
HIDDEN = 0x10  # fDyZero, in the second byte of a row's flags

_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = (
    f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-'
    'package.relationships+xml"/><Default Extension="bin" ContentType="application/vnd.ms-excel.sheet.binary.'
    'macroEnabled.main"/>{0}</Types>'
)
_SHEET_TYPE = (
    '<Override PartName="/xl/worksheets/sheet{0}.bin" ContentType="application/vnd.ms-excel.worksheet"/>'
)


def write(file: FilePlan) -> bytes:
    """Return the workbook and set every line's row number."""
    count = len(file.sheets)
    parts = {
        "[Content_Types].xml": _TYPES.format(
            "".join(_SHEET_TYPE.format(position + 1) for position in range(count))
        ),
        "_rels/.rels": _relations([("rId1", "officeDocument", "xl/workbook.bin")]),
        "xl/_rels/workbook.bin.rels": _relations(
            [
                (f"rId{position}", "worksheet", f"worksheets/sheet{position}.bin")
                for position in range(1, count + 1)
            ]
        ),
        "xl/workbook.bin": _book(file.sheets),
    }
    for index, plan in enumerate(file.sheets, start=1):
        parts[f"xl/worksheets/sheet{index}.bin"] = _sheet(plan)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as package:
        for name, part in parts.items():
            package.writestr(name, part)
    return stream.getvalue()


def _relations(targets) -> str:
    inner = "".join(
        f'<Relationship Id="{name}" Type="{_OFFICE}/{kind}" Target="{to}"/>' for name, kind, to in targets
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{inner}</Relationships>'


def _record(kind: int, data: bytes = b"") -> bytes:
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size, length = len(data), b""
    while True:
        size, low = size >> 7, size & 0x7F
        length += bytes([low | (0x80 if size else 0)])
        if not size:
            return head + length + data


def _wide(text: str) -> bytes:
    encoded = text.encode("utf-16-le")
    return struct.pack("<I", len(encoded) // 2) + encoded


def _book(sheets: list[SheetPlan]) -> bytes:
    bundle = b"".join(
        _record(
            SHEET,
            struct.pack("<II", STATES[plan.state], index) + _wide(f"rId{index}") + _wide(plan.name or ""),
        )
        for index, plan in enumerate(sheets, start=1)
    )
    return b"".join(
        (_record(BEGIN_BOOK), _record(BEGIN_SHEETS), bundle, _record(END_SHEETS), _record(END_BOOK))
    )


def _sheet(plan: SheetPlan) -> bytes:
    number, rows = 0, []
    for _, cells in plan.header:
        rows.append(_row(number, cells, hidden=False))
        number += 1
    for line in plan.lines:
        line.physical_lines = (number + 1, number + 1)
        rows.append(_row(number, line.cells, hidden=line.row is not None and line.row.hidden))
        number += 1
    merges = [
        struct.pack("<IIII", first - 1, last - 1, merge, right) for first, merge, last, right in plan.merges
    ]
    merged = _record(BEGIN_MERGES, struct.pack("<I", len(merges))) + b"".join(
        _record(MERGE, merge) for merge in merges
    )
    return b"".join((
        _record(BEGIN_SHEET),
        _record(DIMENSION, struct.pack("<IIII", 0, max(number - 1, 0), 0, max(len(plan.columns) - 1, 0))),
        _record(BEGIN_DATA),
        *rows,
        _record(END_DATA),
        merged + _record(END_MERGES) if merges else b"",
        _record(END_SHEET),
    ))  # fmt: skip


def _row(number: int, cells, *, hidden: bool) -> bytes:
    made = [_cell(column, value) for column, value in enumerate(cells) if value is not None]
    if not made:
        return b""
    flags = bytes([0, HIDDEN if hidden else 0, 0])
    return _record(ROW, struct.pack("<IIH", number, 0, 300) + flags + struct.pack("<I", 0)) + b"".join(made)


def _cell(column: int, value: Value) -> bytes:
    head = struct.pack("<II", column, 0)
    if isinstance(value, Num):
        return _record(REAL, head + struct.pack("<d", value.value))
    if isinstance(value, Err):
        return _record(ERROR, head + bytes([ERRORS[value.text]]))
    if isinstance(value, Flag):
        return _record(BOOL, head + bytes([value.value]))
    assert isinstance(value, str), value
    return _record(TEXT, head + _wide(value))
