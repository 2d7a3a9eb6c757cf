"""Where a picture has ink, and the digest of its pixels.

A picture is looked at small and on white. Ink is what is darker than a point three away: a shadow is not, however dark
it is. Ink is gathered in cells, some 64 along the longer side, and cells that touch are one component. A component no
larger than two cells each way is a speck. A signature of 10 mm on a sheet of A4 is larger.

The digest is equal for pictures with the same visible pixels in any mode. What is invisible does not count: the colour
under full transparency, the palette, the mode. A part without colour or transparency is digested as grey, a quarter of
the bytes of its RGBA.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

from PIL import Image, ImageChops, ImageFilter

SIDE = 256  # pixels of the longer side at which a picture is looked at
_CONTRAST = 16  # of 255 levels: less is the noise of a scanner or of JPEG

_CELLS = 64  # along the longer side
_APART = 3  # pixels between two points that are compared
_SPECK = 2  # cells
_GRAINY = 48  # pixels of the shorter side: in a smaller picture smoothing would take strokes away
_INKED = re.compile(rb"[^\0]+")
_PLAIN_MODES = ("L", "RGB")  # modes that are made smaller as they are: grey costs a third
# pixels looked at together: few enough to stay in a processor's cache; with another number all digests would differ
_STRIP = 250_000


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, its right column and its lowest row not included."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        """From left to right."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """From top to bottom."""
        return self.y1 - self.y0

    def meets_box(self, other: Box) -> bool:
        """Return whether the two have a point in common."""
        return self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1


@dataclass(frozen=True, slots=True)
class Run:
    """Inked cells in a line in one row, the end not included."""

    row: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class InkComponent:
    """Ink that hangs together: its cells, and the rectangle around them."""

    runs: tuple[Run, ...]
    box: Box

    @property
    def is_speck(self) -> bool:
        """Whether it is dust by its size."""
        return max(self.box.width, self.box.height) <= _SPECK


@dataclass
class SmallCopy:
    """A decoded picture made small, on which its ink is judged."""

    size: tuple[int, int]  # of the picture
    small: Image.Image  # on white, L or RGB, one pixel for `get_step` squared

    @cached_property
    def darkness(self) -> Image.Image:
        """The result of `measure_darkness`."""
        return measure_darkness(smooth(self.small, self.size))

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to see on white paper."""
        return is_blank(list_components(self.darkness))


@dataclass
class ImageScan(SmallCopy):
    """The result of one pass over a picture's pixels."""

    pixels: str  # see `PixelDigest`


def make_small_copy(image: Image.Image) -> SmallCopy:
    """Make a picture small without digesting it."""
    return SmallCopy(image.size, reduce_image(image, get_step(image.size)))


