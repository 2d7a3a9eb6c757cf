"""Pictures: what is sent byte for byte, what is converted, what is refused; with files that Pillow itself wrote."""

from __future__ import annotations

import hashlib
import io
import stat
import struct
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from image_support import (
    INLINE,
    RED,
    chunk,
    describe_changes,
    digest,
    encoded,
    examine,
    noise,
    opened,
    prepare,
    put,
    ready,
    refused,
    seal,
    turned,
    with_chunk,
)
from PIL import Image, ImageDraw, ImageOps

from pipeline.domain.roster import ImageFile, PreparedImage
from pipeline.intake.images import image_files
from pipeline.intake.images.encode import SCALED_SIDE


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (encoded(seal(), "PNG"), "PNG"),
        (encoded(seal(mode="RGB").quantize(8), "PNG"), "PNG"),
        (encoded(seal(mode="RGB").quantize(8), "PNG", transparency=0), "PNG"),
        (encoded(seal().convert("LA"), "PNG"), "PNG"),
        (encoded(seal(mode="1"), "PNG"), "PNG"),
        (with_chunk(encoded(seal(), "PNG"), chunk(b"tEXt", b"Software\x00any")), "PNG"),
        (encoded(seal(), "PNG", exif=turned(1)), "PNG"),
        (encoded(seal(mode="RGB"), "JPEG"), "JPEG"),
        (encoded(seal(mode="L"), "JPEG", progressive=True), "JPEG"),
        (encoded(seal(mode="RGB"), "JPEG", restart_marker_blocks=1), "JPEG"),
        (encoded(seal(mode="RGB"), "JPEG", exif=turned(1), comment="by any"), "JPEG"),
    ],
)
def test_a_sound_png_or_jpeg_is_sent_byte_for_byte(tmp_path, data, form):
    prepared = ready(tmp_path, data)
    assert (prepared.path, prepared.sha256) == (prepared.source.path, prepared.source.sha256)
    assert (prepared.format, prepared.width, prepared.height, prepared.problems) == (form, 120, 120, ())
    assert not list((tmp_path / "work").glob("*.*"))


