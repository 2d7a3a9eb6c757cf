"""Rows against each other: one person twice, one picture, seal name or mobile for two."""

from dataclasses import replace
from pathlib import Path
from string import ascii_uppercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import CardType, Cell, CellKind, Doctor, Field, ImageFile, Origin, Row
from pipeline.intake.conflicts import flag_conflicts
from pipeline.messages.problems import build_problem, render_problem

ANNA, BERT = "110199199003071232", "110199198501011239"
COLUMNS = dict(zip(Field, ascii_uppercase, strict=False))
BROKEN = build_problem("IMAGE_BLANK", Field.PICTURE)


def doctor(position=2, number=ANNA, *, name="张三", picture="p1", mobile=None, seal_name=None, broken=False, card=CardType.ID_CARD, staff=None, file="roster.xlsx", sheet="内科", written=None, called=None, **more):  # fmt: skip
    """A doctor of row ``place``.

    ``written`` and ``called`` are what stands in the cells of number and name where it could not be read.
    """
    written = {
        Field.NAME: called,
        Field.NUMBER: number or written,
        Field.MOBILE: mobile,
        Field.SEAL_NAME: seal_name,
    }
    cells = {
        field: Cell(COLUMNS[field], field.value, value, CellKind.TEXT, value)
        for field, value in written.items()
        if value is not None
    }
    return Doctor(
        row=Row(Origin(Path("in") / file, sheet, position), tuple(cells.values()), cells),
        row_id=None,
        key=None,
        name=name,
        number=number,
        id_type=card if number else None,
        mobile=mobile,
        staff_no=staff,
        department=None,
        seal_name=seal_name,
        scene_key="E_PRESCRIPTION_AUTO_SIGN",
        enable_auto_sign=None,
        license_type=None,
        picture=ImageFile.from_path(Path(f"seals/{picture}.png"), picture, 1) if picture else None,
        problems=(BROKEN,) if broken else (),
        **more,
    )


def new(doctors):
    """The problems that comparing added, by row: code, (w) for a warning, and what differs."""
    compared = flag_conflicts(doctors)
    assert [after.row for after in compared] == [before.row for before in doctors]
    reported = {}
    for before, after in zip(doctors, compared, strict=True):
        is_copy = any(
            problem.detail.get("faults") for problem in after.problems
        )  # whose errors the first row keeps
        kept = () if is_copy else before.problems
        assert after.problems[: len(kept)] == kept
        reported[after.row.origin.row] = [
            " ".join(
                filter(
                    None,
                    (
                        problem.code,
                        "(w)" if problem.severity == "warning" else "",
                        problem.detail.get("differs"),
                    ),
                )
            )
            for problem in after.problems[len(kept) :]
        ]
    return reported


def test_two_people_with_nothing_in_common_have_no_problem():
    rows = [doctor(2), doctor(3, BERT, picture="p2")]
    assert flag_conflicts(rows) == rows


def test_of_equal_rows_the_first_stays_and_the_others_name_it():
    compared = flag_conflicts([doctor(2), doctor(3), doctor(9)])
    assert compared[0].problems == ()
    for other in compared[1:]:
        (problem,) = other.problems
        assert (problem.code, problem.severity) == ("ROW_DUPLICATE", "error")
        assert (problem.cell, problem.detail) == (f"B{other.row.origin.row}", {"other": "roster.xlsx 内科 2"})


def test_the_first_valid_row_stays_not_the_first():
    assert new([doctor(2, broken=True), doctor(3), doctor(4)]) == {2: ["ROW_DUPLICATE"], 3: [], 4: ["ROW_DUPLICATE"]}  # fmt: skip
    compared = flag_conflicts([doctor(2, broken=True), doctor(3)])
    assert compared[0].problems[-1].detail["other"] == "roster.xlsx 内科 3"


