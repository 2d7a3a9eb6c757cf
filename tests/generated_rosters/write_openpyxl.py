"""Workbooks as openpyxl writes them: formulas without values, exact integers, hidden rows, every kind of anchor."""

import io
import re
import zipfile
from collections.abc import Iterator

import openpyxl
from generated_rosters.truth import FilePlan, LinePlan, SheetPlan
from generated_rosters.values import Day, Err, Flag, Float, Formula, Num, Runs, Value
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.comments import Comment
from openpyxl.drawing.image import Image as Drawing
from openpyxl.drawing.spreadsheet_drawing import AbsoluteAnchor, AnchorMarker, OneCellAnchor, TwoCellAnchor
from openpyxl.drawing.xdr import XDRPoint2D, XDRPositiveSize2D
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

ROW = 508_000  # EMU: 40 points
COLUMN = 609_600  # EMU: 64 pixels, the width nobody set
WIDTH = 952_500
LINKED = "https://example.invalid/linked.png"
MACRO_TYPE = "application/vnd.ms-excel.sheet.macroEnabled.main+xml"


def write(file: FilePlan) -> bytes:
    """Return the workbook and set every line's row number."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    linked: list[int] = []
    drawings = 0
    for plan in file.sheets:
        sheet = book.create_sheet(plan.name)
        sheet.sheet_state = plan.state
        links = _fill(sheet, plan)
        drawings += bool(sheet._images)
        linked += [drawings * 1000 + link for link in links]
    book.active = next(index for index, plan in enumerate(file.sheets) if plan.state == "visible")
    stream = io.BytesIO()
    book.save(stream)
    data = stream.getvalue()
    if linked or file.options.get("macros"):
        data = _patched(data, linked, macros=bool(file.options.get("macros")))
    return data


def _fill(sheet, plan: SheetPlan) -> list[int]:
    """Write the lines; return the places of linked pictures among the sheet's own."""
    sheet.sheet_format.defaultRowHeight = 40
    sheet.sheet_format.customHeight = True
    links: list[int] = []
    for number, (_, cells) in enumerate(plan.header, start=1):
        _cells(sheet, number, cells)
    for number, line in enumerate(plan.lines, start=len(plan.header) + 1):
        line.physical_lines = (number, number)
        _cells(sheet, number, line.cells)
        if line.row is not None:
            links += _dress(sheet, number, plan, line)
    for first, merge, last, right in plan.merges:
        sheet.merge_cells(start_row=first, start_column=merge + 1, end_row=last, end_column=right + 1)
    _office(sheet, plan)
    if plan.wide:
        for number in (len(plan.header), len(plan.header) + len(plan.lines)):
            sheet.cell(number, 16_384).number_format = "@"  # somebody formatted the whole line
    for column in plan.hidden_columns:
        sheet.column_dimensions[get_column_letter(column + 1)].hidden = True
    return links


