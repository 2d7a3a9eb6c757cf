"""Creates one row's seal: upload, create, verdict, and what each answer means for the row and the run.

A create's order: its own connection, then its slot, then the attempt's commit, then the bytes. The verdict is
committed before the row counts as done. Only what is proven not executed is sent again.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, replace

from pipeline.domain.run import Status
from pipeline.domain.seals import Verdict
from pipeline.domain.service_codes import Meaning
from pipeline.esign.client import NoAnswer, NotSent
from pipeline.esign.contracts import CREATE, CreateImage
from pipeline.esign.responses import CreateResponse, read_create
from pipeline.ledger.protocol import Decision, LedgerConflict
from pipeline.messages.texts import make_text
from pipeline.sending.call_context import (
    MAX_SENDS,
    NOT_EXECUTED_BY_US,
    BreakerOpened,
    CallContext,
    ConnectionExpired,
    RunStopped,
)
from pipeline.sending.run_state import Job, SendResult
from pipeline.sending.upload import Uploader
from pipeline.support.failpoints import hit_failpoint

MAX_EXPIRED_WAITS = 5  # waits of one row that may outlast a connection or a FileId


@dataclass(frozen=True, slots=True)
class CreateSender:
    """Sends rows until they have a verdict."""

    context: CallContext
    uploader: Uploader
    creates: asyncio.Semaphore  # creates in flight

    async def send(self, job: Job, image: bytes) -> SendResult:
        """Send a row until it has a verdict, at most MAX_SENDS times; ``image`` are its picture's bytes."""
        result = SendResult(Status.NOT_SENT)
        for send_index in range(MAX_SENDS):
            if send_index:
                await self.context.back_off(send_index)
            if self.context.run_state.is_stopping:
                break
            refusal = await self.uploader.upload_if_needed(job, image)
            if refusal is not None:
                return refusal
            async with self.creates:
                result, may_resend = await self._create(job, image)
            if not may_resend:
                break
        return result

    async def _create(self, job: Job, image: bytes) -> tuple[SendResult, bool]:
        """Send one create and record its verdict; True when it is proven not executed and may be sent again."""
        context, trace_id = self.context, str(uuid.uuid4())
        await context.recheck_clock_if_jumped()
        try:
            async with context.run_state.breaker.permit(context.check_liveness) as open_count:
                response = await self._exchange(job, image, trace_id, open_count)
        except RunStopped:
            return SendResult(Status.NOT_SENT), False
        except BreakerOpened:
            return await self._create(job, image)
        except ConnectionExpired:
            return await self._start_again(job, image)
        except NotSent as error:
            return await self._record_not_sent(job, trace_id, error), not context.run_state.is_stopping
        context.run_state.requests[CREATE][response.counted_as] += 1
        return await self._record_verdict(job, self._adjust_verdict(job, response), response.meaning)

    async def _start_again(self, job: Job, image: bytes) -> tuple[SendResult, bool]:
        """Start again after a wait that outlasted connection or FileId; no create was spent on it."""
        job.expired_waits += 1
        if job.expired_waits > MAX_EXPIRED_WAITS:
            verdict = Verdict("not_executed", code=NOT_EXECUTED_BY_US, message=make_text("wire.no_slot"))
            return SendResult(Status.NOT_SENT, verdict), False
        refusal = await self.uploader.upload_if_needed(job, image)
        if refusal is not None:
            return refusal, False
        return await self._create(job, image)

    async def _exchange(self, job: Job, image: bytes, trace_id: str, open_count: int) -> CreateResponse:
        """Put one create on the wire and read its answer; the attempt is committed before the first byte."""
        context = self.context
        body = context.contract.build_create(context.agent, job.request, CreateImage(image, job.file_id))

        async def before_departure() -> None:
            if self.uploader.is_upload_needed(job):
                raise ConnectionExpired
            await self._record_probe(job)
            await context.ledger.open_attempt(context.build_attempt(job, trace_id))
            job.trace_id, job.sent_at, job.in_doubt = trace_id, context.client.service_time(), True
            job.sent_monotonic = context.clock.monotonic()
            job.sends += 1

        try:
            reply = await context.send_call(
                CREATE,
                body,
                trace_id=trace_id,
                open_count=open_count,
                send_number=job.sends + 1,
                before_departure=before_departure,
            )
        except NoAnswer as error:
            verdict = Verdict("unknown", code="no_answer", message=str(error))
            return CreateResponse(verdict)
        response = read_create(reply)
        context.record_reply(
            CREATE,
            reply,
            is_usable=response.verdict.kind == "sealed" or response.meaning not in {None, "unknown"},
            is_trusted=response.is_from_service,
            code=response.counted_as,
        )
        if response.meaning == "clock" and not context.adopt_server_clock(job, reply):
            return replace(response, meaning="credentials")
        return response

    def _adjust_verdict(self, job: Job, response: CreateResponse) -> Verdict:
        """Return the verdict in the light of what else is known of the row and the run."""
        verdict, context = response.verdict, self.context
        if response.meaning == "upload_again" and (
            not context.contract.needs_upload or job.was_uploaded_again
        ):
            return replace(verdict, kind="refused")
        if self._is_contract_switched_off(verdict):
            context.run_state.halt("CONTRACT_INLINE_IGNORED", context.mask(verdict.message or ""), 4)
            return replace(verdict, kind="not_executed")
        return verdict

    def _is_contract_switched_off(self, verdict: Verdict) -> bool:
        """Return whether a refusal means that, in a run in which no row has its seal yet."""
        if self.context.run_state.has_sealed or verdict.kind != "refused":
            return False
        return self.context.contract.is_switched_off(verdict.message or "")

    async def _record_probe(self, job: Job) -> None:
        """Record that an earlier create without a verdict is resolved by this one, which is identical."""
        history = job.row_plan.history
        unresolved = history.unresolved_attempt if history else None
        if unresolved is None or job.has_recorded_probe:
            return
        decision = Decision(
            "probe",
            job.request.key,
            self.context.clock.now(),
            "esign-import",
            self.context.run,
            attempt=unresolved.uuid,
        )
        await asyncio.to_thread(self.context.ledger.record_decision, decision)
        job.has_recorded_probe = True

    async def _record_not_sent(self, job: Job, trace_id: str, error: NotSent) -> SendResult:
        """Record a create whose headers never left; one without an attempt in the ledger needs no verdict."""
        verdict = Verdict("not_executed", code=NOT_EXECUTED_BY_US, message=str(error))
        if job.trace_id == trace_id:
            job.sends -= 1
            await self.context.ledger.record_verdict(trace_id, verdict, now=self._now_on_signing_clock(job))
            job.in_doubt = False
        if error.tls:
            self.context.run_state.halt("TLS", str(error), 4)
        self.context.run_state.record_resend("transport")
        return SendResult(Status.NOT_SENT, verdict)

    async def _record_verdict(
        self, job: Job, verdict: Verdict, meaning: Meaning | None
    ) -> tuple[SendResult, bool]:
        """Commit the verdict; return how the row ends, and whether it may be sent again."""
        ledger, run_state = self.context.ledger, self.context.run_state
        assert job.trace_id is not None
        masked = self.context.mask(verdict.message) if verdict.message else None
        job.verdict = verdict = replace(verdict, message=masked)
        try:
            await ledger.record_verdict(job.trace_id, verdict, now=self._now_on_signing_clock(job))
        except LedgerConflict:
            # One SealId for two people: neither this answer nor the next ones can be trusted.
            verdict = replace(verdict, kind="unknown", code="SEAL_ID_REUSED")
            await ledger.record_verdict(job.trace_id, verdict, now=self._now_on_signing_clock(job))
            run_state.halt("SEAL_ID_REUSED", "the service answered with another person's SealId", 4)
        job.in_doubt = False
        hit_failpoint("create: settled")
        match verdict.kind:
            case "sealed":
                run_state.has_sealed = True
                return SendResult(Status.SEALED, verdict), False
            case "unknown":
                return SendResult(Status.UNKNOWN, verdict), False
            case "exists":
                return SendResult(Status.EXISTS, verdict), False
            case "refused":
                return SendResult(Status.FAILED, verdict), False
            case "not_executed":
                self._act_on_not_executed(job, verdict, meaning)
                return SendResult(Status.NOT_SENT, verdict), not run_state.is_stopping

    def _now_on_signing_clock(self, job: Job) -> float:
        """Return the present on the clock that signed the create; what was learnt of the clock since does not count."""
        assert job.sent_at is not None
        return job.sent_at + self.context.clock.monotonic() - job.sent_monotonic

    def _act_on_not_executed(self, job: Job, verdict: Verdict, meaning: Meaning | None) -> None:
        match meaning:
            case "throttle":
                self.context.record_throttle(CREATE, verdict)
            case "upload_again":
                job.file_id, job.was_uploaded_again = None, True
            case "credentials" | "permission" | "account" | "quota" | "contract":
                self.context.run_state.halt_for(verdict)
            case "clock":
                pass  # the service's clock was adopted
            case "row":
                pass  # the contract is switched off, the run was halted
            case "exists" | "unknown" | None:
                raise AssertionError(meaning)  # such an answer never proves that nothing was executed
