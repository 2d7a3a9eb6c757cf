"""Pictures that float over a sheet: read from its drawing, each given to the cell under its centre.

Anchors: ECMA-376 part 1 §20.5.2.33 (twoCellAnchor), §20.5.2.24 (oneCellAnchor), §20.5.2.1 (absoluteAnchor).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple
from xml.etree.ElementTree import Element

from pipeline.domain.roster import EmbeddedImage, UnassignedImage
from pipeline.errors import FileRefused
from pipeline.intake.readers.model import letters
from pipeline.intake.readers.options import MAX_COLUMN, MAX_ROW
from pipeline.intake.readers.xlsx.geometry import Axis, Box, Grid, Spot
from pipeline.intake.readers.xlsx.package import Package, emu, is_true, whole
from pipeline.intake.readers.xlsx.pictures import Media, PictureRef, Turn, blip, turn
from pipeline.messages.texts import make_text

_ANCHORS = ("twoCellAnchor", "oneCellAnchor", "absoluteAnchor")
_MAX_PICTURES = 50_000  # of a sheet
NOWHERE = make_text("stray.no_row")
_DEEPEST = 20  # groups and alternatives within each other


@dataclass(frozen=True, slots=True)
class _Anchor:
    """Where a drawing stands, and the rows by which its place is told."""

    box: Box
    rows: Axis
    cell: tuple[int, int] | None = None  # row and column where it starts


class _Shown(NamedTuple):
    """A picture of a drawing, and the rectangle that it fills within the anchor's: from 0 to 1 both ways."""

    blip: PictureRef
    frame: Box


def floating(
    package: Package, drawing: str, sheet: str, *, media: Media, measure: Callable[[], Grid]
) -> tuple[list[EmbeddedImage], list[UnassignedImage]]:
    """Return the pictures of a sheet's drawing, and those that cannot be used.

    ``measure`` gives the sheet's rows and columns, and is called if there is a picture.
    """
    found: list[EmbeddedImage] = []
    strays: list[UnassignedImage] = []
    grid: Grid | None = None
    for number, (anchor, shown) in enumerate(_pictures(package.tree(drawing))):
        if number >= _MAX_PICTURES:
            raise FileRefused(
                "FILE_SUSPICIOUS",
                {"found": make_text("file.too_many_pictures", part=drawing, limit=_MAX_PICTURES)},
            )
        grid = grid or measure()
        place = _anchor(anchor, grid)
        box = _box(place, shown.frame) if place else None
        over = _over(grid, box, place.rows) if place and box else ""
        spot = _spot(place, box, grid) if place and box else None
        if spot is None:
            near = over or (_address(*place.cell) if place and place.cell else "")
            held = media.picture(drawing, shown.blip, f"{sheet}!{near or number}")
            strays.append(UnassignedImage(sheet, near, NOWHERE, None if isinstance(held, str) else held))
            continue
        address = _address(spot.row, spot.column)
        picture = media.picture(drawing, shown.blip, f"{sheet}!{address}")
        if isinstance(picture, str):
            strays.append(UnassignedImage(sheet, address, picture))
        else:
            over = over if over != address else ""
            found.append(
                EmbeddedImage(
                    letters(spot.column),
                    spot.row + 1,
                    picture,
                    floating=True,
                    overlaps_neighbour=spot.overlaps_neighbour,
                    covered_cells=over,
                )
            )
    return found, strays


def _pictures(drawing: Element) -> Iterator[tuple[Element, _Shown]]:
    for anchor in _alternatives(drawing, 0):
        if _name(anchor) in _ANCHORS:
            for shown in _within(anchor, None, Box(0, 0, 1, 1), Turn(), 0):
                yield anchor, shown


def _within(
    parent: Element, space: Box | None, frame: Box, turned: Turn, depth: int, *, hidden: bool = False
) -> Iterator[_Shown]:
    """Yield the pictures within an anchor or a group; ``space`` is the rectangle that a group's children live in."""
    for child in _alternatives(parent, depth):
        kind = _name(child)
        if kind == "pic":
            shown = blip(child)
            own = _placed(child.find("{*}spPr/{*}xfrm"), space, frame)
            yield _Shown(replace(shown, turn=turned.then(shown.turn), hidden=hidden or shown.hidden), own)
        elif kind == "grpSp" and depth < _DEEPEST:
            transform = child.find("{*}grpSpPr/{*}xfrm")
            properties = child.find("{*}nvGrpSpPr/{*}cNvPr")
            yield from _within(
                child,
                _rectangle(transform, "chOff", "chExt"),
                _placed(transform, space, frame),
                turned.then(turn(transform)),
                depth + 1,
                hidden=hidden or (properties is not None and is_true(properties.get("hidden"))),
            )


