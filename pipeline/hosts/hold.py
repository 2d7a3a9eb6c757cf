"""The hold of a ledger on a server: an advisory lock on the connection that writes, and an epoch that every transaction proves.

A process that is killed, cut off or stopped loses connection and lock together: the server ends a session that shows no
life for `SILENT_SECONDS`, and so does a process that wants the ledger. A holder that connects again needs the lock, and
finds its epoch in the ledger unless another process has taken it meanwhile. An epoch is drawn at random, not counted: a
server that lost its last commits would count to the same number again.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from secrets import token_hex
from typing import Self

import psycopg

from pipeline.clock import stamp
from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.domain.site_key import SiteKey
from pipeline.errors import HoldLost, Locked
from pipeline.hosts.connection import (
    PostgresConnection,
    connect_server,
    explain_server_error,
    has_table,
    open_connection,
    require_durable_commits,
)
from pipeline.hosts.operator_secret import prepare_database, wrap_key
from pipeline.ledger.lock import Hold, Holder, RunLock
from pipeline.ledger.places import Places
from pipeline.ledger.tables import Connection

SILENT_SECONDS = 60.0  # after which a session without a statement is ended
BEAT_SECONDS = 15.0  # between two statements of a writer that has nothing to write
PATIENCE_SECONDS = 50.0  # that one statement may take
END_SECONDS = 10.0  # that the end of a session is waited for

# The number of the lock follows from the name of the schema, here and in `held_ledgers` (schema.py).
_TAKE = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0)), pg_backend_pid()"
_SESSIONS = """
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND datname = current_database() AND database = datid
        AND (classid::bigint << 32) | objid::bigint = hashtextextended(%(ledger)s, 0)
"""
_END_SESSION = f"""
    SELECT pg_terminate_backend(pid, %(wait)s) {_SESSIONS}
        AND (pid = %(former)s OR clock_timestamp() - state_change > make_interval(secs => %(silent)s))
