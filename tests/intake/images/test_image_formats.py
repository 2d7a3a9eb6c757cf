"""Pictures of every kind that hospitals have: what reaches the service shows the same as the file did."""

from __future__ import annotations

import base64
import io
import struct
import subprocess
import sys

import pillow_heif
import pytest
from image_support import (
    chunk,
    describe_changes,
    difference,
    encoded,
    noise,
    opened,
    prepare,
    put,
    raw_png,
    ready,
    refused,
    seal,
    turned,
    with_chunk,
)
from PIL import Image, ImageOps

from pipeline.domain.roster import PreparedImage
from pipeline.intake.images.formats import detect_format

SOLID = seal(mode="RGB")


def grey16(level: int) -> bytes:
    return struct.pack(">H", level)


# --- PNG


@pytest.mark.parametrize(
    ("bits", "colour", "white", "trns", "reported"),
    [
        (2, 0, b"\xff", b"\x00\x03", "EXIF 3 → 1"),
        (4, 0, b"\xff\xff", b"\x00\x0f", "EXIF 3 → 1"),
        (16, 0, b"\xfe\x01" * 4, b"\xfe\x01", "16 bit → 8 bit, EXIF 3 → 1"),
        (16, 2, b"\xfe\x01" * 12, b"\xfe\x01" * 3, "16 bit → 8 bit, EXIF 3 → 1"),
    ],
)
def test_a_transparent_level_stays_transparent_at_every_depth(tmp_path, bits, colour, white, trns, reported):
    row = white * 10
    ink = white * 3 + bytes(len(white) * 4) + white * 3
    rows = [ink if 5 < line < 15 or 18 < line < 35 else row for line in range(40)]
    turn = chunk(b"eXIf", turned(3).tobytes()[6:])
    prepared = ready(tmp_path, raw_png((40, 40), bits, colour, rows, chunk(b"tRNS", trns), turn))
    assert describe_changes(prepared) == reported
    sent = opened(prepared.path).convert("RGBA")
    assert sent.getpixel((2, 2))[3] == 0
    assert sent.getpixel((20, 10)) == (0, 0, 0, 255)


def test_grey_and_alpha_of_sixteen_bits_keep_their_alpha(tmp_path):
    rows = [b"".join(grey16(1000 * line) + grey16(65535 * (x < 20)) for x in range(40)) for line in range(40)]
    sent = opened(ready(tmp_path, raw_png((40, 40), 16, 4, rows)).path)
    assert (sent.getpixel((5, 20))[3], sent.getpixel((30, 20))[3]) == (255, 0)


def test_an_interlaced_png_is_sent_as_it_is(tmp_path):
    """The seven passes of a picture of 24 x 24 points, grey, each with its own rows (PNG 3rd edition, section 8)."""
    passes = [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ]
    rows = [
        b"\0" + bytes(255 * (x % 7 > 1) for x in range(first, 24, across))
        for first, top, across, down in passes
        for _ in range(top, 24, down)
    ]
    header = chunk(b"IHDR", struct.pack(">LLBBBBB", 24, 24, 8, 0, 0, 0, 1))
    import zlib

    body = chunk(b"IDAT", zlib.compress(b"".join(rows)))
    data = b"\x89PNG\r\n\x1a\n" + header + body + chunk(b"IEND", b"")
    prepared = ready(tmp_path, data)
    assert (prepared.path, prepared.problems) == (prepared.source.path, ())


def test_texts_in_a_png_change_no_setting_of_it(tmp_path):
    texts = [
        chunk(b"tEXt", b"transparency\0abc"),
        chunk(b"tEXt", b"icc_profile\0abc"),
        chunk(b"tEXt", b"gamma\0abc"),
    ]
    data = with_chunk(encoded(SOLID, "PNG", exif=turned(3)), *texts)
    assert describe_changes(ready(tmp_path, data)) == "EXIF 3 → 1"


def test_a_broken_profile_or_text_is_no_trouble_of_the_picture(tmp_path):
    data = with_chunk(
        encoded(SOLID, "PNG"), chunk(b"iCCP", b"x\0\0nonsense"), chunk(b"zTXt", b""), chunk(b"iTXt", b"a\0\1")
    )
    assert ready(tmp_path, data).problems == ()


