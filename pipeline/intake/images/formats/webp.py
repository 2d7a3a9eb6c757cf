"""The chunks of a WEBP (RFC 9649)."""

from __future__ import annotations

import struct

from pipeline.intake.images.file_structure import Layout, cut_off, orientation, too_many_parts

MAX_CHUNKS = 100_000

_HEADER = 12  # RIFF, length, WEBP
_METADATA = frozenset({b"EXIF", b"XMP "})


def walk(data: bytes) -> Layout:
    """Return the structure of a WEBP; ``plain`` has no EXIF and no XMP. Raises Damaged where a chunk is cut off."""
    end = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    place = _HEADER
    parts: list[bytes] = []
    size, turn, pictures = (0, 0), 1, 0
    for _ in range(MAX_CHUNKS):
        if place + 8 > end:
            break
        name, length = struct.unpack_from("<4sL", data, place)
        after = place + 8 + length + length % 2
        if place + 8 + length > end:
            raise cut_off()
        content = data[place + 8 : place + 8 + length]
        size = size if size != (0, 0) else _size(name, content)
        pictures += name == b"ANMF"
        if name == b"EXIF":
            turn = orientation(content)
        if name not in _METADATA:
            parts.append(data[place:after].ljust(after - place, b"\0"))
        place = after
    else:
        raise too_many_parts()
    if size == (0, 0):
        raise cut_off()
    body = b"".join(parts)
    plain = b"".join((b"RIFF", struct.pack("<L", len(body) + 4), b"WEBP", body))
    return Layout(plain, len(data), size, frames=pictures > 1, orientation=turn)


def _size(name: bytes, content: bytes) -> tuple[int, int]:
    """Return the size that the first chunk tells: of the canvas, or of a lossy or lossless picture."""
    if name == b"VP8X" and len(content) >= 10:
        return int.from_bytes(content[4:7], "little") + 1, int.from_bytes(content[7:10], "little") + 1
    if name == b"VP8 " and len(content) >= 10:
        width, height = struct.unpack_from("<HH", content, 6)
        return width & 0x3FFF, height & 0x3FFF
    if name == b"VP8L" and len(content) >= 5:
        bits = int.from_bytes(content[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return 0, 0
