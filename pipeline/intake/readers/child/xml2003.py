"""Workbooks that Excel 2003 and programs of hospitals save as XML ("XML Spreadsheet 2003"), often named .xls.

The vocabulary is Microsoft's ``urn:schemas-microsoft-com:office:spreadsheet``. The text comes in UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import cache
from io import BytesIO
from math import isfinite
from xml.etree.ElementTree import Element, iterparse
from xml.parsers import expat

from pipeline.domain.roster import CellKind
from pipeline.errors import FileRefused
from pipeline.intake.readers.model import (
    MAX_COLUMN,
    MAX_ROW,
    Book,
    Line,
    Merge,
    RawCell,
    Sheet,
    date_cell,
    text_cell,
    truth_cell,
)
from pipeline.intake.readers.xlsx.styles import EPOCH_1900, GENERAL, Format, parse_format, styled_number

DAMAGED = "XML"

_NUMBER = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,5})?", re.ASCII)

# names of formats in the place of codes; those of dates hold the letters of one
_PLAIN = {
    "General Number", "Fixed", "Standard", "Scientific", "Currency", "Euro Currency", "Yes/No", "True/False",
}  # fmt: skip


def read(data: bytes) -> Book:
    """Return the sheets of a workbook; of the hidden ones the names."""
    return Book(_list_sheets(data))


def _list_sheets(data: bytes) -> Iterator[Sheet]:
    formats: dict[str, Format] = {}  # of each style
    sheet: _Sheet | None = None  # the open one
    for event, element in _iterate_xml(data):
        name = _get_local_name(element.tag)
        if event == "start":
            if name == "Worksheet":
                sheet = _Sheet(_get_attributes(element).get("Name", ""), formats)
            elif name == "Table" and sheet is not None:
                sheet.table = element
        elif name == "Style":
            formats[_get_attributes(element).get("ID", "")] = _get_format(element)
        elif sheet is not None:
            sheet.end_element(name, element)
            if name == "Worksheet":
                yield sheet.make_sheet()
                sheet = None


class _Sheet:
    """A worksheet while its elements come: rows are let go of as they end."""

    def __init__(self, name: str, formats: Mapping[str, Format]) -> None:
        self.table: Element | None = (
            None  # the open one; elsewhere the names of its children mean other things
        )
        self._name, self._formats = name, formats
        self._is_hidden = False
        self._lines: list[Line] = []
        self._merges: list[Merge] = []
        self._hidden_columns: set[int] = set()
        self._row = 0  # the last one, as Excel shows it
        self._column = -1  # the last one that a Column element described

    def make_sheet(self) -> Sheet:
        """Return the sheet; of a hidden one no lines."""
        return Sheet(
            self._name,
            iter(() if self._is_hidden else self._lines),
            hidden=self._is_hidden,
            merges=self._merges,
            hidden_columns=frozenset(self._hidden_columns),
        )

    def end_element(self, name: str, element: Element) -> None:
        """Take the end of an element: its children are known."""
        if name == "Column" and self.table is not None:
            self._take_columns(_get_attributes(element))
        elif name == "Row" and self.table is not None:
            self._take_row(element)
            self.table.remove(element)
        elif name == "Table":
            self.table = None
        elif name == "Visible":
            self._is_hidden |= (element.text or "").strip() in ("SheetHidden", "SheetVeryHidden")

    def _take_columns(self, attributes: dict[str, str]) -> None:
        """Take a Column element, which describes one column or several."""
        first = _get_index(attributes, self._column + 1, MAX_COLUMN)
        self._column = first + _get_number(attributes, "Span")
        if attributes.get("Hidden") in ("1", "true"):
            self._hidden_columns.update(range(first, min(self._column + 1, MAX_COLUMN)))

    def _take_row(self, element: Element) -> None:
        """Take a Row element, which may stand for several empty rows."""
        attributes = _get_attributes(element)
        self._row = _get_index(attributes, self._row, MAX_ROW) + 1
        row = self._row
        self._row += _get_number(attributes, "Span")
        cells = {}
        column = -1
        for child in element:
            if _get_local_name(child.tag) != "Cell":
                continue
            own = _get_attributes(child)
            column = first = _get_index(own, column + 1, MAX_COLUMN)
            style = own.get("StyleID") or attributes.get("StyleID", "")
            cell = _read_cell(child, own, self._formats.get(style, GENERAL))
            if cell:
                cells[first] = cell
            across, down = _get_number(own, "MergeAcross"), _get_number(own, "MergeDown")
            column += across
            if across or down:
                self._merges.append(Merge(row, min(row + down, MAX_ROW), first, min(column, MAX_COLUMN - 1)))
        if cells:
            self._lines.append(Line(row, cells, attributes.get("Hidden") in ("1", "true")))


def _read_cell(element: Element, attributes: dict[str, str], style: Format) -> RawCell | None:
    """Return a cell; None for an empty one."""
    data = next((child for child in element if _get_local_name(child.tag) == "Data"), None)
    if data is None:
        return RawCell(CellKind.NO_VALUE, None, "") if "Formula" in attributes else None
    text = "".join(data.itertext())
    kind = _get_attributes(data).get("Type", "String")
    if not text:
        return None
    if kind == "Number":
        return styled_number(_parse_number(text.strip()), style, EPOCH_1900)
    if kind == "DateTime":
        return _read_date(text.strip())
    if kind == "Boolean":
        return truth_cell(text.strip() == "1")
    return RawCell(CellKind.ERROR, text, text) if kind == "Error" else text_cell(text)


def _read_date(text: str) -> RawCell:
    """Return a date; a text that is none, as LibreOffice writes durations, stays a text."""
    try:
        return date_cell(datetime.fromisoformat(text).replace(tzinfo=None))
    except ValueError:
        return text_cell(text)


def _get_format(style: Element) -> Format:
    """Return a style's number format."""
    for child in style:
        if _get_local_name(child.tag) == "NumberFormat":
            code = _get_attributes(child).get("Format", "")
            return GENERAL if code in _PLAIN else parse_format(code)
    return GENERAL


