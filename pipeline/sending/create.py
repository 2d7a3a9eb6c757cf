"""Sends a row: the upload of its picture, its create, and what each answer means for the row.

A create's attempt is committed before the first byte, and closed as not executed where none left. The verdict is committed
before the row counts as done. Only what is proven not executed is sent again. An upload creates nothing, so it is repeated
on any doubt; a refusal of it is recorded, and a row without an answer to it is left to the next run.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from dataclasses import dataclass, replace

from pipeline.domain.roster import PreparedImage
from pipeline.domain.run import REPEATED, SEAL_ID_REUSED, RowPlan
from pipeline.domain.seals import UPLOAD_REFUSED, Attempt, SealRequest, Verdict
from pipeline.esign.client import SignedCall
from pipeline.esign.contracts import Contract, CreateImage, build_upload, list_sent_texts
from pipeline.esign.responses import (
    NOT_SENT,
    REUSED_FILE_ID,
    Reading,
    Reply,
    UploadReading,
    read_create,
    read_upload,
)
from pipeline.esign.signing import REPLAY_WINDOW_SECONDS
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import LedgerConflict
from pipeline.sending.exchange import Body, Call, Exchange
from pipeline.support.failpoints import hit_failpoint

NOTHING_SENT = Verdict("not_executed")
FILE_ID_MARGIN = 5.0  # seconds before a FileId expires in which it is no longer used


@dataclass(frozen=True, slots=True)
class CreateContext:
    """What the creates of a run have in common."""

    exchange: Exchange
    ledger: Ledger
    contract: Contract
    run: str
    in_flight: asyncio.Semaphore  # creates


@dataclass(eq=False)
class Job(Call):
    """One row while it is sent; as a call it is the row's create."""

    context: CreateContext
    row_plan: RowPlan
    request: SealRequest
    prepared: PreparedImage
    image: Body | None = None  # of the call that carries the picture, while the row is sent
    file_id: str | None = None
    file_expires_at: float = 0.0  # unix seconds, the service's
    was_uploaded_again: bool = False
    trace_id: str | None = None
    signed_at: float | None = None  # unix seconds, the service's
    signed_monotonic: float = 0.0  # the same moment on the monotonic clock
    in_doubt: bool = False  # a create was recorded, and its verdict is not yet durable
    verdict: Verdict | None = None  # the last create's, also when it could not be recorded
    end: Verdict = NOTHING_SENT  # what the last call means for the row

    is_repeatable = False

    def __post_init__(self) -> None:
        """Begin as a create that did not leave yet."""
        super().__init__(self.exchange.product.create, in_flight=self.context.in_flight)

    @property
    def exchange(self) -> Exchange:
        return self.context.exchange

    @property
    def image_owner(self) -> tuple[str, str]:
        """Person and picture: a FileId belongs to both."""
        return self.request.key, self.prepared.sha256

    def build_image_body(self, image: bytes) -> Body:
        """Return the body that carries the picture: that of the upload, or of the create; this may be called in a thread."""
        agent, contract = self.exchange.agent, self.context.contract
        if contract.needs_upload:
            suffix = "png" if self.prepared.format == "PNG" else "jpg"
            data = build_upload(agent, f"row{self.row_plan.index + 1:06d}.{suffix}", image)
        else:
            data = contract.build_create(agent, self.request, CreateImage(image))
        return Body(data, hashlib.sha256(data).hexdigest())

    async def send(self, image: Body) -> Verdict:
        """Send the row until it has a verdict; return how it ends."""
        self.image = image
        try:
            reading = await self.exchange.send_until_answered(self)
        finally:
            self.image = None  # megabytes
        return self.end if reading is None or reading.was_sent else reading.verdict

    async def prepare(self) -> bool:
        """Upload the picture where it is needed; False where the row ends without a further create."""
        self.end = NOTHING_SENT
        return not await self.hold_if_contested() and await self._upload_if_needed()

    async def hold_if_contested(self) -> bool:
        """Hold a row whose create was not executed by an answer that another call has got meanwhile, too.

        It is not known whose answer it is. The verdict is in the ledger already, so that an attempt without one is
        entered: nothing is sent until a person has decided.
        """
        refusal, client, ledger = self.verdict, self.exchange.client, self.context.ledger
        if (
            refusal is None
            or refusal.kind not in {"refused", "not_executed"}
            or not client.answers.is_of_two_calls(refusal.request_id)
        ):
            return False
        trace_id, now = str(uuid.uuid4()), client.service_time()
        await ledger.open_attempt(self._build_attempt(trace_id, now), self.request)
        words = _join_words(refusal.code, refusal.message)
        verdict = replace(refusal, kind="unknown", code=REPEATED, message=words)
        await ledger.record_verdict(trace_id, self.request.key, verdict, now=now)
        self.trace_id, self.verdict, self.end = trace_id, verdict, verdict
        return True

    def build_body(self) -> Body:
        if not self.context.contract.needs_upload:
            assert self.image is not None
            return self.image
        image = CreateImage(file_id=self.file_id)
        return Body(self.context.contract.build_create(self.exchange.agent, self.request, image))

    async def open_attempt(self, trace_id: str, signed: SignedCall) -> None:
        attempt = self._build_attempt(trace_id, signed.signed_at)
        await self.context.ledger.open_attempt(attempt, self.request)
        self.trace_id, self.in_doubt = trace_id, True
        self.signed_at, self.signed_monotonic = signed.signed_at, signed.monotonic

    def may_leave(self) -> bool:
        return not self._is_upload_needed()

    async def close_unsent(self, message: str) -> None:
        if self.in_doubt:
            await self._record_verdict(Verdict("not_executed", code=NOT_SENT, message=message))
            self.in_doubt = False

    def read(self, reply: Reply) -> Reading:
        sent = list_sent_texts(self.exchange.agent, self.trace_id, self.file_id, request=self.request)
        return read_create(reply, sent=sent, masker=self.exchange.masker)

    async def record_answer(self, reading: Reading) -> Reading:
        reading = self._weigh(reading)
        self.verdict = reading.verdict
        hit_failpoint("create: the answer is known")
        try:
            await self._record_verdict(self.verdict)
        except LedgerConflict as conflict:
            reading = _contradict(reading, conflict)
            self.verdict = reading.verdict
            await self._record_verdict(self.verdict)
        run_state = self.exchange.run_state
        if reading.code == SEAL_ID_REUSED:
            # One SealId for two people: neither this answer nor the next ones can be trusted.
            run_state.halt(SEAL_ID_REUSED, "the service answered with another person's SealId", 4)
        self.end, self.in_doubt = self.verdict, False
        hit_failpoint("create: settled")
        if reading.is_done:
            run_state.has_sealed = True
        elif reading.meaning == "upload_again":
            self.file_id, self.was_uploaded_again = None, True
        return reading

    def _weigh(self, reading: Reading) -> Reading:
        """Return what an answer proves in the light of what else is known of the row and the run."""
        contract, run_state = self.context.contract, self.exchange.run_state
        if reading.is_done and contract.needs_upload and not self._has_own_file():
            # the FileId was given for another picture as well, while the create was under way
            return replace(reading, code=REUSED_FILE_ID, meaning="unknown")
        if reading.meaning == "upload_again" and (not contract.needs_upload or self.was_uploaded_again):
            return replace(reading, meaning="row")
        # a run in which a row has its seal has shown that the contract is switched on
        is_refused, message = reading.meaning == "row" and not run_state.has_sealed, reading.message or ""
        if is_refused and contract.is_switched_off(message):
            run_state.halt("CONTRACT_INLINE_IGNORED", message, 4)
            return replace(reading, meaning="contract")
        return reading

    async def _record_verdict(self, verdict: Verdict) -> None:
        """Commit a verdict, on the clock that signed the create: what was learnt of the clock since does not count."""
        assert self.trace_id is not None
        assert self.signed_at is not None
        now = self.signed_at + self.exchange.clock.monotonic() - self.signed_monotonic
        await self.context.ledger.record_verdict(self.trace_id, self.request.key, verdict, now=now)

    def _build_attempt(self, trace_id: str, signed_at: float) -> Attempt:
        """Return the ledger's entry of a create that was signed at this moment and is about to be sent."""
        return Attempt(
            uuid=trace_id,
            key=self.request.key,
            run=self.context.run,
            row_id=self.request.row_id,
            seal_name=self.request.seal_name,
            contract=self.context.contract.name,
            host=self.exchange.client.host_of(self.action),
            signed_at=signed_at,
            content=self.request.content,
            # the later of the two clocks decides
            dead_at=max(signed_at, self.exchange.clock.now()) + REPLAY_WINDOW_SECONDS,
        )

    # -- the upload

    def _is_upload_needed(self) -> bool:
        """Return whether the contract needs a FileId and the row has none that may be used."""
        if not self.context.contract.needs_upload:
            return False
        expires_at = self.file_expires_at - FILE_ID_MARGIN
        return expires_at <= self.exchange.client.service_time() or not self._has_own_file()

    def _has_own_file(self) -> bool:
        """Return whether the row's FileId was given for its picture alone, as far as answers have shown until now."""
        answers = self.exchange.client.answers
        return self.file_id is not None and answers.is_file_of(self.file_id, self.image_owner)

    async def _upload_if_needed(self) -> bool:
        """Upload the picture, again on any doubt; False where the row ends without a FileId."""
        if not self._is_upload_needed():
            return True
        upload = Upload(self)
        upload.has_adopted_clock = self.has_adopted_clock
        reading = await self.exchange.send_until_answered(upload)
        self.has_adopted_clock = upload.has_adopted_clock
        if reading is not None and not reading.was_sent:
            self.end = reading.verdict
        return reading is not None and reading.is_done

    async def record_refused_upload(self, trace_id: str, refusal: Verdict) -> Verdict:
        """Record an upload's refusal, so that later runs know how old it is; return what it proves.

        The answer to an upload of an earlier run refuses nothing.
        """
        client, ledger = self.exchange.client, self.context.ledger
        now, host = client.service_time(), client.host_of(self.exchange.product.upload)
        attempt = replace(self._build_attempt(trace_id, now), contract=UPLOAD_REFUSED, host=host)
        try:
            await ledger.record_refused_upload(attempt, self.request, refusal, now=now)
        except LedgerConflict:
            refusal = replace(refusal, kind="not_executed", code=REPEATED)
            await ledger.record_refused_upload(attempt, self.request, refusal, now=now)
        return refusal


