"""What is seen while a night runs: a bar on a terminal, one plain line every 30 seconds elsewhere."""

from __future__ import annotations

import asyncio
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from types import TracebackType
from typing import Never, Self

from tqdm import tqdm

from pipeline.cli.context import Session
from pipeline.clock import Clock, stamp
from pipeline.domain.run import RowOutcome, Status
from pipeline.messages.results import status_word
from pipeline.reports.presenter import Presenter
from pipeline.reports.service_text import describe_cause
from pipeline.sending.outage import Outage, OutageMonitor

REFRESH = 1.0  # seconds after which the bar is drawn again although no row has ended
EVERY = 30  # of these between plain lines
RECENT = 10.0  # seconds over which the rate is taken
BAR = "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}{postfix}"


class Progress:
    """Counts rows as they end; `begin` says how many there will be and where their calls are counted."""

    def __init__(self, session: Session, clock: Clock, limit: float, outages: OutageMonitor) -> None:
        self._session = session
        self._clock = clock
        self._limit = limit  # calls a second
        self._outages = outages
        self._outage: Outage | None = None  # the one that was told last
        self._bar: tqdm[Never] | None = None
        self._beat: asyncio.Task[None] | None = None
        self._total = self._done = 0
        self._began = 0.0
        self._ended: Counter[Status] = Counter()
        self._departures: Callable[[], Sequence[float]] = tuple

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._beat is not None:
            self._beat.cancel()
            self._tell_outage(self._outages.read())  # the last look may be a second old
        if self._bar is not None:
            self._bar.close()

    def begin(self, total: int, departures: Callable[[], Sequence[float]]) -> None:
        """Start with so many rows to send; ``departures`` are the steady seconds at which creates left."""
        self._total, self._departures = total, departures
        self._began = self._clock.monotonic()
        if not total or self._session.quiet:
            return
        if sys.stderr.isatty():
            self._bar = tqdm(
                total=total,
                desc=self._session.word("bar"),
                file=sys.stderr,
                bar_format=BAR,
                dynamic_ncols=True,
                leave=False,
            )
            self._draw()
        self._beat = asyncio.create_task(self._go_on())

    def __call__(self, outcome: RowOutcome) -> None:
        """Hear of a row that ended."""
        self._done += 1
        self._ended[outcome.status] += 1
        if self._bar is not None:
            self._bar.set_postfix_str(self._told(), refresh=False)
            self._bar.update()

    def say(self, key: str, **details: object) -> None:
        """Say a sentence without cutting the bar in two."""
        if self._bar is not None:
            self._bar.clear()
        self._session.say(key, **details)
        if self._bar is not None:
            self._draw()

    async def _go_on(self) -> None:
        """Show that the program is there, also while the service is silent and no row ends."""
        for number in count(1):
            await self._clock.sleep(REFRESH)
            self._tell_outage(self._outages.read())
            if self._bar is not None:
                self._draw()
            elif number % EVERY == 0:
                share = f"{self._done / self._total:.0%}"
                self._session.say(
                    "progress", done=self._done, total=self._total, share=share, told=self._told()
                )

    def _tell_outage(self, outage: Outage | None) -> None:
        """Say when an outage begins, when calls are held back, and when it is over."""
        before, self._outage = self._outage, outage
        if outage is None:
            if before is not None:
                time = Presenter(self._session.spoken).describe_duration(self._clock.now() - before.since)
                self.say("outage_over", host=before.host, time=time)
        elif outage.gives_up is not None:
            if before is None or before.gives_up is None:
                self.say("outage_paused", until=_moment(outage.gives_up), **self._words_of(outage))
        elif before is None:
            self.say("outage_began", **self._words_of(outage))

    def _words_of(self, outage: Outage) -> dict[str, str]:
        cause = describe_cause(outage.cause, Presenter(self._session.spoken))
        return {"host": outage.host, "cause": cause, "since": _moment(outage.since)}

    def _draw(self) -> None:
        assert self._bar is not None
        self._bar.set_postfix_str(self._told())

    def _told(self) -> str:
        """Return rate, share of the limit and time left, or what is known of an outage; and how many rows ended how."""
        outage, rate = self._outages.read(), self._rate()
        if outage is None:
            words = [
                self._session.word("rate", rate=f"{rate:.1f}", share=f"{rate / self._limit:.0%}"),
                self._session.word("left", time=self._left(rate)),
            ]
        elif outage.gives_up is None:
            words = [self._session.word("outage_now", **self._words_of(outage))]
        else:
            until = _moment(outage.gives_up)
            words = [self._session.word("outage_until", until=until, **self._words_of(outage))]
        words += [
            f"{status_word(each, self._session.spoken)} {self._ended[each]}"
            for each in Status
            if self._ended[each]
        ]
        return " · ".join(words)

    def _rate(self) -> float:
        """Return the creates a second of the last moments."""
        now = self._clock.monotonic()
        span = min(max(now - self._began, 1.0), RECENT)
        moments = self._departures()
        return (len(moments) - bisect_left(moments, now - span)) / span

    def _left(self, rate: float) -> str:
        """Return how long the rest will take: never less than the limit allows, unknown while nothing leaves."""
        rows = self._total - self._done
        # before a second's worth of calls has left, the limit is the best guess
        early = self._clock.monotonic() - self._began < RECENT
        steady = len(self._departures()) > self._limit or not early
        if steady and not rate:
            return "?"
        seconds = round(rows / (min(rate, self._limit) if steady else self._limit))
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _moment(seconds: float) -> str:
    """Return unix seconds as the local time of day."""
    return stamp(seconds)[11:16]
