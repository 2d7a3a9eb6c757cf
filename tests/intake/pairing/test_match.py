"""MatchResult doctors with pictures: exact evidence alone, and nobody gets what two could claim."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from image_support import make_examiner
from pair_support import NUMBER, OTHER_NUMBER, X_NUMBER, doctor, fill, got, paired

from pipeline.domain.roster import (
    MAX_SHOWN_IMAGES,
    CardType,
    CellKind,
    Field,
    FileStat,
    ImageFile,
)
from pipeline.intake.images import image_files
from pipeline.intake.images.image_files import mask_file_name
from pipeline.intake.pairing import image_index
from pipeline.intake.pairing.match import match_images
from pipeline.intake.pairing.picture_column import is_outside_folder
from pipeline.messages.problems import render_problem


@pytest.mark.parametrize(
    "stem", [X_NUMBER, *(form.format(X_NUMBER.lower()) for form in ("{}", "张伟_{}", "{}张伟"))]
)
def test_the_case_of_a_last_x_does_not_matter(tmp_path, stem):
    assert got(tmp_path, {f"{stem}.png": b"seal"}, doctor(number=X_NUMBER)) == [
        (f"{stem}.png", "id_card_number", [])
    ]


@pytest.mark.parametrize(
    "file",
    [
        "张伟明.png",  # another name begins like this one
        "小张伟.png",
        "张伟A.png",
        "张伟章.png",  # 章 may be the name's last character
        "1张伟.png",  # a running number, or somebody's staff number
        "01.张伟.png",
        "张伟(12).png",  # may be staff number 12
        "张伟_2.png",
        "张伟-.png",
        "_张伟.png",
        "张伟_1001_.png",
        "张伟_签名_王芳.png",
        "小张伟的章.png",
        "100.png",
        "10010.png",
        "01001.png",
        f"{NUMBER[:-1]}.png",
        f"{NUMBER}0.png",
        f"李四_{NUMBER}.png",  # number and name contradict each other
        "张玮.png",
        "张伟.pdf",
    ],
)
def test_a_part_or_a_likeness_of_a_name_is_never_evidence(tmp_path, file):
    assert got(tmp_path, {file: b"seal"}, doctor(staff_no="1001")) == [(None, None, ["IMAGE_MISSING"])]


def test_a_staff_number_inside_an_identity_number_is_no_evidence(tmp_path):
    files = {f"{NUMBER}.png": b"seal"}
    assert got(tmp_path, files, doctor("李四", number=OTHER_NUMBER, staff_no="101011"))[0][0] is None


def test_a_decomposed_file_name_is_compared_composed(tmp_path):
    one = doctor("José", number=OTHER_NUMBER)
    assert got(tmp_path, {"Jose\u0301.png": b"seal"}, one) == [
        ("Jose\u0301.png", "name", ["IMAGE_NAME_FUZZY"])
    ]


def test_the_name_as_the_roster_writes_it_is_expected_too(tmp_path):
    one = doctor("阿依古丽·买买提", written={Field.NAME: "阿依古丽.买买提"})
    assert got(tmp_path, {"阿依古丽.买买提.png": b"seal"}, one) == [("阿依古丽.买买提.png", "name", [])]


@pytest.mark.parametrize(
    ("entry", "file", "codes"),
    [
        ("w1.png", "w1.png", []),
        ("w1", "w1.png", []),
        ("w1.PNG", "w1.png", []),
        ("w1.png", "内科/w1.png", []),
        ("内科/w1.png", "新/内科/w1.png", []),
        ("seals/内科/w1.png", "内科/w1.png", []),
        ("w1.jpg.png", "w1.jpg.png", []),
        ("w1.jpg", "w1.jpg.png", []),  # so Windows shows it
        ("内科/W 1.png", "内科/w1.png", ["IMAGE_NAME_FUZZY"]),
        ("外科/w1", "ＷＡＩ/外科/w1.png", []),
        ("ICU/w1", "icu/w1.png", ["IMAGE_NAME_FUZZY"]),
        ("阿依古丽.买买提.png", "阿依古丽·买买提.png", ["IMAGE_NAME_FUZZY"]),
        ("内科/w1.png", "内科/w1.png", []),
        ("内科\\w1", "内科/w1.png", []),
        ("./内科//w1.png", "内科/w1.png", []),
        (" w1.png\u200b", "w1.png", []),
        ("W1.png", "w1.png", ["IMAGE_NAME_FUZZY"]),
        ("1001", "1001.png", []),
    ],
)
def test_a_file_named_in_the_picture_column_wins_over_everything(tmp_path, entry, file, codes):
    files = {file: b"named", f"{NUMBER}.png": b"by number", "张伟.png": b"by name"}
    assert got(tmp_path, files, doctor(picture=entry)) == [(file, "column", codes)]


def test_a_named_file_that_is_not_there_is_not_replaced_by_another(tmp_path):
    one = doctor(picture="张伟新.png")
    (row,) = paired(tmp_path, {"张伟.png": b"old"}, one).doctors
    assert [problem.code for problem in row.problems] == ["IMAGE_MISSING"]
    assert row.problems[0].cell == "C2"
    assert row.problems[0].detail == {"tried": "“张伟新.png”", "hint": "Similar name, not used: 张伟.png"}
    assert "张伟新.png" in render_problem(row.problems[0], "zh")


@pytest.mark.parametrize(
    ("entry", "file"),
    [
        ("外科/w1.png", "内科/w1.png"),
        ("other/内科/w1.png", "内科/w1.png"),
        ("other/seals/内科/w1.png", "内科/w1.png"),
        ("w1.png", "w1.jpg"),
        ("w1.png", "w1印章.png"),
        ("w1.png.png", "w1.png"),
        ("w1.png", "w-1.png"),
    ],
)
def test_an_entry_names_one_place_one_name_and_one_kind(tmp_path, entry, file):
    assert got(tmp_path, {file: b"seal"}, doctor(picture=entry)) == [(None, None, ["IMAGE_MISSING"])]


@pytest.mark.parametrize("entry", ["./", ".", "\u3000.png", "()"])
def test_a_blank_entry_names_no_file(tmp_path, entry):
    files = {"\u3000.png": b"blank", "_.png": b"line"}
    assert got(tmp_path, files, doctor(picture=entry))[0][0] is None


def test_the_outermost_of_two_places_is_the_one_that_is_written(tmp_path):
    files = {"内科/a.png": b"one", "旧/内科/a.png": b"two"}
    assert got(tmp_path, files, doctor(picture="内科/a.png")) == [("内科/a.png", "column", [])]
    assert got(tmp_path, files, doctor(picture="旧/内科/a.png")) == [("旧/内科/a.png", "column", [])]


@pytest.mark.parametrize("entry", ["已交", "√", "  ", "", '=DISPIMG("ID_0F",1)'])
def test_an_entry_that_means_no_file_is_passed_over(tmp_path, entry):
    assert got(tmp_path, {"张伟.png": b"seal"}, doctor(picture=entry)) == [("张伟.png", "name", [])]


@pytest.mark.parametrize("error", ["#VALUE!", "#N/A", "#DIV/0!"])
def test_an_error_value_in_the_picture_column_names_nothing(tmp_path, error):
    one = doctor(picture=error, kind=CellKind.ERROR)
    assert got(tmp_path, {"张伟.png": b"seal"}, one) == [("张伟.png", "name", [])]


@pytest.mark.parametrize(
    "entry",
    [
        "/etc/passwd",
        "/印章/张伟",
        "\\a.pdf",
        "../a.png",
        "内科/../../a.png",
        "内科\\..\\a.png",
        "C:\\..\\a.png",
        "C:\\a.png:b.png",
        "C:\\Windows\\win.ini",
        "C:a.png",
        "\\\\server\\share\\a",
        "//server/../a.png",
        "https://example.test/a.png",
        "file:///etc/passwd",
        "a.png:stream",
        "data:image/png;base64,AA",
        "a\x00.png",
        "a\n.png",
    ],
)
def test_an_entry_that_reaches_outside_the_folder_is_refused(tmp_path, entry):
    (tmp_path / "a.png").write_bytes(b"outside")
    (row,) = paired(tmp_path, {"张伟.png": b"seal"}, doctor(picture=entry)).doctors
    assert (row.picture, row.evidence) == (None, None)
    assert [problem.code for problem in row.problems] == ["IMAGE_PATH_REJECTED"]


@pytest.mark.parametrize("entry", ["nul.png", "C:\\印章\\nul.png", "内科/COM1.jpg", f"{'长' * 86}.png"])
def test_an_entry_that_no_file_system_has_names_a_file_that_is_not_there(tmp_path, entry):
    assert got(tmp_path, {"张伟.png": b"seal"}, doctor(picture=entry)) == [(None, None, ["IMAGE_MISSING"])]


@pytest.mark.parametrize(
    "entry",
    [
        "C:\\Users\\张\\Desktop\\a.png",
        '"D:\\印章\\a.png"',
        "c:/a.png",
        "\\\\server\\share\\a.png",
        "//server/share/a.png",
        "/home/clerk/a.png",
        "\\a.png",
    ],
)
def test_a_path_of_another_computer_counts_by_its_last_part_with_a_warning(tmp_path, entry):
    (tmp_path / "a.png").write_bytes(b"outside")
    one = doctor(picture=entry)
    pairing = paired(tmp_path, {"内科/a.png": b"seal", "张伟.png": b"older"}, one)
    (row,) = pairing.doctors
    assert (row.picture.path.relative_to(tmp_path).as_posix(), row.evidence) == ("seals/内科/a.png", "column")
    assert [problem.code for problem in row.problems] == ["IMAGE_NAME_FUZZY"]
    assert "另一台电脑" in render_problem(row.problems[0], "zh")
    (tmp_path / "none").mkdir()
    (absent,) = paired(tmp_path / "none", {"张伟.png": b"older"}, one).doctors
    assert [problem.code for problem in absent.problems] == ["IMAGE_MISSING"]


def test_ordinary_entries_are_not_refused():
    for entry in ("张伟.png", "内科/张伟", "con1.png", "张伟..png", "...", "auxiliary.png"):
        assert not is_outside_folder(entry)


def test_files_of_different_content_are_two_candidates_whatever_named_them(tmp_path):
    for files in (
        {"张伟.png": b"one", "张伟.jpg": b"two"},
        {"张伟.png": b"one", "内科/张伟.png": b"two"},
        {"张伟.png": b"one", "张伟印章.png": b"two"},
        {f"{NUMBER}.png": b"one", "张伟.png": b"two"},
        {f"{NUMBER}.png": b"one", "1001.png": b"two"},
    ):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        pairing = paired(folder, files, doctor(staff_no="1001"))
        assert [problem.code for problem in pairing.doctors[0].problems] == ["IMAGE_AMBIGUOUS"]
        assert pairing.doctors[0].picture is None
        for name in files:
            assert mask_file_name(name) in pairing.doctors[0].problems[0].detail["found"]
        assert pairing.unassigned_files == ()


def test_a_name_in_the_column_that_two_different_files_have_is_ambiguous(tmp_path):
    files = {"a.png": b"one", "内科/a.png": b"two"}
    assert got(tmp_path, files, doctor(picture="a.png")) == [(None, None, ["IMAGE_AMBIGUOUS"])]
    assert got(tmp_path, files, doctor(picture="内科/a.png")) == [("内科/a.png", "column", [])]


def test_a_name_to_the_letter_goes_before_one_that_differs_in_case(tmp_path):
    files = {"甲/a.png": b"one", "乙/A.png": b"two"}
    assert got(tmp_path, files, doctor(picture="a.png")) == [("甲/a.png", "column", [])]


def test_one_file_that_fits_twice_is_no_duplicate(tmp_path):
    files = {f"{NUMBER}.png": b"seal"}
    assert got(tmp_path, files, doctor(staff_no=NUMBER)) == [(f"{NUMBER}.png", "id_card_number", [])]


def test_equal_files_are_one_picture_and_the_strongest_name_is_used(tmp_path):
    files = {"张伟 - 副本.png": b"same", "张伟.png": b"same", "z/张伟.png": b"same", f"{NUMBER}.png": b"same"}
    pairing = paired(tmp_path, files, doctor())
    assert [problem.code for problem in pairing.doctors[0].problems] == ["IMAGE_DUPLICATE_FILE"]
    assert pairing.doctors[0].evidence == "id_card_number"
    assert pairing.doctors[0].problems[0].detail["found"].split(", ") == [
        "**************0732.png", "z/张伟.png", "张伟.png", "张伟 - 副本.png",
    ]  # fmt: skip
    assert pairing.unassigned_files == ()


def test_namesakes_get_nothing_by_name_and_each_problem_names_the_other(tmp_path):
    pairing = paired(tmp_path, {"张伟.png": b"seal"}, doctor(row=2), doctor(number=OTHER_NUMBER, row=7))
    for one, other in zip(pairing.doctors, ("7", "2"), strict=True):
        assert (one.picture, [problem.code for problem in one.problems]) == (None, ["IMAGE_AMBIGUOUS"])
        assert f"张伟.png 也可能是 名单.xlsx 内科 第 {other} 行的" in render_problem(one.problems[0], "zh")
    assert pairing.unassigned_files == ()


def test_the_problem_of_a_shared_file_names_other_people_alone(tmp_path):
    rows = doctor(row=2), doctor(row=5), doctor(number=OTHER_NUMBER, row=7)
    paired_doctors = paired(tmp_path, {"张伟.png": b"seal"}, *rows).doctors
    assert [one.problems[0].detail["other"] for one in paired_doctors] == [
        "名单.xlsx 内科 7",
        "名单.xlsx 内科 7",
        "名单.xlsx 内科 2, 名单.xlsx 内科 5",
    ]


def test_better_evidence_separates_namesakes(tmp_path):
    files = {f"{NUMBER}.png": b"one", "张伟_2002.png": b"two", "张伟.png": b"whose"}
    first, second = doctor(row=2, staff_no="1001"), doctor(number=OTHER_NUMBER, row=3, staff_no="2002")
    assert got(tmp_path, files, first, second) == [
        (f"{NUMBER}.png", "id_card_number", []),
        ("张伟_2002.png", "staff_no", []),
    ]
    assert [file.path.name for file in paired(tmp_path, files, first, second).unassigned_files] == [
        "张伟.png"
    ]


def test_a_file_that_fits_two_namesakes_is_no_evidence_for_the_one_without_a_better_file(tmp_path):
    files = {f"{NUMBER}.png": b"one", "张伟.png": b"whose"}
    assert got(tmp_path, files, doctor(), doctor(number=OTHER_NUMBER)) == [
        (f"{NUMBER}.png", "id_card_number", []),
        (None, None, ["IMAGE_AMBIGUOUS"]),
    ]


def test_a_staff_number_that_two_people_have_is_no_evidence(tmp_path):
    rows = doctor("张伟", staff_no="1001"), doctor("李四", number=OTHER_NUMBER, staff_no="1001")
    assert got(tmp_path, {"1001.png": b"seal"}, *rows) == [(None, None, ["IMAGE_AMBIGUOUS"])] * 2


@pytest.mark.parametrize("file", ["欧阳文章.png", "内科欧阳文章.png", "内科_李文章.png"])
def test_a_seal_sign_glued_to_a_department_or_a_compound_surname_is_not_taken_off(tmp_path, file):
    rows = (doctor("欧阳文", department="内科"), doctor("李文", number=OTHER_NUMBER, department="内科"))
    assert got(tmp_path, {file: b"whose"}, *rows) == [(None, None, ["IMAGE_MISSING"])] * 2


@pytest.mark.parametrize(
    "file", ["欧阳文印章.png", "欧阳文_章.png", "内科欧阳文签名.png", "内科欧阳文印章.png", "欧阳文静章.png"]
)
def test_a_seal_sign_that_cannot_be_part_of_a_name_is_stripped(tmp_path, file):
    who = "欧阳文静" if "静" in file else "欧阳文"
    assert got(tmp_path, {file: b"seal"}, doctor(who, department="内科"))[0][:2] == (file, "name")


def test_a_seal_sign_glued_to_a_short_name_may_be_its_last_character(tmp_path):
    rows = doctor("李文"), doctor("李文章", number=OTHER_NUMBER)
    assert got(tmp_path, {"李文章.png": b"seal"}, *rows) == [
        (None, None, ["IMAGE_MISSING"]),
        ("李文章.png", "name", []),
    ]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (doctor(), doctor(row=3)),
        (
            doctor(number=None, written={Field.NUMBER: "110101199003"}),
            doctor(number=None, written={Field.NUMBER: "110101199003"}, row=3),
        ),
        (
            doctor(number="H1234567801", id_type=CardType.HONGKONG_AND_MACAO),
            doctor(number="H1234567802", id_type=CardType.HONGKONG_AND_MACAO, row=3),
        ),
    ],
)
def test_one_person_in_two_rows_has_one_picture(tmp_path, one, two):
    assert got(tmp_path, {"张伟.png": b"seal"}, one, two) == [("张伟.png", "name", [])] * 2


def test_a_namesake_with_an_unusable_number_is_another_person(tmp_path):
    rows = doctor(), doctor(number=None, written={Field.NUMBER: "1.1E+17"}, row=3)
    assert got(tmp_path, {"张伟.png": b"seal"}, *rows) == [(None, None, ["IMAGE_AMBIGUOUS"])] * 2


def test_namesakes_without_any_number_are_not_taken_for_one_person(tmp_path):
    rows = doctor(number=None), doctor(number=None, row=3)
    assert got(tmp_path, {"张伟.png": b"seal"}, *rows) == [(None, None, ["IMAGE_AMBIGUOUS"])] * 2


def test_a_row_with_an_unusable_number_is_matched(tmp_path):
    assert got(tmp_path, {"张伟.png": b"seal"}, doctor(number=None)) == [("张伟.png", "name", [])]


def test_two_people_may_name_one_file_in_the_column(tmp_path):
    rows = doctor(picture="a.png"), doctor("李四", number=OTHER_NUMBER, picture="a.png")
    assert got(tmp_path, {"a.png": b"seal"}, *rows) == [("a.png", "column", [])] * 2


def test_a_missing_picture_lists_what_was_tried_without_the_whole_number(tmp_path):
    one = doctor(staff_no="1001", picture="有")
    (row,) = paired(tmp_path, {"张玮.png": b"seal"}, one).doctors
    assert row.problems[0].detail == {
        "tried": "“有”, **************0732, 1001 or 张伟",
        "hint": "Similar name, not used: 张玮.png",
    }
    assert NUMBER not in render_problem(row.problems[0], "en")
    assert render_problem(row.problems[0], "en").endswith("Similar name, not used: 张玮.png")
    assert render_problem(row.problems[0], "zh").endswith("名称相近但没有采用：张玮.png")


def test_a_hint_never_names_a_file_that_has_an_owner(tmp_path):
    rows = doctor("张玮", number=OTHER_NUMBER), doctor()
    (_, missing) = paired(tmp_path, {"张玮.png": b"seal"}, *rows).doctors
    assert missing.problems[0].detail["hint"] == ""


def test_without_a_folder_every_row_names_the_missing_folder(tmp_path):
    (row,) = match_images(
        [doctor()],
        image_index.index_images(image_index.list_images(None)),
        known_files={},
        images=make_examiner(tmp_path),
    ).doctors
    assert row.problems[0].code == "IMAGE_MISSING"
    assert row.problems[0].detail["no_folder"] == "yes"


def test_an_empty_file_is_damaged_not_shared(tmp_path):
    rows = doctor(), doctor("李四", number=OTHER_NUMBER)
    assert got(tmp_path, {"张伟.png": b"", "李四.png": b""}, *rows) == [(None, None, ["IMAGE_CORRUPT"])] * 2


def test_a_file_that_is_gone_after_indexing_is_unreadable(tmp_path):
    library = image_index.index_images(
        image_index.list_images(fill(tmp_path / "seals", {"张伟.png": b"seal"}))
    )
    (tmp_path / "seals" / "张伟.png").unlink()
    (row,) = match_images([doctor()], library, known_files={}, images=make_examiner(tmp_path)).doctors
    assert [problem.code for problem in row.problems] == ["IMAGE_CORRUPT"]


def test_a_huge_file_is_refused_unread(tmp_path):
    folder = fill(tmp_path / "seals", {})
    with (folder / "张伟.png").open("wb") as file:
        file.truncate(image_files.MAX_BYTES + 1)
    pairing = match_images(
        [doctor()],
        image_index.index_images(image_index.list_images(folder)),
        known_files={},
        images=make_examiner(tmp_path),
    )
    assert [problem.code for problem in pairing.doctors[0].problems] == ["IMAGE_TOO_LARGE"]
    assert pairing.stats == {}


@pytest.mark.parametrize("stem", ["最新的石磊处方章", "急诊科-石磊-盖章用"])
def test_a_file_whose_name_holds_a_doctors_name_is_similar_to_a_row_without_a_picture(tmp_path, stem):
    pairing = paired(tmp_path, {f"{stem}.png": b"seal"}, doctor(name="石磊"))
    (problem,) = pairing.doctors[0].problems
    assert problem.code == "IMAGE_MISSING"
    assert f"{stem}.png" in str(problem.detail)
    (file,) = pairing.unassigned_files
    assert [one.name for one in file.similar] == ["石磊"]


def test_of_many_files_that_no_row_means_the_first_are_read_and_a_similar_one_before_all(tmp_path):
    files = {f"{number:03d}.png": b"%d" % number for number in range(MAX_SHOWN_IMAGES + 5)}
    pairing = paired(tmp_path, files | {"张伟-旧.png": b"old", "z.png": b"z"}, doctor(picture="张伟新.png"))
    first, *others = pairing.unassigned_files
    assert (first.path.name, [one.name for one in first.similar]) == ("张伟-旧.png", ["张伟"])
    read = [file for file in pairing.unassigned_files if file.image]
    assert [file.was_read for file in pairing.unassigned_files] == [True] * MAX_SHOWN_IMAGES + [False] * 7
    assert (len(read), len(pairing.stats)) == (MAX_SHOWN_IMAGES, MAX_SHOWN_IMAGES)
    assert [file.path.name for file in others] == [*files, "z.png"]


def test_a_file_shows_the_first_rows_that_it_resembles(tmp_path):
    namesakes = [doctor(staff_no=f"{serial:04d}") for serial in range(10)]
    pairing = paired(tmp_path, {"张伟-旧.png": b"old"}, *namesakes)
    assert [one.staff_no for one in pairing.unassigned_files[0].similar] == [
        f"000{serial}" for serial in range(8)
    ]


def test_a_name_of_one_character_resembles_no_longer_name(tmp_path):
    pairing = paired(tmp_path, {"张伟新建文件夹.png": b"new"}, doctor(name="张", picture=None))
    assert pairing.unassigned_files[0].similar == ()


def test_files_are_read_only_after_a_change_also_those_that_no_row_means(tmp_path):
    folder = fill(tmp_path / "seals", {"张伟.png": b"seal", "nobody.png": b"x"})
    first = match_images(
        [doctor()],
        image_index.index_images(image_index.list_images(folder)),
        known_files={},
        images=make_examiner(tmp_path),
    )
    path = folder / "张伟.png"
    (unassigned,) = first.unassigned_files
    assert set(first.stats) == {str(path), str(folder / "nobody.png")}
    assert unassigned.path == folder / "nobody.png"
    assert unassigned.image == ImageFile.from_path(unassigned.path, hashlib.sha256(b"x").hexdigest(), 1)

    again = match_images(
        [doctor()],
        image_index.index_images(image_index.list_images(folder)),
        known_files=first.stats,
        images=make_examiner(tmp_path),
    )
    assert again.stats == {}
    assert again.doctors == first.doctors
    remembered = {str(path): FileStat(4, image_files.changed_at(path.stat()), "remembered")}
    (row,) = match_images(
        [doctor()],
        image_index.index_images(image_index.list_images(folder)),
        known_files=remembered,
        images=make_examiner(tmp_path),
    ).doctors
    assert row.picture
    assert row.picture.sha256 == "remembered"
    for size, age in ((5, 0), (4, 1)):
        outdated = {str(path): FileStat(size, image_files.changed_at(path.stat()) - age, "outdated")}
        assert (
            match_images(
                [doctor()],
                image_index.index_images(image_index.list_images(folder)),
                known_files=outdated,
                images=make_examiner(tmp_path),
            ).stats
            == first.stats
        )


def test_problems_found_earlier_stay_in_front(tmp_path):
    (first,) = paired(tmp_path, {}, doctor()).doctors
    (again,) = match_images(
        [first],
        image_index.index_images(image_index.list_images(None)),
        known_files={},
        images=make_examiner(tmp_path),
    ).doctors
    assert [problem.code for problem in again.problems] == ["IMAGE_MISSING", "IMAGE_MISSING"]
    (paired_doctors,) = paired(tmp_path, {"张伟印章.png": b"seal"}, first).doctors
    assert [problem.code for problem in paired_doctors.problems] == ["IMAGE_MISSING", "IMAGE_NAME_FUZZY"]


# -- the picture column names a file that holds another doctor's name

OTHERS_FILES = {
    "whole": "李文章.png",
    "with a suffix": "李文章签名图.png",
    "behind a department": "内科李文章.png",
    "among signs": "2026-李文章_签名(扫描).png",
    "with a digit": "李文章 (12).png",
    "in other characters": "2026_李⽂章.png",
    "with the own staff number": "1001_李文章_旧.png",
    "with the own name": "张伟-李文章.png",
    "glued to the own name": "张伟李文章.png",
    "before the own name": "李文章张伟.png",
    "with a suffix before a sign": "2026_李文章签名_旧.png",
    "before a title": "李文章主任签名.png",
    "between words": "内科李文章副主任医师扫描.png",
    "the staff number": "工号20020.png",
    "the staff number and a date": "20020_20260301.png",
    "the mobile": "13812345678.png",
    "in GBK": "2026_李文章.png".encode("gbk").decode("cp437"),
}


@pytest.mark.parametrize("file", OTHERS_FILES.values(), ids=OTHERS_FILES)
@pytest.mark.parametrize("entry", ["name", "stem"])
def test_an_entry_whose_file_holds_another_doctors_name_is_refused(tmp_path, file, entry):
    text = file if entry == "name" else file.removesuffix(".png")
    rows = (
        doctor("张伟", staff_no="1001", picture=text),
        replace(doctor("李文章", number=OTHER_NUMBER, row=3, staff_no="20020"), mobile="13812345678"),
    )
    first, second = paired(tmp_path, {file: b"seal"}, *rows).doctors
    assert (first.picture, [problem.code for problem in first.errors]) == (None, ["IMAGE_AMBIGUOUS"])
    detail = first.errors[0].detail
    assert detail.get("other", detail.get("place", "")).endswith(" 3")
    if "place" in detail:  # a person decides
        assert first.held_image is not None
    assert second.picture is None


@pytest.mark.parametrize("file", [
    "2026-张伟_签名.png",
    "张伟新章.png",
    f"李文章_{NUMBER}.png",  # the own identity number
    "文章.png",
    "李文.png",
    "扫描12.png",
    "章李文.png",
    "IMG_2002.png",  # a short staff number may count pictures
    "1001_20260301.png",
    "20020_1001.png",  # with the own staff number
])  # fmt: skip
def test_an_entry_whose_file_holds_no_other_doctors_name_is_used(tmp_path, file):
    rows = (
        doctor("张伟", staff_no="1001", picture=file),
        doctor("李文章", number=OTHER_NUMBER, row=3, staff_no="2002"),
    )
    assert got(tmp_path, {file: b"seal"}, *rows)[0] == (file, "column", [])


@pytest.mark.parametrize(("own", "other", "file", "is_used"), [
    ("欧阳文章", "文章", "内科欧阳文章_旧.png", True),  # the end of the own name
    ("文章", "欧阳文章", "内科欧阳文章_旧.png", False),
    ("李文", "李文章", "内科李文章_旧.png", False),
    ("李文章", "李文", "内科李文章_旧.png", True),
    ("阿依古丽·买买提", "买买提", "内科阿依古丽.买买提_旧.png", True),
    ("买买提", "阿依古丽·买买提", "2026_阿依古丽.买买提_旧.png", False),
    ("张伟", "张伟", "2026_张伟_旧.png", True),  # a namesake: the entry says whose it is
])  # fmt: skip
def test_names_that_hold_each_other(tmp_path, own, other, file, is_used):
    rows = doctor(own, picture=file), doctor(other, number=OTHER_NUMBER, row=3)
    (file_used, _, codes), _ = got(tmp_path, {file: b"seal"}, *rows)
    assert (file_used, codes) == ((file, []) if is_used else (None, ["IMAGE_AMBIGUOUS"]))


def test_a_persons_other_row_does_not_contest_the_entry(tmp_path):
    rows = doctor("张伟", picture="2026_张卫.png"), doctor("张卫", row=3)  # one number
    assert got(tmp_path, {"2026_张卫.png": b"seal"}, *rows)[0][0] == "2026_张卫.png"


@pytest.mark.parametrize(("entries", "files", "is_used"), [
    (("李文章/签名.png", "张伟/签名.png"), ("张伟/签名.png", "李文章/签名.png"), False),  # slipped by a line
    (("张伟/签名.png", "李文章/签名.png"), ("张伟/签名.png", "李文章/签名.png"), True),
    (("李文章/01.png", "李文章/02.png"), ("李文章/01.png", "李文章/02.png"), True),  # who collected the pictures
    (("李文章/01.png", None), ("李文章/01.png", "李文章/02.png"), False),
    (("李文章/张伟新.png", None), ("李文章/张伟新.png",), True),
    ((f"李文章/{NUMBER}新.png", None), (f"李文章/{NUMBER}新.png",), True),
    (("李文章组/01.png", "李文章组/02.png"), ("李文章组/01.png", "李文章组/02.png"), True),
    (("00001李文章_医师/01.png", None), ("00001李文章_医师/01.png",), False),
    (("2002/01.png", None), ("2002/01.png",), False),
    (("2002李文章/01.png", None), ("2002李文章/01.png",), False),
    (("1001/01.png", None), ("1001/01.png",), True),
    (("2003/01.png", None), ("2003/01.png",), True),
    (("内科/李文章/01.png", None), ("内科/李文章/01.png",), False),
])  # fmt: skip
def test_a_folder_called_by_another_doctors_name(tmp_path, entries, files, is_used):
    rows = [
        doctor("张伟", staff_no="1001", picture=entries[0]),
        doctor("李文章", number=OTHER_NUMBER, row=3, staff_no="2002", picture=entries[1]),
    ]
    first = paired(tmp_path, {file: file.encode() for file in files}, *rows).doctors[0]
    assert ([problem.code for problem in first.errors] == []) is is_used
    assert first.picture is None or first.picture.path.relative_to(tmp_path).as_posix().endswith(entries[0])


@pytest.mark.parametrize(
    ("text", "staff_no"), [("朝阳医院", None), ("院区朝阳", None), ("20260301", "20260301")]
)
@pytest.mark.parametrize(("count", "is_used"), [(3, False), (4, True)])
def test_what_several_files_hold_is_the_name_of_no_doctor(tmp_path, text, staff_no, count, is_used):
    files = [f"{text}_{index}.png" for index in range(1, count + 1)]
    rows = [
        doctor(f"张{index}", number=None, row=index + 1, picture=file) for index, file in enumerate(files, 1)
    ]
    rows.append(doctor("朝阳", number=OTHER_NUMBER, row=99, staff_no=staff_no))
    result = paired(tmp_path, {file: file.encode() for file in files}, *rows)
    assert [bool(one.picture) for one in result.doctors[:-1]] == [is_used] * count


def test_the_own_staff_number_counts_more_than_another_number(tmp_path):
    rows = (
        doctor("张伟", staff_no="1001", picture="20020_1001.png"),
        doctor("李文章", number=OTHER_NUMBER, row=3, staff_no="20020"),
    )
    assert got(tmp_path, {"20020_1001.png": b"seal"}, *rows)[0] == ("20020_1001.png", "column", [])


def test_a_long_name_among_other_words(tmp_path):
    file = "内科阿依古丽·买买提签名.png"
    rows = doctor("张伟", picture=file), doctor("阿依古丽·买买提", number=OTHER_NUMBER, row=3)
    assert got(tmp_path, {file: b"seal"}, *rows)[0][2] == ["IMAGE_AMBIGUOUS"]


def test_an_entry_says_which_of_two_namesakes_a_file_is(tmp_path):
    rows = doctor("张伟", picture="张伟.png"), doctor("张伟", number=OTHER_NUMBER, row=3)
    assert got(tmp_path, {"张伟.png": b"seal"}, *rows)[0] == ("张伟.png", "column", [])


def test_a_file_that_a_persons_other_row_matches_is_the_persons(tmp_path):
    rows = doctor("张伟", picture="张卫.png"), doctor("张卫", row=3)  # one number
    assert got(tmp_path, {"张卫.png": b"seal"}, *rows)[0] == ("张卫.png", "column", [])
