"""Workbooks as Excel 365 and WPS leave them: cached formulas, pictures placed in cells in both programs' ways.

XlsxWriter writes Excel's rich values itself; the parts of WPS (``cellimages.xml``) are put in beside them.
"""

import io
import random
import zipfile
from datetime import UTC, datetime

import xlsxwriter
from generated_rosters.truth import FilePlan, SheetPlan
from generated_rosters.values import Day, Err, Flag, Float, Formula, InCell, Num, Runs, Value

PIXELS = 53  # of a row: 40 points
ETC = "http://www.wps.cn/officeDocument/2017/etCustomData"
RELATION = "http://www.wps.cn/officeDocument/2020/cellImage"
CONTENT = "application/vnd.wps-officedocument.cellimage+xml"
MAIN = "http://schemas.openxmlformats.org/drawingml/2006/main"
SHEET_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


class _Wps:
    """The pictures in cells of a WPS workbook: every cell has an id of its own, a copied cell shares its media."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.ids: list[tuple[str, str | None]] = []  # id, media
        self.media: dict[str, bytes] = {}

    def enter(self, picture: InCell) -> str:
        """Return a new id for a cell."""
        identifier = f"ID_{self.dice.getrandbits(128):032X}"
        if picture.data is not None:
            self.media.setdefault(picture.media, picture.data)
            self.ids.append((identifier, picture.media))
        return identifier

    def parts(self) -> dict[str, bytes]:
        """Return the parts of the package: the order of ids tells nothing about the order of rows."""
        names = list(self.media)
        self.dice.shuffle(names)
        self.dice.shuffle(self.ids)
        files = {media: f"wps{index}.png" for index, media in enumerate(names, start=1)}
        relation = {media: f"rId{index}" for index, media in enumerate(names, start=1)}
        images = "".join(
            _CELL_IMAGE.format(place=index, name=identifier, relation=relation[media])
            for index, (identifier, media) in enumerate(self.ids, start=1)
        )
        head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        spaces = f'xmlns:xdr="{SHEET_DRAWING}" xmlns:r="{OFFICE}" xmlns:a="{MAIN}" xmlns:etc="{ETC}"'
        links = "".join(
            f'<Relationship Id="{relation[media]}" Type="{OFFICE}/image" Target="media/{files[media]}"/>'
            for media in names
        )
        return {
            "xl/cellimages.xml": f"{head}<etc:cellImages {spaces}>{images}</etc:cellImages>".encode(),
            "xl/_rels/cellimages.xml.rels": f'{head}<Relationships xmlns="{PACKAGE}">{links}</Relationships>'.encode(),
            **{f"xl/media/{files[media]}": data for media, data in self.media.items()},
        }


_CELL_IMAGE = (
    '<etc:cellImage><xdr:pic><xdr:nvPicPr><xdr:cNvPr id="{place}" name="{name}" descr="seal"/><xdr:cNvPicPr/></xdr:nvPicPr>'
    '<xdr:blipFill><a:blip r:embed="{relation}"/><a:stretch><a:fillRect/></a:stretch></xdr:blipFill>'
    '<xdr:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="952500" cy="355600"/></a:xfrm>'
    '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></xdr:spPr></xdr:pic></etc:cellImage>'
)


def write(file: FilePlan) -> bytes:
    """Return the workbook and set every line's row number; the option ``in_cell`` says whose pictures in cells."""
    stream = io.BytesIO()
    wps = _Wps(random.Random(file.name))
    with xlsxwriter.Workbook(stream, {"in_memory": True}) as book:
        book.set_properties({"created": datetime(2026, 11, 20, tzinfo=UTC)})
        for plan in file.sheets:
            sheet = book.add_worksheet(plan.name)
            if plan.state == "hidden":
                sheet.hide()
            elif plan.state == "veryHidden":
                sheet.very_hidden()
            elif not any(sheet.state == "visible" for sheet in file.sheets[: file.sheets.index(plan)]):
                sheet.activate()  # else the first sheet is, and a sheet in use cannot be hidden
                sheet.set_first_sheet()
            _fill(book, sheet, plan, wps if file.options.get("in_cell") == "wps" else None)
        book.add_chartsheet("图表").set_chart(_chart(book, file.sheets[0].name))
    return _with_wps(stream.getvalue(), wps) if wps.ids else stream.getvalue()


