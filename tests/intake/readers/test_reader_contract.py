"""What every reader of rosters promises, asked of the same small workbook in every format."""

from __future__ import annotations

from datetime import date

import pytest
from format_support import WRITERS, Error, Number, Page, Uncomputed
from same_roster import TITLES, content, people, table

from pipeline.domain.roster import Field
from pipeline.intake.layout.column_titles import ColumnAliases
from pipeline.intake.read_rosters import open_book, read_rosters
from pipeline.intake.readers.model import DEFAULT_OPTIONS, Merge, ReadOptions

pytestmark = pytest.mark.usefixtures("no_child_process")
NUMBER = "11010119900307123X"
PAGE = Page(
    "内科",
    {
        1: {0: "医生名单"},
        3: {0: "姓名", 1: "身份证号", 2: "工号", 3: "科室"},
        4: {0: "张  三𠮷", 1: NUMBER, 2: Number(7, "0000"), 3: "心内科", 5: "一\n二"},
        5: {0: "李四", 1: Number(110101199003071233), 2: Error("#N/A"), 5: Error("#REF!")},
        7: {0: "王五", 1: NUMBER, 2: Number(1.5)},
    },
    merges=((1, 1, 0, 3), (4, 5, 3, 3)),
    hidden_rows=frozenset({5}),
    hidden_columns=frozenset({4}),
)
ALL = sorted(WRITERS)
WITH_TYPES = sorted(
    {*WRITERS} - {"html"}
)  # a page has neither dates nor truth values nor several sheets with names


def read_sheets(data: bytes, tmp_path, options: ReadOptions = DEFAULT_OPTIONS):
    """Return the sheets of a file, their lines as lists."""
    book = open_book(data, tmp_path / "a", ColumnAliases.from_config({}), options)
    return [(sheet, list(sheet.lines)) for sheet in book.sheets]


def read_cells(data: bytes, tmp_path):
    ((_, lines), *_) = read_sheets(data, tmp_path)
    return list_cells(lines)


def list_cells(lines):
    return {
        (line.number, column): (cell.kind.value, cell.display_text)
        for line in lines
        for column, cell in line.cells.items()
    }


@pytest.mark.parametrize("form", ALL)
def test_cells_keep_place_type_and_text_and_merges_and_hidden_rows_and_columns_are_known(form, tmp_path):
    ((sheet, lines), *_) = read_sheets(WRITERS[form](PAGE), tmp_path)
    assert sorted(sheet.merges) == [Merge(1, 1, 0, 3), Merge(4, 5, 3, 3)]
    assert [line.number for line in lines if line.hidden] == [5]
    assert sheet.hidden_columns == (set() if form == "html" else {4})  # a page is read as it is shown
    space = "张\xa0 三𠮷" if form == "html" else "张  三𠮷"  # a page has no other way to show two blanks
    wide = "110101199003071233" if form == "html" else "1.10101E+17"
    assert list_cells(lines) == {
        (1, 0): ("text", "医生名单"),
        (3, 0): ("text", "姓名"),
        (3, 1): ("text", "身份证号"),
        (3, 2): ("text", "工号"),
        (3, 3): ("text", "科室"),
        (4, 0): ("text", space),
        (4, 1): ("text", NUMBER),
        (4, 2): ("number", "0007"),
        (4, 3): ("text", "心内科"),
        (4, 5): ("text", "一\n二"),
        (5, 0): ("text", "李四"),
        (5, 1): ("number", wide),
        (5, 2): ("error", "#N/A"),
        (5, 5): ("error", "#REF!"),
        (7, 0): ("text", "王五"),
        (7, 1): ("text", NUMBER),
        (7, 2): ("number", "1.5"),
    }


@pytest.mark.parametrize("form", ALL)
def test_a_number_cell_is_no_identity_number_and_a_department_is_merged_downwards(form, tmp_path):
    (tmp_path / "a.xls").write_bytes(WRITERS[form](PAGE))
    rows, (report,) = read_rosters([tmp_path / "a.xls"])
    assert report.status == "read"
    assert [row.origin.row for row in rows] == [4, 5, 7]
    assert [row.fields[Field.NUMBER].kind.value for row in rows] == ["text", "number", "text"]
    assert [row.fields[Field.DEPARTMENT].display_text for row in rows[:2]] == ["心内科", "心内科"]


@pytest.mark.parametrize("form", WITH_TYPES)
def test_dates_and_truth_values_are_what_they_are(form, tmp_path):
    page = Page("内科", {1: {0: date(1990, 3, 7), 1: True, 2: False}})
    assert read_cells(WRITERS[form](page), tmp_path) == {
        (1, 0): ("date", "1990-03-07"),
        (1, 1): ("bool", "TRUE"),
        (1, 2): ("bool", "FALSE"),
    }


