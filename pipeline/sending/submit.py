"""Submits the rows of a run: one row alone first, then bounded workers, and a drain."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from pipeline.clock import stamp
from pipeline.domain.roster import Field, PreparedImage, Problem
from pipeline.domain.run import RowOutcome, RowPlan, RunObserver, Status
from pipeline.domain.seals import Verdict, VerdictKind
from pipeline.errors import LedgerError, NotReadNow
from pipeline.intake.images import image_files
from pipeline.ledger.records import LedgerConflict
from pipeline.messages.catalogue import make_message
from pipeline.messages.problems import build_problem
from pipeline.planning.known_people import describe_unread_image
from pipeline.sending.create import NOTHING_SENT, CreateContext, Job
from pipeline.sending.exchange import Body
from pipeline.sending.run_state import RunState

LOG = logging.getLogger(__name__)
MAX_IMAGE_BYTES_HELD = 30_000_000  # of rows between upload and verdict; their bodies take as much again
BODY_WORKERS = 2  # threads that read a checked picture once more and build the body of its call
CLOCK_CHECK_SECONDS = 30.0  # between two looks at the wall clock, which may be set
Item = TypeVar("Item")
_STATUSES: Mapping[VerdictKind, Status] = {
    "sealed": Status.SEALED,
    "refused": Status.FAILED,
    "not_executed": Status.NOT_SENT,
    "unknown": Status.UNKNOWN,
    "exists": Status.EXISTS,
}


async def send_each(
    run_state: RunState, items: Iterable[Item], send: Callable[[Item], Awaitable[bool]], workers: int
) -> None:
    """Send items one at a time until ``send`` returns True (the canary: a wrong key costs one call), then so many at a time."""
    waiting = iter(items)

    async def send_waiting(*, is_canary: bool) -> None:
        while not run_state.is_stopping and (item := next(waiting, None)) is not None:
            if await send(item) and is_canary:
                return

    await send_waiting(is_canary=True)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(workers):
            tasks.create_task(send_waiting(is_canary=False))


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

    context: CreateContext
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

    @property
    def _run_state(self) -> RunState:
        return self.context.exchange.run_state

    async def _halt_at_deadline(self) -> None:
        if self.deadline is None:
            return
        clock = self.context.exchange.clock
        while (remaining := self.deadline - clock.now()) > 0:
            await clock.sleep(min(remaining, CLOCK_CHECK_SECONDS))
        self._run_state.halt("DEADLINE", stamp(self.deadline), 5)

    async def _submit(self, row_plans: Sequence[RowPlan]) -> tuple[RowOutcome, ...]:
        await send_each(self._run_state, row_plans[: self.limit], self._send_row, self.workers)
        await self._hold_contested_rows()
        unsent = [row_plan for row_plan in row_plans if row_plan.index not in self._outcomes]
        for row_plan in unsent:
            self._finish_row(RowOutcome.not_sent(row_plan))
        if not self._run_state.is_stopping:  # the limit alone left them
            self.kept_back = frozenset(row_plan.index for row_plan in unsent)
        return tuple(self._outcomes[row_plan.index] for row_plan in row_plans)

    async def _hold_contested_rows(self) -> None:
        """Hold the rows whose refusal another call has got after them."""
        for job in self._refused:
            try:
                is_held = await job.hold_if_contested()
            except (LedgerError, LedgerConflict):
                LOG.exception("a contested refusal was not entered", extra={"row_id": job.request.row_id})
                continue
            if is_held:
                index = job.row_plan.index
                seconds = self._outcomes[index].call_seconds or 0.0
                self._outcomes[index] = self._build_outcome(job, Status.UNKNOWN, job.end, seconds)

    async def _send_row(self, row_plan: RowPlan) -> bool:
        """Send a row; return whether a create of it may have left."""
        assert row_plan.request is not None
        assert row_plan.prepared is not None
        job = Job(self.context, row_plan, row_plan.request, row_plan.prepared)
        async with self._image_bytes.hold(job.prepared.size):
            if not self._run_state.is_stopping:
                await self._send_job(job)
        return job.sends > 0

    async def _send_job(self, job: Job) -> None:
        began = self.context.exchange.clock.monotonic()
        status, verdict, problem = Status.NOT_SENT, NOTHING_SENT, None
        try:
            image = await asyncio.get_running_loop().run_in_executor(self._body_threads, _read_body, job)
            if image is None:
                status, problem = Status.REJECTED, _describe_altered_image(job)
            else:
                verdict = await job.send(image)
                status = _STATUSES[verdict.kind]
        except NotReadNow as error:
            problem = describe_unread_image(job.row_plan.doctor, error)
        except LedgerError as error:
            self._run_state.halt_for_ledger(error)
            status, verdict = _break_off(job)
        except LedgerConflict as conflict:
            LOG.exception("the ledger refused an attempt", extra={"row_id": job.request.row_id})
            self._run_state.halt("LEDGER_CONFLICT", str(conflict), 1)
            status, verdict = _break_off(job)
        except Exception as bug:
            LOG.exception("a bug while sending", extra={"row_id": job.request.row_id})
            self._run_state.halt("BUG", type(bug).__name__, 1)
            status, verdict = _break_off(job)
        seconds = self.context.exchange.clock.monotonic() - began
        self._finish_row(self._build_outcome(job, status, verdict, seconds, problem))
        if job.verdict is not None and status in {Status.FAILED, Status.NOT_SENT}:
            self._refused.append(job)
        self._run_state.record_row_end(status, verdict.code)

    def _build_outcome(
        self,
        job: Job,
        status: Status,
        verdict: Verdict,
        seconds: float,
        problem: Problem | None = None,
    ) -> RowOutcome:
        is_sealed = status is Status.SEALED
        problems = job.row_plan.problems
        return RowOutcome(
            job.row_plan,
            status,
            seal_id=verdict.seal_id if is_sealed else None,
            request_id=verdict.request_id,
            trace_id=job.trace_id,
            attempts=job.row_plan.create_count + job.sends,
            last_attempt_at=job.signed_at if job.sends else None,
            call_seconds=seconds,
            host=job.exchange.client.host_of(job.action) if job.sends else None,
            code=verdict.code,
            message=verdict.message,
            unproven_seal_id=None if is_sealed else verdict.seal_id,
            problems=problems if problem is None else (*problems, problem),
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


def _break_off(job: Job) -> tuple[Status, Verdict]:
    """Return how a row ends whose sending broke off: unknown where its create may have left."""
    return Status.UNKNOWN if job.in_doubt else Status.NOT_SENT, job.verdict or NOTHING_SENT


def _read_body(job: Job) -> Body | None:
    """Return the body that carries the row's picture; None when its bytes are no longer those that were checked."""
    image = _read_checked_bytes(job.prepared)
    return None if image is None else job.build_image_body(image)


def _read_checked_bytes(prepared: PreparedImage) -> bytes | None:
    """Return the bytes to send; None when they are no longer the bytes that were checked. Raises NotReadNow."""
    try:
        data = image_files.read_regular_file(prepared.path)
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == prepared.sha256 else None


def _describe_altered_image(job: Job) -> Problem:
    cell, file = job.row_plan.doctor.row.address(Field.PICTURE), job.prepared.source.name
    return build_problem(
        "IMAGE_CORRUPT", Field.PICTURE, cell, file=file, found=make_message("image.changed_in_run")
    )