def test_where_no_row_is_valid_the_first_keeps_the_errors_and_the_others_name_it():
    rows = [doctor(2, broken=True), doctor(3, broken=True), doctor(4, picture=None), doctor(5, broken=True)]
    rows[2] = replace(rows[2], problems=(build_problem("IMAGE_MISSING", Field.PICTURE, tried="x"),))
    compared = flag_conflicts(rows)
    problems = {row.row.origin.row: [problem.code for problem in row.problems] for row in compared}
    assert problems == {
        2: ["IMAGE_BLANK"],
        3: ["ROW_DUPLICATE"],
        4: ["IMAGE_MISSING"],
        5: ["ROW_DUPLICATE"],
    }
    assert "roster.xlsx 内科 row 2" in render_problem(compared[3].problems[0], "en")
    assert "same problems" in render_problem(compared[3].problems[0], "en")


@pytest.mark.parametrize(
    ("field", "one", "two"),
    [
        ("picture", "p1", "p2"),
        ("mobile", "13800138000", "13900139000"),
        ("seal_name", "张三章", "张三处方章"),
    ],
)
def test_content_given_twice_and_differently_sends_none(field, one, two):
    rows = [doctor(2, **{field: one}), doctor(3, **{field: two}), doctor(4, broken=True)]
    assert new(rows) == {position: [f"ROW_DUPLICATE {field}"] for position in (2, 3, 4)}
    first = flag_conflicts(rows)[0].problems[-1]
    assert first.detail["other"] == "roster.xlsx 内科 3, roster.xlsx 内科 4"


def test_everything_that_differs_is_named():
    assert new([doctor(2, mobile="13800138000"), doctor(3, picture="p2", mobile="13900139000")])[2] == [
        "ROW_DUPLICATE picture, mobile"
    ]


@pytest.mark.parametrize("argument", ["picture", "mobile", "seal_name"])
def test_blank_on_one_row_and_given_on_the_other_is_no_difference(argument):
    given_one = {"picture": "p9", "mobile": "13800138000", "seal_name": "张三章"}[argument]
    rows = [doctor(2, **{argument: given_one}), doctor(3, **{argument: None})]
    assert new(rows) == {2: [], 3: ["ROW_DUPLICATE"]}
    assert flag_conflicts(rows)[0] == rows[0]


def test_departments_and_staff_numbers_are_no_content():
    rows = [
        replace(doctor(2), department="内科", staff_no="1"),
        replace(doctor(3), department="外科", staff_no="2"),
    ]
    assert new(rows) == {2: [], 3: ["ROW_DUPLICATE"]}


def test_one_number_with_two_names_stops_them_all():
    rows = [doctor(2), doctor(3, name="李四"), doctor(4, name=None, broken=True), doctor(5)]
    assert new(rows) == {position: ["ID_NAME_CONFLICT"] for position in (2, 3, 4, 5)}
    detail = flag_conflicts(rows)[0].problems[-1].detail
    assert (detail["found"], detail["names"]) == ("张三", "李四")


def test_a_number_with_two_names_has_no_picture_that_is_missing():
    missing = build_problem("IMAGE_MISSING", Field.PICTURE)
    rows = [doctor(2, picture=None), doctor(3, name="李四", picture=None), doctor(4, BERT, picture=None)]
    flagged = flag_conflicts([replace(row, problems=(missing,)) for row in rows])
    codes = [[problem.code for problem in row.problems] for row in flagged]
    assert codes == [["ID_NAME_CONFLICT"], ["ID_NAME_CONFLICT"], ["IMAGE_MISSING"]]


def test_one_number_with_two_spellings_of_a_name_stops_them_all():
    rows = [doctor(2, name="吕布", called="吕布"), doctor(3, name="呂布", called="呂布")]
    assert new(rows) == {position: ["ROW_DUPLICATE name"] for position in (2, 3)}


def test_a_name_that_could_not_be_read_is_no_second_name():
    assert new([doctor(2), doctor(3, name=None, broken=True)]) == {2: [], 3: ["ROW_DUPLICATE"]}


def test_rows_without_a_usable_number_are_people_of_their_own():
    rows = [doctor(2, None, broken=True), doctor(3, None, broken=True)]
    assert new(rows) == {2: ["IMAGE_SHARED"], 3: ["IMAGE_SHARED"]}


def test_a_renewed_permit_is_the_same_person_with_another_number():
    permits = [
        doctor(position, number, card=CardType.HONGKONG_AND_MACAO)
        for position, number in ((2, "H1234567801"), (3, "H1234567802"))
    ]
    assert new(permits) == {2: ["ROW_DUPLICATE id_card_number"], 3: ["ROW_DUPLICATE id_card_number"]}


