"""Values of a row for display: the value that was used, else the roster's own."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.clock import stamp
from pipeline.domain.fields import FIELDS, value_of
from pipeline.domain.masking import mask_id, mask_mobile
from pipeline.domain.outcomes import is_redundant_copy
from pipeline.domain.roster import CellKind, Doctor, Field
from pipeline.domain.run import RETRYABLE_STATUSES, RowOutcome, RunReport, Status

SEALED_STATUSES = frozenset({Status.SEALED, Status.UNCHANGED, Status.CHANGED})
# key in outcomes.jsonl and column of the DataFrame -> field whose value is shown as it is, numbers masked
PLAIN_RESULTS: Mapping[str, Field] = {
    definition.result: field for field, definition in FIELDS.items() if definition.result
}
_SHORTEST_NUMBER = 8  # characters; the last four of a shorter one would be half of it


def find_retried_rows(report: RunReport) -> tuple[RowOutcome, ...]:
    """Return the rows that a retry took up, none for another command.

    The outcomes of a retry over whole rosters hold the other rows as well. A rebuilt retry knows only how its rows
    ended, so a sealed row counts as retried.
    """
    if report.command != "retry":
        return ()
    return tuple(
        outcome
        for outcome in report.outcomes
        if outcome.row_plan.status in RETRYABLE_STATUSES or outcome.status is Status.SEALED
    )


def list_blocking_codes(outcome: RowOutcome) -> list[str]:
    """Return the codes that keep this row from having its seal, each once; none for a row that needs nothing."""
    if outcome.status is Status.FAILED:
        return [outcome.code or "—"]
    if outcome.status is Status.CHANGED:
        return ["CONTENT_CHANGED"]
    if outcome.status not in {Status.REJECTED, Status.NOT_SENT} or is_redundant_copy(outcome):
        return []
    return list(dict.fromkeys(problem.code for problem in outcome.errors))


def display_field(doctor: Doctor, field: Field) -> str:
    """Return a cell as a person sees it in the roster, or an empty text."""
    cell = doctor.row.fields.get(field)
    return cell.display_text if cell else ""


def display_name(doctor: Doctor) -> str | None:
    """Return the name."""
    return doctor.name or display_field(doctor, Field.NAME) or None


def mask_doctor_id(doctor: Doctor) -> str | None:
    """Return the masked identity number; a number that Excel has damaged has no last four to show."""
    if doctor.number:
        return mask_id(doctor.number)
    cell = doctor.row.fields.get(Field.NUMBER)
    if cell is None or cell.kind is not CellKind.TEXT or len(cell.display_text) < _SHORTEST_NUMBER:
        return None
    return mask_id(cell.display_text)


def mask_doctor_mobile(doctor: Doctor) -> str | None:
    """Return the masked mobile, as used."""
    return mask_mobile(doctor.mobile) if doctor.mobile else None


def display_value(doctor: Doctor, field: Field) -> str | None:
    """Return the value that is used of a field."""
    value = value_of(doctor, field)
    return None if value is None else str(value)


def display_seal_name(outcome: RowOutcome) -> str | None:
    """Return the seal name: as planned, else the roster's own."""
    return outcome.row_plan.seal_name or outcome.doctor.seal_name


def find_confirmed_seal_id(outcome: RowOutcome) -> str | None:
    """Return the SealId if the status confirms it; with any other status it is evidence, not a result."""
    return outcome.seal_id if outcome.status in SEALED_STATUSES else None


def display_last_attempt(outcome: RowOutcome) -> str:
    """Return the local time of the person's last create to the second, or an empty text."""
    moment, history = outcome.last_attempt_at, outcome.row_plan.history
    if moment is None and history and history.unresolved_attempt:
        moment = history.unresolved_attempt.signed_at
    elif moment is None and history and history.seal:
        moment = history.seal.created_at
    return "" if moment is None else stamp(moment)[:19].replace("T", " ")


def find_trace(outcome: RowOutcome) -> tuple[str, str]:
    """Return (trace id, host) of the create that waits for a verdict, of this run or an earlier one."""
    history = outcome.row_plan.history
    attempt = history.unresolved_attempt if history else None
    return outcome.trace_id or (attempt.uuid if attempt else ""), outcome.host or (
        attempt.host if attempt else ""
    )
