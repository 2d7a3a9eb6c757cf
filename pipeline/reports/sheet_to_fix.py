"""The sheet To fix: the roster's own rows that somebody must correct, ready to be edited and read again.

It is the only place where full numbers stand. Every cell is text, so that no program can damage a
number; a number that Excel had already damaged is left empty, for as text it would look whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from xlsxwriter.utility import xl_rowcol_to_cell

from pipeline.domain.results_format import CHECK, ROW_ID, row_id_checksum, unique_heading
from pipeline.domain.roster import Doctor, Field, Problem
from pipeline.domain.run import RowOutcome, RunReport
from pipeline.messages.results import WORDS
from pipeline.reports.cell_text import clean_text, count_lines, measure_width
from pipeline.reports.display_values import display_field
from pipeline.reports.presenter import Presenter
from pipeline.reports.reasons import advise_on_row, describe_problem, list_reasons
from pipeline.reports.refused_cells import PERSON, find_refused_fields
from pipeline.reports.styles import (
    FAULT,
    FAULT_RULE,
    MUTED,
    Column,
    Styles,
    Workbook,
    Worksheet,
    close_table,
    height,
    open_table,
    print_setup,
    put,
    row_height,
)
from pipeline.reports.to_fix_checks import add_checks
from pipeline.reports.to_fix_layout import OUR_COLUMNS, Layout, display_cell, list_own_cells, name_fix_sheet

MOST_NOTES = 5_000  # each is a drawing; with more of them Excel takes minutes to open the file
_REASON, _ADVICE, _ORIGIN = 42, 20, 17  # columns
_ADDRESS = re.compile(r"([A-Z]{1,3})[0-9]+")


def write_fix_sheets(
    book: Workbook,
    report: RunReport,
    styles: Styles,
    presenter: Presenter,
    *,
    found: Sequence[Layout],
) -> None:
    """Write a sheet a layout: 失败待改, 失败待改 2, …; an empty one where nothing has to be corrected."""
    if not found:
        _write_empty(book, name_fix_sheet(1, presenter), presenter)
    notes = _Notes(MOST_NOTES)
    for number, layout in enumerate(found, start=1):
        writer = _Writer(styles, presenter, report.seals, notes)
        writer.write(book, name_fix_sheet(number, presenter), layout)


def _write_empty(book: Workbook, name: str, presenter: Presenter) -> None:
    """Say it in a drawing: a cell's text would be taken for a header that is missing."""
    sheet = book.add_worksheet(name)
    print_setup(sheet, presenter)
    sheet.hide_gridlines(2)
    sheet.insert_textbox(
        1,
        1,
        presenter.render("fix.none"),
        {"width": 420, "height": 48, "font": {"size": 12}, "line": {"none": True}},
    )


@dataclass(slots=True)
class _Notes:
    left: int


