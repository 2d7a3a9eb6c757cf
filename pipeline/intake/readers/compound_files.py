"""Compound files (OLE2, [MS-CFB]): their streams, and workbooks with an opening password in them ([MS-OFFCRYPTO]).

The extra ``encrypted`` opens these; this is the only module that imports msoffcrypto. What comes out is identified by
its first bytes and guarded like any other file.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import olefile
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

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

_MAX_ENCRYPTED = 64_000_000  # of a file: it is held about six times while it is opened
_MAX_BIFF = 24_000_000  # of an .xls: msoffcrypto holds each of its bytes as a number
_MAX_INFO = 1_000_000  # bytes of the description of the encryption
_MAX_SPINS = 5_000_000  # hashes over all passwords, about five seconds; Excel asks for 100,000 a password
_AGILE = b"\x04\0\x04\0"
# what msoffcrypto decrypts; it takes every other hash for SHA-1, and every other cipher for AES
_HASHES = ("SHA1", "SHA256", "SHA384", "SHA512")
_CIPHERS = (("AES", "128"), ("AES", "256"))


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
    compound = Compound(data)
    limit = _MAX_ENCRYPTED if "encryptedpackage" in compound.streams else _MAX_BIFF
    if len(data) > limit:
        raise make_size_refusal(len(data), limit)
    tries = tuple(dict.fromkeys((*filter(None, passwords), DEFAULT_PASSWORD)))
    if "encryptioninfo" in compound.streams:
        _require_readable(compound.read("encryptioninfo"), len(tries))
    try:
        import msoffcrypto  # noqa: PLC0415  an extra
    except ImportError as error:
        raise FileRefused("FILE_ENCRYPTED", {"hint": NO_EXTRA}) from error
    hint = WRONG_PASSWORD if len(tries) > 1 else NO_PASSWORD
    for password in tries:
        plain = io.BytesIO()
        try:
            with _silence_logging():
                file = msoffcrypto.OfficeFile(io.BytesIO(data))
                # The agile kind is not verified: msoffcrypto refuses the right password where the hash is SHA-1, as in Excel
                # 2010. What it decrypts has to be a zip in any case.
                is_verified = getattr(file, "type", "") == "standard"
                file.load_key(password=password, **({"verify_password": True} if is_verified else {}))
                file.decrypt(plain)
        except msoffcrypto.exceptions.InvalidKeyError:
            continue
        except Exception:  # noqa: BLE001  whatever msoffcrypto runs into; its words may hold the password
            hint = UNSUPPORTED
            continue
        return plain.getvalue()
    raise FileRefused("FILE_ENCRYPTED", {"hint": hint})


@contextmanager
def _silence_logging() -> Iterator[None]:
    """Keep msoffcrypto from logging passwords and keys, and from setting up the root logger by the way."""
    root, handler, before = logging.getLogger(), logging.NullHandler(), logging.root.manager.disable
    root.addHandler(handler)
    logging.disable(logging.DEBUG)
    try:
        yield
    finally:
        logging.disable(before)
        root.removeHandler(handler)


def _require_readable(info: bytes, tries: int) -> None:
    """Refuse a description that would cost hours or memory, or that msoffcrypto reads as another one (§2.3.4.10)."""
    if len(info) > _MAX_INFO:
        raise make_size_refusal(len(info), _MAX_INFO)
    if not info.startswith(_AGILE):  # the others hash 50,000 times
        return
    try:
        tree = fromstring(info[8:], forbid_dtd=True)
        keys = [key for key in tree.iter() if key.get("hashAlgorithm") is not None]
        spins = [int(key.get("spinCount", "0")) for key in tree.iter()]
    except DefusedXmlException as error:
        raise FileRefused("FILE_SUSPICIOUS", {"found": "DOCTYPE: EncryptionInfo"}) from error
    except (ParseError, ValueError) as error:
        raise FileRefused("FILE_CORRUPT", {"found": "XML: EncryptionInfo"}) from error
    if tries * max(spins, default=0) > _MAX_SPINS:
        raise FileRefused("FILE_SUSPICIOUS", {"found": f"spinCount = {max(spins)}"})
    for key in keys:
        cipher = (key.get("cipherAlgorithm"), key.get("keyBits"))
        if key.get("hashAlgorithm") not in _HASHES or cipher not in _CIPHERS:
            raise FileRefused("FILE_ENCRYPTED", {"hint": UNSUPPORTED})
