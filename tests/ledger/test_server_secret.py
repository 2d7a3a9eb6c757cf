"""The operator's secret of a database: known again by every host, refused where it is another one, and replaced."""

import base64
import hashlib
import os
import signal
import threading
from contextlib import suppress

import pytest
from cryptography.fernet import Fernet
from run_support import wait_until
from server_ledger import NOW, SECRET, TENANT, make_store, open_for_reading, open_for_writing
from server_wire import ServerWire

from pipeline.clock import SystemClock
from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.errors import LeaseLost, LedgerError, UsageError
from pipeline.hosts import operator_secret
from pipeline.hosts.connection import connect_server
from pipeline.hosts.lease import Lease
from pipeline.hosts.operator_secret import (
    EncryptedKey,
    SecretCheck,
    decrypt_key,
    lock_secret_salt,
    prepare_database,
    read_secret_check,
)
from pipeline.hosts.queue import JobConnector, open_queue
from pipeline.hosts.secret_rotation import KeyState, SecretRotation
from pipeline.support import failpoints

COST = operator_secret.SCRYPT_COST
LONG = os.environ.get("HOSTS") == "1"  # make hosts
OTHER = "the secret of a host that was set up otherwise"
NEW = "the operator's secret from today on"
TENANTS = ("sandbox/app/east", "sandbox/app/west", "sandbox/app/south")
# what a database holds: every table's number of rows, and its schemas
CONTENT = """
    SELECT nspname, relname, (xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM %I.%I', nspname, relname),
        false, true, '')))[1]::text
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind = 'r' AND nspname LIKE 'esign%' ORDER BY 1, 2
"""