def test_a_picture_of_two_people_goes_to_no_doctor():
    flagged = new([doctor(2), doctor(3, BERT, name="李四"), doctor(4, None, name="王五", broken=True)])
    assert flagged == {position: ["IMAGE_SHARED"] for position in (2, 3, 4)}


def test_the_messages_name_the_rows_of_other_people_and_not_too_many():
    rows = [
        doctor(2),
        doctor(3),
        *(doctor(index, f"{index}", mobile="13800138000") for index in range(10, 90)),
    ]
    compared = flag_conflicts(rows)
    (shared,) = [problem for problem in compared[0].problems if problem.code == "IMAGE_SHARED"]
    assert shared.detail["other"] == "roster.xlsx 内科 10, roster.xlsx 内科 11, roster.xlsx 内科 12 …"
    assert shared.detail["file"] == "p1.png"


def test_a_shared_mobile_is_a_warning_and_a_shared_seal_name_stops_both():
    one = doctor(2, mobile="13800138000", seal_name="处方章")
    two = doctor(3, BERT, name="李四", picture="p2", mobile="13800138000", seal_name="处方章")
    assert new([one, two]) == {
        position: ["SEAL_NAME_DUPLICATE", "MOBILE_DUPLICATE (w)"] for position in (2, 3)
    }


@pytest.mark.parametrize(("own", "other"), [("1001", "1001"), ("0012", "12"), ("A7", "a7")])
def test_a_shared_staff_number_is_a_warning_on_both_rows(own, other):
    rows = [doctor(2, staff=own), doctor(3, BERT, name="李四", picture="p2", staff=other)]
    assert new(rows) == {position: ["STAFF_NO_DUPLICATE (w)"] for position in (2, 3)}
    (problem,) = flag_conflicts(rows)[0].problems
    assert (problem.field, problem.detail) == (
        Field.STAFF_NO,
        {"found": own, "other": "roster.xlsx 内科 3"},
    )
    assert new([doctor(2, staff=own), doctor(3, staff=other)])[2] == [], "one person on two rows"


def test_a_row_stopped_by_another_person_is_not_the_one_that_stays():
    rows = [doctor(2, seal_name="处方章"), doctor(3), doctor(4, BERT, picture="p2", seal_name="处方章")]
    flagged = new(rows)
    assert flagged == {2: ["SEAL_NAME_DUPLICATE", "ROW_DUPLICATE"], 3: [], 4: ["SEAL_NAME_DUPLICATE"]}


# ---- one person under two numbers ---------------------------------------------------------------------------------


def same_name(**two):
    """Two rows of 张三 under two usable numbers, each with a picture of its own."""
    return [doctor(2, **two), doctor(3, BERT, picture="p2", **two)]


def test_the_same_name_and_staff_number_under_two_numbers_stop_both():
    rows = [*same_name(staff="1001"), doctor(4, BERT, picture="p2", name="李四", staff="1001", broken=True)]
    assert new(rows[:2]) == {2: ["PERSON_POSSIBLY_SAME"], 3: ["PERSON_POSSIBLY_SAME"]}
    (problem,) = flag_conflicts(rows[:2])[0].problems
    assert (problem.severity, problem.field, problem.cell) == ("error", Field.NUMBER, "B2")
    assert problem.detail == {"other": "roster.xlsx 内科 3", "same": "name, staff_no"}


def test_the_same_name_and_mobile_under_two_numbers_stop_both():
    flagged = new(same_name(mobile="13800138000"))
    assert flagged == {position: ["PERSON_POSSIBLY_SAME", "MOBILE_DUPLICATE (w)"] for position in (2, 3)}


@pytest.mark.parametrize("pair", [("one", "two"), ("two", "one")])
def test_a_recorded_decision_keeps_two_people_apart(pair):
    rows = [replace(row, key=key) for row, key in zip(same_name(staff="1001"), ("one", "two"), strict=True)]
    assert flag_conflicts(rows, other_persons={pair}) == rows
    assert flag_conflicts(rows, other_persons={("one", "three")}) != rows


