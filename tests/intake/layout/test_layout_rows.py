"""How rows are held: as small as their filled cells, and seen as if every cell stood there."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
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


def test_cells_and_fields_are_sequence_and_mapping():
    first, second = read((name(1), number(1), "", "x"), (name(2), number(2))).rows
    assert [cell.display_text for cell in first.cells] == [name(1), number(1), "", "x"]
    assert [cell.column for cell in first.cells[1:3]] == ["B", "C"]
    assert len(second.cells) == 4
    assert list(first.fields) == [Field.NAME, Field.NUMBER, Field.STAFF_NO]
    assert Field.MOBILE not in first.fields
    assert first.fields.get(Field.MOBILE) is None
    with pytest.raises(KeyError):
        first.fields[Field.MOBILE]
    with pytest.raises(IndexError):
        first.cells[4]
    again = read((name(1), number(1), "", "x"), (name(2), number(2))).rows
    assert [first, second] == again
    assert first.cells == tuple(first.cells)
    assert first.cells != second.cells
    assert first.cells != list(first.cells)
    assert name(1) not in repr(first) + repr(first.cells) + repr(first.fields)


def test_threads_never_see_another_rows_cell():
    rows = read(*((name(serial), number(serial)) for serial in range(200))).rows
    expected = [number(serial) for serial in range(200)]

    def look(_):
        return [row.fields[Field.NUMBER].display_text for row in rows] == expected

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(look, range(40)))


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


def test_a_row_of_many_titles_and_few_cells_is_small():
    titles = [*TITLES, *(f"列{serial}" for serial in range(190))]
    people = [(f"甲{serial}", number(serial)) for serial in range(1_000)]
    read(people[0], titles=titles)
    tracemalloc.start()
    made = read(*people, titles=titles)
    held = tracemalloc.get_traced_memory()[0] / len(made.rows)
    tracemalloc.stop()
    assert held < 1_500  # bytes; a tuple of all its cells would be 1,600 alone


def test_a_ragged_text_file_is_not_noted_line_by_line(tmp_path):
    path = tmp_path / "a.csv"
    lines = [f"{name(serial)},{number(serial)},1" for serial in range(30)]
    path.write_text("\n".join(["姓名,身份证号", *lines]), "utf-8")
    _, (report,) = read_rosters([path])
    assert report.notes[0] == "line 2: more fields than titles"
    assert report.notes[-1] == "10 more lines with more fields than titles"
    assert len(report.notes) == 21
