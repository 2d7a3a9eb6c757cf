"""What is damaged in the work folder is made anew."""

import io
import os

import pytest
from people import number
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


def list_re_encoded(hospital) -> list:
    """Return the re-encoded pictures of the work folder."""
    return sorted(path for path in (hospital.folder / "state" / "work").iterdir() if path.is_file())


def assert_own_pixels(hospital) -> None:
    """Fail unless each seal that was made has the picture of its doctor."""
    own = {}
    for path in (hospital.folder / "seals").iterdir():
        with Image.open(path) as image:
            own[number(int(path.stem))] = image.convert("RGB").tobytes()
    for seal in hospital.service.seals:
        with Image.open(io.BytesIO(hospital.service.pictures[seal.picture])) as image:
            assert image.convert("RGB").tobytes() == own[seal.number]


def test_re_encoded_pictures_that_changed_places_after_the_check_are_made_anew(hospital):
    hospital.doctors(3)
    for serial in (1, 2, 3):
        convert(hospital, serial)
    assert hospital.go("check") == 0
    files = list_re_encoded(hospital)
    contents = [path.read_bytes() for path in files]
    assert len(set(contents)) == 3
    for path, content in zip(files, [*contents[1:], contents[0]], strict=True):
        path.write_bytes(content)
    assert hospital.go("run") == 0
    assert len(hospital.service.seals) == 3
    assert_own_pixels(hospital)


def test_a_re_encoded_picture_that_is_altered_while_the_run_sends_is_not_sent(hospital):
    hospital.doctors(12)
    for serial in range(1, 13):
        convert(hospital, serial)

    class Calls(list):
        """Calls that the service received; with the first one all re-encoded pictures become one and the same."""

        def append(self, call):
            if not self:
                files = list_re_encoded(hospital)
                for path in files[1:]:
                    path.write_bytes(files[0].read_bytes())
            super().append(call)

    hospital.service.received = Calls()
    assert hospital.go("run") == 3
    assert_own_pixels(hospital)
    rejected = [row for row in hospital.outcomes() if row["status"] == "rejected"]
    assert rejected
    assert {code for row in rejected for code in row["codes"]} == {"IMAGE_CONVERTED", "IMAGE_CORRUPT"}
    assert len(hospital.service.seals) == 12 - len(rejected)
