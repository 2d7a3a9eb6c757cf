"""A roster whose own columns are titled like ours: on To fix it stays clear whose is whose, also in a second round."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest
from desktop import convert
from office_support import FILTERS
from people import name, number
from result_sheet import save_corrected
from run_support import draw_seal

OURS = (
    "Import status",
    "Reason",
    "What to do",
    "From",
    "导入状态",
    "原因",
    "处理办法",
    "来源",
    "row_id",
    "check",
)
LIKE_OURS = (*OURS, "状态", "SealId", "印章ID", "结论", "Conclusion", "问题", "esign-import")
HEADS = (
    "row_id",
    "姓名",
    "证件号码",
    "check",
    "手机号",
    "工号",
    "图片",
    "印章名称",
    *LIKE_OURS[:8],
    *LIKE_OURS[10:],
)
MOBILE = "15400000002"


def line(serial: int, mobile: str) -> list[str]:
    known = {
        "姓名": name(serial),
        "证件号码": number(serial),
        "手机号": mobile,
        "工号": f"{serial:05d}",
        "图片": f"{serial:05d}.png",
        "印章名称": f"{name(serial)}专用章",
    }
    return [known.get(head, f"{head} {serial}") for head in HEADS]


@pytest.fixture
def ward(hospital):
    """One doctor who is well and two whose mobile is too short."""
    for serial in (1, 2, 3):
        draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", serial)
    rows = [line(1, "15400000001"), line(2, "154"), line(3, "155")]
    hospital.roster(rows, headers=HEADS)
    assert hospital.run_to_end("run") == (3, {"sealed": 1, "rejected": 2})
    return hospital


def latest(hospital) -> Path:
    return hospital.newest / "results.xlsx"


def table(workbook: Path) -> list[list[str | None]]:
    return [[cell.value for cell in row] for row in openpyxl.load_workbook(workbook)["To fix"].iter_rows()]


def corrected(workbook: Path, target: Path, mobiles: dict[str, str], alter=None) -> Path:
    changes = {old: {"手机号": new} for old, new in mobiles.items()}
    return save_corrected(workbook, target, changes, by="手机号", alter=alter)


def test_every_column_of_the_roster_is_there_as_it_was(ward):
    head, *rows = table(latest(ward))
    assert tuple(head[: len(HEADS)]) == HEADS
    assert len(set(head)) == len(head), "no title appears twice"
    assert [row[: len(HEADS)] for row in rows] == [line(2, "154"), line(3, "155")]


@pytest.mark.parametrize("form", ["", "xlsx", "xls"])
@pytest.mark.office
def test_the_corrected_rows_come_back(ward, tmp_path, form):
    fixed = corrected(latest(ward), tmp_path / "results.xlsx", {"154": MOBILE, "155": "15400000003"})
    if form:
        fixed = convert(fixed, f"{form}:{FILTERS[form]}", tmp_path / "saved", tmp_path)
    assert ward.run_to_end("retry", str(fixed)) == (0, {"sealed": 2})


def test_a_row_refused_again_keeps_the_rosters_columns_and_comes_back_all_the_same(ward, tmp_path):
    first = table(latest(ward))
    once = corrected(latest(ward), tmp_path / "1.xlsx", {"154": "1540", "155": "15400000003"})
    assert ward.go("retry", str(once)) == 3
    head, row = table(latest(ward))
    assert head == first[0]
    assert row[: len(HEADS)] == line(2, "1540")
    assert row[-2:] == first[1][-2:], "it still stands for the roster's row"
    twice = corrected(latest(ward), tmp_path / "2.xlsx", {"1540": MOBILE})
    assert ward.go("retry", str(twice)) == 0


def reversed_columns(sheet) -> None:
    texts = [[cell.value for cell in row] for row in sheet.iter_rows()]
    for row, line_ in zip(sheet.iter_rows(), texts, strict=True):
        for cell, text in zip(row, reversed(line_), strict=True):
            cell.value, cell.comment = text, None


def hidden_columns(sheet) -> None:
    for column in (2, 3, 6, 7, len(HEADS) + 2):
        sheet.column_dimensions[openpyxl.utils.get_column_letter(column)].hidden = True


def renamed(sheet) -> None:
    sheet.title = "内科改好"


@pytest.mark.parametrize("alter", [reversed_columns, hidden_columns, renamed])
def test_moved_and_hidden_columns_and_another_name_of_the_sheet(ward, tmp_path, alter):
    fixed = corrected(latest(ward), tmp_path / "a.xlsx", {"154": MOBILE, "155": "15400000003"}, alter)
    assert ward.run_to_end("retry", str(fixed)) == (0, {"sealed": 2})


def test_dropped_into_the_roster_folder_they_take_their_rows_places(ward):
    inbox = ward.folder / "inbox"
    corrected(latest(ward), inbox / "fixed.xlsx", {"154": MOBILE, "155": "15400000003"})
    assert ward.run_to_end("run") == (0, {"sealed": 2, "unchanged": 1})


def test_a_roster_made_of_an_old_to_fix_sheet_brings_its_old_marks_along(ward, tmp_path):
    """Somebody copies the sheet's cells into a new roster: its row_ids are real ones, and mean nothing any more."""
    book = openpyxl.Workbook()
    for row in table(latest(ward)):
        book.active.append([text or "" for text in row])
    book.save(ward.folder / "inbox" / "roster.xlsx")
    assert ward.go("run") == 3
    fixed = corrected(
        latest(ward), tmp_path / "a.xlsx", {"154": MOBILE, "155": "15400000003"}, hidden_columns
    )
    assert ward.run_to_end("retry", str(fixed)) == (0, {"sealed": 2})
