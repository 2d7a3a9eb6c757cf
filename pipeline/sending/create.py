"""Creates one row's seal: upload, create, verdict, and what each answer means for the row and the run.

A create's order: its signature and its own connection, then the attempt's commit, then its slot, then the bytes. No slow
disk lies between slot and bytes. An attempt whose create does not leave is closed as not executed. The verdict is committed
before the row counts as done. Only what is proven not executed is sent again. An upload creates nothing, so it is repeated
on any doubt; a refusal of it is recorded, and a row without an answer to it is left to the next run.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from dataclasses import dataclass, replace
from typing import NamedTuple

from pipeline.domain.run import REPEATED, SEAL_ID_REUSED, Status
from pipeline.domain.seals import UPLOAD_REFUSED, Verdict
from pipeline.domain.service_codes import Meaning
from pipeline.esign.client import NoAnswer, NotSent, SignedCall
from pipeline.esign.contracts import CreateImage, build_upload, list_sent_texts
from pipeline.esign.responses import (
    REUSED_FILE_ID,
    CreateResponse,
    Reply,
    UploadResponse,
    read_create,
    read_upload,
)
from pipeline.ledger.records import LedgerConflict
from pipeline.messages.catalogue import make_message
from pipeline.sending.call_context import (
    MAX_SENDS,
    NOT_EXECUTED_BY_US,
    BreakerOpened,
    CallContext,
    ConnectionExpired,
    Job,
    RunStopped,
    SendResult,
)
from pipeline.support.failpoints import hit_failpoint

FILE_ID_MARGIN = 5.0  # seconds before a FileId expires in which it is no longer used
MAX_EXPIRED_WAITS = 5  # waits of one row that may outlast a connection or a FileId


class ImageBody(NamedTuple):
    """The body of the call that carries a row's picture: its upload, or its create where there is none."""

    data: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class CreateSender:
    """Sends rows until they have a verdict."""

    context: CallContext
    creates: asyncio.Semaphore  # creates in flight

    def build_image_body(self, job: Job, image: bytes) -> ImageBody:
        """Return the body that carries a row's picture; this may be called in a thread."""
        context = self.context
        if context.contract.needs_upload:
            suffix = "png" if job.prepared.format == "PNG" else "jpg"
            data = build_upload(context.agent, f"row{job.row_plan.index + 1:06d}.{suffix}", image)
        else:
            data = context.contract.build_create(context.agent, job.request, CreateImage(image))
        return ImageBody(data, hashlib.sha256(data).hexdigest())

    async def send(self, job: Job, image: ImageBody) -> SendResult:
        """Send a row until it has a verdict, at most MAX_SENDS times."""
        result = SendResult(Status.NOT_SENT)
        for send_index in range(MAX_SENDS):
            if not await self.context.back_off(send_index):
                break
            if send_index and (held := await self.hold_if_contested(job)) is not None:
                return held
            refusal = await self._upload_if_needed(job, image)
            if refusal is not None:
                return refusal
            async with self.creates:
                result, may_resend = await self._create(job, image)
            if not may_resend:
                break
        return result

    async def hold_if_contested(self, job: Job) -> SendResult | None:
        """Hold a row whose create was not executed by an answer that another call has got meanwhile, too.

        It is not known whose answer it is. The verdict is in the ledger already, so that an attempt without one is
        entered: nothing is sent until a person has decided.
        """
        context, refusal = self.context, job.verdict
        if (
            refusal is None
            or refusal.kind not in {"refused", "not_executed"}
            or not context.client.answers.is_of_two_calls(refusal.request_id)
        ):
            return None
        trace_id, now = str(uuid.uuid4()), context.client.service_time()
        await context.ledger.open_attempt(context.build_attempt(job, trace_id, now), job.request)
        words = " ".join(filter(None, (refusal.code, refusal.message)))
        verdict = replace(refusal, kind="unknown", code=REPEATED, message=words)
        await context.ledger.record_verdict(trace_id, job.request.key, verdict, now=now)
        job.trace_id, job.verdict = trace_id, verdict
        return SendResult(Status.UNKNOWN, verdict)

    async def _create(self, job: Job, image: ImageBody) -> tuple[SendResult, bool]:
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
            context.record_unanswered(context.product.create, error)
            verdict = Verdict("not_executed", code=NOT_EXECUTED_BY_US, message=str(error))
            return SendResult(Status.NOT_SENT, verdict), not context.run_state.is_stopping
        context.run_state.requests[context.product.create][response.counted_as] += 1
        return await self._record_verdict(job, self._adjust_verdict(job, response), response.meaning)

    async def _start_again(self, job: Job, image: ImageBody) -> tuple[SendResult, bool]:
        """Start again after a wait that outlasted connection, signature or FileId; no create was spent on it."""
        job.expired_waits += 1
        if job.expired_waits > MAX_EXPIRED_WAITS:
            verdict = Verdict("not_executed", code=NOT_EXECUTED_BY_US, message=make_message("wire.no_slot"))
            return SendResult(Status.NOT_SENT, verdict), False
        refusal = await self._upload_if_needed(job, image)
        if refusal is not None:
            return refusal, False
        return await self._create(job, image)

    async def _exchange(self, job: Job, image: ImageBody, trace_id: str, open_count: int) -> CreateResponse:
        """Put one create on the wire and read its answer; the attempt is committed before the first byte."""
        context, sends = self.context, job.sends
        if context.contract.needs_upload:
            body, sha256 = (
                context.contract.build_create(context.agent, job.request, CreateImage(file_id=job.file_id)),
                None,
            )
        else:
            body, sha256 = image

        async def open_attempt(call: SignedCall) -> None:
            await context.ledger.open_attempt(
                context.build_attempt(job, trace_id, call.signed_at), job.request
            )
            job.trace_id, job.in_doubt = trace_id, True
            job.signed_at, job.signed_monotonic = call.signed_at, call.monotonic

        def before_departure() -> None:
            if self._is_upload_needed(job):
                raise ConnectionExpired
            job.sends += 1

        try:
            reply = await context.send_call(
                context.product.create,
                body,
                trace_id=trace_id,
                open_count=open_count,
                send_number=job.sends + 1,
                before_slot=open_attempt,
                before_departure=before_departure,
                body_sha256=sha256,
            )
        except NoAnswer as error:
            verdict = Verdict("unknown", code="no_answer", message=str(error))
            return CreateResponse(verdict)
        except BaseException as reason:
            if job.sends == sends or isinstance(reason, NotSent):  # no byte left
                job.sends = sends
                await self._close_unsent(job, reason)
            raise
        response = read_create(
            reply,
            sent=list_sent_texts(context.agent, trace_id, job.file_id, request=job.request),
            masker=context.masker,
        )
        context.record_reply(
            context.product.create,
            reply,
            is_usable=response.verdict.kind == "sealed" or response.meaning not in {None, "unknown"},
            code=response.counted_as,
        )
        if response.meaning == "clock" and not context.adopt_server_clock(job, reply):
            return replace(response, meaning="credentials")
        return response

    def _adjust_verdict(self, job: Job, response: CreateResponse) -> Verdict:
        """Return the verdict in the light of what else is known of the row and the run."""
        verdict, context = response.verdict, self.context
        if verdict.kind == "sealed" and context.contract.needs_upload and not self._has_own_file(job):
            # the FileId was given for another picture as well, while the create was under way
            return replace(verdict, kind="unknown", code=REUSED_FILE_ID)
        if response.meaning == "upload_again" and (
            not context.contract.needs_upload or job.was_uploaded_again
        ):
            return replace(verdict, kind="refused")
        # a run in which a row has its seal has shown that the contract is switched on
        is_refused = verdict.kind == "refused" and not context.run_state.has_sealed
        if is_refused and context.contract.is_switched_off(verdict.message or ""):
            context.run_state.halt(
                "CONTRACT_INLINE_IGNORED", context.masker.mask_answer(verdict.message or ""), 4
            )
            return replace(verdict, kind="not_executed")
        return verdict

    async def _close_unsent(self, job: Job, reason: BaseException) -> None:
        """Close the attempt of a create that never left as not executed, if it was entered."""
        if not job.in_doubt:
            return
        assert job.trace_id is not None
        if isinstance(reason, NotSent):
            message = str(reason)
        else:
            is_late = isinstance(reason, ConnectionExpired)
            message = make_message("wire.no_slot" if is_late else "wire.cancelled")
        verdict = Verdict("not_executed", code=NOT_EXECUTED_BY_US, message=message)
        await self.context.ledger.record_verdict(
            job.trace_id, job.request.key, verdict, now=self._now_on_signing_clock(job)
        )
        job.in_doubt = False

    async def _record_verdict(
        self, job: Job, verdict: Verdict, meaning: Meaning | None
    ) -> tuple[SendResult, bool]:
        """Commit the verdict; return how the row ends, and whether it may be sent again."""
        ledger, run_state = self.context.ledger, self.context.run_state
        assert job.trace_id is not None
        masked = self.context.masker.mask_answer(verdict.message) if verdict.message else None
        job.verdict = verdict = replace(verdict, message=masked)
        hit_failpoint("create: the answer is known")
        try:
            await ledger.record_verdict(
                job.trace_id, job.request.key, verdict, now=self._now_on_signing_clock(job)
            )
        except LedgerConflict as conflict:
            is_repeated = conflict.constraint == "request_id" and verdict.kind != "sealed"
            code, words = SEAL_ID_REUSED, verdict.message
            if is_repeated:  # the answer to a create of an earlier run
                code, words = REPEATED, " ".join(filter(None, (verdict.code, verdict.message)))
            job.verdict = verdict = replace(verdict, kind="unknown", code=code, message=words)
            await ledger.record_verdict(
                job.trace_id, job.request.key, verdict, now=self._now_on_signing_clock(job)
            )
        if verdict.code == SEAL_ID_REUSED:
            # One SealId for two people: neither this answer nor the next ones can be trusted.
            run_state.halt(SEAL_ID_REUSED, "the service answered with another person's SealId", 4)
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
        assert job.signed_at is not None
        return job.signed_at + self.context.clock.monotonic() - job.signed_monotonic

    def _act_on_not_executed(self, job: Job, verdict: Verdict, meaning: Meaning | None) -> None:
        match meaning:
            case "throttle":
                self.context.record_throttle(self.context.product.create, verdict)
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

    # -- the upload

    def _is_upload_needed(self, job: Job) -> bool:
        """Return whether the contract needs a FileId and the row has none that may be used."""
        if not self.context.contract.needs_upload:
            return False
        return (
            job.file_id is None
            or job.file_expires_at - FILE_ID_MARGIN <= self.context.client.service_time()
            or not self._has_own_file(job)
        )

    def _has_own_file(self, job: Job) -> bool:
        """Return whether the row's FileId was given for its picture alone, as far as answers have shown until now."""
        answers = self.context.client.answers
        return job.file_id is not None and answers.is_file_of(job.file_id, job.image_owner)

    async def _upload_if_needed(self, job: Job, image: ImageBody) -> SendResult | None:
        """Upload the picture, again on any doubt; None once the row can be created, else how the row ends."""
        if not self._is_upload_needed(job):
            return None
        result: SendResult | None = SendResult(Status.NOT_SENT)
        for send_index in range(MAX_SENDS):
            if not await self.context.back_off(send_index):
                break
            result, may_resend = await self._upload_once(job, image, send_number=send_index + 1)
            if not may_resend:
                break
        return result

    async def _upload_once(
        self, job: Job, image: ImageBody, *, send_number: int
    ) -> tuple[SendResult | None, bool]:
        context, trace_id = self.context, str(uuid.uuid4())
        try:
            async with context.run_state.breaker.permit(context.check_liveness) as open_count:
                reply = await context.send_call(
                    context.product.upload,
                    image.data,
                    trace_id=trace_id,
                    open_count=open_count,
                    send_number=send_number,
                    body_sha256=image.sha256,
                )
                response = read_upload(
                    reply,
                    now=context.client.service_time(),
                    answers=context.client.answers,
                    owner=job.image_owner,
                )
                context.record_reply(
                    context.product.upload,
                    reply,
                    is_usable=response.meaning != "unknown",
                    code=response.counted_as,
                )
        except RunStopped:
            return SendResult(Status.NOT_SENT), False
        except BreakerOpened:
            return await self._upload_once(job, image, send_number=send_number)
        except ConnectionExpired:
            return SendResult(Status.NOT_SENT), True
        except (NotSent, NoAnswer) as error:
            code = NOT_EXECUTED_BY_US if isinstance(error, NotSent) else "no_answer"
            if isinstance(error, NoAnswer):
                context.run_state.requests[context.product.upload][code] += 1
            context.record_unanswered(context.product.upload, error)
            verdict = Verdict("not_executed", code=code, message=str(error))
            return SendResult(Status.NOT_SENT, verdict), True
        context.run_state.requests[context.product.upload][response.counted_as] += 1
        if response.file_id is not None:
            job.file_id, job.file_expires_at = response.file_id, response.expires_at
            return None, False
        result, may_resend = self._weigh_refusal(job, reply, response)
        if result.status is Status.FAILED:
            assert result.verdict is not None
            result = await self._record_refusal(job, trace_id, result.verdict)
        return result, may_resend

    def _weigh_refusal(self, job: Job, reply: Reply, response: UploadResponse) -> tuple[SendResult, bool]:
        """Return how the row ends after an upload without a FileId, and whether it is uploaded again."""
        context = self.context
        message = context.masker.mask_answer(response.message) if response.message else None
        refusal = Verdict("refused", None, response.request_id, response.code, message, reply.status)
        match response.meaning:
            case "row" | "exists" | "upload_again":
                return SendResult(Status.FAILED, refusal), False
            case "throttle":
                context.record_throttle(context.product.upload, refusal)
            case "clock":
                if not context.adopt_server_clock(job, reply):
                    context.run_state.halt_for(refusal)
            case "credentials" | "permission" | "account" | "quota" | "contract":
                context.run_state.halt_for(refusal)
            case "unknown" | None:
                context.run_state.record_resend("transport")
        return SendResult(Status.NOT_SENT, refusal), True

    async def _record_refusal(self, job: Job, trace_id: str, refusal: Verdict) -> SendResult:
        """Record an upload's refusal, so that later runs know how old it is; no create was sent.

        The answer to an upload of an earlier run refuses nothing.
        """
        ledger, now = self.context.ledger, self.context.client.service_time()
        attempt = replace(
            self.context.build_attempt(job, trace_id, now),
            contract=UPLOAD_REFUSED,
            host=self.context.client.host_of(self.context.product.upload),
        )
        try:
            await ledger.record_refused_upload(attempt, job.request, refusal, now=now)
        except LedgerConflict:
            unproven = replace(refusal, kind="not_executed", code=REPEATED)
            await ledger.record_refused_upload(attempt, job.request, unproven, now=now)
            return SendResult(Status.NOT_SENT, unproven)
        return SendResult(Status.FAILED, refusal)
