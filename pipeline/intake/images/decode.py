"""From bytes to pixels: every format by Pillow, upright, eight bits a channel, its size judged before it is unpacked."""

from __future__ import annotations

import errno
import io
import logging
import struct
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import NamedTuple

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

from pipeline.domain import roster
from pipeline.errors import NotReadNow, require_lasting
from pipeline.intake.images import formats
from pipeline.intake.images.formats import DamagedImage, UnsupportedImage
from pipeline.intake.images.image_files import ImageRefused, read_image, read_regular_file
from pipeline.messages.catalogue import make_message

LOG = logging.getLogger(__name__)
MAX_PIXELS = 40_000_000  # an A4 page at 600 dpi has 35, a phone's photo 12: more is no seal, and costs 160 MB
MAX_SIDE = 10_000  # pixels
_MAX_PIXELS_OF = {"WEBP": 25_000_000}  # its decoder holds four copies
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
# Pillow warns of damage in metadata, which is no damage of the picture
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_LARGE = (
    16_000_000  # pixels: more than a phone's usual photo, and only one such picture is unpacked at a time
)
_one_large_image = Lock()

TRAILING_BYTES = make_message("image.trailing_bytes")
FRAMES = make_message("image.frames")

# each decoder is called by its own class: no other format is ever tried
_DECODERS: Mapping[str, type[ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}
_SIXTEEN_BIT = frozenset({"I;16", "I;16B", "I;16L", "I;16N"})
_EIGHT_BIT = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "RGBa"})
# the modes of what is opaque that is not shown in RGB
_PLAIN_MODES = {"1": "L", "L": "L", "LA": "L", "CMYK": "CMYK"}
OF_COLOUR = ("icc_profile", "gamma", "srgb")  # the settings of an image that say how its colours are shown
_ORIENTATION, _BITS_PER_SAMPLE = 0x0112, 0x0102  # EXIF 2.32, 4.6.4
# how Pillow's message begins on a file of a kind it does not know
_UNSUPPORTED = ("unsupported", "unknown pixel mode", "unknown data organization", "cannot handle")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# a part of Pillow's message on a damaged file -> a phrase of the catalogue
_FAULTS = {
    "truncated": make_message("file.cut_off"),
    "checksum": make_message("image.checksum"),
    "decompressed data too large": make_message("image.unpacks_too_large"),
    "too much memory": make_message("image.unpacks_too_large"),
}


@dataclass(slots=True)
class OpenedImage:
    """A picture file whose header was read; it can be decoded once."""

    kind: str
    data: bytes
    size: tuple[int, int]  # of the picture as it is stored; (0, 0) for HEIC, whose reader judges it
    file: ImageFile.ImageFile | None = None
    jpeg: formats.JpegStructure | None = None

    @property
    def is_large(self) -> bool:
        """Whether it may take much memory; the size of a HEIC is not known before it is read."""
        width, height = self.size
        return width * height > _LARGE or self.kind == "HEIC"


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A picture's first frame, upright, and what keeps its bytes from being sent as they are."""

    image: Image.Image  # in L, RGB, RGBA or CMYK; its settings are those of its colours
    kind: str
    flaws: tuple[str, ...]
    data: bytes  # the file
    picture: bytes  # the part of the file that shows the same picture and nothing else


@contextmanager
def decoding_file(file: roster.ImageFile) -> Iterator[DecodedImage]:
    """Decode a picture file. Every error of decoding, also in the body, is raised as ImageRefused or NotReadNow."""
    with refusing_faults():
        data = read_image(file)
    with decoding_bytes(data) as decoded:
        yield decoded


@contextmanager
def decoding_bytes(data: bytes) -> Iterator[DecodedImage]:
    """Decode the bytes of a picture file, as ``decoding_file`` does.

    Large pictures go through one by one: each costs some 400 MB while it is worked on.
    """
    with refusing_faults():
        opened = open_image(data)
        with _one_large_image if opened.is_large else nullcontext():
            yield decode(opened)


@contextmanager
def refusing_faults() -> Iterator[None]:
    """Raise every error over one picture as ImageRefused.

    NotReadNow is raised unchanged. Errors of the machine become NotReadNow, because the picture may be sound.
    """
    try:
        yield
    except (ImageRefused, NotReadNow):
        raise
    except MemoryError as error:
        raise NotReadNow(OSError(errno.ENOMEM, "no memory")) from error
    except ImportError as error:
        raise NotReadNow(OSError(errno.EAGAIN, "a decoder could not be loaded")) from error
    except Exception as bug:
        if isinstance(bug, OSError):
            require_lasting(bug)
        LOG.exception("a picture could not be handled", extra={"kind": type(bug).__name__})
        raise ImageRefused("IMAGE_CORRUPT", found=make_message("image.cannot_decode")) from bug


