"""The optional clean-up of a picture: paper around the ink cut away, paper made clear (config ``pictures``).

Both are done only where the paper is near-white and even. A photo with a shadow on its paper is left as it is: a
stroke that is cut or bleached is worse than paper that is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops

from pipeline.intake.images import ink
from pipeline.intake.images.encoding import MIN_SIDE, as_mode, packed
from pipeline.messages.texts import make_text

TRIMMED = make_text("image.trimmed")
CLEARED = make_text("image.transparent")

_WHITE = 225  # of 255: paper is at least so light in every colour
_LEAST_PAPER = 0.02  # share of the picture: less is no paper
_STRAYS = 0.005  # share of the paper that may be otherwise: dust, the rim of a scan
_SHADOW = 90  # a grey lighter than this that is flat is no ink
_GREY = 40  # levels between the colours of what may be a shadow
_NEAR = 6  # the part of the ink's longer side within which a speck is a piece of it: a sixth
_MARGIN = 25  # the part of the ink's longer side left around it: 4 %
_LEAST_CUT = 0.05  # share of the picture: less is not worth a new file
_GRAIN = 20  # levels below the paper's that are still paper: its own, and JPEG's noise around strokes
_CORE = 0.8  # of the ink's points, counted from the lightest: from here on ink lets nothing through


@dataclass(frozen=True, slots=True)
class Sheet:
    """A picture as its small copy shows it."""

    size: tuple[int, int]  # of the picture
    small: Image.Image  # on white, RGB
    darkness: Image.Image


def clean(
    image: Image.Image, small: Image.Image, *, trim: bool, transparent: bool
) -> tuple[Image.Image, tuple[str, ...]]:
    """Return the picture cleaned as far as that is safe, and what was done; ``small`` is its small copy on white."""
    done = []
    sheet = Sheet(image.size, small, ink.darkness(ink.smoothed(small, image.size)))
    paper = _paper(sheet)
    if paper is None:
        return image, ()
    if trim and (box := _ink_box(sheet, paper)):
        image = image.crop((box.left, box.top, box.right, box.bottom))
        done.append(TRIMMED)
    if transparent and (opaque := packed(image)).mode != "RGBA":
        image = _cleared(as_mode(opaque, "RGB"), paper)
        done.append(CLEARED)
    return image, tuple(done)


def _paper(sheet: Sheet) -> tuple[int, ...] | None:
    """Return the paper's colour (RGB), None where there is none that is near-white and even."""
    flat = sheet.darkness.point([255 * (level < ink.FAINT) for level in range(256)])
    bands = sheet.small.split()
    darkest = ImageChops.darker(ImageChops.darker(bands[0], bands[1]), bands[2])
    lightest = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
    around = sum(darkest.histogram(flat)[_WHITE:])
    if around < _LEAST_PAPER * flat.width * flat.height:
        return None
    white = ImageChops.multiply(flat, darkest.point([255 * (level >= _WHITE) for level in range(256)]))
    paper = tuple(_most_frequent(band.histogram(white)) for band in bands)
    grey = ImageChops.subtract(lightest, darkest).point([255 * (level < _GREY) for level in range(256)])
    lit = darkest.point([255 * (level >= _SHADOW) for level in range(256)])
    away_from_ink = ImageChops.invert(ink.beside(sheet.darkness))
    for condition in (grey, lit, away_from_ink):
        flat = ImageChops.multiply(flat, condition)
    shaded = sum(_away(bands, paper).histogram(flat)[_GRAIN:])
    return paper if shaded <= _STRAYS * around else None


def _away(bands: Sequence[Image.Image], paper: tuple[int, ...]) -> Image.Image:
    """Return by how many levels each point is darker than the paper, in the colour in which it is most (L)."""
    red, green, blue = (
        band.point([max(0, white - level) for level in range(256)])
        for band, white in zip(bands, paper, strict=True)
    )
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)


def _most_frequent(histogram: Sequence[int]) -> int:
    return max(range(256), key=histogram.__getitem__)


def _ink_box(sheet: Sheet, paper: tuple[int, ...]) -> ink.Box | None:
    """Return the rectangle that holds every stroke and a margin, in pixels; None where nothing is gained or certain."""
    strokes = [mark for mark in ink.marks(sheet.darkness) if not mark.is_speck]
    fading = ink.marks(sheet.darkness, ink.FAINT)  # a stroke is followed to where it fades out
    whole = [mark for mark in fading if any(mark.box.meets(stroke.box) for stroke in strokes)]
    box = ink.bounds([*strokes, *whole])
    reach = box.grown(max(box.width, box.height) // _NEAR + 1)
    box = ink.bounds([*strokes, *(mark for mark in fading if mark.box.meets(reach))])
    side = ink.cell_side(sheet.small.size)
    around = ink.Box(*(place * side for place in (box.left, box.top, box.right, box.bottom)))
    margin = max(around.width, around.height) // _MARGIN + side
    if not _is_paper(sheet.small, around.grown(margin), paper):
        return None
    return _worth_it(around.grown(margin), ink.step(sheet.size), sheet.size)


def _is_paper(small: Image.Image, box: ink.Box, paper: tuple[int, ...]) -> bool:
    """Tell whether what would be cut away is paper and a little dust."""
    outside = Image.new("L", small.size, 255)
    outside.paste(0, (max(box.left, 0), max(box.top, 0), box.right, box.bottom))
    darker = _away(small.split(), paper).histogram(outside)
    return sum(darker[_GRAIN:]) <= _STRAYS * sum(darker)


def _worth_it(box: ink.Box, step: int, size: tuple[int, int]) -> ink.Box | None:
    """Return a rectangle of the small copy in pixels of the picture, no side below the least; None if little is cut."""
    left, right = _within(box.left * step, box.right * step, size[0])
    top, bottom = _within(box.top * step, box.bottom * step, size[1])
    kept = (right - left) * (bottom - top)
    return ink.Box(left, top, right, bottom) if kept <= (1 - _LEAST_CUT) * size[0] * size[1] else None


def _within(start: int, end: int, length: int) -> tuple[int, int]:
    missing = max(0, MIN_SIDE - (end - start))
    start, end = max(0, start - (missing + 1) // 2), min(length, end + (missing + 1) // 2)
    return max(0, min(start, end - MIN_SIDE)), min(length, max(end, start + MIN_SIDE))


def _cleared(image: Image.Image, paper: tuple[int, ...]) -> Image.Image:
    """Return the picture (RGB) with its paper taken out: on white it looks as before, elsewhere it has no white rim.

    A point is ink over paper: colour = opacity x ink + (1 - opacity) x paper. Opacity is how much darker than the paper
    the point is, against how dark the ink's core is; what is left of the colour is the ink's.
    """
    bands = image.split()
    darker = _away(bands, paper)
    core = _core(darker.histogram())
    opacity = darker.point([_opacity(level, core) for level in range(256)])
    clear = ImageChops.invert(opacity)
    inks = [
        ImageChops.subtract(band, clear.point([level * white // 255 for level in range(256)]))
        for band, white in zip(bands, paper, strict=True)
    ]
    return Image.merge("RGBa", (*inks, opacity)).convert("RGBA")


def _core(histogram: Sequence[int]) -> int:
    """Return how many levels below the paper's the ink's solid part begins."""
    inked = sum(histogram[_GRAIN:])
    seen = 0
    for level in range(_GRAIN, 256):
        seen += histogram[level]
        if seen >= _CORE * inked:
            return max(level, _GRAIN + 1)
    return 255


def _opacity(level: int, core: int) -> int:
    return min(255, max(0, round(255 * (level - _GRAIN) / (core - _GRAIN))))