# --- JPEG

# an arithmetic JPEG of 40 x 24 points, a framed stroke, made by jpegtran
ARITHMETIC = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQYEpR"
    "Uk//yQALCAAYACgBAREA/8wABgAQEAX/2gAIAQEAAD8A0hfwp+bBX/u3CA4zBUiKCDLclAzi4HMrv8qLYm2UWinmtQE/Mk0D7f45FZWekMgqyaLsTDqm"
    "aShSzoxymC/4NEQ5ezZZBl9Md9vJ8Y+hF7QLwwPYOVW8M7HVHCxGKAzCS9llwMYUcKORFUJD8W9rxwwLIpngXVmgSFpesMvtKURS5+AeuBsDn1wDBsxM"
    "luC4zHIPmiRFakrEP5zkCKL10ziEIBF3IoYsIuAxIbjctLPr51eQl4oQb6jYw7wW3ijC65DOl/SccJp+DHACDvW5nGzxzILJ9HB0LInz51MLRzE5YQhY"
    "4G3Drio4MDqm6RkNToijcKa+6Ki3zxLhdJg+4/tFRHe4t2mred1Fnn6++rA/2WHFAkV97MBVKJQDjImvbs4UMzmgF/rpHJdWQm0atfoEnWRi9Faipxj1"
    "rC15XIt2FZD6sGi4aST8/9k="
)


def test_a_coding_that_few_readers_know_becomes_the_common_one(tmp_path):
    prepared = ready(tmp_path, ARITHMETIC)
    assert describe_changes(prepared) == "arithmetic JPEG → JPEG"
    assert b"\xff\xc9" not in prepared.path.read_bytes()
    assert difference(opened(prepared.path), opened(ARITHMETIC)) < 4


def test_ink_colours_of_adobe_come_out_as_they_were_meant(tmp_path):
    """Adobe writes CMYK inverted, and YCCK as the YCbCr of its inks (libjpeg.txt): both are red on white here."""
    cmyk = SOLID.convert("CMYK")
    plain = encoded(cmyk, "JPEG", quality=95, subsampling=0)
    *inks, black = cmyk.split()
    planes = (*Image.merge("RGB", inks).convert("YCbCr").split(), ImageOps.invert(black))
    ycck = bytearray(
        encoded(
            Image.merge("CMYK", [ImageOps.invert(plane) for plane in planes]),
            "JPEG",
            quality=95,
            subsampling=0,
        )
    )
    ycck[ycck.index(b"Adobe") + 11] = 2  # transform: YCCK
    for data in (plain, bytes(ycck), encoded(cmyk, "JPEG", progressive=True, quality=95, subsampling=0)):
        prepared = ready(tmp_path, data)
        assert describe_changes(prepared) == "CMYK → RGB"
        assert difference(opened(prepared.path), SOLID) < 4


def test_the_first_of_several_pictures_is_taken_out_of_a_jpeg_without_loss(tmp_path):
    data = encoded(SOLID, "MPO", save_all=True, append_images=[noise(120, 120)], quality=70)
    prepared = ready(tmp_path, data)
    assert describe_changes(prepared) == "frames → 1, trailing bytes"
    assert prepared.size < data.index(b"\xff\xd9") + 2
    assert opened(prepared.path).tobytes() == opened(data).tobytes()