def _get_index(attributes: dict[str, str], usual: int, limit: int) -> int:
    """Return where a row, column or cell stands, from 0; it may leave some out, but never go back."""
    index = int(attributes.get("Index", usual + 1)) - 1
    if not usual <= index < limit:
        raise FileRefused("FILE_CORRUPT", {"found": f"Index {index + 1}"})
    return index


def _get_number(attributes: dict[str, str], name: str) -> int:
    number = int(attributes.get(name, 0))
    if not 0 <= number <= MAX_ROW:
        raise FileRefused("FILE_CORRUPT", {"found": f"{name} {number}"})
    return number


def _get_attributes(element: Element) -> dict[str, str]:
    return {_get_local_name(name): value for name, value in element.items()}


@cache
def _get_local_name(name: str) -> str:
    return name.rpartition("}")[2]


def _iterate_xml(text: bytes) -> Iterator[tuple[str, Element]]:
    """Yield ("start" or "end", element) of an XML text; FileRefused for one with a DOCTYPE, and every entity of its own."""

    def refuse(*_: object) -> None:
        raise FileRefused("FILE_SUSPICIOUS", {"found": "DOCTYPE"})

    def stop(*_: object) -> None:
        raise StopIteration

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = stop  # a DOCTYPE can only stand before the root
    with suppress(StopIteration):
        parser.Parse(text, True)
    return iterparse(BytesIO(text), events=("start", "end"))  # noqa: S314  it has no DOCTYPE


def _parse_number(text: str) -> float:
    """Return a number with every digit as written; ValueError for words, but for those of NaN and infinity."""
    value = float(text)
    if isfinite(value) and not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return int(text) if text.lstrip("+-").isdecimal() else value
