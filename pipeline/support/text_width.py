"""Texts for a terminal, in which a Han character takes two columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence


def measure_width(text: str) -> int:
    """Return how many columns a text takes: wide characters two, marks over another character none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def pad_to_width(text: str, width: int) -> str:
    """Return a text with blanks up to so many columns."""
    return text + " " * max(0, width - measure_width(text))


def align_columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield each row as one line; the cells of a column begin below each other."""
    widths = [max(map(measure_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(map(pad_to_width, row, widths)).rstrip()
