"""What the ledger still says of earlier runs that this one has to know: people, turns, a certificate."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from functools import cached_property
from pathlib import Path

from pipeline.domain.run import RunRequest
from pipeline.errors import UsageError
from pipeline.intake.readers.discover import find_bare
from pipeline.ledger.protocol import Ledger, RunRecord

# kinds of decisions: a second create is about to leave, and what came of it
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
    """The last complete run over the same rosters that was not stopped by a guard; read when it is asked for."""

    def __init__(self, ledger: Ledger, record: RunRecord, *, stopped_by: str) -> None:
        self._ledger, self._rosters, self._stopped_by = ledger, record.rosters, stopped_by

    @property
    def rows(self) -> int:
        """How many rows it had; 0 where there was no such run."""
        return self._found[1]

    @cached_property
    def people(self) -> frozenset[Hashable]:
        """The people of its rows; where a number could not be used, the name stands for the person."""
        run, rows = self._found
        seen = self._ledger.list_rows(run) if rows else []
        return frozenset(row.key or json.loads(row.line)["name"] or row.row_id for row in seen)

    @cached_property
    def _found(self) -> tuple[str, int]:
        for run in self._ledger.list_runs(RUNS_SEARCHED):
            if run.command == "run" and run.rosters == self._rosters and run.record and read_rosters(run):
                told = json.loads(run.record)
                if (told.get("halted") or {}).get("code") != self._stopped_by:
                    return run.run, int(told["rows"])
        return "", 0


def read_rosters(run: RunRecord) -> bool:
    """Tell whether a run read any roster; one that was cut short has told nothing and counts as one that did."""
    return not run.record or bool(json.loads(run.record)["files"])


def find_emptied(ask: RunRequest, ledger: Ledger | None) -> list[str]:
    """Return the roster folders that hold no roster, or are gone, and in which an earlier run read one."""
    if ledger is None or ask.to_fix_only or ask.only_keys:
        return []
    bare = [*ask.missing_folders, *find_bare(ask.rosters)]
    return [str(folder) for folder in find_read_before(ledger, bare)]


def find_read_before(ledger: Ledger, folders: Sequence[Path]) -> list[Path]:
    """Return those of these folders in which an earlier run read a roster."""
    runs = ledger.list_runs(ALL_RUNS) if folders else []
    return [folder for folder in folders if any(_read_in(folder, run) for run in runs)]


def _read_in(folder: Path, run: RunRecord) -> bool:
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


def find_previously_unsent(ledger: Ledger) -> frozenset[str]:
    """Return the row_ids whose turn did not come in the last run that ended."""
    last = ledger.find_last_run(complete=True)
    if last is None or not last.record or not json.loads(last.record)["statuses"].get("not_sent"):
        return frozenset()
    return frozenset(seen.row_id for seen in ledger.list_rows(last.run) if seen.status == "not_sent")


def require_certificate(ledger: Ledger, contract: str, now: float) -> None:
    """Raise UsageError where nothing proves that this tenant refuses a second identical create: no probing without."""
    told = [each for each in ledger.list_decisions() if each.kind in (CERTIFIED, NOT_CERTIFIED)]
    last = told[-1] if told else None
    if (
        last is None
        or last.kind != CERTIFIED
        or last.at < now - CERTIFICATE_DAYS * 86_400
        or not last.why.startswith(contract)
    ):
        raise UsageError("usage.not_certified", days=CERTIFICATE_DAYS, contract=contract)
