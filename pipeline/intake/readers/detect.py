"""What a file is by its first bytes, never by its name; the streams of a compound file (OLE2, [MS-CFB])."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import olefile

from pipeline.errors import FileRefused
from pipeline.intake.readers.charset import detect_utf16
from pipeline.intake.readers.model import make_damage_refusal, make_size_refusal
from pipeline.intake.readers.xlsx.package import Package

OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MAX_BYTES = 100_000_000  # of a whole compound file


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


@contextmanager
def _refuse_damage() -> Iterator[None]:
    """Turn what olefile runs into in a damaged file, whatever it is, into its refusal."""
    try:
        yield
    except Exception as error:
        raise FileRefused("FILE_CORRUPT", {"found": "OLE"}) from error


Kind = Literal["xlsx", "xlsb", "ods", "xls", "encrypted", "html", "xml2003", "text"]

# an .xls without a compound file around its records
BARE_RECORDS = (b"\x09\x08\x08\x00", b"\x09\x08\x10\x00")
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_MAGIC = (
    (b"%PDF", "PDF"), (b"{\\rtf", "RTF"), (b"Rar!", "RAR"), (b"7z\xbc\xaf\x27\x1c", "7-Zip"), (b"\x1f\x8b", "gzip"),
    (b"\x89PNG", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF8", "GIF"), (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"),
    (b"RIFF", "WEBP"), (b"%!PS", "PostScript"), (b"ID;PWXL", "SYLK"), (b"SQLite format 3\0", "SQLite"),
    (b"\x09\0\x04\0", "Excel 2"), (b"\x09\x02\x06\0", "Excel 3"), (b"\x09\x04\x06\0", "Excel 4"),
    (b"\0\0\x02\0", "Lotus 1-2-3"), (b"\0\x05\x16\x07", "AppleDouble"),
)  # fmt: skip
_STREAMS = (("worddocument", "Word (.doc)"), ("powerpoint document", "PowerPoint (.ppt)"))
_PARTS = (
    ("word/document.xml", "Word (.docx)"),
    ("ppt/presentation.xml", "PowerPoint (.pptx)"),
    ("Index/Document.iwa", "Numbers"),
)
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
_HEAD = 1 << 16  # bytes that are looked at
_CONTROLS = bytes({*range(0x20)} - set(b"\t\n\v\f\r\x1a")) + b"\x7f"
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # the first of UTF-32 begins with the first
_MIME = re.compile(r"(?:[\w-]+:[^\n]*\n)*?(?:mime-version:|content-type:\s*multipart/)")
_ELEMENT = re.compile(r"<([a-z][\w.-]*:)?([a-z][\w.-]*)")
_HTML = frozenset({
    "html", "head", "title", "meta", "link", "base", "style", "script", "body", "div", "span", "p", "br", "hr", "center",
    "font", "b", "form", "table", "caption", "colgroup", "thead", "tbody", "tr", "th", "td", "h1", "h2", "h3", "h4",
    "h5", "h6", "pre",
})  # fmt: skip


def detect_kind(data: bytes) -> Kind:
    """Return which reader takes the file; FileRefused names what it is where there is none."""
    if not data:
        raise FileRefused("FILE_EMPTY")
    if data.startswith(ZIP):
        return _detect_package(data)
    if data.startswith(OLE_MAGIC):
        return _detect_compound(data)
    if data.startswith(BARE_RECORDS):
        return "xls"
    for magic, name in _MAGIC:
        if data.startswith(magic):
            raise FileRefused("FILE_FORMAT", {"found": name})
    if data[4:8] == b"ftyp":
        raise FileRefused("FILE_FORMAT", {"found": "HEIC / MP4"})
    if _is_binary(data[:_HEAD]):
        raise make_damage_refusal("file.no_known_format")
    return _detect_markup(data[:_HEAD]) or "text"


def _detect_package(data: bytes) -> Kind:
    package = Package(data)
    document = (package.read_payload("mimetype", 200) or b"").decode("ascii", "replace").strip()
    if document.startswith(_OPEN_DOCUMENT):
        if not document.removeprefix(_OPEN_DOCUMENT).startswith("spreadsheet"):
            raise FileRefused("FILE_FORMAT", {"found": "OpenDocument (.odt)"})
        return "ods"
    for part, name in _PARTS:
        if part in package:
            raise FileRefused("FILE_FORMAT", {"found": name})
    document_part = package.find_related("", "officeDocument")
    if document_part is None:
        raise FileRefused("FILE_FORMAT", {"found": "ZIP"})
    return "xlsb" if document_part.casefold().endswith(".bin") else "xlsx"


def _detect_compound(data: bytes) -> Kind:
    """Separate workbooks from other compound files."""
    streams = Compound(data).streams
    if "encryptedpackage" in streams:
        return "encrypted"
    if streams & {"workbook", "book"}:
        return "xls"
    for stream, name in _STREAMS:
        if stream in streams:
            raise FileRefused("FILE_FORMAT", {"found": name})
    raise FileRefused("FILE_FORMAT", {"found": "OLE"})


def _is_binary(head: bytes) -> bool:
    if head.startswith((*_WIDE_MARKS, codecs.BOM_UTF8)) or detect_utf16(head):
        return False
    controls = len(head) - len(head.translate(None, _CONTROLS))
    return controls * 50 > len(head)


def _detect_markup(head: bytes) -> Kind | None:
    """Return html where the text is a page; FileRefused names other markup; None where it is none."""
    wide = "utf-16" if head.startswith(_WIDE_MARKS) else detect_utf16(head)
    text = head.removeprefix(codecs.BOM_UTF8).decode(wide or "latin-1", "ignore").lower()
    begun, *remarks = text.split("<!--")
    text = begun + "".join(remark.partition("-->")[2] for remark in remarks)
    text = text.lstrip("\ufeff\t\n\v\f\r \0")
    if _MIME.match(text):
        return "html"
    table = "<table" in text and ("<td" in text or "<th" in text)
    root = _ELEMENT.search(text) if text.startswith("<") else None
    if root is None:
        return "html" if table else None
    if root[2] == "workbook" and "urn:schemas-microsoft-com:office:spreadsheet" in text:
        return "xml2003"
    if root[2] == "document" and "urn:oasis:names:tc:opendocument" in text:
        raise FileRefused("FILE_FORMAT", {"found": "OpenDocument (.fods)"})
    if root[2] in _HTML or table:
        return "html"
    if text.startswith("<?xml"):
        raise FileRefused("FILE_FORMAT", {"found": "XML"})
    return None
