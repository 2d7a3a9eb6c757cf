"""What one rare format alone has: types of Excel 2003 XML, lay-out of pages."""

from __future__ import annotations

import pytest
from format_support import XML2003_HEAD, list_cells, pack_xml2003, read_file, read_here, shown

from pipeline.domain.roster import Field
from pipeline.errors import FileRefused
from pipeline.intake.readers.model import Merge

pytestmark = pytest.mark.usefixtures("no_child_process")
NUMBER = "11010119900307123X"
OTHER = "110101199003070011"


# Excel 2003 XML


def xml_cell(data: str, head: str = XML2003_HEAD) -> bytes:
    return pack_xml2003(
        f'<Worksheet ss:Name="内科"><Table><Row><Cell>{data}</Cell></Row></Table></Worksheet>', head=head
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            '<Data ss:Type="DateTime">1899-12-31T288:00:00.000</Data>',
            ("text", "1899-12-31T288:00:00.000"),
        ),  # LibreOffice
        ('<Data ss:Type="DateTime">1990-03-07T00:00:00.000</Data>', ("date", "1990-03-07")),
        (
            '<Comment><ss:Data><html:B>旧</html:B></ss:Data></Comment><ss:Data ss:Type="String"><html:B>张</html:B>三</ss:Data>',
            ("text", "张三"),
        ),
        ('<Data ss:Type="Number">110101199003071233</Data>', ("number", "1.10101E+17")),
        ("<Data>x</Data>", ("text", "x")),
    ],
)
def test_types_of_excel_2003(data, expected):
    ((kind, _, text),) = list_cells("xml2003", xml_cell(data)).values()
    assert (kind, text) == expected


@pytest.mark.parametrize("before", ["", "\n \t", "\ufeff", "\ufeff\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb2312", "utf-16"])
def test_a_workbook_in_xml_is_read_in_its_encoding_and_after_white_space(tmp_path, before, encoding):
    row = "".join(f'<Cell><Data ss:Type="String">{text}</Data></Cell>' for text in ("{}", "{}"))
    table = f"<Row>{row}</Row><Row>{row}</Row>".format("姓名", "身份证号", "张三", NUMBER)
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    text = pack_xml2003(f'<Worksheet ss:Name="内科"><Table>{table}</Table></Worksheet>', head=head).decode()
    if encoding == "gb2312":
        before = before.replace("\ufeff", "")
    rows, report = read_file(tmp_path, (before + text).encode(encoding))
    assert (report.status, [cell.display_text for cell in rows[0].cells]) == ("read", ["张三", NUMBER])


@pytest.mark.parametrize(
    "row",
    [
        '<Row><Cell ss:Index="2"/><Cell ss:Index="2"/></Row>',
        '<Row ss:Index="2"/><Row ss:Index="2"/>',
        '<Row><Cell ss:Index="16385"/></Row>',
        '<Row><Cell ss:MergeDown="-1"/></Row>',
        '<Row><Cell><Data ss:Type="Number">x</Data></Cell></Row>',
    ],
)
def test_cells_of_excel_2003_that_make_no_sense_refuse_the_file(row):
    with pytest.raises((FileRefused, ValueError)):
        read_here("xml2003", pack_xml2003(f'<Worksheet ss:Name="a"><Table>{row}</Table></Worksheet>'))


# HTML


def page_cells(text: str) -> list[dict[int, str]]:
    _, ((_, lines),) = read_here("html", text.encode())
    return [{column: cell.display_text for column, cell in line.cells.items()} for line in lines]


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("  张\n\t 三 ", "张 三"),
        ("张<br>三<BR/>四", "张\n三\n四"),
        ("<p>张三</p><p>李四</p>", "张三\n李四"),
        ("张&nbsp;三&#x4E00;&#20108;&lt;&amp;lt;", "张\xa0三一二<&lt;"),
        ("张<!-- 注<td> -->三<![if x]>四<![endif]>", "张三四"),
        ("张<script>if (a<b) '</td>'</script>三<style>.a{}</style>", "张三"),
        ('张<span style="display:none">藏<span>深</span></span>三', "张三"),
        ("张<i hidden>藏</i>三<comment>批注</comment>", "张三"),
        ("=&quot;0012&quot;", '="0012"'),
        ("1 < 2 && 3<4", "1 < 2 && 3<4"),
    ],
)
def test_the_text_of_a_cell_of_a_page(inside, expected):
    assert page_cells(f"<table><tr><td>{inside}</td><td>末</td></tr></table>") == [{0: expected, 1: "末"}]


