"""Builds the rows under one header, and applies merged cells to each line.

A department merged down over its doctors is each doctor's. A value that belongs to one person (name, number, mobile,
staff number, seal name, picture) stays with the first line. Cells hidden under a merged one are not read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from pipeline.domain.fields import FIELDS
from pipeline.domain.roster import Cell, CellKind, EmbeddedImage, Field, Origin, Row
from pipeline.intake.layout.column_titles import Header
from pipeline.intake.readers.model import Line, Merge, MergedCells, RawCell, format_column

WIDEST = 200  # columns that are carried over; farther to the right only those of a field


class RowBuilder:
    """Makes the rows of one table: every titled cell, empty ones too, and the filled cells beyond the titles."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.last_column = max(header.titles)
        field_columns = set(header.columns.values())
        titled = sorted(column for column in header.titles if column < WIDEST or column in field_columns)
        self._titled = {column: (format_column(column), header.titles[column]) for column in titled}
        self._empty_cells = {
            column: Cell(*title, None, CellKind.EMPTY, "") for column, title in self._titled.items()
        }

    def build_row(
        self,
        line: Line,
        origin: Origin,
        *,
        inherited: Mapping[int, RawCell],
        pictures: tuple[EmbeddedImage, ...],
    ) -> Row:
        """Return the line as a row; ``inherited`` are cells that lines above give it."""
        cells = dict(self._empty_cells)
        filled = {**line.cells, **inherited} if inherited else line.cells
        for column, raw in filled.items():
            title = self._titled.get(column)
            if title is not None:
                cells[column] = Cell(*title, raw.value, raw.kind, raw.display_text)
            elif column < WIDEST:
                cells[column] = Cell(format_column(column), "", raw.value, raw.kind, raw.display_text)
        if len(cells) > len(self._titled):
            cells = dict(sorted(cells.items()))
        fields = {name: cells[column] for name, column in self.header.columns.items()}
        return Row(origin, tuple(cells.values()), fields, line.hidden, pictures)


# --- what merged cells give


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
        self._coming: deque[Merge] = deque()
        for merge in sorted(merged):
            columns = range(merge.first_column, merge.last_column + 1)
            if merge.first_row > header.last_line and not self._fields.keys().isdisjoint(columns):
                self._coming.append(merge)
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
