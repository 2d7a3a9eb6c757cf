"""Lines that are no doctor stand in the report and nowhere else; a line that could be one is a row."""

from __future__ import annotations

import openpyxl
import pytest

from pipeline.domain.roster import Field
from pipeline.intake.read_rosters import read_rosters

NUMBER = "11010119900307123X"
TITLES = ("序号", "姓名", "身份证号", "手机号", "工号", "科室", "证件类型")


def reading(path, *lines, titles=TITLES):
    book = openpyxl.Workbook()
    book.active.append(titles)
    for line in lines:
        book.active.append(line)
    book.save(path)
    rows, (report,) = read_rosters([path])
    assert report.status == "read"
    return rows, report


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ((None, " ", None, "　"), "blank"),
        ((7,), "blank"),
        (("7", None, None, None, None, None, "居民身份证"), "blank"),
        ((None, None, None, None, None, "内科", "居民身份证"), "blank"),
        (("合计", None, 58), "total"),
        (("合 计", "58人"), "total"),
        ((None, "小计", None, None, None, "内科"), "total"),
        (("总计：58人",), "total"),
        (("制表人：王五", None, "审核人：赵六", None, "日期：2026-11-25"), "note"),
        (("制表人：", "王五", None, "审核人：", "赵六"), "note"),
        (("说明：1、身份证号必须为文本",), "note"),
        (("第1页 共2页",), "note"),
        (("外科一病区",), "title"),
        ((None, "外科一病区"), "title"),
        ((None, "请在下面填写，不要改动表头"), "title"),
        (TITLES, "header"),
    ],
)
def test_what_is_no_doctor(tmp_path, line, why):
    rows, report = reading(tmp_path / "a.xlsx", line, (1, "张三", NUMBER))
    assert [row.origin.row for row in rows] == [3]
    assert [
        (skip.first, skip.last, skip.why) for skip in report.skipped if skip.first == 2 or why == "header"
    ] == ([(1, 2, "header")] if why == "header" else [(2, 2, why)])


@pytest.mark.parametrize(
    "line",
    [
        (None, None, NUMBER),
        (None, None, "无"),
        (None, None, "12"),
        (1, None, 12),
        (None, None, 110101199003071233),
        (None, "张三"),
        (None, "=VLOOKUP(1,A:A,1)"),
        (3, "张三"),
        (None, "张三", None, "13800138000"),
        (3, None, None, None, "1001"),
        ("备注", "张三", NUMBER),
        ("合计", "张三", NUMBER),
        (None, "合计", NUMBER),
        (None, "审核人", None, None, "1001"),
        (None, "NA", None, None, "1001"),
    ],
)
def test_what_could_be_a_doctor_is_never_dropped(tmp_path, line):
    rows, _ = reading(tmp_path / "a.xlsx", line, (1, "张三", NUMBER))
    assert [row.origin.row for row in rows] == [2, 3]


def test_blank_stretches_are_one_entry_and_what_follows_the_last_line_is_none(tmp_path):
    rows, report = reading(
        tmp_path / "a.xlsx", (1, "张三", NUMBER), (), (" ",), (), (2, "李四", NUMBER), (), ("  ",)
    )
    assert [row.origin.row for row in rows] == [2, 6]
    assert [(skip.first, skip.last, skip.why) for skip in report.skipped] == [
        (1, 1, "header"),
        (3, 5, "blank"),
    ]


def test_every_line_is_a_row_or_in_the_report_exactly_once(tmp_path):
    lines = [
        (1, "张三", NUMBER),
        ("小计",),
        (),
        TITLES,
        (2, "李四", NUMBER),
        ("制表人：王五",),
        ("审核人：赵六",),
    ]
    rows, report = reading(tmp_path / "a.xlsx", *lines)
    skipped = [line for skip in report.skipped for line in range(skip.first, skip.last + 1)]
    assert sorted(skipped + [row.origin.row for row in rows]) == list(range(1, 9))
    assert report.rows == len(rows) == 2


def test_a_later_page_with_its_columns_in_another_order_is_read_in_that_order(tmp_path):
    again = ("身份证号", "姓名", "序号")
    rows, report = reading(tmp_path / "a.xlsx", (1, "张三", NUMBER), again, (NUMBER, "李四", 2))
    assert [row.fields[Field.NAME].value for row in rows] == ["张三", "李四"]
    assert [row.fields[Field.NUMBER].value for row in rows] == [NUMBER, NUMBER]
    assert [row.address(Field.NUMBER) for row in rows] == ["C2", "A4"]
    assert [skip.why for skip in report.skipped] == ["header", "header"]
