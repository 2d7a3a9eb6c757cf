"""Workbooks made of exact XML, with pictures in all the ways a sheet can show one."""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import cache
from pathlib import Path

from PIL import Image

from pipeline.domain.roster import CellKind
from pipeline.intake.images.image_files import ImageStore
from pipeline.intake.readers.model import ReadOptions, format_column
from pipeline.intake.readers.xlsx import workbook as xlsx

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
SHEET_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
RICH = "http://schemas.microsoft.com/office/spreadsheetml/2017/richdata"
WPS = "http://www.wps.cn/officeDocument"
NAMESPACES = (
    f'xmlns:xdr="{SHEET_DRAWING}" xmlns:a="{DRAWING}" xmlns:r="{OFFICE}"'
    ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
)
POINT = 12_700  # EMU


def relations(**targets: tuple[str, str]) -> str:
    """Return a relationships part: id -> (kind or whole type, target); a target with :// is external."""
    entries = "".join(
        f'<Relationship Id="{name}" Type="{kind if "://" in kind else f"{OFFICE}/{kind}"}" Target="{target}"'
        + (' TargetMode="External"/>' if "://" in target else "/>")
        for name, (kind, target) in targets.items()
    )
    return f'<Relationships xmlns="{PACKAGE}">{entries}</Relationships>'


