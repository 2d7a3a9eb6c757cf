"""The rows from which all processes take their slots: one for each action, by the clock of the server alone.

Taking a slot is one statement. It advances the next slot of the row and returns how long to wait after the answer, so no
two clocks are compared. The learnt pace is stored in the row as text. A row that is lost with the last commits of the
server costs nothing: the statement does not wait for its commit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, LiteralString, TypeVar

import psycopg

from pipeline.clock import Clock, SystemClock
from pipeline.domain.server_address import ServerAddress
from pipeline.errors import LedgerError
from pipeline.hosts.connection import (
    SHARED_SCHEMA,
    explain_server_error,
    has_table,
    is_server_away,
    open_connection,
)
from pipeline.hosts.schema import make_shared_schema

AWAY_SECONDS = 60.0  # for which the server may be away: restarting, or another one taking over
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # between two attempts to reach it
CLOSE_SECONDS = 2.0  # that the end of the connection is waited for
STATEMENT_SECONDS = 10.0  # that a statement may take
FORGET_IDLE_SECONDS = 3600.0  # a row that was not used for so long begins anew …
FORGET_SECONDS = 86_400.0  # … and so does one that has learnt for so long: a lower limit may be over
KEEP_THROTTLES_SECONDS = 3600.0

_BEGIN = """
    INSERT INTO rate (action, requests_per_second, next_slot, spacing, began, pacing)
    VALUES (%(action)s, %(rate)s, server_seconds(), %(spacing)s, server_seconds(), %(pacing)s)
    ON CONFLICT (action) DO UPDATE SET
        requests_per_second = excluded.requests_per_second, spacing = excluded.spacing, pacing = excluded.pacing,
        began = excluded.began, calls_at_pace = 0, version = rate.version + 1
    WHERE rate.requests_per_second > excluded.requests_per_second
        OR rate.next_slot < server_seconds() - %(forget_idle)s OR rate.began < server_seconds() - %(forget)s
"""
# Where the next slot is farther ahead than any call waits, the server's clock was set back.
_TAKE_SLOT = """
    WITH taken AS (
        UPDATE rate SET
            next_slot = spacing + CASE WHEN next_slot > server_seconds() + 60 + 20 * spacing THEN server_seconds()
                                       ELSE greatest(next_slot, server_seconds() - spacing / 2) END,
            calls_at_pace = calls_at_pace + (next_slot > server_seconds())::int,
            minute = greatest(minute, present_minute),
            slots = 1 + CASE WHEN minute >= present_minute THEN slots ELSE 0 END,
            slots_before = CASE WHEN minute >= present_minute THEN slots_before WHEN minute = present_minute - 1 THEN slots ELSE 0 END
        FROM (SELECT floor(server_seconds() / 60)::bigint AS present_minute) AS present
        WHERE action = %(action)s
            AND (next_slot <= server_seconds() + %(slots_ahead)s * spacing
                 OR next_slot > server_seconds() + 60 + 20 * spacing)
        RETURNING true, next_slot - spacing, spacing, pushed, calls_at_pace, version, pacing
    ), answer (is_taken, moment, spacing, pushed, calls_at_pace, version, pacing) AS (
        SELECT * FROM taken UNION ALL
        SELECT false, next_slot - %(slots_ahead)s * spacing, spacing, pushed, calls_at_pace, version, pacing
        FROM rate WHERE action = %(action)s AND NOT EXISTS (SELECT FROM taken)
    )
    SELECT is_taken, moment - server_seconds(), spacing, pushed, calls_at_pace, version, pacing, server_seconds()
    FROM answer
"""
_READ = "SELECT pacing, version, server_seconds() FROM rate WHERE action = %(action)s"
_REPLACE = """
    UPDATE rate SET pacing = %(pacing)s, spacing = %(spacing)s, version = version + 1, calls_at_pace = 0
    WHERE action = %(action)s AND version = %(version)s
"""
# The slots that are taken and still to come lie a spacing apart before the next one, none before the end of the last
# hold. All of them are pushed until the first of them is `hold` seconds away.
_PUSH = """
    WITH row AS (
        SELECT next_slot, held_until, spacing, server_seconds() AS now FROM rate
        WHERE action = %(action)s
    ), ahead AS (
        SELECT CASE WHEN held_until > now THEN floor((next_slot - held_until) / spacing + 0.01)
                         ELSE floor((next_slot - now) / spacing - 0.01) END AS slots FROM row
    ), push AS (
        SELECT row.now + %(hold)s AS until, greatest(0, row.now + %(hold)s - (next_slot - greatest(0, slots) * spacing)) AS seconds
        FROM row, ahead
    )
    UPDATE rate SET next_slot = next_slot + seconds, pushed = pushed + seconds, held_until = greatest(held_until, until)
    FROM push WHERE action = %(action)s
    RETURNING pushed
"""
# the lock of the row in `rate`, which the transaction has, keeps two of them from deleting the same rows
_COUNT_THROTTLE = """
    WITH old AS (
        DELETE FROM throttle WHERE action = %(action)s AND at < server_seconds() - %(kept)s
    )
    INSERT INTO throttle (action, at) VALUES (%(action)s, server_seconds())
