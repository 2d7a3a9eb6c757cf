"""What a picture file is by its first bytes, and what Pillow does not report of it or decodes otherwise than others do."""

from __future__ import annotations

import importlib.util
import io
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

from PIL import Image, ImageChops, PngImagePlugin, TiffImagePlugin

from pipeline.messages.catalogue import make_message

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_MAGIC = (
    (0, _PNG_SIGNATURE, "PNG"), (0, _JPEG_SIGNATURE, "JPEG"), (0, b"GIF87a", "GIF"), (0, b"GIF89a", "GIF"),
    (8, b"WEBP", "WEBP"), (0, b"II*\x00", "TIFF"), (0, b"MM\x00*", "TIFF"), (0, b"II+\x00", "BigTIFF"),
    (0, b"MM\x00+", "BigTIFF"), (0, b"BM", "BMP"), (0, b"%PDF-", "PDF"), (0, b"%!PS", "EPS"),
    (0, b"\xc5\xd0\xd3\xc6", "EPS"),
    (0, b"\xd7\xcd\xc6\x9a", "WMF"),  # with a placing header ([MS-WMF] 2.3.2.3)
    (0, b"\x01\x00\x09\x00", "WMF"),  # in memory, metafile version 1 or 3 ([MS-WMF] 2.3.2.2)
    (0, b"\x02\x00\x09\x00", "WMF"),
    (40, b" EMF", "EMF"),  # [MS-EMF] 2.2.9
    (0, b"8BPS", "PSD"), (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"), (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"), (0, b"II\xbc\x01", "JPEG XR"), (0, b"\x00\x00\x01\x00", "ICO"),
    (0, b"PK\x03\x04", "ZIP"), (0, b"\x1f\x8b", "GZIP"), (0, b"Rar!", "RAR"), (0, b"7z\xbc\xaf\x27\x1c", "7Z"),
    (0, b"\xd0\xcf\x11\xe0", "OLE"), (0, b"{\\rtf", "RTF"),
)  # fmt: skip
# ISO 14496-12: the brands of a file in the order of their meaning for us; mif1 and msf1 alone say only "still picture"
_BRANDS = (
    ((b"avif", b"avis"), "AVIF"),
    ((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIC"),
)
_MARKUP = (
    (b"<svg", "SVG"),
    (b"<html", "HTML"),
    (b"<!doctype html", "HTML"),
    (b"<body", "HTML"),
    (b"<?xml", "XML"),
)
_HEAD = 1024  # bytes in which markup shows what it is


def detect_format(data: bytes) -> str:
    """Return the format by content: PNG, JPEG, BMP, GIF, WEBP, TIFF, HEIC, the name of another, or ``unknown``."""
    for offset, magic, name in _MAGIC:
        if data.startswith(magic, offset):
            return name
    if data.startswith(b"ftyp", 4):
        return _detect_by_brand(data)
    head = data[:_HEAD].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head.startswith(b"<"):
        return next((name for tag, name in _MARKUP if tag in head), "XML")
    return "unknown"


def _detect_by_brand(data: bytes) -> str:
    """Return the format by the major and the compatible brands: HEIC, AVIF, or MP4 for a film."""
    end = min(int.from_bytes(data[:4], "big"), _HEAD)
    brands = {data[8:12], *(data[start : start + 4] for start in range(16, end - 3, 4))}
    return next((name for known, name in _BRANDS if brands.intersection(known)), "MP4")


# --- what Pillow does not report

STRAY_BYTES = make_message("image.stray_bytes")  # between the segments of a JPEG
LONG_TEXTS = make_message("image.texts_removed")

_COMMON_TEXT = 1_000_000  # bytes of text in a PNG that every reader takes
MAX_TEXT = 16_000_000  # image editors write their whole history into a PNG
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = MAX_TEXT

MAX_STRIPS = 200_000  # of a TIFF: 1,200,000 cost Pillow 345 MB before it decodes the first


class DamagedImage(Exception):
    """The file does not hold a whole picture; ``reason`` is a short phrase."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnsupportedImage(Exception):
    """The picture may be whole, but is of a kind that cannot be sent."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


# --- JPEG: Pillow reports neither where a picture ends, nor stray bytes, nor the coding

_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_END, _SCAN, _APP2 = 0xD9, 0xDA, 0xE2
_COMMON_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # SOFn (ITU T.81, table B.1)
_RARE_FRAMES = {
    0xC3: make_message("image.lossless"),
    0xC9: make_message("image.arithmetic"),
    0xCA: make_message("image.arithmetic"),
    0xCB: make_message("image.lossless"),
}
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # these three are tables
_COMMON_SCANS = 10  # a progressive picture has so many
_MAX_SCANNED = 2_000_000_000  # pixels of all scans together: each is a pass over the whole picture
_MARKER = re.compile(rb"\xff++([^\x00])")
# in coded data FF 00 is a byte and FF D0 to FF D7 a restart: any other marker ends it
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


@dataclass(frozen=True, slots=True)
class JpegStructure:
    """The segments of a JPEG up to its end."""

    picture: bytes  # without stray bytes and without the list of further pictures
    end: int  # offset behind the picture; what follows is no part of it
    has_frames: bool
    flaws: tuple[str, ...]


def scan_jpeg(data: bytes) -> JpegStructure:
    """Walk over the segments of a JPEG.

    Raises DamagedImage where its end is missing, UnsupportedImage for a hierarchical one or one of more than eight bits.
    """
    parts, end = [data[:2]], 2
    pixels = scans = 0
    has_frames = has_stray_bytes = False
    flaws: tuple[str, ...] = ()
    for marker, start, after in _walk_segments(data):
        has_stray_bytes |= bool(data[end:start].strip(b"\xff"))
        end = after
        if marker in _FRAMES:
            bits, height, width = struct.unpack_from(">BHH", data, start + 4)
            pixels = width * height
            if marker not in _COMMON_FRAMES | _RARE_FRAMES.keys():
                raise UnsupportedImage(make_message("image.hierarchical"))
            if bits > 8:
                raise UnsupportedImage(make_message("image.bits", kind="JPEG", bits=bits))
            flaws = (_RARE_FRAMES[marker],) if marker in _RARE_FRAMES else ()
        scans += marker == _SCAN
        if scans > _COMMON_SCANS and scans * pixels > _MAX_SCANNED:
            raise DamagedImage(make_message("image.too_many_parts"))
        if marker == _APP2 and data.startswith(b"MPF\x00", start + 4):
            has_frames = True
        else:
            parts.append(data[start:after])
    if has_stray_bytes:
        flaws = (*flaws, STRAY_BYTES)
    return JpegStructure(b"".join(parts), end, has_frames, flaws)


def _walk_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, offset, offset behind it) of each segment; the coded data that follows a scan belongs to it."""
    position = 2
    while hit := _MARKER.search(data, position):
        marker, position = hit[1][0], hit.end()
        start = position - 2
        if marker == _END:
            yield marker, start, position
            return
        if marker in _ALONE:  # without a meaning outside of coded data
            continue
        position += max(2, int.from_bytes(data[position : position + 2], "big"))
        if marker == _SCAN:
            following = _MARKER_IN_SCAN.search(data, position)
            position = following.start() if following else len(data)
        if position >= len(data):
            break
        yield marker, start, position
    raise DamagedImage(make_message("file.cut_off"))


# --- PNG: Pillow checks no check sum of coded data while it decodes, and counts a transparent level in the file's bits


_DEPTHS = {"L;2": 2, "L;4": 4}  # Pillow makes eight bits of these
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"


def get_png_end(data: bytes) -> int:
    """Verify every check sum of a PNG and return the offset behind it. Raises DamagedImage and the errors of Pillow."""
    stream = io.BytesIO(data)
    PngImagePlugin.PngImageFile(stream).verify()  # stops behind the name of the last chunk
    start = stream.tell() - 8
    if not data.startswith(_PNG_END, start):
        raise DamagedImage(make_message("file.cut_off"))
    return start + len(_PNG_END)


def load_png(file: PngImagePlugin.PngImageFile, data: bytes) -> Image.Image:
    """Load a PNG with the level or colour that it names as clear (PNG 3rd edition, 11.3.1.1), in as many bits as it has."""
    _drop_png_texts(file)
    raw_mode = str(file.tile[0].args)
    level, bits = file.info.get("transparency"), _DEPTHS.get(raw_mode, 8)
    is_deep = raw_mode.endswith(";16B") and level is not None
    if is_deep:
        del file.info["transparency"]
    elif isinstance(level, int) and file.mode == "L":
        highest = (1 << bits) - 1
        file.info["transparency"] = (level & highest) * 255 // highest
    file.load()
    _drop_png_texts(file)
    if not is_deep:
        return file
    assert level is not None
    image, opaque = (
        (reduce_grey(file), _mask_other_levels(file, level))
        if isinstance(level, int)
        else (file, _mask_other_colours(data, level))
    )
    image.putalpha(opaque)
    return image


def reduce_grey(image: Image.Image) -> Image.Image:
    """Return a grey picture of 16 bits in eight."""
    return image.convert("I").point(lambda level: level * (1 / 256)).convert("L")


def _mask_other_levels(image: Image.Image, level: int) -> Image.Image:
    """Return a mask (L, 255) of the points of a grey picture of 16 bits that have another level."""
    grey = image.convert("I")
    above, below = grey.point(lambda point: point - level), grey.point(lambda point: level - point)
    return ImageChops.lighter(above.convert("L"), below.convert("L")).point([0] + [255] * 255)


def _mask_other_colours(data: bytes, colour: Sequence[int]) -> Image.Image:
    """Return a mask (L, 255) of the points of a PNG in RGB of 16 bits that have another colour."""
    masks = []
    for raw_mode, shift in (
        ("RGB;16B", 8),
        ("RGB;16L", 0),
    ):  # Pillow keeps one byte of two: the high ones, the low ones
        file = PngImagePlugin.PngImageFile(io.BytesIO(data))
        file.tile = [file.tile[0]._replace(args=raw_mode)]
        file.load()
        for band, level in zip(file.split(), colour, strict=True):
            others = [255] * 256
            others[level >> shift & 255] = 0
            masks.append(band.point(others))
    return reduce(ImageChops.lighter, masks)


def _drop_png_texts(image: PngImagePlugin.PngImageFile) -> None:
    """Remove texts from the settings of an image: Pillow would take one named "transparency" or "gamma" for one."""
    for name in [name for name, value in image.info.items() if isinstance(value, str)]:
        del image.info[name]


def has_long_texts(image: PngImagePlugin.PngImageFile) -> bool:
    """Return whether the texts and the profile of a loaded PNG are longer than every reader takes."""
    profile = image.info.get("icc_profile") or b""
    return sum(map(len, image.text.values())) + len(profile) > _COMMON_TEXT


# --- BMP: Pillow takes a palette of black and white alone for a depth of one bit, and a short one for a grey scale

_FILE_HEADER = 14
_INFO_HEADER = 40
_RUN_LENGTH = (1, 2)
_MAX_RUNS = 8_000_000  # bytes: Pillow decodes them run by run in Python


def fill_bmp_palette(data: bytes) -> bytes:
    """Return a BMP whose palette is short with all the colours of its depth, any other file as it is.

    Raises UnsupportedImage for a large one in run-length coding.
    """
    if len(data) < _FILE_HEADER + _INFO_HEADER:
        return data
    start, header = struct.unpack_from("<LL", data, 10)
    (bits,), (colours,) = struct.unpack_from("<H", data, 28), struct.unpack_from("<L", data, 46)
    if struct.unpack_from("<L", data, 30)[0] in _RUN_LENGTH and len(data) > _MAX_RUNS:
        raise UnsupportedImage(f"BMP, RLE, {len(data) / 1_000_000:.0f} MB")
    if header < _INFO_HEADER or bits > 8 or not 0 < colours < 1 << bits:
        return data
    full = 1 << bits
    missing = bytes(4 * (full - colours))
    end_of_palette = _FILE_HEADER + header + 4 * colours
    head = data[:10] + struct.pack("<L", start + len(missing)) + data[14:46] + struct.pack("<L", full)
    return head + data[50:end_of_palette] + missing + data[end_of_palette:]


# --- TIFF: Pillow decodes missing colours as noise and 16 bits of "white is zero" as dark for light

_BITS, _PHOTOMETRIC, _COLOUR_MAP = 258, 262, 320
_STRIPS, _STRIP_SIZES, _TILES, _TILE_SIZES = 273, 279, 324, 325
_WHITE_IS_ZERO, _PALETTE = 0, 3


def require_readable_tiff(data: bytes) -> None:
    """Read the first directory of a TIFF without its pixels.

    Raises DamagedImage where strips or colours are missing, UnsupportedImage where Pillow would show wrong pixels.
    """
    stream = io.BytesIO(data)
    tags = TiffImagePlugin.ImageFileDirectory_v2(stream.read(8))
    stream.seek(tags.next)
    tags.load(stream)
    for offsets, sizes in ((_STRIPS, _STRIP_SIZES), (_TILES, _TILE_SIZES)):
        starts = tags.get(offsets, ())
        if len(starts) > MAX_STRIPS:
            raise DamagedImage(make_message("image.too_many_parts"))
        if any(start + size > len(data) for start, size in zip(starts, tags.get(sizes, ()), strict=False)):
            raise DamagedImage(make_message("file.cut_off"))
    bits, photometric = max(tags.get(_BITS, (1,))), tags.get(_PHOTOMETRIC)
    if photometric == _PALETTE and bits <= 8 and len(tags.get(_COLOUR_MAP, ())) != 3 << bits:
        raise DamagedImage(make_message("image.colour_map"))
    if bits == 12 or (bits > 8 and photometric == _WHITE_IS_ZERO):
        raise UnsupportedImage(make_message("image.bits", kind="TIFF", bits=bits))


# --- HEIC: read with the extra "heic" (pillow-heif), which turns and mirrors as the file asks


def is_heic_readable() -> bool:
    """Return whether the extra is installed."""
    return importlib.util.find_spec("pillow_heif") is not None


def read_heic(data: bytes, require_size: Callable[[int, int], None]) -> tuple[Image.Image, bool]:
    """Return the primary picture, eight bits a channel, and whether there are others; its size is judged first.

    Raises the errors of pillow_heif and of ``require_size(width, height)``.
    """
    import pillow_heif  # noqa: PLC0415 -- an extra: only who has such a picture needs it

    opened = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
    primary = opened[opened.primary_index]
    require_size(*primary.size)
    image: Image.Image = primary.to_pillow()
    require_size(*image.size)
    profile = image.info.get("icc_profile")
    image.info = {"icc_profile": profile} if profile else {}
    return image, len(opened) > 1
