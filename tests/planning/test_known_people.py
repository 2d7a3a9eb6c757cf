"""The person that a row with a new number may be, and what a run records of known people."""

from __future__ import annotations

import errno
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from plan_support import NOW, make_attempt, make_doctor, make_rules, make_sealed, make_snapshot, plan_one
from readable_key import ReadableKey

from pipeline.domain.fields import list_content
from pipeline.domain.roster import CardType, Field
from pipeline.domain.run import Status
from pipeline.domain.seals import Person, PersonDigests
from pipeline.errors import NotReadNow
from pipeline.intake.conflicts import flag_conflicts
from pipeline.intake.fields.id_number import get_lifetime_number
from pipeline.intake.images.prepare import ExaminedImage, ImageExaminer
from pipeline.messages.problems import build_problem
from pipeline.planning.known_people import KnownPersons, compute_new_digests, unite_persons
from pipeline.planning.plan import plan_rows

NEW = make_doctor(2, name=make_doctor(1).name, mobile="154")
PICTURE = make_doctor(1).picture
IMAGES = ImageExaminer(Path("work"), 1)


KEY = ReadableKey()


def make_known(doctor=None, **changes) -> Person:
    return replace(
        make_sealed(doctor or make_doctor(1)),
        id_masked="*0001",
        staff_no="#1",
        mobile="#154",
        **changes,
    )


def get_same(row, *pasts, present=(), other=frozenset()):
    known_persons = replace(make_snapshot(*pasts), other_persons=other)
    known = KnownPersons(known_persons, [row, *present], KEY, IMAGES)
    match = known.get_possibly_same(row)
    return match and (match[0].key, match[1])


@pytest.mark.parametrize(
    ("changes", "agreed"),
    [
        ({"staff_no": "001"}, [Field.NAME, Field.STAFF_NO, Field.MOBILE]),
        ({}, [Field.NAME, Field.MOBILE]),
        ({"mobile": "155"}, None),
        ({"mobile": None, "staff_no": None}, None),
        ({"mobile": None, "picture": PICTURE}, [Field.NAME, Field.PICTURE]),
        ({"name": "李四"}, None),
        ({"name": None}, None),
        ({"name": "李四", "staff_no": "001"}, [Field.STAFF_NO, Field.MOBILE]),
        ({"name": None, "staff_no": "001"}, [Field.STAFF_NO, Field.MOBILE]),
        ({"name": "李四", "picture": PICTURE}, [Field.MOBILE, Field.PICTURE]),
        (
            {"name": "李四", "mobile": None, "staff_no": "1", "picture": PICTURE},
            [Field.STAFF_NO, Field.PICTURE],
        ),
        ({"name": "李四", "mobile": None, "picture": PICTURE}, None),
    ],
)
def test_a_person_is_the_same_by_two_traits_of_four(changes, agreed):
    assert get_same(replace(NEW, **changes), make_known()) == (agreed and ("key1", agreed))


def test_the_pictures_of_no_more_than_ten_people_with_one_mobile_are_compared():
    doctors = [make_doctor(serial) for serial in range(3, 40)]
    leavers = make_snapshot(*map(make_known, doctors))
    absent = KnownPersons(leavers, [NEW], KEY, IMAGES)
    newcomers = [replace(NEW, name="李四", picture=doctor.picture) for doctor in doctors]
    assert sum(absent.get_possibly_same(newcomer) is not None for newcomer in newcomers) == 10


def test_a_picture_that_cannot_be_read_now_agrees_with_none():
    trouble = NotReadNow(OSError(errno.EIO, "a disk"))
    images = ImageExaminer(Path("work"), 1, _examined={NEW.picture: ExaminedImage(None, None, (), trouble)})
    person = make_known()
    content = replace(person.seal.content, pixels="as drawn")
    person = replace(person, attempts=[replace(person.seal, content=content)])
    absent = KnownPersons(make_snapshot(person), [NEW], KEY, images)
    assert absent.get_possibly_same(replace(NEW, name="李四")) is None
    assert absent.get_possibly_same(NEW)[1] == [Field.NAME, Field.MOBILE]


def test_a_person_in_the_rosters_or_without_seal_and_open_create_is_not_the_same():
    assert get_same(NEW, make_known(), present=[make_doctor(1, mobile="155")]) is None
    assert get_same(NEW, replace(make_known(), attempts=())) is None
    unresolved = make_attempt(make_doctor(1), "unknown")
    assert get_same(NEW, replace(make_known(), attempts=[unresolved]))[0] == "key1"


@pytest.mark.parametrize(
    ("present", "changes", "agreed"),
    [
        ({"mobile": "155", "staff_no": None}, {"staff_no": "01"}, [Field.NAME, Field.STAFF_NO]),
        (
            {"mobile": "154", "staff_no": None},
            {"staff_no": "01", "name": "李四"},
            [Field.STAFF_NO, Field.MOBILE],
        ),
        (
            {"mobile": None, "staff_no": None},
            {"staff_no": "01", "name": "李四"},
            [Field.STAFF_NO, Field.MOBILE],
        ),
        ({"mobile": None, "staff_no": "77"}, {"staff_no": "01", "name": "李四"}, None),
        ({"mobile": "155", "staff_no": "77"}, {"staff_no": "01"}, None),
    ],
)
def test_of_a_person_in_the_rosters_the_ledger_fills_in_what_the_row_leaves_blank(present, changes, agreed):
    row = make_doctor(1, **present)
    assert get_same(replace(NEW, **changes), make_known(), present=[row]) == (agreed and ("key1", agreed))


