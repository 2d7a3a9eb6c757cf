"""Workbooks of before 2007 (.xls, .et) as xlwt writes them, and OpenDocument sheets made by hand."""

import io
import zipfile
from xml.sax.saxutils import escape, quoteattr

import xlwt
from generated_rosters.truth import FilePlan, SheetPlan
from generated_rosters.values import Day, Err, Flag, Formula, Num, Value, shown

ERRORS = {"#VALUE!": 0x0F, "#REF!": 0x17, "#N/A": 0x2A}
VISIBILITY = {"visible": 0, "hidden": 1, "veryHidden": 2}


def write_xls(file: FilePlan) -> bytes:
    """Return a BIFF8 workbook and set every line's row number."""
    book = xlwt.Workbook(encoding="utf-8")
    styles: dict[str, xlwt.XFStyle] = {}
    for plan in file.sheets:
        sheet = book.add_sheet(plan.name, cell_overwrite_ok=True)
        sheet.visibility = VISIBILITY[plan.state]
        number = 0
        for _, cells in plan.header:
            _xls_cells(sheet, number, cells, styles)
            number += 1
        for line in plan.lines:
            line.physical_lines = (number + 1, number + 1)
            _xls_cells(sheet, number, line.cells, styles)
            if line.row is not None and line.row.hidden:
                sheet.row(number).hidden = True
            number += 1
        for first, merge, last, right in plan.merges:
            sheet.merge(first - 1, last - 1, merge, right)
    book.active_sheet = next(index for index, plan in enumerate(file.sheets) if plan.state == "visible")
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _xls_cells(sheet, number: int, cells, styles: dict[str, xlwt.XFStyle]) -> None:
    for column, value in enumerate(cells):
        if value is not None:
            _xls_put(sheet, number, column, value, styles)


def _xls_put(sheet, row: int, column: int, value: Value, styles: dict[str, xlwt.XFStyle]) -> None:
    if isinstance(value, Err):
        sheet.row(row).set_cell_error(column, ERRORS[value.text])
        return
    form = "@" if isinstance(value, str) else "General"
    content: object = value
    if isinstance(value, Num):
        form, content = value.form or form, value.value
    elif isinstance(value, Day):
        form, content = "YYYY-MM-DD", value.day
    elif isinstance(value, Flag):
        content = value.value
    if form not in styles:
        styles[form] = xlwt.easyxf(num_format_str=form)
    sheet.write(row, column, content, styles[form])


_SPACES = {
    "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
    "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
    "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
    "style": "urn:oasis:names:tc:opendocument:xmlns:style:1.0",
    "of": "urn:oasis:names:tc:opendocument:xmlns:of:1.2",
    "calcext": "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0",
}
_MANIFEST = (
    '<?xml version="1.0" encoding="UTF-8"?><manifest:manifest xmlns:manifest='
    '"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" manifest:version="1.3">'
    '<manifest:file-entry manifest:full-path="/" manifest:media-type="{0}"/>'
    '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>'
)
_ODS = "application/vnd.oasis.opendocument.spreadsheet"
_STYLES = (
    '<office:automatic-styles><style:style style:name="tv" style:family="table"><style:table-properties table:display='
    '"true"/></style:style><style:style style:name="th" style:family="table"><style:table-properties table:display='
    '"false"/></style:style></office:automatic-styles>'
)


def write_ods(file: FilePlan) -> bytes:
    """Return an OpenDocument spreadsheet and set every line's row number."""
    tables = "".join(_ods_table(plan) for plan in file.sheets)
    spaces = " ".join(f'xmlns:{name}="{uri}"' for name, uri in _SPACES.items())
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {spaces} office:version="1.3">{_STYLES}'
        f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>"
    )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("mimetype", _ODS, zipfile.ZIP_STORED)
        book.writestr("META-INF/manifest.xml", _MANIFEST.format(_ODS))
        book.writestr("content.xml", content)
    return stream.getvalue()


def _ods_table(plan: SheetPlan) -> str:
    covered, spans = set(), {}
    for first, merge, last, right in plan.merges:
        spans[first, merge] = (last - first + 1, right - merge + 1)
        area = {(line, column) for line in range(first, last + 1) for column in range(merge, right + 1)}
        covered |= area - {(first, merge)}
    width = len(plan.columns)
    rows, number = [], 0
    for _, cells in plan.header:
        number += 1
        rows.append(_ods_row(number, cells, width, covered, spans))
    blank = 0
    for line in plan.lines:
        number += 1
        line.physical_lines = (number, number)
        if line.row is None and not any(line.cells):
            blank += 1  # a stretch of empty lines is one element
            continue
        if blank:
            rows.append(_ods_gap(blank, width))
            blank = 0
        hidden = line.row is not None and line.row.hidden
        rows.append(_ods_row(number, line.cells, width, covered, spans, hidden=hidden))
    style = "tv" if plan.state == "visible" else "th"
    rows.append(_ods_gap(1_048_576 - number, width))  # LibreOffice fills every sheet up
    return f'<table:table table:name={quoteattr(plan.name or "")} table:style-name="{style}">{"".join(rows)}</table:table>'


def _ods_gap(lines: int, width: int) -> str:
    cell = f'<table:table-cell table:number-columns-repeated="{width}"/>'
    return f'<table:table-row table:number-rows-repeated="{lines}">{cell}</table:table-row>'


def _ods_row(number, cells, width, covered, spans, *, hidden: bool = False) -> str:
    made = []
    for column in range(width):
        value = cells[column] if column < len(cells) else None
        if (number, column) in covered:
            made.append("<table:covered-table-cell/>")
            continue
        span = spans.get((number, column))
        extent = (
            f' table:number-rows-spanned="{span[0]}" table:number-columns-spanned="{span[1]}"' if span else ""
        )
        made.append(_ods_cell(value, extent))
    made.append('<table:table-cell table:number-columns-repeated="1000"/>')
    visibility = ' table:visibility="collapse"' if hidden else ""
    return f"<table:table-row{visibility}>{''.join(made)}</table:table-row>"


def _ods_cell(value: Value, extent: str) -> str:
    if value is None:
        return f"<table:table-cell{extent}/>"
    kind = 'office:value-type="string"'
    text = shown(value)
    if isinstance(value, Num):
        kind = f'office:value-type="float" office:value="{value.value!r}"'
    elif isinstance(value, Day):
        kind = f'office:value-type="date" office:date-value="{value.day.isoformat()}"'
    elif isinstance(value, Flag):
        kind = f'office:value-type="boolean" office:boolean-value="{str(value.value).lower()}"'
    elif isinstance(value, Formula):
        kind = f"table:formula={quoteattr(f'of:={value.text}')} {kind}"
        if isinstance(value.cached, float):
            kind = f'table:formula={quoteattr(f"of:={value.text}")} office:value-type="float" office:value="{value.cached!r}"'
    elif isinstance(value, Err):
        kind = f'table:formula="of:=NA()" {kind} office:string-value="" calcext:value-type="error"'
    return f"<table:table-cell{extent} {kind}>{_ods_text(text)}</table:table-cell>"


def _ods_text(text: str) -> str:
    """Return paragraphs in which white space survives."""
    return "".join(f"<text:p>{_ods_spaces(line)}</text:p>" for line in text.split("\n"))


def _ods_spaces(text: str) -> str:
    return escape(text).replace("\t", "<text:tab/>").replace(" ", "<text:s/>")
