"""Seals that an older version may have made from thumbnails: their rows are changed, and a human decides."""

import sqlite3

import pytest
from PIL import Image
from run_support import draw_seal

from pipeline.intake.images import image_files

SIZES = [(200, 100), (90, 60), (300, 120), (120, 60)]


def convert(hospital, serial: int, size: tuple[int, int], suffix: str) -> None:
    path = hospital.folder / "seals" / f"{serial:05d}.png"
    draw_seal(path, serial)
    with Image.open(path) as image:
        large = image.resize(size, Image.Resampling.NEAREST)
    path.unlink()
    large.save(path.with_suffix(suffix))


def sizes(hospital) -> list[str | None]:
    with sqlite3.connect(hospital.folder / "state" / "ledger.sqlite3") as connection:
        return [
            size for (size,) in connection.execute("SELECT content_sent_size FROM seal ORDER BY seal_name")
        ]


def tidy_work(hospital) -> None:
    """Remove the re-encoded pictures, which may prove that one was sent whole."""
    for path in (hospital.folder / "state" / "work").glob("*.png"):
        path.unlink()


def lay_out(hospital):
    """Write the rows of four doctors: three BMP of several sizes, and a PNG that needs nothing."""
    hospital.doctors(4)
    for serial, size in enumerate(SIZES[:3], start=1):
        convert(hospital, serial, size, ".bmp")


def run_as_older_version(hospital, monkeypatch) -> None:
    """Run as a version that recorded no sizes."""
    with monkeypatch.context() as older:
        older.setattr("pipeline.sending.submit._sent_size", lambda _: None)
        assert hospital.go("run", "--yes") == 0


@pytest.fixture
def sealed(hospital, monkeypatch):
    """Return a hospital of four doctors sealed by an older version."""
    lay_out(hospital)
    run_as_older_version(hospital, monkeypatch)
    tidy_work(hospital)
    return hospital


def statuses(hospital, file: str = "outcomes.jsonl") -> list[str]:
    return [row["status"] for row in hospital.outcomes(file)]


def test_the_size_that_was_sent_is_recorded(hospital):
    lay_out(hospital)
    assert hospital.go("run", "--yes") == 0
    assert sorted(sizes(hospital)) == sorted(f"{width}x{height}" for width, height in SIZES)
    assert hospital.go("ledger", "check") == 0


def test_a_small_converted_picture_of_an_older_version_makes_its_row_changed(sealed):
    assert sealed.go("check") == 3
    assert sealed.go("run", "--yes") == 3
    rows = sealed.outcomes()
    assert [row["status"] for row in rows] == ["changed", "unchanged", "unchanged", "unchanged"]
    (change,) = (problem for problem in rows[0]["problems"] if problem["code"] == "CONTENT_CHANGED")
    assert "may have sent its picture at 96×48 pixels instead of 200×100" in change["message"]
    assert sealed.creates() == 4
    assert sealed.go("ledger", "check") == 0


def test_each_picture_is_examined_once(sealed, monkeypatch):
    sealed.go("run", "--yes")
    assert sorted(map(str, sizes(sealed))) == ["None", "checked", "checked", "checked"]
    opened = []
    real = image_files.open_regular_file
    monkeypatch.setattr(
        image_files, "open_regular_file", lambda path: (opened.append(path.name), real(path))[1]
    )
    sealed.go("run", "--yes")
    assert {name for name in opened if name.startswith("0")} == {"00001.bmp"}


def test_a_picture_that_was_re_encoded_before_its_run_began_was_sent_whole(hospital, monkeypatch):
    """``check`` had kept the small copy and the whole picture; the run sent the latter."""
    hospital.doctors(1)
    convert(hospital, 1, (200, 100), ".bmp")
    hospital.go("check")
    run_as_older_version(hospital, monkeypatch)
    assert hospital.go("run", "--yes") == 0
    assert sizes(hospital) == ["checked"]


def test_kept_it_is_unchanged_from_then_on(sealed):
    sealed.go("run", "--yes")
    (row,) = (row for row in sealed.outcomes() if row["status"] == "changed")
    assert sealed.go("resolve", row["seal_id"], "--keep", "--why", "sharp in the console") == 0
    assert sealed.go("run", "--yes") == 0
    assert statuses(sealed) == ["unchanged"] * 4


def test_replaced_it_is_sealed_from_the_whole_picture(sealed):
    sealed.go("run", "--yes")
    (row,) = (row for row in sealed.outcomes() if row["status"] == "changed")
    name = f"{row['name']}医师章"
    assert sealed.go("resolve", row["seal_id"], "--replace", "--seal-name", name, "--why", "blurred") == 0
    assert sealed.go("run", "--yes") == 0
    assert statuses(sealed) == ["sealed", "unchanged", "unchanged", "unchanged"]
    assert sealed.go("run", "--yes") == 0
