"""`check`, `run` and `retry`, and their result."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Unpack

from pipeline.api.arguments import (
    Language,
    Rosters,
    RunOptions,
    SendOptions,
    StrPath,
    check_arguments,
    load_config,
    load_ready_config,
    name_invocation,
)
from pipeline.clock import Clock, SystemClock
from pipeline.config.environment import choose_language
from pipeline.config.settings import Config
from pipeline.domain.row_record import RowLine
from pipeline.domain.run import Halt, RowOutcome, RunObserver, RunPreview, RunReport, RunRequest, Status
from pipeline.domain.site_key import KEY_BYTES, SiteKey
from pipeline.errors import UsageError
from pipeline.esign.signing import Credentials, CredentialsFinder, CredentialsSource
from pipeline.ledger.protocol import Ledger
from pipeline.operations.run_hooks import HeldRun, call_run_end_hooks, call_run_start_hooks
from pipeline.reports.presenter import Presenter
from pipeline.reports.records import record_outcome
from pipeline.reports.row_values import to_frame
from pipeline.sending.run_state import StopSignal
from pipeline.workflow import import_run, run_plan, run_request, tenant_ledger
from pipeline.workflow.finish import finish_run
from pipeline.workflow.hosts_factory import make_limiter
from pipeline.workflow.run_report import start_report
from pipeline.workflow.stage_settings import get_credentials_places

if TYPE_CHECKING:
    from pipeline.reports.row_values import Frame

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """The result of a run: its whole ``report``, and the files that were written, by their usual names."""

    report: RunReport
    files: Mapping[str, Path] = field(
        default_factory=dict
    )  # "results.xlsx" -> its path; empty with write=False
    language: str = "en"  # of the files, and of the sentences in ``rows``

    @property
    def outcomes(self) -> Sequence[RowOutcome]:
        """Every row of the rosters, once, in their order."""
        return self.report.outcomes

    @property
    def rows(self) -> Sequence[RowLine]:
        """The outcomes as outcomes.jsonl holds them, numbers masked: ``row.to_dict()`` is the line of a row."""
        presenter = Presenter.for_report(self.report, self.language)
        return tuple(
            record_outcome(outcome, run=self.report.run, presenter=presenter) for outcome in self.outcomes
        )

    @property
    def counts(self) -> Mapping[Status, int]:
        """How many rows ended in each status; those that occur, in the order of ``Status``."""
        ends = [outcome.status for outcome in self.outcomes]
        return MappingProxyType({status: ends.count(status) for status in Status if status in ends})

    @property
    def exit(self) -> int:
        """The exit code of the command line (README, "Exit codes"): 0 where nothing has to be done."""
        return self.report.exit

    @property
    def halted(self) -> Halt | None:
        """Why the run stopped before its end, if it did."""
        return self.report.halt

    def to_frame(self) -> Frame:
        """Return the outcomes as a pandas DataFrame, a row each: outcomes.jsonl's fields, numbers masked."""
        return to_frame(self.outcomes)

    def __repr__(self) -> str:
        ends = "".join(f", {status.value}={rows}" for status, rows in self.counts.items())
        return f"Result(run={self.report.run!r}, exit={self.exit}{ends})"


@check_arguments
def check(
    config: Config | StrPath | None = None,
    *,
    rosters: Rosters = (),
    seals: StrPath | None = None,
    out: StrPath | None = None,
    write: bool = True,
    language: Language | None = None,
    ledger: Ledger | None = None,
    site_key: bytes | None = None,
    clock: Clock | None = None,
) -> Result:
    """Find everything that a run would find, without a call; rows that would be sent end as ``ready``.

    Without a ledger, or a configuration with the ids of the account, nothing is compared with earlier runs, and the
    review is for looking only. No ledger is made, and no lock is taken.
    """
    options = RunOptions(rosters=rosters, seals=seals, out=out, write=write, language=language)
    loaded, clock = load_config(config), clock or SystemClock()
    request = _build_request("check", config, loaded, clock, {**options, "ledger": ledger})
    run_request.refuse_results(_list_paths(rosters))
    if loaded.api.placeholders and ledger is None:
        ended = import_run.run_check(request, loaded, ledger=None, site_key=None, clock=clock)
    else:
        given = _use_given_ledger(loaded, ledger, site_key)
        with given or tenant_ledger.open_ledger_for_check(loaded, clock) as (journal, key):
            ended = import_run.run_check(request, loaded, ledger=journal, site_key=key, clock=clock)
    return _finish(ended, loaded, options)