def test_two_numbers_of_one_person_are_two_rows_of_one_person():
    rows = [replace(row, key="one") for row in same_name(staff="1001")]
    assert new(rows) == {position: ["ROW_DUPLICATE id_card_number, picture"] for position in (2, 3)}


def test_all_that_is_the_same_is_reported_at_once():
    (problem, _) = flag_conflicts(same_name(staff="1001", mobile="13800138000"))[0].problems
    assert problem.detail["same"] == "name, staff_no, mobile"


def test_a_staff_number_is_the_same_with_other_zeros_and_case():
    one, two = same_name()
    rows = [replace(one, staff_no="0a12"), replace(two, staff_no="A12")]
    assert new(rows) == {2: ["PERSON_POSSIBLY_SAME"], 3: ["PERSON_POSSIBLY_SAME"]}


def test_namesakes_are_two_people():
    assert new([doctor(2, staff="1001"), doctor(3, BERT, picture="p2", staff="1002")]) == {2: [], 3: []}
    assert new(same_name()) == {2: [], 3: []}


@pytest.mark.parametrize(
    ("name", "picture", "traits"),
    [
        ("李四", "p2", {"staff": "1001", "mobile": "13800138000"}),
        ("張三", "p2", {"staff": "1001"}),
        ("张 · 三", "p2", {"mobile": "13800138000"}),
        ("張三", "p1", {}),
        ("李四", "p1", {"mobile": "13800138000"}),
        ("李四", "p1", {"staff": "1001"}),
    ],
)
def test_any_two_of_name_staff_number_mobile_and_picture_stop_both(name, picture, traits):
    rows = [doctor(2, **traits), doctor(3, BERT, name=name, picture=picture, **traits)]
    assert [codes[0] for codes in new(rows).values()] == ["PERSON_POSSIBLY_SAME"] * 2
    assert [row.possibly_same for row in flag_conflicts(with_keys(rows))] == [("key of 3",), ("key of 2",)]


def with_keys(rows):
    return [replace(row, key=f"key of {row.row.origin.row}") for row in rows]


ROWS = st.lists(
    st.tuples(
        st.sampled_from([ANNA, BERT, "3", "4", None]),
        st.sampled_from(["张三", "張三", "李四"]),
        st.sampled_from([None, "1", "01"]),
        st.sampled_from([None, "13800138000", "13800138001"]),
        st.sampled_from(["p1", "p2", "p3"]),
    ),
    max_size=4,
)


@given(ROWS)
def test_rows_are_held_exactly_where_two_marks_agree(listed):
    def agree(one, two):
        same = (make_name_key(one.name) == make_name_key(two.name), one.picture == two.picture)
        given = ((one.comparable_staff_no, two.comparable_staff_no), (one.mobile, two.mobile))
        return sum(same) + sum(first is not None and first == second for first, second in given) > 1

    rows = [
        doctor(index, number, name=name, staff=staff, mobile=mobile, picture=picture)
        for index, (number, name, staff, mobile, picture) in enumerate(listed, start=2)
    ]
    flagged = flag_conflicts([replace(row, key=row.number) for row in rows])
    for row, result in zip(rows, flagged, strict=True):
        others = {
            other.number for other in rows if row.number and other.number and other.number != row.number
        }
        alike = {other for other in others if any(agree(row, two) for two in rows if two.number == other)}
        assert set(result.possibly_same) == alike
        held = [problem for problem in result.problems if problem.code == "PERSON_POSSIBLY_SAME"]
        assert bool(held) == bool(alike) or any(
            problem.code == "ROW_DUPLICATE" for problem in result.problems
        )


@pytest.mark.parametrize("traits", [{"mobile": "13800138000"}, {"staff": "1001"}, {}])
def test_one_trait_in_common_is_no_one_person(traits):
    picture = "p2" if traits else "p1"
    rows = [doctor(2, **traits), doctor(3, BERT, name="李四", picture=picture, **traits)]
    assert not any(code == "PERSON_POSSIBLY_SAME" for codes in new(rows).values() for code in codes)


def test_a_thousand_rows_with_two_marks_in_common_have_one_message_each():
    rows = [
        doctor(index, f"{index}", name=f"医{index}", picture=f"p{index}", mobile="13800138000", staff="10")
        for index in range(2, 1_002)
    ]
    for row in flag_conflicts(with_keys(rows)):
        (problem,) = row.errors
        assert (problem.code, problem.detail["other"].count("roster.xlsx")) == ("PERSON_POSSIBLY_SAME", 3)
        assert len(row.possibly_same) <= 6