def require_usable_size(path: Path) -> None:
    """Raise ImageRefused for a picture that its size on disk, or its header, shows to be too large. Raises OSError, NotReadNow."""
    with refusing_faults():
        try:
            open_image(read_regular_file(path))
        except ImageRefused as refused:  # a check finds what else is wrong with it
            if refused.code == "IMAGE_TOO_LARGE":
                raise


def open_image(data: bytes) -> OpenedImage:
    """Read the header of a picture. Raises ImageRefused for what is no picture, too large, or not whole."""
    if not data:
        raise ImageRefused("IMAGE_CORRUPT", found=make_message("image.empty"))
    kind = formats.detect_format(data)
    if kind == "HEIC" and formats.is_heic_readable():
        return OpenedImage(kind, data, (0, 0))
    if kind not in _DECODERS:
        raise ImageRefused("IMAGE_FORMAT", found=kind, **({"extra": "heic"} if kind == "HEIC" else {}))
    jpeg = None
    readable = data
    with _explaining_faults(kind):
        if kind == "JPEG":
            jpeg = formats.scan_jpeg(data)
            readable = jpeg.picture
        elif kind == "TIFF":
            formats.require_readable_tiff(data)
        elif kind == "BMP":
            readable = formats.fill_bmp_palette(data)
        file = _DECODERS[kind](io.BytesIO(readable))
    require_size(*file.size, most=_MAX_PIXELS_OF.get(kind, MAX_PIXELS))
    return OpenedImage(kind, data, file.size, file, jpeg)


def decode(opened: OpenedImage) -> DecodedImage:
    """Decode the first frame."""
    kind = opened.kind
    with _explaining_faults(kind):
        loaded = _load(opened)
        image, turn = loaded.image, loaded.orientation
        flaws = {
            f"{kind} → PNG": kind not in ("PNG", "JPEG"),
            make_message("image.bits_reduced"): loaded.is_deep or image.mode in _SIXTEEN_BIT,
            f"{image.mode} → RGB": image.mode in ("CMYK", "YCbCr"),
            f"EXIF {turn} → 1": turn != 1,
            FRAMES: loaded.has_frames,
            TRAILING_BYTES: loaded.has_trailing_bytes,
        }
        upright = make_plain(_convert_to_eight_bit(image, kind))
        if turn != 1 and kind != "TIFF":  # Pillow turns a TIFF while it loads it
            upright = upright.transpose(_TURNS[turn])
    present = (flaw for flaw, is_present in flaws.items() if is_present)
    return DecodedImage(upright, kind, (*loaded.flaws, *present), opened.data, loaded.picture)


def decode_encoded(data: bytes, kind: str) -> Image.Image:
    """Decode a picture that this program has encoded."""
    file = _DECODERS[kind](io.BytesIO(data))
    file.load()
    return make_plain(file)


def require_size(width: int, height: int, most: int = MAX_PIXELS) -> None:
    """Raise ImageRefused for more pixels than a seal may have."""
    if width * height > most or max(width, height) > MAX_SIDE:
        raise _make_too_large(f"{width}×{height}", most)


def _make_too_large(size: str, most: int) -> ImageRefused:
    limit = f"{most // 1_000_000} MP, {MAX_SIDE}×{MAX_SIDE}"
    return ImageRefused("IMAGE_TOO_LARGE", found=size, limit=limit)


class _LoadedImage(NamedTuple):
    """A first frame as Pillow decodes it."""

    image: Image.Image
    picture: bytes  # see DecodedImage
    orientation: int = 1  # EXIF: 1 upright, 2–8 turned or mirrored
    has_frames: bool = False  # there are more than one
    is_deep: bool = False  # more than eight bits a channel
    has_trailing_bytes: bool = False
    flaws: tuple[str, ...] = ()  # others


def _load(opened: OpenedImage) -> _LoadedImage:
    data, file = opened.data, opened.file
    match file:
        case None:
            image, has_frames = formats.read_heic(data, require_size)
            return _LoadedImage(image, data, has_frames=has_frames)
        case PngImagePlugin.PngImageFile():
            return _load_png(data, file)
        case JpegImagePlugin.JpegImageFile():
            return _load_jpeg(opened, file)
        case GifImagePlugin.GifImageFile():
            return _load_gif(data, file)
        case TiffImagePlugin.TiffImageFile():
            return _load_tiff(data, file)
        case _:
            file.load()
            return _LoadedImage(file, data, _read_orientation(file), getattr(file, "is_animated", False))


