"""Headers of several rows, repeated ones, and several tables in a sheet."""

from __future__ import annotations

from pathlib import Path

import pytest
from people import name, number

from pipeline.errors import FileRefused
from pipeline.intake.layout.column_titles import ColumnAliases
from pipeline.intake.layout.header_search import choose_header
from pipeline.intake.layout.table_reader import read_table
from pipeline.intake.read_rosters import read_rosters
from pipeline.intake.readers.model import Line, Merge, MergedCells, Sheet, parse_column, text_cell

PLAIN = ColumnAliases.from_config({})


def merge(area: str) -> Merge:
    (first_column, top), (right, bottom) = (
        (parse_column(corner.rstrip("0123456789")), int(corner.lstrip("ABCDEFGHIJ")))
        for corner in area.split(":")
    )
    return Merge(top, bottom, first_column, right)


def lines(*rows):
    """Lines of texts separated by bars; an empty place is an empty cell."""
    for index, row in enumerate(rows, start=1):
        cells = [cell.strip() for cell in row.split("|")]
        if any(cells):
            yield Line(index, {column: text_cell(text) for column, text in enumerate(cells) if text})


def header(*rows, merges="", columns=None):
    """Return (first row, last row, field -> column letter, titles) of a header; None without one."""
    merged = MergedCells([merge(area) for area in merges.split()])
    read_lines = list(lines(*rows))
    header_found = choose_header(read_lines, ColumnAliases.from_config(columns or {}), merged)
    if header_found is None:
        return None
    got = header_found[2]
    return (
        read_lines[header_found[0]].number,
        got.last_line,
        {str(field): "ABCDEFGHIJ"[column] for field, column in got.columns.items()},
        [got.titles.get(column, "") for column in range(max(got.titles) + 1)],
    )


def read(*rows, merges="", **sheet):
    made = Sheet("内科", lines(*rows), merges=[merge(area) for area in merges.split()], **sheet)
    return read_table(made, Path("a.xlsx"), PLAIN)


USUAL = {"name": "A", "id_card_number": "B", "mobile": "C"}


@pytest.mark.parametrize("merges", ["A1:C1 D1:E1 F1:G1", ""], ids=["merged", "inferred"])
def test_groups_over_a_row_of_titles_belong_to_the_header(merges):
    row, last, places, titles = header(
        "基本信息| | |联系方式| |电子签章| ", "姓名|性别|身份证号|手机|邮箱|印章名称|图片", merges=merges
    )
    assert (row, last) == (1, 2)
    assert places == {
        "name": "A", "id_card_number": "C", "mobile": "D", "seal_name": "F", "picture": "G",
    }  # fmt: skip
    assert titles[:6] == ["姓名", "性别", "身份证号", "手机", "邮箱", "印章名称"]


@pytest.mark.parametrize("merges", ["A1:A2 B1:B2 C1:C2 D1:E1 F1:F2", ""], ids=["merged", "inferred"])
def test_titles_merged_down_over_both_rows(merges):
    rows = ("序号|姓名|身份证号|联系方式| |备注", " | | |手机|邮箱| ")
    row, last, places, titles = header(*rows, merges=merges)
    assert (row, last, places) == (1, 2, {"name": "B", "id_card_number": "C", "mobile": "D"})
    assert titles == ["序号", "姓名", "身份证号", "手机", "邮箱", "备注"]


@pytest.mark.parametrize("merges", ["A1:A2 B1:C1 D1:E1", ""], ids=["merged", "inferred"])
def test_a_name_above_and_a_number_below(merges):
    rows = ("姓名|证件| |联系方式| ", " |类型|号码|手机|邮箱")
    row, last, places, titles = header(*rows, merges=merges)
    assert (row, last) == (1, 2)
    assert places == {"name": "A", "id_card_number": "C", "id_card_type": "B", "mobile": "D"}
    assert titles == ["姓名", "证件 类型", "证件 号码", "手机", "邮箱"]


