"""What outcomes mean: which rows have to be corrected, and the exit code of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from pipeline.domain.roster import FileReport, Problem
from pipeline.domain.run import Halt, RowOutcome, Status
from pipeline.domain.seals import CreateAttempt

EXIT_SEVERITY = (1, 4, 74, 5, 7, 3, 0)  # the most severe first; a signal's code outranks them all
INTERRUPTED: Final = 130
UNRESOLVED_STATUSES = frozenset({Status.UNKNOWN, Status.EXISTS})  # a person decides
TO_FIX_STATUSES = frozenset({Status.REJECTED, Status.FAILED, Status.NOT_SENT})


def is_copy_problem(error: Problem) -> bool:
    """Return whether an error only means that another row stands for the same person with the same content."""
    return error.code == "ROW_DUPLICATE" and not error.detail.get("differs")


def is_redundant_copy(outcome: RowOutcome) -> bool:
    """Return whether the row was left out only because an equal one is sent, or is listed with the same errors."""
    return (
        outcome.status is Status.REJECTED
        and bool(outcome.errors)
        and all(map(is_copy_problem, outcome.errors))
    )


def waits_for_review(outcome: RowOutcome) -> bool:
    """Return whether a row was not sent because it has not been judged right yet."""
    return outcome.status is Status.NOT_SENT and any(
        error.code == "REVIEW_MISSING" for error in outcome.errors
    )


def needs_fixing(outcome: RowOutcome) -> bool:
    """Return whether the row belongs on the To fix sheet and into ``retry``."""
    return outcome.status in TO_FIX_STATUSES and not is_redundant_copy(outcome)


def find_exit_code(
    outcomes: Iterable[RowOutcome],
    files: Iterable[FileReport],
    halt: Halt | None,
    *,
    signal: int | None = None,
    left_out: Collection[int] = (),
) -> int:
    """Return the code with which a run ends; ``outcomes`` are those that count.

    ``left_out`` holds the indexes of row plans that were not sent on purpose: by ``--limit``, or by a retry that covers
    other rows.
    """
    if signal is not None:
        return 128 + signal
    codes = {0, halt.exit if halt else 0}
    if any(report.status == "refused" for report in files):
        codes.add(7)
    codes |= {_exit_of_row(outcome) for outcome in outcomes if outcome.row_plan.index not in left_out}
    return next(code for code in EXIT_SEVERITY if code in codes)


def more_severe_exit(one: int, other: int) -> int:
    """Return the more severe of two exit codes; a signal's code wins."""
    return next((code for code in EXIT_SEVERITY if code in {one, other}), 0) if one < 128 else one


def _exit_of_row(outcome: RowOutcome) -> int:
    match outcome.status:
        case Status.SEALED | Status.UNCHANGED | Status.READY:
            return 0
        case Status.NOT_SENT:
            if any(error.code == "IMAGE_NOT_READ" and error.detail.get("disk") for error in outcome.problems):
                return 74
            return 3 if waits_for_review(outcome) else 5
        case Status.REJECTED:
            return 0 if is_redundant_copy(outcome) else 3
        case Status.CHANGED | Status.FAILED | Status.UNKNOWN | Status.EXISTS:
            return 3


def find_attempt_status(attempt: CreateAttempt) -> Status:
    """Return the status of a row whose person has this unresolved attempt."""
    return Status.EXISTS if attempt.verdict == "exists" else Status.UNKNOWN
