"""An outage while it lasts: which host does not answer, why, since when, and when the run gives up."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from pipeline.clock import Clock
from pipeline.sending.circuit_breaker import CircuitBreaker

LOG = logging.getLogger(__name__)
NOTICEABLE_SECONDS = 10.0  # without a usable answer, while calls are still made


@dataclass(frozen=True, slots=True)
class Outage:
    """The facts of an outage; moments are unix seconds."""

    host: str
    cause: str  # a phrase of the catalogue, or the code of an answer that proved nothing
    since: float  # the last usable answer, or the first call
    gives_up_at: float | None  # None while calls are still made


class OutageMonitor:
    """Records every call's result; one for a run, read by the progress display."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._breaker: CircuitBreaker | None = None
        self._last_answer = self._read_clocks()
        self._failure: tuple[str, str] | None = None  # host and cause of the last call in vain since then

    def begin(self, breaker: CircuitBreaker) -> None:
        """Start with the first call; ``breaker`` is the circuit breaker of the run."""
        self._breaker, self._last_answer = breaker, self._read_clocks()

    def record_failure(self, host: str, cause: str) -> None:
        """Record a call that got no usable answer."""
        if (host, cause) != self._failure:
            LOG.warning("no usable answer", extra={"host": host, "cause": cause})
        self._failure = host, cause

    def record_answer(self) -> None:
        """Record a usable answer; while the circuit breaker holds calls back, one answer does not end the outage."""
        if self._breaker is None or self._breaker.is_closed:
            self._last_answer, self._failure = self._read_clocks(), None

    def current_outage(self) -> Outage | None:
        """Return the outage of this moment; None while the service answers, or was silent for a moment only."""
        wall, monotonic = self._last_answer
        patience = self._breaker.patience_left if self._breaker is not None else None
        is_short = self._clock.monotonic() - monotonic < NOTICEABLE_SECONDS
        if self._failure is None or (patience is None and is_short):
            return None
        gives_up_at = None if patience is None else self._clock.now() + max(0.0, patience)
        return Outage(*self._failure, wall, gives_up_at)

    def _read_clocks(self) -> tuple[float, float]:
        """Return the present in unix and in monotonic seconds."""
        return self._clock.now(), self._clock.monotonic()
