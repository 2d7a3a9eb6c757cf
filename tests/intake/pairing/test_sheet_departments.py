"""Where a roster has no department column, the names of its sheets show that a picture lies in another ward's folder."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_support import make_examiner
from pair_support import NUMBER, OTHER_NUMBER, X_NUMBER, doctor, fill, got, outcome, paired
from people import number
from walks import count_examples

from pipeline.domain.roster import Cell, CellKind, Field, Origin
from pipeline.intake.pairing import image_index
from pipeline.intake.pairing.match import match_images
from pipeline.messages.problems import render_problem

QUESTION = (None, None, ["IMAGE_AMBIGUOUS"])


def listed(sheet, name="张三丰", *, file="全院.xlsx", **values):
    """Return a doctor of a sheet that has no department column."""
    entry = doctor(name, **values)
    return replace(entry, row=replace(entry.row, origin=Origin(Path(file), sheet, entry.row.origin.row)))


def with_blank_column(entry):
    """Return the same doctor of a roster that has a department column, in which nothing is written."""
    blank = Cell("Z", "科室", None, CellKind.EMPTY, "")
    row = replace(entry.row, fields={**entry.row.fields, Field.DEPARTMENT: blank})
    return replace(entry, row=row)


OTHER = listed("骨科", "李四", number=OTHER_NUMBER)


@pytest.mark.parametrize("sheet", ["儿科", "儿科医师名单", "01儿科(12人)", "Sheet1", "新增"])
def test_a_namesakes_picture_in_the_folder_of_another_sheet_is_asked_about(tmp_path, sheet):
    (one, _) = paired(tmp_path, {"骨科/张三丰.png": b"one"}, listed(sheet), OTHER).doctors
    assert (one.picture, [problem.code for problem in one.problems]) == (None, ["IMAGE_AMBIGUOUS"])
    text = render_problem(one.problems[0], "zh")
    assert "骨科/张三丰.png" in text
    assert f"“{sheet}”" in text


@pytest.mark.parametrize(
    ("folder", "sheet", "other_sheet"),
    [
        ("骨科", "儿科", "骨科医生"),
        ("2026/骨科印章", "儿科", "骨科"),
        ("妇产", "儿科", "妇产"),
        ("儿科", "妇产", "儿科"),
        ("心内科", "儿科", "骨科"),
    ],
)
def test_a_folder_is_known_by_any_sheet_of_the_rosters(tmp_path, folder, sheet, other_sheet):
    """心内科 is no sheet, but 儿科 and 骨科 are sheets and folders."""
    files = {f"{folder}/张三丰.png": b"one", "骨科/王五.png": b"two"}
    rows = (
        listed(sheet),
        listed(other_sheet, "李四", number=OTHER_NUMBER),
        listed("口腔科", "王五", number=X_NUMBER),
    )
    assert got(tmp_path, files, *rows)[0] == QUESTION


def test_a_department_of_another_roster_and_the_name_of_a_file_count_as_well(tmp_path):
    other = listed("Sheet1", "李四", number=OTHER_NUMBER, department="骨科", file="处方权.xlsx")
    files = {"骨科/张三丰.png": b"one"}
    assert got(tmp_path, files, listed("儿科"), other)[0] == QUESTION
    assert got(tmp_path, files, listed("Sheet1", file="儿科医师名单.xlsx"), other)[0] == QUESTION
    assert got(tmp_path, files, listed("Sheet1"), other)[0][0] == "骨科/张三丰.png"


@pytest.mark.parametrize("folder", ["印章", "2026", "第一批", "A组", "西院区", "骨科", "", "儿科"])
def test_one_sheet_rejects_nothing(tmp_path, folder):
    file = f"{folder}/张三丰.png".lstrip("/")
    files = {file: b"one", "儿科/李四.png": b"two"}  # one ward that is list and folder makes the others none
    for sheet in ("Sheet1", "医师名单", "2026", "东院区", "第一批", "A组", "儿科", "医务科"):
        (tmp_path / sheet).mkdir()
        rows = listed(sheet), listed(sheet, "李四", number=OTHER_NUMBER)
        assert got(tmp_path / sheet, files, *rows)[0][0] == file, sheet


@pytest.mark.parametrize(
    "folder", ["印章", "2026", "第一批", "A组", "新增", "儿科", "01儿科印章", "儿科门诊", ""]
)
def test_folders_that_are_no_other_ward_lead_to_the_doctor(tmp_path, folder):
    file = f"{folder}/张三丰.png".lstrip("/")
    files = {file: b"one", "骨科/李四.png": b"two"}
    assert got(tmp_path, files, listed("儿科"), OTHER)[0] == (file, "name", [])


@pytest.mark.parametrize(
    ("first", "second"), [("2025", "2026"), ("东院区", "西院区"), ("第一批", "第二批"), ("医生", "护士")]
)
def test_sheets_that_are_no_wards_make_their_folders_none(tmp_path, first, second):
    rows = listed(first), listed(second, "李四", number=OTHER_NUMBER)
    assert got(tmp_path, {f"{second}/张三丰.png": b"one"}, *rows)[0][0] == f"{second}/张三丰.png"


def test_a_short_name_is_a_department_only_where_two_sheets_are(tmp_path):
    file = "妇产/张三丰.png"
    rows = listed("儿科"), listed("妇产", "李四", number=OTHER_NUMBER)
    assert got(tmp_path, {file: b"one"}, *rows)[0] == (file, "name", [])
    assert got(tmp_path, {file: b"one"}, *rows, listed("骨科", "王五", number=X_NUMBER))[0] == QUESTION


def test_a_number_in_the_files_name_or_a_second_list_outweighs_the_folder(tmp_path):
    for file in (NUMBER, "1001", "张三丰_1001"):
        case_folder = tmp_path / file
        case_folder.mkdir()
        rows = listed("儿科", staff_no="1001"), OTHER
        assert got(case_folder, {f"骨科/{file}.png": b"one"}, *rows)[0][0] == f"骨科/{file}.png"
    rows = listed("儿科"), listed("骨科", row=3), OTHER
    assert [file for file, *_ in got(tmp_path, {"骨科/张三丰.png": b"one"}, *rows)[:2]] == [
        "骨科/张三丰.png"
    ] * 2


SHEETS = ["儿科", "骨科", "骨科医师名单", "妇产", "Sheet1", "2026", "东院区", "第一批"]
FOLDERS = ["", "儿科/", "骨科/", "妇产/", "心内科/", "2026/", "第一批/", "印章/", "骨科/儿科/", "Sheet1/"]
WHO = ["张三丰", "李四", "王五"]


@settings(max_examples=count_examples(250), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(WHO),
            st.integers(0, 3),
            st.sampled_from([None, None, "1", "2"]),
            st.sampled_from(SHEETS),
            st.sampled_from(["全院.xlsx", "骨科.xlsx", "b.xlsx"]),
            st.sampled_from([None, None, None, "儿科", "心内科", ""]),  # "": a blank department column
            st.sampled_from([None] * 8 + ["张三丰.png", "骨科/李四.png"]),
        ),
        min_size=1,
        max_size=5,
    ),
    st.dictionaries(
        st.builds(
            lambda folder, stem: f"{folder}{stem}.png",
            st.sampled_from(FOLDERS),
            st.sampled_from([*WHO, *WHO, "1", "张三丰_1", number(0)]),
        ),
        st.sampled_from([b"one", b"two", b"three"]),
        min_size=1,
        max_size=5,
    ),
)
def test_names_of_sheets_turn_pairings_into_questions_and_nothing_else(people, content):
    """Compared with the same rosters with a blank department column, of which the names of sheets decide nothing."""
    new, plain = [], []
    for position, (name, serial, staff_no, sheet, file, department, entry) in enumerate(people):
        values = {"number": number(serial), "staff_no": staff_no, "picture": entry, "row": position + 2}
        made = listed(sheet, name, file=file, department=department or None, **values)
        plain.append(with_blank_column(made))
        new.append(made if department is None else plain[-1])
    with tempfile.TemporaryDirectory() as folder:
        library = image_index.index_images(image_index.list_images(fill(Path(folder) / "a", content)))
        after, before = (
            outcome(
                match_images(doctors, library, known_files={}, images=make_examiner(Path(folder))),
                Path(folder) / "a",
            )
            for doctors in (new, plain)
        )
    for made, now, then in zip(new, after, before, strict=True):
        if now != then:
            assert Field.DEPARTMENT not in made.row.fields, "a department column changes nothing"
            assert now == QUESTION
            assert then[1] == "name"
            assert "/" in then[0]


@pytest.mark.parametrize(("file", "entry", "is_used"), [
    ("内科/1.png", "1.png", False),
    ("内科/签名.png", "签名.png", False),
    ("外科/1.png", "1.png", True),
    ("2026/1.png", "1.png", True),
    ("内科/1.png", "内科/1.png", True),
    ("内科/IMG_0012.png", "IMG_0012.png", True),
])  # fmt: skip
@pytest.mark.parametrize(("sheet", "roster"), [("外科", "全院.xlsx"), ("Sheet1", "外科医师名单.xlsx")])
def test_an_entry_whose_file_is_only_counted_takes_it_from_its_own_ward(
    tmp_path, sheet, roster, file, entry, is_used
):
    """The own ward's folder has not come yet."""
    (one,) = paired(tmp_path, {file: b"one"}, listed(sheet, file=roster, picture=entry)).doctors
    assert bool(one.picture) is is_used
    assert [problem.code for problem in one.errors] == ([] if is_used else ["IMAGE_AMBIGUOUS"])
