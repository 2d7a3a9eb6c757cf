"""Enters what is known of runs whose commits a ledger has lost: their creates, held without a verdict, and the recovery itself.

All of it is one commit: a recovery that was interrupted has entered nothing, and one that was entered counts on every host.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.domain.seals import Verdict
from pipeline.ledger import attempts, decisions, run_history
from pipeline.ledger.progress import RECOVER, LedgerProgress
from pipeline.ledger.protocol import Attempt, Connection, Decision, RunRecord
from pipeline.ledger.receipts import Fact


@dataclass(frozen=True, slots=True)
class HeldAttempt:
    """A create that a lost commit entered, or may have entered; ``verdict`` is unknown, with the evidence that is left."""

    attempt: Attempt
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Recovery:
    """What is entered in a ledger that has lost commits."""

    runs: Sequence[RunRecord]  # that the ledger does not hold
    held: Sequence[HeldAttempt]
    accepted_runs: Sequence[str]  # whose results no longer refuse the ledger
    accounts_for: Sequence[LedgerProgress]  # all that was seen of the ledger
    former: Mapping[str, int] = field(
        default_factory=dict
    )  # ids of lost ledgers, with the creates that were seen of them


def enter_recovery(connection: Connection, recovery: Recovery, *, now: float, who: str) -> list[Fact]:
    """Enter a recovery. Raises LedgerConflict where a person has a seal or an open create meanwhile."""
    facts: list[Fact] = []
    for run in recovery.runs:
        facts += run_history.enter_run(connection, run)
    for held in recovery.held:
        facts += attempts.enter_attempt(connection, held.attempt)
        facts += attempts.enter_verdict(connection, held.attempt.uuid, held.verdict, now)
    facts += decisions.enter_accepted_runs(
        connection, recovery.accepted_runs, now=now, who=who, why="ledger recover"
    )
    detail = json.dumps({"seen": recovery.accounts_for, "former": dict(recovery.former)})
    decision = Decision(RECOVER, None, now, who, "ledger recover", detail=detail)
    number = decisions.insert_decision(connection, decision)
    return [*facts, Fact("decision", "id", number)]
