"""Pictures placed in cells: by the formula of WPS, whatever order its album has, and by the rich values of Excel 365."""

from __future__ import annotations

import zipfile
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter
from xlsx_support import ALBUM, OFFICE, RICH, album, inline, pic, placed, raw, read, relations, seal

from pipeline.domain.roster import CellKind
from pipeline.errors import FileRefused
from pipeline.intake.images.image_files import ImageStore
from pipeline.intake.readers.model import ReadOptions
from pipeline.intake.readers.xlsx import workbook

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
A, B, C = (f"ID_{letter * 32}" for letter in "ABC")


def dispimg(
    reference: str, name: str, *, call="_xlfn.DISPIMG", formula: str | None = None, cached: str | None = None
) -> str:
    formula = f'{call}("{name}",1)' if formula is None else formula
    cached = f'=DISPIMG("{name}",1)' if cached is None else cached
    return f'<c r="{reference}" t="str"><f>{formula}</f><v>{cached}</v></c>'


def sheet(path: Path, cells: str, pictures: str | None = None, **media: tuple[str, str]) -> Path:
    """Write cells of row 2, and an album of A and B, whose order is not that of the files."""
    pictures = pictures or f"{pic('p2', name=B)}\n{pic('p1', name=A)}"
    media = media or {"p1": ("image", "media/image1.png"), "p2": ("image", "media/image2.png")}
    parts = album(pictures, **media)
    parts |= {f"xl/media/image{serial}.png": seal(serial) for serial in (1, 2)}
    return raw(path, f'<sheetData><row r="2">{cells}</row></sheetData>', extra=parts, w1=ALBUM)


def test_wps_pictures_are_found_by_their_id(path, work):
    cells = dispimg("A2", B) + dispimg("B2", A) + dispimg("D2", B)
    assert placed(sheet(path, cells), work) == {"A2": 2, "B2": 1, "D2": 2}
    assert len(list(work.iterdir())) == 2


def test_only_pictures_that_a_visible_cell_shows_are_put_away(path, work):
    assert placed(sheet(path, dispimg("A2", A)), work) == {"A2": 1}
    assert [file.read_bytes() for file in work.iterdir()] == [seal(1)]


@pytest.mark.parametrize(
    "cell",
    [
        dispimg("A2", A, call="DISPIMG"),
        dispimg("A2", A, call="=DISPIMG"),
        dispimg("A2", A, call="_xlfn._xlws.DISPIMG"),
        dispimg("A2", A, call=" _XLFN.dispimg "),
        dispimg("A2", A, formula=f'_xlfn.DISPIMG( "{A}" , 1 )'),
        dispimg("A2", A, formula=f'_xlfn.DISPIMG("{A}")'),
        dispimg("A2", A, cached=""),
        dispimg("A2", A, cached="某个旧文字"),
        dispimg("A2", A, formula="IF(TRUE,A9,A8)"),
        dispimg("A2", A, formula=""),
        f'<c r="A2" t="str"><v>=DISPIMG("{A}",1)</v></c>',
        f'<c r="A2" t="e"><f>_xlfn.DISPIMG("{A}",1)</f><v>#NAME?</v></c>',  # saved again by Excel
        f'<c r="A2"><f>_xlfn.DISPIMG("{A}",1)</f></c>',  # written by openpyxl
        f'<c r="A2"><f>_xlfn.DISPIMG("{A}",1)</f><v></v></c>',
        f'<c r="A2"><f>_xlfn.DISPIMG("{A}",1)</f><v>0</v></c>',
        f'<c r="A2" t="str">\n <f>\n_xlfn.DISPIMG("{A}",1)\n</f>\n <v>x</v>\n</c>',
    ],
)
def test_the_formula_is_known_however_it_is_written(path, work, cell):
    assert placed(sheet(path, cell.replace('"ID', "&quot;ID")), work) == {"A2": 1}


@pytest.mark.parametrize(
    "cell",
    [
        dispimg("A2", C),  # not in the album
        dispimg("A2", A.lower()),
        dispimg("A2", A, cached=f'=DISPIMG("{B}",1)'),  # one or the other
        dispimg("A2", A, formula="_xlfn.DISPIMG(B2,1)", cached="x"),
        dispimg("A2", A, formula="_xlfn.DISPIMG(B2,1)"),
        dispimg("A2", A, formula=f'_xlfn.DISPIMG("{A}",1)&amp;_xlfn.DISPIMG("{B}",1)', cached="x"),
        dispimg("A2", ""),
        dispimg("A2", "x" * 300),
    ],
)
def test_a_picture_that_is_not_certain_cannot_be_had(path, work, cell):
    assert placed(sheet(path, cell), work) == {"A2": None}


