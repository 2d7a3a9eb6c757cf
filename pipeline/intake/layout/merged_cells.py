"""Merged cells: where one begins, and what the lines below its first inherit from it.

A department merged down over its doctors is each doctor's. What belongs to one person (name, number, mobile, staff
number, seal name, picture) is never given to a second: it stays with the first line. Cells that lie hidden under a
merged one are not read; nobody sees them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from typing import NamedTuple

from pipeline.domain.roster import Field
from pipeline.intake.layout.column_aliases import Header
from pipeline.intake.readers.model import Line, Merge, RawCell

_WIDEST = 50  # columns of a merged cell that can hold a picture
INHERITED = frozenset(
    {
        Field.DEPARTMENT,
        Field.ID_TYPE,
        Field.SCENE_KEY,
        Field.ENABLE_AUTO_SIGN,
        Field.LICENSE_TYPE,
        Field.SEAL_IMAGE_COMPRESS,
    }
)


class Merged:
    """The merged cells of a sheet by the cell in which they begin."""

    def __init__(self, merges: Sequence[Merge]) -> None:
        real = [merge for merge in merges if merge.right > merge.left or merge.bottom > merge.top]
        self._at = {(merge.top, merge.left): merge for merge in real}
        self.wide = frozenset(
            merge.top for merge in real if merge.right > merge.left
        )  # rows where one begins

    def __iter__(self) -> Iterator[Merge]:
        return iter(self._at.values())

    def at(self, row: int, column: int) -> Merge | None:
        """Return the merged cell that begins here."""
        return self._at.get((row, column))

    def over(self, row: int, column: int) -> Merge | None:
        """Return the cell that is merged down over this one, wherever it begins."""
        down = self._down.get(column, ())
        place = bisect_right(down, row, key=attrgetter("top")) - 1
        return down[place] if place >= 0 and row <= down[place].bottom else None

    @cached_property
    def _down(self) -> Mapping[int, Sequence[Merge]]:
        """The cells merged down, by each of their columns; one over half a sheet holds nobody's picture."""
        found: defaultdict[int, list[Merge]] = defaultdict(list)
        for merge in sorted(self._at.values()):
            if merge.bottom > merge.top and merge.right - merge.left < _WIDEST:
                for column in range(merge.left, merge.right + 1):
                    found[column].append(merge)
        return found


class Settled(NamedTuple):
    """A line as a person sees it."""

    line: Line  # without what lies under merged cells
    inherited: dict[int, RawCell]  # what cells merged down over it give it
    continues: int  # the line with which it shares name and number; 0 for none


class MergedCellCursor:
    """Walks down the lines of one table and settles each: what hides, what is inherited, who goes on."""

    def __init__(self, merged: Merged, header: Header) -> None:
        self._fields = {column: name for name, column in header.places.items()}
        self._person = (header.places[Field.NAME], header.places[Field.NUMBER])
        self._coming = sorted(
            merge
            for merge in merged
            if merge.top > header.last and any(merge.left <= each <= merge.right for each in self._fields)
        )
        self._next = 0
        self._open: dict[
            int, tuple[Merge, RawCell | None]
        ] = {}  # column -> the merged cell over it, its content

    def settle(self, line: Line) -> Settled:
        """Return the line as it is seen; lines come in their order."""
        self._begin(line)
        if not self._open:
            return Settled(line, {}, 0)
        cells = dict(line.cells)
        inherited: dict[int, RawCell] = {}
        for column, (merge, content) in list(self._open.items()):
            if line.number > merge.bottom:
                del self._open[column]
            elif (line.number, column) != (merge.top, merge.left):
                cells.pop(column, None)
                if column == merge.left and content is not None and self._fields[column] in INHERITED:
                    inherited[column] = content
        tops = {self._open[column][0].top if column in self._open else 0 for column in self._person}
        top = tops.pop() if len(tops) == 1 else 0
        return Settled(line._replace(cells=cells), inherited, top if top < line.number else 0)

    def _begin(self, line: Line) -> None:
        while self._next < len(self._coming) and self._coming[self._next].top <= line.number:
            merge = self._coming[self._next]
            self._next += 1
            content = line.cells.get(merge.left) if merge.top == line.number else None
            for column in self._fields:
                if merge.left <= column <= merge.right:
                    self._open[column] = (merge, content)
