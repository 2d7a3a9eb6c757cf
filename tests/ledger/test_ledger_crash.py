"""A process that fails anywhere in a write of a ledger, or in an opening: what it reported is there, all else whole or absent.

Each life takes the same steps and fails once, at one failpoint and in one way. Then the ledger is opened as the next run
does it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from ledger_support import UNKNOWN, decision, open_attempt, record_verdict, remove_ledger, require_whole, send

from pipeline.domain.seals import PictureDecision
from pipeline.errors import LedgerError
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.operations import dump_tables
from pipeline.ledger.purge import PURGE, PersonTraces
from pipeline.ledger.records import AdoptedSeal
from pipeline.ledger.sqlite_ledger import LedgerFile
from pipeline.support.failpoints import enable_failpoint

LONG = bool(os.environ.get("CRASH"))  # make crash
SHARE = {"killed": 4}  # in the usual share is every fourth life that is killed, and of others
USUAL_SHARE = 15  # every fifteenth
STEPS = (
    "run",
    "attempt",
    "sealed",
    "unknown",
    "created",
    "replace",
    "withdraw",
    "adopt",
    "picture",
    "purge",
    "rows",
    "end",
)
AFTER_COMMIT = "ledger: after the commit"  # nothing is written there: a process can only be killed
DECISIONS = {"created", "replace", "withdraw", "adopt", "picture"}
PICTURE = PictureDecision("given", "p1", "n", "a" * 64)


@pytest.fixture
def take_steps(attempt, sealed, run_record, seen) -> Callable[..., None]:
    """Do one thing after another, and report each that has returned, or was refused; a refused one is the last."""
    first, second = attempt("p1", uuid="u1"), attempt("p2", uuid="u2")
    adopted = AdoptedSeal("p3", "S3", "王", "*", None)
    traces = PersonTraces(frozenset({"p3"}), frozenset(), frozenset({"王"}))
    who = {"now": 3.0, "who": "it", "why": ""}

    def take(ledger: Ledger, report: Callable[[str], object]) -> None:
        steps = [
            lambda: ledger.begin_run(run_record("r1")),
            lambda: asyncio.run(open_attempt(ledger, first)),
            lambda: asyncio.run(record_verdict(ledger, first, sealed("S1"), now=2.0)),
            lambda: send(ledger, second, UNKNOWN),
            lambda: ledger.record_decision(decision("created", "p2", attempt="u2", seal_id="S2")),
            lambda: ledger.record_decision(decision("replace", "p1", detail="新章")),
            lambda: ledger.record_withdrawal(ledger.list_decisions()[-1].id, **who),
            lambda: ledger.record_adopted_seals([adopted], **who),
            lambda: ledger.record_given_picture(PICTURE, **who),
            lambda: ledger.purge_person(traces, now=3.0, who="it"),
            lambda: ledger.record_rows("r1", [seen("a", "sealed")]),
            lambda: ledger.finish_run("r1", exit=0, finished=4.0, record="{}"),
        ]
        for name, step in zip(STEPS, steps, strict=True):
            try:
                step()
            except LedgerError as error:
                report(f"?{name}" if "may be recorded" in str(error) else f"!{name}")
                return
            report(name)

    return take


def list_facts(ledger: Ledger) -> list[str]:
    """Return which of the steps the ledger knows."""
    people = ledger.snapshot().people
    p1, p2 = (people[key].attempts if key in people else () for key in ("p1", "p2"))
    kinds = [one.kind for one in ledger.list_decisions()]
    facts = {
        "run": bool(ledger.list_runs(1)),
        "attempt": any(one.state != "not_executed" for one in p1),
        "sealed": any(one.seal_id == "S1" for one in p1),
        "unknown": any(one.verdict == "unknown" for one in p2),
        "created": "S2" in ledger.list_seal_ids(),
        "replace": "replace" in kinds,
        "withdraw": "withdraw" in kinds,
        "adopt": "S3" in ledger.list_seal_ids(),
        "picture": bool(ledger.list_picture_decisions()),
        "purge": PURGE in kinds,
        "rows": bool(ledger.list_rows("r1")),
        "end": any(run.finished for run in ledger.list_runs(1)),
    }
    return [name for name in STEPS if facts[name]]


@dataclass
class Life:
    """One process of its own that fails at its nth failpoint."""

    number: int
    fail: Callable[[str], None]
    is_lasting: bool = False  # it fails from there on
    passed: int = 0

    def pass_failpoint(self, name: str) -> None:
        self.passed += 1
        if self.passed == self.number or (self.is_lasting and self.passed > self.number):
            self.fail(name)

    def run(self, store: LedgerFile, take_steps: Callable[..., None]) -> tuple[list[str], bool]:
        """Return what was reported, and whether the process came to the failpoint."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            enable_failpoint(self.pass_failpoint)
            try:
                with store.hold.acquire(run="r", now=1.0), closing(store.open_for_writing(now=1.0)) as ledger:
                    take_steps(ledger, lambda name: os.write(writer, f"{name}\n".encode()))
            except LedgerError:
                pass  # the opening was refused
            os._exit(0 if self.passed < self.number else 3)
        os.close(writer)
        with os.fdopen(reader) as output:
            reported = output.read().split()
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) in {0, 3}
        return reported, status != 0


