"""The hold of a ledger on a server: one process at a time has its lease, and the lease's token shuts out every earlier one.

Taking the lease gives it a new token, and a write counts only under the token of its writer (writer.py): a process
that was stopped or cut off cannot write once another has taken over. The time limit and the advisory lock only decide
when a lease may be taken: once the holder's connection has ended, or has not renewed the lease in time.

A token is drawn at random, not counted: a server that lost its last commits would count to the same number again.
"""

from __future__ import annotations

import hashlib
import threading
from contextlib import AbstractContextManager, suppress
from typing import Self

import psycopg

from pipeline.clock import stamp
from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.errors import LeaseLost, LedgerError, Locked, UsageError
from pipeline.hosts.connection import (
    connect_server,
    explain_server_error,
    open_connection,
    require_durable_commits,
)
from pipeline.hosts.operator_secret import prepare_database
from pipeline.ledger.lock import DoubleHold, Holder, RunLock
from pipeline.ledger.places import Places

LEASE_SECONDS = 60.0  # after which a lease that was not renewed may be taken
RENEWALS = 4  # in that time
RETRY_SECONDS = 2.0  # between two tries to reach the server
PATIENCE_SECONDS = 15.0  # that one statement may take
LOCK_SECONDS = 3.0  # that a transaction of a holder whose lease has run out is waited for, and any other lock from then on

# A change of (ledger, epoch), a unique key, waits for a writer's transaction, which locks the key (writer.py); the
# renewal does not.
_TAKE = """
    UPDATE esign_import.lease SET epoch = epoch + 1, token = gen_random_uuid()::text, run = %(run)s, host = %(host)s,
        pid = %(pid)s, holder = %(holder)s, since = %(since)s,
        expires_at = clock_timestamp() + make_interval(secs => %(seconds)s)
    WHERE ledger = %(ledger)s AND (expires_at IS NULL OR expires_at < clock_timestamp()
        OR (%(connection_ended)s AND token IS NOT DISTINCT FROM %(token)s))
    RETURNING epoch, token
"""
_RENEW = """
    UPDATE esign_import.lease SET expires_at = clock_timestamp() + make_interval(secs => %s)
    WHERE ledger = %s AND token = %s
"""
# Who holds a transaction open although the lease has run out was stopped or cut off in it, and would hold it for ever.
_END_TRANSACTIONS = """
    SELECT pg_terminate_backend(pg_locks.pid) FROM pg_locks, esign_import.lease
    WHERE relation = to_regclass(%s) AND mode = 'RowShareLock' AND granted
        AND ledger = %s AND expires_at < clock_timestamp()
"""
# The lock is looked for, not taken: a holder that takes it again meanwhile would not get it.
_HOLDER = """
    SELECT run, since, lease.pid, holder, host FROM esign_import.lease, pg_locks
    WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (classid::bigint << 32) | objid::bigint = %s AND objsubid = 1 AND granted
        AND ledger = %s AND expires_at >= clock_timestamp()
"""
_RELEASE = "UPDATE esign_import.lease SET expires_at = NULL WHERE ledger = %s AND token = %s"


