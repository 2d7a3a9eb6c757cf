"""Excel 2003 XML: types, places that are skipped, what is merged or hidden, what is refused."""

from __future__ import annotations

from datetime import datetime
from xml.sax.saxutils import escape

import pytest
from same_roster import content, people, table

from pipeline.errors import FileRefused
from pipeline.intake import spreadsheetml
from pipeline.intake.cells import Merge
from pipeline.intake.headers import Vocabulary
from pipeline.intake.manner import PLAIN, Manner
from pipeline.intake.rows import table as rows_of
from pipeline.roster import CellKind

NUMBER = "11010119900307123X"
STYLES = (
    '<Styles><Style ss:ID="s1"><NumberFormat ss:Format="0000"/></Style>'
    '<Style ss:ID="s2"><NumberFormat ss:Format="Short Date"/></Style></Styles>'
)
OPTIONS = '<WorksheetOptions xmlns="urn:schemas-microsoft-com:office:excel"><Visible>{}</Visible></WorksheetOptions>'


def workbook(*sheets: str, encoding: str = "utf-8", root: str = "Workbook", before: str = "") -> bytes:
    """Return a workbook whose sheets are exactly this XML, as Excel 2003 wrote it."""
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?>{before}<?mso-application progid="Excel.Sheet"?>'
        f'<{root} xmlns="urn:schemas-microsoft-com:office:spreadsheet" xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">'
        f"{STYLES}{''.join(sheets)}</{root}>"
    )
    return text.encode("gb18030" if encoding.startswith("gb") else encoding)


def sheet(rows: str, *, name: str = "医生", after: str = "", more: str = "") -> str:
    return f'<Worksheet ss:Name="{name}"><Table {more}>{rows}</Table>{after}</Worksheet>'


def cell(value: object, kind: str = "String", more: str = "") -> str:
    return f'<Cell {more}><Data ss:Type="{kind}">{value}</Data></Cell>'


def row(*cells: str, more: str = "") -> str:
    return f"<Row {more}>{''.join(cells)}</Row>"


def opened(data: bytes, manner: Manner = PLAIN):
    return [(page, list(page.lines)) for page in spreadsheetml.read(data, manner=manner).sheets]


def refusal(data: bytes, manner: Manner = PLAIN):
    with pytest.raises(FileRefused) as caught:
        opened(data, manner)
    return caught.value.code, caught.value.detail.get("found")


@pytest.mark.parametrize("encoding", ["utf-8", "gb2312", "utf-16"])
def test_the_same_roster_as_in_every_format(tmp_path, encoding):
    rows = "".join(
        f"<Row>{''.join(cell(escape(each).replace(chr(10), '&#10;').replace(chr(9), '&#9;')) for each in line)}</Row>"
        for line in table()
    )
    (page,) = spreadsheetml.read(workbook(sheet(rows), encoding=encoding), manner=PLAIN).sheets
    read = rows_of(page, tmp_path / "a.xls", Vocabulary.of({}))
    assert content(read.rows) == people()
    assert (read.report.sheet, read.rows[0].origin.row, read.rows[100].origin.row) == ("医生", 3, 104)


def test_types_and_digits():
    line = (
        cell(640104197706244288, "Number")
        + cell("12", "Number", 'ss:StyleID="s1"')
        + cell("7.0", "Number", 'ss:StyleID="s2"')
        + cell("2026-01-02T00:00:00.000", "DateTime")
        + cell("1", "Boolean")
        + cell("#N/A", "Error", 'ss:Formula="=NA()"')
        + '<Cell ss:Formula="=A1"/>'
        + '<Cell ss:Formula="=A1"><Data ss:Type="String"></Data></Cell>'
        + '<Cell><Data ss:Type="String">张<B xmlns="x">三</B></Data><Comment><Data>批注</Data></Comment></Cell>'
    )
    ((_, (read,)),) = opened(workbook(sheet(f"<Row>{line}</Row>")))
    assert list(read.cells.values()) == [
        (CellKind.NUMBER, 640104197706244288, "6.40104E+17"),
        (CellKind.NUMBER, 12, "0012"),
        (CellKind.NUMBER, 7.0, "7"),
        (CellKind.DATE, datetime(2026, 1, 2), "2026-01-02"),  # noqa: DTZ001
        (CellKind.BOOL, True, "TRUE"),
        (CellKind.ERROR, "#N/A", "#N/A"),
        (CellKind.NO_VALUE, None, ""),
        (CellKind.TEXT, "张三", "张三"),
    ]
    assert list(read.cells) == [0, 1, 2, 3, 4, 5, 6, 8]


