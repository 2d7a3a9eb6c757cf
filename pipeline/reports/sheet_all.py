"""The sheet All: every row of the roster once, with its status, its reasons and what the service gave it."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.domain.results_format import CHECK, join_seal_line, row_id_checksum
from pipeline.domain.run import RowOutcome, RunReport, Status
from pipeline.reports.cell_text import clean_text, count_lines, measure_width
from pipeline.reports.display_values import (
    display_last_attempt,
    display_name,
    display_seal_name,
    find_confirmed_seal_id,
    mask_doctor_id,
)
from pipeline.reports.links import FolderLinks
from pipeline.reports.presenter import Presenter
from pipeline.reports.reasons import list_reasons
from pipeline.reports.styles import (
    LINK,
    MUTED,
    Column,
    Format,
    Styles,
    Workbook,
    Worksheet,
    close_table,
    height,
    open_table,
    put,
    row_height,
)
from pipeline.reports.thumbnails import TALL, Thumbnail, place

MOST_THUMBNAILS = 2_000  # rows; beyond that the file grows heavy and slow to open
MOST_LINKS = 20_000  # Excel allows 65,530 a sheet and opens slowly long before
_REASON = 40  # columns
_SEAL = 6  # place of the thumbnails
_LINKED = 24  # columns: a link stays on one line
_MEASURED, _WIDEST = 1_000, 28  # rows that decide a column's width; columns


def write_all_sheet(
    book: Workbook,
    report: RunReport,
    styles: Styles,
    presenter: Presenter,
    *,
    folders: FolderLinks,
    thumbnail: Thumbnail | None,
    title: str = "sheet.all",
) -> None:
    """Write a row an outcome, in the roster's order; ``title`` is the key of the sheet's name.

    The hidden check tells `adopt` whether a line still holds together: whose the SealId was when it was written.
    """
    pictured = thumbnail if len(report.outcomes) <= MOST_THUMBNAILS else None
    columns = _columns(report, presenter, pictured=pictured is not None)
    sheet = open_table(book, presenter.render(title), columns, styles, frozen=1, presenter=presenter)
    # a thousand rows are tall enough for several lines and narrow enough to be read on paper; more stay flat
    flat = {"text_wrap": pictured is not None}
    plain, wrapped = styles.make_cell_format(**flat), styles.make_cell_format(text_wrap=True)
    quiet = styles.make_cell_format(font_color=MUTED, **flat)
    whole = styles.make_cell_format(font_color=MUTED, num_format="0", align="center")
    strong = styles.make_cell_format(bold=True, **flat)
    link = styles.make_cell_format(font_color=LINK, underline=1, **flat)
    words = {status: (presenter.name_status(status), styles.make_status_format(status)) for status in Status}

    def hide(text: str | None) -> str:
        return presenter.mask_text(text) if text else ""

    links = _Links(report, folders)
    for row, outcome in enumerate(report.outcomes, start=1):
        doctor = outcome.doctor
        origin = doctor.row.origin
        said = "\n".join(list_reasons(outcome, presenter))
        image = _image(outcome, pictured) if pictured else None
        picture = hide(doctor.picture.path.name) if doctor.picture else ""
        name, number = hide(display_name(doctor)), mask_doctor_id(doctor) or ""
        seal_name, seal_id = hide(display_seal_name(outcome)), find_confirmed_seal_id(outcome) or ""
        texts = [
            (name, strong),
            words[outcome.status],
            (said, wrapped),
            (number, plain),
            (hide(doctor.staff_no), plain),
            (hide(doctor.department), plain),
            *([("", plain)] if pictured else []),
            (seal_name, plain),
            (seal_id, plain),
            (display_last_attempt(outcome), quiet),
            (picture, quiet),
            (hide(origin.file), quiet),
            (hide(origin.sheet), quiet),
        ]
        tall = TALL if image else 0.0
        if pictured:
            shown = zip((text for text, _ in texts), columns, strict=False)
            tall = max(tall, height(max(count_lines(text, column.width) for text, column in shown)))
        elif said:
            tall = max(tall, height(count_lines(said, _REASON)))
        row_height(sheet, row, tall)
        linked = len(texts) - 3
        for column, (text, form) in enumerate(texts):
            if column != linked or not links.write(sheet, row, column, outcome, text=picture, look=link):
                put(sheet, row, column, text, form)
        sheet.write_number(row, len(texts), origin.row, whole)
        sheet.write_number(row, len(texts) + 1, outcome.attempts, whole)
        put(sheet, row, len(texts) + 2, outcome.request_id or "", quiet)
        if seal_id:
            check = row_id_checksum(join_seal_line(*map(clean_text, (name, number, seal_name, seal_id))))
            put(sheet, row, len(texts) + 3, check, quiet)
        if image:
            place(sheet, row, _SEAL, image, tall)
    close_table(sheet, columns, len(report.outcomes))
    # on paper the text stays readable without the last two columns that are shown, which only a search needs
    sheet.print_area(0, 0, max(1, len(report.outcomes)), len(columns) - 4)


class _Links:
    """To the folders of the pictures, as many as a sheet opens quickly with; in a large report the unchanged go without."""

    def __init__(self, report: RunReport, folders: FolderLinks) -> None:
        self._folders = folders
        self._all = len(report.outcomes) <= MOST_LINKS
        self._left = MOST_LINKS

    def write(
        self, sheet: Worksheet, row: int, column: int, outcome: RowOutcome, *, text: str, look: Format
    ) -> bool:
        """Write a picture's name that leads to its folder; False where it is to be named only."""
        picture = outcome.doctor.picture
        if picture is None or not self._left or not (self._all or outcome.status is not Status.UNCHANGED):
            return False
        folder = self._folders.find_folder(picture.path)
        written = self._folders.write(sheet, row, column, folder, text=text, look=look)
        self._left -= written
        return written


