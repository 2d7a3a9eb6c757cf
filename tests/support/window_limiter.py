"""Another limiter than the even one: a window over the last second, as a counter on a database server would keep it."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from pipeline.clock import Clock
from pipeline.esign.rate_limiter import Limiter


class WindowLimiter(Limiter):
    """At most so many calls of an action in any second: bursts are let through, then everybody waits."""

    def __init__(self, calls: int, clock: Clock) -> None:
        self._clock = clock
        self._calls = calls
        self._departures: defaultdict[str, list[float]] = defaultdict(list)
        self._queue = asyncio.Lock()
        self.throttles: list[tuple[str, int | None, int | None]] = []  # action, granted, counted
        self.waiting: defaultdict[str, int] = defaultdict(int)  # slots given and not yet used

    async def acquire(self, action: str) -> None:
        await asyncio.sleep(0)  # the way to a server
        self.waiting[action] += 1

    async def record_departure(self, action: str) -> None:
        async with self._queue:
            departures = self._departures[action]
            while len(departures) >= self._calls and departures[-self._calls] > self._clock.monotonic() - 1:
                await self._clock.sleep(departures[-self._calls] + 1.001 - self._clock.monotonic())
            departures.append(self._clock.monotonic())

    def record_throttle(self, action: str, granted: int | None, counted: int | None) -> None:
        self.throttles.append((action, granted, counted))

    def list_departures(self, action: str) -> tuple[float, ...]:
        return tuple(self._departures[action])
