"""One row's way over the wire: upload, create, verdict, and what each answer means for the row and the run.

A create's order (DESIGN §5): its own connection, then its slot, then the attempt's commit, then the bytes; the
verdict is committed before anything counts the row as done. Only what is proven not executed is sent again.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from pipeline.clock import Clock
from pipeline.course import Course, End, Job
from pipeline.esign import verdict as reading
from pipeline.esign.client import Client, NoAnswer, NotSent, Reply
from pipeline.esign.codes import STOPPING, picture_ignored, stated_rate
from pipeline.esign.contract import CREATE, PROBE, UPLOAD, Agent, create_body, probe_body, upload_body
from pipeline.esign.pace import Limiter
from pipeline.ledger.protocol import UPLOAD as REFUSED_UPLOAD
from pipeline.ledger.protocol import Attempt, Decision, Ledger, LedgerConflict
from pipeline.meter import BACK_OFF
from pipeline.model import ContractName, Status, Verdict
from pipeline.points import reach
from pipeline.problems import problem
from pipeline.roster import Field, Problem
from pipeline.service_codes import Meaning

SENDS = 4  # of one row's upload, and of its create
BACKOFF = 0.5  # seconds: full jitter up to 1, 2, 4 of the sends that follow
STALE = 5  # waits of one row that may outlast a connection or a FileId
FILE_ID_MARGIN = 5.0  # seconds before a FileId's death at which it is no longer used
NOT_EXECUTED_BY_US = "not_sent"  # code of an attempt whose headers never left


class _Stopped(Exception):
    """The run was stopped before the slot came: nothing was sent."""


class _Held(Exception):
    """The breaker opened while the slot was awaited: nothing was sent, the row waits with the others."""


class _Stale(Exception):
    """Connection or FileId died while the slot was awaited: nothing was sent, all is begun again."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Everything one row's sending leans on, the same for all rows."""

    client: Client
    limiter: Limiter
    ledger: Ledger
    clock: Clock
    agent: Agent
    contract: ContractName
    run: str
    mask: Callable[[str], str]  # takes personal data out of the service's messages
    course: Course
    creates: asyncio.Semaphore  # creates in flight
    doors: Mapping[
        str, asyncio.Semaphore
    ]  # action -> open connections that wait: a server tires of silent ones

    async def send(self, job: Job, data: bytes) -> End:
        """Send a row until it has a verdict, at most SENDS times; ``data`` are its picture's bytes."""
        end, again = End(Status.NOT_SENT), True
        for attempt in range(SENDS):
            if attempt:
                await self._pause(attempt)
            if self.course.stopping or not again:
                break
            if self.contract == "file_id" and not self._file_lives(job):
                refusal = await self._upload(job, data)
                if refusal is not None:
                    return refusal
            async with self.creates:
                end, again = await self._create(job, data)
            if not again:
                break
        return end

    # -- the create

    async def _create(self, job: Job, data: bytes) -> tuple[End, bool]:
        """Send one create and settle it; True when it is proven not executed and may be sent again."""
        trace_id = str(uuid.uuid4())
        await self._after_a_jump()
        try:
            async with self.course.breaker.passage(self._probe) as opened:
                read = await self._exchange(job, data, trace_id, opened)
        except _Stopped:
            return End(Status.NOT_SENT), False
        except _Held:
            return await self._create(job, data)
        except _Stale:
            return await self._again(job, data)
        except NotSent as error:
            return await self._never_left(job, trace_id, error), not self.course.stopping
        self.course.requests[CREATE][read.tally] += 1
        return await self._settled(job, self._weighed(job, read), read.meaning)

    async def _again(self, job: Job, data: bytes) -> tuple[End, bool]:
        """Begin anew after a wait that was too long for connection or FileId; no create was spent on it."""
        job.stale += 1
        if job.stale > STALE:
            verdict = Verdict("not_executed", code=NOT_EXECUTED_BY_US, message="waited too long for a slot")
            return End(Status.NOT_SENT, verdict), False
        if self.contract == "file_id" and not self._file_lives(job):
            refusal = await self._upload(job, data)
            if refusal is not None:
                return refusal, False
        return await self._create(job, data)

    async def _exchange(self, job: Job, data: bytes, trace_id: str, opened: int) -> reading.Reading:
        """Put one create on the wire and read its answer; the attempt is committed before the first byte."""
        body = (
            create_body(self.agent, job.request, picture=data)
            if self.contract == "inline"
            else create_body(self.agent, job.request, file_id=job.file_id)
        )
        measured = self.course.meter.call(CREATE)
        async with AsyncExitStack() as door:
            await door.enter_async_context(self.doors[CREATE])

            async def gate(alive: Callable[[], bool]) -> None:
                await self._slot(CREATE, opened)
                await door.aclose()
                if not alive() or (self.contract == "file_id" and not self._file_lives(job)):
                    raise _Stale
                await self._release(job)
                await self.ledger.open_attempt(self._attempt(job, trace_id))
                job.trace_id, job.sent_at, job.in_doubt = trace_id, self.client.now(), True
                job.sent_steady = self.clock.monotonic()
                job.sends += 1
                await self.limiter.leave(CREATE)
                measured.left(job.sends)

            try:
                reply = await self.client.call(CREATE, body, trace_id=trace_id, gate=gate)
            except NotSent:
                measured.lost()
                self.course.breaker.heard(CREATE, answered=False)
                raise
            except NoAnswer as error:
                measured.lost()
                self.course.breaker.heard(CREATE, answered=False)
                verdict = Verdict("unknown", code="no_answer", message=str(error))
                return reading.Reading(verdict, meaning=None, tally="no_answer")
        measured.answered()
        read = reading.of_create(reply)
        if read.from_service:
            self.client.learn(reply)
        answered = read.verdict.kind == "sealed" or read.meaning not in {None, "unknown"}
        self.course.breaker.heard(CREATE, answered=answered)
        if read.meaning == "clock" and not self._heal(job, reply):
            return replace(read, meaning="credentials")
        return read

    def _weighed(self, job: Job, read: reading.Reading) -> Verdict:
        """Weigh a verdict by what else is known of the person, the row and the run."""
        verdict = read.verdict
        if read.meaning == "exists" and _may_be_ours(job):
            return replace(verdict, kind="exists")
        if read.meaning == "upload_again" and (self.contract == "inline" or job.uploaded_again):
            return replace(verdict, kind="refused")
        if self._inline_is_off(verdict):
            self.course.halt("CONTRACT_INLINE_IGNORED", self.mask(verdict.message or ""), 4)
            return replace(verdict, kind="not_executed")
        return verdict

    async def _release(self, job: Job) -> None:
        """Let an earlier create without a verdict be settled by this one, which is the same to the letter."""
        tried = job.planned.past.unsettled if job.planned.past else None
        if tried is None or job.released:
            return
        decision = Decision(
            "probe", job.request.key, self.clock.now(), "esign-import", self.run, attempt=tried.uuid
        )
        await asyncio.to_thread(self.ledger.decide, decision)
        job.released = True

    def _attempt(self, job: Job, trace_id: str) -> Attempt:
        request = job.request
        return Attempt(
            uuid=trace_id,
            key=request.key,
            run=self.run,
            row_id=request.row_id,
            name=request.name,
            id_masked="*" * (len(request.number) - 4) + request.number[-4:],
            seal_name=request.seal_name,
            contract=self.contract,
            host=self.client.host(CREATE),
            signed_at=self.client.now(),
            content=request.content,
        )

    async def _never_left(self, job: Job, trace_id: str, error: NotSent) -> End:
        """Settle a create whose headers never left; without an attempt in the ledger there is nothing to settle."""
        verdict = Verdict("not_executed", code=NOT_EXECUTED_BY_US, message=str(error))
        if job.trace_id == trace_id:
            job.sends -= 1
            await self.ledger.settle(trace_id, verdict, at=self._heard_at(job))
            job.in_doubt = False
        if error.tls:
            self.course.halt("TLS", str(error), 4)
        self.course.resent("transport")
        return End(Status.NOT_SENT, verdict)

    async def _settled(self, job: Job, verdict: Verdict, meaning: Meaning | None) -> tuple[End, bool]:
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
        reach("create: settled")
        match verdict.kind:
            case "sealed":
                self.course.sealed = True
                return End(Status.SEALED, verdict), False
            case "unknown":
                return End(Status.UNKNOWN, verdict), False
            case "exists":
                return End(Status.EXISTS, verdict), False
            case "refused":
                return End(Status.FAILED, verdict, _name_is_taken(job, meaning)), False
            case "not_executed":
                return self._not_executed(job, verdict, meaning)

    def _heard_at(self, job: Job) -> float:
        """Return the present on the clock that signed the create, whatever was learnt of it since: waits stay true."""
        assert job.sent_at is not None
        return job.sent_at + self.clock.monotonic() - job.sent_steady

    def _inline_is_off(self, verdict: Verdict) -> bool:
        """Tell whether a refusal says that no picture came, in a run where no row got through yet."""
        inline = self.contract == "inline" and not self.course.sealed
        return inline and verdict.kind == "refused" and picture_ignored(verdict.message or "")

    async def _slot(self, action: str, opened: int) -> None:
        if not await self.course.unless_stopped(self.limiter.acquire(action)):
            raise _Stopped
        if self.course.breaker.opened != opened:
            raise _Held

    async def _probe(self) -> bool:
        """Ask something that changes nothing; whatever answers in the service's own form is alive."""

        async def gate(_: Callable[[], bool]) -> None:
            if not await self.course.unless_stopped(self.limiter.acquire(PROBE)):
                raise _Stopped

        try:
            reply = await self.client.call(
                PROBE, probe_body(self.agent), trace_id=str(uuid.uuid4()), gate=gate
            )
        except (_Stopped, NotSent, NoAnswer):
            return False
        tally, alive = reading.of_probe(reply)
        if alive:
            self.client.learn(reply)
        self.course.requests[PROBE][tally] += 1
        return alive

    def _not_executed(self, job: Job, verdict: Verdict, meaning: Meaning | None) -> tuple[End, bool]:
        if meaning == "throttle":
            self._throttled(CREATE, verdict)
        elif meaning == "upload_again":
            job.file_id, job.uploaded_again = None, True
        elif meaning in STOPPING:
            self.course.halt(verdict.code or "", verdict.message or "", 4)
        return End(Status.NOT_SENT, verdict), not self.course.stopping

    # -- the upload

    def _file_lives(self, job: Job) -> bool:
        return job.file_id is not None and job.file_dies - FILE_ID_MARGIN > self.client.now()

    async def _upload(self, job: Job, data: bytes) -> End | None:
        """Upload one picture, again on any doubt; None once the job holds a FileId, else how the row ends."""
        suffix = "png" if job.prepared.format == "PNG" else "jpg"
        body = upload_body(self.agent, f"row{job.index + 1:06d}.{suffix}", data)
        end: End | None = End(Status.NOT_SENT)
        for attempt in range(SENDS):
            if attempt:
                await self._pause(attempt)
            if self.course.stopping:
                break
            end, again = await self._upload_once(job, body, send=attempt + 1)
            if not again:
                break
        return end

    async def _upload_once(self, job: Job, body: bytes, *, send: int) -> tuple[End | None, bool]:
        measured = self.course.meter.call(UPLOAD)
        door = AsyncExitStack()
        opened = 0

        async def gate(alive: Callable[[], bool]) -> None:
            await self._slot(UPLOAD, opened)
            await door.aclose()
            if not alive():
                raise _Stale
            await self.limiter.leave(UPLOAD)
            measured.left(send)

        trace_id = str(uuid.uuid4())
        try:
            async with self.course.breaker.passage(self._probe) as opened, door:
                measured.asks()
                await door.enter_async_context(self.doors[UPLOAD])
                reply = await self.client.call(UPLOAD, body, trace_id=trace_id, gate=gate)
                measured.answered()
                answer = reading.of_upload(reply, now=self.client.now())
                self.course.breaker.heard(UPLOAD, answered=answer.meaning != "unknown")
                if answer.request_id is not None:
                    self.client.learn(reply)
        except _Stopped:
            return End(Status.NOT_SENT), False
        except _Held:
            return await self._upload_once(job, body, send=send)
        except _Stale:
            return End(Status.NOT_SENT), True
        except (NotSent, NoAnswer) as error:
            measured.lost()
            return self._upload_unanswered(error), True
        self.course.requests[UPLOAD][answer.tally] += 1
        if answer.file_id is not None:
            job.file_id, job.file_dies = answer.file_id, answer.dies
            return None, False
        end, again = self._upload_refused(job, reply, answer)
        if end.status is Status.FAILED:
            await self._remember(job, trace_id, end)
        return end, again

    def _upload_unanswered(self, error: NotSent | NoAnswer) -> End:
        code = "no_answer"
        if isinstance(error, NotSent):
            code = NOT_EXECUTED_BY_US
            if error.tls:
                self.course.halt("TLS", str(error), 4)
        else:
            self.course.requests[UPLOAD][code] += 1
        self.course.breaker.heard(UPLOAD, answered=False)
        self.course.resent("transport")
        return End(Status.NOT_SENT, Verdict("not_executed", code=code, message=str(error)))

    async def _remember(self, job: Job, trace_id: str, end: End) -> None:
        """Enter an upload's refusal, so that later nights know how old it is; no create was sent."""
        assert end.verdict is not None
        attempt = replace(
            self._attempt(job, trace_id), contract=REFUSED_UPLOAD, host=self.client.host(UPLOAD)
        )
        await self.ledger.open_attempt(attempt)
        await self.ledger.settle(trace_id, end.verdict, at=self.client.now())

    def _upload_refused(self, job: Job, reply: Reply, answer: reading.Upload) -> tuple[End, bool]:
        message = self.mask(answer.message) if answer.message else None
        refusal = Verdict("refused", None, answer.request_id, answer.code, message, reply.status)
        match answer.meaning:
            case "row" | "exists" | "upload_again":
                return End(Status.FAILED, refusal), False
            case "throttle":
                self._throttled(UPLOAD, refusal)
            case "clock" if self._heal(job, reply):
                pass
            case "unknown" | None:
                self.course.resent("transport")
            case _:
                self.course.halt(refusal.code or "", refusal.message or "", 4)
        return End(Status.NOT_SENT, refusal), True

    # -- what every call teaches

    def _throttled(self, action: str, verdict: Verdict) -> None:
        self.course.throttled += 1
        self.course.meter.throttled()
        self.course.resent("throttle")
        self.limiter.throttled(action, *stated_rate(verdict.message or ""))

    def _heal(self, job: Job, reply: Reply) -> bool:
        """Adopt the service's clock after a refused timestamp, once a row; False when that cannot help."""
        if job.clock_healed or reply.skew is None:
            return False
        job.clock_healed = True
        self.client.set_clock(reply.skew)
        return True

    async def _after_a_jump(self) -> None:
        """Ask something harmless first where the machine's clock has jumped: it was suspended, or somebody set it."""
        if self.course.clock_jumped():
            self.client.set_clock(None)
            await self._probe()

    async def _pause(self, attempt: int) -> None:
        """Wait a random time (full jitter) that doubles with each attempt, or until the run is stopped."""
        most = BACKOFF * 2**attempt
        with self.course.meter.waiting(BACK_OFF):
            await self.course.unless_stopped(self.clock.sleep(random.uniform(0, most)))  # noqa: S311 - jitter, no secret


def _name_is_taken(job: Job, meaning: Meaning | None) -> tuple[Problem, ...]:
    """Return the trouble that marks the seal name's cell when the service says that the name exists."""
    if meaning != "exists":
        return ()
    cell = job.planned.doctor.row.address(Field.SEAL_NAME)
    return (problem("SEAL_NAME_DUPLICATE", Field.SEAL_NAME, cell, found=job.request.seal_name),)


def _may_be_ours(job: Job) -> bool:
    """Tell whether an earlier refusal may hide a seal: a bare FailedOperation proves less than it says."""
    past = job.planned.past
    if past is None:
        return False
    return past.unsettled is not None or any(refusal.suspect for refusal in past.refusals)
