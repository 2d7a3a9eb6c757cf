"""Seal names that are corrected in the roster, which had no column for them, and rows that the service refuses."""

from __future__ import annotations

import pytest
from people import name, number
from result_sheet import ResultSheet
from run_support import draw_seal
from wire_support import CREATE

HEADERS = ("姓名", "证件号码")


@pytest.fixture
def namesakes(hospital):
    """Two doctors of one name, with nothing to tell their seals apart."""
    hospital.roster([(name(1), number(1)), (name(1), number(2))], headers=HEADERS)
    for serial in (1, 2):
        draw_seal(hospital.folder / "seals" / f"{number(serial)}.png", serial)
    assert hospital.run_to_end("run") == (3, {"rejected": 2})
    return hospital


@pytest.mark.parametrize("command", ["run", "retry"])
def test_seal_names_that_are_written_into_a_new_column_are_used(namesakes, command):
    fix = ResultSheet(namesakes.newest / "results.xlsx")
    assert all("belongs to another doctor" in text for text in fix.read_column("What is wrong"))
    wanted = [f"{name(1)}甲处方章", f"{name(1)}乙处方章"]
    rows = [(name(1), number(serial), seal_name) for serial, seal_name in enumerate(wanted, 1)]
    namesakes.roster(rows, headers=(*HEADERS, "印章名称"))

    assert namesakes.run_to_end(command) == (0, {"sealed": 2})

    assert sorted(seal.seal_name for seal in namesakes.service.seals) == sorted(wanted)


NO_MATCH = {"code": {"code": "FailedOperation.UserInfoNoMatch", "message": "姓名与证件号码不一致。"}}


@pytest.fixture
def mistyped(hospital_with):
    """Doctor 1's row bears another's number, which is well-formed: the service knows nobody like that."""
    hospital = hospital_with(faults=[{"match": {"action": CREATE, "nth": [1]}, "do": NO_MATCH}])
    hospital.doctors(1)
    hospital.roster([(name(1), number(9), "15400000001", "00001", "内科")])
    assert hospital.run_to_end("run") == (3, {"failed": 1})
    return hospital


@pytest.mark.parametrize("command", ["run", "retry"])
def test_a_number_that_is_corrected_after_a_refusal_keeps_the_doctors_seal_name(mistyped, command):
    """Another number is another person to the ledger; the wrong one made nothing, and must not keep the name."""
    mistyped.doctors(1)
    assert mistyped.go(command) == 0
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


def test_the_ledger_is_repaired_with_a_name_that_passed_on(mistyped):
    mistyped.seal_doctors(1)
    mistyped.lose_ledger()
    assert (mistyped.go("run"), mistyped.statuses(), mistyped.creates()) == (0, {"unchanged": 1}, 2)
