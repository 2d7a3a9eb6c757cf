"""One process at a time writes a ledger."""

from __future__ import annotations

import asyncio
import os
import stat
from contextlib import closing

import pytest
from filelock import FileLock
from ledger_support import list_run_ids, record_verdict, send

from pipeline.errors import LedgerError, Locked
from pipeline.ledger.disk import key_path
from pipeline.ledger.lock import FileHold, RunLock
from pipeline.ledger.places import Places
from pipeline.ledger.sqlite_ledger import LedgerFile

TENANT = "sandbox/app/org"

HOLD = """
import sys
from pipeline.ledger.lock import RunLock

with RunLock(place).acquire(run="20261125-020000", now=1_795_000_000.0):
    print("held", flush=True)
    sys.stdin.readline()
print("free", flush=True)
sys.stdin.readline()
"""


def test_the_second_of_two_processes_learns_who_holds_the_ledger(process, ledger_path):
    child = process(HOLD)
    assert child.stdout.readline() == "held\n"
    with pytest.raises(Locked) as turned_away:
        RunLock(ledger_path).acquire(run="second", now=1.0)
    assert turned_away.value.exit_code == 6
    for sentence in map(turned_away.value.render, ("en", "zh")):
        assert str(child.pid) in sentence
        assert os.uname().nodename in sentence
        assert "20261125-020000" in sentence
        assert "2026-11-1" in sentence


def test_a_process_that_only_asks_learns_who_holds_the_ledger(process, ledger_path):
    lock = RunLock(ledger_path)
    assert not lock.is_taken()
    assert lock.get_holder() is None
    child = process(HOLD)
    assert child.stdout.readline() == "held\n"
    assert lock.is_taken()
    holder = lock.get_holder()
    assert (holder.run, holder.pid, holder.host) == ("20261125-020000", child.pid, os.uname().nodename)
    child.kill()
    child.wait()
    assert (lock.is_taken(), lock.get_holder()) == (False, None)


def test_a_run_is_not_turned_away_by_a_process_that_only_asks(ledger_path, monkeypatch):
    """`status` takes a free lock for a moment: a run that begins in that moment must not be lost."""
    ledger_path.parent.mkdir()
    asking = FileLock(ledger_path.with_name(f"{ledger_path.name}.lock"))
    asking.acquire()
    monkeypatch.setattr("time.sleep", lambda _seconds: asking.release())
    RunLock(ledger_path).acquire(run="night", now=1.0).release()


def test_kill_9_frees_the_lock_and_the_next_holder_is_named(process, ledger_path):
    child = process(HOLD)
    assert child.stdout.readline() == "held\n"
    child.kill()
    child.wait()
    with (
        RunLock(ledger_path).acquire(run="next", now=2.0),
        pytest.raises(Locked, match=f"next.*{os.getpid()}"),
    ):
        RunLock(ledger_path).acquire(run="third", now=3.0)


def test_a_lock_let_go_is_free_while_its_process_lives_and_its_file_stays(process, ledger_path):
    child = process(HOLD)
    assert child.stdout.readline() == "held\n"
    child.stdin.write("go\n")
    child.stdin.flush()
    assert child.stdout.readline() == "free\n"
    before = (ledger_path.parent / "ledger.sqlite3.lock").stat().st_ino
    RunLock(ledger_path).acquire(run="next", now=2.0).release()
    assert (ledger_path.parent / "ledger.sqlite3.lock").stat().st_ino == before
    assert not (ledger_path.parent / "ledger.sqlite3.holder").exists()


def test_a_holder_without_a_readable_name_still_holds_the_lock(process, ledger_path):
    child = process(HOLD)
    assert child.stdout.readline() == "held\n"
    for words in (None, "", "[]", '{"pid": 1}'):
        holder = ledger_path.parent / "ledger.sqlite3.holder"
        holder.unlink() if words is None else holder.write_text(words)
        with pytest.raises(Locked, match="Another process"):
            RunLock(ledger_path).acquire(run="second", now=1.0)


def test_the_files_of_the_lock_are_their_owners_alone(ledger_path):
    before = os.umask(0)
    try:
        with RunLock(ledger_path).acquire(run="r", now=1.0):
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in ledger_path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"ledger.sqlite3.lock": 0o600, "ledger.sqlite3.holder": 0o600}
    assert stat.S_IMODE(ledger_path.parent.stat().st_mode) == 0o700


