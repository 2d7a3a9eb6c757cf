"""Finds, opens, takes and loads the ledger of the configured tenant, the same for the command line and the Python API."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.run import RunRequest
from pipeline.domain.site_key import SiteKey
from pipeline.errors import LedgerError, UsageError
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.disk import loaded_path
from pipeline.ledger.file_store import FileStore
from pipeline.ledger.lock import RunLock, read_user_name
from pipeline.ledger.open import REBUILD, choose_recovery, describe_lost_files
from pipeline.ledger.ownership import Ownership, WarningLog, WarningOutput
from pipeline.ledger.progress import LedgerIdentity
from pipeline.ledger.registry import RegisteredLedger, TenantRegistry, default_folder
from pipeline.ledger.tenant import get_service_environment
from pipeline.messages.catalogue import join_messages
from pipeline.reports.earlier_results import get_earlier_run, list_lacking_runs
from pipeline.workflow.hosts_factory import LedgerStore, make_store
from pipeline.workflow.kept_answers import KeptAnswers

if TYPE_CHECKING:
    from pipeline.hosts.load import LoadedLedger

LOAD = "ledger load"  # in place of a run's id, where the holder of the ledger is named
RECOVER = "ledger recover"  # the same
SHARED_REGISTRY = ".ledger"  # folder in that of the results
WARNING_LOG = WarningLog()


class TenantResults:
    """The results of a tenant's earlier runs in a folder, as `pipeline.ledger.ownership.EarlierResults` describes."""

    def __init__(self, out: Path, tenant: str) -> None:
        self._out = out
        self._tenant = tenant

    def get_trace(self) -> str | None:
        """Return the file among the results that shows an earlier run of this tenant."""
        run = get_earlier_run(self._out, self._tenant)
        return str(run) if run else None

    def require_known(self, ledger: DatabaseLedger) -> None:
        """Raise UsageError for a ledger that lacks creates or seals of runs whose results lie here.

        It was restored from a backup older than the end of such a run, or begun anew with other seals adopted.
        """
        lacking = self.list_lacking_runs(ledger)
        if lacking:
            shown_files = ", ".join(map(str, lacking.values()))
            raise UsageError(
                "ledger.older", place=shown_files, run=", ".join(lacking), then=("ledger", "recover")
            )

    def require_recovered(self, ledger: DatabaseLedger) -> None:
        """Raise UsageError for a ledger with earlier runs, thus no new one, that lacks creates or seals of later ones."""
        if ledger.run_ids() and (lacking := self.list_lacking_runs(ledger)):
            raise UsageError("ledger.recover_first", run=join_messages(lacking), then=("ledger", "recover"))

    def list_runs_with_seals(self) -> Mapping[str, Path]:
        """Return the runs whose results here show creates or seals, with the file that shows them."""
        return list_lacking_runs(
            self._out,
            self._tenant,
            known_runs=(),
            accepted_runs=(),
            known_seals=tuple,
            known_attempts=tuple,
            last_run=None,
            receipts=0,
        )

    def list_lacking_runs(self, ledger: DatabaseLedger) -> Mapping[str, Path]:
        """Return the runs whose results here show creates or seals that the ledger lacks, with the file that shows them."""

        @cache
        def list_known_seals() -> Collection[str]:
            """Return the SealIds of all seals, and those of decisions, also of withdrawn ones: a check may have shown them."""
            decided = {decision.seal_id for decision in ledger.list_decisions() if decision.seal_id}
            return decided.union(ledger.list_seal_ids())

        return list_lacking_runs(
            self._out,
            self._tenant,
            known_seals=list_known_seals,
            known_attempts=cache(ledger.attempt_ids),
            **ledger.read_known_runs()._asdict(),
        )


def make_results(config: Config) -> TenantResults:
    """Return the results of the configured tenant's earlier runs."""
    return TenantResults(config.resolve_path(config.out), config.tenant)


def make_registry(config: Config) -> TenantRegistry:
    """Return the registry of the configured tenant's ledgers, in the state folder of the user who runs this."""
    return _make_registry(config, default_folder())


def make_shared_registry(config: Config) -> TenantRegistry | None:
    """Return the registry in the shared folder of the results, for every host; None for a ledger in a file of this machine."""
    if not config.is_ledger_on_server:
        return None
    return _make_registry(config, config.resolve_path(config.out).absolute() / SHARED_REGISTRY)


def list_registries(config: Config) -> list[TenantRegistry]:
    """Return the registries that count the configured tenant's ledger."""
    return [registry for registry in (make_registry(config), make_shared_registry(config)) if registry]


