"""Even pacing that learns: one queue of slots for each action, shared by first sends and re-sends.

Slots start a little more than 1/limit apart: at exactly 1/limit every jitter of the network puts 21 calls into some
second of the server, and a refused call counts too. While nothing is refused the spacing is narrowed, slowly. A throttle
widens it again and forbids narrowing for a while, longer each time. All calls wait, too: one slot where the message
names a call or two too many, else a whole second.
"""

from __future__ import annotations

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections import defaultdict, deque
from functools import cached_property

from pipeline.clock import Clock, SystemClock
from pipeline.errors import UsageError

MARGIN = 1.03  # spacing is this much wider than 1/limit: 51.5 ms at 20 a second
WINDOW_SECONDS = 1.0  # over which the service counts
HOLD_SECONDS = 1.0  # that all calls wait after a throttle: the counted second must pass
# So many calls above the limit are jitter: the next call is no likelier to be one than any other.
JUST_OVER = 2
# Steps of the spacing at 20 a second, in seconds; at another limit they are in proportion.
NARROWEST = 0.05002
NARROWER = 0.0001  # after PROVEN_SECONDS' worth of calls without a throttle
WIDER = 0.0001  # after a throttle, and so much more …
WIDER_SHARE = 0.15  # … of what the spacing had above 1/limit: it shows how great the jitter is
PROVEN_SECONDS = 8.0  # at full pace
# Seconds without narrowing after the first throttle, twice as many after each further one.
FIRST_QUIET, LONGEST_QUIET = 60.0, 1800.0
SAME_EVENT_SECONDS = 3.0  # in which throttles are one event: calls that were under way together
# A throttle so soon after the one before means a limit that is much lower …
SOON_SECONDS = 30.0
# … and so do so many in that time that were just over: another program is calling, too.
JITTERS_OF_LOWER_LIMIT = 4
LOWER_LIMIT_FACTOR = 1.25  # by which the spacing then grows


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

    def list_departures(self, action: str) -> tuple[float, ...]:
        """Return the monotonic seconds at which this process's calls of an action left."""
        return tuple(self._departures[action])

    @cached_property
    def _departures(self) -> defaultdict[str, list[float]]:
        return defaultdict(list)  # made at the first use: a limiter of your own need not call __init__


def require_limiter(limiter: object) -> None:
    """Raise UsageError where an object cannot be used as a limiter."""
    methods = ("acquire", "record_departure", "record_throttle", "list_departures")
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

    def list_departures(self, action: str) -> tuple[float, ...]:
        """Return the monotonic seconds at which this action's calls left."""
        return tuple(self._queues[action].departures)


class _Queue:
    """The slots of one action."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._clock = clock
        self._limit = max(1, int(rate))
        self._unit = 20 / rate  # how much longer than at 20 a second every step is
        self._spacing = MARGIN / rate
        self._calls_at_pace = 0  # since the spacing was last changed
        self._quiet_seconds = FIRST_QUIET / 2
        self._quiet_until = float("-inf")  # no narrowing before
        self._widened_at = float("-inf")
        self._next_slot = clock.monotonic()
        self._loop: asyncio.AbstractEventLoop | None = None  # that the locks belong to
        self._turn = asyncio.Lock()  # first come, first served
        self._jitters: deque[float] = deque(maxlen=JITTERS_OF_LOWER_LIMIT)  # throttles that were just over
        self._departure_turn = asyncio.Lock()
        self._last_second: deque[float] = deque(maxlen=self._limit)
        self.departures: list[float] = []

    async def acquire(self) -> None:
        self._enter_loop()
        async with self._turn:
            has_waited = False
            # A throttle may move the next slot while a call waits for it, so look again after waiting.
            while (wait := self._next_slot - self._clock.monotonic()) > 0:
                has_waited = True
                await self._clock.sleep(wait)
            earliest = self._clock.monotonic() - self._spacing / 2
            self._next_slot = max(self._next_slot, earliest) + self._spacing
            if has_waited:
                self._narrow_spacing()

    async def record_departure(self) -> None:
        self._enter_loop()
        async with self._departure_turn:
            while len(self._last_second) == self._limit:
                wait = self._last_second[0] + WINDOW_SECONDS - self._clock.monotonic()
                if wait < 0:
                    break
                await self._clock.sleep(wait + 0.001)
            now = self._clock.monotonic()
            self._last_second.append(now)
            self.departures.append(now)

    def record_throttle(self, granted: int | None, counted: int | None) -> None:
        now = self._clock.monotonic()
        is_lower = granted is not None and granted < self._limit
        if granted is not None and is_lower:
            self._limit = granted
            self._last_second = deque(self._last_second, maxlen=granted)
            self._unit = 20 / granted
            self._spacing = max(self._spacing, MARGIN / granted)
        over = None if granted is None or counted is None or is_lower else max(1, counted - granted)
        is_jitter = over is not None and over <= JUST_OVER
        hold = HOLD_SECONDS if over is None or not is_jitter else over * self._spacing
        self._next_slot = max(self._next_slot, now + hold)
        self._calls_at_pace = 0
        since = now - self._widened_at
        if since < SAME_EVENT_SECONDS:
            return
        self._widened_at = now
        if is_jitter:
            self._jitters.append(now)
            is_full = len(self._jitters) == JITTERS_OF_LOWER_LIMIT
            since = now - self._jitters[0] if is_full else SOON_SECONDS
        if since < SOON_SECONDS and not is_lower:
            self._spacing *= LOWER_LIMIT_FACTOR
        margin = min(self._spacing * self._limit - 1, MARGIN - 1) / self._limit
        self._spacing += WIDER * self._unit + WIDER_SHARE * margin
        self._quiet_seconds = min(2 * self._quiet_seconds, LONGEST_QUIET)
        self._quiet_until = now + self._quiet_seconds

    def _enter_loop(self) -> None:
        """Make new locks in a new event loop: one run after another may use the same limiter, each in its own loop."""
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return
        if self._loop is not None and self._loop.is_running():
            raise RuntimeError("a limiter serves one event loop at a time")
        self._loop, self._turn, self._departure_turn = loop, asyncio.Lock(), asyncio.Lock()

    def _narrow_spacing(self) -> None:
        """Count a call at full pace; enough of them without a throttle prove that there is room."""
        self._calls_at_pace += 1
        now = self._clock.monotonic()
        if self._calls_at_pace * self._spacing < PROVEN_SECONDS or now < self._quiet_until:
            return
        self._calls_at_pace = 0
        start = MARGIN * self._unit / 20
        step = max(NARROWER * self._unit, (self._spacing - start) / 4)  # far above the start it is quicker
        self._spacing = max(NARROWEST * self._unit, self._spacing - step)


def max_in_rolling_second(moments: tuple[float, ...]) -> int:
    """Return the largest number of ``moments`` (ascending seconds) within any rolling second."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= WINDOW_SECONDS:
            first += 1
        most = max(most, last - first + 1)
    return most
