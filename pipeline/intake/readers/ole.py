"""Compound files (OLE2, [MS-CFB]): their streams, read by olefile, which follows no chain of sectors in a circle."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import olefile

from pipeline.errors import FileRefused
from pipeline.intake.readers.text_limits import too_many_bytes

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MAX_BYTES = 100_000_000  # of a whole compound file


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


@contextmanager
def _honest() -> Iterator[None]:
    """Turn what olefile runs into in a damaged file, whatever it is, into its refusal."""
    try:
        yield
    except Exception as error:
        raise FileRefused("FILE_CORRUPT", {"found": "OLE"}) from error