"""
_ENTER = "UPDATE meta SET epoch = ?, run = ?, since = ?, pid = ?, holder = ?, host = ?"


class ServerHold(Hold):
    """The hold of a ledger on a server: a lock in the state folder, and the lock and the epoch on the server.

    Two processes of one user on a host write one journal; the server's lock knows only those that reach the same server.
    """

    def __init__(self, address: ServerAddress, places: Places, secret: str) -> None:
        super().__init__(RunLock(places.lock_base))
        self.address = address
        self.schema = name_schema(places.tenant)
        self.epoch = ""
        self.connection: psycopg.Connection | None = None  # None: it broke, or is not held
        self._tenant = places.tenant
        self._secret = secret
        self._backend = 0  # the server's process of the connection
        self._run, self._since = "", 0.0
        self._is_lost = False

    def release(self) -> None:
        """Give the hold back; without a statement of its own the server would end the lock a moment later."""
        if self.connection is not None:
            with suppress(psycopg.Error):
                self.connection.execute("SELECT pg_advisory_unlock_all()")
        self.disconnect()
        super().release()

    def is_intact(self) -> bool:
        """Return whether no other process is known to have taken the ledger."""
        return not self._is_lost and super().is_intact()

    def explain_loss(self) -> HoldLost:
        """Return the error for a ledger that another process may have."""
        if self._is_lost:
            return HoldLost("ledger.hold_lost", server=self.address.shown)
        return super().explain_loss()

    def is_taken(self) -> bool:
        """Return whether a process has the hold."""
        if super().is_taken():
            return True
        with connect_server(self.address, purpose="status") as connection:
            return self._is_locked(connection)

    def get_holder(self) -> Holder | None:
        """Return the process that has the hold; None where it is free, or its name is not entered yet."""
        if holder := super().get_holder():
            return holder
        with connect_server(self.address, purpose="status", schema=self.schema) as connection:
            return self._read_holder(connection)

    def connect(self) -> psycopg.Connection:
        """Return the connection that writes; one that broke is replaced by another one that has the lock.

        Raises HoldLost where another process has taken the ledger.
        """
        if self.connection is None:
            self.require()
            connection = self._open_connection()
            try:
                if not self._take_lock(connection):
                    self._require_epoch(connection.execute("SELECT epoch FROM meta").fetchone())
                    raise psycopg.errors.LockNotAvailable("the former connection still has the lock")
            except BaseException:
                connection.close()
                raise
            self.connection = connection
        return self.connection

    def disconnect(self) -> None:
        """End the connection, and with it what it has begun; the server gives the lock to the next one."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def enter_key(self, site_key: SiteKey) -> None:
        """Enter the site key of a ledger that was just made, and who holds it, in the transaction that makes it."""
        ledger = PostgresConnection(self.connect())
        ledger.execute("UPDATE meta SET wrapped_key = ?", (wrap_key(site_key, self._secret),))
        self._enter_holder(ledger)

    def prove(self, ledger: Connection) -> None:
        """Keep the ledger from being taken until the end of a transaction; HoldLost once another process has it."""
        self.require()
        self._require_epoch(ledger.execute("SELECT epoch FROM meta FOR SHARE").fetchone())

    def _enter_holder(self, ledger: PostgresConnection) -> None:
        holder = Holder.of_this_process(self._run, self._since)
        values = (self.epoch, holder.run, self._since, holder.pid, holder.user, holder.host)
        ledger.execute(_ENTER, values)

    def _require_epoch(self, row: tuple[str | None] | None) -> None:
        if row != (self.epoch,):
            self._is_lost = True
            self.disconnect()  # the lock is not kept from the others
            raise self.explain_loss()

    def _acquire(self, run: str, now: float) -> Self:
        with ExitStack() as taken:
            super()._acquire(run, now)
            taken.callback(self.release)
            self.epoch, self._run, self._since = token_hex(16), run, now
            self._backend, self._is_lost = 0, False
            try:
                self._take()
            except psycopg.Error as error:
                raise explain_server_error(self.address, error) from error
            taken.pop_all()
        return self

    def _take(self) -> None:
        """Take the lock, and enter the holder in the ledger, if there is one. Raises Locked."""
        self.connection = connection = self._open_connection()
        prepare_database(connection, self.address, self._secret, self._tenant)
        if not self._take_lock(connection):
            holder = self._read_holder(connection)
            raise holder.explain() if holder else Locked("ledger.locked_by_somebody", path=self.address.shown)
        if has_table(connection, f"{self.schema}.meta"):
            self._enter_holder(PostgresConnection(connection))

    def _open_connection(self) -> psycopg.Connection:
        connection = open_connection(
            self.address,
            purpose="writer",
            schema=self.schema,
            patience=PATIENCE_SECONDS,
            idle_seconds=SILENT_SECONDS,
        )
        try:
            require_durable_commits(connection, self.address)  # after a fail-over it is another server
        except BaseException:
            connection.close()
            raise
        return connection

    def _take_lock(self, connection: psycopg.Connection) -> bool:
        """Take the lock; a silent session that has it, and this hold's former one, are ended first."""
        for _ in range(2):
            ((is_taken, backend),) = connection.execute(_TAKE, [self.schema]).fetchall()
            if is_taken:
                self._backend = backend
                return True
            values = {
                "ledger": self.schema,
                "former": self._backend,
                "silent": SILENT_SECONDS,
                "wait": int(END_SECONDS * 1000),
            }
            with suppress(psycopg.errors.InsufficientPrivilege):  # a session of another role
                connection.execute(_END_SESSION, values)
        return False

    def _is_locked(self, connection: psycopg.Connection) -> bool:
        return connection.execute(f"SELECT 1 {_SESSIONS}", {"ledger": self.schema}).fetchone() is not None

    def _read_holder(self, connection: psycopg.Connection) -> Holder | None:
        if not self._is_locked(connection) or not has_table(connection, f"{self.schema}.meta"):
            return None
        question = "SELECT run, since, pid, holder, host FROM meta WHERE epoch IS NOT NULL"
        row = connection.execute(question).fetchone()
        if row is None:
            return None
        run, since, pid, user, host = row
        return Holder(run, stamp(since), pid, user, host)
