"""A file name that is made of a row's own values is evidence for the row, where no other person may be meant."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pair_support import NUMBER, OTHER_NUMBER, doctor, got, paired
from people import number

from pipeline.domain.roster import Cell, CellKind

MISSING = (None, None, ["IMAGE_MISSING"])
AMBIGUOUS = (None, None, ["IMAGE_AMBIGUOUS"])


def with_cells(entry, **texts):
    """Return the doctor of a row that has further columns."""
    more = [
        Cell(f"A{letter}", title, text, CellKind.TEXT, text)
        for letter, (title, text) in zip("BCDEF", texts.items(), strict=False)
    ]
    return replace(entry, row=replace(entry.row, cells=(*entry.row.cells, *more)))


def listed(name="张伟", *, serial="20", **values):
    """Return a doctor with a serial number, a department and a title."""
    values = {"staff_no": "1001", "department": "内科"} | values
    return with_cells(doctor(name, **values), 序号=serial, 职称="主治医师", 院区="东院区")


OTHER = listed("李四", number=OTHER_NUMBER, staff_no="2002", serial="21")


@pytest.mark.parametrize(
    ("stem", "evidence"),
    [
        ("张伟-内科-1001", "staff_no"),
        ("1001_内科_张伟", "staff_no"),
        ("1001·主治医师·张伟", "staff_no"),
        ("内科张伟", "name"),
        ("20.张伟", "name"),
        ("20张伟", "name"),
        ("20、张伟（内科）", "name"),
        ("张伟-主治医师", "name"),
        ("东院区-内科-张伟", "name"),
        ("20.张伟签名", "name"),
        (f"20-{NUMBER}-张伟", "id_card_number"),
    ],
)
def test_a_name_made_of_the_rows_values_is_evidence(tmp_path, stem, evidence):
    assert got(tmp_path, {f"{stem}.png": b"one"}, listed(), OTHER)[0][:2] == (f"{stem}.png", evidence)


@pytest.mark.parametrize("stem", ["20.张伟", "张伟-主治医师-1001"])
def test_it_is_as_good_as_the_name_to_the_letter(tmp_path, stem):
    assert got(tmp_path, {f"{stem}.png": b"one"}, listed(), OTHER)[0][2] == []


@pytest.mark.parametrize(
    "stem",
    [
        "21.张伟",  # the serial number of another row
        "张伟-外科-1001",
        "张伟-内科-1002",
        "张伟-旧",
        "20-内科",  # neither number nor name
        "主治医师-内科",
        "20张伟丰",
        "120张伟",
        "张伟-作废",
        "20.张伟-",
        "_20_张伟",
        "20--张伟",
        "20.(张伟",
    ],
)
def test_a_name_with_a_part_that_is_not_the_rows_is_none(tmp_path, stem):
    void = with_cells(listed(), 状态="作废")
    assert got(tmp_path, {f"{stem}.png": b"one"}, void, OTHER)[0] == MISSING


def test_two_doctors_are_distinguished_by_their_own_values(tmp_path):
    files = {"20.张伟.png": b"one", "李四-内科-2002.png": b"two"}
    assert got(tmp_path, files, listed(), OTHER) == [
        ("20.张伟.png", "name", []),
        ("李四-内科-2002.png", "staff_no", []),
    ]


@pytest.mark.parametrize("stem", ["20.张伟", "张伟-主治医师", "20-张伟-东院区"])
def test_a_serial_number_distinguishes_no_namesakes(tmp_path, stem):
    """The files may have been named after an older list."""
    namesake = listed(number=OTHER_NUMBER, staff_no="2002", serial="35")
    assert got(tmp_path, {f"{stem}.png": b"one"}, listed(), namesake) == [AMBIGUOUS, AMBIGUOUS]
    assert got(tmp_path, {f"{stem}.png": b"one"}, namesake, listed()) == [AMBIGUOUS, AMBIGUOUS]


def test_a_department_or_a_staff_number_does(tmp_path):
    namesake = listed(number=OTHER_NUMBER, staff_no="2002", department="外科", serial="35")
    assert got(tmp_path, {"20.张伟.内科.png": b"one"}, listed(), namesake) == [
        ("20.张伟.内科.png", "name", []),
        MISSING,
    ]
    (tmp_path / "seals" / "20.张伟.内科.png").unlink()
    assert got(tmp_path, {"35.张伟.2002.png": b"two"}, listed(), namesake) == [
        MISSING,
        ("35.张伟.2002.png", "staff_no", []),
    ]


def test_a_serial_number_that_is_anothers_staff_number_is_asked_about(tmp_path):
    other = listed("李四", number=OTHER_NUMBER, staff_no="20", serial="21")
    assert got(tmp_path, {"20.张伟.png": b"one"}, listed(), other) == [AMBIGUOUS, AMBIGUOUS]


def test_a_value_that_is_anothers_name_is_asked_about(tmp_path):
    taught = with_cells(listed(), 带教老师="李四")
    assert got(tmp_path, {"张伟-李四.png": b"one"}, taught, OTHER) == [AMBIGUOUS, AMBIGUOUS]


def test_a_value_that_is_anothers_identity_number_is_nobodys(tmp_path):
    taught = with_cells(listed(), 备注=OTHER_NUMBER)
    assert got(tmp_path, {f"张伟-{OTHER_NUMBER}.png": b"one"}, taught, OTHER) == [MISSING, MISSING]


@pytest.mark.parametrize(
    "stem", ["20-1001", "1001-20", "20·1001", "1001-1001", "张伟-2", "张伟2", "内科-张伟-2"]
)
def test_digits_that_may_count_pictures_are_no_evidence(tmp_path, stem):
    entry = with_cells(listed(), 楼层="2")
    assert got(tmp_path, {f"{stem}.png": b"one"}, entry, OTHER)[0] == MISSING


def test_a_serial_number_of_one_digit_stands_before_the_name(tmp_path):
    files = {"2.张伟.png": b"one", f"2-{OTHER_NUMBER}.png": b"two"}
    assert [
        row[0]
        for row in got(
            tmp_path,
            files,
            listed(serial="2"),
            listed("李四", number=OTHER_NUMBER, staff_no="2002", serial="2"),
        )
    ] == list(files)


USED = "used"
NAMESAKE = listed(number=OTHER_NUMBER, department=None, serial="35")
SHORTER_NAME = listed("宫明", number=OTHER_NUMBER, department="南", staff_no=None)


@pytest.mark.parametrize(
    ("stem", "first", "second", "expected"),
    [
        # a staff number of two people: the name beside it decides, where both do not bear it and nothing else stands there
        ("张伟_1001", listed(), listed("李四", number=OTHER_NUMBER), (USED, "IMAGE_MISSING")),
        (
            "张伟_1001_张伟",
            listed(),
            listed("李四", number=OTHER_NUMBER),
            ("IMAGE_AMBIGUOUS", "IMAGE_AMBIGUOUS"),
        ),
        ("1001.内科-张伟", listed(), NAMESAKE, ("IMAGE_AMBIGUOUS", "IMAGE_AMBIGUOUS")),
        # an identity number outweighs another doctor's serial number and staff number
        (f"2002-{NUMBER}-张伟", listed(serial="2002"), OTHER, (USED, "IMAGE_MISSING")),
        (NUMBER, listed(), listed("李四", number=OTHER_NUMBER, staff_no=NUMBER), (USED, "IMAGE_MISSING")),
        # a whole name comes before a department and a name together
        ("南宫明", listed("南宫明"), SHORTER_NAME, (USED, "IMAGE_MISSING")),
        # 章 may end a longer name also beside a serial number
        ("20-1001-李文章", listed("李文"), OTHER, ("IMAGE_MISSING", "IMAGE_MISSING")),
        # without a joint only different values of a known kind follow each other
        ("欧阳文欧阳文", listed("欧阳文"), OTHER, ("IMAGE_MISSING", "IMAGE_MISSING")),
        ("内科张伟-主治医师", listed(), OTHER, ("IMAGE_MISSING", "IMAGE_MISSING")),
        ("20(阿依古丽·买买提)", listed("阿依古丽·买买提"), OTHER, ("IMAGE_MISSING", "IMAGE_MISSING")),
        ("张伟A120", listed(staff_no="A1"), OTHER, ("IMAGE_MISSING", "IMAGE_MISSING")),
    ],
)
def test_what_a_stem_shows_of_the_other_row(tmp_path, stem, first, second, expected):
    rows = got(tmp_path, {f"{stem}.png": b"one"}, first, second)
    assert tuple(USED if file else codes[0] for file, _, codes in rows) == expected


def test_a_file_that_mentions_a_doctor_and_that_the_entries_of_both_name_is_not_used(tmp_path):
    file = "2026-外科李四主任.png"
    rows = listed(picture=file), listed("李四", number=OTHER_NUMBER, staff_no="2002", picture=file)
    first, second = paired(tmp_path, {file: b"one"}, *rows).doctors
    assert (first.picture, second.picture) == (None, None)
    assert {problem.detail.get("claimed") for one in (first, second) for problem in one.errors} == {"name"}


def test_a_file_with_another_identity_number_is_reported_with_the_doctors_own(tmp_path):
    (one,) = paired(tmp_path, {"张伟.png": b"one", f"{OTHER_NUMBER}/1001.png": b"two"}, listed()).doctors
    assert [problem.detail.get("other_number") for problem in one.errors] == ["**************1238"]


def test_the_picture_column_and_placeholders_are_no_values(tmp_path):
    entry = with_cells(listed(picture="已交"), 备注="无")
    for stem in ("张伟-已交", "张伟-无"):
        (tmp_path / stem).mkdir()
        assert got(tmp_path / stem, {f"{stem}.png": b"one"}, entry, OTHER)[0][0] is None


def test_a_file_with_another_doctors_staff_number_stays_that_doctors(tmp_path):
    """张伟's serial number is 李四's staff number; the file bears 李四's name and staff number."""
    entry = with_cells(listed(serial="2002"), 备注="李四")
    assert got(tmp_path, {"李四_2002.png": b"one"}, entry, OTHER)[1] == ("李四_2002.png", "staff_no", [])


