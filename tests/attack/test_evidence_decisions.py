"""A doctor who is held because another one bore the file: three ways out, each for one picture and one person."""

from __future__ import annotations

from dataclasses import replace

import pytest
from attack.clerk import Clerk
from attack.evidence_scenes import BY_NAME, BY_STAFF_NO, SCENES, A, B, adopt, turn_over
from attack.stage import LONG, person
from people import number

GROUP = "evidence over time, decided"
LATER = 640.0
# turned over from a doctor who remains: the newcomer's picture has been laid in the file's place
TURNS = {"staff number": BY_STAFF_NO, "name": BY_NAME}
CONTESTED = ("k1", "k2", "k3", "b14", "b13")  # scenes without a seal
CASES = (*TURNS, *CONTESTED)
FILES = {
    "staff number": "00001.png",
    "name": "张伟.png",
    "k1": "张伟.png",
    "k2": "内科/张伟.png",
    "k3": "00001.png",
    "b14": "00001.png",
    "b13": "00001.png",
}


def hold(clerk: Clerk, case: str, *, drawing: int = 3) -> str:
    """Play a scene, lay the held doctor's own picture in the file's place, and run; return the file."""
    if case in TURNS:
        turn_over(clerk, turn=TURNS[case], see=adopt)
    else:
        SCENES[case].play(clerk)
    clerk.stage.draw(B, FILES[case], drawing=drawing)
    clerk.run(code=3)
    assert clerk.row_of(B)["codes"] == ["IMAGE_AMBIGUOUS"], clerk.describe()
    return FILES[case]


def assert_sealed(clerk: Clerk) -> None:
    clerk.stage.assert_clean()
    assert clerk.row_of(B)["status"] in {"sealed", "unchanged"}, clerk.describe()


def assert_held(clerk: Clerk) -> None:
    clerk.stage.assert_clean()
    row = clerk.row_of(B)
    assert (row["status"], row["codes"]) == ("rejected", ["IMAGE_AMBIGUOUS"]), clerk.describe()


@pytest.mark.parametrize("case", CASES if LONG else CASES[:1])
def test_a_file_named_by_the_identity_number_is_the_doctors(stage, case):
    clerk = Clerk(stage)
    path = clerk.seals / hold(clerk, case)
    path.rename(clerk.seals / f"{number(B)}.png")
    clerk.run()
    assert_sealed(clerk)
    clerk.run()
    assert_sealed(clerk)


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("case", CASES if LONG else ())
def test_a_picture_entry_that_names_the_file_by_identity_number_is_the_doctors(stage, case):
    clerk = Clerk(stage)
    path = clerk.seals / hold(clerk, case)
    path.rename(clerk.seals / f"{number(B)}.png")
    clerk.entries[B] = f"{number(B)}.png"
    clerk.list(*clerk.people)
    clerk.run()
    assert_sealed(clerk)


@pytest.mark.parametrize("case", CASES if LONG else CASES[:1])
def test_a_picture_judged_right_is_the_doctors_and_no_other_is(stage, case):
    clerk = Clerk(stage)
    file = hold(clerk, case)
    clerk.judge(B)
    stage.draw(B, file, drawing=4)
    clerk.run()
    assert_held(clerk)
    stage.draw(B, file, drawing=3)
    clerk.run()
    assert_sealed(clerk)
    stage.draw(A, file, drawing=5)
    clerk.run()
    assert stage.judge().is_clean
    assert clerk.row_of(B)["status"] in {"unchanged", "changed"}


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("case", CASES if LONG else ())
def test_a_judgement_of_a_check_counts(stage, case):
    clerk = Clerk(stage)
    hold(clerk, case)
    clerk.judge(B)
    clerk.run()
    assert_sealed(clerk)


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("case", CASES if LONG else ())
def test_a_picture_judged_wrong_remains_held(stage, case):
    clerk = Clerk(stage)
    hold(clerk, case)
    clerk.judge(B, word="wrong")
    clerk.run()
    stage.assert_clean()
    assert clerk.row_of(B)["status"] == "rejected"
    clerk.run()
    assert clerk.row_of(B)["status"] == "rejected"


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("case", CONTESTED if LONG else ())
def test_a_judgement_is_for_one_person(stage, case):
    """What was judged right for one doctor is no evidence for a third one who gets the same mark later."""
    clerk = Clerk(stage)
    hold(clerk, case)
    clerk.judge(B)
    clerk.run()
    assert_sealed(clerk)
    newcomer = replace(clerk.people[-1], serial=5, number=number(5), mobile=person(5).mobile)
    clerk.list(newcomer)
    stage.draw(B, FILES[case], drawing=9)
    clerk.run()
    stage.assert_clean()
    assert clerk.row_of(5)["status"] == "rejected"


@pytest.mark.parametrize("name", ["张玮", person(A).name] if LONG else ["张玮"])
def test_the_earlier_bearer_was_the_same_doctor(stage, name):
    """Name and number were corrected; the seal passes to the corrected number, and no second one is made."""
    clerk = Clerk(stage)
    stage.draw(A)
    adopt(clerk, person(A))
    corrected = replace(person(A), name=name, number=number(700), mobile="15499990000")
    stage.draw(A, drawing=3)
    clerk.list(corrected)
    stage.know(A, number(A), number(700))
    clerk.run(code=3)
    assert clerk.row_of(700)["status"] == "rejected"
    decided = stage.go("resolve", number(700)[-4:], "--same-person", later=LATER)
    assert decided.code == 0, decided.output
    clerk.run(later=LATER)
    stage.assert_clean()
    row = clerk.row_of(700)
    assert row["status"] in {"unchanged", "changed"}, clerk.describe()
    assert row["seal_id"] in stage.adopted
