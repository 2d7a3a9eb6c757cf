"""Promise 6 at its end: the pixels that reach the service are the upright pixels of the picture that was given."""

from __future__ import annotations

import io
import os
import random
import struct
from dataclasses import dataclass

import pillow_heif
import pytest
from generated_rosters.pictures import flatten
from image_support import raw_png
from people import name, number
from PIL import Image, ImageChops, ImageDraw, ImageOps

LONG = "PIXEL_SEEDS" in os.environ  # make trap
SEEDS = range(int(os.environ.get("PIXEL_SEEDS", "1")))
# `check` keeps a small copy of each picture before the run; a run at once keeps it while it prepares
AT_ONCE, CHECKED = ("run",), ("check", "run")
ORIENTATION = 0x0112
PAPER, INK = (255, 255, 255), (200, 20, 30)
SIZES = [(20, 20), (21, 23), (97, 61), (120, 60), (200, 100), (255, 31), (256, 256), (257, 40), (511, 33)]
STRIPS = [(20, 700), (900, 21), (23, 256), (256, 20)]
# the loss that a format may bring, in levels of the mean difference
LOSSY = {"JPEG": 6.0, "HEIC": 6.0}
EIGHT_BIT = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "APNG": ("RGB", "RGBA"),
    "JPEG": ("L", "RGB", "CMYK"),
    "BMP": ("1", "L", "P", "RGB"),
    "GIF": ("1", "L", "P"),
    "WEBP": ("RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"),
    "HEIC": ("RGB",),
}
TURNING = {"PNG", "APNG", "JPEG", "WEBP", "TIFF"}
KINDS = [(form, mode) for form, modes in EIGHT_BIT.items() for mode in modes]


@dataclass(frozen=True)
class Given:
    """A picture file, and how it looks upright."""

    form: str
    mode: str
    turn: int
    data: bytes
    upright: Image.Image

    def __str__(self) -> str:
        return f"{self.form} {self.mode} turn {self.turn} {self.upright.size}"


