"""The blocks of a GIF (GIF89a), up to its second picture."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pipeline.intake.images.file_structure import Layout, cut_off, too_many_parts

MAX_BLOCKS = 1_000_000  # of one picture; programs write blocks of 255 bytes: this many would be 255 MB
MAX_EXTENSIONS = 10_000

_HEADER = 13  # signature and logical screen
_EXTENSION, _PICTURE, _TRAILER = 0x21, 0x2C, 0x3B
_CONTROL = 0xF9  # carries the transparent colour of the picture that follows
_TRANSPARENT = 1


def walk(data: bytes) -> Layout:
    """Return the structure of a GIF; ``plain`` holds the first picture alone, on a screen of its own size.

    A first picture smaller than the screen leaves clear what it does not cover, so nothing is lost. Raises Damaged
    where the first picture is not whole.
    """
    if len(data) < _HEADER:
        raise cut_off()
    place = _HEADER + _palette(data[10])
    control = b""
    for start, after in _extensions(data, place):
        place = after
        if data[start + 1] == _CONTROL and after - start == 8:
            flags = data[start + 3] & _TRANSPARENT  # how the picture is taken away again does not matter here
            control = bytes((_EXTENSION, _CONTROL, 4, flags, 0, 0, data[start + 6], 0))
    if place + 11 > len(data) or data[place] != _PICTURE:
        raise cut_off()
    left, top, width, height, flags = struct.unpack_from("<4HB", data, place + 1)
    body = place + 9
    end = _behind(data, body + 2 + _palette(flags))
    screen = struct.unpack_from("<HH", data, 6)
    head = data[:6] + struct.pack("<HH", width, height) + data[10 : _HEADER + _palette(data[10])]
    picture = struct.pack("<B4H", _PICTURE, 0, 0, width, height) + data[body:end]
    plain = b"".join((head, control, picture, bytes((_TRAILER,))))
    size = (max(screen[0], left + width), max(screen[1], top + height))
    return Layout(plain, len(data), size, frames=_another(data, end))


def _palette(flags: int) -> int:
    """Return the bytes of the colour table that a flag byte announces."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _behind(data: bytes, place: int) -> int:
    """Return the offset behind a chain of sub-blocks."""
    for _ in range(MAX_BLOCKS):
        if place >= len(data):
            raise cut_off()
        length = data[place]
        place += 1 + length
        if length == 0:
            return place
    raise too_many_parts()


def _extensions(data: bytes, place: int) -> Iterator[tuple[int, int]]:
    """Yield (offset, offset behind it) of the extensions that stand from ``place`` on."""
    for _ in range(MAX_EXTENSIONS):
        if data[place : place + 1] != bytes((_EXTENSION,)):
            return
        after = _behind(data, place + 2)
        yield place, after
        place = after
    raise too_many_parts()


def _another(data: bytes, place: int) -> bool:
    """Tell whether a further picture follows; how many do not matter, nor whether they are whole."""
    for _, after in _extensions(data, place):
        place = after
    return data[place : place + 1] == bytes((_PICTURE,))
