"""What `status` shows of a ledger, counted by the database: no person's history is read, of hundreds of ledgers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from dataclasses import field as _field
from typing import NamedTuple

from pipeline.domain.auto_sign import AutoSignRecord
from pipeline.domain.run import Status
from pipeline.ledger.attempts import REFUSED_SINCE_LAST_SEAL
from pipeline.ledger.auto_sign import read_records
from pipeline.ledger.decisions import read_accepted_runs
from pipeline.ledger.protocol import Connection, RunRecord
from pipeline.ledger.run_history import get_last_run, list_keys_of_rows
from pipeline.ledger.schema import OPEN_ATTEMPT, STANDING, count_receipts, select_columns

_OPEN_CREATES = (
    "SELECT uuid, run, signed_at, coalesce(verdict, 'unknown') AS verdict, content_name AS name, "  # noqa: S608 - our own words
    f"person.seal_name AS seal_name FROM attempt JOIN person USING (key) WHERE {OPEN_ATTEMPT} ORDER BY number"
)
_FACTS = (
    "SELECT (SELECT count(*) FROM seal WHERE ended_by IS NULL), (SELECT count(DISTINCT key) FROM attempt "  # noqa: S608 - the same
    f"WHERE {REFUSED_SINCE_LAST_SEAL} AND NOT EXISTS "
    "(SELECT 1 FROM seal WHERE seal.key = attempt.key AND ended_by IS NULL))"
)


@dataclass(frozen=True, slots=True)
class OpenCreate:
    """A create that waits for its answer or for a decision."""

    uuid: str
    run: str
    signed_at: float
    verdict: str  # see `Verdict.kind`; one without an answer counts as unknown
    name: str = _field(repr=False)
    seal_name: str | None  # of the person


@dataclass(frozen=True, slots=True)
class LedgerSummary:
    """The last run, with its paths as they are stored, how many people the ledger holds, and what waits for a decision."""

    last_run: RunRecord | None
    open_creates: tuple[OpenCreate, ...]  # oldest first
    sealed: int  # people
    refused: int  # people whom the service refused, and who are not sealed since
    changed_rows: int  # of the last run; no decision on their person since
    auto_sign: tuple[AutoSignRecord, ...] = ()  # of everybody for whom the service was asked


def read_summary(connection: Connection) -> LedgerSummary:
    """Read the summary; ``connection`` is inside a transaction, so that all of it is of one moment."""
    last_run = get_last_run(connection)
    open_creates = tuple(OpenCreate(**columns) for columns in select_columns(connection, _OPEN_CREATES))
    sealed, refused = connection.execute(_FACTS).fetchone()
    return LedgerSummary(
        last_run=last_run,
        open_creates=open_creates,
        sealed=sealed,
        refused=refused,
        changed_rows=_count_changed_rows(connection, last_run) if last_run else 0,
        auto_sign=tuple(read_records(connection).values()),
    )


class KnownRuns(NamedTuple):
    """What a ledger holds of runs at one moment, as the results of earlier runs are compared with it."""

    known_runs: Collection[str]
    accepted_runs: Collection[str]
    last_run: str | None
    receipts: int


def read_known_runs(connection: Connection) -> KnownRuns:
    """Read which runs the ledger holds, the newest of them, and how far it has got."""
    runs = [run for (run,) in connection.execute("SELECT run FROM run ORDER BY number")]
    return KnownRuns(
        runs, read_accepted_runs(connection), runs[-1] if runs else None, count_receipts(connection)
    )


def _count_changed_rows(connection: Connection, run: RunRecord) -> int:
    """Return how many rows of a run differ from their seal, but for those of people on whom a decision was taken since.

    Where the ledger has none of its rows, those that its record counts.
    """
    recorded: int = run.content.get("statuses", {}).get(Status.CHANGED.value, 0)
    if run.finished is not None and not recorded:
        return 0
    keys = list_keys_of_rows(connection, run.run, Status.CHANGED.value)
    if not keys:
        return recorded
    statement = f"SELECT key FROM decision WHERE at > ? AND {STANDING}"  # noqa: S608 - our own words
    decided = {key for (key,) in connection.execute(statement, (run.started,))}
    return sum(key is None or key not in decided for key in keys)
