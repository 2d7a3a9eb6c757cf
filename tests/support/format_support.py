"""One small workbook, written in every format that is read."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from html import escape

import openpyxl
import xlwt

from pipeline.errors import FileRefused
from pipeline.intake.read_rosters import read_rosters
from pipeline.intake.readers import rare_formats
from pipeline.intake.readers.child import html, xls, xml2003
from pipeline.intake.readers.child.program import Task, do_task
from pipeline.intake.readers.compound_files import OLE_MAGIC, Compound


@dataclass(frozen=True)
class Number:
    value: float
    pattern: str = "General"


@dataclass(frozen=True)
class Error:
    text: str = "#N/A"


class Uncomputed:
    """A formula that no program has computed."""


@dataclass(frozen=True)
class Page:
    """A sheet: cells by row as Excel shows it and column from 0; merges are top, bottom, left, right like a Merge."""

    name: str
    cells: dict[int, dict[int, object]]
    is_hidden: bool = False
    merges: tuple[tuple[int, int, int, int], ...] = ()
    hidden_rows: frozenset[int] = frozenset()
    hidden_columns: frozenset[int] = field(default_factory=frozenset)

    @property
    def last_row(self) -> int:
        return max(self.cells, default=0)


ERROR_CODES = {"#N/A": 0x2A, "#REF!": 0x17}


def write_xlsx(*pages: Page) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for page in pages:
        sheet = book.create_sheet(page.name)
        sheet.sheet_state = "hidden" if page.is_hidden else "visible"
        for row, cells in page.cells.items():
            for column, value in cells.items():
                cell = sheet.cell(row, column + 1)
                if isinstance(value, Number):
                    cell.value, cell.number_format = value.value, value.pattern
                elif isinstance(value, Error | Uncomputed):
                    cell.value = value.text if isinstance(value, Error) else "=A1&A1"
                else:
                    cell.value = value
                    cell.data_type = "s" if isinstance(value, str) else cell.data_type
        for top, bottom, merge, right in page.merges:
            sheet.merge_cells(start_row=top, end_row=bottom, start_column=merge + 1, end_column=right + 1)
        for row in page.hidden_rows:
            sheet.row_dimensions[row].hidden = True
        for column in page.hidden_columns:
            sheet.column_dimensions[openpyxl.utils.get_column_letter(column + 1)].hidden = True
    return _saved(book)


def write_xls(*pages: Page) -> bytes:
    book = xlwt.Workbook(encoding="utf-8")
    for page in pages:
        sheet = book.add_sheet(page.name, cell_overwrite_ok=True)
        sheet.visibility = int(page.is_hidden)
        for row, cells in page.cells.items():
            for column, value in cells.items():
                _write_xls_cell(sheet, row - 1, column, value)
        for top, bottom, merge, right in page.merges:
            sheet.merge(top - 1, bottom - 1, merge, right)
        for row in page.hidden_rows:
            sheet.row(row - 1).hidden = True
        for column in page.hidden_columns:
            sheet.col(column).hidden = True
    return _saved(book)


def _write_xls_cell(sheet, row: int, column: int, value: object) -> None:
    if isinstance(value, Error):
        sheet.row(row).set_cell_error(column, ERROR_CODES[value.text])
    elif isinstance(value, Uncomputed):
        sheet.write(row, column, xlwt.Formula("A1&A1"))
    elif isinstance(value, Number):
        sheet.write(row, column, value.value, xlwt.easyxf(num_format_str=value.pattern))
    elif isinstance(value, date):
        sheet.write(row, column, value, xlwt.easyxf(num_format_str="yyyy-mm-dd"))
    else:
        sheet.write(row, column, value)


XML2003_HEAD = '<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>'


def pack_xml2003(worksheets: str, *, head: str = XML2003_HEAD, styles: str = "") -> bytes:
    uri = "urn:schemas-microsoft-com:office:spreadsheet"
    office = "urn:schemas-microsoft-com:office:excel"
    return (
        f'{head}<Workbook xmlns="{uri}" xmlns:ss="{uri}" xmlns:x="{office}" xmlns:html="http://www.w3.org/TR/REC-html40">'
        f"<Styles>{styles}</Styles>{worksheets}</Workbook>"
    ).encode()


def write_xml2003(*pages: Page) -> bytes:
    styles = '<Style ss:ID="z"><NumberFormat ss:Format="0000"/></Style>'
    worksheets = ""
    for page in pages:
        corners = {(top, merge): (bottom - top, right - merge) for top, bottom, merge, right in page.merges}
        rows = "".join(
            f'<Column ss:Index="{column + 1}" ss:Hidden="1"/>' for column in sorted(page.hidden_columns)
        )
        for row, cells in page.cells.items():
            hidden = ' ss:Hidden="1"' if row in page.hidden_rows else ""
            inside = "".join(
                _xml2003_cell(column, value, corners.get((row, column))) for column, value in cells.items()
            )
            rows += f'<Row ss:Index="{row}"{hidden}>{inside}</Row>'
        options = ""
        if page.is_hidden:
            options = "<x:WorksheetOptions><x:Visible>SheetHidden</x:Visible></x:WorksheetOptions>"
        worksheets += f'<Worksheet ss:Name="{page.name}"><Table>{rows}</Table>{options}</Worksheet>'
    return pack_xml2003(worksheets, styles=styles)


def _xml2003_cell(column: int, value: object, extent: tuple[int, int] | None) -> str:
    attributes = f' ss:Index="{column + 1}"'
    if extent:
        attributes += f' ss:MergeDown="{extent[0]}" ss:MergeAcross="{extent[1]}"'
    if isinstance(value, Uncomputed):
        return f'<Cell{attributes} ss:Formula="=RC[-1]"/>'
    kind, text = "String", value
    if isinstance(value, Error):
        kind, text = "Error", value.text
    elif isinstance(value, Number):
        kind, text = "Number", value.value
        attributes += ' ss:StyleID="z"' if value.pattern == "0000" else ""
    elif isinstance(value, bool):
        kind, text = "Boolean", int(value)
    elif isinstance(value, date):
        kind, text = "DateTime", f"{value}T00:00:00.000"
    return f'<Cell{attributes}><Data ss:Type="{kind}">{escape(str(text))}</Data></Cell>'


def write_html(page: Page) -> bytes:
    spans = {(top, merge): (bottom - top + 1, right - merge + 1) for top, bottom, merge, right in page.merges}
    covered = {
        (row, column)
        for top, bottom, merge, right in page.merges
        for row in range(top, bottom + 1)
        for column in range(merge, right + 1)
    }
    rows = ""
    for row in range(1, page.last_row + 1):
        hidden = ' style="display:none"' if row in page.hidden_rows else ""
        cells = "".join(
            _html_cell(page.cells.get(row, {}).get(column), spans.get((row, column)))
            for column in range(9)
            if (row, column) in spans or (row, column) not in covered
        )
        rows += f"<tr{hidden}>{cells}</tr>"
    return f"<html><body><table>{rows}</table></body></html>".encode()


def _html_cell(value: object, span: tuple[int, int] | None) -> str:
    attributes = f" rowspan={span[0]} colspan={span[1]}" if span else ""
    shown = "" if value is None else str(value)
    if isinstance(value, Error):
        shown = value.text
        attributes += f' x:err="{value.text}"'
    elif isinstance(value, Number):
        shown = f"{value.value:04}" if value.pattern == "0000" else str(value.value)
        attributes += f' x:num="{value.value}"'
    return f"<td{attributes}>{escape(shown).replace('  ', '&nbsp; ').replace(chr(10), '<br>')}</td>"


WRITERS: dict[str, Callable[..., bytes]] = {
    "xlsx": write_xlsx,
    "xls": write_xls,
    "xml": write_xml2003,
    "html": write_html,
}


def _saved(book) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


READERS = {"xls": xls, "html": html, "xml2003": xml2003}


def read_here(kind: str, data: bytes):
    """Return what the reader of the child process makes of a file, without the process: notes, and sheets with lines."""
    if data.startswith(OLE_MAGIC):
        data = Compound(data).read_workbook()
    book = READERS[kind].read(data)
    return book.notes, [(sheet, list(sheet.lines)) for sheet in book.sheets]


def run_in_this_process(function: Callable[[], object]) -> object:
    """Do a task as the child process does, in place of `rare_formats.run_in_child`."""
    result = do_task(Task(function, rare_formats.MAX_MEMORY, rare_formats.MAX_SECONDS))
    if isinstance(result, FileRefused):
        raise result
    return result


def list_cells(kind: str, data: bytes) -> dict[tuple[int, int], tuple[str, object, str]]:
    """Return (row, column) -> kind, value and shown text of the cells of the first sheet that holds something."""
    _, sheets = read_here(kind, data)
    lines = next((lines for _, lines in sheets if lines), [])
    return {
        (line.number, column): (cell.kind.value, cell.value, cell.display_text)
        for line in lines
        for column, cell in line.cells.items()
    }


def shown(kind: str, data: bytes) -> list[str]:
    """Return the texts that the cells of the first sheet show."""
    return [text for _, _, text in list_cells(kind, data).values()]


def read_file(tmp_path, data: bytes):
    """Return the rows and the report of a roster file; its name is that of an old workbook."""
    (tmp_path / "a.xls").write_bytes(data)
    rows, (report,) = read_rosters([tmp_path / "a.xls"])
    return rows, report