@pytest.mark.parametrize(
    "cell",
    [
        inline("A2", f'=DISPIMG("{A}",1)'),  # a text that somebody pasted is a text
        '<c r="A2" t="str"><f>"DISPIMG("</f><v>DISPIMG?</v></c>',
        '<c r="A2" t="str"><f>MYDISPIMG("x")</f><v>x</v></c>',
        '<c r="A2" t="str"><f>IFERROR(A1,"")</f><v>说明 DISPIMG()</v></c>',
    ],
)
def test_other_texts_and_formulas_stay_what_they_are(path, work, cell):
    line = next(next(read(sheet(path, cell), work).sheets).lines)
    assert line.cells[0].kind is CellKind.TEXT


def test_a_shared_formula_is_written_with_its_first_cell(path, work):
    cells = (
        f'<c r="A2" t="str"><f t="shared" ref="A2:A9" si="0">_xlfn.DISPIMG("{A}",1)</f><v>=DISPIMG("{A}",1)</v></c>'
        f'<c r="B2" t="str"><f t="shared" ref="B2:B9" si="1">_xlfn.DISPIMG("{B}",1)</f></c>'
        '<c r="C2" t="str"><f t="shared" si="0"/><v></v></c><c r="D2"><f t="shared" si="1"></f></c>'
        '<c r="E2"><f t="shared" si="7"/></c><c r="F2"><f si="0"/></c>'
        f'<c r="G2" t="str"><f t="shared" si="0"/><v>=DISPIMG("{B}",1)</v></c>'
    )
    assert placed(sheet(path, cells), work) == {"A2": 1, "B2": 2, "C2": 1, "D2": 2, "G2": None}


def test_a_formula_whose_text_is_a_shared_string(path, work):
    cells = f'<c r="A2" t="s"><f>_xlfn.DISPIMG("{A}",1)</f><v>0</v></c><c r="B2" t="s"><f>A9</f><v>1</v></c>'
    cells += '<c r="C2" t="s"><f>A9</f><v>2</v></c>'
    text = f'<si><t>=DISPIMG("{A}",1)</t></si><si><t>_x005F_x000D_</t></si><si><t/></si>'
    parts = album(pic(name=A), p1=("image", "media/image1.png")) | {"xl/media/image1.png": seal(1)}
    raw(path, f'<sheetData><row r="2">{cells}</row></sheetData>', extra=parts, strings=text, w1=ALBUM)
    assert placed(path, work) == {"A2": 1}
    line = next(next(read(path, work).sheets).lines)
    assert (sorted(line.cells), line.cells[1].value) == ([0, 1], "_x000D_")


def test_one_file_under_two_ids_and_two_files_under_one(path, work):
    pictures = "\n".join((pic("p1", name=A), pic("p1", name=B), pic("p1", name=C), pic("p2", name=C)))
    cells = dispimg("A2", A) + dispimg("B2", B) + dispimg("C2", C)
    assert placed(sheet(path, cells, pictures), work) == {"A2": 1, "B2": 1, "C2": None}
    again = "\n".join((pic("p1", name=A), pic("p1", name=A)))
    assert placed(sheet(path, dispimg("A2", A), again), work) == {"A2": 1}


@pytest.mark.parametrize(
    "picture",
    [
        pic("p9", name=A),
        pic(name=A, blip='r:link="p1"'),
        pic(name=A, source='<a:srcRect b="60000"/>'),
        pic(name=A, transform='<a:xfrm rot="16200000"/>'),
        "<xdr:pic/>",
        "<etc:other/>",
    ],
)
def test_an_album_entry_that_shows_something_else_cannot_be_had(path, work, picture):
    assert placed(sheet(path, dispimg("A2", A), picture), work) == {"A2": None}


def test_without_an_album_the_picture_cannot_be_had(path, work):
    """openpyxl keeps the formula and drops the pictures."""
    book = openpyxl.Workbook()
    book.active["A2"] = f'=_xlfn.DISPIMG("{A}",1)'
    book.save(path)
    assert placed(path, work) == {"A2": None}
    raw(path, f'<sheetData><row r="2">{dispimg("A2", A)}</row></sheetData>', w1=ALBUM)
    assert placed(path, work) == {"A2": None}


