"""The bytes that will be sent: the file's own where it needs nothing, else the best encoding within the limit.

Before that comes the optional clean-up (config ``pictures``): paper around the ink cut away, paper made clear. Both are
done only where the paper is near-white and even. A photo with a shadow on its paper is left as it is: a stroke that is
cut or bleached is worse than paper that is seen.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal

from PIL import Image, ImageChops, ImageCms

from pipeline.domain.roster import format_size
from pipeline.intake.images import ink
from pipeline.intake.images.decode import FRAMES, TRAILING_BYTES, DecodedImage, decode_encoded
from pipeline.intake.images.formats import STRAY_BYTES
from pipeline.intake.images.image_files import ImageRefused
from pipeline.intake.images.ink import ImageScan, SmallCopy, make_small_copy, scan_image
from pipeline.messages.catalogue import make_message

MIN_SIDE = 20  # pixels: a Han character needs some 16 to be recognized, and a seal has an edge
LEGIBLE_SIDE = 600  # pixels of the longer side: no picture is scaled below it to save bytes

_CELL = 8  # pixels each way, as the blocks of a JPEG; more in a picture that is made small by more
# levels of 255 by which a cell may differ: JPEG of the lowest quality made 13 of colours at their strongest, a stroke of a
# point across a cell makes 25
_MOST_DIFFERENCE = 16

_SCALES = (1.0, 0.75, 0.5, 0.375, 0.25)
_QUALITIES = (92, 80)
_SRGB_GAMMA = 0.45455  # PNG 3rd edition, 11.3.2.2
_CLOSE = 0.05  # share by which a gamma may differ and still look the same

TRIMMED = make_message("image.trimmed")
CLEARED = make_message("image.transparent")

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

EncodedFormat = Literal["PNG", "JPEG"]


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """The bytes to send, and the picture in them."""

    payload: bytes
    format: EncodedFormat
    image: Image.Image  # decoded from these bytes
    copy: SmallCopy  # of ``image``
    is_faithful: bool = True  # nothing was given up to save bytes


def fit_image(decoded: DecodedImage, scan: ImageScan, limit: int) -> EncodedImage:
    """Return the bytes to send, at most ``limit`` of them; ``scan`` is that of the decoded picture.

    What was encoded is decoded again and compared: with the decoded picture, or with its colours in sRGB where they had
    to be converted. Raises ImageRefused where it shows something else, or where no legible encoding is small enough.
    """
    own = get_own_bytes(decoded)
    if own is not None and len(own) <= limit:
        return EncodedImage(own, "JPEG" if decoded.kind == "JPEG" else "PNG", decoded.image, scan)
    image = convert_to_srgb(decoded.image)
    for form, payload, is_faithful in _generate_encodings(image, decoded.kind):
        if len(payload) <= limit:
            sent = decode_encoded(payload, form)
            copy = require_same_look(image, sent, form, scan if image is decoded.image else None)
            return EncodedImage(payload, form, sent, copy, is_faithful)
    raise ImageRefused("IMAGE_TOO_LARGE", found=format_size(len(decoded.data)), limit=format_size(limit))


def get_own_bytes(decoded: DecodedImage) -> bytes | None:
    """Return the file, or its part, that can be sent without decoding: no bit of the picture changes."""
    if not decoded.flaws:
        return decoded.data
    removable = {TRAILING_BYTES, FRAMES, STRAY_BYTES} if decoded.kind == "JPEG" else {TRAILING_BYTES}
    return decoded.picture if removable.issuperset(decoded.flaws) else None


def require_same_look(
    given: Image.Image, sent: Image.Image, form: EncodedFormat, scan: ImageScan | None = None
) -> SmallCopy:
    """Return the small copy of an encoded picture, raise ImageRefused where it does not show the picture that was given.

    A PNG of the same size has the same pixels. A JPEG, or a scaled picture, is compared on white paper by the means of
    cells: an encoder moves levels from point to point, a stroke that is lost is missing in its cell. ``scan`` is that of
    ``given``, if it was made.
    """
    copy: SmallCopy
    if form == "PNG" and sent.size == given.size:
        copy = scan_of_sent = scan_image(sent)
        is_same = scan_of_sent.pixels == (scan or scan_image(given)).pixels
    else:
        copy = make_small_copy(sent)
        if sent.size != given.size:
            given, scan = given.resize(sent.size, Image.Resampling.LANCZOS), None
        is_same = _measure_difference(scan or make_small_copy(given), copy) <= _MOST_DIFFERENCE
    if not is_same:
        raise ImageRefused("IMAGE_CORRUPT", differs=form)
    return copy


def _measure_difference(one: SmallCopy, other: SmallCopy) -> int:
    """Return by how many levels two pictures of one size differ in the cell in which they differ most."""
    points = -(-_CELL // ink.get_step(one.size))
    cells = (copy.small.convert("RGB").reduce(points) for copy in (one, other))
    histogram = ImageChops.difference(*cells).histogram()
    return max(index % 256 for index, count in enumerate(histogram) if count)


def _generate_encodings(image: Image.Image, kind: str) -> Iterator[tuple[EncodedFormat, bytes, bool]]:
    """Yield encodings from the most faithful to the smallest that still shows every stroke, and whether it is faithful.

    A picture with transparency stays PNG and is scaled; an opaque one becomes a JPEG of lower quality, then scaled.
    """
    first: EncodedFormat = "JPEG" if kind == "JPEG" and image.mode != "RGBA" else "PNG"
    yield first, encode_image(image, first), True
    for scale in _SCALES:
        size = (round(image.width * scale), round(image.height * scale))
        if scale < 1 and (max(size) < LEGIBLE_SIDE or min(size) < MIN_SIDE):
            return
        scaled = image if scale == 1 else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
        if image.mode == "RGBA":
            if scale < 1:
                yield "PNG", encode_image(scaled, "PNG"), False
            continue
        for quality in _QUALITIES:
            yield "JPEG", encode_image(scaled, "JPEG", quality=quality), False


def encode_image(image: Image.Image, form: EncodedFormat, *, quality: int = 95, effort: int = 6) -> bytes:
    """Encode without metadata; JPEG with full colour resolution, since a red stroke on white is colour alone.

    ``quality`` is of a JPEG, ``effort`` (0–9) of a PNG.
    """
    buffer = io.BytesIO()
    if form == "PNG":
        image.save(buffer, "PNG", compress_level=effort, icc_profile=None, exif=b"")
    else:
        image.save(buffer, "JPEG", quality=quality, subsampling=0, icc_profile=None, exif=b"", comment=b"")
    return buffer.getvalue()


def convert_mode(image: Image.Image, mode: str) -> Image.Image:
    """Return the picture in a mode, itself if it is: a copy of a large one would cost as much again."""
    return image if image.mode == mode else image.convert(mode)


def convert_to_srgb(image: Image.Image) -> Image.Image:
    """Return a decoded picture in sRGB: through its ICC profile, else its PNG gamma, else as it is; CMYK as RGB.

    A profile that is broken, or of another colour model than the picture, is ignored as every viewer does.
    """
    profile, gamma = image.info.get("icc_profile"), image.info.get("gamma")
    if isinstance(profile, bytes) and image.mode in ("RGB", "RGBA", "CMYK"):
        image = _apply_profile(image, profile)
    elif isinstance(gamma, float) and gamma > 0 and "srgb" not in image.info and image.mode in ("L", "RGB"):
        power = _SRGB_GAMMA / gamma
        if abs(power - 1) > _CLOSE:
            table = [round(255 * (level / 255) ** power) for level in range(256)]
            image = image.point(table * len(image.getbands()))
    return image.convert("RGB") if image.mode == "CMYK" else image


def _apply_profile(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(own):
            return image
        target = "RGB" if image.mode == "CMYK" else image.mode
        changed = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode=target)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return changed or image


# --- clean-up


def clean_image(
    image: Image.Image, small: Image.Image, *, trim: bool, transparent: bool
) -> tuple[Image.Image, tuple[str, ...]]:
    """Return the picture after all safe cleaning steps, and their names; ``small`` is its small copy on white."""
    changes = []
    small = convert_mode(small, "RGB")
    darkness = ink.measure_darkness(ink.smooth(small, image.size))
    paper = _compute_paper_colour(small, darkness)
    if paper is None:
        return image, ()
    if trim and (box := _compute_ink_box(image.size, small, darkness, paper)):
        image = image.crop((box.x0, box.y0, box.x1, box.y1))
        changes.append(TRIMMED)
    if transparent and image.mode != "RGBA":
        image = _clear_paper(convert_mode(convert_to_srgb(image), "RGB"), paper)
        changes.append(CLEARED)
    return image, tuple(changes)


def _compute_paper_colour(small: Image.Image, darkness: Image.Image) -> tuple[int, ...] | None:
    """Return the paper's colour (RGB), None where there is none that is near-white and even."""
    flat = ink.mask_below(ink.FAINT, darkness)
    darkest = ink.compute_darkest(small)
    paper_points = sum(darkest.histogram(flat)[_WHITE:])
    if paper_points < _LEAST_PAPER * flat.width * flat.height:
        return None
    white = ImageChops.multiply(flat, ink.mask_from(_WHITE, darkest))
    paper = tuple(max(range(256), key=band.histogram(white).__getitem__) for band in small.split())
    grey = ink.mask_below(_GREY, ImageChops.subtract(ink.compute_lightest(small), darkest))
    lit = ink.mask_from(_SHADOW, darkest)
    away_from_ink = ImageChops.invert(ink.mask_ink(darkness))
    flat = reduce(ImageChops.multiply, (grey, lit, away_from_ink), flat)
    shaded = sum(_measure_distance(small, paper).histogram(flat)[_GRAIN:])
    return paper if shaded <= _DUST * paper_points else None


