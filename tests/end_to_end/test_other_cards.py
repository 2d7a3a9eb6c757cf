"""Passports and other cards: one person however letters, width and blanks of the number are written."""

from __future__ import annotations

import pytest
from run_support import draw_seal

from pipeline.sandbox.actions import Rules

WAYS = ("E12345678", "e12345678", "Ｅ１２３４５６７８", "e-12345678")
HEADERS = ("姓名", "证件号码", "证件类型", "工号")


@pytest.fixture
def abroad(hospital_with):
    rules = Rules(limiter="none", other_card_type=True)
    hospital = hospital_with(rules=rules, api={"allow_other_card_type": True})
    draw_seal(hospital.folder / "seals" / "00001.png", 1)
    return hospital


def roster(hospital, *numbers):
    hospital.roster([("马丁", card_number, "护照", "00001") for card_number in numbers], headers=HEADERS)


def test_each_form_of_the_number_belongs_to_one_person_with_one_seal(abroad):
    roster(abroad, WAYS[-1])
    assert abroad.go("run") == 0
    for number in WAYS:
        roster(abroad, number)
        assert abroad.go("run") == 0, number
        assert abroad.statuses() == {"unchanged": 1}, number
    assert len(abroad.service.seals) == 1


def test_two_forms_of_a_number_in_one_roster_are_one_person_twice(abroad):
    roster(abroad, *WAYS)
    assert abroad.go("run") == 0
    assert [row["status"] for row in abroad.outcomes()] == ["sealed"] + ["rejected"] * (len(WAYS) - 1)
    assert len(abroad.service.seals) == 1