def test_pictures_are_left_alone_unless_asked_for(path):
    cells = (
        dispimg("A2", A)
        + f'<c r="B2"><f>_xlfn.DISPIMG("{A}",1)</f></c>'
        + '<c r="C2" t="e" vm="1"><v>#VALUE!</v></c>'
    )
    line = next(next(workbook.read(sheet(path, cells).read_bytes()).sheets).lines)
    assert [cell.kind for cell in line.cells.values()] == [CellKind.TEXT, CellKind.NO_VALUE, CellKind.ERROR]
    assert line.cells[0].value == f'=DISPIMG("{A}",1)'


def test_the_album_is_found_by_its_relationship_alone(path, work):
    parts = album(pic(name=A), p1=("image", "media/image1.png"))
    parts |= {"xl/media/image1.png": seal(1)}
    raw(path, f'<sheetData><row r="2">{dispimg("A2", A)}</row></sheetData>', extra=parts)
    assert placed(path, work) == {"A2": None}


def test_a_work_folder_that_cannot_be_written_is_no_fault_of_the_file(path, work):
    work.write_text("no folder")
    book = workbook.read(
        sheet(path, dispimg("A2", A)).read_bytes(), options=ReadOptions(store=ImageStore(work))
    )
    with pytest.raises(OSError, match="File exists"):
        list(next(book.sheets).lines)


def test_where_a_picture_is_shown_and_where_it_lies(path, work):
    book = read(sheet(path, dispimg("C2", A)), work)
    embedded = next(next(book.sheets).lines).cells[2].value
    assert (embedded.column, embedded.row, embedded.floating, embedded.overlaps_neighbour) == (
        "C",
        2,
        False,
        False,
    )
    assert embedded.picture.path == path / "a!C2"
    assert embedded.picture.file.read_bytes() == seal(1)
    assert embedded.picture.file.parent == work


def test_excel_places_pictures_in_cells(path, work):
    """XlsxWriter writes what Excel does; the same picture twice is one file."""
    book = xlsxwriter.Workbook(path)
    page = book.add_worksheet()
    for row, serial in enumerate((2, 1, 2, 3)):
        (path.parent / f"{serial}.png").write_bytes(seal(serial))
        page.embed_image(row, 2, str(path.parent / f"{serial}.png"), {"description": "印章"} if row else {})
    page.write(5, 2, "=1/0", None, "#DIV/0!")
    book.close()
    assert placed(path, work) == {"C1": 2, "C2": 1, "C3": 2, "C4": 3}
    line = list(next(read(path, work).sheets).lines)[-1]
    assert (line.number, line.cells[2].kind, line.cells[2].value) == (6, CellKind.ERROR, "#DIV/0!")


def rich(path: Path, cells: str, **parts: str) -> Path:
    """Write rich values: 0 a stock, 1 and 2 local pictures with their keys in another order, 3 a web picture, 4 nothing."""
    xlrd = f'xmlns:xlrd="{RICH}"'
    bound = "".join(
        f'<bk><extLst><ext uri="x"><xlrd:rvb i="{position}"/></ext></extLst></bk>'
        for position in (2, 1, 0, 3, 4, 99)
    )
    records = "".join(f"<bk>{record}</bk>" for record in (
        '<rc t="2" v="0"/>', '<rc t="1" v="0"/><rc t="2" v="1"/>', '<rc t="2" v="2"/>', '<rc t="2" v="3"/>',
        '<rc t="2" v="4"/>', '<rc t="2" v="5"/>', '<rc t="2" v="77"/>', '<rc t="1" v="0"/>', '<rc t="9" v="0"/>', "",
        '<rc v="0"/>',
    ))  # fmt: skip
    extra = {
        "metadata.xml": f'<metadata xmlns="{MAIN}" {xlrd}><metadataTypes><metadataType name="XLDAPR"/>'
        '<metadataType name="XLRICHVALUE"/></metadataTypes><futureMetadata name="XLDAPR"><bk/></futureMetadata>'
        f'<futureMetadata name="XLRICHVALUE">{bound}</futureMetadata><valueMetadata>{records}</valueMetadata></metadata>',
        "richData/rdrichvalue.xml": f'<rvData xmlns="{RICH}"><rv s="0"><v>1</v></rv><rv s="1"><v>5</v><v>1</v></rv>'
        '<rv s="1"><v>5</v><v>0</v><v>印章</v></rv><rv s="2"><v>0</v></rv><rv s="1"><v>5</v></rv></rvData>',
        "richData/rdrichvaluestructure.xml": f'<rvStructures xmlns="{RICH}"><s t="_linkedentity2core">'
        '<k n="%EntityId" t="s"/></s><s t="_localImage"><k n="CalcOrigin" t="i"/><k n="_rvRel:LocalImageIdentifier" t="i"/>'
        '<k n="Text" t="s"/></s><s t="_webimage"><k n="WebImageIdentifier" t="i"/></s></rvStructures>',
        "richData/richValueRel.xml": f'<richValueRels xmlns="x" xmlns:r="{OFFICE}"><rel r:id="p1"/><rel r:id="p2"/></richValueRels>',
        "richData/_rels/richValueRel.xml.rels": relations(
            p2=("image", "../media/image2.png"), p1=("image", "../media/image1.png")
        ),
        "media/image1.png": seal(1),
        "media/image2.png": seal(2),
    } | parts  # fmt: skip
    microsoft = "http://schemas.microsoft.com/office"
    return raw(
        path,
        f'<sheetData><row r="2">{cells}</row></sheetData>',
        extra={f"xl/{name}": part for name, part in extra.items()},
        v1=("sheetMetadata", "metadata.xml"),
        v2=(f"{microsoft}/2022/10/relationships/richValueRel", "richData/richValueRel.xml"),
        v3=(f"{microsoft}/2017/06/relationships/rdRichValue", "richData/rdrichvalue.xml"),
        v4=(f"{microsoft}/2017/06/relationships/rdRichValueStructure", "richData/rdrichvaluestructure.xml"),
    )


