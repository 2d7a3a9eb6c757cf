"""Zips as other programs write them, and as nobody should: built by zipfile, then altered byte by byte."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One member: ``name`` in bytes is written without the UTF-8 flag, in text as zipfile writes it."""

    name: str | bytes
    data: bytes = b"seal"
    extra: bytes = b""
    mode: int = 0  # Unix file mode
    method: int = zipfile.ZIP_DEFLATED


def zipped(entries: Sequence[Entry] | Mapping[str | bytes, bytes]) -> bytes:
    """Return a zip of these members in this order; names may come twice."""
    if isinstance(entries, Mapping):
        entries = [Entry(name, data) for name, data in entries.items()]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for index, entry in enumerate(entries):
            info = zipfile.ZipInfo(_stand_in(entry.name, index))
            info.compress_type, info.extra, info.external_attr = entry.method, entry.extra, entry.mode << 16
            info.create_system = 3 if entry.mode else 0
            archive.writestr(info, entry.data)
    data = buffer.getvalue()
    for index, entry in enumerate(entries):
        if isinstance(entry.name, bytes):
            data = data.replace(_stand_in(entry.name, index).encode(), entry.name)
    return data


def patched(data: bytes, name: bytes, *, local: Mapping[int, bytes], central: Mapping[int, bytes]) -> bytes:
    """Overwrite bytes of a member's two headers, by their offsets (APPNOTE 4.3.7 and 4.3.12)."""
    changed = bytearray(data)
    for magic, fixed, patches in ((b"PK\x03\x04", 30, local), (b"PK\x01\x02", 46, central)):
        position = data.index(name) if magic == b"PK\x03\x04" else data.rindex(name)
        start = position - fixed
        assert data[start : start + 4] == magic
        for offset, value in patches.items():
            changed[start + offset : start + offset + len(value)] = value
    return bytes(changed)


def encrypted(data: bytes, name: bytes) -> bytes:
    """Return the zip with a member marked as encrypted."""
    return patched(data, name, local={6: b"\x01\x00"}, central={8: b"\x01\x00"})


def sized(data: bytes, name: bytes, size: int) -> bytes:
    """Return the zip with a member said to unpack to so many bytes."""
    return patched(data, name, local={22: struct.pack("<L", size)}, central={24: struct.pack("<L", size)})


def _stand_in(name: str | bytes, position: int) -> str:
    return name if isinstance(name, str) else f"#{position}#".ljust(len(name), "x")[: max(len(name), 4)]