def test_the_first_exif_block_gives_the_turn(tmp_path):
    two = encoded(SOLID, "JPEG", exif=turned(6))
    second = encoded(SOLID, "JPEG", exif=turned(8))
    start = second.index(b"\xff\xe1")
    block = second[start : start + 2 + int.from_bytes(second[start + 2 : start + 4], "big")]
    offset = two.index(b"\xff\xdb")
    assert "EXIF 6 → 1" in describe_changes(ready(tmp_path, two[:offset] + block + two[offset:]))


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_jpeg_cut_off_and_closed_again_is_damaged(tmp_path, mode):
    data = encoded(seal(400, mode=mode), "JPEG", quality=90)
    assert refused(tmp_path, data[: len(data) // 2] + b"\xff\xd9") == (
        "IMAGE_CORRUPT",
        {"file": "张伟.png", "found": "cut off"},
    )


def test_fill_bytes_between_segments_are_kept(tmp_path):
    data = encoded(SOLID, "JPEG")
    offset = data.index(b"\xff\xda")
    assert ready(tmp_path, data[:offset] + b"\xff" * 5 + data[offset:]).problems == ()


@pytest.mark.parametrize(
    "extra", [b"\x00" * 7, b"junk", b"\xff\x00\xff\x00", b"\xff\xff\x00", b"\xff\xd3\xff\x01"]
)
@pytest.mark.parametrize("before", [b"\xff\xdb", b"\xff\xc0", b"\xff\xda", b"\xff\xd9"])
def test_stray_bytes_between_the_segments_are_left_out_and_no_pixel_changes(tmp_path, extra, before):
    data = encoded(SOLID, "JPEG", quality=90)
    offset = data.rindex(before) if before == b"\xff\xd9" else data.index(before)
    given = data[:offset] + extra + data[offset:]
    prepared = ready(tmp_path, given)
    if before != b"\xff\xd9":  # what follows the coded data is a part of it
        assert describe_changes(prepared) == "stray bytes"
        assert prepared.path.read_bytes() == data
    assert opened(prepared.path).tobytes() == opened(data).tobytes()
    if b"\xd3" not in extra:  # a restart mark out of its place: browsers pass over it, Pillow does not
        assert opened(prepared.path).tobytes() == opened(given).tobytes()


# --- colours


def profile(*, swapped: bool) -> bytes:
    """Make an ICC profile of sRGB's primaries, red and green swapped if asked (ICC.1:2010, section 7)."""

    def fixed(*numbers: float) -> bytes:
        return struct.pack(f">{len(numbers)}l", *(round(number * 65536) for number in numbers))

    red, green, blue = (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)
    if swapped:
        red, green = green, red
    curve = b"curv" + bytes(4) + struct.pack(">LH", 1, 0x0233)  # gamma 2.2
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">L", 5) + b"test\0" + bytes(78),
        b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1, 0.8249),
        b"rXYZ": b"XYZ " + bytes(4) + fixed(*red),
        b"gXYZ": b"XYZ " + bytes(4) + fixed(*green),
        b"bXYZ": b"XYZ " + bytes(4) + fixed(*blue),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    position = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">L", len(tags)), b""
    for name, content in tags.items():
        table += struct.pack(">4sLL", name, position + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = (
        struct.pack(">L", position + len(body)) + bytes(4) + b"\x02\x10\0\0mntrRGB XYZ " + bytes(12) + b"acsp"
    )
    return head.ljust(68, b"\0") + fixed(0.9642, 1, 0.8249).ljust(60, b"\0") + table + body


@pytest.mark.parametrize(("form", "settings"), [("PNG", {}), ("JPEG", {"quality": 95, "subsampling": 0})])
def test_colours_are_those_of_the_profile_once_a_picture_is_encoded_anew(tmp_path, form, settings):
    data = encoded(SOLID, form, exif=turned(3), icc_profile=profile(swapped=True), **settings)
    sent = opened(ready(tmp_path, data).path)
    assert "icc_profile" not in sent.info
    red, green, blue = sent.convert("RGB").getpixel(
        (60, 114)
    )  # on the frame: red by its numbers, green by its profile
    assert green > 150
    assert max(red, blue) < 120
    alike = encoded(SOLID, form, exif=turned(3), icc_profile=profile(swapped=False), **settings)
    assert difference(opened(ready(tmp_path, alike).path), SOLID.rotate(180)) < 4


def test_a_picture_that_needs_nothing_keeps_its_profile(tmp_path):
    assert ready(tmp_path, encoded(SOLID, "PNG", icc_profile=profile(swapped=True))).problems == ()


def test_the_gamma_of_a_png_is_applied(tmp_path):
    grey = Image.new("L", (60, 60), 255)
    grey.paste(64, (20, 10, 40, 50))
    linear = chunk(b"gAMA", struct.pack(">L", 100_000))
    usual = chunk(b"gAMA", struct.pack(">L", 45_455))
    for extra, level in ((linear, 136), (usual, 64)):
        sent = opened(ready(tmp_path, with_chunk(encoded(grey, "PNG", exif=turned(3)), extra)).path)
        assert sent.getpixel((30, 30)) == pytest.approx(level, abs=2)


# --- BMP


def bmp(bits: int, colours: int, palette: bytes, body: bytes, *, coding: int = 0) -> bytes:
    """Write a BMP of 40 x 40 points."""
    head = struct.pack("<LllHHLLllLL", 40, 40, 40, 1, bits, coding, len(body), 0, 0, colours, 0)
    start = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<LHHL", start + len(body), 0, 0, start) + head + palette + body


BLACK_WHITE = b"\0\0\0\0\xff\xff\xff\0"
BAR = [bytes([1] * 5 + [0] * 30 + [1] * 5) if line % 10 == 0 else bytes([1] * 40) for line in range(40)]
BARRED = (
    Image.frombytes("L", (40, 40), b"".join(BAR))
    .point([0] + [255] * 255)
    .transpose(Image.Transpose.FLIP_TOP_BOTTOM)
)
RUNS = b"".join(
    bytes([5, 1, 30, 0, 5, 1, 0, 0]) if line % 10 == 0 else bytes([40, 1, 0, 0]) for line in range(40)
)


@pytest.mark.parametrize(
    "data",
    [
        bmp(8, 2, BLACK_WHITE, b"".join(BAR)),
        bmp(4, 2, BLACK_WHITE, b"".join(bytes(a << 4 | b for a, b in zip(row[::2], row[1::2], strict=True)) for row in BAR)),
        bmp(8, 2, BLACK_WHITE, RUNS + b"\0\1", coding=1),
        bmp(8, 0, BLACK_WHITE + bytes(254 * 4), b"".join(BAR)),
        b"BM" + struct.pack("<LHHL", 0, 0, 0, 26 + 768)
        + struct.pack("<LHHHH", 12, 40, 40, 1, 8) + b"\0\0\0\xff\xff\xff" + bytes(254 * 3) + b"".join(BAR),
    ],
    ids=["8 bit, 2 colours", "4 bit, 2 colours", "run length", "8 bit", "OS/2 1"],
)  # fmt: skip
def test_a_bitmap_of_few_colours_shows_what_it_showed(tmp_path, data):
    prepared = ready(tmp_path, data)
    assert describe_changes(prepared) == "BMP → PNG"
    assert opened(prepared.path).convert("L").tobytes() == BARRED.tobytes()


def test_bitmaps_of_more_colours(tmp_path):
    for mode in ("1", "L", "P", "RGB"):
        drawn = SOLID.convert(mode)
        prepared = ready(tmp_path, encoded(drawn, "BMP"))
        assert opened(prepared.path).convert("RGB").tobytes() == drawn.convert("RGB").tobytes()
    words = b"".join(
        struct.pack("<40H", *([0x7C00 if 5 < x < 35 else 0x7FFF for x in range(40)])) for _ in range(40)
    )
    assert opened(ready(tmp_path, bmp(16, 0, b"", words)).path).getpixel((20, 20)) == (255, 0, 0)


def test_alpha_of_a_bitmap_counts_where_the_header_announces_it(tmp_path):
    body = b"".join(
        struct.pack("<L", 0xFF0000C8 if 5 < x < 35 and y > 3 else 0) for y in range(40) for x in range(40)
    )
    masks = struct.pack("<4L", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head = struct.pack("<LllHHLLllLL", 56, 40, 40, 1, 32, 3, len(body), 0, 0, 0, 0) + masks
    data = b"BM" + struct.pack("<LHHL", 70 + len(body), 0, 0, 70) + head + body
    sent = opened(ready(tmp_path, data).path)
    assert (sent.mode, sent.getpixel((1, 1))[3], sent.getpixel((20, 20))) == ("RGBA", 0, (0, 0, 200, 255))


# --- GIF


def test_a_gif_keeps_what_is_clear(tmp_path):
    sent = opened(ready(tmp_path, encoded(seal(), "GIF")).path)
    assert sent.mode == "RGBA"
    assert sent.getpixel((60, 100))[3] == 0
    assert sent.getpixel((60, 5))[3] == 255


def test_the_part_of_a_gif_screen_outside_of_the_first_frame_is_no_ink(tmp_path):
    """Palette index 0 is black here; a screen larger than its picture is clear, not black."""
    drawn = Image.new("P", (60, 60), 1)
    drawn.putpalette([0, 0, 0, 255, 255, 255])
    drawn.paste(0, (20, 20, 40, 40))
    data = bytearray(encoded(drawn, "GIF"))
    data[6:10] = struct.pack("<HH", 200, 200)
    sent = opened(ready(tmp_path, bytes(data)).path)
    assert sent.size == (60, 60)
    assert sent.convert("RGB").tobytes() == drawn.convert("RGB").tobytes()


@pytest.mark.parametrize("size", [6, 12, 20, 400, 789])
def test_a_gif_that_ends_within_its_first_picture_is_damaged(tmp_path, size):
    data = encoded(noise(40, 40).convert("P"), "GIF")
    assert len(data) > 1000
    assert refused(tmp_path, data[:size])[0] == "IMAGE_CORRUPT"


# --- TIFF


@pytest.mark.parametrize(
    "compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "group4", "tiff_ccitt"]
)
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "LA"])
def test_a_tiff_of_any_kind_is_converted_without_loss(tmp_path, compression, mode):
    if compression in ("group4", "tiff_ccitt") and mode != "1":
        return
    drawn = seal() if mode == "RGBA" else seal().convert("LA") if mode == "LA" else SOLID.convert(mode)
    settings = {"compression": compression} if compression else {}
    prepared = ready(tmp_path, encoded(drawn, "TIFF", **settings))
    assert describe_changes(prepared).startswith("TIFF → PNG")
    assert difference(opened(prepared.path), drawn.convert("RGB") if mode == "CMYK" else drawn) == 0


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_tiff_is_turned_once(tmp_path, orientation):
    data = encoded(seal(60, mode="RGB", width=100), "TIFF", exif=turned(orientation))
    prepared = ready(tmp_path, data)
    assert describe_changes(prepared) == f"TIFF → PNG, EXIF {orientation} → 1"
    with Image.open(io.BytesIO(data)) as source:
        assert opened(prepared.path).tobytes() == ImageOps.exif_transpose(source).tobytes()


