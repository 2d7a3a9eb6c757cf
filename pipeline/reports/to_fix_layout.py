"""Rows to fix, sorted by the form of the roster they came from: each form gets a sheet with its own columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from pipeline.domain.results_format import find_heading
from pipeline.domain.roster import Cell, Doctor, Field
from pipeline.domain.run import RowOutcome, Status, needs_fixing
from pipeline.messages.results import FIELDS_BY_WORD, RESULT_TEXTS
from pipeline.messages.service_errors import find_advice, is_known_code
from pipeline.reports.presenter import Presenter

_ORDER = (Status.REJECTED, Status.FAILED, Status.NOT_SENT)
# keys of the headings of `sheet_to_fix.OUR_COLUMNS`
OUR_KEYS = ("fix.status", "fix.reason", "fix.advice", "fix.origin")
ADDED_FIELDS = (Field.PICTURE, Field.SEAL_NAME, Field.MOBILE)  # columns that a roster may lack, in this order

# code of a refusal -> the fields that it is about
_REFUSED_FIELDS: Mapping[str, tuple[Field, ...]] = {
    "FailedOperation.AgeNotAchieveNormalLegal": (Field.NUMBER,),
    "FailedOperation.IdCardNumberCheckFailed": (Field.NUMBER,),
    "FailedOperation.UserInfoNoMatch": (Field.NAME, Field.NUMBER),
    "InvalidParameter.CardNumber": (Field.NUMBER,),
    "InvalidParameter.CardType": (Field.ID_TYPE, Field.NUMBER),
    "InvalidParameter.FileType": (Field.PICTURE,),
    "InvalidParameter.Image": (Field.PICTURE,),
    "InvalidParameter.LimitSealName": (Field.SEAL_NAME,),
    "InvalidParameter.Mobile": (Field.MOBILE,),
    "InvalidParameter.Name": (Field.NAME,),
    "InvalidParameter.NonsupportMobile": (Field.MOBILE,),
    "InvalidParameter.Sensitive": (Field.NAME, Field.SEAL_NAME),
    "InvalidParameter.SensitiveFileContent": (Field.PICTURE,),
    "InvalidParameterValue.InvalidMobile": (Field.MOBILE,),
    "LimitExceeded.FileSize": (Field.PICTURE,),
    "MissingParameter.SealName": (Field.SEAL_NAME,),
    "OperationDenied.InvalidApproverAge": (Field.NUMBER,),
    "OperationDenied.Sensitive": (Field.NAME, Field.SEAL_NAME),
    "RequestSizeLimitExceeded": (Field.PICTURE,),
}
PERSON_FIELDS = (Field.NAME, Field.NUMBER)  # of a refusal that names no field


@dataclass(slots=True)
class Layout:
    """One form of roster: its columns in order, and the rows that have it."""

    headers: tuple[str, ...]
    columns_of_fields: Mapping[Field, int]
    # each with its columns by their letters in the roster
    rows: list[tuple[RowOutcome, Mapping[str, int]]] = field(default_factory=list)

    def list_lacking_columns(self) -> dict[Field, int]:
        """Return the columns that are added behind the roster's, which has none of these, by field.

        A picture can always be named; a seal name or mobile is asked for only where one is wrong or was written.
        """
        wanted = {Field.PICTURE}
        for outcome, _ in self.rows:
            wanted |= find_fields_to_check(outcome) | outcome.doctor.row.fields.keys()
        lacking = [name for name in ADDED_FIELDS if name in wanted and name not in self.columns_of_fields]
        return {name: column for column, name in enumerate(lacking, start=len(self.headers))}


def name_fix_sheet(number: int, presenter: Presenter) -> str:
    """Return the name of the To fix sheet of this number: 失败待改, then 失败待改 2."""
    name = presenter.render("sheet.fix")
    return name if number == 1 else f"{name} {number}"


def group_by_layout(outcomes: Iterable[RowOutcome]) -> list[Layout]:
    """Group the rows to fix by the form of their roster, those to correct first."""
    to_fix = [outcome for outcome in outcomes if needs_fixing(outcome)]
    layouts: dict[object, Layout] = {}
    shapes: dict[
        tuple[str, ...], dict[str, int]
    ] = {}  # shared by all rows of a shape: 100,000 of them add up
    for status in _ORDER:
        for outcome in to_fix:
            if outcome.status is not status:
                continue
            cells = list_own_cells(outcome.doctor)
            letters = tuple(cell.column for cell in cells)
            columns = shapes.setdefault(letters, {letter: index for index, letter in enumerate(letters)})
            headers = tuple(cell.header for cell in cells)
            columns_of_fields = {
                name: column
                for name, cell in outcome.doctor.row.fields.items()
                if (column := _find_column(cell, cells, columns)) is not None
            }
            # rows that reach beyond the titles must not make a sheet of their own
            titled = max((count for count, header in enumerate(headers, start=1) if header), default=0)
            key = (headers[:titled], tuple(sorted(columns_of_fields.items())))
            layout = layouts.setdefault(key, Layout(headers, columns_of_fields))
            if len(headers) > len(layout.headers):
                layout.headers = headers
            layout.rows.append((outcome, columns))
    return list(layouts.values())


def find_fields_to_check(outcome: RowOutcome) -> set[Field]:
    """Return the fields to look at before the row is sent again."""
    errors = outcome.errors
    return {error.field for error in errors if error.field} or set(find_refused_fields(outcome))


def find_refused_fields(outcome: RowOutcome) -> tuple[Field, ...]:
    """Return the fields a refusal is about; none if the row was not refused, or the roster's owner can do nothing."""
    if outcome.status is not Status.FAILED:
        return ()
    code = outcome.code or ""
    if code in _REFUSED_FIELDS:
        return _REFUSED_FIELDS[code]
    if is_known_code(code) and find_advice(code).who != "clerk":
        return ()
    fields = dict.fromkeys(field for word, field in FIELDS_BY_WORD.items() if word in (outcome.message or ""))
    return tuple(fields) or PERSON_FIELDS


def list_own_cells(doctor: Doctor) -> Sequence[Cell]:
    """Return the roster's own cells: a line of an earlier To fix sheet carries ours as well."""
    cells = doctor.row.cells
    if doctor.row.row_token is not None:
        ours = _find_our_titles(tuple(cell.header for cell in cells if cell.column))
        return [cell for cell in cells if cell.header not in ours or cell.column == ""]
    added = _list_added_cells(doctor)
    return [cell for cell in cells if cell not in added] if added else cells


def _list_added_cells(doctor: Doctor) -> list[Cell]:
    """Return the cells that a row in its roster row's place has from the columns that we had added."""
    cells = (doctor.row.fields.get(name) for name in ADDED_FIELDS)
    return [cell for cell in cells if cell is not None and not cell.column]


@cache
def _find_our_titles(titles: tuple[str, ...]) -> frozenset[str]:
    """Return the titles of an earlier To fix sheet that are ours; all rows of it share them."""
    return frozenset(filter(None, (find_heading(RESULT_TEXTS[key], titles) for key in OUR_KEYS)))


def _find_column(cell: Cell, cells: Sequence[Cell], columns: Mapping[str, int]) -> int | None:
    """Return the column of a field's cell; a cell that another file gave has no letter and is found by itself."""
    if cell.column:
        return columns.get(cell.column)
    return next((column for column, own in enumerate(cells) if own is cell), None)


def display_cell(outcome: RowOutcome, column: int) -> str:
    """Return the text in a column of the layout, an empty one beyond the row's end."""
    cells = list_own_cells(outcome.doctor)
    return cells[column].display_text if column < len(cells) else ""