def test_a_namesake_in_another_wards_folder_is_none(tmp_path):
    assert got(tmp_path, {"外科/20.张伟.png": b"one"}, listed(), OTHER)[0] == AMBIGUOUS


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("甲乙丙"), st.sampled_from(["1", "2", "3"]), st.sampled_from(["内", "外"])),
        min_size=1,
        max_size=5,
    ),
    files=st.lists(
        st.tuples(
            st.sampled_from("甲乙丙"), st.sampled_from(["1", "2", "3"]), st.sampled_from(["", "内", "外"])
        ),
        min_size=1,
        max_size=5,
        unique=True,
    ),
)
def test_no_file_goes_to_two_people_or_to_one_of_two_it_may_mean(tmp_path_factory, rows, files):
    """The plain way: a file is a person's if all its parts are, and no namesake of that ward is there."""
    folder = tmp_path_factory.mktemp("composed")
    doctors = [
        with_cells(
            doctor(f"王{name}", number=number(index + 1), department=f"{ward}科", row=index + 2), 序号=serial
        )
        for index, (name, serial, ward) in enumerate(rows)
    ]
    pictures = {
        f"{serial}-王{name}{ward and f'-{ward}科'}.png": f"{name}{serial}{ward}".encode()
        for name, serial, ward in files
    }
    results = got(folder, pictures, *doctors)
    expected = []
    for name, serial, ward in rows:
        fitting = []
        for file_name, file_serial, file_ward in files:
            is_own = (file_name, file_serial) == (name, serial) and file_ward in ("", ward)
            namesakes = [row for row in rows if row[0] == name and file_ward in ("", row[2])]
            if is_own and len(namesakes) == 1:
                fitting.append(f"{file_serial}-王{file_name}{file_ward and f'-{file_ward}科'}.png")
        expected.append(fitting)
    for (file, _, _), fitting in zip(results, expected, strict=True):
        assert file is None or [file] == fitting
        assert file is not None or len(fitting) != 1
