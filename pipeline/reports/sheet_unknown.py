"""The sheet Unknown: creates without a verdict, what is needed to settle each, and the columns to fill in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pipeline.domain.outcomes import UNRESOLVED_STATUSES
from pipeline.domain.results_format import CHECK, ROW_ID, row_id_checksum
from pipeline.domain.run import RowOutcome, RunReport, Status
from pipeline.reports.cell_text import count_lines
from pipeline.reports.display_values import (
    display_last_attempt,
    display_name,
    display_seal_name,
    find_trace,
    mask_doctor_id,
)
from pipeline.reports.presenter import Presenter
from pipeline.reports.reasons import describe_lost_answer, explain_answer
from pipeline.reports.styles import (
    FAULT,
    FAULT_RULE,
    MUTED,
    Column,
    Styles,
    Workbook,
    close_table,
    height,
    open_table,
    put,
    row_height,
)

_SETTLE, _ANSWER, _ID = 38, 26, 21  # columns; a uuid takes two lines
_SEAL_ID, _CONCLUSION = 6, 7  # places of the columns to fill in
_CONCLUSIONS: Mapping[Status, Sequence[str]] = {
    Status.UNKNOWN: ("created", "not_created", "not_created_sure"),
    Status.EXISTS: ("created", "not_theirs", "not_created", "not_created_sure"),
}


def write_unknown_sheet(
    book: Workbook,
    report: RunReport,
    styles: Styles,
    presenter: Presenter,
) -> None:
    """Write the rows that are held until a human has looked into the console."""
    columns = _columns(presenter)
    sheet = open_table(
        book, presenter.render("sheet.unknown"), columns, styles, frozen=1, presenter=presenter
    )
    rows = [outcome for outcome in report.outcomes if outcome.status in UNRESOLVED_STATUSES]
    plain, quiet = styles.make_cell_format(), styles.make_cell_format(font_color=MUTED)
    wrapped, small = (
        styles.make_cell_format(text_wrap=True),
        styles.make_cell_format(text_wrap=True, font_color=MUTED),
    )
    blank = styles.make_cell_format(bg_color=FAULT, border=1, border_color=FAULT_RULE)
    for row, outcome in enumerate(rows, start=1):
        settle = presenter.mask_text(" ".join(_settle(outcome, presenter)))
        answer = presenter.mask_answer(_answer(outcome, presenter))
        row_height(sheet, row, height(max(2, count_lines(settle, _SETTLE), count_lines(answer, _ANSWER))))
        trace, host = find_trace(outcome)
        ticket = outcome.doctor.row_id or ""
        texts = [
            (presenter.mask_text(display_name(outcome.doctor) or ""), styles.make_cell_format(bold=True)),
            (presenter.name_status(outcome.status), styles.make_status_format(outcome.status)),
            (presenter.mask_text(display_seal_name(outcome) or ""), wrapped),
            (mask_doctor_id(outcome.doctor) or "", plain),
            (display_last_attempt(outcome), wrapped),
            (settle, wrapped),
            ("", blank),
            ("", blank),
            (answer, wrapped),
            (host, small),
            (trace, small),
            (outcome.request_id or "", small),
            (ticket, quiet),
            (row_id_checksum(ticket) if ticket else "", quiet),
        ]
        for column, (text, form) in enumerate(texts):
            put(sheet, row, column, text, form)
        options = {
            "validate": "list",
            "source": [presenter.render(f"conclusion.{each}") for each in _CONCLUSIONS[outcome.status]],
            "error_title": presenter.render("col.conclusion"),
            "error_message": presenter.render("conclusion.text"),
        }
        sheet.data_validation(row, _CONCLUSION, row, _CONCLUSION, options)
    if not rows:
        sheet.write_string(1, 0, presenter.render("unknown.none"), styles.make_format(font_color=MUTED))
    close_table(sheet, columns, len(rows))
    # on paper the text stays readable without the RequestId, which an unanswered create has not
    sheet.print_area(0, 0, max(1, len(rows)), len(columns) - 4)


def _columns(presenter: Presenter) -> list[Column]:
    return [
        Column(presenter.render("col.name"), 10),
        Column(presenter.render("col.status"), 12),
        Column(presenter.render("col.seal_name"), 16),
        Column(presenter.render("col.number"), 21),
        Column(presenter.render("col.time"), 12),
        Column(presenter.render("col.settle"), _SETTLE),
        Column(presenter.render("col.seal_id"), 26, fill_in=True),
        Column(presenter.render("col.conclusion"), 12, fill_in=True),
        Column(presenter.render("col.answer"), _ANSWER),
        Column(presenter.render("col.host"), 18),
        Column(presenter.render("col.trace_id"), _ID),
        Column(presenter.render("col.request_id"), _ID),
        Column(ROW_ID, 12, hidden=True),
        Column(CHECK, 10, hidden=True),
    ]


def _settle(outcome: RowOutcome, presenter: Presenter) -> Iterator[str]:
    yield presenter.render(f"settle.{outcome.status.value}", seal=display_seal_name(outcome) or "—")
    if outcome.unproven_seal_id:
        yield presenter.render("settle.evidence", seal_id=outcome.unproven_seal_id)


def _answer(outcome: RowOutcome, presenter: Presenter) -> str:
    told = describe_lost_answer(outcome.code, outcome.message, presenter)
    told = told or explain_answer(outcome, outcome.message or "", presenter)
    return " ".join(filter(None, (outcome.code, told)))
