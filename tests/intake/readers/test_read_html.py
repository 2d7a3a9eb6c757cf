"""HTML tables saved as .xls: rows and columns as a browser lays them out, nothing fetched, nothing half read."""

from __future__ import annotations

from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from same_roster import TITLES, content, people, table

from pipeline.domain.roster import CellKind, Field
from pipeline.errors import FileRefused
from pipeline.intake.read_rosters import read_rosters
from pipeline.intake.readers import html
from pipeline.intake.readers.html_tokens import Tag, tokens
from pipeline.intake.readers.model import Merge
from pipeline.intake.readers.options import DEFAULT_OPTIONS, ReadOptions

NUMBER = "11010119900307123X"
OTHER = "110101199003070011"
HEAD = "<tr><th>姓名<th>身份证号"


def opened(text: str | bytes, manner: ReadOptions = DEFAULT_OPTIONS):
    """Return the sheets of a page, their lines as lists."""
    book = html.read(text if isinstance(text, bytes) else text.encode(), manner=manner)
    return book, [(sheet, list(sheet.lines)) for sheet in book.sheets]


def cells(text: str) -> list[dict[int, str]]:
    """Return what the cells of a page's only table show, line by line."""
    ((_, lines),) = opened(text)[1]
    return [{column: cell.display_text for column, cell in line.cells.items()} for line in lines]


def one(inside: str) -> str:
    """Return what one cell shows."""
    return cells(f"<table><tr><td>{inside}</td><td>末</td></tr></table>")[0].get(0, "")


def refusal(text: str | bytes, manner: ReadOptions = DEFAULT_OPTIONS):
    with pytest.raises(FileRefused) as caught:
        opened(text, manner)
    return caught.value.code, caught.value.detail.get("found")


def page(body: str, charset: str = "utf-8") -> bytes:
    """Return a page as a hospital system exports it."""
    return (
        f'<html xmlns:x="urn:schemas-microsoft-com:office:excel"><head><meta http-equiv="Content-Type" '
        f'content="text/html; charset={charset}"><style>.txt{{mso-number-format:"\\@";}}</style></head>'
        f"<body>{body}</body></html>"
    ).encode("gb18030" if charset.startswith("gb") else charset)


def whole_table(lines) -> str:
    rows = ("".join(f'<td class="txt">{marked(cell)}</td>' for cell in line) for line in lines)
    return f"<table border=1>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def marked(cell: str) -> str:
    """Write a cell so that its white space counts."""
    return escape(cell).replace("\n", "<br>").replace("\t", "&Tab;")


@pytest.mark.parametrize("charset", ["utf-8", "gb2312", "gbk", "utf-16"])
def test_the_same_roster_as_in_every_format(tmp_path, charset):
    (tmp_path / "a.xls").write_bytes(page(whole_table(table()), charset))
    rows, (report,) = read_rosters([tmp_path / "a.xls"])
    expected = [tuple(cell.replace("\t", " ") for cell in row) for row in people()]  # a browser shows no tabs
    assert content(rows) == expected
    assert (rows[0].origin.sheet, rows[0].origin.row, rows[100].origin.row) == (None, 3, 104)
    assert rows[0].address(Field.NUMBER) == "C3"
    assert [skip.why for skip in report.skipped] == ["title", "header", "blank", "total"]
    assert {cell.kind for row in rows for cell in row.cells} == {CellKind.TEXT, CellKind.EMPTY}


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("  张\n\t 三 ", "张 三"),
        ("张<br>三<BR/>四", "张\n三\n四"),
        ("<br>张三<br><br/>", "张三"),
        ("<p>张三</p><p>李四</p>", "张三\n李四"),
        ("<div><span>张</span><b>三</b></div>", "张三"),
        ("张&nbsp;三&#x4E00;&#20108;&lt;&amp;lt;", "张\xa0三一二<&lt;"),
        ("&nbsp;", ""),
        ("张<!-- 注<td> -->三<![if x]>四<![endif]><?xml a?>", "张三四"),
        ("张<script>if (a<b) '</td>'</script>三<style>.a{}</style>", "张三"),
        ('张<span style="display:none">藏<span>深</span></span>三', "张三"),
        ("张<i hidden>藏</i>三", "张三"),
        ("张<comment>批注</comment>三", "张三"),
        ('<input type="hidden" value="x">张三<img src="http://x/y.png">', "张三"),
        ("1 < 2 && 3<4", "1 < 2 && 3<4"),
        ("<table><tr><td>张三</td></tr></table>", "张三"),
        ("张<table></table>三", "张 三"),
        ("=&quot;0012&quot;", '="0012"'),
        ("<a href='javascript:x>y'>张三</a>", "张三"),
    ],
)
def test_the_text_of_a_cell(inside, expected):
    assert one(inside) == expected


