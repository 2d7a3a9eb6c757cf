"""Backup, restore, rebuild, check: the ways back after a ledger is lost or damaged."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from ledger_support import send

from pipeline.domain.seals import Verdict
from pipeline.errors import LedgerError, UsageError
from pipeline.ledger import disk, maintenance, receipt_sync, receipts
from pipeline.ledger.disk import key_path
from pipeline.ledger.maintenance import LedgerDefect, check_ledger
from pipeline.ledger.open import open_ledger
from pipeline.ledger.ownership import Ownership
from pipeline.ledger.receipt_sync import receipts_path
from pipeline.ledger.sqlite_ledger import connect

TENANT = "sandbox/app/org"
SIDE = ("", "-wal", "-shm")


@pytest.fixture
def finished_run(opened, attempt, run_record, sealed):
    """Add people to the ledger: whoever is named gets a seal, ``unknown`` has none."""

    def go(run, *keys, unknown=()):
        ledger = opened()
        ledger.begin_run(run_record(run))
        for key in keys:
            send(ledger, attempt(key, run=run), sealed(f"S-{key}"))
        for key in unknown:
            send(ledger, attempt(key, run=run), Verdict("unknown", code="no_answer"))
        ledger.close()

    return go


def lose(position):
    for suffix in SIDE:
        position.with_name(position.name + suffix).unlink(missing_ok=True)


def people(position):
    ledger, _ = open_ledger(position, TENANT, now=2.0, readonly=True)
    snapshot = ledger.snapshot()
    ledger.close()
    return {
        key: (
            person.seal.seal_id if person.seal else None,
            person.unresolved_attempt.verdict if person.unresolved_attempt else None,
        )
        for key, person in snapshot.people.items()
    }


EXPECTED = {"p1": ("S-p1", None), "p2": ("S-p2", None), "p3": (None, "unknown")}


def test_a_lost_ledger_is_rebuilt_from_its_receipts(finished_run, ledger_path):
    finished_run("r1", "p1", "p2", unknown=["p3"])
    lose(ledger_path)
    restored = maintenance.rebuild_ledger(ledger_path, TENANT)
    assert restored.counts == (3, 2, 1)
    assert people(ledger_path) == EXPECTED
    assert ledger_path.stat().st_mode & 0o777 == 0o600
    assert check_ledger(ledger_path, TENANT).defects == ()
    finished_run("r2", "p4")
    assert check_ledger(ledger_path, TENANT).defects == ()


def test_a_damaged_ledger_is_set_aside_whole(finished_run, ledger_path):
    finished_run("r1", "p1", "p2", unknown=["p3"])
    broken = b"SQLite format 3\0" + b"\xff" * 4096
    ledger_path.write_bytes(broken)
    restored = maintenance.rebuild_ledger(ledger_path, TENANT)
    assert restored.set_aside == ledger_path.with_name("ledger.sqlite3.replaced-1")
    assert restored.set_aside.read_bytes() == broken
    assert people(ledger_path) == EXPECTED


def test_a_rebuild_that_fails_leaves_everything_where_it_was(finished_run, ledger_path):
    """Else the next run would find no ledger and begin a new one."""
    finished_run("r1", "p1", "p2")
    receipts_path(ledger_path).unlink()
    ledger_path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    before = {path.name: path.read_bytes() for path in ledger_path.parent.iterdir()}
    with pytest.raises(LedgerError, match="no receipts"):
        maintenance.rebuild_ledger(ledger_path, TENANT)
    assert {path.name: path.read_bytes() for path in ledger_path.parent.iterdir()} == before


def test_a_write_ahead_log_without_its_ledger_is_set_aside_by_a_rebuild(finished_run, ledger_path, opened):
    finished_run("r1", "p1", "p2", unknown=["p3"])
    lose(ledger_path)
    ledger_path.with_name("ledger.sqlite3-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(5000))
    with pytest.raises(UsageError, match="no ledger at"):
        opened()
    restored = maintenance.rebuild_ledger(ledger_path, TENANT)
    assert restored.set_aside == ledger_path.with_name("ledger.sqlite3.replaced-1")
    assert ledger_path.with_name("ledger.sqlite3.replaced-1-wal").exists()
    assert people(ledger_path) == EXPECTED


def test_a_write_ahead_log_alone_shows_a_lost_ledger(ledger_path, opened):
    ledger_path.parent.mkdir()
    log = ledger_path.with_name("ledger.sqlite3-wal")
    log.write_bytes(b"\x37\x7f\x06\x82" + bytes(5000))
    with pytest.raises(UsageError, match=r"ledger\.sqlite3-wal"):
        opened()
    assert opened(ownership=Ownership(accept_ledger=True)).snapshot().people == {}
    assert log.with_name("ledger.sqlite3-wal.replaced-1").exists()


def test_receipts_that_are_older_than_a_damaged_ledger_do_not_replace_it(finished_run, ledger_path, raw):
    finished_run("r1", "p1")
    older = receipts_path(ledger_path).read_bytes()
    finished_run("r2", "p2")
    ((page,),) = raw("SELECT rootpage FROM sqlite_master WHERE name = 'attempt_of_person'")
    raw("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(ledger_path.read_bytes())
    data[(page - 1) * 4096 : page * 4096] = (
        b"\xff" * 4096
    )  # what the ledger says of its receipts stays readable
    ledger_path.write_bytes(data)
    receipts_path(ledger_path).write_bytes(older)
    with pytest.raises(LedgerError, match="newer than the receipts"):
        maintenance.rebuild_ledger(ledger_path, TENANT)
    assert ledger_path.read_bytes() == data


def test_a_ledger_in_order_is_never_replaced(finished_run, ledger_path, tmp_path):
    finished_run("r1", "p1")
    maintenance.back_up_ledger(ledger_path, tmp_path / "b")
    for way in (
        lambda: maintenance.rebuild_ledger(ledger_path, TENANT),
        lambda: maintenance.restore_ledger(ledger_path, tmp_path / "b", TENANT),
    ):
        with pytest.raises(UsageError, match="intact"):
            way()
    assert people(ledger_path) == {"p1": ("S-p1", None)}


def test_an_orphan_of_the_receipts_is_unknown_once_it_is_opened(opened, ledger_path, attempt, run_record):
    ledger = opened()
    ledger.begin_run(run_record("r1"))
    asyncio.run(ledger.open_attempt(attempt("p1")))
    ledger.close()
    lose(ledger_path)
    assert maintenance.rebuild_ledger(ledger_path, TENANT).counts.unresolved == 1
    opened().close()
    assert people(ledger_path) == {"p1": (None, "unknown")}


def test_a_backup_moves_to_another_machine_in_one_file(finished_run, ledger_path, tmp_path):
    finished_run("r1", "p1", "p2", unknown=["p3"])
    target = tmp_path / "backup"
    maintenance.back_up_ledger(ledger_path, target)
    assert target.stat().st_mode & 0o777 == 0o600
    elsewhere = tmp_path / "machine" / "ledger.sqlite3"
    restored = maintenance.restore_ledger(elsewhere, target, TENANT)
    assert (restored.counts.people, restored.newer_receipts) == (3, False)
    assert people(elsewhere) == EXPECTED
    assert key_path(elsewhere).read_bytes() == key_path(ledger_path).read_bytes()
    assert receipts_path(elsewhere).read_bytes() == receipts_path(ledger_path).read_bytes()
    assert check_ledger(elsewhere, TENANT).defects == ()
    with closing(sqlite3.connect(elsewhere)) as connection:
        assert connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'kept_file'").fetchall() == []


def test_receipts_that_go_on_from_the_backup_are_used(finished_run, ledger_path, tmp_path):
    finished_run("r1", "p1")
    maintenance.back_up_ledger(ledger_path, tmp_path / "old")
    finished_run("r2", "p2", unknown=["p3"])
    lose(ledger_path)
    restored = maintenance.restore_ledger(ledger_path, tmp_path / "old", TENANT)
    assert restored.newer_receipts
    assert people(ledger_path) == EXPECTED


def test_receipts_of_another_past_forbid_a_restore(finished_run, ledger_path, tmp_path):
    finished_run("r1", "p1")
    maintenance.back_up_ledger(ledger_path, tmp_path / "old")
    finished_run("r2", "p2")
    lose(ledger_path)
    lines = receipts_path(ledger_path).read_bytes().splitlines(keepends=True)
    receipts_path(ledger_path).write_bytes(b"".join(lines[:2]))
    with pytest.raises(UsageError, match="a different history"):
        maintenance.restore_ledger(ledger_path, tmp_path / "old", TENANT)
    assert not ledger_path.exists()


@pytest.mark.parametrize(
    "what", ["no key", "other key", "other tenant", "no receipts", "broken chain", "no backup"]
)
def test_a_ledger_that_cannot_be_restored_is_refused_with_its_reason(
    finished_run, ledger_path, tmp_path, what
):
    finished_run("r1", "p1", "p2")
    lose(ledger_path)
    receipt = receipts_path(ledger_path)
    lines = receipt.read_bytes().splitlines(keepends=True)
    if what == "no key":
        key_path(ledger_path).unlink()
    elif what == "other key":
        key_path(ledger_path).write_bytes(b"x" * 32)
    elif what == "no receipts":
        receipt.unlink()
    elif what == "broken chain":
        receipt.write_bytes(b"".join(lines[:3] + lines[4:]))
    tenant = "sandbox/other/org" if what == "other tenant" else TENANT
    way = (
        (lambda: maintenance.restore_ledger(ledger_path, receipt, tenant))
        if what == "no backup"
        else (lambda: maintenance.rebuild_ledger(ledger_path, tenant))
    )
    with pytest.raises((LedgerError, UsageError)):
        way()
    assert not ledger_path.exists()


def test_receipts_that_break_a_constraint_make_no_ledger(finished_run, ledger_path):
    finished_run("r1", "p1", "p2")
    lose(ledger_path)
    held = list(receipts.read_chained(receipts_path(ledger_path)))
    twice = [held_row for held_row in held if held_row.table == "seal"][-1]
    doubled = replace(twice, id=99, columns={**twice.columns, "id": 99})
    receipts.rewrite_receipts(receipts_path(ledger_path), [*held, doubled], after=0)
    with pytest.raises(LedgerError, match="receipts"):
        maintenance.rebuild_ledger(ledger_path, TENANT)
    assert not ledger_path.exists()


def test_check_finds_what_was_changed_behind_its_back(finished_run, ledger_path, raw):
    finished_run("r1", "p1", "p2")
    raw("UPDATE seal SET seal_id = 'S-other' WHERE key = 'p1'")
    assert check_ledger(ledger_path, TENANT).defects == (LedgerDefect("differs", "seal …"),)


def test_a_ledger_rebuilt_from_the_receipts_of_another_version_is_in_order(finished_run, ledger_path, opened):
    """That version had a column more and one less."""
    finished_run("r1", "p1", "p2", unknown=("p3",))
    written = []
    for receipt in receipts.read_chained(receipts_path(ledger_path)):
        columns = {**receipt.columns, "sent_size": 12}
        columns.pop("content_pixels", None)
        written.append(replace(receipt, columns=columns))
    receipts.rewrite_receipts(receipts_path(ledger_path), written, after=0)
    with closing(sqlite3.connect(ledger_path)) as connection:
        connection.execute("PRAGMA user_version = 8")
    with pytest.raises(LedgerError, match="newer version"):
        opened()
    maintenance.rebuild_ledger(ledger_path, TENANT)
    assert people(ledger_path) == EXPECTED
    assert check_ledger(ledger_path, TENANT).defects == ()
    opened().close()
    assert check_ledger(ledger_path, TENANT).defects == ()


def test_check_finds_receipts_that_were_cut(finished_run, ledger_path):
    finished_run("r1", "p1", "p2")
    lines = receipts_path(ledger_path).read_bytes().splitlines(keepends=True)
    receipts_path(ledger_path).write_bytes(b"".join(lines[:-1]))
    (result,) = check_ledger(ledger_path, TENANT).defects
    assert result.kind == "end"


def test_a_backup_never_overwrites(finished_run, ledger_path, tmp_path):
    finished_run("r1", "p1")
    (tmp_path / "b").write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        maintenance.back_up_ledger(ledger_path, tmp_path / "b")
    assert (tmp_path / "b").read_text() == "mine"


def test_the_reserve_file_is_next_to_the_ledger_and_released_once(opened, ledger_path, attempt, run_record):
    ledger = opened()
    kept = disk.reserve_path(ledger_path)
    assert kept.stat().st_size == disk.RESERVE_BYTES
    ledger.begin_run(run_record("r1"))
    send(ledger, attempt("p1"), Verdict("refused", code="X"))
    assert kept.stat().st_size == disk.RESERVE_BYTES
    disk.release_reserve(ledger_path)
    assert kept.stat().st_size == 0
    ledger.close()
    opened()
    assert kept.stat().st_size == disk.RESERVE_BYTES


def test_every_table_but_the_row_lines_is_guarded(finished_run, ledger_path):
    finished_run("r1", "p1", unknown=["p3"])
    with closing(connect(ledger_path, readonly=True)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables - set(receipt_sync.GUARDED) == {"row_line", "row_seen", "file_stat", "auto_sign"}
