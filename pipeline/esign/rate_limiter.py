"""Rate limiters: each action has one queue of slots, shared by first sends and re-sends.

`Pacing` has how far apart the calls of one action leave, and how that is learnt from the service's refusals: values, no
clock.

Slots start a little more than 1/limit apart: at exactly 1/limit every jitter of the network puts 21 calls into some
second of the server, and a refused call counts too. While nothing is refused the spacing is narrowed, slowly. Before the
first throttle it is narrowed at once to what the spread of answer times allows: a call cannot have come later than another
by more than its answer did. A call that leaves late keeps the next second's call at that distance. A throttle widens the
spacing again and forbids narrowing for a while, longer each time. All calls wait, too: one slot where the message names a
call or two too many, else a whole second.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import defaultdict
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property

from pipeline.clock import Clock, SystemClock

WINDOW_SECONDS = 1.0  # over which the service counts
MARGIN = 1.03  # spacing is this much wider than 1/limit: 51.5 ms at 20 a second
HOLD_SECONDS = 1.0  # that all calls wait after a throttle: the counted second must pass
# So many calls above the limit are jitter: the next call is no likelier to be one than any other.
JUST_OVER = 2
# Steps of the spacing at 20 a second, in seconds; at another limit they are in proportion.
NARROWEST = 0.05002
NARROWER = 0.0001  # after PROVEN_SECONDS' worth of calls without a throttle
WIDER = 0.0001  # after a throttle, and so much more …
WIDER_SHARE = 0.15  # … of what the spacing had above 1/limit: it shows how great the jitter is
PROVEN_SECONDS = 8.0  # at full pace
SPREAD_ANSWERS = 100  # whose times are compared
# How much more than they differ calls may be late, and seconds: of so few the extremes are not the widest.
SPREAD_SHARE, SPREAD_RESERVE = 1.5, 0.001
CATCH_UP = 0.002  # seconds that lateness wears off by in each second
# Seconds without narrowing after the first throttle, twice as many after each further one.
FIRST_QUIET, LONGEST_QUIET = 60.0, 1800.0
SAME_EVENT_SECONDS = 3.0  # in which throttles are one event: calls that were under way together
# A throttle so soon after the one before means a limit that is much lower …
SOON_SECONDS = 30.0
# … and so do so many in that time that were just over: another program is calling, too.
JITTERS_OF_LOWER_LIMIT = 4
LOWER_LIMIT_FACTOR = 1.25  # by which the spacing then grows
LONG_AGO = -1e18  # before any moment; unlike -inf it is a number in JSON


@dataclass(frozen=True, slots=True)
class Pacing:
    """The measured pace of one action. All times are seconds of the same clock."""

    limit: int  # calls in a second
    unit: float  # how much longer than at 20 a second every step is
    spacing: float  # seconds from one slot to the next
    quiet_seconds: float = FIRST_QUIET / 2
    quiet_until: float = LONG_AGO  # no narrowing before
    widened_at: float = LONG_AGO
    jitters: tuple[float, ...] = ()  # the last throttles that were just over

    @classmethod
    def begin(cls, rate: float) -> Pacing:
        """Return the pacing of ``rate`` calls a second before anything is learnt."""
        return cls(limit=max(1, int(rate)), unit=20 / rate, spacing=MARGIN / rate)

    def may_narrow(self, calls_at_pace: int, now: float) -> bool:
        """Return whether so many calls at full pace since the last change prove that the spacing can be narrowed."""
        return calls_at_pace * self.spacing >= PROVEN_SECONDS and now >= self.quiet_until

    def narrow(self) -> Pacing:
        """Return a pacing with slots a little closer."""
        start = MARGIN * self.unit / 20
        step = max(NARROWER * self.unit, (self.spacing - start) / 4)  # far above the start it is quicker
        return replace(self, spacing=max(NARROWEST * self.unit, self.spacing - step))

    def narrow_to_spread(self, spread: float, now: float) -> Pacing:
        """Return a pacing for which a call may come so many seconds (``spread``) later than another without a throttle.

        It is narrowed further once it would have come there in small steps.
        """
        if self.widened_at != LONG_AGO:  # the service counts otherwise, or another program is calling, too
            return self
        safe_spacing = (1 + SPREAD_SHARE * spread + SPREAD_RESERVE) / self.limit
        gain = max(0.0, self.spacing - max(NARROWEST * self.unit, safe_spacing))
        steps = gain / (NARROWER * self.unit)
        return replace(
            self,
            spacing=self.spacing - gain,
            quiet_until=max(now, self.quiet_until) + steps * PROVEN_SECONDS,
        )

    @property
    def departure_window(self) -> float:
        """Seconds in which no more calls than the limit may leave, so that one that left late keeps its distance to the next.

        They are fewer than the slots of so many calls take: lateness wears off.
        """
        return max(1.0, self.limit * self.spacing - CATCH_UP)

    def learn_from_throttle(
        self, granted: int | None, counted: int | None, now: float
    ) -> tuple[Pacing, float]:
        """Return a wider pacing, with a lower limit that the message names, and for how long all calls wait."""
        limit, unit, spacing = self.limit, self.unit, self.spacing
        is_lower = granted is not None and 0 < granted < limit
        if granted is not None and is_lower:
            limit, unit, spacing = granted, 20 / granted, max(spacing, MARGIN / granted)
        over = None if granted is None or counted is None or is_lower else max(1, counted - granted)
        is_jitter = over is not None and over <= JUST_OVER
        hold = HOLD_SECONDS if over is None or not is_jitter else over * spacing
        pacing = replace(self, limit=limit, unit=unit, spacing=spacing)
        if now - self.widened_at < SAME_EVENT_SECONDS:
            return pacing, hold
        return pacing.widen(now, is_jitter=is_jitter, is_lower=is_lower), hold

    def widen(self, now: float, *, is_jitter: bool, is_lower: bool) -> Pacing:
        """Return a pacing with slots farther apart, after a throttle that was jitter, named a lower limit, or neither."""
        since, jitters, spacing = now - self.widened_at, self.jitters, self.spacing
        if is_jitter:
            jitters = (*jitters, now)[-JITTERS_OF_LOWER_LIMIT:]
            is_full = len(jitters) == JITTERS_OF_LOWER_LIMIT
            since = now - jitters[0] if is_full else SOON_SECONDS
        if since < SOON_SECONDS and not is_lower:
            spacing *= LOWER_LIMIT_FACTOR
        margin = min(spacing * self.limit - 1, MARGIN - 1) / self.limit
        quiet_seconds = min(2 * self.quiet_seconds, LONGEST_QUIET)
        return replace(
            self,
            spacing=spacing + WIDER * self.unit + WIDER_SHARE * margin,
            quiet_seconds=quiet_seconds,
            quiet_until=now + quiet_seconds,
            widened_at=now,
            jitters=jitters,
        )


class Limiter(ABC):
    """A limiter as sending needs it: of this process, or shared by several through a database server."""

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
        return defaultdict(list)  # made at the first use: no class calls __init__ for it


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
        self.departures = Departures(self._pacing.limit, clock)

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
        await self.departures.add()

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


class Departures:
    """The calls of one action that left this process; no ``window`` holds more than ``limit`` of them."""

    def __init__(self, limit: int, clock: Clock) -> None:
        self.limit = limit
        self.window = WINDOW_SECONDS
        self.moments: list[float] = []  # monotonic seconds
        self.turn = asyncio.Lock()
        self._clock = clock

    async def add(self) -> None:
        """Add a departure; wait while a full second's worth left in the last window."""
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
