"""What a night stands on, the same for the command line and the Python API: its order, ledger, keys and results.

Nothing here prints or asks. What is heavy is imported where it is needed, so that ``--help`` stays quick.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from zipfile import is_zipfile

from pipeline.clock import Clock, run_id
from pipeline.config.named_paths import (
    existing,
    require_certificates,
    require_configured,
    require_unicode,
    room_for_results,
)
from pipeline.config.passwords import passwords
from pipeline.config.settings import Config, missing_ids
from pipeline.domain.run import RunRequest
from pipeline.errors import EsignImportError, LedgerError, UsageError
from pipeline.support.shell_quoting import join

if TYPE_CHECKING:
    from pipeline.esign.signing import Credentials
    from pipeline.ledger.lock import RunLock
    from pipeline.ledger.protocol import Ledger
    from pipeline.ledger.registry import Ownership, TenantRegistry
    from pipeline.ledger.site_key import SiteKey
    from pipeline.ledger.sqlite_ledger import SqliteLedger

LOG = logging.getLogger(__name__)
Warn: TypeAlias = Callable[[EsignImportError], None]

PROGRAM = "esign-import"
_runs: set[str] = set()  # named in this process
READS_ALL = frozenset({"check", "run", "retry"})  # commands that go over rosters and pictures


def require_ready(config: Config, place: Path | str) -> None:
    """Raise UsageError for a configuration that does not say who acts; ``place`` is where it would stand."""
    if config.api.placeholders:
        raise UsageError(
            "usage.placeholders", place=place, keys=missing_ids(config, place), then=("config", "validate")
        )
    require_certificates(config)


def ask_of(
    command: str,
    config: Config,
    clock: Clock,
    *,
    rosters: Sequence[Path] = (),
    seals: Path | None = None,
    out: Path | None = None,
    limit: int | None = None,
    accept_guards: bool = False,
    invocation: str = PROGRAM,
    run: str | None = None,
) -> RunRequest:
    """Resolve what is asked: named paths must exist (UsageError), the default folders may be absent.

    ``run`` is the run's id where it has one already.
    """
    for path in (*rosters, *([seals] if seals else [])):
        existing(path)
    for folder in filter(None, (seals, out)):
        require_unicode(folder)
    if seals is not None and not (seals.is_dir() or is_zipfile(seals)):
        raise UsageError("usage.no_pictures", path=seals)
    inboxes = [config.path(path) for path in config.roster]
    pictures = seals or config.path(config.seals)
    if command in READS_ALL:
        if not rosters:
            require_configured(config, "roster", inboxes)
        if seals is None:
            require_configured(config, "seals", [pictures])
    run = run or new_run(config, clock)
    results = out or config.path(config.out) / run
    room_for_results(results)
    named = [*map(str, rosters), *(["--seals", str(seals)] if seals else [])]
    return RunRequest(
        command=command,
        run=run,
        rosters=tuple(rosters) or tuple(path for path in inboxes if path.exists()),
        seals=pictures if pictures.exists() else None,
        out=results,
        limit=limit,
        accept_guards=accept_guards,
        passwords=passwords(config, os.environ),
        invocation=invocation,
        arguments=join(named) if command != "retry" else "",
        missing_folders=() if rosters else tuple(path for path in inboxes if not path.exists()),
    )


def has_nothing_to_read(
    ask: RunRequest, config: Config, clock: Clock, ledger: Ledger | None = None, *, known: bool = True
) -> bool:
    """Tell whether there is no roster, and nothing shows that an earlier run read one there: then there is nothing to do.

    ``ledger`` is the caller's own; by default the configured one is asked. Not ``known``: the configuration names no
    tenant, and no ledger is asked.
    """
    from pipeline.intake.readers.discover import expand  # noqa: PLC0415

    if expand(ask.rosters):
        return False
    from pipeline.ledger.receipt_sync import receipts_path  # noqa: PLC0415
    from pipeline.planning.run_history import find_emptied_folders  # noqa: PLC0415
    from pipeline.reports.earlier_results import find_earlier_run  # noqa: PLC0415
    from pipeline.workflow.stage_settings import name_tenant  # noqa: PLC0415

    if not known:
        return True
    if ledger is not None:
        return not find_emptied_folders(ask, ledger)
    path = config.path(config.ledger)
    if not path.exists():
        return not receipts_path(path).exists() and not find_earlier_run(
            config.path(config.out), name_tenant(config)
        )
    with open_for_config(config, clock, readonly=True) as (opened, _):
        return not find_emptied_folders(ask, opened)


def new_run(config: Config, clock: Clock) -> str:
    """Return a run's name: nights that begin in one millisecond, over one results folder, are two all the same."""
    names = map(run_id, count(clock.now(), 0.001))
    out = config.path(config.out)
    run = next(each for each in names if each not in _runs and not (out / each).exists())
    _runs.add(run)
    return run


