"""What one workbook may hold: rows, filled cells and tags are counted over all its sheets."""

from __future__ import annotations

from pipeline.errors import FileRefused
from pipeline.intake.readers.text_limits import too_many_rows
from pipeline.messages.texts import make_text

MAX_CELLS = 3_500_000  # filled ones: 200,000 rows of 17 columns; each costs 180 bytes until the file is read
MAX_TAGS = 50_000_000  # of its sheets: so many cells are 21 million at most, empty ones come on top


class ReadBudget:
    """Counts up to the limits of one file; beyond them it raises FILE_TOO_LARGE."""

    def __init__(self, max_rows: int) -> None:
        self._max_rows = max_rows
        self._rows = self._cells = self._tags = 0

    def rows(self, number: int) -> None:
        """Count rows that hold something."""
        self._rows += number
        if self._rows > self._max_rows:
            raise too_many_rows(self._max_rows)

    def cells(self, number: int) -> None:
        """Count filled cells."""
        self._cells += number
        if self._cells > MAX_CELLS:
            raise _too_many(MAX_CELLS, "cells")

    def tags(self, number: int) -> None:
        """Count tags of XML, the only measure of cells that are empty: each costs time."""
        self._tags += number
        if self._tags > MAX_TAGS:
            raise _too_many(MAX_TAGS, "tags")


def _too_many(limit: int, what: str) -> FileRefused:
    return FileRefused(
        "FILE_TOO_LARGE",
        {
            "found": make_text(f"file.too_many_{what}", limit=limit),
            "limit": make_text(f"limit.{what}", limit=limit),
        },
    )
