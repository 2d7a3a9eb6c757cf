"""No function of the picture stage changes the image it is given: the image that is encoded next would change with it."""

from contextlib import suppress
from itertools import product

import pytest
from image_support import encoded, seal
from PIL import Image

from pipeline.intake.images import encode, ink
from pipeline.intake.images.decode import ImageRefused, decode, open_image
from pipeline.intake.images.prepare import make_preview

MODES = ("L", "RGB", "RGBA", "CMYK")  # of decoded pictures
GAMMA = {"gamma": 0.3}


def fit(image: Image.Image) -> None:
    data = encoded(image, "TIFF")
    decoded = decode(open_image(data))
    before = decoded.image.copy()
    for limit in (5_000_000, 900):
        with suppress(ImageRefused):
            encode.fit_image(decoded, ink.scan_image(decoded.image), limit)
    assert same(decoded.image, before)


def judge_ink(image: Image.Image) -> None:
    small = image.convert("RGB") if image.mode != "RGB" else image
    before = small.copy()
    dark = ink.measure_darkness(ink.smooth(small, small.size))
    ink.is_blank(ink.list_components(dark))
    assert same(small, before)


def encode_all(image: Image.Image) -> None:
    coloured = encode.convert_to_srgb(image)
    before = coloured.copy()
    encode.encode_image(coloured, "PNG")
    encode.encode_image(coloured.convert("RGB"), "JPEG")
    encode.require_same_look(coloured, coloured, "PNG")
    encode.require_same_look(coloured, coloured, "JPEG")
    assert same(coloured, before)


FUNCTIONS = (
    lambda image: make_preview(image, ink.scan_image(image)),
    ink.scan_image,
    ink.make_small_copy,
    lambda image: ink.reduce_image(image, 1),
    lambda image: ink.reduce_image(image, 3),
    lambda image: ink.put_on_white(image.convert("RGBA")),
    encode.convert_to_srgb,
    fit,
    judge_ink,
    encode_all,
)


def same(one: Image.Image, other: Image.Image) -> bool:
    return (one.mode, one.size, one.tobytes()) == (other.mode, other.size, other.tobytes())


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda case: case.__name__)
def test_the_given_image_stays_as_it_is(function):
    sizes = [((21, 20), {}), ((97, 150), GAMMA), ((256, 256), GAMMA), ((300, 520), {})]
    for mode, ((width, side), info) in product(MODES, sizes):
        drawn = seal(side, width=width, mode=mode)
        given = drawn.convert(mode)
        given.info.update(info)
        before = given.copy()
        function(given)
        assert same(given, before)
        assert given.info == before.info
