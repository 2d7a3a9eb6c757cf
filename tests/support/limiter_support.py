"""Calls that leave late, by a limiter under a manual clock."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from random import Random

from manual_clock import ManualClock

from pipeline.esign.rate_limiter import Limiter

ACTION = "Create"


async def send(limiter: Limiter, times: int, choose_delay: Callable[[], float] = float) -> None:
    """Send calls that leave so many seconds after their slots came."""
    for _ in range(times):
        has_left = False
        while not has_left:
            latest = await limiter.acquire(ACTION)
            if delay := choose_delay():
                await limiter.clock.sleep(delay)
            has_left = limiter.record_departure(ACTION, latest)


class SleepyClock(ManualClock):
    """A clock whose sleepers wake up late, sometimes very late."""

    def __init__(self, chance: Random, late: float) -> None:
        super().__init__()
        self._chance, self._late = chance, late

    async def sleep(self, seconds: float) -> None:
        await super().sleep(max(0.0, seconds) + self._late * self._chance.random() ** 3)


async def send_late(limiters: Sequence[Limiter], chance: Random, seconds: float) -> tuple[float, ...]:
    """Send with random delays and throttles; return when the calls of all limiters left."""
    clock = limiters[0].clock
    assert isinstance(clock, ManualClock)
    delays = [0.0, 0.0, 0.0, 0.001, 0.01, 0.03, 0.2]
    throttles = chance.choice([0.0, 0.01])

    async def work(limiter: Limiter) -> None:
        while True:
            await send(limiter, 1, lambda: chance.choice(delays))
            if chance.random() < throttles:
                limiter.record_throttle(ACTION, None)

    working = [asyncio.ensure_future(work(limiter)) for limiter in limiters for _ in range(5)]
    await clock.advance(seconds)
    for task in working:
        task.cancel()
    return tuple(sorted(itertools.chain(*(limiter.list_departures(ACTION) for limiter in limiters))))
