"""The clean-up that may be switched on: paper cut away and made clear, no stroke harmed, and nothing in doubt touched."""

from __future__ import annotations

import random
from functools import cache

import pytest
from image_support import describe_changes, difference, digest, encoded, on_white, opened, ready, seal, turned
from PIL import Image, ImageChops, ImageDraw

from pipeline.intake.images.encode import MIN_SIDE

INK = (196, 30, 38)


@cache
def brush(side: int = 300, ink: tuple[int, int, int] = INK) -> Image.Image:
    """Draw strokes with soft edges, one of them fading out to the right (RGBA)."""
    drawn = Image.new("L", (4 * side, 4 * side))
    pen = ImageDraw.Draw(drawn)
    for part in (0.15, 0.5, 0.85):
        pen.line(
            (0.1 * 4 * side, part * 4 * side, 0.6 * 4 * side, part * 4 * side), fill=255, width=side // 4
        )
    pen.line((0.35 * 4 * side, 0.05 * 4 * side, 0.35 * 4 * side, 0.95 * 4 * side), fill=255, width=side // 4)
    for step in range(100):
        x = (0.6 + 0.003 * step) * 4 * side
        pen.line(
            (x, 2 * side, x + 0.004 * 4 * side, 2 * side), fill=255 - 2 * step, width=side // 4 - step // 4
        )
    small = drawn.resize((side, side), Image.Resampling.LANCZOS)
    return Image.merge("RGBA", (*Image.new("RGB", small.size, ink).split(), small))


def sheet(
    drawn: Image.Image,
    size: tuple[int, int] = (1000, 800),
    moment: tuple[int, int] = (300, 250),
    *,
    grain: int = 3,
    dust: int = 8,
) -> Image.Image:
    """Lay a drawing on scanned paper with specks of dust."""
    dice = random.Random(2)
    grains = [byte % (grain + 1) for byte in dice.randbytes(50_000)]
    grey = Image.frombytes("L", (250, 200), bytes(250 - level for level in grains)).resize(size)
    paper = grey.convert("RGB")
    paper.paste(drawn.convert("RGB"), moment, drawn.getchannel("A"))
    pen = ImageDraw.Draw(paper)
    for _ in range(dust):
        x, y = dice.randrange(size[0]), dice.randrange(size[1])
        pen.ellipse((x, y, x + 3, y + 3), fill=(80, 80, 80))
    return paper


def shaded(paper: Image.Image) -> Image.Image:
    """Let a shadow fall over the left of a sheet."""
    light = (
        Image.linear_gradient("L").rotate(90).resize(paper.size).point(lambda level: 150 + level * 105 // 255)
    )
    return ImageChops.multiply(paper, Image.merge("RGB", [light] * 3))


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_paper_around_the_ink_is_cut_away_and_no_stroke_is(tmp_path, form):
    data = encoded(sheet(brush()), form, **({"quality": 75} if form == "JPEG" else {}))
    prepared = ready(tmp_path, data, trim=True)
    assert (describe_changes(prepared), prepared.format) == ("trimmed", form)
    sent = opened(prepared.path)
    assert 300 * 0.9 < sent.width < 420
    assert 300 * 0.9 < sent.height < 420
    inked = ImageChops.invert(on_white(brush()).convert("L")).point(lambda level: 255 * (level > 12))
    left_edge, top, right, bottom = inked.getbbox()
    kept = ImageChops.invert(sent.convert("L")).point(lambda level: 255 * (level > 20)).getbbox()
    assert kept[2] - kept[0] >= right - left_edge - 2  # fading end and all
    assert kept[3] - kept[1] >= bottom - top - 2
    assert kept[0] > 3 < kept[1]  # and a margin


def test_trimming_takes_nothing_but_what_it_cuts(tmp_path):
    drawn = Image.new("RGBA", (900, 700), (0, 0, 0, 0))
    drawn.alpha_composite(brush(), (100, 350))
    sent = opened(ready(tmp_path, encoded(drawn, "PNG"), trim=True).path)
    box = drawn.getchannel("A").getbbox()
    inside = sent.getchannel("A").getbbox()
    assert sent.crop(inside).tobytes() == drawn.crop(box).tobytes()


def test_a_dot_next_to_a_character_is_part_of_it(tmp_path):
    drawn = Image.new("L", (1000, 1000), 255)
    pen = ImageDraw.Draw(drawn)
    pen.rectangle((400, 400, 480, 600), outline=0, width=14)
    pen.line((400, 500, 480, 500), fill=0, width=14)
    pen.ellipse((505, 400, 514, 409), fill=0)
    prepared = ready(tmp_path, encoded(drawn, "PNG"), trim=True)
    assert prepared.width < 400
    sent = opened(prepared.path).convert("L")
    dark = sent.point(lambda level: 255 * (level < 128)).getbbox()
    assert dark[2] - dark[0] == 115  # from 400 to 514


def test_a_tiny_name_is_not_trimmed_below_the_least_side(tmp_path):
    drawn = Image.new("L", (60, 60), 255)
    pen = ImageDraw.Draw(drawn)
    pen.line((26, 2, 34, 10), fill=0, width=2)
    pen.line((26, 10, 34, 2), fill=0, width=2)
    prepared = ready(tmp_path, encoded(drawn, "PNG"), trim=True)
    assert describe_changes(prepared) == "trimmed"
    assert MIN_SIDE <= min(prepared.width, prepared.height) <= 30


BOTH = {"trim": True, "transparent": True}


@pytest.mark.parametrize(
    ("paper", "clean"),
    [
        (shaded, {"trim": True}),
        (shaded, {"transparent": True}),
        (shaded, BOTH),
        (lambda paper: paper.point(lambda level: level * 200 // 255), BOTH),
        (ImageChops.invert, BOTH),
        (lambda paper: ImageChops.multiply(paper, Image.new("RGB", (1000, 800), (255, 240, 190))), BOTH),
    ],
    ids=["shadow, trim", "shadow, transparent", "shadow", "grey", "negative", "yellow"],
)
def test_what_is_not_on_clean_white_paper_is_left_as_it_is(tmp_path, paper, clean):
    prepared = ready(tmp_path, encoded(paper(sheet(brush())), "JPEG"), **clean)
    assert (prepared.path, prepared.problems) == (prepared.source.path, ())


def test_a_picture_that_is_full_is_left_as_it_is(tmp_path):
    prepared = ready(tmp_path, encoded(seal(300, mode="RGB"), "PNG"), trim=True)
    assert (prepared.path, prepared.problems) == (prepared.source.path, ())


def test_white_letters_in_a_block_of_colour_are_not_cut_out_of_it(tmp_path):
    drawn = Image.new("RGB", (300, 300), INK)
    drawn.paste((255, 255, 255), (30, 30), brush(240).getchannel("A"))
    prepared = ready(tmp_path, encoded(drawn, "PNG"), trim=True, transparent=True)
    assert (prepared.width, prepared.height) == (300, 300)


@pytest.mark.parametrize(
    ("form", "ink"), [("PNG", INK), ("JPEG", INK), ("PNG", (26, 26, 30)), ("JPEG", (28, 58, 140))]
)
def test_paper_made_clear_leaves_ink_without_a_white_rim(tmp_path, form, ink):
    paper = sheet(brush(ink=ink), (400, 400), (50, 50), dust=0)
    prepared = ready(
        tmp_path, encoded(paper, form, **({"quality": 92} if form == "JPEG" else {})), transparent=True
    )
    assert (describe_changes(prepared), prepared.format) == ("paper made clear", "PNG")
    sent = opened(prepared.path)
    assert sent.getpixel((5, 5))[3] == 0
    assert sent.getpixel((50 + 105, 50 + 150))[3] > 250  # in the middle of a stroke
    white = Image.new("RGBA", sent.size, "white")
    white.alpha_composite(brush(ink=ink), (50, 50))
    assert difference(sent, white) < 2  # on white it looks as before, the paper's tint aside
    black = Image.new("RGBA", sent.size, "black")
    over = Image.alpha_composite(black, sent).convert("L")
    assert over.getextrema()[1] <= max(sum(ink) // 3, 90) + 25  # on black no point is lighter than the ink
    alphas = sent.getchannel("A").histogram()
    assert sum(alphas[30:225]) > 300  # edges are soft


def test_clear_paper_shows_what_lies_under_it(tmp_path):
    paper = sheet(brush(), (400, 400), (50, 50), dust=0)
    sent = opened(ready(tmp_path, encoded(paper, "PNG"), transparent=True).path)
    ground = Image.new("RGBA", sent.size, (255, 255, 160, 255))
    expected = Image.new("RGBA", sent.size, (255, 255, 160, 255))
    expected.alpha_composite(brush(), (50, 50))
    assert difference(Image.alpha_composite(ground, sent), expected) < 3


def test_a_picture_that_is_clear_already_stays_byte_for_byte(tmp_path):
    drawn = Image.new("RGBA", (320, 320), (0, 0, 0, 0))
    drawn.alpha_composite(brush(), (10, 10))
    prepared = ready(tmp_path, encoded(drawn, "PNG"), transparent=True)
    assert (prepared.path, prepared.problems) == (prepared.source.path, ())


def test_alpha_that_hides_nothing_is_no_clear_paper(tmp_path):
    paper = sheet(brush(), (400, 400), (50, 50), dust=0).convert("RGBA")
    assert describe_changes(ready(tmp_path, encoded(paper, "PNG"), transparent=True)) == "paper made clear"


def test_every_change_is_reported_and_the_digest_is_of_the_source(tmp_path):
    data = encoded(sheet(brush()).convert("CMYK"), "JPEG", exif=turned(6), quality=90)
    prepared = ready(tmp_path, data, trim=True, transparent=True)
    assert describe_changes(prepared) == "CMYK → RGB, EXIF 6 → 1, trimmed, paper made clear"
    assert prepared.pixels == digest(tmp_path, prepared.source) == ready(tmp_path, data).pixels
    assert prepared.format == "PNG"


def test_nothing_is_cleaned_without_the_setting(tmp_path):
    assert ready(tmp_path, encoded(sheet(brush()), "PNG")).problems == ()
