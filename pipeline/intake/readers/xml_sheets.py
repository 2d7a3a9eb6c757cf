"""Sheets that stand one behind another in one XML text: known in outline first, their lines streamed after."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from pipeline.intake.readers.budget import ReadBudget
from pipeline.intake.readers.model import Line, Merge, Sheet

_HELD_BACK = 64  # bytes: a tag's name is shorter, so that none is cut in two


@dataclass(slots=True)
class Outline:
    """What is known of a sheet before its first line is walked."""

    name: str
    hidden: bool = False
    merges: list[Merge] = field(default_factory=list)
    hidden_columns: set[int] = field(default_factory=set)


def sheets(outlines: Sequence[Outline], lines: Iterator[Line | None]) -> Iterator[Sheet]:
    """Yield a sheet for each outline; ``lines`` are those of all sheets, with None behind the last of each."""
    for outline in outlines:
        own: Iterator[Line] = iter(lines.__next__, None)
        columns = frozenset(outline.hidden_columns)
        yield Sheet(outline.name, own, outline.hidden, outline.merges, columns)
        deque(own, maxlen=0)  # what the caller left


def count_rows(chunks: Iterable[bytes], row: bytes, holds: re.Pattern[bytes], tally: ReadBudget) -> None:
    """Count the rows that hold something in the bytes alone, so that too many are refused before they are parsed.

    ``row`` begins the tag of a row; ``holds`` is found in every row that holds something.
    """
    rest = b""
    blank = False  # the row that goes on has shown nothing yet
    for chunk in chain(chunks, (b"",)):
        data = rest + chunk
        cut = data.rfind(b"<", max(len(data) - _HELD_BACK, 0)) if chunk else len(data)
        cut = len(data) if cut < 0 else cut
        rest = data[cut:]
        going_on, *rows = data[:cut].split(row)
        if blank and holds.search(going_on):
            tally.rows(1)
            blank = False
        if rows:
            filled = [holds.search(part) is not None for part in rows]
            blank = not filled[-1]
            tally.rows(sum(filled))
