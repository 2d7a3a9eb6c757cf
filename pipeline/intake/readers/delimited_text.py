"""Rosters as delimited text: the delimiter by the header, records with their physical lines, quotes that hide no record.

The csv module reads what is quoted by the book (RFC 4180). What it would refuse or read in silence is judged here:
``"张三"医生`` stays as written; a quote that is never closed, or whose field holds a doctor's whole record, does not.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from pipeline.errors import FileRefused
from pipeline.intake.layout.column_titles import SEARCHED, ColumnAliases
from pipeline.intake.readers.detect import Charset, detect_charset
from pipeline.intake.readers.model import (
    DEFAULT_OPTIONS,
    MAX_COLUMN,
    MAX_TEXT,
    Book,
    Line,
    ReadOptions,
    Sheet,
    make_count_refusal,
    make_damage_refusal,
    make_danger_refusal,
    make_size_refusal,
    make_text_refusal,
    text_cell,
)
from pipeline.messages.catalogue import make_message

LONGEST = 1_000_000  # characters of a physical line: Excel's 16,384 columns, each with a long title
_INSIDE = re.compile(r'[^"]*+(?:""[^"]*+)*+')  # up to the quote that closes a field
_CROWD = 3  # delimiters of a line within a field that make a record of it
# a line of nothing else holds nothing, whichever delimiter is tried; Ctrl-Z is what old programs write at the end
NOTHING = " \t\r\n\xa0\u3000,;\x1a\ufeff"


class Record(NamedTuple):
    """A record: the physical lines on which it starts and ends, and its fields as written."""

    start: int
    end: int
    fields: list[str]


def split_records(lines: Iterator[str], separator: str) -> Iterator[Record]:
    """Yield the records that hold something beside white space; ``lines`` come with their ends.

    Raises FileRefused where quotes, NUL or length make it uncertain what a record is.
    """
    reader = _Reader(lines, separator)
    for line in reader:
        if line.strip(NOTHING):
            start = reader.number
            fields = reader.read_record(line)
            if "".join(fields).strip(NOTHING):
                _require_bounds(fields, start)
                yield Record(start, reader.number, fields)


class _Reader:
    """Hands out physical lines, counted, and makes records of them."""

    def __init__(self, lines: Iterator[str], separator: str) -> None:
        self.number = 0  # of the last physical line, from 1
        self._lines = lines
        self._separator = separator
        self._start = 0
        self._width = 0  # fields of the record before
        number = r"[\"'=\s]*[0-9]{17}[0-9Xx][\"'\s]*"
        sign = re.escape(separator)
        self._doctor = re.compile(rf"{sign}{number}(?:{sign}|[\r\n]|\Z)|(?:\A|[\r\n]){number}{sign}")

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.number += 1
            if len(line) >= LONGEST:
                raise make_danger_refusal("file.line_too_long", line=self.number, limit=LONGEST)
            if "\0" in line:
                raise make_damage_refusal("file.nul", line=self.number)
            yield line

    def read_record(self, line: str) -> list[str]:
        """Return the fields of the record that begins with the line just handed out."""
        self._start = self.number
        if '"' not in line:
            fields = line.rstrip("\r\n").split(self._separator)
        elif line.count('"') % 2:
            fields = list(self._split_fields(line))
        else:
            try:
                fields = next(csv.reader((line,), delimiter=self._separator, strict=True))
            except csv.Error:
                fields = list(self._split_fields(line))
        self._width = len(fields)
        return fields

    def _split_fields(self, line: str) -> Iterator[str]:
        """Yield the fields of the record that begins with ``line``; a quoted one may take further lines."""
        position = 0
        while True:
            if line.startswith('"', position):
                field, line, position = self._read_quoted_field(line, position)
            else:
                field, position = self._read_plain_field(line, position)
            yield field
            if not line.startswith(self._separator, position):
                return
            position += len(self._separator)

    def _read_plain_field(self, line: str, position: int) -> tuple[str, int]:
        end = line.find(self._separator, position)
        if end < 0:
            end = len(line.rstrip("\r\n"))
        return line[position:end], end

    def _read_quoted_field(self, line: str, position: int) -> tuple[str, str, int]:
        """Return a quoted field, the line on which it ends, and the place behind its closing quote."""
        parts: list[str] = []
        length, inside = 0, position + 1
        while True:
            finding = _INSIDE.match(line, inside)
            assert finding is not None
            parts.append(finding[0])
            length += len(finding[0])
            if finding.end() < len(line):
                break
            further = next(iter(self), None) if length <= MAX_TEXT else None
            if further is None:
                raise self._make_refusal()
            line, inside = further, 0
        end = finding.end() + 1
        field = "".join(parts)
        if len(parts) > 1 and self._holds_record(parts, field):
            raise self._make_refusal()
        if end == len(line) or line[end] in "\r\n" or line.startswith(self._separator, end):
            return field.replace('""', '"'), line, end
        if len(parts) > 1 or self._separator in field:
            raise self._make_refusal()
        raw, end = self._read_plain_field(
            line, position
        )  # "张三"医生: no quotes by the book, but no doubt either
        return raw, line, end

    def _holds_record(self, parts: list[str], field: str) -> bool:
        """Return whether a field of several lines holds a record: its quote was never meant to open there."""
        crowd = max(_CROWD, self._width - 1)
        return self._doctor.search(field) is not None or any(
            part.count(self._separator) >= crowd for part in parts
        )

    def _make_refusal(self) -> FileRefused:
        return make_damage_refusal("file.quotes_on_line", line=self._start)


def _require_bounds(fields: list[str], row: int) -> None:
    length = max(map(len, fields))
    if length > MAX_TEXT:
        raise make_text_refusal([len(field) for field in fields].index(length), row, length)
    if len(fields) > MAX_COLUMN and any(fields[MAX_COLUMN:]):
        raise make_danger_refusal("file.row_too_wide", row=row, limit=MAX_COLUMN)


MAX_BYTES = 100_000_000
MAX_LINES = 5_000_000  # physical ones, blank ones too: each costs time
DELIMITERS = ",\t;"
_FOREIGN = "|，｜、；:：^~\x01 \u3000"  # a header may be cut by them, but it may not be guessed that rows are
_HEADER = 2  # known titles that make one: a name and a number at least
_DECLARED = re.compile(r'"?sep=([^\w"\'\s]|\t)"?\s*', re.IGNORECASE)  # what Excel looks for on the first line


def read(data: bytes, vocabulary: ColumnAliases, options: ReadOptions = DEFAULT_OPTIONS) -> Book:
    """Open a text roster as one sheet without a name.

    Every field is text, exactly as written: ``="1101…"`` and a leading TAB or apostrophe included.
    Raises FileRefused for text that no encoding fits, that is too long, or that is delimited by a sign not
    understood; the lines themselves raise it for broken quotes.
    """
    if len(data) > MAX_BYTES:
        raise make_size_refusal(len(data), MAX_BYTES)
    ends = data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")  # never fewer than there are records
    if ends > MAX_LINES:
        raise make_count_refusal("rows", MAX_LINES)
    charset = detect_charset(data)
    separator = _choose_delimiter(data, charset, vocabulary)
    if ends >= options.max_rows and any(
        islice(_read_records(data, charset, separator), options.max_rows, None)
    ):
        raise make_count_refusal("rows", options.max_rows)
    return Book(iter([Sheet(None, _read_lines(data, charset, separator))]))


def _read_lines(data: bytes, charset: Charset, separator: str) -> Iterator[Line]:
    for record in _read_records(data, charset, separator):
        cells = {column: text_cell(field) for column, field in enumerate(record.fields) if field}
        yield Line(record.start, cells, end=record.end)


def _read_records(data: bytes, charset: Charset, separator: str) -> Iterator[Record]:
    return split_records(charset.lines(data, LONGEST), separator)


def _choose_delimiter(data: bytes, charset: Charset, vocabulary: ColumnAliases) -> str:
    """Return the delimiter under which one of the first records holds most known titles, then most fields.

    A first line ``sep=`` adds its sign to the three and breaks a tie. Raises FileRefused where only another sign
    makes a header.
    """
    head = list(
        islice((line for line in charset.lines(data, LONGEST) if line.strip(NOTHING + '"')), SEARCHED)
    )
    known = {sign: _count_titles(head, sign, vocabulary) for sign in DELIMITERS + _FOREIGN}
    declared = _DECLARED.fullmatch(head[0]) if head else None
    if declared:
        known = {declared[1]: _count_titles(head, declared[1], vocabulary)} | known
    chosen = max((declared[1] if declared else "") + DELIMITERS, key=known.__getitem__)
    foreign = max(_FOREIGN, key=known.__getitem__)
    if known[chosen][0] < _HEADER <= known[foreign][0]:
        raise FileRefused("FILE_FORMAT", {"found": make_message("file.delimiter", sign=repr(foreign))})
    return chosen


def _count_titles(head: Sequence[str], separator: str, vocabulary: ColumnAliases) -> tuple[int, int]:
    """Return how many known titles, then fields, the best record among the first lines holds."""
    best = (0, 0)
    try:
        for record in split_records(iter(head), separator):
            best = max(best, (sum(map(vocabulary.is_known, record.fields)), len(record.fields)))
    except FileRefused:  # quotes that this delimiter breaks; refused later if it is the one
        pass
    return best
