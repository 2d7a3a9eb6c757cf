"""The way to the service for calls about doctors' auto-sign: the quota, circuit breaker and retries of a run."""

from __future__ import annotations

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from math import ceil
from types import FrameType
from typing import Protocol, TypeVar

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.masking import Masker
from pipeline.domain.run import Halt, Status, Traffic
from pipeline.domain.seals import Verdict
from pipeline.esign.auto_sign_calls import NOT_SENT, CallReading
from pipeline.esign.client import NoAnswer, NotSent
from pipeline.esign.products import Agent, Product
from pipeline.esign.rate_limiter import Limiter, max_in_rolling_second
from pipeline.esign.responses import Reply
from pipeline.esign.signing import CredentialsFinder
from pipeline.ledger.ledger import Ledger
from pipeline.messages.catalogue import make_message
from pipeline.planning.guards import RunGuards
from pipeline.sending.call_context import (
    MAX_SENDS,
    BreakerOpened,
    CallContext,
    ConnectionExpired,
    RunStopped,
    make_connection_slots,
)
from pipeline.sending.circuit_breaker import OutageMonitor
from pipeline.sending.create import MAX_EXPIRED_WAITS
from pipeline.sending.run_state import RunState, StopSignal
from pipeline.workflow.stage_settings import (
    build_agent,
    build_client,
    describe_keys,
    get_contract,
    get_product,
)

LONGEST_ANSWER = 2.0  # seconds for which calls are in flight at the full pace
MAX_WORKERS = 200
Item = TypeVar("Item")


class CallObserver(Protocol):
    """Is shown how far the calls have got."""

    def begin(self, total: int) -> None:
        """Start with so many calls; called in the event loop."""

    def advance(self) -> None:
        """Take note of a call whose end is in the ledger."""

    def note_stopping(self) -> None:
        """Take note of a signal that stops the calls."""


class ReadGuards(RunGuards):
    """The guards of calls that make no seal: the circuit breaker alone bounds how often they are repeated."""

    def count_resend(self, reason: str) -> Halt | None:
        """Count nothing."""
        del reason
        return None


@dataclass(slots=True)
class Tries:
    """What was tried for a call that is sent again, once each."""

    has_adopted_clock: bool = False


