"""Pictures as they come from scanners, phones and Word: what can be shown is sent, what shows nothing is refused."""

import io
import struct
import zlib
from functools import cache

import pillow_heif
from generated_rosters.cast import Cast, Register
from generated_rosters.pictures import flatten, png, save
from generated_rosters.truth import refused, sent
from generated_rosters.values import Encoded
from PIL import Image, ImageOps

TRAPS = Register()
CONVERTED = frozenset({"IMAGE_CONVERTED"})
ORIENTATION = 0x0112


def _plain(data: bytes, suffix: str, image: Image.Image) -> Encoded:
    return Encoded(data, suffix, flatten(image))


def _mended(data: bytes, suffix: str, image: Image.Image, warns=CONVERTED) -> Encoded:
    return Encoded(data, suffix, flatten(image), warns, verbatim=False)


def _clear(image: Image.Image) -> Image.Image:
    """Return the drawing with transparent paper."""
    clear = image.convert("RGBA")
    clear.putalpha(ImageOps.invert(image.convert("L")).point(lambda level: 255 if level > 20 else 0))
    return clear


def _sixteen(image: Image.Image) -> bytes:
    """Return a grey PNG of sixteen bits a point."""
    return save(image.convert("L").convert("I").point(lambda level: level * 257).convert("I;16"), "PNG")


