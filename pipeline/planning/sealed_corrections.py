"""Wrong rows of a roster whose corrected copy was retried and has a seal: they are told so, beside what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from pipeline.domain.run import RowPlan, Status
from pipeline.domain.seals import LedgerSnapshot
from pipeline.ledger.protocol import Ledger, RowRecord
from pipeline.messages.problems import problem

DayOf = Callable[[float], date]  # of unix seconds


def note_sealed_corrections(
    planned: Sequence[RowPlan], ledger: Ledger | None, snapshot: LedgerSnapshot, day_of: DayOf
) -> list[RowPlan]:
    """Return the plans; a rejected row whose corrected copy has a seal gets a ROW_SUPERSEDED that names it."""
    rejected = [
        each.doctor.row_id for each in planned if each.status is Status.REJECTED and each.doctor.row_id
    ]
    corrections = ledger.find_corrections(rejected) if ledger is not None and rejected else {}
    if not corrections:
        return list(planned)
    return [_noted(each, corrections, snapshot, day_of) for each in planned]


def _noted(
    planned: RowPlan, corrections: Mapping[str, RowRecord], snapshot: LedgerSnapshot, day_of: DayOf
) -> RowPlan:
    copy = corrections.get(planned.doctor.row_id or "")
    past = snapshot.people.get(copy.key or "") if copy and planned.status is Status.REJECTED else None
    if copy is None or past is None or past.seal is None:
        return planned
    place = " ".join(filter(None, (copy.file, copy.sheet, str(copy.row))))
    day = day_of(past.seal.created_at).isoformat()
    note = problem("ROW_SUPERSEDED", other=place, seal=past.seal.seal_id, day=day)
    return replace(planned, problems=(*planned.problems, note))
