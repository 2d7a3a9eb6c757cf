"""The sheets All, Retried and Unknown: rows of the roster with their status, the service's answer, what to look up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.domain.results_format import CHECK, ROW_ID, join_seal_line, row_id_checksum
from pipeline.domain.run import UNRESOLVED_STATUSES, RowOutcome, Status
from pipeline.reports.explanations import describe_lost_answer, explain_answer, list_reasons
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_values import (
    display_last_attempt,
    display_seal_name,
    find_confirmed_seal_id,
    find_trace,
    mask_doctor_id,
)
from pipeline.reports.styles import clean_text
from pipeline.reports.tables import (
    IMAGE_COLUMN,
    NUMBER,
    QUIET,
    QUIET_WRAPPED,
    STRONG,
    WRAPPED,
    SheetColumn,
    TableSheet,
    WorkbookContext,
)

MAX_THUMBNAIL_ROWS = 2_000  # beyond that the file grows heavy and slow to open
MAX_LINKS = 20_000  # Excel allows 65,530 a sheet and opens slowly long before
_MAX_WIDTH, _MAX_LINK_WIDTH = 28, 24
OutcomeColumn = SheetColumn[RowOutcome]
_CONCLUSION_KEY = "col.conclusion"
_CONCLUSIONS: Mapping[Status, Sequence[str]] = {
    Status.UNKNOWN: ("created", "not_created", "not_created_sure"),
    Status.EXISTS: ("created", "not_theirs", "not_created", "not_created_sure"),
}


def write_all_sheet(
    context: WorkbookContext, outcomes: Sequence[RowOutcome], title: str = "sheet.all"
) -> None:
    """Write a row an outcome, in the roster's order; ``title`` is the key of the sheet's name."""
    load_thumbnail = context.load_thumbnail if len(outcomes) <= MAX_THUMBNAIL_ROWS else None
    columns = [column for column in ALL_COLUMNS if load_thumbnail or column is not IMAGE_COLUMN]
    if len(outcomes) > MAX_LINKS:  # links are kept for the rows that something happened to
        columns = [
            replace(column, linked_path=_find_new_image) if column.linked_path else column
            for column in columns
        ]
    table = TableSheet(
        context,
        context.presenter.render(title),
        columns,
        # a thousand rows are tall enough for several lines and narrow enough to be read on paper; more stay flat
        wraps=load_thumbnail is not None,
        max_links=MAX_LINKS,
        sample=outcomes,
    )
    for outcome in outcomes:
        picture, image = outcome.doctor.picture, None
        if load_thumbnail and picture and outcome.status is not Status.UNCHANGED:
            image = load_thumbnail(picture)
        table.write_row(outcome, image=image)
    table.close()


def write_unknown_sheet(context: WorkbookContext) -> None:
    """Write the rows that are held until a person has looked into the console, and the columns to fill in."""
    presenter = context.presenter
    table = TableSheet(context, presenter.render("sheet.unknown"), UNKNOWN_COLUMNS)
    conclusion = next(index for index, column in enumerate(UNKNOWN_COLUMNS) if column.key == _CONCLUSION_KEY)
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


def _masked(
    find_text: Callable[[RowOutcome], str | None],
) -> Callable[[RowOutcome, Presenter], str]:
    return lambda outcome, presenter: presenter.mask_optional(find_text(outcome))


def _find_image(outcome: RowOutcome) -> Path | None:
    return outcome.doctor.picture.path if outcome.doctor.picture else None


def _find_new_image(outcome: RowOutcome) -> Path | None:
    return None if outcome.status is Status.UNCHANGED else _find_image(outcome)


def _find_picture_name(outcome: RowOutcome) -> str | None:
    return outcome.doctor.picture.path.name if outcome.doctor.picture else None


def _compute_check(outcome: RowOutcome, presenter: Presenter) -> str:
    """Return the checksum by which `adopt` sees whether a line still holds together."""
    seal_id = find_confirmed_seal_id(outcome)
    if not seal_id:
        return ""
    name, seal_name = map(presenter.mask_optional, (outcome.doctor.display_name, display_seal_name(outcome)))
    texts = (name, mask_doctor_id(outcome.doctor) or "", seal_name, seal_id)
    return row_id_checksum(join_seal_line(*map(clean_text, texts)))


def _describe_resolution(outcome: RowOutcome, presenter: Presenter) -> str:
    """Return how an unresolved row is resolved."""
    text = presenter.render(f"settle.{outcome.status.value}", seal=display_seal_name(outcome) or "—")
    if outcome.unproven_seal_id:
        text += " " + presenter.render("settle.evidence", seal_id=outcome.unproven_seal_id)
    return presenter.mask_text(text)


def _describe_answer(outcome: RowOutcome, presenter: Presenter) -> str:
    """Return the code of an answer with its explanation."""
    text = describe_lost_answer(outcome.code, outcome.message, presenter)
    text = text or explain_answer(outcome, outcome.message or "", presenter)
    return presenter.mask_answer(" ".join(filter(None, (outcome.code, text))))


def _make_input_column(key: str, width: float) -> OutcomeColumn:
    return OutcomeColumn(key, width, lambda _outcome, _presenter: "", is_faulty=lambda _: True, is_input=True)


_NAME = OutcomeColumn("col.name", 11, _masked(lambda outcome: outcome.doctor.display_name), STRONG)
_STATUS = OutcomeColumn(
    "col.status",
    11,
    lambda outcome, presenter: presenter.name_status(outcome.status),
    status=lambda outcome: outcome.status,
)
_NUMBER = OutcomeColumn("col.number", 20, lambda outcome, _: mask_doctor_id(outcome.doctor) or "")
_SEAL_NAME = OutcomeColumn("col.seal_name", 14, _masked(display_seal_name))
_TIME = OutcomeColumn("col.time", 19, lambda outcome, _: display_last_attempt(outcome))
# needed for a search alone: on paper the text stays readable without it
_REQUEST_ID = OutcomeColumn(
    "col.request_id", 38, lambda outcome, _: outcome.request_id or "", QUIET, is_printed=False
)

ALL_COLUMNS: Sequence[OutcomeColumn] = (
    _NAME,
    _STATUS,
    OutcomeColumn(
        "col.reason", 40, lambda outcome, presenter: "\n".join(list_reasons(outcome, presenter)), WRAPPED
    ),
    _NUMBER,
    OutcomeColumn("col.staff_no", 8, _masked(lambda outcome: outcome.doctor.staff_no), max_width=_MAX_WIDTH),
    OutcomeColumn(
        "col.department", 8, _masked(lambda outcome: outcome.doctor.department), max_width=_MAX_WIDTH
    ),
    IMAGE_COLUMN,
    replace(_SEAL_NAME, max_width=_MAX_WIDTH),
    OutcomeColumn(
        "col.seal_id", 34, lambda outcome, _: find_confirmed_seal_id(outcome) or "", width_with_images=18
    ),
    replace(_TIME, look=QUIET, width_with_images=11),
    OutcomeColumn(
        "col.picture",
        12,
        _masked(_find_picture_name),
        QUIET,
        max_width=_MAX_LINK_WIDTH,
        linked_path=_find_image,
    ),
    OutcomeColumn(
        "col.file", 12, _masked(lambda outcome: outcome.doctor.row.origin.file), QUIET, max_width=_MAX_WIDTH
    ),
    OutcomeColumn(
        "col.sheet", 8, _masked(lambda outcome: outcome.doctor.row.origin.sheet), QUIET, max_width=_MAX_WIDTH
    ),
    OutcomeColumn("col.row", 7, lambda outcome, _: outcome.doctor.row.origin.row, NUMBER),
    OutcomeColumn("col.attempts", 9, lambda outcome, _: outcome.attempts, NUMBER, is_printed=False),
    _REQUEST_ID,
    OutcomeColumn(CHECK, 10, _compute_check, QUIET, title=CHECK, is_hidden=True),
)
UNKNOWN_COLUMNS: Sequence[OutcomeColumn] = (
    replace(_NAME, width=10),
    replace(_STATUS, width=12),
    replace(_SEAL_NAME, width=16, look=WRAPPED),
    replace(_NUMBER, width=21),
    replace(_TIME, width=12, look=WRAPPED),
    OutcomeColumn("col.settle", 38, _describe_resolution, WRAPPED),
    _make_input_column("col.seal_id", 26),
    _make_input_column(_CONCLUSION_KEY, 12),
    OutcomeColumn("col.answer", 26, _describe_answer, WRAPPED),
    OutcomeColumn("col.host", 18, lambda outcome, _: find_trace(outcome)[1], QUIET_WRAPPED),
    OutcomeColumn("col.trace_id", 21, lambda outcome, _: find_trace(outcome)[0], QUIET_WRAPPED),
    replace(_REQUEST_ID, width=21, look=QUIET_WRAPPED),
    OutcomeColumn(
        ROW_ID, 12, lambda outcome, _: outcome.doctor.row_id or "", QUIET, title=ROW_ID, is_hidden=True
    ),
    OutcomeColumn(
        CHECK,
        10,
        lambda outcome, _: row_id_checksum(outcome.doctor.row_id) if outcome.doctor.row_id else "",
        QUIET,
        title=CHECK,
        is_hidden=True,
    ),
)
