"""Rate limiters: the calls of an action leave one spacing apart; first sends and re-sends wait in one queue.

Slots are 1.032 / limit apart: 51.6 ms at 20 a second. The 32 ms that a second's worth of slots so takes longer than a
second are for jitter: the service counts calls when they arrive, and a refused call counts too. A slot is a time. Its call
leaves at that time or at most 25 ms later: no second then holds more than the limit. A call that is later waits for
another slot. From the second slot in a row that was missed, each is longer: its call may leave later by as much as the slot
after it is put off, so that a machine or a server that is always late gets on. After a throttle all calls wait, and the
spacing grows for as long as the limiter is used.
"""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from collections import defaultdict

from pipeline.clock import Clock, SystemClock

WINDOW_SECONDS = 1.0  # over which the service counts
MARGIN = 1.032  # seconds that the slots of a second's worth of calls take
LATE_SECONDS = 0.025  # that a call may leave after its slot: less than the margin
MOST_MISSES = 6  # in a row that make a slot longer, each of them about twice as much: by 0.8 s
HOLD_SECONDS = 1.0  # that all calls wait after a throttle: the counted second must pass
GROWTH = 1.03  # of the spacing after a throttle


class Limiter(ABC):
    """Gives each action's calls their slots, first come, first served."""

    # Worth of slots, in seconds, for which open connections may wait.
    waiting_seconds = 1.0

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        # One run after another may use the same limiter, each in an event loop of its own.
        self._turns: defaultdict[tuple[asyncio.AbstractEventLoop, str], asyncio.Lock]
        self._turns = defaultdict(asyncio.Lock)
        self._misses: defaultdict[str, int] = defaultdict(
            int
        )  # slots for which calls were too late, in a row
        self._departures: defaultdict[str, list[float]] = defaultdict(list)

    async def acquire(self, action: str) -> float:
        """Wait for this action's next slot; return until when, in monotonic seconds, the call may leave."""
        async with self._turns[asyncio.get_running_loop(), action]:
            return await self._wait_for_slot(action)

    def record_departure(self, action: str, latest: float) -> bool:
        """Record that a call leaves now; return False where it is too late for its slot and must not leave."""
        now = self.clock.monotonic()
        if now > latest:
            self._misses[action] += 1
            return False
        self._misses[action] = 0
        self._departures[action].append(now)
        return True

    @abstractmethod
    async def _wait_for_slot(self, action: str) -> float:
        """Wait for the next slot, alone; return until when its call may leave."""

    @abstractmethod
    def record_throttle(self, action: str, stated_limit: int | None) -> None:
        """Hold all calls, widen the spacing, adopt a lower limit that the service's message states.

        What is refused while all wait had left before: the spacing grows once for all of them.
        """

    def _compute_extra(self, action: str) -> float:
        """Return the seconds by which the next slot is longer; one that was missed alone is chance."""
        return LATE_SECONDS * (2.0 ** max(0, min(self._misses[action], MOST_MISSES) - 1) - 1)

    def list_departures(self, action: str) -> tuple[float, ...]:
        """Return the monotonic seconds at which this process's calls of an action left."""
        return tuple(self._departures[action])

    def close(self) -> None:  # noqa: B027 - optional
        """End what the limiter holds open; by default nothing."""


class ProcessRateLimiter(Limiter):
    """Limiter of this process alone: ``requests_per_second`` for each action."""

    def __init__(self, requests_per_second: float, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self._rate = requests_per_second
        self._next_slots: defaultdict[str, float] = defaultdict(lambda: -math.inf)
        self._held_until: defaultdict[str, float] = defaultdict(lambda: -math.inf)
        self._spacings: defaultdict[str, float] = defaultdict(lambda: compute_spacing(self._rate))

    async def _wait_for_slot(self, action: str) -> float:
        began = self.clock.monotonic()
        while (wait := self._next_slots[action] - self.clock.monotonic()) > 0:  # a throttle may put it off
            await self.clock.sleep(wait)
        # No other call has taken a slot meanwhile: a slot whose call wakes up late is moved, and half of LATE_SECONDS is left.
        due = max(self._next_slots[action], began, self.clock.monotonic() - LATE_SECONDS / 2)
        extra = self._compute_extra(action)
        self._next_slots[action] = due + self._spacings[action] + extra
        return due + LATE_SECONDS + extra

    def record_throttle(self, action: str, stated_limit: int | None) -> None:
        """Put the next slot off; a spacing that has just grown stays."""
        now = self.clock.monotonic()
        least_spacing = compute_spacing(stated_limit or self._rate)
        growth = GROWTH if now >= self._held_until[action] else 1.0
        self._spacings[action] = max(growth * self._spacings[action], least_spacing)
        self._held_until[action] = now + HOLD_SECONDS
        self._next_slots[action] = max(self._next_slots[action], self._held_until[action])


def compute_spacing(limit: float) -> float:
    """Return the seconds from one slot to the next; above one only whole calls fit into a second."""
    return MARGIN / (math.floor(limit) if limit > 1 else limit)


def max_in_rolling_second(moments: tuple[float, ...]) -> int:
    """Return the largest number of ``moments`` (ascending seconds) within any rolling second."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= WINDOW_SECONDS:
            first += 1
        most = max(most, last - first + 1)
    return most