def test_tags_that_are_left_out_are_supplied():
    assert page_cells("<table><tr><td>一<td>二<tr><td>三</table>") == [{0: "一", 1: "二"}, {0: "三"}]
    assert page_cells("<TABLE><THEAD><TR><TH>一</TH><TBODY><TD>二<TD>三</TBODY></TABLE>") == [
        {0: "一"},
        {0: "二", 1: "三"},
    ]
    assert page_cells("<tr><td>一<tr><td>二") == [{0: "一"}, {0: "二"}]
    assert page_cells("<table><tr/><tr><td/><td x/>一</table>") == [{1: "一"}]


def test_cells_are_laid_out_as_a_browser_does():
    text = (
        "<table><tr><td colspan=3>题</td></tr><tr><td rowspan=3>甲</td><td colspan='2'>乙</td><td>丙</td></tr>"
        "<tr><td>一</td><td rowspan=2 colspan=2>二</td></tr><tr><td>三</td><td>四</td></tr></table>"
    )
    assert page_cells(text) == [
        {0: "题"},
        {0: "甲", 1: "乙", 3: "丙"},
        {1: "一", 2: "二"},
        {1: "三", 4: "四"},
    ]
    _, ((sheet_read, _),) = read_here("html", text.encode())
    assert sorted(sheet_read.merges) == [
        Merge(1, 1, 0, 2),
        Merge(2, 2, 1, 2),
        Merge(2, 4, 0, 0),
        Merge(3, 4, 2, 3),
    ]
    above_body = "<table><tr><th rowspan=9>一<th>二</table><table><tr><td>三<td>四<tr><td>五</table>"
    assert page_cells(above_body) == [{0: "一", 1: "二"}, {0: "三", 1: "四"}, {0: "五"}]


def test_rows_are_numbered_over_the_whole_page():
    text = (
        "<table><tr><td>甲<tr><td><table><tr><td>一<td>二<tr><td>三</table><td>乙<tr></tr><tr><td>丙</table>"
        "<table><tr><td>丁<td>戊</table>"
    )
    _, sheets = read_here("html", text.encode())
    assert [[line.number for line in lines] for _, lines in sheets] == [[1, 2, 6], [3, 4], [7]]


def test_each_table_of_a_page_is_read_by_itself(tmp_path):
    """The relatives in a second table are never doctors of the first one's header."""
    head = "<tr><th>姓名<th>身份证号"
    relatives = f"<table><tr><td>家属姓名<td>家属身份证号<tr><td>王五<td>{OTHER}</table>"
    text = f"<table>{head}<tr><td>张三<td>{NUMBER}</table>{relatives}<table><tr><td>姓名<td>身份证<tr><td>李四<td>{OTHER}</table>"
    rows, report = read_file(tmp_path, text.encode())
    assert [(row.fields[Field.NAME].value, row.origin.row) for row in rows] == [("张三", 2), ("李四", 6)]
    assert report.notes == ("3 tables: each is read by itself",)


@pytest.mark.parametrize(
    "head", ["<thead><tr><td>姓名</td><td>身份证号</td></tr></thead>", "<tr><td>姓名<td>身份证号"]
)
def test_a_header_in_a_table_of_its_own_is_that_of_the_next(tmp_path, head):
    text = f"<table>{head}</table><table><tr><td>张三<td>{NUMBER}<tr><td>李四<td>{OTHER}</table>"
    rows, report = read_file(tmp_path, text.encode())
    assert ([row.origin.row for row in rows], len(report.sheets)) == ([2, 3], 1)