def raw(
    path: Path, sheet_data: str, *, strings="", root="worksheet", before="", extra=None, **workbook
) -> Path:
    """Write the smallest package around a ``sheetData``, so that the XML is exactly what the test says.

    ``extra`` adds parts or replaces them; ``workbook`` are further relationships of the workbook.
    """
    prefix, _, _ = root.rpartition(":")
    namespace = f'xmlns:{prefix}="{MAIN}"' if prefix else f'xmlns="{MAIN}"'
    parts = {
        "_rels/.rels": relations(r1=("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets><sheet name="a" sheetId="1"'
        ' r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations(
            r1=("worksheet", "/xl/worksheets/sheet1.xml"),
            r2=("sharedStrings", "SharedStrings.xml"),
            **workbook,
        ),
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{strings}</sst>',
        "xl/worksheets/sheet1.xml": f'{before}<{root} {namespace} xmlns:r="{OFFICE}">{sheet_data}</{root}>',
        **(extra or {}),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path


def inline(reference: str, text: str) -> str:
    return f'<c r="{reference}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


TITLES = f'<row r="1">{inline("A1", "姓名")}{inline("B1", "身份证号")}{inline("C1", "工号")}</row>'


@cache
def seal(serial: int, kind: str = "PNG", exif: int = 0) -> bytes:
    """Return the file of a picture that no other serial has, with an EXIF orientation if asked for."""
    buffer = io.BytesIO()
    made = Image.new("RGB", (16, 8), (serial % 256, serial // 256, 99))
    shown = Image.Exif()
    if exif:
        shown[0x0112] = exif
    made.save(buffer, kind, exif=shown)
    return buffer.getvalue()


def pic(embed="p1", *, name="图片 1", attributes="", blip="", source="", transform="") -> str:
    """Return an ``xdr:pic``; ``attributes`` of its cNvPr, ``blip`` instead of a plain r:embed."""
    blip = blip or f'r:embed="{embed}"'
    return (
        f'<xdr:pic><xdr:nvPicPr><xdr:cNvPr id="2" name="{name}" {attributes}/><xdr:cNvPicPr/></xdr:nvPicPr>'
        f"<xdr:blipFill><a:blip {blip}/>{source}<a:stretch><a:fillRect/></a:stretch>"
        f"</xdr:blipFill><xdr:spPr>{transform}</xdr:spPr></xdr:pic>"
    )


def marker(name: str, row: int, down: float = 0, column: int = 2) -> str:
    """Return a corner of an anchor: row from 0, points below its upper edge."""
    return (
        f"<xdr:{name}><xdr:col>{column}</xdr:col><xdr:colOff>0</xdr:colOff>"
        f"<xdr:row>{row}</xdr:row><xdr:rowOff>{round(down * POINT)}</xdr:rowOff></xdr:{name}>"
    )


def extent(height: float, width: float = 30) -> str:
    return f'<xdr:ext cx="{round(width * POINT)}" cy="{round(height * POINT)}"/>'


def two(row: int, down: float, to_row: int, to_down: float, content: str) -> str:
    """Anchor something by two corners; the columns are C to D."""
    corners = marker("from", row, down) + marker("to", to_row, to_down, column=3)
    return f"<xdr:twoCellAnchor>{corners}{content}<xdr:clientData/></xdr:twoCellAnchor>"


def single(row: int, down: float, height: float, content: str) -> str:
    corner = marker("from", row, down)
    return f"<xdr:oneCellAnchor>{corner}{extent(height)}{content}<xdr:clientData/></xdr:oneCellAnchor>"


def absolute(top: float, height: float, content: str, left_edge: float = 100) -> str:
    position = f'<xdr:pos x="{round(left_edge * POINT)}" y="{round(top * POINT)}"/>'
    return f"<xdr:absoluteAnchor>{position}{extent(height)}{content}<xdr:clientData/></xdr:absoluteAnchor>"


def drawn(path: Path, anchors: str, *, rows="", head="", behind="", media=None, **pictures) -> Path:
    """Write a sheet with a drawing; ``rows`` is its sheetData, ``pictures`` id -> part or (kind, target)."""
    media = media or {f"media/image{serial}.png": seal(serial) for serial in (1, 2, 3)}
    related = pictures or {f"p{serial}": ("image", f"../media/image{serial}.png") for serial in (1, 2, 3)}
    return raw(
        path,
        f'{head}<sheetData>{rows}</sheetData>{behind}<drawing r:id="d1"/>',
        extra={
            "xl/worksheets/_rels/sheet1.xml.rels": relations(d1=("drawing", "../drawings/drawing1.xml")),
            "xl/drawings/drawing1.xml": f"<xdr:wsDr {NAMESPACES}>{anchors}</xdr:wsDr>",
            "xl/drawings/_rels/drawing1.xml.rels": relations(**related),
            **{f"xl/{name}": payload for name, payload in media.items()},
        },
    )


def height(*heights: float | None, first: int = 1) -> str:
    """Return empty rows of these heights in points; None is a hidden row."""
    return "".join(
        f'<row r="{first + index}" hidden="1"/>'
        if height is None
        else f'<row r="{first + index}" ht="{height}"/>'
        for index, height in enumerate(heights)
    )


TALL = height(*[30] * 9)  # nine rows of 30 points


def write_seal(folder: Path, serial: int) -> str:
    """Write the picture of a serial as a file of its own."""
    file = folder / f"{serial}.png"
    file.write_bytes(seal(serial))
    return str(file)


def album(pictures: str, **media: tuple[str, str]) -> dict[str, str]:
    """Return the parts of a WPS album; pass ``w1=ALBUM`` to ``raw`` as well."""
    images = "".join(f"<etc:cellImage>{entry}</etc:cellImage>" for entry in pictures.split("\n"))
    return {
        "xl/cellimages.xml": f'<etc:cellImages {NAMESPACES} xmlns:etc="{WPS}/2017/etCustomData">{images}'
        "</etc:cellImages>",
        "xl/_rels/cellimages.xml.rels": relations(**media),
    }


ALBUM = (f"{WPS}/2020/cellImage", "cellimages.xml")


def read(path: Path, work: Path, **options):
    """Return a workbook as it is read with its pictures put away in ``work``."""
    options = ReadOptions(store=ImageStore(work), **options)
    return xlsx.read(path.read_bytes(), path=path, options=options)


def serials(*, kinds=("PNG",), count=9) -> dict[str, int]:
    """Return sha256 -> serial of the seals."""
    return {
        hashlib.sha256(seal(serial, kind)).hexdigest(): serial for kind in kinds for serial in range(count)
    }


def floating(path: Path, work: Path) -> list[tuple[str, int, bool]]:
    """Return (address, serial, whether more than a tenth of it lies over other rows) of the first sheet's floating pictures."""
    sheet = next(read(path, work).sheets)
    known = serials()
    return [
        (
            picture.address,
            known[picture.picture.sha256],
            dict(picture.shares).get(picture.row, 0) < 0.9 - 1e-9,
        )
        for picture in sheet.pictures
    ]


def placed(path: Path, work: Path) -> dict[str, int | None]:
    """Return address -> serial of the pictures placed in cells of the first sheet, None where one cannot be had."""
    known = serials()
    findings = {}
    for line in next(read(path, work).sheets).lines:
        for column, cell in line.cells.items():
            if cell.kind is CellKind.PICTURE:
                assert cell.display_text == ""
                address = f"{format_column(column)}{line.number}"
                findings[address] = known[cell.value.picture.sha256] if cell.value else None
                assert cell.value is None or cell.value.address == address
    return findings