@check_arguments
def run(config: Config | StrPath, **options: Unpack[RunOptions]) -> Result:
    """Create the seals that are missing; safe to repeat. A running event loop needs `run_async` instead.

    A Ctrl-C drains: nothing new is sent, what is under way is awaited and recorded, then KeyboardInterrupt is raised.
    """
    return _run_in_own_loop("run_async", run_async(config, **options))


@check_arguments
async def run_async(config: Config | StrPath, **options: Unpack[RunOptions]) -> Result:
    """Create the seals that are missing; safe to repeat.

    Cancelling the task drains as Ctrl-C does: nothing new is sent, what is under way is awaited and recorded, the results
    are written with exit 130, then CancelledError is raised. A second cancellation leaves at once; creates that were
    under way are ``unknown`` from then on.
    """
    loaded, clock = load_ready_config(config), options.get("clock") or SystemClock()
    request = _build_request("run", config, loaded, clock, options)
    run_request.refuse_results(_list_paths(options.get("rosters", ())))
    if run_request.has_nothing_to_read(request, loaded, clock, options.get("ledger")):
        now = clock.now()
        report = start_report(loaded, run=request.run, command="run", started=now, out=request.out)
        return Result(replace(report, seals=request.seals))
    return await _send(request, loaded, clock, options, new_ledger=options.get("new_ledger", False))


@check_arguments
def retry(config: Config | StrPath, **options: Unpack[SendOptions]) -> Result:
    """Send failed, rejected and unsent rows of the last run again, its rosters read anew: corrected rows as well.

    A running event loop needs `retry_async` instead. A Ctrl-C drains as it does in `run`.
    """
    return _run_in_own_loop("retry_async", retry_async(config, **options))


@check_arguments
async def retry_async(config: Config | StrPath, **options: Unpack[SendOptions]) -> Result:
    """Send failed, rejected and unsent rows of the last run again, its rosters read anew: corrected rows as well.

    Cancelling the task drains as it does in `run_async`.
    """
    loaded, clock = load_ready_config(config), options.get("clock") or SystemClock()
    request = run_request.build_retry(
        loaded,
        clock,
        seals=_make_path(options.get("seals")),
        out=_make_path(options.get("out")),
        invocation=name_invocation(config),
        ledger=options.get("ledger"),
    )
    return await _send(request, loaded, clock, options)


def _run_in_own_loop(instead: str, work: Coroutine[None, None, Result]) -> Result:
    """Run a coroutine to its end; UsageError, which names the function to use ``instead``, inside a running event loop."""
    is_loop_running = True
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        is_loop_running = False
    if not is_loop_running:
        return asyncio.run(work)
    work.close()
    raise UsageError("usage.loop_runs", function=instead)


async def _send(
    request: RunRequest, config: Config, clock: Clock, options: SendOptions, *, new_ledger: bool = False
) -> Result:
    """Hold the lock and the ledger for one run that may be cancelled."""
    await asyncio.to_thread(call_run_start_hooks, request.command, config)
    stop = StopSignal()
    given = _use_given_ledger(config, options.get("ledger"), options.get("site_key"))
    opened = given or tenant_ledger.lock_ledger(config, request, clock, new_ledger=new_ledger)
    return await _drain_when_cancelled(
        _run_import(request, config, options, clock=clock, stop=stop, opened_ledger=opened), stop
    )


async def _run_import(
    request: RunRequest,
    config: Config,
    options: SendOptions,
    *,
    clock: Clock,
    stop: StopSignal,
    opened_ledger: AbstractContextManager[tuple[Ledger, SiteKey]],
) -> Result:
    reporter = _OutcomeReporter(options.get("on_outcome"), stop)
    given = options.get("limiter")
    own_limiter = nullcontext(given) if given is not None else closing(make_limiter(config, clock))
    with opened_ledger as (ledger, site_key), own_limiter as limiter:
        resources = run_plan.RunResources(
            ledger=ledger,
            site_key=site_key,
            limiter=limiter,
            credentials=_get_credentials(options.get("credentials"), config, clock),
            clock=clock,
            stop=stop,
            observer=reporter,
            prepare_in_thread=True,
        )
        ended = await import_run.run_import(request, config, resources)
        if ended is None:  # cancelled before the first call: nothing happened
            raise asyncio.CancelledError
        reporter.report_unsent(ended.list_whole_outcomes())
        latest = run_request.get_latest_folder(config, request)
        held = HeldRun(ledger, clock, ended.row_plans)
        return await asyncio.to_thread(_finish, ended, config, options, latest=latest, held=held)


