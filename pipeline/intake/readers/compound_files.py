"""Compound files (OLE2, [MS-CFB]): their streams, and workbooks with an opening password in them ([MS-OFFCRYPTO]).

The extra ``encrypted`` opens these; this is the only module that imports msoffcrypto, and only the child process calls it:
a description of the encryption can ask for minutes or for any memory. What comes out is identified by its first bytes and
guarded like any other file.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import olefile

from pipeline.errors import FileRefused
from pipeline.intake.readers.model import make_damage_refusal, make_size_refusal
from pipeline.messages.catalogue import make_message

OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MAX_BYTES = 100_000_000  # of a whole compound file
DEFAULT_PASSWORD = "VelvetSweatshop"  # noqa: S105  Excel's own, for workbooks that are locked without a password
# Why a workbook was not opened
NO_EXTRA = make_message("locked.no_extra")
NO_PASSWORD = make_message("locked.no_password")
WRONG_PASSWORD = make_message("locked.wrong_password")
UNSUPPORTED = make_message("locked.unsupported")


class Compound:
    """A compound file whose directory could be read."""

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_BYTES:
            raise make_size_refusal(len(data), MAX_BYTES)
        with _refuse_damage():
            self._file = olefile.OleFileIO(io.BytesIO(data))
            self.streams = frozenset(
                path[0].casefold() for path in self._file.listdir(storages=False) if len(path) == 1
            )

    def read(self, stream: str) -> bytes:
        """Return a stream of the root by its name in any case; its size is bounded by the file's."""
        with _refuse_damage(), self._file.openstream(stream) as opened:
            content: bytes = opened.read()
            return content

    def read_workbook(self) -> bytes:
        """Return the records of an .xls: all of the stream ``Workbook``, or ``Book`` of Excel 5.

        Only the sectors of this stream are looked at: PHPExcel and others chain those of the other streams wrongly.
        """
        name = "workbook" if "workbook" in self.streams else "book"
        content = self.read(name)
        entry = self._file.root.kids_dict[name]
        refusal = make_damage_refusal("file.ole_stream", stream=entry.name)
        if len(content) != entry.size:
            raise refusal
        is_short = entry.size < self._file.minisectorcutoff
        chains = self._file.minifat if is_short else self._file.fat
        size = self._file.minisectorsize if is_short else self._file.sectorsize
        sectors = [entry.isectStart]
        while len(sectors) * size < entry.size:
            sectors.append(chains[sectors[-1]])
        if len(set(sectors)) < len(sectors):  # a circle
            raise refusal
        return content


@contextmanager
def _refuse_damage() -> Iterator[None]:
    """Turn every error of olefile over a damaged file into the refusal of the file."""
    try:
        yield
    except Exception as error:
        raise FileRefused("FILE_CORRUPT", {"found": "OLE"}) from error


def decrypt_workbook(data: bytes, passwords: Sequence[str]) -> bytes:
    """Return the workbook within an encrypted compound file; each password is tried, Excel's own last.

    Raises FileRefused FILE_ENCRYPTED, whose ``hint`` names what is missing; never with a password in it.
    """
    tries = tuple(dict.fromkeys((*filter(None, passwords), DEFAULT_PASSWORD)))
    try:
        import msoffcrypto  # noqa: PLC0415  an extra
    except ImportError as error:
        raise FileRefused("FILE_ENCRYPTED", {"hint": NO_EXTRA}) from error
    hint = WRONG_PASSWORD if len(tries) > 1 else NO_PASSWORD
    for password in tries:
        plain = io.BytesIO()
        try:
            file = msoffcrypto.OfficeFile(io.BytesIO(data))
            # The agile kind is not verified: msoffcrypto refuses the right password where the hash is SHA-1, as in Excel
            # 2010. What it decrypts has to be a zip in any case.
            is_verified = getattr(file, "type", "") == "standard"
            file.load_key(password=password, **({"verify_password": True} if is_verified else {}))
            file.decrypt(plain)
        except MemoryError:
            raise
        except msoffcrypto.exceptions.InvalidKeyError:
            continue
        except Exception:  # noqa: BLE001  whatever msoffcrypto runs into; its words may hold the password
            hint = UNSUPPORTED
            continue
        return plain.getvalue()
    raise FileRefused("FILE_ENCRYPTED", {"hint": hint})
