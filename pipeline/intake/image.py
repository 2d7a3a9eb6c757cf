"""Pictures: decoded whole, judged, and made ready to be sent. The only room for Pillow.

A PNG or JPEG that needs nothing is sent byte for byte. Anything else that can be read is re-encoded once, and what was
done is said. Sizes are judged from the header before anything is unpacked; every function may run in several threads.
"""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from pipeline.intake import pictures, sniff, spool, stems
from pipeline.problems import problem
from pipeline.roster import Field, Picture, Prepared, Problem

MAX_PIXELS = 40_000_000  # an A4 page at 600 dpi has 35, a phone's photo 12: more is no seal, and costs 160 MB
MAX_SIDE = 10_000  # pixels
MIN_SIDE = 20  # pixels: a Han character needs some 16 to be told from others, and a seal has an edge
LEGIBLE_SIDE = 600  # pixels of the longer side: no picture is scaled below it to save bytes
CONTRAST = 16  # of 255 levels: less between the lightest and the darkest point is an empty sheet with noise

# each decoder is called by its own class: no other format is ever tried, and no process-wide limit is touched
_READERS: Mapping[str, type[ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}
# what Pillow raises over a file that is not as it should be; UserWarning where the caller's filters make errors of them
_FAULTS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
    UserWarning,
)
_SIXTEEN_BIT = frozenset({"I;16", "I;16B", "I;16L", "I;16N"})
_EIGHT_BIT = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "RGBa"})
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SCALES = (1.0, 0.75, 0.5, 0.375, 0.25)
_QUALITIES = (92, 80)
_STRIP = 1_000_000  # pixels looked at together: what a large picture costs in memory beside itself
_TAIL = "trailing bytes"


