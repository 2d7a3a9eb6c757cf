"""Namesakes: a folder or a prefix that is the department of one of them tells whose picture it is."""

from __future__ import annotations

import pytest
from pair_support import NUMBER, OTHER_NUMBER, X_NUMBER, doctor, got, paired

from pipeline.messages.problems import render_problem

MEDICINE, SURGERY = doctor(department="内科"), doctor(number=OTHER_NUMBER, department="外科", row=3)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("内科/张伟.png", "外科/张伟.png"),
        ("2026/内科/扫描/张伟.png", "2026/外科/张伟.png"),
        ("内科-张伟.png", "外科-张伟.png"),
        ("内科_张伟.png", "张伟(外科).png"),
        ("内科/张伟.png", "外科张伟.png"),
    ],
)
def test_each_namesake_gets_the_picture_of_the_own_department(tmp_path, first, second):
    files = {first: b"one", second: b"two"}
    assert got(tmp_path, files, MEDICINE, SURGERY) == [(first, "name", []), (second, "name", [])]


def test_a_picture_of_one_of_them_leaves_the_other_without(tmp_path):
    assert got(tmp_path, {"内科/张伟.png": b"one"}, MEDICINE, SURGERY) == [
        ("内科/张伟.png", "name", []),
        (None, None, ["IMAGE_MISSING"]),
    ]


def test_a_shared_file_outside_of_any_department_goes_to_no_one(tmp_path):
    files = {"内科/张伟.png": b"one", "张伟.png": b"whose"}
    assert got(tmp_path, files, MEDICINE, SURGERY) == [
        ("内科/张伟.png", "name", []),
        (None, None, ["IMAGE_AMBIGUOUS"]),
    ]


@pytest.mark.parametrize("folder", ["内科室", "内", "內科", "消化内科", "内科一组"])
def test_a_department_is_recognized_by_its_whole_name(tmp_path, folder):
    rows = got(tmp_path, {f"{folder}/张伟.png": b"one"}, MEDICINE, SURGERY)
    assert rows == [(None, None, ["IMAGE_AMBIGUOUS"])] * 2


def test_width_and_blanks_of_a_department_do_not_count(tmp_path):
    rows = doctor(department="ＩＣＵ 一区"), doctor(number=OTHER_NUMBER, department="外科")
    assert got(tmp_path, {"icu一区/张伟.png": b"one"}, *rows)[0][0] == "icu一区/张伟.png"


def test_a_department_does_not_separate_its_own_namesakes(tmp_path):
    rows = (
        MEDICINE,
        doctor(number=OTHER_NUMBER, department="内科"),
        doctor(number=X_NUMBER, department="外科"),
    )
    outcomes = got(tmp_path, {"内科/张伟.png": b"one", "外科/张伟.png": b"two"}, *rows)
    assert outcomes == [
        (None, None, ["IMAGE_AMBIGUOUS"]),
        (None, None, ["IMAGE_AMBIGUOUS"]),
        ("外科/张伟.png", "name", []),
    ]


@pytest.mark.parametrize("department", [None, "-", "内科一病区", "内科（东区）"])
@pytest.mark.parametrize("file", ["内科/张伟.png", "内科张伟.png", "内科-张伟.png"])
def test_a_namesake_whose_department_is_unknown_or_a_part_of_it_may_be_meant(tmp_path, file, department):
    """Some lists name the department in the first row of its block alone."""
    rows = MEDICINE, doctor(number=OTHER_NUMBER, department=department)
    assert got(tmp_path, {file: b"one"}, *rows)[0] == (None, None, ["IMAGE_AMBIGUOUS"])
    other = doctor(number=OTHER_NUMBER, department="心内科")
    assert got(tmp_path, {file: b"one"}, MEDICINE, other)[0] == (file, "name", [])


