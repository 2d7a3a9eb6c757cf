"""The sheet Unknown: creates without a verdict, what is needed to settle each, and the columns to fill in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from pipeline.domain.headings import CHECK, ROW_ID
from pipeline.domain.masking import Numbers, mask_answer, mask_text
from pipeline.domain.run import RowOutcome, RunReport, Status
from pipeline.messages.results import say, status_word
from pipeline.reports.cell_text import lines
from pipeline.reports.display_values import UNSETTLED, id_masked, name_of, seal_name_of, trace_of, when
from pipeline.reports.reasons import explain_answer, happened
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
    night: RunReport,
    styles: Styles,
    numbers: Numbers,
    *,
    language: str,
    ticket_check: Callable[[str], str],
) -> None:
    """Write the rows that are held until a human has looked into the console."""
    columns = _columns(language)
    sheet = open_table(book, say("sheet.unknown", language), columns, styles, frozen=1, language=language)
    rows = [outcome for outcome in night.outcomes if outcome.status in UNSETTLED]
    plain, quiet = styles.cell(), styles.cell(font_color=MUTED)
    wrapped, small = styles.cell(text_wrap=True), styles.cell(text_wrap=True, font_color=MUTED)
    blank = styles.cell(bg_color=FAULT, border=1, border_color=FAULT_RULE)
    for row, outcome in enumerate(rows, start=1):
        settle = mask_text(" ".join(_settle(outcome, language)), numbers)
        answer = mask_answer(_answer(outcome, language), numbers)
        row_height(sheet, row, height(max(2, lines(settle, _SETTLE), lines(answer, _ANSWER))))
        trace, host = trace_of(outcome)
        ticket = outcome.doctor.row_id or ""
        texts = [
            (mask_text(name_of(outcome.doctor) or "", numbers), styles.cell(bold=True)),
            (status_word(outcome.status, language), styles.status(outcome.status)),
            (mask_text(seal_name_of(outcome) or "", numbers), wrapped),
            (id_masked(outcome.doctor) or "", plain),
            (when(outcome), wrapped),
            (settle, wrapped),
            ("", blank),
            ("", blank),
            (answer, wrapped),
            (host, small),
            (trace, small),
            (outcome.request_id or "", small),
            (ticket, quiet),
            (ticket_check(ticket) if ticket else "", quiet),
        ]
        for column, (text, form) in enumerate(texts):
            put(sheet, row, column, text, form)
        options = {
            "validate": "list",
            "source": [say(f"conclusion.{each}", language) for each in _CONCLUSIONS[outcome.status]],
            "error_title": say("col.conclusion", language),
            "error_message": say("conclusion.text", language),
        }
        sheet.data_validation(row, _CONCLUSION, row, _CONCLUSION, options)
    if not rows:
        sheet.write_string(1, 0, say("unknown.none", language), styles.get(font_color=MUTED))
    close_table(sheet, columns, len(rows))
    # on paper the text stays readable without the RequestId, which an unanswered create has not
    sheet.print_area(0, 0, max(1, len(rows)), len(columns) - 4)


def _columns(language: str) -> list[Column]:
    return [
        Column(say("col.name", language), 10),
        Column(say("col.status", language), 12),
        Column(say("col.seal_name", language), 16),
        Column(say("col.number", language), 21),
        Column(say("col.time", language), 12),
        Column(say("col.settle", language), _SETTLE),
        Column(say("col.seal_id", language), 26, fill_in=True),
        Column(say("col.conclusion", language), 12, fill_in=True),
        Column(say("col.answer", language), _ANSWER),
        Column(say("col.host", language), 18),
        Column(say("col.trace_id", language), _ID),
        Column(say("col.request_id", language), _ID),
        Column(ROW_ID, 12, hidden=True),
        Column(CHECK, 10, hidden=True),
    ]


def _settle(outcome: RowOutcome, language: str) -> Iterator[str]:
    yield say(f"settle.{outcome.status.value}", language, seal=seal_name_of(outcome) or "—")
    if outcome.unproven_seal_id:
        yield say("settle.evidence", language, seal_id=outcome.unproven_seal_id)


def _answer(outcome: RowOutcome, language: str) -> str:
    told = happened(outcome.code, outcome.message, language)
    told = told or explain_answer(outcome, outcome.message or "", language)
    return " ".join(filter(None, (outcome.code, told)))
