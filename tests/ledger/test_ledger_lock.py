"""One process at a time writes a ledger."""

from __future__ import annotations

import os
import stat

import pytest
from filelock import FileLock

from pipeline.errors import LedgerError, Locked
from pipeline.ledger import lock
from pipeline.ledger.lock import RunLock

HOLD = """
import sys
from pipeline.ledger.lock import RunLock

with RunLock(place).acquire(run="20261125-020000", now=1_795_000_000.0):
    print("held", flush=True)
    sys.stdin.readline()
print("free", flush=True)
sys.stdin.readline()
"""


def test_the_second_of_two_processes_learns_who_holds_the_ledger(process, place):
    child = process(HOLD)
    assert child.stdout.readline() == "held\n"
    with pytest.raises(Locked) as turned_away:
        RunLock(place).acquire(run="second", now=1.0)
    assert turned_away.value.exit_code == 6
    for sentence in map(turned_away.value.render, ("en", "zh")):
        assert str(child.pid) in sentence
        assert os.uname().nodename in sentence
        assert "20261125-020000" in sentence
        assert "2026-11-1" in sentence


def test_a_run_is_not_turned_away_by_whoever_only_asks(place, monkeypatch):
    """`status` takes a free lock for a moment: a night that begins in that moment must not be lost."""
    place.parent.mkdir()
    asking = FileLock(place.with_name(f"{place.name}.lock"))
    asking.acquire()
    monkeypatch.setattr(lock, "pause", lambda seconds: asking.release() if seconds else None)
    RunLock(place).acquire(run="night", now=1.0).release()


def test_kill_9_frees_the_lock_and_the_next_holder_is_named(process, place):
    child = process(HOLD)
    assert child.stdout.readline() == "held\n"
    child.kill()
    child.wait()
    with RunLock(place).acquire(run="next", now=2.0), pytest.raises(Locked, match=f"next.*{os.getpid()}"):
        RunLock(place).acquire(run="third", now=3.0)


def test_a_lock_let_go_is_free_while_its_process_lives_and_its_file_stays(process, place):
    child = process(HOLD)
    assert child.stdout.readline() == "held\n"
    child.stdin.write("go\n")
    child.stdin.flush()
    assert child.stdout.readline() == "free\n"
    before = (place.parent / "ledger.sqlite3.lock").stat().st_ino
    RunLock(place).acquire(run="next", now=2.0).release()
    assert (place.parent / "ledger.sqlite3.lock").stat().st_ino == before
    assert not (place.parent / "ledger.sqlite3.holder").exists()


def test_a_holder_that_has_not_said_who_it_is_still_holds(process, place):
    child = process(HOLD)
    assert child.stdout.readline() == "held\n"
    for words in (None, "", "[]", '{"pid": 1}'):
        holder = place.parent / "ledger.sqlite3.holder"
        holder.unlink() if words is None else holder.write_text(words)
        with pytest.raises(Locked, match="Another process"):
            RunLock(place).acquire(run="second", now=1.0)


def test_the_files_of_the_lock_are_their_owners_alone(place):
    before = os.umask(0)
    try:
        with RunLock(place).acquire(run="r", now=1.0):
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in place.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"ledger.sqlite3.lock": 0o600, "ledger.sqlite3.holder": 0o600}
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


def test_a_lock_that_cannot_be_taken_is_no_lock(place):
    place.parent.mkdir()
    (place.parent / "ledger.sqlite3.lock").mkdir()
    with pytest.raises(LedgerError, match="local disk"):
        RunLock(place).acquire(run="r", now=1.0)


def test_a_holder_that_cannot_be_named_gives_the_lock_back(place):
    place.parent.mkdir()
    (place.parent / "ledger.sqlite3.holder").mkdir()
    run = RunLock(place)
    with pytest.raises(LedgerError, match="next to the ledger cannot be written"):
        run.acquire(run="r", now=1.0)
    (place.parent / "ledger.sqlite3.holder").rmdir()
    RunLock(place).acquire(run="r", now=1.0).release()
    assert [path.name for path in place.parent.iterdir()] == ["ledger.sqlite3.lock"], "no draft is left"