@pytest.mark.parametrize("names", [("吕布", "呂布"), ("阿依古丽·买买提", "阿依古丽买买提"), ("于飞", "於飞")])
def test_two_spellings_of_one_name_are_namesakes(tmp_path, names):
    rows = [doctor(names[0]), doctor(names[1], number=OTHER_NUMBER, row=3)]
    assert got(tmp_path, {f"{names[0]}.png": b"one"}, *rows)[0] == (None, None, ["IMAGE_AMBIGUOUS"])
    rows = [
        doctor(names[0], department="内科"),
        doctor(names[1], number=OTHER_NUMBER, row=3, department="外科"),
    ]
    assert got(tmp_path, {f"内科/{names[0]}.png": b"one"}, *rows)[0][1] == "name"


def test_a_file_in_the_department_of_neither_goes_to_no_one(tmp_path):
    rows = MEDICINE, SURGERY, doctor("李四", number=X_NUMBER, department="儿科")
    assert got(tmp_path, {"儿科/张伟.png": b"one"}, *rows)[:2] == [(None, None, ["IMAGE_AMBIGUOUS"])] * 2


def test_a_folder_does_not_separate_two_people_of_one_staff_number(tmp_path):
    rows = (
        doctor("王芳", staff_no="1", department="内科"),
        doctor("李四", number=OTHER_NUMBER, staff_no="1", department="外科"),
    )
    assert got(tmp_path, {"内科/1.png": b"one"}, *rows) == [(None, None, ["IMAGE_AMBIGUOUS"])] * 2


def test_a_name_in_another_department_of_the_roster_is_a_namesake_who_is_not_in_it(tmp_path):
    rows = doctor(department="外科"), doctor("李四", number=OTHER_NUMBER, department="内科")
    (first, _) = paired(tmp_path, {"内科/张伟.png": b"one"}, *rows).doctors
    assert (first.picture, [problem.code for problem in first.problems]) == (None, ["IMAGE_AMBIGUOUS"])
    assert "内科/张伟.png 在别的科室的文件夹里，此人的科室是外科" in render_problem(first.problems[0], "zh")
    (tmp_path / "both").mkdir()
    files = {"内科/张伟.png": b"one", "外科/张伟.png": b"two"}
    pairing = paired(tmp_path / "both", files, *rows)
    assert pairing.doctors[0].picture
    assert pairing.doctors[0].picture.path.parent.name == "外科"
    assert [file.path.parent.name for file in pairing.unassigned_files] == ["内科"]


def test_a_prefix_names_the_department_as_a_folder_does(tmp_path):
    rows = doctor(department="外科"), doctor("李四", number=OTHER_NUMBER, department="内科")
    files = {"内科/张伟.png": b"one", "外科-张伟.png": b"two"}
    assert got(tmp_path, files, *rows)[0] == ("外科-张伟.png", "name", [])


def test_a_department_does_not_settle_what_a_staff_number_claims(tmp_path):
    rows = doctor(department="内科"), doctor("李四", number=OTHER_NUMBER, staff_no="张伟", department="外科")
    assert got(tmp_path, {"内科/张伟.png": b"one"}, *rows) == [(None, None, ["IMAGE_AMBIGUOUS"])] * 2


def test_with_a_namesake_outside_of_the_roster_a_name_alone_is_no_evidence(tmp_path):
    rows = doctor(department="外科"), doctor("李四", number=OTHER_NUMBER, department="内科")
    files = {"内科/张伟.png": b"one", "张伟.png": b"two"}
    assert got(tmp_path, files, *rows)[0] == (None, None, ["IMAGE_AMBIGUOUS"])


def test_a_folder_that_is_no_department_does_not_count(tmp_path):
    rows = doctor(department="外科"), doctor("李四", number=OTHER_NUMBER, department="内科")
    for folder in ("2026新增", "第一批", "各科室", "01外科", "外科(12人)", "外科/内科"):
        case_folder = tmp_path / folder.replace("/", "-")
        case_folder.mkdir()
        assert got(case_folder, {f"{folder}/张伟.png": b"one"}, *rows)[0] == (
            f"{folder}/张伟.png",
            "name",
            [],
        )


