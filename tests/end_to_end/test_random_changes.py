"""Whatever changes between runs, a run that repeats the last ends as one that judges everything anew.

``make walk`` takes many steps from SEED on, until WALK_SECONDS have passed, and kills runs at every point.
"""

import os
import shutil
import signal
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from changing_hospital import ChangingHospital
from crash_support import Zygote
from random_changes import add_other_file, take_step
from repeated_runs import DAY, note_recalls
from run_support import QuickClock

from pipeline.sandbox.actions import Rules

SECONDS = float(os.environ.get("WALK_SECONDS", "0"))  # make walk
STEPS = int(os.environ.get("STEPS", "60")) if SECONDS else 8
SEED = int(os.environ.get("SEED", "1")) if SECONDS else 1
SETTLED = 2  # steps after which quiet days follow
REPEATED = 0.1  # of the runs, at least: one that never repeats the last proves nothing
POINTS = ("ledger: after the commit", "results: before results.xlsx takes its name")  # of the short form


@pytest.fixture
def open_hospital(hospital_with, tmp_path, monkeypatch):
    """Open a hospital that is drawn from a seed, and settle it."""
    hospital = hospital_with(rules=Rules(limiter="none", unique_names="code"))
    registry = Path(os.environ["XDG_STATE_HOME"])

    def open_it(seed: int) -> ChangingHospital:
        for folder in (registry, *tmp_path.glob("hospital*")):
            shutil.rmtree(folder, ignore_errors=True)
        hospital.service.reset()
        folder = tmp_path / f"hospital{seed}"
        folder.mkdir()
        changing = ChangingHospital(hospital, folder, registry, Random(seed))
        note_recalls(changing, monkeypatch)
        changing.settle()
        return changing

    yield open_it
    monkeypatch.undo()


def test_what_changes_by_chance_is_seen(open_hospital):
    until = time.monotonic() + SECONDS
    seed, made, repeated = SEED, Counter(), Counter()
    while True:
        changing = open_hospital(seed)
        for step in range(1, STEPS + 1):
            take_step(changing)
            changing.run_both_ways()
            if step % SETTLED == 0:
                changing.settle()
        made += changing.made
        repeated += changing.repeated
        if SECONDS:
            print(f"seed {seed}: {dict(changing.made)} {repeated}", flush=True)  # noqa: T201 - for the one who waits
        if time.monotonic() >= until:
            break
        seed += 1
    assert made["repeated"] >= REPEATED * made["runs"], made


@pytest.mark.parametrize("changed", [False, True] if SECONDS else [True])
def test_after_a_kill_both_ways_are_the_same(open_hospital, changed):
    """What was kept before the kill, or by the killed run, is used or not: the outcomes are the same."""
    changing = open_hospital(SEED)
    changing.put_right()  # a killed run counts as one that read a roster in each folder
    changing.settle()
    hospital, calm, began = changing.hospital, changing.home / "calm", changing.moment
    changing.copy_state(calm)
    if changed:
        add_other_file(changing)
    changing.write()
    later = began + DAY - QuickClock().now()
    with Zygote() as zygote:
        passed = Counter(zygote.run(hospital, later=later)["points"])
        positions = [(point, count) for point in passed for count in range(1, passed[point] + 1)]
        if not SECONDS:
            positions = [(point, passed[point]) for point in POINTS]
        for point, count in positions:
            changing.bring_back(calm)
            changing.moment = began + DAY
            ended = zygote.run(hospital, later=later, **{"name": point, "pass": count})
            assert ended["signal"] == signal.SIGKILL, (point, count)
            for _ in range(2):
                changing.moment += DAY
                changing.run_both_ways()
            assert changing.recalled, (point, count)
