"""What an operator does with the jobs of a hospital: cancel them, keep them in the queue, let them go again.

Each may be asked for again, and changes nothing then. A run in progress is ended by the worker that has it (worker.py).
A job that is kept in the queue is scheduled for a year that does not come; whether a hospital is paused is in a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal

from pipeline.hosts.queue import JobConnector

if TYPE_CHECKING:
    from psycopg import AsyncConnection

HELD_UNTIL = datetime(9000, 1, 1, tzinfo=UTC)  # the time for which the job of a paused hospital is scheduled


class HospitalPaused(Exception):
    """A job was to begin whose hospital is paused."""


@dataclass(frozen=True, slots=True)
class CancelledJob:
    """A job that was cancelled, and what it was until then."""

    day: date
    was: Literal["queued", "running"]


class JobControl:
    """Cancels, pauses and resumes the jobs of hospitals; ``by`` names the person who asks for it."""

    def __init__(self, connector: JobConnector, by: str) -> None:
        self._connector = connector
        self._by = by

    async def cancel(self, hospital: str) -> Sequence[CancelledJob]:
        """Cancel the jobs of a hospital that have not ended, for good; return them."""
        async with self._connector.transaction() as connection:
            cursor = await connection.execute(
                "UPDATE esign_import.daily_job SET cancelled_at = coalesce(cancelled_at, now()),"
                " cancelled_by = coalesce(cancelled_by, %s) WHERE hospital = %s AND finished_at IS NULL"
                " RETURNING day, job",
                [self._by, hospital],
            )
            jobs = dict(await cursor.fetchall())
            # a worker that has just fetched a job waits for its row of the table of days, and sees that it is cancelled
            await connection.execute(
                "UPDATE procrastinate_jobs SET status = 'cancelled' WHERE id = ANY(%s) AND status = 'todo'",
                [[*jobs.values()]],
            )
            cursor = await connection.execute(
                "UPDATE esign_import.daily_job SET finished_at = now() WHERE hospital = %s AND finished_at IS NULL"
                " AND NOT EXISTS (SELECT FROM procrastinate_jobs WHERE id = job AND status = 'doing') RETURNING day",
                [hospital],
            )
            ended = {day for (day,) in await cursor.fetchall()}
        return [CancelledJob(day, "queued" if day in ended else "running") for day in sorted(jobs)]

    async def pause(self, hospital: str) -> bool:
        """Keep a hospital's jobs in the queue; a run in progress goes on. Return False where it was paused before."""
        async with self._connector.transaction() as connection:
            cursor = await connection.execute(
                "INSERT INTO esign_import.paused_hospital (hospital, paused_by) VALUES (%s, %s)"
                " ON CONFLICT DO NOTHING",
                [hospital, self._by],
            )
            await hold_jobs(connection, hospital)
            return cursor.rowcount > 0

    async def resume(self, hospital: str) -> int | None:
        """Let a hospital's jobs go again, of several days the last one.

        Return how many jobs it has that have not ended, None where it was not paused.
        """
        async with self._connector.transaction() as connection:
            cursor = await connection.execute(
                "DELETE FROM esign_import.paused_hospital WHERE hospital = %s", [hospital]
            )
            if not cursor.rowcount:
                return None
            held = "status = 'todo' AND scheduled_at = %s AND lock = %s"
            values = [HELD_UNTIL, make_lock(hospital)]
            await connection.execute(
                f"UPDATE procrastinate_jobs SET status = 'cancelled' WHERE {held} AND id NOT IN"  # noqa: S608 - our own words
                f" (SELECT max(id) FROM procrastinate_jobs WHERE {held})".encode(),
                [*values, *values],
            )
            await connection.execute(
                "UPDATE esign_import.daily_job SET finished_at = now() WHERE hospital = %s AND finished_at IS NULL"
                " AND EXISTS (SELECT FROM procrastinate_jobs WHERE id = job AND status = 'cancelled')",
                [hospital],
            )
            # the hours in which a run is tried again count from now on
            cursor = await connection.execute(
                "UPDATE esign_import.daily_job SET enqueued_at = now() WHERE hospital = %s AND finished_at IS NULL",
                [hospital],
            )
            jobs = cursor.rowcount
            await release_jobs(connection)
        return jobs


def make_lock(hospital: str) -> str:
    """Return the lock of a hospital's jobs, of which one runs at a time."""
    return f"hospital:{hospital}"


async def hold_jobs(connection: AsyncConnection[Any], hospital: str) -> None:
    """Keep the queued jobs of a hospital in the queue, if it is paused."""
    await connection.execute(
        "UPDATE procrastinate_jobs SET scheduled_at = %s WHERE status = 'todo' AND lock = %s"
        " AND EXISTS (SELECT FROM esign_import.paused_hospital WHERE hospital = %s)",
        [HELD_UNTIL, make_lock(hospital), hospital],
    )


async def release_jobs(connection: AsyncConnection[Any]) -> None:
    """Let the jobs go that are kept in the queue although their hospital is not paused any more."""
    await connection.execute(
        "UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE status = 'todo' AND scheduled_at = %s"
        " AND lock NOT IN (SELECT 'hospital:' || hospital FROM esign_import.paused_hospital)",
        [HELD_UNTIL],
    )
