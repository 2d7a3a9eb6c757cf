"""Which job gets a slot of a worker: small hospitals first, and some slots are kept for short runs.

What a run will take is estimated when its job is queued, from the hospital's last run and the size of its roster files.
The estimate chooses the job's queue, which decides the slots that it may have, and its priority.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from procrastinate import App
from procrastinate.worker import Worker

QueueName = Literal["tiny", "short", "long"]
QUEUES: tuple[QueueName, ...] = ("tiny", "short", "long")
TINY_SECONDS, SHORT_SECONDS = 10.0, 120.0  # below which a run is expected to be tiny, or short
UNKNOWN_SECONDS = 3600.0  # of a run whose rosters could not be read: as long as a large one
START_SECONDS = 2.0  # of a run that sends nothing
ROWS_PER_SECOND = 20.0  # that are sent under the usual limit
# A doctor's line takes 50 to 70 bytes as compressed XML or as text; more in a roster with pictures, which so counts as large.
EMPTY_BYTES, ROW_BYTES = 20_000, 50
NO_QUEUE = "none"
PRIORITY_ZERO = 1_767_225_600  # 2026-01-01; a priority has 32 bits


@dataclass(frozen=True, slots=True)
class Rosters:
    """The roster files of a hospital when its job was queued."""

    sha256: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last run of a hospital that came to its end."""

    seconds: float
    roster_bytes: int | None


def estimate_seconds(last: LastRun | None, rosters: Rosters | None) -> float:
    """Return how long a run may take: as long as the last one, and longer by the rows that its rosters have grown by.

    Without a last run, all rows of the rosters are to be sent.
    """
    if last is None:
        if rosters is None:
            return UNKNOWN_SECONDS
        return START_SECONDS + _estimate_sending(rosters.size - EMPTY_BYTES)
    if rosters is None or last.roster_bytes is None:
        return last.seconds
    return last.seconds + _estimate_sending(rosters.size - last.roster_bytes)


def _estimate_sending(size: int) -> float:
    return max(0, size) / ROW_BYTES / ROWS_PER_SECOND


def choose_queue(seconds: float) -> QueueName:
    """Return the queue of a job whose run is expected to take so long."""
    if seconds < TINY_SECONDS:
        return "tiny"
    return "short" if seconds < SHORT_SECONDS else "long"


def compute_priority(queued_at: float, seconds: float) -> int:
    """Return a job's priority; ``queued_at`` are unix seconds.

    The job goes first that would be done first if it began when it was queued. So a job goes behind smaller ones, but never
    behind one that is queued later than it takes itself.
    """
    return PRIORITY_ZERO - round(queued_at + seconds)


def choose_queues(running: Iterable[str | None], slots: int) -> list[str]:
    """Return the queues from which a worker with so many slots takes its next job; ``running`` are the queues of its jobs.

    Long runs get at most every second slot. Once all slots are taken, one tiny run more may go.
    """
    counts = Counter(running)
    if counts.total() >= slots:
        is_extra_free = counts.total() == slots and not counts["tiny"]
        return ["tiny"] if is_extra_free else [NO_QUEUE]
    return [*QUEUES] if counts["long"] < slots - slots // 2 else ["tiny", "short"]


class SlotWorker(Worker):
    """procrastinate's worker, with slots that are kept for short runs."""

    def __init__(self, app: App, *, slots: int, **options: Any) -> None:
        self._slots = slots
        super().__init__(app, concurrency=slots + 1, **options)

    @property
    def queues(self) -> list[str]:
        """The queues of which the next job may be; procrastinate asks before each fetch."""
        return choose_queues([context.job.queue for context in self._running_jobs.values()], self._slots)

    @queues.setter
    def queues(self, _: object) -> None:
        """Ignore the fixed queues that procrastinate's constructor sets."""