def test_remarks_hide_no_group_and_no_title_of_two_rows():
    rows = (
        "姓名（必填；同证件）|证件（有效期内：文本）| |联系方式|",
        " |类型|号码（18位；GB11643-1999）|手机（必填。）|邮箱",
    )
    for merges in ("A1:A2 B1:C1 D1:E1", ""):
        row, last, places, _ = header(*rows, merges=merges)
        assert (row, last) == (1, 2)
        assert places == {"name": "A", "id_card_number": "C", "id_card_type": "B", "mobile": "D"}


DECOYS = ["紧急联系人", "家属信息", "患者信息", "配偶", "推荐人", "主诊医师", "填表人", "Emergency Contact"]


@pytest.mark.parametrize("group", DECOYS)
@pytest.mark.parametrize("merges", ["A1:C1 D1:F1", ""], ids=["merged", "inferred"])
@pytest.mark.parametrize("first", [True, False], ids=["before", "behind"])
def test_a_group_of_another_person_is_no_mapped_column(group, merges, first):
    groups, titles = ("医师信息| | ", f"{group}| | "), ("姓名|身份证号|手机", "姓名|身份证号|电话")
    if first:
        groups, titles = groups[::-1], titles[::-1]
    row, last, places, written = header("|".join(groups), "|".join(titles), merges=merges)
    assert (row, last) == (1, 2)
    assert list(places.values()) == (["D", "E", "F"] if first else ["A", "B", "C"])
    assert sum(group in title for title in written) == 3


def test_a_lone_decoy_group_over_the_last_columns():
    rows = (" | | |紧急联系人| ", "姓名|身份证号|手机|姓名|电话")
    for merges in ("D1:E1", ""):
        assert header(*rows, merges=merges)[:3] == (1, 2, USUAL)


def test_nothing_but_another_person_is_no_header():
    rows = ("患者信息| | |主诊医师| ", "姓名|身份证号|电话|姓名|科室")
    assert header(*rows, merges="A1:C1 D1:E1") is None
    assert header(*rows) is None


def test_a_group_gives_its_columns_meaning_and_takes_it():
    for rows, merges, places in (
        (("姓名|身份证号|联系方式| ", " | |手机|座机"), "C1:D1 A1:A2 B1:B2", USUAL),
        (("姓名|身份证号|联系方式| ", " | |电话|手机"), "C1:D1 A1:A2 B1:B2", {**USUAL, "mobile": "D"}),
        (
        ("姓名|身份证号|电子签章| ", " | |名称|图片"), "C1:D1 A1:A2 B1:B2",
        {"name": "A", "id_card_number": "B", "seal_name": "C", "picture": "D"},
        ),
        (("姓名|身份证号|手机| ", " | |号码|短号"), "C1:D1 A1:A2 B1:B2", USUAL),
        (("姓名| |身份证号|手机", "中文|拼音| | "), "A1:B1 C1:C2 D1:D2", {**USUAL, "id_card_number": "C", "mobile": "D"}),
        (("姓名|身份证| | ", " |号码|照片|有效期"), "A1:A2 B1:D1", {"name": "A", "id_card_number": "B"}),
        (("姓名|身份证号|执业证| |印章", " | |证件号码|照片|图片"), "A1:A2 B1:B2 C1:D1", {"name": "A", "id_card_number": "B", "picture": "E"}),
        (("姓名|身份证号|单位| ", " | |电话|名称"), "A1:A2 B1:B2 C1:D1", {"name": "A", "id_card_number": "B"}),
        (("姓名|身份证号|科室| |手机", " | |名称|编码| "), "A1:A2 B1:B2 C1:D1 E1:E2", {**USUAL, "mobile": "E", "department": "C"}),
    ):  # fmt: skip
        for given_merges in (merges, ""):
            row, last, header_found, titles = header(*rows, merges=given_merges)
            assert (row, last, header_found) == (1, 2, places)
            # a To fix sheet writes the titles on one row: there they mean the same
            assert header("|".join(titles))[2] == places


