"""Outcomes as a table for pandas, which is imported only when somebody asks for it, and what is counted from it.

The table says what outcomes.jsonl says, a row each: numbers and mobiles are masked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, TypeAlias

from pipeline.domain.masking import Numbers, mask_answer, mask_text, numbers_of
from pipeline.domain.run import RowOutcome, Status
from pipeline.reports.display_values import id_masked, mobile_masked, name_of, seal_id_of, seal_name_of
from pipeline.reports.reasons import counted

if TYPE_CHECKING:
    import pandas as pd

    Frame: TypeAlias = pd.DataFrame

Mask = Callable[[str], str]

# column -> what stands in it
_COLUMNS: Mapping[str, Callable[[RowOutcome, Mask], object]] = {
    "file": lambda outcome, mask: mask(outcome.doctor.row.origin.file),
    "sheet": lambda outcome, mask: _masked(outcome.doctor.row.origin.sheet, mask),
    "row": lambda outcome, _: outcome.doctor.row.origin.row,
    "row_id": lambda outcome, _: outcome.doctor.row_id,
    "key": lambda outcome, _: outcome.doctor.key,
    "status": lambda outcome, _: outcome.status.value,
    "codes": lambda outcome, _: list(dict.fromkeys(problem.code for problem in outcome.problems)),
    "reasons": lambda outcome, _: counted(outcome),
    "staff_no": lambda outcome, mask: _masked(outcome.doctor.staff_no, mask),
    "name": lambda outcome, mask: _masked(name_of(outcome.doctor), mask),
    "id_masked": lambda outcome, _: id_masked(outcome.doctor),
    "id_card_type": lambda outcome, _: outcome.doctor.id_type and outcome.doctor.id_type.value,
    "mobile_masked": lambda outcome, _: mobile_masked(outcome.doctor),
    "department": lambda outcome, mask: _masked(outcome.doctor.department, mask),
    "seal_name": lambda outcome, mask: _masked(seal_name_of(outcome), mask),
    "picture": lambda outcome, mask: _masked(_picture(outcome), mask),
    "picture_sha256": lambda outcome, _: outcome.doctor.picture and outcome.doctor.picture.sha256,
    "seal_id": lambda outcome, _: seal_id_of(outcome),
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
COUNTED = ("department", "status", "reasons")  # all that the pivots below need


def to_frame(
    outcomes: Sequence[RowOutcome], columns: Sequence[str] = COLUMNS, *, numbers: Numbers | None = None
) -> Frame:
    """Return outcomes as a DataFrame, a row each in their order.

    ``codes`` are all of a row, warnings too; ``reasons`` only those that keep it from its seal. Both are lists: see
    ``DataFrame.explode``. ``sent_at`` is in UTC, ``seconds`` what tonight's calls took. ``numbers`` are the roster's,
    to be masked wherever they stand; by default those of ``outcomes``.
    """
    import pandas as pd  # noqa: PLC0415  half a second of import, needed only where a table is wanted

    known = numbers_of(outcome.doctor for outcome in outcomes) if numbers is None else numbers
    mask = cache(partial(mask_text, numbers=known))
    cells = {name: [_COLUMNS[name](outcome, mask) for outcome in outcomes] for name in columns}
    frame = pd.DataFrame(cells, columns=list(columns))
    frame = frame.astype({name: kind for name, kind in _TYPES.items() if name in cells})
    if "sent_at" in cells:
        frame["sent_at"] = pd.to_datetime(frame["sent_at"].astype("float64"), unit="s", utc=True)
    return frame


@dataclass(frozen=True, slots=True)
class Pivot:
    """Rows counted by department and status: ``counts[i][j]`` belongs to ``departments[i]``, ``statuses[j]``."""

    departments: tuple[str | None, ...]  # most rows first; None for rows without one
    statuses: tuple[Status, ...]  # those that occur, in the order of ``Status``
    counts: tuple[tuple[int, ...], ...]


def by_department(frame: Frame) -> Pivot:
    """Count the rows of a frame by department and status."""
    if frame.empty:
        return Pivot((), (), ())
    table = frame.assign(department=frame["department"].fillna("")).pivot_table(
        index="department", columns="status", aggfunc="size", fill_value=0
    )
    statuses = tuple(status for status in Status if status.value in table.columns)
    order = table.sum(axis="columns").sort_values(ascending=False, kind="stable").index
    table = table.loc[order, [status.value for status in statuses]]
    counts: Iterable[Iterable[int]] = table.to_numpy().tolist()
    return Pivot(tuple(name or None for name in order), statuses, tuple(map(tuple, counts)))


def by_reason(frame: Frame) -> list[tuple[str, int]]:
    """Count the rows of a frame by what keeps them from their seal, the commonest first; a row may count for several."""
    reasons = frame["reasons"].explode().dropna()
    counts = reasons.groupby(reasons, sort=False).size().sort_values(ascending=False, kind="stable")
    return [(str(code), int(rows)) for code, rows in counts.items()]


def _picture(outcome: RowOutcome) -> str | None:
    return str(outcome.doctor.picture.path) if outcome.doctor.picture else None


def _masked(text: str | None, mask: Mask) -> str | None:
    return None if text is None else mask(text)
