"""What every call over the wire leans on: slot, breaker, clock and pause; and what each of them teaches."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.clock import Clock
from pipeline.domain.seals import Verdict
from pipeline.esign.client import Client, NoAnswer, NotSent
from pipeline.esign.contracts.base import CREATE, PROBE, Agent, Contract, build_probe
from pipeline.esign.error_codes import stated_rate
from pipeline.esign.rate_limiter import Limiter
from pipeline.esign.responses import Reply, parse_answer, read_probe
from pipeline.esign.signing import REPLAY_WINDOW_SECONDS
from pipeline.ledger.protocol import Attempt, Ledger
from pipeline.sending.call_metrics import BACK_OFF
from pipeline.sending.run_state import Job, RunState

SENDS = 4  # of one row's upload, and of its create
BACKOFF = 0.5  # seconds: full jitter up to 1, 2, 4 of the sends that follow
NOT_EXECUTED_BY_US = "not_sent"  # code of an attempt whose headers never left


class Stopped(Exception):
    """The run was stopped before the slot came: nothing was sent."""


class BreakerOpened(Exception):
    """The breaker opened while the slot was awaited: nothing was sent, the row waits with the others."""


class ConnectionExpired(Exception):
    """Connection or FileId died while the slot was awaited: nothing was sent, all is begun again."""


@dataclass(frozen=True, slots=True)
class CallContext:
    """The way to the service, the same for all rows of a run."""

    client: Client
    limiter: Limiter
    ledger: Ledger
    clock: Clock
    agent: Agent
    contract: Contract
    run: str
    mask: Callable[[str], str]  # takes personal data out of the service's messages
    course: RunState
    doors: Mapping[
        str, asyncio.Semaphore
    ]  # action -> open connections that wait: a server tires of silent ones

    async def _slot(self, action: str, opened: int) -> None:
        if not await self.course.unless_stopped(self.limiter.acquire(action)):
            raise Stopped
        if self.course.breaker.opened != opened:
            raise BreakerOpened

    async def _probe(self) -> bool:
        """Ask something that changes nothing; whatever answers in the service's own form is alive."""

        async def gate(_: Callable[[], bool]) -> None:
            if not await self.course.unless_stopped(self.limiter.acquire(PROBE)):
                raise Stopped

        try:
            reply = await self.client.call(
                PROBE, build_probe(self.agent), trace_id=str(uuid.uuid4()), gate=gate
            )
        except Stopped:
            return False
        except (NotSent, NoAnswer) as error:
            self.course.note_failed_probe(self.client.host_at_fault(PROBE, error), str(error))
            return False
        self._note_deprecation(PROBE, reply)
        counted_as, alive = read_probe(reply)
        if alive:
            self.client.learn(reply)
        else:
            self.course.note_failed_probe(self.client.host(PROBE), counted_as)
        self.course.requests[PROBE][counted_as] += 1
        return alive

    def _unanswered(self, action: str, error: NotSent | NoAnswer) -> None:
        """Count a call that got no answer, and keep which host gave none and why."""
        host = self.client.host_at_fault(action, error)
        self.course.heard(action, answered=False, host=host, cause=str(error))

    def _note_deprecation(self, action: str, reply: Reply) -> None:
        """Keep what an answer says of the end of its interface."""
        if b"DeprecatedWarning" not in reply.body or action in self.course.deprecated:
            return
        answer = parse_answer(reply.body)
        if answer is not None and answer.deprecation:
            self.course.deprecated[action] = self.mask(answer.deprecation)

    def _attempt(self, job: Job, trace_id: str) -> Attempt:
        request, signed_at = job.request, self.client.now()
        return Attempt(
            uuid=trace_id,
            key=request.key,
            run=self.run,
            row_id=request.row_id,
            name=request.name,
            id_masked="*" * (len(request.number) - 4) + request.number[-4:],
            seal_name=request.seal_name,
            contract=self.contract.name,
            host=self.client.host(CREATE),
            signed_at=signed_at,
            content=request.content,
            staff_no=request.staff_no,
            dead_at=max(signed_at, self.clock.now())
            + REPLAY_WINDOW_SECONDS,  # whichever of the two clocks is fast
        )

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
