"""Uploads one picture; an upload creates nothing, so it is repeated on any doubt."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from pipeline.domain.run import Status
from pipeline.domain.seals import Verdict
from pipeline.esign.client import NoAnswer, NotSent
from pipeline.esign.contracts import UPLOAD, build_upload
from pipeline.esign.responses import Reply, UploadResponse, read_upload
from pipeline.ledger.protocol import UPLOAD_REFUSED as REFUSED_UPLOAD
from pipeline.sending.call_context import (
    MAX_SENDS,
    NOT_EXECUTED_BY_US,
    BreakerOpened,
    CallContext,
    ConnectionExpired,
    RunStopped,
)
from pipeline.sending.run_state import Job, SendResult

FILE_ID_MARGIN = 5.0  # seconds before a FileId expires in which it is no longer used


@dataclass(frozen=True, slots=True)
class Uploader:
    """Uploads pictures; a refusal is recorded, and a row without an answer is left to the next run."""

    context: CallContext

    def is_upload_needed(self, job: Job) -> bool:
        """Return whether the contract needs a FileId and the row has none that is still valid."""
        if not self.context.contract.needs_upload:
            return False
        return (
            job.file_id is None or job.file_expires_at - FILE_ID_MARGIN <= self.context.client.service_time()
        )

    async def upload_if_needed(self, job: Job, image: bytes) -> SendResult | None:
        """Upload the picture, again on any doubt; None once the row can be created, else how the row ends."""
        if not self.is_upload_needed(job):
            return None
        suffix = "png" if job.prepared.format == "PNG" else "jpg"
        body = build_upload(self.context.agent, f"row{job.index + 1:06d}.{suffix}", image)
        result: SendResult | None = SendResult(Status.NOT_SENT)
        for send_index in range(MAX_SENDS):
            if send_index:
                await self.context.back_off(send_index)
            if self.context.run_state.is_stopping:
                break
            result, may_resend = await self._upload_once(job, body, send_number=send_index + 1)
            if not may_resend:
                break
        return result

    async def _upload_once(
        self, job: Job, body: bytes, *, send_number: int
    ) -> tuple[SendResult | None, bool]:
        context, trace_id = self.context, str(uuid.uuid4())
        try:
            async with context.run_state.breaker.permit(context.check_liveness) as open_count:
                reply = await context.send_call(
                    UPLOAD, body, trace_id=trace_id, open_count=open_count, send_number=send_number
                )
                response = read_upload(reply, now=context.client.service_time())
                context.record_reply(
                    UPLOAD,
                    reply,
                    is_usable=response.meaning != "unknown",
                    is_trusted=response.request_id is not None,
                    code=response.counted_as,
                )
        except RunStopped:
            return SendResult(Status.NOT_SENT), False
        except BreakerOpened:
            return await self._upload_once(job, body, send_number=send_number)
        except ConnectionExpired:
            return SendResult(Status.NOT_SENT), True
        except (NotSent, NoAnswer) as error:
            return self._record_no_answer(error), True
        context.run_state.requests[UPLOAD][response.counted_as] += 1
        if response.file_id is not None:
            job.file_id, job.file_expires_at = response.file_id, response.expires_at
            return None, False
        result, may_resend = self._weigh_refusal(job, reply, response)
        if result.status is Status.FAILED:
            await self._record_refusal(job, trace_id, result)
        return result, may_resend

    def _record_no_answer(self, error: NotSent | NoAnswer) -> SendResult:
        run_state, code = self.context.run_state, "no_answer"
        if isinstance(error, NotSent):
            code = NOT_EXECUTED_BY_US
            if error.tls:
                run_state.halt("TLS", str(error), 4)
        else:
            run_state.requests[UPLOAD][code] += 1
        run_state.record_resend("transport")
        return SendResult(Status.NOT_SENT, Verdict("not_executed", code=code, message=str(error)))

    def _weigh_refusal(self, job: Job, reply: Reply, response: UploadResponse) -> tuple[SendResult, bool]:
        """Return how the row ends after an upload without a FileId, and whether it is uploaded again."""
        context = self.context
        message = context.mask(response.message) if response.message else None
        refusal = Verdict("refused", None, response.request_id, response.code, message, reply.status)
        match response.meaning:
            case "row" | "exists" | "upload_again":
                return SendResult(Status.FAILED, refusal), False
            case "throttle":
                context.record_throttle(UPLOAD, refusal)
            case "clock":
                if not context.adopt_server_clock(job, reply):
                    context.run_state.halt_for(refusal)
            case "credentials" | "permission" | "account" | "quota" | "contract":
                context.run_state.halt_for(refusal)
            case "unknown" | None:
                context.run_state.record_resend("transport")
        return SendResult(Status.NOT_SENT, refusal), True

    async def _record_refusal(self, job: Job, trace_id: str, result: SendResult) -> None:
        """Record an upload's refusal, so that later runs know how old it is; no create was sent."""
        assert result.verdict is not None
        attempt = replace(
            self.context.build_attempt(job, trace_id),
            contract=REFUSED_UPLOAD,
            host=self.context.client.host_of(UPLOAD),
        )
        await self.context.ledger.open_attempt(attempt)
        await self.context.ledger.record_verdict(
            trace_id, result.verdict, now=self.context.client.service_time()
        )
