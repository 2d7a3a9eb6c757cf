"""Where a tenant's ledger is, and what differs from place to place. `find_store` is the only place that decides."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipeline.config.ledger_secrets import find_ledger_secret, find_server_address
from pipeline.config.settings import Config
from pipeline.errors import UsageError
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.lock import RunLock, is_locked
from pipeline.ledger.moved import require_not_moved
from pipeline.ledger.open import open_ledger, require_no_lost_ledger
from pipeline.ledger.receipt_sync import receipts_path
from pipeline.ledger.registry import Ownership, TenantRegistry
from pipeline.ledger.tenant import SiteKey

if TYPE_CHECKING:
    from pipeline.ledger.maintenance import LedgerCheck
    from pipeline.ledger.postgres.care import Holder, ServerFacts
    from pipeline.ledger.purge import PersonTraces


class LedgerStore(Protocol):
    """One tenant's ledger, which may not exist yet."""

    def exists(self) -> bool:
        """Return whether there is a ledger; UsageError where it was moved away."""

    def find_trace(self) -> Path | None:
        """Return the file that shows that there was a ledger where now there is none."""

    def is_held(self) -> bool:
        """Return whether a run holds the ledger."""

    def find_holder(self) -> Holder | None:
        """Return which process holds the ledger, where that is known."""

    def examine_server(self, now: float) -> ServerFacts | None:
        """Return facts about the server, None for a file; LedgerError for a server that cannot be used."""

    def hold(self, *, run: str, now: float) -> AbstractContextManager[None]:
        """Hold the ledger for a run while the block runs. Raises Locked."""

    def open(
        self,
        *,
        now: float,
        evidence: str | None = None,
        force_new: bool = False,
        readonly: bool = False,
        ownership: Ownership | None = None,
    ) -> tuple[DatabaseLedger, SiteKey]:
        """Open the ledger as `pipeline.ledger.open.open_ledger` does; to write, it must be held."""

    def require_not_lost(self, evidence: str | None, ownership: Ownership) -> None:
        """Raise UsageError where there is no ledger, and something shows that there was one."""

    def check(self) -> LedgerCheck:
        """Return the defects of the ledger, and how much was read."""

    def find_conflict(self, registry: TenantRegistry) -> UsageError | None:
        """Return why the registry contradicts this ledger."""

    def erase_person(self, traces: PersonTraces, *, now: float, who: str) -> None:
        """Remove a person's data; the ledger must be held."""


@dataclass(slots=True)
class FileStore:
    """A ledger in a file of this machine, with key, receipts and lock next to it."""

    path: Path
    tenant: str
    _lock: RunLock | None = field(default=None, init=False)

    def exists(self) -> bool:
        require_not_moved(self.path)
        return self.path.exists()

    def find_trace(self) -> Path | None:
        receipts = receipts_path(self.path)
        return receipts if receipts.exists() else None

    def is_held(self) -> bool:
        return is_locked(self.path)

    def find_holder(self) -> None:
        return None

    def examine_server(self, now: float) -> None:  # noqa: ARG002 - as LedgerStore has it
        return None

    @contextmanager
    def hold(self, *, run: str, now: float) -> Iterator[None]:
        with RunLock(self.path).acquire(run=run, now=now) as self._lock:
            yield

    def open(
        self,
        *,
        now: float,
        evidence: str | None = None,
        force_new: bool = False,
        readonly: bool = False,
        ownership: Ownership | None = None,
    ) -> tuple[DatabaseLedger, SiteKey]:
        if ownership is not None:
            ownership.lock = self._lock
        return open_ledger(
            self.path,
            self.tenant,
            now=now,
            evidence=evidence,
            force_new=force_new,
            readonly=readonly,
            recover=not readonly,
            ownership=ownership,
        )

    def require_not_lost(self, evidence: str | None, ownership: Ownership) -> None:
        require_no_lost_ledger(self.path, evidence, ownership)

    def check(self) -> LedgerCheck:
        from pipeline.ledger.maintenance import check_ledger  # noqa: PLC0415 - a run does not need it

        return check_ledger(self.path, self.tenant)

    def find_conflict(self, registry: TenantRegistry) -> UsageError | None:
        return registry.find_conflict(self.path)

    def erase_person(self, traces: PersonTraces, *, now: float, who: str) -> None:
        from pipeline.ledger.purge import erase_person  # noqa: PLC0415 - a run does not need it

        erase_person(self.path, traces, now=now, who=who)


def find_store(config: Config) -> LedgerStore:
    """Return the place of the configured ledger; UsageError where it is on a server and what that needs is missing."""
    address = find_server_address(config, os.environ)
    if address is None:
        return FileStore(config.resolve_ledger_file(), config.tenant)
    try:
        from pipeline.ledger.postgres.connection import require_known_options  # noqa: PLC0415 - they need the extra
        from pipeline.workflow.server_store import ServerStore  # noqa: PLC0415 - the same
    except ImportError as error:
        raise UsageError("server.no_extra", address=address) from error
    require_known_options(address)
    return ServerStore(address, config.tenant, find_ledger_secret(config, os.environ))
