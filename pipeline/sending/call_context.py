"""A row while it is sent, and what uploads and creates have in common: connection slot, rate limiter, circuit breaker, clock and back-off."""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Protocol

from pipeline.clock import Clock
from pipeline.domain.masking import Masker
from pipeline.domain.roster import PreparedImage, Problem
from pipeline.domain.run import RowPlan, Status
from pipeline.domain.seals import Attempt, SealRequest, Verdict
from pipeline.domain.service_codes import parse_stated_limit
from pipeline.domain.site_key import SiteKey
from pipeline.esign.client import Client, NoAnswer, NotSent, SignedCall
from pipeline.esign.contracts import Contract, build_liveness_check
from pipeline.esign.products import Agent, Product
from pipeline.esign.rate_limiter import Limiter
from pipeline.esign.reply_faults import describe_reply_fault
from pipeline.esign.responses import Reply, read_liveness
from pipeline.esign.signing import REPLAY_WINDOW_SECONDS
from pipeline.ledger.ledger import Ledger
from pipeline.sending.call_metrics import BACK_OFF
from pipeline.sending.run_state import RunState

LOG = logging.getLogger(__name__)
MAX_SENDS = 4  # of one row's upload, and of its create
BACK_OFF_SECONDS = 0.5  # full jitter up to 1, 2, 4 seconds before the sends that follow
NOT_EXECUTED_BY_US = "not_sent"  # code of an attempt whose headers never left

ConnectionSlots = Mapping[str, asyncio.Semaphore]  # by action


class RunStopped(Exception):
    """The run was stopped before the slot came: nothing was sent."""


class BreakerOpened(Exception):
    """The circuit breaker opened while the slot was awaited: nothing was sent, the row waits for the service."""


class ConnectionExpired(Exception):
    """Connection, signature or FileId expired while the slot was awaited: nothing was sent."""


@dataclass(slots=True)
class Job:
    """One row while it is sent."""

    row_plan: RowPlan
    request: SealRequest
    prepared: PreparedImage
    file_id: str | None = None
    file_expires_at: float = 0.0  # unix seconds, the service's
    has_adopted_clock: bool = False
    was_uploaded_again: bool = False
    trace_id: str | None = None
    signed_at: float | None = None  # unix seconds, the service's
    signed_monotonic: float = 0.0  # the same moment on the monotonic clock
    expired_waits: int = 0  # waits for a slot that outlasted a connection, a signature or a FileId
    sends: int = 0  # creates that may have left
    in_doubt: bool = False  # a create was recorded, and its verdict is not yet durable
    verdict: Verdict | None = None  # the last create's, also when it could not be recorded

    @property
    def image_owner(self) -> tuple[str, str]:
        """Person and picture: a FileId belongs to both."""
        return self.request.key, self.prepared.sha256


class Tries(Protocol):
    """What was tried once for a call that is sent again: a `Job`, or what other calls keep."""

    has_adopted_clock: bool