def test_a_header_of_three_rows():
    rows = ("序号|基本信息| | |联系方式| | ", " |姓名|证件| |本人| |家属", " | |类型|号码|手机|邮箱|手机")
    merges = "A1:A3 B1:D1 E1:G1 B2:B3 C2:D2 E2:F2"
    row, last, places, titles = header(*rows, merges=merges)
    assert (row, last) == (1, 3)
    assert places == {"name": "B", "id_card_number": "D", "id_card_type": "C", "mobile": "E"}
    assert titles[6].endswith("家属 手机")


def test_what_stands_above_a_table_is_no_group():
    for above in (
        ("清岚市第一人民医院医师名单（联系人：王五）",),
        ("清岚市第一人民医院患者信息表",),
        ("填报单位：某院| | |填报日期：2026-11-25",),
        ("填报人|王五|审核人|赵六",),
        ("联系人|王五|联系电话|13800138000",),
        ("审核人：| |填表人：| ",),
        ("说明：家属信息不必填写。",),
        ("某院", "填报单位：某院| |审核人：赵六| "),
    ):
        merges = "A1:D1" if "|" not in above[0] else ""
        row, last, places, _ = header(*above, "姓名|身份证号|手机|备注", merges=merges)
        assert (row, last, places) == (len(above) + 1, len(above) + 1, USUAL)


def test_two_languages_are_one_header():
    rows = ("姓名|身份证号|手机|印章图片|备注", "Name|ID No.|Cell|Chop|Remark")
    row, last, places, titles = header(*rows)
    assert (row, last, places) == (1, 2, {**USUAL, "picture": "D"})
    assert titles == ["姓名", "身份证号", "手机", "印章图片", "备注"]
    row, last, places, _ = header("姓名|身份证号|联系|备注", "Name|ID No.|Mobile|Remark")
    assert (row, last, places) == (1, 2, USUAL)


@pytest.mark.parametrize(
    "below", [" | | |居民身份证|内科", " | | | |手机", "张三| |13800138000| | ", "1| | |居民身份证| "]
)
def test_a_line_of_values_is_no_second_row_of_titles(below):
    assert header("姓名|身份证号|手机|证件类型|科室", below)[:2] == (1, 1)
    assert header("姓名|身份证号|手机|证件类型|科室", below, merges="E1:E9")[:2] == (1, 1)


def test_a_title_over_two_columns_counts_for_the_first():
    assert header("姓名|身份证号| |手机", merges="B1:C1")[2] == {**USUAL, "mobile": "D"}
    assert header("姓名|身份证号| |手机", " | | | ", merges="B1:C2 A1:A2 D1:D2")[2] == {
        **USUAL,
        "mobile": "D",
    }


def test_two_claims_under_groups_are_identified_by_their_own_cells():
    with pytest.raises(FileRefused) as refused:
        header("医师| |护士| ", "姓名|身份证号|姓名|身份证号", merges="A1:B1 C1:D1")
    assert refused.value.detail["found"] == "A2 姓名, C2 姓名"
    assert refused.value.detail["row"] == "2"


def test_the_user_may_name_a_column_under_its_group():
    rows = ("医师| |紧急联系人| ", "姓名|身份证号|姓名|电话")
    header_found = header(*rows, merges="A1:B1 C1:D1", columns={"紧急联系人 电话": "mobile"})
    assert header_found[2] == {**USUAL, "mobile": "D"}


DOCTORS = [f"{name(serial)}|{number(serial)}|138001380{serial:02}" for serial in range(1, 9)]


def test_a_printed_roster_repeats_title_and_header_on_every_page():
    page = ("某院医师名单", "姓名|身份证号|手机")
    made = read(*page, *DOCTORS[:2], "第1页", *page, *DOCTORS[2:4], "第2页")
    assert [row.origin.row for row in made.rows] == [3, 4, 8, 9]
    assert [(skip.first, skip.last, skip.why) for skip in made.skipped] == [
        (1, 1, "title"),
        (2, 2, "header"),
        (5, 5, "note"),
        (6, 6, "title"),
        (7, 7, "header"),
        (10, 10, "note"),
    ]


