"""Every habit of naming a picture that hospitals have, and what is said of it."""

from __future__ import annotations

import pytest
from pair_support import NUMBER, OTHER_NUMBER, doctor, got, paired

from pipeline.domain.roster import Field
from pipeline.messages.problems import render_problem


def test_an_exact_name_needs_no_warning(tmp_path):
    expected = {
        "id_card_number": ("{}", "张伟_{}", "张伟 {}", "{}张伟", "1001-张伟-{}", "内科/{}"),
        "staff_no": (
            "1001",
            "1001张伟",
            "1001_张伟",
            "1001.张伟",
            "张伟(1001)",
            "张伟-1001",
            "内科_1001_张伟",
            "内科-张伟-1001",
        ),
        "name": (
            "张伟",
            "内科/张伟",
            "内科-张伟",
            "内科_张伟",
            "张伟(内科)",
            "新增/2026/内科/张伟",
            "张伟.png",
        ),
    }
    one = doctor(staff_no="1001", department="内科")
    files = [
        (f"{form.format(NUMBER)}.png", evidence) for evidence, forms in expected.items() for form in forms
    ]
    files += [(name, "name") for name in ("张伟", "张伟.JPEG", "张伟.heic", "张伟。png")]
    for index, (file, evidence) in enumerate(files):
        folder = tmp_path / str(index)
        folder.mkdir()
        assert got(folder, {file: b"seal", "李四.png": b"other"}, one) == [(file, evidence, [])]
    assert got(tmp_path, {"外科/深/张伟": b"seal"}, doctor()) == [("外科/深/张伟", "name", [])]


@pytest.mark.parametrize(
    "file",
    [
        "张　伟.png",
        "张 伟.png",
        "张\u00a0\u200b伟.png",
        "张伟 印章.png",
        "张伟签名.png",
        "张伟_签名.png",
        "张伟手写签名.png",
        "张伟电子签章.png",
        "张伟处方章.png",
        "张伟的章.png",
        "张伟_章.png",
        "张伟(2).png",
        "张伟（1）.png",
        "张伟 - 副本 (2).png",
        "张伟 副本.png",
        "张伟 拷贝.png",
        "张伟 copy.png",
        "D001_张伟_印章.png",
        "Ｄ００１.png",
        "张 伟 - D001.png",
        "内科－张伟.png",
        "d001.png",
        "D001 .png",
    ],
)
def test_a_name_that_differs_in_writing_is_used_and_reported(tmp_path, file):
    (one,) = paired(tmp_path, {file: b"seal"}, doctor(staff_no="D001", department="内科")).doctors
    assert one.picture
    assert [(problem.code, problem.severity) for problem in one.problems] == [("IMAGE_NAME_FUZZY", "warning")]
    assert one.problems[0].detail["expected"] in render_problem(one.problems[0], "zh")


@pytest.mark.parametrize("dot", [".", "·", "•", "・", "‧", "∙"])
@pytest.mark.parametrize("written", ["阿依古丽·买买提", "阿依古丽.买买提", "阿依古丽 • 买买提"])
def test_the_dot_of_a_name_may_be_any_dot(tmp_path, dot, written):
    one = doctor("阿依古丽·买买提", written={Field.NAME: written})
    stem = f"阿依古丽{dot}买买提"
    codes = [] if stem in ("阿依古丽·买买提", written) else ["IMAGE_NAME_FUZZY"]
    assert got(tmp_path, {f"{stem}.png": b"seal"}, one) == [(f"{stem}.png", "name", codes)]


@pytest.mark.parametrize(
    "file",
    [
        "阿依古丽买买提.png",  # a dot that is not there is not another dot
        "阿依古丽.png",
        "买买提·阿依古丽.png",
        "古丽·买买提.png",
    ],
)
def test_a_name_of_two_parts_is_both_in_their_order(tmp_path, file):
    assert got(tmp_path, {file: b"seal"}, doctor("阿依古丽·买买提"))[0][0] is None