def test_tags_that_are_left_out_are_supplied():
    assert cells("<table><tr><td>一<td>二<tr><td>三</table>") == [{0: "一", 1: "二"}, {0: "三"}]
    assert cells("<TABLE><THEAD><TR><TH>一</TH><TBODY><TD>二<TD>三</TBODY></TABLE>") == [
        {0: "一"},
        {0: "二", 1: "三"},
    ]
    assert cells("<table></td></tr></p><tr></td><td>一</td></td></table></table>") == [{0: "一"}]
    assert cells("<tr><td>一<tr><td>二") == [{0: "一"}, {0: "二"}]
    assert cells("<table><tr/><tr><td/><td x/>一</table>") == [{1: "一"}]


def test_merged_cells_take_their_columns_and_are_told():
    text = (
        "<table><tr><td colspan=3>题</td></tr>"
        "<tr><td rowspan=3>甲</td><td colspan='2'>乙</td><td>丙</td></tr>"
        "<tr><td>一</td><td rowspan=2 colspan=2>二</td></tr>"
        "<tr><td>三</td><td>四</td></tr>"
        "<tr><td>五</td><td>六</td></tr></table>"
    )
    assert cells(text) == [
        {0: "题"},
        {0: "甲", 1: "乙", 3: "丙"},
        {1: "一", 2: "二"},
        {1: "三", 4: "四"},
        {0: "五", 1: "六"},
    ]
    ((sheet, _),) = opened(text)[1]
    assert sheet.merges == [Merge(1, 1, 0, 2), Merge(2, 2, 1, 2), Merge(2, 4, 0, 0), Merge(3, 4, 2, 3)]


def test_no_cell_reaches_out_of_its_section_or_table():
    text = (
        "<table><thead><tr><td rowspan=9>一<td>二</thead><tbody><tr><td rowspan=0>三<td>四<tr><td>五</table>"
    )
    assert cells(text) == [{0: "一", 1: "二"}, {0: "三", 1: "四"}, {1: "五"}]
    ((sheet, _),) = opened(text)[1]
    assert sheet.merges == [Merge(2, 3, 0, 0)]


def test_endless_spans_cost_nothing():
    huge = "9" * 300
    text = f"<table><tr><td colspan={huge} rowspan={huge}>一<td rowspan=-5 colspan=x>二<tr><td>三</table>"
    assert cells(text) == [{0: "一", 1000: "二"}, {1000: "三"}]
    assert refusal("<table><tr>" + "<td colspan=1000>一" * 20 + "</table>")[0] == "FILE_SUSPICIOUS"
    assert refusal("<table>" + "<tr>" + "<td rowspan=9>一" * 300 + "</table>")[0] == "FILE_SUSPICIOUS"


def test_rows_are_numbered_over_the_whole_file():
    text = (
        "<table><tr><td>甲<tr><td><table><tr><td>一<td>二<tr><td>三</table><td>乙<tr></tr><tr><td>丙</table>"
        "<table><tr><td>丁<td>戊</table>"
    )
    _, sheets = opened(text)
    assert [
        [(line.number, line.cells[min(line.cells)].display_text) for line in lines] for _, lines in sheets
    ] == [
        [(1, "甲"), (2, "乙"), (6, "丙")],
        [(3, "一"), (4, "三")],
        [(7, "丁")],
    ]
    assert all(sheet.name is None for sheet, _ in sheets)