@pytest.mark.parametrize(
    "folder", ["门诊", "护理部", "2026/内科", "口腔中心", "ICU", "普外科", "内科二病区", "03儿科"]
)
def test_a_department_that_no_row_names_is_another_one_as_well(tmp_path, folder):
    (one,) = paired(tmp_path, {f"{folder}/张伟.png": b"one"}, doctor(department="外科")).doctors
    assert (one.picture, [problem.code for problem in one.problems]) == (None, ["IMAGE_AMBIGUOUS"])


def test_a_row_without_a_department_gets_one_of_a_unique_name(tmp_path):
    assert got(tmp_path, {"儿科/张伟.png": b"one"}, doctor()) == [("儿科/张伟.png", "name", [])]


def test_a_folder_of_another_department_leaves_a_department_and_name_undecided(tmp_path):
    rows = doctor("南宫明", department="内科"), doctor("宫明", number=OTHER_NUMBER, department="南")
    assert got(tmp_path, {"外科/南宫明.png": b"one"}, *rows) == [(None, None, ["IMAGE_AMBIGUOUS"])] * 2


@pytest.mark.parametrize("stem", [NUMBER, "1001", "张伟_1001"])
def test_a_number_is_the_doctors_in_whatever_folder(tmp_path, stem):
    rows = (
        doctor(department="外科", staff_no="1001"),
        doctor("李四", number=OTHER_NUMBER, department="内科", staff_no="1002"),
    )
    assert got(tmp_path, {f"内科/{stem}.png": b"one"}, *rows)[0][0] == f"内科/{stem}.png"


def test_who_works_in_two_departments_is_one_person(tmp_path):
    rows = MEDICINE, doctor(department="外科", row=3), doctor("李四", number=OTHER_NUMBER, department="儿科")
    for file in ("内科/张伟.png", "外科-张伟.png"):
        folder = tmp_path / file[:2]
        folder.mkdir()
        assert got(folder, {file: b"one"}, *rows)[:2] == [(file, "name", [])] * 2


@pytest.mark.parametrize("department", ["无", "-", "/"])
def test_a_placeholder_is_no_department(tmp_path, department):
    rows = doctor(department=department), doctor(number=OTHER_NUMBER, department="外科")
    folder = department.replace("/", "x")
    assert got(tmp_path, {f"{folder}/张伟.png": b"one"}, *rows) == [(None, None, ["IMAGE_AMBIGUOUS"])] * 2


# -- an entry whose file says in its folder alone whose it is


@pytest.mark.parametrize(("file", "entry", "is_used"), [
    ("内科/1.png", "1.png", False),
    ("内科/1.png", "1", False),
    ("内科/签名.png", "签名.png", False),
    ("内科/sign2.png", "sign2", False),
    ("内科/1.png", r"D:\签名\外科\1.png", False),
    ("王芳/签名.png", r"D:\印章\张伟\签名.png", False),
    ("外科/1.png", "1.png", True),
    ("外科/1.png", r"D:\签名\外科\1.png", True),
    ("2026新增/1.png", "1.png", True),
    ("1.png", r"D:\签名\外科\1.png", True),
    ("2026新增/1.png", r"D:\1.png", True),
    ("2026新增/1.png", r"D:\印章图片\1.png", True),
    ("内科/1.png", r"D:\印章图片\1.png", False),
    ("2026新增/1.png", r"D:\外科\1.png", False),
    ("内科/1.png", "内科/1.png", True),  # the entry says so
    ("内科/IMG_0012.png", "IMG_0012.png", True),  # such a name is in one folder
    ("2026/IMG_0012.png", r"D:\签名\IMG_0012.png", True),
    ("内科/张伟新.png", "张伟新.png", True),
])  # fmt: skip
def test_the_folder_of_a_picture_that_is_only_counted(tmp_path, file, entry, is_used):
    (result,) = paired(tmp_path, {file: b"seal"}, doctor("张伟", department="外科", picture=entry)).doctors
    assert bool(result.picture) is is_used
    errors = [(problem.code, problem.detail.get("folder")) for problem in result.errors]
    assert errors == ([] if is_used else [("IMAGE_AMBIGUOUS", "other")])
