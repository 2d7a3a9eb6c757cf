"""A ledger is begun where that is safe, and refused with a way out where it is not."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing

import pytest

from pipeline.errors import LedgerError, UsageError
from pipeline.ledger.disk import key_path
from pipeline.ledger.sqlite_ledger import VERSION, connect
from pipeline.support.atomic_files import create_atomically

TENANT = "sandbox/app/org"
NOW = 1_795_000_000.0


@pytest.fixture
def open_once(make_store):
    """Open a tenant's ledger and close it."""

    def open_it(tenant=TENANT, *, readonly=False):
        store = make_store(tenant)
        if readonly:
            store.open_for_reading().close()
            return
        with store.hold.acquire(run="r", now=NOW):
            store.open_for_writing(now=NOW).close()

    return open_it


@pytest.fixture
def begun(open_once, ledger_path):
    """The place of a ledger that was begun and closed."""
    open_once()
    return ledger_path


def files(folder):
    """The files that say something: a reader of a write-ahead log leaves an empty one and an index of it."""
    if not folder.exists():
        return {}
    passing = ("-shm", ".lock", ".holder")
    held = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith(passing)}
    return {name: content for name, content in held.items() if content or not name.endswith("-wal")}


@pytest.fixture
def refused(open_once, ledger_path):
    """Open, expect a refusal, and see that it left the folder as it was."""

    def refuse(kind=LedgerError, *, tenant=TENANT, readonly=False):
        before = files(ledger_path.parent)
        with pytest.raises(kind) as error:
            open_once(tenant, readonly=readonly)
        assert files(ledger_path.parent) == before
        assert error.value.render("zh") != error.value.render("en")
        return error.value

    return refuse


def test_all_files_of_a_ledger_are_their_owners_alone_whatever_the_umask(make_store, tmp_path):
    """Also those that SQLite makes next to it, and those in the two places."""
    store = make_store()
    before = os.umask(0)
    try:
        with store.hold.acquire(run="r", now=NOW), closing(store.open_for_writing(now=NOW)) as ledger:
            ledger.record_files({})
            paths = [path for path in tmp_path.rglob("*") if path.name != "out"]
            modes = {path: stat.S_IMODE(path.stat().st_mode) for path in paths}
    finally:
        os.umask(before)
    assert modes == {path: 0o700 if path.is_dir() else 0o600 for path in paths}
    names = {path.name for path in paths}
    assert {"ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3.key", "ledger.sqlite3.ballast"} <= names
    assert len(store.places.list_files()) == 2


def test_a_ledger_put_back_with_a_loose_mode_is_closed_again(begun, open_once):
    paths = (begun, key_path(begun))
    for path in paths:
        path.chmod(0o644)
    open_once()
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_key_that_is_damaged_in_both_places_is_refused_with_and_without_a_ledger(
    begun, refused, make_store, content
):
    for file in (key_path(begun), make_store().places.key_copy):
        file.write_bytes(content)
    assert "is damaged" in str(refused())
    begun.unlink()
    assert "is damaged" in str(refused())


def test_a_ledger_gets_no_new_key(begun, refused, make_store):
    """Not even where nothing else is left."""
    places = make_store().places
    for file in (*places.list_files(), key_path(begun), places.key_copy):
        file.unlink()
    assert "ledger restore" in str(refused())
    assert not places.key_copy.exists()


def hold_a_person(position):
    with closing(connect(position, readonly=False)) as connection:
        connection.execute("INSERT INTO person (person) VALUES ('a')")


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
def test_another_tenants_ledger_is_refused_naming_what_differs(begun, refused, tenant, words):
    hold_a_person(begun)
    before = files(begun.parent)
    for readonly in (True, False):
        error = refused(UsageError, tenant=tenant, readonly=readonly)
        assert [word for word in words if word not in str(error)] == []
    assert files(begun.parent) == before


def test_a_ledger_that_holds_nothing_passes_to_the_tenant_that_writes_it(begun, open_once):
    for readonly, owner in ((True, TENANT), (False, "test/app/org")):
        open_once("test/app/org", readonly=readonly)
        with closing(connect(begun, readonly=True)) as connection:
            assert connection.execute("SELECT tenant FROM meta").fetchone() == (owner,)


@pytest.mark.parametrize("version", [0, VERSION + 1])
def test_a_ledger_of_another_version_is_refused_with_what_to_do(begun, refused, version):
    with closing(connect(begun, readonly=False)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    before = files(begun.parent)
    for readonly in (True, False):
        text = str(refused(readonly=readonly))
        assert f"{begun} has version {version}, and this program uses version {VERSION} only" in text
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
def test_a_damaged_ledger_is_refused_with_a_way_back(begun, refused, make_store, damage):
    """Unless the journals make it again."""
    for file in make_store().places.list_files():
        file.unlink()
    begun.write_bytes(damage(begun.read_bytes()))
    for readonly in (True, False):
        assert "ledger restore" in str(refused(readonly=readonly))


def test_of_two_files_created_at_once_the_first_stays(tmp_path):
    with create_atomically(tmp_path / "key") as draft:
        draft.write_bytes(b"second")
        (tmp_path / "key").write_bytes(b"first")
    assert files(tmp_path) == {"key": b"first"}


def test_what_fails_half_way_never_appears(tmp_path):
    with pytest.raises(OSError, match="half way"), create_atomically(tmp_path / "key"):
        raise OSError("half way")
    assert files(tmp_path) == {}


def test_another_programs_database_is_refused_and_left_alone(ledger_path, refused):
    ledger_path.parent.mkdir()
    with closing(sqlite3.connect(ledger_path)) as connection:
        connection.execute("CREATE TABLE patients (name)")
    assert "not a ledger" in str(refused())


def test_a_folder_in_the_ledgers_place_is_refused(ledger_path, open_once):
    ledger_path.mkdir(parents=True)
    key_path(ledger_path).write_bytes(bytes(32))
    with pytest.raises(LedgerError):
        open_once()


def test_a_reader_begins_no_ledger(ledger_path, refused):
    assert "There is no ledger" in str(refused(UsageError, readonly=True))
    assert not ledger_path.parent.exists()


def test_the_log_of_a_lost_ledger_is_kept_and_not_taken_for_the_new_ones(begun, open_once):
    log = begun.with_name(f"{begun.name}-wal")
    begun.unlink()
    log.write_bytes(b"\x37\x7f\x06\x82" + bytes(5000))
    open_once()
    assert begun.with_name(f"{log.name}.replaced-1").stat().st_size == 5004


BEGIN = """
import sys
from pipeline.errors import Locked
from pipeline.ledger.disk import key_path
from pipeline.ledger.sqlite_ledger import LedgerFile
from pipeline.ledger.places import Places

folder = place.parent.parent
store = LedgerFile(place, Places("sandbox/app/org", folder / "user", folder / "out" / ".ledger"))
sys.stdin.readline()
while True:
    try:
        with store.hold.acquire(run="r", now=1.0):
            store.open_for_writing(now=1.0).close()
        break
    except Locked:
        pass
print(key_path(place).read_bytes().hex(), flush=True)
"""


def test_processes_that_begin_one_ledger_at_once_end_with_one_key(process, ledger_path):
    children = [process(BEGIN) for _ in range(4)]
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    assert len({child.stdout.readline() for child in children}) == 1
    for child in children:
        assert child.wait(20) == 0
    assert files(ledger_path.parent).keys() == {
        f"ledger.sqlite3{suffix}" for suffix in ("", ".key", ".ballast")
    }
