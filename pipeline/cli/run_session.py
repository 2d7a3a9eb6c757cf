"""One night with a person or a timer in front of it: the lock, the log, the question, the progress, the results."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from pipeline.cli.context import Session
from pipeline.cli.run_record import Recorder
from pipeline.clock import Clock
from pipeline.config.language import find_misread_name
from pipeline.config.settings import Config
from pipeline.domain.masking import mask_text
from pipeline.domain.run import RunPreview, RunRequest, Status
from pipeline.errors import EsignImportError
from pipeline.ledger.tenant import environment
from pipeline.messages.catalogue import phrase
from pipeline.messages.localized import Joined, Phrase
from pipeline.messages.results import status_word
from pipeline.support.atomic_files import require_writable
from pipeline.workflow import run_environment

LOG = logging.getLogger(__name__)

if TYPE_CHECKING:  # the night's rooms are heavy; --help stays quick
    from pipeline.cli.signals import Signals
    from pipeline.domain.run import RunReport
    from pipeline.esign.signing import Credentials
    from pipeline.ledger.protocol import Ledger
    from pipeline.ledger.site_key import SiteKey
    from pipeline.ledger.sqlite_ledger import SqliteLedger


def tell_no_seals(session: Session, config: Config, ask: RunRequest) -> None:
    """Say where there is no folder of pictures, or where the locale's encoding is not that of their names.

    A hospital whose pictures are in cells needs no folder.
    """
    if ask.seals is None:
        session.say("no_seals", path=config.path(config.seals).absolute())
    elif name := find_misread_name(ask.seals):
        session.alarm("locale_names", encoding=sys.getfilesystemencoding(), folder=ask.seals, name=name)


def run_command(
    session: Session,
    config: Config,
    ask: RunRequest,
    *,
    recorder: Recorder,
    clock: Clock,
    latest: Path | None,
    yes: bool = False,
    new_ledger: bool = False,
    steps: bool = True,
    register: bool = True,
    credentials: Callable[[], Credentials] | None = None,
) -> int:
    """Hold the lock and the ledger for one night, then deliver what it found, and the next ``steps``.

    ``register`` False leaves the registry of ledgers alone.
    """
    from pipeline.cli.garbage_collection import seldom  # noqa: PLC0415
    from pipeline.cli.run_log import drop_log  # noqa: PLC0415

    tell_no_seals(session, config, ask)
    ours = not ask.out.exists()
    holding = run_environment.locked_ledger(
        config, ask, clock, new_ledger=new_ledger, register=register, warn=session.warn
    )
    with seldom(), holding as (ledger, site_key):
        _require_folder(recorder, ledger, ask)
        with recorder.log(ask.out), _counting(session, ledger, ask.run):
            # from here on the heavy rooms: who is turned away has left
            from pipeline.cli.run_output import write_and_print_results  # noqa: PLC0415
            from pipeline.cli.signals import Signals  # noqa: PLC0415

            found = credentials or run_environment.credentials_of(config)
            with Signals() as signals:
                evening = _RunSession(session, config, ask, clock, ledger, site_key, found, signals, yes=yes)
                done = asyncio.run(evening.through())
                if done is not None:
                    with recorder.keeping(ledger, done):
                        return recorder.end(
                            write_and_print_results(session, config, done, latest=latest, steps=steps)
                        )
            recorder.end(0)
    if ours:
        drop_log(ask.out)
    session.say("declined")
    session.repeat("next_again")
    return 0


@contextmanager
def _counting(session: Session, ledger: SqliteLedger, run: str) -> Iterator[None]:
    """Count the seals of a run that breaks: its last words tell of them."""
    try:
        yield
    except BaseException:
        with suppress(EsignImportError):
            people = ledger.snapshot().people.values()
            session.made = run, sum(past.seal is not None and past.seal.run == run for past in people)
        raise


def _require_folder(recorder: Recorder, ledger: SqliteLedger, ask: RunRequest) -> None:
    """Make the folder of the results; where that cannot be, the ledger alone remembers the run."""
    try:
        require_writable(ask.out)
    except OSError as trouble:
        recorder.enter(ledger, ask, trouble)
        raise


@dataclass(frozen=True, slots=True)
class _RunSession:
    """One run with a person or a timer in front of it."""

    session: Session
    config: Config
    ask: RunRequest
    clock: Clock
    ledger: Ledger
    site_key: SiteKey
    credentials: Callable[[], Credentials]
    signals: Signals
    yes: bool

    async def through(self) -> RunReport | None:
        from pipeline.cli.garbage_collection import but_for_what_is_there  # noqa: PLC0415
        from pipeline.cli.progress import Progress  # noqa: PLC0415
        from pipeline.esign.contracts.base import CREATE  # noqa: PLC0415
        from pipeline.esign.rate_limiter import AdaptiveRateLimiter  # noqa: PLC0415
        from pipeline.sending.outage import OutageMonitor  # noqa: PLC0415
        from pipeline.workflow import import_run  # noqa: PLC0415

        stop = import_run.StopSignal()
        self.signals.usual()
        limiter = AdaptiveRateLimiter(self.config.limits.requests_per_second, self.clock)
        outages = OutageMonitor(self.clock)
        limit = self.config.limits.requests_per_second
        async with Progress(self.session, self.clock, limit, outages) as progress:

            def confirm(forecast: RunPreview) -> bool:
                self.session.hear_titles(forecast.column_titles)
                agreed = self._agreed(forecast)  # until here a Ctrl-C simply ends: nothing was sent
                self.signals.drain(stop, lambda: progress.say("stopping"), self._leave)
                progress.begin(forecast.creates, partial(limiter.departures, CREATE))
                if agreed and forecast.creates:
                    but_for_what_is_there()
                    Thread(target=run_environment.warm_up, daemon=True).start()
                return agreed

            return await import_run.run(
                self.ask,
                self.config,
                ledger=self.ledger,
                site_key=self.site_key,
                limiter=limiter,
                credentials=self.credentials,
                clock=self.clock,
                stop=stop,
                confirm=confirm,
                watch=progress,
                outages=outages,
            )

    def _leave(self, exit_code: int) -> None:
        """Say that the second signal is obeyed, and end the log."""
        self.session.alarm("left_at_once")
        LOG.error("the run ends", extra={"exit": exit_code, "code": "CUT_SHORT"})

    def _foretell(self, forecast: RunPreview) -> None:
        """Say how many seals will be made, or why none."""
        if forecast.creates:
            self._tell_target()
            time = _time(forecast.seconds)
            self.session.say("forecast", rows=forecast.rows, creates=forecast.creates, time=time)
        elif forecast.stopped_by_guard:
            self.session.say("forecast_guarded", rows=forecast.rows)
        elif not forecast.rows:
            self.session.say("forecast_unread" if forecast.all_rosters_refused else "forecast_nobody")
        else:
            language = self.session.spoken
            left = [
                phrase("forecast_others", n=n)
                if status is Status.READY
                else f"{status_word(status, language)} {n}"
                for status, n in sorted(forecast.unsent_rows.items(), key=lambda each: -each[1])
            ]
            why = Joined(left, phrase("mark.comma"))
            self.session.say("forecast_nothing", rows=forecast.rows, why=why)

    def _agreed(self, forecast: RunPreview) -> bool:
        """Say what is about to happen; ask only where somebody can answer and something would be sent."""
        say = self.session.say
        self._foretell(forecast)
        if forecast.review_counts is not None:
            right, wrong, elsewhere = forecast.review_counts
            say("judged", right=right, wrong=wrong)
            if elsewhere:
                say("judged_elsewhere", rows=elsewhere)
        if forecast.licences:
            say("licences", licences=forecast.licences)
        if forecast.large_images:
            say("heavy", heavy=forecast.large_images)
        if self.yes or not forecast.creates or not sys.stdin.isatty():
            return True
        return self.session.agreed("confirm", **self._target)

    @property
    def _target(self) -> dict[str, object]:
        """The environment in words, and the organisation, for which seals are to be made."""
        api = self.config.api
        name = environment(api.endpoint)
        return {"environment": phrase(f"environment.{name}"), "organization": api.organization_open_id}

    def _tell_target(self) -> None:
        """Say where the seals will be made, and from which rosters and pictures."""
        say, comma = self.session.say, self.session.word("mark.comma")
        say("sending_to", **self._target)
        pictures = self.ask.seals or self.session.word("pictures_in_cells")
        rosters = comma.join(mask_text(str(path)) for path in self.ask.rosters)
        say("reading", rosters=rosters, seals=mask_text(str(pictures)))


def _time(seconds: float) -> Phrase:
    """Return how long something takes, as roughly as one cares."""
    if seconds < 1:
        return phrase("time.moment")
    if seconds < 100:
        return phrase("time.seconds", n=round(seconds))
    minutes = round(seconds / 60)
    if minutes < 100:
        return phrase("time.minutes", n=minutes)
    return phrase("time.hours", n=f"{seconds / 3600:.1f}")
