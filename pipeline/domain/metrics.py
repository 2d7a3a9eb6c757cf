"""Figures of a run: how long calls took, how they went over time, what went over the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as _field

FIRST_BIN_SECONDS = 0.001  # where the first bin of a histogram ends
BINS_PER_DECADE = 20


@dataclass(frozen=True, slots=True)
class DurationHistogram:
    """How long something took, many times, in seconds; ``bins`` are counts from bin ``first`` on."""

    count: int
    total: float
    longest: float
    median: float
    p95: float
    first: int
    bins: tuple[int, ...]

    @staticmethod
    def find_bin_edges(place: int) -> tuple[float, float]:
        """Return the seconds between which a bin's times lie: 20 bins, of growing width, up to ten times as long."""
        high = FIRST_BIN_SECONDS * 10 ** (place / BINS_PER_DECADE)
        return (0.0 if place == 0 else FIRST_BIN_SECONDS * 10 ** ((place - 1) / BINS_PER_DECADE)), high


@dataclass(frozen=True, slots=True)
class Timing:
    """How the calls went over time: a value for each of at most 240 steps of ``step`` seconds, from ``began`` on."""

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
    """What went over the wire tonight."""

    requests: Mapping[str, Mapping[str, int]] = _field(default_factory=dict)  # action -> code ("ok") -> calls
    limit: float = 0.0  # calls a second granted to each action
    used_share: float = 0.0  # of the limit, creates, first to last
    throttled: int = 0
    max_in_second: int = 0  # most creates in any rolling second
    timing: Timing | None = None  # None: nothing was sent, or nobody measured it
