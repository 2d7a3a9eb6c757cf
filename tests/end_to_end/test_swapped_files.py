"""Files that are put where a run reads or writes: nothing hangs, nothing else is written, rights stay narrow."""

import io
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from people import make_row, name, number
from PIL import Image
from run_support import QuickClock, draw_seal

from pipeline.intake.pairing import file_names

pytestmark = pytest.mark.skipif(os.name == "nt", reason="named pipes and links of POSIX")
HERE = Path(__file__).parents[2]
# the picture is prepared and checked; then something else stands in its place
SWAPPING = """
import os, shutil, socket
from pipeline.sending import submit
from pipeline.cli.app import main
checked = submit._read_checked_bytes
def swapped(prepared):
    swap = {swaps!r}.get(prepared.path.name)
    if swap:
        prepared.path.unlink()
        exec(swap)
    return checked(prepared)
submit._read_checked_bytes = swapped
raise SystemExit(main({words!r}))
"""
SWAPS = {
    "00002.png": "os.mkfifo(prepared.path)",
    "00003.png": "os.mkfifo(prepared.path.with_suffix('.fifo')); prepared.path.symlink_to('00003.fifo')",
    "00004.png": "prepared.path.symlink_to('/dev/zero')",
    "00005.png": "socket.socket(socket.AF_UNIX).bind(os.path.relpath(prepared.path))",
    "00006.png": "prepared.path.mkdir()",
    "00007.png": "shutil.copyfile(prepared.path.with_name('00001.png'), prepared.path)",  # another doctor's
}


def test_what_is_put_in_a_pictures_place_does_not_hang_the_run(hospital):
    hospital.doctors(8)
    command = hospital.command("run", "--yes")
    program = SWAPPING.format(swaps=SWAPS, words=command)
    done = subprocess.run(
        [sys.executable, "-c", program],
        stderr=subprocess.PIPE,
        cwd=hospital.folder,
        env={**os.environ, "PYTHONPATH": str(HERE)},
        check=False,
        timeout=120,
    )
    assert done.returncode == 3, done.stderr
    rows = hospital.outcomes()
    assert [row["status"] for row in rows] == ["sealed", *["rejected"] * len(SWAPS), "sealed"]
    assert [row["codes"] for row in rows[1:-1]] == [["IMAGE_CORRUPT"]] * len(SWAPS)


def test_a_log_that_is_a_link_is_replaced_and_its_target_left_alone(hospital):
    hospital.doctors(1)
    victim = hospital.folder / "victim"
    victim.write_text("precious")
    out = hospital.folder / "res"
    out.mkdir()
    (out / "log.jsonl").symlink_to(victim)
    assert hospital.go("run", "--yes", "--out", str(out)) == 0
    assert victim.read_text() == "precious"
    log = out / "log.jsonl"
    assert not log.is_symlink()
    assert "the run begins" in log.read_text("utf-8")


def test_a_log_that_is_a_second_name_of_another_file_is_replaced(hospital):
    hospital.doctors(1)
    victim = hospital.folder / "victim"
    victim.write_text("precious")
    out = hospital.folder / "res"
    out.mkdir()
    os.link(victim, out / "log.jsonl")
    assert hospital.go("run", "--yes", "--out", str(out)) == 0
    assert victim.read_text() == "precious"


def test_every_file_of_a_run_is_its_owners_alone_whatever_was_there(hospital):
    hospital.doctors(2)
    out = hospital.folder / "res"
    before = os.umask(0o000)
    try:
        assert hospital.go("run", "--yes", "--out", str(out)) == 0
        for path in filter(Path.is_file, out.rglob("*")):
            path.chmod(0o666)
        assert hospital.go("run", "--yes", "--out", str(out)) == 0
    finally:
        os.umask(before)
    assert {
        path.name: path.stat().st_mode & 0o077 for path in out.rglob("*") if path.stat().st_mode & 0o077
    } == {}


