"""How a seal or a signature is drawn: framed squares, strips, columns, white on red, a hand's writing, a photo, a scan.

Everything is drawn large, aged by seeded noise and brought down, so that edges look pressed and not computed.
"""

from __future__ import annotations

import random
from functools import cache
from io import BytesIO
from pathlib import Path

from entries import Drawing, Look
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]  # fontTools ships no types
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

FONTS = Path(__file__).parent / "font"
SONG = FONTS / "EsignSampleSong-Bold-subset.otf"
KAI = FONTS / "EsignSampleKai-Regular-subset.ttf"
INK = {"red": (196, 30, 38), "blue": (28, 58, 140), "black": (26, 26, 30)}
WHITE = (255, 255, 255)
SCALE = 2  # drawn so much larger than the file will be


def draw(drawing: Drawing) -> bytes:
    """Return the bytes of the picture file; the same drawing gives the same bytes."""
    look = drawing.look
    dice = random.Random(f"{drawing.words} {look}")
    if look.shape == "blank":
        return _png(Image.new("RGB", (360, 360), WHITE))
    if look.shape == "photo":
        return _photo(_strip(drawing.words, dice, framed=True), dice)
    if look.shape == "scan":
        return _scan(_signature(drawing.words, dice))
    stamp = _aged(_SHAPES[look.shape](drawing.words, dice), dice, wear=look.shape != "signature")
    return _inked(stamp, look)


def _inked(stamp: Image.Image, look: Look) -> bytes:
    """Give the stamp (L, 255 is full ink) its colour, and the paper it stands on."""
    colour = Image.new("RGB", stamp.size, INK[look.ink])
    if look.paper == "clear":
        colour.putalpha(stamp)
        return _png(colour)
    sheet = Image.composite(colour, Image.new("RGB", stamp.size, WHITE), stamp)
    return _png(sheet) if look.paper == "white" else _jpeg(sheet)


def _png(image: Image.Image) -> bytes:
    stream = BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def _jpeg(image: Image.Image, quality: int = 82, exif: Image.Exif | None = None) -> bytes:
    stream = BytesIO()
    image.save(stream, "JPEG", quality=quality, dpi=(300, 300), exif=exif or Image.Exif())
    return stream.getvalue()


def _glyph(character: str, font: Path, side: int) -> Image.Image:
    """Return one character in its em square of ``side`` pixels; a character without a glyph is an error."""
    if ord(character) not in _reach(font):
        raise LookupError(f"{character} is not in {font.name}: add it in font/subset.py")
    tile = Image.new("L", (side, side))
    letters = ImageFont.truetype(font, side)
    ImageDraw.Draw(tile).text((side / 2, side * 0.88), character, 255, letters, anchor="ms")
    return tile


@cache
def _reach(font: Path) -> frozenset[int]:
    """Return the code points a font file can draw."""
    with TTFont(font) as opened:
        return frozenset(opened.getBestCmap())


