"""The progress of a run, or of other calls, while it sends: a bar on a terminal, one plain line every 30 seconds elsewhere.

With ``--json`` it is one JSON object a line on stderr, at the begin, every second and at the end; stdout holds run.json alone.
A worker or the page that watches the run gets the numbers in its progress file.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from bisect import bisect_left
from collections import Counter, deque
from math import ceil
from typing import TYPE_CHECKING, Never

from pipeline.cli.context import Session
from pipeline.cli.terminal import Tone
from pipeline.clock import stamp
from pipeline.config.settings import Config
from pipeline.domain.run import RowOutcome, Status
from pipeline.esign.rate_limiter import Limiter
from pipeline.messages.catalogue import dump_text
from pipeline.messages.service_errors import make_network_cure
from pipeline.reports.explanations import describe_cause
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_values import get_main_code
from pipeline.sending.circuit_breaker import Outage, OutageMonitor
from pipeline.support.progress_file import is_enabled, write_progress
from pipeline.support.terminal_text import measure_width
from pipeline.workflow.stage_settings import get_product

if TYPE_CHECKING:
    from tqdm import tqdm

REFRESH_SECONDS = 1.0  # after which the bar is drawn again although no row has ended
REFRESHES_PER_LINE = 30  # between plain lines
LAST_ROWS = 20  # in the progress file
RATE_SECONDS = 10.0  # over which the rate is taken
BAR = "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}{postfix}"


class Progress:
    """Counts rows as they end; `begin` gives how many there will be. The rate is that of the limiter's departures."""

    def __init__(
        self, session: Session, config: Config, limiter: Limiter, run: str = "", *, action: str = ""
    ) -> None:
        self.outages = OutageMonitor(session.clock)
        self._session = session
        self._clock = session.clock
        self._limiter = limiter
        self._action = action or get_product(config).create  # whose pace is shown
        self._requests_per_second = config.limits.requests_per_second
        self._printed_outage: Outage | None = None  # the last one
        self._bar: tqdm[Never] | None = None
        self._refresher: asyncio.Task[None] | None = None
        self._total = self._done = 0
        self._counts: Counter[Status] = Counter()
        self._run = run
        self._begun_at = session.clock.monotonic()
        self._is_stopping = False
        self._last_rows: deque[RowOutcome] = deque(maxlen=LAST_ROWS)
        self._written: object = None  # what the numbers of the progress file were made from

    def close(self) -> None:
        """End the refreshing, and take the bar away."""
        if self._refresher is not None:
            self._refresher.cancel()
            self._print_outage(self.outages.current_outage())  # the last look may be a second old
            self._print_json()
        self._write_numbers()
        if self._bar is not None:
            self._bar.close()

    def begin(self, total: int) -> None:
        """Start with so many rows to send."""
        self._total = total
        self._begun_at = self._clock.monotonic()
        self._write_numbers()
        if not total or (self._session.quiet and not is_enabled()):
            return
        self._print_json()
        if sys.stderr.isatty() and not self._session.as_json and not self._session.quiet:
            from tqdm import tqdm

            self._bar = tqdm(
                total=total,
                desc=self._session.render_sentence("bar"),
                file=sys.stderr,
                bar_format=BAR,
                dynamic_ncols=True,
                leave=False,
            )
            self._draw_bar()
        self._refresher = asyncio.create_task(self._refresh_forever())

    def count(self, outcome: RowOutcome) -> None:
        """Count a row that ended; one that was not sent waits for another run."""
        if outcome.status is Status.NOT_SENT or self._done == self._total:
            return
        self._counts[outcome.status] += 1
        self._last_rows.append(outcome)
        self.advance()

    def advance(self) -> None:
        """Count one more that is done."""
        self._done += 1
        if self._bar is not None:
            self._bar.set_postfix_str(self._describe_progress(), refresh=False)
            self._bar.update()

    def note_stopping(self) -> None:
        """Show that the run was asked to end."""
        self._is_stopping = True
        self._write_numbers()
        self.inform("stopping")

    def inform(self, key: str, tone: Tone | None = None, /, **details: object) -> None:
        """Print a message without cutting the bar in two."""
        if self._bar is not None:
            self._bar.clear()
        self._session.inform(key, tone, **details)
        if self._bar is not None:
            self._draw_bar()

    async def _refresh_forever(self) -> None:
        """Draw or print again and again, also while the service is silent and no row ends."""
        for number in itertools.count(1):
            await self._clock.sleep(REFRESH_SECONDS)
            self._print_outage(self.outages.current_outage())
            self._print_json()
            self._write_numbers()
            if self._bar is not None:
                self._draw_bar()
            elif number % REFRESHES_PER_LINE == 0 and not self._session.as_json:
                share = f"{self._done / self._total:.0%}"
                self._session.inform(
                    "progress",
                    done=self._done,
                    total=self._total,
                    share=share,
                    details=self._describe_progress(),
                )

    def _print_outage(self, outage: Outage | None) -> None:
        """Print when an outage begins, when calls are held back, and when it is over."""
        before, self._printed_outage = self._printed_outage, outage
        if outage is None:
            if before is not None:
                time = Presenter(self._session.spoken).describe_duration(self._clock.now() - before.since)
                self.inform("outage_over", Tone.DONE, host=before.host, time=time)
        elif outage.gives_up_at is not None:
            if before is None or before.gives_up_at is None:
                until = _format_time_of_day(outage.gives_up_at)
                self._report_outage("outage_paused", outage, until=until)
        elif before is None:
            self._report_outage("outage_began", outage)

    def _report_outage(self, key: str, outage: Outage, **details: str) -> None:
        self.inform(
            key,
            Tone.NEEDS_PERSON,
            host=outage.host,
            cause=describe_cause(outage.cause, Presenter(self._session.spoken)),
            since=_format_time_of_day(outage.since),
            cure=self._advise_on_outage(outage),
            **details,
        )

    def _advise_on_outage(self, outage: Outage) -> str:
        """Return what to do about an outage, as a sentence behind another one."""
        cure = make_network_cure(outage.cause, outage.host)
        text = (
            self._session.render_sentence("outage_check")
            if cure is None
            else cure.render(self._session.spoken)
        )
        return text if self._session.spoken == "zh" else f" {text}"

    def _print_json(self) -> None:
        """Print the progress as one JSON object, where ``--json`` asks for it."""
        if not self._session.as_json or self._session.quiet:
            return
        status = {
            "schema": 1,
            "message_type": "status",
            "done": self._done,
            "total": self._total,
            "percent_done": round(self._done / self._total, 4),
            "seconds_elapsed": round(self._clock.monotonic() - self._begun_at, 1),
            **self._describe_numbers(),
        }
        self._session.print_line(json.dumps(self._session.label_data(status), ensure_ascii=False))

    def _write_numbers(self) -> None:
        """Write the numbers into the progress file, where they have changed; a run that hangs changes none."""
        if not is_enabled():
            return
        departures, throttled = len(self._limiter.list_departures(self._action)), self.outages.throttled
        numbers, outage = self._describe_numbers(), self.outages.current_outage()
        facts = (self._total, self._done, departures, throttled, self._is_stopping, numbers["outage"])
        if facts == self._written:
            return
        self._written = facts
        rows = [
            {"row_id": row.doctor.row_id, "status": row.status.value, "code": get_main_code(row) or row.code}
            for row in self._last_rows
        ]
        write_progress(
            {
                "schema": 1,
                "run": self._run,
                "done": self._done,
                "total": self._total,
                **numbers,
                "throttled": throttled,
                "cause": dump_text(outage.cause) if outage else None,
                "stopping": self._is_stopping,
                "rows": rows,
            }
        )

    def _describe_numbers(self) -> dict[str, object]:
        """Return the rate, the time left, the rows by status, and the outage of this moment."""
        rate, outage = self._measure_rate(), self.outages.current_outage()
        return {
            "seconds_remaining": self._estimate_seconds_left(rate),
            "creates_per_second": round(rate, 2),
            "limit_per_second": self._requests_per_second,
            "statuses": {status.value: self._counts[status] for status in Status if self._counts[status]},
            "outage": None
            if outage is None
            else {
                "host": outage.host,
                "since": stamp(outage.since),
                "gives_up_at": None if outage.gives_up_at is None else stamp(outage.gives_up_at),
            },
        }

    def _draw_bar(self) -> None:
        assert self._bar is not None
        self._bar.set_postfix_str(self._describe_progress())

    def _describe_progress(self) -> str:
        """Return the counts of rows, with rate, share of the limit and time left, or what is known of an outage.

        Behind a bar it is only what fits: the time or the outage before the rate, and that before the counts.
        """
        session, outage, rate = self._session, self.outages.current_outage(), self._measure_rate()
        if outage is None:
            share = f"{rate / self._requests_per_second:.0%}"
            first = session.render_sentence("left", time=self._describe_time_left(rate))
            before = session.render_sentence("rate", rate=f"{rate:.1f}", share=share)
        else:
            first, before = self._name_outage(outage), ""
        counts = [
            f"{session.render_sentence(f'status.{status}')} {self._counts[status]}"
            for status in Status
            if self._counts[status]
        ]
        room = self._measure_room()
        shorter = [[before, first, *counts[:number]] for number in range(len(counts), -1, -1)]
        for parts in (*shorter, [first]):
            text = " · ".join(filter(None, parts))
            if room is None or measure_width(text) <= room:
                return text
        return ""

    def _name_outage(self, outage: Outage) -> str:
        since = _format_time_of_day(outage.since)
        if outage.gives_up_at is not None:
            until = _format_time_of_day(outage.gives_up_at)
            text = self._session.render_sentence("outage_until", since=since, until=until)
            room = self._measure_room()
            if room is None or measure_width(text) <= room:
                return text
        return self._session.render_sentence("outage_now", since=since)

    def _measure_room(self) -> int | None:
        """Return how many columns are free behind the shortest bar; None where there is no bar."""
        if self._bar is None:
            return None
        bar = f"{self._bar.desc} 100% |xxx| {self._total}/{self._total}, "  # tqdm leaves the last column free
        return os.get_terminal_size(sys.stderr.fileno()).columns - measure_width(bar) - 1

    def _measure_rate(self) -> float:
        """Return the creates a second over the last seconds."""
        now = self._clock.monotonic()
        span = min(max(now - self._begun_at, 1.0), RATE_SECONDS)
        departures = self._limiter.list_departures(self._action)
        return (len(departures) - bisect_left(departures, now - span)) / span

    def _estimate_seconds_left(self, rate: float) -> int | None:
        """Return how long the rest will take: never less than the limit allows, None while no call leaves."""
        limit = self._requests_per_second
        # before a second's worth of calls has left, the limit is the best guess
        is_early = self._clock.monotonic() - self._begun_at < RATE_SECONDS
        is_steady = len(self._limiter.list_departures(self._action)) > limit or not is_early
        if is_steady and not rate:
            return None
        return ceil((self._total - self._done) / (min(rate, limit) if is_steady else limit))

    def _describe_time_left(self, rate: float) -> str:
        seconds_left = self._estimate_seconds_left(rate)
        if seconds_left is None:
            return "?"
        minutes, seconds = divmod(seconds_left, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _format_time_of_day(seconds: float) -> str:
    """Return unix seconds as the local time of day."""
    return stamp(seconds)[11:16]
