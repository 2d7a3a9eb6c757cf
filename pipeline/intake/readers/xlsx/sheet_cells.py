"""Sheets of an .xlsx and their shared strings, one row element after another: each cell with its own type.

Why not a library (all measured): calamine gives errors, formulas without a value
and empty cells alike, gives no hidden row or number format, and holds the whole rectangle of a sheet: one stray
cell at XFD1048576 aborts the process. openpyxl needs twice the time. Both are this module's oracles in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from math import isfinite
from xml.etree.ElementTree import Element

from pipeline.domain.roster import CellKind
from pipeline.errors import FileRefused
from pipeline.intake.readers.model import (
    MAX_ROW,
    MAX_TEXT,
    Line,
    RawCell,
    date_cell,
    format_column,
    make_damage_refusal,
    make_danger_refusal,
    make_text_refusal,
    parse_column,
    text_cell,
    truth_cell,
)
from pipeline.intake.readers.xlsx.package import Package
from pipeline.intake.readers.xlsx.pictures import CellPictures
from pipeline.intake.readers.xlsx.styles import GENERAL, Format, styled_number

_WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[Ee][+-]?[0-9]{1,4})?")
_DIGITS = "0123456789"
_LONGEST_NUMBER = 20  # digits of a row's number; Python makes no number of thousands of them
_MAX_STRINGS = 5_000_000
MAX_WRITTEN = 8 * MAX_TEXT  # characters of a text in the file: one that is escaped takes seven
# ST_Xstring, ECMA-376 part 1 §22.9.2.19; half a surrogate pair is no character and stays as written
_ESCAPED = re.compile(r"_x(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4})_")


class SheetReader:
    """Makes lines of the row elements of a sheet.

    Without ``pictures`` a cell that holds one is what it is to a program that knows none: a formula, an error.
    """

    def __init__(
        self,
        part: str,
        *,
        strings: Sequence[str],
        formats: Sequence[Format],
        epoch: datetime,
        pictures: CellPictures | None,
    ) -> None:
        self._part = part
        self._strings, self._formats, self._epoch, self._pictures = strings, formats, epoch, pictures
        self._namespace = ""  # of the elements, in braces
        self._row, self._hidden, self._column = 0, False, -1
        self._cells: dict[int, RawCell] = {}
        self._masters: dict[str, str] = {}  # formulas by what they are shared under

    def read_lines(self, package: Package) -> Iterator[Line]:
        """Yield the lines of a sheet that hold something, in their order, while the part is unpacked."""
        for parent, elements in package.take_elements(self._part, depth=2):
            if elements[0].tag.endswith("sheetData"):
                break  # formats, validations and extensions follow: nothing of ours
            if parent.tag.endswith("sheetData"):
                self._namespace = parent.tag.removesuffix("sheetData")
                for element in elements:
                    if element.tag == f"{self._namespace}row":
                        yield from self._read_row(element)
        yield from self._end_row()

    def _read_row(self, element: Element) -> Iterator[Line]:
        """Take the cells of a row; yield the line before it."""
        number = element.get("r", "")
        row = self._row + 1
        if number.isdecimal():
            row = int(number) if len(number) < _LONGEST_NUMBER else MAX_ROW + 1
        is_hidden = element.get("hidden") in ("1", "true")
        is_continued = 0 < row == self._row  # some writers put each cell into an element of its own
        if is_continued:
            self._hidden |= is_hidden
        elif not self._row < row <= MAX_ROW:
            raise make_damage_refusal("file.row_order", row=row, before=self._row)
        else:
            yield from self._end_row()
            self._row, self._hidden, self._column, self._cells = row, is_hidden, -1, {}
        tag, value = f"{self._namespace}c", f"{self._namespace}v"
        cells, column = self._cells, self._column
        for cell in element:
            if cell.tag != tag:
                continue
            reference = cell.get("r")
            try:
                before = column
                column = parse_column(reference.rstrip(_DIGITS)) if reference else column + 1
                # twice, but for one that was empty first; out of order; or of an unknown row
                if column < before or column in cells or (is_continued and not reference):
                    raise ValueError
                self._column = column
                if len(cell) == 1 and cell.get("t") == "s" and cell[0].tag == value and cell[0].text:
                    text = self._get_string(int(get_text(cell[0])))
                    read = RawCell(CellKind.TEXT, text, text) if text else None
                else:
                    read = self._read_cell(cell) if len(cell) else None
            except (ValueError, IndexError, OverflowError):
                raise make_damage_refusal("file.cell", cell=reference or self._row) from None
            if read is not None:
                cells[column] = read

    def _end_row(self) -> Iterator[Line]:
        if self._cells:
            yield Line(self._row, self._cells, self._hidden)

    def _read_cell(self, cell: Element) -> RawCell | None:
        """Return the cell by its type attribute (ST_CellType, ECMA-376 part 1 §18.18.11), None if it is empty."""
        kind = cell.get("t", "n")
        text, formula = self._read_children(cell, kind)
        shared = self._get_string(int(text)) if kind == "s" and text else None
        if self._pictures is not None and (formula or kind in ("e", "str")):
            picture = self._read_picture(self._pictures, cell, formula, text if shared is None else shared)
            if picture is not None:
                return picture
        if shared is not None:
            return text_cell(shared) if shared else None
        if not text and not (text == "" and kind in ("str", "inlineStr")):
            # no value: only a formula makes the cell something; one that gave an empty text was computed
            return None if formula is None else RawCell(CellKind.NO_VALUE, None, "")
        return self._read_typed(cell, kind, text) if text else None

    def _read_children(self, cell: Element, kind: str) -> tuple[str | None, str | None]:
        """Return the value and the formula of a cell as they are written; None for one that is not there."""
        text: str | None = None
        formula: str | None = None
        for child in cell:
            name = child.tag.removeprefix(self._namespace)
            if name == "v":
                if kind != "inlineStr" or text is None:  # a value beside an inline string does not count
                    text = get_text(child)
            elif name == "f":
                formula = self._get_formula(child)
            elif name == "is":
                before = "" if text is None or kind == "inlineStr" else text
                text = before + join_runs(child, self._namespace)
            elif name == "t":
                text = (text or "") + get_text(child)
        if text is not None and len(text) > MAX_WRITTEN:
            raise make_text_refusal(self._column, self._row, len(text))
        return text, formula

    def _get_formula(self, element: Element) -> str:
        """Return the formula for the sake of pictures; one that is shared is written with the first of its cells."""
        text = element.text or ""
        if len(text) > MAX_WRITTEN:
            raise make_text_refusal(self._column, self._row, len(text))
        if self._pictures is None:
            return ""
        key = element.get("si") if element.get("t") == "shared" else None
        if key is not None and CellPictures.calls_picture(text):
            self._masters.setdefault(key, text)
        return text or self._masters.get(key or "", "")

    def _get_string(self, position: int) -> str:
        if position < 0:
            raise IndexError
        return self._strings[position]

    def _read_picture(
        self, pictures: CellPictures, cell: Element, formula: str | None, text: str | None
    ) -> RawCell | None:
        """Return the picture that the cell holds by its formula or its rich value."""
        position = (format_column(self._column), self._row)
        finding = pictures.by_formula(formula or "", text or "", *position)
        value = cell.get("vm")
        if finding is None and cell.get("t") == "e" and value is not None:
            return pictures.by_value(value, *position)
        return finding

    def _read_typed(self, cell: Element, kind: str, text: str) -> RawCell:
        match kind:
            case "str" | "inlineStr":
                text = unescape_text(text)
                if len(text) > MAX_TEXT:
                    raise make_text_refusal(self._column, self._row, len(text))
                return text_cell(text)
            case "b":
                return truth_cell(text.strip() in ("1", "true"))
            case "e":
                return RawCell(CellKind.ERROR, text, text)
            case "d":
                return _iso_date(text.strip())
            case _:
                return self._read_number(text.strip(), int(cell.get("s") or 0))

    def _read_number(self, text: str, style: int) -> RawCell:
        """Return the number as exactly as it is written: 18 digits stay 18 digits. NaN and infinity are an error."""
        if _WHOLE.fullmatch(text):
            value: float = int(text)
        else:
            value = float(text)  # ValueError for words, but for those of NaN and infinity
            if isfinite(value) and not _DECIMAL.fullmatch(text):
                raise ValueError
        if style < 0:
            raise IndexError
        is_there = style < len(self._formats)  # a style that is not there changes nothing
        return styled_number(value, self._formats[style] if is_there else GENERAL, self._epoch)


def _iso_date(text: str) -> RawCell:
    """Return the date of a cell of type ``d``; what is none, a duration say, is a text."""
    try:
        return date_cell(datetime.fromisoformat(text).replace(tzinfo=None))
    except ValueError:
        return text_cell(text)


def read_shared_strings(package: Package, part: str) -> list[str]:
    """Return the texts that cells of type ``s`` refer to, by their place."""
    strings: list[str] = []
    for parent, elements in package.take_elements(part, depth=1):
        namespace = parent.tag.removesuffix("sst")
        items = [element for element in elements if element.tag == f"{namespace}si"]
        try:
            strings += [_read_string(join_runs(item, namespace), part) for item in items]
        except ValueError as error:
            raise FileRefused("FILE_CORRUPT", {"found": f"XML: {part}"}) from error
        if len(strings) > _MAX_STRINGS:
            finding, limit = f"{part}: > {_MAX_STRINGS}", str(_MAX_STRINGS)
            raise FileRefused("FILE_TOO_LARGE", {"found": finding, "limit": limit})
    return strings


def _read_string(written: str, part: str) -> str:
    string = unescape_text(written)
    for length, limit in ((len(written), MAX_WRITTEN), (len(string), MAX_TEXT)):
        if length > limit:
            raise make_danger_refusal("file.cell_too_long", cell=part, length=length)
    return string


def join_runs(element: Element, namespace: str) -> str:
    """Return the text of an element, plain or in runs; phonetic hints are none. ValueError for a part that is no text."""
    text = ""
    for child in element:
        name = child.tag.removeprefix(namespace)
        if name == "t":
            text += get_text(child)
        elif name != "rPh":
            text += "".join(map(get_text, child.iter(f"{namespace}t")))
    return text


def get_text(element: Element) -> str:
    """Return the whole text of an element; ValueError where another one stands in it, and cuts the text in two."""
    if len(element):
        raise ValueError
    return element.text or ""


def unescape_text(text: str) -> str:
    return _ESCAPED.sub(lambda finding: chr(int(finding[1], 16)), text) if "_x" in text else text