def tiff(
    entries: dict[int, tuple[int, int, int]], body: bytes, *, order: str = "<", following: int = 0
) -> bytes:
    """Write a TIFF of one directory; tag -> (type, count, value), a short value standing first in its field."""
    lines = b""
    for tag, (form, count, value) in sorted(entries.items()):
        field = (
            struct.pack(order + "H2x", value) if form == 3 and count == 1 else struct.pack(order + "L", value)
        )
        lines += struct.pack(order + "HHL", tag, form, count) + field
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", 8)
    directory = struct.pack(order + "H", len(entries)) + lines + struct.pack(order + "L", following)
    return (head + directory).ljust(400, b"\0") + body


GREY = {256: (4, 1, 40), 257: (4, 1, 40), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 273: (4, 1, 400)}
GREY |= {277: (3, 1, 1), 278: (4, 1, 40), 279: (4, 1, 1600)}


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_orders_of_bytes_are_read(tmp_path, order):
    assert (
        describe_changes(ready(tmp_path, tiff(GREY, noise(40, 40, 1).tobytes(), order=order))) == "TIFF → PNG"
    )


def test_a_tiff_of_sixteen_bits_is_scaled(tmp_path):
    body = b"".join(struct.pack(">H", 65535 - 40_000 * (line % 10 > 5)) * 40 for line in range(40))
    data = tiff(GREY | {258: (3, 1, 16), 279: (4, 1, 3200)}, body, order=">")
    prepared = ready(tmp_path, data)
    assert describe_changes(prepared) == "TIFF → PNG, 16 bit → 8 bit"
    assert (opened(prepared.path).getpixel((0, 20)), opened(prepared.path).getpixel((0, 8))) == (255, 99)


