"""The bytes that will be sent: the file's own where it needs nothing, else the best encoding within the limit."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from pipeline.intake.images.colour import to_srgb
from pipeline.intake.images.decode import FRAMES, TRAILING_BYTES, DecodedImage, ImageRefused
from pipeline.intake.images.format_fixes import STRAY_BYTES

MIN_SIDE = 20  # pixels: a Han character needs some 16 to be told from others, and a seal has an edge
LEGIBLE_SIDE = 600  # pixels of the longer side: no picture is scaled below it to save bytes

_SCALES = (1.0, 0.75, 0.5, 0.375, 0.25)
_QUALITIES = (92, 80)


@dataclass(frozen=True, slots=True)
class Encoded:
    """The bytes to send, and the size of the picture in them."""

    payload: bytes
    format: Literal["PNG", "JPEG"]
    width: int
    height: int
    faithful: bool = True  # nothing was given up to save bytes


def fit(data: bytes, decoded: DecodedImage, limit: int) -> Encoded:
    """Return the bytes to send, at most ``limit`` of them. Raises ImageRefused where no legible encoding is that small."""
    width, height = decoded.image.size
    own = own_bytes(data, decoded)
    if own is not None and len(own) <= limit:
        return Encoded(own, "JPEG" if decoded.kind == "JPEG" else "PNG", width, height)
    for encoded in _encodings(decoded):
        if len(encoded.payload) <= limit:
            return encoded
    raise ImageRefused("IMAGE_TOO_LARGE", found=size_of(len(data)), limit=size_of(limit))


def save(image: Image.Image, form: Literal["PNG", "JPEG"], *, quality: int = 95, effort: int = 6) -> bytes:
    """Encode without metadata; JPEG with full colour resolution, since a red stroke on white is colour alone.

    ``quality`` is of a JPEG, ``effort`` (0–9) of a PNG.
    """
    buffer = io.BytesIO()
    if form == "PNG":
        image.save(buffer, "PNG", compress_level=effort, icc_profile=None, exif=b"")
    else:
        image.save(buffer, "JPEG", quality=quality, subsampling=0, icc_profile=None, exif=b"", comment=b"")
    return buffer.getvalue()


def size_of(count: int) -> str:
    """Return a number of bytes as a person writes it."""
    return f"{count / 1_000_000:.1f} MB" if count >= 1_000_000 else f"{count / 1000:.1f} KB"


def own_bytes(data: bytes, decoded: DecodedImage) -> bytes | None:
    """Return the file, or its part, that can be sent without decoding: no bit of the picture changes."""
    removable = {TRAILING_BYTES, FRAMES, STRAY_BYTES} if decoded.kind == "JPEG" else {TRAILING_BYTES}
    if not decoded.flaws:
        return data
    return decoded.picture if removable.issuperset(decoded.flaws) else None


def _encodings(decoded: DecodedImage) -> Iterator[Encoded]:
    """Yield encodings from the most faithful to the smallest that still shows every stroke.

    A picture with transparency stays PNG and is scaled; an opaque one becomes a JPEG of lower quality, then scaled.
    """
    image = packed(decoded.image)
    first: Literal["PNG", "JPEG"] = "JPEG" if decoded.kind == "JPEG" and image.mode != "RGBA" else "PNG"
    yield Encoded(save(image, first), first, *image.size)
    for scale in _SCALES:
        size = (round(image.width * scale), round(image.height * scale))
        if scale < 1 and (max(size) < LEGIBLE_SIDE or min(size) < MIN_SIDE):
            return
        scaled = image if scale == 1 else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
        if image.mode == "RGBA":
            if scale < 1:
                yield Encoded(save(scaled, "PNG"), "PNG", *size, faithful=False)
            continue
        for quality in _QUALITIES:
            yield Encoded(save(scaled, "JPEG", quality=quality), "JPEG", *size, faithful=False)


def packed(image: Image.Image) -> Image.Image:
    """Return the picture in sRGB, as RGBA where something shows through, else as RGB or L, without metadata."""
    if image.has_transparency_data:
        clear = as_mode(image, "RGBA")
        if clear.getchannel("A").getextrema() != (255, 255):
            return to_srgb(clear)
    if image.mode in ("1", "L"):
        return to_srgb(as_mode(image, "L"))
    return as_mode(to_srgb(image if image.mode in ("RGB", "CMYK") else image.convert("RGB")), "RGB")


def as_mode(image: Image.Image, mode: str) -> Image.Image:
    """Return the picture in a mode, itself if it is: a copy of a large one would cost as much again."""
    return image if image.mode == mode else image.convert(mode)
