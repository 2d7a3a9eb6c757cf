"""One walk over a picture's pixels: their digest, and the small copy on white that the judgement of its ink needs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from PIL import Image

from pipeline.intake.image import ink

PLAIN = ("L", "RGB")  # modes that are made smaller as they are: grey costs a third
_STRIP = 1_000_000  # pixels looked at together: what a large picture costs in memory beside itself


@dataclass(frozen=True, slots=True)
class Look:
    """What a walk over a picture found."""

    pixels: str  # digest over size and premultiplied RGBA, in which all fully transparent points are equal
    small: Image.Image  # on white, RGB, one pixel for `ink.step` squared

    def is_blank(self, size: tuple[int, int]) -> bool:
        """Tell whether there is nothing to see on white paper."""
        return ink.is_blank(ink.marks(ink.darkness(ink.smoothed(self.small, size))))


def look(image: Image.Image) -> Look:
    """Walk over a picture in strips."""
    width, height = image.size
    digest = hashlib.sha256(f"{width}x{height}:".encode())
    step = ink.step(image.size)
    small = Image.new("RGB", (-(-width // step), -(-height // step)))
    rows = max(1, _STRIP // (width * step)) * step
    see_through = image.has_transparency_data
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height)))
        clear = strip.convert("RGBA")
        digest.update((clear.convert("RGBa") if see_through else clear).tobytes())
        opaque = on_white(clear) if see_through else (strip if strip.mode in PLAIN else clear.convert("RGB"))
        small.paste((opaque.reduce(step) if step > 1 else opaque).convert("RGB"), (0, top // step))
    return Look(digest.hexdigest(), small)


def on_white(image: Image.Image) -> Image.Image:
    """Return an RGBA picture as it looks on white paper (RGB)."""
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, image).convert("RGB")
