"""Pictures that float over a sheet: read from its drawing, each given to the cell under its centre.

Anchors: ECMA-376 part 1 §20.5.2.33 (twoCellAnchor), §20.5.2.24 (oneCellAnchor), §20.5.2.1 (absoluteAnchor).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple
from xml.etree.ElementTree import Element

from pipeline.domain.roster import EmbeddedImage, UnassignedImage
from pipeline.intake.readers.model import MAX_COLUMN, MAX_ROW, format_column, make_danger_refusal
from pipeline.intake.readers.xlsx.geometry import Axis, Box, Grid, Spot
from pipeline.intake.readers.xlsx.package import Package, is_true, parse_emu, parse_whole
from pipeline.intake.readers.xlsx.pictures import Media, PictureRef, Turn, read_picture_ref, read_turn
from pipeline.messages.texts import make_text

_ANCHORS = ("twoCellAnchor", "oneCellAnchor", "absoluteAnchor")
_MAX_PICTURES = 50_000  # of a sheet
NOWHERE = make_text("stray.no_row")
_DEEPEST = 20  # groups and alternatives within each other


@dataclass(frozen=True, slots=True)
class _Anchor:
    """Where a drawing stands, and the rows by which its place is measured."""

    box: Box
    rows: Axis
    cell: tuple[int, int] | None = None  # row and column where it starts


class _Shown(NamedTuple):
    """A picture of a drawing, and the rectangle that it fills within the anchor's: from 0 to 1 both ways."""

    blip: PictureRef
    frame: Box


def read_floating(
    package: Package, drawing: str, sheet: str, *, media: Media, measure: Callable[[], Grid]
) -> tuple[list[EmbeddedImage], list[UnassignedImage]]:
    """Return the pictures of a sheet's drawing, and those that cannot be used.

    ``measure`` gives the sheet's rows and columns, and is called if there is a picture.
    """
    placed: list[EmbeddedImage] = []
    unassigned: list[UnassignedImage] = []
    grid: Grid | None = None
    for number, (anchor, shown) in enumerate(_list_pictures(package.read_tree(drawing))):
        if number >= _MAX_PICTURES:
            raise make_danger_refusal("file.too_many_pictures", part=drawing, limit=_MAX_PICTURES)
        grid = grid or measure()
        position = _read_anchor(anchor, grid)
        box = _place_picture(position, shown.frame) if position else None
        over = _format_area(grid, box, position.rows) if position and box else ""
        spot = _find_cell(position, box, grid) if position and box else None
        if spot is None:
            near = over or (_format_address(*position.cell) if position and position.cell else "")
            held = media.picture(drawing, shown.blip, f"{sheet}!{near or number}")
            unassigned.append(UnassignedImage(sheet, near, NOWHERE, None if isinstance(held, str) else held))
            continue
        address = _format_address(spot.row, spot.column)
        picture = media.picture(drawing, shown.blip, f"{sheet}!{address}")
        if isinstance(picture, str):
            unassigned.append(UnassignedImage(sheet, address, picture))
        else:
            over = over if over != address else ""
            placed.append(
                EmbeddedImage(
                    format_column(spot.column),
                    spot.row + 1,
                    picture,
                    floating=True,
                    overlaps_neighbour=spot.overlaps_neighbour,
                    covered_cells=over,
                )
            )
    return placed, unassigned


def _list_pictures(drawing: Element) -> Iterator[tuple[Element, _Shown]]:
    for anchor in _list_children(drawing, 0):
        if _get_name(anchor) in _ANCHORS:
            for shown in _list_nested(anchor, None, Box(0, 0, 1, 1), Turn(), 0):
                yield anchor, shown


def _list_nested(
    parent: Element, space: Box | None, frame: Box, turned: Turn, depth: int, *, hidden: bool = False
) -> Iterator[_Shown]:
    """Yield the pictures within an anchor or a group; ``space`` is the rectangle that a group's children live in."""
    for child in _list_children(parent, depth):
        kind = _get_name(child)
        if kind == "pic":
            shown = read_picture_ref(child)
            own = _place_child(child.find("{*}spPr/{*}xfrm"), space, frame)
            yield _Shown(replace(shown, turn=turned.combine(shown.turn), hidden=hidden or shown.hidden), own)
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
    if space is None or own is None:
        return frame
    across, down = (
        (frame.x2 - frame.x1) / (space.x2 - space.x1),
        (frame.y2 - frame.y1) / (space.y2 - space.y1),
    )
    return Box(
        frame.x1 + (own.x1 - space.x1) * across,
        frame.y1 + (own.y1 - space.y1) * down,
        frame.x1 + (own.x2 - space.x1) * across,
        frame.y1 + (own.y2 - space.y1) * down,
    )


def _read_rectangle(element: Element | None, corner: str, size: str) -> Box | None:
    """Return the rectangle that two children describe; None where they describe none."""
    if element is None:
        return None
    origin, extent = element.find("{*}" + corner), element.find("{*}" + size)
    if origin is None or extent is None:
        return None
    x1, y1 = (parse_emu(origin.get(name, "")) for name in ("x", "y"))
    width, height = (parse_emu(extent.get(name, "")) for name in ("cx", "cy"))
    if x1 is None or y1 is None or not width or not height or width < 0 or height < 0:
        return None
    return Box(x1, y1, x1 + width, y1 + height)


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
        extent = element.find("{*}ext")
        width, height = (
            parse_emu(extent.get(name, "")) if extent is not None else None for name in ("cx", "cy")
        )
        if width is None or height is None:
            return None
        x2, y2 = x1 + width, y1 + height
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


def _place_picture(anchor: _Anchor, frame: Box) -> Box:
    """Return the rectangle of a picture that fills a part of its anchor's."""
    width, height = anchor.box.x2 - anchor.box.x1, anchor.box.y2 - anchor.box.y1
    return Box(
        anchor.box.x1 + frame.x1 * width,
        anchor.box.y1 + frame.y1 * height,
        anchor.box.x1 + frame.x2 * width,
        anchor.box.y1 + frame.y2 * height,
    )


def _find_cell(anchor: _Anchor, box: Box, grid: Grid) -> Spot | None:
    if anchor.cell and anchor.box.y2 == anchor.box.y1 and grid.is_hidden(anchor.cell[0]):
        return Spot(*anchor.cell, overlaps_neighbour=False)  # shrunk with its row
    spot = grid.find_cell(box, anchor.rows)
    if spot and anchor.cell and anchor.box.x2 == anchor.box.x1:  # shrunk with its column
        return spot._replace(column=anchor.cell[1])
    return spot


def _format_area(grid: Grid, box: Box, rows: Axis) -> str:
    first, last = grid.find_corners(box, rows)
    return _format_address(*first) if first == last else f"{_format_address(*first)}:{_format_address(*last)}"


def _format_address(row: int, column: int) -> str:
    return f"{format_column(column)}{row + 1}"


def _get_name(element: Element) -> str:
    return element.tag.rpartition("}")[2]
