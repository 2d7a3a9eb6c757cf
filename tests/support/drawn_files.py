"""Picture files of every format, mode and depth whose look on white paper is known without decoding them.

A drawing is a grid of classes: paper, two inks, and what is named as clear. A file stores each class in its own way, and
the look follows from the classes alone.
"""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pillow_heif
from image_support import chunk, on_white, prepare, raw_png, turned
from PIL import Image, ImageChops, ImageDraw, ImageOps

from pipeline.domain.roster import PreparedImage

PAPER, INK, PALE, CLEAR = range(4)
COLOURS = {PAPER: (255, 255, 255), INK: (0, 0, 0), PALE: (190, 20, 30)}
GREYS = {PAPER: 255, INK: 0, PALE: 85}  # 85 is a level of two and of four bits
# what a file names as clear: nothing, an unused entry in the colour of the ink or of the paper, or a class that is drawn
KEYS = ("none", "unused ink", "unused paper", "used")
SIDES = (19, 20, 23, 61, 97, 200, 256, 257, 400)
TOLERANCE = {"PNG": 0, "JPEG": 16}  # levels in a cell of eight points


@dataclass(frozen=True)
class DrawnFile:
    """A picture file, and its look upright on white paper."""

    name: str
    data: bytes
    look: Image.Image  # RGB

    def __str__(self) -> str:
        return f"{self.name} {self.look.size}"


