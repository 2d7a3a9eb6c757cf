"""People in a sheet that cannot be read, or in a line that is none of a table, do not vanish."""

import json
import re

import openpyxl
import pytest
from people import name, number
from result_sheet import ResultSheet
from run_support import draw_seal

TITLES = ("姓名", "身份证号码", "手机号码")


def person(hospital, serial):
    (hospital.folder / "seals").mkdir(exist_ok=True)
    draw_seal(hospital.folder / "seals" / f"{name(serial)}.png", serial)
    return [name(serial), number(serial), f"164{serial:08d}"]


@pytest.fixture
def write_wards(hospital):
    """Return a function that writes a workbook of wards: sheet -> lines; a name with * is hidden."""

    def write(sheets, file="wards.xlsx"):
        book = openpyxl.Workbook()
        book.remove(book.active)
        for title, lines in sheets.items():
            sheet = book.create_sheet(title.strip("*"))
            sheet.sheet_state = "hidden" if title.endswith("*") else "visible"
            for line in lines:
                sheet.append(line)
        (hospital.folder / "inbox").mkdir(exist_ok=True)
        book.save(hospital.folder / "inbox" / file)

    return write


def read_summary(hospital):
    book = openpyxl.load_workbook(hospital.newest / "results.xlsx")
    return "\n".join(str(cell.value) for line in book.worksheets[0] for cell in line if cell.value)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_ward_without_a_header_is_named_and_the_others_are_sealed(hospital, write_wards, capsys, language):
    people = [person(hospital, serial) for serial in range(1, 6)]
    write_wards(
        {
            "心内科": [["心内科医师名单"], TITLES, people[0]],
            "骨科": [["骨科医师名单"], ["医生", "身份证", "电话"], people[1]],
            "儿科": [["儿科医师名单"], people[2]],
            "急诊科": [TITLES, [" ".join(people[3])]],
            "统计": [["科室", "人数"], ["心内科", 1]],
            "眼科*": [TITLES, people[4]],
        }
    )
    assert hospital.go("--lang", language, "run") == 7
    assert {seal.name for seal in hospital.service.seals} == {name(1), name(2)}
    console = capsys.readouterr().err
    expected = {
        "zh": ("工作表“儿科”没有读取，但第 2 行有证件号码", "眼科（隐藏）", "统计（没有表头）", "急诊科 第 2 行"),
        "en": ("The sheet 儿科 was not read, although row 2 contains an identity number", "眼科 (hidden)",
               "统计 (no header row)", "急诊科 row 2"),
    }[language]  # fmt: skip
    for text in expected:
        assert text in console
    page = (hospital.newest / "report.html").read_text("utf-8")
    for text in expected[:3]:
        assert text in read_summary(hospital)
        assert text in page
    (wrong,) = [line for line in hospital.outcomes() if line["status"] == "rejected"]
    assert (wrong["sheet"], wrong["row"]) == ("急诊科", 2)
    assert "B2" in next(problem["cell"] for problem in wrong["problems"] if problem["code"] == "ID_MISSING")
    assert any("A2" in problem["message"] for problem in wrong["problems"] if problem["code"] == "ID_MISSING")
    shown = json.dumps(hospital.outcomes(), ensure_ascii=False) + console + page + read_summary(hospital)
    assert not re.search(f"{number(3)}|{number(4)}|{people[3][2]}|{people[2][2]}", shown)
    assert hospital.go("run") == 7, "also in a run in which nothing changed"


def test_only_hidden_sheets_and_sheets_without_people_change_no_exit_code(hospital, write_wards, capsys):
    instructions = [["填写说明"], ["身份证号码示例：110101199003070038"], [number(9)]]
    write_wards(
        {
            "内科": [person(hospital, 3), TITLES, person(hospital, 1)],
            "统计": [["内科", 1], ["手机", "13800000000"], ["流水号", "202611190930001234", 202611280930001]],
            "旧*": [TITLES, person(hospital, 2)],
            "填写说明": instructions,
        }
    )
    assert hospital.go("run") == 0
    console = capsys.readouterr().err
    for text in (
        "Roster wards.xlsx: sheets not read: 统计 (no header row), 旧 (hidden)",
        "Roster wards.xlsx: sheet 内科: row 1 is above the column titles and was not read as a doctor",
    ):
        assert console.count(text) == 1
        assert read_summary(hospital).count(text.removeprefix("Roster wards.xlsx: ")) == 1


