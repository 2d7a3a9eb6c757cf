"""Workbooks that Excel 2003 and programs of hospitals save as XML ("XML Spreadsheet 2003"), often named .xls.

The vocabulary is Microsoft's ``urn:schemas-microsoft-com:office:spreadsheet``. The text comes in UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from functools import cache
from io import BytesIO
from math import isfinite
from xml.etree.ElementTree import Element, iterparse
from xml.parsers import expat

from pipeline.intake.readers.child.program import (
    MAX_COLUMN,
    MAX_ROW,
    Output,
    Refused,
    ValueKind,
    make_number,
)

DAMAGED = "XML"

_NUMBER = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,5})?", re.ASCII)

# names of formats in the place of codes; those of dates hold the letters of one
_PLAIN = {
    "General Number", "Fixed", "Standard", "Scientific", "Currency", "Euro Currency", "Yes/No", "True/False",
}  # fmt: skip


def read(data: bytes, output: Output) -> None:
    """Write the visible sheets of a workbook, and the names of the others."""
    workbook = _Workbook(output)
    for event, element in _iterate_xml(data):
        name = _get_local_name(element.tag)
        if event == "start":
            workbook.start_element(name, element)
        elif name == "Style":
            workbook.codes[_get_attributes(element).get("ID", "")] = _get_format(element)
        else:
            workbook.end_element(name, element)
    output.write_facts(formats=list(workbook.codes), codes=workbook.codes)


class _Workbook:
    """A workbook while its elements come: rows are written and let go of as they end."""

    def __init__(self, output: Output) -> None:
        self.codes: dict[str, str] = {}  # number format of each style
        self._output = output
        self._sheet: _Sheet | None = None  # the open one
        self._table: Element | None = None  # alike; elsewhere the names of its children mean other things

    def start_element(self, name: str, element: Element) -> None:
        """Take the start of an element: its attributes are known."""
        if name == "Worksheet":
            self._sheet = _Sheet(_get_attributes(element).get("Name", ""))
        elif name == "Table" and self._sheet is not None:
            self._table = element

    def end_element(self, name: str, element: Element) -> None:
        """Take the end of an element: its children are known."""
        sheet = self._sheet
        if sheet is None:
            return
        if name == "Column" and self._table is not None:
            sheet.take_columns(_get_attributes(element))
        elif name == "Row" and self._table is not None:
            for number, cells, is_hidden in sheet.read_row(element, list(self.codes)):
                self._output.write_row(number, cells, hidden=is_hidden)
            self._table.remove(element)
        elif name == "Table":
            self._table = None
        elif name == "Visible":
            sheet.is_hidden |= (element.text or "").strip() in ("SheetHidden", "SheetVeryHidden")
        elif name == "Worksheet":
            self._output.end_sheet(
                sheet.name, hidden=sheet.is_hidden, merges=sheet.merges, hidden_columns=sheet.hidden_columns
            )
            self._sheet = None


class _Sheet:
    """A worksheet while it is read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_hidden = False
        self.merges: list[tuple[int, int, int, int]] = []
        self.hidden_columns: set[int] = set()
        self._row = 0  # the last one, as Excel shows it
        self._column = -1  # the last one that a Column element described

    def take_columns(self, attributes: dict[str, str]) -> None:
        """Take a Column element, which describes one column or several."""
        first = _get_index(attributes, self._column + 1, MAX_COLUMN)
        self._column = first + _get_number(attributes, "Span")
        if attributes.get("Hidden") in ("1", "true"):
            self.hidden_columns.update(range(first, min(self._column + 1, MAX_COLUMN)))

    def read_row(self, element: Element, styles: list[str]) -> Iterator[tuple[int, list[list[object]], bool]]:
        """Yield the row if it holds something: its number, its cells, whether it is hidden."""
        attributes = _get_attributes(element)
        self._row = _get_index(attributes, self._row, MAX_ROW) + 1
        row = self._row
        self._row += _get_number(attributes, "Span")
        cells = []
        column = -1
        for child in element:
            if _get_local_name(child.tag) != "Cell":
                continue
            own = _get_attributes(child)
            column = first = _get_index(own, column + 1, MAX_COLUMN)
            style = own.get("StyleID") or attributes.get("StyleID", "")
            cell = _read_cell(child, own, styles.index(style) if style in styles else None)
            if cell:
                cells.append([first, *cell])
            across, down = _get_number(own, "MergeAcross"), _get_number(own, "MergeDown")
            column += across
            if across or down:
                self.merges.append((row, min(row + down, MAX_ROW), first, min(column, MAX_COLUMN - 1)))
        if cells:
            yield row, cells, attributes.get("Hidden") in ("1", "true")


def _read_cell(element: Element, attributes: dict[str, str], style: int | None) -> list[object]:
    """Return kind and value of a cell; nothing for an empty one."""
    data = next((child for child in element if _get_local_name(child.tag) == "Data"), None)
    if data is None:
        return [ValueKind.NO_VALUE, None] if "Formula" in attributes else []
    text = "".join(data.itertext())
    kind = _get_attributes(data).get("Type", "String")
    if not text:
        return []
    if kind == "Number":
        number = _parse_number(text.strip())
        return make_number(number) if style is None else make_number(number, style)
    if kind == "DateTime":
        return _read_date(text.strip())
    if kind == "Boolean":
        return [ValueKind.TRUTH, text.strip() == "1"]
    return [ValueKind.ERROR if kind == "Error" else ValueKind.TEXT, text]


def _read_date(text: str) -> list[object]:
    """Return a date; a text that is none, as LibreOffice writes durations, stays a text."""
    try:
        return [ValueKind.DATE, datetime.fromisoformat(text).replace(tzinfo=None).isoformat()]
    except ValueError:
        return [ValueKind.TEXT, text]


def _get_format(style: Element) -> str:
    """Return the code of a style's number format."""
    for child in style:
        if _get_local_name(child.tag) == "NumberFormat":
            code = _get_attributes(child).get("Format", "")
            return "" if code in _PLAIN else code
    return ""


def _get_index(attributes: dict[str, str], usual: int, limit: int) -> int:
    """Return where a row, column or cell stands, from 0; it may leave some out, but never go back."""
    index = int(attributes.get("Index", usual + 1)) - 1
    if not usual <= index < limit:
        raise Refused("FILE_CORRUPT", f"Index {index + 1}")
    return index


def _get_number(attributes: dict[str, str], name: str) -> int:
    number = int(attributes.get(name, 0))
    if not 0 <= number <= MAX_ROW:
        raise Refused("FILE_CORRUPT", f"{name} {number}")
    return number


def _get_attributes(element: Element) -> dict[str, str]:
    return {_get_local_name(name): value for name, value in element.items()}


@cache
def _get_local_name(name: str) -> str:
    return name.rpartition("}")[2]


def _iterate_xml(text: bytes) -> Iterator[tuple[str, Element]]:
    """Yield ("start" or "end", element) of an XML text; Refused for one with a DOCTYPE, and every entity of its own."""

    def refuse(*_: object) -> None:
        raise Refused("FILE_SUSPICIOUS", "DOCTYPE")

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
