"""The segments of a JPEG (ITU T.81, annex B), and its coded data from mark to mark."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from pipeline.intake.images.file_structure import (
    Damaged,
    Layout,
    Unsupported,
    cut_off,
    orientation,
    too_many_parts,
)

MAX_SEGMENTS = 10_000  # a large colour profile has a hundred
MAX_SCANNED = 2_000_000_000  # pixels of all scans together: each scan costs a pass over the whole picture
MAX_SCANS = 200  # one made to be as small as can be has some 60
COMMON_SCANS = 10  # a progressive file has so many
STRAY = "stray bytes"  # between two segments: decoders skip them, and so does what is sent

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOFn; the others are tables (table B.1)
_HIERARCHICAL = frozenset({0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF, 0xDE})
_LOSSLESS, _ARITHMETIC = ("lossless JPEG → JPEG",), ("arithmetic JPEG → JPEG",)
_CODINGS = {0xC3: _LOSSLESS, 0xC9: _ARITHMETIC, 0xCA: _ARITHMETIC, 0xCB: _LOSSLESS}  # that few readers know
_METADATA = frozenset({*range(0xE0, 0xF0), 0xFE})
_KEPT = frozenset({0xE0, 0xEE})  # JFIF and Adobe: density and colour model
# in the coded data FF 00 is a byte and FF D0–D7 a restart: any other mark ends it
_MARK = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_NEXT = re.compile(rb"\xff++([^\x00])")
_ALONE = frozenset(
    {0x01, *range(0xD0, 0xD8)}
)  # marks without a length; outside of coded data they mean nothing
_FILL = b"\xff" * 1000  # no program fills more than a word; the decoder would start over at each block of it
_SOI, _EOI, _SOS, _APP1, _APP2 = 0xD8, 0xD9, 0xDA, 0xE1, 0xE2
_EXIF, _PROFILE, _MULTI = b"Exif\x00\x00", b"ICC_PROFILE\x00", b"MPF\x00"


def walk(data: bytes) -> Layout:
    """Return the structure of a JPEG; ``plain`` keeps its colour profile, no other metadata and no stray bytes.

    Raises Damaged where the end is missing or the parts are too many, Unsupported for hierarchical files.
    """
    parts = [data[:2]]
    flaws: tuple[str, ...] = ()
    size, bits, turn, frames, end = (0, 0), 8, 0, False, 2
    scans, stray = 0, False
    for mark, content, start, after in _segments(data):
        stray = stray or bool(data[end:start].strip(b"\xff"))
        end = after
        if mark in _FRAMES:
            if len(content) < 5 or size != (0, 0):
                raise Damaged("no header")
            height, width = struct.unpack_from(">HH", content, 1)
            bits, size = content[0], (width, height)
            flaws = _CODINGS.get(mark, ())
        elif mark == _APP1 and not turn and content.startswith(_EXIF):
            turn = orientation(content)
        elif mark == _APP2:
            frames = frames or content.startswith(_MULTI)
        elif mark == _SOS:
            scans += 1
            if scans > MAX_SCANS or (scans > COMMON_SCANS and scans * size[0] * size[1] > MAX_SCANNED):
                raise too_many_parts()
        if mark not in _METADATA or mark in _KEPT or (mark == _APP2 and content.startswith(_PROFILE)):
            parts.append(data[start:end])
    flaws = (*flaws, STRAY) if stray else flaws
    return Layout(b"".join(parts), end, size, bits, frames, turn or 1, flaws)


def _segments(data: bytes) -> Iterator[tuple[int, bytes, int, int]]:
    """Yield (mark, content, offset, offset behind it) of every segment to the end; a scan's reaches behind its data.

    What stands between two segments and is none is passed over, as decoders do.
    """
    place = 2
    for _ in range(MAX_SEGMENTS):
        found = _NEXT.search(data, place)
        if found is None:
            raise cut_off()
        mark, body = found[1][0], found.end()
        start = body - 2  # behind what fills the gap
        if mark in _ALONE:
            place = body
            continue
        if mark in (_SOI, _EOI):
            yield mark, b"", start, body
            if mark == _EOI:
                return
            place = body
            continue
        if mark in _HIERARCHICAL:
            raise Unsupported("JPEG, hierarchical")
        after = body + max(2, int.from_bytes(data[body : body + 2], "big"))
        content = data[body + 2 : after]
        if mark == _SOS:
            following = _MARK.search(data, after)
            scan, after = after, following.start() if following else len(data)
            if data.find(_FILL, scan, after) >= 0:
                raise too_many_parts()
        if after >= len(data):
            raise cut_off()
        yield mark, content, start, after
        place = after
    raise too_many_parts()
