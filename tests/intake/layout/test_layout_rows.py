"""The rows that are built: every titled cell in sheet order, and the filled cells beyond the titles."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from people import name, number

from pipeline.domain.roster import Cell, CellKind, Field
from pipeline.intake.layout.column_titles import ColumnAliases
from pipeline.intake.layout.table_reader import read_table
from pipeline.intake.read_rosters import read_rosters
from pipeline.intake.readers.model import Line, RawCell, Sheet, date_cell, number_cell, text_cell

TITLES = ("姓名", "身份证号", "工号", "备注")
KINDS = [
    text_cell("张三"),
    text_cell(" 1001 "),
    number_cell(1001),
    number_cell(1001.0),
    number_cell(0.5),
    number_cell(110101199003071233),
    RawCell(CellKind.NUMBER, 7, "0007"),
    RawCell(CellKind.NUMBER, 1001.0, "1,001.00"),
    RawCell(CellKind.BOOL, True, "TRUE"),
    RawCell(CellKind.ERROR, "#N/A", "#N/A"),
    RawCell(CellKind.NO_VALUE, None, ""),
    RawCell(CellKind.TEXT, "x", "shown otherwise"),
    date_cell(date(2026, 11, 25)),
]


def read(*rows, titles=TITLES, sheet="s"):
    lines = [Line(1, {column: text_cell(title) for column, title in enumerate(titles)})]
    lines += [
        Line(index, {column: text_cell(text) for column, text in enumerate(row) if text})
        for index, row in enumerate(rows, start=2)
    ]
    return read_table(Sheet(sheet, iter(lines)), Path("a.xlsx"), ColumnAliases.from_config({}))


@pytest.mark.parametrize("raw", KINDS, ids=lambda raw: f"{raw.kind} {raw.display_text}")
def test_a_cell_keeps_its_value_kind_and_text(raw):
    header = Line(1, {column: text_cell(title) for column, title in enumerate(TITLES)})
    line = Line(2, {0: text_cell(name(1)), 1: text_cell(number(1)), 2: raw})
    (row,) = read_table(Sheet("s", iter([header, line])), Path("a.xlsx"), ColumnAliases.from_config({})).rows
    expected = Cell("C", "工号", raw.value, raw.kind, raw.display_text)
    assert row.fields[Field.STAFF_NO] == row.cells[2] == expected
    assert type(row.cells[2].value) is type(raw.value)
    assert row.cells[3] == row.cells[-1] == Cell("D", "备注", None, CellKind.EMPTY, "")


def test_a_row_shows_no_personal_value_in_its_repr():
    (row,) = read((name(1), number(1), "", "x")).rows
    assert [cell.display_text for cell in row.cells] == [name(1), number(1), "", "x"]
    assert list(row.fields) == [Field.NAME, Field.NUMBER, Field.STAFF_NO]
    assert name(1) not in repr(row) + repr(row.cells) + repr(row.fields)


def test_filled_cells_beyond_the_titles_are_carried_over_up_to_a_width():
    titles = [*TITLES, *(f"列{serial}" for serial in range(300))]
    wide = [name(1), number(1), "", "", *(["x"] * 400)]
    (row,) = read(wide, titles=titles).rows
    assert len(row.cells) == 200
    (row,) = read((name(1), number(1), "", "", "", "beyond")).rows
    assert [(cell.column, cell.header, cell.display_text) for cell in row.cells[3:]] == [
        ("D", "备注", ""),
        ("F", "", "beyond"),
    ]


def test_a_ragged_text_file_is_not_noted_line_by_line(tmp_path):
    path = tmp_path / "a.csv"
    lines = [f"{name(serial)},{number(serial)},1" for serial in range(30)]
    path.write_text("\n".join(["姓名,身份证号", *lines]), "utf-8")
    _, (report,) = read_rosters([path])
    assert report.notes[0] == "line 2: more fields than titles"
    assert report.notes[-1] == "10 more lines with more fields than titles"
    assert len(report.notes) == 21
