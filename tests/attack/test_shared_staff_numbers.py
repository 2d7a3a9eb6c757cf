"""A staff number of two people: a warning on both rows, and no evidence for a picture."""

from __future__ import annotations

import openpyxl
import pytest
from attack.stage import HEADERS, Stage, person

GROUP = "staff numbers"
SHARED = "10001"


def set_up(stage: Stage, *rows: tuple[str, ...], file: str = f"{SHARED}.png") -> None:
    """Write two doctors' rows; the file that bears the staff number shows the first one's seal."""
    for serial in (1, 2):
        stage.know(serial)
    stage.draw(1, file)
    stage.roster(rows)


def make_row(serial: int, staff_no: str = SHARED, **changed: str) -> tuple[str, ...]:
    own = {
        "name": person(serial).name,
        "number": person(serial).number,
        "mobile": person(serial).mobile,
    } | changed
    return own["name"], own["number"], own["mobile"], staff_no, "内科"


def require_sealed(stage: Stage, sealed: int = 0) -> None:
    stage.go("run")
    stage.assert_clean()
    assert len(stage.service.seals) == sealed


@pytest.mark.parametrize("written", [SHARED, " 10001 ", "１０００１", "010001"])
def test_the_file_of_a_shared_staff_number_is_given_to_neither(stage, written):
    set_up(stage, make_row(1), make_row(2, written))
    require_sealed(stage)
    for outcome in stage.outcomes():
        assert "STAFF_NO_DUPLICATE" in outcome["codes"]
        (warning,) = [problem for problem in outcome["problems"] if problem["code"] == "STAFF_NO_DUPLICATE"]
        assert warning["severity"] == "warning"
        assert "is also used by roster.xlsx" in warning["message"]
        assert warning["cell"].startswith("D")


@pytest.mark.parametrize("serial", [1, 2])
def test_a_row_with_a_file_of_its_own_is_sealed(stage, serial):
    set_up(stage, make_row(1), make_row(2))
    stage.draw(serial, f"{person(serial).number}.png")
    require_sealed(stage, 1)
    (seal,) = stage.service.seals
    assert seal.number == person(serial).number


@pytest.mark.parametrize("serial", [1, 2])
@pytest.mark.parametrize(
    "fault", [{"mobile": "123"}, {"number": "110101199003071234"}, {"number": ""}, {"name": "?"}]
)
def test_a_shared_staff_number_with_one_rejected_row(stage, serial, fault):
    rows = [make_row(other, **(fault if other == serial else {})) for other in (1, 2)]
    set_up(stage, *rows)
    require_sealed(stage)


def test_a_shared_staff_number_with_one_hidden_row(stage):
    set_up(stage, make_row(1), make_row(2))
    path = stage.folder / "inbox" / "roster.xlsx"
    book = openpyxl.load_workbook(path)
    book.active.row_dimensions[2].hidden = True
    book.save(path)
    require_sealed(stage)


def test_a_shared_staff_number_in_two_rosters(stage):
    set_up(stage, make_row(1))
    stage.roster([make_row(2)], file="外科.xlsx")
    require_sealed(stage)
    assert all("STAFF_NO_DUPLICATE" in outcome["codes"] for outcome in stage.outcomes())


def test_one_person_on_two_rows_shares_it_with_no_one(stage):
    set_up(stage, make_row(1), make_row(1))
    stage.roster([make_row(1)], file="外科.xlsx")
    require_sealed(stage, 1)
    assert not any("STAFF_NO_DUPLICATE" in outcome["codes"] for outcome in stage.outcomes())


def test_an_entry_of_the_picture_column_decides(stage):
    for serial in (1, 2):
        stage.know(serial)
    stage.draw(1, f"{SHARED}.png")
    stage.roster([(*make_row(1), f"{SHARED}.png"), (*make_row(2), "")], headers=(*HEADERS, "印章图片"))
    require_sealed(stage, 1)
