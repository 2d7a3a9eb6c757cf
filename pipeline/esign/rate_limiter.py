"""Even pacing that learns: one queue of slots for each action, shared by first tries and re-sends.

Slots start a little more than 1/limit apart: at exactly 1/limit every jitter of the network puts 21 calls into some
second of the server, and a refused call counts too. While nothing is refused the spacing is narrowed, slowly; a
throttle widens it again and forbids narrowing for a while, longer each time. Everyone waits, too: one slot where the
message says that it was a call or two too many, a whole second else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from pipeline.clock import Clock

MARGIN = 1.03  # spacing is this much wider than 1/limit: 51.5 ms at 20 a second
WINDOW = 1.0  # seconds over which the service counts
HOLD = 1.0  # seconds that everybody waits after a throttle: the counted second must pass
JUST_OVER = (
    2  # so many calls above the limit are jitter: the next call is no likelier to be one than any other
)
# Steps of the spacing at 20 a second, in seconds; at another limit they are in proportion.
NARROWEST = 0.05002
NARROWER = 0.0001  # after PROVEN seconds' worth of calls without a throttle
WIDER = 0.0001  # after a throttle, and so much more …
WIDER_SHARE = 0.15  # … of what the spacing had above 1/limit: it shows how great the jitter is
PROVEN = 8.0  # seconds at full pace
STEADY = (
    60.0  # seconds without narrowing after the first throttle, twice as many after each further one, at most
)
LONGEST = 1800.0
SAME = 3.0  # seconds in which throttles are one event: calls that were under way together
HARD = 30.0  # seconds: a throttle so soon after the one before means a limit that is much lower …
HARD_JITTERS = 4  # … and so do so many in that time that were just over: somebody else is calling, too
HARDER = 1.25  # then the spacing grows by this factor


class Limiter(Protocol):
    """What `submit` needs of a limiter; one on a database server can take its place."""

    async def acquire(self, action: str) -> None:
        """Wait for this action's next slot; returns at the moment the call may leave."""

    async def leave(self, action: str) -> None:
        """Note that the call leaves now, after waiting while a full second's worth left in the last second."""

    def throttled(self, action: str, granted: int | None, counted: int | None) -> None:
        """Note that the service refused a call for its rate.

        Its message may name the limit (``granted``) and how many calls it counted in that second (``counted``).
        """

    def departures(self, action: str) -> tuple[float, ...]:
        """Return the monotonic seconds at which this process's calls of an action left."""


class AdaptiveRateLimiter:
    """In-process limiter: ``requests_per_second`` for each action, no bursts, no catching up after a stall."""

    def __init__(self, requests_per_second: float, clock: Clock) -> None:
        self._rate = requests_per_second
        self._clock = clock
        self._queues: dict[str, _Queue] = {}

    def _queue(self, action: str) -> _Queue:
        return self._queues.setdefault(action, _Queue(self._rate, self._clock))

    async def acquire(self, action: str) -> None:
        """Wait for this action's next slot."""
        await self._queue(action).acquire()

    async def leave(self, action: str) -> None:
        """Note a departure; waits while the last second is full."""
        await self._queue(action).leave()

    def throttled(self, action: str, granted: int | None, counted: int | None) -> None:
        """Hold everyone, widen the spacing, believe a lower limit that the message names."""
        self._queue(action).throttled(granted, counted)

    def departures(self, action: str) -> tuple[float, ...]:
        """Return the monotonic seconds at which this action's calls left."""
        return tuple(self._queue(action).left)


class _Queue:
    """The slots of one action."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._clock = clock
        self._full = max(1, int(rate))
        self._unit = 20 / rate  # how much longer than at 20 a second every step is
        self._spacing = MARGIN / rate
        self._clean = 0  # calls at full pace since the spacing was last changed
        self._steady = STEADY / 2
        self._quiet_until = float("-inf")  # no narrowing before
        self._answered = float("-inf")  # when the spacing was last widened
        self._next = clock.monotonic()
        self._loop: asyncio.AbstractEventLoop | None = None  # whose the locks are
        self._turn = asyncio.Lock()  # first come, first served
        self._jitters: deque[float] = deque(maxlen=HARD_JITTERS)  # throttles that were just over
        self._door = asyncio.Lock()
        self._recent: deque[float] = deque(maxlen=self._full)
        self.left: list[float] = []

    async def acquire(self) -> None:
        self._enter()
        async with self._turn:
            waited = False
            # A throttle may move the next slot while somebody waits for it, so look again after waiting.
            while (wait := self._next - self._clock.monotonic()) > 0:
                waited = True
                await self._clock.sleep(wait)
            self._next = max(self._next, self._clock.monotonic() - self._spacing / 2) + self._spacing
            if waited:
                self._narrow()

    async def leave(self) -> None:
        self._enter()
        async with self._door:
            while len(self._recent) == self._full:
                wait = self._recent[0] + WINDOW - self._clock.monotonic()
                if wait < 0:
                    break
                await self._clock.sleep(wait + 0.001)
            now = self._clock.monotonic()
            self._recent.append(now)
            self.left.append(now)

    def _enter(self) -> None:
        """Take new locks in a new event loop: one night after another may use the same limiter, each in its own."""
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return
        if self._loop is not None and self._loop.is_running():
            raise RuntimeError("a limiter serves one event loop at a time")
        self._loop, self._turn, self._door = loop, asyncio.Lock(), asyncio.Lock()

    def _narrow(self) -> None:
        """Count a call at full pace; enough of them without a throttle prove that there is room."""
        self._clean += 1
        now = self._clock.monotonic()
        if self._clean * self._spacing < PROVEN or now < self._quiet_until:
            return
        self._clean = 0
        start = MARGIN * self._unit / 20
        step = max(NARROWER * self._unit, (self._spacing - start) / 4)  # far above the start it is quicker
        self._spacing = max(NARROWEST * self._unit, self._spacing - step)

    def throttled(self, granted: int | None, counted: int | None) -> None:
        now = self._clock.monotonic()
        lowered = granted is not None and granted < self._full
        if granted is not None and lowered:
            self._believe(granted)
        over = None if granted is None or counted is None or lowered else max(1, counted - granted)
        jitter = over is not None and over <= JUST_OVER
        self._next = max(self._next, now + (HOLD if over is None or not jitter else over * self._spacing))
        self._clean = 0
        since = now - self._answered
        if since < SAME:
            return
        self._answered = now
        if jitter:
            self._jitters.append(now)
            since = now - self._jitters[0] if len(self._jitters) == HARD_JITTERS else HARD
        if since < HARD and not lowered:
            self._spacing *= HARDER
        margin = min(self._spacing * self._full - 1, MARGIN - 1) / self._full
        self._spacing += WIDER * self._unit + WIDER_SHARE * margin
        self._steady = min(2 * self._steady, LONGEST)
        self._quiet_until = now + self._steady

    def _believe(self, granted: int) -> None:
        """Take over a lower limit than the one that was set."""
        self._full = granted
        self._recent = deque(self._recent, maxlen=granted)
        self._unit = 20 / granted
        self._spacing = max(self._spacing, MARGIN / granted)


def most_in_a_second(moments: tuple[float, ...]) -> int:
    """Return the largest number of ``moments`` (ascending seconds) within any rolling second."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= WINDOW:
            first += 1
        most = max(most, last - first + 1)
    return most
