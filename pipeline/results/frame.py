"""Outcomes as a table for pandas, which is imported only when somebody asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.model import Outcome, Status


@dataclass(frozen=True, slots=True)
class Pivot:
    """Rows counted by department and status: ``counts[i][j]`` belongs to ``departments[i]``, ``statuses[j]``."""

    departments: tuple[str | None, ...]  # most rows first; None for rows without one
    statuses: tuple[Status, ...]  # those that occur, in the order of ``Status``
    counts: tuple[tuple[int, ...], ...]


def by_department(outcomes: Iterable[Outcome]) -> Pivot:
    """Count rows by department and status."""
    import pandas as pd  # noqa: PLC0415  half a second of import, needed only where a workbook is written

    pairs = [(outcome.doctor.department or "", outcome.status.value) for outcome in outcomes]
    if not pairs:
        return Pivot((), (), ())
    frame = pd.DataFrame(pairs, columns=["department", "status"])
    table = pd.crosstab(frame["department"], frame["status"])
    statuses = tuple(status for status in Status if status.value in table.columns)
    order = table.sum(axis="columns").sort_values(ascending=False, kind="stable").index
    table = table.loc[order, [status.value for status in statuses]]
    counts: Sequence[Sequence[int]] = table.to_numpy().tolist()
    return Pivot(tuple(name or None for name in order), statuses, tuple(map(tuple, counts)))
