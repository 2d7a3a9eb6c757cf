"""One picture's way to the service: an upload creates nothing, so it is repeated on any doubt."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from pipeline.domain.run import Status
from pipeline.domain.seals import Verdict
from pipeline.esign.client import NoAnswer, NotSent
from pipeline.esign.contracts.base import UPLOAD, build_upload
from pipeline.esign.responses import Reply, UploadResponse, read_upload
from pipeline.ledger.protocol import UPLOAD as REFUSED_UPLOAD
from pipeline.sending.call_context import (
    NOT_EXECUTED_BY_US,
    SENDS,
    BreakerOpened,
    CallContext,
    ConnectionExpired,
    Stopped,
)
from pipeline.sending.run_state import Job, SendResult

FILE_ID_MARGIN = 5.0  # seconds before a FileId's death at which it is no longer used


@dataclass(frozen=True, slots=True)
class Uploader(CallContext):
    """Brings pictures to the service; a refusal is remembered, a silence leaves the row for the next night."""

    def _file_lives(self, job: Job) -> bool:
        return job.file_id is not None and job.file_dies - FILE_ID_MARGIN > self.client.now()

    async def _upload(self, job: Job, data: bytes) -> SendResult | None:
        """Upload one picture, again on any doubt; None once the job holds a FileId, else how the row ends."""
        suffix = "png" if job.prepared.format == "PNG" else "jpg"
        body = build_upload(self.agent, f"row{job.index + 1:06d}.{suffix}", data)
        end: SendResult | None = SendResult(Status.NOT_SENT)
        for attempt in range(SENDS):
            if attempt:
                await self._pause(attempt)
            if self.course.stopping:
                break
            end, again = await self._upload_once(job, body, send=attempt + 1)
            if not again:
                break
        return end

    async def _upload_once(self, job: Job, body: bytes, *, send: int) -> tuple[SendResult | None, bool]:
        measured = self.course.meter.call(UPLOAD)
        door = AsyncExitStack()
        opened = 0

        async def gate(alive: Callable[[], bool]) -> None:
            await self._slot(UPLOAD, opened)
            await door.aclose()
            if not alive():
                raise ConnectionExpired
            await self.limiter.leave(UPLOAD)
            measured.left(send)

        trace_id = str(uuid.uuid4())
        try:
            async with self.course.breaker.passage(self._probe) as opened, door:
                measured.asks()
                await door.enter_async_context(self.doors[UPLOAD])
                reply = await self.client.call(UPLOAD, body, trace_id=trace_id, gate=gate)
                measured.answered()
                self._note_deprecation(UPLOAD, reply)
                answer = read_upload(reply, now=self.client.now())
                answered = answer.meaning != "unknown"
                self.course.heard(
                    UPLOAD, answered=answered, host=self.client.host(UPLOAD), cause=answer.counted_as
                )
                if answer.request_id is not None:
                    self.client.learn(reply)
        except Stopped:
            return SendResult(Status.NOT_SENT), False
        except BreakerOpened:
            return await self._upload_once(job, body, send=send)
        except ConnectionExpired:
            return SendResult(Status.NOT_SENT), True
        except (NotSent, NoAnswer) as error:
            measured.lost()
            return self._upload_unanswered(error), True
        self.course.requests[UPLOAD][answer.counted_as] += 1
        if answer.file_id is not None:
            job.file_id, job.file_dies = answer.file_id, answer.expires_at
            return None, False
        end, again = self._upload_refused(job, reply, answer)
        if end.status is Status.FAILED:
            await self._remember(job, trace_id, end)
        return end, again

    def _upload_unanswered(self, error: NotSent | NoAnswer) -> SendResult:
        code = "no_answer"
        if isinstance(error, NotSent):
            code = NOT_EXECUTED_BY_US
            if error.tls:
                self.course.halt("TLS", str(error), 4)
        else:
            self.course.requests[UPLOAD][code] += 1
        self._unanswered(UPLOAD, error)
        self.course.resent("transport")
        return SendResult(Status.NOT_SENT, Verdict("not_executed", code=code, message=str(error)))

    async def _remember(self, job: Job, trace_id: str, end: SendResult) -> None:
        """Enter an upload's refusal, so that later nights know how old it is; no create was sent."""
        assert end.verdict is not None
        attempt = replace(
            self._attempt(job, trace_id), contract=REFUSED_UPLOAD, host=self.client.host(UPLOAD)
        )
        await self.ledger.open_attempt(attempt)
        await self.ledger.settle(trace_id, end.verdict, at=self.client.now())

    def _upload_refused(self, job: Job, reply: Reply, answer: UploadResponse) -> tuple[SendResult, bool]:
        message = self.mask(answer.message) if answer.message else None
        refusal = Verdict("refused", None, answer.request_id, answer.code, message, reply.status)
        match answer.meaning:
            case "row" | "exists" | "upload_again":
                return SendResult(Status.FAILED, refusal), False
            case "throttle":
                self._throttled(UPLOAD, refusal)
            case "clock" if self._heal(job, reply):
                pass
            case "unknown" | None:
                self.course.resent("transport")
            case _:
                self.course.halt(refusal.code or "", refusal.message or "", 4)
        return SendResult(Status.NOT_SENT, refusal), True