@dataclass(frozen=True, slots=True)
class SendResult:
    """How a row's sending ended."""

    status: Status
    verdict: Verdict | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class CallContext:
    """The way to the service, the same for all rows of a run."""

    client: Client
    limiter: Limiter
    ledger: Ledger
    site_key: SiteKey
    clock: Clock
    agent: Agent
    contract: Contract
    run: str
    masker: Masker
    run_state: RunState
    connection_slots: ConnectionSlots

    @property
    def product(self) -> Product:
        return self.contract.product

    async def send_call(
        self,
        action: str,
        body: bytes,
        *,
        trace_id: str,
        open_count: int,
        send_number: int,
        before_slot: Callable[[SignedCall], Awaitable[None]] | None = None,
        before_departure: Callable[[], None] | None = None,
        body_sha256: str | None = None,
    ) -> Reply:
        """Send one call and return its reply; ``body_sha256`` is that of the body where it is known.

        The order is: connection slot, signature, connection, ``before_slot``, slot of the rate limiter,
        ``before_departure``, bytes: what takes time is done before the slot.
        ``open_count`` is that of the circuit breaker's permit, ``send_number`` counts the row's sends of this action.
        Raises RunStopped, BreakerOpened or ConnectionExpired where nothing was sent, else NotSent or NoAnswer.
        """
        metrics = self.run_state.metrics
        timed = metrics.start_call(action)
        async with AsyncExitStack() as connection_slot:
            await connection_slot.enter_async_context(self.connection_slots[action])
            self._require_running(open_count)

            async def before_send(call: SignedCall) -> None:
                self._require_running(open_count)
                if before_slot is not None:
                    await before_slot(call)
                await self._leave_at_slot(action, open_count)
                await connection_slot.aclose()
                if not call.may_leave():
                    raise ConnectionExpired
                if before_departure is not None:
                    before_departure()
                metrics.record_departure(timed, send_number)

            try:
                reply = await self.client.call(
                    action, body, trace_id=trace_id, before_send=before_send, body_sha256=body_sha256
                )
            except (NotSent, NoAnswer) as error:
                metrics.record_loss(timed)
                host = self.client.host_at_fault(action, error)
                self.run_state.record_result(action, answered=False, host=host, cause=str(error))
                raise
        metrics.record_answer(timed)
        self._note_deprecation(action, reply)
        return reply

    def record_reply(self, action: str, reply: Reply, *, is_usable: bool, code: str) -> None:
        """Count a reply for the circuit breaker; take the Date of one that is surely the service's."""
        if reply.is_from_service:
            self.client.update_clock_offset(reply)
        cause = describe_reply_fault(reply) if reply.answer is None else code
        self.run_state.record_result(
            action, answered=is_usable, host=self.client.host_of(action), cause=cause
        )

    async def check_liveness(self) -> bool:
        """Make a call that changes nothing; return whether anything in the service's own form came back."""
        action = self.product.organization_seals

        async def before_send(_: SignedCall) -> None:
            await self._leave_at_slot(action)

        try:
            reply = await self.client.call(
                action,
                build_liveness_check(self.agent),
                trace_id=str(uuid.uuid4()),
                before_send=before_send,
            )
        except RunStopped:
            return False
        except (NotSent, NoAnswer) as error:
            self.run_state.outages.record_failure(self.client.host_at_fault(action, error), str(error))
            return False
        self._note_deprecation(action, reply)
        code, is_alive = read_liveness(reply)
        if is_alive:
            self.client.update_clock_offset(reply)
        else:
            cause = describe_reply_fault(reply) if reply.answer is None else code
            self.run_state.outages.record_failure(self.client.host_of(action), cause)
        self.run_state.requests[action][code] += 1
        return is_alive

    def build_attempt(self, job: Job, trace_id: str, signed_at: float) -> Attempt:
        """Return the ledger's entry of a create that was signed at this moment and is about to be sent."""
        request = job.request
        return Attempt(
            uuid=trace_id,
            key=request.key,
            run=self.run,
            row_id=request.row_id,
            seal_name=request.seal_name,
            contract=self.contract.name,
            host=self.client.host_of(self.product.create),
            signed_at=signed_at,
            content=request.content,
            # the later of the two clocks decides
            dead_at=max(signed_at, self.clock.now()) + REPLAY_WINDOW_SECONDS,
        )

    def record_unanswered(self, action: str, error: NotSent | NoAnswer) -> None:
        """Count a call without an answer that is sent again; stop the run where the connection is not safe."""
        if isinstance(error, NotSent) and error.is_of_tls:
            host = self.client.host_at_fault(action, error)
            self.run_state.halt("TLS", str(error), 4, {"host": host})
        self.run_state.record_resend("transport")

    def record_throttle(self, action: str, verdict: Verdict) -> None:
        """Slow down after a call that was refused for its rate."""
        self.run_state.outages.throttled += 1
        self.run_state.record_resend("throttle")
        self.limiter.record_throttle(action, parse_stated_limit(verdict.message or ""))

    def adopt_server_clock(self, job: Tries, reply: Reply) -> bool:
        """Adopt the service's clock after a refused timestamp, once a row; return False when that cannot help."""
        if job.has_adopted_clock or reply.skew is None:
            return False
        job.has_adopted_clock = True
        self.client.reset_clock_offset(reply)
        return True

    async def recheck_clock_if_jumped(self) -> None:
        """Probe first where the machine's clock has jumped: it was suspended, or its clock was set."""
        if self.run_state.detect_clock_jump():
            self.client.reset_clock_offset(None)
            await self.check_liveness()

    async def back_off(self, resends: int) -> bool:
        """Wait a random time (full jitter) that doubles with each resend; False where the run is stopped."""
        if resends:
            longest = BACK_OFF_SECONDS * 2**resends
            with self.run_state.metrics.measure_wait(BACK_OFF):
                await self.run_state.wait_unless_stopped(self.clock.sleep(random.uniform(0, longest)))  # noqa: S311 - jitter, no secret
        return not self.run_state.is_stopping

    def _require_running(self, open_count: int) -> None:
        """Raise RunStopped or BreakerOpened where the call must not go on."""
        if self.run_state.is_stopping:
            raise RunStopped
        if self.run_state.breaker.open_count != open_count:
            raise BreakerOpened

    async def _leave_at_slot(self, action: str, open_count: int | None = None) -> None:
        """Return at the moment a call leaves. Raises RunStopped, and BreakerOpened where ``open_count`` is another."""
        has_left = False
        while not has_left:
            waiting = asyncio.ensure_future(self.limiter.acquire(action))
            if not await self.run_state.wait_unless_stopped(waiting):
                raise RunStopped
            if open_count is not None:
                self._require_running(open_count)
            has_left = self.limiter.record_departure(action, waiting.result())

    def _note_deprecation(self, action: str, reply: Reply) -> None:
        """Keep an answer's warning that its interface will end."""
        if reply.content is not None and reply.content.deprecation:
            self.run_state.deprecated.setdefault(action, self.masker.mask_answer(reply.content.deprecation))


def make_connection_slots(actions: Sequence[str], size: int) -> ConnectionSlots:
    """Return the slots of ``size`` open connections of each action that may wait for the limiter."""
    return {action: asyncio.Semaphore(size) for action in actions}