def _chart(book, sheet: str):
    """Return a chart for a sheet of its own, which is none that could hold doctors."""
    chart = book.add_chart({"type": "column"})
    chart.add_series({"values": [sheet, 0, 0, 1, 0]})
    return chart


def _fill(book, sheet, plan: SheetPlan, wps: _Wps | None) -> None:
    sheet.set_default_row(40)
    text = book.add_format({"num_format": "@"})
    number = 0
    for _, cells in plan.header:
        _cells(book, sheet, number, cells, text, wps)
        number += 1
    for line in plan.lines:
        line.physical_lines = (number + 1, number + 1)
        _cells(book, sheet, number, line.cells, text, wps)
        if line.row is not None:
            if line.row.hidden:
                sheet.set_row(number, 40, None, {"hidden": True})
            for drawing in line.row.floats:
                _float(sheet, number, line.columns.index("picture"), drawing)
        number += 1
    for first, merge, last, right in plan.merges:
        sheet.merge_range(first - 1, merge, last - 1, right, _anchor(plan, first, merge), text)
    for column in plan.hidden_columns:
        sheet.set_column(column, column, None, None, {"hidden": True})


def _anchor(plan: SheetPlan, line: int, column: int) -> str:
    lines = [tuple(cells) for _, cells in plan.header] + [line.cells for line in plan.lines]
    cells = lines[line - 1]
    return str(cells[column] or "") if column < len(cells) else ""


def _cells(book, sheet, number: int, cells, text, wps: _Wps | None) -> None:
    for column, value in enumerate(cells):
        if value is not None:
            _put(book, sheet, number, column, value, text, wps)


def _put(book, sheet, row: int, column: int, value: Value, text, wps: _Wps | None) -> None:
    if isinstance(value, str):
        sheet.write_string(row, column, value, text)
    elif isinstance(value, Runs):
        bold = book.add_format({"bold": True})
        sheet.write_rich_string(row, column, value.parts[0], bold, *value.parts[1:], text)
    elif isinstance(value, Num):
        sheet.write_number(row, column, value.value, book.add_format({"num_format": value.form or "General"}))
    elif isinstance(value, Formula):
        sheet.write_formula(row, column, f"={value.text}", None, "" if value.cached is None else value.cached)
    elif isinstance(value, Err):
        sheet.write_formula(row, column, "=NA()", None, value.text)
    elif isinstance(value, Day):
        sheet.write_datetime(row, column, value.day, book.add_format({"num_format": "yyyy-mm-dd"}))
    elif isinstance(value, Flag):
        sheet.write_boolean(row, column, value.value)
    elif wps is not None:
        identifier = wps.enter(value)
        formula = f'=_xlfn.DISPIMG("{identifier}",1)'
        sheet.write_formula(row, column, formula, None, f'=DISPIMG("{identifier}",1)')
    else:
        assert value.data is not None
        sheet.embed_image(row, column, f"{value.media}.png", {"image_data": io.BytesIO(value.data)})


def _float(sheet, row: int, column: int, drawing: Float) -> None:
    """Place a picture by its top; one that begins above its row is entered in the row before."""
    assert drawing.anchor == "two", "XlsxWriter knows no other"
    assert not drawing.linked
    start, offset = (row - 1, 1 + drawing.shift) if drawing.shift < 0 else (row, drawing.shift)
    options = {
        "image_data": io.BytesIO(drawing.data),
        "x_offset": 2,
        "y_offset": int(offset * PIXELS),
        "x_scale": 0.5,
        "y_scale": 0.5,
        "object_position": 1 + row % 3,
    }
    sheet.insert_image(start, column, f"f{row}{drawing.suffix}", options)


def _with_wps(data: bytes, wps: _Wps) -> bytes:
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            part = old.read(name)
            if name == "[Content_Types].xml":
                override = f'<Override PartName="/xl/cellimages.xml" ContentType="{CONTENT}"/></Types>'
                part = part.replace(b"</Types>", override.encode())
                if b'Extension="png"' not in part:
                    part = part.replace(
                        b"<Override", b'<Default Extension="png" ContentType="image/png"/><Override', 1
                    )
            elif name == "xl/_rels/workbook.xml.rels":
                relation = (
                    f'<Relationship Id="rIdWps" Type="{RELATION}" Target="cellimages.xml"/></Relationships>'
                )
                part = part.replace(b"</Relationships>", relation.encode())
            new.writestr(name, part)
        for name, part in wps.parts().items():
            new.writestr(name, part)
    return result.getvalue()
