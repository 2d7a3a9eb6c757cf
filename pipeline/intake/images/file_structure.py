"""The structure of a picture file, walked without decoding: how large, how deep, which way up, and where it ends.

The decoder is handed the *plain* picture: no metadata, no further frames, nothing behind the end. So what it stumbles
over is never a broken EXIF block or a broken animation of a picture that is sound, and nothing but the picture costs
memory. Every walk is bounded: a file in more parts than any program writes is refused.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_ORIENTATION = 0x0112  # EXIF 2.32, 4.6.4
_SHORT = 3


class Damaged(Exception):
    """The file does not hold a whole picture; ``str(error)`` says what is wrong in a short phrase."""


class Unsupported(Exception):
    """The picture may be whole, but is of a kind nobody sends; ``str(error)`` names it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A picture file as its structure tells it."""

    plain: bytes  # what is handed to the decoder
    end: int  # offset behind the picture; what follows is no part of it
    size: tuple[int, int]  # the largest area a decoder would make room for, in pixels
    bits: int = 8  # a channel
    frames: bool = False  # there are more than one
    orientation: int = 1  # EXIF: 1 upright, 2–8 turned or mirrored
    flaws: tuple[str, ...] = ()  # what many readers do not know or bear, in words of the catalogue


def cut_off() -> Damaged:
    """Return the error of a file that ends before its picture does."""
    return Damaged("cut off")


def too_many_parts() -> Damaged:
    """Return the error of a file cut into so many parts that only walking them would cost."""
    return Damaged("too many parts")


def orientation(exif: bytes) -> int:
    """Return the EXIF orientation, 1 where there is none or the block is broken (a TIFF header, then entries)."""
    exif = exif.removeprefix(b"Exif\x00\x00")
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "4xL", exif)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for entry in range(count):
            tag, form, _, value = struct.unpack_from(order + "HHLH", exif, start + 2 + 12 * entry)
            if tag == _ORIENTATION and form == _SHORT:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
