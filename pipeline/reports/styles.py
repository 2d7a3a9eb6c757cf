"""How the workbook looks: one font, one colour a status, tables that freeze, filter and print well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.domain.run import Status
from pipeline.reports.cell_text import clean_text, count_lines
from pipeline.reports.presenter import Presenter

FONT, FONT_SIZE = "Microsoft YaHei", 10
LINE = 16.5  # points a line of text takes
INK, MUTED, RULE, HEAD, PAPER = "#1F2933", "#616E7C", "#D9DEE4", "#24405E", "#F4F6F8"
LINK = "#1A5FB4"
FAULT, FAULT_RULE = "#FFE98A", "#D9A400"

# status -> (fill, ink); the ink alone colours bars and the chart
COLOURS: Mapping[Status, tuple[str, str]] = {
    Status.SEALED: ("#DDF3E2", "#1E7A3C"),
    Status.UNCHANGED: ("#EAF1EC", "#4F7A60"),
    Status.CHANGED: ("#FDE6D2", "#B4530A"),
    Status.REJECTED: ("#FFF0B8", "#8F6200"),
    Status.FAILED: ("#FBDADA", "#B3261E"),
    Status.UNKNOWN: ("#E9DFF8", "#6A3FB0"),
    Status.EXISTS: ("#DFE3FB", "#3D4DB3"),
    Status.NOT_SENT: ("#E4E9EF", "#5C6F86"),
    Status.READY: ("#D8F0F4", "#0B7285"),
}

Workbook = Any  # XlsxWriter is untyped
Worksheet = Any
Format = Any


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, its width in characters, and what sets it apart."""

    title: str
    width: float
    ours: bool = True  # False: the roster's own, with a quieter heading
    fill_in: bool = False  # the reader writes here
    hidden: bool = False


class Styles:
    """The formats of one workbook, each made once."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._made: dict[frozenset[tuple[str, object]], Format] = {}

    def make_format(self, **properties: object) -> Format:
        """Return a format: our font and ink, centred in the row's height, changed by ``properties``."""
        full = {
            "font_name": FONT,
            "font_size": FONT_SIZE,
            "font_color": INK,
            "valign": "vcenter",
            **properties,
        }
        key = frozenset(full.items())
        if key not in self._made:
            self._made[key] = self._book.add_format(full)
        return self._made[key]

    def make_cell_format(self, **properties: object) -> Format:
        """Return a table cell's format: text that stays text, a hair line below."""
        return self.make_format(**{"num_format": "@", "bottom": 1, "bottom_color": RULE, **properties})

    def make_status_format(self, status: Status, **properties: object) -> Format:
        """Return the format of a status word."""
        fill, ink = COLOURS[status]
        return self.make_cell_format(
            **{"bg_color": fill, "font_color": ink, "bold": True, "align": "center", **properties}
        )

    def make_heading_format(self, column: Column) -> Format:
        """Return the format of a column's heading."""
        fill, ink = (FAULT, INK) if column.fill_in else (HEAD, "#FFFFFF") if column.ours else ("#DCE3EA", INK)
        return self.make_format(
            num_format="@",
            bold=True,
            bg_color=fill,
            font_color=ink,
            text_wrap=True,
            border=1,
            border_color=RULE,
        )


def print_setup(sheet: Worksheet, presenter: Presenter) -> None:
    """Make a sheet print on A4 landscape, one page wide, numbered."""
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
    sheet.set_footer(f"&C&9{presenter.render('print.page')}&R&9&A")


def open_table(
    book: Workbook, name: str, columns: Sequence[Column], styles: Styles, *, frozen: int, presenter: Presenter
) -> Worksheet:
    """Add a sheet whose first row is the heading; ``frozen`` columns stay in sight."""
    sheet = book.add_worksheet(name)
    print_setup(sheet, presenter)
    sheet.repeat_rows(0)
    sheet.hide_gridlines(2)
    sheet.freeze_panes(1, frozen)
    sheet.set_default_row(height(1))
    text = styles.make_format(num_format="@")
    for place, column in enumerate(columns):
        sheet.set_column(place, place, column.width, text, {"hidden": column.hidden})
    tallest = max((count_lines(column.title, column.width) for column in columns), default=1)
    sheet.set_row(0, LINE * tallest + 9)
    for place, column in enumerate(columns):
        put(sheet, 0, place, column.title, styles.make_heading_format(column))
    return sheet


def close_table(sheet: Worksheet, columns: Sequence[Column], rows: int) -> None:
    """Add the filter once the number of rows is known, and silence the hint about numbers kept as text."""
    last = max(1, rows)
    sheet.autofilter(0, 0, last, len(columns) - 1)
    sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{last + 1}"})


def put(sheet: Worksheet, row: int, column: int, text: str | None, form: Format) -> None:
    """Write a text as text, whatever it looks like; nothing becomes an empty cell that keeps its format."""
    if text:
        sheet.write_string(row, column, clean_text(text), form)
    else:
        sheet.write_blank(row, column, None, form)


def row_height(sheet: Worksheet, row: int, points: float) -> None:
    """Make a row taller than the usual one; the usual one is not stored, for 100,000 of them add up."""
    if points > height(1):
        sheet.set_row(row, points)


def height(count: int) -> float:
    """Return the points a row of so many lines of text needs."""
    return LINE * max(1, count) + 4
