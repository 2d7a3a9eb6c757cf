"""Rate limiters: each action has one queue of slots, shared by first sends and re-sends. `pacing` has how far apart they are."""

from __future__ import annotations

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections import defaultdict
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import cached_property

from pipeline.clock import Clock, SystemClock
from pipeline.errors import UsageError
from pipeline.esign.pacing import SPREAD_ANSWERS, Pacing

WINDOW_SECONDS = 1.0  # over which the service counts


class Limiter(ABC):
    """A limiter as sending needs it. One of your own, for instance on a database server, needs only `acquire`."""

    clock: Clock = SystemClock()

    @abstractmethod
    async def acquire(self, action: str) -> None:
        """Wait for this action's next slot; return at the moment the call may leave."""

    async def record_departure(self, action: str) -> None:
        """Record that the call leaves now. A limiter that counts real departures may wait here once more."""
        self._departures[action].append(self.clock.monotonic())

    def record_throttle(self, action: str, granted: int | None, counted: int | None) -> None:  # noqa: B027 - optional
        """Record that the service refused a call for its rate; by default nothing, as the call waits for a new slot.

        The service's message may name the limit (``granted``) and how many calls it counted in that second (``counted``).
        """

    def record_answer(self, action: str, seconds: float) -> None:  # noqa: B027 - optional
        """Record how long after its departure the whole answer to a call came; by default nothing."""

    def take_turn(self, action: str) -> AbstractAsyncContextManager[None]:  # noqa: ARG002 - part of the protocol
        """Wait, before a connection is opened, until its call has a chance of a slot soon; by default not at all."""
        return nullcontext()

    def expect_rows(self, change: int) -> None:  # noqa: B027 - optional
        """Add to the number of rows that are still to be sent: a limiter may prefer runs with few; by default nothing."""

    def list_departures(self, action: str) -> tuple[float, ...]:
        """Return the monotonic seconds at which this process's calls of an action left."""
        return tuple(self._departures[action])

    def close(self) -> None:  # noqa: B027 - optional
        """End what the limiter holds open; by default nothing."""

    @cached_property
    def _departures(self) -> defaultdict[str, list[float]]:
        return defaultdict(list)  # made at the first use: a limiter of your own need not call __init__


def require_limiter(limiter: object) -> None:
    """Raise UsageError where an object cannot be used as a limiter."""
    methods = (
        "acquire",
        "record_departure",
        "record_throttle",
        "record_answer",
        "list_departures",
        "take_turn",
        "expect_rows",
    )
    missing = [name for name in methods if not callable(getattr(limiter, name, None))]
    is_async = inspect.iscoroutinefunction(getattr(limiter, "acquire", None))
    if missing or not is_async or isinstance(limiter, type):
        lacks = ", ".join(missing) or "async acquire"
        raise UsageError("usage.limiter", kind=type(limiter).__name__, missing=lacks)


class AdaptiveRateLimiter(Limiter):
    """In-process limiter: ``requests_per_second`` for each action, no bursts, no catching up after a stall."""

    def __init__(self, requests_per_second: float, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self._queues: defaultdict[str, _Queue] = defaultdict(lambda: _Queue(requests_per_second, self.clock))

    async def acquire(self, action: str) -> None:
        """Wait for this action's next slot."""
        await self._queues[action].acquire()

    async def record_departure(self, action: str) -> None:
        """Record a departure; wait while a full second's worth left in the last second."""
        await self._queues[action].record_departure()

    def record_throttle(self, action: str, granted: int | None, counted: int | None) -> None:
        """Hold all calls, widen the spacing, adopt a lower limit that the message names."""
        self._queues[action].record_throttle(granted, counted)

    def record_answer(self, action: str, seconds: float) -> None:
        """Narrow the spacing where answers take nearly the same time."""
        self._queues[action].record_answer(seconds)

    def list_departures(self, action: str) -> tuple[float, ...]:
        """Return the monotonic seconds at which this action's calls left."""
        return tuple(self._queues[action].departures.moments)


class _Queue:
    """The slots of one action."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._clock = clock
        self._pacing = Pacing.begin(rate)
        self._calls_at_pace = 0  # since the spacing was last changed
        self._answer_seconds: list[float] = []  # of the last calls
        self._next_slot = clock.monotonic()
        self._loop: asyncio.AbstractEventLoop | None = None  # that the locks belong to
        self._turn = asyncio.Lock()  # first come, first served
        self.departures = DepartureRecord(self._pacing.limit, clock)

    async def acquire(self) -> None:
        self._enter_loop()
        async with self._turn:
            has_waited = False
            # A throttle may move the next slot while a call waits for it, so look again after waiting.
            while (wait := self._next_slot - self._clock.monotonic()) > 0:
                has_waited = True
                await self._clock.sleep(wait)
            now, spacing = self._clock.monotonic(), self._pacing.spacing
            self._next_slot = max(self._next_slot, now - spacing / 2) + spacing
            self.departures.window = self._pacing.departure_window
            if has_waited:
                self._count_call_at_pace(now)
            else:
                self._answer_seconds.clear()

    async def record_departure(self) -> None:
        self._enter_loop()
        await self.departures.record()

    def record_throttle(self, granted: int | None, counted: int | None) -> None:
        now = self._clock.monotonic()
        self._pacing, hold = self._pacing.learn_from_throttle(granted, counted, now)
        self.departures.limit = self._pacing.limit
        self._next_slot = max(self._next_slot, now + hold)
        self._calls_at_pace = 0

    def record_answer(self, seconds: float) -> None:
        self._answer_seconds.append(seconds)
        if len(self._answer_seconds) == SPREAD_ANSWERS:
            spread = max(self._answer_seconds) - min(self._answer_seconds)
            self._pacing = self._pacing.narrow_to_spread(spread, self._clock.monotonic())
            self._answer_seconds.clear()

    def _count_call_at_pace(self, now: float) -> None:
        self._calls_at_pace += 1
        if self._pacing.may_narrow(self._calls_at_pace, now):
            self._calls_at_pace = 0
            self._pacing = self._pacing.narrow()

    def _enter_loop(self) -> None:
        """Make new locks in a new event loop: one run after another may use the same limiter, each in its own loop."""
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return
        if self._loop is not None and self._loop.is_running():
            raise RuntimeError("a limiter serves one event loop at a time")
        self._loop, self._turn, self.departures.turn = loop, asyncio.Lock(), asyncio.Lock()


class DepartureRecord:
    """The calls of one action that left this process; no ``window`` holds more than ``limit`` of them."""

    def __init__(self, limit: int, clock: Clock) -> None:
        self.limit = limit
        self.window = WINDOW_SECONDS
        self.moments: list[float] = []  # monotonic seconds
        self.turn = asyncio.Lock()
        self._clock = clock

    async def record(self) -> None:
        """Record a departure; wait while a full second's worth left in the last window."""
        async with self.turn:
            while len(self.moments) >= self.limit:
                wait = self.moments[-self.limit] + self.window - self._clock.monotonic()
                if wait < 0:
                    break
                await self._clock.sleep(wait + 0.001)
            self.moments.append(self._clock.monotonic())


def max_in_rolling_second(moments: tuple[float, ...]) -> int:
    """Return the largest number of ``moments`` (ascending seconds) within any rolling second."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= WINDOW_SECONDS:
            first += 1
        most = max(most, last - first + 1)
    return most
