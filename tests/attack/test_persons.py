"""One human under two spellings of a number: a corrected number with a new scan, another card's case and width."""

from __future__ import annotations

from dataclasses import replace

import pytest
from attack.stage import CREATE, LONG, Person, Stage, person
from run_support import number

from pipeline.sandbox.actions import Rules

GROUP = "persons"
LATER = 400.0
OTHER = 700  # the serial of the number that doctor 1 is corrected to
SCANS = ("same", "drawn anew", "saved as JPEG", "named by the number")


def correct(stage: Stage, **changes: str) -> Person:
    """Return doctor 1 under another number of his, with other fields changed."""
    stage.know(1, number(1), number(OTHER))
    return replace(person(1), number=number(OTHER), **changes)


def scan_again(stage: Stage, scan: str) -> None:
    old = stage.folder / "seals" / f"{person(1).staff_no}.png"
    if scan == "drawn anew":
        stage.draw(1, drawing=7)
    elif scan == "saved as JPEG":
        old.unlink()
        stage.draw(1, f"{person(1).staff_no}.jpg", quality=88)
    elif scan == "named by the number":
        old.unlink()
        stage.draw(1, f"{number(OTHER)}.png", drawing=7)


KEPT = {
    "everything": {},
    "staff number alone": {"mobile": "15499990000"},
    "mobile alone": {"staff_no": "90001"},
    "another department": {"department": "外科"},
}
CASES = [(scan, kept) for scan in SCANS for kept in KEPT]


@pytest.mark.parametrize(("scan", "kept"), CASES if LONG else [("drawn anew", "everything")])
def test_a_corrected_number_is_no_second_person(stage, scan, kept):
    stage.hire(1, 2)
    assert stage.go("run").code == 0
    scan_again(stage, scan)
    row = correct(stage, **KEPT[kept])
    if row.staff_no != person(1).staff_no:
        stage.draw(1, f"{row.staff_no}.png", drawing=7)
    stage.roster([row.cells, person(2).cells])
    stage.go("run")
    stage.go("retry")
    stage.assert_clean()
    assert [outcome["status"] for outcome in stage.outcomes() if outcome["name"] == row.name] != ["sealed"]


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("scan", SCANS)
def test_a_corrected_number_after_a_lost_answer_is_no_second_person(stage, scan):
    stage.strike({"match": {"action": CREATE, "user_name": person(1).name}, "do": "reset_after"})
    stage.hire(1, 2)
    assert stage.go("run").code == 3
    stage.strike()
    scan_again(stage, scan)
    stage.roster([correct(stage).cells, person(2).cells])
    stage.go("run", later=LATER)
    stage.go("retry", later=LATER)
    stage.assert_clean()


@pytest.mark.skipif(not LONG, reason="make attack")
def test_the_seal_passes_to_the_corrected_number(stage):
    stage.hire(1, 2)
    assert stage.go("run").code == 0
    stage.roster([correct(stage).cells, person(2).cells])
    scan_again(stage, "drawn anew")
    stage.go("run")
    decided = stage.go("resolve", person(1).name, "--same-person", later=LATER)
    stage.go("run", later=LATER)
    stage.assert_clean()
    assert decided.code == 0
    reported_rows = {row["name"]: row["status"] for row in stage.outcomes()}
    assert reported_rows[person(1).name] in {"changed", "unchanged"}


@pytest.mark.skipif(not LONG, reason="make attack")
def test_two_people_who_are_alike_are_sealed_once_a_human_has_distinguished_them(stage):
    """The staff number was given anew: doctor 3 has the name and the staff number of doctor 1, who has left."""
    stage.hire(1, 2)
    assert stage.go("run").code == 0
    stage.know(3)
    newcomer = replace(person(3), name=person(1).name, staff_no=person(1).staff_no)
    stage.draw(3, f"{newcomer.staff_no}.png")
    stage.roster([newcomer.cells, person(2).cells])
    stage.go("run")
    decided = stage.go("resolve", person(1).name, "--other-person", later=LATER)
    stage.go("run", later=LATER)
    stage.assert_clean()
    assert decided.code == 0
    assert set(stage.seals_of()) == {1, 2, 3}


@pytest.mark.skipif(not LONG, reason="make attack")
def test_a_colleague_of_the_same_name_is_no_corrected_number(stage):
    """Both stand in the roster, so neither is the other's corrected number."""
    stage.hire(1, 2)
    assert stage.go("run").code == 0
    stage.know(3)
    stage.draw(3)
    namesake = replace(person(3), name=person(1).name)
    stage.roster([person(1).cells, person(2).cells, namesake.cells])
    assert stage.go("run").code == 0
    stage.assert_clean()
    assert set(stage.seals_of()) == {1, 2, 3}


CARDS = ("e12345678", "Ｅ12345678", " E1234 5678", "Ｅ１２３４５６７８")
TYPED = ("姓名", "证件号码", "手机号", "工号", "科室", "证件类型")


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("card", CARDS)
def test_another_card_in_another_spelling_is_no_second_person(stage_with, card):
    stage = stage_with(rules=Rules(limiter="none", unique_names="off", other_card_type=True))
    stage.configure(allow_other_card_type=True)
    stage.know(1, "E12345678", "e12345678", card, card.replace(" ", ""))
    stage.draw(1)
    for scan, written in ((0, "E12345678"), (7, card)):
        stage.draw(1, drawing=scan)
        row = (person(1).name, written, person(1).mobile, person(1).staff_no, "内科", "护照")
        stage.roster([row], headers=TYPED)
        stage.go("run")
    stage.assert_clean()
    assert len(stage.service.seals) == 1
