"""Mixtures of ledger, -wal, receipts, key and out/ of several ages, here, in another folder and on another machine.

What a run finds is at least one of: the newest copy, an older one, none. Nobody of whom any trace on the machine tells
gets a second seal; a run that is refused changes nothing.
"""

from __future__ import annotations

import shutil
from itertools import product

import pytest
from attack.history import NEWCOMERS, Mixture, live_and_die, live_quietly, results_folder, run_watched
from attack.stage import ACCEPTED, LONG, REFUSED, Stage, open_sandbox

GROUP = "ledger mixtures"
PLACES = ("same", "moved", "machine")
LEDGERS = ("new", "no-wal", "old", "old+wal", "wal-only", "missing")
AGES = ("new", "old", "missing")
KILLED = [Mixture(*entry) for entry in product(PLACES, LEDGERS, AGES, ("right", "missing", "foreign"), AGES)]
QUIET = [Mixture(*entry) for entry in product(PLACES, ("new", "old", "missing"), AGES, ("right",), AGES)]
FIXED = [entry for entry in KILLED if entry.key == "right" and entry.where == "machine"]
SHORT = [
    Mixture("same", "no-wal", "new", "right", "new"),
    Mixture("machine", "old", "new", "right", "missing"),
]


def open_history(tmp_path_factory, zygote, knows_registry, live, **options):
    """Play a history once for all cases of a worker; they take turns in its folder and in a second one."""
    home = tmp_path_factory.mktemp("history")
    thread = open_sandbox()
    with thread:
        stages = {
            folder: Stage(home / folder, home / "user", thread, zygote, strict=knows_registry)
            for folder in ("hospital", "elsewhere")
        }
        history = live(stages["hospital"], home / "copies", **options)
        for stage in stages.values():
            stage.humans = stages["hospital"].humans
        for entry in ("seals", "inbox"):
            for path in (stages["hospital"].folder / entry).iterdir():
                (stages["elsewhere"].folder / entry / path.name).write_bytes(path.read_bytes())
        yield history, stages


@pytest.fixture(scope="session")
def killed(tmp_path_factory, zygote, knows_registry):
    yield from open_history(tmp_path_factory, zygote, knows_registry, live_and_die)


@pytest.fixture(scope="session")
def killed_with_fixed_out(tmp_path_factory, zygote, knows_registry):
    yield from open_history(tmp_path_factory, zygote, knows_registry, live_and_die, results=True)


@pytest.fixture(scope="session")
def quiet(tmp_path_factory, zygote, knows_registry):
    yield from open_history(tmp_path_factory, zygote, knows_registry, live_quietly, results=True)


def prepare(history, stages, mixture, *, everybody, known_from_results=None):
    """Lay the mixture out and let the service know what it really made; out/ tells of everybody unless given."""
    for stage_value in stages.values():  # what an earlier case left in either folder
        for folder in ("state", "out", "results"):
            shutil.rmtree(stage_value.folder / folder, ignore_errors=True)
    stage = stages["hospital" if mixture.where == "same" else "elsewhere"]
    mixture.build(history, stage)
    stage.service.reset()
    stage.service.restore_seals(history.seals)
    for seal in history.seals:
        stage.service._actions.pictures[seal.picture] = history.pictures[seal.picture]
    known = mixture.known(
        strict=stage.strict, runs=2 * NEWCOMERS, last=everybody, out=known_from_results or everybody
    )
    stage.unknowable = set(range(known + 1, everybody + 1))
    stage.counts = type(stage.counts)()
    return stage, range(1, known + 1)


def play(stage, known, mixture, *out):
    """Run over the mixture; where the refusal names a rebuild, obey and run again. Nobody known is created twice."""
    first = run_watched(stage, *out)
    ended = first
    if first.code in REFUSED and first.names("ledger rebuild"):
        stage.go("ledger", "rebuild")
        ended = run_watched(stage, *out)
    stage.assert_clean()
    assert ended.code in {*ACCEPTED, *REFUSED}, ended
    if ended.code in ACCEPTED:
        stage.assert_sealed_or_held(known)
    return first


@pytest.mark.parametrize("mixture", KILLED if LONG else SHORT, ids=str)
def test_no_doctor_is_created_twice_from_any_mixture(killed, report, mixture):
    stage, known = prepare(*killed, mixture, everybody=3 * NEWCOMERS)
    report(stage)
    first = play(stage, known, mixture)
    if mixture.key == "right" and mixture.receipts == "new" and mixture.ledger in {"old", "no-wal"}:
        assert first.code in ((74,) if mixture.where == "machine" else REFUSED)
        assert first.names("ledger rebuild") or mixture.where == "moved"
    if mixture.key != "right" and mixture.ledger in {"new", "no-wal", "old"}:
        assert first.code in REFUSED


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("mixture", QUIET, ids=str)
def test_no_doctor_is_created_twice_where_the_last_run_sent_nothing(quiet, report, mixture):
    """The results lie in one folder, so that they show only the run without a create."""
    stage, known = prepare(*quiet, mixture, everybody=2 * NEWCOMERS)
    report(stage)
    play(stage, known, mixture, *results_folder(stage))


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("mixture", FIXED, ids=str)
def test_no_doctor_is_created_twice_where_one_folder_holds_the_results(
    killed_with_fixed_out, report, mixture
):
    """Where a run is told another folder, only the copies in out/latest tell of it: of runs that ended."""
    stage, known = prepare(
        *killed_with_fixed_out, mixture, everybody=3 * NEWCOMERS, known_from_results=2 * NEWCOMERS
    )
    report(stage)
    play(stage, known, mixture, *results_folder(stage))
