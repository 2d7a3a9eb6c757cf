"""One drawing in two files: told by its pixels, and nothing else is."""

import io
import re
from collections import Counter

from image_support import encoded, make_examiner, noise, opened, put, seal
from PIL import Image

from pipeline.intake.images.prepare import ImageComparer


def among(folder, **files):
    """Put files in a folder; return which of them show the same as which."""
    made = {name: put(folder, data, name) for name, data in files.items()}
    same = make_examiner(folder).group_identical(made.values())
    names = {picture.sha256: name for name, picture in made.items()}
    groups = Counter(same.values())
    return {names[one]: names[other] for one, other in same.items() if groups[other] > 1}


def test_formats_and_settings_do_not_matter(tmp_path):
    drawn = seal(200, mode="RGB")
    result = among(
        tmp_path,
        png=encoded(drawn, "PNG"),
        packed=encoded(drawn, "PNG", compress_level=1),
        bmp=encoded(drawn, "BMP"),
        tiff=encoded(drawn, "TIFF"),
        webp=encoded(drawn, "WEBP", lossless=True),
        clear=encoded(drawn.convert("RGBA"), "PNG"),
        other=encoded(noise(200, 200), "PNG"),
    )
    assert result == dict.fromkeys(("png", "packed", "bmp", "tiff", "webp", "clear"), "png")


def test_grey_is_grey_however_many_channels_it_has(tmp_path):
    grey = seal(300, mode="L")
    assert among(tmp_path, one=encoded(grey, "PNG"), three=encoded(grey.convert("RGB"), "BMP")) == {
        "one": "one",
        "three": "one",
    }


def test_a_jpeg_and_a_png_saved_from_it_are_identical(tmp_path):
    photo = encoded(seal(400, mode="RGB"), "JPEG")
    result = among(tmp_path, photo=photo, saved=encoded(opened(photo), "PNG"))
    assert result == {"photo": "photo", "saved": "photo"}


def test_two_jpegs_with_different_comments_are_identical(tmp_path):
    photo = encoded(seal(400, mode="RGB"), "JPEG")
    noted = photo[:2] + b"\xff\xfe\x00\x06note" + photo[2:]
    long = photo[:2] + (b"\xff\xfe\xff\xff" + bytes(65_533)) * 3 + photo[2:]
    names = ("photo", "noted", "long")
    assert among(tmp_path, photo=photo, noted=noted, long=long) == dict.fromkeys(names, "photo")


def test_an_exif_turn_counts(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    drawn = seal(160, width=240, mode="RGB")
    buffer = io.BytesIO()
    drawn.transpose(Image.Transpose.ROTATE_90).save(buffer, "PNG", exif=turned)
    assert among(tmp_path, upright=encoded(drawn, "PNG"), turned_by_exif=buffer.getvalue()) == {
        "upright": "upright",
        "turned_by_exif": "upright",
    }


def test_one_different_point_makes_another_picture(tmp_path):
    drawn, other = seal(200, mode="RGB"), seal(200, mode="RGB")
    other.putpixel((100, 100), (199, 0, 0))
    assert among(tmp_path, one=encoded(drawn, "PNG"), two=encoded(other, "BMP")) == {}


def test_an_unreadable_picture_is_like_no_other(tmp_path):
    whole = encoded(seal(200, mode="RGB"), "PNG")
    assert among(tmp_path, one=whole[:90], two=whole[:91], text=b"no picture", none=b"") == {}


def test_a_damaged_png_with_a_sound_header_is_like_no_other(tmp_path):
    whole = encoded(seal(200, mode="RGB"), "PNG")
    offset = whole.index(b"IDAT") + 40
    damaged = whole[:offset] + bytes([whole[offset] ^ 1]) + whole[offset + 1 :]
    packed = encoded(seal(200, mode="RGB"), "PNG", compress_level=1)
    assert among(tmp_path, damaged=damaged, cut=whole[:30], short=whole[:20]) == {}
    assert among(tmp_path, damaged=damaged, whole=whole, packed=packed) == {
        "whole": "whole",
        "packed": "whole",
    }


def test_a_missing_file_is_like_no_other(tmp_path):
    whole = encoded(seal(200, mode="RGB"), "PNG")
    gone = put(tmp_path, encoded(seal(200, mode="RGB"), "PNG", compress_level=1), "gone")
    gone.path.unlink()
    here = put(tmp_path, whole, "here")
    assert make_examiner(tmp_path).group_identical([here, gone]) == {here.sha256: here.sha256}


def test_several_drawings_are_kept_apart(tmp_path):
    first, second = seal(200, mode="RGB"), seal(200, mode="RGB").transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    files = {
        f"{name}_{form}": encoded(drawn, form)
        for name, drawn in {"a": first, "b": second}.items()
        for form in ("PNG", "BMP")
    }
    assert among(tmp_path, **files) == {
        "a_PNG": "a_PNG",
        "a_BMP": "a_PNG",
        "b_PNG": "b_PNG",
        "b_BMP": "b_PNG",
    }


def test_pictures_that_were_examined_are_compared_without_opening_them(tmp_path):
    """By their bytes alone: what has not been examined is opened, and so is what an earlier version examined."""
    drawn = seal(200, mode="RGB")
    files = {
        "a.png": encoded(drawn, "PNG"),
        "b.bmp": encoded(drawn, "BMP"),
        "blank.png": encoded(Image.new("RGB", (200, 200), "white"), "PNG"),
        "other.png": encoded(noise(200, 200), "PNG"),
    }
    pictures = {name: put(tmp_path, data, name) for name, data in files.items()}
    examiner = make_examiner(tmp_path)
    examiner.examine_all(pictures.values())
    for picture in pictures.values():
        picture.path.unlink()
    comparer = ImageComparer(examiner.work, examiner.limit)
    for method in ("group_identical", "list_blank"):
        expected = getattr(examiner, method)(pictures.values())
        assert getattr(comparer, method)(pictures.values()) == expected
    assert comparer.are_same_image([pictures["a.png"], pictures["b.bmp"]])
    assert all(comparer.examine(picture).prepared is None for picture in pictures.values())

    new = put(tmp_path, encoded(seal(201, mode="RGB"), "PNG"), "new.png")
    kept = tmp_path / "work" / "previews" / pictures["other.png"].sha256
    kept.write_bytes(re.sub(rb" pixels=\w+", b"", kept.read_bytes()))
    again = put(tmp_path, files["other.png"], "other.png")
    comparer = ImageComparer(examiner.work, examiner.limit)
    assert comparer.compute_pixels(new) == make_examiner(tmp_path).compute_pixels(new)
    assert comparer.compute_pixels(again) == examiner.compute_pixels(again)
