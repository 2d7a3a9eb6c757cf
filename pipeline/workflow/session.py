"""One command that is to send, from its id to the hooks of its end, in one order for the command line and Python.

However early such a command ends, it leaves its run.json and calls the hooks of its end. A run that
finds the lock taken ends at once: what only a run needs is imported once the ledger is held.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

from pipeline.clock import Clock
from pipeline.config.named_paths import require_ready
from pipeline.config.settings import Config
from pipeline.domain.run import (
    Halt,
    RowOutcome,
    RunObserver,
    RunReport,
    RunRequest,
    Traffic,
    more_severe_exit,
)
from pipeline.errors import DiskTrouble, EsignImportError, HoldLost, LockLost
from pipeline.ledger.ledger import Ledger
from pipeline.reports.next_steps import REPORT_PAGE
from pipeline.reports.records import run_record
from pipeline.support.atomic_files import require_writable
from pipeline.workflow import run_request
from pipeline.workflow.before_run import call_before_run
from pipeline.workflow.recorded_runs import LOG_NAME
from pipeline.workflow.run_report import build_halt, end_report, start_report, write_run_json
from pipeline.workflow.tenant_ledger import lock_ledger

if TYPE_CHECKING:
    from pipeline.esign.rate_limiter import Limiter
    from pipeline.esign.signing import CredentialsFinder
    from pipeline.reports.presenter import Presenter
    from pipeline.sending.circuit_breaker import OutageMonitor
    from pipeline.sending.run_state import StopSignal
    from pipeline.workflow.run_plan import EndedRun

LOG = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")


class SessionObserver(RunObserver):
    """What differs between those who start a session: where warnings go, which hooks are called, what is shown.

    This one shows nothing, and calls no hook.
    """

    language = "en"  # of the files of the results
    config_name = "config"  # in the message about ids that are missing
    is_in_event_loop = False  # of a program that has other work: what takes long is done in a thread

    def print_warning(self, error: EsignImportError) -> None:
        """Show an error that is no reason to stop."""
        LOG.warning("%s", error)

    def call_start_hook(self, command: str, config: Config) -> None:
        """Call what is to be called before a command reads anything."""

    def call_end_hooks(self, report: RunReport, config: Config) -> None:
        """Call what is to be called with every command that ended; the results are written, if there are any."""

    def write_log(self, folder: Path) -> AbstractContextManager[None]:
        """Return what writes log.jsonl in a folder while it is open."""
        del folder
        return nullcontext()

    def show_record(self, report: RunReport) -> None:
        """Show the record of a command that ended without results."""

    def make_limiter(self, config: Config, clock: Clock) -> Limiter:
        """Return the rate limiter of a run, which closes it."""
        from pipeline.workflow.hosts_factory import make_limiter  # noqa: PLC0415 - only a run needs it

        return make_limiter(config, clock)

    def start_run(self, request: RunRequest, limiter: Limiter) -> OutageMonitor | None:
        """Show the run that begins; return what gets to know whether the service answers."""

    def end_sending(self, outcomes: Sequence[RowOutcome]) -> None:
        """Take note that every row has ended; their numbers are whole. The results are written next."""

    def break_run(self, run: str, seals: int) -> None:
        """Take note of a run that an exception ends, and how many seals it made."""


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A run that came to its end: its report, and its files by their usual names."""

    report: RunReport
    files: Mapping[str, Path] = field(default_factory=dict)
    outcomes: Sequence[RowOutcome] = ()  # their numbers are whole
    had_nothing_to_read: bool = False
    was_declined: bool = False  # the preview was not confirmed, and nothing happened


