"""The table of days: which hospital was queued on which day, and how its run ended.

A row and its job are committed together, so that a hospital gets one job a day with any number of workers.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from procrastinate import App

from pipeline.hosts.job_control import HELD_UNTIL, HospitalPaused, hold_jobs, make_lock
from pipeline.hosts.queue import JobConnector, open_queue
from pipeline.hosts.slots import LastRun, Rosters, choose_queue, compute_priority, estimate_seconds
from pipeline.intake.readers.discover import expand_paths

if TYPE_CHECKING:
    from psycopg import AsyncConnection

TASK = "run_hospital"
KEEP_DAYS = 400  # rows of the table of days, where `retention.runs` gives no other age
# From the start of a day. A hospital that the table of days has never held and that is found later waits for the next day.
LATE_SECONDS = 3600.0
LAST_ENDS_DAYS = 40
_LAST_ENDS = """
    SELECT hospital, count(*) FILTER (WHERE has_ended) > 0 AS has_ended,
        (array_agg(exit ORDER BY day DESC) FILTER (WHERE has_ended))[1] AS exit,
        extract(epoch FROM max(finished_at) FILTER (WHERE exit IN (0, 3, 7)))::float AS succeeded,
        extract(epoch FROM min(enqueued_at))::float AS known_since,
        hospital IN (SELECT hospital FROM esign_import.paused_hospital) AS is_paused,
        extract(epoch FROM now())::float AS now
    FROM (
        SELECT *, finished_at IS NOT NULL AND cancelled_at IS NULL AS has_ended FROM esign_import.daily_job
        WHERE day >= current_date - %(days)s::integer
    ) AS recent
    GROUP BY hospital ORDER BY hospital
"""


@dataclass(frozen=True, slots=True)
class Hospital:
    """A hospital by the name of its folder."""

    name: str
    rosters: Sequence[Path]
    keep_days: int  # rows of the table of days


@dataclass(frozen=True, slots=True)
class DailyJob:
    """A hospital's job of one day, as it begins."""

    hospital: str
    attempts: int  # this one included
    age: float  # seconds since it was queued


@dataclass(frozen=True, slots=True)
class LastEnd:
    """How the last job of a hospital ended, and when its runs last came to their end. Moments are unix seconds."""

    hospital: str
    has_ended: bool  # False: no job of the last weeks has
    exit: int | None  # None where a worker gave the job up
    succeeded: float | None
    known_since: float  # when its first job of the last weeks was queued
    is_paused: bool
    now: float  # of the server's clock


def compute_day(now: float, start: time) -> tuple[date, float]:
    """Return the day whose start, a local time of day, was the last before this moment, and the seconds since then."""
    local = datetime.fromtimestamp(now, UTC).astimezone()
    day = local.date() if local.time() >= start else local.date() - timedelta(days=1)
    return day, now - datetime.combine(day, start).astimezone().timestamp()


def digest_rosters(rosters: Sequence[Path]) -> Rosters | None:
    """Return the SHA-256 over names and contents of roster files in any order, and their size; None if one is not readable."""
    lines, size = [], 0
    try:
        for file in expand_paths(rosters):
            content = file.read_bytes()
            lines.append(f"{file.name}\0{hashlib.sha256(content).hexdigest()}\n")
            size += len(content)
    except OSError:
        return None  # the run reports it
    digest = hashlib.sha256("".join(sorted(lines)).encode("utf-8", "surrogateescape"))
    return Rosters(digest.hexdigest(), size)