@dataclass(frozen=True, slots=True)
class _Writer:
    styles: Styles
    presenter: Presenter
    seals: Path | None
    notes: _Notes

    def write(self, book: Workbook, title: str, layout: Layout) -> None:
        lacking = layout.lacking()
        columns = self._columns(layout, lacking)
        frozen = layout.mapped[Field.NAME] + 1 if Field.NAME in layout.mapped else 0
        sheet = open_table(
            book, title, columns, self.styles, frozen=frozen if frozen <= 4 else 0, presenter=self.presenter
        )
        sheet.set_comments_author("esign-import")
        for row, (outcome, places) in enumerate(layout.rows, start=1):
            self._row(sheet, row, outcome, places, layout, lacking=lacking)
        add_checks(sheet, layout, {**layout.mapped, **lacking}, self.presenter)
        close_table(sheet, columns, len(layout.rows))

    def _columns(self, layout: Layout, lacking: Iterable[Field]) -> list[Column]:
        sample = [outcome for outcome, _ in layout.rows[:500]]
        own = []
        for place, header in enumerate(layout.headers):
            widest = max((measure_width(display_cell(outcome, place)) for outcome in sample), default=0)
            own.append(Column(header, min(36, max(measure_width(header) + 3, widest + 2, 6)), ours=False))
        own += [Column(self.presenter.render(f"col.{field}"), 20, ours=False) for field in lacking]
        taken = [column.title for column in own]

        def added(key: str, width: float) -> Column:
            return Column(unique_heading(WORDS[key], self.presenter.render(key), taken), width)

        return [
            *own,
            *map(added, OUR_COLUMNS, (11, _REASON, _ADVICE, _ORIGIN)),
            Column(unique_heading((ROW_ID,), ROW_ID, taken), 12, hidden=True),
            Column(unique_heading((CHECK,), CHECK, taken), 10, hidden=True),
        ]

    def _row(
        self,
        sheet: Worksheet,
        row: int,
        outcome: RowOutcome,
        places: Mapping[str, int],
        layout: Layout,
        *,
        lacking: Mapping[Field, int],
    ) -> None:
        doctor = outcome.doctor
        mapped = {**layout.mapped, **lacking}
        where = partial(self._place, places=places, mapped=mapped)

        def tell(problem: Problem) -> str:
            """Name the cell of this sheet: the roster's address would lead the reader astray here."""
            place = where(problem)
            here = problem.cell if place is None else xl_rowcol_to_cell(row, place)
            return describe_problem(replace(problem, cell=here), self.presenter, masked=False)

        faults: dict[int, list[Problem]] = {}
        for problem in outcome.errors:
            if (place := where(problem)) is not None:
                faults.setdefault(place, []).append(problem)
        refused = [] if faults else _refused(outcome, mapped)
        texts = self._texts(doctor, faults, layout, lacking)
        own = len(layout.headers) + len(lacking)
        said = "\n".join(list_reasons(outcome, self.presenter, tell=tell))
        what, origin = advise_on_row(outcome, self.presenter), self._origin(doctor)
        tallest = max(count_lines(said, _REASON), count_lines(what, _ADVICE), count_lines(origin, _ORIGIN))
        row_height(sheet, row, height(tallest))
        plain, wrapped = self.styles.make_cell_format(), self.styles.make_cell_format(text_wrap=True)
        faulty = self.styles.make_cell_format(bg_color=FAULT, border=1, border_color=FAULT_RULE)
        quiet = self.styles.make_cell_format(font_color=MUTED, text_wrap=True)
        for place in range(own):
            form = faulty if place in faults or place in refused else plain
            put(sheet, row, place, texts.get(place, ""), form)
        # a corrected row that is refused once more still stands for the roster row it came from
        ticket = doctor.row.row_token or doctor.row_id or ""
        added = [
            (self.presenter.name_status(outcome.status), self.styles.make_status_format(outcome.status)),
            (said, wrapped),
            (what, wrapped),
            (origin, quiet),
            (ticket, plain),
            (row_id_checksum(ticket) if ticket else "", plain),
        ]
        for place, (text, form) in enumerate(added, start=own):
            put(sheet, row, place, text, form)
        for place, problems in faults.items():
            retype = [self._retype(doctor) for each in problems if each.code == "ID_PRECISION_LOST"]
            self._note(sheet, row, place, [*map(tell, problems), *retype])
        for place in refused:
            self._note(sheet, row, place, [said, what])

    def _texts(
        self,
        doctor: Doctor,
        faults: Mapping[int, Sequence[Problem]],
        layout: Layout,
        lacking: Mapping[Field, int],
    ) -> dict[int, str]:
        """Return what stands in the roster's columns and in those it lacks, by place."""
        texts = {place: cell.display_text for place, cell in enumerate(list_own_cells(doctor))}
        for place, problems in faults.items():
            if any(problem.code == "ID_PRECISION_LOST" for problem in problems):
                texts[place] = ""
        picture = layout.mapped.get(Field.PICTURE)
        for field, place in lacking.items():
            texts[place] = self._picture(doctor) if field is Field.PICTURE else display_field(doctor, field)
        if picture is not None and not texts.get(picture):
            texts[picture] = self._in_cell(doctor)
        if _is_entry_void(doctor):
            texts.pop(lacking[Field.PICTURE] if picture is None else picture, None)
        return texts

    def _place(
        self, problem: Problem, *, places: Mapping[str, int], mapped: Mapping[Field, int]
    ) -> int | None:
        """Return the place of the cell a problem is about, None where it is about the whole row."""
        place = mapped.get(problem.field) if problem.field else None
        address = _ADDRESS.fullmatch(problem.cell or "")
        return places.get(address[1]) if place is None and address else place

    def _retype(self, doctor: Doctor) -> str:
        return self.presenter.render("fix.retype", shown=display_field(doctor, Field.NUMBER))

    def _origin(self, doctor: Doctor) -> str:
        origin = doctor.row.display_origin
        parts = (origin.file, origin.sheet, self.presenter.render("fix.row", row=origin.row))
        return " · ".join(filter(None, parts))

    def _note(self, sheet: Worksheet, row: int, place: int, texts: Sequence[str]) -> None:
        if not self.notes.left:
            return
        self.notes.left -= 1
        text = clean_text("\n".join(texts))
        options = {
            "width": 260,
            "height": 22 + 17 * count_lines(text, 38),
            "font_name": "Microsoft YaHei",
            "font_size": 9,
        }
        sheet.write_comment(row, place, text, options)

    def _picture(self, doctor: Doctor) -> str:
        """Return the paired file as ``retry`` will look for it: below the picture folder, with forward slashes.

        Where none was found, what a corrected row said before.
        """
        if doctor.picture is None:
            return display_field(doctor, Field.PICTURE)
        if doctor.evidence == "cell":
            return self._in_cell(doctor)
        path = doctor.picture.path
        if self.seals is not None and path.is_relative_to(self.seals):
            return path.relative_to(self.seals).as_posix()
        return path.name

    def _in_cell(self, doctor: Doctor) -> str:
        """Return how a picture that lies in a cell of the roster is called; left as it is, it is found there again.

        One that somebody put into an earlier workbook is called by its place there, which is found nowhere: the roster's
        cell of that address holds another picture or none.
        """
        held = (each for each in doctor.row.pictures if each.picture == doctor.picture)
        found = next(held, None) if doctor.evidence == "cell" else None
        if found is None:
            return ""
        workbook = found.picture.path.parent.name
        if doctor.row.correction is not None and workbook != doctor.row.display_origin.file:
            return f"{workbook}/{found.picture.path.name}"
        return self.presenter.render("fix.in_cell", cell=found.address)


def _is_entry_void(doctor: Doctor) -> bool:
    """Tell whether the picture entry may be another doctor's: written once more, it would pass for the clerk's own."""
    return any(
        (error.code == "IMAGE_MISSING" and "moved" in error.detail)
        or (error.code == "IMAGE_AMBIGUOUS" and error.detail.get("claimed") == "entry")
        for error in doctor.problems
    )


def _refused(outcome: RowOutcome, mapped: Mapping[Field, int]) -> list[int]:
    """Return the places of the cells the service's refusal is about, by default those of the person."""
    fields = find_refused_fields(outcome)
    found = [mapped[field] for field in fields if field in mapped]
    return found or [mapped[field] for field in PERSON if fields and field in mapped]
