"""`check`, `run` and `retry`, and their result."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ParamSpec

from pipeline.api.arguments import (
    Count,
    KeyPair,
    Language,
    Rosters,
    StrPath,
    Text,
    check_arguments,
    list_paths,
    load_config,
    make_path,
    name_invocation,
)
from pipeline.clock import SystemClock
from pipeline.config.environment import choose_language
from pipeline.config.settings import Config
from pipeline.domain.row_record import RowLine
from pipeline.domain.run import Halt, RowOutcome, RunPreview, RunReport, RunRequest, Status
from pipeline.errors import UsageError
from pipeline.esign.signing import Credentials
from pipeline.operations.run_hooks import call_run_end_hooks, call_run_start_hook
from pipeline.reports.presenter import Presenter
from pipeline.reports.records import record_outcome
from pipeline.reports.row_values import to_frame
from pipeline.sending.run_state import StopSignal
from pipeline.workflow import import_run, run_request
from pipeline.workflow.finish import finish_run
from pipeline.workflow.session import RequestedRun, SessionObserver, execute

if TYPE_CHECKING:
    from pipeline.reports.row_values import Frame

LOG = logging.getLogger(__name__)
P = ParamSpec("P")


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
) -> Result:
    """Find everything that a run would find, without a call; rows that would be sent end as ``ready``.

    The arguments mean what they mean for `run`. Names and staff numbers of ready rows are entered in the ledger, which is made
    where there is none. Without a configuration with the ids of the account nothing is compared with earlier runs, nothing is
    entered, and the review is for looking only.
    """
    loaded, clock = load_config(config), SystemClock()
    request = run_request.build_request(
        "check",
        loaded,
        clock,
        rosters=list_paths(rosters),
        seals=make_path(seals),
        out=make_path(out),
        invocation=name_invocation(config),
    )
    run_request.refuse_results(list_paths(rosters))
    ended = import_run.run_check(request, loaded, clock, has_tenant=not loaded.api.placeholders)
    chosen = choose_language(language or loaded.language)
    presenter = Presenter.for_report(ended.report, chosen)
    report, files = finish_run(ended, loaded, presenter, writes_files=write)
    call_run_end_hooks(report, loaded)
    return Result(replace(report, outcomes=tuple(ended.list_whole_outcomes())), files, chosen)


@check_arguments
async def run_async(
    config: Config | StrPath,
    *,
    rosters: Rosters = (),
    seals: StrPath | None = None,
    out: StrPath | None = None,
    write: bool = True,
    language: Language | None = None,
    limit: Count | None = None,
    only: Sequence[Text] = (),
    checked: Text | None = None,
    accept_guards: bool = False,
    credentials: KeyPair | None = None,
    on_outcome: Callable[[RowOutcome], None] | None = None,
) -> Result:
    """Create the seals that are missing; safe to repeat.

    ``config`` is a configuration, or the path of a config.yaml; relative paths count from the current folder. Each argument
    has the meaning of the command line's option of the same name, by default the configuration's value. ``write=False``
    writes no result files; state and work folders are kept all the same. ``limit`` creates at most so many seals. ``only``
    holds names and staff numbers, with ``checked`` also plan.jsonl:LINE. ``checked`` is the id of a check: only what it
    showed is sent. ``credentials`` take the place of the places in the configuration page. ``on_outcome`` is called with
    every row exactly once, in the event loop's thread: a row that is sent as it ends, any other at the end of the run; an
    exception of it is logged and ends nothing.

    Cancelling the task drains as Ctrl-C does: nothing new is sent, what is under way is awaited and recorded, the results
    are written with exit 130, then CancelledError is raised. A second cancellation leaves at once; creates that were
    under way are ``unknown`` from then on.
    """
    loaded, paths = load_config(config), list_paths(rosters)

    def make_request(run: str) -> RunRequest:
        return run_request.build_request(
            "run",
            loaded,
            SystemClock(),
            rosters=paths,
            seals=make_path(seals),
            out=make_path(out),
            limit=limit,
            only=only,
            checked=checked,
            accept_guards=accept_guards,
            invocation=name_invocation(config),
            run=run,
        )

    observer = _ApiObserver(loaded, config, language, on_outcome)
    requested = RequestedRun("run", make_request, paths, make_path(out))
    return await _run_cancellable(requested, loaded, observer, credentials, writes_files=write)


@check_arguments
async def retry_async(
    config: Config | StrPath,
    *,
    rosters: Rosters = (),
    seals: StrPath | None = None,
    out: StrPath | None = None,
    write: bool = True,
    language: Language | None = None,
    credentials: KeyPair | None = None,
    on_outcome: Callable[[RowOutcome], None] | None = None,
) -> Result:
    """Send failed, rejected and unsent rows of the last run over these rosters again, read anew: corrected rows as well.

    The arguments mean what they mean for `run`. Cancelling the task drains as it does in `run_async`.
    """
    loaded, paths = load_config(config), list_paths(rosters)

    def make_request(run: str) -> RunRequest:
        return run_request.build_retry(
            loaded,
            SystemClock(),
            rosters=paths,
            seals=make_path(seals),
            out=make_path(out),
            invocation=name_invocation(config),
            run=run,
        )

    observer = _ApiObserver(loaded, config, language, on_outcome)
    requested = RequestedRun("retry", make_request, paths, make_path(out))
    return await _run_cancellable(requested, loaded, observer, credentials, writes_files=write)


def _make_blocking(function: Callable[P, Coroutine[None, None, Result]], name: str) -> Callable[P, Result]:
    """Return a function that runs a coroutine to its end; UsageError, which names the coroutine, inside an event loop.

    A Ctrl-C drains: nothing new is sent, what is under way is awaited and recorded, then KeyboardInterrupt is raised.
    """

    @wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> Result:
        with suppress(RuntimeError):  # no event loop runs here
            asyncio.get_running_loop()
            raise UsageError("usage.loop_runs", function=function.__name__)
        return asyncio.run(function(*args, **options))

    call.__name__ = name
    return call


run = _make_blocking(run_async, "run")
retry = _make_blocking(retry_async, "retry")


async def _run_cancellable(
    requested: RequestedRun,
    config: Config,
    observer: _ApiObserver,
    credentials: Credentials | None,
    *,
    writes_files: bool,
) -> Result:
    """Run it to its end; the first cancellation lets it drain, the second one cancels it."""
    task = asyncio.ensure_future(
        execute(
            requested,
            config,
            observer,
            SystemClock(),
            stop=observer.stop,
            credentials=credentials,
            writes_files=writes_files,
        )
    )
    try:
        ended = await asyncio.shield(task)
    except asyncio.CancelledError:
        observer.stop.signal = signal.SIGINT
        observer.stop.event.set()
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)  # until it has released ledger and lock
            raise
        raise
    return Result(replace(ended.report, outcomes=tuple(ended.outcomes)), ended.files, observer.language)


class _ApiObserver(SessionObserver):
    """Calls ``on_outcome`` with every row exactly once, and the hooks."""

    is_in_event_loop = True

    def __init__(
        self,
        config: Config,
        given: Config | StrPath,
        language: Language | None,
        on_outcome: Callable[[RowOutcome], None] | None,
    ) -> None:
        self.language = choose_language(language or config.language)
        self.config_name = "config" if isinstance(given, Config) else str(given)
        self.stop = StopSignal()
        self._on_outcome = on_outcome or (lambda _: None)
        self._reported: set[int] = set()  # indexes of row plans

    def call_start_hook(self, command: str, config: Config) -> None:
        """Call the hook of the start."""
        call_run_start_hook(command, config)

    def call_end_hooks(self, report: RunReport, config: Config) -> None:
        """Call the hooks of the end."""
        call_run_end_hooks(report, config)

    def confirm(self, _: RunPreview) -> bool:
        """Return whether the task was not cancelled before the first call."""
        return not self.stop.event.is_set()

    def end_row(self, outcome: RowOutcome) -> None:
        """Report a row that was sent, as it ends."""
        self._reported.add(outcome.row_plan.index)
        self._on_outcome(outcome)

    def end_sending(self, outcomes: Sequence[RowOutcome]) -> None:
        """Report the rows that were not sent."""
        for outcome in outcomes:
            if outcome.row_plan.index not in self._reported:
                try:
                    self.end_row(outcome)
                except Exception:
                    LOG.exception("on_outcome failed")  # as while sending: it must not end a run
