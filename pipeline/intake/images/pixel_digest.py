"""Computes the digest of a picture's pixels. It is equal for pictures with the same visible pixels in any mode.

What is invisible does not count: the colour under full transparency, the palette, the mode. A part without colour or
transparency is digested as grey, a quarter of the bytes of its RGBA.
"""

from __future__ import annotations

import hashlib

from PIL import Image


def is_grey(image: Image.Image) -> bool:
    """Return whether a picture in L or RGB has no coloured point."""
    return image.mode == "L" or _read_grey_points(image) is not None


def _read_grey_points(image: Image.Image) -> bytes | None:
    """Return the points of a picture in RGB as in L; None where one has a colour."""
    red, green, blue = image.split()
    points = red.tobytes()
    return points if points == green.tobytes() and points == blue.tobytes() else None


class PixelDigest:
    """Digests a picture strip by strip; pictures of equal size must be cut into equal strips."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._sha256 = hashlib.sha256()

    def add(self, plain: Image.Image, *, may_be_grey: bool = True) -> None:
        """Digest a strip (L, RGB, or RGBa where something shows through); grey in RGB counts as L."""
        points = _read_grey_points(plain) if plain.mode == "RGB" and may_be_grey else None
        mode = plain.mode if points is None else "L"
        self._sha256.update(f"{mode:4}".encode())  # of one length: no two pictures give the same bytes
        self._sha256.update(plain.tobytes() if points is None else points)

    def get_text(self) -> str:
        """Return the digest as a ledger keeps it."""
        width, height = self._size
        return f"{width}x{height}:{self._sha256.hexdigest()}"
