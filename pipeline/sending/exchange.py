"""Sends calls until they are answered: the one loop with its waits, throttle, clock, keys and circuit breaker.

A `Call` knows what it carries, whether it may be sent again on any doubt, and what is journalled of it.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

from pipeline.clock import Clock
from pipeline.domain.masking import Masker
from pipeline.domain.run import Traffic
from pipeline.domain.service_codes import get_create_meaning, parse_stated_limit
from pipeline.esign.client import Client, NoAnswer, NotSent, SignedCall
from pipeline.esign.contracts import build_liveness_check
from pipeline.esign.products import Agent, Product
from pipeline.esign.rate_limiter import Limiter, max_in_rolling_second
from pipeline.esign.reply_faults import describe_reply_fault
from pipeline.esign.responses import NO_ANSWER, NOT_SENT, Reading, Reply, read_answer
from pipeline.messages.catalogue import make_message
from pipeline.sending.call_metrics import BACK_OFF, TimedCall
from pipeline.sending.run_state import RunState

MAX_SENDS = 4  # of one call
BACK_OFF_SECONDS = 0.5  # full jitter up to 1, 2, 4 seconds before the sends that follow
MAX_EXPIRED_WAITS = (
    5  # waits of one call for its slot that may outlast its connection, its signature or its FileId
)


class RunStopped(Exception):
    """The run was stopped before the slot came: nothing was sent."""


class BreakerOpened(Exception):
    """The circuit breaker opened while the slot was awaited: nothing was sent, the call waits for the service."""


class WaitExpired(Exception):
    """Connection, signature or FileId expired while the slot was awaited: nothing was sent."""


class Body(NamedTuple):
    """The body of a call, and its digest where it is known."""

    data: bytes
    sha256: str | None = None


class Call(ABC):
    """A call that is sent until it is answered; one that changes nothing keeps the defaults.

    A send has this order: `prepare`, connection slot, signature, connection, `open_attempt`, slot of the rate limiter, bytes,
    `read`, `record_answer`. What takes time is done before the slot.
    """

    is_repeatable = True  # on any doubt; else only where it is proven that it was not executed

    def __init__(
        self,
        action: str,
        *,
        in_flight: AbstractAsyncContextManager[object] | None = None,
        halt_detail: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.action = action
        self.in_flight = in_flight or nullcontext()  # limits how many such calls are under way
        self.halt_detail = halt_detail  # explains an answer that stops the run
        self.sends = 0  # that may have left
        self.has_adopted_clock = False

    async def prepare(self) -> bool:
        """Do what each send needs first; False where nothing is sent any more."""
        return True

    @abstractmethod
    def build_body(self) -> Body:
        """Return the body to send."""

    async def open_attempt(self, trace_id: str, signed: SignedCall) -> None:  # noqa: B027 - optional
        """Make durable that the signed call is about to leave."""

    def may_leave(self) -> bool:
        """Return whether the body may be sent, now that the slot has come."""
        return True

    async def close_unsent(self, message: str) -> None:  # noqa: B027 - optional
        """Make durable that no byte has left, and why, where an attempt was opened."""

    @abstractmethod
    def read(self, reply: Reply) -> Reading:
        """Return what the reply proves."""

    async def record_answer(self, reading: Reading) -> Reading:
        """Make durable what came of a call that may have left; return what it proves beside what else is known."""
        return reading


@dataclass(frozen=True, slots=True)
class Exchange:
    """The way to the service, the same for all calls of a run."""

    client: Client
    limiter: Limiter
    clock: Clock
    agent: Agent
    masker: Masker
    run_state: RunState
    # open connections that may wait for the limiter, by action
    connection_slots: Mapping[str, asyncio.Semaphore]

    @property
    def product(self) -> Product:
        return self.client.product

    async def send_until_answered(self, call: Call) -> Reading | None:
        """Send a call until its answer ends it, at most MAX_SENDS times; return the last reading.

        None: the run was stopped before the next send, or the call had nothing to send any more.
        """
        tries = expired_waits = 0
        while await call.prepare():
            try:
                async with call.in_flight:
                    reading = await self._send(call)
            except RunStopped:
                return None
            except BreakerOpened:
                continue
            except WaitExpired:
                expired_waits += 1
                if expired_waits > MAX_EXPIRED_WAITS:
                    return Reading(NOT_SENT, "unknown", make_message("wire.no_slot"))
                continue
            tries += 1
            if not self._may_repeat(call, reading) or tries == MAX_SENDS or not await self.back_off(tries):
                return reading
        return None

    async def back_off(self, resends: int) -> bool:
        """Wait a random time (full jitter) that doubles with each resend; False where the run is stopped."""
        if not self.run_state.is_stopping:
            longest = BACK_OFF_SECONDS * 2**resends
            with self.run_state.metrics.measure_wait(BACK_OFF):
                await self.run_state.wait_unless_stopped(self.clock.sleep(random.uniform(0, longest)))  # noqa: S311 - jitter, no secret
        return not self.run_state.is_stopping

    async def _send(self, call: Call) -> Reading:
        """Send a call once. Raises RunStopped, BreakerOpened or WaitExpired where it did not leave."""
        await self._check_clock()
        async with self.run_state.breaker.permit(self.check_liveness) as open_count:
            reading = await self._exchange(call, open_count)
        if not reading.was_sent:
            return reading
        self.run_state.requests[call.action][reading.counted_as] += 1
        return await call.record_answer(reading)

    async def _exchange(self, call: Call, open_count: int) -> Reading:
        """Put a call on the wire and read what comes back."""
        trace_id, timed = str(uuid.uuid4()), self.run_state.metrics.start_call(call.action)
        try:
            reply = await self._put_on_wire(call, trace_id, timed, open_count)
        except NoAnswer as error:
            self._record_silence(timed, error)
            return Reading(NO_ANSWER, "unknown", str(error))
        except NotSent as error:
            self._record_silence(timed, error)
            if timed.departed_at is not None:
                call.sends -= 1
            await call.close_unsent(str(error))
            return Reading(NOT_SENT, "unknown", str(error))
        except BaseException as reason:
            if timed.departed_at is None:
                is_late = isinstance(reason, WaitExpired)
                await call.close_unsent(make_message("wire.no_slot" if is_late else "wire.cancelled"))
            raise
        self.run_state.metrics.record_answer(timed)
        self._note_deprecation(call.action, reply)
        reading = call.read(reply)
        self._record_reply(call.action, reply, reading)
        if reading.meaning == "clock" and not self._adopt_clock(call, reply):
            return replace(reading, meaning="credentials")
        return reading

    async def _put_on_wire(self, call: Call, trace_id: str, timed: TimedCall, open_count: int) -> Reply:
        body = call.build_body()
        async with AsyncExitStack() as connection_slot:
            await connection_slot.enter_async_context(self.connection_slots[call.action])
            self._require_running(open_count)

            async def before_send(signed: SignedCall) -> None:
                self._require_running(open_count)
                await call.open_attempt(trace_id, signed)
                await self._leave_at_slot(call.action, open_count)
                await connection_slot.aclose()
                if not (signed.may_leave() and call.may_leave()):
                    raise WaitExpired
                call.sends += 1
                self.run_state.metrics.record_departure(timed, call.sends)

            return await self.client.call(
                call.action, body.data, trace_id=trace_id, before_send=before_send, body_sha256=body.sha256
            )

    def _may_repeat(self, call: Call, reading: Reading) -> bool:
        """Act on what came of a send; return whether the call may be sent again."""
        match reading.meaning:
            case None | "row" | "exists":
                return False
            case "unknown" if reading.was_sent and not call.is_repeatable:
                return False
            case "unknown":
                self.run_state.record_resend("transport")
                return True
            case "throttle":
                self.run_state.outages.throttled += 1
                self.run_state.record_resend("throttle")
                self.limiter.record_throttle(call.action, parse_stated_limit(reading.message or ""))
                return True
            case (
                "clock" | "upload_again"
            ):  # the clock was adopted; the picture is uploaded before the next send
                return True
            case "credentials" | "permission" | "account" | "quota" | "contract":
                self.run_state.halt(reading.code or "", reading.message or "", 4, call.halt_detail)
                return False

    async def _check_clock(self) -> None:
        """Ask the service for its time first where the machine's clock has jumped: it was suspended, or its clock was set."""
        if self.run_state.detect_clock_jump():
            self.client.reset_clock_offset(None)
            await self.check_liveness()

    def _adopt_clock(self, call: Call, reply: Reply) -> bool:
        """Adopt the service's clock after a refused timestamp, once a call; return False where that cannot help."""
        if call.has_adopted_clock or reply.skew is None:
            return False
        call.has_adopted_clock = True
        self.client.reset_clock_offset(reply)
        return True

    async def check_liveness(self) -> bool:
        """Make a call that changes nothing; return whether anything in the service's own form came back."""
        action = self.product.organization_seals

        async def before_send(_: SignedCall) -> None:
            await self._leave_at_slot(action)

        try:
            reply = await self.client.call(action, build_liveness_check(self.agent), before_send=before_send)
        except RunStopped:
            return False
        except (NotSent, NoAnswer) as error:
            self.run_state.outages.record_failure(self.client.host_at_fault(action, error), str(error))
            return False
        self._note_deprecation(action, reply)
        answer = read_answer(reply, get_create_meaning, self.masker)
        reading = answer if isinstance(answer, Reading) else Reading()
        if reading.is_usable:
            self.client.update_clock_offset(reply)
        else:
            cause = describe_reply_fault(reply) if reply.answer is None else reading.counted_as
            self.run_state.outages.record_failure(self.client.host_of(action), cause)
        self.run_state.requests[action][reading.counted_as] += 1
        return reading.is_usable

    def summarize_traffic(self, action: str, begun: float, limit: float) -> Traffic:
        """Sum up the calls since ``begun`` (monotonic seconds); the used share of the limit is that of one action."""
        # a limiter may have served another run before
        departures = tuple(moment for moment in self.limiter.list_departures(action) if moment >= begun)
        duration = departures[-1] - departures[0] if departures else 0.0
        return Traffic(
            requests={name: dict(calls) for name, calls in self.run_state.requests.items()},
            limit=limit,
            used_share=round((len(departures) - 1) / duration / limit, 4) if duration else 0.0,
            throttled=self.run_state.outages.throttled,
            max_in_second=max_in_rolling_second(departures),
            timing=self.run_state.metrics.summarize(),
        )

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

    def _record_silence(self, timed: TimedCall, error: NotSent | NoAnswer) -> None:
        """Count a call without an answer; stop the run where the connection is not safe."""
        self.run_state.metrics.record_loss(timed)
        host = self.client.host_at_fault(timed.action, error)
        self.run_state.record_result(timed.action, answered=False, host=host, cause=str(error))
        if isinstance(error, NotSent) and error.is_of_tls:
            self.run_state.halt("TLS", str(error), 4, {"host": host})

    def _record_reply(self, action: str, reply: Reply, reading: Reading) -> None:
        """Count a reply for the circuit breaker; take the Date of one that is surely the service's."""
        if reply.is_from_service:
            self.client.update_clock_offset(reply)
        cause = describe_reply_fault(reply) if reply.answer is None else reading.counted_as
        host = self.client.host_of(action)
        self.run_state.record_result(action, answered=reading.is_usable, host=host, cause=cause)

    def _note_deprecation(self, action: str, reply: Reply) -> None:
        """Keep an answer's warning that its interface will end."""
        if reply.content is not None and reply.content.deprecation:
            self.run_state.deprecated.setdefault(action, self.masker.mask_answer(reply.content.deprecation))