def _interlaced(image: Image.Image) -> bytes:
    """Return an Adam7 PNG, which Pillow reads and does not write."""
    passes = (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    )
    points, raw = image.load(), bytearray()
    for passe, top, across, down in passes:
        for y in range(top, image.height, down):
            line = b"".join(bytes(points[x, y]) for x in range(passe, image.width, across))
            if line:
                raw += b"\0" + line
    head = struct.pack(">IIBBBBB", *image.size, 8, 2, 0, 0, 1)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(raw))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _turned(image: Image.Image, orientation: int) -> bytes:
    """Return a JPEG that lies on its side until its EXIF turns it."""
    lay = {
        3: Image.Transpose.ROTATE_180,
        6: Image.Transpose.ROTATE_90,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return save(image.transpose(lay), "JPEG", quality=92, exif=exif)


def _palette(image: Image.Image) -> bytes:
    few = _clear(image).quantize(16)
    return save(few, "PNG")


def _frames(image: Image.Image) -> bytes:
    return save(image, "PNG", save_all=True, append_images=[Image.new("RGB", image.size, "yellow")])


def _mpo(image: Image.Image) -> bytes:
    return save(
        image, "MPO", quality=92, save_all=True, append_images=[Image.new("RGB", image.size, "yellow")]
    )


def _heic(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    pillow_heif.from_pillow(image).save(stream, quality=90)
    return stream.getvalue()


def _heavy(image: Image.Image) -> bytes:
    """Return a PNG beyond what one upload may carry: the drawing, large, under faint noise."""
    large = image.resize((2400, 1140), Image.Resampling.NEAREST)
    noise = Image.effect_noise(large.size, 14)
    grain = Image.merge(
        "RGB",
        [
            noise,
            noise.transpose(Image.Transpose.ROTATE_180),
            noise.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        ],
    )
    return save(Image.blend(large, grain, 0.28), "PNG", compress_level=0)


def _cmyk(image: Image.Image) -> bytes:
    return save(image.convert("CMYK"), "JPEG", quality=92)


GOOD = {
    "JPEG": lambda i: _plain(save(i, "JPEG", quality=92), ".jpg", i),
    "progressive JPEG": lambda i: _plain(save(i, "JPEG", quality=92, progressive=True), ".jpeg", i),
    "grey JPEG": lambda i: _plain(save(i.convert("L"), "JPEG", quality=92), ".jpg", i.convert("L")),
    "JPEG named .png": lambda i: _plain(save(i, "JPEG", quality=92), ".png", i),
    "PNG named .jpg": lambda i: _plain(png(i), ".jpg", i),
    "clear PNG": lambda i: _plain(png(_clear(i)), ".png", _clear(i)),
    "palette with transparency": lambda i: _plain(_palette(i), ".png", i),
    "grey with transparency": lambda i: _plain(png(_clear(i).convert("LA")), ".png", _clear(i).convert("LA")),
    "one bit": lambda i: _plain(png(i.convert("1", dither=Image.Dither.NONE)), ".png", i.convert("1", dither=Image.Dither.NONE)),
    "interlaced": lambda i: _plain(_interlaced(i), ".png", i),
    "CMYK": lambda i: _mended(_cmyk(i), ".jpg", i),
    "sixteen bits": lambda i: _mended(_sixteen(i), ".png", i.convert("L")),
    "APNG": lambda i: _mended(_frames(i), ".png", i),
    "MPO": lambda i: _mended(_mpo(i), ".jpg", i),
    "EXIF 3": lambda i: _mended(_turned(i, 3), ".jpg", i),
    "EXIF 6": lambda i: _mended(_turned(i, 6), ".jpg", i),
    "EXIF 8": lambda i: _mended(_turned(i, 8), ".JPG", i),
    "trailing bytes": lambda i: _mended(png(i) + b"<html>tail</html>", ".png", i),
    "BMP": lambda i: _mended(save(i, "BMP"), ".bmp", i),
    "GIF": lambda i: _mended(save(i, "GIF"), ".gif", i),
    "WEBP": lambda i: _mended(save(i, "WEBP", quality=92), ".webp", i),
    "TIFF": lambda i: _mended(save(i, "TIFF"), ".tif", i),
    "TIFF, compressed": lambda i: _mended(save(_clear(i), "TIFF", compression="tiff_lzw"), ".tiff", _clear(i)),
    "BMP named .jpg": lambda i: _mended(save(i, "BMP"), ".jpg", i),
    "HEIC": lambda i: _mended(_heic(i), ".heic", i),
    "HEIC named .jpg": lambda i: _mended(_heic(i), ".jpg", i),
    "over the limit": lambda i: _mended(_heavy(i), ".png", i, frozenset({"IMAGE_TOO_LARGE_FIXABLE"})),
}  # fmt: skip


def _bomb(_image: Image.Image) -> bytes:
    """Return a PNG that says it has 60,000 x 60,000 points."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _text_bomb(image: Image.Image) -> bytes:
    """Return a PNG whose comment unpacks to 80 MB."""
    whole = png(image)
    return whole[:33] + _chunk(b"zTXt", b"Comment\0\0" + _zeros(80_000_000)) + whole[33:]


@cache
def _zeros(count: int) -> bytes:
    return zlib.compress(bytes(count), 1)


BAD = {
    "white": (lambda i: png(Image.new("RGB", i.size, "white")), ".png", "IMAGE_BLANK"),
    "transparent": (lambda i: png(Image.new("RGBA", i.size, (255, 0, 0, 0))), ".png", "IMAGE_BLANK"),
    "one colour": (lambda i: png(Image.new("RGB", i.size, (200, 30, 30))), ".png", "IMAGE_BLANK"),
    "white with faint noise": (lambda i: png(Image.effect_noise(i.size, 2).point(lambda v: 248 + v % 5)), ".png", "IMAGE_BLANK"),
    "white ink on clear": (lambda i: png(_white_ink(i)), ".png", "IMAGE_BLANK"),
    "9 x 9": (lambda i: png(i.resize((9, 9))), ".png", "IMAGE_TOO_SMALL"),
    "cut off PNG": (lambda i: png(i)[:-900], ".png", "IMAGE_CORRUPT"),
    "cut off JPEG": (lambda i: save(i, "JPEG", quality=92)[:-2500], ".jpg", "IMAGE_CORRUPT"),
    "zero bytes": (lambda _i: b"", ".png", "IMAGE_CORRUPT"),
    "HTML": (lambda _i: b"<!DOCTYPE html><html><body>404</body></html>", ".png", "IMAGE_FORMAT"),
    "PDF": (lambda _i: b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF", ".jpg", "IMAGE_FORMAT"),
    "SVG": (lambda _i: b'<svg xmlns="http://www.w3.org/2000/svg"/>', ".png", "IMAGE_FORMAT"),
    "EPS": (lambda _i: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", ".png", "IMAGE_FORMAT"),
    "a bomb of points": (_bomb, ".png", "IMAGE_TOO_LARGE IMAGE_CORRUPT"),
    "a bomb of text": (_text_bomb, ".png", "IMAGE_TOO_LARGE IMAGE_CORRUPT IMAGE_FORMAT"),
}  # fmt: skip


def _white_ink(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, (255, 255, 255, 0))
    white.putalpha(_clear(image).getchannel("A"))
    return white


def _good(name: str, encode) -> None:
    @TRAPS(f"picture: {name}")
    def build(cast: Cast, tables) -> None:
        person = cast.person()
        made = encode(cast.draw(person))
        cast.add_file(person.name + made.suffix, made.data)
        cast.add(tables[0], person, sent(person, made))


for _name, _encode in GOOD.items():
    _good(_name, _encode)


def salted(data: bytes, serial: int) -> bytes:
    """Return a file that differs from every other of its kind: two doctors' equal files would be one shared picture."""
    salt = b"no %d" % serial
    if data.startswith(b"\x89PNG"):
        return data[:33] + _chunk(b"tEXt", b"Comment\0" + salt) + data[33:]
    return data + b"\n%" + salt if data else data


def _bad(name: str, encode, suffix: str, codes: str) -> None:
    @TRAPS(f"picture: {name}")
    def build(cast: Cast, tables) -> None:
        person = cast.person()
        cast.add_file(person.number + suffix, salted(encode(cast.draw(person)), person.serial))
        cast.add(tables[0], person, refused(codes, None))


for _name, _case in BAD.items():
    _bad(_name, *_case)
