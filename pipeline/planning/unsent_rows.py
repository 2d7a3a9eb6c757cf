"""Outcomes of rows for which nothing is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline.domain.run import RowOutcome, RowPlan, Status

# statuses of rows whose outcome repeats nothing of earlier runs
_WITHOUT_HISTORY = frozenset({Status.REJECTED, Status.READY, Status.NOT_SENT})


def build_initial_outcome(row_plan: RowPlan) -> RowOutcome:
    """Return the outcome of a row before anything is sent: what the ledger knows of its person."""
    person, status = row_plan.history, row_plan.status
    if person is None or status in _WITHOUT_HISTORY:
        return RowOutcome(row_plan, status, attempts=count_creates(row_plan), problems=row_plan.problems)
    if person.seal is not None:
        return RowOutcome(
            row_plan,
            status,
            seal_id=person.seal.seal_id,
            request_id=person.seal.request_id,
            trace_id=person.seal.trace_id,
            attempts=person.create_count,
            last_attempt_at=person.seal.created_at,
            problems=row_plan.problems,
        )
    last = person.unresolved_attempt or person.refusals[-1]
    return RowOutcome(
        row_plan,
        status,
        attempts=person.create_count,
        problems=row_plan.problems,
        request_id=last.request_id,
        trace_id=last.uuid,
        last_attempt_at=last.signed_at,
        host=last.host,
        code=last.code,
        message=last.message,
        unproven_seal_id=last.unproven_seal_id,
    )


def build_not_sent_outcome(row_plan: RowPlan) -> RowOutcome:
    """Return the outcome of a row whose turn did not come."""
    return RowOutcome(row_plan, Status.NOT_SENT, attempts=count_creates(row_plan), problems=row_plan.problems)


def count_creates(row_plan: RowPlan) -> int:
    """Return how many creates were sent for the row's person before this run."""
    return row_plan.history.create_count if row_plan.history else 0


def remove_key(outcome: RowOutcome) -> RowOutcome:
    """Return an outcome without the person's key: it was made with a key that is no secret."""
    doctor = replace(outcome.doctor, key=None)
    return replace(outcome, row_plan=replace(outcome.row_plan, doctor=doctor))


def merge_outcomes(
    initial_outcomes: Sequence[RowOutcome], sent: Iterable[RowOutcome]
) -> tuple[RowOutcome, ...]:
    """Return one outcome a row, in the order of the plan: of those that were to be sent, and of all others."""
    by_index = {outcome.row_plan.index: outcome for outcome in sent}
    outcomes = []
    for outcome in initial_outcomes:
        unsent = build_not_sent_outcome(outcome.row_plan) if outcome.status is Status.READY else outcome
        outcomes.append(by_index.get(outcome.row_plan.index, unsent))
    return tuple(outcomes)
