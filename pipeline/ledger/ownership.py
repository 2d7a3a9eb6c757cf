"""Ownership of a ledger: what makes this process its only writer, and what refuses it before anything is written.

The registry (registry.py) and the results of earlier runs refuse a ledger that was lost, replaced or restored from an old
backup: a run would create again what such a ledger does not know.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from pipeline.errors import EsignImportError, LedgerError
from pipeline.ledger.lock import LedgerHold, RunLock
from pipeline.ledger.progress import LedgerIdentity
from pipeline.ledger.registry import ReceiptCounter, TenantRegistry
from pipeline.support.atomic_files import identify_file

if TYPE_CHECKING:
    from pipeline.ledger.database_ledger import DatabaseLedger

LOG = logging.getLogger(__name__)


class WarningOutput(Protocol):
    """Where errors go that are no reason to stop."""

    def print_warning(self, error: EsignImportError) -> None:
        """Show one of them."""


class WarningLog:
    """Enters warnings in the log of the program."""

    def print_warning(self, error: EsignImportError) -> None:
        """Enter one of them."""
        LOG.warning("%s", error)


class EarlierResults(Protocol):
    """The results of a tenant's earlier runs, as far as they decide about a ledger."""

    def get_trace(self) -> str | None:
        """Return the file that shows an earlier run, or None."""

    def require_known(self, ledger: DatabaseLedger) -> None:
        """Raise UsageError for a ledger that lacks creates or seals of those runs."""

    def require_recovered(self, ledger: DatabaseLedger) -> None:
        """Raise UsageError for a ledger that was put back, and whose lost creates can be entered."""


@dataclass(slots=True)
class Ownership(AbstractContextManager["Ownership"]):
    """What decides whether this process may write a ledger; taken and given back as a whole.

    ``hold`` keeps other processes from this ledger, ``tenant_lock`` those of this host from another ledger of the tenant.
    Without ``registry`` the registry is neither asked nor written, without ``results`` a ledger may lack what they show.
    ``shared_registry`` is the one in the shared folder of the results, of a ledger on a server.
    ``accept_ledger``: go on with this ledger although registry or results contradict it, and register it (`run
    --new-ledger`). ``ignore_registry``: go on without registering it (`adopt`, a way out of the contradiction). With either,
    a new ledger may begin although files show an earlier one. A contradiction where the registry is not strict is a warning.
    """

    registry: TenantRegistry | None = None
    hold: LedgerHold | None = None
    tenant_lock: RunLock | None = None
    results: EarlierResults | None = None
    accept_ledger: bool = False
    ignore_registry: bool = False
    warnings: WarningOutput = field(default_factory=WarningLog)
    shared_registry: TenantRegistry | None = None
    _taken: ExitStack = field(default_factory=ExitStack, init=False)
    _is_contradicted: bool = field(default=False, init=False)
    _file: Path | None = field(default=None, init=False)  # of the ledger, once it is open
    _file_identity: tuple[int, int] | None = field(default=None, init=False)

    def take(self, *, run: str, now: float) -> Self:
        """Take the hold and the tenant's lock for a run that begins at ``now`` (unix seconds).

        Raises Locked, and LedgerError where the hold cannot be taken; a tenant's lock that cannot be taken is a warning.
        """
        with ExitStack() as taken:
            if self.hold is not None:
                self.hold.acquire(run=run, now=now)
                taken.callback(self.hold.release)
            if self.tenant_lock is not None:
                try:
                    self.tenant_lock.acquire(run=run, now=now)
                    taken.callback(self.tenant_lock.release)
                except LedgerError as error:
                    self.warnings.print_warning(error)
            self._taken = taken.pop_all()
        return self

    def release(self) -> None:
        """Give back what was taken."""
        self._taken.close()

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def allows_new(self) -> bool:
        """Whether a new ledger may begin although files show an earlier one."""
        return self.accept_ledger or self.ignore_registry

    def get_trace(self) -> str | None:
        """Return the file among the results that forbids a new ledger, or None."""
        return None if self.results is None or self.allows_new else self.results.get_trace()

    def inspect(self, location: Path | str, identity: LedgerIdentity, ledger: DatabaseLedger) -> None:
        """Raise UsageError for the ledger of a file or server that registry or results contradict."""
        self.check_registry(location, identity)
        if self.results is None or self.ignore_registry:
            return
        if self.accept_ledger:
            self.results.require_recovered(ledger)
        else:
            self.results.require_known(ledger)

    def check_registry(self, location: Path | str, identity: LedgerIdentity | None) -> None:
        """Raise UsageError where a registry contradicts the ledger of a file or server, or its absence, and is strict."""
        for registry in self._list_registries():
            conflict = registry.get_conflict(location, identity)
            if conflict is None:
                continue
            known, self._is_contradicted = self._is_contradicted, True
            if self.ignore_registry:
                continue
            if registry.strict and not self.accept_ledger:
                raise conflict
            if not known:  # the ledger is looked at more than once
                self.warnings.print_warning(conflict)

    def register(self, location: str, identity: LedgerIdentity) -> Sequence[ReceiptCounter]:
        """Make a ledger, a resolved path or a server, the tenant's in the registries; return their counters."""
        counters: list[ReceiptCounter] = []
        if self.ignore_registry and self._is_contradicted:
            return counters
        for registry in self._list_registries():
            try:
                counters.append(registry.enter(location, identity, reset=self.accept_ledger))
            except LedgerError as error:
                self.warnings.print_warning(error)
        return counters

    def _list_registries(self) -> list[TenantRegistry]:
        return [registry for registry in (self.registry, self.shared_registry) if registry is not None]

    def watch_file(self, ledger: Path) -> None:
        """Note which file holds the ledger: `require` refuses another one of that name."""
        self._file, self._file_identity = ledger, identify_file(ledger)

    def require(self) -> None:
        """Raise LedgerError once another process may be writing: the hold is lost, or the ledger's file is another one."""
        if self.hold is not None and not self.hold.is_intact():
            raise self.hold.explain_loss()
        if self._file is not None and identify_file(self._file) != self._file_identity:
            raise LedgerError("ledger.replaced", path=self._file)
