"""Looks up earlier runs in the ledger: people of the last complete run, rows left unsent, the certificate for probing."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property
from pathlib import Path

from pipeline.domain.masking import Masker
from pipeline.domain.roster import Origin
from pipeline.domain.run import RETRYABLE_STATUSES, RowPlan, RunRequest, Status
from pipeline.errors import UsageError
from pipeline.intake.readers.discover import find_empty_folders
from pipeline.ledger.protocol import Ledger, RunRecord

# kinds of decisions: a second create is about to leave, and the result of it
CERTIFY_SENT, CERTIFY_VOID, CERTIFIED, NOT_CERTIFIED = CERTIFICATION = (
    "certify_sent",
    "certify_void",
    "certify",
    "certify_failed",
)
CERTIFICATE_DAYS = 90
ALL_RUNS = 1_000_000
RUNS_SEARCHED = 50  # back to the last complete run over the same rosters


class LastRun:
    """The last complete run over the same rosters that was not stopped by a guard; read when it is needed."""

    def __init__(self, ledger: Ledger, record: RunRecord, *, stopped_by: str) -> None:
        self._ledger, self._rosters, self._stopped_by = ledger, record.rosters, stopped_by

    @property
    def row_count(self) -> int:
        """The number of its rows; 0 where there was no such run."""
        return self._run_and_rows[1]

    @cached_property
    def people(self) -> frozenset[Hashable]:
        """The people of its rows; where a number could not be used, the name stands for the person."""
        run, row_count = self._run_and_rows
        rows = self._ledger.list_rows(run) if row_count else []
        return frozenset(row.key or json.loads(row.line)["name"] or row.row_id for row in rows)

    @cached_property
    def _run_and_rows(self) -> tuple[str, int]:
        for run in self._ledger.list_runs(RUNS_SEARCHED):
            if run.command == "run" and run.rosters == self._rosters and run.record and has_read_rosters(run):
                record = json.loads(run.record)
                if (record.get("halted") or {}).get("code") != self._stopped_by:
                    return run.run, int(record["rows"])
        return "", 0


def has_read_rosters(run: RunRecord) -> bool:
    """Return whether a run read any roster; one that was cut short has no record and counts as one that did."""
    return not run.record or bool(json.loads(run.record)["files"])


def find_emptied_folders(request: RunRequest, ledger: Ledger | None) -> list[str]:
    """Return the roster folders that hold no roster, or are gone, and in which an earlier run read one."""
    if ledger is None or request.to_fix_only or request.only_keys:
        return []
    folders = [*request.missing_folders, *find_empty_folders(request.rosters)]
    runs = ledger.list_runs(ALL_RUNS) if folders else []
    return [str(folder) for folder in folders if any(_has_read_in(run, folder) for run in runs)]


def _has_read_in(run: RunRecord, folder: Path) -> bool:
    """Return whether a run read a roster in a folder."""
    if not run.rosters and not run.record:  # made again from receipts, which hold no paths
        return True
    if str(folder.absolute()) not in {*run.rosters, *run.context}:
        return False
    if not run.record:
        return True
    files = [Path(file["path"]) for file in json.loads(run.record)["files"]]
    if len(run.rosters) == 1:
        return bool(files)
    return any(folder.absolute().parts[-len(file.parent.parts) :] == file.parent.parts for file in files)


def select_rows_to_send(row_plans: Sequence[RowPlan], request: RunRequest, ledger: Ledger) -> list[RowPlan]:
    """Return the rows to send, those first whose turn did not come the last time: all READY rows.

    Of a retry they are those that its run left unfinished. A corrected row has another id and perhaps another number:
    it is known by its place, too.
    """
    ready = [row_plan for row_plan in row_plans if row_plan.status is Status.READY]
    if request.only_keys:
        return [row_plan for row_plan in ready if row_plan.doctor.key in request.only_keys]
    if request.retried_run is not None:
        return _select_unfinished(ready, row_plans, request.retried_run, ledger)
    waiting = _find_previously_unsent(ledger)
    return sorted(ready, key=lambda row_plan: row_plan.doctor.row_id not in waiting)


def _select_unfinished(
    ready: Iterable[RowPlan], row_plans: Iterable[RowPlan], run: str, ledger: Ledger
) -> list[RowPlan]:
    unfinished = [row for row in ledger.list_rows(run) if row.status in RETRYABLE_STATUSES]
    row_ids = {row.row_id for row in unfinished}
    keys = {row.key for row in unfinished if row.key}
    places = {(row.file, row.sheet, row.row) for row in unfinished}
    mask = Masker.of_doctors(row_plan.doctor for row_plan in row_plans).mask_text

    def is_unfinished(row_plan: RowPlan) -> bool:
        origin: Origin = row_plan.doctor.row.origin
        masked = mask(origin.file), mask(origin.sheet) if origin.sheet else None, origin.row
        return row_plan.doctor.row_id in row_ids or row_plan.doctor.key in keys or masked in places

    return [row_plan for row_plan in ready if is_unfinished(row_plan)]


def _find_previously_unsent(ledger: Ledger) -> frozenset[str]:
    """Return the row_ids whose turn did not come in the last run that ended."""
    last = ledger.find_last_run(complete=True)
    if last is None or not last.record or not json.loads(last.record)["statuses"].get("not_sent"):
        return frozenset()
    return frozenset(row.row_id for row in ledger.list_rows(last.run) if row.status == "not_sent")


def require_certificate(ledger: Ledger, contract: str, now: float) -> None:
    """Raise UsageError where it is not proven that this tenant refuses a second identical create: no probing then."""
    decisions = [
        decision for decision in ledger.list_decisions() if decision.kind in (CERTIFIED, NOT_CERTIFIED)
    ]
    last = decisions[-1] if decisions else None
    if (
        last is None
        or last.kind != CERTIFIED
        or last.decided_at < now - CERTIFICATE_DAYS * 86_400
        or not last.why.startswith(contract)
    ):
        raise UsageError("usage.not_certified", days=CERTIFICATE_DAYS, contract=contract)
