"""How much text a roster may hold, and what is said of one that holds more."""

from __future__ import annotations

from pipeline.errors import FileRefused
from pipeline.intake.readers.model import letters
from pipeline.messages.texts import make_text

MAX_TEXT = 32_767  # characters of a cell, as in Excel
MAX_COLUMN = 16_384  # columns of a sheet, as in Excel
MAX_ROW = 1_048_576  # rows of a sheet, as in Excel and LibreOffice


def too_many_rows(limit: int) -> FileRefused:
    """Return why a file with more lines that hold something than the configuration allows is refused."""
    return FileRefused(
        "FILE_TOO_LARGE",
        {
            "found": make_text("file.too_many_rows", limit=limit),
            "limit": make_text("limit.rows", limit=limit),
        },
    )


def too_many_bytes(size: int, limit: int) -> FileRefused:
    """Return why a file of so many bytes is refused."""
    detail = {"found": f"{size / 1e6:.0f} MB", "limit": f"{limit // 1_000_000} MB"}
    return FileRefused("FILE_TOO_LARGE", detail)


def text_over(column: int, row: int, length: int) -> FileRefused:
    """Return why a cell of so many characters refuses its file; the column from 0, the row as Excel counts."""
    return FileRefused(
        "FILE_SUSPICIOUS",
        {"found": make_text("file.cell_too_long", cell=f"{letters(column)}{row}", length=length)},
    )


def columns_over(row: int) -> FileRefused:
    """Return why a filled cell behind the last column of any sheet refuses its file."""
    return FileRefused(
        "FILE_SUSPICIOUS", {"found": make_text("file.row_too_wide", row=row, limit=MAX_COLUMN)}
    )