def _lay(characters: str, cell: tuple[int, int], *, across: int, border: int) -> Image.Image:
    """Set characters in cells, in columns from right to left (across 1 makes one column), within a border."""
    down = -(-len(characters) // across)
    width, height = cell[0] * across + 2 * border, cell[1] * down + 2 * border
    sheet = Image.new("L", (width, height))
    for index, character in enumerate(characters):
        column, line = divmod(index, down)
        tile = _glyph(character, SONG, max(cell)).resize(cell, Image.Resampling.LANCZOS)
        sheet.paste(tile, (border + cell[0] * (across - 1 - column), border + cell[1] * line))
    return sheet


def _frame(sheet: Image.Image, thick: int, round_by: int) -> Image.Image:
    box = (thick // 2, thick // 2, sheet.width - 1 - thick // 2, sheet.height - 1 - thick // 2)
    ImageDraw.Draw(sheet).rounded_rectangle(box, radius=round_by, outline=255, width=thick)
    return sheet


def _four(name: str) -> str:
    """Fill a name to the four characters of a square seal."""
    return {2: f"{name}之印", 3: f"{name}印"}.get(len(name), name)


def _two_by_two(name: str) -> Image.Image:
    return _lay(_four(name), (140 * SCALE, 140 * SCALE), across=2, border=16 * SCALE)


def _square(name: str, _dice: random.Random) -> Image.Image:
    return _frame(_two_by_two(name), 9 * SCALE, 9 * SCALE)


def _relief(name: str, _dice: random.Random) -> Image.Image:
    sheet = _two_by_two(name)
    ground = Image.new("L", sheet.size)
    edge = (0, 0, sheet.width - 1, sheet.height - 1)
    ImageDraw.Draw(ground).rounded_rectangle(edge, radius=16 * SCALE, fill=255)
    return ImageChops.subtract(ground, sheet)


def _strip(name: str, _dice: random.Random, *, framed: bool = True) -> Image.Image:
    cell = (116 * SCALE, 132 * SCALE) if len(name) < 5 else (76 * SCALE, 92 * SCALE)
    sheet = _lay(name[::-1], cell, across=len(name), border=24 * SCALE)
    return _frame(sheet, 8 * SCALE, 6 * SCALE) if framed else sheet


def _plain(name: str, dice: random.Random) -> Image.Image:
    return _strip(name, dice, framed=False)


def _column(name: str, _dice: random.Random) -> Image.Image:
    sheet = _lay(f"{name}印", (124 * SCALE, 120 * SCALE), across=1, border=20 * SCALE)
    return _frame(sheet, 8 * SCALE, 6 * SCALE)


def _signature(name: str, dice: random.Random) -> Image.Image:
    """Write a name by hand: leaning, uneven, the characters running into each other, a stroke to end with."""
    side = 180 * SCALE
    sheet = Image.new("L", (int(side * (0.62 * len(name) + 0.9)), int(side * 1.5)))
    left_edge, base = side * 0.16, side * 0.26
    for character in name:
        size = int(side * dice.uniform(0.86, 1.08))
        tile = _glyph(character, KAI, size).filter(ImageFilter.MaxFilter(5))
        lean = dice.uniform(0.22, 0.34)
        wide = int(size * (1 + lean))
        slant = (1, lean, -lean * size, 0, 1, 0)
        tile = tile.transform((wide, size), Image.Transform.AFFINE, slant, Image.Resampling.BICUBIC)
        tile = tile.rotate(dice.uniform(1, 7), Image.Resampling.BICUBIC)
        sheet.paste(255, (int(left_edge), int(base + dice.uniform(-0.05, 0.08) * side)), tile)
        left_edge += size * dice.uniform(0.6, 0.72)
    _flourish(sheet, dice, (left_edge + side * 0.22, base + side * 0.86), side)
    return _bent(sheet, dice)


def _flourish(sheet: Image.Image, dice: random.Random, end: tuple[float, float], side: int) -> None:
    """Draw the closing stroke from the last character back under the name, thinning out."""
    pen = ImageDraw.Draw(sheet)
    length, sag = side * dice.uniform(0.9, 1.5), side * dice.uniform(0.08, 0.2)
    for step in range(400):
        share = step / 399
        x, y = end[0] - length * share, end[1] + sag * 4 * share * (1 - share) + side * 0.1 * share
        radius = side * 0.022 * (1 - share) ** 0.6 + 1
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)


def _bent(sheet: Image.Image, dice: random.Random) -> Image.Image:
    """Pull a grid over the sheet out of shape, so that no two strokes of the font stay alike."""
    across, down, pull = 7, 4, sheet.height * 0.022
    columns = [sheet.width * step // across for step in range(across + 1)]
    lines = [sheet.height * step // down for step in range(down + 1)]

    def moved(position: int, places: list[int]) -> float:
        """Return where a node of the grid takes its pixels from; the rim stays."""
        at_rim = position in {0, len(places) - 1}
        return places[position] + (0.0 if at_rim else dice.uniform(-pull, pull))

    node = {(i, j): (moved(i, columns), moved(j, lines)) for i in range(across + 1) for j in range(down + 1)}
    mesh = [
        (
            (columns[i], lines[j], columns[i + 1], lines[j + 1]),
            (*node[i, j], *node[i, j + 1], *node[i + 1, j + 1], *node[i + 1, j]),
        )
        for i in range(across)
        for j in range(down)
    ]
    return sheet.transform(sheet.size, Image.Transform.MESH, mesh, Image.Resampling.BICUBIC)


def _aged(stamp: Image.Image, dice: random.Random, *, wear: bool) -> Image.Image:
    """Bring the large drawing down; a stamp that is pressed leaves some of its ink behind."""
    if wear:
        grain = _noise(stamp.size, 7, dice).point(lambda level: 255 if level > 70 else 90)
        patches = _noise(stamp.size, 50, dice).point(lambda level: min(255, 150 + level))
        stamp = ImageChops.multiply(ImageChops.multiply(stamp, grain), patches)
    small = stamp.resize((stamp.width // SCALE, stamp.height // SCALE), Image.Resampling.LANCZOS)
    margin = 12
    sheet = Image.new("L", (small.width + 2 * margin, small.height + 2 * margin))
    sheet.paste(small, (margin, margin))
    # a few levels are enough for an edge, and make the file half as large
    return sheet.point([min(255, (level + 16) // 32 * 36) for level in range(256)])


def _noise(size: tuple[int, int], grain: int, dice: random.Random) -> Image.Image:
    """Return smooth noise of the given grain in pixels."""
    coarse = (size[0] // grain + 2, size[1] // grain + 2)
    dots = Image.frombytes("L", coarse, dice.randbytes(coarse[0] * coarse[1]))
    return dots.resize(size, Image.Resampling.BICUBIC)


def _photo(stamp: Image.Image, dice: random.Random) -> bytes:
    """Return a phone's photo of a stamped sheet: twelve megapixels, lying on its side until EXIF turns it."""
    light = _noise((3000, 4000), 2000, dice).point(lambda level: 214 + level // 10)
    warm = [light.point([max(0, level - less) for level in range(256)]) for less in (0, 3, 12)]
    paper = Image.merge("RGB", warm)
    stamp = _aged(stamp, dice, wear=True)
    stamp = stamp.resize((stamp.width * 4, stamp.height * 4), Image.Resampling.BICUBIC)
    stamp = stamp.rotate(4, Image.Resampling.BICUBIC, expand=True)
    paper.paste(INK["red"], ((3000 - stamp.width) // 2, 1500), stamp)
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Sample", "Phone", 6  # maker, model, turn a quarter clockwise
    return _jpeg(paper.transpose(Image.Transpose.ROTATE_90), 62, exif)


def _scan(signature: Image.Image) -> bytes:
    """Return a whole sheet of A4 scanned in black and white at 800 dots an inch for one signature."""
    page = Image.new("1", (6614, 9354), 1)
    ink = signature.point(lambda level: 255 * (level > 127), "1")
    page.paste(0, ((page.width - ink.width) // 2, 4000), ink)
    return _png(page)


_SHAPES = {
    "square": _square,
    "relief": _relief,
    "strip": _strip,
    "plain": _plain,
    "column": _column,
    "signature": _signature,
}
