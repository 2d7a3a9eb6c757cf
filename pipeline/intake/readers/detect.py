"""What a file is by its bytes, never by its name: its format, and the encoding of a text.

The encoding is found strictly, never by likelihood: UTF-8 with or without its byte order mark (BOM), UTF-16 by its BOM,
else GB18030. What fits two of them, or none, is refused with the line on which it breaks.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from pipeline.errors import FileRefused
from pipeline.intake.guarded_zip import MEGABYTE
from pipeline.intake.readers.compound_files import OLE_MAGIC, Compound
from pipeline.intake.readers.model import make_damage_refusal
from pipeline.intake.readers.xlsx.package import Package

Kind = Literal["xlsx", "xls", "encrypted", "html", "xml2003", "text"]

# an .xls without a compound file around its records
BARE_RECORDS = (b"\x09\x08\x08\x00", b"\x09\x08\x10\x00")
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_MAGIC = (
    (b"%PDF", "PDF"), (b"{\\rtf", "RTF"), (b"Rar!", "RAR"), (b"7z\xbc\xaf\x27\x1c", "7-Zip"), (b"\x1f\x8b", "gzip"),
    (b"\x89PNG", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF8", "GIF"), (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"),
    (b"RIFF", "WEBP"),
)  # fmt: skip
# what is to be done with a file that is none of ours, by its name: the case of the sentence
_PICTURES = frozenset({"PNG", "JPEG", "GIF", "TIFF", "WEBP", "HEIC / MP4"})
_ARCHIVES = frozenset({"ZIP", "RAR", "7-Zip", "gzip"})
_DOCUMENTS = frozenset({
    "PDF", "RTF", "Word (.doc)", "Word (.docx)", "PowerPoint (.ppt)", "PowerPoint (.pptx)", "OpenDocument (.odt)",
})  # fmt: skip
_STREAMS = (("worddocument", "Word (.doc)"), ("powerpoint document", "PowerPoint (.ppt)"))
_PARTS = (
    ("word/document.xml", "Word (.docx)"),
    ("ppt/presentation.xml", "PowerPoint (.pptx)"),
    ("Index/Document.iwa", "Numbers"),
)
_OPEN_DOCUMENT = re.compile(rb"application/vnd\.oasis\.opendocument\.([a-z-]+)")
_HEAD = 1 << 16  # bytes that are looked at
_CONTROLS = bytes({*range(0x20)} - set(b"\t\n\v\f\r\x1a")) + b"\x7f"
_WIDE_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # the first of UTF-32 begins with the first
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
            raise _make_format_refusal(name)
    if data[4:8] == b"ftyp":
        raise _make_format_refusal("HEIC / MP4")
    if _is_binary(data[:_HEAD]):
        raise make_damage_refusal("file.no_known_format")
    return _detect_markup(data[:_HEAD]) or "text"


def _make_format_refusal(name: str) -> FileRefused:
    """Return the refusal of a file of another format: pictures, archives and documents cannot be saved as a workbook."""
    detail = {"found": name}
    for kind, names in (("picture", _PICTURES), ("archive", _ARCHIVES), ("document", _DOCUMENTS)):
        if name in names:
            detail[kind] = "yes"
    return FileRefused("FILE_FORMAT", detail)


def _detect_package(data: bytes) -> Kind:
    package = Package(data)
    # some programs leave out the mark; then the first kind that the manifest names is that of the whole
    document = (
        package.read_payload("mimetype", 200)
        or package.read_payload("META-INF/manifest.xml", 10 * MEGABYTE)
        or b""
    )
    named = _OPEN_DOCUMENT.search(document)
    if named is not None:
        suffix = ".ods" if named[1].startswith(b"spreadsheet") else ".odt"
        raise _make_format_refusal(f"OpenDocument ({suffix})")
    for part, name in _PARTS:
        if part in package:
            raise _make_format_refusal(name)
    document_part = package.get_related_part("", "officeDocument")
    if document_part is None:
        raise _make_format_refusal("ZIP")
    if document_part.casefold().endswith(".bin"):
        raise _make_format_refusal("Excel (.xlsb)")
    return "xlsx"


def _detect_compound(data: bytes) -> Kind:
    """Separate workbooks from other compound files."""
    streams = Compound(data).streams
    if "encryptedpackage" in streams:
        return "encrypted"
    if streams & {"workbook", "book"}:
        return "xls"
    for stream, name in _STREAMS:
        if stream in streams:
            raise _make_format_refusal(name)
    raise FileRefused("FILE_FORMAT", {"found": "OLE"})


def _is_binary(head: bytes) -> bool:
    if head.startswith((*_WIDE_BOMS, codecs.BOM_UTF8)):
        return False
    controls = len(head) - len(head.translate(None, _CONTROLS))
    return controls * 50 > len(head)


def _detect_markup(head: bytes) -> Kind | None:
    """Return html where the text is a page; FileRefused names other markup; None where it is none."""
    codec = "utf-16" if head.startswith(_WIDE_BOMS) else "latin-1"
    text = head.removeprefix(codecs.BOM_UTF8).decode(codec, "ignore").lower()
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


# --- the encoding of a text

_CHUNK = 1 << 20  # bytes
_PIECE = 1 << 16  # characters
_BIG5_SAMPLE = 1 << 20  # bytes in which Big5 would show

_BOMS = (
    (codecs.BOM_UTF32_LE, None),  # before UTF-16, whose BOM it begins with
    (codecs.BOM_UTF32_BE, None),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"\x84\x31\x95\x33", "gb18030"),
)
_GB = frozenset(
    {"gb2312", "gb_2312", "gb_2312-80", "gbk", "gb18030", "x-gbk", "cp936", "ms936", "windows-936", "euc-cn"}
)
_FOREIGN = re.compile(r"(?:x-)?(?:big5|cp950|shift.?jis|sjis|euc-(?:kr|jp|tw)|iso-2022|ks_c|hz-gb).*")

# Python's table is that of 2005, with components of Han characters in the private area. GB 18030-2022 gives eight of
# these codes (FE59 FE61 FE66 FE67 FE6D FE7E FE90 FEA0) the characters of Unicode 4.1 and withdraws six (FE51 …).
_COMPONENTS = str.maketrans("\ue81e\ue826\ue82b\ue82c\ue832\ue843\ue854\ue864", "龴龵龶龷龸龹龺龻")
_COMPONENT = re.compile("[\ue81e-\ue864]")

# A line whose every character beyond ASCII is a Han character or its punctuation in UTF-8. That GB18030 text looks so
# takes three characters in a row of which each has a byte in a range of 64 or less, and no other in the line.
_UTF8_LINE = rb"[\t\x20-\x7e]*+(?:[\xe3-\xe9\xef][\x80-\xbf]{2}[\t\x20-\x7e]*+)++(?=[\r\n]|\Z)"
_FIRST_IN_UTF8 = re.compile(_UTF8_LINE)
_IN_UTF8 = re.compile(rb"[\r\n]" + _UTF8_LINE)
_PAIR = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]")
_PROOF = re.compile("姓名|名字|名称|身份|证件|号码|工号|科室|手机|电话")  # what only the right encoding shows


class Charset(NamedTuple):
    """An encoding that fits: its codec, and the bytes of its BOM."""

    codec: str
    bom_size: int = 0

    def lines(self, data: bytes, longest: int) -> Iterator[str]:
        """Yield the physical lines with their ends (LF, CR, CRLF); one longer than ``longest`` comes in pieces."""
        stream = self._open(data)
        while line := stream.readline(longest):
            yield self._mended(line)

    def chunks(self, data: bytes) -> Iterator[str]:
        """Yield the text in pieces of a bounded size."""
        stream = self._open(data)
        while chunk := stream.read(_PIECE):
            yield self._mended(chunk)

    def _open(self, data: bytes) -> io.TextIOWrapper:
        stream = io.BytesIO(data)
        stream.seek(self.bom_size)
        return io.TextIOWrapper(stream, self.codec, newline="")  # no line end is altered

    def _mended(self, text: str) -> str:
        return text.translate(_COMPONENTS) if self.codec == "gb18030" and _COMPONENT.search(text) else text


def detect_charset(data: bytes, declared: str = "") -> Charset:
    """Return the encoding that the whole text fits; ``declared`` is what an HTML or XML text declares.

    A declaration never overrules the bytes: systems write it without looking. It only decides for GB18030 where a text is
    short enough to be UTF-8 as well, and names encodings that are not read. Raises FileRefused FILE_ENCODING.
    """
    for bom, codec in _BOMS:
        if data.startswith(bom):
            if codec is None:
                raise _make_refusal(1)
            _require_fit(data, Charset(codec, len(bom)))
            return Charset(codec, len(bom))
    label = declared.strip().lower()
    if _FOREIGN.fullmatch(label):
        raise _make_refusal(1)
    utf8, gb = Charset("utf-8"), Charset("gb18030")
    misfit = _get_misfit(data, utf8)
    if misfit is None:
        two_bytes_each = label in _GB and not data.isascii() and re.search(rb"[\xe0-\xf4]", data) is None
        return gb if two_bytes_each and _get_misfit(data, gb) is None else utf8
    other = _get_misfit(data, gb)
    if other is not None:
        raise _make_refusal(_compute_line(data, max(misfit, other)))
    _require_gb18030(data, misfit)
    return gb


def _require_fit(data: bytes, charset: Charset) -> None:
    """Refuse a text that its own BOM belies."""
    misfit = _get_misfit(data, charset)
    if misfit is not None:
        before = data[charset.bom_size : misfit].decode(charset.codec, "ignore")
        raise _make_refusal(before.count("\n") + before.count("\r") - before.count("\r\n") + 1)


def _get_misfit(data: bytes, charset: Charset) -> int | None:
    """Return the place of the first byte that the encoding does not allow, in pieces to spare memory."""
    decoder = codecs.getincrementaldecoder(charset.codec)()
    offset = charset.bom_size
    while True:
        piece = data[offset : offset + _CHUNK]
        offset += len(piece)
        try:
            decoder.decode(piece, not piece)
        except UnicodeDecodeError as error:
            return offset - len(error.object) + error.start
        if not piece:
            return None


def _require_gb18030(data: bytes, misfit: int) -> None:
    """Refuse what GB18030 allows and yet is not: lines in UTF-8 among others, and Big5.

    Both would turn names into other Han characters without a trace. ``misfit`` is where the text is not UTF-8.
    """
    foreign = _FIRST_IN_UTF8.match(data) or _IN_UTF8.search(data)
    if foreign is not None:
        mostly = data[: foreign.start()].isascii()  # then the others are the odd ones
        raise _make_refusal(_compute_line(data, misfit if mostly else foreign.end()))
    head = data[:_BIG5_SAMPLE]
    if _PROOF.search(head.decode("gb18030", "ignore")):
        return
    pairs = _PAIR.findall(head)
    rare = sum(pair[1] < 0xA1 for pair in pairs)  # second bytes that GB 2312 never has and Big5 often
    if rare * 4 > len(pairs) and _get_misfit(data, Charset("cp950")) is None:
        raise _make_refusal(_compute_line(data, misfit))


def _compute_line(data: bytes, offset: int) -> int:
    """Return the physical line of a byte; no character of UTF-8 or GB18030 holds a byte of a line end."""
    return data.count(b"\n", 0, offset) + data.count(b"\r", 0, offset) - data.count(b"\r\n", 0, offset) + 1


def _make_refusal(line: int) -> FileRefused:
    return FileRefused("FILE_ENCODING", {"line": str(line)})
