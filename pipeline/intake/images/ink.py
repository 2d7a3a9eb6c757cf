"""Where on its paper a picture has ink: marks, told from dust, noise and the slow changes of light.

A picture is looked at small and on white. Ink is what is darker than a point three away: a shadow is not, however dark
it is. The places with ink are gathered in cells, some 64 along the longer side, and cells that touch are one mark. A
mark no larger than two cells each way is a speck. A signature of 10 mm on a sheet of A4 is larger.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFilter

SIDE = 256  # pixels of the longer side at which a picture is looked at
CONTRAST = 16  # of 255 levels: less is the noise of a scanner or of JPEG
FAINT = 6  # levels in which a stroke fades out

_CELLS = 64  # along the longer side
_APART = 3  # pixels between two points that are compared
_SPECK = 2  # cells
_GRAINY = 48  # pixels of the shorter side: in a smaller picture smoothing would take strokes away
_INKED = re.compile(rb"[^\0]+")


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, right and bottom not included."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """From left to right."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """From top to bottom."""
        return self.bottom - self.top

    def grown(self, by: int) -> Box:
        """Return the rectangle with so much more on each side; it may reach below zero."""
        return Box(self.left - by, self.top - by, self.right + by, self.bottom + by)

    def meets(self, other: Box) -> bool:
        """Tell whether the two have a point in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


@dataclass(frozen=True, slots=True)
class Run:
    """Inked cells side by side in one row, the right one not included."""

    row: int
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class InkComponent:
    """Ink that hangs together: its cells, and the rectangle around them."""

    runs: tuple[Run, ...]
    box: Box

    @property
    def is_speck(self) -> bool:
        """Whether it is dust by its size."""
        return max(self.box.width, self.box.height) <= _SPECK


def step(size: tuple[int, int]) -> int:
    """Return how many pixels of a picture are one of its small copy."""
    return -(-max(size) // SIDE)


def darkness(small: Image.Image) -> Image.Image:
    """Return by how many levels each point of a small RGB picture is darker than one beside it in any colour (L)."""
    width, height = small.size
    brightest = small
    for across, down in ((_APART, 0), (-_APART, 0), (0, _APART), (0, -_APART)):
        # beyond the edge is nothing, which is black: darker than any point, and so no point is compared with it
        beside = small.crop((across, down, width + across, height + down))
        brightest = ImageChops.lighter(brightest, beside)
    red, green, blue = ImageChops.subtract(brightest, small).split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)


def smoothed(small: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return the small copy without the grain that reducing has not yet taken away."""
    return small.filter(ImageFilter.BoxBlur(1)) if step(size) == 1 and min(small.size) >= _GRAINY else small


def marks(found: Image.Image, contrast: int = CONTRAST) -> list[InkComponent]:
    """Return the marks in the result of ``darkness``, specks among them; their places count cells."""
    grid = _grid(found, contrast)
    cells = grid.tobytes()
    marks: list[list[Run]] = []
    before: list[tuple[Run, int]] = []  # the runs of the row above, each with the place of its mark
    for row in range(grid.height):
        here: list[tuple[Run, int]] = []
        for stretch in _INKED.finditer(cells, row * grid.width, (row + 1) * grid.width):
            run = Run(row, stretch.start() - row * grid.width, stretch.end() - row * grid.width)
            touched = sorted(
                {place for other, place in before if run.left <= other.right and other.left <= run.right}
            )
            place = touched[0] if touched else len(marks)
            if not touched:
                marks.append([])
            for joined in touched[1:]:
                marks[place] += marks[joined]
                marks[joined] = []
                before = [(other, place if at == joined else at) for other, at in before]
                here = [(other, place if at == joined else at) for other, at in here]
            marks[place].append(run)
            here.append((run, place))
        before = here
    return [InkComponent(tuple(runs), _around(runs)) for runs in marks if runs]


def beside(found: Image.Image) -> Image.Image:
    """Return a mask (L, 255) of the cells with ink in the result of ``darkness`` and of those around them."""
    side = cell_side(found.size)
    cells = (
        _grid(found, CONTRAST)
        .point([255 * (level > 0) for level in range(256)])
        .filter(ImageFilter.MaxFilter(3))
    )
    wide = cells.resize((cells.width * side, cells.height * side), Image.Resampling.NEAREST)
    return wide.crop((0, 0, *found.size))


def _grid(found: Image.Image, contrast: int) -> Image.Image:
    """Return a point for each cell, above 0 where one of its own is at least so dark."""
    side = cell_side(found.size)
    above = found.point([255 * (level >= contrast) for level in range(256)])
    return above.reduce(side) if side > 1 else above


def cell_side(small: tuple[int, int]) -> int:
    """Return the side of a cell in pixels of the small copy."""
    return -(-max(small) // _CELLS)


def is_blank(found: Sequence[InkComponent]) -> bool:
    """Tell whether these marks are no more than dust, or the edges of a sheet or of a frame with nothing in it."""
    strokes = [mark for mark in found if not mark.is_speck]
    return not strokes or _is_frame([run for mark in strokes for run in mark.runs])


def bounds(found: Iterable[InkComponent]) -> Box:
    """Return the rectangle around marks, in cells."""
    return _around([run for mark in found for run in mark.runs])


def _around(runs: Sequence[Run]) -> Box:
    return Box(
        min(run.left for run in runs),
        min(run.row for run in runs),
        max(run.right for run in runs),
        max(run.row for run in runs) + 1,
    )


def _is_frame(runs: Sequence[Run]) -> bool:
    """Tell whether ink runs along all four sides of a rectangle and leaves its middle, 60 % each way, clear."""
    box = _around(runs)
    across, down = box.width // 5, box.height // 5
    if min(across, down) < 1:
        return False
    middle = Box(box.left + across, box.top + down, box.right - across, box.bottom - down)
    if any(middle.meets(Box(run.left, run.row, run.right, run.row + 1)) for run in runs):
        return False
    sides = (
        {column for run in runs if run.row < middle.top for column in range(run.left, run.right)},
        {column for run in runs if run.row >= middle.bottom for column in range(run.left, run.right)},
        {run.row for run in runs if run.left < middle.left},
        {run.row for run in runs if run.right > middle.right},
    )
    lengths = (box.width, box.width, box.height, box.height)
    return all(10 * len(side) >= 9 * length for side, length in zip(sides, lengths, strict=True))
