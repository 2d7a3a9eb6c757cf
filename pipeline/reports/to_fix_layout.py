"""Rows to fix, sorted by the form of the roster they came from: each form gets a sheet with its own columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from pipeline.domain.outcomes import needs_fixing
from pipeline.domain.results_format import find_heading
from pipeline.domain.roster import Cell, Doctor, Field
from pipeline.domain.run import RowOutcome, Status
from pipeline.messages.results import WORDS
from pipeline.reports.presenter import Presenter
from pipeline.reports.refused_cells import find_refused_fields

_ORDER = (Status.REJECTED, Status.FAILED, Status.NOT_SENT)
OUR_COLUMNS = ("fix.status", "fix.reason", "fix.advice", "fix.origin")  # words of the headings, in this order

ADDED = (Field.PICTURE, Field.SEAL_NAME, Field.MOBILE)  # columns that a roster may lack, in this order


@dataclass(slots=True)
class Layout:
    """One form of roster: its columns in order, and the rows that have it."""

    headers: tuple[str, ...]
    mapped: Mapping[Field, int]
    rows: list[tuple[RowOutcome, Mapping[str, int]]] = field(
        default_factory=list
    )  # with column letter -> place

    def lacking(self) -> dict[Field, int]:
        """Return the columns that stand behind the roster's, which has none of these: a field and its place.

        A picture can always be named; a seal name or mobile is asked for only where one is wrong or was written.
        """
        concerned = {Field.PICTURE}
        for each, _ in self.rows:
            concerned |= find_fields_to_check(each) | each.doctor.row.fields.keys()
        missing = [field for field in ADDED if field in concerned and field not in self.mapped]
        return {field: place for place, field in enumerate(missing, start=len(self.headers))}


def name_fix_sheet(number: int, presenter: Presenter) -> str:
    """Return the name of the To fix sheet so numbered: 失败待改, then 失败待改 2."""
    name = presenter.render("sheet.fix")
    return name if number == 1 else f"{name} {number}"


def group_by_layout(outcomes: Iterable[RowOutcome]) -> list[Layout]:
    """Sort the rows to fix by the form of their roster, those to correct first."""
    wanted = [outcome for outcome in outcomes if needs_fixing(outcome)]
    found: dict[object, Layout] = {}
    shared: dict[tuple[str, ...], dict[str, int]] = {}  # one for all rows of a shape: 100,000 of them add up
    for status in _ORDER:
        for outcome in wanted:
            if outcome.status is not status:
                continue
            cells = list_own_cells(outcome.doctor)
            columns = tuple(cell.column for cell in cells)
            places = shared.setdefault(columns, {column: place for place, column in enumerate(columns)})
            headers = tuple(cell.header for cell in cells)
            mapped = {
                name: place
                for name, field in outcome.doctor.row.fields.items()
                if (place := _find_position(field, cells, places)) is not None
            }
            # rows that reach beyond the titles must not make a sheet of their own
            titled = len(headers) - next(
                (n for n, text in enumerate(reversed(headers)) if text), len(headers)
            )
            key = (headers[:titled], tuple(sorted(mapped.items())))
            layout = found.setdefault(key, Layout(headers, mapped))
            if len(headers) > len(layout.headers):
                layout.headers = headers
            layout.rows.append((outcome, places))
    return list(found.values())


def find_fields_to_check(outcome: RowOutcome) -> set[Field]:
    """Return the fields that somebody has to look at before the row is sent again."""
    errors = outcome.errors
    return {error.field for error in errors if error.field} or set(find_refused_fields(outcome))


def list_own_cells(doctor: Doctor) -> Sequence[Cell]:
    """Return the roster's own cells: a line of an earlier To fix sheet carries ours as well."""
    cells = doctor.row.cells
    if doctor.row.row_token is not None:
        added = _find_our_titles(tuple(cell.header for cell in cells if cell.column))
        return [cell for cell in cells if cell.header not in added or cell.column == ""]
    ours = _list_added_cells(doctor)
    return [cell for cell in cells if cell not in ours] if ours else cells


def _list_added_cells(doctor: Doctor) -> list[Cell]:
    """Return what a row that was put into its roster row's place has from the columns that we had added."""
    found = (doctor.row.fields.get(field) for field in ADDED)
    return [cell for cell in found if cell is not None and not cell.column]


@cache
def _find_our_titles(titles: tuple[str, ...]) -> frozenset[str]:
    """Return which titles of an earlier To fix sheet are ours; a few sheets have them all."""
    found = (find_heading(WORDS[key], titles) for key in OUR_COLUMNS)
    return frozenset(filter(None, found))


def _find_position(field: Cell, cells: Sequence[Cell], places: Mapping[str, int]) -> int | None:
    """Return the place of a field's cell; those that another file gave have no column and are told by themselves."""
    if field.column:
        return places.get(field.column)
    return next((place for place, cell in enumerate(cells) if cell is field), None)


def display_cell(outcome: RowOutcome, place: int) -> str:
    """Return what stands in a column of the layout, or an empty text beyond the row's end."""
    cells = list_own_cells(outcome.doctor)
    return cells[place].display_text if place < len(cells) else ""
