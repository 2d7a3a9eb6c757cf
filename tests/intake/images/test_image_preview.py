"""Small copies of pictures: for people to look at, from a shelf or made, never in the way of a night."""

import pytest
from image_support import encoded, opened, put, seal
from PIL import Image

from pipeline.domain.roster import PreparedImage
from pipeline.intake.images import prepare as image
from pipeline.intake.images.preview import SIDE, make


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("side", [40, 900])
def test_any_picture_becomes_a_small_one_on_white(mode, side):
    drawn = seal(side).convert(mode) if mode in {"LA", "RGBA"} else seal(side, mode=mode)
    shown = opened(make(drawn).webp)
    assert shown.size == (min(side, SIDE),) * 2
    assert min(shown.convert("RGB").getpixel((0, 0))) > 225, "paper is white, never black"


def test_a_long_picture_keeps_its_shape():
    assert opened(make(seal(100, width=2_000)).webp).size == (SIDE, 13)


def test_a_copy_is_made_once_and_found_again(tmp_path):
    picture, shelf = put(tmp_path, encoded(seal(), "PNG")), tmp_path / "shelf"
    assert image.preview(picture, shelf=shelf, opening=False) is None
    made = image.preview(picture, shelf=shelf, opening=True)
    picture.path.unlink()
    assert image.preview(picture, shelf=shelf, opening=False) == made
    (kept,) = shelf.iterdir()
    assert (kept.name, kept.stat().st_mode & 0o777) == (picture.sha256, 0o600)


def test_what_lies_on_the_shelf_and_is_no_copy_is_made_anew(tmp_path):
    picture, shelf = put(tmp_path, encoded(seal(), "PNG")), tmp_path / "shelf"
    made = image.preview(picture, shelf=shelf, opening=True)
    (shelf / picture.sha256).write_bytes(b"faint\nhalf a fi")
    assert image.preview(picture, shelf=shelf, opening=False) is None
    assert image.preview(picture, shelf=shelf, opening=True) == made


def test_preparing_puts_a_copy_on_the_shelf(tmp_path):
    picture, shelf = put(tmp_path, encoded(seal(), "PNG")), tmp_path / "shelf"
    prepared = image.prepare(picture, limit=5_000_000, work=tmp_path / "work", shelf=shelf)
    assert isinstance(prepared, PreparedImage)
    assert image.preview(picture, shelf=shelf, opening=False)


def test_a_shelf_that_cannot_be_written_is_in_nobodys_way(tmp_path):
    picture = put(tmp_path, encoded(seal(), "PNG"))
    (tmp_path / "shelf").write_text("no folder")
    prepared = image.prepare(picture, limit=5_000_000, work=tmp_path / "work", shelf=tmp_path / "shelf")
    assert isinstance(prepared, PreparedImage)
    assert image.preview(picture, shelf=tmp_path / "shelf", opening=True)


@pytest.mark.parametrize("data", [b"", b"no picture", encoded(seal(), "PNG")[:200]])
def test_what_cannot_be_read_has_no_copy(tmp_path, data):
    assert image.preview(put(tmp_path, data), shelf=tmp_path / "shelf", opening=True) is None


def test_faint_ink_and_photos_are_told_and_good_seals_are_not():
    good = seal(400, mode="RGB")
    faint = Image.blend(Image.new("RGB", good.size, "white"), good, 0.15)
    photo = Image.blend(Image.new("RGB", good.size, (120, 116, 105)), good, 0.5)
    full = Image.new("RGB", (300, 300), (200, 20, 20))
    full.paste((255, 255, 255), (90, 90, 210, 150))
    assert [make(each).hints for each in (good, faint, photo, full)] == [(), ("faint",), ("photo",), ()]
