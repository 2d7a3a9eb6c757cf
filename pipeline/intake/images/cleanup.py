"""The optional clean-up of a picture: paper around the ink cut away, paper made clear (config ``pictures``).

Both are done only where the paper is near-white and even. A photo with a shadow on its paper is left as it is: a
stroke that is cut or bleached is worse than paper that is seen.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageChops

from pipeline.intake.images import ink
from pipeline.intake.images.encode import MIN_SIDE, convert_mode, normalize_mode
from pipeline.messages.texts import make_text

TRIMMED = make_text("image.trimmed")
CLEARED = make_text("image.transparent")

_WHITE = 225  # of 255: paper is at least so light in every colour
_LEAST_PAPER = 0.02  # share of the picture: less is no paper
_DUST = 0.005  # share of the paper that may be otherwise: dust, the rim of a scan
_SHADOW = 90  # a grey lighter than this that is flat is no ink
_GREY = 40  # levels between the colours of what may be a shadow
_NEAR = 6  # the part of the ink's longer side within which a speck is a piece of it: a sixth
_MARGIN = 25  # the part of the ink's longer side that is kept around it: 4 %
_LEAST_CUT = 0.05  # share of the picture: less is not worth a new file
_GRAIN = 20  # levels below the paper's that are still paper: its own, and JPEG's noise around strokes
_CORE = 0.8  # of the ink's points, counted from the lightest: from here on ink lets nothing through


def clean_image(
    image: Image.Image, small: Image.Image, *, trim: bool, transparent: bool
) -> tuple[Image.Image, tuple[str, ...]]:
    """Return the picture cleaned as far as that is safe, and what was done; ``small`` is its small copy on white."""
    changes = []
    darkness = ink.measure_darkness(ink.smooth(small, image.size))
    paper = _find_paper_colour(small, darkness)
    if paper is None:
        return image, ()
    if trim and (box := _find_ink_box(image.size, small, darkness, paper)):
        image = image.crop((box.x0, box.y0, box.x1, box.y1))
        changes.append(TRIMMED)
    if transparent and (opaque := normalize_mode(image)).mode != "RGBA":
        image = _clear_paper(convert_mode(opaque, "RGB"), paper)
        changes.append(CLEARED)
    return image, tuple(changes)


def _find_paper_colour(small: Image.Image, darkness: Image.Image) -> tuple[int, ...] | None:
    """Return the paper's colour (RGB), None where there is none that is near-white and even."""
    flat = darkness.point([255 * (level < ink.FAINT) for level in range(256)])
    bands = small.split()
    darkest = ImageChops.darker(ImageChops.darker(bands[0], bands[1]), bands[2])
    lightest = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
    paper_points = sum(darkest.histogram(flat)[_WHITE:])
    if paper_points < _LEAST_PAPER * flat.width * flat.height:
        return None
    white = ImageChops.multiply(flat, darkest.point([255 * (level >= _WHITE) for level in range(256)]))
    paper = tuple(_find_most_frequent(band.histogram(white)) for band in bands)
    grey = ImageChops.subtract(lightest, darkest).point([255 * (level < _GREY) for level in range(256)])
    lit = darkest.point([255 * (level >= _SHADOW) for level in range(256)])
    away_from_ink = ImageChops.invert(ink.mask_ink(darkness))
    for condition in (grey, lit, away_from_ink):
        flat = ImageChops.multiply(flat, condition)
    shaded = sum(_measure_distance(bands, paper).histogram(flat)[_GRAIN:])
    return paper if shaded <= _DUST * paper_points else None


def _measure_distance(bands: Sequence[Image.Image], paper: tuple[int, ...]) -> Image.Image:
    """Return by how many levels each point is darker than the paper, in the colour in which it is most (L)."""
    red, green, blue = (
        band.point([max(0, white - level) for level in range(256)])
        for band, white in zip(bands, paper, strict=True)
    )
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)


def _find_most_frequent(histogram: Sequence[int]) -> int:
    return max(range(256), key=histogram.__getitem__)


