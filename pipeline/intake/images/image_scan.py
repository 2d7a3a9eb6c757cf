"""One walk over a picture's pixels: their digest, and the small copy on white that the judgement of its ink needs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from PIL import Image, ImageChops

from pipeline.intake.images import ink

_PLAIN = ("L", "RGB")  # modes that are made smaller as they are: grey costs a third
_STRIP = 60_000  # pixels looked at together: few enough to stay in a processor's cache


@dataclass(frozen=True, slots=True)
class ImageScan:
    """What a walk over a picture found."""

    pixels: str  # digest over size and premultiplied RGBA, in which all fully transparent points are equal
    small: Image.Image  # on white, RGB, one pixel for `ink.step` squared

    def is_blank(self, size: tuple[int, int]) -> bool:
        """Tell whether there is nothing to see on white paper."""
        return ink.is_blank(ink.marks(ink.darkness(ink.smoothed(self.small, size))))


def scan_image(image: Image.Image) -> ImageScan:
    """Walk over a picture in strips."""
    width, height = image.size
    digest = hashlib.sha256(f"{width}x{height}:".encode())
    step = ink.step(image.size)
    small = Image.new("RGB", (-(-width // step), -(-height // step)))
    rows = max(1, _STRIP // (width * step)) * step
    for top in range(0, height, rows):
        strip = _plain(image.crop((0, top, width, min(top + rows, height))))
        digest.update((strip if strip.mode == "RGBa" else strip.convert("RGBA")).tobytes())
        small.paste(_reduced(strip, step).convert("RGB"), (0, top // step))
    return ImageScan(digest.hexdigest(), small)


def reduced(image: Image.Image, step: int) -> Image.Image:
    """Return a picture as it looks on white paper, a point for each ``step`` squared (L or RGB)."""
    return _reduced(_plain(image), step)


def on_white(image: Image.Image) -> Image.Image:
    """Return an RGBA picture, premultiplied or not, as it looks on white paper (RGB)."""
    *colours, opacity = (image if image.mode == "RGBa" else image.convert("RGBa")).split()
    paper = ImageChops.invert(opacity)  # what shows through
    return Image.merge("RGB", [ImageChops.add(colour, paper) for colour in colours])


def _plain(image: Image.Image) -> Image.Image:
    """Return a picture in L or RGB, or where something may show through premultiplied (RGBa)."""
    if image.has_transparency_data:
        return (image if image.mode == "RGBA" else image.convert("RGBA")).convert("RGBa")
    return image if image.mode in _PLAIN else image.convert("RGB")


def _reduced(plain: Image.Image, step: int) -> Image.Image:
    """Make a plain picture smaller; premultiplied its points may be averaged, and few are left to be put on paper."""
    fewer = plain.reduce(step) if step > 1 else plain
    return on_white(fewer) if fewer.mode == "RGBa" else fewer
