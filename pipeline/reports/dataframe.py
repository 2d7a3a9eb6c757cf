"""Outcomes as a table for pandas: the fields of outcomes.jsonl, numbers and mobiles masked.

pandas is imported only when a table is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from pipeline.domain.masking import Masker, mask_answer
from pipeline.domain.roster import Field
from pipeline.domain.run import RowOutcome
from pipeline.reports.row_values import (
    PLAIN_RESULTS,
    display_name,
    display_seal_name,
    display_value,
    find_confirmed_seal_id,
    list_blocking_codes,
    mask_doctor_id,
    mask_doctor_mobile,
)

if TYPE_CHECKING:
    import pandas as pd

    Frame: TypeAlias = pd.DataFrame

Mask = Callable[[str], str]


def _show_field(field: Field) -> Callable[[RowOutcome, Mask], object]:
    return lambda outcome, mask: _masked(display_value(outcome.doctor, field), mask)


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
    **{name: _show_field(field) for name, field in PLAIN_RESULTS.items()},
    "name": lambda outcome, mask: _masked(display_name(outcome.doctor), mask),
    "id_masked": lambda outcome, _: mask_doctor_id(outcome.doctor),
    "id_card_type": lambda outcome, _: outcome.doctor.id_type and outcome.doctor.id_type.value,
    "mobile_masked": lambda outcome, _: mask_doctor_mobile(outcome.doctor),
    "department": lambda outcome, mask: _masked(outcome.doctor.department, mask),
    "seal_name": lambda outcome, mask: _masked(display_seal_name(outcome), mask),
    "picture": lambda outcome, mask: _masked(_picture(outcome), mask),
    "picture_sha256": lambda outcome, _: outcome.doctor.picture and outcome.doctor.picture.sha256,
    "seal_id": lambda outcome, _: find_confirmed_seal_id(outcome),
    "request_id": lambda outcome, _: outcome.request_id,
    "trace_id": lambda outcome, _: outcome.trace_id,
    "attempts": lambda outcome, _: outcome.attempts,
    "sent_at": lambda outcome, _: outcome.last_attempt_at,
    "seconds": lambda outcome, _: outcome.call_seconds,
    "service_code": lambda outcome, _: outcome.code,
    "service_message": lambda outcome, mask: _masked(outcome.message, lambda text: mask_answer(mask(text))),
}
_TYPES = {"row": "int64", "attempts": "int64", "seconds": "float64"}  # all else is text, or lists of codes
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
    return str(outcome.doctor.picture.path) if outcome.doctor.picture else None


def _masked(text: str | None, mask: Mask) -> str | None:
    return None if text is None else mask(text)
