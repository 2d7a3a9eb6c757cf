"""Workbooks: each cell with its own type, as the file holds it; hidden things; what is refused before it is read."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zipfile
from datetime import date, datetime
from pathlib import Path

import openpyxl
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from walks import count_examples
from xlsx_support import MAIN, OFFICE, TITLES, inline, raw

from pipeline.domain.roster import CellKind, Field
from pipeline.intake.read_rosters import read_rosters
from pipeline.intake.readers.xlsx import workbook as xlsx

NUMBER = "11010119900307123X"
NEW_YEAR = datetime.fromisoformat("2026-01-01")
HEADER = ("姓名", "身份证号码", "工号")


def workbook(path: Path, lines, sheet="医生", **more):
    """Write lines with openpyxl; ``more`` are further sheets."""
    book = openpyxl.Workbook()
    book.active.title = sheet
    for line in lines:
        book.active.append(line)
    for name, extra in more.items():
        page = book.create_sheet(name)
        for line in extra:
            page.append(line)
    book.save(path)
    return path


def one(path: Path, **options):
    """Read a file that must be readable and has one report."""
    rows, (report,) = read_rosters([path], **options)
    assert report.status == "read", report.problems
    return rows, report


def refused(path: Path, **options):
    rows, (report,) = read_rosters([path], **options)
    assert (rows, report.status) == ([], "refused")
    assert report.codes == tuple(problem.code for problem in report.problems)
    return report.problems[0]


def test_a_row_knows_its_place_and_every_cell(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [("2026年医生名单",), (), HEADER, ("张 三", NUMBER, "0012")])
    (row,), report = one(path)
    assert (row.origin.file, row.origin.sheet, row.origin.row) == ("a.xlsx", "医生", 4)
    assert [(cell.column, cell.header, cell.value) for cell in row.cells] == [
        ("A", "姓名", "张 三"),
        ("B", "身份证号码", NUMBER),
        ("C", "工号", "0012"),
    ]
    assert row.address(Field.NUMBER) == "B4"
    assert row.fields[Field.STAFF_NO].value == "0012"
    assert Field.MOBILE not in row.fields
    assert report.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [(line.first, line.last, line.why) for line in report.skipped] == [
        (1, 1, "title"),
        (2, 2, "blank"),
        (3, 3, "header"),
    ]


def test_a_number_stays_a_number_with_all_its_digits(tmp_path):
    path = raw(
        tmp_path / "a.xlsx",
        f'<sheetData>{TITLES}<row r="2">{inline("A2", "张三")}<c r="B2"><v>640104197706244288</v></c>'
        '<c r="C2"><v>7.0</v></c></row></sheetData>',
    )
    (row,), _ = one(path)
    number = row.fields[Field.NUMBER]
    assert (number.kind, number.value, number.display_text) == (
        CellKind.NUMBER,
        640104197706244288,
        "6.40104E+17",
    )
    assert row.fields[Field.STAFF_NO].display_text == "7"


def test_zeros_that_only_the_number_format_shows_are_kept(tmp_path):
    path = tmp_path / "a.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADER)
    formats = ["000000", '"YS"0000', "0", "#,##0"]
    for line, code in enumerate(formats, 1):
        sheet.write_row(line, 0, ["张三", NUMBER])
        sheet.write_number(line, 2, 7, book.add_format({"num_format": code}))
    book.close()
    rows, _ = one(path)
    assert [row.fields[Field.STAFF_NO].display_text for row in rows] == ["000007", "YS0007", "7", "7"]
    assert {row.fields[Field.STAFF_NO].value for row in rows} == {7}


def test_formulas_errors_dates_and_ticks(tmp_path):
    path = raw(
        tmp_path / "a.xlsx",
        f'<sheetData>{TITLES}<row r="2">'
        '<c r="A2" t="str"><f>B9&amp;"x"</f><v>李四</v></c><c r="B2" t="e"><f>VLOOKUP(1,A:A,1)</f><v>#N/A</v></c>'
        '<c r="C2"><f>1+1</f></c><c r="D2" t="b"><v>1</v></c><c r="E2" t="str"><f>""</f><v></v></c>'
        '<c r="F2"><f>2+2</f><v/></c><c r="G2"><f>2+2</f><v>4</v></c><c r="H2" t="d"><v>1990-03-07</v></c>'
        "</row></sheetData>",
    )
    (row,), _ = one(path)
    assert [(cell.column, cell.kind.value, cell.value, cell.display_text) for cell in row.cells] == [
        ("A", "text", "李四", "李四"),
        ("B", "error", "#N/A", "#N/A"),
        ("C", "no_value", None, ""),
        ("D", "bool", True, "TRUE"),
        ("F", "no_value", None, ""),
        ("G", "number", 4, "4"),
        ("H", "date", datetime.fromisoformat("1990-03-07"), "1990-03-07"),
    ]


DATES = ["yyyy-mm-dd", "m/d/yy h:mm", 'yyyy"年"m"月"d"日"', "[$-804]yyyy/m/d;@", "[Red]d-mmm", 14, 22, 31, 57]
NUMBERS = ["[Red]0.00", '0"days"', "General", "0.00E+00", '"¥"#,##0']


def test_a_date_is_recognised_by_its_format(tmp_path):
    path = tmp_path / "a.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADER)
    for line, code in enumerate(DATES + NUMBERS, 1):
        sheet.write_row(line, 0, ["张三", NUMBER])
        sheet.write_number(line, 2, 45_351, book.add_format({"num_format": code}))
    book.close()
    rows, _ = one(path)
    for code, row in zip(DATES + NUMBERS, rows, strict=True):
        cell = row.fields[Field.STAFF_NO]
        if code in DATES:
            assert (cell.kind, cell.display_text) == (CellKind.DATE, "2024-02-29"), code
        else:
            assert (cell.kind, cell.value) == (CellKind.NUMBER, 45_351), code


def test_text_is_exact_whatever_xml_it_is_wrapped_in(tmp_path):
    """Prefixed names, indented XML, rich runs without their phonetic hints, escapes, case of part names."""
    strings = (
        "<si><r><t>阿依古丽</t></r><r><t xml:space='preserve'>·买 </t></r><rPh sb='0' eb='1'><t>ayi</t></rPh></si>"
        "<si>\n <t>110101_x000D_</t>\n</si>"
    )
    path = raw(
        tmp_path / "a.xlsx",
        "<x:sheetData>\n<x:row>\n <x:c t='inlineStr'>\n<x:is>\n<x:t>姓名</x:t><x:rPh sb='0' eb='1'><x:t>xm</x:t></x:rPh>\n</x:is>\n</x:c>"
        "<x:c t='inlineStr'><x:is><x:t>身份证</x:t></x:is></x:c></x:row>"
        "<x:row>\n<x:c t='s'>\n<x:v>0</x:v>\n</x:c><x:c t='s'><x:v>1</x:v></x:c></x:row></x:sheetData>",
        strings=strings,
        root="x:worksheet",
    )
    (row,), _ = one(path)
    assert row.fields[Field.NAME].value == "阿依古丽·买 "
    assert row.fields[Field.NUMBER].value == "110101\r"
    assert row.origin.row == 2


def test_hidden_rows_are_read_and_reported_and_hidden_sheets_are_not_read(tmp_path):
    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    book.active.title = "内科"
    for name in ("旧名单", "更旧"):
        book.create_sheet(name)
    for sheet in book:
        for line in [HEADER, ("张三", NUMBER, "1"), ("李四", NUMBER, "2")]:
            sheet.append(line)
    book["内科"].row_dimensions[3].hidden = True
    book["旧名单"].sheet_state = "hidden"
    book["更旧"].sheet_state = "veryHidden"
    book.save(path)
    rows, report = one(path)
    assert [(row.origin.row, row.hidden) for row in rows] == [(2, False), (3, True)]
    assert [(sheet.sheet, sheet.status, sheet.rows) for sheet in report.sheets] == [
        ("内科", "read", 2),
        ("旧名单", "hidden", 0),
        ("更旧", "hidden", 0),
    ]


def test_a_sheet_in_a_state_that_is_none_is_visible(path):
    """Old versions of exceljs have written ``show``."""
    text = (
        f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets><sheet name="a" sheetId="1" state="show" r:id="r1"/></sheets>'
        "</workbook>"
    )
    doctor = f'<row r="2">{inline("A2", "张三")}{inline("B2", NUMBER)}</row>'
    raw(path, f"<sheetData>{TITLES}{doctor}</sheetData>", extra={"xl/workbook.xml": text})
    rows, report = one(path)
    assert (len(rows), [sheet.status for sheet in report.sheets]) == (1, ["read"])


def test_sheets_without_header_or_content_stand_next_to_one_that_is_read(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [HEADER, ("张三", NUMBER, "1")], 说明=[("请按模板填写",)], 空=[])
    _, report = one(path)
    assert [(sheet.sheet, sheet.status) for sheet in report.sheets] == [
        ("医生", "read"),
        ("说明", "no_header"),
        ("空", "empty"),
    ]


@settings(max_examples=count_examples(40), deadline=None)
@given(
    st.lists(
        st.lists(
            st.one_of(
                st.none(),
                st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8).filter(
                    lambda text: not text.startswith(("=", "{"))
                ),
                st.integers(-(10**14), 10**14),
                st.floats(-1e14, 1e14, allow_nan=False),
                st.booleans(),
            ),
            min_size=1,
            max_size=5,
        ),
        min_size=1,
        max_size=6,
    )
)
def test_calamine_reads_the_same(lines):
    """Calamine and this reader have nothing in common; where calamine tells a value they agree on it."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"strings_to_numbers": False, "strings_to_urls": False})
    sheet = book.add_worksheet()
    for number, line in enumerate(lines):
        for column, value in enumerate(line):
            sheet.write_string(number, column, value) if isinstance(value, str) else sheet.write(
                number, column, value
            )
    book.close()
    (ours,) = xlsx.read(file.getvalue()).sheets
    file.seek(0)
    theirs = CalamineWorkbook.from_filelike(file).get_sheet_by_index(0).to_python(skip_empty_area=False)
    expected = {
        (number, column): value
        for number, line in enumerate(theirs, 1)
        for column, value in enumerate(line)
        if value != ""
    }
    assert {
        (line.number, column): cell.value for line in ours.lines for column, cell in line.cells.items()
    } == expected


