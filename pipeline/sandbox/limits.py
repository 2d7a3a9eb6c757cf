"""The rate limit: calls in one second for each SecretId and action, refused calls counted too."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from typing import Literal

LimiterKind = Literal["rolling", "calendar", "none"]


class Limiter:
    """Counts arrivals: in the second before each one (rolling), or in its second of the wall clock (calendar)."""

    def __init__(self, kind: LimiterKind, rate: float) -> None:
        self.kind = kind
        self.rate = rate
        self._rolling: dict[tuple[str, str], deque[float]] = {}
        self._calendar: dict[tuple[str, str], tuple[int, int]] = {}  # second, calls in it

    def excess(self, key: tuple[str, str], *, now: float, steady: float) -> int | None:
        """Count one call; return how many this second has seen when that is too many, else None.

        ``now`` is the wall clock in unix seconds, ``steady`` a monotonic one: neither may run backwards for a key.
        """
        if self.kind == "none":
            return None
        count = (
            self._in_calendar_second(key, now)
            if self.kind == "calendar"
            else self._in_last_second(key, steady)
        )
        return count if count > self.rate else None

    def _in_calendar_second(self, key: tuple[str, str], now: float) -> int:
        second = math.floor(now)
        before, count = self._calendar.get(key, (second, 0))
        count = count + 1 if before == second else 1
        self._calendar[key] = (second, count)
        return count

    def _in_last_second(self, key: tuple[str, str], steady: float) -> int:
        arrivals = self._rolling.setdefault(key, deque())
        while arrivals and arrivals[0] <= steady - 1.0:
            arrivals.popleft()
        arrivals.append(steady)
        return len(arrivals)


def max_in_window(arrivals: Iterable[float], seconds: float) -> int:
    """Return the most arrivals in any half-open stretch of so many seconds; 0 without arrivals."""
    ordered = sorted(arrivals)
    return max(
        (index + 1 - bisect_right(ordered, moment - seconds) for index, moment in enumerate(ordered)),
        default=0,
    )
