"""Records in the ledger the outcome of each row, and the end of the run."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import overload

from pipeline.domain.keyed_text import KeyedText
from pipeline.domain.outcomes import more_severe_exit
from pipeline.domain.run import Halt, RowOutcome, RunReport
from pipeline.errors import LedgerError
from pipeline.ledger.protocol import Ledger, RowRecord
from pipeline.messages.texts import dump_text
from pipeline.reports.presenter import Presenter
from pipeline.reports.records import outcome_record, run_record

LOG = logging.getLogger(__name__)
_LINE = json.JSONEncoder(ensure_ascii=False)


def record_rows(ledger: Ledger, run: str, outcomes: Iterable[RowOutcome], presenter: Presenter) -> None:
    """Enter the outcomes of rows; ``presenter`` masks the numbers of all rows of the run.

    A line does not hold the run's id, so that equal runs are stored once. It holds the (masked) details of each problem,
    so that it can be shown in either language.
    """
    ledger.record_rows(run, _LazyRowRecords(outcomes, presenter))


class _LazyRowRecords(Sequence[RowRecord]):
    """The records of rows, in the order of the rows' ids, made when they are read: 100,000 of them are 150 MB."""

    def __init__(self, outcomes: Iterable[RowOutcome], presenter: Presenter) -> None:
        self._outcomes = sorted(outcomes, key=lambda outcome: outcome.doctor.row_id or "")
        self._presenter = presenter

    def __len__(self) -> int:
        return len(self._outcomes)

    @overload
    def __getitem__(self, index: int) -> RowRecord: ...
    @overload
    def __getitem__(self, index: slice) -> list[RowRecord]: ...
    def __getitem__(self, index: int | slice) -> RowRecord | list[RowRecord]:
        if isinstance(index, slice):
            return [_build_row_record(outcome, self._presenter) for outcome in self._outcomes[index]]
        return _build_row_record(self._outcomes[index], self._presenter)

    def __iter__(self) -> Iterator[RowRecord]:
        return (_build_row_record(outcome, self._presenter) for outcome in self._outcomes)


def _build_row_record(outcome: RowOutcome, presenter: Presenter) -> RowRecord:
    doctor = outcome.doctor
    line = outcome_record(outcome, run="", presenter=presenter)
    if doctor.row.row_token:
        line["corrects"] = doctor.row.row_token  # the row_id of the roster row that this one is a copy of
    line["words"] = [
        {name: dump_text(text) for name, text in presenter.mask_problem(problem).detail.items()}
        for problem in outcome.problems
    ]
    if isinstance(outcome.message, KeyedText):
        line["answer"] = dump_text(presenter.mask_answer(outcome.message))
    assert doctor.row_id is not None
    return RowRecord(
        row_id=doctor.row_id,
        key=doctor.key,
        file=str(line["file"]),
        sheet=presenter.mask_text(doctor.row.origin.sheet) if doctor.row.origin.sheet else None,
        row=doctor.row.origin.row,
        status=outcome.status,
        codes=tuple(dict.fromkeys(problem.code for problem in outcome.problems)),
        line=_LINE.encode(line),
    )


def record_run_end(
    report: RunReport, ledger: Ledger, initial_outcomes: Sequence[RowOutcome], presenter: Presenter
) -> RunReport:
    """Enter the end of the run; a disk that fails now may change the exit code, never the outcomes.

    ``initial_outcomes`` were entered before anything was sent: rows that are still the same are not entered again.
    """
    changed = [
        outcome
        for outcome, initial in zip(report.outcomes, initial_outcomes, strict=True)
        if outcome is not initial and outcome != initial
    ]
    try:
        if changed:
            record_rows(ledger, report.run, changed, presenter)
        record = json.dumps(run_record(report, presenter.masker), ensure_ascii=False)
        ledger.finish_run(report.run, exit=report.exit, finished=report.finished, record=record)
    except LedgerError as error:
        LOG.exception("the run's end could not be recorded")
        exit_code = more_severe_exit(report.exit, 74)
        return replace(report, exit=exit_code, halt=report.halt or Halt("LEDGER", error.reason, 74))
    return report