def value(reference: str, vm: object) -> str:
    return f'<c r="{reference}" t="e" vm="{vm}"><v>#VALUE!</v></c>'


def test_the_chain_of_a_rich_value_is_followed_by_its_indices(path, work):
    cells = value("A2", 1) + value("B2", 2) + value("C2", 4) + value("D2", 5) + value("E2", 1)
    assert placed(rich(path, cells), work) == {"A2": 1, "B2": 2, "C2": None, "D2": None, "E2": 1}


@pytest.mark.parametrize("vm", [3, 6, 7, 8, 9, 10, 11, 12, 0, -1, 10**30, "x", ""])
def test_a_rich_value_that_is_no_picture_stays_an_error(path, work, vm):
    line = next(next(read(rich(path, value("A2", vm)), work).sheets).lines)
    assert (line.cells[0].kind, line.cells[0].value) == (CellKind.ERROR, "#VALUE!")


def test_a_rich_value_of_another_kind_keeps_its_text(path, work):
    cells = '<c r="A2" t="str" vm="1"><v>贵州茅台</v></c><c r="B2" vm="1"><v>7</v></c>'
    line = next(next(read(rich(path, cells), work).sheets).lines)
    assert [(cell.kind, cell.value) for cell in line.cells.values()] == [
        (CellKind.TEXT, "贵州茅台"),
        (CellKind.NUMBER, 7),
    ]


@pytest.mark.parametrize(
    "part",
    [
        "metadata.xml",
        "richData/rdrichvalue.xml",
        "richData/rdrichvaluestructure.xml",
        "richData/richValueRel.xml",
    ],
)
def test_a_chain_with_a_doctype_or_without_an_end_refuses_the_file(path, work, part):
    for text, code in (("<!DOCTYPE a><a/>", "FILE_SUSPICIOUS"), ("<a>", "FILE_CORRUPT")):
        with pytest.raises(FileRefused) as refused:
            placed(rich(path, value("A2", 1), **{part: text}), work)
        assert refused.value.code == code
    assert placed(rich(path, value("A2", 1), **{part: "<a/>"}), work) in ({}, {"A2": None})


def test_a_chain_that_is_torn_shows_nothing(path, work):
    rich(path, value("A2", 1))
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for gone, result in (
        ("xl/metadata.xml", {}),
        ("xl/richData/rdrichvalue.xml", {}),
        ("xl/richData/rdrichvaluestructure.xml", {}),
        ("xl/richData/richValueRel.xml", {"A2": None}),
        ("xl/richData/_rels/richValueRel.xml.rels", {"A2": None}),
        ("xl/media/image1.png", {"A2": None}),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            for name, payload in parts.items():
                if name != gone:
                    archive.writestr(name, payload)
        assert placed(path, work) == result
