"""Values of a row for display, the value that was used or the roster's own, and rows as a table for pandas."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from pipeline.clock import stamp
from pipeline.domain.fields import FIELDS, list_result_fields, value_of
from pipeline.domain.masking import (
    HOLDING_NUMBERS,
    SHORTEST_NUMBER,
    Masker,
    has_lost_digits,
    mask_answer,
    mask_id,
    mask_number_cell,
    mask_value,
)
from pipeline.domain.roster import Cell, Doctor, Field
from pipeline.domain.run import RETRYABLE_STATUSES, RowOutcome, RunReport, Status, is_redundant_copy

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.reports.presenter import Presenter

    Frame: TypeAlias = pd.DataFrame

Mask = Callable[[str], str]

SEALED_STATUSES = frozenset({Status.SEALED, Status.UNCHANGED, Status.CHANGED})


def list_retried_rows(report: RunReport) -> tuple[RowOutcome, ...]:
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


def get_main_code(outcome: RowOutcome) -> str | None:
    """Return the code for which a row is counted: of several errors the first one that is not about its picture."""
    codes = list_blocking_codes(outcome)
    return next((code for code in codes if not code.startswith("IMAGE_")), next(iter(codes), None))


def mask_doctor_id(doctor: Doctor) -> str | None:
    """Return the masked identity number; None where no digits of it are at the end of its cell, or it is no number."""
    if doctor.number:
        return mask_id(doctor.number)
    cell = doctor.row.fields.get(Field.NUMBER)
    if cell is None or cell.kind not in HOLDING_NUMBERS or len(cell.display_text) < SHORTEST_NUMBER:
        return None
    return None if has_lost_digits(cell) else mask_id(cell.display_text)


def show_doctor_id(doctor: Doctor, presenter: Presenter) -> str:
    """Return the masked identity number as people read it."""
    cell = doctor.row.fields.get(Field.NUMBER)
    if doctor.number is None and cell is not None and has_lost_digits(cell):
        return presenter.render("number.damaged")
    return mask_doctor_id(doctor) or ""


def show_number_cell(cell: Cell, presenter: Presenter) -> str:
    """Return what a cell for an identity number holds: of a number the last four characters."""
    return presenter.render("number.damaged") if has_lost_digits(cell) else mask_number_cell(cell)


def display_seal_name(outcome: RowOutcome) -> str | None:
    """Return the seal name: as planned, else the roster's own."""
    return outcome.row_plan.seal_name or outcome.doctor.seal_name


def display_field(outcome: RowOutcome, field: Field, mask: Mask) -> str | None:
    """Return the value of a field as results show it, numbers masked."""
    doctor = outcome.doctor
    match field:
        case Field.NUMBER:
            return mask_doctor_id(doctor)
        case Field.NAME:
            value: object = doctor.display_name
        case Field.SEAL_NAME:
            value = display_seal_name(outcome)
        case _:
            value = value_of(doctor, field)
            if value is not None and FIELDS[field].is_personal:
                return mask_value(field, str(value))
    return None if value is None else mask(str(value))


def get_confirmed_seal_id(outcome: RowOutcome) -> str | None:
    """Return the SealId if the status confirms it; with any other status it is evidence, not a result."""
    return outcome.seal_id if outcome.status in SEALED_STATUSES else None


def display_last_attempt(outcome: RowOutcome) -> str:
    """Return the local time of the person's last create to the second, or an empty text."""
    moment, history = outcome.last_attempt_at, outcome.row_plan.history
    if moment is None and history and history.unresolved_attempt:
        moment = history.unresolved_attempt.signed_at
    elif moment is None and history and history.seal:
        moment = history.seal.made_at
    return "" if moment is None else stamp(moment)[:19].replace("T", " ")


def get_trace(outcome: RowOutcome) -> tuple[str, str]:
    """Return (trace id, host) of the create that waits for a verdict, of this run or an earlier one."""
    history = outcome.row_plan.history
    attempt = history.unresolved_attempt if history else None
    return outcome.trace_id or (attempt.uuid if attempt else ""), outcome.host or (
        attempt.host if attempt else ""
    )


# -- rows as a table


def _show_field(field: Field) -> Callable[[RowOutcome, Mask], object]:
    return lambda outcome, mask: display_field(outcome, field, mask)


