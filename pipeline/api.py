"""The Python API (README, "From Python"): a night without a command line. Nothing is printed, nothing is asked.

What stops a run while it is under way is no exception: it stands in ``Result.halted``, and ``Result.exit`` is the code
the command line would have ended with. Exceptions, all of `pipeline.errors`, mean that nothing was sent or that the
results could not be written:

==================== =================================================================================
UsageError           a path that is not there; a configuration that does not say who acts; another
                     tenant's ledger; a new ledger where an earlier run sent something
ConfigError          a file or value of the configuration is wrong (every fault is named)
Locked               another run holds the ledger
LedgerError          ledger, key or the disk under them cannot be used
CredentialsMissing   something has to be sent, and no complete pair of SecretId and SecretKey was found
SumsError            the sums do not add up, a bug: results are not written, the ledger knows what was sent
OSError              the results cannot be written, for instance on a full disk; the ledger knows what was sent
==================== =================================================================================

Log records go to the loggers below ``pipeline``, without names and numbers; no log.jsonl is written.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from pipeline.clock import Clock, SystemClock
from pipeline.config import named_paths
from pipeline.config.language import of_locale, of_titles
from pipeline.config.settings import Config
from pipeline.domain.metrics import Traffic
from pipeline.domain.run import Halt, RowOutcome, RunReport, RunRequest, Status
from pipeline.errors import UsageError
from pipeline.esign.rate_limiter import AdaptiveRateLimiter, Limiter
from pipeline.esign.signing import Credentials
from pipeline.intake.readers.discover import expand
from pipeline.ledger.protocol import Ledger
from pipeline.ledger.site_key import KEY_BYTES, SiteKey
from pipeline.reports.columns import find_titles
from pipeline.reports.dataframe import to_frame
from pipeline.reports.presenter import Presenter
from pipeline.reports.totals import verify_totals
from pipeline.support.shell_quoting import quote
from pipeline.workflow import import_run, run_environment
from pipeline.workflow.stage_settings import tenant_of

if TYPE_CHECKING:
    from pipeline.reports.dataframe import Frame

LOG = logging.getLogger(__name__)
logging.getLogger("pipeline").addHandler(logging.NullHandler())  # a library is silent until somebody listens

StrPath: TypeAlias = Path | str
Rosters: TypeAlias = StrPath | Sequence[StrPath]
Language: TypeAlias = Literal["zh", "en"]


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """What became of a night: the whole of it in ``night``, and the files that were written, by their usual names."""

    night: RunReport
    files: Mapping[str, Path] = field(
        default_factory=dict
    )  # "results.xlsx" -> its path; empty with write=False

    @property
    def outcomes(self) -> Sequence[RowOutcome]:
        """Every row of the rosters, once, in their order."""
        return self.night.outcomes

    @property
    def counts(self) -> Mapping[Status, int]:
        """How many rows ended in each status; those that occur, in the order of ``Status``."""
        ends = [outcome.status for outcome in self.outcomes]
        return MappingProxyType({status: ends.count(status) for status in Status if status in ends})

    @property
    def exit(self) -> int:
        """The exit code of the command line (README, "Exit codes"): 0 where nobody has to act."""
        return self.night.exit

    @property
    def halted(self) -> Halt | None:
        """Why the run stopped before its end, if it did."""
        return self.night.halt

    def to_frame(self) -> Frame:
        """Return the outcomes as a pandas DataFrame, a row each: outcomes.jsonl's fields, numbers masked."""
        return to_frame(self.outcomes)

    def __repr__(self) -> str:
        ends = "".join(f", {status.value}={rows}" for status, rows in self.counts.items())
        return f"Result(run={self.night.run!r}, exit={self.exit}{ends})"


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

    Without a ledger, or a configuration that says who acts, nothing is compared with earlier runs, and review and To fix
    are for looking only. No ledger is made, and no lock is taken. See `run_async` for the parameters.
    """
    chosen, clock = _config(config), clock or SystemClock()
    ask = _ask("check", config, chosen, clock, rosters=rosters, seals=seals, out=out)
    if chosen.api.placeholders and ledger is None:
        done = import_run.check(ask, chosen, ledger=None, site_key=None, clock=clock)
    else:
        given = _given(chosen, ledger, site_key)
        with given or run_environment.open_for_check(chosen, clock) as (journal, key):
            done = import_run.check(ask, chosen, ledger=journal, site_key=key, clock=clock)
    return _written(done, chosen, write=write, language=language, latest=False)


def run(
    config: Config | StrPath,
    *,
    rosters: Rosters = (),
    seals: StrPath | None = None,
    out: StrPath | None = None,
    limit: int | None = None,
    review: StrPath | None = None,
    accept_guards: bool = False,
    new_ledger: bool = False,
    write: bool = True,
    language: Language | None = None,
    ledger: Ledger | None = None,
    site_key: bytes | None = None,
    limiter: Limiter | None = None,
    credentials: Credentials | Callable[[], Credentials] | None = None,
    clock: Clock | None = None,
    on_outcome: Callable[[RowOutcome], None] | None = None,
) -> Result:
    """Create the seals that are missing; safe to repeat. See `run_async`, which a running event loop needs instead.

    A Ctrl-C drains: nothing new is sent, what is under way is awaited and recorded, then KeyboardInterrupt is raised.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise UsageError("usage.loop_runs")
    return asyncio.run(
        run_async(
            config,
            rosters=rosters,
            seals=seals,
            out=out,
            limit=limit,
            review=review,
            accept_guards=accept_guards,
            new_ledger=new_ledger,
            write=write,
            language=language,
            ledger=ledger,
            site_key=site_key,
            limiter=limiter,
            credentials=credentials,
            clock=clock,
            on_outcome=on_outcome,
        )
    )