class DailyJobs:
    """Queues jobs and keeps the table of days."""

    def __init__(self, connector: JobConnector, app: App) -> None:
        self._connector = connector
        self._app = app

    async def list_known_hospitals(self) -> set[str]:
        """Return the hospitals that the table holds."""
        rows = await self._connector.execute_query_all_async(
            "SELECT DISTINCT hospital FROM esign_import.daily_job"
        )
        return {row["hospital"] for row in rows}

    async def has_day(self, hospital: str, day: date) -> bool:
        """Return whether the table holds this day of a hospital."""
        return bool(
            await self._connector.execute_query_all_async(
                "SELECT FROM esign_import.daily_job WHERE hospital = %(hospital)s AND day = %(day)s",
                hospital=hospital,
                day=day,
            )
        )

    async def queue(self, hospital: str, day: date, rosters: Rosters | None, *, repeat: bool = False) -> bool:
        """Queue a hospital's job of a day unless it has one; return whether it was queued.

        With ``repeat`` a job that has ended is followed by another, and one that waits for its next try begins at once.
        """
        key = [hospital, day]
        async with self._connector.transaction() as connection:
            cursor = await connection.execute(
                "INSERT INTO esign_import.daily_job (hospital, day) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                key,
            )
            if not cursor.rowcount:
                cursor = await connection.execute(
                    "SELECT job.id, job.scheduled_at <> %s FROM esign_import.daily_job LEFT JOIN procrastinate_jobs job"
                    " ON job.id = daily_job.job AND job.status IN ('todo', 'doing')"
                    " WHERE hospital = %s AND day = %s FOR UPDATE OF daily_job",
                    [HELD_UNTIL, *key],
                )
                job, is_waiting = await cursor.fetchone() or (None, False)
                if not repeat or (job is not None and not is_waiting):
                    return False
                if job is not None:
                    cursor = await connection.execute(
                        "UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE id = %s AND status = 'todo'",
                        [job],
                    )
                    return cursor.rowcount > 0
            queued_at, last = await _read_last_run(connection, hospital)
            expected = estimate_seconds(last, rosters)
            deferrer = self._app.configure_task(
                TASK,
                queue=choose_queue(expected),
                priority=compute_priority(queued_at, expected),
                lock=make_lock(hospital),
                queueing_lock=f"{hospital}:{day}",
                connection=connection,
            )
            digest, size = (rosters.sha256, rosters.size) if rosters else (None, None)
            job = await deferrer.defer_async(hospital=hospital, roster_sha256=digest)
            await connection.execute(
                "UPDATE esign_import.daily_job SET job = %s, roster_sha256 = %s, roster_bytes = %s, expected_seconds = %s,"
                " enqueued_at = now(), started_at = NULL, finished_at = NULL, exit = NULL, attempts = 0,"
                " cancelled_at = NULL, cancelled_by = NULL WHERE hospital = %s AND day = %s",
                [job, digest, size, expected, *key],
            )
            await hold_jobs(connection, hospital)
        return True

    async def start(self, job: int | None) -> DailyJob | None:
        """Enter that a job begins; None where its day has ended, it was cancelled, or its day has another job.

        Raises HospitalPaused where the hospital was paused after the job was fetched.
        """
        rows = await self._connector.execute_query_all_async(
            "UPDATE esign_import.daily_job SET started_at = now(), attempts = attempts + 1"
            " WHERE job = %(job)s AND finished_at IS NULL AND cancelled_at IS NULL"
            " AND hospital NOT IN (SELECT hospital FROM esign_import.paused_hospital)"
            " RETURNING hospital, attempts, extract(epoch FROM now() - enqueued_at)::float AS age",
            job=job,
        )
        if rows:
            return DailyJob(**rows[0])
        rows = await self._connector.execute_query_all_async(
            "SELECT hospital, cancelled_at IS NOT NULL AS is_cancelled FROM esign_import.daily_job"
            " WHERE job = %(job)s AND finished_at IS NULL",
            job=job,
        )
        if rows and not rows[0]["is_cancelled"]:
            raise HospitalPaused(rows[0]["hospital"])
        await self.end(job, None, is_final=True)
        return None

    async def list_cancelled(self, jobs: Collection[int]) -> set[int]:
        """Return which of these jobs were cancelled."""
        rows = await self._connector.execute_query_all_async(
            "SELECT job FROM esign_import.daily_job WHERE job = ANY(%(jobs)s) AND cancelled_at IS NOT NULL",
            jobs=[*jobs],
        )
        return {row["job"] for row in rows}

    async def list_last_ends(self) -> list[LastEnd]:
        """Return how the last job of each hospital ended that had one in the last weeks; a cancelled one does not count."""
        rows = await self._connector.execute_query_all_async(_LAST_ENDS, days=LAST_ENDS_DAYS)
        return [LastEnd(**row) for row in rows]

    async def list_paused(self) -> set[str]:
        """Return the hospitals that are paused."""
        rows = await self._connector.execute_query_all_async(
            "SELECT hospital FROM esign_import.paused_hospital"
        )
        return {row["hospital"] for row in rows}

    async def is_of_worker(self, job: int, worker: int | None) -> bool:
        """Return whether this worker still has a job: it was not given to another one, and its day has not ended."""
        return bool(
            await self._connector.execute_query_all_async(
                "SELECT FROM procrastinate_jobs JOIN esign_import.daily_job ON daily_job.job = procrastinate_jobs.id"
                " WHERE id = %(job)s AND status = 'doing' AND worker_id = %(worker)s AND finished_at IS NULL",
                job=job,
                worker=worker,
            )
        )

    async def end(self, job: int | None, exit_code: int | None, *, is_final: bool) -> None:
        """Enter how a job ended: for good, or to be tried again."""
        await self._connector.execute_query_async(
            "UPDATE esign_import.daily_job SET exit = %(exit)s, finished_at = CASE WHEN %(final)s THEN now() END"
            " WHERE job = %(job)s AND finished_at IS NULL",
            job=job,
            exit=exit_code,
            final=is_final,
        )

    async def delete_old_rows(self, hospitals: Sequence[Hospital]) -> None:
        """Delete the rows that are older than their hospital keeps them."""
        await self._connector.execute_query_async(
            "DELETE FROM esign_import.daily_job WHERE day < current_date - coalesce((SELECT days FROM"
            " unnest(%(names)s::text[], %(days)s::integer[]) AS kept (name, days) WHERE name = hospital), %(usual)s)",
            names=[hospital.name for hospital in hospitals],
            days=[hospital.keep_days for hospital in hospitals],
            usual=KEEP_DAYS,
        )


async def _read_last_run(connection: AsyncConnection[Any], hospital: str) -> tuple[float, LastRun | None]:
    """Return the server's time in unix seconds, and a hospital's last run that came to its end."""
    cursor = await connection.execute(
        "SELECT extract(epoch FROM now())::float, extract(epoch FROM finished_at - started_at)::float, roster_bytes"
        " FROM (SELECT now()) AS present LEFT JOIN esign_import.daily_job"
        " ON hospital = %s AND exit IN (0, 3) AND finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT 1",
        [hospital],
    )
    ((now, seconds, roster_bytes),) = await cursor.fetchall()
    return now, None if seconds is None else LastRun(seconds, roster_bytes)


async def enqueue_hospitals(
    connector: JobConnector, hospitals: Sequence[Hospital], day: date
) -> AsyncIterator[tuple[str, bool, bool]]:
    """Queue these hospitals now, for this day.

    Yield the name of each, whether it was queued, False where its job is under way, and whether it is paused.
    """
    daily_jobs = DailyJobs(connector, App(connector=connector))
    async with open_queue(connector):
        paused = await daily_jobs.list_paused()
        for hospital in hospitals:
            rosters = digest_rosters(hospital.rosters)
            is_queued = await daily_jobs.queue(hospital.name, day, rosters, repeat=True)
            yield hospital.name, is_queued, hospital.name in paused
