"""The first directory of a TIFF (TIFF 6.0, section 2)."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from pipeline.intake.images.file_structure import Damaged, Layout, Unsupported, cut_off, too_many_parts

MAX_PIECES = 200_000  # strips or tiles: rows of a picture of the largest side, or tiles of 16 x 16

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLES = 256, 257, 258, 262, 274, 277
_OFFSETS, _LENGTHS, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_LENGTHS = 273, 279, 322, 323, 324, 325
_COLOUR_MAP = 320
# what decoding needs; resolution, EXIF, XMP, Photoshop's blocks and further directories are left out
_KEPT = frozenset(
    {
        _WIDTH,
        _HEIGHT,
        _BITS,
        259,
        _PHOTOMETRIC,
        266,
        _OFFSETS,
        _SAMPLES,
        278,
        _LENGTHS,
        284,
        292,
        293,
        317,
        _COLOUR_MAP,
    }
    | {
        _TILE_WIDTH,
        _TILE_HEIGHT,
        _TILE_OFFSETS,
        _TILE_LENGTHS,
        332,
        338,
        339,
        347,
        *range(512, 522),
        529,
        530,
        531,
        532,
        34675,
    }
)
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # of a value, by type
_LETTERS = {1: "B", 3: "H", 4: "L"}
_WHITE_IS_ZERO, _PALETTE = 0, 3
_MOST_SAMPLES = 4

_Entry = tuple[int, int, bytes]  # type, number of values, the values or where they lie


def walk(data: bytes) -> Layout:
    """Return the structure of a TIFF; ``plain`` has a directory of its own that holds only what decoding needs.

    Raises Damaged where the directory is not whole or tells of more than the file can hold, Unsupported for the few
    arrangements that the decoder reads wrongly.
    """
    order = "<" if data.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(order + "L", data, 4)
        (count,) = struct.unpack_from(order + "H", data, start)
        entries = [
            struct.unpack_from(order + "HHL4s", data, start + 2 + 12 * place) for place in range(count)
        ]
        (following,) = struct.unpack_from(order + "L", data, start + 2 + 12 * count)
    except struct.error:
        raise cut_off() from None
    kept = {tag: (form, number, value) for tag, form, number, value in entries if tag in _KEPT}
    if sum(_BYTES.get(form, 1) * number for form, number, _ in kept.values()) > len(data):
        raise cut_off()
    for places, lengths in ((_OFFSETS, _LENGTHS), (_TILE_OFFSETS, _TILE_LENGTHS)):
        if places in kept and lengths in kept:
            _require_inside(order, data, kept[places], kept[lengths])
    first = {tag: _first(order, data, entry) for tag, entry in kept.items()}
    turn = next(
        (_first(order, data, (form, *rest)) for tag, form, *rest in entries if tag == _ORIENTATION), 1
    )
    bits = _require_readable(first)
    if first.get(_PHOTOMETRIC) == _PALETTE and bits <= 8:
        _require_colours(order, data, kept.get(_COLOUR_MAP), bits)
    size = (
        max(first.get(_WIDTH, 0), first.get(_TILE_WIDTH, 0)),
        max(first.get(_HEIGHT, 0), first.get(_TILE_HEIGHT, 0)),
    )
    if not all(size):
        raise Damaged("no header")
    return Layout(
        _plain(order, data, kept),
        len(data),
        size,
        bits,
        frames=following not in (0, start),
        orientation=turn if 1 <= turn <= 8 else 1,
    )


def _numbers(order: str, data: bytes, entry: _Entry, most: int) -> tuple[int, ...]:
    """Return an entry's whole numbers, at most so many; none where it holds others or lies outside the file."""
    form, number, value = entry
    letter = _LETTERS.get(form)
    if letter is None:
        return ()
    if _BYTES[form] * number > len(value):
        (place,) = struct.unpack(order + "L", value)
        value = data[place : place + _BYTES[form] * number]
    try:
        return struct.unpack_from(f"{order}{min(number, most)}{letter}", value)
    except struct.error:
        return ()


def _first(order: str, data: bytes, entry: _Entry) -> int:
    """Return the first number of an entry, 0 where there is none."""
    return next(iter(_numbers(order, data, entry, 1)), 0)


def _require_inside(order: str, data: bytes, places: _Entry, lengths: _Entry) -> None:
    """Refuse strips and tiles that are too many, or reach behind the file's end."""
    if places[1] > MAX_PIECES:
        raise too_many_parts()
    starts = _numbers(order, data, places, MAX_PIECES)
    sizes = _numbers(order, data, lengths, MAX_PIECES)
    if any(start + size > len(data) for start, size in zip(starts, sizes, strict=False)):
        raise cut_off()


def _require_colours(order: str, data: bytes, entry: _Entry | None, bits: int) -> None:
    """Refuse a colour map without three values for every colour: the decoder would make up the rest."""
    wanted = 3 << bits
    if entry is None or entry[1] != wanted or len(_numbers(order, data, entry, wanted)) != wanted:
        raise Damaged("incomplete colour map")


def _require_readable(first: Mapping[int, int]) -> int:
    """Return the bits of a sample; refuse what costs more than its pixels, or would come out dark for light."""
    bits, samples = first.get(_BITS, 1), first.get(_SAMPLES, 1)
    if samples > _MOST_SAMPLES and bits > 8:
        raise Unsupported(f"TIFF, {samples} × {bits} bit")
    if bits == 12 or (bits > 8 and first.get(_PHOTOMETRIC) == _WHITE_IS_ZERO):
        raise Unsupported(f"TIFF, {bits} bit")
    return bits


def _plain(order: str, data: bytes, kept: Mapping[int, _Entry]) -> bytes:
    """Return the file with a directory of these entries behind its end; what they point to stays where it is."""
    data += bytes(len(data) % 2)
    lines = b"".join(struct.pack(order + "HHL4s", tag, *kept[tag]) for tag in sorted(kept))
    directory = struct.pack(order + "H", len(kept)) + lines + bytes(4)
    return b"".join((data[:4], struct.pack(order + "L", len(data)), data[8:], directory))
