"""From bytes to pixels: every format we know, upright, eight bits a channel, its size judged before anything is unpacked."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

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

from pipeline.intake.images import detect
from pipeline.intake.images.file_structure import Damaged, Layout, Unsupported
from pipeline.intake.images.formats import bmp, gif, heic, jpeg, png, tiff, webp

MAX_PIXELS = 40_000_000  # an A4 page at 600 dpi has 35, a phone's photo 12: more is no seal, and costs 160 MB
MAX_SIDE = 10_000  # pixels
_COSTLY = {"WEBP": 25_000_000}  # pixels: its decoder holds four copies

TAIL = "trailing bytes"
FRAMES = "frames → 1"

# each decoder is called by its own class: no other format is ever tried, and no process-wide limit is touched
_FORMATS: Mapping[str, tuple[Callable[[bytes], Layout], type[ImageFile.ImageFile]]] = {
    "PNG": (png.walk, PngImagePlugin.PngImageFile),
    "JPEG": (jpeg.walk, JpegImagePlugin.JpegImageFile),
    "BMP": (bmp.walk, BmpImagePlugin.BmpImageFile),
    "GIF": (gif.walk, GifImagePlugin.GifImageFile),
    "WEBP": (webp.walk, WebPImagePlugin.WebPImageFile),
    "TIFF": (tiff.walk, TiffImagePlugin.TiffImageFile),
}
# what Pillow raises over a file that is not as it should be; UserWarning where the caller's filters make errors of them
_FAULTS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
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


class Refused(Exception):
    """The picture cannot be used: a code of the catalogue and the words for its sentence."""

    def __init__(self, code: str, **detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Structure:
    """A file that was walked: its format, and what its parts tell."""

    kind: str
    layout: Layout


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture's first frame, upright, eight bits a channel, and what keeps its bytes from being sent as they are."""

    image: Image.Image
    kind: str
    layout: Layout
    flaws: tuple[str, ...]


def structure(data: bytes) -> Structure:
    """Return what a file is, without decoding. Raises Refused for what is no picture, too large, or not whole."""
    if not data:
        raise Refused("IMAGE_CORRUPT", found="0 bytes")
    kind = detect.kind(data)
    if kind == "HEIC" and heic.is_installed():
        return Structure(kind, Layout(data, len(data), (0, 0)))  # its size is judged by its own reader
    if kind not in _FORMATS:
        raise Refused("IMAGE_FORMAT", found=kind, **({"extra": "heic"} if kind == "HEIC" else {}))
    with _faults_refused():
        layout = _FORMATS[kind][0](data)
    require_size(*layout.size, most=_COSTLY.get(kind, MAX_PIXELS))
    if kind == "JPEG" and layout.bits > 8:
        raise Refused("IMAGE_FORMAT", found=f"JPEG, {layout.bits} bit")
    return Structure(kind, layout)


def decode(found: Structure, *, draft: int | None = None) -> Decoded:
    """Decode the first frame; ``draft`` allows a JPEG to be read at a fraction not below so many pixels."""
    kind, layout = found.kind, found.layout
    with _faults_refused():
        if kind == "HEIC":
            image, frames = heic.read(layout.plain, require_size)
        else:
            image, frames = _load(found, draft), layout.frames
        turn = layout.orientation
        flaws = {
            f"{kind} → PNG": kind not in ("PNG", "JPEG"),
            "16 bit → 8 bit": layout.bits > 8 or image.mode in _SIXTEEN_BIT,
            f"{image.mode} → RGB": image.mode in ("CMYK", "YCbCr"),
            f"EXIF {turn} → 1": turn != 1,
            FRAMES: frames,
        }
        upright = _eight_bit(image, kind)
        if turn != 1:
            upright = upright.transpose(_TURNS[turn])
    present = (flaw for flaw, is_so in flaws.items() if is_so)
    return Decoded(upright, kind, layout, (*layout.flaws, *present))


def require_size(width: int, height: int, most: int = MAX_PIXELS) -> None:
    """Raise Refused for more pixels than a seal may have."""
    if width * height > most or max(width, height) > MAX_SIDE:
        limit = f"{most // 1_000_000} MP, {MAX_SIDE}×{MAX_SIDE}"
        raise Refused("IMAGE_TOO_LARGE", found=f"{width}×{height}", limit=limit)


def _load(found: Structure, draft: int | None) -> Image.Image:
    image = _FORMATS[found.kind][1](io.BytesIO(found.layout.plain))
    require_size(*image.size)
    if draft:
        image.draft(None, (draft, draft))
    image.load()
    if found.kind == "JPEG" and not draft:
        _require_whole(image)
    return image


def _require_whole(image: Image.Image) -> None:
    """Refuse a JPEG cut off and closed again: the decoder fills the blocks that are missing with middle grey."""
    foot = image.crop((0, max(0, image.height - 8), *image.size))
    colours = foot.getcolors(1) if image.mode in ("L", "RGB") else None
    if colours and colours[0][1] in (128, (128, 128, 128)):
        raise Damaged("cut off")


@contextmanager
def _faults_refused() -> Iterator[None]:
    """Turn what is said of a broken file into IMAGE_CORRUPT or IMAGE_FORMAT; anything else is a bug."""
    try:
        yield
    except Damaged as damaged:
        raise Refused("IMAGE_CORRUPT", found=str(damaged)) from None
    except Unsupported as unsupported:
        raise Refused("IMAGE_FORMAT", found=str(unsupported)) from None
    except _FAULTS:
        raise Refused("IMAGE_CORRUPT", found="cannot be decoded") from None


def _eight_bit(image: Image.Image, kind: str) -> Image.Image:
    """Return the picture with at most eight bits a channel, in a mode that can be shown."""
    if image.mode in _SIXTEEN_BIT:
        grey = image.convert("I").point(lambda level: level * (1 / 256)).convert("L")
        grey.info = dict(image.info)  # a transparent level, in eight bits already
        return grey
    if image.mode == "La":  # Pillow converts it to nothing else
        grey, opacity = image.split()
        return Image.merge("RGBa", (grey, grey, grey, opacity)).convert("RGBA")
    if image.mode not in _EIGHT_BIT:
        raise Refused("IMAGE_FORMAT", found=f"{kind}, {image.mode}")
    return image
