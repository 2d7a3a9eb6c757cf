"""The chunks of a PNG (PNG 3rd edition, section 5), every check sum verified."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

from pipeline.intake.images.detect import PNG
from pipeline.intake.images.file_structure import Damaged, Layout, cut_off, orientation, too_many_parts

MAX_CHUNKS = 100_000  # libpng writes chunks of 8 KB: this many would be 800 MB
MAX_UNPACKED = 16_000_000  # bytes of all compressed texts and profiles together
COMMON_UNPACKED = 1_000_000  # bytes that every reader bears

_GREY, _RGB = 0, 2  # colour types (11.2.1)
_FRAMES = frozenset({b"acTL", b"fcTL", b"fdAT"})  # 11.3.6
_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"sRGB", b"iCCP"})  # what makes colours
_END = b"IEND"
_HEADER = 13  # bytes of IHDR
START = 24  # bytes in which a file tells that it is a PNG, and its size


def walk(data: bytes) -> Layout:
    """Return the structure of a PNG; ``plain`` has one IDAT and no text.

    Raises Damaged where a check sum is wrong, the end is missing, or texts unpack to more than they may.
    """
    kept: list[bytes] = []
    body: list[bytes] = []
    size, bits, colour, turn, frames, end = (0, 0), 8, 0, 1, False, 0
    room = MAX_UNPACKED
    for name, content, end in _chunks(data):  # noqa: B007 -- the last one's is the picture's
        if name == b"IHDR":
            size, bits, colour = struct.unpack(">LL", content[:8]), content[8], content[9]
        elif name == b"eXIf":
            turn = orientation(content)
        elif name == b"IDAT":
            body.append(content)
        room -= _unpacked(name, content, room)
        if room < 0:
            raise Damaged("unpacks to too much")
        if name in _KEPT:
            kept.append(_chunk(name, _scaled(content, bits, colour) if name == b"tRNS" else content))
        frames = frames or name in _FRAMES
    flaws = ("long texts left out",) if room < MAX_UNPACKED - COMMON_UNPACKED else ()
    return Layout(_plain(kept, body), end, size, bits, frames, turn, flaws)


def told_size(start: bytes) -> tuple[int, int] | None:
    """Return width and height as the first ``START`` bytes tell them, no check sum verified; None if it is none."""
    if len(start) < START or not start.startswith(PNG) or start[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">LL", start, 16)
    return width, height


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Yield (name, content, offset behind it) of every chunk from the header to the end."""
    place = len(PNG)
    for count in range(MAX_CHUNKS):
        if place + 12 > len(data):
            raise cut_off()
        length, name = struct.unpack_from(">L4s", data, place)
        after = place + 12 + length
        if after > len(data):
            raise cut_off()
        content = data[place + 8 : after - 4]
        if zlib.crc32(content, zlib.crc32(name)) != int.from_bytes(data[after - 4 : after], "big"):
            raise Damaged("wrong check sum")
        if (count == 0) != (name == b"IHDR" and length == _HEADER):
            raise Damaged("no header")
        yield name, content, after
        if name == _END:
            return
        place = after
    raise too_many_parts()


def _plain(kept: Sequence[bytes], body: Sequence[bytes]) -> bytes:
    return b"".join((PNG, *kept, _chunk(b"IDAT", b"".join(body)), _chunk(_END, b"")))


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(content, zlib.crc32(name))
    return b"".join((struct.pack(">L4s", len(content), name), content, struct.pack(">L", check)))


def _scaled(content: bytes, bits: int, colour: int) -> bytes:
    """Return a transparent level as one of eight bits, as the decoder takes it (11.3.1.1 counts in the file's bits)."""
    if bits in (1, 8) or colour not in (_GREY, _RGB):
        return content
    levels = struct.unpack(f">{len(content) // 2}H", content[: len(content) // 2 * 2])
    top = (1 << bits) - 1
    return struct.pack(
        f">{len(levels)}H", *(level >> 8 if bits > 8 else (level & top) * 255 // top for level in levels)
    )


def _unpacked(name: bytes, content: bytes, room: int) -> int:
    """Return how many bytes a compressed text or profile unpacks to, counted no further than just over ``room``."""
    _, _, rest = content.partition(b"\x00")
    if name == b"iTXt":  # flag, method, language, translated keyword (11.3.3.4)
        if not rest.startswith(b"\x01"):
            return 0
        packed = rest[2:].split(b"\x00", 2)[-1]
    elif name in (b"zTXt", b"iCCP"):
        packed = rest[1:]
    else:
        return 0
    try:
        return len(zlib.decompressobj().decompress(packed, room + 1))
    except zlib.error:
        return 0  # a broken text is no trouble of the picture
