"""What an outcome says, read for display: the used value, else what stands in the roster."""

from __future__ import annotations

from pipeline.clock import stamp
from pipeline.domain.masking import mask_id, mask_mobile
from pipeline.domain.outcomes import is_redundant_copy
from pipeline.domain.roster import CellKind, Doctor, Field
from pipeline.domain.run import RETRYABLE_STATUSES, RowOutcome, RunReport, Status

SEALED_STATUSES = frozenset({Status.SEALED, Status.UNCHANGED, Status.CHANGED})


def find_retried_rows(report: RunReport) -> tuple[RowOutcome, ...]:
    """Return the rows that a retry took up, none for another command.

    A retry over whole rosters tells of the others, too; and a rebuilt one knows only how its rows ended.
    """
    if report.command != "retry":
        return ()
    return tuple(
        each
        for each in report.outcomes
        if each.row_plan.status in RETRYABLE_STATUSES or each.status is Status.SEALED
    )


def display_field(doctor: Doctor, field: Field) -> str:
    """Return a cell as a person sees it in the roster, or an empty text."""
    cell = doctor.row.fields.get(field)
    return cell.display_text if cell else ""


def display_name(doctor: Doctor) -> str | None:
    """Return the name: as used, else as written."""
    return doctor.name or display_field(doctor, Field.NAME) or None


def mask_doctor_id(doctor: Doctor) -> str | None:
    """Return the identity number's last four; a number that Excel has damaged has no last four to show."""
    if doctor.number:
        return mask_id(doctor.number)
    cell = doctor.row.fields.get(Field.NUMBER)
    return (
        mask_id(cell.display_text)
        if cell and cell.kind is CellKind.TEXT and len(cell.display_text) >= 8
        else None
    )


def mask_doctor_mobile(doctor: Doctor) -> str | None:
    """Return the mobile that is used, its middle hidden."""
    return mask_mobile(doctor.mobile) if doctor.mobile else None


def display_seal_name(outcome: RowOutcome) -> str | None:
    """Return the seal name: as planned, else the roster's own."""
    return outcome.row_plan.seal_name or outcome.doctor.seal_name


def find_confirmed_seal_id(outcome: RowOutcome) -> str | None:
    """Return the SealId where the status vouches for it; anywhere else it is evidence, not a result."""
    return outcome.seal_id if outcome.status in SEALED_STATUSES else None


def display_last_attempt(outcome: RowOutcome) -> str:
    """Return the local time of the person's last create to the second, or an empty text."""
    past = outcome.row_plan.history
    at = outcome.last_attempt_at
    if at is None and past:
        at = (
            past.unresolved_attempt.signed_at
            if past.unresolved_attempt
            else past.seal.created_at
            if past.seal
            else None
        )
    return "" if at is None else stamp(at)[:19].replace("T", " ")


def find_trace(outcome: RowOutcome) -> tuple[str, str]:
    """Return (trace id, host) of the create that waits for a verdict, tonight's or an earlier report's."""
    past = outcome.row_plan.history
    held = past.unresolved_attempt if past else None
    return outcome.trace_id or (held.uuid if held else ""), outcome.host or (held.host if held else "")


def list_blocking_codes(outcome: RowOutcome) -> list[str]:
    """Return the codes that keep this row from having its seal, each once; nothing for rows that are well."""
    if outcome.status is Status.FAILED:
        return [outcome.code or "—"]
    if outcome.status is Status.CHANGED:
        return ["CONTENT_CHANGED"]
    if outcome.status not in {Status.REJECTED, Status.NOT_SENT} or is_redundant_copy(outcome):
        return []
    return list(dict.fromkeys(problem.code for problem in outcome.errors))
