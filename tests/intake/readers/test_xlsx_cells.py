"""Cells of a sheet as their XML says: exact digits, padded numbers, dates, texts, formulas; whoever wrote them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
import xlsxwriter
from xlsx_support import MAIN, inline, raw, relations

from pipeline.domain.roster import CellKind
from pipeline.errors import FileRefused
from pipeline.intake.readers.xlsx import workbook
from pipeline.intake.readers.xlsx.styles import EPOCH_1900, make_formats, styled_number


def cells(path: Path) -> list[tuple[str, object, str]]:
    (line,) = next(workbook.read(path.read_bytes()).sheets).lines
    return [(cell.kind.value, cell.value, cell.display_text) for cell in line.cells.values()]


def cell(path: Path, text: str, **options) -> tuple[str, object, str]:
    (cell_found,) = cells(raw(path, f'<sheetData><row r="2">{text}</row></sheetData>', **options))
    return cell_found


PADDED = [
    ("000000", "000007", "012345"),
    ("0000000", "0000007", "0012345"),
    ("[$-804]0000", "0007", "12345"),
    ("[$-F800]000", "007", "12345"),
    ("[Red]0000;[Blue]-0000", "0007", "12345"),
    ("[<=9999]0000;000000", "0007", "012345"),
    ("[>9999]000000;[=7]00;0000", "07", "012345"),
    ("[<5]0;[>=10000]0000000", "7", "0012345"),  # 7 falls under neither
    ("0000;-0000;0000;@", "0007", "12345"),
    ('"YS"0000', "YS0007", "YS12345"),
    ("\\Y\\S000", "YS007", "YS12345"),
    ("[$YS-804]0000", "YS0007", "YS12345"),
    ('0000"号"', "0007号", "12345号"),
    ("0000号", "0007号", "12345号"),
    ("00-0000", "00-0007", "01-2345"),
    ("(0)00/00", "(0)00/07", "(1)23/45"),
    ('"a;b"000', "a;b007", "a;b12345"),
    ("_-0000_-", "0007", "12345"),
    ("* 0000", "0007", "12345"),
    ("#0000", "0007", "12345"),
    ('0"人"', "7人", "12345人"),
]


@pytest.mark.parametrize(("code", "seven", "more"), PADDED)
def test_a_number_is_shown_with_the_zeros_and_words_of_its_format(code, seven, more):
    (style,) = make_formats(["164"], {"164": code})
    for value, shown in ((7, seven), (7.0, seven), (12_345, more)):
        assert styled_number(value, style, EPOCH_1900) == (CellKind.NUMBER, value, shown)


@pytest.mark.parametrize(
    "code",
    [
        "0", "General", "G/通用格式", "@", "#,##0", "0.00", "0%", "0.00E+00", "??0", "[DBNum1]0000", "[DBNum2][$-804]0000",
        "0000,", "# ?/?", ";;;", "", ";", '"', "[", "\\", "_", "*", '"x"', "00" * 200, "0000\x01",
    ],
)  # fmt: skip
def test_a_format_that_does_more_or_less_than_pad_shows_the_number(code):
    (style,) = make_formats(["164"], {"164": code})
    assert styled_number(7, style, EPOCH_1900).display_text == "7"


@pytest.mark.parametrize("value", [-7, 7.5, 110101199003070732, 1e15])
def test_what_cannot_be_padded_is_shown_as_it_is(value):
    style, plain = make_formats(["164", "0"], {"164": "000000"})
    assert styled_number(value, style, EPOCH_1900) == styled_number(value, plain, EPOCH_1900)


@pytest.mark.parametrize(
    ("code", "shown"), [("0000;-0000;", "0"), ("0;0;00", "00"), ("000", "000"), ("0000;-00", "0000")]
)
def test_zero_has_a_section_of_its_own(code, shown):
    (style,) = make_formats(["164"], {"164": code})
    assert styled_number(0, style, EPOCH_1900).display_text == shown


@pytest.mark.parametrize(
    ("code", "is_date"),
    [
        ("yyyy/m/d;@", True), ('yyyy"年"m"月"d"日"', True), ("yyyy年m月d日", True), ("[h]:mm", True), ("[$-409]d-mmm", True),
        ("[DBNum1][$-804]yyyy\\年", True), ("0年", False), ('0"days"', False), ("[Red]0", False), ("0;yyyy", False),
        ("\\d0", False), ("_d0", False), ("[$USD]0", False),
    ],
)  # fmt: skip
def test_a_date_is_recognised_from_words(code, is_date):
    assert make_formats(["164"], {"164": code})[0].is_date is is_date


def test_a_format_is_looked_up_before_it_is_taken_for_built_in():
    own, date, none, wild = make_formats(["14", "31", "1000", "9" * 5_000], {"14": "0000"})
    assert (own.is_date, date.is_date, none.is_date, wild.is_date) == (False, True, False, False)


def test_a_padded_staff_number_in_a_whole_workbook(path):
    book = xlsxwriter.Workbook(path)
    book.add_worksheet().write_number(0, 0, 7, book.add_format({"num_format": "[$-804]000000"}))
    book.close()
    assert cells(path) == [("number", 7, "000007")]


@pytest.mark.parametrize(
    ("written", "value", "shown"),
    [
        ("110101199003070732", 110101199003070732, "1.10101E+17"),
        ("110101199003070733", 110101199003070733, "1.10101E+17"),  # no double has these digits
        ("1.1010119900307E+17", 1.1010119900307e17, "1.10101E+17"),
        ("1.1010119900307073E+17", 1.1010119900307073e17, "1.10101E+17"),
        ("110101199003070732.0", 1.1010119900307073e17, "1.10101E+17"),
        ("110101900307073", 110101900307073, "110101900307073"),
        (" 7 ", 7, "7"),
        ("7.0", 7.0, "7"),
        ("+7", 7, "7"),
        (".5", 0.5, "0.5"),
        ("13800138000", 13800138000, "13800138000"),
        ("1.38E10", 1.38e10, "13800000000"),
    ],
)
def test_a_number_has_the_digits_of_the_file(path, written, value, shown):
    cell_found = cell(path, f'<c r="A2"><v>{written}</v></c>')
    assert cell_found == ("number", value, shown)
    assert type(cell_found[1]) is type(value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("_x0000_A", "\0A"),
        ("_x000D_", "\r"),
        ("_x000d_", "\r"),
        ("_x005F_x000D_", "_x000D_"),
        ("_xD83D_", "_xD83D_"),  # half a surrogate pair
        ("_x41_", "_x41_"),
        ("  张三  ", "  张三  "),
        ("\t\n", "\t\n"),
        ("&lt;v&gt;&amp;&#x4E00;", "<v>&一"),
        ("<![CDATA[<c r='A1'/>]]>", "<c r='A1'/>"),
        ("\U00020000", "\U00020000"),
    ],
)
def test_a_text_is_exact_in_every_kind_of_cell(path, written, value):
    text = f'<t xml:space="preserve">{written}</t>'
    for result in (
        cell(path, f'<c r="A2" t="inlineStr"><is>{text}</is></c>'),
        cell(path, '<c r="A2" t="s"><v>0</v></c>', strings=f"<si>{text}</si>"),
        cell(path, f'<c r="A2" t="str"><f>B2</f><v>{written}</v></c>'),
    ):
        assert result == ("text", value, value)


@pytest.mark.parametrize(
    ("written", "strings"),
    [
        ('<c r="A2" t="inlineStr"><is><t>00<c/>12</t></is></c>', ""),
        ('<c r="A2" t="inlineStr"><is><r><t>00<c/>12</t></r></is></c>', ""),
        ('<c r="A2"><v>00<c/>12</v></c>', ""),
        ('<c r="A2" t="s"><v>0<c/>1</v></c>', "<si><t>a</t></si>"),
        ('<c r="A2" t="s"><v>0</v></c>', "<si><t>00<c/>12</t></si>"),
    ],
)
def test_a_text_with_an_element_in_it_refuses_the_file(path, written, strings):
    """Else the half in front of it would pass for the whole staff number."""
    with pytest.raises(FileRefused, match="FILE_CORRUPT"):
        cell(path, written, strings=strings)


def test_runs_are_joined_and_phonetic_hints_left_out(path):
    runs = "<r><rPr><b/></rPr><t>阿依</t></r><rPh sb='0' eb='2'><t>ayi</t></rPh><r><t xml:space='preserve'>古丽 </t></r>"
    runs += "<phoneticPr fontId='1'/>"
    assert cell(path, f'<c r="A2" t="inlineStr"><is>{runs}</is></c>')[1] == "阿依古丽 "
    assert cell(path, '<c r="A2" t="s"><v>0</v></c>', strings=f"<si>{runs}</si>")[1] == "阿依古丽 "


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('<c r="A2" t="b"><v>true</v></c>', ("bool", True, "TRUE")),
        ('<c r="A2" t="b"><v>0</v></c>', ("bool", False, "FALSE")),
        ('<c r="A2" t="e"><v>#N/A</v></c>', ("error", "#N/A", "#N/A")),
        ('<c r="A2" t="e"><f>A1</f></c>', ("no_value", None, "")),
        ('<c r="A2"><f>A1</f><v></v></c>', ("no_value", None, "")),
        ('<c r="A2" t="s"><f>A1</f><v></v></c>', ("no_value", None, "")),
        ('<c r="A2" t="n"><f>A1</f><v>5</v></c>', ("number", 5, "5")),
        ('<c r="A2"><v>-Infinity</v></c>', ("error", "#NUM!", "#NUM!")),
        ('<c r="A2"><v>1e999</v></c>', ("error", "#NUM!", "#NUM!")),
        ('<c r="A2" t="d"><v>1990-03-07T00:00:00Z</v></c>', ("date", datetime.fromisoformat("1990-03-07"), "1990-03-07")),
        ('<c r="A2" t="d"><v>PT5H</v></c>', ("text", "PT5H", "PT5H")),
    ],
)  # fmt: skip
def test_the_value_of_each_type_of_cell(path, written, expected):
    assert cell(path, written) == expected


def test_cells_that_hold_nothing_are_none(path):
    nothing = (
        '<c r="A2" t="s"><v></v></c><c r="B2" t="s"/><c r="C2" s="1"/><c r="D2" t="str"><f>""</f><v></v></c>'
        '<c r="E2" t="s"><v>0</v></c><c r="F2" t="inlineStr"><is><t/></is></c><c r="G2"><v/></c><c r="H2" t="e"><v></v></c>'
    )
    read = next(
        workbook.read(
            raw(
                path, f'<sheetData><row r="2">{nothing}</row></sheetData>', strings="<si><t/></si>"
            ).read_bytes()
        ).sheets
    )
    assert list(read.lines) == []


def test_a_style_that_is_not_there_changes_nothing_and_one_that_is_no_number_refuses_the_file(path):
    styles = f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="0"/></cellXfs></styleSheet>'
    for style, is_read in (("1", True), ("-1", False), ("x", False)):
        raw(
            path,
            f'<sheetData><row r="2"><c r="A2" s="{style}"><v>1</v></c></row></sheetData>',
            extra={"xl/styles.xml": styles},
            r3=("styles", "styles.xml"),
        )
        if is_read:
            assert cells(path) == [("number", 1, "1")]
        else:
            with pytest.raises(FileRefused, match="FILE_CORRUPT"):
                cells(path)


def test_a_value_next_to_an_inline_string_does_not_count(path):
    for inside in ("<v>1.</v><is><t>易水寒</t></is>", "<is><t>易水寒</t></is><v>1.</v>"):
        assert cell(path, f'<c r="A2" t="inlineStr">{inside}</c>') == ("text", "易水寒", "易水寒")
    assert cell(path, '<c r="A2" t="inlineStr"><v>易水寒</v></c>') == ("text", "易水寒", "易水寒")


def test_a_formula_that_gave_an_empty_text_was_computed(path):
    empty = (
        '<c r="A2" t="inlineStr"><f>B1</f><is><t/></is></c>'
        '<c r="B2" t="str"><f>B1</f><v/></c>'
        '<c r="C2" t="str"><f>B1</f><v></v></c>'
    )
    cell_found = cells(raw(path, f'<sheetData><row r="2">{empty}<c r="D2"><f>B1</f></c></row></sheetData>'))
    assert cell_found == [("no_value", None, "")]


def test_a_relationship_that_leads_nowhere_costs_only_the_cells_that_need_it(path):
    parts = {"xl/_rels/workbook.xml.rels": relations(
        r1=("worksheet", "worksheets/sheet1.xml"), r2=("sharedStrings", "none.xml"), r3=("styles", "none.xml")
    )}  # fmt: skip
    sheet = '<sheetData><row r="2">{}</row></sheetData>'
    raw(path, sheet.format(inline("A2", "张三") + '<c r="B2" s="3"><v>7</v></c>'), extra=parts)
    assert [text for _, _, text in cells(path)] == ["张三", "7"]
    with pytest.raises(FileRefused, match="FILE_CORRUPT"):
        cells(raw(path, sheet.format('<c r="A2" t="s"><v>0</v></c>'), extra=parts))


def test_a_row_in_several_elements_is_one_row_where_its_cells_name_it(path):
    rows = f'<row r="2">{inline("A2", "张三")}</row><row r="2">{inline("C2", "男")}</row>'
    assert [text for _, _, text in cells(raw(path, f"<sheetData>{rows}</sheetData>"))] == ["张三", "男"]
    for other in (inline("A2", "李四"), '<c t="str"><v>李四</v></c>'):
        with pytest.raises(FileRefused, match="FILE_CORRUPT"):
            cells(raw(path, f'<sheetData>{rows}<row r="2">{other}</row></sheetData>'))


def test_a_cell_written_twice_is_read_where_it_was_empty_before(path):
    """As in a workbook with an element for every cell, which Excel opens."""
    empty, written = '<c r="B2" t="str"><v></v></c>', inline("B2", "张三")
    for between in ("", '</row><row r="2">'):
        row = f'<sheetData><row r="2">{{}}{between}{{}}</row></sheetData>'
        assert [text for _, _, text in cells(raw(path, row.format(empty, written)))] == ["张三"]
        for second in (empty, written, inline("B2", "李四")):
            with pytest.raises(FileRefused, match="FILE_CORRUPT"):
                cells(raw(path, row.format(written, second)))


def test_a_strict_workbook_is_read_alike(path):
    """ISO/IEC 29500 strict has other namespaces, whole relationship types among them."""
    office = "http://purl.oclc.org/ooxml/officeDocument/relationships"
    main = "http://purl.oclc.org/ooxml/spreadsheetml/main"
    relation = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship'
    )
    parts = {
        "_rels/.rels": f'{relation} Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}" conformance="strict"><workbookPr date1904="true"/>'
        '<sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{relation} Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><cols><col min="2" max="2" hidden="true"/></cols><sheetData>'
        f'<row r="2" hidden="true">{inline("A2", "张三")}</row></sheetData><mergeCells><mergeCell ref="A2:A3"/></mergeCells>'
        "</worksheet>",
    }
    sheet = next(workbook.read(raw(path, "", extra=parts).read_bytes()).sheets)
    assert (sheet.hidden_columns, len(sheet.merges)) == ({1}, 1)
    assert [(line.hidden, line.cells[0].value) for line in sheet.lines] == [(True, "张三")]


def test_a_workbook_with_macros_is_read_like_any(path):
    raw(
        path,
        f'<sheetData><row r="2">{inline("A2", "张三")}</row></sheetData>',
        extra={"xl/vbaProject.bin": b"\xd0\xcf\x11\xe0"},
        v1=("http://schemas.microsoft.com/office/2006/relationships/vbaProject", "vbaProject.bin"),
    )
    assert cells(path)[0][1] == "张三"
