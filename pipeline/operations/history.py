"""Collects the runs of a hospital: those of the ledger, and those that ended before they had one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.clock import Clock, stamp
from pipeline.config.settings import Config
from pipeline.ledger.protocol import RunRecord
from pipeline.workflow.recorded_runs import list_recorded_runs, select_later_run
from pipeline.workflow.tenant_ledger import has_ledger, name_tenant, open_configured_ledger


@dataclass(frozen=True, slots=True)
class PastRun:
    """One line of the history."""

    run: str
    command: str
    started: str  # ISO 8601
    finished: str | None  # None: killed, or under way
    exit: int | None
    files: int
    statuses: Mapping[str, int]  # without those of no row
    halt: str | None  # code
    user: str
    accepted_guards: bool
    waited_seconds: float  # for which its calls waited for their slots, all of them together


def collect_runs(config: Config, clock: Clock, limit: int) -> list[PastRun]:
    """Return the newest runs, at most ``limit``, the newest first."""
    recorded = {
        run.run: run for run in list_recorded_runs(config.resolve_path(config.out), name_tenant(config))
    }
    if has_ledger(config):
        with open_configured_ledger(config, clock, readonly=True) as (ledger, _):
            for run in ledger.list_runs(limit):
                recorded[run.run] = select_later_run(run, recorded.get(run.run)) or run
    # run.json holds whole seconds
    newest = sorted(recorded.values(), key=lambda run: (int(run.started), run.run), reverse=True)
    return [_summarize(run) for run in newest[:limit]]


def _summarize(run: RunRecord) -> PastRun:
    record: dict[str, Any] = json.loads(run.record) if run.record else {}
    return PastRun(
        run=run.run,
        command=run.command,
        started=stamp(run.started),
        finished=stamp(run.finished) if run.finished is not None else None,
        exit=run.exit,
        files=len(record.get("files", ())),
        statuses={status: rows for status, rows in record.get("statuses", {}).items() if rows},
        halt=(record.get("halted") or {}).get("code"),
        user=run.user,
        accepted_guards=bool(record.get("accepted_guards")),
        waited_seconds=record.get("rate", {}).get("waited_seconds", 0.0),
    )