def test_each_table_is_read_by_itself(tmp_path):
    """The relatives in a second table are never doctors of the first one's header."""
    relatives = f"<table><tr><td>家属姓名<td>家属身份证号<tr><td>王五<td>{OTHER}</table>"
    text = f"<table>{HEAD}<tr><td>张三<td>{NUMBER}</table>{relatives}<table><tr><td>姓名<td>身份证<tr><td>李四<td>{OTHER}</table>"
    (tmp_path / "a.xls").write_text(text, "utf-8")
    rows, (report,) = read_rosters([tmp_path / "a.xls"])
    assert [(row.fields[Field.NAME].value, row.origin.row) for row in rows] == [("张三", 2), ("李四", 6)]
    assert [(sheet.sheet, sheet.status, sheet.rows) for sheet in report.sheets] == [
        (None, "read", 1),
        (None, "no_header", 0),
        (None, "read", 1),
    ]
    assert report.notes == ("3 tables: each is read by itself",)


@pytest.mark.parametrize(
    "head",
    [
        f"<table>{HEAD}</table>",
        "<table><thead><tr><td>姓名</td><td>身份证号</td></tr></thead></table>",
        "<table><tr><td>姓名</td><td>身份证号</td></tr></table><table></table>",
    ],
)
def test_a_header_in_a_table_of_its_own_is_that_of_the_next(tmp_path, head):
    (tmp_path / "a.xls").write_text(
        f"{head}<table><tr><td>张三<td>{NUMBER}<tr><td>李四<td>{OTHER}</table>", "utf-8"
    )
    rows, (report,) = read_rosters([tmp_path / "a.xls"])
    assert [row.origin.row for row in rows] == [2, 3]
    assert len(report.sheets) == 1


def test_hidden_rows_and_columns_are_told():
    text = (
        "<style>td{color:red} .gone , .x { color:red; display:none }</style><table>"
        "<colgroup><col><col style='mso-width:0;display:none' span=2><col></colgroup>"
        "<tr><td>一<td>x<td>x<td>y<td style='display:none'>z"
        "<tr style='height:0;DISPLAY: none'><td>二<tr hidden><td>三<tr class='a x'><td>四"
        "<tbody style='visibility:collapse'><tr><td>五</tbody><tr><td>六<td><td><td><td hidden>z</table>"
        "<table style='display:none'><tr><td>七<td>八</table>"
    )
    _, ((sheet, lines), (_, others)) = opened(text)
    assert [line.hidden for line in lines] == [False, True, True, True, True, False]
    assert sheet.hidden_columns == {1, 2, 4}
    assert [line.hidden for line in others] == [True]


