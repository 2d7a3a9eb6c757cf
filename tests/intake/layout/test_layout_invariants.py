"""Whatever a sheet holds: each of its lines is a row or was skipped, once; each picture is somebody's or is told."""

from __future__ import annotations

from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from people import name, number
from walks import count_examples

from pipeline.domain.roster import CellKind, EmbeddedImage, ImageFile
from pipeline.errors import FileRefused
from pipeline.intake.layout.column_titles import ColumnAliases
from pipeline.intake.layout.table_reader import read_table, skip_example_sheets
from pipeline.intake.readers.model import Line, Merge, RawCell, Sheet, number_cell, text_cell

TEXTS = (
    "姓名", "身份证号", "手机", "科室", "序号", "基本信息", "紧急联系人", "联系方式", "合计", "制表人：王五", "内科", "一、外科", "示例", "示例：", "必填",
    "说明", "张三", "何总", "13800138000", "居民身份证", "1", "58人", "—", " ", "例：张三", "第1页", "2026-11-25", name(1), number(1), number(2), "处方章",
)  # fmt: skip
CELLS = st.one_of(
    st.sampled_from(TEXTS).map(text_cell),
    st.text(max_size=4).map(text_cell),
    st.sampled_from([0, 12, 110101199003071233, 1.5]).map(number_cell),
    st.just(RawCell(CellKind.ERROR, "#N/A", "#N/A")),
    st.just(RawCell(CellKind.NO_VALUE, None, "")),
    st.just(RawCell(CellKind.PICTURE, None, "")),
)
DOCTOR = {0: text_cell("1"), 1: text_cell(name(3)), 2: text_cell(number(3)), 3: text_cell("13800138000")}
HEADER = {0: text_cell("序号"), 1: text_cell("姓名"), 2: text_cell("身份证号"), 3: text_cell("手机")}
LINE = st.one_of(
    st.just(DOCTOR), st.just(HEADER), st.just({}), st.dictionaries(st.integers(0, 6), CELLS, max_size=7)
)
MERGE = st.builds(
    lambda top, down, value, right: Merge(top, top + down, value, value + right),
    st.integers(1, 20), st.integers(0, 5), st.integers(0, 6), st.integers(0, 3),
)  # fmt: skip
PLACE = st.tuples(st.integers(1, 24), st.sampled_from("ABCDEFG"))


def floating(row, column):
    return EmbeddedImage(
        column, row, ImageFile.from_path(Path(f"{column}{row}"), f"{column}{row}", 1), floating=True
    )


@given(
    st.lists(st.tuples(LINE, st.integers(0, 2)), min_size=1, max_size=24),
    st.lists(MERGE, max_size=5),
    st.lists(PLACE, max_size=6, unique=True),
    st.booleans(),
    st.sampled_from(["名单", "说明", None]),
)
@settings(max_examples=count_examples(250), deadline=None)
def test_nothing_is_lost_and_nothing_twice(lines, merges, places, headed, sheet):
    physical, position = [], 1
    for cells, more in ([(HEADER, 0)] if headed else []) + lines:
        ordered = dict(sorted(cells.items()))
        if ordered:
            physical.append(Line(position, ordered, end=position + more if sheet is None else 0))
        position += 1 + (more if sheet is None else 0)
    pictures = [floating(*position_value) for position_value in places]
    sheet = Sheet(sheet, iter(physical), merges=merges, pictures=pictures)
    try:
        made = read_table(sheet, Path("a.xlsx"), ColumnAliases.from_config({}))
    except FileRefused:  # two columns of a made-up header for one field
        return
    if made.report.status != "read":
        assert not made.rows
        return
    (made,) = skip_example_sheets([made])
    filled = [
        line
        for line in physical
        if any(
            cell.kind in {CellKind.NO_VALUE, CellKind.PICTURE} or cell.display_text.strip()
            for cell in line.cells.values()
        )
    ]
    last = {line.number: line.last for line in filled}
    of_rows = [offset for row in made.rows for offset in range(row.origin.row, last[row.origin.row] + 1)]
    skipped = [offset for skip in made.skipped for offset in range(skip.first, skip.last + 1)]
    assert sorted(of_rows + skipped) == list(range(1, filled[-1].last + 1))
    assert [row.origin.row for row in made.rows] == sorted({row.origin.row for row in made.rows})
    assert made.report.rows == len(made.rows)
    assert [skip.first for skip in made.skipped] == sorted(skip.first for skip in made.skipped)
    had = {picture.picture.sha256 for row in made.rows for picture in row.pictures}
    reported = "\n".join(made.notes)
    assert all(
        picture.picture.sha256 in had or f"over {picture.address} belongs" in reported for picture in pictures
    )
    assert all(picture.row == row.origin.row for row in made.rows for picture in row.pictures)


@given(
    st.lists(LINE.filter(lambda cells: not {1, 2} <= cells.keys() or cells in (DOCTOR, HEADER)), max_size=12)
)
@example([{0: text_cell("姓名"), 4: text_cell("身份证号")}, DOCTOR])  # under a header of other columns
@settings(max_examples=count_examples(150), deadline=None)
def test_a_whole_doctor_is_a_row_wherever_she_stands(lines):
    numbered = [Line(2 + index, dict(sorted(cells.items()))) for index, cells in enumerate(lines) if cells]
    try:
        made = read_table(
            Sheet("名单", iter([Line(1, HEADER), *numbered])), Path("a.xlsx"), ColumnAliases.from_config({})
        )
    except FileRefused as refused:  # a lone title over a repeated header claims its field a second time
        assert refused.code == "HEADER_AMBIGUOUS"  # noqa: PT017 - a roster that is read is the other case
        return
    rows = {row.origin.row for row in made.rows}
    shown = {
        position
        for skip in made.skipped
        if skip.why == "example"
        for position in range(skip.first, skip.last + 1)
    }
    assert all(line.number in rows | shown for line in numbered if line.cells == DOCTOR)
