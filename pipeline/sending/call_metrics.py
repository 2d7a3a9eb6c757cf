"""How a night's calls went over time, measured as they happen and kept small however long the night is.

Calls are counted in steps of a second; once there are too many steps, neighbours are put together and the step
doubles. How long something took is counted in bins, so that 100,000 calls need no more room than 100.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pipeline.clock import Clock
from pipeline.domain.metrics import BINS_PER_DECADE, FIRST_BIN_SECONDS, DurationHistogram, Timing

STEPS = 240  # at most: more than a picture of them can show
BINS = 110  # of a Spread: up to five minutes
SLOT, BACK_OFF, OUTAGE = "slot", "back_off", "outage"  # why somebody waited


class CallMetrics:
    """One for a run; every moment is read from its clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = (clock.now(), clock.monotonic())
        self._width = 1.0  # seconds a step
        self._steps: list[_Step] = []
        self._latency: defaultdict[str, _Bins] = defaultdict(_Bins)
        self._waits: defaultdict[str, _Bins] = defaultdict(_Bins)
        self._sends: defaultdict[str, Counter[int]] = defaultdict(Counter)

    def call(self, action: str) -> CallTimer:
        """Begin with a call that waits for its slot from now on."""
        return CallTimer(self, action, self._clock.monotonic())

    def throttled(self) -> None:
        """Note a refusal for the rate of calls."""
        self._step(self._clock.monotonic()).throttled += 1

    @contextmanager
    def waiting(self, why: str) -> Iterator[None]:
        """Measure a wait that the night chose: before a re-send, or while the service is silent."""
        began = self._clock.monotonic()
        try:
            yield
        finally:
            ended = self._clock.monotonic()
            self._waits[why].add(ended - began)
            if why == OUTAGE:
                self._silence(began, ended)

    def read(self) -> Timing | None:
        """Return what was measured; None where no call left."""
        if not self._sends:
            return None
        first = next(place for place, step in enumerate(self._steps) if step.calls or step.silent)
        steps = self._steps[first:]
        actions = sorted(self._sends)
        return Timing(
            began=self._began[0] + first * self._width,
            step=self._width,
            calls={action: tuple(step.calls[action] for step in steps) for action in actions},
            latency={action: tuple(step.mean(action) for step in steps) for action in actions},
            throttled=tuple(step.throttled for step in steps),
            lost=tuple(step.lost for step in steps),
            silent=tuple(round(step.silent, 1) for step in steps),
            sends={
                action: tuple(numbers[number] for number in range(1, max(numbers) + 1))
                for action, numbers in sorted(self._sends.items())
            },
            answers={action: bins.read() for action, bins in sorted(self._latency.items())},
            waits={why: bins.read() for why, bins in sorted(self._waits.items())},
        )

    # -- what a call says of itself

    def left(self, action: str, moment: float, waited: float, send: int) -> None:
        """Count a call whose bytes leave now."""
        self._step(moment).calls[action] += 1
        self._waits[SLOT].add(waited)
        self._sends[action][send] += 1

    def answered(self, action: str, moment: float, seconds: float) -> None:
        """Count an answer to a call that left at ``moment``."""
        step = self._step(moment)
        step.answers[action] += 1
        step.seconds[action] += seconds
        self._latency[action].add(seconds)

    def lost(self, moment: float) -> None:
        """Count a call that left at ``moment`` and whose answer never came whole."""
        self._step(moment).lost += 1

    def now(self) -> float:
        """Return the clock's steady seconds."""
        return self._clock.monotonic()

    # -- steps

    def _step(self, moment: float) -> _Step:
        place = max(0, int((moment - self._began[1]) / self._width))
        while place >= STEPS:
            self._halve()
            place //= 2
        while len(self._steps) <= place:
            self._steps.append(_Step())
        return self._steps[place]

    def _halve(self) -> None:
        pairs = [self._steps[place : place + 2] for place in range(0, len(self._steps), 2)]
        for pair in pairs:
            for other in pair[1:]:
                pair[0].take(other)
        self._steps = [pair[0] for pair in pairs]
        self._width *= 2

    def _silence(self, began: float, ended: float) -> None:
        self._step(ended)  # from here on the steps are as wide as they have to be
        while began < ended:
            place = int((began - self._began[1]) / self._width)
            until = min(ended, self._began[1] + (place + 1) * self._width)
            self._steps[place].silent += until - began
            began = until


class CallTimer:
    """One call: waits, leaves, is answered or not."""

    def __init__(self, meter: CallMetrics, action: str, asked: float) -> None:
        self._meter = meter
        self._action = action
        self._asked = asked
        self._left: float | None = None

    def asks(self) -> None:
        """Say that the wait for a slot begins only now."""
        self._asked = self._meter.now()

    def left(self, send: int) -> None:
        """Say that the bytes leave now, for the row's ``send``-th time."""
        self._left = self._meter.now()
        self._meter.left(self._action, self._left, self._left - self._asked, send)

    def answered(self) -> None:
        """Say that a whole answer came."""
        assert self._left is not None
        self._meter.answered(self._action, self._left, self._meter.now() - self._left)

    def lost(self) -> None:
        """Say that no whole answer will come; a call that never left is none."""
        if self._left is not None:
            self._meter.lost(self._left)


@dataclass(slots=True)
class _Step:
    """What happened in one step of time."""

    calls: Counter[str] = field(default_factory=Counter)  # that left
    answers: Counter[str] = field(default_factory=Counter)  # to calls that left in it
    seconds: defaultdict[str, float] = field(
        default_factory=lambda: defaultdict(float)
    )  # these took, together
    throttled: int = 0
    lost: int = 0
    silent: float = 0.0  # seconds of it in which nothing was sent because the service did not answer

    def take(self, other: _Step) -> None:
        self.calls += other.calls
        self.answers += other.answers
        for action, seconds in other.seconds.items():
            self.seconds[action] += seconds
        self.throttled += other.throttled
        self.lost += other.lost
        self.silent += other.silent

    def mean(self, action: str) -> float | None:
        answers = self.answers[action]
        return round(self.seconds[action] / answers, 4) if answers else None


class _Bins:
    """How long something took, many times."""

    def __init__(self) -> None:
        self._bins = [0] * BINS
        self._count, self._total, self._longest = 0, 0.0, 0.0

    def add(self, seconds: float) -> None:
        self._bins[_bin_of(seconds)] += 1
        self._count += 1
        self._total += seconds
        self._longest = max(self._longest, seconds)

    def read(self) -> DurationHistogram:
        filled = [place for place, count in enumerate(self._bins) if count]
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
        """Return a quantile, told within its bin by the share of it that is needed; off by 12 % at most."""
        needed = share * self._count
        for place, count in enumerate(self._bins):
            if count and needed <= count:
                low, high = DurationHistogram.find_bin_edges(place)
                return round(min(self._longest, low + (high - low) * needed / count), 4)
            needed -= count
        return round(self._longest, 4)


def _bin_of(seconds: float) -> int:
    if seconds <= FIRST_BIN_SECONDS:
        return 0
    return min(BINS - 1, math.ceil(math.log10(seconds / FIRST_BIN_SECONDS) * BINS_PER_DECADE))
