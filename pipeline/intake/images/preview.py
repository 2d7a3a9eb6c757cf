"""Small copies of what is sent, for people to look at, kept in a folder: an unchanged picture is not opened again.

A file is named by the sha256 of the picture's own bytes. Its first line holds the sha256 of the bytes that are shown, the
hints and the length of the PNG that follows, for the workbook; the rest is a JPEG, for the review.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from PIL import Image, ImageChops

from pipeline.domain.roster import ImagePreview
from pipeline.errors import NotReadNow
from pipeline.intake.images.decode import OF_COLOUR
from pipeline.intake.images.encode import convert_mode, convert_to_srgb, encode_image
from pipeline.intake.images.image_files import read_regular_file, replace_file
from pipeline.intake.images.ink import (
    SmallCopy,
    compute_darkest,
    compute_lightest,
    get_step,
    mask_below,
    measure_darkness,
    reduce_image,
)

SIDE = 256  # pixels: sharp at the size of a card, some 8 KB, 3,000 of them in one page
THUMBNAIL = 96  # pixels
_SHARP = 192  # pixels: a copy that was made for another purpose serves if it is so large

_QUALITY = 85
_EFFORT = 2  # of 9, for a thumbnail: more takes twice as long and saves nothing
_COLOURS = 32  # of a thumbnail: a quarter of the bytes, in a workbook that may hold 2,000 of them
_GREYS = [level // 8 * 8 for level in range(256)]
_DIGITS = 64  # of a sha256
_FAINT = 60  # levels of 255 between ink and paper; a red seal has 200, a pencil 90
_WHITE = 238  # level above which a point is paper
# levels between the strongest and the weakest colour of a point that is paper in a shadow, and no ink
_GREY = 48
_EDGE = 0.6  # share of such points around the edge that makes a photo


def make_preview(image: Image.Image, copy: SmallCopy) -> ImagePreview:
    """Return the small copy of a decoded picture, as it looks on white paper; ``copy`` is that of `ink`."""
    paper = _make_paper(image, copy)
    is_measured = paper is copy.small and get_step(copy.size) > 1  # and so not smoothed
    darkness = copy.darkness if is_measured else measure_darkness(paper)
    hints = tuple(_list_hints(paper, darkness))
    thumbnail = paper.copy()  # ``paper`` is the given picture itself where that is small and opaque
    thumbnail.thumbnail((THUMBNAIL, THUMBNAIL), reducing_gap=1.0)
    if thumbnail.mode == "L":
        thumbnail = thumbnail.point(_GREYS)
    else:
        thumbnail = thumbnail.quantize(_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    return ImagePreview(
        encode_image(paper, "JPEG", quality=_QUALITY), hints, encode_image(thumbnail, "PNG", effort=_EFFORT)
    )


def _make_paper(image: Image.Image, copy: SmallCopy) -> Image.Image:
    """Return the picture at most SIDE large, on white (L or RGB).

    Steps whose cost grows with the pixels come after the reduction by whole steps: colours, then the exact size.
    """
    small = copy.small
    if max(small.size) < min(_SHARP, max(image.size)):
        small = reduce_image(image, max(1, max(image.size) // SIDE))
    if any(name in image.info for name in OF_COLOUR):
        # a profile of a picture in colours is applied to its grey as well
        small = small.copy() if image.mode == "L" else small.convert("RGB")
        small.info.update(image.info)
        small = convert_to_srgb(small)
    scale = SIDE / max(image.size)
    if scale < 1 and max(small.size) > SIDE:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        small = small.resize(size, Image.Resampling.BICUBIC)
    return small if small.mode == "L" else convert_mode(small, "RGB")


def write_preview(sha256: str, shown: str, preview: ImagePreview, folder: Path) -> None:
    """Keep the small copy of a picture, if the disk takes it: a run goes on without it.

    ``sha256`` is the digest of the picture's own bytes, ``shown`` that of the bytes of which the copy was made.
    """
    first = " ".join((shown, *preview.hints, str(len(preview.thumbnail)))).encode("ascii")
    with suppress(OSError):
        replace_file(folder / sha256, first + b"\n" + preview.thumbnail + preview.data)


def read_preview(sha256: str, folder: Path) -> tuple[str, ImagePreview] | None:
    """Return the small copy that is kept of a picture, after the digest of the bytes of which it was made."""
    try:
        first, _, rest = read_regular_file(folder / sha256).partition(b"\n")
    except (NotReadNow, OSError):
        return None
    shown, *hints, length = first.decode("ascii", "replace").split() if b" " in first else ("", "")
    size = int(length) if length.isdecimal() else 0
    if len(shown) != _DIGITS or not (
        size and rest.startswith(b"\x89PNG") and rest.startswith(b"\xff\xd8", size)
    ):
        return None  # half a file, or of an earlier version: it shows the file, and not what is sent
    return shown, ImagePreview(rest[size:], tuple(hints), rest[:size])


def _list_hints(paper: Image.Image, darkness: Image.Image) -> list[str]:
    hints = []
    strongest = darkness.getextrema()[1]
    assert isinstance(strongest, (int, float))
    if strongest < _FAINT:
        hints.append("faint")
    edge = _cut_edge(paper)
    lightest = compute_lightest(edge)
    spread = ImageChops.subtract(lightest, compute_darkest(edge))
    grey = ImageChops.multiply(mask_below(_WHITE, lightest), mask_below(_GREY, spread))
    if grey.histogram()[255] > _EDGE * edge.width:
        hints.append("photo")
    return hints


def _cut_edge(paper: Image.Image) -> Image.Image:
    """Return the points along the four sides, in one line."""
    width, height = paper.size
    top, bottom = (0, 0, width, 1), (0, height - 1, width, height)
    sides = (top, bottom, (0, 0, 1, height), (width - 1, 0, width, height))
    points = b"".join(paper.crop(side).tobytes() for side in sides)
    return Image.frombytes(paper.mode, (2 * (width + height), 1), points)
