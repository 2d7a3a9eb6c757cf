"""Finds, opens, locks and loads the ledger of the configured tenant, the same for the command line and the Python API."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.run import RunRequest
from pipeline.domain.site_key import SiteKey
from pipeline.errors import EsignImportError, LedgerError, UsageError
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.file_store import FileStore
from pipeline.ledger.lock import RunLock, read_user_name
from pipeline.ledger.registry import Ownership, TenantRegistry, default_folder
from pipeline.ledger.tenant import get_service_environment
from pipeline.reports.earlier_results import find_earlier_run, find_unknown_seals
from pipeline.workflow.hosts_factory import LedgerStore, make_store

if TYPE_CHECKING:
    from pipeline.hosts.load import LoadedLedger

LOG = logging.getLogger(__name__)
Warn: TypeAlias = Callable[[EsignImportError], None]
LOAD = "ledger load"  # in place of a run's id, where the holder of the ledger is named


def log_warning(warning: EsignImportError) -> None:
    """Log an error that is no reason to stop."""
    LOG.warning("%s", warning)


@contextmanager
def open_configured_ledger(
    config: Config,
    clock: Clock,
    *,
    readonly: bool = False,
    ownership: Ownership | None = None,
    store: LedgerStore | None = None,
) -> Iterator[tuple[DatabaseLedger, SiteKey]]:
    """Open the configured ledger, and close it at the end; to write, its ``store`` must be held."""
    store = store or make_store(config)
    if not store.exists():
        if readonly:
            raise _build_no_ledger_error(config)
        ownership = ownership or Ownership()
        ownership.evidence = _get_evidence(config)
    ledger, site_key = store.open(now=clock.now(), readonly=readonly, ownership=ownership)
    try:
        yield ledger, site_key
    finally:
        ledger.close()


def make_registry(config: Config) -> TenantRegistry:
    """Return the registry of the configured tenant's ledgers, in the state folder of the user who runs this."""
    mode = config.ledger_registry or (
        "warn" if get_service_environment(config.api.endpoint) == "sandbox" else "strict"
    )
    return TenantRegistry(default_folder(), config.tenant, strict=mode == "strict")


@contextmanager
def lock_tenant(
    config: Config, *, run: str, clock: Clock, warn: Warn = log_warning
) -> Iterator[tuple[LedgerStore, TenantRegistry]]:
    """Hold the ledger and, where the registry is strict, the tenant's lock on this host. Raises Locked."""
    registry, store, now = make_registry(config), make_store(config), clock.now()
    with ExitStack() as locks:
        locks.enter_context(store.hold(run=run, now=now))
        _lock_registry(registry, locks, run=run, now=now, warn=warn)
        yield store, registry


def _lock_registry(registry: TenantRegistry, locks: ExitStack, *, run: str, now: float, warn: Warn) -> None:
    """Take the tenant's lock on this host where the registry is strict; where that is not possible, warn."""
    if registry.strict:
        try:
            locks.enter_context(RunLock(registry.lock_path).acquire(run=run, now=now))
        except LedgerError as error:
            warn(error)


@contextmanager
def lock_ledger(
    config: Config,
    request: RunRequest,
    clock: Clock,
    *,
    new_ledger: bool = False,
    register: bool = True,
    warn: Warn = log_warning,
) -> Iterator[tuple[DatabaseLedger, SiteKey]]:
    """Hold the run lock and the configured ledger for one run. Raises Locked.

    ``register`` False leaves the registry of ledgers alone (`demo`). ``warn`` is called with errors that are no reason to stop.
    """
    with lock_tenant(config, run=request.run, clock=clock, warn=warn) as (store, registry):
        ownership = Ownership(
            registry if register else None,
            accept_ledger=new_ledger,
            approve=None if new_ledger else partial(refuse_older, config),
            warn=warn,
        )
        with open_configured_ledger(config, clock, ownership=ownership, store=store) as opened:
            if new_ledger and (lacking := _list_lacking_runs(config, opened[0])):
                opened[0].record_accepted_runs(list(lacking), now=clock.now(), who=read_user_name())
            yield opened