class Lease(AbstractContextManager["Lease"]):
    """The lease of a tenant's ledger, taken without waiting and renewed by a thread until it is released or lost."""

    def __init__(
        self, address: ServerAddress, tenant: str, secret: str, *, seconds: float = LEASE_SECONDS
    ) -> None:
        self.epoch = 0
        self.token = ""
        self._address = address
        self._ledger = name_schema(tenant)
        self._tenant = tenant
        self._secret = secret
        self._seconds = seconds
        self._connection: psycopg.Connection | None = None
        self._has_advisory_lock = False
        self._is_over = False  # released, or lost
        self._lost = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._keep_renewing, name="ledger-lease", daemon=True)

    def acquire(self, *, run: str, now: float) -> Self:
        """Take the lease for a run that begins at ``now`` (unix seconds).

        Raises Locked naming the holder, LedgerError where the server cannot be used, or its operator's secret is another one.
        """
        self._connection = connection = self._connect()
        try:
            require_durable_commits(connection, self._address)
            prepare_database(connection, self._address, self._secret)
            _limit_lock_waits(connection)
            connection.execute(
                "INSERT INTO esign_import.lease (ledger, tenant, epoch) VALUES (%s, %s, 0) ON CONFLICT DO NOTHING",
                [self._ledger, self._tenant],
            )
            self.epoch, self.token = self._take(connection, run, now)
        except psycopg.Error as error:
            connection.close()
            raise explain_server_error(self._address, error) from error
        except (Locked, LedgerError):
            connection.close()
            raise
        self._thread.start()
        return self

    def is_intact(self) -> bool:
        """Return whether no other process is known to have taken the lease."""
        return not self._lost.is_set()

    def explain_loss(self) -> LeaseLost:
        """Return the error for a lease that another process has taken."""
        return LeaseLost("ledger.lease_lost", server=self._address.shown)

    def require(self, connection: psycopg.Connection) -> None:
        """Keep the lease from being taken until the end of a transaction; LeaseLost once another process has it."""
        statement = "SELECT token FROM esign_import.lease WHERE ledger = %s FOR KEY SHARE"
        if connection.execute(statement, [self._ledger]).fetchone() != (self.token,):
            self.note_loss()
            raise self.explain_loss()

    def note_loss(self) -> None:
        """Note that another process has taken the lease."""
        self._lost.set()
        self._end()

    def renew_soon(self) -> None:
        """Have the lease renewed now: the server was away, and the connection that held the advisory lock has ended."""
        self._wake.set()

    def release(self) -> None:
        """Give the lease back; one that cannot be given back runs out by itself."""
        self._end()
        if self._thread.is_alive():
            self._thread.join()
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.execute(_RELEASE, [self._ledger, self.token])
            self._connection.close()

    def __exit__(self, *_: object) -> None:
        self.release()

    def is_taken(self) -> bool:
        """Return whether a process holds the lease."""
        return self.get_holder() is not None

    def get_holder(self) -> Holder | None:
        """Return which process holds the lease."""
        with connect_server(self._address, purpose="status") as connection:
            try:
                row = connection.execute(_HOLDER, [_number_lock(self._ledger), self._ledger]).fetchone()
            except psycopg.errors.UndefinedTable:
                return None
            return None if row is None else _make_holder(*row)

    def _connect(self) -> psycopg.Connection:
        return open_connection(self._address, purpose="lease", patience=PATIENCE_SECONDS)

    def _take(self, connection: psycopg.Connection, run: str, now: float) -> tuple[int, str]:
        row = connection.execute(
            "SELECT token, run, since, pid, holder, host FROM esign_import.lease WHERE ledger = %s",
            [self._ledger],
        ).fetchone()
        assert row is not None
        token, *former = row
        self._has_advisory_lock = _take_advisory_lock(connection, self._ledger)
        holder = Holder.of_this_process(run, now)
        values = {
            "ledger": self._ledger,
            "run": holder.run,
            "host": holder.host,
            "pid": holder.pid,
            "holder": holder.user,
            "since": now,
            "seconds": self._seconds,
            "connection_ended": self._has_advisory_lock,
            "token": token,
        }
        try:
            taken = connection.execute(_TAKE, values).fetchone()
        except psycopg.errors.LockNotAvailable:  # a transaction of the holder's is still under way
            connection.execute(_END_TRANSACTIONS, [f"{self._ledger}.meta", self._ledger])
            taken = connection.execute(_TAKE, values).fetchone()
        if taken is None:
            raise _make_holder(*former).explain()
        return taken[0], taken[1]

    def _end(self) -> None:
        self._is_over = True
        self._wake.set()

    def _keep_renewing(self) -> None:
        wait = self._seconds / RENEWALS
        while not self._is_over:
            self._wake.wait(wait)
            self._wake.clear()
            if not self._is_over:
                is_renewed = self._renew() or self._renew()  # at once where only the connection had ended
                wait = (
                    self._seconds / RENEWALS if is_renewed else min(RETRY_SECONDS, self._seconds / RENEWALS)
                )

    def _renew(self) -> bool:
        """Renew the lease; return False where the server could not be reached. A lease that is not renewed runs out."""
        try:
            if self._connection is None or self._connection.closed:
                self._reconnect()
            assert self._connection is not None
            if (
                not self._has_advisory_lock
            ):  # the server may take a minute to notice that our former connection ended
                self._has_advisory_lock = _take_advisory_lock(self._connection, self._ledger)
            renewed = self._connection.execute(_RENEW, [self._seconds, self._ledger, self.token])
        except (psycopg.Error, LedgerError, UsageError):
            return False
        if renewed.rowcount == 0:
            self.note_loss()
        return True

    def _reconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._has_advisory_lock = False
        self._connection = self._connect()
        _limit_lock_waits(self._connection)


class ServerHold(DoubleHold):
    """The hold of a ledger on a server: a lock in the state folder, and the lease.

    Two processes of one user on a host write one journal; the lease knows only those that reach the same server.
    """

    def __init__(self, address: ServerAddress, places: Places, secret: str) -> None:
        self.lease = Lease(address, places.tenant, secret)
        super().__init__(RunLock(places.lock_base), self.lease)

    def require_in(self, connection: psycopg.Connection) -> None:
        """Keep the ledger from being taken until the end of a transaction; LeaseLost once another process has it."""
        self.require()
        self.lease.require(connection)


def _limit_lock_waits(connection: psycopg.Connection) -> None:
    connection.execute(f"SET lock_timeout = {LOCK_SECONDS * 1000:.0f}".encode())


def _make_holder(run: str, since: float, pid: int, user: str, host: str) -> Holder:
    """Return the holder from the columns of a lease."""
    return Holder(run, stamp(since), pid, user, host)


def _take_advisory_lock(connection: psycopg.Connection, ledger: str) -> bool:
    """Take the lock that ends with its connection; False while another connection has it."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [_number_lock(ledger)]).fetchone()
    return row is not None and bool(row[0])


def _number_lock(ledger: str) -> int:
    return int.from_bytes(hashlib.sha256(ledger.encode()).digest()[:8], "big", signed=True)