def test_a_staff_number_of_two_names_is_no_one_person():
    rows = [doctor(2, staff="1001"), doctor(3, BERT, picture="p2", name="李四", staff="1001")]
    assert new(rows) == {position: ["STAFF_NO_DUPLICATE (w)"] for position in (2, 3)}


def test_a_second_number_stops_all_rows_of_the_first():
    rows = [doctor(2, staff="1"), doctor(3, staff="1"), doctor(4, BERT, picture="p2", staff="1")]
    copy = ["ROW_DUPLICATE"]
    assert new(rows) == {2: ["PERSON_POSSIBLY_SAME"], 3: copy, 4: ["PERSON_POSSIBLY_SAME"]}


def test_a_row_with_another_error_counts_as_well():
    rows = same_name(staff="1001")
    rows[1] = replace(rows[1], problems=(BROKEN,))
    assert new(rows) == {2: ["PERSON_POSSIBLY_SAME"], 3: ["PERSON_POSSIBLY_SAME"]}


# ---- a row whose number is damaged beside the good row of the same person ------------------------------------------


def test_a_damaged_row_does_not_stop_the_good_one_of_the_same_name_and_staff_number():
    good = doctor(2, staff="1001", mobile="13800138000", seal_name="章")
    damaged = doctor(
        3, None, staff="1001", mobile="13800138000", seal_name="章", broken=True, written="1.1E+17"
    )
    assert new([good, damaged]) == {2: [], 3: []}
    assert new([damaged, good]) == {2: [], 3: []}


@pytest.mark.parametrize(
    "kept_digits", ["110199199003071000", "1.10199199003071E+17", "110199199003071000.0"]
)
def test_the_kept_digits_of_a_number_identify_its_person(kept_digits):
    damaged = doctor(3, None, broken=True, written=kept_digits)
    assert new([doctor(2), damaged]) == {2: [], 3: []}


def test_a_damaged_row_without_kept_digits_may_be_another_person():
    for stranger in (
        {"name": "李四", "staff": "1001"},
        {"staff": "1002"},
        {"written": "1.10199E+17"},  # of the place alone: a namesake may come from there
        {"written": "110199198501011000"},
        {"written": "1.10199199003071E+16"},  # seventeen digits: one more is lost, nobody knows which
        {"name": "李四", "written": "110199199003071000"},
    ):
        rows = [doctor(2, staff="1001"), doctor(3, None, broken=True, **stranger)]
        warned = ["STAFF_NO_DUPLICATE (w)"] if stranger.get("staff") == "1001" else []
        assert new(rows) == {position: ["IMAGE_SHARED", *warned] for position in (2, 3)}


def test_a_trace_counts_only_together_with_the_name():
    damaged = [
        doctor(3, None, picture="p3", broken=True),
        doctor(4, None, name="李四", staff="1001", broken=True),
    ]
    shared = ["IMAGE_SHARED", "STAFF_NO_DUPLICATE (w)"]
    assert new([doctor(2, staff="1001"), *damaged]) == {2: shared, 3: [], 4: shared}


def test_two_rows_with_one_name_and_one_damaged_number_are_one_person():
    rows = [doctor(position, None, broken=True, written="110199") for position in (2, 3)]
    copy = ["ROW_DUPLICATE"]
    assert new(rows)[3][-1:] == copy
    others = [
        doctor(4, None, name="李四", broken=True, written="110199"),
        doctor(5, None, name=None, broken=True, written="110199"),
    ]
    assert new([*rows, *others]) == {position: ["IMAGE_SHARED"] for position in (2, 4, 5)} | {3: copy}


def test_nothing_is_read_out_of_a_garbled_exponent():
    for garbled in ("1.1.1E17", ".E5", "1E999", "E17", "1e", "９.9E+17"):
        assert new([doctor(2), doctor(3, None, picture="p2", broken=True, written=garbled)]) == {2: [], 3: []}


