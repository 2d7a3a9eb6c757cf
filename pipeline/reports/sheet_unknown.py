"""The sheet Unknown: creates without a verdict, how to resolve each, and the columns to fill in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pipeline.domain.outcomes import UNRESOLVED_STATUSES
from pipeline.domain.results_format import CHECK, ROW_ID, row_id_checksum
from pipeline.domain.run import RowOutcome, Status
from pipeline.reports.explanations import describe_lost_answer, explain_answer
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_values import (
    display_last_attempt,
    display_seal_name,
    find_trace,
    mask_doctor_id,
)
from pipeline.reports.tables import (
    QUIET,
    QUIET_WRAPPED,
    STRONG,
    WRAPPED,
    Column,
    Table,
    WorkbookContext,
)

_CONCLUSION_KEY = "col.conclusion"
_CONCLUSIONS: Mapping[Status, Sequence[str]] = {
    Status.UNKNOWN: ("created", "not_created", "not_created_sure"),
    Status.EXISTS: ("created", "not_theirs", "not_created", "not_created_sure"),
}


def write_unknown_sheet(context: WorkbookContext) -> None:
    """Write the rows that are held until a person has looked into the console."""
    presenter = context.presenter
    table = Table(context, presenter.render("sheet.unknown"), COLUMNS)
    conclusion = next(index for index, column in enumerate(COLUMNS) if column.key == _CONCLUSION_KEY)
    for outcome in context.report.outcomes:
        if outcome.status not in UNRESOLVED_STATUSES:
            continue
        table.write_row(outcome, min_lines=2)
        options = {
            "validate": "list",
            "source": [presenter.render(f"conclusion.{key}") for key in _CONCLUSIONS[outcome.status]],
            "error_title": presenter.render(_CONCLUSION_KEY),
            "error_message": presenter.render("conclusion.text"),
        }
        table.sheet.data_validation(table.row_count, conclusion, table.row_count, conclusion, options)
    if not table.row_count:
        table.write_note(presenter.render("unknown.none"))
    table.close()


def _describe_resolution(outcome: RowOutcome, presenter: Presenter) -> str:
    """Return how a row is resolved."""
    return presenter.mask_text(" ".join(_list_instructions(outcome, presenter)))


def _list_instructions(outcome: RowOutcome, presenter: Presenter) -> Iterator[str]:
    yield presenter.render(f"settle.{outcome.status.value}", seal=display_seal_name(outcome) or "—")
    if outcome.unproven_seal_id:
        yield presenter.render("settle.evidence", seal_id=outcome.unproven_seal_id)


def _describe_answer(outcome: RowOutcome, presenter: Presenter) -> str:
    """Return the code of an answer with its explanation."""
    text = describe_lost_answer(outcome.code, outcome.message, presenter)
    text = text or explain_answer(outcome, outcome.message or "", presenter)
    return presenter.mask_answer(" ".join(filter(None, (outcome.code, text))))


def _leave_empty(_outcome: RowOutcome, _presenter: Presenter) -> str:
    return ""


def _is_always_marked(_outcome: RowOutcome) -> bool:
    return True


COLUMNS: tuple[Column[RowOutcome], ...] = (
    Column(
        "col.name",
        10,
        lambda outcome, presenter: presenter.mask_optional(outcome.doctor.display_name),
        STRONG,
    ),
    Column(
        "col.status",
        12,
        lambda outcome, presenter: presenter.name_status(outcome.status),
        status=lambda outcome: outcome.status,
    ),
    Column(
        "col.seal_name",
        16,
        lambda outcome, presenter: presenter.mask_optional(display_seal_name(outcome)),
        WRAPPED,
    ),
    Column("col.number", 21, lambda outcome, _: mask_doctor_id(outcome.doctor) or ""),
    Column("col.time", 12, lambda outcome, _: display_last_attempt(outcome), WRAPPED),
    Column("col.settle", 38, _describe_resolution, WRAPPED),
    Column("col.seal_id", 26, _leave_empty, is_faulty=_is_always_marked, is_input=True),
    Column(_CONCLUSION_KEY, 12, _leave_empty, is_faulty=_is_always_marked, is_input=True),
    Column("col.answer", 26, _describe_answer, WRAPPED),
    Column("col.host", 18, lambda outcome, _: find_trace(outcome)[1], QUIET_WRAPPED),
    Column("col.trace_id", 21, lambda outcome, _: find_trace(outcome)[0], QUIET_WRAPPED),
    # on paper the text stays readable without the RequestId, which an unanswered create has not
    Column(
        "col.request_id", 21, lambda outcome, _: outcome.request_id or "", QUIET_WRAPPED, is_printed=False
    ),
    Column(ROW_ID, 12, lambda outcome, _: outcome.doctor.row_id or "", QUIET, title=ROW_ID, is_hidden=True),
    Column(
        CHECK,
        10,
        lambda outcome, _: row_id_checksum(outcome.doctor.row_id) if outcome.doctor.row_id else "",
        QUIET,
        title=CHECK,
        is_hidden=True,
    ),
)
