"""A run after a check sends what it would have sent without one: by the sandbox's record, byte for byte."""

from __future__ import annotations

import hashlib
import io
import os
import shutil

import pytest
from people import name, number
from PIL import Image
from wire_support import CREATE

from pipeline.domain.roster import ImageFile
from pipeline.intake.images.prepare import ImageExaminer
from pipeline.sandbox.actions import Rules

SHAPES = {1: ("png", {}), 2: ("bmp", {}), 3: ("jpg", {"exif": 6}), 4: ("gif", {}), 5: ("tif", {"exif": 3})}


def draw_pictures(hospital) -> None:
    """Give each doctor a picture of another format, some turned by their EXIF."""
    for serial, (suffix, settings) in SHAPES.items():
        path = hospital.folder / "seals" / f"{serial:05d}.png"
        with Image.open(path) as opened:
            image = opened.convert("RGB").resize((90 + serial, 60))
        path.unlink()
        exif = Image.Exif()
        exif[0x0112] = settings.get("exif", 1)
        image.save(path.with_suffix(f".{suffix}"), **({"exif": exif} if "exif" in settings else {}))


def prepare_plainly(hospital, path) -> bytes:
    data = path.read_bytes()
    image = ImageFile.from_path(path, hashlib.sha256(data).hexdigest(), len(data))
    prepared = ImageExaminer(hospital.folder / "plain", 8_000_000).examine(image).prepared
    assert prepared is not None
    return prepared.path.read_bytes()


def get_received(hospital) -> dict[str, bytes]:
    return {seal.number: hospital.service.pictures[seal.picture] for seal in hospital.service.seals}


@pytest.mark.parametrize("contract", ["file_id", "inline"])
def test_pictures_seen_by_a_check_reach_the_service_as_if_decoded_anew(hospital_with, contract):
    inline = "on" if contract == "inline" else "transition"
    hospital = hospital_with(rules=Rules(limiter="none", inline=inline), api={"contract": contract})
    hospital.doctors(5)
    draw_pictures(hospital)
    assert hospital.go("check") == 0
    expected = {
        number(int(path.stem)): prepare_plainly(hospital, path)
        for path in (hospital.folder / "seals").iterdir()
    }
    assert hospital.go("run") == 0
    assert get_received(hospital) == expected
    codes = {outcome["name"]: outcome["codes"] for outcome in hospital.outcomes()}
    assert [codes[name(serial)] for serial in SHAPES] == [[], *[["IMAGE_CONVERTED"]] * 4]


def draw_pictures_of_one_size(hospital) -> None:
    """Give each doctor a picture of another format and of the same size."""
    for serial, suffix in enumerate(("png", "bmp", "jpg", "gif", "tif"), start=1):
        path = hospital.folder / "seals" / f"{serial:05d}.png"
        with Image.open(path) as opened:
            image = opened.convert("RGB").resize((90, 60))
        path.unlink()
        image.save(path.with_suffix(f".{suffix}"))


def test_pictures_are_examined_before_a_guard_and_again_in_the_next_run(hospital):
    hospital.seal_doctors(1, start=9, file="first.xlsx")
    (hospital.folder / "seals" / "00009.png").unlink()
    shutil.rmtree(hospital.folder / "state" / "work")
    hospital.service.reset()
    hospital.doctors(5)
    draw_pictures_of_one_size(hospital)
    expected = {
        number(int(path.stem)): prepare_plainly(hospital, path)
        for path in (hospital.folder / "seals").iterdir()
    }
    path = hospital.folder / "config.yaml"
    path.write_text(path.read_text("utf-8") + "guards: {new_rows: 0}\n", "utf-8")
    assert hospital.go("run") == 5
    assert hospital.creates() == 0
    previews = hospital.folder / "state" / "work" / "previews"
    assert len(list(previews.iterdir())) == 5
    shutil.rmtree(hospital.folder / "state" / "work")
    assert hospital.go("run", "--accept-guards") == 0
    assert get_received(hospital) == expected


