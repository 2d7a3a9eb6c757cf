"""The sheets To fix: the roster's own rows that have to be corrected, ready to be edited and read again.

Each form of roster gets a sheet with its own columns. These sheets are the only place where full numbers stand. Every
cell is text, so that no program can damage a number. A number that Excel had already damaged is left empty, for as text
it would look whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as _field
from functools import cache

from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell

from pipeline.domain.results_format import CHECK, ROW_ID, find_heading, row_id_checksum, unique_heading
from pipeline.domain.roster import CardType, Cell, Doctor, Field, Problem
from pipeline.domain.run import RowOutcome, Status, needs_fixing
from pipeline.messages.areas import get_pair
from pipeline.reports.explanations import advise_on_row, describe_problem, list_reasons
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_marks import MAX_NOTES, choose_refused_fields, find_refused_fields
from pipeline.reports.styles import FONT, clean_text, count_lines, estimate_width, set_up_printing
from pipeline.reports.tables import QUIET_WRAPPED, WRAPPED, SheetColumn, TableSheet, WorkbookContext

MAX_FROZEN = 4  # columns
_SAMPLE = 500  # rows that decide the width of the roster's columns
_ADDRESS = re.compile(r"([A-Z]{1,3})[0-9]+")
_ORDER = (Status.REJECTED, Status.FAILED, Status.NOT_SENT)
_ADDED_FIELDS = (
    Field.PICTURE,
    Field.SEAL_NAME,
    Field.MOBILE,
)  # columns that a roster may lack, in this order
_LISTED_CARDS = (CardType.ID_CARD, CardType.HONGKONG_AND_MACAO, CardType.HONGKONG_MACAO_AND_TAIWAN)


@dataclass(slots=True)
class Layout:
    """One form of roster: its columns in order, and the rows that have it."""

    headers: tuple[str, ...]
    columns_of_fields: Mapping[Field, int]
    rows: list[RowOutcome] = _field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _FixRow:
    """A row of the sheet; columns are given by their index."""

    outcome: RowOutcome
    texts: Mapping[int, str]  # of the roster's columns and of those it lacks
    notes: Mapping[int, Sequence[str]]  # of the cells to be corrected
    reason: str
    advice: str

    @property
    def token(self) -> str:
        """The row's token. A corrected row that is refused once more still stands for its roster row."""
        return self.outcome.doctor.row.row_token or self.outcome.doctor.row_id or ""


FixColumn = SheetColumn[_FixRow]
# behind the roster's columns; by their headings they are recognised when the sheet is read again
OUR_COLUMNS: Sequence[FixColumn] = (
    FixColumn(
        "fix.status",
        13,
        lambda row, presenter: presenter.name_status(row.outcome.status),
        status=lambda row: row.outcome.status,
    ),
    FixColumn("fix.reason", 42, lambda row, _: row.reason, WRAPPED),
    FixColumn("fix.advice", 20, lambda row, _: row.advice, WRAPPED),
    FixColumn(
        "fix.origin",
        17,
        lambda row, presenter: _describe_origin(row.outcome.doctor, presenter),
        QUIET_WRAPPED,
    ),
)
HIDDEN_COLUMNS: Sequence[FixColumn] = (
    FixColumn(ROW_ID, 12, lambda row, _: row.token, is_hidden=True),
    FixColumn(CHECK, 10, lambda row, _: row_id_checksum(row.token) if row.token else "", is_hidden=True),
)


def name_fix_sheet(number: int, presenter: Presenter) -> str:
    """Return the name of the To fix sheet of this number: 失败待改, then 失败待改 2."""
    name = presenter.render("sheet.fix")
    return name if number == 1 else f"{name} {number}"


