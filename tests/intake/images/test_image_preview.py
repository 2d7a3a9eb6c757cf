"""Small copies of what is sent: for people to look at, from a folder or made, never in the way of a run."""

import hashlib
import io
from pathlib import Path

import pytest
from image_support import encoded, examine, make_examiner, noise, on_white, opened, put, ready, seal
from PIL import Image, ImageChops, ImageStat

from pipeline.domain.roster import ImageFile, ImagePreview, PreparedImage
from pipeline.intake.images.decode import make_plain
from pipeline.intake.images.ink import make_small_copy, scan_image
from pipeline.intake.images.prepare import SIDE, make_preview

MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"]


def preview_of(image: Image.Image) -> ImagePreview:
    plain = make_plain(image)
    return make_preview(plain, make_small_copy(plain))


def load_preview(
    folder: Path, picture: ImageFile, *, sent: str | None = None, may_open: bool = True, **settings: int
) -> ImagePreview | None:
    return make_examiner(folder, **settings).load_preview(picture, sent=sent, may_open=may_open)


def draw(side: int, mode: str) -> Image.Image:
    drawn = seal(900).resize((side, side)) if side < 20 else seal(side)
    return drawn.convert(mode) if mode in {"LA", "RGBA"} else on_white(drawn).convert(mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("side", [1, 40, 256, 257, 900])
def test_any_picture_becomes_a_small_one_on_white(mode, side):
    drawn = draw(side, mode)
    made, plain = preview_of(drawn), make_plain(drawn)
    assert made == make_preview(plain, scan_image(plain))
    shown = opened(made.data).convert("RGB")
    assert min(side, 192) <= shown.width <= SIDE
    plainly = on_white(drawn).resize(shown.size, Image.Resampling.BOX)
    assert max(ImageStat.Stat(ImageChops.difference(shown, plainly)).mean) < 6
    if side > 1:
        assert min(shown.getpixel((0, 0))) > 225, "paper is white, never black"


def test_a_long_picture_keeps_its_shape():
    assert opened(preview_of(seal(100, width=2_000)).data).size == (250, 13)


def test_a_copy_stands_upright_on_white_and_keeps_its_shape(tmp_path):
    drawn = seal(400, mode="RGB", width=800)
    turned = Image.Exif()
    turned[0x0112] = 6
    for data in (encoded(drawn, "JPEG", exif=turned), encoded(seal(800, width=400), "PNG")):
        preview = load_preview(tmp_path, put(tmp_path, data))
        assert preview
        with Image.open(io.BytesIO(preview.data)) as shown:
            assert (shown.format, shown.size) == ("JPEG", preview.size)
            assert preview.size[1] == 2 * preview.size[0]
            assert all(level > 200 for level in shown.convert("RGB").getpixel((64, 155)))


def test_a_copy_is_made_once_and_found_again(tmp_path):
    picture = put(tmp_path, encoded(seal(), "PNG"))
    assert load_preview(tmp_path, picture, may_open=False) is None
    made = load_preview(tmp_path, picture)
    picture.path.unlink()
    assert load_preview(tmp_path, picture, may_open=False) == made
    (kept,) = (tmp_path / "work" / "previews").iterdir()
    assert (kept.name, kept.stat().st_mode & 0o777) == (picture.sha256, 0o600)


@pytest.mark.parametrize("kept", [b"", b"no JSON\n\xff\xd8", b'{"shown": "a"}\n\xff\xd8', b"whole, but cut"])
def test_a_small_copy_that_is_damaged_is_made_anew(tmp_path, kept):
    picture = put(tmp_path, encoded(seal(), "PNG"))
    made = load_preview(tmp_path, picture)
    file = tmp_path / "work" / "previews" / picture.sha256
    file.write_bytes(kept if kept != b"whole, but cut" else file.read_bytes().partition(b"\n")[0])
    assert load_preview(tmp_path, picture, may_open=False) is None
    assert load_preview(tmp_path, picture) == made


def looks_like(preview: ImagePreview, data: bytes) -> bool:
    """Return whether a small copy shows a picture, by the means of large cells."""
    shown, seen = (on_white(opened(one)).resize((6, 6), Image.Resampling.BOX) for one in (preview.data, data))
    return (
        max(index % 256 for index, n in enumerate(ImageChops.difference(shown, seen).histogram()) if n) < 12
    )


def test_a_copy_shows_what_is_sent_under_the_limit_of_the_day_and_no_other(tmp_path):
    data = encoded(noise(2100, 60), "BMP")
    whole, lossy = ready(tmp_path, data), ready(tmp_path, data, limit=300_000)
    assert (whole.width, lossy.width) == (2100, 2048)
    picture = lossy.source
    kept = load_preview(tmp_path, picture, sent=lossy.sha256, may_open=False)
    assert looks_like(kept, lossy.path.read_bytes())
    assert load_preview(tmp_path, picture, sent=whole.sha256, may_open=False) is None
    assert load_preview(tmp_path, picture, sent=whole.sha256, limit=300_000) is None
    shown = load_preview(tmp_path, picture, sent=whole.sha256)
    assert looks_like(shown, whole.path.read_bytes())
    assert load_preview(tmp_path, picture, sent=None, may_open=False) == shown


def test_the_copy_of_a_picture_that_is_refused_shows_the_file(tmp_path):
    data = encoded(seal(19, width=90, mode="RGB"), "BMP")
    picture = put(tmp_path, data)
    assert looks_like(load_preview(tmp_path, picture), data)
    made = hashlib.sha256(encoded(seal(19, width=90, mode="RGB"), "PNG")).hexdigest()
    assert load_preview(tmp_path, picture, sent=made) is None


def test_preparing_a_picture_keeps_its_small_copy(tmp_path):
    picture = put(tmp_path, encoded(seal(), "PNG"))
    prepared = examine(tmp_path, picture)
    assert isinstance(prepared, PreparedImage)
    assert load_preview(tmp_path, picture, sent=prepared.sha256, may_open=False)


def test_a_preview_folder_that_cannot_be_written_stops_nothing(tmp_path):
    picture = put(tmp_path, encoded(seal(), "PNG"))
    work = tmp_path / "work"
    work.mkdir()
    (work / "previews").write_text("no folder")
    assert isinstance(examine(tmp_path, picture), PreparedImage)
    assert load_preview(tmp_path, picture) is None


@pytest.mark.parametrize("data", [b"", b"no picture", encoded(seal(), "PNG")[:200]])
def test_an_unreadable_picture_has_no_small_copy(tmp_path, data):
    assert load_preview(tmp_path, put(tmp_path, data)) is None


def test_faint_ink_gets_a_hint_and_a_good_seal_does_not():
    good = seal(400, mode="RGB")
    faint = Image.blend(Image.new("RGB", good.size, "white"), good, 0.15)
    assert [preview_of(entry).hints for entry in (good, faint)] == [(), ("faint",)]