def refuse_results(rosters: Sequence[Path]) -> None:
    """Raise UsageError where a named roster is a results workbook of ours."""
    if not rosters:
        return
    from pipeline.intake.read_rosters import run_of  # noqa: PLC0415

    ours = [path for path in rosters if path.is_file() and run_of(path) is not None]
    if ours:
        raise UsageError("usage.results_as_roster", then=("retry", str(ours[0])))


def credentials_of(config: Config) -> Callable[[], Credentials]:
    """Return what looks for SecretId and SecretKey when they are needed; it may raise CredentialsMissing."""
    from pipeline.esign.credentials import find  # noqa: PLC0415

    folder = config.path(config.secrets_dir) if config.secrets_dir else None
    return partial(find, os.environ, home=Path.home(), secrets_dir=folder)


@contextmanager
def open_for_config(
    config: Config,
    clock: Clock,
    *,
    readonly: bool = False,
    new_ledger: bool = False,
    ownership: Ownership | None = None,
) -> Iterator[tuple[SqliteLedger, SiteKey]]:
    """Open the configured ledger, and close it at the end; not ``readonly`` is for the lock's holder alone."""
    from pipeline.ledger.open import open_ledger  # noqa: PLC0415
    from pipeline.reports.earlier_results import find_earlier_run  # noqa: PLC0415
    from pipeline.workflow.stage_settings import name_tenant  # noqa: PLC0415

    path = config.path(config.ledger)
    tenant = name_tenant(config)
    if readonly:
        require_ledger(config)
    evidence = None if path.exists() or new_ledger else find_earlier_run(config.path(config.out), tenant)
    ledger, site_key = open_ledger(
        path,
        tenant,
        now=clock.now(),
        evidence=str(evidence) if evidence else None,
        force_new=new_ledger,
        readonly=readonly,
        recover=not readonly,
        ownership=ownership,
    )
    try:
        yield ledger, site_key
    finally:
        ledger.close()


def registry_of(config: Config) -> TenantRegistry:
    """Return the registry of the configured tenant's ledgers, in the state folder of the user who runs this."""
    from pipeline.ledger.registry import TenantRegistry, default_folder  # noqa: PLC0415
    from pipeline.ledger.tenant import find_environment, make_tenant_id  # noqa: PLC0415

    api = config.api
    mode = config.ledger_registry or ("warn" if find_environment(api.endpoint) == "sandbox" else "strict")
    owner = make_tenant_id(api.endpoint, api.app_id, api.organization_open_id)
    return TenantRegistry(default_folder(), owner, strict=mode == "strict")


@contextmanager
def lock_tenant(
    config: Config, *, run: str, clock: Clock, warn: Warn | None = None
) -> Iterator[tuple[RunLock, TenantRegistry]]:
    """Hold the lock beside the ledger and, where the registry is strict, the tenant's; Locked where another run has one."""
    from pipeline.ledger.lock import RunLock  # noqa: PLC0415

    registry = registry_of(config)
    with ExitStack() as locks:
        lock = locks.enter_context(RunLock(config.path(config.ledger)).acquire(run=run, now=clock.now()))
        if registry.strict:
            try:
                locks.enter_context(RunLock(registry.lock_path).acquire(run=run, now=clock.now()))
            except LedgerError as error:
                (warn or log_warning)(error)
        yield lock, registry


@contextmanager
def locked_ledger(
    config: Config,
    ask: RunRequest,
    clock: Clock,
    *,
    new_ledger: bool = False,
    register: bool = True,
    warn: Warn | None = None,
) -> Iterator[tuple[SqliteLedger, SiteKey]]:
    """Hold the run lock and the configured ledger for one run; raises Locked where another run has them.

    ``register`` False leaves the registry of ledgers alone (`demo`). ``warn`` hears of what is no reason to stop.
    """
    from pipeline.ledger.lock import read_user_name  # noqa: PLC0415
    from pipeline.ledger.registry import Ownership  # noqa: PLC0415

    warn = warn or log_warning
    with lock_tenant(config, run=ask.run, clock=clock, warn=warn) as (lock, registry):
        ownership = Ownership(
            registry if register else None,
            lock,
            accept_ledger=new_ledger,
            approve=None if new_ledger else partial(_refuse_older, config),
            warn=warn,
        )
        with open_for_config(config, clock, new_ledger=new_ledger, ownership=ownership) as opened:
            if new_ledger and (lacking := _find_lacking_runs(config, opened[0])):
                opened[0].record_accepted_runs(list(lacking), now=clock.now(), who=read_user_name())
            yield opened


