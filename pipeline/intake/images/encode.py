"""The bytes that will be sent: the file's own where it needs nothing, else one encoding of its pixels.

Only where that is over the limit of the service, the picture is made smaller, once.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageChops, ImageCms

from pipeline.domain.roster import format_size
from pipeline.intake.images import ink
from pipeline.intake.images.decode import FRAMES, TRAILING_BYTES, DecodedImage, decode_encoded
from pipeline.intake.images.formats import STRAY_BYTES
from pipeline.intake.images.image_files import ImageRefused
from pipeline.intake.images.ink import ImageScan, SmallCopy, make_small_copy, scan_image

MIN_SIDE = 20  # pixels: a Han character needs some 16 to be recognized, and a seal has an edge
SCALED_SIDE = 2_048  # pixels of the longer side of a picture that is made smaller

_CELL = 8  # pixels each way, as the blocks of a JPEG; more in a picture that is made small by more
# levels of 255 by which a cell may differ: JPEG of quality 80 made 13 of colours at their strongest, a stroke of a point
# across a cell makes 25
_MOST_DIFFERENCE = 16

_SRGB_GAMMA = 0.45455  # PNG 3rd edition, 11.3.2.2
_CLOSE = 0.05  # share by which a gamma may differ and still look the same

EncodedFormat = Literal["PNG", "JPEG"]


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """The bytes to send, and the picture in them."""

    payload: bytes
    format: EncodedFormat
    image: Image.Image  # decoded from these bytes
    copy: SmallCopy  # of ``image``


def fit_image(decoded: DecodedImage, scan: ImageScan, limit: int) -> EncodedImage:
    """Return the bytes to send, at most ``limit`` of them; ``scan`` is that of the decoded picture.

    What was encoded is decoded again and compared: with the decoded picture, or with its colours in sRGB where they had
    to be converted. Raises ImageRefused where it shows something else, or is over the limit at `SCALED_SIDE` as well.
    """
    own = get_own_bytes(decoded)
    if own is not None and len(own) <= limit:
        return EncodedImage(own, "JPEG" if decoded.kind == "JPEG" else "PNG", decoded.image, scan)
    image = convert_to_srgb(decoded.image)
    form: EncodedFormat = "JPEG" if decoded.kind == "JPEG" and image.mode != "RGBA" else "PNG"
    payload = encode_image(image, form)
    if len(payload) > limit and max(image.size) > SCALED_SIDE:
        form = "PNG" if image.mode == "RGBA" else "JPEG"
        payload = encode_image(_scale_down(image), form)
    if len(payload) > limit:
        raise ImageRefused("IMAGE_TOO_LARGE", found=format_size(len(decoded.data)), limit=format_size(limit))
    sent = decode_encoded(payload, form)
    copy = require_same_look(image, sent, form, scan if image is decoded.image else None)
    return EncodedImage(payload, form, sent, copy)


def _scale_down(image: Image.Image) -> Image.Image:
    scale = SCALED_SIDE / max(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


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
