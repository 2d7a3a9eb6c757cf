"""Measures a run's calls: how many left, how many were sent again or lost, how long answers and waits took."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pipeline.clock import Clock
from pipeline.domain.run import Durations, Timing
from pipeline.support.progress_file import record_progress

SLOT, BACK_OFF, OUTAGE = "slot", "back_off", "outage"  # reasons for a wait


class CallMetrics:
    """The figures of one run; every moment is read from its clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sends: Counter[str] = Counter()
        self._resends: Counter[str] = Counter()
        self._lost = 0
        self._answers: defaultdict[str, list[float]] = defaultdict(list)  # 3 MB for 100,000 calls
        self._waits: defaultdict[str, list[float]] = defaultdict(list)

    def start_call(self, action: str) -> TimedCall:
        """Start to time a call that waits for its slot from now on."""
        return TimedCall(action, self._clock.monotonic())

    @contextmanager
    def measure_wait(self, reason: str) -> Iterator[None]:
        """Measure a wait that the run chose: before a re-send, or during an outage."""
        began = self._clock.monotonic()
        try:
            yield
        finally:
            self._waits[reason].append(self._clock.monotonic() - began)

    def record_departure(self, call: TimedCall, send_number: int) -> None:
        """Record that the bytes of a call leave now, in the row's send of this number."""
        call.departed_at = self._clock.monotonic()
        self._waits[SLOT].append(call.departed_at - call.started_at)
        self._sends[call.action] += 1
        self._resends[call.action] += send_number > 1

    def record_answer(self, call: TimedCall) -> None:
        """Record that a whole answer came."""
        record_progress()
        assert call.departed_at is not None
        self._answers[call.action].append(self._clock.monotonic() - call.departed_at)

    def record_loss(self, call: TimedCall) -> None:
        """Record that no whole answer will come; a call that never left is not counted."""
        record_progress()
        if call.departed_at is not None:
            self._lost += 1

    def summarize(self) -> Timing | None:
        """Return all figures; None where no call left."""
        if not self._sends:
            return None
        return Timing(
            sends=dict(sorted(self._sends.items())),
            resends=dict(sorted(self._resends.items())),
            lost=self._lost,
            answers={action: _summarize(seconds) for action, seconds in sorted(self._answers.items())},
            waits={reason: _summarize(seconds) for reason, seconds in sorted(self._waits.items())},
        )


@dataclass(slots=True)
class TimedCall:
    """One call: it waits from ``started_at``, and leaves at ``departed_at``; both are monotonic seconds."""

    action: str
    started_at: float
    departed_at: float | None = None


def _summarize(seconds: Sequence[float]) -> Durations:
    ordered = sorted(seconds)
    count = len(ordered)
    return Durations(
        count=count,
        total=round(sum(ordered), 3),
        longest=round(ordered[-1], 4),
        median=round(ordered[count // 2], 4),
        p95=round(ordered[count * 95 // 100], 4),
    )
