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
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import TYPE_CHECKING, Any

from pipeline.cli.context import Session, warn_of_pictures
from pipeline.cli.run_log import RunRecorder, remove_lone_log
from pipeline.config.settings import Config
from pipeline.domain.masking import mask_text
from pipeline.domain.message import Message
from pipeline.domain.run import RowOutcome, RunPreview, RunReport, RunRequest, Status
from pipeline.domain.site_key import SiteKey
from pipeline.errors import DiskTrouble, EsignImportError
from pipeline.esign.signing import CredentialsSource
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.tenant import get_service_environment
from pipeline.messages.catalogue import join_messages, make_message, render
from pipeline.support.atomic_files import require_writable
from pipeline.workflow import run_request, tenant_ledger

if TYPE_CHECKING:
    from pipeline.esign.rate_limiter import Limiter
    from pipeline.sending.run_state import StopSignal

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
    new_ledger: bool = False,
    steps: bool = True,
    register: bool = True,
    credentials: Callable[[], CredentialsSource] | None = None,
) -> int:
    """Hold the lock and the ledger for one run, print its results and the next ``steps``; return the exit code.

    ``register`` False leaves the registry of ledgers alone.
    """
    session, config = recorder.session, recorder.config
    warn_of_pictures(session, request)
    is_new_folder = not request.out.exists()
    held_ledger = tenant_ledger.lock_ledger(
        config, request, session.clock, new_ledger=new_ledger, register=register, warnings=session
    )
    with held_ledger as (ledger, site_key):
        _create_results_folder(recorder, ledger, request)
        with recorder.write_log(request.out), _count_seals_of_broken_run(session, ledger, request.run):
            from pipeline.cli.run_display import write_and_print_results

            find_credentials = credentials or run_request.make_credentials_getter(config, session.clock)
            with Signals() as signals:
                run = RunSession(
                    session, config, request, ledger, site_key, find_credentials, signals, yes=yes
                )
                signals.end_on_interrupt()
                report = asyncio.run(run.run_interactively())
                if report is not None:
                    if session.several is not None:
                        session.several.record_end(config, report)
                    try:
                        code = write_and_print_results(session, config, report, latest=latest, steps=steps)
                    except Exception as error:
                        code = recorder.record_unwritten_results(ledger, report, error)
                        if not isinstance(error, OSError):
                            raise
                        disk_trouble = DiskTrouble.of(error)
                        disk_trouble.exit_code = code
                        raise disk_trouble from error
                    return recorder.log_end(code)
            recorder.log_end(0)
    if is_new_folder:
        remove_lone_log(request.out)
    session.inform("declined")
    session.suggest_same_command("next_again")
    return 0


@contextmanager
def _count_seals_of_broken_run(session: Session, ledger: DatabaseLedger, run: str) -> Iterator[None]:
    """Count the seals of a run that an exception ends, for the message about it."""
    try:
        yield
    except BaseException:
        with suppress(EsignImportError):
            people = ledger.snapshot().people.values()
            seals = sum(person.seal is not None and person.seal.run == run for person in people)
            session.broken_run = run, seals
        raise


def _create_results_folder(recorder: RunRecorder, ledger: DatabaseLedger, request: RunRequest) -> None:
    """Create the folder of the results; where that fails, the run is recorded in the ledger alone."""
    try:
        require_writable(request.out)
    except OSError as error:
        recorder.record_in_ledger(ledger, request, error)
        raise


