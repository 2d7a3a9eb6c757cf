"""Which pictures show the same: by digests as by every point, over random drawings saved in random ways."""

import io
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from image_support import encoded, make_examiner, opened, put
from PIL import Image, ImageOps
from walks import count_examples

from pipeline.intake.images.decode import decoding_file
from pipeline.intake.images.image_files import ImageRefused

MODES = ("1", "L", "LA", "P", "RGB", "RGBA")
SIDES = st.sampled_from([1, 2, 3, 63, 64, 65, 130])
LEVELS = st.binary(min_size=4, max_size=4)


@st.composite
def drawings(draw):
    """Return a drawing of a few colours, or another that differs from it by little."""
    width, height = draw(SIDES), draw(SIDES)
    image = Image.new("RGBA", (width, height), tuple(draw(LEVELS)))
    for _ in range(draw(st.integers(0, 3))):
        box = sorted(draw(st.lists(st.integers(0, width), min_size=2, max_size=2)))
        rows = sorted(draw(st.lists(st.integers(0, height), min_size=2, max_size=2)))
        image.paste(tuple(draw(LEVELS)), (box[0], rows[0], box[1], rows[1]))
    return image.convert(draw(st.sampled_from(MODES)))


def dot(image, draw):
    """Return the image with one point changed, somewhere."""
    changed = image.copy()
    point = draw(st.integers(0, image.width - 1)), draw(st.integers(0, image.height - 1))
    value = changed.getpixel(point)
    one_off = tuple(level ^ 1 for level in value) if isinstance(value, tuple) else value ^ 1
    changed.putpixel(point, one_off)
    return changed


def turn(image):
    """Return a PNG that stands upright by its EXIF alone."""
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image.transpose(Image.Transpose.ROTATE_90).save(buffer, "PNG", exif=exif)
    return buffer.getvalue()


WAYS = (
    lambda image: encoded(image, "PNG"),
    lambda image: encoded(image, "PNG", compress_level=0),
    lambda image: encoded(image.convert("RGBA"), "PNG"),
    lambda image: encoded(image.convert("RGB"), "BMP"),
    lambda image: encoded(image.convert("RGBA"), "TIFF"),
    lambda image: encoded(image.convert("RGBA"), "WEBP", lossless=True, exact=True),
    lambda image: encoded(image.convert("RGB").quantize(8), "GIF"),
    lambda image: encoded(image.convert("RGB"), "JPEG"),
    lambda image: encoded(opened(encoded(image.convert("RGB"), "JPEG")), "PNG"),
    turn,
    lambda image: encoded(ImageOps.expand(image.convert("RGB"), 1, "white"), "PNG"),  # padded
    lambda image: encoded(image.convert("RGB").resize((image.width * 2, image.height)), "PNG"),  # scaled
    lambda image: encoded(image, "PNG")[:-20],  # cut off
)


def find_plainly(images):
    """Compare every point of every picture, as it looks whatever its mode."""
    first, groups = {}, {}
    for image in {image.sha256: image for image in images}.values():
        try:
            with decoding_file(image) as decoded:
                look = decoded.image.size, decoded.image.convert("RGBA").convert("RGBa").tobytes()
        except ImageRefused:
            continue
        groups.setdefault(look, []).append(image.sha256)
    for group in groups.values():
        first |= dict.fromkeys(group, group[0])
    return first


@settings(max_examples=count_examples(120), deadline=None)
@given(st.data())
def test_the_same_pictures_are_found_as_by_looking_at_every_point(data):
    bases = data.draw(st.lists(drawings(), min_size=1, max_size=2))
    images = [*bases, *(dot(base, data.draw) for base in bases)]
    chosen = data.draw(
        st.lists(st.tuples(st.sampled_from(images), st.sampled_from(WAYS)), min_size=2, max_size=6)
    )
    with tempfile.TemporaryDirectory() as folder:
        files = [put(Path(folder), way(image), str(nth)) for nth, (image, way) in enumerate(chosen)]
        assert make_examiner(Path(folder)).group_identical(files) == find_plainly(files)
