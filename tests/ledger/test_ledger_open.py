"""A ledger is begun where that is safe, and refused with a way out where it is not."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from contextlib import closing

import pytest

from pipeline.errors import LedgerError, UsageError
from pipeline.esign.products import ESSBASIC
from pipeline.ledger import schema
from pipeline.ledger.disk import key_path
from pipeline.ledger.open import open_ledger
from pipeline.ledger.ownership import Ownership
from pipeline.ledger.receipt_sync import receipts_path
from pipeline.ledger.sqlite_ledger import connect
from pipeline.support.atomic_files import create_atomically
from pipeline.workflow.tenant_ledger import TenantResults

TENANT = "sandbox/app/org"
NOW = 1_795_000_000.0
WAYS_OUT = ("ledger rebuild", "ledger restore", "adopt")


@pytest.fixture
def begun(opened, ledger_path):
    """The place of a ledger that was begun and closed."""
    opened().close()
    return ledger_path


def files(folder):
    """The files that say something: a reader of a write-ahead log leaves an empty one and an index of it."""
    if not folder.exists():
        return {}
    held = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}
    return {name: content for name, content in held.items() if content or not name.endswith("-wal")}


def refused(position, kind=LedgerError, *, tenant=TENANT, **options):
    """Open, expect a refusal, and see that it left the folder as it was."""
    before = files(position.parent)
    with pytest.raises(kind) as error:
        open_ledger(position, tenant, now=NOW, **options)
    assert files(position.parent) == before
    assert error.value.render("zh") != error.value.render("en")
    return error.value


def test_a_new_ledger_and_its_key_are_their_owners_alone_whatever_the_umask(ledger_path, ledger):
    """Also the files that SQLite makes beside it."""
    ledger.close()
    for path in ledger_path.parent.iterdir():
        path.unlink()
    ledger_path.parent.rmdir()
    before = os.umask(0)
    try:
        fresh, _ = open_ledger(ledger_path, TENANT, now=NOW)
    finally:
        os.umask(before)
    with closing(fresh):
        fresh.record_files({})
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in ledger_path.parent.iterdir()}
    suffixes = ("", "-wal", "-shm", ".key", ".ballast")
    assert modes == dict.fromkeys(
        [f"ledger.sqlite3{suffix}" for suffix in suffixes] + ["receipts.jsonl"], 0o600
    )
    assert stat.S_IMODE(ledger_path.parent.stat().st_mode) == 0o700


def test_a_ledger_put_back_with_a_loose_mode_is_closed_again(begun, opened):
    opened().close()
    files = (begun, key_path(begun), receipts_path(begun))
    for path in files:
        path.chmod(0o644)
    opened()
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_the_same_key_comes_back(begun):
    keys = []
    for _ in range(2):
        ledger, key = open_ledger(begun, TENANT, now=NOW)
        ledger.close()
        keys.append(key.person("1"))
    assert keys[0] == keys[1]


def test_a_key_without_a_ledger_is_used_again(begun):
    key = key_path(begun).read_bytes()
    begun.unlink()
    receipts_path(begun).unlink()
    open_ledger(begun, TENANT, now=NOW)[0].close()
    assert key_path(begun).read_bytes() == key


def test_a_ledger_without_its_key_is_refused(begun):
    key_path(begun).unlink()
    assert "ledger restore" in str(refused(begun))
    assert not key_path(begun).exists()


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_damaged_key_is_refused_with_and_without_a_ledger(begun, content):
    key_path(begun).write_bytes(content)
    assert "is damaged" in str(refused(begun))
    begun.unlink()
    receipts_path(begun).unlink()
    assert "is damaged" in str(refused(begun))


def test_another_key_is_refused(begun):
    key_path(begun).write_bytes(bytes(32))
    assert "not the one this ledger was created with" in str(refused(begun))


def hold_a_person(position):
    with closing(connect(position, readonly=False)) as connection:
        connection.execute("INSERT INTO person (key) VALUES ('a')")


@pytest.mark.parametrize(
    ("tenant", "words"),
    [
        ("production/app/org", ("the sandbox on this machine", "the production environment")),
        ("sandbox/app/0rg", ("organization_open_id org,", "has 0rg", "typo")),
        ("sandbox/a%2Fpp/org", ("app_id app,", "has a/pp", "typo")),
        ("sandbox/other/else", ("sandbox/app/org", "sandbox/other/else", "both different")),
        ("sandbox/product=ess/org", ("sandbox/app/org", "different products (api.product)")),
    ],
)
def test_another_tenants_ledger_is_refused_naming_what_differs(begun, tenant, words):
    hold_a_person(begun)
    before = files(begun.parent)
    for options in ({"readonly": True}, {}):
        error = refused(begun, UsageError, tenant=tenant, **options)
        assert [word for word in words if word not in str(error)] == []
    assert files(begun.parent) == before


def test_a_ledger_that_holds_nothing_passes_to_the_tenant_that_writes_it(begun):
    for options, owner in (({"readonly": True}, TENANT), ({}, "test/app/org")):
        ledger, _ = open_ledger(begun, "test/app/org", now=NOW, **options)
        ledger.close()
        with closing(connect(begun, readonly=True)) as connection:
            assert connection.execute("SELECT tenant FROM meta").fetchone() == (owner,)


@pytest.mark.parametrize("version", [0, 8, schema.VERSION + 1])
def test_a_ledger_of_another_version_is_refused_with_what_to_do(begun, version):
    with closing(connect(begun, readonly=False)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    before = files(begun.parent)
    for options in ({"readonly": True}, {}):
        error_text = str(refused(begun, **options))
        assert str(begun) in error_text
        if version > schema.VERSION:
            assert f"ledger version {version}; " in error_text
            assert "do not rebuild the ledger" in error_text
        else:
            assert f"has version {version}, and this program uses version {schema.VERSION} only" in error_text
            assert "ledger rebuild" in error_text
    assert files(begun.parent) == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"not a database at all" * 500,
        lambda content: content[:8192] + b"\xff" * (len(content) - 8192),
        lambda content: content[:-4096] + b"\xff" * 4096,
        lambda content: content[:-4096],
        lambda _: b"",
    ],
)
def test_a_damaged_ledger_is_refused_with_a_way_back(begun, damage):
    begun.write_bytes(damage(begun.read_bytes()))
    for options in ({"readonly": True}, {}):
        error = refused(begun, **options)
        assert "ledger restore" in str(error)
        assert "ledger rebuild" in str(error)


def test_of_two_files_created_at_once_the_first_stays(tmp_path):
    with create_atomically(tmp_path / "key") as draft:
        draft.write_bytes(b"second")
        (tmp_path / "key").write_bytes(b"first")
    assert files(tmp_path) == {"key": b"first"}


def test_what_fails_half_way_never_appears(tmp_path):
    with pytest.raises(OSError, match="half way"), create_atomically(tmp_path / "key"):
        raise OSError("half way")
    assert files(tmp_path) == {}


def test_another_programs_database_is_refused_and_left_alone(begun):
    begun.unlink()
    with closing(sqlite3.connect(begun)) as connection:
        connection.execute("CREATE TABLE patients (name)")
    assert "not a ledger" in str(refused(begun))


def test_a_folder_in_the_ledgers_place_is_refused(ledger_path):
    ledger_path.mkdir(parents=True)
    key_path(ledger_path).write_bytes(bytes(32))
    with pytest.raises(LedgerError):
        open_ledger(ledger_path, TENANT, now=NOW)


def test_a_new_ledger_is_refused_where_receipts_lie(ledger_path, opened):
    ledger_path.parent.mkdir()
    (ledger_path.parent / "receipts.jsonl").write_text("")
    assert "ledger rebuild" not in refused(ledger_path, UsageError).render("en"), "the key is gone"
    key_path(ledger_path).write_bytes(bytes(32))
    error = refused(ledger_path, UsageError)
    assert "receipts.jsonl" in str(error)
    for way in WAYS_OUT:
        assert way in error.render("en")
        assert way in error.render("zh")
    assert opened(ownership=Ownership(accept_ledger=True)).snapshot().people == {}


@pytest.fixture
def results(tmp_path) -> TenantResults:
    """Results of a run that called the service once."""
    record = {"tenant": TENANT, "run": "r0", "statuses": {}, "requests": {ESSBASIC.create: {"ok": 1}}}
    (tmp_path / "out" / "r0").mkdir(parents=True)
    (tmp_path / "out" / "r0" / "run.json").write_text(json.dumps(record))
    return TenantResults(tmp_path / "out", TENANT)


def test_a_new_ledger_is_refused_where_a_run_shows_creates(ledger_path, opened, results):
    error = refused(ledger_path, UsageError, ownership=Ownership(results=results))
    assert str(results.get_trace()) in str(error)
    assert opened(ownership=Ownership(results=results, accept_ledger=True)).snapshot().people == {}


def test_neither_receipts_nor_force_matter_to_a_ledger_that_is_there(ledger, opened, ledger_path):
    (ledger_path.parent / "receipts.jsonl").write_text("{}")
    again = opened(ownership=Ownership(accept_ledger=True))
    assert again.get_run("r1") == ledger.get_run("r1")


def test_force_does_not_accept_a_ledger_whose_lost_creates_can_be_entered(ledger, opened, results):
    with pytest.raises(UsageError, match="Enter them first with `esign-import ledger recover`"):
        opened(ownership=Ownership(results=results, accept_ledger=True))


def test_a_reader_begins_no_ledger(ledger_path):
    assert "There is no ledger" in str(refused(ledger_path, UsageError, readonly=True))
    assert not ledger_path.parent.exists()


BEGIN = """
import sys
from pipeline.ledger.open import _create_ledger, read_key
sys.stdin.readline()
_create_ledger(place, "sandbox/app/org", now=1.0)
print(read_key(place).hex(), flush=True)
"""


def test_processes_that_begin_one_ledger_at_once_end_with_one_key(process, ledger_path):
    children = [process(BEGIN) for _ in range(4)]
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    assert len({child.stdout.readline() for child in children}) == 1
    for child in children:
        assert child.wait(20) == 0
    assert files(ledger_path.parent).keys() == {"ledger.sqlite3", "ledger.sqlite3.key"}