class SessionRecord:
    """The records of one command: its log, and its run.json where it ends without results.

    Its log is in the folder of its results as soon as it holds the ledger. Before that another run may be writing there, so
    a command that ended earlier has its record in a folder of its own, in which `status` looks.
    """

    def __init__(
        self, command: str, config: Config, observer: SessionObserver, clock: Clock, out: Path | None = None
    ) -> None:
        self.config, self.observer, self.clock = config, observer, clock
        run = run_request.reserve_run_id(config, clock)
        self.begun = start_report(config, run=run, command=command, started=clock.now(), out=out)
        self.own_folder = config.resolve_path(config.out) / run
        self._is_logging = False
        self._is_recorded = False  # run.json holds the end already

    @property
    def run(self) -> str:
        """The run's id."""
        return self.begun.run

    @contextmanager
    def write_log(self, folder: Path) -> Iterator[None]:
        """Write the log in a folder while the block runs; its last line is the end, also one by an exception."""
        with self.observer.write_log(folder):
            self._is_logging = True
            LOG.info("the run begins", extra={"tenant": self.begun.tenant})  # all that a killed run leaves
            try:
                yield
            except BaseException as error:
                if not isinstance(error, EsignImportError | KeyboardInterrupt | asyncio.CancelledError):
                    LOG.exception("the run broke")
                halt = build_halt(error)
                LOG.error("the run ends", extra={"exit": halt.exit, "code": halt.code})  # noqa: TRY400 - the traceback is logged above
                raise

    def end_without_rows(
        self, traffic: Traffic | None = None, halt: Halt | None = None, code: int = 0
    ) -> RunReport:
        """Leave the record of a command that has no rows: it has nothing to do, or has called the service."""
        report = replace(end_report(self.begun, self.clock.now(), halt), exit=code)
        if traffic is not None:
            report = replace(report, traffic=traffic)
        self._is_recorded = True
        self._leave_record(report, [self.own_folder])
        log_end(code)
        return report

    def record_failure(self, error: BaseException) -> None:
        """Leave the record of a command that an exception ended: in its folder, and where `status` looks."""
        if self._is_recorded:
            return
        folders = [self.begun.out, self.own_folder]
        if not self._is_logging:
            folders = [self.own_folder]
            with suppress(OSError, type(error)), self.write_log(self.own_folder):
                raise error
        self._is_recorded = True
        self._leave_record(self._end_report(error), folders)

    def record_in_ledger(self, ledger: Ledger, request: RunRequest, error: OSError) -> None:
        """Record a run whose results folder cannot be written, and which may leave no run.json, in the ledger."""
        from pipeline.workflow.stage_settings import build_run_record  # noqa: PLC0415 - only a run needs it

        report = self._end_report(error)
        record = json.dumps(run_record(report), ensure_ascii=False)
        with suppress(EsignImportError):
            begun = build_run_record(request, self.config, self.begun.started, ledger.site_key)
            ledger.begin_run(replace(begun, exit=report.exit, finished=report.finished, record=record))

    def record_unwritten_results(self, ledger: Ledger, report: RunReport, error: Exception) -> int:
        """Record a run whose results could not be written, in run.json and in the ledger; return its exit code."""
        from pipeline.workflow.finish import note_takeover  # noqa: PLC0415 - only a run needs it

        halt = build_halt(error)
        exit_code = more_severe_exit(report.exit, halt.exit)
        report = note_takeover(replace(report, exit=exit_code, halt=report.halt or halt), ledger, self.config)
        with suppress(EsignImportError):  # sums that do not add up stand in no record
            record = json.dumps(run_record(report), ensure_ascii=False)
            self._is_recorded = True
            self._leave_record(report, [report.out, self.own_folder])
            ledger.finish_run(report.run, exit=exit_code, finished=report.finished, record=record)
        return exit_code

    def _end_report(self, error: BaseException) -> RunReport:
        report = end_report(self.begun, self.clock.now(), build_halt(error))
        return replace(report, is_superseded=isinstance(error, HoldLost) and not isinstance(error, LockLost))

    def _leave_record(self, report: RunReport, folders: Sequence[Path]) -> None:
        """Write run.json of a command without results, and call the hooks that every end calls."""
        write_run_json(report, folders)
        self.observer.call_end_hooks(report, self.config)
        with suppress(EsignImportError):  # the reason of the end is what is reported
            self.observer.show_record(report)


@contextmanager
def record_session(
    command: str, config: Config, observer: SessionObserver, clock: Clock
) -> Iterator[SessionRecord]:
    """Leave a record of a command that calls the service, also where an exception ends it."""
    record = SessionRecord(command, config, observer, clock)
    observer.call_start_hook(command, config)
    try:
        require_ready(config, observer.config_name)
        yield record
    except BaseException as error:
        record.record_failure(error)
        raise


class RequestedRun(NamedTuple):
    """A `run` or `retry` as it was asked for."""

    command: str
    make_request: Callable[[str], RunRequest]  # returns the request for the id of the run
    rosters: Sequence[
        Path
    ] = ()  # those that are named; without them the command of `before_run` is called first
    out: Path | None = None  # the folder of the results that is named


async def execute(
    requested: RequestedRun,
    config: Config,
    observer: SessionObserver,
    clock: Clock,
    *,
    stop: StopSignal,
    credentials: CredentialsFinder | None = None,
    writes_files: bool = True,
) -> EndedSession:
    """Run a `run` or `retry` to its end: id, hooks, ledger, import, results, hooks.

    ``writes_files`` False: no results are written. Raises what ends a run before its results are written, once that is
    recorded.
    """
    command, make_request, rosters, out = requested
    record = SessionRecord(command, config, observer, clock, out)
    execution = _Execution(record, stop, credentials, writes_files=writes_files)
    try:
        await execution.call(observer.call_start_hook, command, config)
        require_ready(config, observer.config_name)
        run_request.refuse_results(rosters)
        if config.before_run is not None and not rosters:
            await execution.call(call_before_run, config.before_run, config.base)
        request = make_request(record.run)
        if command == "run" and run_request.has_nothing_to_read(request, config, clock):
            return execution.end_without_rosters(request)
        return await execution.run(request)
    except BaseException as error:
        await execution.call(record.record_failure, error)
        raise