def _find_ink_box(
    size: tuple[int, int], small: Image.Image, darkness: Image.Image, paper: tuple[int, ...]
) -> ink.Box | None:
    """Return the rectangle that holds every stroke and a margin, in pixels; None where nothing is gained or certain."""
    strokes = [component for component in ink.find_components(darkness) if not component.is_speck]
    fading = ink.find_components(darkness, ink.FAINT)  # a stroke is followed to where it fades out
    whole = [one for one in fading if any(one.box.meets_box(stroke.box) for stroke in strokes)]
    box = ink.enclose_components([*strokes, *whole])
    reach = box.grow(max(box.width, box.height) // _NEAR + 1)
    box = ink.enclose_components([*strokes, *(one for one in fading if one.box.meets_box(reach))])
    side = ink.get_cell_side(small.size)
    inked = ink.Box(*(edge * side for edge in (box.x0, box.y0, box.x1, box.y1)))
    kept = inked.grow(max(inked.width, inked.height) // _MARGIN + side)
    if not _is_paper_outside(small, kept, paper):
        return None
    return _scale_box(kept, ink.get_step(size), size)


def _is_paper_outside(small: Image.Image, box: ink.Box, paper: tuple[int, ...]) -> bool:
    """Return whether what would be cut away is paper and a little dust."""
    outside = Image.new("L", small.size, 255)
    outside.paste(0, (max(box.x0, 0), max(box.y0, 0), box.x1, box.y1))
    darker = _measure_distance(small.split(), paper).histogram(outside)
    return sum(darker[_GRAIN:]) <= _DUST * sum(darker)


def _scale_box(box: ink.Box, step: int, size: tuple[int, int]) -> ink.Box | None:
    """Return a rectangle of the small copy in pixels of the picture, no side below the least; None if little is cut."""
    x0, x1 = _fit_side(box.x0 * step, box.x1 * step, size[0])
    y0, y1 = _fit_side(box.y0 * step, box.y1 * step, size[1])
    kept = (x1 - x0) * (y1 - y0)
    return ink.Box(x0, y0, x1, y1) if kept <= (1 - _LEAST_CUT) * size[0] * size[1] else None


def _fit_side(start: int, end: int, length: int) -> tuple[int, int]:
    """Return the start and the end of a side that lies within the picture and is not below the least."""
    missing = max(0, MIN_SIDE - (end - start))
    start, end = max(0, start - (missing + 1) // 2), min(length, end + (missing + 1) // 2)
    return max(0, min(start, end - MIN_SIDE)), min(length, max(end, start + MIN_SIDE))


def _clear_paper(image: Image.Image, paper: tuple[int, ...]) -> Image.Image:
    """Return the picture (RGB) with its paper taken out: on white it looks as before, elsewhere it has no white rim.

    A point is ink over paper: colour = opacity x ink + (1 - opacity) x paper. Opacity is how much darker than the paper
    the point is, against how dark the ink's core is; the rest of the colour is the ink's.
    """
    bands = image.split()
    darker = _measure_distance(bands, paper)
    core = _find_core(darker.histogram())
    opacity = darker.point([_get_opacity(level, core) for level in range(256)])
    clear = ImageChops.invert(opacity)
    inks = [
        ImageChops.subtract(band, clear.point([level * white // 255 for level in range(256)]))
        for band, white in zip(bands, paper, strict=True)
    ]
    return Image.merge("RGBa", (*inks, opacity)).convert("RGBA")


def _find_core(histogram: Sequence[int]) -> int:
    """Return how many levels below the paper's the ink's solid part begins."""
    inked = sum(histogram[_GRAIN:])
    seen = 0
    for level in range(_GRAIN, 256):
        seen += histogram[level]
        if seen >= _CORE * inked:
            return max(level, _GRAIN + 1)
    return 255


def _get_opacity(level: int, core: int) -> int:
    return min(255, max(0, round(255 * (level - _GRAIN) / (core - _GRAIN))))