def _columns(report: RunReport, presenter: Presenter, *, pictured: bool) -> list[Column]:
    first = report.outcomes[:_MEASURED]
    rows = [outcome.doctor for outcome in first]
    widest = _WIDEST // 2 if pictured else _WIDEST
    widths = [
        ("col.name", 11),
        ("col.status", 11),
        ("col.reason", _REASON),
        ("col.number", 20),
        ("col.staff_no", _fitted(8, [row.staff_no for row in rows], widest)),
        ("col.department", _fitted(8, [row.department for row in rows], widest)),
        *([("col.seal", 9.5)] if pictured else []),
        ("col.seal_name", _fitted(14, map(display_seal_name, first), widest)),
        ("col.seal_id", 18 if pictured else 34),  # with pictures the rows are tall enough for two lines
        ("col.time", 11 if pictured else 19),
        ("col.picture", _fitted(12, [row.picture.path.name for row in rows if row.picture], _LINKED)),
        ("col.file", _fitted(12, [row.row.origin.file for row in rows], widest)),
        ("col.sheet", _fitted(8, [row.row.origin.sheet for row in rows], widest)),
        ("col.row", 7),
        ("col.attempts", 9),
        ("col.request_id", 38),
    ]
    return [*(Column(presenter.render(key), wide) for key, wide in widths), Column(CHECK, 10, hidden=True)]


def _fitted(least: int, texts: Iterable[str | None], widest: int) -> int:
    """Return a width that shows the longest of these texts, within reason."""
    return max(least, min(widest, 2 + max((measure_width(text) for text in texts if text), default=0)))


def _image(outcome: RowOutcome, thumbnail: Thumbnail) -> bytes | None:
    """Return the picture small; an unchanged row's is not opened, for nothing happened to it."""
    picture = outcome.doctor.picture
    return thumbnail(picture) if picture and outcome.status is not Status.UNCHANGED else None
