"""A sheet of a results workbook: cells by row and column title."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import openpyxl

from pipeline.messages.areas import get_pair


class ResultSheet:
    """An opened sheet; ``key`` is that of its title among the texts of results."""

    def __init__(self, workbook: Path, key: str = "sheet.fix") -> None:
        self.book = openpyxl.load_workbook(workbook)
        self.sheet = next(sheet for sheet in self.book if sheet.title in get_pair(key))
        self.heads = [cell.value for cell in self.sheet[1]]

    @property
    def rows(self) -> range:
        return range(2, self.sheet.max_row + 1)

    def cell(self, row: int, head: str):
        return self.sheet.cell(row, self.heads.index(head) + 1)

    def read(self, row: int, head: str):
        return self.cell(row, head).value

    def write(self, row: int, head: str, value: object) -> None:
        self.cell(row, head).value = value

    def read_column(self, head: str) -> list:
        return [self.read(row, head) for row in self.rows]

    def paste_column(self, head: str, values: Sequence[object]) -> None:
        """Write values into a column, downwards from its first line."""
        for row, value in enumerate(values, 2):
            self.write(row, head, value)

    def get_row_number(self, head: str, value: object) -> int:
        return next(row for row in self.rows if self.read(row, head) == value)

    def save(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.book.save(path)
        return path
