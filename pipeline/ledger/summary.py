"""The little of a ledger that `status` prints of each of several hospitals; no person is read for it."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from pipeline.ledger.protocol import Connection, RunRecord
from pipeline.ledger.run_history import get_last_run, list_keys_of_rows
from pipeline.ledger.schema import OPEN_ATTEMPT


@dataclass(frozen=True, slots=True)
class LedgerSummary:
    """The last run, with its paths as they are stored, and what waits for a decision."""

    last_run: RunRecord | None
    open_runs: tuple[str, ...]  # the run of each create without an answer
    undecided_rows: (
        int  # of the last run, with a status that was asked for; no decision on their person since
    )
    last_kind: str | None  # of the last decision of the kinds that were asked for


def read_summary(connection: Connection, *, status: str, kinds: Collection[str]) -> LedgerSummary:
    """Read the summary; ``connection`` is inside a transaction, so that all of it is of one moment."""
    last_run = get_last_run(connection)
    open_runs = connection.execute(f"SELECT run FROM attempt WHERE {OPEN_ATTEMPT}")  # noqa: S608 - our own words
    last_kind = connection.execute(
        "SELECT kind FROM decision WHERE kind IN (SELECT value FROM json_each(?)) ORDER BY id DESC LIMIT 1",
        (json.dumps(sorted(kinds)),),
    ).fetchone()
    return LedgerSummary(
        last_run=last_run,
        open_runs=tuple(run for (run,) in open_runs),
        undecided_rows=_count_undecided_rows(connection, last_run, status) if last_run else 0,
        last_kind=last_kind[0] if last_kind else None,
    )


def _count_undecided_rows(connection: Connection, run: RunRecord, status: str) -> int:
    """Return how many rows of a run have a status, but for those of people on whom a decision was taken since.

    Where the ledger has none of its rows, those that its record counts.
    """
    recorded: int = run.content.get("statuses", {}).get(status, 0)
    if run.finished is not None and not recorded:
        return 0
    keys = list_keys_of_rows(connection, run.run, status)
    if not keys:
        return recorded
    decided = {key for (key,) in connection.execute("SELECT key FROM decision WHERE at > ?", (run.started,))}
    return sum(key is None or key not in decided for key in keys)
