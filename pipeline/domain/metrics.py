"""Figures of a run: durations of calls, calls over time, calls by action and code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as _field

FIRST_BIN_SECONDS = 0.001  # where the first bin of a histogram ends
BINS_PER_DECADE = 20


@dataclass(frozen=True, slots=True)
class DurationHistogram:
    """Durations in seconds; ``bins`` are counts from bin ``first`` on."""

    count: int
    total: float
    longest: float
    median: float
    p95: float
    first: int
    bins: tuple[int, ...]

    @staticmethod
    def find_bin_edges(index: int) -> tuple[float, float]:
        """Return the shortest and the longest duration of a bin: each 20 bins span a factor of ten."""
        longest = FIRST_BIN_SECONDS * 10 ** (index / BINS_PER_DECADE)
        shortest = FIRST_BIN_SECONDS * 10 ** ((index - 1) / BINS_PER_DECADE) if index else 0.0
        return shortest, longest


@dataclass(frozen=True, slots=True)
class Timing:
    """Calls over time: a value for each of at most 240 steps of ``step`` seconds, from ``began`` on."""

    began: float  # unix seconds
    step: float
    calls: Mapping[str, tuple[int, ...]]  # action -> calls that left
    latency: Mapping[str, tuple[float | None, ...]]  # action -> mean seconds until their answers
    throttled: tuple[int, ...]
    lost: tuple[int, ...]  # calls that left and were not answered
    silent: tuple[float, ...]  # seconds in which nothing was sent because the service did not answer
    sends: Mapping[str, tuple[int, ...]]  # action -> calls that were a row's first send, its second, …
    answers: Mapping[str, DurationHistogram]  # action -> seconds from the first byte sent to the whole answer
    waits: Mapping[str, DurationHistogram]  # slot | back_off | outage -> seconds


@dataclass(frozen=True, slots=True)
class Traffic:
    """The calls of a run."""

    requests: Mapping[str, Mapping[str, int]] = _field(default_factory=dict)  # action -> code ("ok") -> calls
    limit: float = 0.0  # calls a second granted to each action
    used_share: float = 0.0  # of the limit, creates, first to last
    throttled: int = 0
    max_in_second: int = 0  # most creates in any rolling second
    timing: Timing | None = None  # None: nothing was sent, or it was not measured