def drawn(chance: random.Random, size: tuple[int, int], mode: str) -> Image.Image:
    """Draw strokes that no other picture has and no turn leaves as they are."""
    width, height = size
    grey = mode in {"1", "L", "LA", "I;16"}
    ink = (0, 0, 0) if grey else INK
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    thick = max(2, min(size) // 12)
    pen.line((2, 2, width - 4, height // 2), fill=ink, width=thick)
    for _ in range(6):
        left, top = chance.randrange(width - 8), chance.randrange(height - 8)
        pen.rectangle((left, top, left + chance.randint(3, 7), top + chance.randint(3, 7)), fill=ink)
    if mode in {"LA", "RGBA"}:
        clear = sheet.convert("L").point(lambda level: 0 if level == 255 else 255)
        return Image.merge(mode, (*sheet.convert(mode[:-1]).split(), clear))
    return sheet.convert("L" if mode == "I;16" else mode)


def upright(image: Image.Image, turn: int) -> Image.Image:
    """Return the picture as a viewer shows it that applies the turn."""
    image = image.copy()
    image.getexif()[ORIENTATION] = turn
    return ImageOps.exif_transpose(image)


def sixteen_bit(image: Image.Image) -> Image.Image:
    levels = b"".join(struct.pack("<H", level * 257) for level in image.tobytes())
    return Image.frombytes("I;16", image.size, levels)


def encoded(image: Image.Image, form: str, mode: str, turn: int) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    buffer = io.BytesIO()
    match form, mode:
        case "PNG", "I;16":
            width = image.width
            levels = [struct.pack(">H", level * 257) for level in image.tobytes()]
            rows = [b"".join(levels[start : start + width]) for start in range(0, len(levels), width)]
            return raw_png(image.size, 16, 0, rows)
        case "TIFF", _:
            stored = sixteen_bit(image) if mode == "I;16" else image
            stored.save(buffer, "TIFF", tiffinfo={ORIENTATION: turn})
        case "APNG", _:
            other = ImageChops.offset(image, 3, 1)
            image.save(buffer, "PNG", save_all=True, append_images=[other], exif=exif)
        case "WEBP", _:
            image.save(buffer, "WEBP", lossless=True, exact=True, exif=exif)
        case "JPEG", _:
            image.save(buffer, "JPEG", quality=95, subsampling=0, exif=exif)
        case "HEIC", _:
            pillow_heif.from_pillow(image).save(buffer, quality=-1, chroma=444)
        case "PNG", _:
            image.save(buffer, "PNG", exif=exif)
        case _:
            image.save(buffer, form)
    return buffer.getvalue()


def given(chance: random.Random, form: str, mode: str, size: tuple[int, int]) -> Given:
    turn = chance.randint(1, 8) if form in TURNING and mode != "I;16" else 1
    image = drawn(chance, size, mode)
    return Given(form, mode, turn, encoded(image, form, mode, turn), upright(image, turn))


def collection(seed: int) -> list[Given]:
    """Return a picture of every format and mode in several sizes."""
    chance = random.Random(seed)
    made = []
    for index, (form, mode) in enumerate(KINDS):
        odd = (chance.randint(20, 300), chance.randint(20, 300))
        sizes = (odd, chance.choice(SIZES), chance.choice(STRIPS))
        made += [given(chance, form, mode, size) for size in (sizes if LONG else [sizes[index % 3]])]
    return made


def lay_out(hospital, pictures: list[Given]) -> None:
    hospital.roster(
        [(name(index), number(index), None, f"{index:05d}", "内科") for index in range(len(pictures))]
    )
    for index, picture in enumerate(pictures):
        suffix = {"APNG": "png", "JPEG": "jpg"}.get(picture.form, picture.form.lower())
        (hospital.folder / "seals" / f"{index:05d}.{suffix}").write_bytes(picture.data)


def received(hospital, pictures: list[Given]) -> dict[int, Image.Image]:
    """Return what the sandbox holds for each doctor, by the identity number of the create."""
    service = hospital.service
    places = {number(index): index for index in range(len(pictures))}
    opened = {}
    for seal in service.seals:
        with Image.open(io.BytesIO(service.pictures[seal.picture])) as image:
            image.load()
            opened[places[seal.number]] = image
    return opened


def mean_difference(one: Image.Image, other: Image.Image) -> float:
    histogram = ImageChops.difference(flatten(one), flatten(other)).histogram()
    total = sum(level % 256 * count for level, count in enumerate(histogram))
    return total / (one.width * one.height * 3)


def wrong(sent: Image.Image | None, picture: Given) -> str | None:
    """Return what differs between a picture and what arrived of it."""
    if sent is None:
        return f"{picture}: not sent"
    if sent.size != picture.upright.size:
        return f"{picture}: sent as {sent.size}"
    loss = mean_difference(sent, picture.upright)
    if loss > LOSSY.get(picture.form, 0.0):
        return f"{picture}: {loss:.2f} levels"
    clear = sent.has_transparency_data
    return None if clear == (picture.mode in {"LA", "RGBA"}) else f"{picture}: transparent {clear}"


def sealed(hospital, pictures: list[Given], *commands: str) -> dict[int, Image.Image]:
    """Run the commands over the pictures; return what arrived of each, all of them."""
    lay_out(hospital, pictures)
    for command in commands:
        hospital.go(command, "--yes") if command == "run" else hospital.go(command)
    rows = hospital.outcomes()
    refused = [(str(pictures[row["row"] - 2]), row["codes"]) for row in rows if row["status"] != "sealed"]
    assert refused == []
    assert not [row for row in rows if "IMAGE_TOO_LARGE_FIXABLE" in row["codes"]]
    return received(hospital, pictures)


@pytest.mark.parametrize("commands", [AT_ONCE, CHECKED])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_pixels_that_arrive_are_those_of_the_file(hospital, seed, commands):
    pictures = collection(seed)
    arrived = sealed(hospital, pictures, *commands)
    deviations = [wrong(arrived.get(index), picture) for index, picture in enumerate(pictures)]
    assert list(filter(None, deviations)) == []


def test_a_jpeg_with_stray_bytes_arrives_as_a_viewer_shows_it(hospital):
    pictures = []
    for turn in (1, 6):
        image = drawn(random.Random(turn), (120, 60), "RGB")
        data = encoded(image, "JPEG", "RGB", turn)
        tables = data.index(b"\xff\xdb")
        data = data[:tables] + b"\x00junk\xff\x00" + data[tables:]
        with Image.open(io.BytesIO(data)) as seen:
            pictures.append(Given("JPEG", "RGB", turn, data, ImageOps.exif_transpose(seen)))
    arrived = sealed(hospital, pictures, "run")
    assert [wrong(arrived.get(index), picture) for index, picture in enumerate(pictures)] == [None, None]
    assert arrived[0].tobytes() == pictures[0].upright.tobytes()


def test_a_tiff_whose_colour_map_is_not_whole_is_not_sent(hospital):
    image = drawn(random.Random(1), (60, 40), "P")
    data = bytearray(encoded(image, "TIFF", "P", 1))
    entry = data.index(struct.pack("<HHL", 320, 3, 768))
    data[entry + 4 : entry + 8] = struct.pack("<L", 195)
    lay_out(hospital, [Given("TIFF", "P", 1, bytes(data), image)])
    assert hospital.go("run", "--yes") == 3
    assert hospital.service.seals == []
    assert "IMAGE_CORRUPT" in hospital.outcomes()[0]["codes"]