@dataclass(frozen=True, slots=True)
class RunSession:
    """One run with a person or a timer in front of it."""

    session: Session
    config: Config
    request: RunRequest
    ledger: DatabaseLedger
    site_key: SiteKey
    credentials: Callable[[], CredentialsSource]
    signals: Signals
    yes: bool

    async def run_interactively(self) -> RunReport | None:
        """Run the import with progress, signals and the question; None where the answer was no."""
        from pipeline.cli.run_progress import Progress
        from pipeline.esign.contracts import CREATE
        from pipeline.sending.circuit_breaker import OutageMonitor
        from pipeline.sending.run_state import StopSignal
        from pipeline.workflow import finish, import_run, run_plan, send_rows

        clock = self.session.clock
        stop = StopSignal()
        requests_per_second = self.config.limits.requests_per_second
        outages = OutageMonitor(clock)
        async with AsyncExitStack() as stack:
            limiter = stack.enter_context(closing(self._get_limiter()))
            progress = await stack.enter_async_context(Progress(self.session, requests_per_second, outages))

            def confirm(preview: RunPreview) -> bool:
                is_confirmed = self._confirm(preview)  # until here a Ctrl-C simply ends: nothing was sent
                self.signals.drain_on_signal(
                    stop, lambda: progress.inform("stopping"), self._report_second_signal
                )
                progress.begin(preview.creates, partial(limiter.list_departures, CREATE))
                if is_confirmed and preview.creates:
                    Thread(target=send_rows.load_sending_modules, daemon=True).start()
                return is_confirmed

            loading_of_reports = Thread(target=finish.load_report_modules, daemon=True)

            def end_row(outcome: RowOutcome) -> None:
                if loading_of_reports.ident is None:  # not before the first call, which it would delay
                    loading_of_reports.start()
                progress(outcome)

            resources = run_plan.RunResources(
                ledger=self.ledger,
                site_key=self.site_key,
                limiter=limiter,
                find_credentials=self.credentials,
                clock=clock,
                stop=stop,
                confirm=confirm,
                on_row_end=end_row,
                outages=outages,
                was_silent=self.session.several is not None and self.session.several.was_silent(self.config),
            )
            return await import_run.run_import(self.request, self.config, resources)

    def _get_limiter(self) -> Limiter:
        """Return the rate limiter: of several hospitals with the same quota it is the same."""
        from pipeline.workflow.hosts_factory import make_limiter

        limits, several = self.config.limits, self.session.several
        if (
            several is None or self.config.is_ledger_on_server
        ):  # there the runs share slots, whichever limiter they have
            return make_limiter(self.config, self.session.clock)
        quota = several.share_quota(limits)
        if quota.limiter is None:
            quota.limiter = make_limiter(self.config, self.session.clock)
        return quota.limiter

    def _report_second_signal(self, exit_code: int) -> None:
        """Print that the second signal ends the program at once, and end the log."""
        self.session.alert("left_at_once")
        self.session.suggest_same_command("next_again")
        LOG.error("the run ends", extra={"exit": exit_code, "code": "CUT_SHORT"})

    def _confirm(self, preview: RunPreview) -> bool:
        """Print what is about to happen; ask only on a terminal, where something would be sent."""
        inform = self.session.inform
        self._print_preview(preview)
        if preview.review_counts is not None:
            right, wrong, elsewhere = preview.review_counts
            inform("judged", right=right, wrong=wrong)
            if elsewhere:
                inform("judged_elsewhere", rows=elsewhere)
        if preview.licences:
            inform("licences", licences=preview.licences)
        if preview.large_images:
            inform("heavy", heavy=preview.large_images)
        if self.yes or not preview.creates or not sys.stdin.isatty():
            return True
        return self.session.confirm("confirm", **self._describe_target())

    def _print_preview(self, preview: RunPreview) -> None:
        """Print how many seals will be made, or why none."""
        inform = self.session.inform
        if preview.creates:
            self._print_target()
            duration = _describe_duration(preview.seconds)
            inform("forecast", rows=preview.rows, creates=preview.creates, time=duration)
        elif preview.stopped_by_guard:
            inform("forecast_guarded", rows=preview.rows)
        elif not preview.rows:
            inform("forecast_unread" if preview.all_rosters_refused else "forecast_nobody")
        else:
            language = self.session.spoken
            counts = [
                make_message("forecast_others", n=n)
                if status is Status.READY
                else f"{render(f'status.{status}', language)} {n}"
                for status, n in sorted(preview.unsent_rows.items(), key=lambda count: -count[1])
            ]
            inform("forecast_nothing", rows=preview.rows, why=join_messages(counts))

    def _describe_target(self) -> dict[str, object]:
        """Return the environment in words, and the organisation, for which seals are to be made."""
        api = self.config.api
        name = get_service_environment(api.endpoint)
        return {"environment": make_message(f"environment.{name}"), "organization": api.organization_open_id}

    def _print_target(self) -> None:
        """Print where the seals will be made, and from which rosters and pictures."""
        self.session.inform("sending_to", **self._describe_target())
        pictures = self.request.seals or self.session.render_sentence("pictures_in_cells")
        rosters = self.session.render_sentence("mark.comma").join(
            mask_text(str(path)) for path in self.request.rosters
        )
        self.session.inform("reading", rosters=rosters, seals=mask_text(str(pictures)))


def _describe_duration(seconds: float) -> Message:
    """Return about how long something takes."""
    if seconds < 1:
        return make_message("time.moment")
    if seconds < 100:
        return make_message("time.seconds", n=round(seconds))
    minutes = round(seconds / 60)
    if minutes < 100:
        return make_message("time.minutes", n=minutes)
    return make_message("time.hours", n=f"{seconds / 3600:.1f}")


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

    def drain_on_signal(
        self, stop: StopSignal, inform: Callable[[], None], before_exit: Callable[[int], None]
    ) -> None:
        """Let a signal set ``stop`` in the running event loop; ``inform`` prints a message at once.

        After the loop ended a signal changes nothing: everything is in the ledger and the results are still written.
        A second signal exits without waiting, after ``before_exit`` was called with the exit code. What is under way
        is in the ledger, and unknown at the next start. SIGHUP counts as SIGTERM, but shells and systemd repeat it,
        so it is never the second signal. Under nohup it stays ignored.
        """
        loop = asyncio.get_running_loop()

        def stop_run() -> None:
            stop.event.set()
            inform()

        def handle_signal(number: int, _: FrameType | None) -> None:
            if stop.signal is not None:
                if number == HANG_UP:
                    return
                exit_code = 128 + _name_signal(number)
                try:
                    before_exit(exit_code)
                finally:
                    os._exit(exit_code)
            stop.signal = _name_signal(number)
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