@pytest.mark.parametrize(
    ("attributes", "shown", "expected"),
    [
        ('x:num="110101199003070000"', "1.10101E+17", (CellKind.NUMBER, 110101199003070000)),
        ('x:num="1.1010119900307E+17"', "110101199003070000", (CellKind.NUMBER, 1.1010119900307e17)),
        ("x:num", "110101199003070011", (CellKind.NUMBER, 110101199003070011)),  # a double once Excel had it
        ('x:num="12"', "0012", (CellKind.NUMBER, 12)),
        ('x:num="45000.5"', "2023/3/15", (CellKind.NUMBER, 45000.5)),
        ("x:num", "张三", (CellKind.TEXT, "张三")),
        ('x:num="1e999"', "x", (CellKind.TEXT, "x")),
        (
            'sdval="6.40104197706244E+017" sdnum="2052;"',
            "640104197706244000",
            (CellKind.NUMBER, 6.40104197706244e17),
        ),
        ('sdval="0" sdnum="2052;"', "#N/A", (CellKind.ERROR, "#N/A")),
        ('x:err="#REF!"', "#REF!", (CellKind.ERROR, "#REF!")),
        ("x:str", NUMBER, (CellKind.TEXT, NUMBER)),
        (r"""style='mso-number-format:"\@"'""", "0012", (CellKind.TEXT, "0012")),
        ("", "110101199003071000", (CellKind.TEXT, "110101199003071000")),
        ("align=right", "#N/A", (CellKind.TEXT, "#N/A")),
    ],
)
def test_a_cell_is_text_as_written_unless_it_says_that_it_was_a_number(attributes, shown, expected):
    ((_, (line,)),) = opened(f"<table><tr><td {attributes}>{shown}</table>")[1]
    assert (*line.cells[0][:2], line.cells[0].display_text) == (*expected, shown)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (page(f"<table>{HEAD}<tr><td>欧阳䶮<td>{NUMBER}</table>", "gb2312"), "欧阳䶮"),
        (page(f"<table>{HEAD}<tr><td>㼆某<td>{NUMBER}</table>", "gbk"), "㼆某"),
        (
            page(f"<table>{HEAD}<tr><td>张三<td>{NUMBER}</table>").replace(b"utf-8", b"gb2312"),
            "张三",
        ),  # it lies
        (page(f"<table>{HEAD}<tr><td>张三<td>{NUMBER}</table>", "gbk").replace(b"gbk", b"utf-8"), "张三"),
        (
            page(f"<table>{HEAD}<tr><td>张三<td>{NUMBER}</table>", "gbk").replace(b"gbk", b"iso-8859-1"),
            "张三",
        ),
        (page(f"<table>{HEAD}<tr><td>张三<td>{NUMBER}</table>", "utf-16"), "张三"),
        (f"\ufeff<table>{HEAD}<tr><td>张三<td>{NUMBER}</table>".encode("utf-16-be"), "张三"),
        (f"\ufeff<table>{HEAD}<tr><td>张三<td>{NUMBER}</table>".encode(), "张三"),
        (f"<table>{HEAD}<tr><td>张三<td>{NUMBER}</table>".encode("gb18030"), "张三"),
        # the bytes of 姚平 are valid UTF-8 as well; here the page says what they are
        (
            f"<meta charset=gb2312><table><tr><td>name<td>id number<tr><td>姚平<td>{NUMBER}</table>".encode(
                "gb18030"
            ),
            "姚平",
        ),
        (
            f'<?xml version="1.0" encoding="GBK"?><html><table><tr><td>name<td>id number<tr><td>姚平<td>{NUMBER}</table>'.encode(
                "gbk"
            ),
            "姚平",
        ),
    ],
)
def test_the_bytes_decide_the_encoding_and_the_page_only_helps(tmp_path, data, name):
    (tmp_path / "a.xls").write_bytes(data)
    (row,), _ = read_rosters([tmp_path / "a.xls"])
    assert row.fields[Field.NAME].value == name


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (page(f"<table>{HEAD}<tr><td>张三<td>1</table>").replace(b"utf-8", b"big5"), "FILE_ENCODING"),
        (page(f"<table>{HEAD}<tr><td>张三<td>1</table>").replace(b"utf-8", b"shift_jis"), "FILE_ENCODING"),
        (page(f"<table>{HEAD}<tr><td>张三<td>1</table>", "utf-16")[:-1], "FILE_ENCODING"),
        (b"<table><tr><td>\xff\xff</table>", "FILE_ENCODING"),
        (b"<html><body><p>\xe7\x99\xbb\xe5\xbd\x95</p></body></html>", "FILE_FORMAT"),
        (
            b'<html><frameset rows="*,39"><frame src="a.files/sheet001.htm" name=frSheet></frameset></html>',
            "FILE_FORMAT",
        ),
        (b"MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n\r\n<html><table><td>", "FILE_FORMAT"),
        (b"From: <IE>\r\nSubject: a\r\n b\r\nmime-version: 1.0\r\n\r\n<html><table><td>", "FILE_FORMAT"),
        (b"<table><tr><td>", "FILE_CORRUPT"),
        (b"<table><tr><td>a</td></tr>", "FILE_CORRUPT"),
        (b"<table><tr><td>a</td></tr></table><table>", "FILE_CORRUPT"),
        (b"<table><tr><td>a</td><td", "FILE_CORRUPT"),
        (b"<table><tr><td>a</td></tr></table><!-- b", "FILE_CORRUPT"),
        (b'<table><tr><td class="a>b</td><td class="c">d</td></tr></table>', "FILE_CORRUPT"),
        (b"<table><tr><td class='a>b</td><td>c</td></tr></table>", "FILE_CORRUPT"),
        (b"<table>" * 65, "FILE_SUSPICIOUS"),
        (b"<table><tr><td>" + b"x" * 40_000 + b"</table>", "FILE_SUSPICIOUS"),
        (b"<table><tr><td>" + b"x" * 10_000_001 + b"</table>", "FILE_SUSPICIOUS"),
        (b'<table><tr><td x="' + b"x" * 10_100_000, "FILE_SUSPICIOUS"),
    ],
)
def test_what_is_elsewhere_cut_off_or_hostile_is_refused(data, code):
    assert refusal(data)[0] == code


