"""A picture folder full of what somebody put there on purpose: refused or passed over, quickly, and nothing else."""

from __future__ import annotations

import os
import resource
import socket
import sys
from pathlib import Path

import pytest
from image_support import make_examiner
from pair_support import OTHER_NUMBER, doctor, fill, paired

from pipeline.intake.pairing import image_index
from pipeline.intake.pairing.match import match_images
from pipeline.messages.problems import render_problem

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="needs names and kinds of files that only Linux allows"
)


def test_links_pipes_sockets_and_devices_named_like_a_doctor_are_not_opened(tmp_path):
    folder = fill(tmp_path / "seals", {})
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    (folder / "张伟.png").symlink_to(secret)
    os.mkfifo(folder / "李四.png")
    with socket.socket(socket.AF_UNIX) as door:
        here = Path.cwd()
        os.chdir(folder)  # a socket's path may have 108 bytes
        door.bind("王芳.png")
        os.chdir(here)
        rows = doctor(), doctor("李四", number=OTHER_NUMBER), doctor("王芳", number="H1234567890")
        paired_doctors = paired(tmp_path, {}, *rows).doctors
    assert [one.problems[0].detail["hint"] for one in paired_doctors] == [
        "⚠ 张伟.png, link",
        "⚠ 李四.png, not a regular file",
        "⚠ 王芳.png, not a regular file",
    ]
    assert "链接" in render_problem(paired_doctors[0].problems[0], "zh")


def test_a_file_that_became_a_link_or_a_pipe_after_it_was_listed_is_refused(tmp_path):
    folder = fill(tmp_path / "seals", {"张伟.png": b"one", "李四.png": b"two", "a.zip": b"PK"})
    library = image_index.index_images(image_index.list_images(folder))
    for name in ("张伟.png", "李四.png"):
        (folder / name).unlink()
    (folder / "张伟.png").symlink_to("/etc/passwd")
    os.mkfifo(folder / "李四.png")
    rows = doctor(), doctor("李四", number=OTHER_NUMBER)
    for one in match_images(rows, library, known_files={}, images=make_examiner(tmp_path)).doctors:
        assert [(problem.code, problem.detail["found"]) for problem in one.problems] == [
            ("IMAGE_CORRUPT", "cannot be read")
        ]


def test_folders_in_circles_and_very_deep_ones_end(tmp_path):
    folder = fill(tmp_path / "seals", {"张伟.png": b"one"})
    (folder / "圈").symlink_to("..", target_is_directory=True)
    deep = folder
    for _ in range(300):
        deep /= "深层目录"
        if len(os.fsencode(deep)) > 3900:
            break
        deep.mkdir()
    indexed_images = image_index.index_images(image_index.list_images(folder))
    assert [candidate.relative_path for candidate in indexed_images.candidates] == ["张伟.png"]


@pytest.mark.parametrize(
    "name",
    [
        b"\xd5\xc5\xff.png",
        b"\x80\x81\x82.png",
        "张伟\n印章.png".encode(),
        "张伟\x1b[2J.png".encode(),
        "张\u202e伟.png".encode(),
        b"%D5%C5%FF.png",
        b"#Uffffff.png",
        b"#Lffffff.png",
        "张伟.png\u0001".encode(),
        ("长" * 84).encode(),
        b"-rf.png",
        b"$(id).png",
        b"=cmd.png",
        "张伟 ".encode() * 35,
        b"_" * 250,
        "章".encode() * 80,
        "的".encode() * 80,
    ],
)
def test_a_strange_name_is_listed_printable_or_belongs_to_its_owner(tmp_path, name):
    pairing = paired(tmp_path, {name: b"x", "李四.png": b"y"}, doctor(), doctor("李四", number=OTHER_NUMBER))
    assert pairing.doctors[1].picture
    assert len(pairing.unassigned_files) + sum(one.picture is not None for one in pairing.doctors) == 2
    for one in pairing.doctors:
        for problem in one.problems:
            message = render_problem(problem, "zh").encode().decode()
            assert not any(ord(char) < 32 or char in "\u202e\x1b" for char in message)
    for file in pairing.unassigned_files:
        str(file.path).encode()


def test_a_control_character_in_a_name_is_not_taken_off(tmp_path):
    for name in ("张伟\n.png", "张\x07伟.png", "张伟\t.png", "张伟\x7f.png"):
        folder = tmp_path / str(ord(name[-5]))
        folder.mkdir()
        assert paired(folder, {name: b"x"}, doctor()).doctors[0].picture is None


def test_names_that_differ_in_case_alone_are_two_candidates(tmp_path):
    one = doctor(staff_no="D01")
    files = {"d01.png": b"one", "D01.PNG": b"two"}
    assert [problem.code for problem in paired(tmp_path, files, one).doctors[0].problems] == [
        "IMAGE_AMBIGUOUS"
    ]


def test_a_folder_of_very_many_files_is_listed_in_seconds(tmp_path):
    for n in range(10):
        (tmp_path / str(n)).mkdir()
        for number in range(1_000):
            os.close(os.open(tmp_path / str(n) / f"{number:05d}张伟.png", os.O_CREAT | os.O_WRONLY))
    before = resource.getrusage(resource.RUSAGE_SELF)
    library = image_index.index_images(image_index.list_images(tmp_path))
    (row,) = match_images(
        [doctor(staff_no="12345")], library, known_files={}, images=make_examiner(tmp_path)
    ).doctors
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_utime - before.ru_utime < 15, (
        "seconds of this process alone, whatever else the machine does"
    )
    assert after.ru_maxrss - before.ru_maxrss < 60_000  # KB
    assert len(library.candidates) == 10_000
    assert [problem.code for problem in row.problems] == ["IMAGE_MISSING"]
