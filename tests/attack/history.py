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
STATE = ("ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm", "ledger.sqlite3.key")


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
        copy_or_skip(self.stage.folder / "out", target / "out")
        copy_or_skip(self.stage.state_home, target / "user")


def live_and_die(stage: Stage, copies: Path) -> History:
    """Play two runs and a third that is killed with eight creates on their way; keep a copy after the first and last.

    Of the third run's doctors half have a SealId in the ledger, eight have a seal whose answer never came, and the
    last ones were not sent.
    """
    history = History(stage, copies, (), {})
    stage.hire(*range(1, NEWCOMERS + 1))
    assert stage.go("run").code == 0
    history.keep("old")
    stage.hire(*range(1, 2 * NEWCOMERS + 1))
    assert stage.go("run").code == 0
    wal = stage.folder / "state" / "ledger.sqlite3-wal"
    assert not wal.exists(), "a run that ended leaves all it knows in ledger.sqlite3 itself"
    stage.hire(*range(1, 3 * NEWCOMERS + 1))
    stage.configure(timeout_seconds=60)  # the creates on their way are still on it when the run is killed
    stage.strike({"match": {"action": CREATE, "from": ANSWERED + 1}, "do": {"delay_after": 300}})
    run = stage.start("run")
    wait_until(lambda: len(stage.service.seals) == 2 * NEWCOMERS + min(ANSWERED + ON_THEIR_WAY, NEWCOMERS))
    run.kill()
    run.communicate()
    stage.strike()
    stage.configure()
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


@dataclass(frozen=True)
class Mixture:
    """Which copy of each part lies in the hospital's folder when the next run starts.

    ``ledger``: new (with its -wal) · no-wal · old · old+wal (the newest -wal next to it) · wal-only · missing.
    ``user``: the journal and the copy of the key in the state folder. ``out``: the results with the journal in them.
    ``key``: right · missing · foreign. ``where``: same · moved (another folder).
    """

    where: str
    ledger: str
    user: str
    key: str
    out: str

    def __str__(self) -> str:
        return f"{self.where}-ledger:{self.ledger}-user:{self.user}-key:{self.key}-out:{self.out}"

    @property
    def is_repaired(self) -> bool:
        """Whether a key and an intact newest journal are there, so that a run makes good what the ledger lacks.

        The copy of the key counts where there is no other one, or where the ledger shows which of two is its own.
        """
        is_copy_used = self.user != "missing" and (self.key == "missing" or self.ledger != "missing")
        has_key = self.key == "right" or is_copy_used
        is_readable = self.ledger not in {"old+wal", "wal-only"}
        return has_key and is_readable and "new" in {self.user, self.out}

    def count_known(self) -> int:
        """Return how many doctors, from the first, the ledger or a journal knows."""
        everybody = 3 * NEWCOMERS
        ages = {"new": everybody, "old": NEWCOMERS, "missing": 0}
        of_ledger = ages | {"old+wal": NEWCOMERS, "wal-only": 0, "no-wal": 2 * NEWCOMERS}
        return max(of_ledger[self.ledger], ages[self.user], ages[self.out])

    def build(self, history: History, stage: Stage) -> None:
        """Lay the copies out below the stage's empty folder, and the user's state folder next to it."""
        state = stage.folder / "state"
        state.mkdir()
        shutil.rmtree(stage.state_home, ignore_errors=True)
        main, wal = LEDGER_FILES[self.ledger]
        ages = {
            "ledger.sqlite3": main,
            "ledger.sqlite3-wal": wal,
            "ledger.sqlite3-shm": wal,
            "ledger.sqlite3.key": "new" if self.key == "right" else None,
        }
        for entry, age in ages.items():
            copy_or_skip(history.copies / str(age) / "state" / entry, state / entry)
        if self.key == "foreign":
            (state / "ledger.sqlite3.key").write_bytes(bytes(range(32)))
        copy_or_skip(history.copies / self.out / "out", stage.folder / "out")
        copy_or_skip(history.copies / self.user / "user", stage.state_home)
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
