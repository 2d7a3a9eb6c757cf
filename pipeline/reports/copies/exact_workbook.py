"""Opens a workbook with openpyxl and saves it so that all stays as its file has it but for the cells that were written.

What openpyxl would write otherwise than the file has it is put back (`pipeline.intake.readers.xlsx.copying` collects it).
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.cell.cell import MergedCell
from openpyxl.comments.shape_writer import excelns, vmlns
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.cell_range import CellRange
from openpyxl.xml.functions import SubElement, fromstring, tostring

from pipeline.domain.results_format import ExactSheet
from pipeline.errors import FormatsLost

# the stubs of openpyxl lack properties, and take styles and sizes for other types than they are
Book = Any
Sheet = Any
Cell = Any
Element = Any
# what openpyxl warns of and loses nothing by: values out of range are put back
_HARMLESS = ("Workbook contains no default style", "is marked as a date")
_RANGE = re.compile(r'<f [^>]*\bref="([A-Z0-9:$]+)"')  # of a formula that is that of several cells
_TARGET_CELL = re.compile(
    r'<c r="([A-Z]+[0-9]+)"((?: s="[0-9]+")?)(?: t="[a-zA-Z]+")?(?: ?/>|>.*?</c>)', re.DOTALL
)


@contextmanager
def open_workbook(data: bytes, exact_sheets: Sequence[ExactSheet], *, has_macros: bool) -> Iterator[Book]:
    """Open a workbook to write into it; a warning of openpyxl means that it drops something, an error that it is stricter than our reader.

    Raises FormatsLost for both.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            book = openpyxl.load_workbook(io.BytesIO(data), keep_vba=has_macros, rich_text=True)
        except Exception as error:
            raise FormatsLost from error
    try:
        for warning in caught:
            is_harmless = any(text in str(warning.message) for text in _HARMLESS)
            if issubclass(warning.category, UserWarning) and not is_harmless:
                raise FormatsLost
        _size_notes(book, exact_sheets)
        yield book
    finally:
        if book.vba_archive is not None:
            book.vba_archive.close()  # openpyxl leaves it to the garbage collector, where it may fail


def write_text_cell(
    data: bytes,
    exact_sheets: Sequence[ExactSheet],
    target: Path,
    *,
    sheet: str,
    address: str,
    text: str,
    has_macros: bool,
) -> None:
    """Write a workbook in which one cell holds another text, as a text. Raises FormatsLost where more would change."""
    with open_workbook(data, exact_sheets, has_macros=has_macros) as book:
        exact = exact_sheets[book.sheetnames.index(sheet)]
        cell = book[sheet][address]
        if isinstance(cell, MergedCell) or _is_in_formula_of_others(address, exact):
            raise FormatsLost
        cell.value = text or None
        cell.number_format = "@"
        if text:
            cell.data_type = "s"  # also where it begins with =
        save_exactly(book, target, exact_sheets, written={sheet: {address}}, noted={})


def _is_in_formula_of_others(address: str, exact: ExactSheet) -> bool:
    """Return whether a formula of several cells covers a cell: they would lose it."""
    matches = (_RANGE.search(xml) for xml in exact.cells.values())
    return any(address in CellRange(match[1]) for match in matches if match)


def _size_notes(book: Book, exact_sheets: Sequence[ExactSheet]) -> None:
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
        raise FormatsLost
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
