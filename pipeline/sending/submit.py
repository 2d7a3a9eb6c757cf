"""Submits the rows of a run: one row alone first, then bounded workers, and a drain."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pipeline.clock import stamp
from pipeline.domain.roster import Field, PreparedImage
from pipeline.domain.run import RowOutcome, RowPlan, RunObserver, Status
from pipeline.domain.seals import Verdict
from pipeline.errors import LedgerError, NotReadNow
from pipeline.intake.images import image_files
from pipeline.ledger.records import LedgerConflict
from pipeline.messages.catalogue import make_message
from pipeline.messages.problems import build_problem
from pipeline.planning.known_people import describe_unread_image
from pipeline.sending.call_context import CallContext, Job, SendResult
from pipeline.sending.create import CreateSender, ImageBody

LOG = logging.getLogger(__name__)
MAX_IMAGE_BYTES_HELD = 30_000_000  # of rows between upload and verdict; their bodies take as much again
BODY_WORKERS = 2  # threads that read a checked picture once more and build the body of its call
CLOCK_CHECK_SECONDS = 30.0  # between two looks at the wall clock, which may be set


class ByteBudget:
    """Bytes that may be held at a time, by any number of tasks of one event loop.

    A run holds pictures while its rows wait for their slots.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._waiting: list[asyncio.Future[None]] = []

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Wait until ``size`` bytes more are within the limit; what is larger than the limit waits until nothing is held."""
        while self._held and self._held + size > self._limit:
            released = asyncio.get_running_loop().create_future()
            self._waiting.append(released)
            await released
        self._held += size
        try:
            yield
        finally:
            self._held -= size
            waiting, self._waiting = self._waiting, []
            for released in waiting:
                if not released.done():  # its task may have been cancelled
                    released.set_result(None)


@dataclass(slots=True)
class Submission:
    """One run's sending; `run` is called once. ``observer`` gets every row's outcome."""

    context: CallContext
    sender: CreateSender
    workers: int  # rows between upload and verdict at a time
    observer: RunObserver
    limit: int | None = None  # rows to send at most
    deadline: float | None = None  # unix seconds at which nothing new is begun any more
    kept_back: frozenset[int] = frozenset()  # indexes of row plans that ``limit`` left for later
    _outcomes: dict[int, RowOutcome] = field(default_factory=dict)  # by index of the row plan
    _refused: list[Job] = field(default_factory=list)  # rows whose create was answered and made nothing
    _image_bytes: ByteBudget = field(default_factory=lambda: ByteBudget(MAX_IMAGE_BYTES_HELD))
    # base64 holds the interpreter: more threads only wait for each other, and the calls for them
    _body_threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(BODY_WORKERS))

    async def run(self, row_plans: Sequence[RowPlan]) -> tuple[RowOutcome, ...]:
        """Send every READY row, the first whole one alone until its verdict (the canary); return the outcomes in order."""
        deadline_watch = asyncio.create_task(self._halt_at_deadline())
        try:
            return await self._submit(row_plans)
        finally:
            deadline_watch.cancel()
            self._body_threads.shutdown(wait=False)

    async def _halt_at_deadline(self) -> None:
        if self.deadline is None:
            return
        clock = self.context.clock
        while (remaining := self.deadline - clock.now()) > 0:
            await clock.sleep(min(remaining, CLOCK_CHECK_SECONDS))
        self.context.run_state.halt("DEADLINE", stamp(self.deadline), 5)

    async def _submit(self, row_plans: Sequence[RowPlan]) -> tuple[RowOutcome, ...]:
        rows = iter(row_plans[: self.limit])
        await self._send_canary(rows)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.workers):
                tasks.create_task(self._send_rows(rows))
        await self._hold_contested_rows()
        unsent = [row_plan for row_plan in row_plans if row_plan.index not in self._outcomes]
        for row_plan in unsent:
            self._finish_row(RowOutcome.not_sent(row_plan))
        if not self.context.run_state.is_stopping:  # the limit alone left them
            self.kept_back = frozenset(row_plan.index for row_plan in unsent)
        return tuple(self._outcomes[row_plan.index] for row_plan in row_plans)

    async def _hold_contested_rows(self) -> None:
        """Hold the rows whose refusal another call has got after them."""
        for job in self._refused:
            try:
                held = await self.sender.hold_if_contested(job)
            except (LedgerError, LedgerConflict):
                LOG.exception("a contested refusal was not entered", extra={"row_id": job.request.row_id})
                continue
            if held is not None:
                outcome = self._outcomes[job.row_plan.index]
                self._outcomes[job.row_plan.index] = self._build_outcome(
                    job, held, outcome.call_seconds or 0.0
                )

    async def _send_canary(self, rows: Iterator[RowPlan]) -> None:
        """Send rows one at a time until one create has its verdict: a wrong key costs one call."""
        while (job := self._make_next_job(rows)) is not None:
            await self._send_row(job)
            if job.sends:
                return

    async def _send_rows(self, rows: Iterator[RowPlan]) -> None:
        while (job := self._make_next_job(rows)) is not None:
            async with self._image_bytes.hold(job.prepared.size):
                if not self.context.run_state.is_stopping:
                    await self._send_row(job)

    def _make_next_job(self, rows: Iterator[RowPlan]) -> Job | None:
        """Return the job of the next row; None where there is no further one, or the run stops."""
        row_plan = None if self.context.run_state.is_stopping else next(rows, None)
        if row_plan is None:
            return None
        assert row_plan.request is not None
        assert row_plan.prepared is not None
        return Job(row_plan, row_plan.request, row_plan.prepared)

    async def _send_row(self, job: Job) -> None:
        began = self.context.clock.monotonic()
        try:
            image = await asyncio.get_running_loop().run_in_executor(self._body_threads, self._read_body, job)
            result = await self.sender.send(job, image) if image is not None else _reject_altered(job)
        except NotReadNow as error:
            result = SendResult(
                Status.NOT_SENT, problems=(describe_unread_image(job.row_plan.doctor, error),)
            )
        except LedgerError as error:
            self.context.run_state.halt_for_ledger(error)
            result = _interrupted(job)
        except LedgerConflict as conflict:
            LOG.exception("the ledger refused an attempt", extra={"row_id": job.request.row_id})
            self.context.run_state.halt("LEDGER_CONFLICT", str(conflict), 1)
            result = _interrupted(job)
        except Exception as bug:
            LOG.exception("a bug while sending", extra={"row_id": job.request.row_id})
            self.context.run_state.halt("BUG", type(bug).__name__, 1)
            result = _interrupted(job)
        seconds = self.context.clock.monotonic() - began
        self._finish_row(self._build_outcome(job, result, seconds))
        if job.verdict is not None and result.status in {Status.FAILED, Status.NOT_SENT}:
            self._refused.append(job)
        self.context.run_state.record_row_end(result.status, result.verdict.code if result.verdict else None)

    def _read_body(self, job: Job) -> ImageBody | None:
        """Return the body that carries the row's picture; None when its bytes are no longer those that were checked."""
        image = _read_checked_bytes(job.prepared)
        return None if image is None else self.sender.build_image_body(job, image)

    def _build_outcome(self, job: Job, result: SendResult, seconds: float) -> RowOutcome:
        verdict = result.verdict or Verdict("not_executed")
        is_sealed = result.status is Status.SEALED
        return RowOutcome(
            job.row_plan,
            result.status,
            seal_id=verdict.seal_id if is_sealed else None,
            request_id=verdict.request_id,
            trace_id=job.trace_id,
            attempts=job.row_plan.create_count + job.sends,
            last_attempt_at=job.signed_at if job.sends else None,
            call_seconds=seconds,
            host=self.context.client.host_of(self.context.product.create) if job.sends else None,
            code=verdict.code,
            message=verdict.message,
            unproven_seal_id=None if is_sealed else verdict.seal_id,
            problems=(*job.row_plan.problems, *result.problems),
        )

    def _finish_row(self, outcome: RowOutcome) -> None:
        self._outcomes[outcome.row_plan.index] = outcome
        LOG.info(
            "row",
            extra={
                "row_id": outcome.doctor.row_id,
                "status": outcome.status.value,
                "code": outcome.code,
                "trace_id": outcome.trace_id,
                "request_id": outcome.request_id,
                "attempts": outcome.attempts,
                "seconds": round(outcome.call_seconds, 3) if outcome.call_seconds is not None else None,
            },
        )
        try:
            self.observer.end_row(outcome)
        except Exception:
            LOG.exception("the observer failed")  # a broken pipe must not end a run


def _interrupted(job: Job) -> SendResult:
    """Return how a row ends whose sending broke off: unknown where its create may have left."""
    return SendResult(Status.UNKNOWN if job.in_doubt else Status.NOT_SENT, job.verdict)


def _read_checked_bytes(prepared: PreparedImage) -> bytes | None:
    """Return the bytes to send; None when they are no longer the bytes that were checked. Raises NotReadNow."""
    try:
        data = image_files.read_regular_file(prepared.path)
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == prepared.sha256 else None


def _reject_altered(job: Job) -> SendResult:
    cell, file = job.row_plan.doctor.row.address(Field.PICTURE), job.prepared.source.name
    altered = build_problem(
        "IMAGE_CORRUPT", Field.PICTURE, cell, file=file, found=make_message("image.changed_in_run")
    )
    return SendResult(Status.REJECTED, problems=(altered,))
