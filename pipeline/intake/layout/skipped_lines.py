"""Accounts for the lines of a sheet that are no doctor."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.domain.roster import SkippedLine
from pipeline.intake.layout.line_classifier import LineClass
from pipeline.intake.readers.model import Line


class SkippedLineLog:
    """The lines of a sheet that are no doctor; together with the rows they are every line, exactly once.

    Neighbours of one class are one entry, gaps between lines are blank stretches.
    """

    def __init__(self, sheet: str | None, entries: Iterable[SkippedLine] = ()) -> None:
        self.entries = list(entries)
        self._sheet = sheet
        self._last = 0

    def add(self, line: Line, line_class: LineClass | None) -> None:
        """Account for a line and for the gap before it; None for a doctor's."""
        if line.number > self._last + 1:
            self._append(self._last + 1, line.number - 1, "blank")
        if line_class is not None:
            self._append(line.number, line.last, line_class)
        self._last = line.last

    def add_examples(self, lines: Iterable[tuple[int, int]]) -> None:
        """Add lines that were taken for doctors and are examples."""
        examples = (SkippedLine(self._sheet, first, last, "example") for first, last in lines)
        entries = sorted([*self.entries, *examples], key=lambda entry: entry.first)
        self.entries = []
        for entry in entries:
            self._append(entry.first, entry.last, entry.why)

    def _append(self, first: int, last: int, why: str) -> None:
        before = self.entries[-1] if self.entries else None
        if before and before.why == why and before.last == first - 1:
            self.entries[-1] = SkippedLine(self._sheet, before.first, last, why)
        else:
            self.entries.append(SkippedLine(self._sheet, first, last, why))