class _Refused(Exception):
    """The picture cannot be used: a code of DESIGN §8 and the words for its sentence."""

    def __init__(self, code: str, **detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A picture's first frame, upright, eight bits a channel, and what keeps its bytes from being sent as they are."""

    image: Image.Image
    kind: str
    end: int  # offset behind the picture in the file
    flaws: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Encoded:
    """The bytes to send, and the size of the picture in them."""

    payload: bytes
    format: Literal["PNG", "JPEG"]
    width: int
    height: int
    faithful: bool = True  # nothing was given up to save bytes


def prepare(picture: Picture, *, limit: int, work: Path) -> Prepared | tuple[Problem, ...]:
    """Return the picture ready to be sent in at most ``limit`` bytes, or the errors that forbid it.

    The bytes are read once; they must still be those of ``picture.sha256``. A re-encoded picture lies in ``work`` (see
    ``spool``), any other is sent from where it is. Raises OSError where ``work`` cannot be written: no fault of a row.
    """
    file = stems.shown(picture.path.name)
    try:
        data = _read(picture)
        decoded = _decode(data)
        pixels, blank = _look(decoded.image)
        if min(decoded.image.size) < MIN_SIDE:
            raise _Refused(
                "IMAGE_TOO_SMALL", found=_dimensions(decoded.image.size), limit=f"{MIN_SIDE}×{MIN_SIDE}"
            )
        if blank:
            raise _Refused("IMAGE_BLANK")
        encoded = _fit(data, decoded, limit)
        shrunk = not encoded.faithful or (len(data) > limit and not decoded.flaws)
    except _Refused as refused:
        return (_problem(refused.code, file, **refused.detail),)
    warnings = []
    if decoded.flaws:
        warnings.append(_problem("IMAGE_CONVERTED", file, why=", ".join(decoded.flaws)))
    if shrunk:
        used = f"{_bytes(len(encoded.payload))}, {_dimensions((encoded.width, encoded.height))}"
        warnings.append(_problem("IMAGE_TOO_LARGE_FIXABLE", file, found=_bytes(len(data)), used=used))
    path, sha256 = picture.file, picture.sha256
    if encoded.payload is not data:
        path, sha256 = spool.keep(encoded.payload, work, ".png" if encoded.format == "PNG" else ".jpg")
    return Prepared(
        source=picture,
        path=path,
        sha256=sha256,
        size=len(encoded.payload),
        format=encoded.format,
        width=encoded.width,
        height=encoded.height,
        pixels=pixels,
        problems=tuple(warnings),
    )


def pixels(path: Path) -> str | None:
    """Return the digest of a picture's upright pixels, equal for equal pictures of any format; None if unreadable.

    What is invisible does not count: the colour under full transparency, the palette, the depth beyond eight bits.
    """
    try:
        return _look(_decode(pictures.read(path)).image)[0]
    except (_Refused, OSError):
        return None


def thumbnail(path: Path, side: int) -> bytes | None:
    """Return the picture on white as a PNG that fits in ``side`` x ``side`` pixels; None if it is unreadable."""
    try:
        image = _decode(pictures.read(path), draft=2 * side).image
    except (_Refused, OSError):
        return None
    image = image.convert("RGBA")
    image.thumbnail((side, side))
    return _save(_on_white(image), "PNG")


def _read(picture: Picture) -> bytes:
    try:
        data = pictures.read(picture.file)
    except OSError:
        raise _Refused("IMAGE_CORRUPT", found="cannot be read") from None
    if len(data) > pictures.MAX_BYTES:
        found, limit = f"> {_bytes(pictures.MAX_BYTES)}", _bytes(pictures.MAX_BYTES)
        raise _Refused("IMAGE_TOO_LARGE", found=found, limit=limit)
    if hashlib.sha256(data).hexdigest() != picture.sha256:
        raise _Refused("IMAGE_CORRUPT", found="changed while reading")
    return data


def _decode(data: bytes, *, draft: int | None = None) -> _Decoded:
    """Decode the first frame; ``draft`` allows a JPEG to be read at a fraction not below so many pixels."""
    if not data:
        raise _Refused("IMAGE_CORRUPT", found="0 bytes")
    kind = sniff.kind(data)
    if kind not in _READERS:
        raise _Refused("IMAGE_FORMAT", found=kind)
    try:
        layout = sniff.layout(data, kind)
    except sniff.Damaged as damaged:
        raise _Refused("IMAGE_CORRUPT", found=str(damaged)) from None
    if kind == "JPEG" and layout.bits > 8:
        raise _Refused("IMAGE_FORMAT", found=f"JPEG, {layout.bits} bit")
    with _faults_refused():
        if kind == "PNG":
            _READERS[kind](io.BytesIO(layout.plain)).verify()  # check sums; a verified file cannot be loaded
        image = _READERS[kind](io.BytesIO(layout.plain))
        _require_size(*image.size)
        if draft:
            image.draft(None, (draft, draft))
        image.load()
        frames = layout.frames or bool(getattr(image, "is_animated", False))
        turn = sniff.orientation(image.info.get("exif", b"")) if kind == "WEBP" else layout.orientation
    flaws = {
        f"{kind} → PNG": kind not in ("PNG", "JPEG"),
        "16 bit → 8 bit": layout.bits > 8 or image.mode in _SIXTEEN_BIT,
        f"{image.mode} → RGB": image.mode in ("CMYK", "YCbCr"),
        f"EXIF {turn} → 1": turn != 1,
        "frames → 1": frames,
        _TAIL: layout.end < len(data),
    }
    upright = _eight_bit(image, kind)
    if turn != 1:
        upright = upright.transpose(_TURNS[turn])
    return _Decoded(upright, kind, layout.end, tuple(flaw for flaw, found in flaws.items() if found))


@contextmanager
def _faults_refused() -> Iterator[None]:
    """Turn what Pillow says of a broken file into IMAGE_CORRUPT; anything else is a bug and passes through."""
    try:
        yield
    except _FAULTS:
        raise _Refused("IMAGE_CORRUPT", found="cannot be decoded") from None


def _require_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        limit = f"{MAX_PIXELS // 1_000_000} MP, {MAX_SIDE}×{MAX_SIDE}"
        raise _Refused("IMAGE_TOO_LARGE", found=_dimensions((width, height)), limit=limit)


def _eight_bit(image: Image.Image, kind: str) -> Image.Image:
    """Return the picture with at most eight bits a channel, in a mode that can be shown."""
    if image.mode in _SIXTEEN_BIT:
        return image.convert("I").point(lambda level: level * (1 / 256)).convert("L")
    if image.mode not in _EIGHT_BIT:
        raise _Refused("IMAGE_FORMAT", found=f"{kind}, {image.mode}")
    return image


def _look(image: Image.Image) -> tuple[str, bool]:
    """Return the digest of the pixels, and whether there is nothing to see on white paper.

    The digest goes over size and premultiplied RGBA, in which all fully transparent points are equal.
    """
    width, height = image.size
    digest = hashlib.sha256(f"{width}x{height}:".encode())
    darkest, lightest = [255] * 3, [0] * 3
    contrast = 0
    rows = max(1, _STRIP // width)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height))).convert("RGBA")
        digest.update(strip.convert("RGBa").tobytes())
        if contrast < CONTRAST:
            extrema = cast("tuple[tuple[int, int], ...]", _on_white(strip).getextrema())
            darkest = [min(pair) for pair in zip(darkest, (low for low, _ in extrema), strict=True)]
            lightest = [max(pair) for pair in zip(lightest, (high for _, high in extrema), strict=True)]
            contrast = max(high - low for low, high in zip(darkest, lightest, strict=True))
    return digest.hexdigest(), contrast < CONTRAST


def _on_white(image: Image.Image) -> Image.Image:
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, image).convert("RGB")


def _fit(data: bytes, decoded: _Decoded, limit: int) -> _Encoded:
    """Return the bytes to send: the file's own, those up to the picture's end, or the best encoding within the limit."""
    width, height = decoded.image.size
    own = data if not decoded.flaws else data[: decoded.end] if decoded.flaws == (_TAIL,) else None
    if own is not None and len(own) <= limit:
        return _Encoded(own, "JPEG" if decoded.kind == "JPEG" else "PNG", width, height)
    for encoded in _encodings(decoded):
        if len(encoded.payload) <= limit:
            return encoded
    raise _Refused("IMAGE_TOO_LARGE", found=_bytes(len(data)), limit=_bytes(limit))


def _encodings(decoded: _Decoded) -> Iterator[_Encoded]:
    """Yield encodings from the most faithful to the smallest that still shows every stroke.

    A picture with transparency stays PNG and is scaled; an opaque one becomes a JPEG of lower quality, then scaled.
    """
    image = _packed(decoded.image)
    first: Literal["PNG", "JPEG"] = "JPEG" if decoded.kind == "JPEG" else "PNG"
    yield _Encoded(_save(image, first, quality=95), first, *image.size)
    for scale in _SCALES:
        size = (round(image.width * scale), round(image.height * scale))
        if scale < 1 and (max(size) < LEGIBLE_SIDE or min(size) < MIN_SIDE):
            return
        scaled = image if scale == 1 else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
        if image.mode == "RGBA":
            if scale < 1:
                yield _Encoded(_save(scaled, "PNG"), "PNG", *size, faithful=False)
            continue
        for quality in _QUALITIES:
            yield _Encoded(_save(scaled, "JPEG", quality=quality), "JPEG", *size, faithful=False)


def _packed(image: Image.Image) -> Image.Image:
    """Return the picture as RGBA where something shows through, else as RGB or L, without metadata."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            return image
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _save(image: Image.Image, form: Literal["PNG", "JPEG"], *, quality: int = 95) -> bytes:
    """Encode without metadata; JPEG with full colour resolution, since a red stroke on white is colour alone."""
    buffer = io.BytesIO()
    if form == "PNG":
        image.save(buffer, "PNG", icc_profile=None, exif=b"")
    else:
        image.save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def _problem(code: str, file: str, **detail: str) -> Problem:
    return problem(code, Field.PICTURE, severity=None, file=file, **detail)


def _dimensions(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"


def _bytes(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB" if count >= 1_000_000 else f"{count / 1000:.1f} KB"