def test_a_page_that_ends_may_leave_its_table_open():
    assert cells("<html><body><table><tr><td>一</body></html>") == [{0: "一"}]


def test_a_picture_in_a_cell_is_noted_and_not_fetched():
    assert opened('<table><tr><td>张三<td><img src="http://127.0.0.1:9/a.png"></table>')[0].notes == (
        html.PICTURES,
    )
    assert opened('<img src="logo.png"><table><tr><td>张三</table>')[0].notes == ()
    data = f'<table><tr><td>一<td><img src="data:image/png;base64,{"A" * 3_000_000}"></table>'
    assert cells(data) == [{0: "一"}]


def test_too_many_rows_are_refused_before_they_are_parsed():
    """The last tag never ends, which nobody sees; rows that hold nothing do not count."""
    rows = "<TR>\n<td>一</td><td>&nbsp;</td></TR><tr><td>\n</td><td>&nbsp;</td></tr>" * 300
    assert refusal(f'<table>{rows}<td "', ReadOptions(max_rows=299)) == ("FILE_TOO_LARGE", "> 299 rows")
    assert refusal(f'<table>{rows}<td "', ReadOptions(max_rows=300))[0] == "FILE_CORRUPT"
    assert len(cells_of(f"<table>{rows}</table>", ReadOptions(max_rows=300))) == 300


def cells_of(text: str, manner: ReadOptions):
    ((_, lines),) = opened(text, manner)[1]
    return lines


@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "<a ",
        "<!",
        "</",
        "&",
        "<?",
        "<!--",
        "<td a='",
        '<td "',
        "<td a=b/",
        "<script>",
        "<img src=",
        "< ",
        "</a ",
        "<td a=",
    ],
)
def test_no_piece_of_markup_however_often_takes_long(piece):
    """A megabyte each; in the standard library's parser some of these take minutes."""
    text = f"<table><tr><td>{piece * (1_000_000 // len(piece))}"
    assert refusal(text)[0] in ("FILE_CORRUPT", "FILE_SUSPICIOUS")


@given(st.data())
def test_pieces_make_the_same_tokens_as_the_whole(data):
    parts = [
        "<td",
        " a=",
        '"x>y"',
        "'",
        ">",
        "</td>",
        "<!-- ",
        "-->",
        "张",
        " ",
        "&amp",
        ";",
        "<script>",
        "</script>",
        "<",
        "<br/>",
        "<!x>",
    ]
    text = "".join(data.draw(st.lists(st.sampled_from(parts), max_size=12)))
    cut = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    pieces = [text[a:b] for a, b in zip([0, *cut], [*cut, len(text)], strict=True)]

    def result(given):
        found = []
        try:
            for token in tokens(given):
                if isinstance(token, str) and found and isinstance(found[-1], str):
                    found[-1] += token
                else:
                    found.append(token)
        except FileRefused as refused:
            found.append(refused.code)
        return found

    assert result(pieces) == result([text])


def test_attributes_are_read_as_browsers_read_them():
    (tag,) = tokens(["""<TD  Class = a\tX:Num='1"2' title="&lt;x>"  NoWrap data-a=b/c class=z "/>"""])
    assert isinstance(tag, Tag)
    assert (tag.name, tag.ends) == ("td", False)
    assert tag.read() == {"class": "a", "x:num": '1"2', "title": "<x>", "nowrap": "", "data-a": "b/c"}


def test_titles_of_two_rows_and_all_departments(tmp_path):
    body = (
        f"<table><tr><td colspan=3>名单</td></tr><tr>{''.join(f'<th>{title}</th>' for title in TITLES[:4])}</tr>"
        f"<tr><td>0001</td><td>张三</td><td>{NUMBER}</td><td rowspan=2>内科</td></tr><tr><td>0002</td><td>李四</td><td>{OTHER}</td></tr></table>"
    )
    (tmp_path / "a.xls").write_bytes(page(body, "gbk"))
    rows, _ = read_rosters([tmp_path / "a.xls"])
    assert [row.fields[Field.DEPARTMENT].display_text for row in rows] == ["内科", "内科"]
    assert [row.fields[Field.STAFF_NO].display_text for row in rows] == ["0001", "0002"]
