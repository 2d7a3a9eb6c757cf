"""OpenDocument spreadsheets: types and digits as written, what repeats, what hides, what is no cell's text."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import zipfile
from datetime import date, datetime, time
from itertools import islice

import openpyxl
import pytest
from openpyxl.comments import Comment
from python_calamine import CalamineWorkbook
from same_roster import TITLES, content, people, table

from pipeline.domain.roster import CellKind, Field
from pipeline.errors import FileRefused
from pipeline.intake.read_rosters import read_rosters
from pipeline.intake.readers import ods
from pipeline.intake.readers.budget import ReadBudget
from pipeline.intake.readers.model import Merge
from pipeline.intake.readers.options import DEFAULT_OPTIONS, ReadOptions
from pipeline.intake.readers.xml_sheets import count_rows

NUMBER = "11010119900307123X"
EXACT = 640104197706244288
MIMETYPE = "application/vnd.oasis.opendocument.spreadsheet"
NAMESPACES = {
    "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
    "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
    "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
    "style": "urn:oasis:names:tc:opendocument:xmlns:style:1.0",
    "draw": "urn:oasis:names:tc:opendocument:xmlns:drawing:1.0",
    "calcext": "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0",
}
DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())


def pack(content_xml: str, **more: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("mimetype", MIMETYPE)
        archive.writestr("content.xml", content_xml)
        for name, text in more.items():
            archive.writestr(name.replace("__", "/"), text)
    return file.getvalue()


def document(body: str, *, before: str = "", styles: str = "") -> bytes:
    """Return a spreadsheet whose body is exactly this XML."""
    return pack(
        f'<?xml version="1.0"?>{before}<office:document-content {DECLARED}><office:automatic-styles>{styles}'
        f"</office:automatic-styles><office:body><office:spreadsheet>{body}</office:spreadsheet></office:body>"
        "</office:document-content>"
    )


def sheet(rows: str, *, more: str = 'table:name="甲"') -> str:
    return f"<table:table {more}>{rows}</table:table>"


def row(*cells: str, more: str = "") -> str:
    return f"<table:table-row {more}>{''.join(cells)}</table:table-row>"


def cell(inside: str = "", more: str = "") -> str:
    return f"<table:table-cell {more}>{inside}</table:table-cell>"


def text(*paragraphs: str, more: str = "") -> str:
    return cell(
        "".join(f"<text:p>{each}</text:p>" for each in paragraphs), f'office:value-type="string" {more}'
    )


def number(value: object, shown: str, kind: str = "float") -> str:
    return cell(f"<text:p>{shown}</text:p>", f'office:value-type="{kind}" office:value="{value}"')


def opened(data: bytes, manner: ReadOptions = DEFAULT_OPTIONS):
    """Return the book's sheets, their lines as lists."""
    book = ods.read(data, manner=manner)
    return book, [(page, list(page.lines)) for page in book.sheets]


def lines_of(rows: str):
    _, ((_, lines),) = opened(document(sheet(rows)))
    return lines


def one(cell_xml: str):
    """Return what a single cell is read as, None if it is empty."""
    lines = lines_of(row(cell_xml))
    return lines[0].cells[0] if lines else None


