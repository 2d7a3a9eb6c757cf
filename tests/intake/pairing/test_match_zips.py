"""Pictures in zips: names as Windows and macOS write them, bytes put away by their digest, hostile members refused."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest
from image_support import make_examiner
from pair_support import OTHER_NUMBER, doctor, fill, outcome, paired
from zip_support import Entry, encrypted, patched, sized, zipped

from pipeline.domain.roster import Doctor
from pipeline.intake import guarded_zip
from pipeline.intake.images import image_files
from pipeline.intake.pairing import image_index
from pipeline.intake.pairing.match import MatchResult, match_images
from pipeline.messages.problems import render_problem


def from_zip(tmp_path: Path, data: bytes, *doctors: Doctor) -> MatchResult:
    """Pair with a zip that is given in place of the folder."""
    path = tmp_path / "seals.zip"
    path.write_bytes(data)
    return match_images(
        doctors,
        image_index.index_images(image_index.list_images(path)),
        known_files={},
        images=make_examiner(tmp_path),
    )


def list_problem_codes(pairing: MatchResult) -> list[tuple[str, dict[str, str]]]:
    return [(problem.code, dict(problem.detail)) for problem in pairing.doctors[0].problems]


def test_members_are_stored_under_their_digests_also_one_that_is_only_shown(tmp_path):
    data = zipped({"内科/张伟.png": b"seal", "李四.jpg": b"other", "王芳.png": b"nobody"})
    pairing = from_zip(tmp_path, data, doctor(), doctor("李四", number=OTHER_NUMBER))
    first, second = (one.picture for one in pairing.doctors)
    assert first
    assert second
    assert first.path == tmp_path / "seals.zip" / "内科" / "张伟.png"
    assert first.sha256 == hashlib.sha256(b"seal").hexdigest()
    assert (first.size, first.file.read_bytes(), second.file.read_bytes()) == (4, b"seal", b"other")
    assert sorted(path.suffix for path in (tmp_path / "work").iterdir()) == [".jpg", ".png", ".png"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "work").iterdir()} == {0o600}
    assert [file.path for file in pairing.unassigned_files] == [tmp_path / "seals.zip" / "王芳.png"]
    assert pairing.stats == {}


GBK = "gb18030"
UNICODE_PATH = struct.pack("<BL", 1, zlib.crc32("张伟.png".encode(GBK))) + "张伟.png".encode()


@pytest.mark.parametrize(
    ("name", "people", "extra"),
    [
        ("张伟.png", "张伟", b""),  # zipfile sets the UTF-8 flag
        ("内科/张伟.png".encode(), "张伟", b""),  # macOS does not
        ("张伟.png".encode(GBK), "张伟", b""),  # Windows in Chinese
        ("内科/誠明.png".encode(GBK), "誠明", b""),  # its second byte is a backslash
        ("内科\\张伟.png".encode(GBK), "张伟", b""),
        ("内科\\张伟.png", "张伟", b""),
        ("㼆明远.png".encode(GBK), "㼆明远", b""),
        ("./张伟.png", "张伟", b""),
        (b"?????.png", "张伟", struct.pack("<BL", 1, zlib.crc32(b"?????.png")) + "张伟.png".encode()),
        ("张伟.png".encode(GBK), "张伟", UNICODE_PATH),
    ],
)
def test_names_are_read_as_the_program_meant_that_wrote_them(tmp_path, name, people, extra):
    field = struct.pack("<HH", 0x7075, len(extra)) + extra if extra else b""
    (row,) = from_zip(tmp_path, zipped([Entry(name, extra=field)]), doctor(people)).doctors
    assert (row.evidence, row.problems) == ("name", ())


def test_a_unicode_path_of_another_name_is_stale(tmp_path):
    extra = struct.pack("<HHBL", 0x7075, 15, 1, 0) + "李四.png".encode()
    pairing = from_zip(tmp_path, zipped([Entry("张伟.png".encode(GBK), extra=extra)]), doctor())
    assert pairing.doctors[0].evidence == "name"


@pytest.mark.parametrize(
    ("name", "people"),
    [
        ("姚平.png".encode(GBK), "姚平"),  # its bytes happen to be UTF-8
        ("张伟.png".encode(GBK).decode("cp437"), "张伟"),  # zipped after it went wrong
    ],
)
def test_a_name_that_was_garbled_before_is_matched_with_a_warning(tmp_path, name, people):
    pairing = from_zip(tmp_path, zipped([Entry(name)]), doctor(people))
    assert [code for code, _ in list_problem_codes(pairing)] == ["IMAGE_NAME_FUZZY"]


def test_debris_of_macos_is_no_picture(tmp_path):
    data = zipped(
        {"张伟.png": b"seal", "__MACOSX/._张伟.png": b"x", ".DS_Store": b"x", "印章/._张伟.png": b"x"}
    )
    pairing = from_zip(tmp_path, data, doctor())
    assert (pairing.doctors[0].problems, pairing.unassigned_files) == ((), ())


def test_a_zip_in_the_picture_folder_is_looked_into_like_a_folder(tmp_path):
    files = {"印章.zip": zipped({"内科/张伟.png": b"one", "外科/张伟.png": b"two"}), "李四.png": b"three"}
    rows = (
        doctor(department="内科"),
        doctor(number=OTHER_NUMBER, department="外科"),
        doctor("李四", number="H1234567890"),
    )
    assert outcome(paired(tmp_path, files, *rows), tmp_path / "seals") == [
        ("印章.zip/内科/张伟.png", "name", []),
        ("印章.zip/外科/张伟.png", "name", []),
        ("李四.png", "name", []),
    ]


@pytest.mark.parametrize("entry", ["张伟.png", "内科/张伟.png", "印章.zip/内科/张伟.png", "内科\\张伟"])
def test_the_picture_column_may_mean_a_member(tmp_path, entry):
    files = {"印章.zip": zipped({"内科/张伟.png": b"one", "李四.png": b"two"})}
    pairing = paired(tmp_path, files, doctor("李四", picture=entry))
    assert outcome(pairing, tmp_path / "seals") == [("印章.zip/内科/张伟.png", "column", [])]


def test_zip_and_its_unpacked_files_are_the_same_pictures_or_two_candidates(tmp_path):
    files = {
        "a.zip": zipped({"张伟.png": b"one", "李四.png": b"old"}),
        "张伟.png": b"one",
        "李四.png": b"new",
    }
    rows = doctor(), doctor("李四", number=OTHER_NUMBER)
    codes = [row[2] for row in outcome(paired(tmp_path, files, *rows), tmp_path / "seals")]
    assert codes == [["IMAGE_DUPLICATE_FILE"], ["IMAGE_AMBIGUOUS"]]


def test_a_locked_copy_next_to_the_files_decides_nothing(tmp_path):
    locked = encrypted(zipped({b"1001.png": b"one"}), b"1001.png")
    one = doctor(staff_no="1001")
    assert outcome(paired(tmp_path, {"a.zip": locked, "张伟.png": b"one"}, one), tmp_path / "seals") == [
        ("张伟.png", "name", [])
    ]


def test_two_members_of_one_name_are_two_candidates(tmp_path):
    name = "张伟.png".encode()
    same = from_zip(tmp_path, zipped([Entry(name, b"a"), Entry(name, b"a")]), doctor())
    assert [code for code, _ in list_problem_codes(same)] == ["IMAGE_DUPLICATE_FILE"]
    other = from_zip(tmp_path, zipped([Entry(name, b"a"), Entry(name, b"b")]), doctor())
    assert [code for code, _ in list_problem_codes(other)] == ["IMAGE_AMBIGUOUS"]


def damaged(data: bytes) -> bytes:
    return data.replace(b"[[contents]]", b"[[c0ntents]]")


@pytest.mark.parametrize(
    ("data", "result"),
    [
        (damaged(zipped([Entry("a.png", b"[[contents]]", method=0), Entry("b.png")])), "damaged zip"),
        (encrypted(zipped({"a.png": b"x", "b.png": b"y"}), b"a.png"), "encrypted"),
        (zipped([Entry("a.png", method=zipfile.ZIP_LZMA), Entry("b.png")]), "zip: method 14"),
        (zipped([Entry("a.png", method=zipfile.ZIP_BZIP2), Entry("b.png")]), "zip: method 12"),
        (zipped({"a.png": bytes(11_000_000), "b.png": b"y"}), "zip: 1:200+"),
        (zipped({"a.png": b"", "b.png": b"y"}), "0 bytes"),
        (sized(zipped({"a.png": b"x" * 50, "b.png": b"y"}), b"a.png", 49), "damaged zip"),
        (
            patched(zipped({"a.png": b"x", "b.png": b"y"}), b"a.png", local={0: b"XX"}, central={}),
            "damaged zip",
        ),
    ],
)
def test_an_unreadable_member_is_a_problem_of_its_row_alone(tmp_path, data, result):
    rows = doctor("张伟", staff_no="a"), doctor("李四", number=OTHER_NUMBER, staff_no="b")
    pairing = from_zip(tmp_path, data, *rows)
    assert list_problem_codes(pairing) == [("IMAGE_CORRUPT", {"file": "a.png", "found": result})]
    assert pairing.doctors[1].picture
    assert "a.png" in render_problem(pairing.doctors[0].problems[0], "zh")


def test_a_member_with_a_false_size_is_not_unpacked_whole(tmp_path):
    bomb = sized(zipped({"a.png": bytes(60_000_000), "b.png": b"y"}), b"a.png", 1000)
    tracemalloc.start()
    pairing = from_zip(tmp_path, bomb, doctor(staff_no="a"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [code for code, _ in list_problem_codes(pairing)] == ["IMAGE_CORRUPT"]
    assert peak < 20_000_000


def test_a_huge_member_is_refused_unread(tmp_path):
    data = zipped([Entry("a.png", bytes(image_files.MAX_BYTES + 1), method=0)])
    pairing = from_zip(tmp_path, data, doctor(staff_no="a"))
    assert list_problem_codes(pairing)[0][0] == "IMAGE_TOO_LARGE"
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../张伟.png", ".."),
        ("内科/../../张伟.png", ".."),
        ("..\\张伟.png", ".."),
        ("/张伟.png", ".."),
        ("\\\\server\\张伟.png", ".."),
        ("C:\\张伟.png", ".."),
        ("深/" * 100 + "张伟.png", "too long"),
        ("旧.zip", "zip in a zip"),
        ("内科/旧.ZIP", "zip in a zip"),
        ("旧.7z", "not a zip"),
    ],
)
def test_a_member_that_leads_elsewhere_is_skipped_and_listed(tmp_path, name, why):
    pairing = from_zip(tmp_path, zipped({name: b"PK", "李四.png": b"x"}), doctor())
    ((code, detail),) = list_problem_codes(pairing)
    assert code == "IMAGE_MISSING"
    assert "⚠ seals.zip/" in detail["hint"]
    assert detail["hint"].endswith(f", {why}")
    assert [file.path.name for file in pairing.unassigned_files] == ["李四.png"]
    stored = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    shown = f"work/{hashlib.sha256(b'x').hexdigest()}.png"  # of 李四.png
    assert sorted(stored) == ["seals.zip", shown]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_in_a_zip_is_no_picture(tmp_path, kind):
    data = zipped([Entry("张伟.png", b"/etc/passwd", mode=kind | 0o777)])
    ((code, detail),) = list_problem_codes(from_zip(tmp_path, data, doctor()))
    assert (code, detail["hint"]) == ("IMAGE_MISSING", "⚠ seals.zip/张伟.png, link")


def overlapping() -> bytes:
    """Return a zip whose every directory entry says it holds the whole file."""
    data = zipped([Entry(f"{n}.png", os.urandom(100), method=0) for n in range(3)])
    size = struct.pack("<L", 200)
    for n in range(3):
        data = patched(data, f"{n}.png".encode(), local={}, central={20: size})
    return data


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "damaged zip"),
        (b"PK\x05\x06", "damaged zip"),
        (b"not a zip", "damaged zip"),
        (zipped({"张伟.png": b"x"})[:-30], "damaged zip"),
        (zipped({"张伟.png": b"x"}).replace(b"PK\x01\x02", b"PK\x01\x03"), "damaged zip"),
        (zipped({"张伟.png": b"x"}).replace("张".encode(), b"\xff\xfe\xfd"), "damaged zip"),
        (overlapping(), "zip: overlapping members"),
        (
            sized(sized(zipped({"a.png": b"1", "b.png": b"2"}), b"a.png", 2**32 - 2), b"b.png", 2**32 - 2),
            "zip: 8589 MB",
        ),
    ],
    ids=["empty", "cut", "text", "truncated", "directory", "name", "overlapping", "unpacked"],
)
def test_a_zip_that_cannot_be_listed_is_named_on_every_row(tmp_path, data, why):
    ((code, detail),) = list_problem_codes(from_zip(tmp_path, data, doctor()))
    assert (code, detail["hint"]) == ("IMAGE_MISSING", f"⚠ seals.zip, {why}")
    inside = paired(
        tmp_path, {"印章.zip": data, "张伟.png": b"x"}, doctor(), doctor("李四", number=OTHER_NUMBER)
    )
    assert inside.doctors[0].picture
    assert inside.doctors[1].problems[0].detail["hint"].endswith(f"⚠ 印章.zip, {why}")


def test_a_zip_of_too_many_members_is_named_on_every_row(tmp_path):
    data = zipped({f"{n}.png": b"" for n in range(guarded_zip.MAX_MEMBERS + 1)})
    test_a_zip_that_cannot_be_listed_is_named_on_every_row(tmp_path, data, "zip: > 20000 members")


def test_an_endless_directory_is_not_read(tmp_path):
    path = tmp_path / "seals.zip"
    with path.open("wb") as file:
        file.truncate(4_000_000_000)  # sparse: it takes no room on the disk
        file.seek(4_000_000_000)
        file.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 4_000_000_000, 0, 0))
    tracemalloc.start()
    library = image_index.index_images(image_index.list_images(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert library.unreadable == (("seals.zip", "zip: > 20000 members"),)
    assert peak < 1_000_000


def test_a_zip_that_changed_since_it_was_listed_is_not_read(tmp_path):
    path = tmp_path / "seals.zip"
    path.write_bytes(zipped({"张伟.png": b"one"}))
    library = image_index.index_images(image_index.list_images(path))
    path.write_bytes(zipped({"张伟.png": b"other"}))
    (row,) = match_images([doctor()], library, known_files={}, images=make_examiner(tmp_path)).doctors
    assert [problem.detail["found"] for problem in row.problems] == ["changed while reading"]
    path.unlink()
    (row,) = match_images([doctor()], library, known_files={}, images=make_examiner(tmp_path)).doctors
    assert [problem.detail["found"] for problem in row.problems] == ["cannot be read"]


def test_a_work_folder_that_cannot_be_written_is_no_fault_of_a_row(tmp_path):
    path = tmp_path / "seals.zip"
    path.write_bytes(zipped({"张伟.png": b"one"}))

    (tmp_path / "work").write_text("no folder")
    with pytest.raises(OSError, match="File exists"):
        match_images(
            [doctor()],
            image_index.index_images(image_index.list_images(path)),
            known_files={},
            images=make_examiner(tmp_path),
        )


def test_a_link_that_is_named_by_the_user_is_followed_one_that_lies_in_the_folder_is_not(tmp_path):
    real = tmp_path / "real.zip"
    real.write_bytes(zipped({"张伟.png": b"one"}))
    (tmp_path / "seals.zip").symlink_to(real)
    library = image_index.index_images(image_index.list_images(tmp_path / "seals.zip"))
    assert [candidate.path for candidate in library.candidates] == [tmp_path / "seals.zip" / "张伟.png"]
    folder = fill(tmp_path / "folder", {})
    (folder / "a.zip").symlink_to(real)
    assert image_index.index_images(image_index.list_images(folder)).candidates == ()
