"""Excel 2003 XML (SpreadsheetML), which systems also save as .xls.

XML Spreadsheet Reference (Office 2003): Index and Span skip places, MergeAcross and MergeDown count further cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from math import isfinite
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from pipeline.errors import FileRefused
from pipeline.intake.bounds import MAX_COLUMN, MAX_ROW, MAX_TEXT, text_over, too_many_bytes
from pipeline.intake.cells import Book, Line, Merge, RawCell, Sheet, date_cell, letters, text_cell
from pipeline.intake.charset import detect
from pipeline.intake.manner import Manner
from pipeline.intake.numerals import is_true, whole
from pipeline.intake.package import MAX_TREE
from pipeline.intake.streamed import count_rows
from pipeline.intake.styles import EPOCH_1900, GENERAL, Format, formats_of, styled_number
from pipeline.intake.tally import Tally
from pipeline.roster import CellKind

_SS = "{urn:schemas-microsoft-com:office:spreadsheet}"
_X = "{urn:schemas-microsoft-com:office:excel}"
_DECLARED = re.compile(rb"<\?xml[^>]{1,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})")
_HOLDS = re.compile(rb"<data[\s>]")
_WHOLE = re.compile(r"[+-]?\d{1,40}", re.ASCII)


def read(data: bytes, *, manner: Manner) -> Book:
    """Open a workbook, which is held whole.

    Raises FileRefused for XML that is damaged, oversized or hostile; the lines raise it for damaged cells.
    """
    if len(data) > MAX_TREE:
        raise too_many_bytes(len(data), MAX_TREE)
    declared = _DECLARED.search(data[:1000])
    charset = detect(data, declared[1].decode("ascii") if declared else "")
    lowered = (chunk.lower().replace("<ss:", "<").encode() for chunk in charset.chunks(data))
    count_rows(lowered, b"<row", _HOLDS, Tally(manner.max_rows))
    try:
        root: Element = fromstring("".join(charset.chunks(data)), forbid_dtd=True)
    except DefusedXmlException as error:
        raise FileRefused("FILE_SUSPICIOUS", {"found": "DOCTYPE"}) from error
    except ParseError as error:
        raise FileRefused(
            "FILE_CORRUPT", {"found": f"XML {error.position[0]}:{error.position[1]}"}
        ) from error
    if root.tag != f"{_SS}Workbook":
        raise FileRefused("FILE_FORMAT", {"found": "XML"})
    codes = {
        style.get(f"{_SS}ID", ""): form.get(f"{_SS}Format", "")
        for style in root.iterfind(f"{_SS}Styles/{_SS}Style")
        for form in style.iterfind(f"{_SS}NumberFormat")
    }
    formats = dict(zip(codes, formats_of(codes, codes), strict=True))
    return Book(_sheets(root, formats))


def _sheets(root: Element, formats: dict[str, Format]) -> Iterator[Sheet]:
    for worksheet in root.iterfind(f"{_SS}Worksheet"):
        visible = worksheet.findtext(f"{_X}WorksheetOptions/{_X}Visible", "SheetVisible").strip()
        table = worksheet.find(f"{_SS}Table")
        rows = [] if table is None else list(_placed(table, "Row", MAX_ROW))
        columns = [] if table is None else list(_placed(table, "Column", MAX_COLUMN))
        yield Sheet(
            worksheet.get(f"{_SS}Name", ""),
            _lines(rows, formats),
            hidden=visible != "SheetVisible",
            merges=[merge for number, row in rows for merge in _merges(number, row)],
            hidden_columns=frozenset(
                place - 1
                for first, column in columns
                if is_true(column.get(f"{_SS}Hidden"))
                for place in range(first, first + 1 + _count(column, "Span", MAX_COLUMN))
            ),
        )


def _placed(parent: Element, kind: str, limit: int) -> Iterator[tuple[int, Element]]:
    """Yield the rows or columns of a table, or the cells of a row, each with its place from 1."""
    before = {"Row": "TopCell", "Column": "LeftCell"}.get(kind)
    place = _count(parent, before, limit) - 1 if before and parent.get(_SS + before) else 0
    for element in parent.iterfind(_SS + kind):
        index = _count(element, "Index", limit) or place + 1
        if index <= place or index > limit:
            raise FileRefused("FILE_CORRUPT", {"found": f"{kind} {index}"})
        yield index, element
        place = index + _count(element, "MergeAcross" if kind == "Cell" else "Span", limit)


def _count(element: Element, name: str, limit: int) -> int:
    """Return an attribute's number, 0 where there is none."""
    text = element.get(_SS + name, "0")
    number = whole(text, limit)
    if number is None:
        raise FileRefused("FILE_CORRUPT", {"found": f"{name} {text[:20]}"})
    return number


def _merges(number: int, row: Element) -> Iterator[Merge]:
    for column, cell in _placed(row, "Cell", MAX_COLUMN):
        across, down = _count(cell, "MergeAcross", MAX_COLUMN), _count(cell, "MergeDown", MAX_ROW)
        if across or down:
            yield Merge(number, number + down, column - 1, column - 1 + across)


def _lines(rows: list[tuple[int, Element]], formats: dict[str, Format]) -> Iterator[Line]:
    for number, row in rows:
        cells = {}
        for column, element in _placed(row, "Cell", MAX_COLUMN):
            try:
                cell = _cell(element, formats.get(element.get(f"{_SS}StyleID", ""), GENERAL))
            except (ValueError, OverflowError):
                raise FileRefused("FILE_CORRUPT", {"found": f"cell {letters(column - 1)}{number}"}) from None
            if cell is not None:
                if len(cell.shown) > MAX_TEXT:
                    raise text_over(column - 1, number, len(cell.shown))
                cells[column - 1] = cell
        if cells:
            yield Line(number, cells, is_true(row.get(f"{_SS}Hidden")))


def _cell(element: Element, style: Format) -> RawCell | None:
    """Return a cell by the type of its data; None if it is empty."""
    data = element.find(f"{_SS}Data")
    text = "" if data is None else "".join(data.itertext())
    if data is None or not text:
        computed = data is not None or element.get(f"{_SS}Formula") is None
        return None if computed else RawCell(CellKind.NO_VALUE, None, "")
    match data.get(f"{_SS}Type"):
        case "Number":
            text = text.strip()
            value = int(text) if _WHOLE.fullmatch(text) else float(text)
            if not isfinite(value):
                raise ValueError
            return styled_number(value, style._replace(is_date=False), EPOCH_1900)
        case "DateTime":
            return date_cell(datetime.fromisoformat(text.strip()))
        case "Boolean":
            return RawCell(CellKind.BOOL, text.strip() == "1", "TRUE" if text.strip() == "1" else "FALSE")
        case "Error":
            return RawCell(CellKind.ERROR, text, text)
        case _:
            return text_cell(text)
