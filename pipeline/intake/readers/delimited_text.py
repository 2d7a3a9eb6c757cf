"""Rosters as text: which delimiter the header speaks for, and records that remember their physical line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from pipeline.errors import FileRefused
from pipeline.intake.layout.column_titles import SEARCHED, ColumnAliases
from pipeline.intake.readers.charset import Charset, detect
from pipeline.intake.readers.delimited_records import LONGEST, NOTHING, Record, records
from pipeline.intake.readers.model import Book, Line, Sheet, text_cell
from pipeline.intake.readers.options import DEFAULT_OPTIONS, ReadOptions
from pipeline.intake.readers.text_limits import too_many_bytes, too_many_rows
from pipeline.messages.texts import make_text

MAX_BYTES = 100_000_000
MAX_LINES = 5_000_000  # physical ones, blank ones too: each costs time
DELIMITERS = ",\t;"
_FOREIGN = "|，｜、；:：^~\x01 \u3000"  # a header may be cut by them, but nobody may guess that rows are
_HEADER = 2  # known titles that make one: a name and a number at least
_DECLARED = re.compile(r'"?sep=([^\w"\'\s]|\t)"?\s*', re.IGNORECASE)  # what Excel looks for on the first line


def read(data: bytes, vocabulary: ColumnAliases, manner: ReadOptions = DEFAULT_OPTIONS) -> Book:
    """Open a text roster as one sheet without a name.

    Every field is text, exactly as written: ``="1101…"`` and a leading TAB or apostrophe included.
    Raises FileRefused for text that no encoding fits, that is too long, or that is delimited by a sign not
    understood; the lines themselves raise it for broken quotes.
    """
    if len(data) > MAX_BYTES:
        raise too_many_bytes(len(data), MAX_BYTES)
    ends = data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")  # never fewer than there are records
    if ends > MAX_LINES:
        raise too_many_rows(MAX_LINES)
    charset = detect(data)
    separator = _delimiter(data, charset, vocabulary)
    if ends >= manner.max_rows and any(islice(_records(data, charset, separator), manner.max_rows, None)):
        raise too_many_rows(manner.max_rows)
    return Book(iter([Sheet(None, _lines(data, charset, separator))]))


def _lines(data: bytes, charset: Charset, separator: str) -> Iterator[Line]:
    for record in _records(data, charset, separator):
        cells = {column: text_cell(field) for column, field in enumerate(record.fields) if field}
        yield Line(record.start, cells, end=record.end)


def _records(data: bytes, charset: Charset, separator: str) -> Iterator[Record]:
    return records(charset.lines(data, LONGEST), separator)


def _delimiter(data: bytes, charset: Charset, vocabulary: ColumnAliases) -> str:
    """Return the delimiter under which one of the first records holds most known titles, then most fields.

    A first line ``sep=`` adds its sign to the three and breaks a tie. Raises FileRefused where only another sign
    makes a header, and where nothing shows that zeros between the characters meant UTF-16.
    """
    head = list(
        islice((line for line in charset.lines(data, LONGEST) if line.strip(NOTHING + '"')), SEARCHED)
    )
    known = {sign: _titles(head, sign, vocabulary) for sign in DELIMITERS + _FOREIGN}
    declared = _DECLARED.fullmatch(head[0]) if head else None
    if declared:
        known = {declared[1]: _titles(head, declared[1], vocabulary)} | known
    chosen = max((declared[1] if declared else "") + DELIMITERS, key=known.__getitem__)
    foreign = max(_FOREIGN, key=known.__getitem__)
    if known[chosen][0] < _HEADER <= known[foreign][0]:
        raise FileRefused("FILE_FORMAT", {"found": make_text("file.delimiter", sign=repr(foreign))})
    if charset.guessed and not known[chosen][0]:
        raise FileRefused("FILE_ENCODING", {"line": "1"})
    return chosen


def _titles(head: Sequence[str], separator: str, vocabulary: ColumnAliases) -> tuple[int, int]:
    """Return how many known titles, then fields, the best record among the first lines holds."""
    best = (0, 0)
    try:
        for record in records(iter(head), separator):
            best = max(best, (sum(map(vocabulary.is_known, record.fields)), len(record.fields)))
    except FileRefused:  # quotes that this delimiter breaks; told of when it is the one
        pass
    return best
