"""Pictures that float over a sheet: read from its drawing, each with the cell under its centre and its rows.

Whose it is, is decided where the rows of doctors are known (`pipeline.intake.layout.sheet_images`).

Anchors: ECMA-376 part 1 §20.5.2.33 (twoCellAnchor), §20.5.2.24 (oneCellAnchor), §20.5.2.1 (absoluteAnchor). All
lengths are EMU, 914,400 an inch. Heights of rows are written in points, widths of columns in characters of the default
font: §18.3.1.13, §18.3.1.73, §18.3.1.81.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple
from xml.etree.ElementTree import Element

from pipeline.domain.roster import EmbeddedImage, UnassignedImage
from pipeline.intake.readers.model import MAX_COLUMN, MAX_ROW, format_column, make_danger_refusal
from pipeline.intake.readers.xlsx.package import (
    EMU_POINT,
    Package,
    is_true,
    parse_decimal,
    parse_emu,
    parse_whole,
)
from pipeline.intake.readers.xlsx.pictures import Media, PictureRef, Turn, read_picture_ref, read_turn
from pipeline.messages.catalogue import make_message

NOWHERE = make_message("stray.no_row")
_MAX_PICTURES = 50_000  # of a sheet
_DEEPEST = 20  # groups and alternatives within each other

_EMU_PIXEL = 9_525
_ROW_HEIGHT = 15 * EMU_POINT  # where a sheet has no value
_HIGHEST, _WIDEST = 409.5, 255  # points, characters
_DIGIT = 7  # pixels of the widest digit in the default font: Calibri 11; in others it is one more or less
_PADDING = 5  # pixels of a column beside its characters
_BASE = 8  # characters of a column where a sheet has no value
_MOST_ROWS = 200  # under a picture that may be a doctor's


class Box(NamedTuple):
    """A rectangle on a sheet, in EMU from its upper left corner."""

    x1: float
    y1: float
    x2: float
    y2: float

    def place_part(self, part: Box, space: Box) -> Box:
        """Return where a part of a space lies when this rectangle shows the whole space."""
        across = (self.x2 - self.x1) / (space.x2 - space.x1)
        down = (self.y2 - self.y1) / (space.y2 - space.y1)
        return Box(
            self.x1 + (part.x1 - space.x1) * across,
            self.y1 + (part.y1 - space.y1) * down,
            self.x1 + (part.x2 - space.x1) * across,
            self.y1 + (part.y2 - space.y1) * down,
        )


class Spot(NamedTuple):
    """The cell under the centre of a picture, row and column from 0."""

    row: int
    column: int
    shares: tuple[tuple[int, float], ...]  # the rows it lies over, and the part of its height in each
    begins_row: bool = False  # its upper edge is that of a row


_WHOLE = Box(0, 0, 1, 1)


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

    def compute_index(self, offset: float) -> int:
        """Return the place at an offset: of several that begin there, the last, for the others have no size."""
        if offset < self.starts[-1] or not self.size:
            return max(bisect_right(self.starts, offset) - 1, 0)
        return len(self.starts) - 1 + int((offset - self.starts[-1]) // self.size)

    def locate_point(self, index: int, offset: int) -> int:
        """Return the coordinate of a point in a cell; a point beyond the edge of the cell is moved to the edge."""
        start = self.get_start(index)
        return start + min(max(offset, 0), self.get_start(index + 1) - start)


@dataclass(slots=True)
class Grid:
    """The rows of a sheet as they are shown, as they would be with none hidden, and its columns as they are shown."""

    rows: Axis = field(default_factory=lambda: Axis(_ROW_HEIGHT))
    unhidden: Axis = field(default_factory=lambda: Axis(_ROW_HEIGHT))
    columns: Axis = field(default_factory=lambda: Axis(parse_width(None)))

    def is_hidden(self, row: int) -> bool:
        """Return whether a row has no height."""
        return self.rows.get_start(row) == self.rows.get_start(row + 1)

    def get_centre_cell(self, box: Box, rows: Axis) -> Spot | None:
        """Return the cell under the centre of a picture; None where it has no height, or far too much."""
        height = box.y2 - box.y1
        row = rows.compute_index((box.y1 + box.y2) / 2)
        column = self.columns.compute_index((box.x1 + box.x2) / 2)
        first, last = rows.compute_index(box.y1), rows.compute_index(box.y2)
        if height <= 0 or row >= MAX_ROW or column >= MAX_COLUMN or last - first > _MOST_ROWS:
            return None
        shares = []
        for index in range(first, last + 1):
            above, below = max(rows.get_start(index), box.y1), min(rows.get_start(index + 1), box.y2)
            if below > above:
                shares.append((index, (below - above) / height))
        if not shares:
            return None
        begins_row = any(abs(rows.get_start(index) - box.y1) <= _EMU_PIXEL for index in (first, first + 1))
        return Spot(row, column, tuple(shares), begins_row)

    def format_area(self, box: Box, rows: Axis) -> str:
        """Return the cells under a picture, H12 or G11:H14; an edge on a line covers nothing."""
        last_row = min(rows.compute_index(max(box.y2 - 1, box.y1)), MAX_ROW - 1)
        last_column = min(self.columns.compute_index(max(box.x2 - 1, box.x1)), MAX_COLUMN - 1)
        first = _format_address(rows.compute_index(box.y1), self.columns.compute_index(box.x1))
        last = _format_address(last_row, last_column)
        return first if first == last else f"{first}:{last}"


def parse_height(text: str | None, usual: int) -> int:
    """Return the height of a row in EMU; without a value it is ``usual``."""
    height = parse_decimal(text or "", _HIGHEST)
    return usual if height is None else round(height * EMU_POINT)


def parse_width(width: str | None, base: str | None = None) -> int:
    """Return the width of a column in EMU; a usual one without a value is padded to whole eights of pixels."""
    characters = parse_decimal(width or "", _WIDEST)
    if characters is not None:
        return int((256 * characters + 128 // _DIGIT) / 256 * _DIGIT) * _EMU_PIXEL
    pixels = (parse_whole(base or "", 255) or _BASE) * _DIGIT + _PADDING
    return -(-pixels // 8) * 8 * _EMU_PIXEL


@dataclass(frozen=True, slots=True)
class _Anchor:
    """Where a drawing stands, and the rows by which its place is measured."""

    box: Box
    rows: Axis
    cell: tuple[int, int] | None = None  # row and column where it starts


def read_floating(
    package: Package, drawing: str, sheet: str, media: Media, grid: Grid
) -> tuple[list[EmbeddedImage], list[UnassignedImage]]:
    """Return the pictures of a sheet's drawing, and those that cannot be used."""
    placed: list[EmbeddedImage] = []
    unassigned: list[UnassignedImage] = []
    for number, (element, shown, frame) in enumerate(_list_pictures(package.read_tree(drawing))):
        if number >= _MAX_PICTURES:
            raise make_danger_refusal("file.too_many_pictures", part=drawing, limit=_MAX_PICTURES)
        anchor = _read_anchor(element, grid)
        spot, area = _get_covered_cells(anchor, frame, grid) if anchor else (None, "")
        if spot is None:
            picture = media.get_picture(drawing, shown, f"{sheet}!{area or number}")
            image = None if isinstance(picture, str) else picture
            unassigned.append(UnassignedImage(sheet, area, NOWHERE, image))
            continue
        address = _format_address(spot.row, spot.column)
        picture = media.get_picture(drawing, shown, f"{sheet}!{address}")
        if isinstance(picture, str):
            unassigned.append(UnassignedImage(sheet, address, picture))
            continue
        placed.append(
            EmbeddedImage(
                format_column(spot.column),
                spot.row + 1,
                picture,
                floating=True,
                covered_cells=area if area != address else "",
                shares=tuple((row + 1, share) for row, share in spot.shares),
                begins_row=spot.begins_row,
            )
        )
    return placed, unassigned


