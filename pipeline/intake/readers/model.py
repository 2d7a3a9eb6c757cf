"""What every reader of rosters hands over: a book of sheets, a sheet of lines, a line of filled cells.

A new format is a function ``read(data: bytes) -> Book`` and an entry in ``read.py``; nothing behind it changes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import cache
from itertools import islice
from typing import NamedTuple

from pipeline.domain.roster import CellKind, EmbeddedImage, UnassignedImage


class RawCell(NamedTuple):
    """A filled cell: its type in the file, its value before any conversion, the text a person sees."""

    kind: CellKind
    value: object
    display_text: str


class Line(NamedTuple):
    """A line that holds something: its number as Excel shows it, and its filled cells by column (0 = A)."""

    number: int
    cells: dict[int, RawCell]  # ascending columns
    hidden: bool = False
    end: int = 0  # the last physical line of a text record that spans several; 0 where it is ``number``

    @property
    def last(self) -> int:
        """The number of the last physical line it occupies."""
        return self.end or self.number


class PeekableLines(Iterator[Line]):
    """A stream of lines in which the next ones can be read without taking them."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = iter(lines)
        self._peeked: deque[Line] = deque()

    def __next__(self) -> Line:
        return self._peeked.popleft() if self._peeked else next(self._lines)

    def peek(self, count: int) -> list[Line]:
        """Return up to so many lines that come next, without taking them."""
        self._peeked.extend(islice(self._lines, max(count - len(self._peeked), 0)))
        return list(islice(self._peeked, count))

    def take_until(self, last: int) -> list[Line]:
        """Take the lines up to a line number."""
        taken: list[Line] = []
        while (ahead := self.peek(1)) and ahead[0].number <= last:
            taken.append(next(self))
        return taken


class Merge(NamedTuple):
    """Cells merged into one: rows as Excel numbers them, columns from 0 = A, all inclusive."""

    first_row: int
    last_row: int
    first_column: int
    last_column: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet; ``lines`` can be walked once, ascending, without lines that hold nothing.

    Everything else is known before the first line is walked.
    """

    name: str | None  # None for text files and HTML tables
    lines: Iterator[Line] = field(repr=False)
    hidden: bool = False
    merges: Sequence[Merge] = ()
    hidden_columns: frozenset[int] = frozenset()
    pictures: Sequence[EmbeddedImage] = field(default=(), repr=False)  # floating over the sheet


@dataclass(frozen=True, slots=True)
class Book:
    """One roster file as a reader gives it; ``run`` is set for a workbook that this program wrote: its run."""

    sheets: Iterator[Sheet] = field(repr=False)
    run: str | None = None
    notes: tuple[str, ...] = ()  # for files.jsonl: what is not read from this format
    unassigned: tuple[UnassignedImage, ...] = ()  # pictures of its sheets that cannot be used

    @property
    def results(self) -> bool:
        """Whether this program wrote it."""
        return self.run is not None


@cache
def format_column(column: int) -> str:
    """Return a column's letters: 0 is A, 26 is AA."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


@cache
def parse_column(name: str) -> int:
    """Return a column's index by its letters; ValueError for what is none of Excel's 16,384."""
    column = 0
    for letter in name.upper():
        if not "A" <= letter <= "Z":
            raise ValueError(name)
        column = column * 26 + ord(letter) - 64
    if not 1 <= column <= 16_384:
        raise ValueError(name)
    return column - 1


def text_cell(text: str) -> RawCell:
    """Return a text cell, exactly as written."""
    return RawCell(CellKind.TEXT, text, text)


def number_cell(value: float) -> RawCell:
    """Return a number: whole ones without a point, from 1e15 on in exponent form, as Excel shows them."""
    if abs(value) >= 1e15:
        return RawCell(CellKind.NUMBER, value, f"{value:.5E}")
    whole = isinstance(value, int) or value.is_integer()
    return RawCell(CellKind.NUMBER, value, str(int(value)) if whole else repr(value))


def date_cell(value: date | time) -> RawCell:
    """Return a date, a moment or a time of day, shown in ISO 8601; midnight is left out of a moment."""
    if isinstance(value, datetime) and value.time() == time():
        return RawCell(CellKind.DATE, value, value.date().isoformat())
    if isinstance(value, datetime):
        return RawCell(CellKind.DATE, value, value.isoformat(" ", "seconds"))
    return RawCell(CellKind.DATE, value, value.isoformat())


def is_filled(cell: RawCell | None) -> bool:
    """Return whether a cell shows anything but white space; an error, a picture or a formula without value is something."""
    return cell is not None and (
        cell.kind in (CellKind.NO_VALUE, CellKind.PICTURE)
        or not (cell.display_text == "" or cell.display_text.isspace())
    )
