"""How a row is held: what its cells contain, and one shape for all rows of a table that makes cells of it when asked.

A roster may have 200,000 rows. A text cell is kept as its text and a plain number as the number; an empty one, and
all that is behind the last filled one, costs nothing. The row that was looked at last keeps its cells, for a stage
looks at one row's fields many times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, ValuesView
from typing import TypeVar, overload

from pipeline.domain.roster import Cell, CellKind, Field
from pipeline.intake.readers.model import RawCell, letters, number_cell

Value = str | int | float | RawCell | None  # a text, a plain number, any other cell, an empty one
Values = tuple[Value, ...]

T = TypeVar("T")

_TEXT, _new = CellKind.TEXT, tuple.__new__  # looked up once, not a million times


def pack(cell: RawCell) -> Value:
    """Return a cell's content in as little as tells it."""
    if cell.kind is CellKind.TEXT and cell.value is cell.display_text:  # a plain text: nearly every cell
        return cell.display_text
    if cell.kind is CellKind.TEXT and isinstance(cell.value, str) and cell.value == cell.display_text:
        return cell.value
    if cell.kind is CellKind.NUMBER and type(cell.value) in (int, float):
        assert isinstance(cell.value, int | float)
        if number_cell(cell.value).display_text == cell.display_text:
            return cell.value
    return cell


class ColumnLayout:
    """The columns of a table's rows, in sheet order, and which of them mean something."""

    def __init__(
        self, columns: Sequence[int], titles: Mapping[int, str], places: Mapping[Field, int]
    ) -> None:
        self.columns = tuple(columns)
        self.at = {column: place for place, column in enumerate(self.columns)}
        self.places = {name: self.at[column] for name, column in places.items()}
        self._empty = [
            Cell(letters(column), titles.get(column, ""), None, CellKind.EMPTY, "") for column in columns
        ]
        # the row that was looked at last; one tuple, so that threads never mix two rows
        self.latest: tuple[Values, dict[int, Cell]] = ((), {})

    def __len__(self) -> int:
        return len(self.columns)

    def cell(self, values: Values, place: int) -> Cell:
        """Return the cell at a place of a row."""
        latest = self.latest
        if latest[0] is not values:
            latest = self.latest = (values, {})
        made = latest[1].get(place)
        if made is None:
            value = values[place] if place < len(values) else None
            made = latest[1][place] = self._made(value, self._empty[place])
        return made

    def _made(self, value: Value, empty: Cell) -> Cell:
        if value is None:
            return empty
        if isinstance(value, str):
            return _new(Cell, (empty.column, empty.header, value, _TEXT, value))
        raw = number_cell(value) if isinstance(value, int | float) else value
        assert raw is not None
        return Cell(empty.column, empty.header, raw.value, raw.kind, raw.display_text)


class Cells(Sequence[Cell]):
    """A row's cells."""

    __slots__ = ("_shape", "_values")

    def __init__(self, shape: ColumnLayout, values: Values) -> None:
        self._shape = shape
        self._values = values

    def __len__(self) -> int:
        return len(self._shape)

    @overload
    def __getitem__(self, place: int) -> Cell: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Cell, ...]: ...
    def __getitem__(self, place: int | slice) -> Cell | tuple[Cell, ...]:
        places = range(len(self._shape))[place]
        if isinstance(places, range):
            return tuple(self._shape.cell(self._values, each) for each in places)
        return self._shape.cell(self._values, places)

    def __iter__(self) -> Iterator[Cell]:
        for place in range(len(self._shape)):
            yield self._shape.cell(self._values, place)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Cells | tuple) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Cells({len(self)})"


class Fields(Mapping[Field, Cell]):
    """The cells that mean something."""

    __slots__ = ("_shape", "_values")

    def __init__(self, shape: ColumnLayout, values: Values) -> None:
        self._shape = shape
        self._values = values

    def __getitem__(self, name: Field) -> Cell:
        return self._shape.cell(self._values, self._shape.places[name])

    def get(self, name: Field, default: T | None = None) -> Cell | T | None:  # type: ignore[override]
        """Return a field's cell, else the default; asked for a dozen times a row, so without an exception."""
        shape, values = self._shape, self._values
        place = shape.places.get(name)
        if place is None:
            return default
        latest = shape.latest
        made = latest[1].get(place) if latest[0] is values else None
        return shape.cell(values, place) if made is None else made

    def values(self) -> ValuesView[Cell]:
        """Return the cells in the order of the fields."""
        cell, values = self._shape.cell, self._values
        return {name: cell(values, place) for name, place in self._shape.places.items()}.values()

    def __iter__(self) -> Iterator[Field]:
        return iter(self._shape.places)

    def __len__(self) -> int:
        return len(self._shape.places)

    def __contains__(self, name: object) -> bool:
        return name in self._shape.places

    def __repr__(self) -> str:
        return f"Fields({', '.join(self._shape.places)})"
