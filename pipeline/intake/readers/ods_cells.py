"""Cells of OpenDocument spreadsheets: their type and value from the attributes, the text a person sees from paragraphs.

OpenDocument 1.3 part 3, §19.385–§19.390 (office:value-type and its values), §6.1 (white space of paragraphs).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, time

from pipeline.domain.roster import CellKind
from pipeline.intake.readers.model import RawCell, date_cell, number_cell, text_cell

_NAMESPACES = {  # usual prefix -> namespace
    "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
    "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
    "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
    "style": "urn:oasis:names:tc:opendocument:xmlns:style:1.0",
    "draw": "urn:oasis:names:tc:opendocument:xmlns:drawing:1.0",
    "calcext": "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0",
}

# white space that counts, until the rest is folded; XML holds none of these characters
SPACE, TAB, BREAK = "\1", "\2", "\3"
_FOLDED = re.compile("[ \t\r\n]+")
_MEANT = str.maketrans({SPACE: " ", TAB: "\t", BREAK: "\n"})

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,5})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,40}", re.ASCII)
_PADDED = re.compile(r"([^\d.,+\-%]*)(\d{1,15})([^\d.,+\-%]*)", re.ASCII)
_TIME = re.compile(r"PT(\d{1,2})H(\d{1,2})M(\d{1,2})(?:[.,]\d+)?S", re.ASCII)
# what a formula shows in place of a value, in LibreOffice and Excel; type and text alone tell it in older files
SHOWN_ERROR = re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!|SPILL!|CALC!)|(?:Err|错误)[:：]\d{3}")


class Names:
    """The names of elements and attributes under the prefixes that a document declares."""

    def __init__(self, root: Mapping[str, str]) -> None:
        declared = {uri: name[6:] for name, uri in root.items() if name.startswith("xmlns:")}
        office, table, text, style, draw, calcext = (
            declared.get(uri, usual) + ":" for usual, uri in _NAMESPACES.items()
        )
        self.drawing = draw
        self.pictures = (f"{draw}frame", f"{draw}image")
        self.spreadsheet = f"{office}spreadsheet"
        self.style, self.style_name = f"{style}style", f"{style}name"
        self.table_properties, self.display = f"{style}table-properties", f"{table}display"
        self.table, self.name, self.styled = f"{table}table", f"{table}name", f"{table}style-name"
        self.column, self.columns = f"{table}table-column", f"{table}number-columns-repeated"
        self.row, self.rows = f"{table}table-row", f"{table}number-rows-repeated"
        self.groups = (f"{table}table-row-group", f"{table}table-column-group")
        self.visibility = f"{table}visibility"
        self.cell, self.covered = f"{table}table-cell", f"{table}covered-table-cell"
        self.wide, self.high = f"{table}number-columns-spanned", f"{table}number-rows-spanned"
        self.paragraph, self.space, self.count = f"{text}p", f"{text}s", f"{text}c"
        self.tab, self.line_break = f"{text}tab", f"{text}line-break"
        # what holds text or tables of its own: remarks, forms, copies, old versions, hints over characters
        self.apart = frozenset(
            [
                f"{office}annotation",
                f"{office}forms",
                f"{table}dde-links",
                f"{table}tracked-changes",
                f"{text}ruby-text",
            ]
        )
        self.type, self.formula = f"{office}value-type", f"{table}formula"
        self.extended_type = f"{calcext}value-type"
        self.value, self.string = f"{office}value", f"{office}string-value"
        self.date, self.time, self.boolean = (f"{office}{kind}-value" for kind in ("date", "time", "boolean"))


def paragraph(pieces: Sequence[str]) -> str:
    """Return a paragraph's text: white space of the file is one space or none, ``text:s`` and its kin count."""
    text = "".join(pieces)
    if not text.isalnum():  # nearly every one is
        text = _FOLDED.sub(" ", text).lstrip(" ").translate(_MEANT)
    return text


def cell_of(attributes: Mapping[str, str], names: Names, paragraphs: Sequence[str]) -> RawCell | None:
    """Return a cell by its attributes and the paragraphs it shows; None if it is empty.

    Raises ValueError where the value is not of its type.
    """
    kind = attributes.get(names.type)
    shown = "\n".join(paragraphs)
    formula = names.formula in attributes
    if attributes.get(names.extended_type) == "error" or (formula and SHOWN_ERROR.fullmatch(shown)):
        return RawCell(CellKind.ERROR, shown, shown or "#")
    cell = _typed(kind, attributes, names, shown) if kind else None
    if cell is None and shown:
        cell = text_cell(shown)
    if cell is None and formula and kind != "string" and not paragraphs:
        return RawCell(CellKind.NO_VALUE, None, "")  # one that shows an empty paragraph was computed
    return cell


def _typed(kind: str, attributes: Mapping[str, str], names: Names, shown: str) -> RawCell | None:
    """Return the cell of a type; None where the value is missing, or can only be told as it is shown."""
    match kind:
        case "float" | "percentage" | "currency":
            value = attributes.get(names.value)
            return None if value is None else _number(value.strip(), shown)
        case "date":
            return _date(attributes.get(names.date, ""))
        case "time":
            return _time(attributes.get(names.time, ""))
        case "boolean" if names.boolean in attributes:
            truth = attributes[names.boolean] == "true"
            return RawCell(CellKind.BOOL, truth, "TRUE" if truth else "FALSE")
        case "string":
            text = attributes.get(names.string)  # what is shown may have words of a format around it
            return text_cell(text) if text else None
        case _:
            return None


def _number(text: str, shown: str) -> RawCell:
    """Return a number with every digit as written, shown with the zeros and words of its format around it."""
    if not _NUMBER.fullmatch(text):
        raise ValueError
    value = int(text) if _WHOLE.fullmatch(text) else float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError
    padded = _PADDED.fullmatch(shown)
    if padded and int(padded[2]) == value:
        return RawCell(CellKind.NUMBER, value, shown)
    return number_cell(value)


def _date(text: str) -> RawCell | None:
    try:
        return date_cell(datetime.fromisoformat(text).replace(tzinfo=None))
    except ValueError:  # before the year 1, after 9999
        return None


def _time(text: str) -> RawCell | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    hour, minute, second = map(int, found.groups())
    try:
        return date_cell(time(hour, minute, second))
    except ValueError:  # a duration of a day and more
        return None
