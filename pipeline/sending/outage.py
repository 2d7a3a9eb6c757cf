"""An outage while it lasts: which host does not answer, why, since when, and when the run gives up."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from pipeline.clock import Clock
from pipeline.sending.circuit_breaker import Breaker

LOG = logging.getLogger(__name__)
NOTICEABLE = 10.0  # seconds without a usable answer before it is told, while calls are still made


@dataclass(frozen=True, slots=True)
class Outage:
    """What is known of an outage; moments are unix seconds."""

    host: str
    cause: str  # a phrase of the catalogue, or the code of an answer that told nothing
    since: float  # the last usable answer, or the first call
    gives_up: float | None  # None while calls are still made


class OutageMonitor:
    """Hears of every call and tells whether the service answers; one for a run, read by who shows its progress."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._breaker: Breaker | None = None
        self._answered = self._moment()
        self._failure: tuple[str, str] | None = None  # host and cause of the last call in vain since then

    def begin(self, breaker: Breaker) -> None:
        """Begin with the first call; ``breaker`` is the circuit breaker of the run."""
        self._breaker, self._answered = breaker, self._moment()

    def note_failure(self, host: str, cause: str) -> None:
        """Hear of a call that got no usable answer."""
        if (host, cause) != self._failure:
            LOG.warning("no usable answer", extra={"host": host, "cause": cause})
        self._failure = host, cause

    def note_answer(self) -> None:
        """Hear of a usable answer; while the circuit breaker holds calls back, one answer does not end the outage."""
        if self._breaker is None or self._breaker.closed:
            self._answered, self._failure = self._moment(), None

    def read(self) -> Outage | None:
        """Return the outage of this moment; None while the service answers, or was silent for a moment only."""
        wall, steady = self._answered
        left = self._breaker.patience_left if self._breaker is not None else None
        if self._failure is None or (left is None and self._clock.monotonic() - steady < NOTICEABLE):
            return None
        gives_up = None if left is None else self._clock.now() + max(0.0, left)
        return Outage(*self._failure, wall, gives_up)

    def _moment(self) -> tuple[float, float]:
        """Return the present in unix and in steady seconds."""
        return self._clock.now(), self._clock.monotonic()