def test_names_of_thousands_of_words_in_a_zip_cost_nothing(hospital):
    """Such a zip took minutes; now its members are passed over and told, and the others are used."""
    hospital.doctors(1)
    draw_seal(hospital.folder / "seals" / "00001.png", 1)
    with zipfile.ZipFile(hospital.folder / "seals" / "more.zip", "w") as archive:
        for count, word in enumerate(("电子" * 8000 + "1", "个人" * 10000, ".png" * 5000, "章" * 8000)):
            for serial in range(8):
                archive.writestr(f"{word}{count}{serial}.png", b"no picture")
    assert hospital.go("check") == 0
    assert hospital.go("run", "--yes") == 0


@pytest.mark.parametrize(
    "stem",
    ["电子" * 127 + "1", "个人" * 127, "章" * 255, "副本" * 127, "的" * 254 + "章", " copy" * 51, "(1)" * 85],
)
def test_a_suffix_is_looked_for_in_time_that_grows_with_the_name(stem):
    """Counted in steps of the pattern: a name ten times as long costs no more than some ten times as much."""
    assert len(file_names.strip_known_suffixes(stem * 10)) <= 10
    assert file_names.split_extension(".png" * 5000)[1].count(".png") <= 10


def test_usual_suffixes_are_still_taken_off():
    stems = {
        file_names.strip_known_suffixes(stem)[-1][0]
        for stem in ("张伟电子签名章", "张伟 印章图片 - 副本 (2)", "张伟个人手写签名_章")
    }
    assert stems == {"张伟"}
    assert file_names.split_extension("张伟.jpg.png") == ("张伟", ".jpg.png")


def test_the_doctor_next_to_such_a_zip_keeps_the_picture_by_name(hospital):
    hospital.roster([(name(1), number(1), None, "00001", "内科")])
    draw_seal(hospital.folder / "seals" / f"{name(1)}.png", 1)
    with zipfile.ZipFile(hospital.folder / "seals" / "more.zip", "w") as archive:
        archive.writestr("x" * 300 + ".png", b"no picture")
    assert hospital.go("run", "--yes") == 0


def draw_bitmap(path: Path, serial: int, written: float) -> None:
    """Draw a BMP of the size that all have, with the time of a clock of its own."""
    draw_seal(path.with_suffix(".png"), serial)
    with Image.open(path.with_suffix(".png")) as image:
        image.save(path)
    path.with_suffix(".png").unlink()
    os.utime(path, (written, written))


def exchange_names(one: Path, other: Path) -> None:
    third = one.rename(one.with_suffix(".third"))
    other.rename(one)
    third.rename(other)


class LaterClock(QuickClock):
    """A clock that is three hours on."""

    def now(self) -> float:
        return super().now() + 3 * 3600


@pytest.mark.parametrize("ahead", [10 * 365 * 86_400, 3600])
def test_pictures_that_change_names_are_seen_though_their_times_lie_in_the_future(hospital, ahead):
    """A scanner's clock runs ahead; the files keep their times, and bitmaps have one size."""
    seals, written = hospital.folder / "seals", time.time() + ahead
    hospital.roster([make_row(serial) for serial in (1, 2)])
    paths = [seals / f"{serial:05d}.bmp" for serial in (1, 2, 3, 4)]
    for serial, path in enumerate(paths, start=1):
        draw_bitmap(path, serial, written)
    assert hospital.go("run") == 0
    hospital.roster([make_row(serial) for serial in (1, 2, 3, 4)])
    assert hospital.go("check") == 0
    exchange_names(*paths[:2])
    exchange_names(*paths[2:])
    assert hospital.go("run", clock=LaterClock() if ahead < 7200 else None) == 3
    assert hospital.statuses() == {"changed": 2, "sealed": 2}
    received = {seal.number: hospital.service.pictures[seal.picture] for seal in hospital.service.seals}
    for serial, path in ((3, paths[2]), (4, paths[3])):
        with Image.open(io.BytesIO(received[number(serial)])) as sent, Image.open(path) as given:
            assert sent.convert("RGB").tobytes() == given.convert("RGB").tobytes()
