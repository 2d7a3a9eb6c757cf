"""Opens the row of one sealed doctor under the lock, for what `certify` finds out with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.run import RowPlan
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.ownership import WarningOutput
from pipeline.resolution.service_calls import get_sealed_row
from pipeline.version import PROGRAM
from pipeline.workflow.import_run import prepare_run
from pipeline.workflow.run_request import build_request
from pipeline.workflow.tenant_ledger import WARNING_LOG, lock_ledger, require_ledger


@contextmanager
def open_sealed_row(
    config: Config,
    clock: Clock,
    query: str,
    *,
    run: str | None = None,
    invocation: str = PROGRAM,
    warnings: WarningOutput = WARNING_LOG,
) -> Iterator[tuple[DatabaseLedger, RowPlan]]:
    """Hold the lock and the ledger, and give the row of the one sealed doctor whom a query means."""
    require_ledger(config)
    request = build_request("certify", config, clock, invocation=invocation, run=run)
    request = replace(request, command="check")
    with lock_ledger(config, request, clock, warnings=warnings) as (ledger, site_key):
        run_plan = prepare_run(request, config, ledger=ledger, site_key=site_key, clock=clock)
        yield ledger, get_sealed_row(run_plan.row_plans, query)
