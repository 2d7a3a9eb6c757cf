"""Small copies of pictures: for people to look at, from a folder or made, never in the way of a night."""

import pytest
from image_support import encoded, on_white, opened, put, seal
from PIL import Image, ImageChops, ImageStat

from pipeline.domain.roster import ImagePreview, PreparedImage
from pipeline.intake.images.ink import scan_image
from pipeline.intake.images.prepare import prepare_image
from pipeline.intake.images.preview import SIDE, load_preview, make_preview


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("side", [40, 900])
def test_any_picture_becomes_a_small_one_on_white(mode, side):
    drawn = seal(side).convert(mode) if mode in {"LA", "RGBA"} else seal(side, mode=mode)
    shown = opened(make_preview(drawn).data)
    assert shown.size == (min(side, SIDE),) * 2
    assert min(shown.convert("RGB").getpixel((0, 0))) > 225, "paper is white, never black"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("side", [1, 40, 256, 257, 900])
def test_the_small_copy_of_a_scan_serves_as_well(mode, side):
    drawn = seal(900).resize((side, side)) if side < 20 else seal(side)
    drawn = drawn.convert(mode) if mode in {"LA", "RGBA"} else on_white(drawn).convert(mode)
    plain, of_scan = make_preview(drawn), make_preview(drawn, scan_image(drawn))
    if side <= SIDE:  # else the frame near the edge is averaged with other points
        assert of_scan.hints == plain.hints
    shown = opened(of_scan.data).convert("RGB")
    assert min(side, 192) <= shown.width <= SIDE
    plainly = opened(plain.data).convert("RGB").resize(shown.size, Image.Resampling.BOX)
    assert max(ImageStat.Stat(ImageChops.difference(shown, plainly)).mean) < 6


def test_a_long_picture_keeps_its_shape():
    assert opened(make_preview(seal(100, width=2_000)).data).size == (SIDE, 13)


def test_a_copy_is_made_once_and_found_again(tmp_path):
    picture, folder = put(tmp_path, encoded(seal(), "PNG")), tmp_path / "folder"
    assert load_preview(picture, folder=folder, may_open=False) is None
    made = load_preview(picture, folder=folder, may_open=True)
    picture.path.unlink()
    assert load_preview(picture, folder=folder, may_open=False) == made
    (kept,) = folder.iterdir()
    assert (kept.name, kept.stat().st_mode & 0o777) == (picture.sha256, 0o600)


def test_a_small_copy_of_an_earlier_version_is_shown(tmp_path):
    picture = put(tmp_path, encoded(seal(), "PNG"))
    thumbnail, webp = encoded(seal(20), "PNG"), encoded(seal(90, mode="RGB"), "WEBP")
    (tmp_path / picture.sha256).write_bytes(b"faint %d\n" % len(thumbnail) + thumbnail + webp)
    kept = load_preview(picture, folder=tmp_path, may_open=False)
    assert kept == ImagePreview(webp, ("faint",), thumbnail)
    assert kept.media_type == "image/webp"
    assert make_preview(seal()).media_type == "image/jpeg"


def test_a_damaged_small_copy_is_made_anew(tmp_path):
    picture, folder = put(tmp_path, encoded(seal(), "PNG")), tmp_path / "folder"
    made = load_preview(picture, folder=folder, may_open=True)
    (folder / picture.sha256).write_bytes(b"faint\nhalf a fi")
    assert load_preview(picture, folder=folder, may_open=False) is None
    assert load_preview(picture, folder=folder, may_open=True) == made


def test_preparing_a_picture_keeps_its_small_copy(tmp_path):
    picture, folder = put(tmp_path, encoded(seal(), "PNG")), tmp_path / "folder"
    prepared = prepare_image(picture, limit=5_000_000, work=tmp_path / "work", previews_folder=folder)
    assert isinstance(prepared, PreparedImage)
    assert load_preview(picture, folder=folder, may_open=False)


def test_a_preview_folder_that_cannot_be_written_stops_nothing(tmp_path):
    picture = put(tmp_path, encoded(seal(), "PNG"))
    (tmp_path / "folder").write_text("no folder")
    prepared = prepare_image(
        picture, limit=5_000_000, work=tmp_path / "work", previews_folder=tmp_path / "folder"
    )
    assert isinstance(prepared, PreparedImage)
    assert load_preview(picture, folder=tmp_path / "folder", may_open=True)


@pytest.mark.parametrize("data", [b"", b"no picture", encoded(seal(), "PNG")[:200]])
def test_an_unreadable_picture_has_no_small_copy(tmp_path, data):
    assert load_preview(put(tmp_path, data), folder=tmp_path / "folder", may_open=True) is None


def test_faint_ink_and_photos_get_a_hint_and_good_seals_do_not():
    good = seal(400, mode="RGB")
    faint = Image.blend(Image.new("RGB", good.size, "white"), good, 0.15)
    photo = Image.blend(Image.new("RGB", good.size, (120, 116, 105)), good, 0.5)
    full = Image.new("RGB", (300, 300), (200, 20, 20))
    full.paste((255, 255, 255), (90, 90, 210, 150))
    assert [make_preview(entry).hints for entry in (good, faint, photo, full)] == [
        (),
        ("faint",),
        ("photo",),
        (),
    ]
