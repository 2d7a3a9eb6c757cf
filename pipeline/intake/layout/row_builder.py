"""Builds the rows under one header: which values merged cells give a line, and rows in little memory.

A department merged down over its doctors is each doctor's. A value that belongs to one person (name, number, mobile,
staff number, seal name, picture) stays with the first line. Cells hidden under a merged one are not read.

A row has every titled cell, empty ones too, and the filled cells beyond the titles. A roster may have 200,000 rows: a
text cell is kept as its text and a plain number as the number; an empty cell, and all cells behind the last filled one,
cost nothing. One layout for all rows of a table makes cells of these values on demand. The row that was read last keeps
its cells, because a stage reads one row's fields many times.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from pipeline.domain.fields import FIELDS
from pipeline.domain.roster import Cell, CellKind, EmbeddedImage, Field, Origin, Row
from pipeline.intake.layout.column_titles import Header
from pipeline.intake.readers.model import (
    Line,
    Merge,
    MergedCells,
    RawCell,
    format_column,
    number_cell,
)

WIDEST = 200  # columns that are carried over; farther to the right only those of a field
_REMEMBERED = 4096  # texts of a column that are kept once: a department is not held 100,000 times

Value = str | int | float | RawCell | None  # a text, a plain number, any other cell, an empty one
Values = tuple[Value, ...]

T = TypeVar("T")

_TEXT, _new = CellKind.TEXT, tuple.__new__  # looked up once, not a million times


def pack_cell(cell: RawCell) -> Value:
    """Return a cell's content in the smallest form that keeps it whole."""
    if cell.kind is CellKind.TEXT and cell.value == cell.display_text:  # a plain text: nearly every cell
        return cell.display_text
    if cell.kind is CellKind.NUMBER and type(cell.value) in (int, float):
        assert isinstance(cell.value, int | float)
        if number_cell(cell.value).display_text == cell.display_text:
            return cell.value
    return cell


class ColumnLayout:
    """The columns of a table's rows, in sheet order, and which of them mean something."""

    def __init__(
        self, columns: Sequence[int], titles: Mapping[int, str], field_columns: Mapping[Field, int]
    ) -> None:
        self.columns = tuple(columns)
        self.indices = {column: index for index, column in enumerate(self.columns)}
        self.field_indices = {name: self.indices[column] for name, column in field_columns.items()}
        self._empty = [
            Cell(format_column(column), titles.get(column, ""), None, CellKind.EMPTY, "")
            for column in columns
        ]
        # the row that was read last; one tuple, so that threads never mix two rows
        self.latest: tuple[Values, dict[int, Cell]] = ((), {})

    def __len__(self) -> int:
        return len(self.columns)

    def get_cell(self, values: Values, index: int) -> Cell:
        latest = self.latest
        if latest[0] is not values:
            latest = self.latest = (values, {})
        cell = latest[1].get(index)
        if cell is None:
            value = values[index] if index < len(values) else None
            cell = latest[1][index] = self._unpack_cell(value, self._empty[index])
        return cell

    def _unpack_cell(self, value: Value, empty: Cell) -> Cell:
        if value is None:
            return empty
        if isinstance(value, str):
            return _new(Cell, (empty.column, empty.header, value, _TEXT, value))
        raw = number_cell(value) if isinstance(value, int | float) else value
        assert raw is not None
        return Cell(empty.column, empty.header, raw.value, raw.kind, raw.display_text)


class _PackedRow:
    __slots__ = ("_layout", "_values")

    def __init__(self, layout: ColumnLayout, values: Values) -> None:
        self._layout = layout
        self._values = values


class Cells(_PackedRow, Sequence[Cell]):
    """The cells of a row."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._layout)

    def __getitem__(self, key: Any) -> Any:
        return tuple(self)[key]

    def __iter__(self) -> Iterator[Cell]:
        for index in range(len(self._layout)):
            yield self._layout.get_cell(self._values, index)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Cells | tuple) else NotImplemented

    __hash__ = None  # type: ignore[assignment]


class FieldCells(_PackedRow, Mapping[Field, Cell]):
    """The cells of a row by the field that their column means."""

    __slots__ = ()

    def __getitem__(self, name: Field) -> Cell:
        return self._layout.get_cell(self._values, self._layout.field_indices[name])

    def get(self, name: Field, default: T | None = None) -> Cell | T | None:  # type: ignore[override]
        """Return a field's cell, else the default; called a dozen times a row, so without an exception."""
        layout, values = self._layout, self._values
        index = layout.field_indices.get(name)
        if index is None:
            return default
        latest = layout.latest
        cell = latest[1].get(index) if latest[0] is values else None
        return layout.get_cell(values, index) if cell is None else cell

    def values(self) -> list[Cell]:  # type: ignore[override]
        """Return the cells; asked of every row, so without a view."""
        return [self._layout.get_cell(self._values, index) for index in self._layout.field_indices.values()]

    def __iter__(self) -> Iterator[Field]:
        return iter(self._layout.field_indices)

    def __len__(self) -> int:
        return len(self._layout.field_indices)

    def __contains__(self, name: object) -> bool:
        return name in self._layout.field_indices


class RowBuilder:
    """Makes the rows of one table."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.last_column = max(header.titles)
        field_columns = set(header.columns.values())
        self._titled = frozenset(
            column for column in header.titles if column < WIDEST or column in field_columns
        )
        self._layouts = {self._titled: self._make_layout(self._titled)}  # by their columns
        self._texts: defaultdict[int, dict[str, str]] = defaultdict(dict)

    def build_row(
        self,
        line: Line,
        origin: Origin,
        *,
        inherited: Mapping[int, RawCell] | None = None,
        pictures: tuple[EmbeddedImage, ...] = (),
    ) -> Row:
        """Return the line as a row; ``inherited`` are cells that lines above give it."""
        layout = self._get_layout(line)
        cells = {**line.cells, **inherited} if inherited else line.cells
        indices = layout.indices
        values: list[Value] = [None] * len(layout)
        length = 0
        for column, raw in cells.items():
            index = indices.get(column)
            if index is not None:
                kind, value, text = raw
                # nearly every cell is a plain text, and packed without a call
                if kind is _TEXT and value == text:
                    known = self._texts[column]
                    value = known.get(text)
                    if value is None:
                        value = text
                        if len(known) < _REMEMBERED:
                            known[text] = text
                else:
                    value = pack_cell(raw)
                values[index] = value
                if index >= length:
                    length = index + 1
        packed = tuple(values[:length])
        return Row(origin, Cells(layout, packed), FieldCells(layout, packed), line.hidden, pictures)

    def _get_layout(self, line: Line) -> ColumnLayout:
        if line.cells.keys() <= self._titled:
            return self._layouts[self._titled]
        columns = self._titled.union(
            column for column in line.cells if column < WIDEST and column not in self.header.titles
        )
        if columns not in self._layouts:
            self._layouts[columns] = self._make_layout(columns)
        return self._layouts[columns]

    def _make_layout(self, columns: frozenset[int]) -> ColumnLayout:
        return ColumnLayout(sorted(columns), self.header.titles, self.header.columns)


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
