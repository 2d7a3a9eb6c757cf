"""Each doctor's picture: a small drawing with a code of its own, so that what arrives can be told by its pixels.

A name in the sample font is for human eyes; the blocks under it are what differs: two pictures of one corpus differ
in at least six of 48 blocks. Comparing flattens on white and allows for what JPEG and palettes do to edges.
"""

import hashlib
import io
from functools import cache
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFont

SIZE = (160, 76)
INKS = ((196, 30, 38), (28, 58, 140), (26, 26, 30))
_FONT = Path(__file__).parents[2] / "sample_data" / "font" / "EsignSampleSong-Bold-subset.otf"
_ACROSS, _DOWN, _BLOCK = 12, 4, (12, 9)
_CONTRAST = 90  # of 255 levels: less is what an encoder does
_SAME = 0.02  # share of points that may differ; six blocks are 5 %
_LOSS = 12.0  # levels of the mean difference that JPEG, WEBP or HEIC may bring where they halve the colours


@cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FONT, 26)


def draw(seed: int, serial: int, name: str) -> Image.Image:
    """Return the doctor's picture: RGB on white."""
    digest = hashlib.blake2b(f"{seed}:{serial}".encode(), digest_size=6).digest()
    bits = int.from_bytes(digest, "big")
    ink = INKS[serial % len(INKS)]
    sheet = Image.new("RGB", SIZE, "white")
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((1, 1, SIZE[0] - 2, SIZE[1] - 2), outline=ink, width=2)
    pen.text((8, 4), name[:6], ink, _font())
    for block in range(_ACROSS * _DOWN):
        if bits >> block & 1:
            left_edge, top = 8 + block % _ACROSS * _BLOCK[0], 36 + block // _ACROSS * _BLOCK[1]
            pen.rectangle((left_edge, top, left_edge + _BLOCK[0] - 2, top + _BLOCK[1] - 2), fill=ink)
    return sheet


def flatten(image: Image.Image) -> Image.Image:
    """Return the picture on white paper, as a person would see it."""
    if image.mode == "CMYK":
        return image.convert("RGB")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def decode(data: bytes) -> Image.Image:
    """Return the picture that these bytes are, flattened."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return flatten(image)


def same(arrived: Image.Image, expected: Image.Image) -> bool:
    """Tell whether two flattened pictures show the same drawing."""
    if arrived.size != expected.size:
        shape = abs(arrived.width * expected.height - arrived.height * expected.width)
        if shape > 0.03 * arrived.width * expected.height:
            return False
        arrived = arrived.resize(expected.size, Image.Resampling.LANCZOS)
    channels = ImageChops.difference(arrived, expected).split()
    differs = ImageChops.lighter(ImageChops.lighter(channels[0], channels[1]), channels[2])
    loud = sum(differs.histogram()[_CONTRAST:])
    return loud <= _SAME * expected.width * expected.height


def faithful(arrived: Image.Image, expected: Image.Image) -> bool:
    """Tell whether two flattened pictures have the same size and, within an encoder's loss, the same points."""
    if arrived.size != expected.size:
        return False
    histogram = ImageChops.difference(arrived, expected).histogram()
    total = sum(level % 256 * count for level, count in enumerate(histogram))
    return total <= _LOSS * 3 * expected.width * expected.height


def png(image: Image.Image) -> bytes:
    """Return the picture as a plain PNG."""
    return save(image, "PNG")


def save(image: Image.Image, form: str, **options) -> bytes:
    """Encode a picture."""
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()
