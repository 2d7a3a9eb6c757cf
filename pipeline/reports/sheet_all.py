"""The sheet All: every row of the roster once, with its status, its reasons and the service's answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.domain.results_format import CHECK, join_seal_line, row_id_checksum
from pipeline.domain.run import RowOutcome, Status
from pipeline.reports.explanations import list_reasons
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_values import (
    display_last_attempt,
    display_seal_name,
    find_confirmed_seal_id,
    mask_doctor_id,
)
from pipeline.reports.styles import clean_text
from pipeline.reports.tables import (
    IMAGE_KEY,
    NUMBER,
    QUIET,
    STRONG,
    WRAPPED,
    Column,
    Table,
    WorkbookContext,
    make_image_column,
)

MAX_THUMBNAIL_ROWS = 2_000  # beyond that the file grows heavy and slow to open
MAX_LINKS = 20_000  # Excel allows 65,530 a sheet and opens slowly long before
_MAX_WIDTH, _MAX_LINK_WIDTH = 28, 24


def write_all_sheet(
    context: WorkbookContext, outcomes: Sequence[RowOutcome], title: str = "sheet.all"
) -> None:
    """Write a row an outcome, in the roster's order; ``title`` is the key of the sheet's name."""
    load_thumbnail = context.load_thumbnail if len(outcomes) <= MAX_THUMBNAIL_ROWS else None
    columns = [column for column in COLUMNS if load_thumbnail or column.key != IMAGE_KEY]
    if len(outcomes) > MAX_LINKS:  # links are kept for the rows that something happened to
        columns = [
            replace(column, linked_path=_find_new_image) if column.linked_path else column
            for column in columns
        ]
    table = Table(
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


def _find_image(outcome: RowOutcome) -> Path | None:
    return outcome.doctor.picture.path if outcome.doctor.picture else None


def _find_new_image(outcome: RowOutcome) -> Path | None:
    return None if outcome.status is Status.UNCHANGED else _find_image(outcome)


def _mask_picture_name(outcome: RowOutcome, presenter: Presenter) -> str:
    path = _find_image(outcome)
    return presenter.mask_text(path.name) if path else ""


def _mask_name(outcome: RowOutcome, presenter: Presenter) -> str:
    return presenter.mask_optional(outcome.doctor.display_name)


def _mask_seal_name(outcome: RowOutcome, presenter: Presenter) -> str:
    return presenter.mask_optional(display_seal_name(outcome))


def _compute_check(outcome: RowOutcome, presenter: Presenter) -> str:
    """Return the checksum by which `adopt` sees whether a line still holds together."""
    seal_id = find_confirmed_seal_id(outcome)
    if not seal_id:
        return ""
    number = mask_doctor_id(outcome.doctor) or ""
    texts = (_mask_name(outcome, presenter), number, _mask_seal_name(outcome, presenter), seal_id)
    return row_id_checksum(join_seal_line(*map(clean_text, texts)))


COLUMNS: tuple[Column[RowOutcome], ...] = (
    Column("col.name", 11, _mask_name, STRONG),
    Column(
        "col.status",
        11,
        lambda outcome, presenter: presenter.name_status(outcome.status),
        status=lambda outcome: outcome.status,
    ),
    Column("col.reason", 40, lambda outcome, presenter: "\n".join(list_reasons(outcome, presenter)), WRAPPED),
    Column("col.number", 20, lambda outcome, _: mask_doctor_id(outcome.doctor) or ""),
    Column(
        "col.staff_no",
        8,
        lambda outcome, presenter: presenter.mask_optional(outcome.doctor.staff_no),
        max_width=_MAX_WIDTH,
    ),
    Column(
        "col.department",
        8,
        lambda outcome, presenter: presenter.mask_optional(outcome.doctor.department),
        max_width=_MAX_WIDTH,
    ),
    make_image_column(),
    Column("col.seal_name", 14, _mask_seal_name, max_width=_MAX_WIDTH),
    Column("col.seal_id", 34, lambda outcome, _: find_confirmed_seal_id(outcome) or "", width_with_images=18),
    Column("col.time", 19, lambda outcome, _: display_last_attempt(outcome), QUIET, width_with_images=11),
    Column(
        "col.picture",
        12,
        _mask_picture_name,
        QUIET,
        max_width=_MAX_LINK_WIDTH,
        linked_path=_find_image,
    ),
    Column(
        "col.file",
        12,
        lambda outcome, presenter: presenter.mask_optional(outcome.doctor.row.origin.file),
        QUIET,
        max_width=_MAX_WIDTH,
    ),
    Column(
        "col.sheet",
        8,
        lambda outcome, presenter: presenter.mask_optional(outcome.doctor.row.origin.sheet),
        QUIET,
        max_width=_MAX_WIDTH,
    ),
    Column("col.row", 7, lambda outcome, _: outcome.doctor.row.origin.row, NUMBER),
    # the last two visible columns are needed for a search alone: on paper the text stays readable without them
    Column("col.attempts", 9, lambda outcome, _: outcome.attempts, NUMBER, is_printed=False),
    Column("col.request_id", 38, lambda outcome, _: outcome.request_id or "", QUIET, is_printed=False),
    Column(CHECK, 10, _compute_check, QUIET, title=CHECK, is_hidden=True),
)
