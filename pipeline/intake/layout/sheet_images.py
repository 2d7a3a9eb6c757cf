"""Assigns the pictures of a sheet to its lines: those placed in its cells, and those that float over it.

A floating picture belongs to the row of its centre. If it is alone over a cell merged down over several lines, it
belongs to each doctor there: it may be meant for any of them, and all are refused for sharing it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pipeline.domain.roster import CellKind, EmbeddedImage, UnassignedImage
from pipeline.intake.layout.merged_cells import MergedCells
from pipeline.intake.readers.model import Line, Merge, Sheet, parse_column
from pipeline.messages.texts import make_text

_TALLEST = (
    20  # lines of a merged cell that can be one doctor's; a taller one is the margin that holds all pictures
)
_MOST_NOTES = 20  # of one sheet
NO_DOCTOR = make_text("stray.no_doctor")


class SheetImages:
    """The pictures of a sheet while its lines are read."""

    def __init__(self, sheet: Sheet, merged: MergedCells) -> None:
        self._merged, self._sheet = merged, sheet.name
        self._by_row: dict[int, list[EmbeddedImage]] = {}
        self._coming: list[tuple[Merge, EmbeddedImage]] = []
        self._next = 0
        self._open: list[tuple[int, EmbeddedImage]] = []  # last line of its merged cell, picture
        self._unassigned = {id(image): image for image in sheet.pictures}
        covering = [merged.covering(image.row, parse_column(image.column)) for image in sheet.pictures]
        images_over = Counter(merge for merge in covering if merge)
        for merge, image in zip(covering, sheet.pictures, strict=True):
            if merge and images_over[merge] == 1 and merge.bottom - merge.top < _TALLEST:
                self._coming.append((merge, image))
            else:
                self._by_row.setdefault(image.row, []).append(image)
        self._coming.sort(key=lambda coming: coming[0].top)

    def take_images(self, line: Line) -> list[EmbeddedImage]:
        """Return the pictures in a line's cells and over it; lines come in their order, each once."""
        while self._next < len(self._coming) and self._coming[self._next][0].top <= line.number:
            merge, image = self._coming[self._next]
            self._next += 1
            self._open.append((merge.bottom, image))
        own = self._by_row.pop(line.number, []) + self._list_placed(line)
        self._open = [(last_line, image) for last_line, image in self._open if last_line >= line.number]
        return own + [image for _, image in self._open]

    def assign(self, images: Sequence[EmbeddedImage], row: int) -> tuple[EmbeddedImage, ...]:
        """Return the pictures as those of a doctor's row."""
        for image in images:
            self._unassigned.pop(id(image), None)
        return tuple(image if image.row == row else replace(image, row=row) for image in images)

    def list_unassigned(self) -> list[UnassignedImage]:
        """Return the pictures that no row got."""
        return [
            UnassignedImage(self._sheet, image.covered_cells or image.address, NO_DOCTOR, image.picture)
            for image in self._sort_unassigned()
        ]

    def list_notes(self) -> list[str]:
        """Return the notes on the pictures that no row got."""
        images = self._sort_unassigned()
        notes: list[str] = [
            make_text("note.picture_unmatched", cell=image.address) for image in images[:_MOST_NOTES]
        ]
        if len(images) > _MOST_NOTES:
            notes.append(make_text("note.more_pictures_unmatched", n=len(images) - _MOST_NOTES))
        return notes

    def _sort_unassigned(self) -> list[EmbeddedImage]:
        return sorted(self._unassigned.values(), key=lambda image: (image.row, parse_column(image.column)))

    def _list_placed(self, line: Line) -> list[EmbeddedImage]:
        """Return the pictures placed in the cells of a line that are not merged down."""
        placed = []
        for column, cell in line.cells.items():
            if cell.kind is CellKind.PICTURE and isinstance(cell.value, EmbeddedImage):
                self._unassigned[id(cell.value)] = cell.value
                merge = self._merged.beginning_at(line.number, column)
                if merge and merge.top < merge.bottom:
                    self._open.append((merge.bottom, cell.value))
                else:
                    placed.append(cell.value)
        return placed