@pytest.mark.parametrize(
    ("attributes", "text", "expected"),
    [
        ('x:num="110101199003070000"', "1.10101E+17", ("number", 110101199003070000)),
        ("x:num", "110101199003070011", ("number", 110101199003070011)),  # a double once Excel had it
        ('x:num="12"', "0012", ("number", 12)),
        ("x:num", "张三", ("text", "张三")),
        (
            'sdval="6.40104197706244E+017" sdnum="2052;"',
            "640104197706244000",
            ("number", 6.40104197706244e17),
        ),
        ('sdval="0" sdnum="2052;"', "#N/A", ("error", "#N/A")),
        ('x:err="#REF!"', "#REF!", ("error", "#REF!")),
        ("x:str", NUMBER, ("text", NUMBER)),
        ("", "110101199003071000", ("text", "110101199003071000")),
        ("align=right", "#N/A", ("text", "#N/A")),
    ],
)
def test_a_cell_of_a_page_is_text_unless_a_program_wrote_what_it_was(attributes, text, expected):
    ((kind, value, seen),) = list_cells(
        "html", f"<table><tr><td {attributes}>{text}</table>".encode()
    ).values()
    assert (kind, value, seen) == (*expected, text)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"<table><tr><td>a</td></tr></table></body></html", None),  # nothing of a row is missing
        (b"<html><body><table><tr><td>a</body></html>", None),
        (b"<table><tr><td>", "FILE_CORRUPT"),
        (b"<table><tr><td>a</td></tr>", "FILE_CORRUPT"),
        (b"<table><tr><td>a</td></tr></table><table>", "FILE_CORRUPT"),
        (b"<table><tr><td>a</td><td", "FILE_CORRUPT"),
        (b"<table><tr><td>a</td></tr></table><!-- b <table><tr><td>c</td></tr></table>", "FILE_CORRUPT"),
        (b'<table><tr><td class="a>b</td><td class="c">d</td></tr></table>', "FILE_CORRUPT"),
        (b'<html><frameset rows="*,39"><frame src="a.files/sheet001.htm"></frameset></html>', "FILE_FORMAT"),
    ],
)
def test_a_page_cut_off_inside_a_table_is_refused_and_one_cut_off_behind_it_is_not(data, code):
    if code is None:
        assert shown("html", data) == ["a"]
        return
    with pytest.raises(FileRefused) as caught:
        read_here("html", data)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("label_of_page", "codec"),
    [
        ("gb2312", "gb18030"),
        ("utf-8", "gbk"),
        ("gb2312", "utf-8"),
        ("utf-16", "utf-16"),
        ("iso-8859-1", "gbk"),
    ],
)
def test_the_bytes_decide_the_encoding_of_a_page(tmp_path, label_of_page, codec):
    text = f'<html><meta charset="{label_of_page}"><table><tr><td>姓名<td>身份证号<tr><td>张三<td>{NUMBER}</table></html>'
    (row,), _ = read_file(tmp_path, text.encode(codec))
    assert row.fields[Field.NAME].value == "张三"


def test_a_page_that_declares_what_is_not_read_is_refused(tmp_path):
    for label_of_page in ("big5", "shift_jis"):
        data = f'<meta charset="{label_of_page}"><table><tr><td>姓名<td>身份证号</table>'.encode()
        assert read_file(tmp_path, data)[1].codes == ("FILE_ENCODING",)


def test_pictures_of_a_page_are_noticed_and_not_fetched():
    picture = b'<table><tr><td>a<td><img src="http://127.0.0.1:9/a.png"></table>'
    assert read_here("html", picture)[0] == ("pictures within HTML cannot be read: save it as .xlsx",)
    assert read_here("html", b'<img src="logo.png"><table><tr><td>a</table>')[0] == ()


def test_a_text_longer_than_a_cell_refuses_the_file(tmp_path):
    rows, report = read_file(tmp_path, b"<table><tr><td>" + b"x" * 40_000 + b"</td></tr></table>")
    assert (rows, report.codes, report.problems[0].detail["found"]) == (
        [],
        ("FILE_SUSPICIOUS",),
        "A1: 40000 characters",
    )
