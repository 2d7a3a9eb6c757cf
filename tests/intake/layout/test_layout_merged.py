"""Merged cells and pictures: what lines inherit, what stays with one person, whose picture is whose."""

from __future__ import annotations

from pathlib import Path

import pytest
from people import name, number

from pipeline.domain.roster import CellKind, EmbeddedImage, Field, ImageFile
from pipeline.intake.layout.column_titles import ColumnAliases
from pipeline.intake.layout.table_reader import read_table
from pipeline.intake.readers.model import Line, Merge, RawCell, Sheet, parse_column, text_cell

TITLES = ("科室", "姓名", "身份证号", "手机号", "印章图片", "备注")
WHO = [(name(serial), number(serial), f"138001380{serial:02}") for serial in range(1, 9)]


def merge(area: str) -> Merge:
    (first_column, top), (right, bottom) = (
        (parse_column(corner[0]), int(corner[1:])) for corner in area.split(":")
    )
    return Merge(top, bottom, first_column, right)


def picture(address: str, tag: str = "", *, floating: bool = True) -> EmbeddedImage:
    made = ImageFile.from_path(Path(f"a.xlsx/内科!{address}"), tag or address, 1, Path("x"))
    return EmbeddedImage(address[0], int(address[1:]), made, floating)


def cell(value: object) -> RawCell:
    if isinstance(value, EmbeddedImage):
        return RawCell(CellKind.PICTURE, value, "")
    return text_cell(str(value))


def read(*rows, merges="", pictures=(), titles=TITLES, hidden_columns=()):
    lines = (
        Line(index, {column: cell(value) for column, value in enumerate(row) if value})
        for index, row in enumerate((titles, *rows), start=1)
    )
    sheet = Sheet(
        "内科",
        (line for line in lines if line.cells),
        merges=[merge(area) for area in merges.split()],
        pictures=[
            picture(picture_value) if isinstance(picture_value, str) else picture_value
            for picture_value in pictures
        ],
        hidden_columns=frozenset(map(parse_column, hidden_columns)),
    )
    return read_table(sheet, Path("a.xlsx"), ColumnAliases.from_config({}))


def shown(made, field):
    return [row.fields[field].display_text for row in made.rows]


def whys(made):
    return {position: skip.why for skip in made.skipped for position in range(skip.first, skip.last + 1)}


def given(made):
    return {
        row.origin.row: [picture.address for picture in row.pictures] for row in made.rows if row.pictures
    }


def test_a_department_merged_down_is_that_of_each_line():
    made = read(
        ("内科", *WHO[0]),
        ("", *WHO[1]),
        ("", *WHO[2]),
        ("外科", *WHO[3]),
        ("", *WHO[4]),
        merges="A2:A4 A5:A6",
    )
    assert shown(made, Field.DEPARTMENT) == ["内科", "内科", "内科", "外科", "外科"]
    inherited = made.rows[1].fields[Field.DEPARTMENT]
    assert (inherited.column, inherited.kind, made.rows[1].address(Field.DEPARTMENT)) == (
        "A",
        CellKind.TEXT,
        "A3",
    )
    assert made.rows[1].cells[0] == inherited


def test_without_a_merged_cell_nothing_is_filled_down():
    assert shown(read(("内科", *WHO[0]), ("", *WHO[1])), Field.DEPARTMENT) == ["内科", ""]


def test_which_merged_cells_are_filled_down():
    for title, value, field, inherits in (
        ("科室", "内科", Field.DEPARTMENT, True),
        ("证件类型", "居民身份证", Field.ID_TYPE, True),
        ("开通自动签", "是", Field.ENABLE_AUTO_SIGN, True),
        ("许可类型", "1", Field.LICENSE_TYPE, True),
        ("工号", "1001", Field.STAFF_NO, False),
        ("手机", "13800138000", Field.MOBILE, False),
        ("印章名称", "张三章", Field.SEAL_NAME, False),
        ("印章图片", "a.png", Field.PICTURE, False),
    ):
        titles = (title, "姓名", "身份证号")
        made = read((value, *WHO[0][:2]), ("", *WHO[1][:2]), merges="A2:A3", titles=titles)
        assert shown(made, field) == [value, value if inherits else ""]


@pytest.mark.parametrize(
    ("area", "field"), [("B2:B3", Field.NAME), ("C2:C3", Field.NUMBER), ("D2:D3", Field.MOBILE)]
)
def test_what_lies_under_a_merged_cell_is_not_read(area, field):
    """Nobody sees it: Excel and LibreOffice keep it where a format was copied over filled cells."""
    made = read(("内科", *WHO[0]), ("内科", *WHO[1]), ("内科", *WHO[2]), merges=area)
    column = {Field.NAME: 0, Field.NUMBER: 1, Field.MOBILE: 2}[field]
    assert shown(made, field) == [WHO[0][column], "", WHO[2][column]]
    across = read(("内科", WHO[0][0], WHO[0][1]), merges="B2:C2")
    assert shown(across, Field.NUMBER) == [""]


def test_a_wide_merged_cell_gives_only_what_begins_in_the_column():
    made = read(("内科", *WHO[0]), ("", *WHO[1]), merges="A2:B3")
    assert (shown(made, Field.DEPARTMENT), shown(made, Field.NAME)) == (["内科", "内科"], ["", ""])
    titles = ("组", "科室", "姓名", "身份证号")
    made = read(("一组", "", *WHO[0][:2]), ("", "", *WHO[1][:2]), merges="A2:B3", titles=titles)
    assert shown(made, Field.DEPARTMENT) == ["", ""]


