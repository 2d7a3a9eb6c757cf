"""The state of a run that all its rows share: why it stops, what was called, whether the service answers."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pipeline.clock import Clock, stamp
from pipeline.domain.run import EXIT_SEVERITY, Halt, HaltExit, Status
from pipeline.domain.service_codes import is_of_settings
from pipeline.errors import HoldLost, LedgerError
from pipeline.messages.catalogue import make_message
from pipeline.planning.guards import RunGuards
from pipeline.sending.call_metrics import OUTAGE, CallMetrics
from pipeline.sending.circuit_breaker import CircuitBreaker, OutageMonitor

LOG = logging.getLogger(__name__)
CLOCK_JUMP_SECONDS = 30.0  # by which the wall clock moves against the monotonic one


@dataclass(slots=True)
class StopSignal:
    """Set from outside to drain; ``signal`` is the number of the signal that asked for it."""

    event: asyncio.Event = field(default_factory=asyncio.Event)
    signal: int | None = None


@dataclass(slots=True)
class RunState:
    """Why the run stops, what was called and whether the service answers."""

    stop: asyncio.Event  # set from outside or by a halt: nothing new starts, calls under way end
    clock: Clock
    outages: OutageMonitor
    guards: RunGuards = field(default_factory=RunGuards)
    settings: Mapping[str, str] = field(default_factory=dict)  # they explain a refusal of keys or ids
    halted: Halt | None = None
    requests: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    deprecated: dict[str, str] = field(default_factory=dict)  # action -> the service's warning
    has_sealed: bool = False  # whether any row of this run has its seal
    breaker: CircuitBreaker = field(init=False)
    metrics: CallMetrics = field(init=False)
    _drift: float = field(init=False)  # wall clock minus monotonic clock

    def __post_init__(self) -> None:
        """Make the circuit breaker and the monitor that it is read with."""
        self._drift = self.clock.now() - self.clock.monotonic()
        self.metrics = CallMetrics(self.clock)
        self.breaker = CircuitBreaker(
            self.clock,
            wait=self._wait_out_outage,
            give_up=self._give_up,
        )
        self.outages.begin(self.breaker)

    @property
    def is_stopping(self) -> bool:
        """Whether nothing new may start."""
        return self.stop.is_set()

    def record_result(self, action: str, *, answered: bool, host: str = "", cause: str = "") -> None:
        """Record whether a call got a usable answer, a refusal included, else which host gave none and why."""
        if not answered:
            self.outages.record_failure(host, cause)
        self.breaker.record_result(action, answered=answered)
        if answered:
            self.outages.record_answer()

    def halt(
        self, code: str, message: str, exit_code: HaltExit, detail: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Stop the run; the most severe reason counts, of equals the first."""
        self.stop.set()
        if self.halted is None or EXIT_SEVERITY.index(exit_code) < EXIT_SEVERITY.index(self.halted.exit):
            if is_of_settings(code):
                detail = {**detail, **self.settings}
            self.halted = Halt(code, message, exit_code, detail)
            LOG.error("halted", extra={"code": code, "exit": exit_code})

    def halt_for_ledger(self, error: LedgerError) -> None:
        """Stop the run because the ledger cannot be written, or another run has taken it over."""
        if isinstance(error, HoldLost):
            self.halt("HOLD_LOST", error.reason, 6)
        else:
            self.halt("LEDGER", error.reason, 74)

    async def wait_unless_stopped(self, waiting: Awaitable[object]) -> bool:
        """Wait for something, or until the run is stopped; return whether it happened. What it raises is raised."""
        event, stopped = asyncio.ensure_future(waiting), asyncio.ensure_future(self.stop.wait())
        try:
            await asyncio.wait((event, stopped), return_when=asyncio.FIRST_COMPLETED)
            if event.done():
                event.result()  # a limiter that failed gave no slot
            return event.done() and not self.is_stopping
        finally:
            event.cancel()
            stopped.cancel()

    def detect_clock_jump(self) -> bool:
        """Return, once, that the wall clock has moved against the monotonic one: suspended, or set."""
        drift = self.clock.now() - self.clock.monotonic()
        if abs(drift - self._drift) < CLOCK_JUMP_SECONDS:
            return False
        LOG.warning("the clock jumped", extra={"seconds": round(drift - self._drift)})
        self._drift = drift
        return True

    def record_row_end(self, status: Status, code: str | None) -> None:
        """Count a row that was sent; a guard may stop the run for what the answers have in common."""
        self._halt_by_guard(self.guards.count_outcome(status, code))

    def record_resend(self, reason: str) -> None:
        """Count a call that is made again; too many of them stop the run."""
        self._halt_by_guard(self.guards.count_resend(reason))

    def _halt_by_guard(self, halt: Halt | None) -> None:
        if halt is not None and not self.is_stopping:
            self.halt(halt.code, halt.message, halt.exit)

    async def _wait_out_outage(self, seconds: float) -> bool:
        """Wait while the service does not answer; False when the run was stopped meanwhile."""
        with self.metrics.measure_wait(OUTAGE):
            return await self.wait_unless_stopped(self.clock.sleep(seconds))

    def halt_for_outage(self) -> None:
        """Name the outage as the reason of a run that was stopped from outside while it lasted; the first reason counts."""
        if self.halted is None and self.outages.current_outage() is not None:
            self._give_up("")

    def _give_up(self, reason: str) -> None:
        """Stop the run because the service did not answer for too long."""
        outage = self.outages.current_outage()
        if outage is None:
            self.halt("OUTAGE", reason, 5)
            return
        seconds = max(0.0, self.clock.now() - outage.since)
        detail = {
            "host": outage.host,
            "cause": outage.cause,
            "since": stamp(outage.since),
            "seconds": f"{seconds:.0f}",
        }
        text = make_message("stop.outage", host=outage.host, cause=outage.cause, waited=reason)
        self.halt("OUTAGE", text, 5, detail)
