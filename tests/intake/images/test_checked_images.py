"""What was found out about a picture is used again for the very same bytes and settings, and for nothing else."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from image_support import INLINE, drawn_pictures, encoded, noise, put, seal
from PIL import Image

from pipeline.domain.roster import ImageFile, PreparedImage
from pipeline.intake.images.checked_images import CheckedImages
from pipeline.intake.images.prepare import prepare_image

FORMATS = ("PNG", "TIFF", "GIF", "BMP", "WEBP", "JPEG")


def prepare(folder: Path, image: ImageFile, *, how: str = "a", **options):
    checked = CheckedImages(folder / "checked", how)
    return prepare_image(image, limit=INLINE, work=folder / "work", checked=checked, **options)


def is_decoded(folder: Path, image: ImageFile, **options) -> bool:
    """Return whether a picture is opened to be prepared."""
    gone = image.path.rename(folder / "gone")
    try:
        return not isinstance(prepare(folder, image, **options), PreparedImage)
    finally:
        gone.rename(image.path)


@given(drawn_pictures())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_known_picture_is_prepared_as_it_was(tmp_path, drawn):
    for form in FORMATS:
        try:
            data = encoded(
                drawn,
                form,
                **(
                    {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"}
                    if form != "BMP"
                    else {}
                ),
            )
        except (OSError, ValueError, SystemError, KeyError):
            continue  # a mode or a size that the format does not take
        image = put(tmp_path, data, f"picture.{form.lower()}")
        plain = prepare_image(image, limit=INLINE, work=tmp_path / "plain")
        for _ in range(2):
            known = prepare(tmp_path, image)
            assert isinstance(known, PreparedImage) is isinstance(plain, PreparedImage)
            if isinstance(known, PreparedImage) and isinstance(plain, PreparedImage):
                assert known.path.read_bytes() == plain.path.read_bytes()
                assert replace(known, path=plain.path) == plain


def test_a_known_picture_is_not_decoded_under_any_name(tmp_path):
    image = put(tmp_path, encoded(seal(), "BMP"), "a.bmp")
    assert isinstance(prepare(tmp_path, image), PreparedImage)
    assert not is_decoded(tmp_path, image)
    other = put(tmp_path, image.path.read_bytes(), "b.bmp")
    assert not is_decoded(tmp_path, other)
    known = prepare(tmp_path, other)
    assert (known.source, {problem.detail["file"] for problem in known.problems}) == (other, {"b.bmp"})


def test_other_bytes_and_settings_are_not_known(tmp_path):
    image = put(tmp_path, encoded(seal(), "PNG"))
    prepare(tmp_path, image)
    assert not is_decoded(tmp_path, image)
    assert is_decoded(tmp_path, image, how="b")
    other = put(tmp_path, encoded(seal(121), "PNG"))
    assert is_decoded(tmp_path, other)
    (tmp_path / "checked" / image.sha256).rename(tmp_path / "checked" / other.sha256)
    assert is_decoded(tmp_path, other), "what was found out about another picture"


@pytest.mark.parametrize("damage", ["cut", "empty", "changed"])
def test_a_damaged_finding_is_none(tmp_path, damage):
    image = put(tmp_path, encoded(seal(), "PNG"))
    prepared = prepare(tmp_path, image)
    kept = tmp_path / "checked" / image.sha256
    assert kept.stat().st_mode & 0o777 == 0o600
    whole = kept.read_bytes()
    kept.write_bytes({"cut": whole[:-1], "empty": b"", "changed": whole.replace(b"120", b"121")}[damage])
    assert is_decoded(tmp_path, image)
    assert prepare(tmp_path, image) == prepared
    assert not is_decoded(tmp_path, image)


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_prepared_bytes_that_are_not_there_are_made_again(tmp_path, damage):
    image = put(tmp_path, encoded(noise(30, 30), "BMP"), "a.bmp")
    prepared = prepare(tmp_path, image)
    whole = prepared.path.read_bytes()
    if damage == "gone":
        prepared.path.unlink()
    else:
        prepared.path.write_bytes(whole[:-1])
    assert prepare(tmp_path, image) == prepared
    assert prepared.path.read_bytes() == whole


def test_what_was_found_out_in_this_run_is_in_memory(tmp_path):
    checked = CheckedImages(tmp_path / "checked", "a")
    own, made = put(tmp_path, encoded(seal(), "PNG")), put(tmp_path, encoded(seal(), "BMP"), "a.bmp")
    assert not checked.is_in_memory(own)
    for image in (own, made):
        prepare_image(image, limit=INLINE, work=tmp_path / "work", checked=checked)
    shutil.rmtree(tmp_path / "checked")
    assert checked.is_in_memory(own)
    assert checked.find(own) == prepare(tmp_path, own)
    assert not checked.is_in_memory(made), "its bytes are read again to be sure of them"
    shutil.rmtree(tmp_path / "work")
    assert checked.find(made) is None
    assert checked.find_pixels(made) is not None


def test_pictures_that_may_not_be_sent_are_not_kept(tmp_path):
    for data in (encoded(Image.new("L", (90, 90), 255), "PNG"), encoded(seal(), "PNG")[:200], b""):
        assert not isinstance(prepare(tmp_path, put(tmp_path, data)), PreparedImage)
    assert not (tmp_path / "checked").exists()


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path):
    image = put(tmp_path, encoded(seal(), "PNG"))
    (tmp_path / "checked").write_text("no folder")
    assert isinstance(prepare(tmp_path, image), PreparedImage)