def test_an_inherited_department_makes_no_person_of_an_empty_line():
    made = read(
        ("内科", *WHO[0]), ("", "", "", "", "", ""), ("", "", "", "", "", " "), ("", *WHO[1]), merges="A2:A5"
    )
    assert [row.origin.row for row in made.rows] == [2, 5]
    assert whys(made) == {1: "header", 3: "blank", 4: "blank"}


def test_a_merged_header_gives_nothing_to_the_lines_below():
    made = read(("", *WHO[0]), ("内科", *WHO[1]), merges="A1:A2")
    assert shown(made, Field.DEPARTMENT) == ["", "内科"]


def test_merged_cells_of_a_later_table_count_in_its_own_columns():
    titles = ("姓名", "身份证号", "科室")
    made = read(
        ("内科", *WHO[0]), ("", *WHO[1]), titles, (*WHO[2][:2], "外科"), WHO[3][:2], merges="A2:A3 C5:C6"
    )
    assert shown(made, Field.DEPARTMENT) == ["内科", "内科", "外科", "外科"]


@pytest.mark.parametrize("text", ["内科", "请核对本页人员", "张三"])
def test_one_cell_merged_over_name_and_number_is_no_person(text):
    assert whys(read(("内科", *WHO[0]), ("", text), merges="B3:D3")) == {1: "header", 3: "title"}


def test_pictures_go_to_the_line_of_their_centre():
    made = read(("内科", *WHO[0]), ("内科", *WHO[1]), pictures=["E2", "F3", "E3"])
    assert given(made) == {2: ["E2"], 3: ["F3", "E3"]}
    assert not made.notes


def test_a_picture_in_a_cell_belongs_to_its_line_in_any_column():
    inside = picture("E2", floating=False)
    made = read(
        ("内科", *WHO[0], inside), ("内科", *WHO[1], "", picture("F3", floating=False)), pictures=["A2"]
    )
    assert given(made) == {2: ["A2", "E2"], 3: ["F3"]}
    assert made.rows[0].fields[Field.PICTURE].value == inside


def test_pictures_over_no_doctor_are_reported():
    logo = picture("F1", floating=False)
    made = read(
        ("内科", *WHO[0]),
        ("合计", "", "1"),
        (),
        ("", "", "", "", picture("E5", floating=False)),
        titles=(*TITLES[:5], logo),
        pictures=["H1", "E3", "E4", "E99"],
    )
    assert given(made) == {}
    assert whys(made) == {1: "header", 3: "total", 4: "blank", 5: "note"}
    assert made.notes == [
        f"sheet 内科: a picture over {address} belongs to no doctor"
        for address in ("F1", "H1", "E3", "E4", "E5", "E99")
    ]


def test_a_hundred_unassigned_pictures_give_twenty_one_notes():
    made = read(("内科", *WHO[0]), pictures=[f"E{row}" for row in range(100, 200)])
    assert len(made.notes) == 21
    assert made.notes[-1] == "sheet 内科: 80 more pictures belong to no doctor"


def test_a_picture_in_the_picture_column_of_a_numbered_line_makes_it_a_person():
    titles = ("序号", *TITLES[1:])
    made = read(("1", *WHO[0]), ("2", "", "", "", picture("E3", floating=False)), titles=titles)
    assert given(made) == {3: ["E3"]}


def test_a_doctor_on_two_merged_lines_gets_the_pictures_of_both():
    made = read(
        ("内科", *WHO[0], "", "主任"),
        ("", "", "", "", picture("E3", floating=False), "返聘"),
        ("外科", *WHO[1]),
        merges="A2:A3 B2:B3 C2:C3",
        pictures=["E2", "D3", "E4"],
    )
    assert given(made) == {2: ["E2", "D2", "E2"], 4: ["E4"]}
    assert whys(made) == {1: "header", 3: "note"}


def test_a_picture_over_the_merged_cell_of_one_doctor_is_his():
    made = read(("内科", *WHO[0]), ("外科", *WHO[1]), merges="B2:B3 E2:E3 C2:C3", pictures=["E3"])
    assert given(made)[2] == ["E2"]


@pytest.mark.parametrize("placed", [True, False])
def test_one_picture_in_a_cell_merged_over_two_doctors_is_given_to_both(placed):
    """Then across.compare refuses both as sharing it: nobody can tell whose it is."""
    inside = picture("E2", floating=False)
    made = read(
        ("内科", *WHO[0], inside if placed else ""),
        ("内科", *WHO[1]),
        ("内科", *WHO[2]),
        merges="E2:E3",
        pictures=[] if placed else ["E3"],
    )
    assert given(made) == {2: ["E2"], 3: ["E3"]}
    assert made.rows[0].pictures[0].picture == made.rows[1].pictures[0].picture


def test_many_pictures_over_one_merged_margin_go_by_their_centres():
    rows = [("内科", *who) for who in WHO]
    made = read(*rows, merges="E2:E9", pictures=[f"E{row}" for row in range(2, 10)])
    assert given(made) == {row: [f"E{row}"] for row in range(2, 10)}
    tall = read(*rows, merges="E2:E999", pictures=["E4"])
    assert given(tall) == {4: ["E4"]}


def test_hidden_columns_with_a_title_are_read_and_reported():
    made = read(("内科", *WHO[0]), hidden_columns="DFZ")
    assert made.notes == ["sheet 内科: hidden columns D (mobile), F"]
    assert shown(made, Field.MOBILE) == [WHO[0][2]]
    assert not read(("内科", *WHO[0]), hidden_columns="YZ").notes
