"""How a run is going, shared by all its rows: why it stops, what was called, whether the service answers."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pipeline.clock import Clock, stamp
from pipeline.domain.outcomes import EXIT_SEVERITY
from pipeline.domain.roster import PreparedImage, Problem
from pipeline.domain.run import Halt, HaltExit, RowPlan, Status
from pipeline.domain.seals import SealRequest, Verdict
from pipeline.domain.service_codes import CODES
from pipeline.messages.texts import make_text
from pipeline.planning.guards import RunGuards
from pipeline.sending.call_metrics import OUTAGE, CallMetrics
from pipeline.sending.circuit_breaker import Breaker
from pipeline.sending.outage import OutageMonitor

LOG = logging.getLogger(__name__)
JUMP = 30.0  # seconds by which the wall clock moves against the steady one


@dataclass(slots=True)
class RunState:
    """How the run is going, shared by all rows: why it stops, what was called, whether the service answers."""

    stop: asyncio.Event  # set from outside or by a halt: nothing new starts, what is under way ends
    clock: Clock
    watch: RunGuards = field(default_factory=RunGuards)
    credentials: str = ""  # where the keys came from
    outages: OutageMonitor | None = None  # given where somebody watches it
    halted: Halt | None = None
    requests: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    throttled: int = 0
    deprecated: dict[str, str] = field(default_factory=dict)  # action -> what the service says of its end
    sealed: bool = False  # whether any row of this run has its seal
    breaker: Breaker = field(init=False)
    meter: CallMetrics = field(init=False)
    _monitor: OutageMonitor = field(init=False)
    _drift: float = field(init=False)  # wall clock minus steady clock

    def __post_init__(self) -> None:
        """Let nobody through while the service is silent, and give up in the end."""
        self._drift = self.clock.now() - self.clock.monotonic()
        self.meter = CallMetrics(self.clock)
        self.breaker = Breaker(
            self.clock,
            patience=self.watch.guards.patience,
            wait=self._sit_out,
            give_up=self._give_up,
        )
        self._monitor = self.outages or OutageMonitor(self.clock)
        self._monitor.begin(self.breaker)

    @property
    def stopping(self) -> bool:
        """Tell whether nothing new may start."""
        return self.stop.is_set()

    def heard(self, action: str, *, answered: bool, host: str = "", cause: str = "") -> None:
        """Hear of a call: whether it got a usable answer, a refusal included, else which host gave none and why."""
        if not answered:
            self._monitor.note_failure(host, cause)
        self.breaker.heard(action, answered=answered)
        if answered:
            self._monitor.note_answer()

    def note_failed_probe(self, host: str, cause: str) -> None:
        """Hear that the service does not answer a read-only question either."""
        self._monitor.note_failure(host, cause)

    def _give_up(self, waited: str) -> None:
        """Stop the run because the service was silent for too long."""
        outage = self._monitor.read()
        if outage is None:
            self.halt("OUTAGE", waited, 5)
            return
        detail = {
            "host": outage.host,
            "cause": outage.cause,
            "since": stamp(outage.since),
            "seconds": f"{max(0.0, self.clock.now() - outage.since):.0f}",
        }
        text = make_text("stop.outage", host=outage.host, cause=outage.cause, waited=waited)
        self.halt("OUTAGE", text, 5, detail)

    def halt(
        self, code: str, message: str, exit_code: HaltExit, detail: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Stop the run; the gravest reason counts, of equals the first."""
        self.stop.set()
        if self.halted is None or EXIT_SEVERITY.index(exit_code) < EXIT_SEVERITY.index(self.halted.exit):
            meaning = CODES.get(code) or CODES.get(code.partition(".")[0])
            if self.credentials and meaning == "credentials":
                detail = {**detail, "credentials": self.credentials}
            self.halted = Halt(code, message, exit_code, detail)
            LOG.error("halted", extra={"code": code, "exit": exit_code})

    async def _sit_out(self, seconds: float) -> bool:
        """Wait while the service is silent; False when the run was stopped meanwhile."""
        with self.meter.waiting(OUTAGE):
            return await self.unless_stopped(self.clock.sleep(seconds))

    async def unless_stopped(self, waiting: Coroutine[Any, Any, None]) -> bool:
        """Wait for something, or until the run is stopped; tell whether it came about. What it raises is raised."""
        coming, stopped = asyncio.ensure_future(waiting), asyncio.ensure_future(self.stop.wait())
        try:
            await asyncio.wait((coming, stopped), return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                coming.result()  # a slot that was never given is none
            return coming.done() and not self.stopping
        finally:
            coming.cancel()
            stopped.cancel()

    def clock_jumped(self) -> bool:
        """Tell, once, that the wall clock has moved against the steady one: suspended, or set."""
        drift = self.clock.now() - self.clock.monotonic()
        if abs(drift - self._drift) < JUMP:
            return False
        LOG.warning("the clock jumped", extra={"seconds": round(drift - self._drift)})
        self._drift = drift
        return True

    def ended(self, status: Status, code: str | None) -> None:
        """Hear of a row that was sent; what the answers have in common may stop the run."""
        self._obey(self.watch.ended(status, code))

    def resent(self, why: str) -> None:
        """Hear of a call that is made again; too many of them stop the run."""
        self._obey(self.watch.resent(why))

    def _obey(self, halt: Halt | None) -> None:
        if halt is not None and not self.stopping:
            self.halt(halt.code, halt.message, halt.exit)


@dataclass(slots=True)
class Job:
    """One row on its way."""

    index: int
    planned: RowPlan
    request: SealRequest
    prepared: PreparedImage
    file_id: str | None = None
    file_dies: float = 0.0  # unix seconds, the service's
    clock_healed: bool = False
    uploaded_again: bool = False
    released: bool = False  # an earlier create without a verdict is left to this one
    trace_id: str | None = None
    sent_at: float | None = None
    sent_steady: float = 0.0  # the same moment on the steady clock
    stale: int = 0  # waits for a slot that a connection or FileId did not survive
    sends: int = 0  # creates that may have left
    in_doubt: bool = False  # a create was entered, and its verdict is not yet on the disk
    verdict: Verdict | None = None  # the last create's, also when it could not be recorded


@dataclass(frozen=True, slots=True)
class SendResult:
    """How a row's sending ended."""

    status: Status
    verdict: Verdict | None = None
    problems: tuple[Problem, ...] = ()
