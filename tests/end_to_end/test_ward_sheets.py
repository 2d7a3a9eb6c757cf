"""Wards as sheets without a department column: a namesake's picture in another ward's folder reaches no seal."""

from __future__ import annotations

import openpyxl
from people import name, number
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
    """Two doctors of one name without a department column, each with a picture called by number."""
    write_wards(hospital, {"儿科": (1,), "骨科": (3,)})
    workbook = openpyxl.load_workbook(hospital.folder / "inbox" / "全院.xlsx")
    workbook["骨科"]["A2"] = name(1)
    workbook.save(hospital.folder / "inbox" / "全院.xlsx")
    for serial in (1, 3):
        draw_seal(hospital.folder / "seals" / f"{number(serial)}.png", serial)
    hospital.go("check")
    page = (hospital.newest / "review.html").read_text("utf-8")
    assert page.count("2 doctors have this name; compare staff number and the last four digits") == 2
    assert "compare staff number and department" not in page