def refusal(data: bytes, manner: ReadOptions = DEFAULT_OPTIONS):
    with pytest.raises(FileRefused) as caught:
        opened(data, manner)
    return caught.value.code, caught.value.detail.get("found")


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Save two workbooks as .ods with LibreOffice: the roster of every format, and one of every kind of cell."""
    office = shutil.which("libreoffice")
    if office is None:
        pytest.skip("needs LibreOffice")
    folder = tmp_path_factory.mktemp("libreoffice")
    book = openpyxl.Workbook()
    for line in table():
        book.active.append(line)
        for each in book.active[book.active.max_row]:
            each.data_type = "s" if each.value is not None else "n"  # =无 is a text
    book.save(folder / "same.xlsx")
    _every_kind().save(folder / "kinds.xlsx")
    command = [office, f"-env:UserInstallation=file://{folder}/profile", "--headless", "--convert-to", "ods"]
    files = [str(folder / "same.xlsx"), str(folder / "kinds.xlsx")]
    subprocess.run([*command, "--outdir", str(folder), *files], check=True, capture_output=True, timeout=120)
    return folder


def _every_kind():
    book = openpyxl.Workbook()
    page = book.active
    page.title = "医生"
    page.append(["2026年医生名单"])
    page.merge_cells("A1:F1")
    page.append(["工号", "姓名", "身份证号码", "科室", "日期", "备注"])
    page.append([12, "张  三", NUMBER, "内科", date(2026, 1, 1), "一\n二"])
    page.append([13800138000, "李四", EXACT, None, time(8, 30), "=1/0"])
    page.append([0.5, "=NA()", "=B3", None, datetime(2026, 1, 1, 8, 30), '=""'])  # noqa: DTZ001
    page.append([-1.5, "  王\t五 ", True, "外科"])
    page["A3"].number_format, page["A4"].number_format, page["A5"].number_format = "0000", "#,##0", "0%"
    page.merge_cells("D3:D5")
    page["F3"].comment = Comment("批注", "某人")
    page.row_dimensions[6].hidden = True
    page.column_dimensions["E"].hidden = True
    for line in range(20, 24):
        for column in "ABC":
            page[f"{column}{line}"] = "同"
    for title, state in (("隐藏", "hidden"), ("很隐藏", "veryHidden")):
        book.create_sheet(title).sheet_state = state
        book[title]["A1"] = "姓名"
    return book


def test_the_same_roster_as_in_every_format(converted):
    rows, (report,) = read_rosters([converted / "same.ods"])
    assert content(rows) == people()
    assert (rows[0].origin.row, rows[100].origin.row, rows[0].address(Field.NUMBER)) == (3, 104, "C3")
    assert [skip.why for skip in report.skipped] == ["title", "header", "blank", "total"]
    assert report.notes == ()


def test_every_kind_of_cell_that_libreoffice_writes(converted):
    book, ((page, lines), *hidden) = opened((converted / "kinds.ods").read_bytes())
    assert [(each.name, each.hidden, rest) for each, rest in hidden] == [
        ("隐藏", True, []),
        ("很隐藏", True, []),
    ]
    assert (page.name, page.hidden, page.hidden_columns) == ("医生", False, {4})
    assert page.merges == [Merge(1, 1, 0, 5), Merge(3, 5, 3, 3)]
    assert [line.number for line in lines] == [1, 2, 3, 4, 5, 6, 20, 21, 22, 23]
    assert [line.number for line in lines if line.hidden] == [6]
    kinds = {
        line.number: [(each.kind.value, each.value, each.display_text) for each in line.cells.values()]
        for line in lines
    }
    assert kinds[3] == [
        ("number", 12, "0012"),
        ("text", "张  三", "张  三"),
        ("text", NUMBER, NUMBER),
        ("text", "内科", "内科"),
        ("date", datetime(2026, 1, 1), "2026-01-01"),  # noqa: DTZ001
        ("text", "一\n二", "一\n二"),
    ]
    assert kinds[4] == [
        ("number", 13800138000, "13800138000"),
        ("text", "李四", "李四"),
        ("number", 6.40104197706244e17, "6.40104E+17"),
        ("date", time(8, 30), "08:30:00"),
        ("error", "#DIV/0!", "#DIV/0!"),
    ]
    assert kinds[5][:2] == [("number", 0.5, "0.5"), ("error", "#N/A", "#N/A")]
    assert kinds[5][2:] == [
        ("text", "张  三", "张  三"),
        ("date", datetime(2026, 1, 1, 8, 30), "2026-01-01 08:30:00"),  # noqa: DTZ001
    ]
    assert kinds[6][:3] == [
        ("number", -1.5, "-1.5"),
        ("text", "  王\t五 ", "  王\t五 "),
        ("bool", True, "TRUE"),
    ]
    assert kinds[22] == [("text", "同", "同")] * 3
    assert book.notes == ()


def test_calamine_reads_the_same_values(converted):
    for name in ("same", "kinds"):
        _, ((_, lines), *_) = opened((converted / f"{name}.ods").read_bytes())
        oracle = CalamineWorkbook.from_path(converted / f"{name}.ods").get_sheet_by_index(0)
        values = oracle.to_python(skip_empty_area=False)
        ours = {(line.number, column): each for line in lines for column, each in line.cells.items()}
        theirs = {
            (number, column): value
            for number, cells in enumerate(values, 1)
            for column, value in enumerate(cells)
            if value not in ("", None)
        }
        plain = {place: each for place, each in ours.items() if each.kind is not CellKind.ERROR}
        assert plain.keys() == theirs.keys()
        for place, each in plain.items():
            theirs_too = theirs[place]
            if isinstance(theirs_too, date) and not isinstance(theirs_too, datetime):
                theirs_too = datetime.combine(theirs_too, time())
            value = (
                each.value.replace("\t", "") if isinstance(each.value, str) else each.value
            )  # calamine drops tabs
            assert value == theirs_too, place


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("张  三", "张 三"),
        ("\n  张三\n ", "张三 "),
        ('张<text:s text:c="2"/>三', "张  三"),
        ("<text:s/>张三<text:s/>", " 张三 "),
        ("张<text:tab/>三<text:line-break/>四", "张\t三\n四"),
        ("<text:span>张</text:span> <text:span> 三</text:span>", "张 三"),
        ('<text:a xlink:href="http://x" xmlns:xlink="x">张</text:a>三', "张三"),
        (
            "张<text:ruby><text:ruby-base>三</text:ruby-base><text:ruby-text>sān</text:ruby-text></text:ruby>",
            "张三",
        ),
        ("张<office:annotation><text:p>批注</text:p></office:annotation>三", "张三"),
        ("张<draw:frame><draw:text-box><text:p>图</text:p></draw:text-box></draw:frame>三", "张三"),
        ("张<!-- 注 -->三<![CDATA[<]]>&amp;&#x4E00;", "张三<&一"),
    ],
)
def test_the_text_of_a_paragraph(inside, expected):
    assert one(text(inside)).display_text == expected


def test_paragraphs_are_lines_and_a_remark_is_none():
    remark = "<office:annotation><text:p>批注</text:p></office:annotation>"
    assert (
        one(
            cell(f"{remark}<text:p>一</text:p><text:p/><text:p>二</text:p>", 'office:value-type="string"')
        ).value
        == "一\n\n二"
    )
    assert one(cell(remark)) is None


def test_a_number_keeps_all_its_digits_and_its_type():
    assert one(number(EXACT, "6.40104197706244E+017")) == (CellKind.NUMBER, EXACT, "6.40104E+17")
    assert one(number(EXACT, EXACT)) == (CellKind.NUMBER, EXACT, "6.40104E+17")
    assert one(number("7.0", "7")) == (CellKind.NUMBER, 7.0, "7")
    assert one(number("1.5E3", "￥1,500.00", "currency")) == (CellKind.NUMBER, 1500.0, "1500")
    assert one(number("0.07", "7%", "percentage")) == (CellKind.NUMBER, 0.07, "0.07")
    assert one(number("7", "A007号")) == (CellKind.NUMBER, 7, "A007号")
    assert one(number("7", "008")) == (CellKind.NUMBER, 7, "7")  # the value counts


@pytest.mark.parametrize("value", ["x", "1_000", "NaN", "INF", "1e999", "", "١٢"])
def test_a_number_that_is_none_refuses_the_file_and_names_the_cell(value):
    data = document(sheet(row(more='table:number-rows-repeated="3"') + row(cell(), number(value, "7"))))
    assert refusal(data) == ("FILE_CORRUPT", "cell B4")


@pytest.mark.parametrize(
    ("more", "shown", "expected"),
    [
        ('office:value-type="date" office:date-value="2026-02-03"', "x", ("date", "2026-02-03")),
        (
            'office:value-type="date" office:date-value="2026-02-03T04:05:06.789"',
            "x",
            ("date", "2026-02-03 04:05:06"),
        ),
        ('office:value-type="date" office:date-value="-0044-03-15"', "前44年", ("text", "前44年")),
        ('office:value-type="time" office:time-value="PT23H59M59S"', "x", ("date", "23:59:59")),
        ('office:value-type="time" office:time-value="PT50H00M00S"', "50:00:00", ("text", "50:00:00")),
        ('office:value-type="boolean" office:boolean-value="true"', "真", ("bool", "TRUE")),
        ('office:value-type="boolean" office:boolean-value="false"', "假", ("bool", "FALSE")),
        ('office:value-type="string" office:string-value="张三"', "张三医生", ("text", "张三")),
        ('office:value-type="string" calcext:value-type="error"', "#REF!", ("error", "#REF!")),
        (
            'office:value-type="string" office:string-value="" calcext:value-type="error"',
            "Err:502",
            ("error", "Err:502"),
        ),
        ('table:formula="of:=NA()" office:value-type="string"', "#N/A", ("error", "#N/A")),
        (
            'table:formula="of:=A1" office:value-type="string" office:string-value="张三"',
            "张三",
            ("text", "张三"),
        ),
        ('office:value-type="string"', "#N/A", ("text", "#N/A")),  # typed by somebody
        ('table:formula="of:=A1" office:value-type="float" office:value="7"', "007", ("number", "007")),
        ('office:value-type="void"', "张三", ("text", "张三")),
        ("", "张三", ("text", "张三")),
    ],
)
def test_types_and_what_is_seen(more, shown, expected):
    read = one(cell(f"<text:p>{shown}</text:p>", more))
    assert (read.kind.value, read.display_text) == expected


def test_a_formula_that_nobody_computed_is_something_and_one_that_shows_nothing_is_not():
    assert one(cell("", 'table:formula="of:=A1"')).kind is CellKind.NO_VALUE
    assert one(cell("", 'table:formula="of:=A1" office:value-type="float"')).kind is CellKind.NO_VALUE
    assert one(cell("<text:p/>", 'table:formula="of:=&quot;&quot;"')) is None
    assert (
        one(cell("", 'table:formula="of:=&quot;&quot;" office:value-type="string" office:string-value=""'))
        is None
    )


def test_rows_and_cells_that_repeat_stand_where_they_are_seen():
    lines = lines_of(
        row(cell(more='table:number-columns-repeated="16384"'), more='table:number-rows-repeated="4"')
        + row(
            cell(more='table:number-columns-repeated="2"'),
            text("同", more='table:number-columns-repeated="3"'),
            text("末"),
        )
        + row(text("行"), more='table:number-rows-repeated="3"')
        + row(text("尾"))
        + row(cell(more='table:number-columns-repeated="1024"'), more='table:number-rows-repeated="1048000"')
    )
    assert [line.number for line in lines] == [5, 6, 7, 8, 9]
    assert {column: each.display_text for column, each in lines[0].cells.items()} == {
        2: "同",
        3: "同",
        4: "同",
        5: "末",
    }
    assert [line.cells[0].display_text for line in lines[1:]] == ["行", "行", "行", "尾"]


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        (row(text("行"), more='table:number-rows-repeated="1000000"'), "FILE_TOO_LARGE"),
        (row(text("行"), more='table:number-rows-repeated="999999999"'), "FILE_TOO_LARGE"),
        (row(text("行", more='table:number-columns-repeated="16385"')), "FILE_SUSPICIOUS"),
        (row(cell(more='table:number-columns-repeated="16384"'), text("行")), "FILE_SUSPICIOUS"),
        (
            row(
                text("行", more='table:number-columns-repeated="16384"'),
                more='table:number-rows-repeated="400"',
            ),
            "FILE_TOO_LARGE",
        ),
        (row(text("行", more='table:number-columns-repeated="16384"')) * 400, "FILE_TOO_LARGE"),
        (row(more='table:number-rows-repeated="1048576"') + row(text("行")), "FILE_CORRUPT"),
        (row(text("行"), more='table:number-rows-repeated="-1"'), "FILE_CORRUPT"),
        (row(text("行"), more='table:number-rows-repeated="0"'), "FILE_CORRUPT"),
        (row(text("x" * 40_000)), "FILE_SUSPICIOUS"),
        (row(text("x" * 10_000_000)), "FILE_SUSPICIOUS"),
        (row(text('<text:s text:c="99999999"/>' * 9)), "FILE_SUSPICIOUS"),
        (row(cell(more='table:number-columns-spanned="x"')), "FILE_CORRUPT"),
        ("<a>" * 1000, "FILE_CORRUPT"),
    ],
)
def test_repetition_beyond_reason_is_never_made(rows, code):
    assert refusal(document(sheet(rows)))[0] == code


def test_a_million_formatted_empty_rows_cost_nothing():
    empty = "".join(
        row(cell(more='table:number-columns-repeated="16384"'), more=f'table:style-name="ro{n % 2}"')
        for n in range(20_000)
    )
    assert len(lines_of(empty + row(text("张三")))) == 1


def test_hidden_rows_groups_and_columns_are_told():
    column = '<table:table-column table:visibility="{}" table:number-columns-repeated="{}"/>'
    rows = (
        column.format("visible", 2)
        + column.format("collapse", 2)
        + f'<table:table-column-group table:display="false">{column.format("visible", 1)}</table:table-column-group>'
        + column.format("filter", 99_999)
        + f"<table:table-header-rows>{row(text('一'))}</table:table-header-rows>"
        + row(text("二"), more='table:visibility="collapse"')
        + row(text("三"), more='table:visibility="filter"')
        + f'<table:table-row-group table:display="false"><table:table-row-group>{row(text("四"))}</table:table-row-group>'
        + f"</table:table-row-group><table:table-row-group>{row(text('五'))}</table:table-row-group><table:table-rows>{row(text('六'))}</table:table-rows>"
    )
    _, ((page, lines),) = opened(document(sheet(rows)))
    assert [line.hidden for line in lines] == [False, True, True, True, False, False]
    assert page.hidden_columns == frozenset(range(2, 16_384))


def test_hidden_tables_are_known_by_their_style_and_the_next_one_is_read():
    styles = (
        '<style:style style:name="t1" style:family="table"><style:table-properties table:display="true"/></style:style>'
        '<style:style style:name="t2" style:family="table"><style:table-properties table:display="false"/></style:style>'
    )
    body = (
        sheet(row(text("甲")), more='table:name="甲" table:style-name="t1"')
        + sheet(row(number("x", "坏")), more='table:name="乙" table:style-name="t2"')
        + sheet(row(text("丙")), more='table:name="丙"')
        + sheet("", more='table:name="丁"')
    )
    book = ods.read(document(body, styles=styles), manner=DEFAULT_OPTIONS)
    seen = [  # the caller may leave lines unread
        (page.name, page.hidden, [line.cells[0].display_text for line in islice(page.lines, 1)])
        for page in book.sheets
    ]
    assert seen == [("甲", False, ["甲"]), ("乙", True, []), ("丙", False, ["丙"]), ("丁", False, [])]


def test_lines_that_were_left_unread_do_not_leak_into_the_next_sheet():
    body = sheet(row(text("一")) + row(text("二"))) + sheet(row(text("三")), more='table:name="乙"')
    pages = ods.read(document(body), manner=DEFAULT_OPTIONS).sheets
    next(pages)
    assert [line.cells[0].display_text for line in next(pages).lines] == ["三"]


def test_merged_cells_are_told_and_what_lies_under_them_is_not_read():
    spanned = 'table:number-columns-spanned="2" table:number-rows-spanned="2"'
    covered = f"<table:covered-table-cell>{'<text:p>藏</text:p>'}</table:covered-table-cell>"
    rows = (
        row(
            cell(more='table:number-columns-spanned="3"'),
            '<table:covered-table-cell table:number-columns-repeated="2"/>',
            text("右"),
        )
        + row(text("大", more=spanned), covered, text("x"))
        + row(covered, covered, text("y"))
        + row(
            text("同", more='table:number-columns-spanned="2"'),
            covered,
            more='table:number-rows-repeated="2"',
        )
        + row(cell(more='table:number-columns-spanned="2"'), covered, more='table:number-rows-repeated="2"')
        + row(text("界", more='table:number-columns-spanned="1" table:number-rows-spanned="1"'))
    )
    _, ((page, lines),) = opened(document(sheet(rows)))
    assert [{column: each.display_text for column, each in line.cells.items()} for line in lines] == [
        {3: "右"},
        {0: "大", 2: "x"},
        {2: "y"},
        {0: "同"},
        {0: "同"},
        {0: "界"},
    ]
    assert page.merges == [Merge(1, 1, 0, 2), Merge(2, 3, 0, 1), Merge(4, 4, 0, 1), Merge(5, 5, 0, 1)]


def test_old_versions_links_forms_and_tables_within_cells_hold_no_doctor():
    hidden_text = sheet(row(text("旧")))
    body = (
        f"<table:tracked-changes><table:cell-content-change>{row(text('旧'))}{hidden_text}</table:cell-content-change></table:tracked-changes>"
        + sheet(
            f"<office:forms>{row(text('表单'))}</office:forms><table:shapes><draw:frame>{row(text('图'))}</draw:frame></table:shapes>"
            + row(text("新"), cell(sheet(row(text("里")))))
        )
        + f"<table:dde-links><table:dde-link>{hidden_text}</table:dde-link></table:dde-links>"
    )
    _, pages = opened(document(body))
    assert [[line.cells[0].display_text for line in lines] for _, lines in pages] == [["新"]]


def test_pictures_are_noted():
    frame = '<draw:frame><draw:image xlink:href="Pictures/1.png" xmlns:xlink="x"/></draw:frame>'
    for rows in (
        row(text("张三"), cell(frame)),
        f"<table:shapes>{frame}</table:shapes>",
        row(cell(f"<text:p>{frame}</text:p>")),
    ):
        assert opened(document(sheet(rows)))[0].notes == (ods.PICTURES,)


def test_prefixes_are_the_documents_own():
    with zipfile.ZipFile(io.BytesIO(document(sheet(row(text("张三"), number(EXACT, "x")))))) as archive:
        xml = archive.read("content.xml").decode()
    for place, prefix in enumerate(NAMESPACES):
        xml = re.sub(rf"(?<![:\w]){prefix}:(?=[a-z])", f"n{place}:", xml).replace(
            f"xmlns:{prefix}=", f"xmlns:n{place}="
        )
    assert "<n1:table " in xml
    _, ((page, (line,)),) = opened(pack(xml))
    assert (page.name, line.cells[0].value, line.cells[1].value) == ("甲", "张三", EXACT)


def test_too_many_rows_are_refused_before_they_are_parsed():
    """The XML breaks off behind them, which nobody sees."""
    rows = row(text("一")) * 300
    broken = pack(f"<office:document-content {DECLARED}><office:body><office:spreadsheet>{sheet(rows)}")
    assert refusal(broken, ReadOptions(max_rows=299)) == ("FILE_TOO_LARGE", "> 299 rows")
    assert refusal(broken, ReadOptions(max_rows=300))[0] == "FILE_CORRUPT"
    empty = row(cell(more='table:style-name="ce1"'))
    assert (
        len(opened(document(sheet((empty + row(text("一"))) * 300)), ReadOptions(max_rows=300))[1][0][1])
        == 300
    )


def test_rows_that_only_repeat_count_as_many():
    rows = row(text("一"), more='table:number-rows-repeated="300"')
    assert refusal(document(sheet(rows)), ReadOptions(max_rows=299)) == ("FILE_TOO_LARGE", "> 299 rows")


@pytest.mark.parametrize("size", [1, 5, 16, 63, 64, 65, 200, 10_000])
def test_rows_are_counted_wherever_the_bytes_are_cut(size):
    rows = (
        row(text("一"))
        + row(cell()) * 3
        + row(cell(more='table:style-name="a"'), text("x" * 300))
        + row(text("末"))
    )
    data = sheet(rows).encode()
    pieces = [data[place : place + size] for place in range(0, len(data), size)]
    holds = re.compile(rb"<text:p|office:")
    count_rows(pieces, b"<table:table-row", holds, ReadBudget(3))
    with pytest.raises(FileRefused):
        count_rows(pieces, b"<table:table-row", holds, ReadBudget(2))
    count_rows([b"<tr>a", b"b<", b"tr>"], b"<tr", re.compile(rb">[^<]"), ReadBudget(1))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (pack("", **{"META-INF__manifest.xml": "<m><manifest:encryption-data/></m>"}), "FILE_ENCRYPTED"),
        (pack("<office:document-content"), "FILE_CORRUPT"),
        (pack(f"<office:document-content {DECLARED}/>"), "FILE_FORMAT"),
        (document(sheet(row(text("&x;"))), before="<!DOCTYPE a [<!ENTITY x 'y'>]>"), "FILE_SUSPICIOUS"),
        (
            document(sheet(row(text("&x;"))), before="<!DOCTYPE a SYSTEM 'file:///etc/passwd'>"),
            "FILE_SUSPICIOUS",
        ),
        (document(sheet(row(text("&x;")))), "FILE_CORRUPT"),
        (document(sheet(row(text("\0")))), "FILE_CORRUPT"),
        (document(sheet(row(text("x")))[:-5]), "FILE_CORRUPT"),
        (document("<table:table>" * 100_000), "FILE_CORRUPT"),
        (document(sheet(row(text(f"{'a' * 30_000_000}")))), "FILE_SUSPICIOUS"),
    ],
)
def test_what_is_damaged_or_hostile_is_refused(data, code):
    assert refusal(data)[0] == code


def test_a_missing_content_is_damage():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", MIMETYPE)
    assert refusal(file.getvalue()) == ("FILE_CORRUPT", "missing part: content.xml")


def test_a_whole_roster_by_hand(tmp_path):
    lines = [row(*map(text, TITLES))] + [
        row(*(text(*each.split("\n")) for each in line)) for line in ((*people()[1],), (*people()[4],))
    ]
    (tmp_path / "a.xls").write_bytes(document(sheet("".join(lines))))
    rows, (report,) = read_rosters([tmp_path / "a.xls"])
    assert content(rows) == [people()[1], people()[4]]
    assert (report.status, rows[0].origin.sheet) == ("read", "甲")
