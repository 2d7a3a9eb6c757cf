"""The account of lines that are no doctor: with the rows it covers every line of a sheet exactly once."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.domain.roster import SkippedLine
from pipeline.intake.layout.line_classifier import Why


class SkippedLineLog:
    """Lines that are no doctor: neighbours of one kind are one entry, gaps between lines are blank stretches."""

    def __init__(self, sheet: str | None, found: Iterable[SkippedLine] = ()) -> None:
        self.found = list(found)
        self._sheet = sheet
        self._last = 0

    def add(self, first: int, last: int, why: Why | None) -> None:
        """Account for the physical lines of one line, and for the gap before it; None for a doctor's."""
        if first > self._last + 1:
            self._enter(self._last + 1, first - 1, "blank")
        if why is not None:
            self._enter(first, last, why)
        self._last = last

    def set_aside(self, lines: Iterable[tuple[int, int]]) -> None:
        """Enter lines that were taken for doctors and are examples."""
        entries = [*self.found, *(SkippedLine(self._sheet, first, last, "example") for first, last in lines)]
        self.found = []
        for entry in sorted(entries, key=lambda entry: entry.first):
            self._enter(entry.first, entry.last, entry.why)

    def _enter(self, first: int, last: int, why: str) -> None:
        before = self.found[-1] if self.found else None
        if before and before.why == why and before.last == first - 1:
            self.found[-1] = SkippedLine(self._sheet, before.first, last, why)
        else:
            self.found.append(SkippedLine(self._sheet, first, last, why))
