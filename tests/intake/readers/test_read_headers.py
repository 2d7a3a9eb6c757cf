"""Header and lines of a file: exact titles after folding, two claims on one field stop the file; skipped lines are told."""

from __future__ import annotations

import pytest

from pipeline.domain.fields import FIELDS
from pipeline.domain.roster import Field
from pipeline.intake.layout.column_titles import TITLES, fold_title
from pipeline.intake.read_rosters import read_rosters

NUMBER = "11010119900307123X"


def reading(path, *lines, columns=None):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows, (report,) = read_rosters([path], columns=columns or {})
    return rows, report


def mapped(path, titles, **options):
    """Return field -> title of a header line with one doctor below."""
    rows, report = reading(path, titles, ",".join("x" for _ in titles.split(",")), **options)
    assert report.status == "read", report.problems
    return {str(name): cell.header for name, cell in rows[0].fields.items()}


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("*姓名", "*身份证号码"),
        ("姓 名", "身份证 号码（必填）"),
        ("医师姓名：", "ＩＤ　Card Number"),
        ("UserName", "IdCardNumber"),
        ("name", "id_card_number"),
        ('"姓\n名"', "证件号码[18位]"),
        ("\ufeff姓名\u200b", "公民身份号码"),
    ],
)
def test_titles_are_compared_without_width_case_space_marks_and_brackets(tmp_path, name, number):
    assert list(mapped(tmp_path / "a.csv", f"{name},{number}")) == ["name", "id_card_number"]


def test_every_parameter_has_a_chinese_and_an_english_title(tmp_path):
    chinese = "姓名,身份证号,证件类型,手机号,工号,科室,印章名称,印章图片,开通自动签,许可类型"
    english = (
        "UserName,IdCardNumber,IdCardType,Mobile,StaffNo,Department,SealName,Picture,EnableAutoSign,"
        "LicenseType"
    )
    fields = [str(name) for name in Field if FIELDS[name].titles]
    for titles in (chinese, english, ",".join(fields)):
        result = mapped(tmp_path / "a.csv", titles)
        assert list(result) == fields
        assert list(result.values()) == titles.split(",")


def test_no_title_names_two_fields():
    titles = [fold_title(alias) for aliases in TITLES.values() for alias in aliases]
    assert len(titles) == len(set(titles))


def test_two_columns_for_one_field_refuse_the_file_and_are_both_named(tmp_path):
    rows, report = reading(tmp_path / "a.csv", "某院", "姓名,身份证号,证件号码", f"张三,{NUMBER},{NUMBER}")
    assert (rows, report.codes) == ([], ("HEADER_AMBIGUOUS",))
    detail = report.problems[0].detail
    assert (detail["row"], detail["found"]) == ("2", "B2 身份证号, C2 证件号码")


def test_of_two_department_columns_the_first_is_used_and_named(tmp_path):
    titles = "姓名,所属部门,部门名称,身份证号"
    (row,), report = reading(tmp_path / "a.csv", titles, f"张三,内科,外科,{NUMBER}")
    assert (report.codes, row.fields["department"].display_text) == ((), "内科")
    assert report.notes == (
        "several columns mean the same (department): B 所属部门 is used, C 部门名称 is not",
    )


def test_the_chinese_name_is_a_title_for_the_name_next_to_no_plainer_one(tmp_path):
    titles = "中文名,英文名,身份证号"
    assert mapped(tmp_path / "a.csv", titles) == {"name": "中文名", "id_card_number": "身份证号"}
    assert mapped(tmp_path / "b.csv", f"{titles},姓名")["name"] == "姓名"


def test_columns_of_the_user_come_first(tmp_path):
    titles = "姓名,身份证号,证件号码,大名,Kennung（neu）"
    columns = {"证件 号码": "id_card_number", "kennung": "staff_no", "大名": "name"}
    columns_found = mapped(tmp_path / "a.csv", titles, columns=columns)
    assert columns_found == {"name": "大名", "id_card_number": "证件号码", "staff_no": "Kennung（neu）"}


def test_the_header_may_stand_below_titles_but_not_out_of_sight(tmp_path):
    near = ["填报单位：某院"] * 49 + ["姓名,身份证", f"张三,{NUMBER}"]
    rows, _ = reading(tmp_path / "a.csv", *near)
    assert [row.origin.row for row in rows] == [51]
    _, report = reading(tmp_path / "a.csv", "填报单位：某院", *near)
    assert report.codes == ("HEADER_NOT_FOUND",)


def test_a_missing_header_shows_the_nearest_titles(tmp_path):
    _, report = reading(tmp_path / "a.csv", "某院名单", "医生,手机号,编号", "张三,13800138000,1")
    assert (report.codes, report.problems[0].detail["found"]) == (
        ("HEADER_NOT_FOUND",),
        "医生 | 手机号 | 编号",
    )


def test_a_missing_header_never_shows_a_doctor(tmp_path):
    _, report = reading(tmp_path / "a.csv", f"张三,{NUMBER}", f"李四,{NUMBER}")
    assert report.codes == ("HEADER_NOT_FOUND",)
    assert report.problems[0].detail == {"found": "张* | 1***", "first": "1"}
    assert report.sheets[0].columns == ()


@pytest.mark.parametrize(
    ("titles", "lacking"), [("姓名,手机号,科室", "身份证 (id_card_number)"), ("身份证,手机号", "姓名 (name)")]
)
def test_a_table_without_the_name_or_number_column_names_the_missing_one(tmp_path, titles, lacking):
    _, report = reading(tmp_path / "a.csv", titles, "张三,1,2")
    assert (report.codes, report.problems[0].detail["field"]) == (("COLUMN_MISSING",), lacking)


def test_blank_stretches_are_one_entry_and_what_follows_the_last_line_is_none(tmp_path):
    lines = (f"张三,{NUMBER}", "", " ,", "", f"李四,{NUMBER}", "", "  ")
    rows, report = reading(tmp_path / "a.csv", "姓名,身份证号", *lines)
    assert [row.origin.row for row in rows] == [2, 6]
    assert [(skip.first, skip.last, skip.why) for skip in report.skipped] == [
        (1, 1, "header"),
        (3, 5, "blank"),
    ]


def test_a_later_page_with_its_columns_in_another_order_is_read_in_that_order(tmp_path):
    lines = ("序号,姓名,身份证号", f"1,张三,{NUMBER}", "身份证号,姓名,序号", f"{NUMBER},李四,2")
    rows, report = reading(tmp_path / "a.csv", *lines)
    assert [row.fields[Field.NAME].value for row in rows] == ["张三", "李四"]
    assert [row.fields[Field.NUMBER].value for row in rows] == [NUMBER, NUMBER]
    assert [row.address(Field.NUMBER) for row in rows] == ["C2", "A4"]
    assert [skip.why for skip in report.skipped] == ["header", "header"]
