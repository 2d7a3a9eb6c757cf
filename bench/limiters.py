"""What the pacing is measured against: limiters as they are usually written, of the same form as ours."""

from __future__ import annotations

import math

from pipeline.clock import Clock
from pipeline.esign.rate_limiter import Limiter


class _Baseline(Limiter):
    """Goes on at its pace after a throttle; no call is too late for its slot."""

    def __init__(self, rate: float, clock: Clock) -> None:
        super().__init__(clock)
        self.rate = rate

    def record_throttle(self, action: str, stated_limit: int | None) -> None:
        """Do nothing."""


class LeakyBucket(_Baseline):
    """AsyncLimiter(rate, 1) of aiolimiter: a bucket of ``rate`` calls that leaks evenly, and begins empty."""

    def __init__(self, rate: float, clock: Clock) -> None:
        super().__init__(rate, clock)
        self._level = 0.0
        self._seen = clock.monotonic()

    async def _wait_for_slot(self, _: str) -> float:
        while True:
            now = self.clock.monotonic()
            self._level = max(0.0, self._level - (now - self._seen) * self.rate)
            self._seen = now
            if self._level + 1 <= self.rate + 1e-9:
                self._level += 1
                return math.inf
            await self.clock.sleep(max(1e-4, (self._level + 1 - self.rate) / self.rate))


class FixedSpacing(_Baseline):
    """Exactly 1 / rate apart by absolute deadlines, no margin."""

    def __init__(self, rate: float, clock: Clock) -> None:
        super().__init__(rate, clock)
        self._next = clock.monotonic()

    async def _wait_for_slot(self, _: str) -> float:
        while (wait := self._next - self.clock.monotonic()) > 0:
            await self.clock.sleep(wait)
        self._next = max(self._next, self.clock.monotonic() - 0.5 / self.rate) + 1 / self.rate
        return math.inf
