"""Which job gets a slot of a worker: small hospitals first, and some slots are kept for short runs.

What a run will take is estimated when its job is queued, from the hospital's last run and the size of its roster files.
The estimate chooses the job's queue, which decides the slots that it may have, and its priority. A job whose run a worker
has ended for a limit is left to the other workers at first.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from procrastinate import App
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from procrastinate.worker import Worker

from pipeline.hosts.queue import JobConnector

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

# Those of the jobs that this worker may not take yet, locked: procrastinate passes over a locked job. One that the worker
# still has is about to be queued again.
_LOCK_FOR_OTHERS = """
    SELECT id FROM procrastinate_jobs WHERE id = ANY(%(jobs)s)
        AND (status = 'doing' AND worker_id = %(worker)s
             OR status = 'todo' AND scheduled_at > now() - %(seconds)s * interval '1 s')
        AND EXISTS (SELECT FROM procrastinate_workers other
            WHERE other.id <> %(worker)s AND last_heartbeat > now() - %(seconds)s * interval '1 s')
    FOR UPDATE
"""


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


class JobsForOthers(JobManager):
    """procrastinate's job manager, which leaves some jobs to other workers.

    ``seconds`` is for how long after a job is due another worker, one that is alive, alone may take it; and after how long
    without a sign of life a worker is not alive.
    """

    def __init__(self, connector: JobConnector, seconds: float) -> None:
        super().__init__(connector)
        self._transaction = connector.transaction
        self._seconds = seconds
        self._for_others: set[int] = set()  # jobs
        self._fetching = asyncio.Lock()  # a job that is left while one is fetched may be that one

    async def leave(self, job: int) -> None:
        """Leave a job, which this worker has, to others once it is queued again."""
        async with self._fetching:
            self._for_others.add(job)

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Take the next job that is not left to others; None where there is none, or the server did not answer."""
        async with self._fetching:
            if not self._for_others:
                return await super().fetch_job(queues, worker_id)
            values = {"jobs": [*self._for_others], "worker": worker_id, "seconds": self._seconds}
            try:
                async with self._transaction() as connection:
                    cursor = await connection.execute(_LOCK_FOR_OTHERS, values)
                    self._for_others = {job for (job,) in await cursor.fetchall()}
                    return await super().fetch_job(queues, worker_id)
            except ConnectorException:
                return None
