"""Wards as sheets without a department column: a namesake's picture in another ward's folder reaches no seal."""

from __future__ import annotations

import re

import openpyxl
from people import name, number
from result_sheet import ResultSheet
from run_support import draw_seal

HEADERS = ("姓名", "证件号码", "手机号")


def write_wards(hospital, serials_by_sheet: dict[str, tuple[int, ...]]) -> None:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for title, serials in serials_by_sheet.items():
        sheet = workbook.create_sheet(title)
        sheet.append(HEADERS)
        for serial in serials:
            sheet.append((name(serial), number(serial), f"154{serial:08d}"))
    (hospital.folder / "inbox").mkdir(exist_ok=True)
    workbook.save(hospital.folder / "inbox" / "全院.xlsx")


def draw(hospital, folder: str, serial: int, drawn: int | None = None) -> None:
    target = hospital.folder / "seals" / folder / f"{name(serial)}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    draw_seal(target, drawn or serial)


def problems(hospital, file="outcomes.jsonl"):
    return {
        line["name"]: [one["message"] for one in line["problems"] if one["severity"] == "error"]
        for line in hospital.outcomes(file)
    }


def test_the_picture_in_another_wards_folder_is_sent_by_no_way(hospital):
    write_wards(hospital, {"儿科": (1, 2), "骨科": (3,)})
    draw(hospital, "骨科", 1, drawn=9)  # of the doctor of the same name in 骨科, who is in no roster
    draw(hospital, "儿科", 2)
    draw(hospital, "骨科", 3)
    assert hospital.go("check") == 3
    assert hospital.run_to_end("run") == (3, {"sealed": 2, "rejected": 1})
    (message,) = problems(hospital)[name(1)]
    assert f"骨科/{name(1)}.png" in message
    assert "儿科" in message
    for command in ("retry", "run"):
        assert hospital.go(command) == 3
    assert {seal.number for seal in hospital.service.seals} == {number(2), number(3)}


def test_the_review_asks_to_compare_what_its_cards_show(hospital):
    """Two doctors of one name, each with a picture called by number, in sheets that are called like their departments."""
    write_wards(hospital, {"儿科": (1,), "骨科": (3,)})
    workbook = openpyxl.load_workbook(hospital.folder / "inbox" / "全院.xlsx")
    workbook["骨科"]["A2"] = name(1)
    workbook.save(hospital.folder / "inbox" / "全院.xlsx")
    for serial in (1, 3):
        draw_seal(hospital.folder / "seals" / f"{number(serial)}.png", serial)
    hospital.go("check")
    page = (hospital.newest / "review.html").read_text("utf-8")
    assert page.count("2 doctors have this name; compare staff number and department") == 2
    assert page.count('<p class="who">儿科</p>') == 1


def read_departments(hospital) -> dict[str, str | None]:
    """Return the department of each name on the sheet All."""
    sheet = ResultSheet(hospital.newest / "results.xlsx", "sheet.all")
    return {sheet.read(row, "Name"): sheet.read(row, "Department") for row in sheet.rows}


def test_a_department_that_is_only_the_sheets_name_is_shown_and_is_no_value_of_the_row(hospital):
    write_wards(
        hospital, {"01骨科医师名单(2人)": (1,), "ICU": (2,), "Sheet3": (3,), "妇产": (4,), "第二批": (5,)}
    )
    for serial in range(1, 6):
        draw_seal(hospital.folder / "seals" / f"{name(serial)}.png", serial)
    assert hospital.go("check") == 0
    assert read_departments(hospital) == {
        name(1): "骨科", name(2): "ICU", name(3): None, name(4): "妇产", name(5): None,
    }  # fmt: skip
    summary = openpyxl.load_workbook(hospital.newest / "results.xlsx")["Summary"]
    assert {"骨科", "ICU", "妇产", "(not filled in)"} <= {
        row[1].value for row in summary.iter_rows(max_col=2)
    }
    report = (hospital.newest / "report.html").read_text("utf-8")
    assert {"骨科", "ICU", "妇产"} == set(re.findall("<option>(.*?)</option>", report))


def test_a_row_is_unchanged_under_another_sheets_name(hospital):
    write_wards(hospital, {"儿科": (1,)})
    draw_seal(hospital.folder / "seals" / f"{name(1)}.png", 1)
    hospital.go("run")
    (first,) = hospital.outcomes()
    write_wards(hospital, {"骨科": (1,)})
    assert hospital.run_to_end("run") == (0, {"unchanged": 1})
    (second,) = hospital.outcomes()
    assert read_departments(hospital) == {name(1): "骨科"}
    assert (second["row_id"], second["seal_name"]) == (first["row_id"], first["seal_name"])


def test_a_department_column_counts_alone(hospital):
    """An empty cell of the column is no department, whatever the sheet is called."""
    workbook = openpyxl.Workbook()
    workbook.active.title = "儿科"
    workbook.active.append((*HEADERS, "科室"))
    workbook.active.append((name(1), number(1), "15400000001", "骨科"))
    workbook.active.append((name(2), number(2), "15400000002", None))
    (hospital.folder / "inbox").mkdir(exist_ok=True)
    workbook.save(hospital.folder / "inbox" / "全院.xlsx")
    hospital.go("check")
    assert read_departments(hospital) == {name(1): "骨科", name(2): None}
