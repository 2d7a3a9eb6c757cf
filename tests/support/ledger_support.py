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


def require_same_summary(ledger) -> None:
    """Compare what the database counts with the people of the ledger."""
    summary, people = ledger.read_summary(), ledger.snapshot().people.values()
    assert summary.sealed == sum(person.seal is not None for person in people)
    assert summary.refused == sum(bool(person.refusals) and person.seal is None for person in people)
    assert {
        (one.uuid, one.run, one.signed_at, one.verdict, one.name, one.seal_name)
        for one in summary.open_creates
    } == {
        (one.uuid, one.run, one.signed_at, one.verdict, one.content.name, person.seal_name)
        for person in people
        if (one := person.unresolved_attempt) is not None
    }
