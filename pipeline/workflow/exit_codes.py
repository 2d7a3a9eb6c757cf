"""The exit code of a night: signal > 1 > 4 > 74 > 5 > 7 > 3 > 0."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from pipeline.domain.roster import FileReport
from pipeline.domain.run import Halt, RowOutcome, Status
from pipeline.reports.reasons import is_spare_copy, waits_for_review

SEVERITY = (1, 4, 74, 5, 7, 3, 0)
INTERRUPTED: Final = 130
DONE = frozenset({Status.SEALED, Status.UNCHANGED})


def exit_code(
    outcomes: Iterable[RowOutcome],
    files: Sequence[FileReport],
    halted: Halt | None,
    *,
    signal: int | None = None,
    left: frozenset[int] = frozenset(),
) -> int:
    """Return the code a night ends with.

    ``left`` holds the ids (`id`) of plans that were left alone on purpose: by ``--limit``, or by a retry that
    covers other rows. ``outcomes`` are those that count.
    """
    if signal is not None:
        return 128 + signal
    codes = {0, halted.exit if halted else 0}
    if any(report.status == "refused" for report in files):
        codes.add(7)
    for outcome in outcomes:
        codes.add(_of_row(outcome, left=id(outcome.row_plan) in left))
    return next(code for code in SEVERITY if code in codes)


def more_severe_exit(one: int, other: int) -> int:
    """Return the code of the two that counts; a signal's outranks all."""
    return next((code for code in SEVERITY if code in {one, other}), 0) if one < 128 else one


def _of_row(outcome: RowOutcome, *, left: bool) -> int:
    if outcome.status in DONE or outcome.status is Status.READY or left:
        return 0
    if outcome.status is Status.NOT_SENT:
        if any(error.code == "IMAGE_NOT_READ" and error.detail.get("disk") for error in outcome.problems):
            return 74
        return 3 if waits_for_review(outcome) else 5
    return 0 if is_spare_copy(outcome) else 3
