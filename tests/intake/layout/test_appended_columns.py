"""The columns that a marked copy of a roster has at its right end are not read; a roster's own columns are."""

from pathlib import Path

import pytest

from pipeline.intake.layout.column_titles import ColumnAliases
from pipeline.intake.layout.table_reader import read_table
from pipeline.intake.readers.model import Line, Sheet, text_cell

TITLES = ("姓名", "身份证号", "原因")


def read(*rows):
    lines = (
        Line(number, {column: text_cell(text) for column, text in enumerate(row) if text})
        for number, row in enumerate(rows, start=1)
    )
    table = read_table(Sheet("内科", lines), Path("a.xlsx"), ColumnAliases.from_config({}))
    return [cell.header for cell in table.rows[0].cells], table


@pytest.mark.parametrize(
    "appended",
    [
        ("导入状态", "原因", "印章ID"),
        ("Import status", "Reason", "SealId"),
        ("导入状态", "原因 (esign-import)", "印章ID"),
    ],
)
def test_the_columns_of_a_copy_are_not_read(appended):
    titles, table = read(
        ("某某医院名单",),
        (*TITLES, *appended),
        ("张伟", "110101199003070732", "返聘", "待改", "B3 错", ""),
        ("", "", "", "待改", "一行被清空", ""),
        ("王芳", "110101199003070046", "", "成功", "", "yD1"),
    )

    assert titles == list(TITLES)
    assert [row.origin.row for row in table.rows] == [3, 5]
    assert [column.title for column in table.report.columns] == list(TITLES)


@pytest.mark.parametrize(
    "own", [("导入状态", "印章ID"), ("印章ID", "导入状态", "原因"), ("Reason", "SealId")]
)
def test_a_column_of_such_a_title_alone_is_the_rosters_own(own):
    titles, _ = read(("姓名", "身份证号", *own), ("张伟", "110101199003070732", *("x" for _ in own)))

    assert titles == ["姓名", "身份证号", *own]
