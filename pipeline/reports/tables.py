"""Tables of the workbook: columns and rows, and thumbnails of seals.

A column is one entry of a sheet's list: its heading, its width, and a function that returns its value for a row. The type
of the value decides how it is shown: a number, a status in its colour, a text, a text that leads to a folder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from pipeline.domain.roster import ImagePreview
from pipeline.domain.run import RunReport, ShownStatus
from pipeline.reports.folder_links import FolderLinks
from pipeline.reports.presenter import Presenter
from pipeline.reports.styles import (
    HEAD,
    LINE,
    LINK,
    MUTED,
    RULE,
    Format,
    Look,
    Styles,
    Workbook,
    Worksheet,
    clean_text,
    count_lines,
    estimate_width,
    measure_height,
    set_up_printing,
)
from pipeline.reports.unused_pictures import PreviewLoader, UnusedPictures

Row = TypeVar("Row")

STRONG: Look = {"bold": True}
QUIET: Look = {"font_color": MUTED}
WRAPPED: Look = {"text_wrap": True}
CENTRED: Look = {"align": "center"}
QUIET_WRAPPED: Look = {**QUIET, **WRAPPED}
NUMBER: Look = {"font_color": MUTED, "num_format": "0", "text_wrap": False, **CENTRED}
_HEADING: Look = {"num_format": "@", "bold": True, "text_wrap": True, "border": 1, "border_color": RULE}
LINKED: Look = {"font_color": LINK, "underline": 1}

_SAMPLE = 1_000  # rows that decide a column's width
_INDENT = 1.5  # letters between a cell's border and its text
_BOLD = 1.15  # how much wider a heading's letters are
# pixels of a row that A4 across shows in letters of 6 points; a column has 7 a letter and 5 more
_PAPER = 1_730
_WORD = re.compile("[!-~]+")
_THUMBNAIL_COLUMNS, _THUMBNAIL_POINTS, _THUMBNAIL_PIXELS = 9.5, 50, 56


@dataclass(frozen=True, slots=True)
class WorkbookContext:
    """What every sheet of one workbook is written with."""

    book: Workbook
    report: RunReport
    presenter: Presenter
    styles: Styles
    links: FolderLinks
    previews: PreviewLoader | None
    unused: UnusedPictures


class LinkedText(NamedTuple):
    """A text that leads to the folder of a file, if there is one."""

    text: str
    path: Path | None


CellValue = str | int | ShownStatus | LinkedText


@dataclass(frozen=True)  # slots would forbid to call SheetColumn[RowOutcome]
class SheetColumn(Generic[Row]):
    """A column of a table; the heading is the text of ``key``."""

    key: str
    width: float  # in characters
    value: Callable[[Row, Presenter], CellValue]
    look: Look = field(default_factory=dict)
    max_width: float | None = None  # where the width follows the content
    width_with_images: float | None = None  # where thumbnails make the rows tall enough for several lines
    is_link: bool = False  # its values are linked texts
    is_printed: bool = True  # False: for IT alone


# thumbnails lie over its empty cells
IMAGE_COLUMN: SheetColumn[Any] = SheetColumn(
    "col.seal", _THUMBNAIL_COLUMNS, lambda _row, _presenter: "", WRAPPED
)


class TableSheet(Generic[Row]):
    """A sheet whose first row is the heading. Rows are streamed, in order."""

    def __init__(
        self,
        context: WorkbookContext,
        title: str,
        columns: Sequence[SheetColumn[Row]],
        *,
        frozen: int = 1,
        wraps: bool = False,
        max_links: int = 0,
        sample: Sequence[Row] = (),
    ) -> None:
        """Open the sheet. ``frozen`` columns stay in sight; with ``wraps`` every text may take several lines.

        ``sample`` are the rows that decide the width of columns whose width follows the content.
        """
        self.sheet: Worksheet = context.book.add_worksheet(title)
        self.row_count = 0
        self._columns, self._context, self._max_links = columns, context, max_links
        styles, wrap = context.styles, WRAPPED if wraps else {}
        self._formats = [styles.make_cell_format(**{**wrap, **column.look}) for column in columns]
        self._link_formats = [
            styles.make_cell_format(**{**wrap, **column.look, **LINKED}) if column.is_link else None
            for column in columns
        ]
        self._titles = [context.presenter.render(column.key) for column in columns]
        self._widths = [
            self._fit_width(column, title, sample, wraps=wraps)
            for column, title in zip(columns, self._titles, strict=True)
        ]
        self._fit_paper(wraps=wraps)
        self._measured = [
            index for index, column in enumerate(columns) if self._is_wrapped(column, wraps=wraps)
        ]
        self._write_headings(frozen)

    def write_row(
        self, row: Row, *, images: Sequence[ImagePreview] = (), instead: str = "", min_lines: int = 1
    ) -> None:
        """Write a row, as tall as its longest text or its pictures, which lie one below the other.

        ``instead`` is the text in place of a picture that there is not.
        """
        self.row_count += 1
        presenter = self._context.presenter
        values = [
            instead if column is IMAGE_COLUMN else column.value(row, presenter) for column in self._columns
        ]
        lines = [
            count_lines(self._get_text(values[index]), self._widths[index] - _INDENT)
            for index in self._measured
        ]
        points = max(measure_height(max(lines, default=1)), measure_height(min_lines))
        points = max(points, _THUMBNAIL_POINTS * len(images))
        if points > measure_height(1):  # the usual height is not stored: 100,000 of them add up
            self.sheet.set_row(self.row_count, points)
        for index, (column, value) in enumerate(zip(self._columns, values, strict=True)):
            self._write_cell(index, value)
            if column is IMAGE_COLUMN:
                _insert_thumbnails(self.sheet, self.row_count, index, images, points)

    def close(self, note: str = "", *, limit: str = "") -> None:
        """Add the filter and the printed area; a sheet without rows shows the ``note`` in their place.

        ``limit`` is a sentence below the rows, on what of them is left out. The hint about numbers kept as text is silenced.
        """
        if not self.row_count and note:
            self.sheet.write_string(1, 0, note, self._context.styles.make_format(**QUIET, indent=1))
        last_row = max(1, self.row_count)
        if limit:
            self.sheet.write_string(
                last_row + 1, 0, limit, self._context.styles.make_format(**QUIET, indent=1)
            )
        self.sheet.autofilter(0, 0, last_row, len(self._columns) - 1)
        self.sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{last_row + 1}"})
        if not all(column.is_printed for column in self._columns):
            shown = (index for index, column in enumerate(self._columns) if column.is_printed)
            self.sheet.print_area(0, 0, last_row, max(shown))

    def _fit_width(
        self, column: SheetColumn[Row], title: str, sample: Sequence[Row], *, wraps: bool
    ) -> float:
        """Return a width in which no word of the heading is broken, and the texts keep off the border."""
        width = (column.width_with_images if wraps else None) or column.width
        if column.max_width is not None:
            # a link stays on one line
            max_width = column.max_width / 2 if wraps and not column.is_link else column.max_width
            presenter = self._context.presenter
            texts = (self._get_text(column.value(row, presenter)) for row in sample[:_SAMPLE])
            widest = 2 + max((estimate_width(text) for text in texts if text), default=0)
            width = max(width, min(max_width, widest))
        longest_word = max(map(len, _WORD.findall(title)), default=0)
        return max(width, longest_word * _BOLD + 1) + _INDENT

    def _fit_paper(self, *, wraps: bool) -> None:
        """Take what is too wide for the paper from the widest column whose text may stand on several lines."""
        printed = [index for index, column in enumerate(self._columns) if column.is_printed]
        pixels = sum(7 * self._widths[index] + 5 for index in printed)
        wrapped = [index for index in printed if self._is_wrapped(self._columns[index], wraps=wraps)]
        if pixels > _PAPER and wrapped:
            widest = max(wrapped, key=self._widths.__getitem__)
            width = self._widths[widest]
            self._widths[widest] = max(width / 2, width - (pixels - _PAPER) / 7)

    @staticmethod
    def _is_wrapped(column: SheetColumn[Row], *, wraps: bool) -> bool:
        return not _is_centred(column) and bool(wraps or column.look.get("text_wrap"))

    def _write_headings(self, frozen: int) -> None:
        sheet, styles, presenter = self.sheet, self._context.styles, self._context.presenter
        set_up_printing(sheet, presenter.language)
        sheet.repeat_rows(0)
        sheet.hide_gridlines(2)
        sheet.freeze_panes(1, frozen)
        sheet.set_default_row(measure_height(1))
        text_format = styles.make_format(num_format="@")
        for index, width in enumerate(self._widths):
            sheet.set_column(index, index, width, text_format)
        lines = max(map(count_lines, self._titles, self._widths), default=1)
        sheet.set_row(0, LINE * lines + 9)
        for index, column in enumerate(self._columns):
            position: Look = CENTRED if _is_centred(column) else {"align": "left", "indent": 1}
            look = {**_HEADING, **position, "bg_color": HEAD, "font_color": "#FFFFFF"}
            _write_text(sheet, 0, index, self._titles[index], styles.make_format(**look))

    def _get_text(self, value: CellValue) -> str:
        """Return what a cell shows."""
        if isinstance(value, ShownStatus):
            return self._context.presenter.name_status(value)
        return value.text if isinstance(value, LinkedText) else str(value)

    def _write_cell(self, index: int, value: CellValue) -> None:
        form = self._formats[index]
        if isinstance(value, int):
            self.sheet.write_number(self.row_count, index, value, form)
            return
        if isinstance(value, LinkedText) and self._write_link(index, value):
            return
        if isinstance(value, ShownStatus):
            form = self._context.styles.of_statuses[value]
        _write_text(self.sheet, self.row_count, index, self._get_text(value), form)

    def _write_link(self, index: int, value: LinkedText) -> bool:
        """Write a text that leads to its folder; False where there is none, or there are links enough."""
        if value.path is None or not self._max_links:
            return False
        links, form = self._context.links, self._link_formats[index]
        folder = links.get_folder(value.path)
        if not links.write_link(self.sheet, self.row_count, index, folder, text=value.text, form=form):
            return False
        self._max_links -= 1
        return True


def _is_centred(column: SheetColumn[Any]) -> bool:
    """Return whether a column holds one short word or number a row, which never takes several lines."""
    return column.look.get("align") == "center"


def _write_text(sheet: Worksheet, row: int, column: int, text: str, form: Format) -> None:
    """Write a text as text, also if it looks like a number or formula; an empty text becomes an empty, formatted cell."""
    if text:
        sheet.write_string(row, column, clean_text(text), form)
    else:
        sheet.write_blank(row, column, None, form)


def _insert_thumbnails(
    sheet: Worksheet, row: int, column: int, images: Sequence[ImagePreview], points: float
) -> None:
    """Put pictures one below the other into their cell, which is ``points`` high, so that they hide and sort with the row."""
    room = points * 4 / 3 / max(1, len(images))  # points to pixels
    for number, preview in enumerate(images):
        width, height = preview.size
        scale = min(1.0, _THUMBNAIL_PIXELS / max(width, height, 1))
        options = {
            "image_data": BytesIO(preview.data),
            "x_scale": scale,
            "y_scale": scale,
            "x_offset": max(2, (71 - width * scale) / 2),
            "y_offset": room * number + max(2, (room - height * scale) / 2),
            "object_position": 1,
            "decorative": True,
        }
        sheet.insert_image(row, column, "seal.jpg", options)
