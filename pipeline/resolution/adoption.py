"""Enters seals made elsewhere from one file; what would be entered can be looked at first, by the same functions."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.run import RunRequest
from pipeline.domain.site_key import SiteKey
from pipeline.intake.fields.validate import validate_rows
from pipeline.intake.read_rosters import is_results_workbook, read_rosters
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.file_store import FileStore
from pipeline.ledger.ownership import Ownership, WarningOutput
from pipeline.planning.known_people import unite_persons
from pipeline.resolution.adopt import AdoptableSeals, read_results, read_sheet
from pipeline.version import PROGRAM
from pipeline.workflow import stage_settings
from pipeline.workflow.hosts_factory import make_store
from pipeline.workflow.run_request import build_request
from pipeline.workflow.tenant_ledger import (
    WARNING_LOG,
    get_trace_of_ledger,
    lock_ledger_for_adoption,
    open_configured_ledger,
    open_store,
    require_ledger,
)


@dataclass(frozen=True, slots=True)
class Adoption:
    """The seals that a file gives, next to the open ledger."""

    ledger: DatabaseLedger
    clock: Clock
    adoptable: AdoptableSeals

    def enter(self, who: str, why: str) -> None:
        """Enter the seals, all or none."""
        if self.adoptable.seals:
            now = self.clock.now()
            self.ledger.record_adopted_seals(self.adoptable.seals, now=now, who=who, why=why)

    def compute_digest(self) -> str:
        """Return what stands for all that would be entered and all that is refused, whatever the ledger's key."""
        seals = [(seal.seal_id, seal.name, seal.id_masked, seal.seal_name) for seal in self.adoptable.seals]
        refused = [(address, str(reason)) for address, reason in self.adoptable.refused.items()]
        facts = (seals, refused, self.adoptable.known)
        return hashlib.sha256(repr(facts).encode("utf-8", "surrogateescape")).hexdigest()


@contextmanager
def open_adoption(
    config: Config,
    clock: Clock,
    file: Path,
    *,
    changes: bool,
    invocation: str = PROGRAM,
    warnings: WarningOutput = WARNING_LOG,
) -> Iterator[Adoption]:
    """Read the seals that a file gives; the lock is taken, and a missing ledger made, only to enter ``changes``."""
    opened: AbstractContextManager[tuple[DatabaseLedger, SiteKey]]
    if changes:
        opened = lock_ledger_for_adoption(config, clock, warnings=warnings)
    elif make_store(config).exists():
        opened = open_configured_ledger(config, clock)
    else:
        opened = _open_empty_ledger(config, clock)
    with opened as (ledger, site_key):
        request = build_request("adopt", config, clock, invocation=invocation)
        yield Adoption(
            ledger, clock, _read_seals(file, request, config, ledger, site_key, today=clock.today())
        )


def require_no_lost_ledger(config: Config) -> None:
    """Raise UsageError where the ledger is gone, and something shows that there was one."""
    if not make_store(config).exists() and get_trace_of_ledger(config) is not None:
        require_ledger(config)


@contextmanager
def _open_empty_ledger(config: Config, clock: Clock) -> Iterator[tuple[DatabaseLedger, SiteKey]]:
    """Open a ledger that is thrown away: what would be entered is compared with nothing."""
    with tempfile.TemporaryDirectory() as folder:
        store = FileStore(Path(folder) / "ledger.sqlite3", config.tenant)
        ownership = Ownership(hold=store.hold)
        with (
            ownership.take(run="adopt", now=clock.now()),
            open_store(store, clock, ownership=ownership) as opened,
        ):
            yield opened


def _read_seals(
    file: Path, request: RunRequest, config: Config, ledger: DatabaseLedger, site_key: SiteKey, *, today: date
) -> AdoptableSeals:
    """Read the seals that a file gives; of a results workbook together with the present rosters."""
    from_results = is_results_workbook(file)
    rows, files = read_rosters(
        request.rosters if from_results else [file],
        columns=config.columns,
        options=stage_settings.build_read_options(request, config),
    )
    doctors = unite_persons(
        validate_rows(
            rows,
            settings=stage_settings.build_field_settings(config),
            today=today,
            site_key=site_key,
        ),
        snapshot=ledger.snapshot(),
    )
    agent = stage_settings.build_agent(config)
    if from_results:
        return read_results(file, doctors, ledger, site_key, agent=agent)
    return read_sheet(rows, doctors, files, ledger, site_key, agent=agent)
