"""Circuit breaker: stops creates while the service does not answer, and checks with a read-only call whether it does again.

Closed, every call passes. After too many calls without a usable answer it opens: no call passes, and a liveness check asks from
time to time whether the service is back. Half-open, calls pass one at a time until enough of them were answered.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum

from pipeline.clock import Clock
from pipeline.messages.catalogue import make_message
from pipeline.support.progress_file import record_progress

LOG = logging.getLogger(__name__)
MAX_SILENT_IN_A_ROW = 5  # calls of one action without a usable answer open it
RECENT_CALLS, MAX_SILENT_OF_RECENT = 50, 10  # … and so do so many of its last ones
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 30.0  # seconds before a liveness check, doubling
ANSWERS_TO_CLOSE = 3  # in a row
GIVE_UP_SECONDS = 900.0  # that it may stay open; then the run stops
NOTICEABLE_SECONDS = 10.0  # without a usable answer, while calls are still made: an outage to show

Wait = Callable[[float], Awaitable[bool]]  # seconds -> whether they passed, False where the run was stopped
LivenessCheck = Callable[[], Awaitable[bool]]  # whether the service answers a read-only call


class _State(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitBreaker:
    """One for a run; ``give_up`` is called once it was not closed for too long."""

    def __init__(self, clock: Clock, *, wait: Wait, give_up: Callable[[str], None]) -> None:
        self._clock = clock
        self._wait = wait
        self._give_up = give_up
        self._state = _State.CLOSED
        self._recent: defaultdict[str, deque[bool]] = defaultdict(lambda: deque(maxlen=RECENT_CALLS))
        self._turn = asyncio.Lock()
        self._answers_in_a_row = 0
        self._pause = FIRST_PAUSE
        self._opened_at = clock.monotonic()
        self.open_count = 0  # how often it opened; a call that got its permit before must not leave

    @property
    def is_closed(self) -> bool:
        """Whether every call passes."""
        return self._state is _State.CLOSED

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the run gives up; None while every call passes."""
        return None if self.is_closed else self._opened_at + GIVE_UP_SECONDS - self._clock.monotonic()

    def record_result(self, action: str, *, answered: bool) -> None:
        """Count a call of an action: whether it got a usable answer, a refusal included."""
        recent = self._recent[action]
        recent.append(answered)
        if self._state is _State.HALF_OPEN:
            self._answers_in_a_row = self._answers_in_a_row + 1 if answered else 0
            if self._answers_in_a_row == ANSWERS_TO_CLOSE:
                self._close()
        if answered:
            return
        last = list(recent)[-MAX_SILENT_IN_A_ROW:]
        silent_in_a_row = len(last) == MAX_SILENT_IN_A_ROW and not any(last)
        silent_of_recent = recent.count(False)
        if self._state is _State.HALF_OPEN or silent_in_a_row or silent_of_recent >= MAX_SILENT_OF_RECENT:
            self._open(action, silent_of_recent)

    @asynccontextmanager
    async def permit(self, check_liveness: LivenessCheck) -> AsyncIterator[int]:
        """Wait until a call may be made, alone while it is half-open; yields the ``open_count`` of that moment.

        A run that was stopped gets its permit, too: the caller has to check for that.
        """
        if self.is_closed:
            yield self.open_count
            return
        async with self._turn:
            while self._is_open() and await self._check_after_pause(check_liveness):
                pass
            alone = not self.is_closed
            if alone:
                yield self.open_count
        if not alone:
            yield self.open_count

    def _is_open(self) -> bool:
        return self._state is _State.OPEN

    async def _check_after_pause(self, check_liveness: LivenessCheck) -> bool:
        """Wait, then check; False when there is nothing more to wait for."""
        if not await self._wait(self._pause):
            return False
        record_progress()  # the outage has a limit of its own
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        if await check_liveness():
            self._state, self._answers_in_a_row = _State.HALF_OPEN, 0
        elif self._clock.monotonic() - self._opened_at > GIVE_UP_SECONDS:
            self._give_up(make_message("stop.minutes", n=f"{GIVE_UP_SECONDS / 60:g}"))
            return False
        return True

    def _open(self, action: str, silent: int) -> None:
        now = self._clock.monotonic()
        if self._state is _State.CLOSED:
            self._opened_at, self._pause = now, FIRST_PAUSE
        elif self._state is _State.HALF_OPEN and now - self._opened_at > GIVE_UP_SECONDS:
            self._give_up(f"{silent} × {action}")
        if self._state is not _State.OPEN:
            self._state = _State.OPEN
            self.open_count += 1

    def _close(self) -> None:
        self._state = _State.CLOSED
        self._recent.clear()


@dataclass(frozen=True, slots=True)
class Outage:
    """The facts of an outage; moments are unix seconds."""

    host: str
    cause: str  # a phrase of the catalogue, or the code of an answer that proved nothing
    since: float  # the last usable answer, or the first call
    gives_up_at: float | None  # None while calls are still made


class OutageMonitor:
    """Records every call's result; one for a run, read by the progress display."""

    def __init__(self, clock: Clock) -> None:
        self.throttled = 0  # calls that were refused for their rate
        self._clock = clock
        self._breaker: CircuitBreaker | None = None
        self._last_answer = self._read_clocks()
        self._failure: tuple[str, str] | None = None  # host and cause of the last call in vain since then

    def begin(self, breaker: CircuitBreaker) -> None:
        """Start with the first call; ``breaker`` is the circuit breaker of the run."""
        self._breaker, self._last_answer = breaker, self._read_clocks()

    def record_failure(self, host: str, cause: str) -> None:
        """Record a call that got no usable answer."""
        if (host, cause) != self._failure:
            LOG.warning("no usable answer", extra={"host": host, "cause": cause})
        self._failure = host, cause

    def record_answer(self) -> None:
        """Record a usable answer; while the circuit breaker holds calls back, one answer does not end the outage."""
        if self._breaker is None or self._breaker.is_closed:
            self._last_answer, self._failure = self._read_clocks(), None

    def current_outage(self) -> Outage | None:
        """Return the outage of this moment; None while the service answers, or was silent for a moment only."""
        wall, monotonic = self._last_answer
        seconds_left = self._breaker.seconds_left if self._breaker is not None else None
        is_short = self._clock.monotonic() - monotonic < NOTICEABLE_SECONDS
        if self._failure is None or (seconds_left is None and is_short):
            return None
        gives_up_at = None if seconds_left is None else self._clock.now() + max(0.0, seconds_left)
        return Outage(*self._failure, wall, gives_up_at)

    def _read_clocks(self) -> tuple[float, float]:
        """Return the present in unix and in monotonic seconds."""
        return self._clock.now(), self._clock.monotonic()