def test_a_picture_prepared_before_the_first_call_and_altered_since_is_not_sent(hospital):
    hospital.doctors(5)
    draw_pictures_of_one_size(hospital)
    paths = sorted((hospital.folder / "seals").iterdir())
    expected = {number(int(path.stem)): prepare_plainly(hospital, path) for path in paths}

    class Calls(list):
        """Calls that the service received; with the first create the pictures of all rows but the first change."""

        def append(self, call):
            if call.action == CREATE:
                for path in paths[1:]:
                    path.write_bytes(paths[0].read_bytes())
            super().append(call)

    hospital.service.received = Calls()
    assert hospital.go("run") == 3
    del expected[number(3)]  # a JPEG, which is sent from its file
    assert get_received(hospital) == expected
    assert [outcome["codes"] for outcome in hospital.outcomes()][2] == ["IMAGE_CORRUPT"]


def test_a_picture_that_changed_after_the_check_is_sent_as_it_is_now(hospital):
    hospital.doctors(2)
    path = hospital.folder / "seals" / "00002.png"
    before = path.stat()
    assert hospital.go("check") == 0
    with Image.open(path) as opened:
        drawn = opened.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG")
    path.write_bytes(buffer.getvalue())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert hospital.go("run") == 0
    assert get_received(hospital)[number(2)] == buffer.getvalue()


def test_a_picture_that_became_blank_after_the_check_is_refused(hospital):
    hospital.doctors(2)
    path = hospital.folder / "seals" / "00002.png"
    before = path.stat()
    assert hospital.go("check") == 0
    Image.new("RGB", (90, 90), "white").save(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert hospital.go("run") == 3
    assert set(get_received(hospital)) == {number(1)}
    assert [outcome["codes"] for outcome in hospital.outcomes()] == [[], ["IMAGE_BLANK"]]


def test_a_drawing_saved_anew_is_that_of_its_owners_seal_alone(hospital):
    hospital.seal_doctors(1)
    shutil.rmtree(hospital.folder / "state" / "work")
    hospital.doctors(2)
    seals = hospital.folder / "seals"
    with Image.open(seals / "00001.png") as drawing:
        drawing.convert("RGBA").save(seals / "00002.png")
        drawing.convert("RGB").save(seals / "00001.png", compress_level=1)
    assert hospital.run_to_end("run") == (3, {"unchanged": 1, "rejected": 1})
    assert hospital.creates() == 1
    assert "IMAGE_SHARED" in hospital.outcomes()[1]["codes"]


@pytest.mark.skipif(os.name == "nt", reason="Windows tells no time of a file's entry")
def test_pictures_that_changed_places_are_seen_though_size_and_time_are_the_same(hospital):
    """Somebody puts right two pictures that were mixed up: a sealed doctor has changed, nobody is held up for ever."""
    hospital.doctors(3)
    seals = [hospital.folder / "seals" / f"{serial:05d}.png" for serial in (1, 2, 3)]
    for path in seals:
        Image.open(path).save(path.with_suffix(".bmp"))
        path.unlink()
        os.utime(path.with_suffix(".bmp"), (1.7e9, 1.7e9))
    assert hospital.go("run", "--limit", "1") == 0
    sealed, *others = (path.with_suffix(".bmp") for path in seals)
    first, last = (path.read_bytes() for path in (sealed, others[-1]))
    for path, data in ((sealed, last), (others[-1], first)):
        path.write_bytes(data)
        os.utime(path, (1.7e9, 1.7e9))
    assert hospital.go("run") == 3
    assert [(row["status"], row["codes"][:1]) for row in hospital.outcomes()] == [
        ("changed", ["CONTENT_CHANGED"]),
        ("sealed", ["IMAGE_CONVERTED"]),
        ("rejected", ["IMAGE_SHARED"]),
    ]
