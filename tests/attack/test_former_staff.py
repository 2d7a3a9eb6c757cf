"""Sheets and files of people who left are not read, are named, and stop nothing."""

from __future__ import annotations

import openpyxl
import pytest
from attack.stage import HEADERS, Stage, person, read_lines
from run_support import newest_results

GROUP = "people who left"


def write_book(stage: Stage, file: str, **sheets: range) -> None:
    """Write a roster with these people on its sheets, and their pictures."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, serials in sheets.items():
        sheet = book.create_sheet(title)
        sheet.append(HEADERS)
        for serial in serials:
            stage.know(serial)
            stage.draw(serial)
            sheet.append(person(serial).cells)
    book.save(stage.folder / "inbox" / file)


def list_sealed(stage: Stage) -> list[int]:
    stage.assert_clean()
    return sorted(stage.seals_of())


def test_sheets_of_former_staff_are_not_read_and_are_named(stage):
    write_book(stage, "名单.xlsx", 在职=range(1, 3), 离职=range(3, 4))
    write_book(stage, "2026退休人员.xlsx", 名单=range(4, 5))
    (stage.folder / "inbox" / "调离.csv").write_text("姓名,证件号码\n", "utf-8")
    ended = stage.go("run")
    assert ended.code == 0
    assert list_sealed(stage) == [1, 2]
    results = newest_results(stage.folder / "out")
    files = {file["file"]: file for file in read_lines(results / "files.jsonl")}
    assert [file["status"] for file in files.values()] == ["read"] * 3
    assert {sheet["sheet"]: sheet["status"] for sheet in files["名单.xlsx"]["sheets"]} == {
        "在职": "read",
        "离职": "former",
    }
    texts = [
        ended.output,
        (results / "report.html").read_text("utf-8"),
        str(list(openpyxl.load_workbook(results / "results.xlsx")["Summary"].values)),
    ]
    for text in texts:
        assert "离职 (by its name former staff" in text
        assert "2026退休人员.xlsx" in text
        assert text.count("by its name it holds former staff") == 2
    chinese = stage.go("--lang", "zh", "run").output
    assert "文件名表明是离职、退休、停用等人员" in chinese
    assert "离职（名称表明是离职" in chinese


def test_former_staff_are_read_when_the_command_line_or_the_configuration_asks(stage):
    write_book(stage, "名单.xlsx", 在职=range(1, 2), 离职=range(2, 3))
    write_book(stage, "离职.xlsx", 离职=range(3, 4))
    assert stage.go("run", str(stage.folder / "inbox" / "离职.xlsx")).code == 0
    assert list_sealed(stage) == [3]
    stage.configure(lines="intake: {read_former: true}\n")
    assert stage.go("run").code == 0
    assert list_sealed(stage) == [1, 2, 3]
    assert "former staff" not in stage.go("run").output


@pytest.mark.parametrize("file", ["离职.xlsx", "人员.xlsx"])
def test_a_roster_of_former_staff_alone_refuses_nothing(stage, file):
    write_book(stage, "名单.xlsx", 在职=range(1, 2))
    write_book(stage, file, 已离职=range(2, 3), 退休=range(3, 4))
    assert stage.go("run").code == 0
    assert list_sealed(stage) == [1]


def test_an_unreadable_sheet_next_to_one_of_former_staff_is_refused(stage):
    write_book(stage, "名单.xlsx", 离职=range(1, 2))
    book = openpyxl.load_workbook(stage.folder / "inbox" / "名单.xlsx")
    book.create_sheet("在职").append(person(2).cells)
    book.save(stage.folder / "inbox" / "名单.xlsx")
    assert stage.go("run").code == 7
    assert not stage.service.received


def test_the_guard_of_shrunk_rosters_knows_what_is_left_out(stage):
    """People whom an earlier version read from such a file have not gone away; a renamed roster has."""
    write_book(stage, "名单.xlsx", 在职=range(1, 11))
    write_book(stage, "离职.xlsx", 名单=range(11, 31))
    stage.configure(lines="intake: {read_former: true}\n")
    assert stage.go("run").code == 0
    stage.configure()
    assert stage.go("run").code == 0
    (stage.folder / "inbox" / "名单.xlsx").rename(stage.folder / "inbox" / "名单停用.xlsx")
    write_book(stage, "新名单.xlsx", 在职=range(1, 3))
    ended = stage.go("run")
    assert ended.code == 5
    assert "ROSTER_SHRUNK" in ended.output or "10 → 2" in ended.output
