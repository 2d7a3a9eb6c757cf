"""Fan out: pictures prepared ahead of the wire, one row alone first, then bounded workers, and a drain."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

from pipeline import row_failures
from pipeline.clock import stamp
from pipeline.domain.metrics import Timing
from pipeline.domain.roster import Field, PreparedImage, Problem
from pipeline.domain.run import Halt, RowOutcome, RowPlan, Status
from pipeline.domain.seals import Verdict
from pipeline.errors import LedgerError, NotReadNow, reason_of, require_lasting
from pipeline.esign.contracts.base import CREATE
from pipeline.intake.pairing import image_index
from pipeline.ledger.protocol import LedgerConflict
from pipeline.messages.problems import problem, waits_for_machine
from pipeline.messages.texts import make_text
from pipeline.sending.create import Sender
from pipeline.sending.run_state import Job, SendResult

LOG = logging.getLogger(__name__)
MAX_PREPARED_IMAGES = 64  # pictures prepared ahead of the wire
WATCHED = 30.0  # seconds between two looks at the wall clock, which may be set
IMAGE_WORKERS = 2  # threads that decode, always the same: each keeps the memory of a picture for its next one

Prepare = Callable[[RowPlan], PreparedImage | tuple[Problem, ...]]


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of the rows, in the plan's order, and why the run stopped if it did."""

    outcomes: tuple[RowOutcome, ...] = ()
    halted: Halt | None = None
    requests: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # action -> code ("ok") -> calls
    throttled: int = 0
    kept_back: frozenset[int] = frozenset()  # places in the plan that ``limit`` left for later
    timing: Timing | None = None
    deprecated: Mapping[str, str] = field(default_factory=dict)  # action -> what the service says of its end