def _list_pictures(drawing: Element) -> Iterator[tuple[Element, PictureRef, Box]]:
    """Yield (anchor, picture, the rectangle that it fills within the anchor's: from 0 to 1 both ways)."""
    for anchor in _list_children(drawing, 0):
        if _get_name(anchor) in ("twoCellAnchor", "oneCellAnchor", "absoluteAnchor"):
            for shown, frame in _list_nested(anchor, None, _WHOLE, Turn(), 0):
                yield anchor, shown, frame


def _list_nested(
    parent: Element, space: Box | None, frame: Box, turned: Turn, depth: int, *, hidden: bool = False
) -> Iterator[tuple[PictureRef, Box]]:
    """Yield the pictures within an anchor or a group; ``space`` is the rectangle that a group's children live in."""
    for child in _list_children(parent, depth):
        kind = _get_name(child)
        if kind == "pic":
            shown = read_picture_ref(child)
            shown = replace(shown, turn=turned.combine(shown.turn), hidden=hidden or shown.hidden)
            yield shown, _place_child(child.find("{*}spPr/{*}xfrm"), space, frame)
        elif kind == "grpSp" and depth < _DEEPEST:
            transform = child.find("{*}grpSpPr/{*}xfrm")
            properties = child.find("{*}nvGrpSpPr/{*}cNvPr")
            yield from _list_nested(
                child,
                _read_rectangle(transform, "chOff", "chExt"),
                _place_child(transform, space, frame),
                turned.combine(read_turn(transform)),
                depth + 1,
                hidden=hidden or (properties is not None and is_true(properties.get("hidden"))),
            )


