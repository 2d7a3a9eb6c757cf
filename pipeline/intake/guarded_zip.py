"""Zips opened with suspicion: workbooks and zips of pictures have the same limits.

Sizes are those of the directory; ``zipfile`` never unpacks more of a member.
"""

from __future__ import annotations

import io
import struct
import zlib
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from pipeline.errors import FileRefused, require_lasting
from pipeline.messages.catalogue import make_message

MEGABYTE = 1_000_000
MAX_MEMBERS = 20_000
_MAX_DIRECTORY = 16 * MEGABYTE  # bytes of names and offsets that zipfile would take into memory
_MAX_RATIO = 200  # for a member above _RATIO_FROM; small ones cost nothing
_RATIO_FROM = 10 << 20
_ENCRYPTED = 0x1
_METHODS = (ZIP_STORED, ZIP_DEFLATED)  # zipfile bounds what comes out of these two alone
# what zipfile raises over a damaged zip; its NotImplementedError is a RuntimeError
DAMAGE = (BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)


class _BoundedFile(io.BufferedReader):
    """A file that is never read into memory as a whole, even if its directory claims a wrong length."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as any file does."""
        if size is not None and size > _MAX_DIRECTORY:
            raise _refuse_members()
        return super().read(size)


def open_zip(file: io.FileIO | io.BytesIO, length: int, max_unpacked: int) -> ZipFile:
    """Open a zip of so many bytes that is harmless as a whole. Raises FileRefused, and NotReadNow where the machine fails."""
    try:
        archive = ZipFile(_BoundedFile(file))
    except (*DAMAGE, OSError) as error:
        raise explain_damage(error) from error
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise _refuse_members()
    total = sum(member.file_size for member in members)
    if total > max_unpacked:
        finding = make_message("zip.too_large", size=total // MEGABYTE)
        raise FileRefused("FILE_TOO_LARGE", {"found": finding, "limit": f"{max_unpacked // MEGABYTE} MB"})
    if sum(member.compress_size for member in members) > length:
        raise FileRefused("FILE_SUSPICIOUS", {"found": make_message("zip.overlapping")})
    return archive


def explain_damage(error: Exception) -> FileRefused:
    """Return the refusal of a damaged zip; raise NotReadNow where the machine could not read it."""
    if isinstance(error, OSError):
        require_lasting(error)
    return FileRefused("FILE_CORRUPT", {"found": make_message("file.damaged_zip")})


def is_encrypted(member: ZipInfo) -> bool:
    """Return whether a member has a password."""
    return bool(member.flag_bits & _ENCRYPTED)


def get_fault(member: ZipInfo) -> str:
    """Return why a member is not to be unpacked, or an empty text."""
    if is_encrypted(member):
        return make_message("image.encrypted")
    if member.compress_type not in _METHODS:
        return make_message("zip.method", method=member.compress_type)
    if member.file_size > max(_RATIO_FROM, _MAX_RATIO * member.compress_size):
        return make_message("zip.ratio", ratio=_MAX_RATIO)
    return ""


def _refuse_members() -> FileRefused:
    return FileRefused("FILE_SUSPICIOUS", {"found": make_message("zip.many_members", limit=MAX_MEMBERS)})