def test_places_that_are_skipped_merged_or_hidden():
    rows = (
        '<Column ss:Hidden="1"/><Column ss:Index="3" ss:Span="2" ss:Hidden="1"/><Column/>'
        + row(cell("题", more='ss:MergeAcross="2"'), cell("右"))
        + row(cell("隐", more='ss:Index="2" ss:MergeDown="1"'), more='ss:Index="5" ss:Hidden="1"')
        + '<Row/><Row ss:Span="3"/>'
        + row(cell("末"))
    )
    ((page, lines),) = opened(workbook(sheet(rows)))
    assert [(line.number, line.hidden, sorted(line.cells)) for line in lines] == [
        (1, False, [0, 3]),
        (5, True, [1]),
        (11, False, [0]),
    ]
    assert page.merges == [Merge(1, 1, 0, 2), Merge(5, 6, 1, 1)]
    assert page.hidden_columns == {0, 2, 3, 4}
    ((_, ((line),)),) = opened(workbook(sheet(row(cell("a")), more='ss:TopCell="4"')))
    assert line.number == 4


def test_hidden_sheets_are_known():
    data = workbook(
        sheet("<Row/>", after=OPTIONS.format("SheetHidden")),
        sheet("<Row/>", after=OPTIONS.format("SheetVeryHidden")),
        sheet("<Row/>", name="丙", after=OPTIONS.format("SheetVisible")),
        '<Worksheet ss:Name="丁"/>',
    )
    assert [(page.name, page.hidden) for page, _ in opened(data)] == [
        ("医生", True),
        ("医生", True),
        ("丙", False),
        ("丁", False),
    ]


def test_elements_may_carry_the_prefix():
    data = workbook(sheet(row(cell("a")))).decode().replace('xmlns="urn', 'xmlns:o="urn')
    for name in ("Workbook", "Styles", "Style ", "NumberFormat", "Worksheet", "Table", "Row", "Cell", "Data"):
        data = data.replace(f"<{name}", f"<ss:{name}").replace(f"</{name.strip()}>", f"</ss:{name.strip()}>")
    ((page, (line,)),) = opened(data.encode())
    assert (page.name, line.cells[0].value) == ("医生", "a")
    assert refusal(data[:-9].encode(), Manner(max_rows=0))[0] == "FILE_TOO_LARGE"


def test_too_many_rows_are_refused_before_they_are_parsed():
    rows = f"<Row>{cell('a')}</Row><Row ss:StyleID='s1'><Cell/></Row>" * 300
    broken = workbook(sheet(rows))[:-20]
    assert refusal(broken, Manner(max_rows=299)) == ("FILE_TOO_LARGE", "> 299 rows")
    assert refusal(broken, Manner(max_rows=300))[0] == "FILE_CORRUPT"
    assert len(opened(workbook(sheet(rows)), Manner(max_rows=300))[0][1]) == 300


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (
            workbook(sheet(row(cell("&x;"))), before="<!DOCTYPE a [<!ENTITY x 'y'>]>"),
            "FILE_SUSPICIOUS",
        ),
        (workbook(root="Other"), "FILE_FORMAT"),
        (workbook(sheet("<Row>")), "FILE_CORRUPT"),
        (workbook(sheet('<Row ss:Index="3"/><Row ss:Index="2"/>')), "FILE_CORRUPT"),
        (workbook(sheet('<Row ss:Index="1048577"/>')), "FILE_CORRUPT"),
        (workbook(sheet(row(cell("a", more='ss:Index="16385"')))), "FILE_CORRUPT"),
        (workbook(sheet('<Row ss:Span="x"/>')), "FILE_CORRUPT"),
        (workbook(sheet(row(cell("x", "Number")))), "FILE_CORRUPT"),
        (workbook(sheet(row(cell("1e999", "Number")))), "FILE_CORRUPT"),
        (workbook(sheet(row(cell("x", "DateTime")))), "FILE_CORRUPT"),
        (workbook(sheet(row(cell("x" * 40_000)))), "FILE_SUSPICIOUS"),
        (b"<?xml version='1.0'?>" + b" " * 33_000_000, "FILE_TOO_LARGE"),
        (workbook(sheet("<Row/>"), encoding="utf-8").replace(b"utf-8", b"big5"), "FILE_ENCODING"),
    ],
)
def test_what_is_damaged_or_hostile_is_refused(data, code):
    assert refusal(data)[0] == code