# column -> its value
_COLUMNS: Mapping[str, Callable[[RowOutcome, Mask], object]] = {
    "file": lambda outcome, mask: mask(outcome.doctor.row.origin.file),
    "sheet": lambda outcome, mask: _masked(outcome.doctor.row.origin.sheet, mask),
    "row": lambda outcome, _: outcome.doctor.row.origin.row,
    "row_id": lambda outcome, _: outcome.doctor.row_id,
    "key": lambda outcome, _: outcome.doctor.key,
    "status": lambda outcome, _: outcome.status.value,
    "codes": lambda outcome, _: list(dict.fromkeys(problem.code for problem in outcome.problems)),
    "reasons": lambda outcome, _: list_blocking_codes(outcome),
    **{name: _show_field(field) for name, field in list_result_fields(in_ledger=True)},
    "picture": lambda outcome, mask: _masked(_picture(outcome), mask),
    "picture_sha256": lambda outcome, _: outcome.doctor.picture and outcome.doctor.picture.sha256,
    "picture_bytes": lambda outcome, _: _get_given(outcome, "bytes"),
    "picture_width": lambda outcome, _: _get_given(outcome, "width"),
    "picture_height": lambda outcome, _: _get_given(outcome, "height"),
    "sent_bytes": lambda outcome, _: _get_sent(outcome, "bytes"),
    "sent_width": lambda outcome, _: _get_sent(outcome, "width"),
    "sent_height": lambda outcome, _: _get_sent(outcome, "height"),
    "seal_id": lambda outcome, _: get_confirmed_seal_id(outcome),
    "request_id": lambda outcome, _: outcome.request_id,
    "trace_id": lambda outcome, _: outcome.trace_id,
    "attempts": lambda outcome, _: outcome.attempts,
    "sent_at": lambda outcome, _: outcome.last_attempt_at,
    "seconds": lambda outcome, _: outcome.call_seconds,
    "service_code": lambda outcome, _: outcome.code,
    "service_message": lambda outcome, mask: _masked(outcome.message, lambda text: mask_answer(mask(text))),
}
_SIZES = [f"{what}_{size}" for what in ("picture", "sent") for size in ("bytes", "width", "height")]
# all else is text, or lists of codes; a size may be missing
_TYPES = {"row": "int64", "attempts": "int64", "seconds": "float64", **dict.fromkeys(_SIZES, "Int64")}
COLUMNS = tuple(_COLUMNS)


def to_frame(
    outcomes: Sequence[RowOutcome], columns: Sequence[str] = COLUMNS, *, masker: Masker | None = None
) -> Frame:
    """Return outcomes as a DataFrame, a row each in their order.

    ``codes`` are all of a row, warnings too; ``reasons`` only those that keep it from its seal. Both are lists: see
    ``DataFrame.explode``. ``sent_at`` is in UTC, ``seconds`` is the time this run's calls took. Without a masker the
    numbers of ``outcomes`` are masked.
    """
    import pandas as pd  # noqa: PLC0415  half a second of import, needed only where a table is wanted

    masker = masker or Masker.of_doctors(outcome.doctor for outcome in outcomes)
    mask = masker.mask_text
    cells = {name: [_COLUMNS[name](outcome, mask) for outcome in outcomes] for name in columns}
    frame = pd.DataFrame(cells, columns=list(columns))
    frame = frame.astype({name: kind for name, kind in _TYPES.items() if name in cells})
    if "sent_at" in cells:
        frame["sent_at"] = pd.to_datetime(frame["sent_at"].astype("float64"), unit="s", utc=True)
    return frame


def _picture(outcome: RowOutcome) -> str | None:
    return outcome.doctor.picture.location if outcome.doctor.picture else None


def _get_given(outcome: RowOutcome, name: str) -> int | None:
    return getattr(outcome.image_sizes.given, name) if outcome.image_sizes else None


def _get_sent(outcome: RowOutcome, name: str) -> int | None:
    sizes = outcome.image_sizes
    return getattr(sizes.sent, name) if sizes and sizes.sent else None


def _masked(text: str | None, mask: Mask) -> str | None:
    return None if text is None else mask(text)