def _measure_distance(image: Image.Image, paper: tuple[int, ...]) -> Image.Image:
    """Return by how many levels each point is darker than the paper, in the colour in which it is most (L)."""
    return ink.compute_lightest(ImageChops.subtract(Image.new("RGB", image.size, paper), image))


def _compute_ink_box(
    size: tuple[int, int], small: Image.Image, darkness: Image.Image, paper: tuple[int, ...]
) -> ink.Box | None:
    """Return the rectangle that holds every stroke and a margin, in pixels; None where nothing is gained or certain."""
    strokes = [component for component in ink.list_components(darkness) if not component.is_speck]
    fading = ink.list_components(darkness, ink.FAINT)  # a stroke is followed to where it fades out
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
    darker = _measure_distance(small, paper).histogram(outside)
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
    darker = _measure_distance(image, paper)
    core = _compute_core(darker.histogram())
    opacity = darker.point([_get_opacity(level, core) for level in range(256)])
    clear = ImageChops.invert(opacity)
    inks = [
        ImageChops.subtract(band, clear.point([level * white // 255 for level in range(256)]))
        for band, white in zip(image.split(), paper, strict=True)
    ]
    return Image.merge("RGBa", (*inks, opacity)).convert("RGBA")


def _compute_core(histogram: Sequence[int]) -> int:
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
