"""Looks at a workbook that is to be copied with openpyxl: what the copy would lose, and the cells to take over as they are.

openpyxl keeps sheets, styles, tables, comments, hyperlinks, plain validation and formatting rules. What it does not know
it drops in silence: such a workbook is not copied so. It also drops the computed values of formulas and the shapes of notes,
writes numbers with 16 digits and converts dates; these are collected here as they stand in the file, to be put back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.domain.results_format import ExactSheet, NoteShape
from pipeline.errors import FormatsLost, NotCopied
from pipeline.intake.readers.model import MAX_ROW, format_column, parse_column
from pipeline.intake.readers.xlsx.package import MEGABYTE, Package, make_parser, parse_whole
from pipeline.intake.readers.xlsx.pictures import get_relation
from pipeline.intake.readers.xlsx.sheet_cells import get_prefix
from pipeline.messages.catalogue import make_message

MAX_SHEETS = (
    40 * MEGABYTE
)  # of XML: openpyxl needs fifty times the memory for a sheet of empty formatted cells

# how XML writes what it cannot hold; `xml.sax.saxutils`, which has the same, imports urllib and ssl
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_IN_ATTRIBUTES = {**_IN_TEXT, ord('"'): "&quot;", ord("\n"): "&#10;", ord("\r"): "&#13;", ord("\t"): "&#9;"}

# parts by the kind of their relationship: kept, or without a meaning for people
_KEPT_PARTS = frozenset({
    "officeDocument", "core-properties", "extended-properties", "custom-properties", "thumbnail", "worksheet",
    "sharedStrings", "styles", "theme", "calcChain", "comments", "vmlDrawing", "table", "hyperlink", "printerSettings",
    "externalLink", "externalLinkPath", "customXml", "customXmlProps", "person", "vbaProject",
})  # fmt: skip
# what no copy may lose: pictures in cells, controls
_CELL_PICTURES = frozenset({"cellImage", "rdRichValue"})
_CONTROLS = frozenset({"control", "ctrlProp", "activeXControlBinary"})
# children of a worksheet; a child of another namespace or an extension of these is lost
_KEPT_ELEMENTS = frozenset({
    "sheetPr", "dimension", "sheetViews", "sheetFormatPr", "cols", "sheetData", "sheetCalcPr", "sheetProtection",
    "scenarios", "autoFilter", "sortState", "mergeCells", "phoneticPr", "conditionalFormatting", "dataValidations",
    "hyperlinks", "printOptions", "pageMargins", "pageSetup", "headerFooter", "rowBreaks", "colBreaks", "ignoredErrors",
    "legacyDrawing", "tableParts", "extLst",
})  # fmt: skip
_OBJECT = re.compile(rb"ObjectType\s*=\s*[\"'](?!Note[\"'])")  # anything in a VML drawing but a comment
_MAX_DRAWING = 20 * MEGABYTE
# notes are drawn in VML, which Excel writes with HTML in it, so that it need not be well-formed
_SHAPE = re.compile(r"<(?:\w+:)?shape\s([^<>]*)>")
_SHAPE_END = re.compile(r"</(?:\w+:)?shape>")
_SIDE = re.compile(r"[\"';\s](width|height)\s*:\s*([0-9]{1,4}(?:\.[0-9]+)?)(pt|px|in|cm|mm|pc)")
_NOTE_DATA = re.compile(r"<(?:\w+:)?(Row|Column|Anchor|Visible)\b[^<>]*>([^<]*)")
_PIXELS = {"px": 1, "pt": 96 / 72, "in": 96, "cm": 96 / 2.54, "mm": 96 / 25.4, "pc": 16}
_DIGITS = "0123456789"
_TEXTS = ("s", "inlineStr")  # cells that openpyxl writes as they are


def require_no_pictures(package: Package) -> None:
    """Raise NotCopied for a workbook with pictures or controls, which no copy may lose."""
    parts = [*_walk_relations(package, "")]
    kinds = {kind for kind, _ in parts}
    if kinds & _CELL_PICTURES:
        raise NotCopied(make_message("copy.cell_pictures"))
    if any(kind == "drawing" and package.get_related_part(part, "image") for kind, part in parts):
        raise NotCopied(make_message("copy.pictures"))
    drawings = [
        package.read_payload(part, _MAX_DRAWING) or b"" for kind, part in parts if kind == "vmlDrawing"
    ]
    if kinds & _CONTROLS or any(map(_OBJECT.search, drawings)):
        raise NotCopied(make_message("copy.controls"))


def collect_exact_sheets(package: Package) -> list[ExactSheet]:
    """Return of each sheet what is to be put back.

    Raises FormatsLost if openpyxl would lose something or the workbook is too large for it, FileRefused for a damaged one.
    """
    part = package.get_related_part("", "officeDocument") or ""
    _require_known_parts(package)
    relations = package.read_relations(part)
    sheets = [
        relations.get(get_relation(entry, "id") or "", ("", ""))[1]
        for entry in package.read_tree(part).iterfind("{*}sheets/{*}sheet")
    ]
    _require_no_hints(package, package.get_related_part(part, "sharedStrings"))
    budget = MAX_SHEETS
    exact_sheets: list[ExactSheet] = []
    for sheet in sheets:
        reader = _SheetReader(sheet)
        for chunk in package.parse_part(sheet, reader.parse):
            budget -= len(chunk)
            if budget < 0:
                raise FormatsLost
        exact_sheets.append(ExactSheet(reader.cells, dict(_list_notes(package, sheet))))
    return exact_sheets


def _list_notes(package: Package, sheet: str) -> Iterator[tuple[str, NoteShape]]:
    """Yield address and shape of each note of a sheet whose size is known."""
    part = package.get_related_part(sheet, "vmlDrawing")
    drawing = part and package.read_payload(part, _MAX_DRAWING)
    for content in _SHAPE_END.split((drawing or b"").decode("utf-8", "replace")):
        shape = _SHAPE.search(content)
        lengths = _SIDE.findall(shape[1] if shape else "")
        sides = {side: round(float(length) * _PIXELS[unit]) for side, length, unit in lengths}
        data: dict[str, str] = dict(_NOTE_DATA.findall(content))
        row, column = (parse_whole(data.get(name, "").strip(), MAX_ROW) for name in ("Row", "Column"))
        if len(sides) == 2 and row is not None and column is not None:
            anchor = data.get("Anchor") if "Visible" in data else None
            address = f"{format_column(column)}{row + 1}"
            yield address, NoteShape(sides["width"], sides["height"], anchor)


def _require_known_parts(package: Package) -> None:
    kinds = {kind for kind, _ in _walk_relations(package, "")}
    if not kinds <= _KEPT_PARTS or kinds >= {"vmlDrawing", "vbaProject"}:
        raise FormatsLost


def _walk_relations(package: Package, part: str) -> Iterator[tuple[str, str]]:
    """Yield kind and name of each part that is reached from a part."""
    waiting, seen = [part], {part}
    while waiting:
        for kind, target in package.read_relations(waiting.pop()).values():
            yield kind, target
            if target not in seen:
                seen.add(target)
                waiting.append(target)


def _require_no_hints(package: Package, strings: str | None) -> None:
    """Refuse texts with phonetic hints."""
    if strings is None:
        return
    with package.open(strings) as stream:
        before = b""
        while chunk := stream.read(MEGABYTE):
            if b"rPh" in before + chunk:
                raise FormatsLost
            before = chunk[-2:]


class _SheetReader:
    """Handlers for one worksheet."""

    def __init__(self, part: str) -> None:
        self.cells: dict[str, str] = {}
        self._depth = 0
        self._prefix = ""
        self._is_data = False
        self._row, self._column = 0, -1
        self._kind = self._address = ""
        self._formula: str | None = None
        self._value: str | None = None
        self._formula_tag = ""
        self._text: list[str] = []
        self._parser = make_parser(part)
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append

    def parse(self, chunk: bytes) -> None:
        """Parse the next bytes of the part; none end it."""
        self._parser.Parse(chunk, not chunk)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            self._prefix = get_prefix(tag)
        local = tag.removeprefix(self._prefix)
        if self._is_data:
            self._start_in_data(local, attributes)
        elif ":" in local or local == "ext" or (self._depth == 2 and local not in _KEPT_ELEMENTS):
            raise FormatsLost
        elif local == "sheetData":
            self._is_data = True

    def _start_in_data(self, local: str, attributes: dict[str, str]) -> None:
        if local == "c":
            reference = attributes.get("r", "")
            self._column = parse_column(reference.rstrip(_DIGITS)) if reference else self._column + 1
            self._address = f"{format_column(self._column)}{self._row}"
            self._kind = attributes.get("t", "n")
            self._formula = self._value = None
        elif local == "row":
            self._row = int(attributes.get("r", self._row + 1))
            self._column = -1
        elif local == "v":
            self._text.clear()
        elif local == "f":
            self._text.clear()
            written = "".join(
                f' {name}="{value.translate(_IN_ATTRIBUTES)}"' for name, value in attributes.items()
            )
            self._formula_tag = f"<f{written}>"
        elif ":" in local or local == "ext":
            raise FormatsLost

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if not self._is_data:
            return
        local = tag.removeprefix(self._prefix)
        if local == "v":
            self._value = "".join(self._text)
        elif local == "f":
            self._formula = f"{self._formula_tag}{''.join(self._text).translate(_IN_TEXT)}</f>"
        elif local == "c":
            self._end_cell()
        elif local == "sheetData":
            self._is_data = False

    def _end_cell(self) -> None:
        self._text.clear()
        if self._kind in _TEXTS or (self._formula is None and self._value is None):
            return
        value = "" if self._value is None else f"<v>{self._value.translate(_IN_TEXT)}</v>"
        self.cells[self._address] = f' t="{self._kind}">{self._formula or ""}{value}</c>'
