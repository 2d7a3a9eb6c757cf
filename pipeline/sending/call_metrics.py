"""Measures a run's calls over time, in bounded memory however long the run is.

Calls are counted in steps of a second. Once there are too many steps, neighbours are merged and the step doubles.
Durations are counted in bins, so that 100,000 calls need no more memory than 100.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pipeline.clock import Clock
from pipeline.domain.run import BINS_PER_DECADE, FIRST_BIN_SECONDS, DurationHistogram, Timing

MAX_STEPS = 240  # more than a chart of them can show
BINS = 110  # of a histogram: up to five minutes
SLOT, BACK_OFF, OUTAGE = "slot", "back_off", "outage"  # reasons for a wait


class CallMetrics:
    """The figures of one run; every moment is read from its clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.now()
        self._began_monotonic = clock.monotonic()
        self._step_seconds = 1.0
        self._steps: list[_Step] = []
        self._latency: defaultdict[str, _Bins] = defaultdict(_Bins)
        self._waits: defaultdict[str, _Bins] = defaultdict(_Bins)
        self._sends: defaultdict[str, Counter[int]] = defaultdict(Counter)

    def start_call(self, action: str) -> TimedCall:
        """Start to time a call that waits for its slot from now on."""
        return TimedCall(action, self._clock.monotonic())

    def count_throttle(self) -> None:
        """Count a call that was refused for its rate."""
        self._step_at(self._clock.monotonic()).throttled += 1

    @contextmanager
    def measure_wait(self, reason: str) -> Iterator[None]:
        """Measure a wait that the run chose: before a re-send, or during an outage."""
        began = self._clock.monotonic()
        try:
            yield
        finally:
            ended = self._clock.monotonic()
            self._waits[reason].add(ended - began)
            if reason == OUTAGE:
                self._add_silence(began, ended)

    def record_departure(self, call: TimedCall, send_number: int) -> None:
        """Record that the bytes of a call leave now, in the row's send of this number."""
        call.departed_at = self._clock.monotonic()
        self._step_at(call.departed_at).calls[call.action] += 1
        self._waits[SLOT].add(call.departed_at - call.started_at)
        self._sends[call.action][send_number] += 1

    def record_answer(self, call: TimedCall) -> float:
        """Record that a whole answer came; return after how many seconds."""
        assert call.departed_at is not None
        seconds = self._clock.monotonic() - call.departed_at
        step = self._step_at(call.departed_at)
        step.answers[call.action] += 1
        step.seconds[call.action] += seconds
        self._latency[call.action].add(seconds)
        return seconds

    def record_loss(self, call: TimedCall) -> None:
        """Record that no whole answer will come; a call that never left is not counted."""
        if call.departed_at is not None:
            self._step_at(call.departed_at).lost += 1

    def summarize(self) -> Timing | None:
        """Return all figures; None where no call left."""
        if not self._sends:
            return None
        first = next(index for index, step in enumerate(self._steps) if step.calls or step.silent)
        steps = self._steps[first:]
        actions = sorted(self._sends)
        return Timing(
            began=self._began + first * self._step_seconds,
            step=self._step_seconds,
            calls={action: tuple(step.calls[action] for step in steps) for action in actions},
            latency={action: tuple(step.mean_latency(action) for step in steps) for action in actions},
            throttled=tuple(step.throttled for step in steps),
            lost=tuple(step.lost for step in steps),
            silent=tuple(round(step.silent, 1) for step in steps),
            sends={
                action: tuple(counts[number] for number in range(1, max(counts) + 1))
                for action, counts in sorted(self._sends.items())
            },
            answers={action: bins.summarize() for action, bins in sorted(self._latency.items())},
            waits={reason: bins.summarize() for reason, bins in sorted(self._waits.items())},
        )

    def _step_at(self, moment: float) -> _Step:
        index = max(0, int((moment - self._began_monotonic) / self._step_seconds))
        while index >= MAX_STEPS:
            self._merge_neighbours()
            index //= 2
        while len(self._steps) <= index:
            self._steps.append(_Step())
        return self._steps[index]

    def _merge_neighbours(self) -> None:
        for step, neighbour in zip(self._steps[::2], self._steps[1::2], strict=False):
            step.add(neighbour)
        self._steps = self._steps[::2]
        self._step_seconds *= 2

    def _add_silence(self, began: float, ended: float) -> None:
        self._step_at(ended)  # makes the steps as long as they have to be
        last = len(self._steps) - 1
        index = min(int((began - self._began_monotonic) / self._step_seconds), last)
        # by number: a moment at the end of a step may be rounded into it, and would be its own next moment for ever
        while began < ended:
            step_end = self._began_monotonic + (index + 1) * self._step_seconds
            until = ended if index == last else min(ended, max(began, step_end))
            self._steps[index].silent += until - began
            began, index = until, index + 1


@dataclass(slots=True)
class TimedCall:
    """One call: it waits from ``started_at``, and leaves at ``departed_at``; both are monotonic seconds."""

    action: str
    started_at: float
    departed_at: float | None = None


@dataclass(slots=True)
class _Step:
    """The counts of one step of time."""

    calls: Counter[str] = field(default_factory=Counter)  # that left
    answers: Counter[str] = field(default_factory=Counter)  # to calls that left in it
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))  # that these took together
    throttled: int = 0
    lost: int = 0
    silent: float = 0.0  # seconds of it in which nothing was sent because the service did not answer

    def add(self, other: _Step) -> None:
        self.calls += other.calls
        self.answers += other.answers
        for action, seconds in other.seconds.items():
            self.seconds[action] += seconds
        self.throttled += other.throttled
        self.lost += other.lost
        self.silent += other.silent

    def mean_latency(self, action: str) -> float | None:
        answers = self.answers[action]
        return round(self.seconds[action] / answers, 4) if answers else None


class _Bins:
    """Counts durations in bins."""

    def __init__(self) -> None:
        self._bins = [0] * BINS
        self._count, self._total, self._longest = 0, 0.0, 0.0

    def add(self, seconds: float) -> None:
        self._bins[_bin_of(seconds)] += 1
        self._count += 1
        self._total += seconds
        self._longest = max(self._longest, seconds)

    def summarize(self) -> DurationHistogram:
        filled = [index for index, count in enumerate(self._bins) if count]
        first, last = (filled[0], filled[-1]) if filled else (0, -1)
        return DurationHistogram(
            count=self._count,
            total=round(self._total, 3),
            longest=round(self._longest, 4),
            median=self._quantile(0.5),
            p95=self._quantile(0.95),
            first=first,
            bins=tuple(self._bins[first : last + 1]),
        )

    def _quantile(self, share: float) -> float:
        """Return a quantile, interpolated within its bin: off by 12 % at most."""
        needed = share * self._count
        for index, count in enumerate(self._bins):
            if count and needed <= count:
                low, high = DurationHistogram.compute_bin_edges(index)
                return round(min(self._longest, low + (high - low) * needed / count), 4)
            needed -= count
        return round(self._longest, 4)


def _bin_of(seconds: float) -> int:
    if seconds <= FIRST_BIN_SECONDS:
        return 0
    return min(BINS - 1, math.ceil(math.log10(seconds / FIRST_BIN_SECONDS) * BINS_PER_DECADE))
