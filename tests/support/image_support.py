"""Pictures for tests: drawn, encoded by Pillow or byte by byte, and put through `ImageExaminer`."""

from __future__ import annotations

import hashlib
import io
import random
import struct
import zlib
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from PIL import Image, ImageDraw

from pipeline.domain.roster import ImageFile, PreparedImage, Problem
from pipeline.intake.images.prepare import ImageExaminer

INLINE = 5_000_000
RED = (200, 0, 0, 255)


def seal(side: int = 120, *, mode: str = "RGBA", width: int | None = None) -> Image.Image:
    """Draw a frame with an unsymmetric stroke: no turn leaves it as it is."""
    drawn = Image.new("RGBA", (width or side, side), (0, 0, 0, 0))
    pen = ImageDraw.Draw(drawn)
    pen.rectangle((4, 4, drawn.width - 5, side - 5), outline=RED, width=3)
    pen.line((10, 10, drawn.width // 2, side // 3), fill=(200, 0, 0, 160), width=5)
    if mode == "RGBA":
        return drawn
    return Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn).convert(mode)


def noise(width: int, height: int, channels: int = 3) -> Image.Image:
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    return Image.frombytes(mode, (width, height), random.Random(7).randbytes(width * height * channels))


def encoded(picture: Image.Image, form: str, **settings: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **settings)
    return buffer.getvalue()


def opened(data: bytes | Path) -> Image.Image:
    with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as picture:
        picture.load()
        return picture


def put(folder: Path, data: bytes, name: str = "张伟.png") -> ImageFile:
    path = folder / name
    path.write_bytes(data)
    return ImageFile.from_path(path, hashlib.sha256(data).hexdigest(), len(data))


def make_examiner(folder: Path, *, limit: int = INLINE) -> ImageExaminer:
    """Return what examines pictures, with a folder ``work``."""
    return ImageExaminer(folder / "work", limit)


def examine(folder: Path, image: ImageFile, **settings: Any) -> PreparedImage | tuple[Problem, ...]:
    """Return a picture as it is sent, or why it is not."""
    examined = make_examiner(folder, **settings).examine(image)
    return examined.prepared or examined.errors


def prepare(folder: Path, data: bytes, **settings: Any) -> PreparedImage | tuple[Problem, ...]:
    return examine(folder, put(folder, data), **settings)


def digest(folder: Path, image: ImageFile) -> str | None:
    """Return the digest of a picture's pixels."""
    return make_examiner(folder).compute_pixels(image)


def ready(folder: Path, data: bytes, **settings: Any) -> PreparedImage:
    prepared = prepare(folder, data, **settings)
    assert isinstance(prepared, PreparedImage), prepared
    assert prepared.sha256 == hashlib.sha256(prepared.path.read_bytes()).hexdigest()
    assert prepared.size == prepared.path.stat().st_size
    sent = opened(prepared.path)
    assert (sent.format, sent.size) == (prepared.format, (prepared.width, prepared.height))
    return prepared


def refused(folder: Path, data: bytes, **settings: Any) -> tuple[str, dict[str, str]]:
    problems = prepare(folder, data, **settings)
    assert not isinstance(problems, PreparedImage), problems
    (problem,) = problems
    assert problem.severity == "error"
    assert problem.detail["file"] == "张伟.png"
    return problem.code, dict(problem.detail)


def describe_changes(prepared: PreparedImage) -> str:
    (problem,) = prepared.problems
    assert (problem.code, problem.severity) == ("IMAGE_CONVERTED", "warning")
    return problem.detail["why"]


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">L", len(body)) + name + body + struct.pack(">L", zlib.crc32(name + body))


def with_chunk(png: bytes, *chunks: bytes) -> bytes:
    """Put chunks behind the header."""
    return png[:33] + b"".join(chunks) + png[33:]


def raw_png(size: tuple[int, int], bits: int, colour: int, rows: list[bytes], *chunks: bytes) -> bytes:
    """Write a PNG of any depth and colour type from its unfiltered rows."""
    header = chunk(b"IHDR", struct.pack(">LLBBBBB", *size, bits, colour, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + body + chunk(b"IEND", b"")


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of two pictures on white, in levels."""
    assert one.size == other.size
    far = [abs(a - b) for a, b in zip(on_white(one).tobytes(), on_white(other).tobytes(), strict=True)]
    return sum(far) / len(far)


def on_white(picture: Image.Image) -> Image.Image:
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture.convert("RGBA")).convert("RGB")


MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr")


@st.composite
def drawn_pictures(draw: st.DrawFn) -> Image.Image:
    """Return a picture of few values, so that grey, opaque and clear ones come often, in any mode and shape."""
    size = draw(st.sampled_from([(1, 1), (1, 900), (700, 1), (3, 2), (20, 20), (300, 230), (600, 450)]))
    levels = st.sampled_from([0, 255, 90])
    picture = Image.new("RGBA", size, (*draw(st.tuples(levels, levels, levels)), draw(levels)))
    for _ in range(draw(st.integers(0, 3))):
        x, y = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
        colour = draw(
            st.one_of(st.tuples(levels, levels, levels, levels), levels.map(lambda n: (n, n, n, 255)))
        )
        picture.paste(colour, (x, y, min(size[0], x + draw(st.integers(1, 300))), y + 1))
    mode = draw(st.sampled_from(MODES))
    match mode:
        case "P":
            palette = picture.convert("RGB").quantize(8)
            if draw(st.booleans()):
                palette.info["transparency"] = draw(st.integers(0, 7))
            return palette
        case "PA":
            return picture.convert("LA").convert(mode)
        case "RGBX" | "CMYK" | "YCbCr":
            return picture.convert("RGB").convert(mode)
    converted = picture.convert(mode)
    if mode in ("L", "RGB") and draw(st.booleans()):
        converted.info["transparency"] = converted.getpixel((0, 0))
    return converted