def draw_classes(chance: random.Random, size: tuple[int, int], *, with_clear: bool) -> Image.Image:
    """Draw strokes of both inks that no turn leaves as they are; some of what is clear lies in the paper."""
    width, height = size
    drawing = Image.new("L", size, PAPER)
    pen = ImageDraw.Draw(drawing)
    if with_clear:
        pen.rectangle((width // 2, height // 2, width - 1, height - 1), fill=CLEAR)
    thick = max(2, min(size) // 12)
    pen.line((2, 2, width - 4, height // 2), fill=INK, width=thick)
    for index in range(8):
        x, y = chance.randrange(max(1, width - 8)), chance.randrange(max(1, height - 8))
        box = (x, y, x + chance.randint(3, 7), y + chance.randint(3, 7))
        pen.rectangle(box, fill=(INK, PALE)[index % 2])
    return drawing


def paint(drawing: Image.Image, colours: dict[int, tuple[int, ...]], mode: str) -> Image.Image:
    """Return the drawing with a colour for each class."""
    bands = [
        drawing.point([colours.get(level, (0,) * len(mode))[band] for level in range(256)])
        for band in range(len(mode))
    ]
    return Image.merge(mode, bands) if len(bands) > 1 else bands[0]


def look_of(drawing: Image.Image, colours: dict[int, tuple[int, ...]], turn: int) -> Image.Image:
    painted = paint(drawing, {**colours, CLEAR: (255, 255, 255)}, "RGB")
    painted.getexif()[0x0112] = turn
    return ImageOps.exif_transpose(painted)


def _save(image: Image.Image, form: str, turn: int, **settings) -> bytes:
    buffer = io.BytesIO()
    if form == "TIFF":
        settings["tiffinfo"] = {0x0112: turn}
    elif form not in {"BMP", "GIF"}:
        settings["exif"] = turned(turn)
    image.save(buffer, form, **settings)
    return buffer.getvalue()


Maker = Callable[[Image.Image, str, int, random.Random], tuple[bytes, dict[int, tuple[int, ...]]]]


def _with_alpha(form: str, mode: str, **settings) -> Maker:
    def make(drawing, key, turn, _chance):
        grey = mode == "LA"
        colours = {kind: (GREYS[kind],) * 3 if grey else COLOURS[kind] for kind in COLOURS}
        hidden = (0,) if grey else (0, 0, 0)
        stored = {kind: (*(colour[: len(hidden)]), 255) for kind, colour in colours.items()} | {
            CLEAR: (*hidden, 0)
        }
        return _save(paint(drawing, stored, mode), form, turn, **settings), colours

    return make


def _opaque(form: str, mode: str, **settings) -> Maker:
    def make(drawing, key, turn, _chance):
        grey = mode in {"1", "L"}
        colours = {kind: (GREYS[kind],) * 3 if grey else COLOURS[kind] for kind in COLOURS}
        if mode == "1":
            colours[PALE] = (0, 0, 0)
        stored = paint(drawing, {**colours, CLEAR: (255, 255, 255)}, "RGB")
        if mode == "P":
            stored = stored.quantize(8)
        return _save(stored if mode == "P" else stored.convert(mode), form, turn, **settings), colours

    return make


def _palette(form: str) -> Maker:
    def make(drawing, key, turn, chance):
        entries = [*COLOURS[PAPER], *COLOURS[INK], *COLOURS[PALE]]
        entries += COLOURS[PAPER] if key == "unused paper" else COLOURS[INK]  # the entry that may be clear
        stored = Image.frombytes("P", drawing.size, drawing.tobytes())
        stored.putpalette(entries)
        settings = {} if key == "none" else {"transparency": CLEAR}
        if settings and form == "PNG" and chance.random() < 0.5:
            settings["transparency"] = bytes((255, 255, 255, 0))
        return _save(stored, form, turn, **settings), COLOURS

    return make


def _keyed_png(mode: str, bits: int) -> Maker:
    """Write a PNG in grey or in RGB of any depth by hand, one level or colour of it clear."""

    def make(drawing, key, turn, _chance):
        highest = (1 << bits) - 1
        given = {kind: (GREYS[kind],) for kind in GREYS} if mode == "L" else COLOURS
        levels = {kind: tuple(level * highest // 255 for level in colour) for kind, colour in given.items()}
        if bits == 1:
            levels[PALE] = levels[INK]
        clear = (highest * 2 // 3 or highest,) * len(mode)  # nothing else has it but the paper of one bit
        if bits == 16 and key.startswith("unused"):  # a neighbour of the ink or of the paper
            step, kind = (1, INK) if key == "unused ink" else (-1, PAPER)
            clear = tuple(level + step for level in levels[kind])
        stored = {**levels, CLEAR: clear if key == "used" else levels[PAPER]}
        width, points = drawing.width, drawing.tobytes()
        rows = [
            _pack([level for kind in points[start : start + width] for level in stored[kind]], bits)
            for start in range(0, len(points), width)
        ]
        named = [] if key == "none" else [chunk(b"tRNS", struct.pack(f">{len(clear)}H", *clear))]
        exif = chunk(b"eXIf", turned(turn).tobytes().removeprefix(b"Exif\0\0"))
        seen = {
            kind: tuple(level * 255 // highest for level in value) * (3 // len(value))
            if key == "none" or value != clear
            else (255, 255, 255)
            for kind, value in levels.items()
        }
        return raw_png(drawing.size, bits, 0 if mode == "L" else 2, rows, *named, exif), seen

    return make


def _pack(values: list[int], bits: int) -> bytes:
    if bits == 16:
        return struct.pack(f">{len(values)}H", *values)
    text = "".join(f"{value:0{bits}b}" for value in values)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def _animated(drawing, key, turn, _chance):
    image = paint(drawing, {**COLOURS, CLEAR: (255, 255, 255)}, "RGB")
    settings = {"save_all": True, "append_images": [ImageChops.offset(image, 3, 1)]}
    return _save(image, "PNG", turn, **settings), COLOURS


def _with_tail(drawing, key, turn, chance):
    data, colours = _palette("PNG")(drawing, key, turn, chance)
    return data + b"trailing", colours


def _heic(drawing, key, turn, _chance):
    buffer = io.BytesIO()
    image = paint(drawing, {**COLOURS, CLEAR: (255, 255, 255)}, "RGB")
    pillow_heif.from_pillow(image).save(buffer, quality=-1, chroma=444, matrix_coefficients=0)
    return buffer.getvalue(), COLOURS


NO_KEY = ("none",)
TURNS = tuple(range(1, 9))
# how a file is made, the keys that it can have, and its turns
MAKERS: dict[str, tuple[Maker, tuple[str, ...], tuple[int, ...]]] = {
    **{f"PNG {mode}": (_with_alpha("PNG", mode), NO_KEY, TURNS) for mode in ("LA", "RGBA")},
    **{f"PNG {mode}": (_opaque("PNG", mode), NO_KEY, TURNS) for mode in ("1", "L", "RGB")},
    **{f"PNG {mode} {bits} bit": (_keyed_png(mode, bits), KEYS, TURNS) for mode, bits in
       (("L", 1), ("L", 2), ("L", 4), ("L", 8), ("L", 16), ("RGB", 8), ("RGB", 16))},
    "PNG P": (_palette("PNG"), KEYS, TURNS),
    "PNG P with a tail": (_with_tail, KEYS, TURNS),
    "PNG of frames": (_animated, NO_KEY, TURNS),
    "GIF P": (_palette("GIF"), KEYS, (1,)),
    **{f"TIFF {mode}": (_with_alpha("TIFF", mode), NO_KEY, TURNS) for mode in ("LA", "RGBA")},
    **{f"TIFF {mode}": (_opaque("TIFF", mode), NO_KEY, TURNS) for mode in ("1", "L", "P", "RGB")},
    "TIFF LZW": (_opaque("TIFF", "RGB", compression="tiff_lzw"), NO_KEY, TURNS),
    "WEBP RGBA": (_with_alpha("WEBP", "RGBA", lossless=True, exact=True), NO_KEY, TURNS),
    "WEBP RGB": (_opaque("WEBP", "RGB", lossless=True), NO_KEY, TURNS),
    **{f"BMP {mode}": (_opaque("BMP", mode), NO_KEY, (1,)) for mode in ("1", "L", "P", "RGB")},
    **{f"JPEG {mode}": (_opaque("JPEG", mode, quality=97, subsampling=0), NO_KEY, TURNS) for mode in ("L", "RGB", "CMYK")},
    "HEIC": (_heic, NO_KEY, (1,)),
}  # fmt: skip
KINDS = [(kind, key, turn) for kind, (_, keys, turns) in MAKERS.items() for key, turn in product(keys, turns)]


def make_file(chance: random.Random, kind: str, key: str, turn: int, size: tuple[int, int]) -> DrawnFile:
    """Return a picture of a kind; what its class for clear shows is paper, whether it is clear or not."""
    maker, keys, _ = MAKERS[kind]
    with_clear = key == "used" or (keys == NO_KEY and kind.endswith("A"))
    drawing = draw_classes(chance, size, with_clear=with_clear)
    data, colours = maker(drawing, key, turn, chance)
    return DrawnFile(f"{kind}, {key}, turn {turn}", data, look_of(drawing, colours, turn))


def choose_files(seed: int, count: int) -> Iterator[DrawnFile]:
    """Yield files of every kind, with the keys, turns and sizes of the seed."""
    chance = random.Random(seed)
    kinds = [*MAKERS] * (count // len(MAKERS) + 1)
    for kind in kinds[:count]:
        _, keys, turns = MAKERS[kind]
        size = (chance.choice(SIDES), chance.choice(SIDES))
        yield make_file(chance, kind, chance.choice(keys), chance.choice(turns), size)


def compute_deviation(sent: bytes, file: DrawnFile) -> str | None:
    """Return how what was sent looks other than the file, on white paper; None where it is the file or looks the same."""
    if sent == file.data:
        return None
    with Image.open(io.BytesIO(sent)) as image:
        seen, form = on_white(image), image.format
        lossy = "JPEG" if "JPEG" in file.name or form == "JPEG" else "PNG"
    if seen.size != file.look.size:
        return f"{file}: sent as {seen.size}"
    far = ImageChops.difference(seen, file.look)
    if lossy == "JPEG":
        cells = (max(1, seen.width // 8), max(1, seen.height // 8))
        far = ImageChops.difference(*(one.resize(cells, Image.Resampling.BOX) for one in (seen, file.look)))
    most = max(level % 256 for level, count in enumerate(far.histogram()) if count)
    return f"{file}: {most} levels" if most > TOLERANCE[lossy] else None


def prepare_and_compare(folder: Path, file: DrawnFile) -> str | None:
    """Prepare a file as a run does; return what is wrong with what would be sent, None where nothing is."""
    prepared = prepare(folder, file.data)
    if isinstance(prepared, PreparedImage):
        return compute_deviation(prepared.path.read_bytes(), file)
    (problem,) = prepared
    if problem.code == "IMAGE_TOO_SMALL" and min(file.look.size) < 20:
        return None
    return f"{file}: {problem.code} {dict(problem.detail)}"
