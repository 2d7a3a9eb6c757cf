"""The bytes that will be sent: the file's own where it needs nothing, else the best encoding within the limit."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageCms

from pipeline.intake.images.decode import FRAMES, TRAILING_BYTES, DecodedImage
from pipeline.intake.images.format_fixes import STRAY_BYTES
from pipeline.intake.images.image_files import ImageRefused, format_size

MIN_SIDE = 20  # pixels: a Han character needs some 16 to be recognized, and a seal has an edge
LEGIBLE_SIDE = 600  # pixels of the longer side: no picture is scaled below it to save bytes

_SCALES = (1.0, 0.75, 0.5, 0.375, 0.25)
_QUALITIES = (92, 80)
_SRGB_GAMMA = 0.45455  # PNG 3rd edition, 11.3.2.2
_CLOSE = 0.05  # share by which a gamma may differ and still look the same

EncodedFormat = Literal["PNG", "JPEG"]


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """The bytes to send, and the size of the picture in them."""

    payload: bytes
    format: EncodedFormat
    width: int
    height: int
    is_faithful: bool = True  # nothing was given up to save bytes


def fit_image(decoded: DecodedImage, limit: int) -> EncodedImage:
    """Return the bytes to send, at most ``limit`` of them. Raises ImageRefused where no legible encoding is that small."""
    own = get_own_bytes(decoded)
    if own is not None and len(own) <= limit:
        return EncodedImage(own, "JPEG" if decoded.kind == "JPEG" else "PNG", *decoded.image.size)
    for encoded in _generate_encodings(decoded):
        if len(encoded.payload) <= limit:
            return encoded
    raise ImageRefused("IMAGE_TOO_LARGE", found=format_size(len(decoded.data)), limit=format_size(limit))


def get_own_bytes(decoded: DecodedImage) -> bytes | None:
    """Return the file, or its part, that can be sent without decoding: no bit of the picture changes."""
    if not decoded.flaws:
        return decoded.data
    removable = {TRAILING_BYTES, FRAMES, STRAY_BYTES} if decoded.kind == "JPEG" else {TRAILING_BYTES}
    return decoded.picture if removable.issuperset(decoded.flaws) else None


def _generate_encodings(decoded: DecodedImage) -> Iterator[EncodedImage]:
    """Yield encodings from the most faithful to the smallest that still shows every stroke.

    A picture with transparency stays PNG and is scaled; an opaque one becomes a JPEG of lower quality, then scaled.
    """
    image = normalize_mode(decoded.image)
    first: EncodedFormat = "JPEG" if decoded.kind == "JPEG" and image.mode != "RGBA" else "PNG"
    yield EncodedImage(encode_image(image, first), first, *image.size)
    for scale in _SCALES:
        size = (round(image.width * scale), round(image.height * scale))
        if scale < 1 and (max(size) < LEGIBLE_SIDE or min(size) < MIN_SIDE):
            return
        scaled = image if scale == 1 else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
        if image.mode == "RGBA":
            if scale < 1:
                yield EncodedImage(encode_image(scaled, "PNG"), "PNG", *size, is_faithful=False)
            continue
        for quality in _QUALITIES:
            payload = encode_image(scaled, "JPEG", quality=quality)
            yield EncodedImage(payload, "JPEG", *size, is_faithful=False)


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


def normalize_mode(image: Image.Image) -> Image.Image:
    """Return the picture in sRGB, as RGBA where something shows through, else as RGB or L, without metadata."""
    if image.has_transparency_data:
        clear = convert_mode(image, "RGBA")
        if clear.getchannel("A").getextrema() != (255, 255):
            return convert_to_srgb(clear)
    if image.mode in ("1", "L"):
        return convert_to_srgb(convert_mode(image, "L"))
    coloured = image if image.mode in ("RGB", "CMYK") else image.convert("RGB")
    return convert_mode(convert_to_srgb(coloured), "RGB")


def convert_mode(image: Image.Image, mode: str) -> Image.Image:
    """Return the picture in a mode, itself if it is: a copy of a large one would cost as much again."""
    return image if image.mode == mode else image.convert(mode)


def convert_to_srgb(image: Image.Image) -> Image.Image:
    """Return the picture in sRGB: through its ICC profile, else its PNG gamma, else as it is.

    A profile that is broken, or of another colour model than the picture, is ignored as every viewer does.
    """
    profile, gamma = image.info.get("icc_profile"), image.info.get("gamma")
    if isinstance(profile, bytes) and image.mode in ("RGB", "RGBA", "CMYK"):
        return _apply_profile(image, profile)
    if isinstance(gamma, float) and gamma > 0 and "srgb" not in image.info and image.mode in ("L", "RGB"):
        power = _SRGB_GAMMA / gamma
        if abs(power - 1) > _CLOSE:
            table = [round(255 * (level / 255) ** power) for level in range(256)]
            return image.point(table * len(image.getbands()))
    return image


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
