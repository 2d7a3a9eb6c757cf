"""Small copies of pictures for people to look at, kept on a shelf: an unchanged picture is not opened again.

A file is named by the sha256 of the picture's own bytes. Its first line holds the hints, the rest is WebP.
"""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

from PIL import Image

from pipeline.intake import pictures, spool
from pipeline.intake.image import ink
from pipeline.intake.image.appearance import on_white
from pipeline.intake.image.encoding import as_mode, packed
from pipeline.roster import Preview

SIDE = 256  # pixels: sharp at the size of a card, some 8 KB, 3,000 of them in one page

_QUALITY = 72
_FAINT = 60  # levels of 255 between ink and paper; a red seal has 200, a pencil 90
_WHITE = 225  # level above which a point is paper
_PAPER = 0.25  # share of white points below which a seal does not stand on paper …
_COLOURS = 150  # … if there are as many shades (5 bits a channel): a full-bleed drawing has a few


def make(image: Image.Image) -> Preview:
    """Return the small copy of an upright picture, as it looks on white paper."""
    small = as_mode(image, "RGBA") if image.has_transparency_data else packed(image)
    scale = SIDE / max(small.size)
    if scale < 1:
        size = (max(1, round(small.width * scale)), max(1, round(small.height * scale)))
        small = small.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    paper = on_white(small) if small.mode == "RGBA" else small.convert("RGB")
    buffer = io.BytesIO()
    paper.save(buffer, "WEBP", quality=_QUALITY, method=2, exif=b"", icc_profile=None)
    return Preview(buffer.getvalue(), tuple(_hints(paper)))


def stored(sha256: str, shelf: Path) -> Preview | None:
    """Return the small copy that was kept of a picture, or None."""
    try:
        first, _, webp = pictures.read(shelf / sha256).partition(b"\n")
    except OSError:
        return None
    if not webp.startswith(b"RIFF"):
        return None
    return Preview(webp, tuple(first.decode("ascii", "replace").split()))


def keep(sha256: str, preview: Preview, shelf: Path) -> None:
    """Keep the small copy of a picture, if the disk takes it: no night ends because there is nothing to look at."""
    with suppress(OSError):
        spool.put(shelf / sha256, " ".join(preview.hints).encode("ascii") + b"\n" + preview.webp)


def is_kept(sha256: str, shelf: Path) -> bool:
    """Tell whether there is a small copy, without reading it."""
    return (shelf / sha256).is_file()


def _hints(paper: Image.Image) -> list[str]:
    found = []
    strongest = ink.darkness(paper).getextrema()[1]
    assert isinstance(strongest, (int, float))
    if strongest < _FAINT:
        found.append("faint")
    grey = paper.convert("L").histogram()
    white = sum(grey[_WHITE:]) / sum(grey)
    if white < _PAPER and _shades(paper) > _COLOURS:
        found.append("photo")
    return found


def _shades(paper: Image.Image) -> int:
    coarse = paper.point([level & 0xF8 for level in range(256)] * 3)
    return len(coarse.getcolors(paper.width * paper.height) or ())
