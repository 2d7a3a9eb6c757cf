"""Mixtures of ledger, -wal, key, journals and results of several ages, here and in another folder.

What a run meets of each is the newest copy, an older one, none. No doctor whom the ledger or a journal knows gets a second
seal; a run that is refused changes nothing; a ledger that lacks what the newest journal holds is repaired.
"""

from __future__ import annotations

import shutil
from itertools import product

import pytest
from attack.history import NEWCOMERS, Mixture, live_and_die, run_watched
from attack.stage import ACCEPTED, REFUSED, Stage, open_sandbox

GROUP = "ledger mixtures"
AGES = ("new", "old", "missing")
LEDGERS = ("new", "no-wal", "old", "old+wal", "wal-only", "missing")
MIXTURES = [
    Mixture(*entry)
    for entry in product(("same", "moved"), LEDGERS, AGES, ("right", "missing", "foreign"), AGES)
]


@pytest.fixture(scope="session")
def killed(tmp_path_factory, zygote):
    """Play the history once for all cases of a worker; they take turns in its folder and in a second one."""
    home = tmp_path_factory.mktemp("history")
    thread = open_sandbox()
    with thread:
        stages = {
            folder: Stage(home / folder, home / "user", thread, zygote)
            for folder in ("hospital", "elsewhere")
        }
        history = live_and_die(stages["hospital"], home / "copies")
        for stage in stages.values():
            stage.humans = stages["hospital"].humans
        for entry in ("seals", "inbox"):
            for path in (stages["hospital"].folder / entry).iterdir():
                (stages["elsewhere"].folder / entry / path.name).write_bytes(path.read_bytes())
        yield history, stages


def prepare(history, stages, mixture) -> Stage:
    """Lay the mixture out and let the service know what it really made."""
    for stage in stages.values():  # what an earlier case left in either folder
        for folder in ("state", "out"):
            shutil.rmtree(stage.folder / folder, ignore_errors=True)
    stage = stages["hospital" if mixture.where == "same" else "elsewhere"]
    mixture.build(history, stage)
    stage.service.reset()
    stage.service.restore_seals(history.seals)
    for seal in history.seals:
        stage.service._actions.pictures[seal.picture] = history.pictures[seal.picture]
    stage.unknowable = set(range(mixture.count_known() + 1, 3 * NEWCOMERS + 1))
    stage.counts = type(stage.counts)()
    return stage


@pytest.mark.parametrize("mixture", MIXTURES, ids=str)
def test_no_doctor_is_created_twice_from_any_mixture(killed, report, mixture):
    stage = prepare(*killed, mixture)
    report(stage)
    ended = run_watched(stage)
    stage.assert_clean()
    assert ended.code in {*ACCEPTED, *REFUSED}, ended
    assert ended.code in ACCEPTED or not mixture.is_repaired, ended
    if ended.code in ACCEPTED:
        stage.assert_sealed_or_held(range(1, mixture.count_known() + 1))
