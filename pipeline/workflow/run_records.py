"""What a run leaves in the ledger: its word on every row, and how it ended."""

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
    """Enter what this run says of these rows; ``presenter`` masks the numbers of all its rows.

    A line leaves the run's id out, so that equal nights are kept once, and holds the (masked) words of each problem,
    so that it can be told again in either language.
    """
    ledger.record_rows(run, _Words(outcomes, presenter))


class _Words(Sequence[RowRecord]):
    """What is said of each row, in the order of the rows' ids, made when it is asked for: 100,000 of them are 150 MB."""

    def __init__(self, outcomes: Iterable[RowOutcome], presenter: Presenter) -> None:
        self._outcomes = sorted(outcomes, key=lambda outcome: outcome.doctor.row_id or "")
        self._presenter = presenter

    def __len__(self) -> int:
        return len(self._outcomes)

    @overload
    def __getitem__(self, place: int) -> RowRecord: ...
    @overload
    def __getitem__(self, place: slice) -> list[RowRecord]: ...
    def __getitem__(self, place: int | slice) -> RowRecord | list[RowRecord]:
        if isinstance(place, slice):
            return [_seen(outcome, self._presenter) for outcome in self._outcomes[place]]
        return _seen(self._outcomes[place], self._presenter)

    def __iter__(self) -> Iterator[RowRecord]:
        return (_seen(outcome, self._presenter) for outcome in self._outcomes)


def _seen(outcome: RowOutcome, presenter: Presenter) -> RowRecord:
    line = outcome_record(outcome, run="", presenter=presenter)
    if outcome.doctor.row.row_token:
        line["corrects"] = (
            outcome.doctor.row.row_token
        )  # the row_id of the roster row that this one is a copy of
    line["words"] = [
        {name: dump_text(text) for name, text in presenter.mask_problem(problem).detail.items()}
        for problem in outcome.problems
    ]
    if isinstance(outcome.message, KeyedText):
        line["answer"] = dump_text(presenter.mask_answer(outcome.message))
    doctor = outcome.doctor
    assert doctor.row_id is not None
    return RowRecord(
        row_id=doctor.row_id,
        key=doctor.key,
        file=str(line["file"]),
        sheet=presenter.mask_text(doctor.row.origin.sheet) if doctor.row.origin.sheet else None,
        row=doctor.row.origin.row,
        status=outcome.status,
        codes=tuple(dict.fromkeys(each.code for each in outcome.problems)),
        line=_LINE.encode(line),
    )


def record_run_end(
    night: RunReport, ledger: Ledger, stood: Sequence[RowOutcome], presenter: Presenter
) -> RunReport:
    """Enter how the run ended; a disk that fails now may change the exit code, never what happened.

    ``stood`` is what the run said of the same rows before it sent: what is still so is not said again. ``presenter``
    masks the numbers of all its rows.
    """
    news = [
        now for now, before in zip(night.outcomes, stood, strict=True) if now is not before and now != before
    ]
    try:
        if news:
            record_rows(ledger, night.run, news, presenter)
        record = json.dumps(run_record(night, presenter.masker), ensure_ascii=False)
        ledger.finish_run(night.run, exit=night.exit, finished=night.finished, record=record)
    except LedgerError as error:
        LOG.exception("the run's end could not be recorded")
        return replace(
            night,
            exit=more_severe_exit(night.exit, 74),
            halt=night.halt or Halt("LEDGER", error.reason, 74),
        )
    return night