def test_openpyxl_reads_the_same_dates(tmp_path):
    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    values = [
        date(1900, 1, 1),
        date(1900, 2, 28),
        date(1900, 3, 1),
        datetime.fromisoformat("2026-11-25 02:03:04"),
        date(9999, 12, 31),
    ]
    for value in values:
        book.active.append([value])
    book.save(path)
    (sheet,) = xlsx.read(path.read_bytes()).sheets
    theirs = [line[0] for line in openpyxl.load_workbook(path).active.iter_rows(values_only=True)]
    assert [line.cells[0].value for line in sheet.lines] == theirs


def test_a_stray_cell_in_the_last_corner_costs_nothing(tmp_path):
    path = tmp_path / "a.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADER)
    sheet.write_row(1, 0, ["张三", NUMBER, "1"])
    sheet.write_string(1_048_575, 16_383, " ")
    book.close()
    rows, report = one(path)
    assert len(rows) == 1
    assert len(rows[0].cells) == 3
    assert report.skipped[-1].why == "header"


def test_formatted_empty_rows_cost_little(tmp_path):
    empty = "".join(
        f'<row r="{row}" s="1" customFormat="1"><c r="A{row}" s="0"/></row>' for row in range(3, 100_000)
    )
    path = raw(
        tmp_path / "a.xlsx",
        f'<sheetData>{TITLES}<row r="2">{inline("A2", "张三")}{inline("B2", NUMBER)}</row>{empty}</sheetData>',
    )
    script = (
        "import sys; from pathlib import Path; from pipeline.intake.read_rosters import read_rosters;"
        "rows, _ = read_rosters([Path(sys.argv[1])]);"
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'));"
        "print(len(rows), int(peak.split()[1]) // 1024)"
    )
    out = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    rows, megabytes = map(int, out.stdout.split())
    assert rows == 1
    assert megabytes < 60


