"""One row's way over the wire: upload, create, verdict, and what each answer means for the row and the run.

A create's order: its own connection, then its slot, then the attempt's commit, then the bytes; the
verdict is committed before anything counts the row as done. Only what is proven not executed is sent again.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from pipeline.domain.run import Status
from pipeline.domain.seals import Verdict
from pipeline.domain.service_codes import Meaning
from pipeline.esign.client import NoAnswer, NotSent
from pipeline.esign.contracts.base import CREATE, CreateImage
from pipeline.esign.error_codes import STOPPING
from pipeline.esign.responses import CreateResponse, read_create
from pipeline.ledger.protocol import Decision, LedgerConflict
from pipeline.messages.texts import make_text
from pipeline.sending.call_context import NOT_EXECUTED_BY_US, SENDS, BreakerOpened, ConnectionExpired, Stopped
from pipeline.sending.run_state import Job, SendResult
from pipeline.sending.upload import Uploader
from pipeline.support.failpoints import hit_failpoint

STALE = 5  # waits of one row that may outlast a connection or a FileId


@dataclass(frozen=True, slots=True)
class Sender(Uploader):
    """Sends rows until they have a verdict."""

    creates: asyncio.Semaphore  # creates in flight

    async def send(self, job: Job, data: bytes) -> SendResult:
        """Send a row until it has a verdict, at most SENDS times; ``data`` are its picture's bytes."""
        end, again = SendResult(Status.NOT_SENT), True
        for attempt in range(SENDS):
            if attempt:
                await self._pause(attempt)
            if self.course.stopping or not again:
                break
            if self.contract.needs_upload and not self._file_lives(job):
                refusal = await self._upload(job, data)
                if refusal is not None:
                    return refusal
            async with self.creates:
                end, again = await self._create(job, data)
            if not again:
                break
        return end

    async def _create(self, job: Job, data: bytes) -> tuple[SendResult, bool]:
        """Send one create and settle it; True when it is proven not executed and may be sent again."""
        trace_id = str(uuid.uuid4())
        await self._after_a_jump()
        try:
            async with self.course.breaker.passage(self._probe) as opened:
                read = await self._exchange(job, data, trace_id, opened)
        except Stopped:
            return SendResult(Status.NOT_SENT), False
        except BreakerOpened:
            return await self._create(job, data)
        except ConnectionExpired:
            return await self._again(job, data)
        except NotSent as error:
            return await self._never_left(job, trace_id, error), not self.course.stopping
        self.course.requests[CREATE][read.counted_as] += 1
        return await self._settled(job, self._weighed(job, read), read.meaning)

    async def _again(self, job: Job, data: bytes) -> tuple[SendResult, bool]:
        """Begin anew after a wait that was too long for connection or FileId; no create was spent on it."""
        job.stale += 1
        if job.stale > STALE:
            verdict = Verdict("not_executed", code=NOT_EXECUTED_BY_US, message=make_text("wire.no_slot"))
            return SendResult(Status.NOT_SENT, verdict), False
        if self.contract.needs_upload and not self._file_lives(job):
            refusal = await self._upload(job, data)
            if refusal is not None:
                return refusal, False
        return await self._create(job, data)

    async def _exchange(self, job: Job, data: bytes, trace_id: str, opened: int) -> CreateResponse:
        """Put one create on the wire and read its answer; the attempt is committed before the first byte."""
        body = self.contract.build_create(self.agent, job.request, CreateImage(data, job.file_id))
        measured = self.course.meter.call(CREATE)
        async with AsyncExitStack() as door:
            await door.enter_async_context(self.doors[CREATE])

            async def gate(alive: Callable[[], bool]) -> None:
                await self._slot(CREATE, opened)
                await door.aclose()
                if not alive() or (self.contract.needs_upload and not self._file_lives(job)):
                    raise ConnectionExpired
                await self._release(job)
                await self.ledger.open_attempt(self._attempt(job, trace_id))
                job.trace_id, job.sent_at, job.in_doubt = trace_id, self.client.now(), True
                job.sent_steady = self.clock.monotonic()
                job.sends += 1
                await self.limiter.leave(CREATE)
                measured.left(job.sends)

            try:
                reply = await self.client.call(CREATE, body, trace_id=trace_id, gate=gate)
            except NotSent as error:
                measured.lost()
                self._unanswered(CREATE, error)
                raise
            except NoAnswer as error:
                measured.lost()
                self._unanswered(CREATE, error)
                verdict = Verdict("unknown", code="no_answer", message=str(error))
                return CreateResponse(verdict, meaning=None, counted_as="no_answer")
        measured.answered()
        self._note_deprecation(CREATE, reply)
        read = read_create(reply)
        if read.is_from_service:
            self.client.learn(reply)
        answered = read.verdict.kind == "sealed" or read.meaning not in {None, "unknown"}
        self.course.heard(CREATE, answered=answered, host=self.client.host(CREATE), cause=read.counted_as)
        if read.meaning == "clock" and not self._heal(job, reply):
            return replace(read, meaning="credentials")
        return read

    def _weighed(self, job: Job, read: CreateResponse) -> Verdict:
        """Weigh a verdict by what else is known of the person, the row and the run."""
        verdict = read.verdict
        if read.meaning == "upload_again" and (not self.contract.needs_upload or job.uploaded_again):
            return replace(verdict, kind="refused")
        if self._inline_is_off(verdict):
            self.course.halt("CONTRACT_INLINE_IGNORED", self.mask(verdict.message or ""), 4)
            return replace(verdict, kind="not_executed")
        return verdict

    async def _release(self, job: Job) -> None:
        """Let an earlier create without a verdict be settled by this one, which is the same to the letter."""
        tried = job.planned.history.unresolved_attempt if job.planned.history else None
        if tried is None or job.released:
            return
        decision = Decision(
            "probe", job.request.key, self.clock.now(), "esign-import", self.run, attempt=tried.uuid
        )
        await asyncio.to_thread(self.ledger.decide, decision)
        job.released = True

    async def _never_left(self, job: Job, trace_id: str, error: NotSent) -> SendResult:
        """Settle a create whose headers never left; without an attempt in the ledger there is nothing to settle."""
        verdict = Verdict("not_executed", code=NOT_EXECUTED_BY_US, message=str(error))
        if job.trace_id == trace_id:
            job.sends -= 1
            await self.ledger.settle(trace_id, verdict, at=self._heard_at(job))
            job.in_doubt = False
        if error.tls:
            self.course.halt("TLS", str(error), 4)
        self.course.resent("transport")
        return SendResult(Status.NOT_SENT, verdict)

    async def _settled(self, job: Job, verdict: Verdict, meaning: Meaning | None) -> tuple[SendResult, bool]:
        """Commit the verdict, then say what it means for the row and for the run."""
        assert job.trace_id is not None
        job.verdict = verdict = replace(
            verdict, message=self.mask(verdict.message) if verdict.message else None
        )
        try:
            await self.ledger.settle(job.trace_id, verdict, at=self._heard_at(job))
        except LedgerConflict:
            # One SealId for two people: neither this answer nor the next ones can be trusted.
            verdict = replace(verdict, kind="unknown", code="SEAL_ID_REUSED")
            await self.ledger.settle(job.trace_id, verdict, at=self._heard_at(job))
            self.course.halt("SEAL_ID_REUSED", "the service answered with another person's SealId", 4)
        job.in_doubt = False
        hit_failpoint("create: settled")
        match verdict.kind:
            case "sealed":
                self.course.sealed = True
                return SendResult(Status.SEALED, verdict), False
            case "unknown":
                return SendResult(Status.UNKNOWN, verdict), False
            case "exists":
                return SendResult(Status.EXISTS, verdict), False
            case "refused":
                return SendResult(Status.FAILED, verdict), False
            case "not_executed":
                return self._not_executed(job, verdict, meaning)

    def _heard_at(self, job: Job) -> float:
        """Return the present on the clock that signed the create, whatever was learnt of it since: waits stay true."""
        assert job.sent_at is not None
        return job.sent_at + self.clock.monotonic() - job.sent_steady

    def _inline_is_off(self, verdict: Verdict) -> bool:
        """Tell whether a refusal says that no picture came, in a run where no row got through yet."""
        if self.course.sealed or verdict.kind != "refused":
            return False
        return self.contract.is_switched_off(verdict.message or "")

    def _not_executed(self, job: Job, verdict: Verdict, meaning: Meaning | None) -> tuple[SendResult, bool]:
        if meaning == "throttle":
            self._throttled(CREATE, verdict)
        elif meaning == "upload_again":
            job.file_id, job.uploaded_again = None, True
        elif meaning in STOPPING:
            self.course.halt(verdict.code or "", verdict.message or "", 4)
        return SendResult(Status.NOT_SENT, verdict), not self.course.stopping