@dataclass(frozen=True, slots=True)
class _Execution:
    """One `run` or `retry`, and what its caller gave."""

    record: SessionRecord
    stop: StopSignal
    credentials: CredentialsFinder | None
    writes_files: bool

    async def call(self, function: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Call what may take long, in a thread where the event loop has other work."""
        if self.record.observer.is_in_event_loop:
            return await asyncio.to_thread(function, *args, **options)
        return function(*args, **options)

    def end_without_rosters(self, request: RunRequest) -> EndedSession:
        """End a run that has nothing to read."""
        record = self.record
        report = end_report(record.begun, record.clock.now())
        if self.writes_files:
            with suppress(OSError), record.write_log(record.own_folder):
                report = record.end_without_rows()
        record.observer.show_record(report)
        return EndedSession(replace(report, seals=request.seals), had_nothing_to_read=True)

    async def run(self, request: RunRequest) -> EndedSession:
        """Hold the ledger for one run."""
        record, observer, is_new_folder = self.record, self.record.observer, not request.out.exists()
        held = lock_ledger(record.config, record.run, record.clock, warnings=observer)
        with held as (ledger, _):
            if self.writes_files:
                self._create_results_folder(request, ledger)
            with record.write_log(request.out), self._count_seals_of_broken_run(ledger):
                ended = await self._import(request, ledger)
                if ended is not None:
                    return await self._write_results(request, ledger, ended)
                log_end(0)
        if is_new_folder:
            _remove_lone_log(request.out)
        return EndedSession(record.begun, was_declined=True)

    async def _import(self, request: RunRequest, ledger: Ledger) -> EndedRun | None:
        from pipeline.workflow import import_run, run_plan, stage_settings  # noqa: PLC0415

        record, observer = self.record, self.record.observer
        with closing(observer.make_limiter(record.config, record.clock)) as limiter:
            resources = run_plan.RunResources(
                ledger=ledger,
                site_key=ledger.site_key,
                limiter=limiter,
                credentials=self.credentials or stage_settings.get_credentials_places(record.config),
                clock=record.clock,
                stop=self.stop,
                observer=observer,
                outages=observer.start_run(request, limiter),
                prepare_in_thread=observer.is_in_event_loop,
            )
            ended = await import_run.run_import(request, record.config, resources)
            if ended is not None:
                observer.end_sending(ended.list_whole_outcomes())
            return ended

    async def _write_results(self, request: RunRequest, ledger: Ledger, ended: EndedRun) -> EndedSession:
        """Write the results, and call the hooks; where the disk refuses them, the run is recorded without them."""
        from pipeline.reports.presenter import Presenter  # noqa: PLC0415
        from pipeline.workflow.finish import finish_run  # noqa: PLC0415

        record, observer = self.record, self.record.observer
        latest = run_request.get_latest_folder(record.config, request)
        ended = replace(
            ended, report=replace(ended.report, latest=None if request.command == "retry" else latest)
        )
        presenter = Presenter.for_report(ended.report, observer.language)
        try:
            report, files = await self.call(
                finish_run,
                ended,
                record.config,
                presenter,
                latest=latest,
                ledger=ledger,
                writes_files=self.writes_files,
            )
        except Exception as error:
            code = record.record_unwritten_results(ledger, ended.report, error)
            if not isinstance(error, OSError):
                raise
            _warn_of_old_copies(ended.report, presenter, observer)
            disk_trouble = DiskTrouble.of(error)
            disk_trouble.exit_code = code
            raise disk_trouble from error
        await self.call(observer.call_end_hooks, report, record.config)
        log_end(report.exit)
        return EndedSession(report, files, ended.list_whole_outcomes())

    def _create_results_folder(self, request: RunRequest, ledger: Ledger) -> None:
        """Create the folder of the results; where that fails, the run is recorded in the ledger as well."""
        try:
            require_writable(request.out)
        except OSError as error:
            self.record.record_in_ledger(ledger, request, error)
            raise

    @contextmanager
    def _count_seals_of_broken_run(self, ledger: Ledger) -> Iterator[None]:
        """Count the seals of a run that an exception ends, for the message about it."""
        run = self.record.run
        try:
            yield
        except BaseException:
            with suppress(EsignImportError):
                people = ledger.snapshot().people.values()
                seals = sum(person.seal is not None and person.seal.run == run for person in people)
                self.record.observer.break_run(run, seals)
            raise


def log_end(exit_code: int) -> None:
    """Log the last line of a command that came to its end."""
    LOG.info("the run ends", extra={"exit": exit_code})


def _warn_of_old_copies(report: RunReport, presenter: Presenter, observer: SessionObserver) -> None:
    """Warn where the results were written and only their copies failed: the folder of the copies holds earlier ones."""
    if report.latest is not None and (report.out / REPORT_PAGE).exists():
        folders = {"path": report.out, "latest": report.latest}
        masked = {name: presenter.mask_path(folder) for name, folder in folders.items()}
        observer.print_warning(DiskTrouble("results_without_latest", **masked))


def _remove_lone_log(folder: Path) -> None:
    """Remove a folder that holds nothing but the log of a run that was declined."""
    with suppress(OSError):  # it stays, without harm
        if [entry.name for entry in folder.iterdir()] == [LOG_NAME]:
            (folder / LOG_NAME).unlink()
        folder.rmdir()