@dataclass(frozen=True, slots=True)
class AutoSignCalls:
    """Sends calls about people as a run sends its own."""

    context: CallContext
    granted_per_second: float  # calls of each action

    @property
    def agent(self) -> Agent:
        """Who acts."""
        return self.context.agent

    @property
    def halt(self) -> Halt | None:
        """Why the calls were stopped, if they were."""
        return self.context.run_state.halted

    @property
    def is_stopping(self) -> bool:
        """Whether nothing new may start."""
        return self.context.run_state.is_stopping

    @property
    def has_no_answer(self) -> bool:
        """Whether no call has proven yet that keys and rights are in order."""
        return not self.context.run_state.has_sealed

    def count_answer(self, reading: CallReading) -> None:
        """Count the end of a person's call: as a run stops at twenty equal refusals, these calls do."""
        state = self.context.run_state
        if reading.is_done or reading.meaning == "row":
            state.has_sealed = True  # the service answers about people
        if reading.is_done:
            state.record_row_end(Status.SEALED, None)
        elif reading.meaning == "row":
            state.record_row_end(Status.FAILED, reading.code)

    async def send_repeatable(
        self, action: str, body: bytes, read: Callable[[Reply], CallReading]
    ) -> CallReading | None:
        """Send a call, again on any doubt; return its last reading, None where the calls were stopped."""
        reading: CallReading | None = None
        tries = Tries()
        for send_index in range(MAX_SENDS):
            if not await self.context.back_off(send_index):
                return None
            try:
                reading, reply = await self._send_once(action, body, read, send_index + 1)
            except RunStopped:
                return None
            except (NotSent, NoAnswer) as error:
                reading = self._record_unanswered(action, error)
                continue
            if not self._may_repeat(action, reading, reply, tries):
                return reading
        return None if self.context.run_state.is_stopping else reading

    async def _send_once(
        self, action: str, body: bytes, read: Callable[[Reply], CallReading], send_number: int
    ) -> tuple[CallReading, Reply]:
        """Put one call on the wire and read its answer. Raises RunStopped where nothing was sent, else NotSent or NoAnswer."""
        context = self.context
        await context.recheck_clock_if_jumped()
        expired_waits = 0
        while True:
            try:
                async with context.run_state.breaker.permit(context.check_liveness) as open_count:
                    reply = await context.send_call(
                        action,
                        body,
                        trace_id=str(uuid.uuid4()),
                        open_count=open_count,
                        send_number=send_number,
                    )
                    reading = read(reply)
                    context.record_reply(action, reply, is_usable=reading.is_usable, code=reading.counted_as)
            except BreakerOpened:
                continue
            except ConnectionExpired:
                expired_waits += 1
                if expired_waits > MAX_EXPIRED_WAITS:
                    raise NotSent(make_message("wire.no_slot")) from None
                continue
            context.run_state.requests[action][reading.counted_as] += 1
            return reading, reply

    def _may_repeat(self, action: str, reading: CallReading, reply: Reply, tries: Tries) -> bool:
        """Act on an answer; return whether it is proven not executed, or proves nothing, and the call may be sent again.

        An answer that every other call would get as well stops the calls.
        """
        context = self.context
        refusal = Verdict("not_executed", code=reading.code, message=reading.message)
        match reading.meaning:
            case None | "row":
                return False
            case "throttle":
                context.record_throttle(action, refusal)
            case "clock" if context.adopt_server_clock(tries, reply):
                pass
            case "unknown":
                context.run_state.record_resend("transport")
            case _:
                self._halt(action, reading)
        return True

    def _halt(self, action: str, reading: CallReading) -> None:
        detail = {"action": action}
        self.context.run_state.halt(reading.code or "", reading.message or "", 4, detail)

    def _record_unanswered(self, action: str, error: NotSent | NoAnswer) -> CallReading:
        code = NOT_SENT if isinstance(error, NotSent) else "no_answer"
        if isinstance(error, NoAnswer):
            self.context.run_state.requests[action][code] += 1
        self.context.record_unanswered(action, error)
        return CallReading(code, "unknown", str(error))

    def summarize_traffic(self, action: str, begun: float) -> Traffic:
        """Sum up the calls since ``begun`` (monotonic seconds); the used share is that of one action."""
        state, granted = self.context.run_state, self.granted_per_second
        all_departures = self.context.limiter.list_departures(action)
        departures = tuple(moment for moment in all_departures if moment >= begun)
        duration = departures[-1] - departures[0] if departures else 0.0
        return Traffic(
            requests={name: dict(calls) for name, calls in state.requests.items()},
            limit=granted,
            used_share=round((len(departures) - 1) / duration / granted, 4) if duration else 0.0,
            throttled=state.outages.throttled,
            max_in_second=max_in_rolling_second(departures),
            timing=state.metrics.summarize(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResources:
    """What calls about people work with."""

    config: Config
    clock: Clock
    ledger: Ledger
    credentials: CredentialsFinder
    limiter: Limiter
    stop: StopSignal
    masker: Masker
    run: str
    outages: OutageMonitor  # shows meanwhile whether the service answers

    @property
    def product(self) -> Product:
        return get_product(self.config)

    @property
    def workers(self) -> int:
        """How many calls are in flight at most: as many as the pace needs with slow answers."""
        limits = self.config.limits
        needed = ceil(limits.requests_per_second * LONGEST_ANSWER)
        return min(max(limits.concurrency, needed), MAX_WORKERS)


@asynccontextmanager
async def open_calls(resources: CallResources, actions: Sequence[str]) -> AsyncIterator[AutoSignCalls]:
    """Yield the way to the service for these actions. Raises CredentialsMissing."""
    config, clock, credentials = resources.config, resources.clock, resources.credentials.find()
    await credentials.get_current()  # a role without keys is found before the first call
    run_state = RunState(
        resources.stop.event,
        clock,
        resources.outages,
        ReadGuards(),
        describe_keys(config, credentials),
    )
    limit = config.limits.requests_per_second
    # open connections that may wait for a slot
    waiting = ceil(min(limit * resources.limiter.waiting_seconds, resources.workers))
    async with build_client(config, credentials, clock) as client:
        context = CallContext(
            client=client,
            limiter=resources.limiter,
            ledger=resources.ledger,
            site_key=resources.ledger.site_key,
            clock=clock,
            agent=build_agent(config),
            contract=get_contract(config),
            run=resources.run,
            masker=resources.masker,
            run_state=run_state,
            connection_slots=make_connection_slots(actions, waiting),
        )
        yield AutoSignCalls(context, limit)


async def send_to_all(
    resources: CallResources,
    actions: Sequence[str],
    items: Sequence[Item],
    send: Callable[[AutoSignCalls, Item], Awaitable[None]],
    observer: CallObserver,
) -> tuple[Halt | None, Traffic]:
    """Send one call alone first, so that a wrong key costs one call; then the others, as many at once as the pace needs.

    Return why the calls were stopped, None where they were not, and their traffic, whose used share is of the first action.
    """
    begun, waiting = resources.clock.monotonic(), iter(items)

    async def send_each(calls: AutoSignCalls) -> None:
        while not calls.is_stopping and (item := next(waiting, None)) is not None:
            await send(calls, item)

    observer.begin(len(items))
    with stop_on_signals(resources.stop, observer.note_stopping):
        async with open_calls(resources, actions) as calls:
            while not calls.is_stopping and calls.has_no_answer:
                item = next(waiting, None)
                if item is None:
                    break
                await send(calls, item)
            async with asyncio.TaskGroup() as tasks:
                for _ in range(min(resources.workers, len(items))):
                    tasks.create_task(send_each(calls))
            if resources.stop.signal is not None:
                calls.context.run_state.halt_for_outage()
            return calls.halt, calls.summarize_traffic(actions[0], begun)


@contextmanager
def stop_on_signals(stop: StopSignal, report: Callable[[], None]) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM drain the calls of the running event loop, and the second end the program at once.

    ``report`` is called at the first.
    """
    loop = asyncio.get_running_loop()

    def handle(number: int, _: FrameType | None) -> None:
        if stop.signal is not None:
            raise KeyboardInterrupt
        stop.signal = number
        loop.call_soon_threadsafe(stop.event.set)
        report()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
