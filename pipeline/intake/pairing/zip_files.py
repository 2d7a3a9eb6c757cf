"""Zips of pictures, opened with suspicion: their members as they are named, their bytes one by one.

A member's name never becomes a path: its bytes are stored under their digest. Names are decoded in this order: the UTF-8
flag; Info-ZIP's Unicode path; without either strict UTF-8 first, for macOS writes it without the flag, else GB18030.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile, ZipInfo

from pipeline.errors import FileRefused
from pipeline.intake import guarded_zip
from pipeline.intake.images.image_files import open_regular_file

MAX_UNPACKED = (
    4_000 * guarded_zip.MEGABYTE
)  # of all members; only those that a row may mean are ever unpacked
_UTF_8 = 0x800  # flag: the name is UTF-8
_UNICODE_PATH = 0x7075  # Info-ZIP extra field: version, CRC of the other name, name in UTF-8
_UNIX, _MACOS = 3, 19  # systems that keep a file's mode in the upper half of the attributes
_CHUNK = 1 << 20


class UnreadableFile(Exception):
    """A picture file, a zip or a member of one whose bytes cannot be read; ``reason`` is a short phrase."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Member(NamedTuple):
    """A file in a zip."""

    info: ZipInfo
    name: str  # with "/", surrogates for bytes that are in no known encoding
    fault: str  # why its bytes cannot be read, or ""
    is_regular: bool  # no link, pipe or device


@contextmanager
def open_zip(path: Path) -> Iterator[tuple[ZipFile, tuple[int, int]]]:
    """Open a zip that is harmless; its stamp is its size and mtime_ns. Raises UnreadableFile, OSError and NotReadNow."""
    with FileIO(open_regular_file(path)) as file:
        status = os.fstat(file.fileno())
        try:
            archive = guarded_zip.open_zip(file, status.st_size, MAX_UNPACKED)
        except FileRefused as refusal:
            raise UnreadableFile(refusal.detail["found"]) from None
        yield archive, (status.st_size, status.st_mtime_ns)


def list_members(archive: ZipFile) -> Iterator[Member]:
    """Yield the files of a zip, in the order of its directory."""
    for info in archive.infolist():
        name = _decode_name(info)
        if not name.endswith("/"):
            mode = info.external_attr >> 16 if info.create_system in (_UNIX, _MACOS) else 0
            yield Member(info, name, guarded_zip.get_fault(info), stat.S_IFMT(mode) in (0, stat.S_IFREG))


def read_member(archive: ZipFile, info: ZipInfo) -> bytes:
    """Return the bytes of a member; its check sum is proven. Raises UnreadableFile."""
    try:
        with archive.open(info) as stream:
            # by pieces: as a whole it would be unpacked first and then cut to the size in the directory
            pieces = []
            while piece := stream.read(_CHUNK):
                pieces.append(piece)
            return b"".join(pieces)
    except (*guarded_zip.DAMAGE, OSError) as error:
        raise UnreadableFile(guarded_zip.explain_damage(error).detail["found"]) from None


def _decode_name(info: ZipInfo) -> str:
    """Return a member's name as it was meant, with ``/`` between folders."""
    name = info.orig_filename  # zipfile takes for cp437 what has no flag: all 256 bytes can be had back
    if not info.flag_bits & _UTF_8:
        raw = name.encode("cp437")
        name = _read_unicode_path(info.extra, raw) or _decode_bytes(raw)
    return re.sub(r"[\\/]+", "/", name)  # in characters: the second byte of 誠 in GBK is a backslash


def _decode_bytes(raw: bytes) -> str:
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "surrogateescape")


def _read_unicode_path(extra: bytes, raw: bytes) -> str | None:
    """Return the name of the Unicode path field, if it still belongs to the other name (APPNOTE 4.6.9)."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        body, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _UNICODE_PATH and len(body) > 5 and body[0] == 1:
            (crc,) = struct.unpack_from("<L", body, 1)
            try:
                return body[5:].decode("utf-8") if crc == zlib.crc32(raw) else None
            except UnicodeDecodeError:
                return None
    return None
