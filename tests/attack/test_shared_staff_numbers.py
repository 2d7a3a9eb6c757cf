"""A staff number of two people: a warning on both rows, and no evidence for a picture."""

from __future__ import annotations

from itertools import product

import openpyxl
from attack.stage import HEADERS, Stage, person

GROUP = "staff numbers"
SHARED = "10001"
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")


def set_up(stage: Stage, *rows: tuple[str, ...]) -> None:
    """Write two doctors' rows; the file that bears the staff number shows the first one's seal."""
    for serial in (1, 2):
        stage.know(serial)
    stage.draw(1, f"{SHARED}.png")
    stage.roster(rows)


def set_up_pairs(stage: Stage, *pairs: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    """Write pairs of doctors who share a staff number; its file shows the first one's seal. Another doctor is sound."""
    alone = len(pairs) * 2 + 1
    for serial in range(1, alone + 1):
        stage.know(serial)
    for pair, (row, _) in enumerate(pairs):
        stage.draw(2 * pair + 1, f"{row[3]}.png")
    stage.draw(alone, "90000.png")
    stage.roster([*(row for pair in pairs for row in pair), make_row(alone, "90000")])


def share(pair: int) -> str:
    """Return the staff number of a pair; the doctors of pair 0 have the serials 1 and 2."""
    return str(int(SHARED) + pair)


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


def test_the_file_of_a_shared_staff_number_is_given_to_neither(stage):
    spellings = (share(0), f" {share(1)} ", share(2).translate(WIDE), f"0{share(3)}")
    pairs = [
        (make_row(2 * pair + 1, share(pair)), make_row(2 * pair + 2, written))
        for pair, written in enumerate(spellings)
    ]
    set_up_pairs(stage, *pairs)
    require_sealed(stage, 1)
    *outcomes, _ = stage.outcomes()
    assert len(outcomes) == 8
    for outcome in outcomes:
        assert "STAFF_NO_DUPLICATE" in outcome["codes"]
        (warning,) = [problem for problem in outcome["problems"] if problem["code"] == "STAFF_NO_DUPLICATE"]
        assert warning["severity"] == "warning"
        assert "is also used by roster.xlsx" in warning["message"]
        assert warning["cell"].startswith("D")


def test_a_row_with_a_file_of_its_own_is_sealed(stage):
    pairs = [(make_row(2 * pair + 1, share(pair)), make_row(2 * pair + 2, share(pair))) for pair in (0, 1)]
    set_up_pairs(stage, *pairs)
    for serial in (1, 4):  # the first of one pair, the second of the other
        stage.draw(serial, f"{person(serial).number}.png", drawing=2)
    require_sealed(stage, 3)
    assert set(stage.seals_of()) == {1, 4, 5}


FAULTS = ({"mobile": "123"}, {"number": "110101199003071234"}, {"number": ""}, {"name": "?"})


def test_a_shared_staff_number_with_one_rejected_row(stage):
    pairs = []
    for rejected, fault in product((0, 1), FAULTS):
        first = 2 * len(pairs) + 1
        faults = [fault if rejected == 0 else {}, fault if rejected == 1 else {}]
        rows = [make_row(first + index, share(len(pairs)), **changed) for index, changed in enumerate(faults)]
        pairs.append(tuple(rows))
    set_up_pairs(stage, *pairs)
    require_sealed(stage, 1)
    assert [row["status"] for row in stage.outcomes()] == ["rejected"] * 16 + ["sealed"]


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
