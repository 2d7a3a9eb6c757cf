"""Pictures that must be converted arrive with the upright pixels of their source, however small they are."""

from __future__ import annotations

import io
import random
from itertools import product
from pathlib import Path

import pytest
from attack.marks import draw_mark
from attack.stage import LONG, Stage, open_sandbox, person
from drawn_files import MAKERS, make_file, prepare_and_compare
from drawn_files import SIDES as FILE_SIDES
from PIL import Image, ImageChops, ImageOps

GROUP = "pictures"
SIDES = (20, 64, 97, 200, 256, 257)  # pixels of the longer side
LOSS = 10  # mean difference in levels that a JPEG encoded once more may show
TURNED = 0x0112  # EXIF orientation


def save_turned(orientation: int):
    def save(image: Image.Image, path: Path) -> None:
        exif = Image.Exif()
        exif[TURNED] = orientation
        image.save(path, "JPEG", quality=95, exif=exif)

    return save


def save_apng(image: Image.Image, path: Path) -> None:
    second = ImageOps.invert(image)
    image.save(path, "PNG", save_all=True, append_images=[second], duration=500)


FORMS = {
    "bmp": ("bmp", lambda image, path: image.save(path, "BMP")),
    "tiff": ("tif", lambda image, path: image.save(path, "TIFF")),
    "tiff-lzw": ("tif", lambda image, path: image.save(path, "TIFF", compression="tiff_lzw")),
    "webp": ("webp", lambda image, path: image.save(path, "WEBP", lossless=True)),
    "gif": ("gif", lambda image, path: image.save(path, "GIF")),
    "jpeg-turned-right": ("jpg", save_turned(6)),
    "jpeg-mirrored": ("jpg", save_turned(2)),
    "apng": ("png", save_apng),
    "cmyk": ("jpg", lambda image, path: image.convert("CMYK").save(path, "JPEG", quality=95)),
    "png-trailing": ("png", lambda image, path: path.write_bytes(encode(image) + b"trailing bytes")),
    "grey-bmp": ("bmp", lambda image, path: image.convert("L").save(path, "BMP")),
}
CASES = [(form, side) for form in FORMS for side in SIDES]
CASES_SHORT = [("bmp", 200), ("webp", 97), ("jpeg-turned-right", 256)]
WALKED = CASES if LONG else CASES_SHORT
SERIALS = {case: serial for serial, case in enumerate(CASES, start=1)}
ORDERS = ("run at once", "check first") if LONG else ("run at once",)


def encode(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def write_picture(folder: Path, form: str, side: int) -> Path:
    """Draw the mark of a case in its form and size."""
    serial = SERIALS[form, side]
    suffix, save = FORMS[form]
    path = folder / f"{serial:05d}.{suffix}"
    save(draw_mark(serial, size=(side, max(side // 2, 16))), path)
    return path


def upright(data: bytes) -> Image.Image:
    """Return the first frame of a picture as a person sees it."""
    with Image.open(io.BytesIO(data)) as image:
        image.seek(0)
        return ImageOps.exif_transpose(image).convert("RGB")


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference in levels."""
    histogram = ImageChops.difference(one, other).histogram()
    return sum(index % 256 * count for index, count in enumerate(histogram)) / (one.width * one.height * 3)


@pytest.fixture(scope="module", params=ORDERS)
def hospital(request, tmp_path_factory, zygote):
    """Every case is a doctor of one roster; returns the stage and what each doctor's file was."""
    home = tmp_path_factory.mktemp("pictures")
    with open_sandbox() as sandbox:
        stage = Stage(home / "hospital", home / "user", sandbox, zygote)
        given = {}
        for form, side in WALKED:
            given[form, side] = write_picture(stage.folder / "seals", form, side).read_bytes()
        stage.hire(*(SERIALS[case] for case in WALKED), pictures=False)
        if request.param == "check first":
            stage.go("check")
        stage.go("run")
        yield stage, given


@pytest.mark.parametrize(("form", "side"), WALKED)
def test_the_picture_that_is_sent_is_the_picture_that_was_given(hospital, request, form, side):
    stage, given = hospital
    rows = {row["staff_no"]: row for row in stage.outcomes()}
    row = rows[person(SERIALS[form, side]).staff_no]
    source = upright(given[form, side])
    if row["status"] == "rejected":
        assert "IMAGE_TOO_SMALL" in row["codes"], row["codes"]
        assert side == min(SIDES)
        wrong = False
    else:
        assert row["status"] == "sealed"
        (seal,) = stage.seals_of()[SERIALS[form, side]]
        sent = upright(stage.service.pictures[seal.picture])
        limit = LOSS if FORMS[form][0] == "jpg" else 0
        wrong = sent.size != source.size or difference(sent, source) > limit
    request.node.user_properties.append(("attack", [GROUP, 0, 0, int(wrong), 0, 0]))
    assert not wrong, f"{source.size} became {sent.size}"


@pytest.mark.parametrize("kind", MAKERS)
def test_every_key_turn_and_size_of_a_kind_is_sent_as_it_looks(tmp_path, request, kind):
    _, keys, turns = MAKERS[kind]
    chance = random.Random(kind)
    wrong = []
    for key, turn, side in product(keys, turns, FILE_SIDES):
        file = make_file(chance, kind, key, turn, (side, chance.choice(FILE_SIDES)))
        wrong.append(prepare_and_compare(tmp_path, file))
    wrong = list(filter(None, wrong))
    request.node.user_properties.append(("attack", [GROUP, 0, 0, len(wrong), 0, 0]))
    assert wrong == []


def write_grey_tiff_with_alpha(path: Path) -> None:
    """Write an uncompressed TIFF of grey and associated alpha (ExtraSamples 1), which Pillow itself does not write."""
    width, height = 60, 27
    mark = draw_mark(1, size=(width, height)).convert("L")
    body = b"".join(bytes((level, 255)) for level in mark.tobytes())
    tags = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, 2, 8 | 8 << 16),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 2),
        (278, 3, 1, height),
        (279, 4, 1, len(body)),
        (284, 3, 1, 1),
        (338, 3, 1, 1),
    ]
    directory = len(tags).to_bytes(2, "little")
    for tag, kind, count, value in tags:
        directory += tag.to_bytes(2, "little") + kind.to_bytes(2, "little")
        directory += count.to_bytes(4, "little") + value.to_bytes(4, "little")
    offset = 8 + len(body)
    path.write_bytes(b"II*\x00" + offset.to_bytes(4, "little") + body + directory + bytes(4))


def test_one_picture_that_cannot_be_read_ends_no_run(stage):
    stage.hire(1, 2, 3)
    (stage.folder / "seals" / "00001.png").unlink()
    write_grey_tiff_with_alpha(stage.folder / "seals" / "00001.tif")
    ended = stage.go("run")
    statuses = stage.statuses()
    assert not stage.counts.remarks, stage.counts.remarks
    assert ended.code in {0, 3}
    assert (statuses["00002"], statuses["00003"]) == ("sealed", "sealed")
    assert statuses["00001"] in {"sealed", "rejected"}
