"""What the ledger still says of earlier nights that this one has to know: rows, turns, a certificate."""

from __future__ import annotations

import json

from pipeline.errors import UsageError
from pipeline.ledger.protocol import Ledger, RunRecord

# kinds of decisions: a second create is about to leave, and what came of it
CERTIFY_SENT, CERTIFY_VOID, CERTIFIED, NOT_CERTIFIED = CERTIFICATION = (
    "certify_sent",
    "certify_void",
    "certify",
    "certify_failed",
)
CERTIFICATE_DAYS = 90
RUNS_SEARCHED = 50  # back to the last complete run over the same rosters


def rows_last_time(ledger: Ledger, record: RunRecord) -> int | None:
    """Return how many rows the last complete run over the same rosters had."""
    for run in ledger.runs(RUNS_SEARCHED):
        if run.command == "run" and run.rosters == record.rosters and run.record:
            told = json.loads(run.record)
            if (told.get("halted") or {}).get("code") != "ROSTER_SHRUNK":
                return int(told["rows"])
    return None


def left_over(ledger: Ledger) -> frozenset[str]:
    """Return the row_ids whose turn did not come in the last run that ended."""
    last = ledger.last_run(complete=True)
    if last is None or not last.record or not json.loads(last.record)["statuses"].get("not_sent"):
        return frozenset()
    return frozenset(seen.row_id for seen in ledger.rows_of(last.run) if seen.status == "not_sent")


def require_certificate(ledger: Ledger, contract: str, now: float) -> None:
    """Raise UsageError where nothing proves that this tenant refuses a second identical create: no probing without."""
    told = [each for each in ledger.decisions() if each.kind in (CERTIFIED, NOT_CERTIFIED)]
    last = told[-1] if told else None
    if (
        last is None
        or last.kind != CERTIFIED
        or last.at < now - CERTIFICATE_DAYS * 86_400
        or not last.why.startswith(contract)
    ):
        raise UsageError("usage.not_certified", days=CERTIFICATE_DAYS, contract=contract)