def group_by_layout(outcomes: Iterable[RowOutcome]) -> list[Layout]:
    """Group the rows to fix by the form of their roster, those to correct first."""
    to_fix = sorted(filter(needs_fixing, outcomes), key=lambda outcome: _ORDER.index(outcome.status))
    layouts: dict[object, Layout] = {}
    for outcome in to_fix:
        cells = _list_own_cells(outcome.doctor)
        columns = {cell.column: index for index, cell in enumerate(cells)}
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
        layout.headers = max(layout.headers, headers, key=len)
        layout.rows.append(outcome)
    return list(layouts.values())


def write_fix_sheets(context: WorkbookContext, layouts: Sequence[Layout]) -> None:
    """Write a sheet a layout: 失败待改, 失败待改 2, …; an empty one where nothing has to be corrected."""
    if not layouts:
        _write_empty_sheet(context)
    notes_left = MAX_NOTES
    for number, layout in enumerate(layouts, start=1):
        sheet = _FixSheet(context, layout, name_fix_sheet(number, context.presenter), notes_left)
        sheet.write_rows()
        notes_left = sheet.notes_left


def _write_empty_sheet(context: WorkbookContext) -> None:
    """Write the message as a drawing: a cell's text would be taken for a header that is missing."""
    sheet = context.book.add_worksheet(name_fix_sheet(1, context.presenter))
    set_up_printing(sheet, context.presenter.language)
    sheet.hide_gridlines(2)
    options = {"width": 420, "height": 48, "font": {"size": 12}, "line": {"none": True}}
    sheet.insert_textbox(1, 1, context.presenter.render("fix.none"), options)