def list_lost_ledgers(
    registries: Sequence[TenantRegistry], location: str, identity: LedgerIdentity | None
) -> list[RegisteredLedger]:
    """Return the ledgers that were registered at a place where another one is now, or none, and that are not entered in it."""
    lost = []
    for registered in (registry.read() for registry in registries):
        if registered is None or registered.location != location or not registered.progress.receipts:
            continue
        if identity is None or not (
            identity.ledger_id == registered.ledger_id
            or identity.accounts_for(registered.ledger_id, registered.progress)
        ):
            lost.append(registered)
    return lost


def _make_registry(config: Config, folder: Path) -> TenantRegistry:
    is_sandbox = get_service_environment(config.api.endpoint) == "sandbox"
    mode = config.ledger_registry or ("warn" if is_sandbox else "strict")
    return TenantRegistry(folder, config.tenant, strict=mode == "strict")


def _make_tenant_lock(config: Config) -> RunLock | None:
    """Return the lock that one process of this host holds for the configured tenant, or None.

    With a ledger on a server the lease decides alone: a run that was stopped would keep a lock in a file, also from the run
    that has taken its lease.
    """
    return None if config.is_ledger_on_server else make_registry(config).make_tenant_lock()


def note_ledgers(store: LedgerStore, config: Config, others: Sequence[Config] = ()) -> None:
    """Note on this host how far all ledgers of a server have got, also those that it never ran.

    Of the hospitals of ``others`` it is noted in the shared folders of their results as well. A server or disk that fails
    is left to the runs, which report it.
    """
    if isinstance(store, FileStore):
        return
    configs = {other.tenant: other for other in others}
    with suppress(LedgerError, OSError):
        for ledger in store.list_noted_ledgers():
            own = configs.get(ledger.tenant)
            registries = [make_registry(own or config).for_tenant(ledger.tenant)]
            if own is not None and (shared := make_shared_registry(own)) is not None:
                registries.append(shared)
            for registry in registries:
                registry.note(store.address.shown, ledger.ledger_id, ledger.progress)


@contextmanager
def open_configured_ledger(config: Config, clock: Clock) -> Iterator[tuple[DatabaseLedger, SiteKey]]:
    """Open the configured ledger for reading; UsageError where there is none."""
    store = make_store(config)
    if not store.exists():
        raise _build_no_ledger_error(config)
    with open_store(store, clock, readonly=True) as opened:
        yield opened


@contextmanager
def open_store(
    store: LedgerStore, clock: Clock, *, readonly: bool = False, ownership: Ownership | None = None
) -> Iterator[tuple[DatabaseLedger, SiteKey]]:
    """Open the ledger of a store, and close it at the end; to write, ``ownership`` must be taken."""
    ledger, site_key = store.open(now=clock.now(), readonly=readonly, ownership=ownership)
    try:
        yield ledger, site_key
    finally:
        ledger.close()


@contextmanager
def lock_tenant(
    config: Config, *, run: str, clock: Clock, warnings: WarningOutput = WARNING_LOG
) -> Iterator[tuple[LedgerStore, Ownership]]:
    """Hold the ledger and, where the registry is strict, the tenant's lock on this host. Raises Locked.

    The ownership asks neither the registry nor the results.
    """
    store = make_store(config)
    ownership = Ownership(hold=store.hold, tenant_lock=_make_tenant_lock(config), warnings=warnings)
    with ownership.take(run=run, now=clock.now()):
        yield store, ownership


@contextmanager
def lock_ledger(
    config: Config,
    request: RunRequest,
    clock: Clock,
    *,
    new_ledger: bool = False,
    state_folder: Path | None = None,
    warnings: WarningOutput = WARNING_LOG,
) -> Iterator[tuple[DatabaseLedger, SiteKey]]:
    """Own and open the configured ledger for one run; enter what an earlier run could not. Raises Locked.

    ``state_folder`` is used in place of the user's (`demo`). ``warnings`` is given the errors that are no reason to stop.
    """
    store, results = make_store(config), make_results(config)
    ownership = Ownership(
        _make_registry(config, state_folder or default_folder()),
        store.hold,
        _make_tenant_lock(config),
        results,
        accept_ledger=new_ledger,
        warnings=warnings,
        shared_registry=make_shared_registry(config),
    )
    with (
        ownership.take(run=request.run, now=clock.now()),
        open_store(store, clock, ownership=ownership) as (ledger, site_key),
    ):
        if new_ledger and (lacking := results.list_lacking_runs(ledger)):
            ledger.record_accepted_runs(list(lacking), now=clock.now(), who=read_user_name())
        kept = KeptAnswers(ledger, site_key, config.resolve_path(config.out))
        kept.enter_all(now=clock.now(), warnings=warnings)
        note_ledgers(store, config)
        yield ledger, site_key