def _office(sheet, plan: SheetPlan) -> None:
    """Leave what people leave in sheets: a logo, a comment, panes, a filter, a list to choose from."""
    if plan.logo is not None:
        logo = Drawing(io.BytesIO(plan.logo))
        logo.anchor = OneCellAnchor(
            _from=_marker(len(plan.columns) // 2, 0), ext=XDRPositiveSize2D(WIDTH, ROW // 2)
        )
        sheet.add_image(logo)
    if len(plan.lines) > 5 and plan.status == "read":
        header = len(plan.header)
        sheet.freeze_panes = sheet.cell(header + 1, 3)
        sheet.auto_filter.ref = f"A{header}:{get_column_letter(len(plan.columns))}{header + len(plan.lines)}"
        sheet.cell(header, 2).comment = Comment("请按身份证填写，如 110101199003070732", "医务科")
        choice = DataValidation(type="list", formula1='"身份证,居民身份证"')
        sheet.add_data_validation(choice)
        choice.add(f"B{header + 1}:B{header + 40}")


def _dress(sheet, number: int, plan: SheetPlan, line: LinePlan) -> Iterator[int]:
    """Hide the line and lay its pictures over it; yield the places of linked ones."""
    row = line.row
    assert row is not None
    if row.hidden:
        sheet.row_dimensions[number].hidden = True
    for drawing in row.floats:
        if drawing.linked:
            yield len(sheet._images)
        sheet.add_image(_picture(drawing, number, plan, line.columns.index("picture")))


def _cells(sheet, number: int, cells) -> None:
    for column, value in enumerate(cells, start=1):
        if value is not None:
            _put(sheet.cell(number, column), value)


def _put(cell, value: Value) -> None:
    if isinstance(value, str):
        cell.value = value
        cell.data_type = "s"
        cell.number_format = "@"
    elif isinstance(value, Runs):
        cell.value = CellRichText(
            value.parts[0], *(TextBlock(InlineFont(b=True), part) for part in value.parts[1:])
        )
    elif isinstance(value, Num):
        cell.value = value.value
        cell.number_format = value.form or "General"
    elif isinstance(value, Formula):
        assert value.cached is None, "openpyxl writes no cached values"
        cell.value = f"={value.text}"
    elif isinstance(value, Err):
        cell.value = value.text
        cell.data_type = "e"
    elif isinstance(value, Day):
        cell.value = value.day
    elif isinstance(value, Flag):
        cell.value = value.value
    else:
        raise TypeError(value)


def _picture(drawing: Float, number: int, plan: SheetPlan, column: int) -> Drawing:
    remaining = sum(COLUMN for before in range(column) if before not in plan.hidden_columns)
    image = Drawing(io.BytesIO(drawing.data))
    top = int((number - 1 + drawing.shift) * ROW)
    unseen = sum(
        line.row is not None and line.row.hidden for line in plan.lines[: number - 1 - len(plan.header)]
    )
    height = int(drawing.tall * ROW)
    size = XDRPositiveSize2D(WIDTH, height)
    if drawing.anchor == "absolute":
        image.anchor = AbsoluteAnchor(pos=XDRPoint2D(remaining + 10_000, top - unseen * ROW), ext=size)
    elif drawing.anchor == "one":
        image.anchor = OneCellAnchor(_from=_marker(column, top), ext=size)
    else:
        corner = _marker(column, top + height, WIDTH // 2)
        image.anchor = TwoCellAnchor("oneCell", _from=_marker(column, top), to=corner)
    return image


def _marker(column: int, top: int, offset: int = 10_000) -> AnchorMarker:
    return AnchorMarker(col=column, colOff=offset, row=top // ROW, rowOff=top % ROW)


def _patched(data: bytes, linked: list[int], *, macros: bool) -> bytes:
    """Turn pictures that the file holds into linked ones, or the workbook into one with macros."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            part = old.read(name)
            if macros and name == "[Content_Types].xml":
                plain = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
                part = part.replace(plain, MACRO_TYPE.encode())
            for position in linked:
                drawing, picture = divmod(position, 1000)
                if name == f"xl/drawings/drawing{drawing}.xml":
                    part = _as_link(part, picture)
                if name == f"xl/drawings/_rels/drawing{drawing}.xml.rels":
                    part = _external(part, picture)
            new.writestr(name, part)
    return result.getvalue()


def _as_link(part: bytes, picture: int) -> bytes:
    wanted = f"rId{picture + 1}".encode()
    return re.sub(rb'(\w+):embed="' + wanted + rb'"', rb'\1:link="' + wanted + rb'"', part)


def _external(part: bytes, picture: int) -> bytes:
    relation = re.search(rb'<Relationship [^>]*Id="rId%d"[^>]*/>' % (picture + 1), part)
    assert relation is not None
    linked = re.sub(rb'Target="[^"]*"', f'Target="{LINKED}" TargetMode="External"'.encode(), relation[0])
    return part.replace(relation[0], linked)