async def run_async(
    config: Config | StrPath,
    *,
    rosters: Rosters = (),
    seals: StrPath | None = None,
    out: StrPath | None = None,
    limit: int | None = None,
    review: StrPath | None = None,
    accept_guards: bool = False,
    new_ledger: bool = False,
    write: bool = True,
    language: Language | None = None,
    ledger: Ledger | None = None,
    site_key: bytes | None = None,
    limiter: Limiter | None = None,
    credentials: Credentials | Callable[[], Credentials] | None = None,
    clock: Clock | None = None,
    on_outcome: Callable[[RowOutcome], None] | None = None,
) -> Result:
    """Create the seals that are missing; safe to repeat.

    * ``config``: a `Config`, or the path of a config.yaml.
    * ``rosters`` (files or folders), ``seals`` (a folder or zip), ``out``: by default the configuration's. Paths given
      here are relative to the current folder.
    * ``limit``: at most so many people created. ``review``: judgements that the review page saved. ``accept_guards``, ``new_ledger``: as on the command line.
    * ``write``: False writes no result files; state and work folders are kept all the same. ``language``: the files'.
    * ``ledger``: used as it is given, in place of the configured SQLite file: opening, locking and closing it are the
      caller's. ``site_key``, 32 secret bytes, belongs to it for ever: with another one every doctor would be new.
    * ``limiter``: used as it is given; one for several runs at once keeps them within one quota.
    * ``credentials``: a pair, or what finds one when something has to be sent; by default looked for as the README says.
    * ``on_outcome`` hears every row exactly once, in the event loop's thread: one that is sent as it ends, any other when
      the night is over. What it raises is logged and ends nothing.

    Cancelling the task drains as Ctrl-C does: nothing new is sent, what is under way is awaited and recorded, the results
    are written with exit 130, then CancelledError is raised. A second cancellation leaves at once; creates that were
    under way are ``unknown`` from then on.
    """
    chosen, clock = _config(config), clock or SystemClock()
    run_environment.require_ready(chosen, _place(config))
    ask = _ask(
        "run",
        config,
        chosen,
        clock,
        rosters=rosters,
        seals=seals,
        out=out,
        limit=limit,
        accept_guards=accept_guards,
    )
    if review is not None:
        ask = replace(ask, review=named_paths.existing(Path(review)))
    run_environment.refuse_results(_paths(rosters))
    if run_environment.has_nothing_to_read(ask, chosen, clock, ledger):
        return Result(_nothing(ask, chosen, clock))
    listener = _Listener(on_outcome)
    stop = import_run.StopSignal()
    given = _given(chosen, ledger, site_key)

    async def through() -> Result:
        with given or run_environment.locked_ledger(chosen, ask, clock, new_ledger=new_ledger) as (
            journal,
            key,
        ):
            done = await import_run.run(
                ask,
                chosen,
                ledger=journal,
                site_key=key,
                limiter=limiter or AdaptiveRateLimiter(chosen.limits.requests_per_second, clock),
                credentials=_finder(credentials, chosen),
                clock=clock,
                stop=stop,
                confirm=lambda _: not stop.event.is_set(),
                watch=listener,
                aside=True,
            )
            if done is None:  # cancelled before the first call: nothing happened
                raise asyncio.CancelledError
            listener.rest(done.outcomes)
            latest = bool(expand(ask.rosters))  # without a roster the last results stay as they are
            tell = partial(_written, done, chosen, write=write, language=language, latest=latest)
            return await asyncio.to_thread(tell)

    return await _drained(through(), stop)