@pytest.mark.parametrize("form", WITH_TYPES)
def test_a_formula_that_no_program_computed_has_no_value(form, tmp_path):
    page = Page("内科", {1: {0: "姓名", 1: "手机号"}, 2: {0: "张三", 1: Uncomputed()}})
    assert read_cells(WRITERS[form](page), tmp_path)[2, 1] == ("no_value", "")


@pytest.mark.parametrize("form", sorted({*WITH_TYPES} - {"xlsx"}))  # openpyxl does not write them
def test_a_number_that_is_none_costs_its_cell_alone(form, tmp_path):
    """Programs that divide by zero have written them; Excel shows an error."""
    values = {column: Number(float(value)) for column, value in enumerate(("nan", "inf", "-inf"), 1)}
    page = Page("内科", {1: {0: "姓名", 1: "备注"}, 2: {0: "张三", **values}, 3: {0: "李四"}})
    assert read_cells(WRITERS[form](page), tmp_path) == {
        (1, 0): ("text", "姓名"),
        (1, 1): ("text", "备注"),
        (2, 0): ("text", "张三"),
        (2, 1): ("error", "#NUM!"),
        (2, 2): ("error", "#NUM!"),
        (2, 3): ("error", "#NUM!"),
        (3, 0): ("text", "李四"),
    }


@pytest.mark.parametrize("form", WITH_TYPES)
def test_hidden_sheets_are_named_and_not_read(form, tmp_path):
    pages = (Page("旧", {1: {0: "x"}}, is_hidden=True), PAGE, Page("外科", {2: {1: "y"}}))
    assert [
        (sheet.name, sheet.hidden, [line.number for line in lines])
        for sheet, lines in read_sheets(WRITERS[form](*pages), tmp_path)
    ] == [("旧", True, []), ("内科", False, [1, 3, 4, 5, 7]), ("外科", False, [2])]


@pytest.mark.parametrize("form", ALL)
def test_two_hundred_doctors_come_back_whole(form, tmp_path):
    lines = {row: dict(enumerate(line)) for row, line in enumerate(table(), 1)}
    page = Page(
        "医生",
        {row: {column: text for column, text in cells.items() if text} for row, cells in lines.items()},
    )
    (tmp_path / "a.xls").write_bytes(WRITERS[form](page))
    rows, (report,) = read_rosters([tmp_path / "a.xls"])
    expected = people()
    if form == "html":  # a tab is white space there, unless it is written otherwise
        expected = [tuple(text.replace("\t", " ") for text in person) for person in expected]
    assert content(rows) == expected
    assert (rows[0].origin.row, rows[100].origin.row, rows[0].address(Field.NUMBER)) == (3, 104, "C3")
    assert [line.why for line in report.skipped] == ["title", "header", "blank", "total"]
    assert len(TITLES) == 6


@pytest.mark.parametrize("form", ALL)
def test_more_rows_than_allowed_refuse_the_file(form, tmp_path):
    doctors = {row: {0: f"张{row}", 1: NUMBER} for row in range(2, 13)}
    path = tmp_path / "a.xls"
    path.write_bytes(WRITERS[form](Page("内科", {1: {0: "姓名", 1: "证件号码"}, **doctors})))
    rows, _ = read_rosters([path], options=ReadOptions(max_rows=12))
    assert len(rows) == 11
    rows, (report,) = read_rosters([path], options=ReadOptions(max_rows=11))
    assert (rows, report.codes) == ([], ("FILE_TOO_LARGE",))
    assert report.problems[0].detail["limit"] == "11 rows"


@pytest.mark.parametrize("form", ALL)
def test_a_file_that_breaks_off_is_refused(form, tmp_path):
    data = WRITERS[form](Page("内科", {row: {0: f"张{row}", 1: NUMBER} for row in range(1, 400)}))
    for kept in (len(data) // 2, len(data) - 40):
        (tmp_path / "a.xls").write_bytes(data[:kept])
        rows, (report,) = read_rosters([tmp_path / "a.xls"])
        assert (rows, report.status) == ([], "refused"), kept


@pytest.mark.parametrize("form", ALL)
def test_a_turned_byte_costs_the_file_at_most(form, tmp_path):
    data = WRITERS[form](PAGE)
    for index in range(7, len(data), len(data) // 4):
        (tmp_path / "a.xls").write_bytes(data[:index] + bytes((data[index] ^ 0x55,)) + data[index + 1 :])
        _, (report,) = read_rosters([tmp_path / "a.xls"])
        assert report.status in {"read", "refused"}
