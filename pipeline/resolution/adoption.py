"""Enters seals made elsewhere from one file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.run import RunRequest
from pipeline.domain.site_key import SiteKey
from pipeline.intake.fields.validate import validate_rows
from pipeline.intake.read_rosters import is_results_workbook, read_rosters
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.ownership import WarningOutput
from pipeline.planning.known_people import unite_persons
from pipeline.resolution.adopt import AdoptableSeals, read_results, read_sheet
from pipeline.workflow import stage_settings
from pipeline.workflow.run_request import build_request
from pipeline.workflow.tenant_ledger import lock_ledger_for_adoption


def adopt_seals(
    config: Config,
    clock: Clock,
    file: Path,
    *,
    who: str,
    why: str,
    invocation: str,
    warnings: WarningOutput,
) -> AdoptableSeals:
    """Enter the seals that a file gives, all or none; a missing ledger is made."""
    with lock_ledger_for_adoption(config, clock, warnings=warnings) as (ledger, site_key):
        request = build_request("adopt", config, clock, invocation=invocation)
        adoptable = _read_seals(file, request, config, ledger, site_key, today=clock.today())
        if adoptable.seals:
            ledger.record_adopted_seals(adoptable.seals, now=clock.now(), who=who, why=why)
    return adoptable


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
