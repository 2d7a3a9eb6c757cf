"""Compound files (OLE2, [MS-CFB]): their streams read with suspicion, and one clean file written around a stream.

calamine follows the sector chains of a compound file without counting: a chain in a circle takes all memory
(measured, 0.9.1). olefile does count, so it alone sees foreign containers; calamine gets ``wrap`` of what was found.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from struct import pack

import olefile

from pipeline.errors import FileRefused
from pipeline.intake.readers.text_limits import too_many_bytes

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MAX_BYTES = 100_000_000  # of a whole compound file

_SECTOR = 4096  # version 4: so large that the 109 table sectors of the header are always enough (457 MB)
_PER_TABLE = _SECTOR // 4
_END, _TABLE, _FREE = 0xFFFF_FFFE, 0xFFFF_FFFD, 0xFFFF_FFFF


class Compound:
    """A compound file whose directory could be read."""

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_BYTES:
            raise too_many_bytes(len(data), MAX_BYTES)
        with _honest():
            self._file = olefile.OleFileIO(io.BytesIO(data))
            self.streams = frozenset(
                path[0].casefold() for path in self._file.listdir(storages=False) if len(path) == 1
            )

    def read(self, stream: str) -> bytes:
        """Return a stream of the root by its name, case aside; its size is bounded by the file's."""
        with _honest(), self._file.openstream(stream) as opened:
            content: bytes = opened.read()
            return content


def wrap(stream: bytes) -> bytes:
    """Return a compound file that holds nothing but a stream named ``Workbook`` ([MS-CFB] §2)."""
    stream = stream.ljust(_SECTOR, b"\0")  # shorter ones would have to lie in the mini stream
    sectors = -(-len(stream) // _SECTOR)
    tables = -(-(sectors + 1) // (_PER_TABLE - 1))
    start = tables + 1  # the tables of chains come first, then the directory, then the stream
    chains = [*[_TABLE] * tables, _END, *range(start + 1, start + sectors), _END]
    chains += [_FREE] * (tables * _PER_TABLE - len(chains))
    header = pack("<8s16x5H6x8I", MAGIC, 0x3E, 4, 0xFFFE, 12, 6, 1, tables, tables, 0, _SECTOR, _END, 0, _END)
    difat = [0, *range(tables)] + [_FREE] * (109 - tables)
    head = (header + pack("<110I", *difat)).ljust(_SECTOR, b"\0")
    directory = (
        _entry("Root Entry", 5, child=1) + _entry("Workbook", 2, start=start, size=len(stream))
    ).ljust(_SECTOR, b"\0")
    return b"".join(
        (head, pack(f"<{len(chains)}I", *chains), directory, stream.ljust(sectors * _SECTOR, b"\0"))
    )


def _entry(name: str, kind: int, *, child: int = _FREE, start: int = 0, size: int = 0) -> bytes:
    title = (name + "\0").encode("utf-16-le")
    return pack("<64sHBB3I36xIQ", title, len(title), kind, 1, _FREE, _FREE, child, start, size)


@contextmanager
def _honest() -> Iterator[None]:
    """Turn what olefile runs into in a damaged file, whatever it is, into its refusal."""
    try:
        yield
    except Exception as error:
        raise FileRefused("FILE_CORRUPT", {"found": "OLE"}) from error
