"""What is damaged in the work folder is made anew."""

import os

import pytest
from PIL import Image


def convert(hospital, serial: int) -> None:
    """Make a BMP of a doctor's picture: it has to be re-encoded."""
    path = hospital.folder / "seals" / f"{serial:05d}.png"
    with Image.open(path) as image:
        image.save(path.with_suffix(".bmp"))
    path.unlink()


@pytest.mark.parametrize("below", ["", "previews"])
def test_a_folder_in_the_place_of_a_file_is_replaced(hospital, below):
    hospital.doctors(3)
    for serial in (1, 2):
        convert(hospital, serial)
    assert hospital.go("check") == 0
    work = hospital.folder / "state" / "work"
    files = [path for path in (work / below).iterdir() if path.is_file()]
    assert files
    for path in files:
        path.unlink()
        path.mkdir()
        (path / "a").write_text("anything")
    assert hospital.go("run") == 0
    assert {path.name for path in (work / below).iterdir() if path.is_file()} >= {path.name for path in files}


def test_a_folder_in_the_place_of_a_file_does_not_stop_tidying_up(hospital):
    hospital.seal_doctors(1)
    work = hospital.folder / "state" / "work"
    folder, old = work / ("0" * 64 + ".png"), work / "previews" / ("1" * 64)
    folder.mkdir()
    old.write_text("of a picture that is gone")
    for path in (folder, old):
        os.utime(path, (1, 1))
    path = hospital.folder / "config.yaml"
    path.write_text(path.read_text("utf-8") + "retention: {runs: 1d}\n", "utf-8")
    assert hospital.go("run") == 0
    assert not old.exists()
