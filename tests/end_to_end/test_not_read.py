"""Every line of a roster is a row of the results, or stands on the sheet Not read with its first cells and the reason."""

import openpyxl
import pytest
from people import make_row, name, number
from run_support import draw_seal

HEADERS = ("姓名", "证件号码", "手机号", "工号", "科室")
REASONS = {
    "en": ("Title", "Column titles", "Empty", "Total or count", "Note or signature", "Example"),
    "zh": ("标题", "列标题", "空行", "合计", "说明或签名", "示例"),
}


def write_roster(hospital, lines, *, other_sheets=()):
    book = openpyxl.Workbook()
    for line in lines:
        book.active.append(line)
    for title in other_sheets:
        book.create_sheet(title).append(HEADERS)
        book[title].append(make_row(9))
    (hospital.folder / "inbox").mkdir(exist_ok=True)
    book.save(hospital.folder / "inbox" / "roster.xlsx")


def read_sheet(hospital) -> list[tuple]:
    book = openpyxl.load_workbook(hospital.newest / "results.xlsx")
    return list(book.worksheets[-1].iter_rows(min_row=2, values_only=True))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_lines_without_a_doctor_are_listed_with_the_reason_and_counted(hospital, capsys, language):
    draw_seal(hospital.folder / "seals" / "00001.png", 1)
    lines = [
        ("医师名单",),
        HEADERS,
        ("示例：张三", "110101199003070732", "13800138001"),
        HEADERS,
        make_row(1),
        (" ",),
        ("合计", "1人"),
        ("制表人：李四", None, "13800138002"),
    ]
    write_roster(hospital, lines, other_sheets=["离职人员"])
    assert hospital.go("--lang", language, "check") == 0
    title, header, empty, total, note, example = REASONS[language]
    rows = read_sheet(hospital)
    assert [(row[2], row[4]) for row in rows[:7]] == [
        ("1", title), ("2", header), ("3", example), ("4", header), ("6", empty), ("7", total), ("8", note),
    ]  # fmt: skip
    assert rows[2][3] == "示例：张三 · **************0732 · 138****8001"
    assert rows[6][3] == "制表人：李四 · 138****8002"
    file, sheet, row, text, reason = rows[7]
    assert (file, sheet, row, text) == ("roster.xlsx", "离职人员", None, None)
    assert "intake.read_former" in reason
    printed = capsys.readouterr().err
    count = {
        "en": "4 lines of the rosters were not taken for doctors: 1 × title, 1 × example, 1 × total or count, 1 × note or signature.",
        "zh": "名单里有 4 行没有当作医生：标题 1 行、示例 1 行、合计 1 行、说明或签名 1 行。",
    }[language]  # fmt: skip
    assert printed.count(count) == 1
    book = openpyxl.load_workbook(hospital.newest / "results.xlsx")
    assert any(count in str(cell.value) for line in book.worksheets[0].iter_rows() for cell in line)


def test_a_roster_of_doctors_alone_has_nothing_to_count(hospital, capsys):
    hospital.doctors(1)
    assert hospital.go("check") == 0
    assert "not taken for" not in capsys.readouterr().err
    ((*_, row, text, reason),) = read_sheet(hospital)
    assert (row, text, reason) == ("1", "姓名 · 证件号码 · 手机号 · 工号", "Column titles")


def test_a_file_that_is_left_out_as_a_whole_stands_there_with_the_reason(hospital):
    hospital.doctors(1)
    hospital.roster([make_row(2)], file="离职名单.xlsx")
    hospital.go("check")
    assert [
        row[4] for row in read_sheet(hospital) if row[0] == "离职名单.xlsx"
    ] == ["not read: by its name it holds former staff (name the file on the command line to read it)"]  # fmt: skip


def test_lines_beyond_those_whose_words_are_kept_are_one_entry(hospital):
    """The sheet stays true: its rows and those of the results are every line of the roster."""
    lines = [HEADERS, make_row(1), *((f"备注：第{index}条，请核对",) for index in range(300)), make_row(2)]
    write_roster(hospital, lines)
    hospital.go("check")
    rows = [row[2] for row in read_sheet(hospital)]
    assert rows == ["1", *(str(index) for index in range(3, 202)), "202–302"]
    assert [line["row"] for line in hospital.outcomes("plan.jsonl")] == [2, 303]
    assert (name(1), number(1)) == make_row(1)[:2]