def test_a_tiff_with_an_incomplete_strip_is_damaged(tmp_path):
    made = encoded(seal(400, mode="1"), "TIFF", compression="group4")
    strip = made[8 : int.from_bytes(made[4:8], "little")]
    rows = GREY | {256: (4, 1, 400), 257: (4, 1, 400), 258: (3, 1, 1), 259: (3, 1, 4), 262: (3, 1, 1)}
    data = tiff(rows | {278: (4, 1, 400), 279: (4, 1, len(strip))}, strip)
    assert describe_changes(ready(tmp_path, data)) == "TIFF → PNG"
    assert refused(tmp_path, data[:-20])[1]["found"] == "cut off"


@pytest.mark.parametrize(("values", "whole"), [(768, True), (195, False), (0, False)])
def test_a_tiff_with_an_incomplete_colour_map_is_damaged(tmp_path, values, whole):
    body = noise(40, 40, 1).tobytes() + struct.pack("<768H", *range(0, 768 * 80, 80))
    colours = {320: (3, values, 2000)} if values else {}
    data = tiff(GREY | {262: (3, 1, 3)} | colours, body)
    if whole:
        assert describe_changes(ready(tmp_path, data)) == "TIFF → PNG"
        assert refused(tmp_path, data[:-200])[1]["found"] == "incomplete colour map"
    else:
        assert refused(tmp_path, data) == (
            "IMAGE_CORRUPT",
            {"file": "张伟.png", "found": "incomplete colour map"},
        )


