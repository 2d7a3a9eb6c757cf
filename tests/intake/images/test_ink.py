"""One pass over the pixels: their digest, the small copy, and what counts as ink. A blank picture shows no part of a name."""

from __future__ import annotations

import random
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_support import drawn_pictures, encoded, noise, on_white, ready, refused, seal
from PIL import Image, ImageChops, ImageDraw, ImageFilter
from walks import count_examples

from pipeline.intake.images import ink
from pipeline.intake.images.decode import make_plain
from pipeline.intake.images.ink import reduce_image, scan_image

LARGE = (700, 500)  # several strips
HELD = {
    "L": "900x700:1695ab425d6f3908e6401bcba07ba9dbaff646bc9620c080b22540a850f9e805",
    "RGB": "900x700:af6d9243cd9019d1237e41e7acc0aeb958713186cab06f7215ac0a162a813717",
    "RGBA": "900x700:430bc53d53d3e194935533e70873a5e6e57291e20c67120493942d1a6086ed50",
    "RGBA of grey": "900x700:a667016d17e254e177285ebeb69ca65c58f8003da40c5956318570c699c69d34",
}


def shades(mode: str) -> Image.Image:
    """Return a picture of many colours, and where the mode allows it of every opacity."""
    return noise(*LARGE, channels=4).convert(mode)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "RGBA of grey"])
def test_the_digest_is_that_which_ledgers_hold(mode):
    picture = noise(900, 700, channels=4).convert(mode.split()[0])
    if "grey" in mode:
        picture = noise(900, 700, channels=1).convert("RGBA")
    assert scan_image(picture).pixels == HELD[mode]


@given(st.lists(drawn_pictures(), min_size=2, max_size=5))
@settings(max_examples=count_examples(60), deadline=None)
def test_digests_are_equal_where_size_and_premultiplied_points_are(pictures):
    pictures = [make_plain(picture) for picture in [*pictures, *(one.convert("RGBA") for one in pictures)]]
    looks = [(picture.size, picture.convert("RGBA").convert("RGBa").tobytes()) for picture in pictures]
    digests = [scan_image(picture).pixels for picture in pictures]
    for look, digest in zip(looks, digests, strict=True):
        assert [other == look for other in looks] == [other == digest for other in digests]


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("colour", [(129, 128, 128), (128, 129, 128), (128, 128, 129)])
def test_one_coloured_point_counts_where_the_small_copy_is_grey(mode, colour):
    grey = Image.new(mode, LARGE, (128, 128, 128))
    coloured = grey.copy()
    coloured.putpixel((650, 450), colour)
    scan = scan_image(coloured)
    assert scan.small.tobytes() == scan_image(grey).small.tobytes()
    assert scan.pixels != scan_image(grey).pixels


@given(drawn_pictures())
@settings(max_examples=count_examples(60), deadline=None)
def test_grey_is_judged_as_the_same_in_colours(picture):
    scan = scan_image(make_plain(picture))
    coloured = ink.SmallCopy(scan.size, scan.small.convert("RGB"))
    assert scan.darkness.tobytes() == coloured.darkness.tobytes()
    assert scan.is_blank is coloured.is_blank


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("size", [(120, 90), LARGE])
def test_the_small_copy_is_the_mean_of_what_is_seen_on_paper(mode, size):
    picture = shades(mode).crop((0, 0, *size))
    step = ink.get_step(size)
    seen = on_white(picture).reduce(step) if step > 1 else on_white(picture)
    small = scan_image(make_plain(picture)).small.convert("RGB")
    assert small.size == seen.size
    assert max(abs(a - b) for a, b in zip(small.tobytes(), seen.tobytes(), strict=True)) <= 1


@pytest.mark.parametrize("step", [1, 3, 16])
def test_a_reduced_picture_depends_on_the_drawing_alone(step):
    grey = seal(160, mode="L")
    of = [reduce_image(grey.convert(mode), step).convert("RGB").tobytes() for mode in ("L", "RGB", "RGBA")]
    assert len(set(of)) == 1


@pytest.mark.parametrize("size", [(2, 2), (3, 9), (11, 4), (40, 30)])
def test_a_point_is_as_dark_as_it_is_darker_than_the_brightest_three_away(size):
    picture = noise(*size)
    position = {(x, y): picture.getpixel((x, y)) for x in range(size[0]) for y in range(size[1])}
    slowly = bytes(
        max(
            max(0, there - here)
            for location in ((x, y), (x - 3, y), (x + 3, y), (x, y - 3), (x, y + 3))
            for there, here in zip(position.get(location, (0, 0, 0)), position[x, y], strict=True)
        )
        for y in range(size[1])
        for x in range(size[0])
    )
    assert ink.measure_darkness(picture).tobytes() == slowly


SIZES = ((100, 60), (300, 200), (1000, 800))
WHITE = (255, 255, 255)


def paper(size: tuple[int, int], grain: float = 2, level: int = 245) -> Image.Image:
    """Return a sheet as a scanner sees it."""
    small = grains(grain, level)
    sheet = Image.new("L", size)
    for position in range(0, size[0], small.width):
        for top in range(0, size[1], small.height):
            sheet.paste(small, (position, top))
    return sheet


@cache
def grains(grain: float, level: int) -> Image.Image:
    """Return a part of such a sheet."""
    dice = random.Random(9)
    points = bytes(max(0, min(255, int(dice.gauss(level, grain)))) for _ in range(40_000))
    return Image.frombytes("L", (200, 200), points)


