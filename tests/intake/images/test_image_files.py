"""Files of pictures: what is opened, what a fingerprint notices, how names are printed."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from pipeline.domain.roster import FileStat
from pipeline.intake.images.image_files import (
    MAX_BYTES,
    changed_at,
    fingerprint_file,
    mask_file_name,
    read_regular_file,
)
from pipeline.intake.pairing.image_index import index_images, list_images

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes and links need privileges on Windows")


def put(path: Path, data: bytes = b"x") -> Path:
    path.write_bytes(data)
    return path


def test_a_file_is_known_by_size_time_and_digest(tmp_path):
    path = put(tmp_path / "a.png", b"one")
    expected = FileStat(3, changed_at(path.stat()), hashlib.sha256(b"one").hexdigest())
    assert fingerprint_file(path) == expected


@needs_posix
def test_two_files_that_change_names_are_opened_again(tmp_path):
    """Out of one archive they have one time, and bitmaps have one size."""
    one, other = (put(tmp_path / name, name.encode()) for name in ("a.bmp", "b.bmp"))
    for path in (one, other):
        os.utime(path, (1.7e9, 1.7e9))
    known = {str(path): fingerprint_file(path) for path in (one, other)}
    third = one.rename(tmp_path / "c.bmp")
    other.rename(one)
    third.rename(other)
    image_index = index_images(list_images(tmp_path))
    for path, name in ((one, b"b.bmp"), (other, b"a.bmp")):
        assert fingerprint_file(path).sha256 == hashlib.sha256(name).hexdigest()
        assert {candidate.mtime_ns for candidate in image_index.candidates if candidate.path == path} != {
            known[str(path)].mtime_ns
        }


@needs_posix
def test_what_is_no_regular_file_any_more_is_refused_not_followed_or_waited_for(tmp_path):
    target = put(tmp_path / "target.png", b"secret")
    link = tmp_path / "link.png"
    link.symlink_to(target)
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    for path in (link, pipe, tmp_path, tmp_path / "gone.png"):
        with pytest.raises(OSError):
            fingerprint_file(path)
        with pytest.raises(OSError):
            read_regular_file(path)


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="Linux: a file whose size is not known before")
def test_a_file_that_has_more_than_its_size_is_read_whole():
    path = Path("/proc/version")
    whole = path.read_bytes()
    assert path.stat().st_size == 0 < len(whole)
    assert read_regular_file(path) == whole
    assert fingerprint_file(path).sha256 == hashlib.sha256(whole).hexdigest()


def test_reading_is_bounded_and_shows_the_excess(tmp_path):
    path = put(tmp_path / "a.png", b"123456")
    assert read_regular_file(path) == b"123456"
    for size in (MAX_BYTES, MAX_BYTES + 1, MAX_BYTES + 9):
        with path.open("r+b") as file:
            file.truncate(size)
        assert len(read_regular_file(path)) == min(size, MAX_BYTES + 1)


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("张伟_110101199003070732.png", "张伟_**************0732.png"),
        ("11010119900307073x.png", "**************073x.png"),
        ("１１０１０１１９９００３０７０７３２.png", "**************０７３２.png"),
        ("张伟_H1234567890.png", "张伟_*******7890.png"),
        ("工号10086.png", "工号10086.png"),
        ("\udcd5\udcc5\x1b[2J\u202e.png", "\ufffd\ufffd\ufffd[2J\ufffd.png"),
    ],
)
def test_a_printed_name_shows_no_identity_number_and_no_control_character(name, printed):
    assert mask_file_name(name) == printed