def scan_image(image: Image.Image) -> ImageScan:
    """Digest a picture and make it small, in strips."""
    width, height = image.size
    digest = PixelDigest(image.size)
    step = get_step(image.size)
    parts: list[Image.Image] = []
    rows = max(1, _STRIP // (width * step)) * step
    for top in range(0, height, rows):
        strip = _to_plain_mode(image.crop((0, top, width, min(top + rows, height))))
        part = _reduce_plain(strip, step)
        # what has no coloured point has none when it is reduced
        digest.add(strip, may_be_grey=is_grey(part))
        parts.append(part)
    return ImageScan(image.size, _join_parts(parts), digest.get_text())


def _join_parts(parts: Sequence[Image.Image]) -> Image.Image:
    """Put strips below each other: in L where all are."""
    mode = "L" if all(part.mode == "L" for part in parts) else "RGB"
    joined = Image.new(mode, (parts[0].width, sum(part.height for part in parts)))
    top = 0
    for part in parts:
        joined.paste(part if part.mode == mode else part.convert(mode), (0, top))
        top += part.height
    return joined


def reduce_image(image: Image.Image, step: int) -> Image.Image:
    """Return a picture as it looks on white paper, a point for each ``step`` squared (L or RGB)."""
    return _reduce_plain(_to_plain_mode(image), step)


def put_on_white(image: Image.Image) -> Image.Image:
    """Return an RGBA picture, premultiplied or not, as it looks on white paper (RGB)."""
    *colours, opacity = (image if image.mode == "RGBa" else image.convert("RGBa")).split()
    paper = ImageChops.invert(opacity)  # what shows through
    return Image.merge("RGB", [ImageChops.add(colour, paper) for colour in colours])


def _to_plain_mode(image: Image.Image) -> Image.Image:
    """Return a decoded picture in L or RGB, or where something shows through premultiplied (RGBa)."""
    if image.mode == "RGBA":
        is_opaque = image.getchannel("A").getextrema() == (255, 255)
        return image.convert("RGB" if is_opaque else "RGBa")
    return image if image.mode in _PLAIN_MODES else image.convert("RGB")


def _reduce_plain(plain: Image.Image, step: int) -> Image.Image:
    """Make a plain picture smaller; premultiplied its points may be averaged, and few are left to be put on paper."""
    fewer = plain.reduce(step) if step > 1 else plain
    return put_on_white(fewer) if fewer.mode == "RGBa" else fewer


def get_step(size: tuple[int, int]) -> int:
    """Return how many pixels of a picture are one of its small copy."""
    return -(-max(size) // SIDE)


def smooth(small: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return the small copy without the grain that reducing has not yet taken away."""
    is_grainy = get_step(size) == 1 and min(small.size) >= _GRAINY
    return small.filter(ImageFilter.BoxBlur(1)) if is_grainy else small


def measure_darkness(small: Image.Image) -> Image.Image:
    """Return by how many levels each point of a small picture (L, RGB) is darker than one near it in any colour (L)."""
    width, height = small.size
    brightest = small
    for across, down in ((_APART, 0), (-_APART, 0), (0, _APART), (0, -_APART)):
        # beyond the edge is nothing, which is black: darker than any point, and so no point is compared with it
        shifted = small.crop((across, down, width + across, height + down))
        brightest = ImageChops.lighter(brightest, shifted)
    return compute_lightest(ImageChops.subtract(brightest, small))


def compute_lightest(image: Image.Image) -> Image.Image:
    """Return the strongest colour of each point of a picture in L or RGB (L)."""
    return reduce(ImageChops.lighter, image.split())


def mask_from(limit: int, band: Image.Image) -> Image.Image:
    """Return a mask (L, 255) of the points from a level on."""
    return band.point([0] * limit + [255] * (256 - limit))


def list_components(darkness: Image.Image) -> list[InkComponent]:
    """Return the components in the result of ``measure_darkness``, specks among them; they are measured in cells."""
    side = -(-max(darkness.size) // _CELLS)  # of a cell
    dark = mask_from(_CONTRAST, darkness)
    grid = dark.reduce(side) if side > 1 else dark
    cells = grid.tobytes()
    components: list[list[Run]] = []
    above: list[tuple[Run, int]] = []  # the runs of the row above, each with the index of its component
    for row in range(grid.height):
        current: list[tuple[Run, int]] = []
        for stretch in _INKED.finditer(cells, row * grid.width, (row + 1) * grid.width):
            run = Run(row, stretch.start() - row * grid.width, stretch.end() - row * grid.width)
            touched = sorted(
                {index for other, index in above if run.start <= other.end and other.start <= run.end}
            )
            index = touched[0] if touched else len(components)
            if not touched:
                components.append([])
            for joined in touched[1:]:
                components[index] += components[joined]
                components[joined] = []
                above = [(other, index if old == joined else old) for other, old in above]
                current = [(other, index if old == joined else old) for other, old in current]
            components[index].append(run)
            current.append((run, index))
        above = current
    return [InkComponent(tuple(runs), _enclose_runs(runs)) for runs in components if runs]


def is_blank(components: Sequence[InkComponent]) -> bool:
    """Return whether these are no more than dust, or the edges of a sheet or of a frame with nothing in it."""
    strokes = [component for component in components if not component.is_speck]
    return not strokes or _is_frame([run for stroke in strokes for run in stroke.runs])


def _enclose_runs(runs: Sequence[Run]) -> Box:
    return Box(
        min(run.start for run in runs),
        min(run.row for run in runs),
        max(run.end for run in runs),
        max(run.row for run in runs) + 1,
    )


def _is_frame(runs: Sequence[Run]) -> bool:
    """Return whether ink runs along all four sides of a rectangle and its middle, 60 % each way, is clear."""
    box = _enclose_runs(runs)
    across, down = box.width // 5, box.height // 5
    if min(across, down) < 1:
        return False
    middle = Box(box.x0 + across, box.y0 + down, box.x1 - across, box.y1 - down)
    if any(middle.meets_box(Box(run.start, run.row, run.end, run.row + 1)) for run in runs):
        return False
    sides = (
        {column for run in runs if run.row < middle.y0 for column in range(run.start, run.end)},
        {column for run in runs if run.row >= middle.y1 for column in range(run.start, run.end)},
        {run.row for run in runs if run.start < middle.x0},
        {run.row for run in runs if run.end > middle.x1},
    )
    lengths = (box.width, box.width, box.height, box.height)
    return all(10 * len(side) >= 9 * length for side, length in zip(sides, lengths, strict=True))


def is_grey(image: Image.Image) -> bool:
    """Return whether a picture in L or RGB has no coloured point."""
    return image.mode == "L" or _read_grey_points(image) is not None


def _read_grey_points(image: Image.Image) -> bytes | None:
    """Return the points of a picture in RGB as in L; None where one has a colour."""
    red, green, blue = image.split()
    points = red.tobytes()
    return points if points == green.tobytes() and points == blue.tobytes() else None


class PixelDigest:
    """Digests a picture strip by strip; pictures of equal size must be cut into equal strips."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._sha256 = hashlib.sha256()

    def add(self, plain: Image.Image, *, may_be_grey: bool = True) -> None:
        """Digest a strip (L, RGB, or RGBa where something shows through); grey in RGB counts as L."""
        points = _read_grey_points(plain) if plain.mode == "RGB" and may_be_grey else None
        mode = plain.mode if points is None else "L"
        self._sha256.update(f"{mode:4}".encode())  # of one length: no two pictures give the same bytes
        self._sha256.update(plain.tobytes() if points is None else points)

    def get_text(self) -> str:
        """Return the digest as a ledger keeps it."""
        width, height = self._size
        return f"{width}x{height}:{self._sha256.hexdigest()}"
