"""HEIC, the picture of Apple's telephones, read with the extra ``heic`` (pillow-heif); without it, refused by name.

libheif turns and mirrors as the file asks, so no EXIF turn is left to apply. Of several pictures the primary is taken.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable

from PIL import Image

from pipeline.intake.images.file_structure import Damaged


def is_installed() -> bool:
    """Tell whether the extra is there."""
    return importlib.util.find_spec("pillow_heif") is not None


def read(data: bytes, require_size: Callable[[int, int], None]) -> tuple[Image.Image, bool]:
    """Return the primary picture, eight bits a channel, and whether there are others; its size is judged first.

    Raises Damaged, and whatever ``require_size(width, height)`` raises.
    """
    import pillow_heif  # noqa: PLC0415 -- an extra: only who has such a picture needs it

    faults = (OSError, ValueError, EOFError, SyntaxError, RuntimeError)  # all that pillow_heif says it raises
    try:
        opened = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
        primary = opened[opened.primary_index]
    except faults:
        raise Damaged("cannot be decoded") from None
    require_size(*primary.size)
    try:
        picture: Image.Image = primary.to_pillow()
    except faults:
        raise Damaged("cannot be decoded") from None
    require_size(*picture.size)
    profile = picture.info.get("icc_profile")
    picture.info = {"icc_profile": profile} if profile else {}
    return picture, len(opened) > 1
