"""Sends the calls that make links: each is entered in the ledger before it leaves.

One that got no verdict is never sent again: the service may have done what it was asked for. Only a call that is proven
not executed is repeated.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.autosign.calls import AutoSignCalls, CallObserver, CallResources, Tries, send_to_all
from pipeline.domain.auto_sign import AutoSignCall, CallEnd, LinkKind
from pipeline.domain.masking import Masker
from pipeline.domain.run import Halt, Traffic
from pipeline.errors import LedgerError
from pipeline.esign.auto_sign_calls import (
    CallReading,
    LinkReading,
    Signer,
)
from pipeline.esign.client import NoAnswer, NotSent
from pipeline.esign.products import Agent
from pipeline.esign.responses import Reply
from pipeline.ledger.protocol import LedgerConflict
from pipeline.sending.call_context import MAX_SENDS, NOT_EXECUTED_BY_US, RunStopped
from pipeline.support.failpoints import hit_failpoint

LOG = logging.getLogger(__name__)
NO_ANSWER = "no_answer"  # code of a call of which nothing came back
REFUSED_BY_LEDGER = "ledger"  # code of a call that the ledger did not allow


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonCall(ABC):
    """One call about one person."""

    kind: LinkKind
    action: str
    key: str
    signer: Signer = field(repr=False)
    masker: Masker = field(repr=False)
    by_sms: bool = False

    @abstractmethod
    def build(self, agent: Agent, service_time: float) -> tuple[bytes, float | None]:
        """Return the body at the service's time, and when a link that it makes expires; both times in unix seconds."""

    @abstractmethod
    def read(self, reply: Reply) -> CallReading:
        """Return what an answer proves."""


@dataclass(frozen=True, slots=True)
class CallsReport:
    """How the calls went: what became of each person's call, by key; one that was not begun is absent."""

    ends: dict[str, CallEnd]
    halt: Halt | None = None
    signal: int | None = None
    traffic: Traffic = field(default_factory=Traffic)

    def count(self, verdict: str) -> int:
        """Return how many calls ended so."""
        return sum(end.verdict == verdict for end in self.ends.values())


@dataclass(slots=True)
class JournalledCalls:
    """Sends calls about people, as many at once as the pace needs."""

    resources: CallResources
    who: str
    observer: CallObserver
    _ends: dict[str, CallEnd] = field(default_factory=dict)

    def run(self, calls: Sequence[PersonCall]) -> CallsReport:
        """Send every call; return what became of them."""
        halt, traffic = None, Traffic()
        if calls:
            actions = sorted({call.action for call in calls})
            halt, traffic = asyncio.run(
                send_to_all(self.resources, actions, calls, self._send, self.observer)
            )
        return CallsReport(self._ends, halt, self.resources.stop.signal, traffic)

    async def _send(self, way: AutoSignCalls, call: PersonCall) -> None:
        """Send a call and enter what became of it; what the ledger cannot take stops the calls."""
        run_state = way.context.run_state
        trace_id = str(uuid.uuid4())
        try:
            end, is_begun = await self._exchange(way, call, trace_id)
            if end is None:
                return
            if is_begun:
                hit_failpoint(f"autosign: {call.kind} answered")
                now = self.resources.clock.now()
                await self.resources.ledger.end_auto_sign_call(trace_id, end, now=now)
        except LedgerError as error:
            run_state.halt_for_ledger(error)
            return
        hit_failpoint(f"autosign: {call.kind} entered")
        facts = {"key": call.key, "verdict": end.verdict, "code": end.code, "call": trace_id}
        LOG.info(call.kind, extra={**facts, "request_id": end.request_id})
        self._ends[call.key] = end
        self.observer.advance()

    async def _exchange(
        self, way: AutoSignCalls, call: PersonCall, trace_id: str
    ) -> tuple[CallEnd | None, bool]:
        """Return what became of a call, None where it was stopped first, and whether the ledger holds its beginning."""
        tries, end, is_begun = Tries(), None, False

        async def begin() -> None:
            nonlocal is_begun
            if not is_begun:
                await self._begin(call, trace_id)
                is_begun = True

        for send_index in range(MAX_SENDS):
            if not await way.context.back_off(send_index):
                break
            body, until = call.build(way.agent, way.context.client.service_time())
            try:
                reading, reply = await way.send_once(
                    call.action,
                    body,
                    call.read,
                    trace_id=trace_id,
                    send_number=send_index + 1,
                    before_departure=begin,
                )
            except RunStopped:
                break
            except LedgerConflict as conflict:
                LOG.warning("the ledger allows no such call", extra={"key": call.key, "code": str(conflict)})
                return CallEnd("not_executed", code=REFUSED_BY_LEDGER), False
            except NotSent as error:
                way.context.record_unanswered(call.action, error)
                end = CallEnd("not_executed", code=NOT_EXECUTED_BY_US)
                continue
            except NoAnswer as error:
                way.context.run_state.requests[call.action][NO_ANSWER] += 1
                way.context.record_unanswered(call.action, error)
                return CallEnd("unknown", code=NO_ANSWER), True
            way.count_answer(reading)
            end = _weigh_reading(reading, until)
            if end.verdict != "not_executed" or not way.may_repeat(call.action, reading, reply, tries):
                break
        return end, is_begun

    async def _begin(self, call: PersonCall, trace_id: str) -> None:
        entry = AutoSignCall(
            trace_id, call.key, call.kind, self.resources.clock.now(), self.who, by_sms=call.by_sms
        )
        await self.resources.ledger.begin_auto_sign_call(entry)
        hit_failpoint(f"autosign: {call.kind} begun")


def _weigh_reading(reading: CallReading, until: float | None) -> CallEnd:
    """Return what an answer proves about its call."""
    code, request_id = reading.code, reading.request_id
    match reading.meaning:
        case None:
            url = reading.url if isinstance(reading, LinkReading) else None
            return CallEnd("done", url=url, until=until, request_id=request_id)
        case "unknown":
            return CallEnd("unknown", code=code, request_id=request_id)
        case "row":
            return CallEnd("refused", code=code, request_id=request_id)
        case _:
            return CallEnd("not_executed", code=code, request_id=request_id)
