"""Rosters as text: encoding, delimiter, and records that remember the physical line on which they start."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from itertools import islice

from pipeline.errors import FileRefused
from pipeline.intake.cells import Book, Line, Sheet, text_cell
from pipeline.intake.headers import SEARCHED, Vocabulary

MAX_BYTES = 100_000_000
DELIMITERS = ",\t;"


def read(data: bytes, vocabulary: Vocabulary) -> Book:
    """Open a text roster as one sheet without a name.

    Every field is text, exactly as written: ``="1101…"`` and a leading TAB or apostrophe included.
    Raises FileRefused for text that no encoding fits; the lines themselves raise it for broken quotes.
    """
    if len(data) > MAX_BYTES:
        found, limit = f"{len(data) / 1e6:.0f} MB", f"{MAX_BYTES // 1_000_000} MB"
        raise FileRefused("FILE_TOO_LARGE", {"found": found, "limit": limit})
    text = decode(data)
    nul = text.find("\0")
    if nul >= 0:
        raise FileRefused(
            "FILE_CORRUPT", {"found": f"NUL, 第 {_line(text[:nul])} 行 / line {_line(text[:nul])}"}
        )
    return Book(iter([Sheet(None, _records(text, delimiter(text, vocabulary)))]))


def decode(data: bytes) -> str:
    """Decode strictly: UTF-8 with or without BOM, UTF-16 by its BOM, else GB18030 (rosters.md §1.4).

    FILE_ENCODING names the physical line at which the encoding that came furthest breaks.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    elif data.startswith(codecs.BOM_UTF8):
        data, encodings = data[len(codecs.BOM_UTF8) :], ["utf-8"]
    else:
        encodings = ["utf-8", "gb18030"]
    furthest, line = -1, 1
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            if error.start > furthest:
                furthest, line = error.start, _line(data[: error.start].decode(encoding, "ignore"))
    raise FileRefused("FILE_ENCODING", {"line": str(line)})


def delimiter(text: str, vocabulary: Vocabulary) -> str:
    """Return the delimiter under which one of the first lines holds most known titles, then most fields."""
    head = list(islice((line for line in io.StringIO(text, newline="") if line.strip()), SEARCHED))

    def score(candidate: str) -> tuple[int, int]:
        split = [line.split(candidate) for line in head]
        return max(((sum(map(vocabulary.knows, fields)), len(fields)) for fields in split), default=(0, 0))

    return max(DELIMITERS, key=score)


def _records(text: str, separator: str) -> Iterator[Line]:
    # newline="" keeps every line end, so that csv counts CR, LF and CRLF alike and nothing else ends a line
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    start = 1
    while True:
        try:
            record = next(reader, None)
        except csv.Error as error:
            found = f"第 {start} 行引号 / quotes of the record on line {start}"
            raise FileRefused("FILE_CORRUPT", {"found": found}) from error
        if record is None:
            return
        cells = {column: text_cell(field) for column, field in enumerate(record) if field}
        if cells:
            yield Line(start, cells, end=reader.line_num)
        start = reader.line_num + 1


def _line(before: str) -> int:
    """Return the number of the physical line on which a text goes on after ``before``."""
    return before.count("\n") + before.count("\r") - before.count("\r\n") + 1