def test_columns_beyond_the_titles_are_kept_in_sheet_order(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [(None, "姓名", None, "身份证号"), ("x", "张三", "y", NUMBER, "z")])
    (row,), _ = one(path)
    assert [(cell.column, cell.header, cell.value) for cell in row.cells] == [
        ("A", "", "x"),
        ("B", "姓名", "张三"),
        ("C", "", "y"),
        ("D", "身份证号", NUMBER),
        ("E", "", "z"),
    ]
    assert row.fields[Field.NUMBER].value == NUMBER


def test_a_bomb_is_refused_unopened(tmp_path):
    for part in ("xl/worksheets/sheet1.xml", "docProps/nobody/asks.xml"):
        bomb = raw(tmp_path / "a.xlsx", "<sheetData/>", extra={part: b"\0" * 30_000_000})
        assert refused(bomb).code == "FILE_SUSPICIOUS"


def test_a_broken_workbook_is_refused(tmp_path):
    whole = workbook(tmp_path / "a.xlsx", [HEADER, ("张三", NUMBER, "1")]).read_bytes()
    for cut in (len(whole) // 2, len(whole) - 10):
        (tmp_path / "cut.xlsx").write_bytes(whole[:cut])
        assert refused(tmp_path / "cut.xlsx").code == "FILE_CORRUPT"
    doubled = f'<sheetData>{TITLES}<row r="2">{inline("A2", "张三")}</row><row r="1"/></sheetData>'
    assert refused(raw(tmp_path / "row.xlsx", doubled)).code == "FILE_CORRUPT"
    for position in (9, -1):
        beyond = f'<sheetData>{TITLES}<row r="2"><c r="A2" t="s"><v>{position}</v></c></row></sheetData>'
        assert refused(raw(tmp_path / "sst.xlsx", beyond, strings="<si><t>x</t></si>")).code == "FILE_CORRUPT"
    assert refused(raw(tmp_path / "xml.xlsx", "<sheetData>")).code == "FILE_CORRUPT"


def test_a_workbook_with_nothing_in_it_is_empty(tmp_path):
    assert refused(workbook(tmp_path / "a.xlsx", [])).code == "FILE_EMPTY"


@settings(
    max_examples=count_examples(150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.integers(0, 100_000), st.integers(1, 255), st.booleans())
def test_no_damaged_byte_makes_the_reader_raise(tmp_path, offset, flip, stored):
    """Wherever a byte turns over, in the zip or within a part: a report, never an exception."""
    path = tmp_path / "a.xlsx"
    if not path.exists():
        workbook(path, [HEADER, ("张三", NUMBER, 7), ("李四", NUMBER, NEW_YEAR)])
        with zipfile.ZipFile(path) as packed, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as plain:
            for name in packed.namelist():
                plain.writestr(name, packed.read(name))
    data = bytearray((tmp_path / "b.xlsx" if stored else path).read_bytes())
    data[offset % len(data)] ^= flip
    (tmp_path / "c.xlsx").write_bytes(data)
    _, (report,) = read_rosters([tmp_path / "c.xlsx"])
    assert (report.status == "read") == (report.codes == ())


@settings(
    max_examples=count_examples(150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    part=st.sampled_from(["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml", "_rels/.rels"]),
    data=st.data(),
)
def test_no_damaged_part_makes_the_reader_raise(tmp_path, part, data):
    """The same behind an honest checksum: characters of a part are replaced before it is packed."""
    path = tmp_path / "a.xlsx"
    if not path.exists():
        workbook(path, [HEADER, ("张三", NUMBER, 7), ("李四", NUMBER, NEW_YEAR)])
    with zipfile.ZipFile(path) as packed, zipfile.ZipFile(tmp_path / "c.xlsx", "w") as broken:
        for name in packed.namelist():
            text = packed.read(name).decode()
            if name == part:
                position = data.draw(st.integers(0, len(text) - 1))
                character = data.draw(st.sampled_from(['"', "<", "9", "-", "x", "", "é"]))
                text = text[:position] + character + text[position + 1 :]
            broken.writestr(name, text)
    _, (report,) = read_rosters([tmp_path / "c.xlsx"])
    assert (report.status == "read") == (report.codes == ())