def _alternatives(parent: Element, depth: int) -> Iterator[Element]:
    """Yield the children; of alternatives the first that holds a picture (ECMA-376 part 3 §7.5), never two."""
    for child in parent:
        if _name(child) != "AlternateContent":
            yield child
        elif depth < _DEEPEST:
            chosen = next(
                (each for each in child if any(_name(inner) == "pic" for inner in each.iter())), None
            )
            if chosen is not None:
                yield from _alternatives(chosen, depth + 1)


def _placed(transform: Element | None, space: Box | None, frame: Box) -> Box:
    """Return the rectangle of a child in the frame of its group; a child that says nothing fills it."""
    own = _rectangle(transform, "off", "ext")
    if space is None or own is None:
        return frame
    across, down = (
        (frame.right - frame.left) / (space.right - space.left),
        (frame.bottom - frame.top) / (space.bottom - space.top),
    )
    return Box(
        frame.left + (own.left - space.left) * across,
        frame.top + (own.top - space.top) * down,
        frame.left + (own.right - space.left) * across,
        frame.top + (own.bottom - space.top) * down,
    )


def _rectangle(element: Element | None, corner: str, size: str) -> Box | None:
    """Return the rectangle that two children tell; None where they tell none."""
    if element is None:
        return None
    at, extent = element.find("{*}" + corner), element.find("{*}" + size)
    if at is None or extent is None:
        return None
    left, top = (emu(at.get(name, "")) for name in ("x", "y"))
    width, height = (emu(extent.get(name, "")) for name in ("cx", "cy"))
    if left is None or top is None or not width or not height or width < 0 or height < 0:
        return None
    return Box(left, top, left + width, top + height)


def _anchor(element: Element, grid: Grid) -> _Anchor | None:
    """Return where an anchor stands, None where it does not say.

    One that starts in a hidden row has drifted over the next row that is shown, or shrunk to nothing: it is told by
    the rows as they would be if none were hidden.
    """
    if _name(element) == "absoluteAnchor":
        box = _rectangle(element, "pos", "ext")
        return _Anchor(box, grid.rows) if box else None
    start = _marker(element.find("{*}from"))
    if start is None:
        return None
    row, down, column, across = start
    rows = grid.unhidden if grid.is_hidden(row) else grid.rows
    left, top = grid.columns.within(column, across), rows.within(row, down)
    if _name(element) == "twoCellAnchor":
        end = _marker(element.find("{*}to"))
        if end is None:
            return None
        right, bottom = grid.columns.within(end[2], end[3]), rows.within(end[0], end[1])
    else:
        extent = element.find("{*}ext")
        width, height = (emu(extent.get(name, "")) if extent is not None else None for name in ("cx", "cy"))
        if width is None or height is None:
            return None
        right, bottom = left + width, top + height
    return _Anchor(Box(left, top, right, bottom), rows, (row, column))


def _marker(element: Element | None) -> tuple[int, int, int, int] | None:
    """Return row, offset in it, column, offset in it (CT_Marker, ECMA-376 part 1 §20.5.2.15)."""
    if element is None:
        return None
    text = {
        name: (element.findtext("{*}" + name) or "").strip() for name in ("row", "rowOff", "col", "colOff")
    }
    row, column = whole(text["row"], MAX_ROW - 1), whole(text["col"], MAX_COLUMN - 1)
    down, across = emu(text["rowOff"] or "0"), emu(text["colOff"] or "0")
    if row is None or column is None or down is None or across is None:
        return None
    return row, down, column, across


def _box(anchor: _Anchor, frame: Box) -> Box:
    """Return the rectangle of a picture that fills a part of its anchor's."""
    width, height = anchor.box.right - anchor.box.left, anchor.box.bottom - anchor.box.top
    return Box(
        anchor.box.left + frame.left * width,
        anchor.box.top + frame.top * height,
        anchor.box.left + frame.right * width,
        anchor.box.top + frame.bottom * height,
    )


def _spot(anchor: _Anchor, box: Box, grid: Grid) -> Spot | None:
    if anchor.cell and anchor.box.bottom == anchor.box.top and grid.is_hidden(anchor.cell[0]):
        return Spot(*anchor.cell, overlaps_neighbour=False)  # shrunk with its row
    spot = grid.spot(box, anchor.rows)
    if spot and anchor.cell and anchor.box.right == anchor.box.left:  # shrunk with its column
        return spot._replace(column=anchor.cell[1])
    return spot


def _over(grid: Grid, box: Box, rows: Axis) -> str:
    first, last = grid.corners(box, rows)
    return _address(*first) if first == last else f"{_address(*first)}:{_address(*last)}"


def _address(row: int, column: int) -> str:
    return f"{letters(column)}{row + 1}"


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]