def test_a_damaged_row_that_fits_two_people_belongs_to_neither():
    rows = [doctor(2, staff="1", picture="p1"), doctor(3, BERT, staff="1", picture="p2"), doctor(4, None, staff="1", broken=True)]  # fmt: skip
    assert new(rows)[4] == ["IMAGE_SHARED"]


# ---- names that cannot be read ------------------------------------------------------------------------------------


def test_an_unreadable_name_that_begins_otherwise_is_a_second_name():
    for called, conflict in (
        ("李四（返聘）", True),
        ("张三（返聘）", False),
        ("张*", False),
        ("zhangsan", False),
        ("?", False),
    ):
        rows = [doctor(2), doctor(3, name=None, broken=True, called=called)]
        expected = (
            {2: ["ID_NAME_CONFLICT"], 3: ["ID_NAME_CONFLICT"]} if conflict else {2: [], 3: ["ROW_DUPLICATE"]}
        )
        assert new(rows) == expected


# ---- files and sheets ---------------------------------------------------------------------------------------------


def test_rows_of_all_files_and_sheets_of_a_run_are_compared():
    rows = [
        doctor(2, file="a.xlsx", sheet="内科"),
        doctor(3, file="a.xlsx", sheet="外科"),
        doctor(4, file="b.csv", sheet=None),
    ]
    assert new(rows) == {2: [], 3: ["ROW_DUPLICATE"], 4: ["ROW_DUPLICATE"]}
    assert {one.problems[-1].detail["other"] for one in flag_conflicts(rows)[1:]} == {"a.xlsx 内科 2"}
    rows[2] = doctor(4, file="b.csv", sheet=None, name="李四")
    problems = flag_conflicts(rows)[0].problems[-1]
    assert (problems.code, problems.detail["other"]) == ("ID_NAME_CONFLICT", "a.xlsx 外科 3, b.csv 4")


def test_a_thousand_rows_with_one_mobile_are_compared_in_no_time():
    """No row is compared with every other: 5,000 of them would take 25,000,000 steps."""
    rows = [
        doctor(index, f"{index}", name=f"{index}", picture=None, mobile="13800138000")
        for index in range(5_000)
    ]
    compared = flag_conflicts(rows)
    assert (
        compared[0].problems[-1].detail["other"]
        == "roster.xlsx 内科 1, roster.xlsx 内科 2, roster.xlsx 内科 3 …"
    )
    assert (
        compared[2].problems[-1].detail["other"]
        == "roster.xlsx 内科 0, roster.xlsx 内科 1, roster.xlsx 内科 3 …"
    )


def test_many_rows_of_one_person_do_not_hide_the_other():
    rows = [*(doctor(index) for index in range(2, 12)), doctor(20, BERT, name="李四")]
    flagged = flag_conflicts(rows)
    assert flagged[0].problems[0].detail["other"] == "roster.xlsx 内科 20"
    assert (
        flagged[-1].problems[0].detail["other"]
        == "roster.xlsx 内科 2, roster.xlsx 内科 3, roster.xlsx 内科 4 …"
    )


people = st.builds(
    doctor,
    st.just(0),
    st.sampled_from([ANNA, BERT, None]),
    name=st.sampled_from(["张三", "张三", "张三", "李四", None]),
    picture=st.sampled_from(["p1", "p2", None]),
    mobile=st.sampled_from(["13800138000", "13900139000", None]),
    seal_name=st.sampled_from(["甲章", None, None]),
    staff=st.sampled_from(["1001", "1002", None]),
    written=st.sampled_from(["110199199003071000", "1.1E+17", None]),
    broken=st.booleans(),
)


def decisions(doctors):
    """What was decided of each row, by what it says: which of equal rows stays may depend on their order.

    Of rows with the same errors the first has them, and the others name it.
    """
    compared = flag_conflicts(doctors)
    errors = {f"roster.xlsx 内科 {after.row.origin.row}": after.errors for after in compared}

    def shown(after):
        copies = [error.detail["other"] for error in after.errors if "faults" in error.detail]
        warnings = [problem for problem in after.problems if problem.severity == "warning"]
        problems = (*warnings, *errors[copies[0]]) if copies else (*warnings, *after.errors)
        return tuple(
            (problem.code, problem.detail.get("differs"))
            for problem in problems
            if problem.code != "ROW_DUPLICATE" or "differs" in problem.detail
        )

    return sorted(
        (
            repr((after.name, after.number, after.mobile, after.seal_name, after.picture)),
            shown(after),
        )
        for after in compared
    )


