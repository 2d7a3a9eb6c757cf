"""Merged cells: where each begins, and which values the lines below its first inherit.

A department merged down over its doctors is each doctor's. A value that belongs to one person (name, number, mobile,
staff number, seal name, picture) stays with the first line. Cells hidden under a merged one are not read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from typing import NamedTuple

from pipeline.domain.fields import FIELDS
from pipeline.domain.roster import Field
from pipeline.intake.layout.column_titles import Header
from pipeline.intake.readers.model import Line, Merge, RawCell

_WIDEST = 50  # columns of a merged cell that can hold a picture


class MergedCells:
    """The merged cells of a sheet by the cell in which they begin."""

    def __init__(self, merges: Sequence[Merge]) -> None:
        real = [merge for merge in merges if merge.right > merge.left or merge.bottom > merge.top]
        self._by_corner = {(merge.top, merge.left): merge for merge in real}
        self.wide_rows = frozenset(merge.top for merge in real if merge.right > merge.left)

    def __iter__(self) -> Iterator[Merge]:
        return iter(self._by_corner.values())

    def beginning_at(self, row: int, column: int) -> Merge | None:
        """Return the merged cell that begins here."""
        return self._by_corner.get((row, column))

    def covering(self, row: int, column: int) -> Merge | None:
        """Return the cell that is merged down over this one, wherever it begins."""
        merges = self._merged_down.get(column, ())
        index = bisect_right(merges, row, key=attrgetter("top")) - 1
        return merges[index] if index >= 0 and row <= merges[index].bottom else None

    @cached_property
    def _merged_down(self) -> Mapping[int, Sequence[Merge]]:
        """The cells merged down, by each of their columns; one over half a sheet holds no doctor's picture."""
        by_column: defaultdict[int, list[Merge]] = defaultdict(list)
        for merge in sorted(self._by_corner.values()):
            if merge.bottom > merge.top and merge.right - merge.left < _WIDEST:
                for column in range(merge.left, merge.right + 1):
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
        self._coming = sorted(
            merge
            for merge in merged
            if merge.top > header.last_line
            and any(merge.left <= column <= merge.right for column in self._fields)
        )
        self._next = 0
        self._open: dict[int, tuple[Merge, RawCell | None]] = {}  # column -> merged cell over it, its content

    def apply(self, line: Line) -> VisibleLine:
        """Return the line as it is seen; lines come in their order."""
        self._open_merges(line)
        if not self._open:
            return VisibleLine(line, {}, 0)
        cells = dict(line.cells)
        inherited: dict[int, RawCell] = {}
        for column, (merge, content) in list(self._open.items()):
            if line.number > merge.bottom:
                del self._open[column]
            elif (line.number, column) != (merge.top, merge.left):
                cells.pop(column, None)
                if column == merge.left and content is not None and FIELDS[self._fields[column]].is_inherited:
                    inherited[column] = content
        tops = {self._open[column][0].top if column in self._open else 0 for column in self._person_columns}
        top = tops.pop() if len(tops) == 1 else 0
        return VisibleLine(line._replace(cells=cells), inherited, top if top < line.number else 0)

    def _open_merges(self, line: Line) -> None:
        while self._next < len(self._coming) and self._coming[self._next].top <= line.number:
            merge = self._coming[self._next]
            self._next += 1
            content = line.cells.get(merge.left) if merge.top == line.number else None
            for column in self._fields:
                if merge.left <= column <= merge.right:
                    self._open[column] = (merge, content)