def kill(_name: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fill_disk(name: str) -> None:
    if name != AFTER_COMMIT:
        raise OSError(errno.ENOSPC, "no space")


def fail_disk(name: str) -> None:
    if name != AFTER_COMMIT:
        raise OSError(errno.EIO, "input/output error")


def cut_tail(tail: bytes) -> bytes:
    return tail[: len(tail) // 2]


def garble_tail(tail: bytes) -> bytes:
    return bytes(byte ^ 0x55 for byte in tail[:-1]) + b"\n"


def zero_tail(tail: bytes) -> bytes:
    return bytes(len(tail))


def lose_power(change: Callable[[bytes], bytes], folder: Path) -> Callable[[str], None]:
    """Return what ends the process and leaves of each journal's last append what ``change`` makes of it.

    Only what no fsync has returned for may be lost: it is the file whose fsync is about to come.
    """
    sizes: dict[Path, int] = {}

    def note_sizes() -> None:
        for file in folder.rglob("*.jsonl"):
            sizes[file] = file.stat().st_size

    def act(name: str) -> None:
        if name == "journal: before the append":
            note_sizes()
        if name == "journal: before the fsync":
            for file, size in sizes.items():
                content = file.read_bytes()
                if len(content) > size:
                    file.write_bytes(content[:size] + change(content[size:]))
                    kill(name)

    return act


def require_kept(store: LedgerFile, reported: list[str]) -> None:
    """Open the ledger as the next run does and compare it with what was reported."""
    with store.hold.acquire(run="r", now=1.0), closing(store.open_for_writing(now=1.0)) as ledger:
        facts = list_facts(ledger)
        tables = ledger.read(dump_tables)
    returned = [name for name in reported if name[0] not in "?!"]
    assert facts[: len(returned)] == returned
    further = facts[len(returned) :]
    assert len(further) <= 1
    refused = reported[-1][1:] if reported and reported[-1].startswith("!") else ""
    if refused in DECISIONS:
        assert further == [], "it was said not to be recorded"
    require_whole(store)
    remove_ledger(store)
    with store.hold.acquire(run="r", now=1.0), closing(store.open_for_writing(now=1.0)) as again:
        assert again.read(dump_tables) == tables


FAILURES: dict[str, Callable[[Path], Life]] = {
    "killed": lambda _: Life(0, kill),
    "disk full once": lambda _: Life(0, fill_disk),
    "disk full from there on": lambda _: Life(0, fill_disk, is_lasting=True),
    "disk fails once": lambda _: Life(0, fail_disk),
    "power lost, a half line left": lambda folder: Life(0, lose_power(cut_tail, folder), is_lasting=True),
    "power lost, a garbled line left": lambda folder: Life(
        0, lose_power(garble_tail, folder), is_lasting=True
    ),
    "power lost, zeros left": lambda folder: Life(0, lose_power(zero_tail, folder), is_lasting=True),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_what_was_reported_is_there_and_all_else_whole_or_absent(make_store, take_steps, tmp_path, failure):
    step = 1 if LONG else SHARE.get(failure, USUAL_SHARE)
    counts = set()
    was_reached = True
    number = 1
    while was_reached:
        for part in ("state", "user", "out"):
            shutil.rmtree(tmp_path / part, ignore_errors=True)
        process = replace(FAILURES[failure](tmp_path), number=number)
        reported, was_reached = process.run(make_store(), take_steps)
        require_kept(make_store(), reported)
        counts.add(sum(name[0] not in "?!" for name in reported))
        number += step
    assert len(STEPS) in counts
    assert number > len(STEPS) * 7
    if step == 1:
        kept = {STEPS.index("sealed"), STEPS.index("end")}  # whatever place takes them keeps them
        assert counts >= set(range(len(STEPS) + 1)) - kept
