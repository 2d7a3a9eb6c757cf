"""Rate limiter of several processes and hosts that share one limit; its slots come from a row in the ledger's database.

An action has one row. Taking a slot is one statement that advances the row's next slot by the clock of the server and
returns how long to wait: no two clocks are compared. A process takes its next slot once the one before is over, so
processes take turns. A row that is lost with the last commits of the server costs nothing: no statement waits for its
commit.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import psycopg

from pipeline.clock import Clock, SystemClock
from pipeline.domain.server_address import ServerAddress
from pipeline.errors import LedgerError
from pipeline.esign.rate_limiter import (
    GROWTH,
    HOLD_SECONDS,
    LATE_SECONDS,
    Limiter,
    compute_spacing,
)
from pipeline.hosts.connection import (
    SHARED_SCHEMA,
    explain_server_error,
    has_table,
    is_server_away,
    open_connection,
)
from pipeline.hosts.schema import make_shared_schema
from pipeline.support.progress_file import record_progress

LOG = logging.getLogger(__name__)
AWAY_SECONDS = 60.0  # for which the server may be away: restarting, or another one taking over
PAUSE_SECONDS = 0.2  # between two attempts to reach it
CLOSE_SECONDS = 2.0  # that the end of the connection is waited for
STATEMENT_SECONDS = 10.0  # that a statement may take
FORGET_SECONDS = 3600.0  # without a throttle, after which a run begins with the first spacing again

# The smallest limit counts, until the row was not used for an hour.
_BEGIN = """
    INSERT INTO rate (action, requests_per_second, next_slot, spacing)
    VALUES (%(action)s, %(rate)s, server_seconds(), %(spacing)s)
    ON CONFLICT (action) DO UPDATE SET
        requests_per_second = excluded.requests_per_second,
        spacing = greatest(excluded.spacing,
            CASE WHEN rate.held_until > server_seconds() - %(forget)s THEN rate.spacing ELSE 0 END)
    WHERE rate.requests_per_second >= excluded.requests_per_second
        OR rate.next_slot < server_seconds() - %(forget)s
"""
# Where the next slot is farther ahead than any call waits, the server's clock was set back.
_TAKE_SLOT = """
    UPDATE rate SET
        next_slot = spacing + %(extra)s
            + CASE WHEN next_slot > server_seconds() + 60 + 20 * spacing THEN server_seconds() + %(hold)s
                   ELSE greatest(next_slot, server_seconds()) END,
        minute = greatest(minute, present_minute),
        slots = 1 + CASE WHEN minute >= present_minute THEN slots ELSE 0 END,
        slots_before = CASE WHEN minute >= present_minute THEN slots_before WHEN minute = present_minute - 1 THEN slots ELSE 0 END
    FROM (SELECT floor(server_seconds() / 60)::bigint AS present_minute) AS present
    WHERE action = %(action)s
    RETURNING next_slot - spacing - %(extra)s - server_seconds()
"""
_SLOW_DOWN = """
    UPDATE rate SET
        next_slot = greatest(next_slot, server_seconds() + %(hold)s),
        spacing = greatest(spacing * CASE WHEN held_until > server_seconds() THEN 1 ELSE %(growth)s END, %(least)s),
        held_until = server_seconds() + %(hold)s,
        throttles = array_append(
            array(SELECT moment FROM unnest(throttles) AS moment WHERE moment > server_seconds() - 60), server_seconds())
    WHERE action = %(action)s
"""

Answer = TypeVar("Answer")


class SharedRateLimiter(Limiter):
    """Limiter whose slots come from rows on a server; ``close`` ends it."""

    waiting_seconds = 0.5  # the calls of other processes come between: a connection waits longer

    def __init__(
        self, address: ServerAddress, requests_per_second: float, clock: Clock | None = None
    ) -> None:
        super().__init__(clock)
        self._address = address
        self._rate = requests_per_second
        self._throttles: defaultdict[str, int] = defaultdict(int)  # of this process
        self._begun: set[str] = set()  # actions whose rows are there
        self._thread = ThreadPoolExecutor(1, "rate")  # for every statement, in their order
        self._is_closed = threading.Event()
        self._connection: psycopg.Connection | None = None

    def close(self) -> None:
        """End the thread and its connection."""
        self._is_closed.set()
        with suppress(RuntimeError, TimeoutError):  # a second time, or a server that is silent
            self._thread.submit(self._disconnect).result(CLOSE_SECONDS)
        self._thread.shutdown(wait=False)

    def record_throttle(self, action: str, stated_limit: int | None) -> None:
        """Put the next slot of all processes off. Each may still use the one that it has."""
        self._throttles[action] += 1
        least_spacing = compute_spacing(stated_limit or self._rate)
        values = {"action": action, "hold": HOLD_SECONDS, "growth": GROWTH, "least": least_spacing}
        done = self._submit(lambda connection: connection.execute(_SLOW_DOWN, values))
        done.add_done_callback(_log_failure)

    async def _wait_for_slot(self, action: str) -> float:
        while True:
            throttles = self._throttles[action]
            extra = self._compute_extra(action)
            asked_at = self.clock.monotonic()
            wait = await self._take_slot(action, extra)
            due = self.clock.monotonic() + wait
            while (rest := due - self.clock.monotonic()) > 0:
                await self.clock.sleep(rest)
            # The answer may have come late: how late the call is, counts from the request.
            latest = asked_at + wait + LATE_SECONDS + extra
            if self.clock.monotonic() > latest:
                self._misses[action] += 1
            elif self._throttles[action] == throttles:
                return latest

    async def _take_slot(self, action: str, extra: float) -> float:
        """Take the row's next slot, ``extra`` seconds longer than the spacing; return how long after the answer it is."""
        wait = await asyncio.wrap_future(self._submit(partial(self._take_row_slot, action, extra)))
        record_progress()  # a run waits behind others as long as they send
        return wait

    def _take_row_slot(self, action: str, extra: float, connection: psycopg.Connection) -> float:
        while True:
            if action not in self._begun:
                spacing = compute_spacing(self._rate)
                values = {"action": action, "rate": self._rate, "spacing": spacing, "forget": FORGET_SECONDS}
                connection.execute(_BEGIN, values)
                self._begun.add(action)
            values = {"action": action, "hold": HOLD_SECONDS, "extra": extra}
            row = connection.execute(_TAKE_SLOT, values).fetchone()
            if row is not None:
                return float(row[0])
            self._begun.discard(action)  # it was lost with the server's last commits

    def _submit(self, work: Callable[[psycopg.Connection], Answer]) -> Future[Answer]:
        return self._thread.submit(self._run, work)

    def _run(self, work: Callable[[psycopg.Connection], Answer]) -> Answer:
        """Do some work; where the server is away, do it again once it is back. Raises LedgerError after a minute."""
        clock = SystemClock()  # it waits outside the event loop, in real seconds
        gives_up_at = clock.monotonic() + AWAY_SECONDS
        while True:
            try:
                return work(self._connect())
            except (psycopg.Error, LedgerError) as error:
                is_away = is_server_away(error, self._connection)
                self._disconnect()
                if not is_away or clock.monotonic() > gives_up_at or self._is_closed.wait(PAUSE_SECONDS):
                    if isinstance(error, LedgerError):
                        raise
                    raise explain_server_error(self._address, error) from error

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


def _log_failure(done: Future[Any]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        # the next slot fails for the same reason
        LOG.warning("the pace was not recorded", extra={"reason": str(error)})
