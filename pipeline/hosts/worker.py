"""A worker: queues every hospital's job of the day, runs jobs in child processes, and takes over those of dead workers.

procrastinate's periodic tasks are not used: one that is missed by ten minutes is skipped, and their times are UTC. Each
worker compares the hospitals with the table of days when it starts and at every start of a day.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from procrastinate import App, JobContext
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status

from pipeline.clock import Clock
from pipeline.config.sections import Workers
from pipeline.config.values import parse_duration, parse_listen
from pipeline.domain.server_address import ServerAddress
from pipeline.errors import LedgerError, Locked
from pipeline.hosts.daily_jobs import (
    LATE_SECONDS,
    TASK,
    DailyJob,
    DailyJobs,
    Hospital,
    LastEnd,
    compute_day,
    digest_rosters,
)
from pipeline.hosts.job_control import release_jobs
from pipeline.hosts.overview import Overview, read_overview
from pipeline.hosts.queue import PAUSE, JobConnector, open_queue, require_known_tables
from pipeline.hosts.run_children import (
    RetryAfterRun,
    RunChildren,
    RunEnd,
    RunLimits,
    RunNotDone,
    choose_wait,
    judge_end,
)
from pipeline.hosts.slots import JobsForOthers, SlotWorker
from pipeline.messages.catalogue import join_messages
from pipeline.support.interrupts import call_at_signals
from pipeline.version import __version__

Report = Callable[..., None]  # the key of a message and what fills its blanks
SendAlarm = Callable[[str | None, list[LastEnd]], str]  # with the state that was kept; returns that to keep
MakeMetrics = Callable[[Overview, list[LastEnd], Mapping[str, float]], bytes]

REAPER_LOCK = 0x65736A7265  # of the advisory lock that one reaper at a time holds
JOB_HOURS = 31 * 24  # jobs that have ended are kept so long
DAY = 86_400.0
POLL_SECONDS = 2.0  # between two looks into the queue
# Tries of a job. `retry_hours` allows fewer: where there are more, the death of their workers has cut them off.
MAX_TRIES = 15
AT_ONCE = datetime.fromtimestamp(0, UTC)  # whatever this machine's clock shows
ALARM_LOCK = 0x65736A616C  # of the advisory lock of the worker that sends the alarm
ALARM_SECONDS = 60.0  # between two looks at all hospitals
DIGEST_SECONDS = 60.0  # for the rosters of one hospital: a share may hang


class _JobWorker(SlotWorker):
    """procrastinate's worker, which leaves a job that another worker has by now as that one enters it."""

    def __init__(
        self, app: App, *, slots: int, enter: Callable[[int], Coroutine[Any, Any, None]], **options: Any
    ) -> None:
        super().__init__(app, slots=slots, **options)
        self.given_up: set[int] = set()  # jobs
        self._enter = enter

    async def _run_loop(self) -> None:
        assert self.worker_id is not None
        await self._enter(self.worker_id)
        await super()._run_loop()  # type: ignore[no-untyped-call]

    async def _persist_job_status(self, job: Job, *args: Any, **kwargs: Any) -> None:
        if job.id in self.given_up:
            self.given_up.discard(job.id)
            self._job_ids_to_abort.pop(job.id, None)
            return
        await super()._persist_job_status(job, *args, **kwargs)


