"""One run with a person or a timer in front of it: the question, the progress, the signals, the end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from threading import Thread
from types import FrameType
from typing import TYPE_CHECKING, Any

from pipeline.cli.context import Session, warn_of_pictures
from pipeline.cli.run_log import CommandObserver
from pipeline.config.settings import Config
from pipeline.domain.masking import mask_text
from pipeline.domain.run import RowOutcome, RunPreview, RunRequest
from pipeline.intake.readers.discover import list_usable_rosters
from pipeline.workflow.session import EndedSession, RequestedRun, execute

if TYPE_CHECKING:
    from pipeline.cli.run_progress import Progress
    from pipeline.clock import Clock
    from pipeline.esign.rate_limiter import Limiter
    from pipeline.sending.circuit_breaker import OutageMonitor

HANG_UP = getattr(signal, "SIGHUP", None)  # Windows has none
BREAK = getattr(
    signal, "SIGBREAK", None
)  # Windows: Ctrl+Break, a console that is closed, the end of a session
SIGNALS = tuple(filter(None, (signal.SIGINT, signal.SIGTERM, BREAK)))
LOG = logging.getLogger(__name__)


def run_command(
    session: Session,
    config: Config,
    requested: RequestedRun,
    *,
    yes: bool = False,
    steps: bool = True,
) -> EndedSession:
    """Run a `run` or `retry`, and print its results and the next ``steps``."""
    with Signals() as signals:
        signals.end_on_interrupt()
        observer = RunSession(session, config, signals=signals, yes=yes)
        try:
            ended = asyncio.run(execute(requested, config, observer, session.clock, stop=observer.stop))
        finally:
            observer.close()
        if ended.was_declined:
            session.print_json(declined=True)
            session.inform("declined")
        elif not ended.had_nothing_to_read:
            from pipeline.cli.run_display import print_results

            print_results(session, ended.report, ended.files, steps=steps)
    return ended


class RunSession(CommandObserver):
    """One run with a person or a timer in front of it: asks before it sends, shows its progress, drains on a signal."""

    def __init__(self, session: Session, config: Config, *, signals: Signals, yes: bool) -> None:
        from pipeline.sending.run_state import StopSignal
        from pipeline.workflow.finish import load_report_modules

        super().__init__(session)
        self.stop = StopSignal()
        self.shows_changes = not yes and not session.quiet and sys.stdin.isatty()
        self._config, self._signals, self._yes = config, signals, yes
        self._request: RunRequest | None = None
        self._progress: Progress | None = None
        self._loading_of_reports = Thread(target=load_report_modules, daemon=True)

    def close(self) -> None:
        """Take the progress away."""
        if self._progress is not None:
            self._progress.close()
            self._progress = None

    def make_limiter(self, config: Config, clock: Clock) -> Limiter:
        """Return the rate limiter: hospitals with the same limit, one after the other, have the same."""
        if config.is_ledger_on_server:  # its runs share slots, whichever limiter they have
            return super().make_limiter(config, clock)
        limit = config.limits.requests_per_second
        if limit not in self._session.limiters:
            self._session.limiters[limit] = super().make_limiter(config, clock)
        return self._session.limiters[limit]

    def start_run(self, request: RunRequest, limiter: Limiter) -> OutageMonitor:
        """Print what there is to know about the pictures; the progress knows whether the service answers."""
        from pipeline.cli.run_progress import Progress

        warn_of_pictures(self._session, request)
        self._request = request
        self._progress = Progress(self._session, self._config, limiter, request.run)
        return self._progress.outages

    def confirm(self, preview: RunPreview) -> bool:
        """Print what is about to happen and ask; from then on a signal drains the run."""
        is_confirmed = self._get_consent(preview)  # until here a Ctrl-C simply ends: nothing was sent
        self._signals.drain_on_signal(self)
        assert self._progress is not None
        self._progress.begin(preview.creates if is_confirmed else 0)
        if is_confirmed and preview.creates:
            from pipeline.workflow.send_rows import load_sending_modules

            Thread(target=load_sending_modules, daemon=True).start()
        return is_confirmed

    def end_row(self, outcome: RowOutcome) -> None:
        """Count a row that ended."""
        if self._loading_of_reports.ident is None:  # not before the first call, which it would delay
            self._loading_of_reports.start()
        if self._progress is not None:
            self._progress.count(outcome)

    def end_sending(self, outcomes: Sequence[RowOutcome]) -> None:
        """Take the progress away: the results are written."""
        del outcomes
        self.close()

    def report_signal(self) -> None:
        """Print that the run stops; a signal while the results are written changes nothing."""
        if self._progress is not None:
            self._progress.note_stopping()

    def report_second_signal(self, exit_code: int) -> None:
        """Print that the second signal ends the program at once, and end the log."""
        self._session.alert("left_at_once")
        LOG.error("the run ends", extra={"exit": exit_code, "code": "CUT_SHORT"})

    def _get_consent(self, preview: RunPreview) -> bool:
        """Print what is about to happen; ask only on a terminal, where something would be sent."""
        from pipeline.workflow.run_preview import describe_preview, describe_target

        inform = self._session.inform
        self._session.print_changes(preview.changes)
        if preview.creates:
            target = describe_target(self._config)
            inform(target.key, **target.arguments)
            self._print_sources()
        for text in describe_preview(preview, self._session.spoken):
            inform(text.key, **text.arguments)
        if self._yes or not preview.creates or not sys.stdin.isatty():
            return True
        return self._session.confirm("confirm")

    def _print_sources(self) -> None:
        """Print which rosters and pictures were read."""
        request = self._request
        assert request is not None
        pictures = request.seals or self._session.render_sentence("pictures_in_cells")
        rosters = self._session.render_sentence("separator.comma").join(
            mask_text(str(path)) for path in list_usable_rosters(request.rosters) or request.rosters
        )
        self._session.inform("reading", rosters=rosters, seals=mask_text(str(pictures)))


def _name_signal(number: int) -> int:
    """Return the signal that decides the exit code: 130 for SIGINT, else 143."""
    return number if number == signal.SIGINT else signal.SIGTERM


class Signals(ExitStack):
    """Changes what signals do from `drain_on_signal` until the results are written, which ends the block.

    The handlers are the process's, not the event loop's: a loop that closes restores the default, which kills, and the
    results of the run are written only after that.
    """

    def end_on_interrupt(self) -> None:
        """Let a Ctrl-C end the command at once, until `drain_on_signal`.

        An event loop would handle it only between tasks; it does so where it finds Python's own handler.
        """

        def interrupt(_: int, __: FrameType | None) -> None:
            raise KeyboardInterrupt

        self._set_handler(signal.SIGINT, interrupt)

    def drain_on_signal(self, run: RunSession) -> None:
        """Let a signal stop a run in the running event loop.

        After the loop ended a signal changes nothing: everything is in the ledger and the results are still written.
        A second signal exits without waiting. What is under way
        is in the ledger, and unknown at the next start. SIGHUP counts as SIGTERM, but shells and systemd repeat it,
        so it is never the second signal. Under nohup it stays ignored.
        """
        loop = asyncio.get_running_loop()

        def stop_run() -> None:
            run.stop.event.set()
            run.report_signal()

        def handle_signal(number: int, _: FrameType | None) -> None:
            if run.stop.signal is not None:
                if number == HANG_UP:
                    return
                exit_code = 128 + _name_signal(number)
                try:
                    run.report_second_signal(exit_code)
                finally:
                    os._exit(exit_code)
            run.stop.signal = _name_signal(number)
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(stop_run)

        self._wake_loop_on_signal(loop)
        for number in SIGNALS:
            self._set_handler(number, handle_signal)
        if HANG_UP is not None and signal.getsignal(HANG_UP) is not signal.SIG_IGN:
            self._set_handler(HANG_UP, handle_signal)

    def _set_handler(self, number: signal.Signals, handler: Callable[[int, FrameType | None], Any]) -> None:
        self.callback(signal.signal, number, signal.signal(number, handler))

    def _wake_loop_on_signal(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let a signal wake the loop, also one that comes just before the loop begins to wait."""
        reader, writer = map(self.enter_context, socket.socketpair())
        reader.setblocking(False)
        writer.setblocking(False)
        try:
            loop.add_reader(reader, reader.recv, 64)
        except NotImplementedError:  # Windows: its loop has a wake-up of its own
            return
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        self.callback(signal.set_wakeup_fd, -1)