@contextmanager
def lock_ledger_for_adoption(
    config: Config, clock: Clock, *, warnings: WarningOutput = WARNING_LOG
) -> Iterator[tuple[DatabaseLedger, SiteKey]]:
    """Own and open the configured ledger, also one that a run would refuse as new, other or older."""
    store = make_store(config)
    ownership = Ownership(
        make_registry(config),
        store.hold,
        _make_tenant_lock(config),
        ignore_registry=True,
        warnings=warnings,
        shared_registry=make_shared_registry(config),
    )
    with (
        ownership.take(run="adopt", now=clock.now()),
        open_store(store, clock, ownership=ownership) as opened,
    ):
        yield opened


@contextmanager
def lock_ledger_for_recovery(
    config: Config, store: LedgerStore, clock: Clock, *, warnings: WarningOutput = WARNING_LOG
) -> Iterator[tuple[DatabaseLedger, SiteKey]]:
    """Own and open the ledger of a store, which may lack commits; no registry counts what is written. Raises Locked."""
    ownership = Ownership(
        hold=store.hold, tenant_lock=_make_tenant_lock(config), ignore_registry=True, warnings=warnings
    )
    with (
        ownership.take(run=RECOVER, now=clock.now()),
        open_store(store, clock, ownership=ownership) as opened,
    ):
        yield opened


@contextmanager
def open_ledger_for_check(
    config: Config, clock: Clock, *, warnings: WarningOutput = WARNING_LOG
) -> Iterator[tuple[DatabaseLedger, SiteKey] | tuple[None, None]]:
    """Open the configured ledger for reading, without the hold; None and None where there is none yet.

    A ledger that a run would refuse is refused, also a lost one, but not while a run holds it.
    """
    store = make_store(config)
    ownership = Ownership(
        make_registry(config),
        results=make_results(config),
        warnings=warnings,
        shared_registry=make_shared_registry(config),
    )
    if not store.exists():
        store.require_not_lost(ownership)
        yield None, None
        return
    is_taken = store.hold.is_taken()
    with open_store(store, clock, readonly=True, ownership=None if is_taken else ownership) as opened:
        yield opened


def require_ledger(config: Config) -> None:
    """Raise UsageError where there is no ledger, for commands that only make sense with one."""
    if not make_store(config).exists():
        raise _build_no_ledger_error(config)


def require_rebuildable(config: Config) -> None:
    """Raise LedgerError where the ledger's file is gone, and its key or receipts too; UsageError where there was none yet."""
    path = config.resolve_ledger_file()
    if path.exists() or loaded_path(path).exists():
        return
    then = get_recovery_of_ledger(config)
    if then == REBUILD:
        return
    if get_trace_of_ledger(config) is None:
        raise _build_no_ledger_error(config)
    raise LedgerError("ledger.not_rebuilt", lost=describe_lost_files(path), then=then)


def get_trace_of_ledger(config: Config) -> str | None:
    """Return the file that shows that there was a ledger: receipts, or the results of an earlier run."""
    trace = make_store(config).get_ledger_trace()
    return str(trace) if trace else make_results(config).get_trace()


def get_recovery_of_ledger(config: Config) -> tuple[str, ...]:
    """Return the command that brings a lost ledger back that was in a file."""
    return choose_recovery(config.resolve_ledger_file(), make_results(config).get_trace())


def _build_no_ledger_error(config: Config) -> UsageError:
    """Return the error for a missing ledger: lost where receipts or results show one, else not begun yet."""
    path, trace = config.name_ledger(), get_trace_of_ledger(config)
    if trace is None and not config.is_ledger_on_server:
        return UsageError("never_run", path=path, then=("check",))
    if config.is_ledger_on_server:
        conflicts = (registry.get_conflict(path, None) for registry in list_registries(config))
        if trace is None:
            return next(filter(None, conflicts), None) or UsageError("never_run", path=path, then=("check",))
        return UsageError("ledger.server_lost", path=path, found=trace, then=("ledger", "recover"))
    return UsageError("no_ledger", path=path, then=get_recovery_of_ledger(config))


def load_ledger(
    config: Config, file: Path, clock: Clock, *, warnings: WarningOutput = WARNING_LOG
) -> LoadedLedger:
    """Load the ledger of a file into the configured server; no run can use either meanwhile.

    Raises UsageError where the configured ledger is in a file, or a run would refuse this one; Locked, naming the holder.
    """
    store, registry, now = make_store(config), make_registry(config), clock.now()
    if isinstance(store, FileStore):
        raise UsageError("load.no_server", path=config.name_ledger())
    ownership = Ownership(
        registry,
        RunLock(file),
        registry.make_tenant_lock(),
        make_results(config),
        warnings=warnings,
    )
    with ownership.take(run=LOAD, now=now), store.hold.acquire(run=LOAD, now=now):
        return store.load(file, ownership, now=now)
