"""Writes lists of seals: a workbook, CSV or JSON, by pandas."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import xlsxwriter

from pipeline.reports.presenter import Presenter
from pipeline.reports.styles import HEAD, Styles, clean_text, estimate_width, set_up_printing
from pipeline.support.atomic_files import write_atomically

if TYPE_CHECKING:
    import pandas as pd

Table = Mapping[Any, Sequence[object]]  # columns of texts by heading

MAX_WIDTH = 80  # characters of a column
# what a spreadsheet program may run as a formula, also after blanks that it drops, and in its full-width form
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")


@dataclass(frozen=True, slots=True)
class ListedSeal:
    """A seal and its doctor, as they are shown."""

    name: str | None = field(repr=False)
    id_masked: str | None
    staff_no: str | None
    seal_name: str
    seal_id: str
    created: str  # local time
    run: str | None  # None: adopted
    in_roster: bool | None  # of the last complete run or a later one; None: none was complete
    contradicting: bool  # another create of the doctor contradicts it; which one counts is not resolved
    abandoned: str | None  # local time; None: it is the doctor's seal, unless it is contradicting

    def to_dict(self) -> dict[str, Any]:
        """Return the seal as `export --json` shows it."""
        return asdict(self)


def build_seal_frame(seals: Sequence[ListedSeal], presenter: Presenter | None = None) -> pd.DataFrame:
    """Return a row a seal, all of it text; with a presenter, titles and answers in the reader's language."""
    import pandas as pd  # noqa: PLC0415 - half a second, needed only where a list is wanted

    frame = pd.DataFrame(
        [asdict(seal) for seal in seals], columns=[entry.name for entry in fields(ListedSeal)]
    )
    if presenter is not None:
        answers = {True: presenter.render("seals.yes"), False: presenter.render("seals.no")}
        frame["in_roster"] = frame["in_roster"].map(answers)
        states = [presenter.render(f"seals.is_{_get_state(seal)}") for seal in seals]
        frame.insert(len(frame.columns) - 1, "state", states)
        frame = frame.drop(columns="contradicting")
        frame = frame.rename(columns={name: presenter.render(f"seals.{name}") for name in frame.columns})
    return frame.fillna("")


def _get_state(seal: ListedSeal) -> str:
    if seal.contradicting:
        return "contradicting"
    return "live" if seal.abandoned is None else "abandoned"


def write_seal_workbook(
    path: Path, seals: Sequence[ListedSeal], presenter: Presenter, notes: Sequence[str] = ()
) -> Path:
    """Write a workbook with a sheet of seals and, with ``notes``, a sheet of what to do with them."""
    sheets: dict[str, Table] = {
        presenter.render("seals.sheet"): build_seal_frame(seals, presenter).to_dict("list")
    }
    if notes:
        title = presenter.render("seals.notes")
        sheets[title] = {title: notes}
    return write_table_workbook(path, sheets, presenter)


def write_table_workbook(path: Path, sheets: Mapping[str, Table], presenter: Presenter) -> Path:
    """Write a workbook with a sheet a table of texts, each by its title."""

    def fill(temporary: Path) -> None:
        with xlsxwriter.Workbook(str(temporary)) as book:
            for title, table in sheets.items():
                _write_sheet(book, title, table, presenter)

    return write_atomically(path, fill, numbered=True)


def _write_sheet(
    book: xlsxwriter.Workbook,
    title: str,
    table: Table,
    presenter: Presenter,
) -> None:
    """Write a table of texts under a header row that stays, each column as wide as its longest text."""
    sheet, styles = book.add_worksheet(title), Styles(book)
    cell, head = (
        styles.make_cell_format(text_wrap=True),
        styles.make_cell_format(bold=True, bg_color=HEAD, font_color="#FFFFFF"),
    )
    for number, name in enumerate(table):
        longest = max(estimate_width(str(text)) for text in (name, *table[name]))
        sheet.set_column(number, number, min(longest, MAX_WIDTH) + 4)
        sheet.write_string(0, number, str(name), head)
        for row, text in enumerate(table[name], 1):
            sheet.write_string(row, number, clean_text(str(text)), cell)
    sheet.set_row(0, 22)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, 0, len(list(table)) - 1)
    sheet.repeat_rows(0)
    set_up_printing(sheet, presenter.language)


def write_seal_csv(target: Path | TextIO, seals: Sequence[ListedSeal], presenter: Presenter) -> None:
    """Write CSV with titles; a file gets the byte order mark (BOM) by which Excel reads UTF-8.

    All is quoted: a carriage return in a value would begin a line otherwise.
    """
    frame = build_seal_frame(seals, presenter).map(lambda value: keep_as_text(str(value)))

    def write(target: Path | TextIO) -> None:
        frame.to_csv(target, index=False, encoding="utf-8-sig", quoting=csv.QUOTE_ALL)

    if isinstance(target, Path):
        write_atomically(target, write)
    else:
        write(target)


def keep_as_text(text: str) -> str:
    """Return a value of a CSV file with an apostrophe before what a spreadsheet program would run as a formula.

    The readers of this program take it off again, as any quote at the ends.
    """
    return f"'{text}" if _FORMULA.match(text) else text
