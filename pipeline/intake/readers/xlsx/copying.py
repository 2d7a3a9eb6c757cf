"""Looks at a workbook that is to be copied with openpyxl: what the copy would lose, and the cells to take over as they are.

openpyxl keeps sheets, styles, tables, comments, hyperlinks, plain validation and formatting rules. What it does not know
it drops in silence: such a workbook is not copied so. It also drops the computed values of formulas and the shapes of notes,
writes numbers with 16 digits and converts dates; these are collected here as they stand in the file, to be put back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from pipeline.domain.results_format import ExactSheet, NoteShape
from pipeline.errors import FormatsLost, NotCopied
from pipeline.intake.guarded_zip import MEGABYTE
from pipeline.intake.readers.model import MAX_ROW, format_column, make_damage_refusal, parse_column
from pipeline.intake.readers.xlsx.package import Package, parse_whole
from pipeline.intake.readers.xlsx.pictures import get_relation
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
_XML = "{http://www.w3.org/XML/1998/namespace}"
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
    if sum(map(package.get_size, sheets)) > MAX_SHEETS:
        raise FormatsLost
    return [
        ExactSheet(dict(_list_exact_cells(package, sheet)), dict(_list_notes(package, sheet)))
        for sheet in sheets
    ]


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


def _list_exact_cells(package: Package, sheet: str) -> Iterator[tuple[str, str]]:
    """Yield address and XML of each cell that openpyxl would write otherwise; FormatsLost for elements it does not know."""
    row = 0
    for parent, elements in package.take_elements(sheet, depth=2):
        namespace, brace, above = parent.tag.rpartition("}")
        namespace += brace
        for element in elements:
            _require_known_names(element, namespace, is_child=above == "worksheet")
            if element.tag != f"{namespace}row":
                continue
            try:
                row = int(element.get("r", row + 1))
                yield from _list_cells_of_row(element, row, namespace)
            except ValueError as error:
                raise make_damage_refusal("file.row", row=row) from error


def _require_known_names(element: Element, namespace: str, *, is_child: bool) -> None:
    if is_child and element.tag.removeprefix(namespace) not in _KEPT_ELEMENTS:
        raise FormatsLost
    for inner in element.iter():
        if not inner.tag.startswith(namespace) or inner.tag == f"{namespace}ext":
            raise FormatsLost


def _list_cells_of_row(row: Element, number: int, namespace: str) -> Iterator[tuple[str, str]]:
    column = -1
    for cell in row.iterfind(f"{namespace}c"):
        reference = cell.get("r", "")
        column = parse_column(reference.rstrip(_DIGITS)) if reference else column + 1
        formula, value = cell.find(f"{namespace}f"), cell.find(f"{namespace}v")
        kind = cell.get("t", "n")
        if kind not in _TEXTS and (formula is not None or value is not None):
            yield (
                f"{format_column(column)}{number}",
                f' t="{kind}">{_write("f", formula)}{_write("v", value)}</c>',
            )


def _write(name: str, element: Element | None) -> str:
    """Return the XML of an element that holds nothing but text."""
    if element is None:
        return ""
    attributes = ""
    for name_written, value in element.items():
        key = name_written.replace(_XML, "xml:")
        if "{" in key:
            raise FormatsLost
        attributes += f' {key}="{value.translate(_IN_ATTRIBUTES)}"'
    return f"<{name}{attributes}>{(element.text or '').translate(_IN_TEXT)}</{name}>"
