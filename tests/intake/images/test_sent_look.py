"""What is sent looks as the file does on white paper: over formats, modes, depths, turns, sizes and clear entries."""

import os

import pytest
from drawn_files import MAKERS, choose_files, prepare_and_compare
from image_support import encoded, opened, seal
from PIL import Image, ImageDraw

from pipeline.intake.images.decode import make_plain
from pipeline.intake.images.encode import encode_image, require_same_look
from pipeline.intake.images.image_files import ImageRefused

SEEDS = range(int(os.environ.get("PIXEL_SEEDS", "1")))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_sent_looks_as_the_file_does(tmp_path, seed):
    compared = (prepare_and_compare(tmp_path, file) for file in choose_files(seed, 2 * len(MAKERS)))
    assert list(filter(None, compared)) == []


def is_refused(given: Image.Image, payload: bytes, form: str) -> bool:
    """Return whether a picture is refused that was encoded so."""
    try:
        require_same_look(given, make_plain(opened(payload)), form)
    except ImageRefused:
        return True
    return False


def test_a_png_that_differs_in_a_point_or_in_what_is_clear_is_refused():
    given = seal(mode="RGB")
    assert not is_refused(given, encode_image(given, "PNG"), "PNG")
    other = given.copy()
    other.putpixel((60, 100), (255, 255, 254))
    assert is_refused(given, encode_image(other, "PNG"), "PNG")
    assert is_refused(given, encoded(given, "PNG", transparency=(200, 0, 0)), "PNG")
    assert is_refused(seal(), encode_image(seal(mode="RGB"), "PNG"), "PNG")


def line(side: int, width: int) -> Image.Image:
    sheet = seal(side, mode="RGB")
    ImageDraw.Draw(sheet).line(
        (side // 8, side * 3 // 4, side * 7 // 8, side * 3 // 5), fill=(200, 20, 30), width=width
    )
    return sheet


@pytest.mark.parametrize(
    ("side", "width", "quality"),
    [
        *((40, 1, 95), (40, 1, 80), (120, 1, 95), (120, 1, 92), (120, 1, 80)),
        *((250, 1, 80), (600, 2, 95), (600, 2, 80), (1500, 3, 80)),
    ],
)
def test_a_jpeg_or_a_scaled_picture_that_lacks_a_stroke_is_refused(side, width, quality):
    with_stroke, without = line(side, width), seal(side, mode="RGB")
    assert not is_refused(with_stroke, encode_image(with_stroke, "JPEG", quality=quality), "JPEG")
    assert is_refused(with_stroke, encode_image(without, "JPEG", quality=quality), "JPEG")
    if side < 600:
        return
    half = (side // 2, side // 2)
    small, small_without = (
        one.resize(half, Image.Resampling.LANCZOS, reducing_gap=2.0) for one in (with_stroke, without)
    )
    for form in ("PNG", "JPEG"):
        assert not is_refused(with_stroke, encode_image(small, form, quality=quality), form)
        assert is_refused(with_stroke, encode_image(small_without, form, quality=quality), form)
