"""Which pictures of a sheet belong to which line: those placed in its cells, and those that float over it.

A floating picture belongs to the row of its centre. One that is alone over a cell merged down over several lines
belongs to each doctor there: nobody can tell for whom of two it was meant, and both are refused as sharing it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pipeline.domain.roster import CellKind, EmbeddedImage, UnassignedImage
from pipeline.intake.layout.merged_cells import Merged
from pipeline.intake.readers.model import Line, Merge, Sheet, index
from pipeline.messages.texts import make_text

_TALLEST = (
    20  # lines of a merged cell that can be one doctor's; a taller one is the margin that holds all pictures
)
_NOTED = 20  # notes of one sheet
NO_DOCTOR = make_text("stray.no_doctor")


class SheetImages:
    """The pictures of a sheet while its lines are walked down."""

    def __init__(self, sheet: Sheet, merged: Merged) -> None:
        self._merged, self._sheet = merged, sheet.name
        self._at: dict[int, list[EmbeddedImage]] = {}
        self._coming: list[tuple[Merge, EmbeddedImage]] = []
        self._next = 0
        self._open: list[tuple[int, EmbeddedImage]] = []  # last line of its merged cell, picture
        self._homeless = {id(picture): picture for picture in sheet.pictures}
        over = [(merged.over(each.row, index(each.column)), each) for each in sheet.pictures]
        alone = Counter(merge for merge, _ in over if merge)
        for merge, picture in over:
            if merge and alone[merge] == 1 and merge.bottom - merge.top < _TALLEST:
                self._coming.append((merge, picture))
            else:
                self._at.setdefault(picture.row, []).append(picture)
        self._coming.sort(key=lambda each: each[0].top)

    def over(self, line: Line) -> list[EmbeddedImage]:
        """Return the pictures in a line's cells and over it; lines come in their order, each once."""
        while self._next < len(self._coming) and self._coming[self._next][0].top <= line.number:
            merge, picture = self._coming[self._next]
            self._next += 1
            self._open.append((merge.bottom, picture))
        own = self._at.pop(line.number, []) + self._placed(line)
        self._open = [each for each in self._open if each[0] >= line.number]
        return own + [picture for _, picture in self._open]

    def give(self, pictures: Sequence[EmbeddedImage], row: int) -> tuple[EmbeddedImage, ...]:
        """Return the pictures as those of a doctor's row."""
        for picture in pictures:
            self._homeless.pop(id(picture), None)
        return tuple(each if each.row == row else replace(each, row=row) for each in pictures)

    def strays(self) -> list[UnassignedImage]:
        """Return the pictures that no row got."""
        return [
            UnassignedImage(self._sheet, each.covered_cells or each.address, NO_DOCTOR, each.picture)
            for each in self._left()
        ]

    def notes(self) -> list[str]:
        """Return what is to be said of the pictures that no row got."""
        left = self._left()
        said: list[str] = [
            make_text("note.picture_unmatched", cell=picture.address) for picture in left[:_NOTED]
        ]
        more = len(left) - len(said)
        return [*said, make_text("note.more_pictures_unmatched", n=more)] if more else said

    def _left(self) -> list[EmbeddedImage]:
        return sorted(self._homeless.values(), key=lambda each: (each.row, index(each.column)))

    def _placed(self, line: Line) -> list[EmbeddedImage]:
        found = []
        for column, cell in line.cells.items():
            if cell.kind is CellKind.PICTURE and isinstance(cell.value, EmbeddedImage):
                self._homeless[id(cell.value)] = cell.value
                merge = self._merged.at(line.number, column)
                if merge and merge.top < merge.bottom:
                    self._open.append((merge.bottom, cell.value))
                else:
                    found.append(cell.value)
        return found
