"""What every reader of rosters takes and hands over: options and limits; a book of sheets, of lines, of filled cells.

A new format is a function ``read(data: bytes) -> Book`` and a case in `read_rosters.py`; nothing behind it changes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import cache, cached_property
from itertools import islice
from operator import attrgetter
from typing import Literal, NamedTuple

from pipeline.domain.results_format import NO_ORIGINALS, WORKBOOK, Originals
from pipeline.domain.roster import MAX_DOCTORS, CellKind, EmbeddedImage, UnassignedImage, format_number
from pipeline.errors import FileRefused
from pipeline.intake.images.image_files import ImageStore
from pipeline.messages.catalogue import make_message

HEADER = 1  # line above them
MAX_CELLS = 3_500_000  # filled ones: 200,000 rows of 17 columns; each costs 180 bytes until the file is read
MAX_TEXT = 32_767  # characters of a cell, as in Excel
MAX_COLUMN, MAX_ROW = 16_384, 1_048_576  # of a sheet, as in Excel and LibreOffice
MAX_MERGES = 500_000  # of a sheet
_WIDEST_DOWN = 50  # columns of a cell merged down that can hold a picture


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How files are read, as configured."""

    max_rows: int = MAX_DOCTORS + HEADER  # lines that hold something, in one file
    passwords: tuple[str, ...] = field(default=(), repr=False)  # tried in turn on an encrypted workbook
    store: ImageStore | None = field(default=None, repr=False)  # None: pictures in workbooks are left alone
    read_former: bool = False  # also what is called 离职, 退休 …, see `names_former_staff`


DEFAULT_OPTIONS = ReadOptions()


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
    def images(self) -> dict[int, EmbeddedImage]:
        """The pictures in its cells, by column."""
        return {
            column: cell.value for column, cell in self.cells.items() if isinstance(cell.value, EmbeddedImage)
        }

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


class MergedCells:
    """The merged cells of a sheet by the cell in which they begin."""

    def __init__(self, merges: Sequence[Merge]) -> None:
        real = [
            merge
            for merge in merges
            if merge.last_column > merge.first_column or merge.last_row > merge.first_row
        ]
        self._by_corner = {(merge.first_row, merge.first_column): merge for merge in real}
        self.wide_rows = frozenset(
            merge.first_row for merge in real if merge.last_column > merge.first_column
        )

    def __iter__(self) -> Iterator[Merge]:
        return iter(self._by_corner.values())

    def beginning_at(self, row: int, column: int) -> Merge | None:
        """Return the merged cell that begins here."""
        return self._by_corner.get((row, column))

    def covering(self, row: int, column: int) -> Merge | None:
        """Return the cell that is merged down over this one, wherever it begins."""
        merges = self._merged_down.get(column, ())
        index = bisect_right(merges, row, key=attrgetter("first_row")) - 1
        return merges[index] if index >= 0 and row <= merges[index].last_row else None

    @cached_property
    def _merged_down(self) -> Mapping[int, Sequence[Merge]]:
        """The cells merged down, by each of their columns; one over half a sheet holds no doctor's picture."""
        by_column: defaultdict[int, list[Merge]] = defaultdict(list)
        for merge in sorted(self._by_corner.values()):
            if merge.last_row > merge.first_row and merge.last_column - merge.first_column < _WIDEST_DOWN:
                for column in range(merge.first_column, merge.last_column + 1):
                    by_column[column].append(merge)
        return by_column


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
    """One roster file as a reader gives it."""

    sheets: Iterator[Sheet] = field(repr=False)
    notes: tuple[str, ...] = ()  # for files.jsonl: what is not read from this format
    unassigned: tuple[UnassignedImage, ...] = ()  # pictures of its sheets that cannot be used
    originals: Originals = NO_ORIGINALS  # of a marked copy


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
    if not 1 <= column <= MAX_COLUMN:
        raise ValueError(name)
    return column - 1


def text_cell(text: str) -> RawCell:
    """Return a text cell, exactly as written."""
    return RawCell(CellKind.TEXT, text, text)


def number_cell(value: float) -> RawCell:
    """Return a number as it is shown without a format."""
    return RawCell(CellKind.NUMBER, value, format_number(value))


def truth_cell(value: bool) -> RawCell:
    """Return a truth value as Excel shows it."""
    return RawCell(CellKind.BOOL, value, "TRUE" if value else "FALSE")


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


class ReadBudget:
    """Counts the lines of one file up to its limits; beyond them it raises FILE_TOO_LARGE."""

    def __init__(self, max_rows: int) -> None:
        self._max_rows = max_rows
        self._rows = self._cells = 0

    def count_line(self, line: Line) -> None:
        """Count a line, as a row if it holds something, and its filled cells."""
        self._rows += any(map(is_filled, line.cells.values()))
        self._cells += len(line.cells)
        if self._rows > self._max_rows:
            raise make_count_refusal("rows", self._max_rows)
        if self._cells > MAX_CELLS:
            raise make_count_refusal("cells", MAX_CELLS)


def make_count_refusal(unit: Literal["rows", "cells"], limit: int) -> FileRefused:
    """Return why a file that holds too many of something is refused."""
    detail = {
        "found": make_message(f"file.too_many_{unit}", limit=limit),
        "limit": make_message(f"limit.{unit}", limit=limit),
    }
    return FileRefused("FILE_TOO_LARGE", detail)


def make_size_refusal(size: int, limit: int) -> FileRefused:
    """Return why a file of so many bytes is refused."""
    detail = {"found": f"{size / 1e6:.0f} MB", "limit": f"{limit // 1_000_000} MB"}
    return FileRefused("FILE_TOO_LARGE", detail)


def make_text_refusal(column: int, row: int, length: int) -> FileRefused:
    """Return why a cell of so many characters refuses its file; the column from 0, the row as Excel counts."""
    return make_danger_refusal("file.cell_too_long", cell=f"{format_column(column)}{row}", length=length)


def make_results_refusal() -> FileRefused:
    """Return why a results workbook of ours is refused."""
    return FileRefused("FILE_FORMAT", {"found": WORKBOOK, "results": WORKBOOK})


def make_damage_refusal(key: str, **arguments: object) -> FileRefused:
    """Return why a damaged file is refused: the key of a text, and its arguments."""
    return FileRefused("FILE_CORRUPT", {"found": make_message(key, **arguments)})


def make_danger_refusal(key: str, **arguments: object) -> FileRefused:
    """Return why a file beyond any honest measure is refused: the key of a text, and its arguments."""
    return FileRefused("FILE_SUSPICIOUS", {"found": make_message(key, **arguments)})