class HospitalWorker:
    """One worker process."""

    def __init__(
        self,
        address: ServerAddress,
        secret: str,
        settings: Workers,
        *,
        folder: Path,
        list_hospitals: Callable[[], Sequence[Hospital]],
        make_metrics: MakeMetrics,
        send_alarm: SendAlarm | None = None,
        clock: Clock,
        report: Report,
        language: str | None = None,
    ) -> None:
        self._settings = settings
        self._list_hospitals = list_hospitals
        self._make_metrics = make_metrics
        self._send_alarm = send_alarm
        self._hospital_names: set[str] = set()  # as the configuration had them when it was last read
        self._clock = clock
        self._report = report
        limits = RunLimits(parse_duration(settings.run_limit), parse_duration(settings.progress_limit))
        self._children = RunChildren(folder, language, limits=limits, clock=clock, report=report)
        # a query waits a third of the time after which the worker passes for dead; two connections are for the chores
        patience = settings.stalled_seconds / 3
        self._connector = JobConnector(
            address, secret, clock, patience=patience, connections=settings.processes + 5
        )
        self._connector.on_failure = self._fail
        app = App(connector=self._connector)
        app.task(name=TASK, retry=RetryAfterRun(), pass_context=True)(self._run_hospital)
        self._jobs = app.job_manager = JobsForOthers(self._connector, settings.stalled_seconds)
        self._daily_jobs = DailyJobs(self._connector, app)
        self._poll_seconds = min(POLL_SECONDS, settings.stalled_seconds / 18)
        self._worker = _JobWorker(
            app,
            slots=settings.processes,
            enter=self._enter_worker,
            listen_notify=False,  # a poll is enough for jobs of minutes, and there is no second connection to lose
            fetch_job_polling_interval=self._poll_seconds,
            install_signal_handlers=False,
            update_heartbeat_interval=settings.stalled_seconds / 9,
            stalled_worker_timeout=settings.stalled_seconds,
        )
        self._threads = ThreadPoolExecutor(settings.processes + 2, thread_name_prefix="run")
        self._digests = ThreadPoolExecutor(4, thread_name_prefix="digest")
        self._running: dict[int, str | None] = {}  # hospitals by their jobs; None until the job begins
        self._lost: set[int] = set()
        self._failure: BaseException | None = None
        self._queued_day: date | None = None  # the last whose jobs this worker has queued
        self._is_stopping = False

    async def run(self) -> None:
        """Work until a signal comes, then wait until the runs have drained.

        Raises LedgerError once the database has not answered for a third of ``stalled_seconds``.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._handle_lost_exception)
        try:
            async with open_queue(self._connector):
                with call_at_signals(loop, self._stop_by_signal):
                    await self._work()
        except LedgerError as error:
            self._failure = self._failure or error
        finally:
            self._threads.shutdown(wait=False)
            self._digests.shutdown(wait=False, cancel_futures=True)
        if isinstance(self._failure, ConnectorException):
            raise self._connector.explain(self._failure) from self._failure
        if self._failure is not None:
            raise self._failure

    async def _work(self) -> None:
        chores = [
            asyncio.create_task(self._repeat(self._take_over_jobs, self._settings.stalled_seconds / 3)),
            asyncio.create_task(self._repeat(self._queue_day, min(30.0, self._settings.stalled_seconds / 3))),
            asyncio.create_task(self._repeat(self._end_cancelled_runs, self._poll_seconds)),
            asyncio.create_task(
                self._repeat(
                    partial(require_known_tables, self._connector), self._settings.stalled_seconds / 3
                )
            ),
            asyncio.create_task(self._repeat(self._delete_old, DAY)),
        ]
        if self._send_alarm is not None:
            chores.append(
                asyncio.create_task(
                    self._repeat(
                        self._watch_hospitals, min(ALARM_SECONDS, self._settings.stalled_seconds / 3)
                    )
                )
            )
        for chore in chores:
            chore.add_done_callback(self._end_after_chore)
        try:
            if not self._is_stopping:
                start = f"{self._settings.start:%H:%M}"
                self._report("worker.started", processes=self._settings.processes, start=start)
                async with self._serve_pages():
                    await self._worker.run()  # type: ignore[no-untyped-call]
        finally:
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
        if not self._is_stopping and self._failure is None:
            raise RuntimeError("the worker ended by itself")

    async def _enter_worker(self, worker: int) -> None:
        """Enter what `hosts status` shows of this worker; the row goes with that of procrastinate."""
        await self._connector.execute_query_async(
            "INSERT INTO hospital_worker (id, host, pid, version, processes, stalled_seconds)"
            " VALUES (%(id)s, %(host)s, %(pid)s, %(version)s, %(processes)s, %(stalled)s) ON CONFLICT DO NOTHING",
            id=worker,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            processes=self._settings.processes,
            stalled=self._settings.stalled_seconds,
        )

    # -- what it shows over HTTP

    @asynccontextmanager
    async def _serve_pages(self) -> AsyncIterator[None]:
        """Answer /health and /metrics while the block runs, where an address is configured."""
        if self._settings.listen is None:
            yield
            return
        from pipeline.hosts.worker_server import WorkerServer  # noqa: PLC0415 - a worker without it needs no aiohttp

        host, port = parse_listen(self._settings.listen)
        server = WorkerServer(
            host, port, describe_health=self._describe_health, make_metrics=self._render_metrics
        )
        async with server.serve():
            self._report("worker.listening", address=f"{host}:{port}")
            yield

    def _describe_health(self) -> Mapping[str, object]:
        silent = self._clock.monotonic() - self._connector.answered_at
        status = "stopping" if self._is_stopping else "ok"
        if silent > self._settings.stalled_seconds:
            status = "database_silent"
        return {
            "status": status,
            "host": socket.gethostname(),
            "version": __version__,
            "running": len(self._running),
            "database_seconds": round(silent, 1),
        }

    async def _render_metrics(self) -> bytes:
        try:
            overview = await read_overview(self._connector)
            last_ends = await self._daily_jobs.list_last_ends()
        except ConnectorException as error:
            raise self._connector.explain(error) from error
        own = {"runs": len(self._running), "slots": self._settings.processes}
        return self._make_metrics(overview, last_ends, own)

    # -- the end

    def _stop_by_signal(self) -> None:
        if self._running:
            self._report("worker.stopping", n=len(self._running))
        self._stop()

    def _fail(self, error: BaseException) -> None:
        """End the worker for a failure: what its jobs have become cannot be entered any more."""
        self._failure = self._failure or error
        if not self._is_stopping:  # asked twice, a run would end without waiting for answers
            self._stop()

    def _stop(self) -> None:
        self._is_stopping = True
        self._children.drain()
        self._worker.stop()  # type: ignore[no-untyped-call]

    @staticmethod
    def _handle_lost_exception(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Pass over what the database refused once a job had run: `_fail` has it, or another worker had taken the job."""
        if not isinstance(context.get("exception"), ConnectorException):
            loop.default_exception_handler(context)

    def _end_after_chore(self, chore: asyncio.Task[None]) -> None:
        if not chore.cancelled() and (error := chore.exception()) is not None:
            self._fail(error)

    # -- jobs

    async def _run_hospital(self, context: JobContext, /, **_arguments: str | None) -> int | None:
        """Run one hospital in a child process; RunNotDone where it did not reach its end."""
        job = context.job.id
        assert job is not None
        self._running[job] = None
        try:
            return await self._run_daily_job(job)
        finally:
            del self._running[job]

    async def _run_daily_job(self, job: int) -> int | None:
        daily_job = await self._daily_jobs.start(job)
        if daily_job is None:
            return None
        self._running[job] = daily_job.hospital
        hospital, started = daily_job.hospital, self._clock.monotonic()
        if daily_job.attempts > MAX_TRIES:  # it may be what kills the workers
            await self._daily_jobs.end(job, None, is_final=True)
            self._report("worker.too_often", hospital=hospital, tries=MAX_TRIES)
            raise RunNotDone(RunEnd(1), None)
        self._report("worker.run", hospital=hospital, attempt=daily_job.attempts)
        loop = asyncio.get_running_loop()
        end = await loop.run_in_executor(self._threads, self._children.run, hospital)
        if end is not None and end.exit == Locked.exit_code:
            is_own = await self._daily_jobs.is_of_worker(job, self._worker.worker_id)
            if not is_own:
                run = f" {end.run}" if end.run else ""
                self._report("worker.superseded", hospital=hospital, run=run)
                self._worker.given_up.add(job)
                return end.exit
        if end is None or (self._children.is_draining and judge_end(end) == "again" and not end.is_cancelled):
            await self._daily_jobs.end(job, end.exit if end else None, is_final=False)
            self._report("worker.drained", hospital=hospital)
            raise RunNotDone(end or RunEnd(0), retry_in=0)
        return await self._enter_end(job, daily_job, end, self._clock.monotonic() - started)

    async def _enter_end(self, job: int, daily_job: DailyJob, end: RunEnd, lasted: float) -> int:
        """Enter how a run has ended that took so many seconds; RunNotDone where it did not reach its end."""
        verdict = judge_end(end)
        wait = None
        if verdict == "again" and not end.is_cancelled:
            # a run that was ended for its length may be tried again in any case: its time does not count
            age = daily_job.age + (0.0 if end.ended_for else lasted)
            wait = choose_wait(self._settings, attempts=daily_job.attempts, age=age)
        if wait is not None and end.ended_for is not None:  # what keeps this host may not keep another
            await self._jobs.leave(job)
        await self._daily_jobs.end(job, end.exit, is_final=wait is None)
        values = {"hospital": daily_job.hospital, "exit": end.exit, "run": f" {end.run}" if end.run else ""}
        if wait is not None:
            key = "worker.held_elsewhere" if end.has_lost_ledger else "worker.again"
            self._report(key, wait=round(wait), **values)
        elif verdict == "done":
            self._report("worker.ended", **values)
        else:
            self._report("worker.cancelled" if end.is_cancelled else "worker.failed", **values)
        if verdict != "done":
            raise RunNotDone(end, wait)
        return end.exit

    # -- chores

    async def _end_cancelled_runs(self) -> None:
        """Ask the runs of jobs that were cancelled to end."""
        hospitals = {job: hospital for job, hospital in self._running.items() if hospital is not None}
        for job in await self._daily_jobs.list_cancelled(hospitals) if hospitals else ():
            if self._children.end(hospitals[job], "cancelled"):
                self._report("worker.cancelling", hospital=hospitals[job])

    async def _repeat(self, chore: Callable[[], Coroutine[Any, Any, None]], interval: float) -> None:
        """Do a chore again and again; one that the server's absence cuts off is repeated soon, for some time."""
        cut_off = 0.0
        while True:
            started = self._clock.monotonic()
            try:
                await chore()
                cut_off = 0.0
            except ConnectorException:
                cut_off += self._clock.monotonic() - started + PAUSE
                if cut_off >= self._connector.patience or self._failure is not None:
                    raise
            await self._clock.sleep(PAUSE if cut_off else interval)

    async def _queue_day(self) -> None:
        """Queue every hospital's job of this day that the table does not hold; of a day that was missed, once.

        A hospital that the table has never held is not made up for: it may have been entered by day, to be tried first.
        """
        day, late = compute_day(self._clock.now(), self._settings.start)
        if day == self._queued_day:
            return
        hospitals = [*await self._read_hospitals()]
        random.shuffle(hospitals)  # several workers read different rosters
        known = await self._daily_jobs.list_known_hospitals()
        new = [hospital.name for hospital in hospitals if hospital.name not in known and late > LATE_SECONDS]
        for hospital in hospitals:
            if hospital.name not in new and await self._queue(hospital, day):
                self._report("worker.queued", hospital=hospital.name, day=day)
        if new:
            names = join_messages(sorted(new))
            self._report("worker.new", names=names, start=f"{self._settings.start:%H:%M}")
        self._queued_day = day

    async def _read_hospitals(self) -> Sequence[Hospital]:
        hospitals = await asyncio.get_running_loop().run_in_executor(self._digests, self._list_hospitals)
        self._hospital_names = {hospital.name for hospital in hospitals}
        return hospitals

    async def _queue(self, hospital: Hospital, day: date) -> bool:
        if await self._daily_jobs.has_day(hospital.name, day):
            return False
        loop = asyncio.get_running_loop()
        rosters = None
        with suppress(TimeoutError):  # the run reports what is wrong with the share
            rosters = await asyncio.wait_for(
                loop.run_in_executor(self._digests, digest_rosters, hospital.rosters), DIGEST_SECONDS
            )
        return await self._daily_jobs.queue(hospital.name, day, rosters)

    async def _take_over_jobs(self) -> None:
        """Queue again what dead workers were running, and what this one has lost; close what cannot be queued.

        A job whose queueing lock another one holds would keep its hospital locked for ever.
        """
        async with self._connector.transaction() as connection:
            cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [REAPER_LOCK])
            if await cursor.fetchone() != (True,):
                return
            stalled = await self._jobs.get_stalled_jobs(
                seconds_since_heartbeat=self._settings.stalled_seconds
            )
            jobs = {*(job.id for job in stalled if job.id), *await self._list_lost_jobs()}
            cursor = await connection.execute(
                "SELECT id, args->>'hospital' FROM procrastinate_jobs WHERE id = ANY(%s)", [[*jobs]]
            )
            for job, hospital in await cursor.fetchall():
                await self._take_over_job(job, hospital)
            await release_jobs(connection)

    async def _list_lost_jobs(self) -> set[int]:
        """Return the jobs that this worker is said to run, and does not, for the second time in turn."""
        rows = await self._connector.execute_query_all_async(
            "SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = %(worker)s",
            worker=self._worker.worker_id,
        )
        lost = {row["id"] for row in rows} - self._running.keys()
        self._lost, lost_before = lost, self._lost
        return lost & lost_before

    async def _take_over_job(self, job: int, hospital: str) -> None:
        try:
            await self._jobs.retry_job_by_id_async(job, retry_at=AT_ONCE)
        except UniqueViolation:
            await self._jobs.finish_job_by_id_async(job, Status.FAILED, delete_job=False)
            await self._daily_jobs.end(job, None, is_final=True)
            self._report("worker.closed", hospital=hospital)
        except ConnectorException:
            if self._failure is not None:
                raise
            # else the job has ended since it was listed
        else:
            self._report("worker.taken_over", hospital=hospital)

    async def _watch_hospitals(self) -> None:
        """Let the alarm send what is news of all hospitals; of several workers, one does it at a time."""
        assert self._send_alarm is not None
        if not self._hospital_names:  # the configuration has not been read yet
            return
        async with self._connector.transaction() as connection:
            cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [ALARM_LOCK])
            if await cursor.fetchone() != (True,):
                return
            ends = await self._daily_jobs.list_last_ends()
            ends = [end for end in ends if end.hospital in self._hospital_names]
            cursor = await connection.execute("SELECT state FROM alarm")
            row = await cursor.fetchone()
            stored = row[0] if row else None
            sending = asyncio.get_running_loop().run_in_executor(
                self._digests, self._send_alarm, stored, ends
            )
            with suppress(TimeoutError):  # it is sent again
                state = await asyncio.wait_for(sending, DIGEST_SECONDS)
                await connection.execute(
                    "INSERT INTO alarm (id, state) VALUES (1, %s) ON CONFLICT (id) DO UPDATE SET state = excluded.state",
                    [state],
                )

    async def _delete_old(self) -> None:
        """Delete jobs that ended long ago, and old rows of the table of days."""
        await self._jobs.delete_old_jobs(
            nb_hours=JOB_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
        )
        await self._daily_jobs.delete_old_rows(await self._read_hospitals())
