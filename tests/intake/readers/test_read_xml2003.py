"""Workbooks saved as XML by Excel 2003 and by hospital systems: each cell with its own type at its own place."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import FileRefused
from pipeline.intake.read_rosters import read_rosters
from pipeline.intake.readers import xml2003
from pipeline.intake.readers.model import Merge
from pipeline.intake.readers.options import ReadOptions

NUMBER = "11010119900307123X"
SPACE = "urn:schemas-microsoft-com:office:spreadsheet"


def book(
    table,
    *,
    prefix="",
    more="",
    styles="",
    head='<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>',
):
    return (
        f'{head}<Workbook xmlns="{SPACE}" xmlns:ss="{SPACE}" xmlns:x="urn:schemas-microsoft-com:office:excel"'
        f' xmlns:html="http://www.w3.org/TR/REC-html40">{prefix}<Styles>{styles}</Styles>'
        f'<Worksheet ss:Name="内科"><Table>{table}</Table></Worksheet>{more}</Workbook>'
    ).encode()


def cell(value, kind="String", **attributes):
    said = "".join(f' ss:{name}="{text}"' for name, text in attributes.items())
    return f'<Cell{said}><Data ss:Type="{kind}">{value}</Data></Cell>'


def row(*cells, **attributes):
    said = "".join(f' ss:{name}="{text}"' for name, text in attributes.items())
    return f"<Row{said}>{''.join(cells)}</Row>"


def opened(data, **manner):
    found = xml2003.read(data, manner=ReadOptions(**manner))
    return {sheet.name: (sheet, list(sheet.lines)) for sheet in found.sheets}


def cells(data, name="内科", **manner):
    _, lines = opened(data, **manner)[name]
    return {
        (line.number, column): (cell.kind.value, cell.value, cell.display_text)
        for line in lines
        for column, cell in line.cells.items()
    }


def refused(data, **manner):
    with pytest.raises(FileRefused) as caught:
        opened(data, **manner)
    return caught.value.code


def test_each_cell_has_its_own_type():
    styles = (
        '<Style ss:ID="z"><NumberFormat ss:Format="000000"/></Style><Style ss:ID="d"><NumberFormat ss:Format='
    )
    styles += '"yyyy\\-mm\\-dd"/></Style><Style ss:ID="f"><NumberFormat ss:Format="Fixed"/></Style><Style ss:ID="p"/>'
    data = book(
        row(cell("姓名"), cell("身份证号"))
        + row(
            cell("张<![CDATA[ ]]>三"), cell(NUMBER), cell(7, "Number", StyleID="z"), cell(32939, "Number", StyleID="d"),
            cell(7, "Number", StyleID="f"), cell(1, "Boolean"), cell("1990-03-07T00:00:00.000", "DateTime"),
            cell("#N/A", "Error"), cell(110101199003071233, "Number"), cell("1.5E+2", "Number"), cell(""),
            '<Cell ss:Formula="=1"/>', '<Cell ss:StyleID="p"/>', "<Cell><Data>x</Data></Cell>", cell(7, "Number"),
            StyleID="z",
        ),
        styles=styles,
    )  # fmt: skip
    day = ("date", dt.datetime.fromisoformat("1990-03-07"), "1990-03-07")
    assert list(cells(data).values())[2:] == [
        ("text", "张 三", "张 三"),
        ("text", NUMBER, NUMBER),
        ("number", 7, "000007"),
        day,
        ("number", 7, "7"),
        ("bool", True, "TRUE"),
        day,
        ("error", "#N/A", "#N/A"),
        ("number", 110101199003071233, "1.10101E+17"),
        ("number", 150, "000150"),
        ("no_value", None, ""),
        ("text", "x", "x"),
        ("number", 7, "000007"),
    ]


def test_places_that_are_left_out():
    data = book(
        row(cell("名单", MergeAcross=2), cell("x"))
        + row(cell("心内科", Index=2, MergeDown=1), cell("a", Index=5), Index=4, Span=2)
        + row(cell("b"), Hidden=1)
    )
    sheet, lines = opened(data)["内科"]
    assert list(cells(data)) == [(1, 0), (1, 3), (4, 1), (4, 4), (7, 0)]
    assert [line.hidden for line in lines] == [False, False, True]
    assert sheet.merges == [Merge(1, 1, 0, 2), Merge(4, 5, 1, 1)]


def test_what_is_hidden_is_told():
    options = (
        "<x:WorksheetOptions><x:Visible>SheetHidden</x:Visible><x:Row>9</x:Row><x:Cell/></x:WorksheetOptions>"
    )
    more = f'<Worksheet ss:Name="旧"><Table>{row(cell("x"))}</Table>{options}</Worksheet>'
    more += f'<Worksheet ss:Name="外科"><Table>{row(cell("y"))}</Table></Worksheet><Worksheet ss:Name="空"/>'
    columns = '<Column/><Column ss:Hidden="1" ss:Span="1"/><Column/><Column ss:Index="9" ss:Hidden="1"/>'
    found = opened(book(columns + row(cell("a")), more=more))
    assert found["内科"][0].hidden_columns == {1, 2, 8}
    assert [(name, sheet.hidden) for name, (sheet, _) in found.items()] == [
        ("内科", False),
        ("旧", True),
        ("外科", False),
        ("空", False),
    ]
    assert len(found["外科"][1]) == 1


def test_remarks_and_letters_with_a_form_of_their_own():
    remark = "<Comment><ss:Data><html:B>旧</html:B></ss:Data></Comment>"
    data = book(
        row(
            f'<Cell>{remark}<ss:Data ss:Type="String"><html:B>张</html:B><html:I>三</html:I></ss:Data>{remark}</Cell>'
        )
    )
    assert cells(data)[1, 0][1] == "张三"


@pytest.mark.parametrize("encoding", ["utf-8", "gb2312", "gb18030", "utf-16"])
def test_encodings(encoding):
    text = book(row(cell("姓名")), head=f'<?xml version="1.0" encoding="{encoding}"?>').decode()
    assert cells(text.encode(encoding))[1, 0][1] == "姓名"


def test_it_is_read_as_a_roster(tmp_path):
    (tmp_path / "a.xls").write_bytes(
        book(row(cell("姓名"), cell("身份证号")) + row(cell("张三"), cell(NUMBER)))
    )
    rows, (report,) = read_rosters([tmp_path / "a.xls"])
    assert (report.status, [(one.sheet, one.rows) for one in report.sheets]) == ("read", [("内科", 1)])
    assert [cell.display_text for cell in rows[0].cells] == ["张三", NUMBER]


def test_libreoffice_sees_the_same(tmp_path):
    soffice = shutil.which("soffice")
    if soffice is None:
        pytest.skip("LibreOffice is not installed")
    styles = '<Style ss:ID="z"><NumberFormat ss:Format="000000"/></Style>'
    data = book(
        row(cell("姓名"), cell("身份证号", Index=3))
        + row(cell("张三"), cell(NUMBER, Index=3), cell(7, "Number", StyleID="z"), Index=4),
        styles=styles,
    )
    (tmp_path / "a.xml").write_bytes(data)
    command = [
        soffice,
        f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}",
        "--headless",
        "--convert-to",
    ]
    command += [
        "csv:Text - txt - csv (StarCalc):44,34,76",
        "--outdir",
        str(tmp_path),
        str(tmp_path / "a.xml"),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    shown = [line.split(",") for line in (tmp_path / "a.csv").read_text("utf-8").splitlines()]
    assert {
        (number, column): word
        for number, line in enumerate(shown, 1)
        for column, word in enumerate(line)
        if word
    } == {address: each[2] for address, each in cells(data).items()}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (book(row(cell("x", "Number"))), "FILE_CORRUPT"),
        (book(row(cell("NaN", "Number"))), "FILE_CORRUPT"),
        (book(row(cell("1e999", "Number"))), "FILE_CORRUPT"),
        (book(row(cell("1_0", "Number"))), "FILE_CORRUPT"),
        (book(row(cell("x", "DateTime"))), "FILE_CORRUPT"),
        (book(row(cell("x", Index=2), cell("y", Index=2))), "FILE_CORRUPT"),
        (book(row(cell("x", Index=16_385))), "FILE_CORRUPT"),
        (book(row(cell("x"), Index=2) + row(cell("x"), Index=2)), "FILE_CORRUPT"),
        (book(row(cell("x"), Index=1_048_577)), "FILE_CORRUPT"),
        (book(row(cell("x", MergeDown=-1))), "FILE_CORRUPT"),
        (book(row(cell("x" * 32_768))), "FILE_SUSPICIOUS"),
        (book(row(cell("x" * 5_000_000))), "FILE_SUSPICIOUS"),
        (book("", more='<Worksheet ss:Name="x"/>' * 1_000), "FILE_SUSPICIOUS"),
        (book("", head='<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]>'), "FILE_SUSPICIOUS"),
        (book(row(cell("x")))[:-20], "FILE_CORRUPT"),
        (book(row(cell("\x00"))), "FILE_CORRUPT"),
        (book(row(cell("x"))).replace(b"<Worksheet", b"<Table><Row><Cell/></Row></Table><Worksheet"), None),
    ],
)
def test_damaged_and_hostile_books_are_refused(data, code):
    if code is None:
        assert list(cells(data)) == [(1, 0)]
    else:
        assert refused(data) == code


def test_more_rows_than_allowed_are_refused():
    data = book(row(cell("x")) * 12 + row("<Cell/>") * 5)
    assert len(cells(data, max_rows=12)) == 12
    assert refused(data, max_rows=11) == "FILE_TOO_LARGE"


def test_more_merged_cells_than_any_roster_has_are_refused(monkeypatch):
    data = book(row(cell("x", MergeAcross=1)) * 10)
    monkeypatch.setattr(xml2003, "_MAX_MERGES", 10)
    assert len(opened(data)["内科"][0].merges) == 10
    monkeypatch.setattr(xml2003, "_MAX_MERGES", 9)
    assert refused(data) == "FILE_SUSPICIOUS"


def test_a_large_file_is_refused_unparsed(monkeypatch):
    monkeypatch.setattr(xml2003, "MAX_BYTES", 100)
    assert refused(book("")) == "FILE_TOO_LARGE"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damaged_byte_makes_the_reader_raise(data):
    content = bytearray(
        book(
            '<Column ss:Hidden="1"/>'
            + row(cell("姓名", MergeAcross=1), cell(7, "Number", StyleID="z"), Index=2, Hidden=1)
        )
    )
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(FileRefused):
        opened(bytes(content))