def test_lines_of_the_wrong_delimiter_and_notes_with_a_number_are_asked_about(hospital):
    first, second, third = (person(hospital, serial) for serial in (1, 2, 3))
    lines = [
        ",".join(TITLES),
        ",".join(first),
        ";".join(second),
        f"备注：新来的{third[0]} {third[1]},,",
        f"说明：身份证号码格式如 {number(8)},,",
        "制表人：王五 13800000000,,",
        "示例：张三,110101199001010015,13800000000",
    ]
    (hospital.folder / "inbox").mkdir()
    (hospital.folder / "inbox" / "hr.csv").write_text("\n".join(lines), "utf-8")
    assert hospital.go("run") == 3
    assert [(line["row"], line["status"]) for line in hospital.outcomes()] == [
        (2, "sealed"),
        (3, "rejected"),
        (4, "rejected"),
    ]


@pytest.mark.parametrize(
    "titles",
    [["患者", "医生", "身份证", "电话"], ["医生", "身份证", "诊断", "电话"], ["医生", "身份证", "备注"]],
)
def test_a_doctor_column_is_no_name_where_the_number_may_be_another_persons(hospital, write_wards, titles):
    values = dict(zip(("医生", "身份证", "电话"), person(hospital, 1), strict=True))
    write_wards({"门诊": [titles, [values.get(title, "无") for title in titles]]})
    assert hospital.go("run") == 7
    assert not hospital.service.seals


def test_a_doctor_column_next_to_a_name_stays_unused(hospital, write_wards):
    write_wards({"门诊": [["医生", *TITLES], ["主治", *person(hospital, 1)]]})
    assert hospital.go("run") == 0
    assert [seal.name for seal in hospital.service.seals] == [name(1)]


def test_a_doctor_column_is_named_in_to_fix_and_corrected_in_the_roster(hospital, write_wards):
    first = person(hospital, 1)
    write_wards({"骨科": [["医生", "身份证", "电话"], [first[0], first[1], "1641"]]})
    assert hospital.go("run") == 3
    assert ResultSheet(hospital.newest / "results.xlsx").read_column("Column") == ["电话"]
    write_wards({"骨科": [["医生", "身份证", "电话"], first]})
    assert hospital.go("retry", "--yes") == 0
    assert [seal.name for seal in hospital.service.seals] == [name(1)]


def test_two_groups_side_by_side_are_named_with_their_sheet(hospital, write_wards, capsys):
    first, second = person(hospital, 1), person(hospital, 2)
    write_wards({"内科": [TITLES, person(hospital, 3)], "并排": [[*TITLES, *TITLES], [*first, *second]]})
    assert hospital.go("run") == 7
    console = capsys.readouterr().err
    assert "Sheet 并排, row 1 has two columns for 姓名 (name): A1 姓名, D1 姓名" in console
    assert "move the second below the first" in console
    write_wards({"内科": [TITLES, person(hospital, 3)], "并排": [TITLES, first, second]})
    assert hospital.go("run") == 0


@pytest.mark.parametrize(
    ("sheets", "expected"),
    [
        (({"说明": [["名单"]], "内科": [["医生", "身份证"]]}), "Titles found in sheet 内科: 医生 | 身份证;"),
        ({"内科": [["医生", "身份证"]]}, "Titles found: 医生 | 身份证;"),
        ({"内科": [["张三", "110101199003070038"]], "外科": [["李四", "110101199003070038"]]},
         "There is no header row: in sheet 内科, row 1 already contains data"),
    ],
)  # fmt: skip
def test_a_workbook_without_any_header_is_refused_with_the_sheet_that_comes_nearest(
    hospital, write_wards, capsys, sheets, expected
):
    write_wards(sheets)
    assert hospital.go("run") == 7
    assert expected in capsys.readouterr().err