def test_of_two_matching_people_the_one_with_the_older_seal_is_named_first():
    older = make_known(make_doctor(3, name=NEW.name))
    older = replace(older, attempts=[replace(older.seal, settled_at=NOW - 1)])
    assert get_same(NEW, make_known(), older)[0] == "key3"
    assert get_same(NEW, make_known(), older, other=frozenset({("key3", "key2")}))[0] == "key1"
    assert get_same(NEW, make_known(), older, other=frozenset({("key3", "key2"), ("key1", "key2")})) is None


@pytest.mark.parametrize("spelling", ["john smith", "John-Smith", "ＪＯＨＮ　ＳＭＩＴＨ"])
def test_spellings_of_a_name_are_one_name(spelling):
    known = make_known(make_doctor(1, name="John Smith"))
    assert get_same(replace(NEW, name=spelling), known)[0] == "key1"


def test_a_decision_holds_for_two_numbers_in_either_order():
    assert get_same(NEW, make_known(), other=frozenset({("key2", "key1")})) is None


# -- a person with a seal whose row is in the same run


def plan_both(one, two, *pasts, other=frozenset()):
    known = replace(make_snapshot(*pasts), other_persons=other)
    return plan_rows(flag_conflicts([one, two], {}, other), known, make_rules())


def test_the_row_of_a_sealed_person_stays_and_the_other_is_held_for_a_decision():
    sealed_row, alike = make_doctor(1), replace(NEW, staff_no="01")
    old, new = plan_both(sealed_row, alike, make_sealed(sealed_row))
    assert (old.status, [problem.severity for problem in old.problems]) == (Status.UNCHANGED, ["warning"])
    assert (new.status, new.possibly_same.key) == (Status.REJECTED, "key1")
    (problem,) = [problem for problem in new.problems if problem.code == "PERSON_POSSIBLY_SAME"]
    assert (problem.detail["agreed"], problem.detail["seal"]) == ("name staff_no", "seal-id")
    assert problem.detail["other"].endswith(str(sealed_row.row.origin.row))
    decided = plan_both(sealed_row, alike, make_sealed(sealed_row), other=frozenset({("key1", "key2")}))
    assert [row_plan.status for row_plan in decided] == [Status.UNCHANGED, Status.READY]


def test_two_new_people_who_may_be_one_are_both_held():
    plans = plan_both(make_doctor(1, mobile="154"), NEW)
    assert [row_plan.status for row_plan in plans] == [Status.REJECTED] * 2
    assert [row_plan.possibly_same for row_plan in plans] == [None] * 2


def test_a_row_with_other_errors_names_all_and_a_redundant_copy_only_that_it_is_one():
    missing = replace(NEW, problems=(build_problem("IMAGE_MISSING"),), picture=None)
    row_plan = plan_one(missing, make_snapshot(make_known()))
    assert [problem.code for problem in row_plan.problems] == ["IMAGE_MISSING", "PERSON_POSSIBLY_SAME"]
    assert (row_plan.status, row_plan.possibly_same.key) == (Status.REJECTED, "key1")
    copy = plan_one(replace(NEW, problems=(build_problem("ROW_DUPLICATE"),)), make_snapshot(make_known()))
    assert [problem.code for problem in copy.problems] == ["ROW_DUPLICATE"]


def test_the_problem_names_seal_number_and_day():
    problems = plan_one(NEW, make_snapshot(make_known())).problems[-1].detail
    assert problems == {
        "sealed": "张乙处方章",
        "tail": "0001",
        "agreed": "name mobile",
        "seal": "seal-id",
        "day": date(2026, 11, 18).isoformat(),
    }


# -- staff numbers and mobiles that a run sees


@pytest.mark.parametrize(
    ("row", "digests"),
    [
        (make_doctor(1, mobile="154"), None),
        (make_doctor(1, mobile=None, staff_no=None), None),
        (make_doctor(1, mobile="155"), PersonDigests("#1", "#155")),
        (make_doctor(1, staff_no="A9", mobile=None), PersonDigests("#a9", "")),
        (make_doctor(1, name="李四", mobile="155"), None),
    ],
)
def test_only_what_is_new_of_a_known_person_is_remembered(row, digests):
    row_plan = plan_one(row, make_snapshot(make_known()))
    assert compute_new_digests([row_plan], KEY) == ({"key1": digests} if digests else {})


# -- keys


@pytest.mark.parametrize("written", ["e12345678", "E12345678", "E-12345678"])
def test_a_card_is_the_same_in_every_way_of_writing_it(written):
    row = make_doctor(1, number=written, id_type=CardType.OTHER_CARD_TYPE)
    assert get_lifetime_number(written, CardType.OTHER_CARD_TYPE) == "E12345678"
    assert list_content(row, KEY)["number"] == "#E12345678"


def test_a_corrected_number_has_its_persons_key():
    decided = replace(make_snapshot(make_known()), same_persons={"key2": "key1"})
    united = unite_persons([NEW, make_doctor(3)], decided)
    assert [doctor.key for doctor in united] == ["key1", "key3"]
