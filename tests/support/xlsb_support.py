"""Binary workbooks of the .xlsx family, record by record: no program at hand writes them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from struct import pack

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
CONTENT_TYPES = (
    b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    b'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    b'<Default Extension="bin" ContentType="application/vnd.ms-excel.worksheet"/>'
    b'<Override PartName="/xl/workbook.bin" ContentType="application/vnd.ms-excel.sheet.binary.macroEnabled.main"/>'
    b'<Override PartName="/xl/styles.bin" ContentType="application/vnd.ms-excel.styles"/>'
    b'<Override PartName="/xl/sharedStrings.bin" ContentType="application/vnd.ms-excel.sharedStrings"/></Types>'
)


def record(kind: int, body: bytes = b"") -> bytes:
    head = bytes((kind,)) if kind < 128 else bytes((kind % 128 + 128, kind // 128))
    size = len(body)
    while size > 127:
        head += bytes((size % 128 + 128,))
        size //= 128
    return head + bytes((size,)) + body


def wide(text: str) -> bytes:
    raw = text.encode("utf-16-le")
    return pack("<I", len(raw) // 2) + raw


def row(number: int, *, hidden: bool = False) -> bytes:
    return record(0, pack("<2IH2B", number, 0, 300, 0, 0x10 * hidden) + bytes(5))


def cell(kind: int, column: int, value: bytes, style: int = 0) -> bytes:
    return record(kind, pack("<2I", column, style) + value)


def shared(column: int, position: int) -> bytes:
    return cell(7, column, pack("<I", position))


def whole(column: int, value: int, style: int = 0) -> bytes:
    return cell(2, column, pack("<I", value << 2 & 0xFFFF_FFFF | 2), style)


def real(column: int, value: float, style: int = 0) -> bytes:
    return cell(5, column, pack("<d", value), style)


def text(column: int, value: str) -> bytes:
    return cell(6, column, wide(value))


def sheet(*cells: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    return (
        record(129)
        + record(148, bytes(16))
        + before
        + record(145)
        + b"".join(cells)
        + record(146)
        + after
        + record(130)
    )


def column_info(first: int, last: int, *, hidden: bool) -> bytes:
    return record(390) + record(60, pack("<4IH", first, last, 2304, 0, hidden)) + record(391)


def merged(*ranges: tuple[int, int, int, int]) -> bytes:
    """Return merged cells: rows from and to, columns from and to, from 0."""
    return (
        record(177, pack("<I", len(ranges)))
        + b"".join(record(176, pack("<4I", *cell_range)) for cell_range in ranges)
        + record(178)
    )


def styles(*codes: str) -> bytes:
    """Return cell styles: the first is plain, each other has a number format of its own."""
    formats = b"".join(record(44, pack("<H", 164 + index) + wide(code)) for index, code in enumerate(codes))
    plain = record(47, pack("<2H", 0, 0) + bytes(12))
    own = b"".join(record(47, pack("<2H", 0, 164 + index) + bytes(12)) for index in range(len(codes)))
    inherited = record(626, pack("<I", 1)) + record(47, pack("<2H", 0xFFFF, 164) + bytes(12)) + record(627)
    return (
        record(278)
        + record(615, pack("<I", len(codes)))
        + formats
        + record(616)
        + inherited
        + record(617, pack("<I", len(codes) + 1))
        + plain
        + own
        + record(618)
        + record(279)
    )


def write(
    path: Path,
    sheets: Sequence[tuple[str, bytes]],
    strings: Iterable[str] = (),
    *,
    states: Sequence[int] = (),
    kinds: Sequence[str] = (),
    style: bytes = b"",
    since_1904: bool = False,
) -> Path:
    """Write a workbook; ``states``: 0 shown, 1 hidden, 2 very hidden; ``kinds``: worksheet, chartsheet …"""
    strings = list(strings)
    book = record(131) + record(153, pack("<3I", since_1904, 0, 0)) + record(143)
    relations = ""
    parts = {}
    for serial, (name, content) in enumerate(sheets):
        state = states[serial] if serial < len(states) else 0
        kind = kinds[serial] if serial < len(kinds) else "worksheet"
        book += record(156, pack("<2I", state, serial + 1) + wide(f"r{serial}") + wide(name))
        target = f"{kind}s/sheet{serial}.bin"
        relations += f'<Relationship Id="r{serial}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        parts[f"xl/{target}"] = content
    relations += f'<Relationship Id="s" Type="{OFFICE}/sharedStrings" Target="sharedStrings.bin"/>'
    relations += f'<Relationship Id="t" Type="{OFFICE}/styles" Target="styles.bin"/>'
    parts |= {
        "[Content_Types].xml": CONTENT_TYPES,
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r" Type="{OFFICE}/officeDocument" '
        'Target="xl/workbook.bin"/></Relationships>'.encode(),
        "xl/_rels/workbook.bin.rels": f'<Relationships xmlns="{PACKAGE}">{relations}</Relationships>'.encode(),
        "xl/workbook.bin": book + record(144) + record(132),
        "xl/sharedStrings.bin": record(159, pack("<2I", len(strings), len(strings)))
        + b"".join(record(19, b"\0" + wide(string)) for string in strings)
        + record(160),
        "xl/styles.bin": style or styles(),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for part, content in parts.items():
            archive.writestr(part, content)
    return path
