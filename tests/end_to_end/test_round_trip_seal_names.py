"""The round trip of a wrong seal name in a roster that has no column for it, and of rows that the service refuses."""

from __future__ import annotations

import pytest
from people import name, number
from result_sheet import ResultSheet
from run_support import draw_seal
from wire_support import CREATE

HEADERS = ("姓名", "证件号码")
YELLOW = "FFFFE98A"


@pytest.fixture
def namesakes(hospital):
    """Two doctors of one name, with nothing to tell their seals apart."""
    hospital.roster([(name(1), number(1)), (name(1), number(2))], headers=HEADERS)
    for serial in (1, 2):
        draw_seal(hospital.folder / "seals" / f"{number(serial)}.png", serial)
    assert hospital.run_to_end("run") == (3, {"rejected": 2})
    return hospital


@pytest.mark.parametrize("way", ["retry", "inbox"])
def test_seal_names_that_are_written_into_to_fix_are_used(namesakes, tmp_path, way):
    fix = ResultSheet(namesakes.newest / "results.xlsx")
    cells = [fix.cell(row, "Seal name") for row in fix.rows]
    assert [cell.fill.fgColor.rgb for cell in cells] == [YELLOW, YELLOW]
    assert all(cell.value is None and "belongs to another doctor" in cell.comment.text for cell in cells)
    wanted = [f"{name(1)}甲处方章", f"{name(1)}乙处方章"]
    fix.paste_column("Seal name", wanted)
    target = (namesakes.folder / "inbox" if way == "inbox" else tmp_path) / "改好.xlsx"
    fix.save(target)

    assert namesakes.go(*(["retry", str(target)] if way == "retry" else ["run"])) == 0

    assert namesakes.statuses() == {"sealed": 2}
    assert sorted(seal.seal_name for seal in namesakes.service.seals) == sorted(wanted)
    assert namesakes.go("run") == 0, "the roster alone, or with the workbook beside it, changes nothing"


@pytest.mark.parametrize("way", ["retry", "inbox"])
def test_a_seal_name_that_is_refused_again_is_still_there_to_be_corrected(namesakes, tmp_path, way):
    fix = ResultSheet(namesakes.newest / "results.xlsx")
    fix.paste_column("Seal name", ["甲✗章"] * 2)
    target = (namesakes.folder / "inbox" if way == "inbox" else tmp_path) / "改好.xlsx"
    fix.save(target)

    assert namesakes.go(*(["retry", str(target)] if way == "retry" else ["run"])) == 3

    again = ResultSheet(namesakes.newest / "results.xlsx")
    assert again.heads == fix.heads
    cells = [again.cell(row, "Seal name") for row in again.rows]
    assert [(cell.value, cell.fill.fgColor.rgb) for cell in cells] == [("甲✗章", YELLOW)] * 2


NO_MATCH = {"code": {"code": "FailedOperation.UserInfoNoMatch", "message": "姓名与证件号码不一致。"}}


@pytest.fixture
def mistyped(hospital_with):
    """Doctor 1's row bears another's number, which is well-formed: the service knows nobody like that."""
    hospital = hospital_with(faults=[{"match": {"action": CREATE, "nth": [1]}, "do": NO_MATCH}])
    hospital.doctors(1)
    hospital.roster([(name(1), number(9), "15400000001", "00001", "内科")])
    assert hospital.run_to_end("run") == (3, {"failed": 1})
    return hospital


@pytest.mark.parametrize("way", ["retry", "inbox", "roster"])
def test_a_number_that_is_corrected_after_a_refusal_keeps_the_doctors_seal_name(mistyped, tmp_path, way):
    """Another number is another person to the ledger; the wrong one made nothing, and must not keep the name."""
    if way == "roster":
        mistyped.doctors(1)
    else:
        fix = ResultSheet(mistyped.newest / "results.xlsx")
        fix.write(2, "证件号码", number(1))
        fix.save((mistyped.folder / "inbox" if way == "inbox" else tmp_path) / "改好.xlsx")
    assert mistyped.go(*(["retry", str(tmp_path / "改好.xlsx")] if way == "retry" else ["run"])) == 0
    (outcome,) = mistyped.outcomes()
    assert (outcome["status"], outcome["seal_name"]) == ("sealed", f"{name(1)}处方章")
    assert "SEAL_NAME_DUPLICATE" not in outcome["codes"]
    assert [seal.seal_name for seal in mistyped.service.seals] == [f"{name(1)}处方章"]
    mistyped.doctors(1)
    assert (mistyped.go("run"), mistyped.statuses()) == (0, {"unchanged": 1})
    assert mistyped.go("ledger", "check") == 0


def test_a_name_that_is_corrected_after_a_refusal_is_the_seals_too(mistyped):
    mistyped.roster([(name(2), number(9), "15400000001", "00001", "内科")])
    assert mistyped.go("run") == 0
    assert [seal.seal_name for seal in mistyped.service.seals] == [f"{name(2)}处方章"]


def test_the_ledger_is_rebuilt_with_a_name_that_passed_on(mistyped):
    mistyped.seal_doctors(1)
    mistyped.lose_ledger()
    assert mistyped.go("ledger", "rebuild") == 0
    assert (mistyped.go("run"), mistyped.statuses(), mistyped.creates()) == (0, {"unchanged": 1}, 2)