def test_a_lock_that_cannot_be_taken_is_no_lock(ledger_path):
    ledger_path.parent.mkdir()
    (ledger_path.parent / "ledger.sqlite3.lock").mkdir()
    with pytest.raises(LedgerError, match="local disk"):
        RunLock(ledger_path).acquire(run="r", now=1.0)


def test_a_holder_that_cannot_be_named_gives_the_lock_back(ledger_path):
    ledger_path.parent.mkdir()
    (ledger_path.parent / "ledger.sqlite3.holder").mkdir()
    run = RunLock(ledger_path)
    with pytest.raises(LedgerError, match="next to the ledger cannot be written"):
        run.acquire(run="r", now=1.0)
    (ledger_path.parent / "ledger.sqlite3.holder").rmdir()
    RunLock(ledger_path).acquire(run="r", now=1.0).release()
    assert [path.name for path in ledger_path.parent.iterdir()] == ["ledger.sqlite3.lock"], "no draft is left"


# -- the two locks of a hold


def test_neither_a_copied_folder_nor_another_user_writes_meanwhile(tmp_path):
    """The first has a ledger of its own and the same state folder, the second the same ledger and another state folder."""
    hold = FileHold(tmp_path / "a" / "ledger", tmp_path / "user" / "tenant")
    others = [
        FileHold(tmp_path / "copy" / "ledger", tmp_path / "user" / "tenant"),
        FileHold(tmp_path / "a" / "ledger", tmp_path / "other user" / "tenant"),
    ]
    with hold.acquire(run="r1", now=1.0):
        for other in others:
            with pytest.raises(Locked, match="r1"):
                other.acquire(run="r2", now=2.0)
            assert (other.is_taken(), other.get_holder().run) == (True, "r1")
        assert not RunLock(tmp_path / "copy" / "ledger").is_taken(), "it was given back"
    for other in others:
        assert (other.is_taken(), other.get_holder()) == (False, None)
        other.acquire(run="r3", now=3.0).release()


def test_a_state_folder_in_which_no_lock_can_be_taken_is_refused(ledger_path, tmp_path):
    (tmp_path / "user").write_text("no folder")
    with pytest.raises(LedgerError) as refused:
        FileHold(ledger_path, tmp_path / "user" / "tenant").acquire(run="r1", now=1.0)
    assert str(tmp_path / "user") in str(refused.value)
    assert not RunLock(ledger_path).is_taken(), "it was given back"


# -- what a writer asks before every commit


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_writer_one_of_whose_lock_files_was_deleted_writes_nothing(
    ledger, make_store, run_record, is_shared
):
    store = make_store()
    base = store.places.lock_base if is_shared else store.path
    base.with_name(f"{base.name}.lock").unlink()
    journals = [file.read_bytes() for file in store.places.list_files()]
    with pytest.raises(LedgerError, match=r"lock file .* was deleted or replaced"):
        ledger.begin_run(run_record("r2"))
    assert list_run_ids(ledger) == {"r1"}
    assert [file.read_bytes() for file in store.places.list_files()] == journals


def test_a_writer_whose_ledger_was_replaced_writes_nothing(ledger, ledger_path, run_record):
    copy = ledger_path.with_name("copy")
    copy.write_bytes(ledger_path.read_bytes())
    copy.replace(ledger_path)
    with pytest.raises(LedgerError, match="moved or replaced"):
        ledger.begin_run(run_record("r2"))


def test_an_answer_is_kept_without_the_hold_and_entered_by_the_next_opening(
    ledger, make_store, attempt, sealed
):
    first, store = attempt("p1"), make_store()
    send(ledger, first, None)
    store.path.with_name(f"{store.path.name}.lock").unlink()
    asyncio.run(record_verdict(ledger, first, sealed("S1"), now=2.0))
    assert ledger.snapshot().people["p1"].seal is None, "the ledger may be another process's"
    ledger.close()
    other = LedgerFile(
        store.path.with_name("copy"), Places(TENANT, store.places.state.with_name("new"), store.places.share)
    )
    key_path(other.path).write_bytes(key_path(store.path).read_bytes())
    with other.hold.acquire(run="r2", now=2.0), closing(other.open_for_writing(now=2.0)) as again:
        assert again.snapshot().people["p1"].seal.seal_id == "S1"
