"""Backup, restore, rebuild, check: the ways back after a ledger is lost or damaged."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from pipeline.domain.seals import Verdict
from pipeline.errors import LedgerError, UsageError
from pipeline.ledger import disk, maintenance, receipt_facts, receipts
from pipeline.ledger.check import LedgerDefect, check_ledger
from pipeline.ledger.open import key_path, open_ledger
from pipeline.ledger.receipt_sync import receipts_path
from pipeline.ledger.sqlite_ledger import connect

TENANT = "sandbox/app/org"
SIDE = ("", "-wal", "-shm")


@pytest.fixture
def night(opened, attempt, run_record, sealed):
    """Add people to the ledger: whoever is named gets a seal, ``unknown`` has none."""

    def go(run, *keys, unknown=()):
        ledger = opened(recover=True)
        ledger.begin_run(run_record(run))
        for key in keys:
            _send(ledger, attempt(key, run=run), sealed(f"S-{key}"))
        for key in unknown:
            _send(ledger, attempt(key, run=run), Verdict("unknown", code="no_answer"))
        ledger.close()

    return go


def _send(ledger, attempt, verdict):
    async def through():
        await ledger.open_attempt(attempt)
        await ledger.record_verdict(attempt.uuid, verdict, now=9.0)

    asyncio.run(through())


def lose(place):
    for suffix in SIDE:
        place.with_name(place.name + suffix).unlink(missing_ok=True)


def people(place):
    ledger, _ = open_ledger(place, TENANT, now=2.0, readonly=True)
    snapshot = ledger.snapshot()
    ledger.close()
    return {
        key: (
            past.seal.seal_id if past.seal else None,
            past.unresolved_attempt.verdict if past.unresolved_attempt else None,
        )
        for key, past in snapshot.people.items()
    }


EXPECTED = {"p1": ("S-p1", None), "p2": ("S-p2", None), "p3": (None, "unknown")}


def test_a_lost_ledger_is_rebuilt_from_its_receipts(night, place):
    night("r1", "p1", "p2", unknown=["p3"])
    lose(place)
    restored = maintenance.rebuild_ledger(place, TENANT)
    assert (restored.people, restored.seals, restored.unresolved) == (3, 2, 1)
    assert people(place) == EXPECTED
    assert place.stat().st_mode & 0o777 == 0o600
    assert check_ledger(place, TENANT).troubles == ()
    night("r2", "p4")
    assert check_ledger(place, TENANT).troubles == ()


def test_a_damaged_ledger_is_set_aside_whole(night, place):
    night("r1", "p1", "p2", unknown=["p3"])
    broken = b"SQLite format 3\0" + b"\xff" * 4096
    place.write_bytes(broken)
    restored = maintenance.rebuild_ledger(place, TENANT)
    assert restored.set_aside == place.with_name("ledger.sqlite3.replaced-1")
    assert restored.set_aside.read_bytes() == broken
    assert people(place) == EXPECTED


def test_a_rebuild_that_fails_leaves_everything_where_it_was(night, place):
    """Else the next run would find no ledger and begin a new one."""
    night("r1", "p1", "p2")
    receipts_path(place).unlink()
    place.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    before = {path.name: path.read_bytes() for path in place.parent.iterdir()}
    with pytest.raises(LedgerError, match="no receipts"):
        maintenance.rebuild_ledger(place, TENANT)
    assert {path.name: path.read_bytes() for path in place.parent.iterdir()} == before


def test_a_write_ahead_log_without_its_ledger_is_set_aside_by_a_rebuild(night, place, opened):
    night("r1", "p1", "p2", unknown=["p3"])
    lose(place)
    place.with_name("ledger.sqlite3-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(5000))
    with pytest.raises(UsageError, match="no ledger at"):
        opened(recover=True)
    restored = maintenance.rebuild_ledger(place, TENANT)
    assert restored.set_aside == place.with_name("ledger.sqlite3.replaced-1")
    assert place.with_name("ledger.sqlite3.replaced-1-wal").exists()
    assert people(place) == EXPECTED


def test_a_write_ahead_log_alone_tells_of_a_lost_ledger(place, opened):
    place.parent.mkdir()
    log = place.with_name("ledger.sqlite3-wal")
    log.write_bytes(b"\x37\x7f\x06\x82" + bytes(5000))
    with pytest.raises(UsageError, match=r"ledger\.sqlite3-wal"):
        opened(recover=True)
    assert opened(recover=True, force_new=True).snapshot().people == {}
    assert log.with_name("ledger.sqlite3-wal.replaced-1").exists()


def test_receipts_that_are_older_than_a_damaged_ledger_do_not_replace_it(night, place, raw):
    night("r1", "p1")
    older = receipts_path(place).read_bytes()
    night("r2", "p2")
    ((page,),) = raw("SELECT rootpage FROM sqlite_master WHERE name = 'attempt_of_person'")
    raw("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(place.read_bytes())
    data[(page - 1) * 4096 : page * 4096] = (
        b"\xff" * 4096
    )  # what the ledger says of its receipts stays readable
    place.write_bytes(data)
    receipts_path(place).write_bytes(older)
    with pytest.raises(LedgerError, match="newer than the receipts"):
        maintenance.rebuild_ledger(place, TENANT)
    assert place.read_bytes() == data


def test_a_ledger_in_order_is_never_replaced(night, place, tmp_path):
    night("r1", "p1")
    maintenance.back_up_ledger(place, tmp_path / "b")
    for way in (
        lambda: maintenance.rebuild_ledger(place, TENANT),
        lambda: maintenance.restore_ledger(place, tmp_path / "b", TENANT),
    ):
        with pytest.raises(UsageError, match="intact"):
            way()
    assert people(place) == {"p1": ("S-p1", None)}


def test_an_orphan_of_the_receipts_is_unknown_once_it_is_opened(opened, place, attempt, run_record):
    ledger = opened(recover=True)
    ledger.begin_run(run_record("r1"))
    asyncio.run(ledger.open_attempt(attempt("p1")))
    ledger.close()
    lose(place)
    assert maintenance.rebuild_ledger(place, TENANT).unresolved == 1
    opened(recover=True).close()
    assert people(place) == {"p1": (None, "unknown")}


def test_a_backup_moves_to_another_machine_in_one_file(night, place, tmp_path):
    night("r1", "p1", "p2", unknown=["p3"])
    target = tmp_path / "backup"
    maintenance.back_up_ledger(place, target)
    assert target.stat().st_mode & 0o777 == 0o600
    elsewhere = tmp_path / "machine" / "ledger.sqlite3"
    restored = maintenance.restore_ledger(elsewhere, target, TENANT)
    assert (restored.people, restored.newer_receipts) == (3, False)
    assert people(elsewhere) == EXPECTED
    assert key_path(elsewhere).read_bytes() == key_path(place).read_bytes()
    assert receipts_path(elsewhere).read_bytes() == receipts_path(place).read_bytes()
    assert check_ledger(elsewhere, TENANT).troubles == ()
    with closing(sqlite3.connect(elsewhere)) as connection:
        assert connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'kept_file'").fetchall() == []


def test_receipts_that_go_on_from_the_backup_are_used(night, place, tmp_path):
    night("r1", "p1")
    maintenance.back_up_ledger(place, tmp_path / "old")
    night("r2", "p2", unknown=["p3"])
    lose(place)
    restored = maintenance.restore_ledger(place, tmp_path / "old", TENANT)
    assert restored.newer_receipts
    assert people(place) == EXPECTED


def test_receipts_of_another_past_forbid_a_restore(night, place, tmp_path):
    night("r1", "p1")
    maintenance.back_up_ledger(place, tmp_path / "old")
    night("r2", "p2")
    lose(place)
    lines = receipts_path(place).read_bytes().splitlines(keepends=True)
    receipts_path(place).write_bytes(b"".join(lines[:2]))
    with pytest.raises(UsageError, match="a different history"):
        maintenance.restore_ledger(place, tmp_path / "old", TENANT)
    assert not place.exists()


@pytest.mark.parametrize(
    "what", ["no key", "other key", "other tenant", "no receipts", "broken chain", "no backup"]
)
def test_what_cannot_be_restored_says_so(night, place, tmp_path, what):
    night("r1", "p1", "p2")
    lose(place)
    receipt = receipts_path(place)
    lines = receipt.read_bytes().splitlines(keepends=True)
    if what == "no key":
        key_path(place).unlink()
    elif what == "other key":
        key_path(place).write_bytes(b"x" * 32)
    elif what == "no receipts":
        receipt.unlink()
    elif what == "broken chain":
        receipt.write_bytes(b"".join(lines[:3] + lines[4:]))
    tenant = "sandbox/other/org" if what == "other tenant" else TENANT
    way = (
        (lambda: maintenance.restore_ledger(place, receipt, tenant))
        if what == "no backup"
        else (lambda: maintenance.rebuild_ledger(place, tenant))
    )
    with pytest.raises((LedgerError, UsageError)):
        way()
    assert not place.exists()


def test_receipts_that_break_a_constraint_make_no_ledger(night, place):
    night("r1", "p1", "p2")
    lose(place)
    held = list(receipts.read_chained(receipts_path(place)))
    twice = [each for each in held if each.table == "seal"][-1]
    doubled = replace(twice, id=99, columns={**twice.columns, "id": 99})
    receipts.rewrite_receipts(receipts_path(place), [*held, doubled])
    with pytest.raises(LedgerError, match="receipts"):
        maintenance.rebuild_ledger(place, TENANT)
    assert not place.exists()


def test_check_finds_what_was_changed_behind_its_back(night, place, raw):
    night("r1", "p1", "p2")
    raw("UPDATE seal SET seal_id = 'S-other' WHERE key = 'p1'")
    assert check_ledger(place, TENANT).troubles == (LedgerDefect("differs", "seal …"),)


def test_check_finds_receipts_that_were_cut(night, place):
    night("r1", "p1", "p2")
    lines = receipts_path(place).read_bytes().splitlines(keepends=True)
    receipts_path(place).write_bytes(b"".join(lines[:-1]))
    (found,) = check_ledger(place, TENANT).troubles
    assert found.kind == "end"


def test_a_backup_never_overwrites(night, place, tmp_path):
    night("r1", "p1")
    (tmp_path / "b").write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        maintenance.back_up_ledger(place, tmp_path / "b")
    assert (tmp_path / "b").read_text() == "mine"


def test_the_ballast_lies_beside_the_ledger_and_is_given_up_once(opened, place, attempt, run_record):
    ledger = opened(recover=True)
    kept = disk.reserve_path(place)
    assert kept.stat().st_size == disk.RESERVE_BYTES
    ledger.begin_run(run_record("r1"))
    _send(ledger, attempt("p1"), Verdict("refused", code="X"))
    assert kept.stat().st_size == disk.RESERVE_BYTES
    disk.release_reserve(place)
    assert kept.stat().st_size == 0
    ledger.close()
    opened(recover=True)
    assert kept.stat().st_size == disk.RESERVE_BYTES


def test_what_every_fact_covers(night, place):
    night("r1", "p1", unknown=["p3"])
    with closing(connect(place, readonly=True)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables - set(receipt_facts.GUARDED) == {"row_line", "row_seen", "file_stat"}
