"""What is seen while a night runs: a bar on a terminal, one plain line every 30 seconds elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Never, Self

from tqdm import tqdm

from pipeline.cli.session import Session
from pipeline.clock import Clock
from pipeline.model import Outcome, Status

EVERY = 30.0  # seconds between plain lines


class Progress:
    """Counts rows as they end; `begin` says how many there will be."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        self._bar: tqdm[Never] | None = None
        self._total = self._done = self._sealed = 0
        self._began = self._said = clock.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def begin(self, total: int) -> None:
        """Start with so many rows to send."""
        self._total = total
        self._began = self._said = self._clock.monotonic()
        if sys.stderr.isatty() and not self._session.quiet and total:
            self._bar = tqdm(
                total=total, desc=self._session.word("bar"), file=sys.stderr, unit="", leave=False
            )

    def __call__(self, outcome: Outcome) -> None:
        """Hear of a row that ended."""
        self._done += 1
        self._sealed += outcome.status is Status.SEALED
        if self._bar is not None:
            self._bar.update()
            return
        now = self._clock.monotonic()
        if now - self._said >= EVERY:
            self._said = now
            rate = self._done / (now - self._began)
            self._session.say(
                "progress", done=self._done, total=self._total, sealed=self._sealed, rate=f"{rate:.1f}"
            )
