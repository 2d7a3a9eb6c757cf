"""HTML tables that systems save as .xls: each table of the page is a sheet without a name.

A row's number is its place among all ``<tr>`` of the file, those of nested tables and those that a browser supplies
included: so it is the same whichever table holds the doctors, and no two rows share one. Nothing is ever fetched.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from itertools import chain

from pipeline.errors import FileRefused
from pipeline.intake.readers.budget import ReadBudget
from pipeline.intake.readers.charset import detect
from pipeline.intake.readers.html_grid import Grid
from pipeline.intake.readers.html_tables import Tables
from pipeline.intake.readers.html_tokens import tokens
from pipeline.intake.readers.model import Book, Line, Sheet
from pipeline.intake.readers.options import ReadOptions
from pipeline.intake.readers.text_limits import too_many_bytes
from pipeline.intake.readers.xml_sheets import count_rows
from pipeline.messages.texts import make_text

MAX_BYTES = 100_000_000
MAX_TOKENS = 16_000_000  # tags and texts; 200,000 rows of 20 columns are 12.4 million
PICTURES = make_text("note.pictures_not_read", format="HTML")

_HEAD = 1 << 14  # bytes in which a page says its encoding; Excel writes its styles first
_DECLARED = re.compile(
    rb"<meta[^>]{1,500}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})|<\?xml[^>]{1,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})",
    re.IGNORECASE,
)
_HOLDS = re.compile(rb">\s*(?!&nbsp;)[^<\s]")
_MIME = re.compile(rb"(?im)\A(?:[\w-]+:.*\r?\n(?:[ \t].*\r?\n)*)*?mime-version:")


def read(data: bytes, *, manner: ReadOptions) -> Book:
    """Open a page; it is parsed whole, for its merged cells are known only then.

    Raises FileRefused for a page without a table or whose tables are elsewhere, one that breaks off, and one that
    is oversized or hostile.
    """
    if len(data) > MAX_BYTES:
        raise too_many_bytes(len(data), MAX_BYTES)
    if _MIME.match(data[:_HEAD]):
        raise FileRefused("FILE_FORMAT", {"found": "MHTML"})
    charset = detect(data, _declared(data[:_HEAD]))
    lowered = (chunk.lower().encode() for chunk in charset.chunks(data))
    count_rows(lowered, b"<tr", _HOLDS, ReadBudget(manner.max_rows))
    tables = Tables(ReadBudget(manner.max_rows))
    for number, token in enumerate(tokens(charset.chunks(data))):
        if number == MAX_TOKENS:
            raise FileRefused(
                "FILE_TOO_LARGE",
                {
                    "found": make_text("file.too_many_tags", limit=MAX_TOKENS),
                    "limit": make_text("limit.tags", limit=MAX_TOKENS),
                },
            )
        tables.take(token)
    tables.end()
    if not tables.found:
        raise FileRefused("FILE_FORMAT", {"found": make_text("file.page_without_table")})
    filled = [grid for grid in tables.found if grid.lines]
    notes = [make_text("note.tables", n=len(filled))] if len(filled) > 1 else []
    if tables.pictures:
        notes.append(PICTURES)
    return Book(_sheets(deque(filled)), notes=tuple(notes))


def _declared(head: bytes) -> str:
    found = _DECLARED.search(head)
    return (found[1] or found[2]).decode("ascii") if found else ""


def _sheets(grids: deque[Grid]) -> Iterator[Sheet]:
    """Yield the sheets of tables that hold something.

    Pages draw a header that does not scroll as a table for itself: it is the beginning of the next one. Two tables
    that both hold rows stay apart, for the second may be about other people.
    """
    while grids:
        parts = [grids.popleft()]
        if grids and _is_header(parts[0], grids[0]):
            parts.append(grids.popleft())
        yield Sheet(
            None,
            chain.from_iterable(_spent(part.lines) for part in parts),
            merges=[merge for part in parts for merge in part.merges],
            hidden_columns=frozenset(column for part in parts for column in part.hidden_columns),
        )


def _is_header(grid: Grid, below: Grid) -> bool:
    """Tell whether a table holds nothing but the titles of the next: they are marked so, or fit it column by column."""
    fits = len(grid.lines) == 1 and grid.width == below.width > 1
    return (grid.heading or fits) and not below.heading and grid.lines[-1].number < below.lines[0].number


def _spent(lines: list[Line]) -> Iterator[Line]:
    """Yield the lines and let go of each."""
    lines.reverse()
    while lines:
        yield lines.pop()
