"""Check, backup and restore of a ledger in a file."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing

import pytest
from ledger_support import NOW, UNKNOWN, read_tables, send

from pipeline.errors import LedgerError, UsageError
from pipeline.ledger.disk import key_path
from pipeline.ledger.maintenance import (
    back_up_ledger,
    check_events,
    read_identity,
    read_identity_if_any,
    restore_ledger,
)

TENANT = "sandbox/app/org"


@pytest.fixture
def finished_run(store, attempt, run_record, sealed):
    """Add people to the ledger: each gets a seal, the last an unknown result."""

    def go(run, *keys):
        with store.hold.acquire(run=run, now=NOW), closing(store.open_for_writing(now=NOW)) as ledger:
            ledger.begin_run(run_record(run))
            for key in keys[:-1]:
                send(ledger, attempt(key, run=run), sealed(f"S-{key}"))
            send(ledger, attempt(keys[-1], run=run), UNKNOWN)
            return ledger.repair

    return go


def check(store):
    """Return the kinds of what is wrong."""
    with closing(store.open_for_reading()) as ledger:
        result = ledger.read(check_events, store.places.make_journals(ledger.site_key))
    return [kind for kind, _ in result.defects], result


# -- check


def test_a_ledger_in_order_has_no_defects_and_its_counts(store, finished_run):
    finished_run("r1", "p1", "p2", "p3")
    kinds, result = check(store)
    assert (kinds, result.events, result.counts) == ([], 7, (3, 2, 1, 0))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE attempt SET seal_id = 'S-other' WHERE seal_id = 'S-p1'",
        "DELETE FROM attempt WHERE person = 'p2'",
        "UPDATE person SET name = '别人'",
    ],
)
def test_check_finds_what_was_changed_in_the_tables_behind_its_back(store, finished_run, raw, change):
    finished_run("r1", "p1", "p2")
    raw(change)
    assert check(store)[0] == ["tables"]


def test_check_finds_an_event_that_was_changed_or_removed(store, finished_run, raw):
    finished_run("r1", "p1", "p2")
    raw("DELETE FROM event WHERE op = 'verdict' AND entered = 3")
    assert set(check(store)[0]) == {"tables", "event"}


@pytest.mark.parametrize("part", ["user", "out"])
def test_check_proves_both_journals_line_by_line(store, finished_run, tmp_path, part):
    finished_run("r1", "p1", "p2")
    (file,) = (tmp_path / part).rglob("*.jsonl")
    whole = file.read_bytes()
    lines = whole.splitlines(keepends=True)
    other = make_other_key(file)
    for content, kind in (
        (whole.replace(b"S-p1", b"S-p9"), "line"),
        (b"".join(lines[:2] + lines[3:]), "line"),
        (b"".join(lines[:-1]), "lacks"),
        (whole + lines[-1][:30], None),
        (other, "other_key"),
        (None, "lacks"),
    ):
        if content is None:
            file.unlink()
        else:
            file.write_bytes(content)
        assert check(store)[0] == ([kind] if kind else [])


def make_other_key(file):
    """Return the content of a journal whose first line names another key."""
    head, *lines = file.read_bytes().splitlines(keepends=True)
    start = head.index(b'"key": "') + len(b'"key": "')
    return b"".join([head[:start] + b"0" * 32 + head[start + 32 :], *lines])


def test_check_sees_that_the_ledger_is_behind(store, finished_run, ledger_path):
    finished_run("r1", "p1", "p2")
    older = ledger_path.read_bytes()
    finished_run("r2", "p3", "p4")
    ledger_path.write_bytes(older)
    assert check(store)[0] == ["event", "event"]


# -- backup and restore


def test_a_backup_holds_ledger_and_key_and_the_journals_bring_the_rest(
    store, finished_run, tmp_path, ledger_path
):
    finished_run("r1", "p1", "p2")
    back_up_ledger(store.path, store.places, tmp_path / "backup")
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} >= {"backup"}, "and no other file of SQLite"
    assert not list(tmp_path.glob("backup-*"))
    finished_run("r2", "p3", "p4")
    before, secret = read_tables(store), key_path(ledger_path).read_bytes()
    shutil.rmtree(ledger_path.parent)
    assert restore_ledger(store.path, store.places, tmp_path / "backup") is None
    assert key_path(ledger_path).read_bytes() == secret
    assert ledger_path.stat().st_mode & 0o777 == 0o600
    assert store.is_behind()
    assert len(finished_run("r3", "p5").entered) == 5
    assert set(read_tables(store)["attempt"]) > set(before["attempt"])
    assert check(store)[0] == []


def test_a_restore_keeps_the_former_ledger_and_undoes_nothing(store, finished_run, tmp_path, ledger_path):
    finished_run("r1", "p1", "p2")
    back_up_ledger(store.path, store.places, tmp_path / "backup")
    finished_run("r2", "p3", "p4")
    before, former = read_tables(store), ledger_path.read_bytes()
    kept = restore_ledger(store.path, store.places, tmp_path / "backup")
    assert (kept, kept.read_bytes()) == (ledger_path.with_name("ledger.sqlite3.replaced-1"), former)
    with store.hold.acquire(run="r", now=NOW), closing(store.open_for_writing(now=NOW)) as ledger:
        assert len(ledger.repair.entered) == 5
    assert read_tables(store) == before


def test_with_a_backup_alone_the_ledger_is_there_again(store, finished_run, tmp_path):
    finished_run("r1", "p1", "p2")
    back_up_ledger(store.path, store.places, tmp_path / "backup")
    before = read_tables(store)
    for name in ("state", "user", "out"):
        shutil.rmtree(tmp_path / name)
    restore_ledger(store.path, store.places, tmp_path / "backup")
    finished_run("r2", "p3")
    assert set(read_tables(store)["person"]) > set(before["person"])
    assert check(store)[0] == []


def test_a_damaged_ledger_is_restored_with_its_log_set_aside(store, finished_run, tmp_path, ledger_path):
    finished_run("r1", "p1", "p2")
    back_up_ledger(store.path, store.places, tmp_path / "backup")
    before = read_tables(store)
    ledger_path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    ledger_path.with_name(f"{ledger_path.name}-wal").write_bytes(b"x" * 5000)
    restore_ledger(store.path, store.places, tmp_path / "backup")
    assert read_tables(store) == before
    assert ledger_path.with_name(f"{ledger_path.name}-wal.replaced-1").stat().st_size == 5000


def test_a_backup_never_overwrites(store, finished_run, tmp_path):
    finished_run("r1", "p1")
    (tmp_path / "backup").write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        back_up_ledger(store.path, store.places, tmp_path / "backup")
    assert (tmp_path / "backup").read_text() == "mine"


@pytest.mark.parametrize("lost", ["key", "ledger"])
def test_of_a_ledger_that_cannot_be_read_no_backup_is_made(store, finished_run, tmp_path, ledger_path, lost):
    finished_run("r1", "p1")
    if lost == "key":
        key_path(ledger_path).unlink()
        store.places.key_copy.unlink()
    else:
        ledger_path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    with pytest.raises(LedgerError):
        back_up_ledger(store.path, store.places, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize("what", ["a text", "the ledger itself", "another tenant's", "another key's"])
def test_what_is_no_backup_of_this_ledger_replaces_nothing(store, finished_run, make_store, tmp_path, what):
    finished_run("r1", "p1", "p2")
    source, target = tmp_path / "backup", store
    if what == "a text":
        source.write_text("no backup")
    elif what == "the ledger itself":
        shutil.copyfile(store.path, source)
    else:
        back_up_ledger(store.path, store.places, source)
    if what == "another tenant's":
        target = make_store("sandbox/other/org")
    elif what == "another key's":
        with closing(sqlite3.connect(source)) as connection:
            connection.execute("UPDATE esign_import_backup SET data = ?", (os.urandom(32),))
            connection.commit()
    before = {path: path.read_bytes() for path in store.path.parent.iterdir()}
    with pytest.raises(UsageError):
        restore_ledger(target.path, target.places, source)
    assert {path: path.read_bytes() for path in store.path.parent.iterdir()} == before


# -- which ledger a file is


def test_a_file_is_known_as_a_state_of_a_ledger(store, finished_run, make_store, tmp_path):
    finished_run("r1", "p1", "p2")
    older = read_identity(store.path)
    finished_run("r2", "p3")
    newer = read_identity(store.path)
    assert (older.is_same_ledger(newer), older.tenant, older.events < newer.events) == (True, TENANT, True)
    (tmp_path / "text").write_text("no ledger")
    (tmp_path / "link").symlink_to(store.path)
    assert read_identity_if_any(tmp_path / "text") is read_identity_if_any(tmp_path / "link") is None
