"""Workbooks of the old binary formats, record by record, so that the bytes are exactly what the test says."""

from __future__ import annotations

import io
from struct import pack

from xlwt.CompoundDoc import XlsDoc

GLOBALS, WORKSHEET = 0x0005, 0x0010
BIFF5, BIFF8 = 0x0500, 0x0600


def record(kind: int, body: bytes = b"") -> bytes:
    return pack("<2H", kind, len(body)) + body


def bof(substream: int, version: int = BIFF8) -> bytes:
    return record(0x0809, pack("<4H", version, substream, 0, 0) + (bytes(8) if version == BIFF8 else b""))


EOF = record(0x000A)


def text8(text: str, *, wide: bool = True) -> bytes:
    """Return the flags and characters of a BIFF8 text, without its length."""
    return bytes((wide,)) + text.encode("utf-16-le" if wide else "latin-1")


def label(row: int, column: int, text: str) -> bytes:
    return record(0x0204, pack("<4H", row, column, 0, len(text)) + text8(text))


def label5(row: int, column: int, text: bytes, kind: int = 0x0204) -> bytes:
    return record(kind, pack("<4H", row, column, 0, len(text)) + text)


def number(row: int, column: int, value: float, style: int = 0) -> bytes:
    return record(0x0203, pack("<3Hd", row, column, style, value))


def formula(row: int, column: int, value: bytes, options: int = 0, style: int = 0) -> bytes:
    return record(
        0x0006, pack("<3H", row, column, style) + value + pack("<HI", options, 0) + b"\x03\0\x1e\x01\0"
    )


def special(kind: int, value: int = 0) -> bytes:
    """Return the value of a formula that is no number: 0 text, 1 truth, 2 error, 3 empty text."""
    return bytes((kind, 0, value, 0, 0, 0, 0xFF, 0xFF))


def sheet(*cells: bytes, version: int = BIFF8) -> bytes:
    return bof(WORKSHEET, version) + b"".join(cells) + EOF


def stream(
    *sheets: bytes, extra: bytes = b"", version: int = BIFF8, states: bytes = b"", types: bytes = b""
) -> bytes:
    """Return the records of a workbook whose sheets are named A, B, …; ``extra`` stands in the globals."""
    size = 4 + 4 + 2 + (2 if version == BIFF8 else 1) + 1
    position = len(bof(GLOBALS, version)) + len(extra) + size * len(sheets) + len(EOF)
    names = b""
    for serial, content in enumerate(sheets):
        name = bytes((1, 0)) if version == BIFF8 else b"\x01"
        state, type_ = (part[serial] if serial < len(part) else 0 for part in (states, types))
        names += record(0x0085, pack("<I2B", position, state, type_) + name + bytes((65 + serial % 26,)))
        position += len(content)
    return bof(GLOBALS, version) + extra + names + EOF + b"".join(sheets)


def compound(records: bytes, name: str = "Workbook") -> bytes:
    """Return a compound file with one stream, as xlwt writes it."""
    file = io.BytesIO()
    XlsDoc().save(file, records)
    content = file.getvalue()
    if name != "Workbook":
        old, new = ((word + "\0").encode("utf-16-le") for word in ("Workbook", name))
        assert content.count(old) == 1
        offset = content.index(old)
        entry = new.ljust(64, b"\0") + pack("<H", len(new))
        content = content[:offset] + entry + content[offset + len(entry) :]
    return content
