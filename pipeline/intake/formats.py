"""What a file is by its first bytes; its name only breaks the tie among texts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pipeline.errors import FileRefused

Kind = Literal["xlsx", "text"]

ROSTER_SUFFIXES = frozenset({".xlsx", ".xlsm", ".csv", ".txt"})
# what a clerk may mean as a roster: in a folder it is reported instead of being passed over in silence
SPREADSHEET_SUFFIXES = frozenset(
    {
        ".xls",
        ".xlsb",
        ".xltx",
        ".xltm",
        ".xlt",
        ".et",
        ".ett",
        ".ods",
        ".ots",
        ".fods",
        ".tsv",
        ".htm",
        ".html",
        ".mht",
    }
)
_TEXT_SUFFIXES = frozenset({".csv", ".txt", ".tsv"})

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BINARY = (
    (b"%PDF", "PDF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"\x1f\x8b", "gzip"),
)
_MARKUP = (
    b"<!doctype html",
    b"<html",
    b"<head",
    b"<meta",
    b"<body",
    b"<table",
    b"<style",
    b"<div",
    b"mime-version:",
)


def kind_of(data: bytes, path: Path) -> Kind:
    """Return which reader takes the file; FileRefused names what it is when none does."""
    if not data:
        raise FileRefused("FILE_EMPTY")
    if data.startswith(_ZIP):
        return "xlsx"
    if data.startswith(_OLE):
        raise _ole(data)
    for magic, name in _BINARY:
        if data.startswith(magic):
            raise FileRefused("FILE_FORMAT", {"found": name})
    start = data[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(_MARKUP) or (start.startswith(b"<?xml") and b"<html" in start):
        raise FileRefused("FILE_FORMAT", {"found": "HTML"})
    if start.startswith(b"<?xml"):
        raise FileRefused("FILE_FORMAT", {"found": "XML"})
    if path.suffix.lower() not in _TEXT_SUFFIXES:
        if b"\0" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise FileRefused("FILE_CORRUPT", {"found": "no known format"})
        raise FileRefused("FILE_FORMAT", {"found": f"CSV/TXT ({path.suffix})"})
    return "text"


def _ole(data: bytes) -> FileRefused:
    """Tell an encrypted workbook from an old one: both are compound files, their streams are named in UTF-16."""
    if "EncryptedPackage".encode("utf-16-le") in data:
        return FileRefused("FILE_ENCRYPTED")
    if any(name.encode("utf-16-le") in data for name in ("Workbook", "Book")):
        return FileRefused("FILE_FORMAT", {"found": "Excel 97–2003 (.xls)"})
    return FileRefused("FILE_FORMAT", {"found": "OLE"})
