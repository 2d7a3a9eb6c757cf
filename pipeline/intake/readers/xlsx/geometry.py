"""Where the rows and columns of a sheet lie, in EMU (914,400 an inch), to find the cell under a picture.

Heights are points, widths are characters of the default font: ECMA-376 part 1 §18.3.1.13, §18.3.1.73, §18.3.1.81.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.intake.readers.model import MAX_COLUMN, MAX_ROW
from pipeline.intake.readers.xlsx.package import (
    CHUNK,
    EMU_POINT,
    Package,
    is_true,
    make_parser,
    parse_decimal,
    parse_whole,
)
from pipeline.intake.readers.xlsx.sheet_cells import get_prefix

_EMU_PIXEL = 9_525
_ROW_HEIGHT = 15 * EMU_POINT  # where a sheet has no value
_HIGHEST, _WIDEST = 409.5, 255  # points, characters
_DIGIT = 7  # pixels of the widest digit in the default font: Calibri 11; in others it is one more or less
_PADDING = 5  # pixels of a column beside its characters
_BASE = 8  # characters of a column where a sheet has no value
_NOTICED = 0.1  # of a picture's height


class Box(NamedTuple):
    """A rectangle on a sheet, in EMU from its upper left corner."""

    x1: float
    y1: float
    x2: float
    y2: float


class Spot(NamedTuple):
    """The cell a picture belongs to, row and column from 0."""

    row: int
    column: int
    overlaps_neighbour: bool  # it noticeably covers a neighbour row as well


@dataclass(slots=True)
class Axis:
    """Rows or columns, one behind the other: where each described one begins, and the size of all behind them."""

    size: int
    starts: array[int] = field(default_factory=lambda: array("q", (0,)))

    def add_size(self, index: int, size: int) -> None:
        """Set the size of the next described row or column; those left out before it have the usual one."""
        while len(self.starts) <= index:
            self.starts.append(self.starts[-1] + self.size)
        self.starts.append(self.starts[-1] + size)

    def get_start(self, index: int) -> int:
        """Return where a place begins."""
        known = len(self.starts) - 1
        return self.starts[index] if index <= known else self.starts[known] + (index - known) * self.size

    def find_index(self, offset: float) -> int:
        """Return the place at an offset: of several that begin there, the last, for the others have no size."""
        if offset < self.starts[-1] or not self.size:
            return max(bisect_right(self.starts, offset) - 1, 0)
        return len(self.starts) - 1 + int((offset - self.starts[-1]) // self.size)

    def locate_point(self, index: int, offset: int) -> int:
        """Return where a point of a place lies; one beyond its edge lies on the edge."""
        start = self.get_start(index)
        return start + min(max(offset, 0), self.get_start(index + 1) - start)


@dataclass(slots=True)
class Grid:
    """The rows of a sheet as they are shown, as they would be with none hidden, and its columns as they are shown."""

    rows: Axis = field(default_factory=lambda: Axis(_ROW_HEIGHT))
    unhidden: Axis = field(default_factory=lambda: Axis(_ROW_HEIGHT))
    columns: Axis = field(default_factory=lambda: Axis(_parse_width(None)))

    def is_hidden(self, row: int) -> bool:
        """Return whether a row has no height."""
        return self.rows.get_start(row) == self.rows.get_start(row + 1)

    def find_cell(self, box: Box, rows: Axis) -> Spot | None:
        """Return the cell under the centre of a picture; None where no row holds more than half of its height."""
        height = box.y2 - box.y1
        row = rows.find_index((box.y1 + box.y2) / 2)
        column = self.columns.find_index((box.x1 + box.x2) / 2)
        if height <= 0 or row >= MAX_ROW or column >= MAX_COLUMN:
            return None
        above, below = rows.get_start(row) - box.y1, box.y2 - rows.get_start(row + 1)
        if max(above, 0) + max(below, 0) >= height / 2:
            return None
        return Spot(row, column, max(above, below) > _NOTICED * height)

    def find_corners(self, box: Box, rows: Axis) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the first and the last cell under a picture, row and column from 0; an edge on a line covers nothing."""
        last = rows.find_index(max(box.y2 - 1, box.y1)), self.columns.find_index(max(box.x2 - 1, box.x1))
        first = rows.find_index(box.y1), self.columns.find_index(box.x1)
        return first, (min(last[0], MAX_ROW - 1), min(last[1], MAX_COLUMN - 1))


def measure_sheet(package: Package, part: str) -> Grid:
    """Measure a sheet: every row that it describes, whether it holds something or not."""
    ruler = _Ruler(part)
    with package.open(part) as stream:
        while chunk := stream.read(CHUNK):
            ruler.parser.Parse(chunk, False)
        ruler.parser.Parse(b"", True)
    return ruler.grid


class _Ruler:
    """Handlers for a worksheet's ``sheetFormatPr``, ``col`` and ``row``."""

    def __init__(self, part: str) -> None:
        self.grid = Grid()
        self._row = -1
        self.parser = make_parser(part)
        self.parser.StartElementHandler = self._start_root

    def _start_root(self, tag: str, _attributes: object) -> None:
        self._usual, self._col, self._r = (get_prefix(tag) + name for name in ("sheetFormatPr", "col", "row"))
        self.parser.StartElementHandler = self._start_element

    def _start_element(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == self._r:
            self._measure_row(attributes)
        elif tag == self._col:
            self._measure_columns(attributes)
        elif tag == self._usual:
            height = _parse_points(attributes.get("defaultRowHeight"), _ROW_HEIGHT)
            self.grid.unhidden.size = height
            self.grid.rows.size = 0 if is_true(attributes.get("zeroHeight")) else height
            self.grid.columns.size = _parse_width(
                attributes.get("defaultColWidth"), attributes.get("baseColWidth")
            )

    def _measure_row(self, attributes: dict[str, str]) -> None:
        number = parse_whole(attributes.get("r", ""), MAX_ROW)
        row = number - 1 if number else self._row + 1
        if not self._row < row < MAX_ROW:
            return
        self._row = row
        height = _parse_points(attributes.get("ht"), self.grid.unhidden.size)
        self.grid.unhidden.add_size(row, height or self.grid.unhidden.size)
        self.grid.rows.add_size(row, 0 if is_true(attributes.get("hidden")) else height)

    def _measure_columns(self, attributes: dict[str, str]) -> None:
        first, last = (parse_whole(attributes.get(name, ""), MAX_COLUMN) for name in ("min", "max"))
        axis = self.grid.columns
        if not first or not last or first < len(axis.starts):
            return
        width = attributes.get("width")
        size = axis.size if width is None else _parse_width(width)
        for column in range(first - 1, last):
            axis.add_size(column, 0 if is_true(attributes.get("hidden")) else size)


def _parse_points(text: str | None, usual: int) -> int:
    height = parse_decimal(text or "", _HIGHEST)
    return usual if height is None else round(height * EMU_POINT)


def _parse_width(width: str | None, base: str | None = None) -> int:
    """Return the width of a column in EMU; a usual one without a value is padded to whole eights of pixels."""
    characters = parse_decimal(width or "", _WIDEST)
    if characters is not None:
        return int((256 * characters + 128 // _DIGIT) / 256 * _DIGIT) * _EMU_PIXEL
    pixels = (parse_whole(base or "", 255) or _BASE) * _DIGIT + _PADDING
    return -(-pixels // 8) * 8 * _EMU_PIXEL
