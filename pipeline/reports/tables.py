"""Tables of the workbook: columns and rows, thumbnails of seals, links to the folders of pictures.

A column is one entry of a sheet's list: its heading, its width, and a function that returns its value for a row. The type
of the value decides how it is shown: a number, a status in its colour, a text, a text that leads to a folder.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from pipeline.domain.roster import ImageFile, ImagePreview
from pipeline.domain.run import RunReport, Status
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
    colour_status,
    count_lines,
    estimate_width,
    measure_height,
    set_up_printing,
)

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

MAX_ADDRESS = 1_000  # characters; Excel takes 2,079
MAX_TIP = 120  # characters; Excel takes 255 UTF-16 units
# Excel takes a # for the end of the address however it is escaped, and may undo %41 once more than it was made
_MISREAD = re.compile("#|%[0-9A-Fa-f]{2}|[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_ESCAPED = re.compile(r'[% "<>\[\]^`{}]')


class PreviewLoader(Protocol):
    """Loads the small copies of pictures: `ImageExaminer`."""

    def load_preview(self, image: ImageFile, *, sent: str | None, may_open: bool) -> ImagePreview | None:
        """Return the small copy of a picture, None if there is none or the picture cannot be read.

        ``may_open`` allows to open the picture where no copy is kept. ``sent`` is the digest of the bytes that are sent,
        if it is known.
        """


@dataclass(frozen=True, slots=True)
class WorkbookContext:
    """What every sheet of one workbook is written with."""

    book: Workbook
    report: RunReport
    presenter: Presenter
    styles: Styles
    links: FolderLinks
    previews: PreviewLoader | None


class LinkedText(NamedTuple):
    """A text that leads to the folder of a file, if there is one."""

    text: str
    path: Path | None


CellValue = str | int | Status | LinkedText


@dataclass(frozen=True)  # slots would forbid to call SheetColumn[RowOutcome]
class SheetColumn(Generic[Row]):
    """A column of a table; the heading is ``title``, or the text of ``key``."""

    key: str
    width: float  # in characters
    value: Callable[[Row, Presenter], CellValue]
    look: Look = field(default_factory=dict)
    title: str | None = None
    max_width: float | None = None  # where the width follows the content
    width_with_images: float | None = None  # where thumbnails make the rows tall enough for several lines
    is_link: bool = False  # its values are linked texts
    is_hidden: bool = False
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
        self._status_formats = {
            status: styles.make_cell_format(**colour_status(status), bold=True, align="center")
            for status in Status
        }
        self._titles = [
            context.presenter.render(column.key) if column.title is None else column.title
            for column in columns
        ]
        self._widths = [
            self._fit_width(column, title, sample, wraps=wraps)
            for column, title in zip(columns, self._titles, strict=True)
        ]
        self._fit_paper(wraps=wraps)
        self._measured = [
            index for index, column in enumerate(columns) if self._is_wrapped(column, wraps=wraps)
        ]
        self._write_headings(frozen)

    def write_row(self, row: Row, *, image: bytes | None = None, min_lines: int = 1) -> None:
        """Write a row, as tall as its longest text or its picture."""
        self.row_count += 1
        presenter = self._context.presenter
        values = [column.value(row, presenter) for column in self._columns]
        lines = [
            count_lines(self._get_text(values[index]), self._widths[index] - _INDENT)
            for index in self._measured
        ]
        points = max(measure_height(max(lines, default=1)), measure_height(min_lines))
        points = max(points, _THUMBNAIL_POINTS) if image else points
        if points > measure_height(1):  # the usual height is not stored: 100,000 of them add up
            self.sheet.set_row(self.row_count, points)
        for index, (column, value) in enumerate(zip(self._columns, values, strict=True)):
            self._write_cell(index, column, value)
            if image and column is IMAGE_COLUMN:
                _insert_thumbnail(self.sheet, self.row_count, index, image, points)

    def close(self, note: str = "") -> None:
        """Add the filter and the printed area; a sheet without rows shows the ``note`` in their place.

        The hint about numbers kept as text is silenced.
        """
        if not self.row_count and note:
            self.sheet.write_string(1, 0, note, self._context.styles.make_format(**QUIET, indent=1))
        last_row = max(1, self.row_count)
        self.sheet.autofilter(0, 0, last_row, len(self._columns) - 1)
        self.sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{last_row + 1}"})
        if not all(column.is_printed for column in self._columns):
            shown = (index for index, column in enumerate(self._columns) if self._is_on_paper(column))
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
        printed = [index for index, column in enumerate(self._columns) if self._is_on_paper(column)]
        pixels = sum(7 * self._widths[index] + 5 for index in printed)
        wrapped = [index for index in printed if self._is_wrapped(self._columns[index], wraps=wraps)]
        if pixels > _PAPER and wrapped:
            widest = max(wrapped, key=self._widths.__getitem__)
            width = self._widths[widest]
            self._widths[widest] = max(width / 2, width - (pixels - _PAPER) / 7)

    @staticmethod
    def _is_on_paper(column: SheetColumn[Row]) -> bool:
        return column.is_printed and not column.is_hidden

    @staticmethod
    def _is_wrapped(column: SheetColumn[Row], *, wraps: bool) -> bool:
        return not (column.is_hidden or _is_centred(column)) and bool(wraps or column.look.get("text_wrap"))

    def _write_headings(self, frozen: int) -> None:
        sheet, styles, presenter = self.sheet, self._context.styles, self._context.presenter
        set_up_printing(sheet, presenter.language)
        sheet.repeat_rows(0)
        sheet.hide_gridlines(2)
        sheet.freeze_panes(1, frozen)
        sheet.set_default_row(measure_height(1))
        text_format = styles.make_format(num_format="@")
        for index, column in enumerate(self._columns):
            sheet.set_column(index, index, self._widths[index], text_format, {"hidden": column.is_hidden})
        lines = max(map(count_lines, self._titles, self._widths), default=1)
        sheet.set_row(0, LINE * lines + 9)
        for index, column in enumerate(self._columns):
            position: Look = CENTRED if _is_centred(column) else {"align": "left", "indent": 1}
            look = {**_HEADING, **position, "bg_color": HEAD, "font_color": "#FFFFFF"}
            _write_text(sheet, 0, index, self._titles[index], styles.make_format(**look))

    def _get_text(self, value: CellValue) -> str:
        """Return what a cell shows."""
        if isinstance(value, Status):
            return self._context.presenter.name_status(value)
        return value.text if isinstance(value, LinkedText) else str(value)

    def _write_cell(self, index: int, column: SheetColumn[Row], value: CellValue) -> None:
        if isinstance(value, int):
            self.sheet.write_number(self.row_count, index, value, self._formats[index])
            return
        if isinstance(value, LinkedText) and self._write_link(index, value):
            return
        form = self._status_formats[value] if isinstance(value, Status) else self._formats[index]
        if value or not column.is_hidden:
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


def _insert_thumbnail(sheet: Worksheet, row: int, column: int, png: bytes, points: float) -> None:
    """Put a PNG into the middle of its cell, which is ``points`` high, so that it hides and sorts with the row."""
    width, height = struct.unpack(">II", png[16:24])
    scale = min(1.0, _THUMBNAIL_PIXELS / max(width, height, 1))
    cell_height = points * 4 / 3  # points to pixels
    options = {
        "image_data": BytesIO(png),
        "x_scale": scale,
        "y_scale": scale,
        "x_offset": max(2, (71 - width * scale) / 2),
        "y_offset": max(2, (cell_height - height * scale) / 2),
        "object_position": 1,
        "decorative": True,
    }
    sheet.insert_image(row, column, "seal.png", options)


class FolderLinks:
    """Links to the folders of pictures, each looked at once: 100,000 pictures lie in few folders.

    A link never leads to a file, whose name may be a number. Addresses are as seen from the workbook, so that a moved
    tree keeps its links; ``absolute`` ones hold from anywhere, for a workbook whose copy lies at another depth.
    """

    def __init__(self, report: RunReport, presenter: Presenter, *, absolute: bool = False) -> None:
        self._out, self._seals = report.out, report.seals
        self._presenter, self._absolute = presenter, absolute
        self._folders: dict[Path, Path] = {}
        self._addresses: dict[Path, str | None] = {}
        self._tips: dict[Path, str] = {}

    def get_folder(self, picture: Path) -> Path:
        """Return the folder that can be opened: for a picture in a zip or a workbook the folder of that file."""
        parent = picture.parent
        if parent not in self._folders:
            container = next((path for path in picture.parents if path.is_file()), None)
            self._folders[parent] = parent if container is None else container.parent
        return self._folders[parent]

    def get_address(self, folder: Path) -> str | None:
        """Return the address of a folder, or of the nearest one above it below the picture folder that can be written.

        An address cannot be masked, and some characters mean something else in it. None where not even the picture
        folder can be written.
        """
        if folder not in self._addresses:
            addresses = map(self._build_address, self._list_upwards(folder))
            self._addresses[folder] = next(filter(None, addresses), None)
        return self._addresses[folder]

    def write_link(
        self, sheet: Worksheet, row: int, column: int, folder: Path, *, text: str, form: Format
    ) -> bool:
        """Write a text that leads to a folder and shows its path as a tip; False where there is no address."""
        address = self.get_address(folder)
        if address is None:
            return False
        if folder not in self._tips:
            tip = clean_text(self._presenter.mask_path(folder.absolute()))
            self._tips[folder] = tip if len(tip) <= MAX_TIP else f"… {tip[-MAX_TIP:]}"
        sheet.write_url(row, column, address, form, clean_text(text), self._tips[folder])
        return True

    def _list_upwards(self, folder: Path) -> Iterator[Path]:
        yield folder
        if self._seals is not None and folder.is_relative_to(self._seals):
            yield from (self._seals / parent for parent in folder.relative_to(self._seals).parents)

    def _build_address(self, folder: Path) -> str | None:
        try:
            address = str(folder.absolute()) if self._absolute else os.path.relpath(folder, self._out)
        except ValueError:  # another drive
            address = str(folder.absolute())
        is_misread = _MISREAD.search(address) or (os.sep == "/" and "\\" in address)
        if is_misread or len(address) > MAX_ADDRESS or self._presenter.mask_text(address) != address:
            return None
        # escaped here: XlsxWriter leaves alone what looks escaped already
        escaped = _ESCAPED.sub(lambda match: f"%{ord(match[0]):02X}", address)
        # XlsxWriter takes file:///data for a relative path, and leaves alone what it does not know as one
        return f"FILE://{escaped}" if escaped.startswith("/") else f"external:{escaped}"
