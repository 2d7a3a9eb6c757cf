"""The circuit breaker: while the service does not answer, nobody tries his luck with a legal seal.

Closed, everybody passes. After too many calls without a usable answer it opens: nothing passes, and a read-only call
asks now and then whether the service is back. Half-open, calls pass one at a time until some were answered in a row.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import Enum

from pipeline.clock import Clock
from pipeline.messages.texts import make_text

IN_A_ROW = 5  # calls of one action without a usable answer
OF_THE_LAST, BAD = 50, 10  # … or so many of its last ones
FIRST_WAIT, LONGEST_WAIT = 5.0, 30.0  # seconds before a probe, doubling
GOOD = 3  # answers in a row that close it again

Wait = Callable[[float], Awaitable[bool]]  # seconds -> whether they passed, False where the run was stopped
Probe = Callable[[], Awaitable[bool]]  # whether the service answers a read-only call


class _State(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """One for a run; ``give_up`` is called once it was not closed for ``patience`` seconds."""

    def __init__(self, clock: Clock, *, patience: float, wait: Wait, give_up: Callable[[str], None]) -> None:
        self._clock = clock
        self._patience = patience
        self._wait = wait
        self._give_up = give_up
        self._state = _State.CLOSED
        self._heard: defaultdict[str, deque[bool]] = defaultdict(lambda: deque(maxlen=OF_THE_LAST))
        self._turn = asyncio.Lock()
        self._good = 0
        self._pause = FIRST_WAIT
        self._since = 0.0
        self.opened = 0  # how often; a call that began before the last time must not leave

    @property
    def closed(self) -> bool:
        """Whether everybody passes."""
        return self._state is _State.CLOSED

    @property
    def patience_left(self) -> float | None:
        """Seconds until the run gives up; None while everybody passes."""
        return None if self.closed else self._since + self._patience - self._clock.monotonic()

    @property
    def _open(self) -> bool:
        return self._state is _State.OPEN

    def heard(self, action: str, *, answered: bool) -> None:
        """Count a call of an action: whether it got a usable answer, a refusal included."""
        last = self._heard[action]
        last.append(answered)
        if self._state is _State.HALF_OPEN:
            self._good = self._good + 1 if answered else 0
            if self._good == GOOD:
                self._close()
        silent = list(last)[-IN_A_ROW:]
        row = len(silent) == IN_A_ROW and not any(silent)
        if not answered and (self._state is _State.HALF_OPEN or row or last.count(False) >= BAD):
            self._begin(action, len(last) - sum(last))

    @asynccontextmanager
    async def passage(self, probe: Probe) -> AsyncIterator[int]:
        """Wait until a call may be made, alone while the service is in doubt; yields what ``opened`` was then.

        A run that was stopped passes as well: its callers look.
        """
        if self.closed:
            yield self.opened
            return
        async with self._turn:
            while self._open and await self._asked(probe):
                pass
            alone = self._state is not _State.CLOSED
            if alone:
                yield self.opened
        if not alone:
            yield self.opened

    async def _asked(self, probe: Probe) -> bool:
        """Wait, then ask; False when there is nothing more to wait for."""
        if not await self._wait(self._pause):
            return False
        self._pause = min(2 * self._pause, LONGEST_WAIT)
        if await probe():
            self._state, self._good = _State.HALF_OPEN, 0
        elif self._clock.monotonic() - self._since > self._patience:
            self._give_up(make_text("stop.minutes", n=f"{self._patience / 60:g}"))
            return False
        return True

    def _begin(self, action: str, silent: int) -> None:
        now = self._clock.monotonic()
        if self._state is _State.CLOSED:
            self._since, self._pause = now, FIRST_WAIT
        elif self._state is _State.HALF_OPEN and now - self._since > self._patience:
            self._give_up(f"{silent} × {action}")
        if self._state is not _State.OPEN:
            self._state = _State.OPEN
            self.opened += 1

    def _close(self) -> None:
        self._state = _State.CLOSED
        self._heard.clear()
