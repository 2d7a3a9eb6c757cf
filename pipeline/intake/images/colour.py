"""A picture's own colours brought to sRGB, before it is written without the profile that explained them."""

from __future__ import annotations

import io

from PIL import Image, ImageCms

_SRGB_GAMMA = 0.45455  # PNG 3rd edition, 11.3.2.2
_CLOSE = 0.05  # share by which a gamma may differ and still look the same


def to_srgb(image: Image.Image) -> Image.Image:
    """Return the picture in sRGB: through its ICC profile, else its PNG gamma, else as it is.

    A profile that is broken, or of another colour model than the picture, is left aside as every viewer does.
    """
    profile, gamma = image.info.get("icc_profile"), image.info.get("gamma")
    if isinstance(profile, bytes) and image.mode in ("RGB", "RGBA", "CMYK"):
        return _through_profile(image, profile)
    if isinstance(gamma, float) and gamma > 0 and "srgb" not in image.info and image.mode in ("L", "RGB"):
        power = _SRGB_GAMMA / gamma
        if abs(power - 1) > _CLOSE:
            table = [round(255 * (level / 255) ** power) for level in range(256)]
            return image.point(table * len(image.getbands()))
    return image


def _through_profile(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(own):
            return image
        target = "RGB" if image.mode == "CMYK" else image.mode
        changed = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode=target)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return changed or image
