"""Example people: under their own title, in a merged block, on a sheet of their own."""

from __future__ import annotations

import openpyxl
import pytest
from people import name, number

from pipeline.intake.layout.line_classifier import is_example_sheet
from pipeline.intake.layout.table_reader import skip_example_sheets
from pipeline.intake.read_rosters import read_rosters

TITLES = ("序号", "姓名", "身份证号", "手机号")


def person(serial):
    return serial, name(serial), number(serial), f"138001380{serial:02}"


def reading(path, sheets, merges=()):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, lines in sheets.items():
        sheet = book.create_sheet(title)
        for line in lines:
            sheet.append(line)
        for area in merges:
            sheet.merge_cells(area)
    book.save(path)
    rows, (report,) = read_rosters([path])
    return rows, report


def list_skipped_lines(report):
    return [(skip.sheet, skip.first, skip.last, skip.why) for skip in report.skipped]


GUIDES = (
    "填写说明", "说明", "填表说明", "填报须知", "示例", "样例", "填写示例", "模板说明", "样表", "数据字典", "字典", "下拉", "下拉选项", "代码表",
    "Instructions", "Example", "README", "README ", "示例（请勿删除）", "1.填写说明", "附件2：填写说明", "人员信息填写说明", "Sample Data", "示例1",
)  # fmt: skip
ROSTERS = (
    "名单", "Sheet1", "内科", "示例科", "医师名单", "说明书编写组", "沈说明", "2026年", "样本库", "字典编辑部", "examples of 2026", "选项目组",
)  # fmt: skip


@pytest.mark.parametrize("title", GUIDES)
def test_a_sheet_that_explains_is_known_by_its_name(title):
    assert is_example_sheet(title)


@pytest.mark.parametrize("title", [*ROSTERS, None])
def test_a_sheet_of_doctors_is_no_example_sheet(title):
    assert not is_example_sheet(title)


@pytest.mark.parametrize("title", ["填写说明", "示例"])
@pytest.mark.parametrize("before", [True, False])
def test_the_person_of_an_example_sheet_is_no_doctor(tmp_path, title, before):
    shown = (title, [("下面是一个例子",), TITLES, person(1), (), ("说明：请按此填写",)])
    real = ("名单", [TITLES, person(2), person(3)])
    rows, report = reading(tmp_path / "a.xlsx", dict([shown, real] if before else [real, shown]))
    assert [row.fields["name"].value for row in rows] == [name(2), name(3)]
    assert {sheet.sheet: (sheet.status, sheet.rows) for sheet in report.sheets} == {
        title: ("read", 0),
        "名单": ("read", 2),
    }
    assert [line[1:] for line in list_skipped_lines(report) if line[0] == title] == [
        (1, 1, "title"),
        (2, 2, "header"),
        (3, 3, "example"),
        (4, 4, "blank"),
        (5, 5, "note"),
    ]


def test_an_example_sheet_alone_was_filled_in(tmp_path):
    rows, report = reading(tmp_path / "a.xlsx", {"示例": [TITLES, person(1)], "字典": [("居民身份证",)]})
    assert (len(rows), report.sheets[0].rows) == (1, 1)


def test_an_example_next_to_an_empty_roster_is_still_an_example(tmp_path):
    rows, _ = reading(tmp_path / "a.xlsx", {"名单": [TITLES], "示例": [TITLES, person(1)]})
    assert not rows


def test_an_example_sheet_with_many_people_was_filled_in(tmp_path):
    people = [person(serial) for serial in range(6)]
    rows, _ = reading(tmp_path / "a.xlsx", {"名单": [TITLES, person(30)], "示例": [TITLES, *people]})
    assert len(rows) == 7
    rows, _ = reading(tmp_path / "a.xlsx", {"名单": [TITLES, person(30)], "示例": [TITLES, *people[:5]]})
    assert len(rows) == 1


def test_only_tables_that_were_read_make_an_example_of_another():
    assert skip_example_sheets([]) == []


@pytest.mark.parametrize("marker", ["示例：", "填写示例（请勿删除）", "样表", "Example"])
@pytest.mark.parametrize("first", [True, False])
def test_a_table_under_the_title_of_an_example(tmp_path, marker, first):
    shown, real = [(marker,), TITLES, person(1)], [("正式名单",), TITLES, person(2), person(3)]
    lines = [*shown, (), *real] if first else [*real, (), *shown]
    rows, report = reading(tmp_path / "a.xlsx", {"名单": lines})
    assert [row.fields["name"].value for row in rows] == [name(2), name(3)]
    assert (("名单", 3, 3, "example") if first else ("名单", 8, 8, "example")) in list_skipped_lines(report)
    covered = sorted(position for skip in report.skipped for position in range(skip.first, skip.last + 1))
    assert sorted(covered + [row.origin.row for row in rows]) == list(range(1, 9))
    assert report.rows == 2


def test_the_only_table_under_such_a_title_was_filled_in(tmp_path):
    rows, _ = reading(tmp_path / "a.xlsx", {"名单": [("示例：",), TITLES, person(1), person(2)]})
    assert len(rows) == 2


def test_a_long_table_under_such_a_title_was_filled_in(tmp_path):
    people = [person(serial) for serial in range(6)]
    rows, _ = reading(tmp_path / "a.xlsx", {"名单": [("示例：",), TITLES, *people, TITLES, person(30)]})
    assert len(rows) == 7


def test_a_merged_cell_calls_all_its_lines_examples(tmp_path):
    lines = [TITLES, ("示例", *person(1)[1:]), (None, *person(2)[1:]), person(3), person(4)]
    rows, report = reading(tmp_path / "a.xlsx", {"名单": lines}, merges=["A2:A3"])
    assert [row.origin.row for row in rows] == [4, 5]
    assert list_skipped_lines(report)[1:] == [("名单", 2, 3, "example")]
    rows, _ = reading(tmp_path / "a.xlsx", {"名单": lines}, merges=["A2:A3", "D3:D5"])
    assert [row.origin.row for row in rows] == [4, 5]
    rows, _ = reading(tmp_path / "a.xlsx", {"名单": lines}, merges=["A2:A90"])
    assert [row.origin.row for row in rows] == [3, 4, 5]  # nobody shows ninety examples


def test_an_example_in_a_text_file_is_skipped_with_all_its_physical_lines(tmp_path):
    path = tmp_path / "a.csv"
    shown = f'姓名,身份证号,备注\n{name(1)},{number(1)},"一\n二"\n'
    path.write_text(f"姓名,身份证号\n{name(2)},{number(2)}\n示例：\n{shown}", "utf-8")
    (row,), (report,) = read_rosters([path])
    assert row.origin.row == 2
    assert [(skip.first, skip.last, skip.why) for skip in report.skipped][-1] == (5, 6, "example")
