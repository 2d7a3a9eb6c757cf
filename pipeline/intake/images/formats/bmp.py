"""The headers of a BMP: Windows 3 to 5, and OS/2 1 and 2 ([MS-WMF] 2.2.2)."""

from __future__ import annotations

import struct

from pipeline.intake.images.file_structure import Layout, Unsupported, cut_off

MAX_RUNS = 8_000_000  # bytes of run-length coding: it is decoded run by run

_FILE_HEADER = 14
_CORE = 12  # OS/2 1: sizes of 16 bits, colours of 3 bytes
_OS2_SHORT = 16  # OS/2 2 with all that may be left out left out
_INFO = 40
_RLE = frozenset({1, 2})


def walk(data: bytes) -> Layout:
    """Return the structure of a BMP; ``plain`` has a palette as long as its depth allows.

    Raises Damaged without a whole header, Unsupported for a depth or coding that no program shows.
    """
    if len(data) < _FILE_HEADER + _CORE:
        raise cut_off()
    start, header = struct.unpack_from("<LL", data, 10)
    if header == _CORE:
        width, height, _, bits = struct.unpack_from("<4H", data, 18)
        return Layout(data, len(data), (width, height))
    if len(data) < _FILE_HEADER + max(_INFO, min(header, 1000)):
        raise cut_off()
    if header == _OS2_SHORT:
        data = _long_header(data)
        start, header = start + _INFO - _OS2_SHORT, _INFO
    width, height, _, bits, coding, _, _, _, colours = struct.unpack_from("<llHHLLllL", data, 18)
    if coding in _RLE and len(data) > MAX_RUNS:
        raise Unsupported(f"BMP, RLE, {len(data) / 1_000_000:.0f} MB")
    plain = data
    if bits <= 8 and 0 < colours < 1 << bits:
        plain = _filled_palette(data, start, header, colours, 1 << bits)
    return Layout(plain, len(data), (abs(width), abs(height)))


def _long_header(data: bytes) -> bytes:
    """Return the file with the OS/2 header brought to the common 40 bytes, absent fields being zero."""
    (start,) = struct.unpack_from("<L", data, 10)
    head = data[:10] + struct.pack("<LL", start + _INFO - _OS2_SHORT, _INFO)
    return (
        head
        + data[18 : _FILE_HEADER + _OS2_SHORT]
        + bytes(_INFO - _OS2_SHORT)
        + data[_FILE_HEADER + _OS2_SHORT :]
    )


def _filled_palette(data: bytes, start: int, header: int, colours: int, full: int) -> bytes:
    """Return the file with all colours of its depth: the decoder takes a palette of two for a depth of one bit."""
    palette = _FILE_HEADER + header
    missing = bytes(4 * (full - colours))
    head = (
        data[:10] + struct.pack("<L", start + len(missing)) + data[_FILE_HEADER:46] + struct.pack("<L", full)
    )
    return head + data[50 : palette + 4 * colours] + missing + data[palette + 4 * colours :]
