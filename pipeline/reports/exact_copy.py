"""Saves a copy of a workbook with what openpyxl would write otherwise than the file has it: cells, shapes of notes."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from openpyxl.comments.shape_writer import excelns, vmlns
from openpyxl.utils import get_column_letter
from openpyxl.xml.functions import SubElement, fromstring, tostring

from pipeline.domain.exact_sheet import ExactSheet
from pipeline.errors import NotCopied
from pipeline.messages.texts import make_text

# the stubs of openpyxl lack properties
Book = Any
Element = Any
_TARGET_CELL = re.compile(
    r'<c r="([A-Z]+[0-9]+)"((?: s="[0-9]+")?)(?: t="[a-zA-Z]+")?(?: ?/>|>.*?</c>)', re.DOTALL
)


def size_notes(book: Book, exact_sheets: Sequence[ExactSheet]) -> None:
    """Give the notes of a workbook the sizes that they have in its file: openpyxl does not read them."""
    for sheet, exact in zip(book.worksheets, exact_sheets, strict=True):
        for cell in sheet._cells.values() if exact.notes else ():  # noqa: SLF001  other ways make cells
            shape = exact.notes.get(cell.coordinate) if cell.comment else None
            if shape is not None:
                cell.comment.width, cell.comment.height = shape.width, shape.height


def save_exactly(
    book: Book,
    target: Path,
    exact_sheets: Sequence[ExactSheet],
    *,
    written: Mapping[str, Collection[str]],
    noted: Mapping[str, Collection[str]],
) -> None:
    """Save a workbook; what the file has stays but in the cells that were written, and in the notes of ``noted`` cells."""
    saved = io.BytesIO()
    book.save(saved)
    parts: dict[str, Callable[[bytes], bytes]] = {}
    for number, (sheet, exact) in enumerate(zip(book.worksheets, exact_sheets, strict=True), start=1):
        cells = _leave_out(exact.cells, written.get(sheet.title, ()))
        shown = {address: shape.anchor for address, shape in exact.notes.items() if shape.anchor}
        anchors = _leave_out(shown, noted.get(sheet.title, ()))
        if cells:
            parts[f"xl/worksheets/sheet{number}.xml"] = partial(_replace_cells, cells=cells)
        if anchors and sheet.legacy_drawing:
            parts[sheet.legacy_drawing] = partial(_show_notes, anchors=anchors)
    saved.seek(0)
    with zipfile.ZipFile(saved) as package, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as rewritten:
        for name in package.namelist():
            part = package.read(name)
            rewritten.writestr(name, parts[name](part) if name in parts else part)


def _leave_out(values: Mapping[str, str], addresses: Collection[str]) -> Mapping[str, str]:
    return {address: value for address, value in values.items() if address not in addresses}


def _replace_cells(part: bytes, cells: Mapping[str, str]) -> bytes:
    """Write the cells as the file has them."""
    replaced = 0

    def restore(written: re.Match[str]) -> str:
        nonlocal replaced
        exact = cells.get(written[1])
        if exact is None:
            return written[0]
        replaced += 1
        return f'<c r="{written[1]}"{written[2]}{exact}'

    xml = _TARGET_CELL.sub(restore, part.decode())
    if replaced != len(cells):
        raise NotCopied(make_text("copy.differs"))
    return xml.encode()


def _show_notes(part: bytes, anchors: Mapping[str, str]) -> bytes:
    """Show the notes that the file always shows, in their places."""
    root: Element = fromstring(part)
    for shape in root.iterfind(f"{{{vmlns}}}shape"):
        data = shape.find(f"{{{excelns}}}ClientData")
        row, column = (int(data.find(f"{{{excelns}}}{name}").text) for name in ("Row", "Column"))
        if anchor := anchors.get(f"{get_column_letter(column + 1)}{row + 1}"):
            shape.set("style", shape.get("style").replace("visibility:hidden", "visibility:visible"))
            SubElement(data, f"{{{excelns}}}Anchor").text = anchor
            SubElement(data, f"{{{excelns}}}Visible")
    rewritten: str | bytes = tostring(root)
    return rewritten.encode() if isinstance(rewritten, str) else rewritten