@pytest.mark.parametrize(
    "file",
    [
        "00123.png",  # staff numbers are texts: 00123 and 123 may be two people
        "0123.png",
        "1230.png",
        "12-3.png",
        "张伟12.3.png",
        "123王芳.png",
        "1张伟23.png",
        "内科.png",
        "内科123室.png",
        "外科-张伟.png",
        "內科-张伟.png",
        "内科二-张伟.png",
    ],
)
def test_a_staff_number_or_department_is_what_is_written_and_nothing_near_it(tmp_path, file):
    assert got(tmp_path, {file: b"seal"}, doctor(staff_no="123", department="内科"))[0][0] is None


def test_pieces_that_run_into_each_other_are_not_taken_apart(tmp_path):
    rows = doctor(staff_no="001", department="1"), doctor("李四", number=OTHER_NUMBER, staff_no="1001")
    assert got(tmp_path, {"1001.png": b"seal"}, *rows) == [
        (None, None, ["IMAGE_MISSING"]),
        ("1001.png", "staff_no", []),
    ]
    assert got(tmp_path, {"1-001.png": b"own"}, *rows)[0] == ("1-001.png", "staff_no", [])


@pytest.mark.parametrize("staff_no", ["无", "-", "/", "待补"])
def test_a_placeholder_is_no_staff_number(tmp_path, staff_no):
    files = {f"{staff_no}.png".replace("/", "_"): b"seal"}
    assert got(tmp_path, files, doctor(staff_no=staff_no))[0][0] is None


def test_a_department_with_separators_and_numbers_of_its_own_is_one_piece(tmp_path):
    one = doctor(staff_no="A-01", department="内科(二)-3区")
    for stem in ("内科(二)-3区_张伟", "A-01张伟", "张伟-A-01", "内科(二)-3区-A-01"):
        folder = tmp_path / stem
        folder.mkdir()
        assert got(folder, {f"{stem}.png": b"seal"}, one)[0][0] == f"{stem}.png"
    for stem in ("内科二3区_张伟", "A01张伟", "内科(二)3区_张伟", "A-0-1"):
        folder = tmp_path / stem
        folder.mkdir()
        assert got(folder, {f"{stem}.png": b"seal"}, one)[0][0] is None, stem


def test_a_picture_ready_to_send_goes_before_one_that_must_be_converted(tmp_path):
    files = {"张伟.bmp": b"same", "张伟.png": b"same"}
    assert got(tmp_path, files, doctor()) == [("张伟.png", "name", ["IMAGE_DUPLICATE_FILE"])]


def test_a_row_without_a_picture_names_files_of_another_kind_and_links(tmp_path):
    (tmp_path / "seals").mkdir()
    (tmp_path / "seals" / "李四.png").symlink_to(tmp_path / "outside.png")
    rows = doctor(), doctor("李四", number=OTHER_NUMBER)
    pairing = paired(tmp_path, {"张伟.pdf": b"%PDF", "印章.rar": b"Rar!"}, *rows)
    hints = [one.problems[0].detail["hint"] for one in pairing.doctors]
    assert hints == ["⚠ 张伟.pdf, PDF, ⚠ 印章.rar, not a zip", "⚠ 李四.png, link, ⚠ 印章.rar, not a zip"]
    assert pairing.unassigned_files == ()


def test_unassigned_files_are_listed_once_and_in_order(tmp_path):
    files = {"张伟.png": b"1", "王芳.png": b"2", "旧/李四.png": b"3", "z.pdf": b"4"}
    unclaimed = paired(tmp_path, files, doctor()).unassigned_files
    assert [file.path.relative_to(tmp_path / "seals").as_posix() for file in unclaimed] == [
        "旧/李四.png",
        "王芳.png",
    ]


@pytest.mark.parametrize(("staff_no", "file"), [("12", "0012"), ("0012", "12"), ("a7", "00A7")])
def test_a_file_that_differs_in_leading_zeros_is_named_and_not_used(tmp_path, staff_no, file):
    (one,) = paired(tmp_path, {f"{file}.png": b"one", "赵六.png": b"two"}, doctor(staff_no=staff_no)).doctors
    assert one.picture is None
    hint = f"Similar name, not used: {file}.png"
    assert one.problems[0].detail["hint"] == hint
