"""Finds the rows that a run covers which does not cover all: a retry of an earlier run, or a run of some people.

A retry covers the rows that the run left failed, rejected or not sent, as the rosters hold them now. A row that was not
changed since has the row_id of that run. A row that was corrected has another one, and so has a new doctor. Such a new
row is covered if it takes the place of a row that the run left and that is gone:

* it stands in the same line of the same sheet, or else
* it has the same identity number, or else
* it is in the same file, from which a row that the run left has gone, and no row that waits for a decision.

A marked copy counts as the file that it was made from. A row of the run that waits for a decision, or has its seal, is never
covered, and neither is a new row in its line. What is not covered is sent by the next `run`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.domain.masking import Masker, mask_text
from pipeline.domain.name_key import make_name_key
from pipeline.domain.results_format import shorten_digest
from pipeline.domain.roster import FileReport, fold_staff_no
from pipeline.domain.run import RETRYABLE_STATUSES, RowPlan
from pipeline.errors import UsageError
from pipeline.ledger.records import RowRecord, RunRecord
from pipeline.messages.catalogue import join_texts

_MOST_NAMED = 5  # rows in one sentence
_DECIDED = frozenset({"unknown", "exists", "changed"})
Line = tuple[str, str | None, int]  # file, sheet, row


def list_retried_rows(
    row_plans: Sequence[RowPlan],
    files: Sequence[FileReport],
    run: RunRecord,
    rows_of_run: Sequence[RowRecord],
    masker: Masker,
) -> frozenset[int]:
    """Return the indexes of the row plans that a retry of a run covers; ``masker`` hides what the ledger hides in names."""
    left_ids = {row.row_id for row in rows_of_run if row.status in RETRYABLE_STATUSES}
    known_ids = {row.row_id for row in rows_of_run}
    present_ids = {row_plan.doctor.row_id for row_plan in row_plans}
    gone = _GoneRows([row for row in rows_of_run if row.row_id not in present_ids])
    file_names = _name_files_of_run(files, run, masker)
    retried = {row_plan.index for row_plan in row_plans if row_plan.doctor.row_id in left_ids}
    moved = []
    for row_plan in row_plans:
        if row_plan.doctor.row_id in known_ids:
            continue
        origin = row_plan.doctor.row.origin
        line = file_names[origin.path], masker.mask_text(origin.sheet) if origin.sheet else None, origin.row
        row = gone.take(line)
        if row is None:
            moved.append(row_plan)
        elif row.status in RETRYABLE_STATUSES:
            retried.add(row_plan.index)
    for row_plan in moved:
        file = file_names[row_plan.doctor.row.origin.path]
        if row_plan.doctor.key in gone.left_keys or gone.has_only_left_rows(file):
            retried.add(row_plan.index)
    return frozenset(retried)


def list_rows_of(row_plans: Sequence[RowPlan], people: Iterable[str]) -> frozenset[int]:
    """Return the indexes of the rows of people, each given by name or staff number.

    Raises UsageError for one whom no row fits, and for one whom rows of two people fit.
    """
    rows: set[int] = set()
    for person in people:
        name, staff_no = make_name_key(person), fold_staff_no(person.strip())
        fitting = [
            row_plan
            for row_plan in row_plans
            if staff_no == row_plan.doctor.comparable_staff_no
            or (name and name == make_name_key(row_plan.doctor.name or ""))
        ]
        if not fitting:
            raise UsageError("only.no_row", person=person, then=("check",))
        if len({row_plan.doctor.key or row_plan.index for row_plan in fitting}) > 1:
            positions = [row_plan.doctor.row.origin.position for row_plan in fitting[:_MOST_NAMED]]
            raise UsageError("only.several", person=person, rows=join_texts(map(mask_text, positions)))
        rows |= {row_plan.index for row_plan in fitting}
    return frozenset(rows)


class _GoneRows:
    """The rows of a run that the rosters no longer hold as they were."""

    def __init__(self, rows: Sequence[RowRecord]) -> None:
        self.left_keys = {row.key for row in rows if row.key and row.status in RETRYABLE_STATUSES}
        self._by_line: dict[Line, RowRecord] = {(row.file, row.sheet, row.row): row for row in rows}

    def take(self, line: Line) -> RowRecord | None:
        """Return the row that was in a line, and take it out."""
        return self._by_line.pop(line, None)

    def has_only_left_rows(self, file: str) -> bool:
        """Return whether rows of a file remain that the run left, and none that waits for a decision."""
        statuses = {row.status for row in self._by_line.values() if row.file == file}
        return bool(statuses & RETRYABLE_STATUSES) and not statuses & _DECIDED


def _name_files_of_run(files: Iterable[FileReport], run: RunRecord, masker: Masker) -> Mapping[Path, str]:
    """Return the name under which the run knew each file: that of its original for a marked copy."""
    recorded = json.loads(run.record)["files"] if run.record else []
    names = {shorten_digest(file["sha256"]): Path(file["path"]).name for file in recorded if file["sha256"]}
    names_of_files = {}
    for report in files:
        originals = [names[digest] for digest in report.originals.digests if digest in names]
        names_of_files[report.path] = originals[0] if originals else masker.mask_text(report.path.name)
    return names_of_files
