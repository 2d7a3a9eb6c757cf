"""How far a ledger has got, and whether it lacks what was once seen of it.

The number of the last receipt only grows. A host that has seen a higher one than the ledger holds knows that commits are lost.
`ledger recover` enters what is known of them. The recovery stores how far the ledger was known to have got, and how many
creates are accounted for: a host that has seen no more than that before the recovery goes on. The same is stored of a
former ledger, which was lost as a whole and in whose place this one began.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from pipeline.ledger.protocol import Connection
from pipeline.ledger.schema import RECEIPT_COUNT

RECOVER = (
    "recover"  # kind of the decision that a recovery enters; its detail is the progress that it accounts for
)
ID_CHARS = 32

# of meta: recoveries, receipts and attempts, in the order of `LedgerProgress`
PROGRESS_COLUMNS = (
    f"(SELECT count(*) FROM decision WHERE kind = '{RECOVER}') AS recoveries, "  # noqa: S608 - our own words
    f"{RECEIPT_COUNT} AS receipts, (SELECT coalesce(max(number), 0) FROM attempt) AS attempts"
)


class LedgerProgress(NamedTuple):
    """How far a ledger has got. Of two, the later one is greater."""

    recoveries: int = 0  # how many times `ledger recover` was completed
    receipts: int = 0  # number of the last receipt, see `count_receipts`
    attempts: int = 0  # number of the last create


class LedgerIdentity(NamedTuple):
    """Which ledger a database holds, and how far it has got. Copies of one ledger share the id."""

    ledger_id: str
    progress: LedgerProgress
    recovered: tuple[LedgerProgress, ...] = ()  # what its recoveries account for
    former: Mapping[str, int] = MappingProxyType({})  # creates of lost ledgers, by id, that they account for

    def accounts_for(self, ledger_id: str, seen: LedgerProgress) -> bool:
        """Return whether the creates of a former ledger, as far as it was seen to have got, were entered in this one."""
        return self.former.get(ledger_id, -1) >= seen.attempts

    def count_missing_receipts(self, seen: LedgerProgress) -> int:
        """Return how many receipts this ledger lacks of those that were once seen of it.

        What was seen before a recovery is not missing where the recovery accounts for as many creates.
        """
        held = self._get_held(seen)
        if held is None:  # the ledger was restored from a backup older than the recovery
            return max(seen.receipts - self.progress.receipts, 1)
        is_before_recovery = seen.recoveries < self.progress.recoveries
        if is_before_recovery and 0 < seen.attempts <= held.attempts:
            return 0
        return max(seen.receipts - held.receipts, 0)

    def count_missing_attempts(self, seen: LedgerProgress) -> int:
        """Return how many creates this ledger lacks of those that were once seen of it."""
        held = self._get_held(seen) or self.progress
        return max(seen.attempts - held.attempts, 0)

    def _get_held(self, seen: LedgerProgress) -> LedgerProgress | None:
        """Return the progress with which a seen one is compared; None where it is of a recovery that the ledger lacks."""
        if seen.recoveries == self.progress.recoveries:
            return self.progress
        accounted = [progress for progress in self.recovered if progress.recoveries == seen.recoveries]
        if not accounted:
            return None
        receipts = max(progress.receipts for progress in accounted)
        attempts = max(progress.attempts for progress in accounted)
        return LedgerProgress(seen.recoveries, receipts, attempts)


class NotedLedger(NamedTuple):
    """A ledger of a database as its row of progress shows it."""

    tenant: str
    ledger_id: str
    progress: LedgerProgress


def identify_ledger(connection: Connection) -> LedgerIdentity:
    """Return which ledger a database is; a ledger rebuilt from receipts or restored keeps its id."""
    key_check, created = connection.execute("SELECT key_check, created FROM meta").fetchone()
    ledger_id = hashlib.sha256(f"{key_check} {created!r}".encode()).hexdigest()[:ID_CHARS]
    entered = _read_recoveries(connection)
    recovered = tuple(LedgerProgress(*progress) for one in entered for progress in one["seen"])
    former = {lost: attempts for one in entered for lost, attempts in one["former"].items()}
    return LedgerIdentity(ledger_id, read_progress(connection), recovered, former)


def read_progress(connection: Connection) -> LedgerProgress:
    """Return how far a ledger has got."""
    statement = f"SELECT {PROGRESS_COLUMNS} FROM meta"  # noqa: S608 - our own words
    return LedgerProgress(*connection.execute(statement).fetchone())


def _read_recoveries(connection: Connection) -> Sequence[dict[str, Any]]:
    entered: Sequence[tuple[str]] = connection.execute(
        "SELECT detail FROM decision WHERE kind = ? ORDER BY id", (RECOVER,)
    ).fetchall()
    return [json.loads(detail) for (detail,) in entered]