# --- WEBP


@pytest.mark.parametrize("drawn", [seal(), SOLID], ids=["clear", "solid"])
def test_a_lossy_webp_is_converted(tmp_path, drawn):
    data = encoded(drawn, "WEBP", quality=90)
    prepared = ready(tmp_path, data)
    assert describe_changes(prepared) == "WEBP → PNG"
    assert difference(opened(prepared.path), opened(data)) == 0


# --- HEIC


def heic(drawn: Image.Image, **settings: object) -> bytes:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(drawn).save(buffer, **settings)
    return buffer.getvalue()


@pytest.mark.parametrize("drawn", [seal(), SOLID], ids=["clear", "solid"])
def test_a_heic_is_converted(tmp_path, drawn):
    prepared = ready(tmp_path, heic(drawn, quality=90))
    assert describe_changes(prepared) == "HEIC → PNG"
    assert difference(opened(prepared.path), drawn) < 8


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_heic_is_not_turned_twice(tmp_path, orientation):
    drawn = seal(60, mode="RGB", width=100)
    held = pillow_heif.from_pillow(drawn)
    held.info["exif"] = turned(orientation).tobytes()
    buffer = io.BytesIO()
    held.save(buffer, quality=95, exif=turned(orientation).tobytes())
    upright = opened(encoded(drawn, "PNG", exif=turned(orientation)))
    prepared = ready(tmp_path, buffer.getvalue())
    assert difference(opened(prepared.path), ImageOps.exif_transpose(upright)) < 8


def test_the_primary_of_several_heic_pictures_is_taken(tmp_path):
    held = pillow_heif.from_pillow(Image.new("RGB", (64, 64), "blue"))
    held.add_from_pillow(SOLID)
    buffer = io.BytesIO()
    held.save(buffer, primary_index=1, quality=90)
    prepared = ready(tmp_path, buffer.getvalue())
    assert describe_changes(prepared) == "HEIC → PNG, frames → 1"
    assert difference(opened(prepared.path), SOLID) < 8


@pytest.mark.parametrize(
    ("reported", "result"),
    [((20_000, 20_000), "20000×20000"), ((60, 60), "cannot be decoded"), (None, "cannot be decoded")],
)
def test_a_heic_that_is_too_large_or_larger_than_declared_or_cut_off_is_refused(tmp_path, reported, result):
    data = bytearray(heic(SOLID))
    if reported:
        offset = data.index(b"ispe") + 8
        data[offset : offset + 8] = struct.pack(">LL", *reported)
    else:
        del data[-100:]
    assert refused(tmp_path, bytes(data))[1]["found"] == result


def test_without_the_extra_a_heic_is_refused_with_what_to_do(tmp_path):
    put(tmp_path, b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(100))
    script = (
        "import sys; sys.modules['pillow_heif'] = None\n"  # as if it were not installed
        "from image_support import refused; from pathlib import Path\n"
        "print(refused(Path(sys.argv[1]), Path(sys.argv[1], '张伟.png').read_bytes()))"
    )
    completed = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path), "PYTHONIOENCODING": "utf-8"},
    ).stdout  # fmt: skip
    assert completed.strip() == "('IMAGE_FORMAT', {'file': '张伟.png', 'found': 'HEIC', 'extra': 'heic'})"


