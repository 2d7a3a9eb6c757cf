"""Opens and locks the ledger of the configured tenant, the same for the command line and the Python API."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TypeAlias

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.run import RunRequest
from pipeline.errors import EsignImportError, LedgerError, UsageError
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.lock import RunLock, read_user_name
from pipeline.ledger.registry import Ownership, TenantRegistry, default_folder
from pipeline.ledger.tenant import SiteKey, find_environment
from pipeline.reports.earlier_results import find_earlier_run, find_unknown_seals
from pipeline.workflow.ledger_stores import LedgerStore, find_store

LOG = logging.getLogger(__name__)
Warn: TypeAlias = Callable[[EsignImportError], None]


def name_tenant(config: Config) -> str:
    """Return the tenant of a configuration."""
    return config.tenant


def log_warning(warning: EsignImportError) -> None:
    """Log an error that is no reason to stop."""
    LOG.warning("%s", warning)


@contextmanager
def open_configured_ledger(
    config: Config,
    clock: Clock,
    *,
    readonly: bool = False,
    new_ledger: bool = False,
    ownership: Ownership | None = None,
    store: LedgerStore | None = None,
) -> Iterator[tuple[DatabaseLedger, SiteKey]]:
    """Open the configured ledger, and close it at the end; to write, its ``store`` must be held."""
    store = store or find_store(config)
    exists = store.exists()
    if readonly and not exists:
        raise _build_no_ledger_error(config)
    ledger, site_key = store.open(
        now=clock.now(),
        evidence=None if exists or new_ledger else _find_evidence(config),
        force_new=new_ledger,
        readonly=readonly,
        ownership=ownership,
    )
    try:
        yield ledger, site_key
    finally:
        ledger.close()


def find_registry(config: Config) -> TenantRegistry:
    """Return the registry of the configured tenant's ledgers, in the state folder of the user who runs this."""
    mode = config.ledger_registry or (
        "warn" if find_environment(config.api.endpoint) == "sandbox" else "strict"
    )
    return TenantRegistry(default_folder(), name_tenant(config), strict=mode == "strict")


@contextmanager
def lock_tenant(
    config: Config, *, run: str, clock: Clock, warn: Warn = log_warning
) -> Iterator[tuple[LedgerStore, TenantRegistry]]:
    """Hold the ledger and, where the registry is strict, the tenant's lock on this host. Raises Locked."""
    registry, store = find_registry(config), find_store(config)
    with ExitStack() as locks:
        locks.enter_context(store.hold(run=run, now=clock.now()))
        if registry.strict:
            try:
                locks.enter_context(RunLock(registry.lock_path).acquire(run=run, now=clock.now()))
            except LedgerError as error:
                warn(error)
        yield store, registry


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
        with open_configured_ledger(
            config, clock, new_ledger=new_ledger, ownership=ownership, store=store
        ) as opened:
            if new_ledger and (lacking := _find_lacking_runs(config, opened[0])):
                opened[0].record_accepted_runs(list(lacking), now=clock.now(), who=read_user_name())
            yield opened


@contextmanager
def lock_ledger_for_adoption(
    config: Config, clock: Clock, *, warn: Warn = log_warning
) -> Iterator[tuple[DatabaseLedger, SiteKey]]:
    """Hold the run lock and the configured ledger, also one that a run would refuse as new, other or older."""
    with lock_tenant(config, run="adopt", clock=clock, warn=warn) as (store, registry):
        ownership = Ownership(registry, ignore_registry=True, warn=warn)
        with open_configured_ledger(
            config, clock, new_ledger=True, ownership=ownership, store=store
        ) as opened:
            yield opened


@contextmanager
def open_ledger_for_check(
    config: Config, clock: Clock, *, warn: Warn = log_warning
) -> Iterator[tuple[DatabaseLedger, SiteKey] | tuple[None, None]]:
    """Open the configured ledger for reading, without the lock; None and None where there is none yet.

    A ledger that a run would refuse is refused, also a lost one, but not while a run holds it.
    """
    ownership, store = None, find_store(config)
    if not store.exists():
        store.require_not_lost(_find_evidence(config), Ownership(find_registry(config), warn=warn))
        yield None, None
        return
    if not store.is_held():
        ownership = Ownership(find_registry(config), approve=partial(refuse_older, config), warn=warn)
    with open_configured_ledger(config, clock, readonly=True, ownership=ownership) as opened:
        yield opened


def require_ledger(config: Config) -> None:
    """Raise UsageError where there is no ledger, for commands that only make sense with one."""
    if not has_ledger(config):
        raise _build_no_ledger_error(config)


def has_ledger(config: Config) -> bool:
    """Return whether there is a ledger."""
    return find_store(config).exists()


def is_ledger_held(config: Config) -> bool:
    """Return whether a run holds the ledger."""
    return find_store(config).is_held()


def find_trace_of_ledger(config: Config) -> str | None:
    """Return the file that shows that there was a ledger: receipts, or the results of an earlier run."""
    trace = find_store(config).find_trace()
    return str(trace) if trace else _find_evidence(config)


def _build_no_ledger_error(config: Config) -> UsageError:
    """Return the error for a missing ledger: lost where receipts or results show one, else not begun yet."""
    path, trace = config.name_ledger(), find_trace_of_ledger(config)
    if trace is None:
        return UsageError("never_run", path=path, then=("check",))
    if config.is_ledger_on_server:
        return UsageError("ledger.server_lost", path=path, found=trace)
    return UsageError("no_ledger", path=path, then=("ledger", "rebuild"))


def _find_evidence(config: Config) -> str | None:
    """Return the file among the results that shows an earlier run of this tenant."""
    run = find_earlier_run(config.resolve_path(config.out), name_tenant(config))
    return str(run) if run else None


def refuse_older(config: Config, ledger: DatabaseLedger) -> None:
    """Raise UsageError for a ledger that lacks creates or seals of runs whose results lie here.

    It was restored from a backup older than the end of such a run, or begun anew with other seals adopted.
    """
    lacking = _find_lacking_runs(config, ledger)
    if lacking:
        raise UsageError("ledger.older", place=", ".join(map(str, lacking.values())), run=", ".join(lacking))


def _find_lacking_runs(config: Config, ledger: DatabaseLedger) -> Mapping[str, Path]:
    """Return the runs whose results here show creates or seals that the ledger lacks, with the file that shows them."""
    last = ledger.find_last_run()
    return find_unknown_seals(
        config.resolve_path(config.out),
        name_tenant(config),
        known_runs=ledger.run_ids(),
        accepted_runs=ledger.list_accepted_runs(),
        known_seals=cache(ledger.seal_ids),
        known_attempts=cache(ledger.attempt_ids),
        last_run=last.run if last else None,
        creates_of_last=ledger.count_creates(last.run) if last else 0,
    )
