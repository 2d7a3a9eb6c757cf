"""A machine that is put back to a snapshot: what lies elsewhere shows it, and what the runbook asks for helps.

Project, state, results and registry go back together, so no run can notice it without anything that lies elsewhere.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from run_support import keep_outcomes

from pipeline.sandbox.actions import Rules


class Machine:
    """A hospital's folders and the user's registry, as a snapshot holds them."""

    def __init__(self, hospital) -> None:
        registry, kept = Path(os.environ["XDG_STATE_HOME"]), hospital.folder / "snapshot"
        self._folders = {hospital.folder / name: kept / name for name in ("state", "out")} | {
            registry: kept / "registry"
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
        with (hospital.folder / "config.yaml").open("a", encoding="utf-8") as config:
            config.write("ledger_registry: strict\n")  # as in production
        hospital.seal_doctors(1)
        Machine(hospital).take_snapshot()
        hospital.seal_doctors(4)
        elsewhere = hospital.folder / "elsewhere"
        elsewhere.mkdir()
        assert hospital.go("ledger", "backup", str(elsewhere / "ledger.backup")) == 0
        keep_outcomes(hospital, elsewhere)
        shutil.copy(hospital.folder / "state" / "receipts.jsonl", elsewhere / "receipts.jsonl")

    hospital = scene(play, rules=Rules(limiter="none", unique_names="off"))
    return hospital, Machine(hospital), hospital.folder / "elsewhere"


@pytest.mark.parametrize("elsewhere", ["out", "registry"])
def test_results_or_a_registry_that_lie_elsewhere_show_the_older_ledger(put_back, elsewhere):
    hospital, machine, _ = put_back
    machine.put_back(without=elsewhere)
    assert hospital.go("run") in {2, 74}
    assert hospital.service.list_duplicates() == {}


def restore_backup(hospital, elsewhere: Path) -> None:
    (hospital.folder / "state").rename(hospital.folder / "state.before")
    assert hospital.go("ledger", "restore", str(elsewhere / "ledger.backup")) == 0


def rebuild_from_receipts(hospital, elsewhere: Path) -> None:
    shutil.copy(elsewhere / "receipts.jsonl", hospital.folder / "state" / "receipts.jsonl")
    assert hospital.go("ledger", "rebuild") == 0


def adopt_results(hospital, elsewhere: Path) -> None:
    assert hospital.go("adopt", str(elsewhere / "outcomes.jsonl")) == 0


@pytest.mark.parametrize("repair", [restore_backup, rebuild_from_receipts, adopt_results])
def test_what_the_runbook_asks_for_leaves_no_one_to_create(put_back, repair: Callable[[object, Path], None]):
    hospital, machine, elsewhere = put_back
    machine.put_back()
    repair(hospital, elsewhere)
    assert hospital.run_to_end("run") == (0, {"unchanged": 4})
    assert hospital.service.list_duplicates() == {}
    assert hospital.creates() == 4
