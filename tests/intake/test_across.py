"""Rows against each other: one person twice, one picture, seal name or mobile for two."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.intake.across import compare
from pipeline.problems import problem
from pipeline.roster import CardType, Cell, CellKind, Doctor, Field, Origin, Picture, Row

ANNA, BERT = "110199199003071232", "110199198501011239"
COLUMNS = dict(zip(Field, "ABCDEFGHIJKL", strict=True))
BROKEN = problem("IMAGE_MISSING", Field.PICTURE)


def doctor(place=2, number=ANNA, *, name="张三", picture="p1", mobile=None, seal_name=None, scene=None, broken=False, card=CardType.ID_CARD, **more):  # fmt: skip
    """A doctor of row ``place``; ``scene`` is what the row itself says of its scene."""
    written = {Field.NUMBER: number, Field.MOBILE: mobile, Field.SEAL_NAME: seal_name, Field.SCENE_KEY: scene}
    cells = {
        field: Cell(COLUMNS[field], field.value, value, CellKind.TEXT, value)
        for field, value in written.items()
        if value is not None
    }
    return Doctor(
        row=Row(Origin(Path("in/roster.xlsx"), "内科", place), tuple(cells.values()), cells),
        row_id=None,
        key=None,
        name=name,
        number=number,
        id_type=card if number else None,
        mobile=mobile,
        staff_no=None,
        department=None,
        seal_name=seal_name,
        scene_key=scene or "E_PRESCRIPTION_AUTO_SIGN",
        enable_auto_sign=None,
        license_type=None,
        seal_image_compress=None,
        picture=Picture(Path(f"seals/{picture}.png"), picture, 1) if picture else None,
        problems=(BROKEN,) if broken else (),
        **more,
    )


def new(doctors):
    """The problems that comparing added, by row: code, (w) for a warning, and what differs."""
    compared = compare(doctors)
    assert [after.row for after in compared] == [before.row for before in doctors]
    told = {}
    for before, after in zip(doctors, compared, strict=True):
        assert after.problems[: len(before.problems)] == before.problems
        told[after.row.origin.row] = [
            " ".join(
                filter(
                    None,
                    (found.code, "(w)" if found.severity == "warning" else "", found.detail.get("differs")),
                )
            )
            for found in after.problems[len(before.problems) :]
        ]
    return told


def test_two_people_with_nothing_in_common_have_nothing_to_tell():
    rows = [doctor(2), doctor(3, BERT, picture="p2")]
    assert compare(rows) == rows


def test_of_equal_rows_the_first_stays_and_the_others_name_it():
    compared = compare([doctor(2), doctor(3), doctor(9)])
    assert compared[0].problems == ()
    for other in compared[1:]:
        (told,) = other.problems
        assert (told.code, told.severity) == ("ROW_DUPLICATE", "error")
        assert (told.cell, told.detail) == (f"B{other.row.origin.row}", {"other": "roster.xlsx 内科 2"})


def test_the_first_valid_row_stays_not_the_first():
    assert new([doctor(2, broken=True), doctor(3), doctor(4)]) == {2: ["ROW_DUPLICATE"], 3: [], 4: ["ROW_DUPLICATE"]}  # fmt: skip
    compared = compare([doctor(2, broken=True), doctor(3)])
    assert compared[0].problems[-1].detail["other"] == "roster.xlsx 内科 3"


def test_where_no_row_is_valid_none_is_called_a_duplicate_of_another():
    assert new([doctor(2, broken=True), doctor(3, broken=True)]) == {2: [], 3: []}


@pytest.mark.parametrize(
    ("field", "one", "two"),
    [
        ("picture", "p1", "p2"),
        ("mobile", "13800138000", "13900139000"),
        ("seal_name", "张三章", "张三处方章"),
        ("scene_key", "OTHER", "E_PRESCRIPTION_AUTO_SIGN"),
    ],
)
def test_content_given_twice_and_differently_sends_none(field, one, two):
    argument = "scene" if field == "scene_key" else field
    rows = [doctor(2, **{argument: one}), doctor(3, **{argument: two}), doctor(4, broken=True)]
    assert new(rows) == {place: [f"ROW_DUPLICATE {field}"] for place in (2, 3, 4)}
    first = compare(rows)[0].problems[-1]
    assert first.detail["other"] == "roster.xlsx 内科 3, roster.xlsx 内科 4"


def test_everything_that_differs_is_named():
    assert new([doctor(2, mobile="13800138000"), doctor(3, picture="p2", mobile="13900139000")])[2] == [
        "ROW_DUPLICATE picture, mobile"
    ]


@pytest.mark.parametrize("argument", ["picture", "mobile", "seal_name", "scene"])
def test_blank_on_one_row_and_given_on_the_other_is_no_difference(argument):
    given_one = {"picture": "p9", "mobile": "13800138000", "seal_name": "张三章", "scene": "OTHER"}[argument]
    rows = [doctor(2, **{argument: given_one}), doctor(3, **{argument: None})]
    assert new(rows) == {2: [], 3: ["ROW_DUPLICATE"]}
    assert compare(rows)[0] == rows[0]


def test_departments_and_staff_numbers_are_no_content():
    rows = [
        replace(doctor(2), department="内科", staff_no="1"),
        replace(doctor(3), department="外科", staff_no="2"),
    ]
    assert new(rows) == {2: [], 3: ["ROW_DUPLICATE"]}


def test_one_number_with_two_names_stops_them_all():
    rows = [doctor(2), doctor(3, name="李四"), doctor(4, name=None, broken=True)]
    assert new(rows) == {place: ["ID_NAME_CONFLICT"] for place in (2, 3, 4)}


def test_a_name_that_could_not_be_read_is_no_second_name():
    assert new([doctor(2), doctor(3, name=None, broken=True)]) == {2: [], 3: ["ROW_DUPLICATE"]}


def test_rows_without_a_usable_number_are_people_of_their_own():
    rows = [doctor(2, None, broken=True), doctor(3, None, broken=True)]
    assert new(rows) == {2: ["IMAGE_SHARED"], 3: ["IMAGE_SHARED"]}


def test_a_renewed_permit_is_the_same_person_with_another_number():
    permits = [
        doctor(place, number, card=CardType.HONGKONG_AND_MACAO)
        for place, number in ((2, "H1234567801"), (3, "H1234567802"))
    ]
    assert new(permits) == {2: ["ROW_DUPLICATE id_card_number"], 3: ["ROW_DUPLICATE id_card_number"]}


def test_a_picture_of_two_people_goes_to_nobody():
    told = new([doctor(2), doctor(3, BERT, name="李四"), doctor(4, None, name="王五", broken=True)])
    assert told == {place: ["IMAGE_SHARED"] for place in (2, 3, 4)}


def test_the_messages_name_the_rows_of_other_people_and_not_too_many():
    rows = [
        doctor(2),
        doctor(3),
        *(doctor(place, f"{place}", mobile="13800138000") for place in range(10, 90)),
    ]
    compared = compare(rows)
    shared = compared[0].problems[0]
    assert shared.detail["other"] == "roster.xlsx 内科 10, roster.xlsx 内科 11, roster.xlsx 内科 12 …"
    assert shared.detail["file"] == "p1.png"


def test_a_shared_mobile_is_said_and_a_shared_seal_name_stops_both():
    one = doctor(2, mobile="13800138000", seal_name="处方章")
    two = doctor(3, BERT, picture="p2", mobile="13800138000", seal_name="处方章")
    assert new([one, two]) == {place: ["SEAL_NAME_DUPLICATE", "MOBILE_DUPLICATE (w)"] for place in (2, 3)}


def test_a_row_stopped_by_another_person_is_not_the_one_that_stays():
    rows = [doctor(2, seal_name="处方章"), doctor(3), doctor(4, BERT, picture="p2", seal_name="处方章")]
    told = new(rows)
    assert told == {2: ["SEAL_NAME_DUPLICATE", "ROW_DUPLICATE"], 3: [], 4: ["SEAL_NAME_DUPLICATE"]}


people = st.builds(
    doctor,
    st.just(0),
    st.sampled_from([ANNA, BERT, None]),
    name=st.sampled_from(["张三", "张三", "张三", "李四", None]),
    picture=st.sampled_from(["p1", "p2", None]),
    mobile=st.sampled_from(["13800138000", "13900139000", None]),
    seal_name=st.sampled_from(["甲章", None, None]),
    scene=st.sampled_from(["OTHER", None]),
    broken=st.booleans(),
)


def decisions(doctors):
    """What was decided of each row, by what it says: which of equal rows stays may depend on their order."""
    return sorted(
        (
            repr((after.name, after.number, after.mobile, after.seal_name, after.scene_key, after.picture)),
            tuple(
                (found.code, found.detail.get("differs"))
                for found in after.problems
                if found.code != "ROW_DUPLICATE" or "differs" in found.detail
            ),
        )
        for after in compare(doctors)
    )


@given(st.data(), st.lists(people, max_size=7))
def test_permuting_rows_changes_no_decision_but_which_equal_row_is_first(data, roster):
    roster = [replace(one, row=replace(one.row, origin=replace(one.row.origin, row=place))) for place, one in enumerate(roster)]  # fmt: skip
    shuffled = data.draw(st.permutations(roster))
    assert decisions(roster) == decisions(shuffled)


@given(st.lists(people, max_size=7))
def test_never_more_than_one_row_of_a_person_and_one_person_of_a_picture_is_left_to_send(roster):
    left = [after for after in compare(roster) if not after.errors and after.number]
    assert len({after.number for after in left}) == len(left)
    pictures = [after.picture.sha256 for after in left if after.picture]
    assert len(set(pictures)) == len(pictures)


@given(st.lists(people, max_size=7))
def test_a_person_with_a_valid_row_and_no_contradiction_keeps_exactly_one(roster):
    compared = compare(roster)
    for number in {one.number for one in roster} - {None}:
        rows = [after for after in compared if after.number == number]
        stopped = any(
            found.code != "ROW_DUPLICATE" or "differs" in found.detail
            for after in rows
            for found in after.errors
        )
        if not stopped:
            assert sum(not after.errors for after in rows) == 1
