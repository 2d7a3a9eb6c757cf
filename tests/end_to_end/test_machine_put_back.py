"""A machine that is put back to a snapshot: a journal that lies elsewhere repairs the ledger; without one the runbook helps.

Project, state, results and the user's state folder go back together, so no run can notice it by itself.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from run_support import keep_outcomes

from pipeline.sandbox.actions import Rules


class Machine:
    """A hospital's folders and the user's state folder, as a snapshot holds them."""

    def __init__(self, hospital) -> None:
        state_home, kept = Path(os.environ["XDG_STATE_HOME"]), hospital.folder / "snapshot"
        self._folders = {hospital.folder / name: kept / name for name in ("state", "out")} | {
            state_home: kept / "state_home"
        }

    def take_snapshot(self) -> None:
        for folder, copy in self._folders.items():
            shutil.copytree(folder, copy)

    def put_back(self, *, without: str = "") -> None:
        for folder, copy in self._folders.items():
            if copy.name != without:
                shutil.rmtree(folder)
                shutil.copytree(copy, folder)


@pytest.fixture
def put_back(scene):
    """Three doctors are sealed after the snapshot; returns the hospital, its machine, and a folder that did not go back."""

    def play(hospital):
        hospital.seal_doctors(1)
        Machine(hospital).take_snapshot()
        hospital.seal_doctors(4)
        elsewhere = hospital.folder / "elsewhere"
        elsewhere.mkdir()
        assert hospital.go("ledger", "backup", str(elsewhere / "ledger.backup")) == 0
        keep_outcomes(hospital, elsewhere)

    hospital = scene(play, rules=Rules(limiter="none", unique_names="off"))
    return hospital, Machine(hospital), hospital.folder / "elsewhere"


@pytest.mark.parametrize("elsewhere", ["out", "state_home"])
def test_a_journal_that_lies_elsewhere_repairs_the_older_ledger(put_back, elsewhere):
    hospital, machine, _ = put_back
    machine.put_back(without=elsewhere)
    assert hospital.run_to_end("run") == (0, {"unchanged": 4})
    assert hospital.creates() == 4


def restore_backup(hospital, elsewhere: Path) -> None:
    (hospital.folder / "state").rename(hospital.folder / "state.before")
    assert hospital.go("ledger", "restore", str(elsewhere / "ledger.backup")) == 0


def adopt_results(hospital, elsewhere: Path) -> None:
    assert hospital.go("adopt", str(elsewhere / "outcomes.jsonl")) == 0


@pytest.mark.parametrize("repair", [restore_backup, adopt_results])
def test_what_the_runbook_asks_for_leaves_no_one_to_create(put_back, repair: Callable[[object, Path], None]):
    hospital, machine, elsewhere = put_back
    machine.put_back()
    repair(hospital, elsewhere)
    assert hospital.run_to_end("run") == (0, {"unchanged": 4})
    assert hospital.creates() == 4
