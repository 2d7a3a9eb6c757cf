"""File names in other bytes: matched backwards from the expected name, never repaired."""

from __future__ import annotations

import os
import sys

import pytest
from pair_support import NUMBER, OTHER_NUMBER, doctor, got, paired

from pipeline.domain.roster import Field
from pipeline.intake.pairing.file_names import list_readings, make_readable
from pipeline.messages.problems import render_problem

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only there a name is bytes")

NAMES = ["张伟", "姚平", "欧舜", "谢志强", "誠明", "㼆明远", "阿依古丽·买买提", "𠮷田茂"]


MISTAKES = {
    "GBK → UTF-8": lambda name: os.fsdecode(name.encode("gb18030")),
    "GBK → cp437": lambda name: name.encode("gb18030").decode("cp437"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_other_bytes_is_matched_with_a_warning(tmp_path, name, mistake):
    stem = MISTAKES[mistake](name)
    one = doctor(name, staff_no="1001")
    (row,) = paired(tmp_path, {os.fsencode(f"{stem}.png"): b"seal"}, one).doctors
    assert row.picture
    assert row.evidence == "name"
    assert row.picture.file.read_bytes() == b"seal"
    (problem,) = row.problems
    assert (problem.code, problem.detail["expected"]) == ("IMAGE_NAME_FUZZY", name)


def test_gbk_bytes_that_are_valid_utf_8_show_no_error_and_are_found(tmp_path):
    assert "姚平".encode("gb18030").decode() == "Ҧƽ"
    assert got(tmp_path, {"Ҧƽ.png": b"seal"}, doctor("姚平")) == [("Ҧƽ.png", "name", ["IMAGE_NAME_FUZZY"])]


@pytest.mark.parametrize(
    "lost",
    ["锟斤拷", "????", "\ufffd\ufffd", "__", "ÕÅ", "ÕÅÎ°", "寮犱紵", "%E5%BC%A0%E4%BC%9F", "#U5f20#U4f1f"],
)
def test_a_name_that_lost_bytes_or_was_taken_for_another_encoding_matches_no_one(tmp_path, lost):
    assert got(tmp_path, {f"{lost}.png": b"seal"}, doctor())[0][0] is None


def test_suffix_number_and_folder_may_be_in_other_bytes_as_well(tmp_path):
    for mistake in ("GBK → UTF-8", "GBK → cp437"):
        wrong = MISTAKES[mistake]
        folder = tmp_path / mistake[-3:]
        folder.mkdir()
        file = os.fsencode(f"{wrong('内科')}/{wrong('张伟 - 副本')}.png")
        (row,) = paired(folder, {file: b"seal"}, doctor(department="内科")).doctors
        assert [problem.code for problem in row.problems] == ["IMAGE_NAME_FUZZY"]
        file = os.fsencode(f"{wrong('1001李四')}.png")
        (row,) = paired(folder, {file: b"seal"}, doctor("李四", staff_no="1001")).doctors
        assert row.evidence == "staff_no"


def test_a_folder_in_other_bytes_separates_namesakes(tmp_path):
    files = {"内科".encode("gb18030") + "/张伟.png".encode(): b"one", "外科/张伟.png": b"two"}
    rows = doctor(department="内科"), doctor(number=OTHER_NUMBER, department="外科")
    first, second = paired(tmp_path, files, *rows).doctors
    assert first.picture
    assert first.picture.file.read_bytes() == b"one"
    assert first.picture.path == tmp_path / "seals" / "内科" / "张伟.png"
    assert (first.problems, second.evidence, second.problems) == ((), "name", ())


@pytest.mark.parametrize("entry", ["张伟.png", "内科/张伟.png", "内科\\张伟"])
def test_an_entry_of_the_column_finds_a_file_in_other_bytes(tmp_path, entry):
    file = "内科/张伟.png".encode("gb18030")
    (row,) = paired(tmp_path, {file: b"seal"}, doctor("李四", picture=entry)).doctors
    assert (row.evidence, [problem.code for problem in row.problems]) == ("column", ["IMAGE_NAME_FUZZY"])


def test_a_name_as_it_stands_and_one_in_other_bytes_are_two_candidates(tmp_path):
    files = {"张伟.png": b"one", "张伟.png".encode("gb18030"): b"two"}
    (row,) = paired(tmp_path, files, doctor()).doctors
    assert [problem.code for problem in row.problems] == ["IMAGE_AMBIGUOUS"]
    assert row.problems[0].detail["found"] == "张伟.png, 张伟.png"


def test_a_name_with_readings_of_two_people_goes_to_no_one(tmp_path):
    rows = doctor("姚平"), doctor("Ҧƽ", number=OTHER_NUMBER)
    assert got(tmp_path, {"Ҧƽ.png": b"seal"}, *rows) == [(None, None, ["IMAGE_AMBIGUOUS"])] * 2


def test_the_path_that_is_shown_can_be_written_into_a_file_and_the_stored_one_opened(tmp_path):
    file = f"内科/{NUMBER}张伟.png".encode("gb18030")
    (row,) = paired(tmp_path, {file: b"seal"}, doctor()).doctors
    assert row.picture
    assert row.picture.path == tmp_path / "seals" / "内科" / f"{NUMBER}张伟.png"
    assert row.picture.stored_path == tmp_path / "seals" / os.fsdecode(file)
    assert NUMBER not in render_problem(row.problems[0], "zh")
    assert row.problems[0].field is Field.PICTURE


def test_unassigned_files_can_be_printed(tmp_path):
    files = {"李四.png".encode("gb18030"): b"1", b"\xff\xfe\x80.png": b"2"}
    names = [file.path.name for file in paired(tmp_path, files, doctor()).unassigned_files]
    assert names == ["李四.png", "\ufffd\ufffd\ufffd.png"]


def test_plain_names_have_no_other_reading():
    for name in ("1001", "W-1_(2)", "100%", "#1", "%ZZ", "谢志强", "张伟章", "a%20b"):
        assert list_readings(name) == (), name
        assert make_readable(name) == name


def test_every_reading_can_be_reversed():
    for name in NAMES:
        for mistake, wrong in MISTAKES.items():
            assert name in list_readings(wrong(name)), (name, mistake)
