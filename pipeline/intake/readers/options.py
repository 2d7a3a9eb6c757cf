"""How rosters are read beside their titles: bounds, passwords, and where pictures of cells are put."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

MAX_DOCTORS = 200_000  # of one roster file
HEADER = 1  # line above them

StoreImage = Callable[[bytes, str], tuple[Path, str]]  # bytes and suffix -> where they lie, their sha256


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the configuration says of reading."""

    max_rows: int = MAX_DOCTORS + HEADER  # lines that hold something, in one file
    passwords: tuple[str, ...] = field(default=(), repr=False)  # tried in turn on an encrypted workbook
    keep: StoreImage | None = field(default=None, repr=False)  # None: pictures in workbooks are left alone


DEFAULT_OPTIONS = ReadOptions()