def test_the_content_decides_the_format_and_not_the_name(tmp_path):
    data = encoded(seal(mode="RGB"), "JPEG")
    prepared = ready(tmp_path, data)
    assert prepared.path.suffix == ".png"
    assert (prepared.format, prepared.sha256) == ("JPEG", hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(
    ("form", "settings"),
    [
        ("BMP", {}),
        ("GIF", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_other_formats_are_converted_without_loss_and_with_a_warning(tmp_path, form, settings):
    drawn = seal(mode="P" if form == "GIF" else "RGB")
    prepared = ready(tmp_path, encoded(drawn, form, **settings))
    assert describe_changes(prepared) == f"{form} → PNG"
    with Image.open(prepared.path) as sent:
        assert sent.convert("RGB").tobytes() == drawn.convert("RGB").tobytes()


def test_transparency_survives_conversion(tmp_path):
    for form, settings in (("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        prepared = ready(tmp_path, encoded(seal(), form, **settings))
        with Image.open(prepared.path) as sent:
            assert sent.mode == "RGBA"
            assert sent.tobytes() == seal().tobytes()


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_turned_picture_is_sent_upright(tmp_path, form, orientation):
    drawn = seal(60, mode="RGB", width=100)
    data = encoded(
        drawn, form, exif=turned(orientation), **({"quality": 95} if form == "JPEG" else {"lossless": True})
    )
    prepared = ready(tmp_path, data)
    assert f"EXIF {orientation} → 1" in describe_changes(prepared)
    with Image.open(io.BytesIO(data)) as source, Image.open(prepared.path) as sent:
        expected = ImageOps.exif_transpose(source).convert("RGB")
        assert sent.getexif().get(0x0112, 1) == 1
        assert sent.size == expected.size == ((60, 100) if orientation >= 5 else (100, 60))
        far = [abs(a - b) for a, b in zip(sent.convert("RGB").tobytes(), expected.tobytes(), strict=True)]
        assert sum(far) / len(far) < 4


@pytest.mark.parametrize(
    ("data", "reported", "form"),
    [
        (encoded(seal(mode="RGB").convert("CMYK"), "JPEG"), "CMYK → RGB", "JPEG"),
        (encoded(seal(mode="I;16").point(lambda level: level * 257), "PNG"), "16 bit → 8 bit", "PNG"),
        (
            encoded(seal(), "PNG", save_all=True, append_images=[seal(119).resize((120, 120))]),
            "frames → 1",
            "PNG",
        ),
    ],
)
def test_pictures_the_service_may_not_read_are_encoded_anew_with_a_warning(tmp_path, data, reported, form):
    prepared = ready(tmp_path, data)
    assert reported in describe_changes(prepared)
    assert prepared.format == form
    with Image.open(prepared.path) as sent:
        assert getattr(sent, "n_frames", 1) == 1
        assert sent.mode in ("RGB", "RGBA", "L")
        light = sent.convert("L").getextrema()
        assert light[1] - light[0] > 50  # 16 bits are scaled, not cut


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_trailing_bytes_are_cut_off_without_loss(tmp_path, form):
    data = encoded(seal(mode="RGB"), form)
    prepared = ready(tmp_path, data + b"<script>alert(1)</script>")
    assert describe_changes(prepared) == "trailing bytes"
    assert prepared.path.read_bytes() == data


@pytest.mark.parametrize("size", [0, 4, 8, 20, 33, 200])
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_picture_cut_off_early_is_damaged(tmp_path, form, size):
    code, _ = refused(tmp_path, encoded(seal(mode="RGB"), form)[:size])
    assert code == (
        "IMAGE_FORMAT" if (form, size) == ("PNG", 4) else "IMAGE_CORRUPT"
    )  # four bytes tell no PNG


def test_a_picture_without_its_end_is_damaged_though_pillow_reads_it(tmp_path):
    png, jpeg = encoded(seal(), "PNG"), encoded(seal(mode="RGB"), "JPEG")
    for data in (png[:-12], png[:-1], jpeg[:-2], jpeg[:-1], jpeg[: len(jpeg) // 2] + bytes(len(jpeg) // 2)):
        code, detail = refused(tmp_path, data)
        assert (code, detail["found"]) == ("IMAGE_CORRUPT", "cut off")


@pytest.mark.parametrize("where", ["IHDR", "IDAT", "IEND"])
def test_a_wrong_check_sum_is_damage(tmp_path, where):
    data = bytearray(encoded(seal(), "PNG"))
    length = int.from_bytes(data[data.index(where.encode()) - 4 :][:4], "big")
    data[data.index(where.encode()) + 4 + length] ^= 1
    assert refused(tmp_path, bytes(data))[0] == "IMAGE_CORRUPT"


@pytest.mark.parametrize("form", ["BMP", "GIF", "WEBP", "TIFF"])
def test_half_a_file_of_a_converted_format_is_damaged(tmp_path, form):
    data = encoded(noise(100, 100), form)
    assert refused(tmp_path, data[: len(data) // 2])[0] == "IMAGE_CORRUPT"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\xef\xbb\xbf\n<!DOCTYPE html><html><body>502", "HTML"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"%PDF-1.7\n", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "EPS"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif", "AVIF"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isomavc1", "MP4"),
        (b"\x00\x00\x00\x18ftypavif\x00\x00", "AVIF"),
        (b"PK\x03\x04", "ZIP"),
        (b"8BPS\x00\x01", "PSD"),
        (b"\xd7\xcd\xc6\x9a\x00\x00", "WMF"),
        (b"\x01\x00\x09\x00\x00\x03", "WMF"),
        (b"\x01\x00\x00\x00" + bytes(36) + b" EMF", "EMF"),
        (b"\x1f\x8b\x08\x00", "GZIP"),
        (b"II+\x00\x08\x00\x00\x00", "BigTIFF"),
        (b"hello", "unknown"),
    ],
)
def test_a_file_of_another_kind_is_called_by_its_name(tmp_path, data, name):
    assert refused(tmp_path, data)[0] == "IMAGE_FORMAT"
    assert refused(tmp_path, data)[1]["found"] == name


@pytest.mark.parametrize(
    "drawn",
    [
        Image.new("RGB", (200, 200), "white"),
        Image.new("RGB", (200, 200), "red"),
        Image.new("L", (200, 200), 0),
        Image.new("RGBA", (200, 200), (0, 0, 0, 0)),
        Image.merge("RGBA", (*noise(200, 200).split(), Image.new("L", (200, 200), 0))),  # colour nobody sees
        Image.merge(
            "RGBA", (*Image.new("RGB", (120, 120), "white").split(), seal().getchannel("A"))
        ),  # white on clear
        noise(200, 200, 1).point(lambda level: 245 + level % 11),  # an empty sheet as a scanner sees it
    ],
)
def test_a_picture_that_shows_nothing_on_paper_is_blank(tmp_path, drawn):
    assert refused(tmp_path, encoded(drawn, "PNG"))[0] == "IMAGE_BLANK"


def test_a_stroke_far_down_a_tall_picture_is_seen(tmp_path):
    drawn = Image.new("L", (1000, 4000), 255)
    ImageDraw.Draw(drawn).line((10, 3900, 900, 3950), fill=0, width=9)
    assert ready(tmp_path, encoded(drawn, "PNG")).problems == ()


def test_too_small_names_both_sizes(tmp_path):
    assert refused(tmp_path, encoded(seal(19, width=200), "PNG")) == (
        "IMAGE_TOO_SMALL",
        {"file": "张伟.png", "found": "200×19", "limit": "20×20"},
    )
    assert ready(tmp_path, encoded(noise(20, 20), "PNG"))


def header_only(width: int, height: int) -> bytes:
    """Make a small PNG that unpacks to many pixels."""
    header = struct.pack(">LLBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(13377, 13377), (60000, 60000), (60000, 1), (10001, 100), (6325, 6325)])
def test_too_many_pixels_are_refused_from_the_header(tmp_path, size):
    code, detail = refused(tmp_path, header_only(*size))
    assert (code, detail["found"]) == ("IMAGE_TOO_LARGE", f"{size[0]}×{size[1]}")


def test_a_phone_photo_passes_as_it_is(tmp_path):
    photo = encoded(noise(400, 300).resize((4000, 3000)), "JPEG")
    prepared = ready(tmp_path, photo)
    assert (prepared.width, prepared.height, prepared.problems) == (4000, 3000, ())


def test_metadata_that_is_broken_does_not_matter_to_the_picture(tmp_path):
    jpeg = encoded(seal(mode="RGB"), "JPEG")
    broken = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\xff\x01\x12"
    data = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(broken) + 2) + broken + jpeg[2:]
    prepared = prepare(tmp_path, data)
    assert isinstance(prepared, PreparedImage)
    assert (prepared.path, prepared.problems) == (prepared.source.path, ())


def test_bytes_that_are_not_those_that_were_hashed_are_not_sent(tmp_path):
    picture = put(tmp_path, encoded(seal(), "PNG"))
    picture.path.write_bytes(encoded(seal(121), "PNG"))
    (problem,) = examine(tmp_path, picture)
    assert (problem.code, problem.detail["found"]) == ("IMAGE_CORRUPT", "changed while reading")
    picture.path.unlink()
    (problem,) = examine(tmp_path, picture)
    assert (problem.code, problem.detail["found"]) == ("IMAGE_CORRUPT", "cannot be read")


def test_a_file_beyond_all_reason_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "张伟.png"
    with path.open("wb") as file:
        file.truncate(image_files.MAX_BYTES * 2)
    (problem,) = examine(tmp_path, ImageFile.from_path(path, "0" * 64, 1))
    assert problem.code == "IMAGE_TOO_LARGE"


@pytest.mark.parametrize(
    ("channels", "form", "settings", "share"),
    [
        (3, "PNG", {}, 0.6),
        (3, "JPEG", {"quality": 100, "subsampling": 0}, 0.3),
        (4, "PNG", {"compress_level": 1}, 0.6),
        (3, "BMP", {}, 0.6),
    ],
    ids=["opaque PNG", "JPEG", "PNG with transparency", "BMP"],
)
def test_a_large_picture_over_the_limit_is_made_smaller_once_with_a_warning(
    tmp_path, channels, form, settings, share
):
    data = encoded(noise(3000, 300, channels), form, **settings)
    limit = int(len(data) * share)
    prepared = ready(tmp_path, data, limit=limit)
    assert prepared.size <= limit
    assert (prepared.width, prepared.height) == (SCALED_SIDE, 205)
    (reduced,) = [problem for problem in prepared.problems if problem.code == "IMAGE_TOO_LARGE_FIXABLE"]
    assert reduced.detail["used"].endswith(", 2048×205")
    assert {problem.severity for problem in prepared.problems} == {"warning"}
    with Image.open(prepared.path) as sent, Image.open(io.BytesIO(data)) as source:
        assert (sent.mode == "RGBA") == (source.mode == "RGBA")


@pytest.mark.parametrize("width", [700, SCALED_SIDE, 3000])
def test_a_file_that_is_over_the_limit_at_that_size_too_is_refused(tmp_path, width):
    data = encoded(noise(width, 100), "PNG")
    limit = len(data) * (1 if width == 3000 else 9) // 10  # a JPEG of the same size would fit
    assert refused(tmp_path, data, limit=limit)[0] == "IMAGE_TOO_LARGE"


def test_a_file_of_exactly_the_limit_is_sent_as_it_is(tmp_path):
    data = encoded(noise(300, 300), "PNG")
    prepared = ready(tmp_path, data, limit=len(data))
    assert (prepared.path, prepared.problems) == (prepared.source.path, ())
    assert refused(tmp_path, data, limit=len(data) - 1)[0] == "IMAGE_TOO_LARGE"


def test_a_file_that_is_written_with_less_compression_keeps_its_pixels_and_is_reported(tmp_path):
    data = encoded(seal(900, mode="RGB"), "PNG", compress_level=0)
    prepared = ready(tmp_path, data, limit=len(data) - 1)
    assert [problem.code for problem in prepared.problems] == ["IMAGE_TOO_LARGE_FIXABLE"]
    assert opened(prepared.path).tobytes() == opened(data).tobytes()


def test_a_bitmap_that_shrinks_by_itself_was_not_too_large(tmp_path):
    data = encoded(seal(1500, mode="RGB"), "BMP")
    assert len(data) > INLINE
    assert describe_changes(ready(tmp_path, data)) == "BMP → PNG"


def test_the_same_picture_gives_the_same_bytes_once_and_for_all(tmp_path):
    data = encoded(seal(), "TIFF")
    first = ready(tmp_path, data)
    made = first.path.stat()
    assert ready(tmp_path, data) == first
    assert first.path.stat().st_ino == made.st_ino
    first.path.write_bytes(b"tampered with")
    assert ready(tmp_path, data) == first
    assert [path.name for path in (tmp_path / "work").glob("*.*")] == [first.sha256 + ".png"]


def test_a_work_folder_that_cannot_be_written_is_no_fault_of_the_row(tmp_path):
    (tmp_path / "work").write_bytes(b"a file stands there")
    with pytest.raises(OSError):
        prepare(tmp_path, encoded(seal(), "TIFF"))


def test_equal_pictures_have_equal_pixels_whatever_holds_them(tmp_path):
    clear = seal()
    clear.paste(
        (9, 9, 9, 0), mask=seal().getchannel("A").point(lambda level: 255 * (level == 0))
    )  # unseen colour
    files = {
        encoded(seal(), "PNG"),
        encoded(seal(), "PNG", compress_level=1),
        encoded(clear, "PNG"),
        encoded(seal(), "TIFF"),
        encoded(seal(), "WEBP", lossless=True),
        encoded(seal().transpose(Image.Transpose.ROTATE_90), "PNG", exif=turned(6)),
    }
    assert len(files) == 6
    digests = {digest(tmp_path, put(tmp_path, data)) for data in files}
    assert len(digests) == 1
    assert digests == {ready(tmp_path, encoded(seal(), "PNG")).pixels}
    opaque = {encoded(seal(mode="RGB"), form) for form in ("PNG", "BMP")} | {
        encoded(seal(mode="RGB").convert("RGBA"), "PNG")
    }
    assert len({digest(tmp_path, put(tmp_path, data)) for data in opaque}) == 1


def test_a_broken_animation_is_a_picture_all_the_same(tmp_path):
    data = with_chunk(encoded(seal(), "PNG"), chunk(b"acTL", bytes(8)))
    prepared = ready(tmp_path, data)
    assert describe_changes(prepared) == "frames → 1"


def test_a_picture_in_video_colours_becomes_rgb(tmp_path):
    assert describe_changes(ready(tmp_path, encoded(seal(mode="YCbCr"), "TIFF"))) == "TIFF → PNG, YCbCr → RGB"


def test_different_pictures_have_different_pixels(tmp_path):
    other = seal()
    other.putpixel((60, 60), RED)
    drawn = [seal(), other, seal(121), seal(60, width=100), seal(100, width=60), seal().rotate(90)]
    digests = [digest(tmp_path, put(tmp_path, encoded(one, "PNG"))) for one in drawn]
    assert len(set(digests)) == len(drawn)
    same_bytes = [Image.frombytes("L", shape, bytes(range(240)) * 5) for shape in ((30, 40), (40, 30))]
    assert len({digest(tmp_path, put(tmp_path, encoded(one, "PNG"))) for one in same_bytes}) == 2
    assert digest(tmp_path, put(tmp_path, b"no picture")) is None
    assert digest(tmp_path, ImageFile.from_path(tmp_path / "gone.png", "0" * 64, 1)) is None


def test_a_number_in_a_file_name_is_masked_in_its_problem(tmp_path):
    picture = put(tmp_path, b"no picture", "110101199003070732.png")
    (problem,) = examine(tmp_path, picture)
    assert problem.detail["file"] == "**************0732.png"


def test_pictures_may_be_prepared_in_several_threads(tmp_path):
    files = [put(tmp_path, encoded(seal(100 + index % 5), "TIFF"), f"{index}.tif") for index in range(20)]

    def work(picture: ImageFile) -> PreparedImage | tuple[Any, ...]:
        return examine(tmp_path, picture)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, files)) == [work(picture) for picture in files]
    assert len(list((tmp_path / "work").glob("*.*"))) == 5


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_prepared_files_are_the_owners_alone_and_follow_no_link(tmp_path):
    data = encoded(seal(), "TIFF")
    prepared = ready(tmp_path, data)
    assert stat.S_IMODE((tmp_path / "work").stat().st_mode) == 0o700
    assert stat.S_IMODE(prepared.path.stat().st_mode) == 0o600
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    prepared.path.unlink()
    prepared.path.symlink_to(victim)
    assert not ready(tmp_path, data).path.is_symlink()
    assert victim.read_bytes() == b"precious"
