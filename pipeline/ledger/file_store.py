"""A ledger in a file of this machine, as a run and the commands use it; pipeline/hosts/server_store.py is the other place."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.domain.site_key import SiteKey
from pipeline.errors import UsageError
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.disk import require_not_loaded
from pipeline.ledger.lock import RunLock
from pipeline.ledger.open import open_ledger, require_no_lost_ledger
from pipeline.ledger.ownership import Ownership
from pipeline.ledger.receipt_sync import receipts_path
from pipeline.ledger.registry import TenantRegistry, read_identity

if TYPE_CHECKING:
    from pipeline.ledger.maintenance import LedgerCheck
    from pipeline.ledger.purge import PersonTraces


@dataclass(slots=True)
class FileStore:
    """One tenant's ledger, which may not exist yet, with key, receipts and lock next to it.

    ``hold`` keeps other processes from it, once it is acquired.
    """

    path: Path
    tenant: str
    hold: RunLock = field(init=False)

    def __post_init__(self) -> None:
        self.hold = RunLock(self.path)

    def exists(self) -> bool:
        """Return whether there is a ledger; UsageError where it was loaded into a server."""
        require_not_loaded(self.path)
        return self.path.exists()

    def get_ledger_trace(self) -> Path | None:
        """Return the file that shows that there was a ledger where now there is none."""
        receipts = receipts_path(self.path)
        return receipts if receipts.exists() else None

    def examine_server(self, now: float) -> None:
        """Return facts about the server, None for a file; LedgerError for a server that cannot be used."""

    def open(
        self, *, now: float, readonly: bool = False, ownership: Ownership | None = None
    ) -> tuple[DatabaseLedger, SiteKey]:
        """Open the ledger as `open_ledger` does; to write, ``hold`` must be acquired."""
        return open_ledger(self.path, self.tenant, now=now, readonly=readonly, ownership=ownership)

    def require_not_lost(self, ownership: Ownership) -> None:
        """Raise UsageError where there is no ledger, and something shows that there was one."""
        require_no_lost_ledger(self.path, ownership)

    def check(self) -> LedgerCheck:
        """Return the defects of the ledger, and how much was read."""
        from pipeline.ledger.maintenance import check_ledger  # noqa: PLC0415 - a run does not need it

        return check_ledger(self.path, self.tenant)

    def get_conflict(self, registry: TenantRegistry) -> UsageError | None:
        """Return why the registry contradicts this ledger."""
        return registry.get_conflict(self.path, read_identity(self.path))

    def erase_person(self, traces: PersonTraces, *, now: float, who: str) -> None:
        """Remove a person's data; ``hold`` must be acquired."""
        from pipeline.ledger.purge import erase_person  # noqa: PLC0415 - a run does not need it

        erase_person(self.path, traces, now=now, who=who)
