"""OpenDocument spreadsheets (.ods, .ots): content.xml with each cell's own type and all its digits.

OpenDocument 1.3 part 3, §9 (tables), §19 (attributes) and §6.1 (white space of paragraphs). Rows, columns and cells
that repeat are written once there, with their number beside them.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from datetime import datetime, time
from io import BytesIO
from xml.etree.ElementTree import Element

from pipeline.intake.readers.child.program import (
    MAX_COLUMN,
    SHOWN_ERROR,
    Output,
    Refused,
    ValueKind,
    iterate_xml,
    make_number,
    parse_number,
)

DAMAGED = "XML: content.xml"

_URN = "{urn:oasis:names:tc:opendocument:xmlns:"
_OFFICE, _TABLE, _TEXT, _STYLE, _DRAW = (
    f"{_URN}{name}:1.0}}" for name in ("office", "table", "text", "style", "drawing")
)
_EXTENDED_TYPE = "{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}value-type"
# what holds rows or texts of its own: old versions, copies of other files, forms, remarks, drawings
_IGNORED = frozenset({f"{_TABLE}tracked-changes", f"{_TABLE}dde-links", f"{_OFFICE}forms", f"{_TABLE}shapes"})
_NO_TEXT = frozenset({f"{_OFFICE}annotation", f"{_TEXT}ruby-text", f"{_TABLE}table"})
_GROUPS = frozenset({f"{_TABLE}table-row-group", f"{_TABLE}table-column-group"})
_HIDDEN = ("collapse", "filter")
_NUMERIC = ("float", "percentage", "currency")

_SPACES = re.compile("[ \t\r\n]+")
_MEANT = str.maketrans("\1\2\3", " \t\n")  # for white space that counts; XML holds none of these characters
_MAX_SPACES = 40_000
_PADDED = re.compile(
    r"[^\d.,+\-%]*(\d{1,15})[^\d.,+\-%]*", re.ASCII
)  # a number with zeros and words of its format
_TIME = re.compile(r"PT(\d{1,2})H(\d{1,2})M(\d{1,2})(?:[.,]\d+)?S", re.ASCII)


def read(data: bytes, output: Output) -> None:
    """Write the visible sheets of a spreadsheet, and the names of the others."""
    with zipfile.ZipFile(BytesIO(data)) as package:
        content = package.read("content.xml")
    document = _Document(output)
    for event, element in iterate_xml(content):
        if event == "start":
            document.start_element(element)
        else:
            document.end_element(element)
    if not document.is_spreadsheet:
        raise Refused("FILE_FORMAT", "OpenDocument (.odt)")
    output.write_facts(pictures=document.has_pictures)


class _Document:
    """A spreadsheet while its elements come: rows are written and let go of as they end."""

    def __init__(self, output: Output) -> None:
        self.has_pictures = self.is_spreadsheet = False
        self._output = output
        self._hidden_styles: set[str] = set()  # of tables
        self._ignored = 0  # elements open, from one of _IGNORED
        self._tables: list[_Table] = []  # the open one; further ones stand within its cells
        self._parents: list[Element] = []

    def start_element(self, element: Element) -> None:
        """Take the start of an element: its attributes are known."""
        tag = element.tag
        self._parents.append(element)
        self._ignored += bool(self._ignored) or tag in _IGNORED
        self.is_spreadsheet |= tag == f"{_OFFICE}spreadsheet"
        if self._ignored or not self.is_spreadsheet:
            return
        if tag == f"{_TABLE}table":
            is_hidden = element.get(f"{_TABLE}style-name") in self._hidden_styles
            self._tables.append(_Table(element, is_hidden=is_hidden))
        elif tag in _GROUPS and self._tables:
            self._tables[-1].groups.append(element.get(f"{_TABLE}display") == "false")

    def end_element(self, element: Element) -> None:
        """Take the end of an element: its children are known."""
        tag = element.tag
        self._parents.pop()
        self.has_pictures |= tag in (f"{_DRAW}frame", f"{_DRAW}image")
        if self._ignored:
            self._ignored -= 1
        elif tag == f"{_STYLE}style":
            properties = element.find(f"{_STYLE}table-properties")
            if properties is not None and properties.get(f"{_TABLE}display") == "false":
                self._hidden_styles.add(element.get(f"{_STYLE}name", ""))
        elif self._tables:
            self._end_in_table(element)

    def _end_in_table(self, element: Element) -> None:
        table = self._tables[-1]
        is_nested = len(self._tables) > 1
        if element.tag == f"{_TABLE}table":
            self._tables.pop()
            if not is_nested:
                self._output.end_sheet(
                    table.name,
                    hidden=table.is_hidden,
                    merges=table.merges,
                    hidden_columns=table.hidden_columns,
                )
                self._parents[-1].remove(element)
        elif element.tag in _GROUPS:
            table.groups.pop()
        elif element.tag == f"{_TABLE}table-column":
            table.take_columns(element)
        elif element.tag == f"{_TABLE}table-row" and not is_nested:
            table.write_rows(element, self._output)
            self._parents[-1].remove(element)


class _Table:
    """A table of the spreadsheet while it is read."""

    def __init__(self, element: Element, *, is_hidden: bool) -> None:
        self.name = element.get(f"{_TABLE}name", "")
        self.is_hidden = is_hidden
        self.groups: list[bool] = []  # for each group around: whether it is folded away
        self.merges: list[tuple[int, int, int, int]] = []
        self.hidden_columns: set[int] = set()
        self._row = self._column = 0

    def take_columns(self, element: Element) -> None:
        """Take a column element, which describes one column or several."""
        first = self._column
        self._column += _read_count(element, "number-columns-repeated")
        if element.get(f"{_TABLE}visibility") in _HIDDEN or any(self.groups):
            self.hidden_columns.update(range(first, min(self._column, MAX_COLUMN)))

    def write_rows(self, element: Element, output: Output) -> None:
        """Write a row as often as it stands there, if it holds something."""
        first = self._row + 1
        times = _read_count(element, "number-rows-repeated")
        self._row += times
        if self.is_hidden:
            return
        cells: list[list[object]] = []
        spans = []
        column = 0
        for child in element:
            if child.tag not in (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
                continue
            start, column = column, column + _read_count(child, "number-columns-repeated")
            if child.tag != f"{_TABLE}table-cell":
                continue
            wide = _read_count(child, "number-columns-spanned")
            high = _read_count(child, "number-rows-spanned")
            if wide > 1 or high > 1:
                spans.append((start, start + wide - 1, high))
            cell = _read_cell(child)
            if cell:
                cells += [[repeated, *cell] for repeated in range(start, min(column, MAX_COLUMN + 1))]
        is_hidden = element.get(f"{_TABLE}visibility") in _HIDDEN or any(self.groups)
        for row in range(first, self._row + 1) if cells else ():
            output.write_row(row, cells, hidden=is_hidden)
        if cells or times == 1:
            for row in range(first, self._row + 1):
                self.merges += [(row, row + high - 1, start, right) for start, right, high in spans]


def _read_count(element: Element, name: str) -> int:
    """Return how often a row, column or cell stands there, or how many it spans."""
    number = int(element.get(_TABLE + name, 1))
    if number < 1:
        raise Refused("FILE_CORRUPT", f"{name}: {number}")
    return number


def _read_cell(element: Element) -> list[object]:
    """Return kind and value of a cell; nothing for an empty one."""
    paragraphs = [_read_paragraph(child) for child in element if child.tag == f"{_TEXT}p"]
    shown = "\n".join(paragraphs)
    kind = element.get(f"{_OFFICE}value-type", "")
    has_formula = element.get(f"{_TABLE}formula") is not None
    if element.get(_EXTENDED_TYPE) == "error" or (has_formula and SHOWN_ERROR.fullmatch(shown)):
        return [ValueKind.ERROR, shown]
    cell = _read_value(element, kind, shown)
    if cell or shown:
        return cell or [ValueKind.TEXT, shown]
    # a formula that shows an empty paragraph was computed
    return [ValueKind.NO_VALUE, None] if has_formula and kind != "string" and not paragraphs else []


def _read_value(element: Element, kind: str, shown: str) -> list[object]:
    """Return kind and value by the attributes; nothing where they hold none, or none but what is shown."""
    value = element.get(f"{_OFFICE}{'' if kind in _NUMERIC else f'{kind}-'}value")
    if not value:
        return []
    if kind in _NUMERIC:
        number = parse_number(value.strip())
        padded = _PADDED.fullmatch(shown)
        return make_number(number, shown) if padded and int(padded[1]) == number else make_number(number)
    if kind == "boolean":
        return [ValueKind.TRUTH, value == "true"]
    if kind == "string":
        return [ValueKind.TEXT, value]  # what is shown may have words of a format around it
    return _read_moment(kind, value)


def _read_moment(kind: str, value: str) -> list[object]:
    """Return a date or a time of day; nothing for years before 1 and after 9999, and for a day and more."""
    try:
        if kind == "date":
            return [ValueKind.DATE, datetime.fromisoformat(value).replace(tzinfo=None).isoformat()]
        if kind == "time" and (parts := _TIME.fullmatch(value)):
            hour, minute, second = map(int, parts.groups())
            return [ValueKind.DATE, time(hour, minute, second).isoformat()]
    except ValueError:
        pass
    return []


def _read_paragraph(paragraph: Element) -> str:
    """Return a paragraph's text: white space of the file is one space or none, ``text:s`` and its kin count."""
    text = "".join(_list_texts(paragraph))
    return _SPACES.sub(" ", text).lstrip(" ").translate(_MEANT)


def _list_texts(element: Element) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        tag = str(child.tag)
        if tag == f"{_TEXT}s":
            yield "\1" * min(int(child.get(f"{_TEXT}c", 1)), _MAX_SPACES)
        elif tag == f"{_TEXT}tab":
            yield "\2"
        elif tag == f"{_TEXT}line-break":
            yield "\3"
        elif tag not in _NO_TEXT and not tag.startswith(_DRAW):
            yield from _list_texts(child)
        yield child.tail or ""
