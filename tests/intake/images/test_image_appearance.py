"""One walk over the pixels: what a ledger remembers of them, and the small copy that is judged."""

import hashlib

import pytest
from image_support import noise, on_white, seal
from PIL import Image

from pipeline.intake.images import ink
from pipeline.intake.images.ink import reduce_image, scan_image

LARGE = (700, 500)  # several strips


def shades(mode: str) -> Image.Image:
    """Return a picture of many colours, and where the mode allows it of every opacity."""
    return noise(*LARGE, channels=4).convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_the_digest_is_over_size_and_premultiplied_points(mode):
    picture = shades(mode)
    clear = picture.convert("RGBA")
    points = clear.convert("RGBa") if picture.has_transparency_data else clear
    assert scan_image(picture).pixels == hashlib.sha256(b"700x500:" + points.tobytes()).hexdigest()


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("size", [(120, 90), LARGE])
def test_the_small_copy_is_the_mean_of_what_is_seen_on_paper(mode, size):
    picture = shades(mode).crop((0, 0, *size))
    step = ink.get_step(size)
    seen = on_white(picture).reduce(step) if step > 1 else on_white(picture)
    small = scan_image(picture).small
    assert (small.mode, small.size) == ("RGB", seen.size)
    assert max(abs(a - b) for a, b in zip(small.tobytes(), seen.tobytes(), strict=True)) <= 1


@pytest.mark.parametrize("step", [1, 3, 16])
def test_what_is_reduced_depends_on_the_drawing_alone(step):
    grey = seal(160, mode="L")
    of = [
        reduce_image(grey.convert(mode), step).convert("RGB").tobytes() for mode in ("L", "RGB", "RGBA", "LA")
    ]
    assert len(set(of)) == 1


@pytest.mark.parametrize("size", [(2, 2), (3, 9), (11, 4), (40, 30)])
def test_a_point_is_as_dark_as_it_is_darker_than_the_brightest_three_away(size):
    picture = noise(*size)
    at = {(x, y): picture.getpixel((x, y)) for x in range(size[0]) for y in range(size[1])}
    slowly = bytes(
        max(
            max(0, there - here)
            for place in ((x, y), (x - 3, y), (x + 3, y), (x, y - 3), (x, y + 3))
            for there, here in zip(at.get(place, (0, 0, 0)), at[x, y], strict=True)
        )
        for y in range(size[1])
        for x in range(size[0])
    )
    assert ink.measure_darkness(picture).tobytes() == slowly
