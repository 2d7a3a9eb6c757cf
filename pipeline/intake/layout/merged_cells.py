"""Merged cells of a sheet: which values and which pictures the lines below their first inherit.

A department merged down over its doctors is each doctor's. A value that belongs to one person (name, number, mobile,
staff number, seal name, picture) stays with the first line. Cells hidden under a merged one are not read.

A floating picture belongs to the row of its centre. If it is alone over a cell merged down over several lines, it
belongs to each doctor there: it may be meant for any of them, and all are refused for sharing it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from operator import attrgetter
from typing import NamedTuple

from pipeline.domain.fields import FIELDS
from pipeline.domain.roster import CellKind, EmbeddedImage, Field
from pipeline.intake.layout.column_titles import Header
from pipeline.intake.readers.model import Line, Merge, RawCell, Sheet, parse_column

_WIDEST = 50  # columns of a merged cell that can hold a picture
# lines of a merged cell that can be one doctor's; a taller one is the margin that holds all pictures
_TALLEST = 20


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
            if merge.last_row > merge.first_row and merge.last_column - merge.first_column < _WIDEST:
                for column in range(merge.first_column, merge.last_column + 1):
                    by_column[column].append(merge)
        return by_column


class VisibleLine(NamedTuple):
    """A line as a person sees it."""

    line: Line  # without the cells hidden under merged ones
    inherited: dict[int, RawCell]  # given by cells merged down over the line
    continued_line: int  # the line with which it shares name and number; 0 for none


class MergedCellCursor:
    """Goes down the lines of one table and applies its merged cells to each."""

    def __init__(self, merged: MergedCells, header: Header) -> None:
        self._fields = {column: name for name, column in header.columns.items()}
        self._person_columns = (header.columns[Field.NAME], header.columns[Field.NUMBER])
        self._coming = deque(
            merge
            for merge in sorted(merged)
            if merge.first_row > header.last_line
            and any(merge.first_column <= column <= merge.last_column for column in self._fields)
        )
        self._open: dict[int, tuple[Merge, RawCell | None]] = {}  # column -> merged cell over it, its content

    def apply(self, line: Line) -> VisibleLine:
        """Return the line as it is seen; lines come in their order."""
        self._open_merges(line)
        if not self._open:
            return VisibleLine(line, {}, 0)
        cells = dict(line.cells)
        inherited: dict[int, RawCell] = {}
        for column, (merge, content) in list(self._open.items()):
            if line.number > merge.last_row:
                del self._open[column]
            elif (line.number, column) != (merge.first_row, merge.first_column):
                cells.pop(column, None)
                is_inherited = column == merge.first_column and FIELDS[self._fields[column]].is_inherited
                if is_inherited and content is not None:
                    inherited[column] = content
        name, number = (self._open.get(column) for column in self._person_columns)
        tops = {merge_over[0].first_row for merge_over in (name, number) if merge_over}
        continued = tops.pop() if name and number and len(tops) == 1 else line.number
        return VisibleLine(line._replace(cells=cells), inherited, continued if continued < line.number else 0)

    def _open_merges(self, line: Line) -> None:
        while self._coming and self._coming[0].first_row <= line.number:
            merge = self._coming.popleft()
            content = line.cells.get(merge.first_column) if merge.first_row == line.number else None
            for column in self._fields:
                if merge.first_column <= column <= merge.last_column:
                    self._open[column] = (merge, content)


class SheetImages:
    """The pictures of a sheet while its lines are read."""

    def __init__(self, sheet: Sheet, merged: MergedCells) -> None:
        self._merged = merged
        self._by_row: dict[int, list[EmbeddedImage]] = {}
        self._open: list[tuple[int, EmbeddedImage]] = []  # last line of its merged cell, picture
        self._unassigned = {id(image): image for image in sheet.pictures}
        covering = [merged.covering(image.row, parse_column(image.column)) for image in sheet.pictures]
        images_over = Counter(merge for merge in covering if merge)
        coming: list[tuple[Merge, EmbeddedImage]] = []
        for merge, image in zip(covering, sheet.pictures, strict=True):
            if merge and images_over[merge] == 1 and merge.last_row - merge.first_row < _TALLEST:
                coming.append((merge, image))
            else:
                self._by_row.setdefault(image.row, []).append(image)
        self._coming = deque(sorted(coming, key=lambda pair: pair[0].first_row))

    def take_images(self, line: Line) -> list[EmbeddedImage]:
        """Return the pictures in a line's cells and over it; lines come in their order, each once."""
        while self._coming and self._coming[0][0].first_row <= line.number:
            merge, image = self._coming.popleft()
            self._open.append((merge.last_row, image))
        own = self._by_row.pop(line.number, []) + self._list_placed(line)
        self._open = [(last_line, image) for last_line, image in self._open if last_line >= line.number]
        return own + [image for _, image in self._open]

    def assign(self, images: Sequence[EmbeddedImage], row: int) -> tuple[EmbeddedImage, ...]:
        """Return the pictures as those of a doctor's row."""
        for image in images:
            self._unassigned.pop(id(image), None)
        return tuple(image if image.row == row else replace(image, row=row) for image in images)

    def list_unassigned(self) -> list[EmbeddedImage]:
        """Return the pictures that no row got, as they lie on the sheet."""
        return sorted(self._unassigned.values(), key=lambda image: (image.row, parse_column(image.column)))

    def _list_placed(self, line: Line) -> list[EmbeddedImage]:
        """Return the pictures placed in the cells of a line that are not merged down."""
        placed = []
        for column, cell in line.cells.items():
            if cell.kind is CellKind.PICTURE and isinstance(cell.value, EmbeddedImage):
                self._unassigned[id(cell.value)] = cell.value
                merge = self._merged.beginning_at(line.number, column)
                if merge and merge.first_row < merge.last_row:
                    self._open.append((merge.last_row, cell.value))
                else:
                    placed.append(cell.value)
        return placed