@dataclass(slots=True)
class Submission:
    """A night's sending; `go` runs it once. ``watch`` hears of every row as it ends."""

    sender: Sender
    prepare: Prepare
    workers: int  # rows between upload and verdict at a time
    watch: Callable[[RowOutcome], None]
    limit: int | None = None  # rows to send at most
    deadline: float | None = None  # unix seconds at which nothing new is begun any more
    _outcomes: dict[int, RowOutcome] = field(default_factory=dict)
    _handed_out: int = 0
    _kept_back: bool = False
    _preparers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(IMAGE_WORKERS))

    async def go(self, planned: Sequence[RowPlan]) -> Submitted:
        """Send every READY row; the first whole one goes alone until its verdict (the canary)."""
        watching = asyncio.create_task(self._watch_the_clock())
        try:
            return await self._go(planned)
        finally:
            watching.cancel()
            self._preparers.shutdown(wait=False)

    async def _watch_the_clock(self) -> None:
        if self.deadline is None:
            return
        clock = self.sender.clock
        while (left := self.deadline - clock.now()) > 0:
            await clock.sleep(min(left, WATCHED))
        self.sender.course.halt("DEADLINE", stamp(self.deadline), 5)

    async def _go(self, planned: Sequence[RowPlan]) -> Submitted:
        rows = iter(enumerate(planned))
        await self._canary(rows)
        ready: asyncio.Queue[Job | None] = asyncio.Queue(maxsize=MAX_PREPARED_IMAGES)
        async with asyncio.TaskGroup() as tasks:
            feeding = [tasks.create_task(self._feed(rows, ready)) for _ in range(IMAGE_WORKERS)]
            for _ in range(self.workers):
                tasks.create_task(self._work(ready))
            await asyncio.gather(*feeding)
            for _ in range(self.workers):
                await ready.put(None)
        course = self.sender.course
        left = [index for index in range(len(planned)) if index not in self._outcomes]
        for index in left:
            self._finish(index, not_sent(planned[index]))
        outcomes = tuple(self._outcomes[index] for index in range(len(planned)))
        kept_back = frozenset(left) if self._kept_back and not course.stopping else frozenset()
        timing = course.meter.read()
        return Submitted(
            outcomes, course.halted, course.requests, course.throttled, kept_back, timing, course.deprecated
        )

    async def _canary(self, rows: Iterator[tuple[int, RowPlan]]) -> None:
        """Send rows one at a time until one create has its verdict: a wrong key costs one call."""
        while not self.sender.course.stopping and (job := await self._next(rows)) is not None:
            await self._run(job)
            if job.sends:
                return

    async def _feed(self, rows: Iterator[tuple[int, RowPlan]], ready: asyncio.Queue[Job | None]) -> None:
        while not self.sender.course.stopping and (job := await self._next(rows)) is not None:
            await ready.put(job)

    async def _next(self, rows: Iterator[tuple[int, RowPlan]]) -> Job | None:
        """Prepare pictures until one is fit to send; rows whose picture is not end here."""
        for index, planned in rows:
            if self.limit is not None and self._handed_out >= self.limit:
                self._kept_back = True
                return None
            self._handed_out += 1
            prepared = await self._prepared(planned)
            if prepared is None:
                return None
            if isinstance(prepared, PreparedImage):
                request = planned.request
                assert request is not None
                content = replace(request.content, pixels=prepared.pixels, sent_size=_sent_size(prepared))
                return Job(index, planned, replace(request, content=content), prepared)
            self._handed_out -= 1
            self._finish(index, unfit(planned, prepared))
            if self.sender.course.stopping:
                break
        return None

    async def _prepared(self, planned: RowPlan) -> PreparedImage | tuple[Problem, ...] | None:
        """Decode a row's picture in a thread; None when that broke, and then the run drains."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._preparers, prepare_apart, self.prepare, planned)
        except OSError as error:
            why = reason_of(error)
            text = make_text("stop.file", file=error.filename, why=why) if error.filename else why
            self.sender.course.halt("DISK", text, 74)
        except Exception as bug:
            LOG.exception("a bug while preparing a picture", extra={"row_id": planned.doctor.row_id})
            self.sender.course.halt("BUG", type(bug).__name__, 1)
        return None

    async def _work(self, ready: asyncio.Queue[Job | None]) -> None:
        while (job := await ready.get()) is not None:
            if not self.sender.course.stopping:
                await self._run(job)

    async def _run(self, job: Job) -> None:
        began = self.sender.clock.monotonic()
        in_doubt = Status.UNKNOWN  # what a row is whose create may have left when something breaks
        try:
            data = await asyncio.to_thread(_checked_bytes, job.prepared)
            end = await self.sender.send(job, data) if data is not None else _altered(job)
        except NotReadNow as trouble:
            end = SendResult(Status.NOT_SENT, problems=(_not_read(job.planned, trouble),))
        except LedgerError as error:
            self.sender.course.halt("LEDGER", error.reason, 74)
            end = SendResult(in_doubt if job.in_doubt else Status.NOT_SENT, job.verdict)
        except LedgerConflict as conflict:
            LOG.exception("the ledger refused an attempt", extra={"row_id": job.request.row_id})
            self.sender.course.halt("LEDGER_CONFLICT", str(conflict), 1)
            end = SendResult(in_doubt if job.in_doubt else Status.NOT_SENT, job.verdict)
        except Exception as bug:
            LOG.exception("a bug while sending", extra={"row_id": job.request.row_id})
            self.sender.course.halt("BUG", type(bug).__name__, 1)
            end = SendResult(in_doubt if job.in_doubt else Status.NOT_SENT, job.verdict)
        self._finish(job.index, self._outcome(job, end, self.sender.clock.monotonic() - began))
        self.sender.course.ended(end.status, end.verdict.code if end.verdict else None)

    def _outcome(self, job: Job, end: SendResult, seconds: float) -> RowOutcome:
        verdict = end.verdict or Verdict("not_executed")
        sealed = end.status is Status.SEALED
        return RowOutcome(
            job.planned,
            end.status,
            seal_id=verdict.seal_id if sealed else None,
            request_id=verdict.request_id,
            trace_id=job.trace_id,
            attempts=_creates_before(job.planned) + job.sends,
            last_attempt_at=job.sent_at,
            call_seconds=seconds,
            host=self.sender.client.host(CREATE) if job.sends else None,
            code=verdict.code,
            message=verdict.message,
            unproven_seal_id=None if sealed else verdict.seal_id,
            problems=(*job.planned.problems, *job.prepared.problems, *end.problems),
            prepared=job.prepared,
        )

    def _finish(self, index: int, outcome: RowOutcome) -> None:
        self._outcomes[index] = outcome
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
            self.watch(outcome)
        except Exception:
            LOG.exception("whoever watches failed")  # a broken pipe must not end a night


def prepare_apart(prepare: Prepare, planned: RowPlan) -> PreparedImage | tuple[Problem, ...]:
    """Prepare a row's picture; what breaks over it is that row's problem. Raises OSError where the disk refuses."""
    try:
        return row_failures.isolate_row_failure(
            partial(prepare, planned),
            lambda found: (found,),
            stage="picture",
            row_id=planned.doctor.row_id,
        )
    except OSError as error:
        try:
            require_lasting(error)
        except NotReadNow as trouble:
            return (_not_read(planned, trouble),)
        raise


def unfit(planned: RowPlan, troubles: tuple[Problem, ...]) -> RowOutcome:
    """Return the end of a row whose picture turned out unfit when it was decoded, or could not be read this time."""
    problems = (*planned.problems, *troubles)
    status = Status.NOT_SENT if waits_for_machine(troubles) else Status.REJECTED
    return RowOutcome(planned, status, attempts=_creates_before(planned), problems=problems)


def not_sent(planned: RowPlan) -> RowOutcome:
    """Return the end of a row whose turn did not come."""
    return RowOutcome(planned, Status.NOT_SENT, attempts=_creates_before(planned), problems=planned.problems)


def _creates_before(planned: RowPlan) -> int:
    return planned.history.create_count if planned.history else 0


def _sent_size(prepared: PreparedImage) -> str:
    return f"{prepared.width}x{prepared.height}"


def _checked_bytes(prepared: PreparedImage) -> bytes | None:
    """Read the bytes to send; None when they are no longer the bytes that were checked. Raises NotReadNow."""
    try:
        data = image_index.read(prepared.path)
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == prepared.sha256 else None


def _not_read(planned: RowPlan, trouble: NotReadNow) -> Problem:
    picture, cell = planned.doctor.picture, planned.doctor.row.address(Field.PICTURE)
    file = picture.path.name if picture else ""
    return problem("IMAGE_NOT_READ", Field.PICTURE, cell, file=file, severity=None, **trouble.words)


def _altered(job: Job) -> SendResult:
    row = job.planned.doctor.row
    file, found = job.prepared.source.path.name, make_text("image.changed_in_run")
    trouble = problem("IMAGE_CORRUPT", Field.PICTURE, row.address(Field.PICTURE), file=file, found=found)
    return SendResult(Status.REJECTED, problems=(trouble,))