async def _drained(work: Coroutine[None, None, Result], stop: import_run.StopSignal) -> Result:
    """Await a night; the first cancellation lets it drain, the second one cancels it."""
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
            await asyncio.gather(task, return_exceptions=True)  # until it has let go of ledger and lock
            raise
        raise


class _Listener:
    """Tells ``on_outcome`` of every row exactly once."""

    def __init__(self, on_outcome: Callable[[RowOutcome], None] | None) -> None:
        self._tell = on_outcome or (lambda _: None)
        self._heard: set[int] = set()  # ids of the plans, which live as long as the night

    def __call__(self, outcome: RowOutcome) -> None:
        """Hear of a row that was sent, as it ends."""
        self._heard.add(outcome.row_plan.index)
        self._tell(outcome)

    def rest(self, outcomes: Sequence[RowOutcome]) -> None:
        """Tell of the rows that were not sent."""
        for outcome in outcomes:
            if outcome.row_plan.index not in self._heard:
                try:
                    self(outcome)
                except Exception:
                    LOG.exception("whoever listens failed")  # as while sending: it must not end a night


def _config(given: Config | StrPath | None) -> Config:
    return given if isinstance(given, Config) else Config.load(given)


def _place(config: Config | StrPath | None) -> str:
    return "config" if config is None or isinstance(config, Config) else str(config)


def _ask(
    command: str,
    config: Config | StrPath | None,
    chosen: Config,
    clock: Clock,
    *,
    rosters: Rosters,
    seals: StrPath | None,
    out: StrPath | None,
    limit: int | None = None,
    accept_guards: bool = False,
) -> RunRequest:
    if limit is not None and limit < 1:
        raise UsageError("usage.limit", limit=limit)
    return run_environment.ask_of(
        command,
        chosen,
        clock,
        rosters=_paths(rosters),
        seals=_path(seals),
        out=_path(out),
        limit=limit,
        accept_guards=accept_guards,
        invocation=_invocation(config),
    )


def _invocation(config: Config | StrPath | None) -> str:
    """Return how the command line would be called, for the commands that the results suggest."""
    if config is None or isinstance(config, Config):
        return run_environment.PROGRAM
    return f"{run_environment.PROGRAM} --config {quote(str(config))}"


def _paths(rosters: Rosters) -> tuple[Path, ...]:
    return (Path(rosters),) if isinstance(rosters, (Path, str)) else tuple(map(Path, rosters))


def _path(path: StrPath | None) -> Path | None:
    return None if path is None else Path(path)


def _given(
    config: Config, ledger: Ledger | None, site_key: bytes | None
) -> nullcontext[tuple[Ledger, SiteKey]] | None:
    """Return the caller's own ledger and key, which are neither opened nor closed here; None where none was given."""
    if ledger is None and site_key is None:
        return None
    if ledger is None or site_key is None or len(site_key) != KEY_BYTES:
        raise UsageError("usage.ledger_and_key", bytes=KEY_BYTES)
    return nullcontext((ledger, SiteKey(site_key, tenant_of(config))))


def _finder(
    credentials: Credentials | Callable[[], Credentials] | None, config: Config
) -> Callable[[], Credentials]:
    if credentials is None:
        return run_environment.credentials_of(config)
    return (lambda: credentials) if isinstance(credentials, Credentials) else credentials


def _nothing(ask: RunRequest, config: Config, clock: Clock) -> RunReport:
    """Return the night of an empty inbox: nothing was opened, nothing is written."""
    now = clock.now()
    return RunReport(
        run=ask.run,
        command=ask.command,
        started=now,
        finished=now,
        exit=0,
        tenant=tenant_of(config),
        contract=config.api.contract,
        outcomes=(),
        files=(),
        unassigned_images=(),
        traffic=Traffic(limit=config.limits.requests_per_second),
        halt=None,
        out=ask.out,
        seals=ask.seals,
    )


def _written(
    done: RunReport, config: Config, *, write: bool, language: Language | None, latest: bool
) -> Result:
    verify_totals(done)  # a night that does not add up is told to nobody
    if not write:
        return Result(done)
    words = language or config.language or of_locale(os.environ) or of_titles(find_titles(done)) or "en"
    files = run_environment.write_results(
        done,
        config,
        Presenter.for_outcomes(done.outcomes, words),
        latest=run_environment.latest_of(config) if latest else None,
    )
    return Result(done, files)