@given(st.data(), st.lists(people, max_size=7))
def test_permuting_rows_changes_no_decision_but_which_equal_row_is_first(data, roster):
    roster = [replace(one, row=replace(one.row, origin=replace(one.row.origin, row=index))) for index, one in enumerate(roster)]  # fmt: skip
    shuffled = data.draw(st.permutations(roster))
    assert decisions(roster) == decisions(shuffled)


@given(st.lists(people, max_size=7))
def test_never_more_than_one_row_of_a_person_and_one_person_of_a_picture_is_left_to_send(roster):
    remaining = [after for after in flag_conflicts(roster) if not after.errors and after.number]
    assert len({after.number for after in remaining}) == len(remaining)
    pictures = [after.picture.sha256 for after in remaining if after.picture]
    assert len(set(pictures)) == len(pictures)


@given(st.lists(people, max_size=7))
def test_of_two_numbers_with_one_name_and_staff_number_or_mobile_neither_is_sent(roster):
    remaining = [
        after for after in flag_conflicts(roster) if not after.errors and after.number and after.name
    ]
    for trait in ("staff_no", "mobile"):
        claims = {(one.name, getattr(one, trait), one.number) for one in remaining if getattr(one, trait)}
        assert len({claim[:2] for claim in claims}) == len(claims)


@given(st.lists(people, max_size=7))
def test_a_person_with_a_valid_row_and_no_contradiction_keeps_exactly_one(roster):
    compared = flag_conflicts(roster)
    for number in {one.number for one in roster} - {None}:
        rows = [after for after in compared if after.number == number]
        stopped = any(
            error.code != "ROW_DUPLICATE" or "differs" in error.detail
            for after in rows
            for error in after.errors
        )
        if not stopped:
            assert sum(not after.errors for after in rows) == 1


def test_one_drawing_in_two_files_is_reported_with_both_files_and_what_to_do():
    rows = [
        doctor(2, picture="2001"),
        doctor(3, BERT, name="李四", picture="2002"),
        doctor(4, "n4", picture="p4"),
    ]
    first, second, third = flag_conflicts(rows, {"2001": "2001", "2002": "2001"})
    assert not third.problems
    assert render_problem(first.problems[0], "zh") == (
        "图片 2001.png 与 2002.png（roster.xlsx 内科 第 3 行）虽是两个文件，图案却完全相同，都未提交；请打开看清是谁的章，"
        "给其他人换上各自的图片。"
    )
    assert render_problem(second.problems[0], "en") == (
        "The files 2002.png and 2001.png (roster.xlsx 内科 row 2) show the same seal, so none of them was sent; check whose "
        "seal it is and replace the others."
    )


def test_namesakes_are_distinguished_by_their_folders():
    rows = [
        replace(
            doctor(position, number), picture=ImageFile.from_path(Path(f"seals/{folder}/1.png"), folder, 1)
        )
        for position, number, folder in ((2, ANNA, "内科"), (3, BERT, "外科"))
    ]
    first, _ = flag_conflicts(rows, {"内科": "内科", "外科": "内科"})
    assert [problem.code for problem in first.problems] == ["PERSON_POSSIBLY_SAME", "IMAGE_SHARED"]
    detail = first.problems[1].detail
    assert (detail["file"], detail["twin"]) == ("内科/1.png", "外科/1.png")


def test_the_same_bytes_are_reported_as_the_picture_of_the_other_row():
    first, _ = flag_conflicts([doctor(2), doctor(3, BERT, name="李四")])
    assert "twin" not in first.problems[0].detail
    assert "也是 roster.xlsx 内科 第 3 行的图片" in render_problem(first.problems[0], "zh")


def test_a_held_picture_is_another_rows_as_well():
    """Else the other row would be sent in the next run, although nothing changed."""
    one, two = doctor(2), doctor(3, BERT, name="李四")
    held = replace(two, picture=None, held_image=two.picture)
    assert [[problem.code for problem in row.errors] for row in flag_conflicts([one, held])] == [
        ["IMAGE_SHARED"]
    ] * 2