class Upload(Call):
    """The upload of a row's picture: it creates nothing."""

    def __init__(self, job: Job) -> None:
        super().__init__(job.exchange.product.upload)
        self.job = job
        self._trace_id = ""

    async def prepare(self) -> bool:
        self.job.end = NOTHING_SENT
        return True

    def build_body(self) -> Body:
        assert self.job.image is not None
        return self.job.image

    async def open_attempt(self, trace_id: str, signed: SignedCall) -> None:
        del signed
        self._trace_id = trace_id

    def read(self, reply: Reply) -> Reading:
        exchange = self.job.exchange
        return read_upload(
            reply,
            now=exchange.client.service_time(),
            answers=exchange.client.answers,
            owner=self.job.image_owner,
            masker=exchange.masker,
        )

    async def record_answer(self, reading: Reading) -> Reading:
        if isinstance(reading, UploadReading):
            self.job.file_id, self.job.file_expires_at = reading.file_id, reading.expires_at
        elif reading.meaning == "row":
            self.job.end = await self.job.record_refused_upload(self._trace_id, reading.verdict)
        else:
            self.job.end = replace(reading.verdict, kind="not_executed")
        return reading


def _contradict(reading: Reading, conflict: LedgerConflict) -> Reading:
    """Return what an answer proves that the ledger refuses: its RequestId or its SealId is another create's."""
    if (
        conflict.constraint == "request_id" and not reading.is_done
    ):  # the answer to a create of an earlier run
        words = _join_words(reading.code, reading.message)
        return replace(reading, code=REPEATED, meaning="unknown", message=words)
    return replace(reading, code=SEAL_ID_REUSED, meaning="unknown")


def _join_words(*words: str | None) -> str:
    return " ".join(filter(None, words))
