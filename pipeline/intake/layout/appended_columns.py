"""Leaves out the columns that a marked copy of a roster has at its right end: import status, reason, SealId.

They are known by their titles, beside each other, in either language. Nothing behind sees them, so a marked copy is
read as the roster that it was made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.domain.results_format import find_appended_columns
from pipeline.domain.roster import CellKind
from pipeline.intake.layout.column_titles import SEARCHED
from pipeline.intake.readers.model import Line, PeekableLines
from pipeline.messages.results import APPENDED_COLUMNS, RESULT_TEXTS

_HEADINGS = [RESULT_TEXTS[key] for key in APPENDED_COLUMNS]


def drop_appended_columns(lines: Iterable[Line]) -> Iterator[Line]:
    """Yield the lines of a sheet without the cells of the appended columns."""
    ahead = PeekableLines(lines)
    columns = next(filter(None, map(_find_columns, ahead.peek(SEARCHED))), None)
    if columns is None:
        yield from ahead
        return
    for line in ahead:
        yield line._replace(
            cells={column: cell for column, cell in line.cells.items() if column not in columns}
        )


def _find_columns(line: Line) -> tuple[int, ...] | None:
    titles = {column: cell.display_text for column, cell in line.cells.items() if cell.kind is CellKind.TEXT}
    return find_appended_columns(titles, _HEADINGS)
