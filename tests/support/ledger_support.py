"""Short ways to put something into a ledger."""

import asyncio

from pipeline.domain.seals import Verdict
from pipeline.ledger.protocol import AdoptedSeal, Decision

UNKNOWN = Verdict("unknown", code="no_answer")
SEALS = [
    AdoptedSeal("p1", "S1", "王小明", "****0011", "王小明处方章"),
    AdoptedSeal("p2", "S2", None, "****0012", None),
]


async def settle_attempt(ledger, attempt, verdict, *, now: float) -> None:
    """Enter an attempt and then its verdict."""
    await ledger.open_attempt(attempt)
    await ledger.record_verdict(attempt.uuid, verdict, now=now)


def send(ledger, attempt, verdict):
    """Enter an attempt and its verdict."""
    asyncio.run(settle_attempt(ledger, attempt, verdict, now=9.0))


def decision(kind, key, **more):
    return Decision(kind, key, 20.0, "it", "looked it up", **more)
