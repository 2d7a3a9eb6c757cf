"""What a copy of a roster takes over as it stands in the file, since openpyxl writes it otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class NoteShape:
    """How a note is drawn: its size in pixels, and its place if it is always shown."""

    width: int
    height: int
    anchor: str | None


@dataclass(frozen=True, slots=True)
class ExactSheet:
    """What is taken over of a sheet, by address: the XML behind a cell's style, and the shapes of notes."""

    cells: Mapping[str, str] = field(repr=False)
    notes: Mapping[str, NoteShape]