async def _drain_when_cancelled(work: Coroutine[None, None, Result], stop: StopSignal) -> Result:
    """Await a run; the first cancellation lets it drain, the second one cancels it."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.signal = signal.SIGINT
        stop.event.set()
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)  # until it has released ledger and lock
            raise
        raise


class _OutcomeReporter(RunObserver):
    """Calls ``on_outcome`` with every row exactly once."""

    def __init__(self, on_outcome: Callable[[RowOutcome], None] | None, stop: StopSignal) -> None:
        self._on_outcome = on_outcome or (lambda _: None)
        self._stop = stop
        self._reported: set[int] = set()  # indexes of row plans

    def confirm(self, _: RunPreview) -> bool:
        """Return whether the task was not cancelled before the first call."""
        return not self._stop.event.is_set()

    def end_row(self, outcome: RowOutcome) -> None:
        """Report a row that was sent, as it ends."""
        self._reported.add(outcome.row_plan.index)
        self._on_outcome(outcome)

    def report_unsent(self, outcomes: Sequence[RowOutcome]) -> None:
        """Report the rows that were not sent."""
        for outcome in outcomes:
            if outcome.row_plan.index not in self._reported:
                try:
                    self.end_row(outcome)
                except Exception:
                    LOG.exception("on_outcome failed")  # as while sending: it must not end a run


def _build_request(
    command: str, config: Config | StrPath | None, loaded: Config, clock: Clock, options: RunOptions
) -> RunRequest:
    return run_request.build_request(
        command,
        loaded,
        clock,
        rosters=_list_paths(options.get("rosters", ())),
        seals=_make_path(options.get("seals")),
        out=_make_path(options.get("out")),
        limit=options.get("limit"),
        only=options.get("only", ()),
        review=_make_path(options.get("review")),
        checked=options.get("checked"),
        accept_guards=options.get("accept_guards", False),
        invocation=name_invocation(config),
        ledger=options.get("ledger"),
    )


def _make_path(path: StrPath | None) -> Path | None:
    return None if path is None else Path(path)


def _list_paths(rosters: Rosters) -> tuple[Path, ...]:
    return (Path(rosters),) if isinstance(rosters, (Path, str)) else tuple(map(Path, rosters))


def _use_given_ledger(
    config: Config, ledger: Ledger | None, site_key: bytes | None
) -> nullcontext[tuple[Ledger, SiteKey]] | None:
    """Return the caller's own ledger and key, which are neither opened nor closed here; None where none was given."""
    if ledger is None and site_key is None:
        return None
    if ledger is None or site_key is None or len(site_key) != KEY_BYTES:
        raise UsageError("usage.ledger_and_key", bytes=KEY_BYTES)
    return nullcontext((ledger, SiteKey(site_key, config.tenant)))


def _get_credentials(
    given: Credentials | Callable[[], CredentialsSource] | None, config: Config, clock: Clock
) -> CredentialsFinder:
    if given is None:
        return get_credentials_places(config, clock)
    return given if isinstance(given, Credentials) else _CallersCredentials(given)


class _CallersCredentials:
    """Asks the caller's own function for the keys."""

    def __init__(self, function: Callable[[], CredentialsSource]) -> None:
        self._function = function

    def find(self) -> CredentialsSource:
        """Return what the function returns."""
        return self._function()


def _finish(
    ended: run_plan.EndedRun,
    config: Config,
    options: SendOptions,
    *,
    latest: Path | None = None,
    held: HeldRun | None = None,
) -> Result:
    language = choose_language(options.get("language") or config.language)
    presenter = Presenter.for_report(ended.report, language)
    report, files = finish_run(
        ended,
        config,
        presenter,
        latest=latest,
        ledger=held.ledger if held is not None else None,
        writes_files=options.get("write", True),
    )
    call_run_end_hooks(report, config, held=held)
    return Result(replace(report, outcomes=ended.list_whole_outcomes()), files, language)
