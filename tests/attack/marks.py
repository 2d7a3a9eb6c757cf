"""Pictures that carry their doctor's serial in blocks, so that what arrives at the service tells whose it is."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw

ACROSS, DOWN = 8, 3  # blocks: 12 bits of serial, 4 of drawing, 8 of checksum
INK = (190, 20, 30)


def _bits(serial: int, drawing: int) -> list[bool]:
    value = serial << 4 | drawing
    value = value << 8 | (value * 37 + 11) % 251
    return [bool(value >> index & 1) for index in range(ACROSS * DOWN)]


def _box(position: int, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return a block's corners: the blocks fill the middle 80 % of the picture."""
    width, height = size[0] * 0.8 / ACROSS, size[1] * 0.6 / DOWN
    remaining = size[0] * 0.1 + position % ACROSS * width
    top = size[1] * 0.2 + position // ACROSS * height
    return remaining, top, remaining + width, top + height


def draw_mark(serial: int, drawing: int = 0, size: tuple[int, int] = (128, 64)) -> Image.Image:
    """Draw a doctor's seal; ``drawing`` (0 to 15) tells a new scan from the first."""
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((2, 2, size[0] - 3, size[1] - 3), outline=INK, width=max(1, size[0] // 60))
    pen.line((8, 8, size[0] - 9, 8), fill=INK, width=2)
    for index, bit in enumerate(_bits(serial, drawing)):
        if bit:
            left_edge, top, right, bottom = _box(index, size)
            pen.rectangle((left_edge, top, right - 2, bottom - 2), fill=INK)
    return sheet


def read_mark(data: bytes) -> int | None:
    """Return the serial in a picture's blocks, None where it holds no mark."""
    with Image.open(io.BytesIO(data)) as image:
        picture = image.convert("RGBA")
    paper = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    value = 0
    for index in range(ACROSS * DOWN):
        left_edge, top, right, bottom = _box(index, paper.size)
        red, green, blue = paper.getpixel((int((left_edge + right) / 2 - 1), int((top + bottom) / 2 - 1)))
        value |= (green + blue < red + 120) << index
    checksum, content = value & 0xFF, value >> 8
    return content >> 4 if (content * 37 + 11) % 251 == checksum else None