def test_a_header_of_two_rows_is_repeated_as_two_rows():
    page = ("基本信息| |联系方式", "姓名|身份证号|手机")
    made = read(*page, DOCTORS[0], *page, DOCTORS[1], merges="A1:B1 A4:B4")
    assert [row.origin.row for row in made.rows] == [3, 6]
    assert [(skip.first, skip.last, skip.why) for skip in made.skipped] == [
        (1, 2, "header"),
        (4, 5, "header"),
    ]


def test_a_second_table_below_has_its_own_columns_and_groups():
    made = read(
        "姓名|身份证号|手机",
        DOCTORS[0],
        "",
        "外科",
        "紧急联系人| |医师| | ",
        "姓名|手机|手机|身份证号|姓名",
        f"王五|13900139000|13800138000|{number(2)}|{name(2)}",
        merges="A5:B5 C5:E5",
    )
    assert [
        (row.fields["name"].display_text, row.fields["id_card_number"].display_text) for row in made.rows
    ] == [(name(1), number(1)), (name(2), number(2))]
    assert made.rows[1].fields["mobile"].display_text == "13800138000"
    assert [(skip.first, skip.last, skip.why) for skip in made.skipped][1:] == [
        (3, 3, "blank"),
        (4, 4, "title"),
        (5, 6, "header"),
    ]


def test_two_tables_side_by_side_refuse_the_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("姓名,身份证号,手机,,姓名,身份证号,手机\n", "utf-8")
    _, (report,) = read_rosters([path])
    assert report.codes == ("HEADER_AMBIGUOUS",)
    assert report.problems[0].detail["found"] == "A1 姓名, E1 姓名"


def test_a_csv_keeps_groups_apart_without_merged_cells(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        f"医院名单,,,,\n基本信息,,,紧急联系人,\n姓名,身份证号,手机,姓名,手机\n{name(1)},{number(1)},13800138000,王五,13900139000\n",
        "utf-8",
    )
    ((row,), (report,)) = read_rosters([path])
    assert {str(field): cell.display_text for field, cell in row.fields.items()} == {
        "name": name(1), "id_card_number": number(1), "mobile": "13800138000",
    }  # fmt: skip
    assert [(skip.first, skip.last, skip.why) for skip in report.skipped] == [
        (1, 1, "title"),
        (2, 3, "header"),
    ]


def test_a_header_of_16384_columns_costs_little():
    wide = Line(1, {column: text_cell(f"列{column}") for column in range(16_384)})
    titles = Line(2, {**wide.cells, 0: text_cell("姓名"), 16_383: text_cell("身份证号")})
    body = [
        Line(3 + serial, {0: text_cell(name(serial)), 16_383: text_cell(number(serial))})
        for serial in range(200)
    ]
    made = read_table(Sheet("s", iter([wide, titles, *body])), Path("a.xlsx"), PLAIN)
    assert len(made.rows) == 200
    assert len(made.rows[0].cells) == 201
    assert made.rows[7].address("id_card_number") == "XFD10"
    assert made.notes == ["sheet s: columns from GS on are not copied to the results"]


def test_a_search_through_long_titles_in_every_column_is_cut_short(monkeypatch):
    monkeypatch.setattr("pipeline.intake.layout.table_reader._HEADER_CELLS", 10_000)
    wide = dict.fromkeys(range(1_638), text_cell("列"))
    junk = [Line(position, wide) for position in range(1, 8)]
    titles = Line(8, {0: text_cell("姓名"), 1: text_cell("身份证号")})
    assert read_table(Sheet("s", iter([*junk[:5], titles])), Path("a.xlsx"), PLAIN).report.status == "read"
    assert read_table(Sheet("s", iter([*junk, titles])), Path("a.xlsx"), PLAIN).report.status == "no_header"
