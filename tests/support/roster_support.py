"""Rosters as openpyxl saves them, at a tenth of its time where every cell is a plain text."""

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from pathlib import Path

import openpyxl
from openpyxl.utils import get_column_letter

SHEET = "xl/worksheets/sheet1.xml"
EMPTY = "<sheetData></sheetData>"
# what openpyxl makes a formula or an error of, refuses or cuts
_SPECIAL = re.compile(r"[=#]|.*[\x00-\x1f]|.{32_000}", re.DOTALL)


def write_roster(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write a workbook of one sheet."""
    rows = [tuple(row) for row in rows]
    values = (value for row in rows for value in row if value is not None)
    if not all(isinstance(value, str) and not _SPECIAL.match(value) for value in values):
        _fill(rows).save(path)
        return
    lines = "".join(_format_line(number, row) for number, row in enumerate(rows, 1))
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in _read_empty_workbook().items():
            archive.writestr(name, text.replace(EMPTY, f"<sheetData>{lines}</sheetData>"))


def _format_line(number: int, row: Sequence[object]) -> str:
    texts = (escape(str(value)) for value in row)
    insides = (f'<is><t xml:space="preserve">{text}</t></is>' if text else "" for text in texts)
    cells = (
        f'<c r="{get_column_letter(column)}{number}" t="inlineStr">{inside}</c>'
        for column, (value, inside) in enumerate(zip(row, insides, strict=True), 1)
        if value is not None
    )
    return f'<row r="{number}">{"".join(cells)}</row>'


def _fill(rows: Iterable[Sequence[object]]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    return book


@cache
def _read_empty_workbook() -> dict[str, str]:
    """Return the parts of openpyxl's workbook; without the size of the sheet, which readers need not believe."""
    buffer = io.BytesIO()
    _fill([]).save(buffer)
    with zipfile.ZipFile(buffer) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    parts[SHEET] = re.sub(r"<dimension[^>]*>", "", parts[SHEET])
    assert EMPTY in parts[SHEET]
    return parts
