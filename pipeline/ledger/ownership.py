"""Whether this process may write the ledger: what is asked before a run begins, and again before each commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import EsignImportError, LedgerError, UsageError, reason_of
from pipeline.ledger.registry import LedgerIdentity, Progress, ProgressCounter, TenantRegistry, read_identity
from pipeline.support.private_files import identify_file

if TYPE_CHECKING:
    from pipeline.ledger.lock import RunLock
    from pipeline.ledger.sqlite_ledger import SqliteLedger


@dataclass(slots=True)
class Ownership:
    """What decides whether a ledger may be written.

    ``accept_ledger``: go on with this ledger although the registry contradicts it, and register it (`run
    --new-ledger`). ``ignore_registry``: go on without registering it (`adopt`, a way out of the contradiction).
    ``approve`` raises for a ledger that lacks what earlier results show. ``warn`` hears of a contradiction where the
    registry is not strict, and of a registry that cannot be written.
    """

    registry: TenantRegistry | None = None
    lock: RunLock | None = None
    accept_ledger: bool = False
    ignore_registry: bool = False
    approve: Callable[[SqliteLedger], None] | None = None
    warn: Callable[[EsignImportError], None] = lambda _: None
    _contradicted: bool = False

    def progress_of(self, ledger_id: str) -> Progress | None:
        """Return how far the registry saw a ledger get, None where it does not know it."""
        return self.registry.progress_of(ledger_id) if self.registry else None

    def check_registry(self, path: Path, identity: LedgerIdentity | None) -> None:
        """Raise UsageError where the registry contradicts the ledger at ``path`` (None: there is none) and is strict."""
        conflict = self.registry.find_conflict(path, identity) if self.registry else None
        if conflict is None or self.registry is None:
            return
        known, self._contradicted = self._contradicted, True
        if self.ignore_registry:
            return
        if self.registry.strict and not self.accept_ledger:
            raise conflict
        if not known:  # the ledger is looked at more than once
            self.warn(conflict)

    def register(self, path: Path) -> ProgressCounter | None:
        """Make the ledger at ``path`` the tenant's in the registry and return its counter, None without a registry."""
        if self.registry is None or (self.ignore_registry and self._contradicted):
            return None
        return register_ledger(self.registry, path, reset=self.accept_ledger, warn=self.warn)

    def forget(self, tenant: str, path: Path) -> None:
        """Let the registry forget that the ledger at ``path``, which passes to another tenant, was ``tenant``'s."""
        if self.registry is not None:
            self.registry.forget(tenant, read_identity(path))

    def require(self, path: Path) -> Callable[[], None]:
        """Return a check that raises LedgerError once the lock file or the ledger file is another one than now."""
        opened = identify_file(path)

        def check() -> None:
            if self.lock is not None and not self.lock.is_intact():
                raise LedgerError("ledger.lock_lost", path=self.lock.path)
            if identify_file(path) != opened:
                raise LedgerError("ledger.replaced", path=path)

        return check


def find_conflict(registry: TenantRegistry, path: Path) -> UsageError | None:
    """Return why a run would not go on with the ledger at ``path``, or None."""
    return registry.find_conflict(path, read_identity(path))


def register_ledger(
    registry: TenantRegistry,
    path: Path,
    *,
    reset: bool = False,
    warn: Callable[[EsignImportError], None],
) -> ProgressCounter | None:
    """Enter the ledger at ``path`` in the registry; where that cannot be written, warn and return None."""
    identity = read_identity(path)
    try:
        return registry.enter(path, identity, reset=reset)
    except OSError as error:
        warn(LedgerError("ledger.registry_failed", folder=registry.lock_path.parent, why=reason_of(error)))
        return None
