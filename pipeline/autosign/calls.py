"""The way to the service for calls about doctors' auto-sign: the quota, circuit breaker and retries of a run."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, inf
from types import FrameType
from typing import Protocol, TypeVar

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.masking import Masker
from pipeline.domain.run import Halt, Status, Traffic
from pipeline.esign.products import Product
from pipeline.esign.rate_limiter import Limiter
from pipeline.esign.responses import Reading, Reply
from pipeline.esign.signing import CredentialsFinder
from pipeline.ledger.ledger import Ledger
from pipeline.planning.guards import RunGuards
from pipeline.sending.circuit_breaker import OutageMonitor
from pipeline.sending.exchange import Body, Call, Exchange
from pipeline.sending.run_state import RunState, StopSignal
from pipeline.sending.submit import send_each
from pipeline.workflow.send_rows import open_exchange
from pipeline.workflow.stage_settings import describe_keys, get_product

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


class PersonCall(Call):
    """A call about a person, which changes nothing."""

    def __init__(self, action: str, body: bytes, read: Callable[[Reply], Reading]) -> None:
        super().__init__(action, halt_detail={"action": action})
        self._body, self._read = Body(body), read

    def build_body(self) -> Body:
        return self._body

    def read(self, reply: Reply) -> Reading:
        return self._read(reply)


async def send_person_call(exchange: Exchange, call: PersonCall) -> Reading | None:
    """Send a call, again on any doubt; return its last reading, None where the calls were stopped.

    As a run stops at twenty equal refusals, these calls do.
    """
    reading, state = await exchange.send_until_answered(call), exchange.run_state
    if reading is None:
        return None
    if reading.is_done or reading.meaning == "row":
        state.has_sealed = True  # the service answers about people
        state.record_row_end(Status.SEALED if reading.is_done else Status.FAILED, reading.code)
    elif state.is_stopping:
        return None
    return reading


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


async def send_to_all(
    resources: CallResources,
    actions: Sequence[str],
    items: Sequence[Item],
    send: Callable[[Exchange, Item], Awaitable[None]],
    observer: CallObserver,
) -> tuple[Halt | None, Traffic]:
    """Send one call alone first, so that a wrong key costs one call; then the others, as many at once as the pace needs.

    Return why the calls were stopped, None where they were not, and their traffic, whose used share is of the first action.
    Raises CredentialsMissing.
    """
    config, clock, begun = resources.config, resources.clock, resources.clock.monotonic()
    observer.begin(len(items))
    with stop_on_signals(resources.stop, observer.note_stopping):
        credentials = resources.credentials.find()
        await credentials.get_current()  # a role without keys is found before the first call
        run_state = RunState(
            resources.stop.event,
            clock,
            resources.outages,
            RunGuards(resend_budget=inf),  # the circuit breaker alone bounds how often they are repeated
            describe_keys(config, credentials),
        )
        async with open_exchange(
            config,
            credentials,
            run_state,
            resources.limiter,
            masker=resources.masker,
            actions=actions,
            in_flight=resources.workers,
        ) as exchange:

            async def send_item(item: Item) -> bool:
                await send(exchange, item)
                return run_state.has_sealed

            await send_each(run_state, items, send_item, min(resources.workers, len(items)))
            if resources.stop.signal is not None:
                run_state.halt_for_outage()
            limit = config.limits.requests_per_second
            return run_state.halted, exchange.summarize_traffic(actions[0], begun, limit)


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