# --- all of them


def with_frame_byte(offset: int, value: int) -> bytes:
    """Return a JPEG with another byte in its frame header."""
    data = bytearray(encoded(SOLID, "JPEG"))
    data[data.index(b"\xff\xc0") + offset] = value
    return bytes(data)


# a whole picture that is called damaged would send the clerk to export the same file again
UNREADABLE = {
    "JPEG, hierarchical": with_frame_byte(1, 0xC5),
    "JPEG, 12 bit": with_frame_byte(4, 12),
    "BMP": bmp(2, 0, bytes(16), bytes(400)),
    "BMP ": bmp(16, 0, struct.pack("<3L", 0xF000, 0x0F00, 0x00F0), bytes(3200), coding=3),
    "TIFF, F": encoded(Image.frombytes("F", (40, 40), struct.pack("<1600f", *range(1600))), "TIFF"),
    "TIFF, 16 bit": tiff(GREY | {258: (3, 1, 16), 262: (3, 1, 0), 279: (4, 1, 3200)}, bytes(3200)),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_picture_of_a_kind_that_is_not_read_is_called_by_its_name(tmp_path, kind):
    detail = {"file": "张伟.png", "found": kind.strip()}
    assert refused(tmp_path, UNREADABLE[kind]) == ("IMAGE_FORMAT", detail)


@pytest.mark.parametrize("form", ["GIF", "TIFF", "WEBP"])
def test_the_first_of_several_pictures_is_taken(tmp_path, form):
    first = SOLID.convert("P") if form == "GIF" else seal()
    settings = {"lossless": True, "exact": True} if form == "WEBP" else {}
    others = [first.rotate(90), first.rotate(180)]
    prepared = ready(tmp_path, encoded(first, form, save_all=True, append_images=others, **settings))
    assert describe_changes(prepared) == f"{form} → PNG, frames → 1"
    assert opened(prepared.path).convert("RGBA").tobytes() == first.convert("RGBA").tobytes()


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"hevc", b"mif1", b"msf1"])
def test_a_heic_is_recognized_by_its_brands(brand):
    assert detect_format(b"\x00\x00\x00\x18ftyp" + brand + b"\x00\x00\x00\x00mif1heic") == "HEIC"


def seeds() -> list[bytes]:
    small, clear = seal(40, mode="RGB"), seal(40)
    return [
        encoded(clear, "PNG"),
        with_chunk(encoded(small, "PNG"), chunk(b"tEXt", b"gamma\0x"), chunk(b"gAMA", bytes(4))),
        encoded(small, "JPEG", progressive=True),
        encoded(small.convert("CMYK"), "JPEG", exif=turned(6)),
        encoded(small.convert("P"), "BMP"),
        encoded(clear, "GIF", save_all=True, append_images=[clear.rotate(90)]),
        encoded(clear, "WEBP", save_all=True, append_images=[clear.rotate(90)]),
        encoded(clear, "TIFF", compression="tiff_lzw", exif=turned(6)),
        encoded(small.convert("1"), "TIFF", compression="group4"),
    ]


def test_random_damage_is_refused_and_never_raises(tmp_path):
    """Bytes are changed, taken out and put in at random, near the head above all."""
    import random

    dice = random.Random(3)
    codes = set()
    for data in seeds():
        for _ in range(40):
            broken = bytearray(data)
            for _ in range(dice.choice((1, 2, 5))):
                broken[dice.randrange(dice.choice((64, 200, len(broken)))) % len(broken)] = dice.choice(
                    (0, 255, dice.randrange(256))
                )
            if dice.random() < 0.2:
                del broken[dice.randrange(len(broken)) :]
            prepared = prepare(tmp_path, bytes(broken))
            codes.add("ready" if isinstance(prepared, PreparedImage) else prepared[0].code)
    assert {"ready", "IMAGE_CORRUPT", "IMAGE_FORMAT"} <= codes
