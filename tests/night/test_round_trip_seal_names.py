"""The round trip of a wrong seal name in a roster that has no column for it, and of rows that the service refuses."""

from __future__ import annotations

import openpyxl
import pytest
from night_support import draw_seal, name, number

HEADERS = ("姓名", "证件号码")
YELLOW = "FFFFE98A"


def _to_fix(hospital):
    book = openpyxl.load_workbook(hospital.folder / "out" / "latest" / "results.xlsx")
    sheet = book["To fix"]
    return book, sheet, [cell.value for cell in sheet[1]]


@pytest.fixture
def namesakes(hospital):
    """Two doctors of one name, with nothing to tell their seals apart."""
    hospital.roster([(name(1), number(1)), (name(1), number(2))], headers=HEADERS)
    for serial in (1, 2):
        draw_seal(hospital.folder / "seals" / f"{number(serial)}.png", serial)
    assert hospital.go("run") == 3
    assert hospital.statuses() == {"rejected": 2}
    return hospital


@pytest.mark.parametrize("way", ["retry", "inbox"])
def test_seal_names_that_are_written_into_to_fix_are_used(namesakes, tmp_path, way):
    book, sheet, heads = _to_fix(namesakes)
    place = heads.index("Seal name")
    cells = [row[place] for row in sheet.iter_rows(min_row=2)]
    assert [cell.fill.fgColor.rgb for cell in cells] == [YELLOW, YELLOW]
    assert all(cell.value is None and "belongs to another doctor" in cell.comment.text for cell in cells)
    wanted = [f"{name(1)}甲处方章", f"{name(1)}乙处方章"]
    for cell, text in zip(cells, wanted, strict=True):
        cell.value = text
    target = (namesakes.folder / "inbox" if way == "inbox" else tmp_path) / "改好.xlsx"
    book.save(target)

    assert namesakes.go(*(["retry", str(target)] if way == "retry" else ["run"])) == 0

    assert namesakes.statuses() == {"sealed": 2}
    assert sorted(seal.seal_name for seal in namesakes.world.seals) == sorted(wanted)
    assert namesakes.go("run") == 0, "the roster alone, or with the workbook beside it, changes nothing"


@pytest.mark.parametrize("way", ["retry", "inbox"])
def test_a_seal_name_that_is_refused_again_is_still_there_to_be_corrected(namesakes, tmp_path, way):
    book, sheet, heads = _to_fix(namesakes)
    for row in sheet.iter_rows(min_row=2):
        row[heads.index("Seal name")].value = "甲✗章"
    target = (namesakes.folder / "inbox" if way == "inbox" else tmp_path) / "改好.xlsx"
    book.save(target)

    assert namesakes.go(*(["retry", str(target)] if way == "retry" else ["run"])) == 3

    _, sheet, again = _to_fix(namesakes)
    assert again == heads
    cells = [row[heads.index("Seal name")] for row in sheet.iter_rows(min_row=2)]
    assert [(cell.value, cell.fill.fgColor.rgb) for cell in cells] == [("甲✗章", YELLOW)] * 2
