"""Rows under one header: every titled cell, empty ones too, and the filled cells beyond the titles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from pipeline.domain.headings import CHECK, ROW_ID, find_heading
from pipeline.domain.roster import EmbeddedImage, Origin, Row
from pipeline.domain.row_token import row_id_checksum
from pipeline.errors import FileRefused
from pipeline.intake.layout.column_aliases import Header
from pipeline.intake.layout.compact_rows import Cells, ColumnLayout, Fields, Value, pack
from pipeline.intake.readers.model import Line, RawCell, filled

WIDEST = 200  # columns that are carried over; farther to the right only what means something
_REMEMBERED = 4096  # texts of a column that are kept once: a department is not held 100,000 times


class RowBuilder:
    """Makes the rows of one table."""

    def __init__(self, header: Header, *, ticketed: bool) -> None:
        self.header = header
        self.last = max(header.titles)
        self._ticket = _ticket_columns(header) if ticketed else None
        meant = set(header.places.values())
        self._titled = frozenset(
            column
            for column in header.titles
            if (column < WIDEST or column in meant) and column not in (self._ticket or ())
        )
        self._shape = self._shaped(self._titled)
        self._wider: dict[frozenset[int], ColumnLayout] = {}
        self._known: defaultdict[int, dict[str, str]] = defaultdict(dict)

    def row(
        self,
        line: Line,
        origin: Origin,
        *,
        inherited: Mapping[int, RawCell] | None = None,
        pictures: tuple[EmbeddedImage, ...] = (),
    ) -> Row:
        """Return the line as a row; ``inherited`` are cells that lines above give it."""
        shape = self._shape_of(line)
        cells = {**line.cells, **inherited} if inherited else line.cells
        places = shape.at
        values: list[Value] = [None] * len(shape)
        last = 0
        for column, raw in cells.items():
            place = places.get(column)
            if place is not None:
                value = pack(raw)
                values[place] = self._once(column, value) if type(value) is str else value
                if place >= last:
                    last = place + 1
        held = tuple(values[:last])
        ticket = self._checked(line) if self._ticket else None
        return Row(origin, Cells(shape, held), Fields(shape, held), ticket, line.hidden, pictures)

    def is_ticket(self, column: int) -> bool:
        """Tell whether a column holds the tickets of a To fix sheet: we hid it ourselves."""
        return self._ticket is not None and column in self._ticket

    def ticketed(self, line: Line) -> bool:
        """Tell whether a line of a To fix sheet carries a ticket: it was a doctor's, whatever is left of it."""
        return self._ticket is not None and filled(line.cells.get(self._ticket[0]))

    def _shape_of(self, line: Line) -> ColumnLayout:
        if line.cells.keys() <= self._titled:
            return self._shape
        columns = self._titled.union(
            column for column in line.cells if column < WIDEST and column not in self.header.titles
        )
        if columns == self._titled:
            return self._shape
        shape = self._wider.get(columns)
        if shape is None:
            shape = self._wider[columns] = self._shaped(columns)
        return shape

    def _shaped(self, columns: frozenset[int]) -> ColumnLayout:
        return ColumnLayout(sorted(columns), self.header.titles, self.header.places)

    def _once(self, column: int, text: str) -> str:
        known = self._known[column]
        return known.setdefault(text, text) if len(known) < _REMEMBERED else known.get(text, text)

    def _checked(self, line: Line) -> str:
        assert self._ticket is not None
        row_id, check = (
            line.cells[column].display_text if column in line.cells else "" for column in self._ticket
        )
        if not row_id or check != row_id_checksum(row_id):
            raise FileRefused("FILE_SUSPICIOUS", {"found": "row_id", "ticket": str(line.number)})
        return row_id


def _ticket_columns(header: Header) -> tuple[int, int]:
    places = {title: column for column, title in header.titles.items()}
    row_id, check = (find_heading((heading,), places) for heading in (ROW_ID, CHECK))
    if row_id is None or check is None:
        raise FileRefused("FILE_SUSPICIOUS", {"found": "row_id", "ticket": str(header.row)})
    return places[row_id], places[check]
