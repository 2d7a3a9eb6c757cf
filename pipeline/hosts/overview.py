"""What the hosts of a database do at the moment: the jobs of the queue, the workers, the ledgers in use, the quotas.

Each is one query. Ages are differences of the server's own clock, so a host whose clock is wrong sees the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from pipeline.hosts.job_control import HELD_UNTIL
from pipeline.hosts.queue import JobConnector

JobState = Literal["running", "ending", "queued", "waiting", "paused"]
MINUTE = 60.0

_JOBS = """
    SELECT hospital, day, daily_job.attempts, exit, worker_id AS worker, host,
        CASE WHEN job.status = 'doing' AND cancelled_at IS NOT NULL THEN 'ending'
             WHEN job.status = 'doing' THEN 'running'
             WHEN scheduled_at = %(held)s THEN 'paused'
             WHEN scheduled_at > now() THEN 'waiting'
             ELSE 'queued' END AS state,
        extract(epoch FROM CASE WHEN job.status = 'doing' THEN daily_job.started_at ELSE enqueued_at END)::float AS since,
        extract(epoch FROM CASE WHEN scheduled_at > now() AND scheduled_at <> %(held)s THEN scheduled_at END)::float
            AS next_try
    FROM esign_import.daily_job
    JOIN procrastinate_jobs job ON job.id = daily_job.job AND job.status IN ('todo', 'doing')
    LEFT JOIN hospital_worker ON hospital_worker.id = worker_id
    ORDER BY job.status, scheduled_at NULLS FIRST, priority DESC, job.id
"""
_WORKERS = """
    SELECT worker.id AS worker, host, pid, version, processes, extract(epoch FROM hospital_worker.started_at)::float AS started,
        extract(epoch FROM now() - last_heartbeat)::float AS silent_seconds,
        extract(epoch FROM now() - last_heartbeat) <= stalled_seconds AS is_alive,
        (SELECT count(*) FROM procrastinate_jobs job WHERE job.worker_id = worker.id AND job.status = 'doing')::int AS running
    FROM procrastinate_workers worker JOIN hospital_worker USING (id) ORDER BY host, worker.id
"""
_PAUSED = """
    SELECT hospital, paused_by AS by, extract(epoch FROM since)::float AS since FROM esign_import.paused_hospital
    ORDER BY hospital
"""
# The slots of the last sixty seconds: those of this minute, and of the minute before by the part of it that still counts.
_QUOTAS = """
    SELECT action, requests_per_second,
        CASE moment - minute WHEN 0 THEN slots + slots_before * (1 - elapsed) WHEN 1 THEN slots * (1 - elapsed) ELSE 0 END
            AS slots,
        (SELECT count(*) FROM unnest(throttles) AS throttle WHERE throttle > seconds - 60)::int AS throttles
    FROM esign_import.rate, (
        SELECT seconds, floor(seconds / 60)::bigint AS moment, seconds / 60 - floor(seconds / 60) AS elapsed
        FROM esign_import.server_seconds() AS seconds
    ) AS present
    ORDER BY action
"""
_LEDGERS = """
    SELECT * FROM esign_import.held_ledgers() ORDER BY tenant
"""


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A job of a hospital that has not ended. Moments are unix seconds."""

    hospital: str  # "" is that of the configuration's top level
    day: date
    state: JobState
    since: float | None  # of its run, where it runs; else of the queue
    next_try: float | None  # where it waits for one
    attempts: int  # that have begun
    exit: int | None  # of the last one
    worker: int | None
    host: str | None  # None where its worker is gone


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker that has been seen, and whether it is still alive."""

    worker: int
    host: str
    pid: int
    version: str
    processes: int  # runs at once
    running: int
    started: float
    silent_seconds: float  # since its last sign of life
    is_alive: bool


@dataclass(frozen=True, slots=True)
class PausedHospital:
    """A hospital whose jobs stay in the queue."""

    hospital: str
    by: str
    since: float


@dataclass(frozen=True, slots=True)
class LedgerInUse:
    """A ledger that a process holds."""

    tenant: str
    run: str
    host: str
    pid: int
    user: str
    since: float
    silent_seconds: float  # since it sent its last statement to the server


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """What an action used of its quota in the last minute."""

    action: str
    requests_per_second: float
    slots: float
    throttles: int

    @property
    def share(self) -> float:
        """The part of the limit that was used."""
        return self.slots / (MINUTE * self.requests_per_second)


@dataclass(frozen=True, slots=True)
class Overview:
    """What all hosts of a database do."""

    jobs: list[OpenJob]
    workers: list[WorkerState]
    paused: list[PausedHospital]
    ledgers: list[LedgerInUse]
    quotas: list[QuotaUse]

    @property
    def has_worker(self) -> bool:
        """Whether a worker is alive."""
        return any(worker.is_alive for worker in self.workers)


async def read_overview(connector: JobConnector) -> Overview:
    """Return what the hosts do; the queue is open."""
    query: Any = connector.execute_query_all_async
    return Overview(
        jobs=[OpenJob(**row) for row in await query(_JOBS, held=HELD_UNTIL)],
        workers=[WorkerState(**row) for row in await query(_WORKERS)],
        paused=[PausedHospital(**row) for row in await query(_PAUSED)],
        ledgers=[LedgerInUse(**row) for row in await query(_LEDGERS)],
        quotas=[QuotaUse(**row) for row in await query(_QUOTAS)],
    )