"""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class SlotAnswer:
    """The answer to a request for a slot."""

    is_taken: bool  # False: too many slots ahead of it are taken
    # seconds until the slot, below zero for one that is late; where it is not taken, until it is worth asking again
    wait: float
    spacing: float
    pushed: float  # seconds by which all slots were pushed since the row was made
    calls_at_pace: int  # since the pacing changed
    version: int  # of the pacing
    pacing: str
    now: float  # unix seconds of the server's clock
    arrived_at: float  # monotonic seconds of this process, when the answer came


@dataclass(frozen=True, slots=True)
class StoredPacing:
    """What a row has learnt, and when it was read."""

    pacing: str
    version: int
    now: float  # unix seconds of the server's clock


@dataclass(frozen=True, slots=True)
class PacingChange:
    """What a row is to remember."""

    pacing: str
    spacing: float
    hold: float = 0.0  # seconds until the next call may leave


@dataclass(frozen=True, slots=True)
class FirstPacing:
    """With what a row begins; one of a higher limit, or of long ago, begins anew with it."""

    requests_per_second: float
    pacing: str
    spacing: float


class RateRows:
    """The rows of all actions; every method runs in one thread with one connection, made at the first use."""

    def __init__(self, address: ServerAddress, first: FirstPacing, clock: Clock) -> None:
        self._address = address
        self._first = first
        self._begun: set[str] = set()  # actions whose rows are there
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "rate")
        self._is_closed = threading.Event()
        self._connection: psycopg.Connection | None = None

    def take_slot(self, action: str, slots_ahead: float) -> Future[SlotAnswer]:
        """Take an action's next slot, unless more than ``slots_ahead`` slots before it are still to come."""

        def take(connection: psycopg.Connection) -> SlotAnswer:
            while True:
                if action not in self._begun:
                    self._begin(connection, action)
                row = self._execute(connection, _TAKE_SLOT, action, {"slots_ahead": slots_ahead}).fetchone()
                if row is not None:
                    return SlotAnswer(*(*row, self._clock.monotonic()))
                self._begun.discard(action)  # the row was lost with the server's last commits

        return self._submit(take)

    def change_pacing(
        self, action: str, change: Callable[[StoredPacing], PacingChange | None]
    ) -> Future[float]:
        """Replace what a row has learnt by what ``change`` makes of it; None leaves it. Gives its ``pushed``.

        ``change`` is called again where another process was quicker.
        """

        def replace(connection: psycopg.Connection) -> float:
            pushed = 0.0
            is_replaced = False
            while not is_replaced:
                row = self._execute(connection, _READ, action, {}).fetchone()
                stored = StoredPacing(*row) if row is not None else None
                changed = change(stored) if stored is not None else None
                if stored is None or changed is None:
                    break
                values = {"pacing": changed.pacing, "spacing": changed.spacing, "version": stored.version}
                with connection.transaction():
                    if changed.hold:
                        row = self._execute(connection, _PUSH, action, {"hold": changed.hold}).fetchone()
                        pushed = row[0] if row is not None else 0.0
                        self._execute(connection, _COUNT_THROTTLE, action, {"kept": KEEP_THROTTLES_SECONDS})
                    is_replaced = self._execute(connection, _REPLACE, action, values).rowcount == 1
                    if not is_replaced:
                        raise psycopg.Rollback
            return pushed

        return self._submit(replace)

    def close(self) -> None:
        """End the thread and its connection."""
        self._is_closed.set()
        with suppress(RuntimeError, TimeoutError):  # a second time, or a server that is silent
            self._thread.submit(self._disconnect).result(CLOSE_SECONDS)
        self._thread.shutdown(wait=False)

    def _begin(self, connection: psycopg.Connection, action: str) -> None:
        first = self._first
        values = {
            "rate": first.requests_per_second,
            "spacing": first.spacing,
            "pacing": first.pacing,
            "forget_idle": FORGET_IDLE_SECONDS,
            "forget": FORGET_SECONDS,
        }
        self._execute(connection, _BEGIN, action, values)
        self._begun.add(action)

    def _execute(
        self, connection: psycopg.Connection, statement: LiteralString, action: str, values: dict[str, Any]
    ) -> psycopg.Cursor:
        return connection.execute(statement, {"action": action, **values})

    def _submit(self, work: Callable[[psycopg.Connection], Answer]) -> Future[Answer]:
        return self._thread.submit(self._run, work)

    def _run(self, work: Callable[[psycopg.Connection], Answer]) -> Answer:
        """Do some work; where the server is away, do it again once it is back. Raises LedgerError after a minute."""
        clock, pause = SystemClock(), FIRST_PAUSE  # it waits outside the event loop, in real seconds
        gives_up_at = clock.monotonic() + AWAY_SECONDS
        while True:
            try:
                return work(self._connect())
            except (psycopg.Error, LedgerError) as error:
                is_away = is_server_away(error, self._connection)
                self._disconnect()
                if not is_away or clock.monotonic() > gives_up_at or self._is_closed.wait(pause):
                    if isinstance(error, LedgerError):
                        raise
                    raise explain_server_error(self._address, error) from error
                pause = min(2 * pause, LONGEST_PAUSE)

    def _connect(self) -> psycopg.Connection:
        if self._connection is None:
            self._connection = open_connection(self._address, purpose="rate", patience=STATEMENT_SECONDS)
            self._connection.execute("SET synchronous_commit = off")
            if not has_table(self._connection, f"{SHARED_SCHEMA}.rate"):
                make_shared_schema(self._connection)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
