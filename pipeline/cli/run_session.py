"""One run with a person or a timer in front of it: the lock, the log, the question, the progress, the results.

A run that finds the lock taken ends at once: what only a run needs is imported once the lock is held.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import TYPE_CHECKING, Any

from pipeline.cli.context import Session, warn_of_pictures
from pipeline.cli.run_log import RunRecorder, remove_lone_log
from pipeline.config.settings import Config
from pipeline.domain.masking import mask_text
from pipeline.domain.run import RowOutcome, RunObserver, RunPreview, RunRequest
from pipeline.errors import DiskTrouble, EsignImportError
from pipeline.intake.readers.discover import list_usable_rosters
from pipeline.ledger.ledger import Ledger
from pipeline.support.atomic_files import require_writable
from pipeline.workflow import tenant_ledger

if TYPE_CHECKING:
    from pipeline.cli.run_progress import Progress
    from pipeline.esign.rate_limiter import Limiter
    from pipeline.workflow.run_plan import EndedRun

HANG_UP = getattr(signal, "SIGHUP", None)  # Windows has none
BREAK = getattr(
    signal, "SIGBREAK", None
)  # Windows: Ctrl+Break, a console that is closed, the end of a session
SIGNALS = tuple(filter(None, (signal.SIGINT, signal.SIGTERM, BREAK)))
LOG = logging.getLogger(__name__)


def run_command(
    recorder: RunRecorder,
    request: RunRequest,
    *,
    latest: Path | None,
    yes: bool = False,
    steps: bool = True,
) -> int:
    """Hold the lock and the ledger for one run, print its results and the next ``steps``; return the exit code."""
    session, config = recorder.session, recorder.config
    warn_of_pictures(session, request)
    is_new_folder = not request.out.exists()
    held_ledger = tenant_ledger.lock_ledger(config, request.run, session.clock, warnings=session)
    with held_ledger as (ledger, site_key):
        _create_results_folder(recorder, ledger, request)
        with recorder.write_log(request.out), _count_seals_of_broken_run(session, ledger, request.run):
            from pipeline.cli.run_progress import Progress
            from pipeline.workflow import import_run, run_plan, stage_settings

            with Signals() as signals:
                signals.end_on_interrupt()
                with (
                    closing(_get_limiter(session, config)) as limiter,
                    closing(Progress(session, config, limiter, request.run)) as progress,
                ):
                    observer = RunSession(
                        session, config, request, signals=signals, progress=progress, yes=yes
                    )
                    resources = run_plan.RunResources(
                        ledger=ledger,
                        site_key=site_key,
                        limiter=limiter,
                        credentials=stage_settings.get_credentials_places(config),
                        clock=session.clock,
                        stop=observer.stop,
                        observer=observer,
                        outages=progress.outages,
                    )
                    ended = asyncio.run(import_run.run_import(request, config, resources))
                if ended is not None:
                    return _write_results(recorder, ledger, ended, latest=latest, steps=steps)
            recorder.log_end(0)
    if is_new_folder:
        remove_lone_log(request.out)
    session.print_json(declined=True)
    session.inform("declined")
    return 0


def _write_results(
    recorder: RunRecorder, ledger: Ledger, ended: EndedRun, *, latest: Path | None, steps: bool
) -> int:
    """Write and print the results; where the disk refuses them, the run is recorded without them."""
    from pipeline.cli.run_display import write_and_print_results

    session, config = recorder.session, recorder.config
    try:
        code = write_and_print_results(session, config, ended, latest=latest, ledger=ledger, steps=steps)
    except Exception as error:
        code = recorder.record_unwritten_results(ledger, ended.report, error)
        if not isinstance(error, OSError):
            raise
        disk_trouble = DiskTrouble.of(error)
        disk_trouble.exit_code = code
        raise disk_trouble from error
    return recorder.log_end(code)


def _get_limiter(session: Session, config: Config) -> Limiter:
    """Return the rate limiter: hospitals with the same limit, one after the other, have the same."""
    from pipeline.workflow.hosts_factory import make_limiter

    # with a ledger on a server the runs share slots, whichever limiter they have
    if config.is_ledger_on_server:
        return make_limiter(config, session.clock)
    limit = config.limits.requests_per_second
    if limit not in session.limiters:
        session.limiters[limit] = make_limiter(config, session.clock)
    return session.limiters[limit]


@contextmanager
def _count_seals_of_broken_run(session: Session, ledger: Ledger, run: str) -> Iterator[None]:
    """Count the seals of a run that an exception ends, for the message about it."""
    try:
        yield
    except BaseException:
        with suppress(EsignImportError):
            people = ledger.snapshot().people.values()
            seals = sum(person.seal is not None and person.seal.run == run for person in people)
            session.broken_run = run, seals
        raise


def _create_results_folder(recorder: RunRecorder, ledger: Ledger, request: RunRequest) -> None:
    """Create the folder of the results; where that fails, the run is recorded in the ledger alone."""
    try:
        require_writable(request.out)
    except OSError as error:
        recorder.record_in_ledger(ledger, request, error)
        raise


class RunSession(RunObserver):
    """One run with a person or a timer in front of it: asks before it sends, shows its progress, drains on a signal."""

    def __init__(
        self,
        session: Session,
        config: Config,
        request: RunRequest,
        *,
        signals: Signals,
        progress: Progress,
        yes: bool,
    ) -> None:
        from pipeline.sending.run_state import StopSignal
        from pipeline.workflow.finish import load_report_modules

        self.stop = StopSignal()
        self.shows_changes = not yes and not session.quiet and sys.stdin.isatty()
        self._session, self._config, self._request = session, config, request
        self._signals, self._progress, self._yes = signals, progress, yes
        self._loading_of_reports = Thread(target=load_report_modules, daemon=True)

    def confirm(self, preview: RunPreview) -> bool:
        """Print what is about to happen and ask; from then on a signal drains the run."""
        is_confirmed = self._get_consent(preview)  # until here a Ctrl-C simply ends: nothing was sent
        self._signals.drain_on_signal(self)
        self._progress.begin(preview.creates if is_confirmed else 0)
        if is_confirmed and preview.creates:
            from pipeline.workflow.send_rows import load_sending_modules

            Thread(target=load_sending_modules, daemon=True).start()
        return is_confirmed

    def end_row(self, outcome: RowOutcome) -> None:
        """Count a row that ended."""
        if self._loading_of_reports.ident is None:  # not before the first call, which it would delay
            self._loading_of_reports.start()
        self._progress.count(outcome)

    def report_signal(self) -> None:
        """Print that the run stops."""
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
        pictures = self._request.seals or self._session.render_sentence("pictures_in_cells")
        rosters = self._session.render_sentence("separator.comma").join(
            mask_text(str(path))
            for path in list_usable_rosters(self._request.rosters) or self._request.rosters
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