@pytest.fixture(scope="module", autouse=True)
def cheap_tries():
    """Let a try of a secret cost next to nothing; one test sets the true cost."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(operator_secret, "SCRYPT_COST", 2**4)
        yield


@pytest.fixture
def address(postgres_server, request):
    """Make a database: empty, or with the ledgers whose ``site_keys`` the test uses."""
    uses_ledgers = "site_keys" in request.fixturenames
    template = request.getfixturevalue("filled")[0] if uses_ledgers else "template0"
    return ServerAddress(postgres_server.make_database(template))


@pytest.fixture
def admin(postgres_server, address):
    with postgres_server.connect(address.url.rpartition("/")[2]) as connection:
        yield connection


@pytest.fixture(scope="module")
def filled(postgres_server):
    """Make a database with ledgers of three hospitals; return its name, and their site keys by tenant."""
    address = ServerAddress(postgres_server.make_database())
    keys = make_ledgers(address)
    return address.url.rpartition("/")[2], keys


@pytest.fixture
def site_keys(filled):
    """Let the database hold ledgers of three hospitals; return their site keys by tenant."""
    return dict(filled[1])


def make_ledgers(address):
    keys = {}
    for tenant in TENANTS:
        with open_for_writing(address, tenant):
            pass
        keys[tenant] = read_site_key(address, tenant, SECRET)
    return keys


def read_site_key(address, tenant, secret):
    with open_for_reading(address, tenant, secret=secret) as ledger:
        return ledger.site_key.secret


def rotate(address, former=SECRET, new=NEW):
    return {key.tenant: key.state for key in SecretRotation(address, former, new).rotate(now=NOW)}


# -- the check value


async def use_everything(address, secret, tenant):
    """Yield what commands do with a database, each as a coroutine that raises where it is refused."""
    store = make_store(address, tenant, secret=secret)

    async def queue_jobs():
        async with open_queue(JobConnector(address, secret, SystemClock(), patience=5, connections=3)):
            pass

    async def call(do):
        do()

    for do in (
        lambda: store.hold.acquire(run="r1", now=NOW).release(),
        store.exists,
        lambda: store.examine_server(NOW),
        lambda: store.open(now=NOW, readonly=True),
        store.is_behind,
    ):
        yield call(do)
    yield queue_jobs()


@pytest.mark.parametrize("tenant", [TENANT, "sandbox/app/without-a-ledger"])
async def test_another_secret_is_refused_before_anything_is_written(address, admin, tenant):
    with open_for_writing(address):
        pass
    before = admin.execute(CONTENT).fetchall()
    async for use in use_everything(address, OTHER, tenant):
        with pytest.raises(LedgerError, match="not the one that the hospitals on") as refused:
            await use
        assert refused.value.exit_code == 74
    assert admin.execute(CONTENT).fetchall() == before


async def test_a_worker_that_starts_first_decides_which_secret_counts(address):
    async with open_queue(JobConnector(address, SECRET, SystemClock(), patience=5, connections=3)):
        pass
    with (
        pytest.raises(LedgerError, match="not the one"),
        Lease(address, TENANT, OTHER).acquire(run="r", now=NOW),
    ):
        pass
    with open_for_writing(address):
        pass


def test_of_hosts_that_start_at_once_with_different_secrets_one_wins(address):
    secrets = [f"the operator's secret number {number}" for number in range(4)]
    accepted = []

    def prepare(secret):
        with suppress(LedgerError), connect_server(address, purpose="test") as connection:
            prepare_database(connection, address, secret)
            accepted.append(secret)

    threads = [threading.Thread(target=prepare, args=(secret,)) for secret in secrets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = accepted
    with connect_server(address, purpose="test") as connection:
        check = read_secret_check(connection)
    assert [secret for secret in secrets if check.is_of(secret)] == [winner]


@pytest.mark.parametrize(
    "change", ["DROP TABLE esign_import.operator_secret", "DROP SCHEMA esign_import CASCADE"]
)
def test_a_database_of_an_earlier_version_takes_the_secret_of_its_ledgers(address, admin, site_keys, change):
    admin.execute(change)
    admin.execute(
        "CREATE SCHEMA IF NOT EXISTS esign_import; COMMENT ON SCHEMA esign_import IS 'of an earlier version'"
    )
    before = admin.execute(CONTENT).fetchall()
    with (
        pytest.raises(LedgerError, match="not the one"),
        Lease(address, "sandbox/app/new", OTHER).acquire(run="r", now=NOW),
    ):
        pass
    assert admin.execute(CONTENT).fetchall() == before
    assert read_site_key(address, TENANTS[0], SECRET) == site_keys[TENANTS[0]], "it is read as it is"
    with open_for_writing(address, TENANTS[1]):
        pass
    assert read_secret_check(admin).is_of(SECRET)


def test_the_check_value_shows_nothing_of_the_cipher_and_differs_from_database_to_database(monkeypatch):
    monkeypatch.setattr(operator_secret, "SCRYPT_COST", COST)
    first, second = SecretCheck.make(SECRET), SecretCheck.make(SECRET)
    assert first.salt != second.salt
    assert first.value != second.value
    derived = hashlib.scrypt(SECRET.encode(), salt=first.salt, n=2**14, r=8, p=1, dklen=32)
    assert first.value != derived
    token = Fernet(base64.urlsafe_b64encode(derived)).encrypt(b"a site key of an earlier version")
    assert decrypt_key(EncryptedKey(first.salt, token), SECRET) == b"a site key of an earlier version"
    with pytest.raises(LedgerError, match="hosts rotate-secret"):
        decrypt_key(EncryptedKey(second.salt, token), SECRET)


# -- its replacement


def test_the_secret_is_replaced_and_the_former_one_is_refused(address, admin, site_keys):
    assert set(rotate(address).values()) == {KeyState.ENCRYPTED_ANEW}
    assert {tenant: read_site_key(address, tenant, NEW) for tenant in TENANTS} == site_keys
    for tenant in (*TENANTS, "sandbox/app/without-a-ledger"):
        with pytest.raises(LedgerError, match="not the one"):
            make_store(address, tenant).exists()
    assert set(rotate(address).values()) == {KeyState.DONE_BEFORE}
    assert set(rotate(address, NEW, SECRET).values()) == {KeyState.ENCRYPTED_ANEW}, "and back"
    assert {tenant: read_site_key(address, tenant, SECRET) for tenant in TENANTS} == site_keys


def test_a_hospital_whose_run_is_in_progress_is_left_for_later_and_its_run_goes_on(
    address, site_keys, run_record
):
    with open_for_writing(address, TENANTS[1], run="20261127-010000-000") as ledger:
        keys = {key.tenant: key for key in SecretRotation(address, SECRET, NEW).rotate(now=NOW)}
        assert [keys[tenant].state.value for tenant in TENANTS] == [
            "encrypted_anew",
            "in_use",
            "encrypted_anew",
        ]
        assert "20261127-010000-000" in str(keys[TENANTS[1]].holder)
        ledger.begin_run(run_record("r1"))
        assert [run.run for run in ledger.list_runs(9)] == ["r1"]
    with pytest.raises(LedgerError, match="hosts rotate-secret --former"):
        read_site_key(address, TENANTS[1], NEW)
    assert rotate(address)[TENANTS[1]] is KeyState.ENCRYPTED_ANEW
    assert {tenant: read_site_key(address, tenant, NEW) for tenant in TENANTS} == site_keys


def test_only_the_secret_that_counts_can_be_replaced(address, site_keys):
    with pytest.raises(LedgerError, match="neither the one in the --former file"):
        rotate(address, OTHER, NEW)
    with pytest.raises(UsageError, match="are the same"):
        rotate(address, SECRET, SECRET)
    assert {tenant: read_site_key(address, tenant, SECRET) for tenant in TENANTS} == site_keys


def test_ledgers_of_two_secrets_get_one(address, admin, site_keys, postgres_server):
    """Two hosts were set up with different secrets by an earlier version, or a backup from before a change was restored."""
    elsewhere = ServerAddress(postgres_server.make_database())
    make_ledgers(elsewhere)
    rotate(elsewhere, SECRET, OTHER)
    with postgres_server.connect(elsewhere.url.rpartition("/")[2]) as other:
        name = name_schema(TENANTS[2])
        stored = other.execute(
            f"SELECT salt, encrypted, key_check FROM {name}.site_key, {name}.meta"
        ).fetchone()
    key = decrypt_key(EncryptedKey(*stored[:2]), OTHER)
    admin.execute(f"UPDATE {name}.site_key SET salt = %s, encrypted = %s", stored[:2])
    admin.execute(f"UPDATE {name}.meta SET key_check = %s", stored[2:])
    assert rotate(address) == dict(
        zip(TENANTS, [KeyState.ENCRYPTED_ANEW, KeyState.ENCRYPTED_ANEW, KeyState.OTHER_SECRET], strict=True)
    )
    assert rotate(address, OTHER, NEW) == dict(
        zip(TENANTS, [KeyState.DONE_BEFORE, KeyState.DONE_BEFORE, KeyState.ENCRYPTED_ANEW], strict=True)
    )
    assert [read_site_key(address, tenant, NEW) for tenant in TENANTS] == [*list(site_keys.values())[:2], key]


def test_a_database_of_an_earlier_version_is_given_another_secret_at_once(address, admin, site_keys):
    admin.execute(
        "DROP TABLE esign_import.operator_secret; COMMENT ON SCHEMA esign_import IS 'of an earlier version'"
    )
    with pytest.raises(LedgerError, match="not the one"):
        rotate(address, OTHER, NEW)
    rotate(address)
    assert {tenant: read_site_key(address, tenant, NEW) for tenant in TENANTS} == site_keys


def test_no_ledger_is_made_with_a_secret_that_is_being_replaced(address, admin, site_keys):
    waiting = "SELECT FROM pg_locks WHERE locktype IN ('transactionid', 'tuple') AND NOT granted"
    store = make_store(address, "sandbox/app/new")
    with store.hold.acquire(run="r1", now=NOW):
        with connect_server(address, purpose="test") as creating, creating.transaction():
            lock_secret_salt(creating, address, SECRET)
            rotation = threading.Thread(target=rotate, args=(address,))
            rotation.start()
            wait_until(lambda: admin.execute(waiting).fetchone() is not None)  # until the ledger is made
            assert read_secret_check(admin).is_of(SECRET)
        rotation.join()
        with pytest.raises(LedgerError, match="not the one"):
            store.open(now=NOW)
    with pytest.raises(LedgerError, match="not the one"), connect_server(address, purpose="test") as creating:
        lock_secret_salt(creating, address, SECRET)


# -- interruptions


def test_a_rotation_that_loses_the_lease_of_a_ledger_leaves_its_key_as_it_is(address, admin, site_keys):
    def take_lease(point):
        if point == "rotation: before a key":
            admin.execute("UPDATE esign_import.lease SET token = 'of another process'")

    failpoints.enable_failpoint(take_lease)
    try:
        with pytest.raises(LeaseLost):
            rotate(address)
    finally:
        failpoints.enable_failpoint(None)
    assert set(rotate(address).values()) == {KeyState.ENCRYPTED_ANEW}
    assert {tenant: read_site_key(address, tenant, NEW) for tenant in TENANTS} == site_keys


def list_points(address, former, new):
    """Rotate, and return the failpoints that were reached."""
    points = []
    failpoints.enable_failpoint(points.append)
    try:
        rotate(address, former, new)
    finally:
        failpoints.enable_failpoint(None)
    return points


def kill_at(address, former, new, number):
    """Rotate in a child process that is killed at the failpoint of this number; return whether it was."""
    child = os.fork()
    if child == 0:
        points_before = iter(range(number, -1, -1))
        failpoints.enable_failpoint(lambda _: next(points_before) or os.kill(os.getpid(), signal.SIGKILL))
        with suppress(BaseException):
            rotate(address, former, new)
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


def require_one_secret(address, former, new):
    """One of the two secrets is accepted, and the other one refused."""
    accepted = []
    for secret in (former, new):
        with suppress(LedgerError):
            make_store(address, TENANTS[0], secret=secret).exists()
            accepted.append(secret)
    assert len(accepted) == 1


def test_a_rotation_that_is_killed_anywhere_is_typed_again(address, site_keys):
    former, new = NEW, SECRET
    points = list_points(address, new, former)
    assert len(points) > 3 * len(TENANTS)
    # in the middle: of the second ledger
    numbers = {point: number for number, point in enumerate(points[:-3])}
    assert len(numbers) == 6
    if not LONG:
        numbers = {point: numbers[point] for point in numbers if "after" in point or "committed" in point}
    for number, point in (
        enumerate(points) if LONG else ((number, point) for point, number in numbers.items())
    ):
        assert kill_at(address, former, new, number), point
        require_one_secret(address, former, new)
        assert set(rotate(address, former, new).values()) <= {KeyState.ENCRYPTED_ANEW, KeyState.DONE_BEFORE}
        assert {tenant: read_site_key(address, tenant, new) for tenant in TENANTS} == site_keys, point
        former, new = new, former


@pytest.mark.skipif(not LONG, reason="HOSTS=1: the longer ones")
@pytest.mark.parametrize("is_answer", [False, True], ids=["statement", "answer"])
def test_a_rotation_whose_connection_ends_at_any_statement_is_typed_again(
    postgres_server, address, site_keys, is_answer
):
    former, new = SECRET, NEW
    for number in range(1000):
        is_ended = rotate_through_a_cut(postgres_server, address, (former, new), number, is_answer=is_answer)
        require_one_secret(address, former, new)
        rotate(address, former, new)
        assert {tenant: read_site_key(address, tenant, new) for tenant in TENANTS} == site_keys, number
        if is_ended:
            break
        former, new = new, former
    assert number > 10 * len(TENANTS)


def rotate_through_a_cut(postgres_server, address, secrets, number, *, is_answer):
    """Rotate through a wire that is cut at the piece of this number; return whether it came to its end all the same."""
    pieces = iter(range(number, -1, -1))

    def cut(link, piece):
        if next(pieces, -1) != 0:
            return True
        if is_answer:  # the statement is executed, and its answer lost
            link.server.sendall(piece)
        link.cut()
        return False

    with ServerWire(postgres_server.port) as wire:
        wire.strike = cut
        through = ServerAddress(address.url.replace(f":{postgres_server.port}/", f":{wire.own_port}/"))
        try:
            rotate(through, *secrets)
        except LedgerError:
            return False
    return next(pieces, None) is not None
