"""The format of a picture file by its first bytes; its name decides nothing."""

from __future__ import annotations

PNG = b"\x89PNG\r\n\x1a\n"
_MAGIC = (
    (0, PNG, "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (8, b"WEBP", "WEBP"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"II+\x00", "BigTIFF"),
    (0, b"MM\x00+", "BigTIFF"),
    (0, b"BM", "BMP"),
    (0, b"%PDF-", "PDF"),
    (0, b"%!PS", "EPS"),
    (0, b"\xc5\xd0\xd3\xc6", "EPS"),
    (0, b"\xd7\xcd\xc6\x9a", "WMF"),  # with a placing header ([MS-WMF] 2.3.2.3)
    (0, b"\x01\x00\x09\x00", "WMF"),  # in memory, metafile version 1 or 3 ([MS-WMF] 2.3.2.2)
    (0, b"\x02\x00\x09\x00", "WMF"),
    (40, b" EMF", "EMF"),  # [MS-EMF] 2.2.9
    (0, b"8BPS", "PSD"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"II\xbc\x01", "JPEG XR"),
    (0, b"\x00\x00\x01\x00", "ICO"),
    (0, b"PK\x03\x04", "ZIP"),
    (0, b"\x1f\x8b", "GZIP"),
    (0, b"Rar!", "RAR"),
    (0, b"7z\xbc\xaf\x27\x1c", "7Z"),
    (0, b"\xd0\xcf\x11\xe0", "OLE"),
    (0, b"{\\rtf", "RTF"),
)
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