def lit(size: tuple[int, int]) -> Image.Image:
    """Return a sheet with a lamp over its middle: 250 there, 165 in the corners."""
    return Image.radial_gradient("L").resize(size).point(lambda level: 250 - level // 3)


def name(size: tuple[int, int], ink: tuple[int, ...], share: float, *, frame: bool = False) -> Image.Image:
    """Write something like a character of a share of the longer side into the middle: five strokes."""
    drawn = Image.new("RGB", size, WHITE)
    pen = ImageDraw.Draw(drawn)
    side, (x, y) = int(max(size) * share), (size[0] // 2, size[1] // 2)
    wide = max(1, side // 12)
    for part in (-0.4, 0, 0.4):
        pen.line((x - side / 2, y + side * part, x + side / 2, y + side * part), fill=ink, width=wide)
    pen.line((x, y - side / 2, x, y + side / 2), fill=ink, width=wide)
    pen.line((x, y, x + side / 2, y + side / 2), fill=ink, width=wide)
    if frame:
        pen.rectangle((2, 2, size[0] - 3, size[1] - 3), outline=ink, width=max(1, min(size) // 60))
    return drawn


def blank(tmp_path, drawn: Image.Image, form: str = "PNG", **settings: int) -> bool:
    return refused(tmp_path, encoded(drawn, form, **settings))[0] == "IMAGE_BLANK"


@pytest.mark.parametrize("size", SIZES)
def test_paper_with_nothing_on_it_is_blank(tmp_path, size):
    assert blank(tmp_path, Image.new("L", size, 255))
    assert blank(tmp_path, paper(size))
    assert blank(tmp_path, paper(size), "JPEG", quality=60)
    assert blank(tmp_path, lit(size))
    assert blank(tmp_path, ImageChops.subtract(lit(size), paper(size, 3, 10)), "JPEG", quality=70)


@pytest.mark.parametrize("size", SIZES[1:])
def test_dust_is_no_ink(tmp_path, size):
    sheet = paper(size)
    dice = random.Random(6)
    for _ in range(6):
        x, y, wide = dice.randrange(size[0]), dice.randrange(size[1]), min(size) // 150
        ImageDraw.Draw(sheet).ellipse((x, y, x + wide, y + wide), fill=60)
    assert blank(tmp_path, sheet)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("moment", ["inset", "edge"])
def test_a_frame_with_nothing_in_it_is_blank(tmp_path, size, moment):
    for clear in (False, True):
        drawn = Image.new("RGBA", size, (255, 255, 255, 0 if clear else 255))
        inset = min(size) // 10 if moment == "inset" else 0
        box = (inset, inset, size[0] - 1 - inset, size[1] - 1 - inset)
        ImageDraw.Draw(drawn).rectangle(box, outline=(200, 20, 20, 255), width=max(1, min(size) // 40))
        assert blank(tmp_path, drawn)


def test_a_block_of_colour_is_blank(tmp_path):
    drawn = Image.new("RGB", (300, 300), WHITE)
    drawn.paste((200, 20, 20), (60, 60, 240, 240))
    assert blank(tmp_path, drawn)


def test_ink_in_the_colour_of_the_paper_is_blank(tmp_path):
    for drawn in (seal(), seal().resize((500, 500))):
        drawn.paste(WHITE, mask=Image.new("L", drawn.size, 255).point([0] * 256))
        white = Image.merge("RGBA", (*Image.new("RGB", drawn.size, WHITE).split(), drawn.getchannel("A")))
        assert blank(tmp_path, white)
        assert blank(tmp_path, white, "WEBP", lossless=1)


@pytest.mark.parametrize(
    ("size", "ink"),
    [
        (SIZES[0], (200, 20, 30)),
        (SIZES[0], (170, 170, 170)),
        (SIZES[1], (30, 30, 30)),
        (SIZES[1], (90, 90, 220)),
        (SIZES[2], (170, 170, 170)),
    ],
)
def test_a_name_is_seen_small_or_large_framed_or_not(tmp_path, size, ink):
    for share in (0.15, 0.4):
        for frame in (False, True):
            drawn = name(size, ink, share, frame=frame)
            ready(tmp_path, encoded(drawn, "PNG"))
            ready(tmp_path, encoded(drawn, "JPEG", quality=60))


def test_a_faint_name_on_unevenly_lit_paper_is_seen(tmp_path):
    size = (1000, 800)
    sheet = ImageChops.multiply(lit(size).convert("RGB"), name(size, (215, 190, 190), 0.1))
    ready(tmp_path, encoded(sheet, "JPEG", quality=80))


def test_a_name_in_white_on_colour_is_seen(tmp_path):
    ready(tmp_path, encoded(ImageChops.invert(name((300, 300), (55, 200, 200), 0.6)), "PNG"))


def test_a_name_out_of_focus_is_seen(tmp_path):
    ready(tmp_path, encoded(name((400, 300), (150, 20, 30), 0.5).filter(ImageFilter.GaussianBlur(4)), "JPEG"))


def test_a_tiny_name_fills_the_least_picture(tmp_path):
    ready(tmp_path, encoded(name((20, 20), (0, 0, 0), 0.9), "PNG"))
    ready(tmp_path, encoded(noise(20, 20), "PNG"))


def test_two_strokes_far_apart_are_no_frame(tmp_path):
    drawn = Image.new("L", (600, 200), 255)
    pen = ImageDraw.Draw(drawn)
    for remaining in (10, 530):
        pen.line((remaining, 100, remaining + 60, 150), fill=0, width=6)
        pen.line((remaining, 150, remaining + 60, 100), fill=0, width=6)
    ready(tmp_path, encoded(drawn, "PNG"))
