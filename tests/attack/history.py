"""Hospitals with several runs behind them, of which copies of every age were kept; and mixtures of those copies."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from attack.stage import CREATE, LONG, REFUSED, Ended, Stage, copy_or_skip, digests
from run_support import wait_until

from pipeline.sandbox.actions import Seal

NEWCOMERS = 20 if LONG else 10  # doctors who join in each of the first two runs, and in the killed one
ANSWERED = NEWCOMERS // 2  # of the killed run
ON_THEIR_WAY = 8  # the connections of a run
STATE = ("ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm", "ledger.sqlite3.key", "receipts.jsonl")


@dataclass(frozen=True)
class History:
    """Copies of a hospital's state, out and the user's state folder, by age; and the seals there really are."""

    stage: Stage
    copies: Path
    seals: tuple[Seal, ...]
    pictures: dict[str, bytes]

    def keep(self, age: str) -> None:
        """Copy what there is now."""
        target = self.copies / age
        for entry in STATE:
            copy_or_skip(self.stage.folder / "state" / entry, target / "state" / entry)
        for entry in ("out", "results"):
            copy_or_skip(self.stage.folder / entry, target / entry)
        copy_or_skip(self.stage.state_home, target / "user")


def live_and_die(stage: Stage, copies: Path, *, results: bool = False) -> History:
    """Play two runs and a third that is killed with eight creates on their way; keep a copy after the first and last.

    Of the third run's doctors half have a SealId in the ledger, eight have a seal whose answer never came, and the
    last ones were not sent. With ``results`` all runs write into one folder, results/, in place of one each below out/.
    """
    history = History(stage, copies, (), {})
    out = results_folder(stage) if results else ()
    stage.hire(*range(1, NEWCOMERS + 1))
    assert stage.go("run", *out).code == 0
    history.keep("old")
    stage.hire(*range(1, 2 * NEWCOMERS + 1))
    assert stage.go("run", *out).code == 0
    wal = stage.folder / "state" / "ledger.sqlite3-wal"
    assert not wal.exists(), "a run that ended leaves all it knows in ledger.sqlite3 itself"
    stage.hire(*range(1, 3 * NEWCOMERS + 1))
    stage.configure(timeout_seconds=60)  # the creates on their way are still on it when the run is killed
    stage.strike({"match": {"action": CREATE, "from": ANSWERED + 1}, "do": {"delay_after": 300}})
    run = stage.start("run", *out)
    wait_until(lambda: len(stage.service.seals) == 2 * NEWCOMERS + min(ANSWERED + ON_THEIR_WAY, NEWCOMERS))
    run.kill()
    run.communicate()
    stage.strike()
    stage.configure()
    history.keep("new")
    return History(stage, copies, tuple(stage.service.seals), dict(stage.service.pictures))


def live_quietly(stage: Stage, copies: Path, *, results: bool) -> History:
    """Play two runs and a third that sends nothing."""
    history = History(stage, copies, (), {})
    out = results_folder(stage) if results else ()
    stage.hire(*range(1, NEWCOMERS + 1))
    assert stage.go("run", *out).code == 0
    history.keep("old")
    stage.hire(*range(1, 2 * NEWCOMERS + 1))
    assert stage.go("run", *out).code == 0
    assert stage.go("run", *out).code == 0
    history.keep("new")
    return History(stage, copies, tuple(stage.service.seals), dict(stage.service.pictures))


# the ages of ledger.sqlite3 and of its -wal
LEDGER_FILES = {
    "new": ("new", "new"),
    "no-wal": ("new", None),
    "old": ("old", "old"),
    "old+wal": ("old", "new"),
    "wal-only": (None, "new"),
    "missing": (None, None),
}


def results_folder(stage: Stage) -> tuple[str, str]:
    """Return the words by which every run writes into one folder."""
    return "--out", str(stage.folder / "results")


@dataclass(frozen=True)
class Mixture:
    """Which copy of each part lies in the hospital's folder when the next run starts.

    ``ledger``: new (with its -wal) · no-wal · old · old+wal (the newest -wal beside it) · wal-only · missing.
    ``key``: right · missing · foreign. ``where``: same (place and user) · moved (another folder of the same user) ·
    machine (another folder, and nothing in the user's state folder).
    """

    where: str
    ledger: str
    receipts: str
    key: str
    out: str

    def __str__(self) -> str:
        return f"{self.where}-ledger:{self.ledger}-receipts:{self.receipts}-key:{self.key}-out:{self.out}"

    def known(self, *, strict: bool, runs: int, last: int, out: int) -> int:
        """Return how many doctors, from the first, some trace on this machine tells of.

        ``runs`` doctors were sealed by runs that ended, ``last`` is everybody; the newest out/ tells of ``out``. A
        ledger without its -wal holds the runs that ended. What neither ledger nor receipts nor out/ nor the registry
        tells of, nobody can know.
        """
        reported = {
            "new": last,
            "old+wal": last,
            "wal-only": 0,
            "no-wal": runs,
            "old": NEWCOMERS,
            "missing": 0,
        }
        traces = [
            reported[self.ledger],
            reported[self.receipts],
            out if self.out == "new" else reported[self.out],
        ]
        if strict and self.where != "machine":
            traces.append(last)
        return max(traces)

    def build(self, history: History, stage: Stage) -> None:
        """Lay the copies out below the stage's empty folder, and the user's state folder beside it."""
        state = stage.folder / "state"
        state.mkdir()
        shutil.rmtree(stage.state_home, ignore_errors=True)
        main, wal = LEDGER_FILES[self.ledger]
        ages = {
            "ledger.sqlite3": main,
            "ledger.sqlite3-wal": wal,
            "ledger.sqlite3-shm": wal,
            "ledger.sqlite3.key": "new" if self.key == "right" else None,
            "receipts.jsonl": self.receipts,
        }
        for entry, age in ages.items():
            copy_or_skip(history.copies / str(age) / "state" / entry, state / entry)
        if self.key == "foreign":
            (state / "ledger.sqlite3.key").write_bytes(bytes(range(32)))
        for entry in ("out", "results"):
            copy_or_skip(history.copies / self.out / entry, stage.folder / entry)
        if self.where != "machine":
            copy_or_skip(history.copies / "new" / "user", stage.state_home)
        stage.state_home.mkdir(exist_ok=True)


def run_watched(stage: Stage, *options: str) -> Ended:
    """Run, and where the run is refused compare the ledger's files before and after."""
    before, sent = digests(stage.folder / "state"), stage.creates()
    ended = stage.go("run", *options)
    after = digests(stage.folder / "state")
    changed = [entry for entry in before if before[entry] != after[entry]]
    if ended.code in REFUSED and (changed or stage.creates() != sent):
        stage.counts.refused_that_wrote += 1
        stage.counts.remarks.append(
            f"a refused run changed {changed} and sent {stage.creates() - sent} creates"
        )
    return ended