@contextmanager
def hold_for_adoption(
    config: Config, clock: Clock, *, warn: Warn | None = None
) -> Iterator[tuple[SqliteLedger, SiteKey]]:
    """Hold the run lock and the configured ledger, also one that a run would refuse as new, other or older."""
    from pipeline.ledger.registry import Ownership  # noqa: PLC0415

    with lock_tenant(config, run="adopt", clock=clock, warn=warn) as (lock, registry):
        ownership = Ownership(registry, lock, ignore_registry=True, warn=warn or log_warning)
        with open_for_config(config, clock, new_ledger=True, ownership=ownership) as opened:
            yield opened


@contextmanager
def open_for_check(
    config: Config, clock: Clock, *, warn: Warn | None = None
) -> Iterator[tuple[SqliteLedger, SiteKey] | tuple[None, None]]:
    """Open the configured ledger for reading, without the lock; None and None where there is none yet.

    What a run would refuse is refused, a lost ledger among it; while a run holds the ledger, nothing is.
    """
    from pipeline.ledger.lock import is_locked  # noqa: PLC0415
    from pipeline.ledger.open import require_no_lost_ledger  # noqa: PLC0415
    from pipeline.ledger.registry import Ownership  # noqa: PLC0415
    from pipeline.reports.earlier_results import find_earlier_run  # noqa: PLC0415
    from pipeline.workflow.stage_settings import name_tenant  # noqa: PLC0415

    path = config.path(config.ledger)
    ownership = None
    if not path.exists():
        evidence = find_earlier_run(config.path(config.out), name_tenant(config))
        found = Ownership(registry_of(config), warn=warn or log_warning)
        require_no_lost_ledger(path, str(evidence) if evidence else None, found)
        yield None, None
        return
    if not is_locked(path):
        ownership = Ownership(
            registry_of(config), approve=partial(_refuse_older, config), warn=warn or log_warning
        )
    with open_for_config(config, clock, readonly=True, ownership=ownership) as opened:
        yield opened


def require_ledger(config: Config) -> None:
    """Raise UsageError where there is no ledger, for commands that only make sense with one."""
    if not config.path(config.ledger).exists():
        raise no_ledger(config)


def no_ledger(config: Config) -> UsageError:
    """Return the error for a ledger that is not there: lost where something tells of it, else not begun yet."""
    from pipeline.ledger.receipt_sync import receipts_path  # noqa: PLC0415
    from pipeline.reports.earlier_results import find_earlier_run  # noqa: PLC0415
    from pipeline.workflow.stage_settings import name_tenant  # noqa: PLC0415

    path = config.path(config.ledger)
    lost = receipts_path(path).exists() or find_earlier_run(config.path(config.out), name_tenant(config))
    if lost:
        return UsageError("no_ledger", path=path, then=("ledger", "rebuild"))
    return UsageError("never_run", path=path, then=("check",))


def log_warning(warning: EsignImportError) -> None:
    """Log what is no reason to stop."""
    LOG.warning("%s", warning)


def _refuse_older(config: Config, ledger: SqliteLedger) -> None:
    """Raise UsageError for a ledger that lacks creates or seals of runs whose results lie here.

    It was put back from before such a run or from its midst; or it was begun anew, and only other seals were adopted.
    """
    lacking = _find_lacking_runs(config, ledger)
    if lacking:
        raise UsageError("ledger.older", place=", ".join(map(str, lacking.values())), run=", ".join(lacking))


def _find_lacking_runs(config: Config, ledger: SqliteLedger) -> Mapping[str, Path]:
    """Return the runs whose results lie here and show what the ledger lacks, each with the file that shows it."""
    from pipeline.reports.earlier_results import find_unknown_seals  # noqa: PLC0415
    from pipeline.workflow.stage_settings import name_tenant  # noqa: PLC0415

    last = ledger.find_last_run()
    return find_unknown_seals(
        config.path(config.out),
        name_tenant(config),
        known_runs=ledger.run_ids(),
        accepted_runs=ledger.list_accepted_runs(),
        known_seals=cache(ledger.seal_ids),
        known_attempts=cache(ledger.attempt_ids),
        last_run=last.run if last else None,
        creates_of_last=ledger.count_creates(last.run) if last else 0,
    )


def latest_of(config: Config) -> Path:
    """Return where a copy of the last `run`'s results lies, wherever its own are; `check` and `retry` leave it alone."""
    return config.path(config.out) / "latest"


def warm_up() -> None:
    """Import what only the results need: while a night waits for its limit nobody waits for this."""
    from pipeline.reports.write import warm_up  # noqa: PLC0415

    warm_up()
