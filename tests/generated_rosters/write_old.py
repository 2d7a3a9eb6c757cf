"""Workbooks of before 2007 (.xls, .et) as xlwt writes them."""

import io

import xlwt
from generated_rosters.truth import FilePlan
from generated_rosters.values import Day, Err, Flag, Num, Value

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