class _FixSheet:
    def __init__(self, context: WorkbookContext, layout: Layout, title: str, notes_left: int) -> None:
        self.layout, self.presenter, self.seals = layout, context.presenter, context.report.seals
        self.notes_left = notes_left
        self.lacking = _list_lacking_columns(layout)
        self.columns_of_fields = {**layout.columns_of_fields, **self.lacking}
        name = layout.columns_of_fields.get(Field.NAME)
        frozen = name + 1 if name is not None and name < MAX_FROZEN else 0
        self.table: TableSheet[_FixRow] = TableSheet(context, title, self._list_columns(), frozen=frozen)
        self.table.sheet.set_comments_author("esign-import")

    def write_rows(self) -> None:
        for outcome in self.layout.rows:
            row = self._prepare_row(outcome)
            self.table.write_row(row)
            for column, texts in row.notes.items():
                self._write_note(column, texts)
        self._add_checks()
        self.table.close()

    def _list_columns(self) -> list[FixColumn]:
        sample = [_list_own_cells(outcome.doctor) for outcome in self.layout.rows[:_SAMPLE]]
        columns = []
        for index, header in enumerate(self.layout.headers):
            texts = (cells[index].display_text for cells in sample if index < len(cells))
            widest = max(map(estimate_width, texts), default=0)
            width = min(36, max(estimate_width(header) + 3, widest + 2, 6))
            columns.append(_make_roster_column(index, header, width))
        for field, index in self.lacking.items():
            columns.append(_make_roster_column(index, self.presenter.render(f"col.{field}"), 20))
        taken = [column.title or "" for column in columns]
        for column in OUR_COLUMNS:
            heading = unique_heading(get_pair(column.key), self.presenter.render(column.key), taken)
            columns.append(replace(column, title=heading))
        hidden = [
            replace(column, title=unique_heading((column.key,), column.key, taken))
            for column in HIDDEN_COLUMNS
        ]
        return columns + hidden

    def _prepare_row(self, outcome: RowOutcome) -> _FixRow:
        cells = _list_own_cells(outcome.doctor)
        columns_of_letters = {cell.column: index for index, cell in enumerate(cells)}

        def find_column(problem: Problem) -> int | None:
            """Return the column of the cell that a problem is about, None if it is about the whole row."""
            column = self.columns_of_fields.get(problem.field) if problem.field else None
            address = _ADDRESS.fullmatch(problem.cell or "")
            return columns_of_letters.get(address[1]) if column is None and address else column

        def describe(problem: Problem) -> str:
            """Name the cell of this sheet: the roster's address would mislead the reader here."""
            column = find_column(problem)
            row_number = self.table.row_count + 1
            cell = problem.cell if column is None else xl_rowcol_to_cell(row_number, column)
            return describe_problem(replace(problem, cell=cell), self.presenter, masked=False)

        notes: dict[int, list[str]] = {}
        damaged = set()
        for problem in outcome.errors:
            if (column := find_column(problem)) is not None:
                notes.setdefault(column, []).append(describe(problem))
                if problem.code == "ID_PRECISION_LOST":
                    damaged.add(column)
        for column in damaged:
            shown = outcome.doctor.display_field(Field.NUMBER)
            notes[column].append(self.presenter.render("fix.retype", shown=shown))
        reason = "\n".join(list_reasons(outcome, self.presenter, describe=describe))
        advice = advise_on_row(outcome, self.presenter)
        if not notes:
            columns = self.columns_of_fields
            notes = {columns[field]: [reason, advice] for field in choose_refused_fields(outcome, columns)}
        texts = self._list_texts(outcome.doctor) | dict.fromkeys(damaged, "")
        return _FixRow(outcome, texts, notes, reason, advice)

    def _list_texts(self, doctor: Doctor) -> dict[int, str]:
        """Return the texts of the roster's columns and of those it lacks."""
        texts = {column: cell.display_text for column, cell in enumerate(_list_own_cells(doctor))}
        for field, column in self.lacking.items():
            texts[column] = (
                self._name_picture(doctor) if field is Field.PICTURE else doctor.display_field(field)
            )
        picture = self.layout.columns_of_fields.get(Field.PICTURE)
        if picture is not None and not texts.get(picture):
            texts[picture] = self._name_embedded_picture(doctor)
        if _is_entry_void(doctor):
            texts.pop(self.columns_of_fields[Field.PICTURE], None)
        return texts

    def _name_picture(self, doctor: Doctor) -> str:
        """Return the paired file as ``retry`` looks for it: below the picture folder, with forward slashes.

        Without a paired file it is the entry of an earlier correction.
        """
        if doctor.picture is None:
            return doctor.display_field(Field.PICTURE)
        if doctor.evidence == "cell":
            return self._name_embedded_picture(doctor)
        path = doctor.picture.path
        if self.seals is not None and path.is_relative_to(self.seals):
            return path.relative_to(self.seals).as_posix()
        return path.name

    def _name_embedded_picture(self, doctor: Doctor) -> str:
        """Return the name of a picture in a cell of the roster, by which it is found there again.

        A picture that was put into an earlier workbook is named by its place there, which is found nowhere: the
        roster's cell of that address holds another picture or none.
        """
        embedded = (image for image in doctor.row.pictures if image.picture == doctor.picture)
        image = next(embedded, None) if doctor.evidence == "cell" else None
        if image is None:
            return ""
        workbook = image.picture.path.parent.name
        if doctor.row.correction is not None and workbook != doctor.row.display_origin.file:
            return f"{workbook}/{image.picture.name}"
        return self.presenter.render("fix.in_cell", cell=image.address)

    def _write_note(self, column: int, texts: Sequence[str]) -> None:
        if not self.notes_left:
            return
        self.notes_left -= 1
        text = clean_text("\n".join(texts))
        height = 22 + 17 * count_lines(text, 38)
        options = {"width": 260, "height": height, "font_name": FONT, "font_size": 9}
        self.table.sheet.write_comment(self.table.row_count, column, text, options)

    def _add_checks(self) -> None:
        """Check what is typed: card types from a list, the lengths of numbers.

        A check warns and forbids nothing: intake judges the text, and knows more ways of writing than a list.
        """
        for field in (Field.ID_TYPE, Field.NUMBER, Field.MOBILE, Field.SEAL_NAME):
            column = self.columns_of_fields.get(field)
            rule = None if column is None else self._make_rule(field, xl_col_to_name(column))
            if rule is not None:
                options = {
                    **rule,
                    "error_type": "warning",
                    "error_title": self.presenter.render(f"fix.check.{field}"),
                    "error_message": self.presenter.render(f"fix.check.{field}.text"),
                }
                self.table.sheet.data_validation(1, column, self.table.row_count, column, options)

    def _make_rule(self, field: Field, letters: str) -> Mapping[str, object] | None:
        length = f'LEN(SUBSTITUTE({letters}2," ",""))'  # numbers may be written in groups
        if field is Field.ID_TYPE:
            return {"validate": "list", "source": [get_pair(f"card.{kind}")[0] for kind in _LISTED_CARDS]}
        if field is Field.SEAL_NAME:
            return {"validate": "length", "criteria": "between", "minimum": 1, "maximum": 50}
        if field is Field.MOBILE:
            return {"validate": "custom", "value": f"={length}=11"}
        if any(outcome.doctor.id_type is CardType.OTHER_CARD_TYPE for outcome in self.layout.rows):
            return None
        return {"validate": "custom", "value": f"=OR({length}=18,{length}=11)"}


