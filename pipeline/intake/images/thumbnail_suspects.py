"""Which pictures a version before sizes were recorded may have sent as thumbnails.

Making the small copy for the review shrank the image that was encoded next. This happened to an opaque RGB image with a
longer side of 97 to 256 pixels that had to be re-encoded, if no small copy of it was kept yet.
"""

from __future__ import annotations

from PIL import Image

from pipeline.intake.images.colour import to_srgb
from pipeline.intake.images.encoding import MIN_SIDE

_THUMBNAIL, _LARGEST = 96, 256  # pixels of the longer side


def may_be_shrunk(size: tuple[int, int]) -> bool:
    """Tell from the size in the file's header whether the image can be one of them; HEIC has none there."""
    return size == (0, 0) or _THUMBNAIL < max(size) <= _LARGEST


def thumbnail_size(image: Image.Image) -> tuple[int, int] | None:
    """Return the size to which a decoded image was shrunk; None where it was not."""
    concerned = image.mode == "RGB" and not image.has_transparency_data and may_be_shrunk(image.size)
    if not concerned or to_srgb(image) is not image:  # a conversion makes a new image
        return None
    thumbnail = image.copy()
    thumbnail.thumbnail((_THUMBNAIL, _THUMBNAIL), reducing_gap=1.0)
    # a smaller one was refused as too small; its small copy was kept, and the next run sent the picture whole
    return thumbnail.size if min(thumbnail.size) >= MIN_SIDE else None
