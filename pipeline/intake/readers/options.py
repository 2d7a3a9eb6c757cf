"""How rosters are read: bounds of a file, passwords, where pictures of cells are put."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import FileRefused
from pipeline.intake.readers.model import format_column
from pipeline.messages.texts import make_text

MAX_DOCTORS = 200_000  # of one roster file
HEADER = 1  # line above them

StoreImage = Callable[[bytes, str], tuple[Path, str]]  # bytes and suffix -> where they lie, their sha256


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How files are read, as configured."""

    max_rows: int = MAX_DOCTORS + HEADER  # lines that hold something, in one file
    passwords: tuple[str, ...] = field(default=(), repr=False)  # tried in turn on an encrypted workbook
    keep: StoreImage | None = field(default=None, repr=False)  # None: pictures in workbooks are left alone


DEFAULT_OPTIONS = ReadOptions()


MAX_CELLS = 3_500_000  # filled ones: 200,000 rows of 17 columns; each costs 180 bytes until the file is read
MAX_TAGS = 50_000_000  # of its sheets: so many cells are 21 million at most, empty ones come on top


class ReadBudget:
    """Counts up to the limits of one file; beyond them it raises FILE_TOO_LARGE."""

    def __init__(self, max_rows: int) -> None:
        self._max_rows = max_rows
        self._rows = self._cells = self._tags = 0

    def count_rows(self, number: int) -> None:
        """Count rows that hold something."""
        self._rows += number
        if self._rows > self._max_rows:
            raise make_rows_refusal(self._max_rows)

    def count_cells(self, number: int) -> None:
        """Count filled cells."""
        self._cells += number
        if self._cells > MAX_CELLS:
            raise _too_many(MAX_CELLS, "cells")

    def count_tags(self, number: int) -> None:
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


MAX_TEXT = 32_767  # characters of a cell, as in Excel
MAX_COLUMN = 16_384  # columns of a sheet, as in Excel
MAX_ROW = 1_048_576  # rows of a sheet, as in Excel and LibreOffice


def make_rows_refusal(limit: int) -> FileRefused:
    """Return why a file with more lines that hold something than the configuration allows is refused."""
    return FileRefused(
        "FILE_TOO_LARGE",
        {
            "found": make_text("file.too_many_rows", limit=limit),
            "limit": make_text("limit.rows", limit=limit),
        },
    )


def make_size_refusal(size: int, limit: int) -> FileRefused:
    """Return why a file of so many bytes is refused."""
    detail = {"found": f"{size / 1e6:.0f} MB", "limit": f"{limit // 1_000_000} MB"}
    return FileRefused("FILE_TOO_LARGE", detail)


def make_text_refusal(column: int, row: int, length: int) -> FileRefused:
    """Return why a cell of so many characters refuses its file; the column from 0, the row as Excel counts."""
    return FileRefused(
        "FILE_SUSPICIOUS",
        {"found": make_text("file.cell_too_long", cell=f"{format_column(column)}{row}", length=length)},
    )


def make_columns_refusal(row: int) -> FileRefused:
    """Return why a filled cell behind the last column of any sheet refuses its file."""
    return FileRefused(
        "FILE_SUSPICIOUS", {"found": make_text("file.row_too_wide", row=row, limit=MAX_COLUMN)}
    )
