"""What the bytes of a picture say of themselves, read without decoding: kind, depth, turn, and where the picture ends.

Pillow is handed the *plain* picture: a JPEG without metadata, a PNG without further frames, nothing behind the end. So
what it warns about is never a broken EXIF block or animation of a picture that is sound.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

_PNG = b"\x89PNG\r\n\x1a\n"
_MAGIC = (
    (0, _PNG, "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (8, b"WEBP", "WEBP"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"BM", "BMP"),
    (0, b"%PDF-", "PDF"),
    (0, b"%!PS", "EPS"),
    (0, b"\xc5\xd0\xd3\xc6", "EPS"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftyphev", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypmsf1", "HEIC"),
    (0, b"8BPS", "PSD"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (0, b"\x00\x00\x01\x00", "ICO"),
    (0, b"PK\x03\x04", "ZIP"),
    (0, b"Rar!", "RAR"),
    (0, b"\xd0\xcf\x11\xe0", "OLE"),
)
_MARKUP = (
    (b"<svg", "SVG"),
    (b"<html", "HTML"),
    (b"<!doctype html", "HTML"),
    (b"<body", "HTML"),
    (b"<?xml", "XML"),
)
_HEAD = 1024  # bytes in which markup shows what it is

_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_PNG_FRAMES = frozenset({b"acTL", b"fcTL", b"fdAT"})  # PNG 3rd edition, 11.3.6
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {
    0xC4,
    0xC8,
    0xCC,
}  # SOFn; the others are tables (ITU T.81, B.1)
_JPEG_KEPT = frozenset(
    {0xE0, 0xEE}
)  # JFIF and Adobe: density and colour model; other APPn and comments are metadata
# in the coded data FF 00 is a byte and FF D0–D7 a restart: any other mark ends it
_JPEG_MARK = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
_JPEG_NEXT = re.compile(rb"\xff+([^\x00\xff])")
_EOI, _SOS, _APP1, _APP2, _COM = 0xD9, 0xDA, 0xE1, 0xE2, 0xFE
_ORIENTATION = 0x0112  # EXIF 2.32, 4.6.4
_SHORT = 3


class Damaged(Exception):
    """The file does not hold a whole picture; ``str(error)`` says what is wrong in a short phrase."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A picture file as its structure tells it."""

    plain: bytes  # what is handed to the decoder
    end: int  # offset behind the picture; what follows is no part of it
    bits: int = 8  # a channel
    frames: bool = False  # there are more than one
    orientation: int = 1  # EXIF: 1 upright, 2–8 turned or mirrored


def kind(data: bytes) -> str:
    """Return the format by content: PNG, JPEG, BMP, GIF, WEBP, TIFF, the name of another known one, or ``unknown``."""
    for offset, magic, name in _MAGIC:
        if data.startswith(magic, offset):
            return name
    head = data[:_HEAD].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head.startswith(b"<"):
        return next((name for tag, name in _MARKUP if tag in head), "XML")
    return "unknown"


def layout(data: bytes, name: str) -> Layout:
    """Return the structure of a file of this kind; only PNG and JPEG, which may be sent as they are, are walked.

    Raises Damaged where the walk does not reach the picture's end.
    """
    if name == "PNG":
        return _png(data)
    if name == "JPEG":
        return _jpeg(data)
    return Layout(data, len(data))


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


def _png(data: bytes) -> Layout:
    """Walk the chunks; the check sums of all but the last are Pillow's to verify."""
    place = len(_PNG)
    parts = [_PNG]
    bits = 8
    turn, frames = 1, False
    while place + 12 <= len(data):
        length, name = struct.unpack_from(">L4s", data, place)
        after = place + 12 + length
        if after > len(data):
            raise Damaged("cut off")
        if place == len(_PNG):
            if name != b"IHDR" or length != 13:
                raise Damaged("no header")
            bits = data[place + 16]
        if name == b"eXIf":
            turn = orientation(data[place + 8 : after - 4])
        frames = frames or name in _PNG_FRAMES
        if name not in _PNG_FRAMES:
            parts.append(data[place:after])
        if name == b"IEND":
            if data[place:after] != _PNG_END:  # Pillow leaves this one check sum unread
                raise Damaged("cut off")
            return Layout(b"".join(parts), after, bits, frames, turn)
        place = after
    raise Damaged("cut off")


def _jpeg(data: bytes) -> Layout:
    """Walk the segments, and the coded data from mark to mark."""
    place = 2
    parts = [data[:2]]
    bits = 8
    turn, frames = 1, False
    while (found := _JPEG_NEXT.match(data, place)) is not None:
        mark = found[1][0]
        body = found.end()
        if mark == _EOI:
            parts.append(data[place:body])
            return Layout(b"".join(parts), body, bits, frames, turn)
        if body + 2 > len(data):
            break
        after = body + int.from_bytes(data[body : body + 2], "big")
        content = data[body + 2 : after]
        if mark in _JPEG_FRAMES and content:
            bits = content[0]
        elif mark == _APP1 and content.startswith(b"Exif\x00\x00"):
            turn = orientation(content)
        elif mark == _APP2 and content.startswith(b"MPF\x00"):
            frames = True
        elif mark == _SOS:
            next_mark = _JPEG_MARK.search(data, after)
            if next_mark is None:
                break
            after = next_mark.start()
        if not (0xE0 <= mark <= 0xEF or mark == _COM) or mark in _JPEG_KEPT:
            parts.append(data[place:after])
        place = after
    raise Damaged("cut off")