def _load_png(data: bytes, file: PngImagePlugin.PngImageFile) -> _LoadedImage:
    end = formats.get_png_end(data)
    is_deep = str(file.tile[0].args).endswith(";16B")
    has_frames = b"acTL" in data[: file.tile[0].offset]  # PNG 3rd edition, 11.3.6.2
    image = formats.load_png(file, data)
    flaws = (formats.LONG_TEXTS,) if formats.has_long_texts(file) else ()
    turn = _read_orientation(file)
    return _LoadedImage(image, data[:end], turn, has_frames, is_deep, end < len(data), flaws)


def _load_jpeg(opened: OpenedImage, file: JpegImagePlugin.JpegImageFile) -> _LoadedImage:
    structure = opened.jpeg
    assert structure is not None
    file.load()
    _require_whole(file)
    return _LoadedImage(
        file,
        structure.picture,
        _read_orientation(file),
        has_frames=structure.has_frames,
        has_trailing_bytes=structure.end < len(opened.data),
        flaws=structure.flaws,
    )


def _load_gif(data: bytes, file: GifImagePlugin.GifImageFile) -> _LoadedImage:
    """Load the first picture of a GIF: what it does not cover of its screen is clear, Pillow would fill it."""
    box = file.tile[0].extents
    file.load()
    image = file if box is None or box == (0, 0, *file.size) else file.crop(box)
    try:
        has_frames = GifImagePlugin.GifImageFile(io.BytesIO(data)).is_animated
    except (IndexError, struct.error):  # the second picture is not whole
        has_frames = True
    return _LoadedImage(image, data, has_frames=has_frames)


def _load_tiff(data: bytes, file: TiffImagePlugin.TiffImageFile) -> _LoadedImage:
    turn = file.tag_v2.get(_ORIENTATION, 1)
    bits = max(file.tag_v2.get(_BITS_PER_SAMPLE, (1,)))
    file.info.pop("xmp", None)  # Pillow would turn the picture by it, other programs do not
    file.load()
    return _LoadedImage(file, data, turn if turn in _TURNS else 1, file.is_animated, bits > 8)


def _read_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 where there is none or it is broken; XMP does not count, as in browsers."""
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b""))
        turn = exif.get(_ORIENTATION)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, struct.error):
        return 1
    return turn if turn in _TURNS else 1


def _require_whole(image: Image.Image) -> None:
    """Refuse a JPEG cut off and closed again: the decoder fills the blocks that are missing with middle grey."""
    foot = image.crop((0, max(0, image.height - 8), *image.size))
    colours = foot.getcolors(1) if image.mode in ("L", "RGB") else None
    if colours and colours[0][1] in (128, (128, 128, 128)):
        raise DamagedImage(make_message("file.cut_off"))


@contextmanager
def _explaining_faults(kind: str) -> Iterator[None]:
    """Turn every error of Pillow into ImageRefused, except for missing memory or a missing decoder."""
    try:
        yield
    except (ImageRefused, MemoryError, ImportError):
        raise
    except DamagedImage as damaged:
        raise ImageRefused("IMAGE_CORRUPT", found=damaged.reason) from None
    except UnsupportedImage as unsupported:
        raise ImageRefused("IMAGE_FORMAT", found=unsupported.kind) from None
    except Image.DecompressionBombError:
        raise _make_too_large(f"> {2 * MAX_PIXELS // 1_000_000} MP", MAX_PIXELS) from None
    except Exception as fault:
        text = str(fault).lower()
        if text.startswith(_UNSUPPORTED):
            raise ImageRefused("IMAGE_FORMAT", found=kind) from fault
        cannot_decode = make_message("image.cannot_decode")
        reason = next((words for part, words in _FAULTS.items() if part in text), cannot_decode)
        raise ImageRefused("IMAGE_CORRUPT", found=reason) from fault


def _convert_to_eight_bit(image: Image.Image, kind: str) -> Image.Image:
    """Return the picture with at most eight bits a channel, in a mode that can be shown."""
    if image.mode in _SIXTEEN_BIT:
        return formats.reduce_grey(image)
    if image.mode == "La":  # Pillow converts it to nothing else
        grey, opacity = image.split()
        return Image.merge("RGBa", (grey, grey, grey, opacity))
    if image.mode not in _EIGHT_BIT:
        raise ImageRefused("IMAGE_FORMAT", found=f"{kind}, {image.mode}")
    return image


def make_plain(image: Image.Image) -> Image.Image:
    """Return a loaded picture in a mode in which each point holds all that is seen of it.

    A colour that is clear by a setting of the image would be clear in every later mode of it, also where no point is.
    """
    colours: dict[str | tuple[int, int], object] = {
        name: image.info[name] for name in OF_COLOUR if name in image.info
    }
    mode = _PLAIN_MODES.get(image.mode, "RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            mode = "RGBA"
    plain = image if image.mode == mode else image.convert(mode)
    plain.info = colours
    return plain
