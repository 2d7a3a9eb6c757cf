"""A ledger on a PostgreSQL server. Imported only where `ledger:` names one: it needs the extra ``postgres``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.maintenance import LedgerCheck
from pipeline.ledger.postgres import care, opening
from pipeline.ledger.postgres.address import ServerAddress
from pipeline.ledger.postgres.lease import Lease, is_held
from pipeline.ledger.purge import PersonTraces
from pipeline.ledger.registry import Ownership, TenantRegistry
from pipeline.ledger.tenant import SiteKey


@dataclass(slots=True)
class ServerStore:
    """A ledger in a schema of a PostgreSQL database, with its key and receipts; `LedgerStore` describes the methods."""

    address: ServerAddress
    tenant: str
    secret: str = field(repr=False)
    _lease: Lease | None = field(default=None, init=False)

    def exists(self) -> bool:
        return opening.find_server_identity(self.address, self.tenant) is not None

    def find_trace(self) -> Path | None:
        return None  # its receipts are lost with it

    def is_held(self) -> bool:
        return is_held(self.address, self.tenant)

    def find_holder(self) -> care.Holder | None:
        return care.find_holder(self.address, self.tenant)

    def examine_server(self, now: float) -> care.ServerFacts:
        return care.examine_server(self.address, self.tenant, now=now)

    @contextmanager
    def hold(self, *, run: str, now: float) -> Iterator[None]:
        with Lease(self.address, self.tenant).acquire(run=run, now=now) as self._lease:
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
        assert readonly or self._lease is not None
        return opening.open_server_ledger(
            self.address,
            self.tenant,
            now=now,
            secret=self.secret,
            evidence=evidence,
            force_new=force_new,
            lease=None if readonly else self._lease,
            ownership=ownership,
        )

    def require_not_lost(self, evidence: str | None, ownership: Ownership) -> None:
        opening.require_no_lost_server_ledger(self.address, evidence, ownership)

    def check(self) -> LedgerCheck:
        return care.check_server_ledger(self.address, self.tenant, secret=self.secret)

    def find_conflict(self, registry: TenantRegistry) -> UsageError | None:
        identity = opening.find_server_identity(self.address, self.tenant)
        return registry.find_server_conflict(self.address.shown, identity)

    def erase_person(self, traces: PersonTraces, *, now: float, who: str) -> None:
        assert self._lease is not None
        care.erase_person(self.address, self.tenant, traces, lease=self._lease, now=now, who=who)