def _make_roster_column(index: int, title: str, width: float) -> FixColumn:
    return FixColumn(
        "",
        width,
        lambda row, _: row.texts.get(index, ""),
        title=title,
        is_faulty=lambda row: index in row.notes,
        is_from_roster=True,
    )


def _describe_origin(doctor: Doctor, presenter: Presenter) -> str:
    origin = doctor.row.display_origin
    parts = (origin.file, origin.sheet, presenter.render("fix.row", row=origin.row))
    return " · ".join(filter(None, parts))


def _is_entry_void(doctor: Doctor) -> bool:
    """Return whether the picture entry may be another doctor's: written again, it would pass for the clerk's own."""
    return any(
        (error.code == "IMAGE_MISSING" and "moved" in error.detail)
        or (error.code == "IMAGE_AMBIGUOUS" and error.detail.get("claimed") == "entry")
        for error in doctor.problems
    )


def _list_lacking_columns(layout: Layout) -> dict[Field, int]:
    """Return the columns that are added behind the roster's, which has none of these, by field.

    A picture can always be named; a seal name or mobile is asked for only where one is wrong or was written.
    """
    wanted = {Field.PICTURE}
    for outcome in layout.rows:
        at_fault = {error.field for error in outcome.errors if error.field}
        wanted |= at_fault or set(find_refused_fields(outcome))
        wanted |= outcome.doctor.row.fields.keys()
    lacking = [name for name in _ADDED_FIELDS if name in wanted and name not in layout.columns_of_fields]
    return {name: column for column, name in enumerate(lacking, start=len(layout.headers))}


def _list_own_cells(doctor: Doctor) -> Sequence[Cell]:
    """Return the roster's own cells: a line of an earlier To fix sheet carries ours as well."""
    cells = doctor.row.cells
    if doctor.row.row_token is not None:
        ours = _find_our_titles(tuple(cell.header for cell in cells if cell.column))
        return [cell for cell in cells if cell.header not in ours or cell.column == ""]
    # a row in its roster row's place has cells of the columns that we had added
    fields = (doctor.row.fields.get(name) for name in _ADDED_FIELDS)
    added = [cell for cell in fields if cell is not None and not cell.column]
    return [cell for cell in cells if cell not in added] if added else cells


@cache
def _find_our_titles(titles: tuple[str, ...]) -> frozenset[str]:
    """Return the titles of an earlier To fix sheet that are ours; all rows of it share them."""
    ours = (find_heading(get_pair(column.key), titles) for column in OUR_COLUMNS)
    return frozenset(filter(None, ours))


def _find_column(cell: Cell, cells: Sequence[Cell], columns: Mapping[str, int]) -> int | None:
    """Return the column of a field's cell; a cell that another file gave has no letter and is found by itself."""
    if cell.column:
        return columns.get(cell.column)
    return next((column for column, own in enumerate(cells) if own is cell), None)
