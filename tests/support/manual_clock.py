"""A clock that tests move by hand."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from datetime import UTC, date, datetime

TICK = 1e-6  # seconds: a manual sleep is never shorter, or rounding could keep a waiter waiting for ever


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
    for _ in range(rounds):
        await asyncio.sleep(0)
