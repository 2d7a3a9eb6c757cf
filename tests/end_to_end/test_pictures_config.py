"""What `pictures:` in the configuration asks for reaches the wire, and what could not be read is said."""

from __future__ import annotations

import io
import os

import pytest
from PIL import Image, ImageDraw


def wide_margin(path):
    """Draw a seal in the middle of much paper."""
    picture = Image.new("RGB", (400, 300), "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((150, 110, 250, 190), outline="red", width=4)
    pen.line((160, 120, 240, 180), fill="red", width=6)
    pen.line((160, 180, 240, 120), fill="red", width=6)
    picture.save(path)


def sent(hospital) -> Image.Image:
    (data,) = hospital.service.pictures.values()
    return Image.open(io.BytesIO(data))


def asked(hospital, **pictures):
    path = hospital.folder / "config.yaml"
    path.write_text(
        path.read_text("utf-8") + f"pictures: {{{', '.join(f'{k}: true' for k in pictures)}}}\n", "utf-8"
    )


def test_a_clean_up_is_off_unless_asked_for(hospital):
    hospital.doctors(1)
    path = hospital.folder / "seals" / "00001.png"
    wide_margin(path)
    assert hospital.go("run", "--yes") == 0
    assert list(hospital.service.pictures.values()) == [path.read_bytes()]


def test_trim_and_transparent_reach_the_wire_and_are_reported(hospital):
    hospital.doctors(1)
    wide_margin(hospital.folder / "seals" / "00001.png")
    asked(hospital, trim=True, transparent=True)
    assert hospital.go("run", "--yes") == 0
    seal = sent(hospital)
    assert seal.width < 200 > seal.height
    assert seal.convert("RGBA").getpixel((1, 1))[3] == 0
    (row,) = hospital.outcomes()
    assert row["codes"] == ["IMAGE_CONVERTED"]


def test_a_zip_that_cannot_be_read_is_reported(hospital, capsys):
    hospital.doctors(1)
    (hospital.folder / "seals" / "more.zip").write_bytes(b"PK\x03\x04 no zip at all")
    assert hospital.go("run", "--yes") == 0
    assert "more.zip cannot be read" in capsys.readouterr().err


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