def _list_children(parent: Element, depth: int) -> Iterator[Element]:
    """Yield the children; of alternatives the first that holds a picture (ECMA-376 part 3 §7.5), never two."""
    for child in parent:
        if _get_name(child) != "AlternateContent":
            yield child
        elif depth < _DEEPEST:
            chosen = next(
                (choice for choice in child if any(_get_name(inner) == "pic" for inner in choice.iter())),
                None,
            )
            if chosen is not None:
                yield from _list_children(chosen, depth + 1)


def _place_child(transform: Element | None, space: Box | None, frame: Box) -> Box:
    """Return the rectangle of a child in the frame of its group; a child without a rectangle fills it."""
    own = _read_rectangle(transform, "off", "ext")
    return frame if space is None or own is None else frame.place_part(own, space)


def _read_rectangle(element: Element | None, corner: str, size: str) -> Box | None:
    """Return the rectangle that two children describe; None where they describe none."""
    origin, extent = _read_pair(element, corner, ("x", "y")), _read_pair(element, size, ("cx", "cy"))
    if origin is None or extent is None or min(extent) <= 0:
        return None
    return Box(*origin, origin[0] + extent[0], origin[1] + extent[1])


def _read_pair(element: Element | None, name: str, keys: tuple[str, str]) -> tuple[int, int] | None:
    """Return the two coordinates that a child holds; None where it holds none."""
    child = element.find("{*}" + name) if element is not None else None
    across, down = (parse_emu(child.get(key, "")) if child is not None else None for key in keys)
    return None if across is None or down is None else (across, down)


def _read_anchor(element: Element, grid: Grid) -> _Anchor | None:
    """Return where an anchor stands, None where it does not say.

    One that starts in a hidden row has drifted over the next row that is shown, or shrunk to nothing: it is measured by
    the rows as they would be if none were hidden.
    """
    if _get_name(element) == "absoluteAnchor":
        box = _read_rectangle(element, "pos", "ext")
        return _Anchor(box, grid.rows) if box else None
    start = _read_marker(element.find("{*}from"))
    if start is None:
        return None
    row, down, column, across = start
    rows = grid.unhidden if grid.is_hidden(row) else grid.rows
    x1, y1 = grid.columns.locate_point(column, across), rows.locate_point(row, down)
    if _get_name(element) == "twoCellAnchor":
        end = _read_marker(element.find("{*}to"))
        if end is None:
            return None
        x2, y2 = grid.columns.locate_point(end[2], end[3]), rows.locate_point(end[0], end[1])
    else:
        extent = _read_pair(element, "ext", ("cx", "cy"))
        if extent is None:
            return None
        x2, y2 = x1 + extent[0], y1 + extent[1]
    return _Anchor(Box(x1, y1, x2, y2), rows, (row, column))


def _read_marker(element: Element | None) -> tuple[int, int, int, int] | None:
    """Return row, offset in it, column, offset in it (CT_Marker, ECMA-376 part 1 §20.5.2.15)."""
    if element is None:
        return None
    text = {
        name: (element.findtext("{*}" + name) or "").strip() for name in ("row", "rowOff", "col", "colOff")
    }
    row, column = parse_whole(text["row"], MAX_ROW - 1), parse_whole(text["col"], MAX_COLUMN - 1)
    down, across = parse_emu(text["rowOff"] or "0"), parse_emu(text["colOff"] or "0")
    if row is None or column is None or down is None or across is None:
        return None
    return row, down, column, across


def _get_covered_cells(anchor: _Anchor, frame: Box, grid: Grid) -> tuple[Spot | None, str]:
    """Return the cell to which a picture in a part of its anchor belongs, and the cells that it covers."""
    box = anchor.box.place_part(frame, _WHOLE)
    spot = grid.get_centre_cell(box, anchor.rows)
    if anchor.cell and anchor.box.y2 == anchor.box.y1 and grid.is_hidden(anchor.cell[0]):
        spot = Spot(*anchor.cell, ((anchor.cell[0], 1.0),))  # shrunk with its row
    elif spot and anchor.cell and anchor.box.x2 == anchor.box.x1:  # shrunk with its column
        spot = spot._replace(column=anchor.cell[1])
    return spot, grid.format_area(box, anchor.rows)


def _format_address(row: int, column: int) -> str:
    return f"{format_column(column)}{row + 1}"


def _get_name(element: Element) -> str:
    return element.tag.rpartition("}")[2]