@contextmanager
def lock_ledger_for_adoption(
    config: Config, clock: Clock, *, warn: Warn = log_warning
) -> Iterator[tuple[DatabaseLedger, SiteKey]]:
    """Hold the run lock and the configured ledger, also one that a run would refuse as new, other or older."""
    with lock_tenant(config, run="adopt", clock=clock, warn=warn) as (store, registry):
        ownership = Ownership(registry, ignore_registry=True, warn=warn)
        with open_configured_ledger(config, clock, ownership=ownership, store=store) as opened:
            yield opened


@contextmanager
def open_ledger_for_check(
    config: Config, clock: Clock, *, warn: Warn = log_warning
) -> Iterator[tuple[DatabaseLedger, SiteKey] | tuple[None, None]]:
    """Open the configured ledger for reading, without the lock; None and None where there is none yet.

    A ledger that a run would refuse is refused, also a lost one, but not while a run holds it.
    """
    ownership, store = Ownership(make_registry(config), warn=warn), make_store(config)
    if not store.exists():
        ownership.evidence = _get_evidence(config)
        store.require_not_lost(ownership)
        yield None, None
        return
    ownership.approve = partial(refuse_older, config)
    with open_configured_ledger(
        config, clock, readonly=True, ownership=None if store.is_held() else ownership
    ) as opened:
        yield opened


def require_ledger(config: Config) -> None:
    """Raise UsageError where there is no ledger, for commands that only make sense with one."""
    if not make_store(config).exists():
        raise _build_no_ledger_error(config)


def get_trace_of_ledger(config: Config) -> str | None:
    """Return the file that shows that there was a ledger: receipts, or the results of an earlier run."""
    trace = make_store(config).get_ledger_trace()
    return str(trace) if trace else _get_evidence(config)


def _build_no_ledger_error(config: Config) -> UsageError:
    """Return the error for a missing ledger: lost where receipts or results show one, else not begun yet."""
    path, trace = config.name_ledger(), get_trace_of_ledger(config)
    if trace is None:
        return UsageError("never_run", path=path, then=("check",))
    if config.is_ledger_on_server:
        return UsageError("ledger.server_lost", path=path, found=trace)
    return UsageError("no_ledger", path=path, then=("ledger", "rebuild"))


def _get_evidence(config: Config) -> str | None:
    """Return the file among the results that shows an earlier run of this tenant."""
    run = find_earlier_run(config.resolve_path(config.out), config.tenant)
    return str(run) if run else None


def refuse_older(config: Config, ledger: DatabaseLedger) -> None:
    """Raise UsageError for a ledger that lacks creates or seals of runs whose results lie here.

    It was restored from a backup older than the end of such a run, or begun anew with other seals adopted.
    """
    lacking = _list_lacking_runs(config, ledger)
    if lacking:
        raise UsageError("ledger.older", place=", ".join(map(str, lacking.values())), run=", ".join(lacking))


def _list_lacking_runs(config: Config, ledger: DatabaseLedger) -> Mapping[str, Path]:
    """Return the runs whose results here show creates or seals that the ledger lacks, with the file that shows them."""
    last = ledger.get_last_run()
    return find_unknown_seals(
        config.resolve_path(config.out),
        config.tenant,
        known_runs=ledger.run_ids(),
        accepted_runs=ledger.list_accepted_runs(),
        known_seals=cache(ledger.list_seal_ids),
        known_attempts=cache(ledger.attempt_ids),
        last_run=last.run if last else None,
        receipts=ledger.count_receipts(),
    )


def load_ledger(config: Config, file: Path, clock: Clock, *, warn: Warn = log_warning) -> LoadedLedger:
    """Load the ledger of a file into the configured server; no run can use either meanwhile.

    Raises UsageError where the configured ledger is in a file, or a run would refuse this one; Locked, naming the holder.
    """
    store, registry, now = make_store(config), make_registry(config), clock.now()
    if isinstance(store, FileStore):
        raise UsageError("load.no_server", path=config.name_ledger())
    with ExitStack() as locks:
        lock = locks.enter_context(RunLock(file).acquire(run=LOAD, now=now))
        _lock_registry(registry, locks, run=LOAD, now=now, warn=warn)
        locks.enter_context(store.hold(run=LOAD, now=now))
        ownership = Ownership(registry, lock, approve=partial(refuse_older, config), warn=warn)
        return store.load(file, ownership, now=now)
