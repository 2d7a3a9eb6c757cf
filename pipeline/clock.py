"""The only place that reads time or waits."""

from __future__ import annotations

import heapq
import itertools
import time
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # `esign-import --help` reads no clock, and asyncio imports ssl
    import asyncio

TICK = 1e-6  # seconds: a manual sleep is never shorter, or rounding could keep a waiter waiting for ever


class Clock(Protocol):
    """Wall time for signing and records, a steady one for pacing and time-outs."""

    def now(self) -> float:
        """Return unix seconds."""

    def monotonic(self) -> float:
        """Return steady seconds from an arbitrary start."""

    async def sleep(self, seconds: float) -> None:
        """Wait; zero or less gives way once."""

    def today(self) -> date:
        """Return the local calendar day."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Return unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return steady seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        import asyncio  # noqa: PLC0415

        await asyncio.sleep(max(0.0, seconds))

    def today(self) -> date:
        """Return the local calendar day."""
        return datetime.fromtimestamp(self.now(), UTC).astimezone().date()


def pause(seconds: float) -> None:
    """Wait a moment outside any event loop: for a file that another process is about to write."""
    time.sleep(seconds)


class ManualClock:
    """A clock whose hand is moved by ``advance``: no test waits for real seconds.

    ``monotonic`` and ``now`` move together; sleepers wake in the order of their deadlines.
    """

    def __init__(self, start: float = 1_795_000_000.0) -> None:
        self._start = start
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = itertools.count()

    def now(self) -> float:
        """Return unix seconds."""
        return self._start + self._elapsed

    def monotonic(self) -> float:
        """Return seconds since the clock was made."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Wait until the hand has moved that far."""
        import asyncio  # noqa: PLC0415

        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        deadline = self._elapsed + max(seconds, TICK)
        heapq.heappush(self._sleepers, (deadline, next(self._count), future))
        await future

    def today(self) -> date:
        """Return the calendar day in UTC."""
        return datetime.fromtimestamp(self.now(), UTC).date()

    async def advance(self, seconds: float) -> None:
        """Move the hand, stopping at every deadline on the way so that its sleeper runs at its own time."""
        goal = self._elapsed + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= goal:
            deadline, _, future = heapq.heappop(self._sleepers)
            self._elapsed = max(self._elapsed, deadline)
            if not future.done():
                future.set_result(None)
            await settle()
        self._elapsed = goal


async def settle(rounds: int = 20) -> None:
    """Let everything that can run on the event loop run."""
    import asyncio  # noqa: PLC0415

    for _ in range(rounds):
        await asyncio.sleep(0)


def stamp(seconds: float) -> str:
    """Return unix seconds as local ISO 8601 to the second, with its offset: 2026-11-25T02:00:00+08:00."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(timespec="seconds")


def shown(stamped: str, *, to: int = 16) -> str:
    """Return a `stamp` as a person reads it: 2026-11-25 02:00; up to 19 characters with the seconds."""
    return stamped[:to].replace("T", " ")


def utc_date(seconds: float) -> str:
    """Return the UTC calendar day of a moment as 2026-11-25."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def run_id(seconds: float) -> str:
    """Return the name of a run that starts at this moment: local time to the millisecond, safe in a path."""
    moment = datetime.fromtimestamp(seconds, UTC).astimezone()
    return f"{moment:%Y%m%d-%H%M%S}-{moment.microsecond // 1000:03d}"
