"""What the pacing is measured against: limiters as they are usually written, of the same form as ours."""

from __future__ import annotations

from collections import deque

from pipeline.clock import Clock
from pipeline.esign.rate_limiter import Limiter


class _Baseline(Limiter):
    """Learns nothing from a throttle."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self.rate = rate
        self.clock = clock


class LeakyBucket(_Baseline):
    """AsyncLimiter(rate, 1) of aiolimiter: a bucket of ``rate`` calls that leaks evenly, and begins empty."""

    def __init__(self, rate: float, clock: Clock) -> None:
        super().__init__(rate, clock)
        self._level = 0.0
        self._seen = clock.monotonic()
        self._waiting: deque[object] = deque()

    async def acquire(self, _: str) -> None:
        ticket = object()
        self._waiting.append(ticket)
        while True:
            now = self.clock.monotonic()
            self._level = max(0.0, self._level - (now - self._seen) * self.rate)
            self._seen = now
            if self._waiting[0] is ticket and self._level + 1 <= self.rate + 1e-9:
                self._waiting.popleft()
                self._level += 1
                return
            await self.clock.sleep(max(1e-4, (self._level + 1 - self.rate) / self.rate))


class FixedSpacing(_Baseline):
    """Exactly 1 / rate apart by absolute deadlines, no margin, no learning."""

    def __init__(self, rate: float, clock: Clock) -> None:
        super().__init__(rate, clock)
        self._next = clock.monotonic()

    async def acquire(self, _: str) -> None:
        now = self.clock.monotonic()
        slot = self._next = max(self._next, now - 0.5 / self.rate)
        self._next += 1 / self.rate
        while (wait := slot - self.clock.monotonic()) > 0:
            await self.clock.sleep(wait)
