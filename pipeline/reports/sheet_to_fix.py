"""The sheet To fix: a list for people of what has to be corrected in the rosters, a line a problem.

Nothing is corrected here: each line names the cell, and the marked copy in which the cell is yellow. Numbers are masked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.domain.roster import Cell, Field, Row
from pipeline.domain.run import RowOutcome, Status, needs_fixing
from pipeline.reports.explanations import advise_on_row, explain_error, list_reasons
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_notes import choose_refused_fields, get_address
from pipeline.reports.row_values import show_number_cell
from pipeline.reports.tables import (
    CENTRED,
    IMAGE_COLUMN,
    NUMBER,
    QUIET,
    QUIET_WRAPPED,
    STRONG,
    WRAPPED,
    LinkedText,
    SheetColumn,
    TableSheet,
    WorkbookContext,
)
from pipeline.reports.unused_pictures import UnusedPicture, UnusedPictures, is_picture_error

MAX_LINKS = 20_000
_ORDER = (Status.REJECTED, Status.FAILED, Status.NOT_SENT)


@dataclass(frozen=True, slots=True)
class FixLine:
    """One problem of a row, or all that is known of a row whose problem has no cell."""

    outcome: RowOutcome
    cells: Sequence[Cell]  # to be looked at; of a problem at most one
    address: str  # C12, or several
    wrong: str
    advice: str
    copy: Path | None  # the marked copy in which the cell is corrected
    pictures: Sequence[UnusedPicture] = ()  # that the problem is about

    @property
    def row(self) -> Row:
        return self.outcome.doctor.row


def _list_titles(line: FixLine, presenter: Presenter) -> str:
    return "\n".join(presenter.mask_text(cell.header) for cell in line.cells)


def _list_contents(line: FixLine, presenter: Presenter) -> str:
    """Return what the cells hold: of a number the last four characters."""
    columns = {cell.column: field for field, cell in line.row.fields.items()}
    return "\n".join(_mask_content(cell, columns.get(cell.column), presenter) for cell in line.cells)


def _mask_content(cell: Cell, field: Field | None, presenter: Presenter) -> str:
    if field is Field.NUMBER:
        return show_number_cell(cell, presenter)
    if field is Field.MOBILE:
        return presenter.masker.mask_every_number(cell.display_text)
    return presenter.mask_text(cell.display_text)


def _link_copy(line: FixLine, presenter: Presenter) -> LinkedText:
    """Return the marked copy to correct; a line without a cell has nothing to be corrected in it."""
    if not line.address:
        return LinkedText("—", None)
    return LinkedText(line.copy.name if line.copy else presenter.render("fix.no_copy"), line.copy)


FIX_COLUMNS: Sequence[SheetColumn[FixLine]] = (
    SheetColumn(
        "col.name",
        11,
        lambda line, presenter: presenter.mask_optional(line.outcome.doctor.display_name),
        STRONG,
    ),
    SheetColumn("fix.status", 11, lambda line, _: line.outcome.status, CENTRED),
    SheetColumn(
        "col.file", 16, lambda line, presenter: presenter.mask_text(line.row.origin.file), QUIET_WRAPPED
    ),
    SheetColumn(
        "col.sheet", 9, lambda line, presenter: presenter.mask_optional(line.row.origin.sheet), QUIET_WRAPPED
    ),
    SheetColumn("col.row", 7, lambda line, _: line.row.origin.row, NUMBER),
    SheetColumn("fix.cell", 9, lambda line, _: line.address, WRAPPED),
    SheetColumn("fix.column", 13, _list_titles, WRAPPED),
    SheetColumn("fix.found", 21, _list_contents, WRAPPED),
    IMAGE_COLUMN,
    SheetColumn("fix.wrong", 40, lambda line, _: line.wrong, WRAPPED),
    SheetColumn("fix.advice", 40, lambda line, _: line.advice, WRAPPED),
    SheetColumn(
        "fix.copy",
        22,
        _link_copy,
        QUIET,
        is_link=True,
    ),
)


def write_fix_sheet(context: WorkbookContext) -> None:
    """Write the lines, those of rows to correct first; a line about pictures shows them."""
    presenter, report, unused = context.presenter, context.report, context.unused
    columns = [column for column in FIX_COLUMNS if unused.can_be_shown or column is not IMAGE_COLUMN]
    table = TableSheet(context, presenter.render("sheet.fix"), columns, max_links=MAX_LINKS)
    to_fix = sorted(filter(needs_fixing, report.outcomes), key=lambda outcome: _ORDER.index(outcome.status))
    for outcome in to_fix:
        copy = report.copies.get(outcome.doctor.row.origin.path)
        for line in _list_lines(outcome, copy, presenter, unused):
            table.write_row(line, images=list(filter(None, map(unused.load_preview, line.pictures))))
    table.close(presenter.render("fix.none"))


def _list_lines(
    outcome: RowOutcome, copy: Path | None, presenter: Presenter, unused: UnusedPictures
) -> Iterator[FixLine]:
    """Yield a line for each error of a row; a row without an error has one, with all that is known."""
    row = outcome.doctor.row
    for problem in outcome.errors:
        address = get_address(outcome, problem) or ""
        cells = [cell for cell in row.cells if row.address_of(cell) == address]
        wrong, advice = explain_error(outcome, problem, presenter)
        pictures = unused.list_of_row(outcome) if is_picture_error(problem) else ()
        if pictures:
            wrong = "\n".join((wrong, *unused.describe_of_row(outcome)))
        yield FixLine(outcome, cells, address, wrong, advice, copy, pictures)
    if not outcome.errors:
        cells = [row.fields[field] for field in choose_refused_fields(outcome, row.fields)]
        address = " ".join(map(row.address_of, cells))
        wrong = "\n".join(list_reasons(outcome, presenter))
        yield FixLine(outcome, cells, address, wrong, advise_on_row(outcome, presenter), copy)
