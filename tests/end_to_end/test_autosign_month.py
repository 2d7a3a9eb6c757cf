"""A month after the seals, step by step: due calls alone, each state the true one, no SMS twice, no link lost.

The rules stand in `autosign_model`. ``make lives`` plays thirty steps of MONTH doctors, from five seeds.
"""

import os
from random import Random

import pytest
from autosign_month import CANCEL, DISABLE, ENABLE, LOST, SEAL, STATUS, Month, MonthClock, strike

from pipeline.sandbox.actions import Rules

DOCTORS = int(os.environ.get("MONTH", "18"))
SEEDS = range(1, 6) if "MONTH" in os.environ else (1,)
DAYS = list(range(30)) if "MONTH" in os.environ else [0, 1, 2, 3, 4, 8, 9, 16, 29]
MET = {
    "answers", "open", "license_ends", "other_seal", "no_seal", "not_open", "cannot_ask", "stale within recheck",
    "SMS", "second SMS", "lost SMS", "lost links", "enable links", "seal links", "cancelled", "lost cancels", "disabled", "lost disables",
    "opened", "chose again", "closed", "turned", "corrected",
}  # fmt: skip


@pytest.fixture
def month_of(hospital_with, capsys):
    def make(seed: int) -> Month:
        clock = MonthClock()
        rules = Rules(limiter="none", other_card_type=True)
        hospital = hospital_with(rules=rules, clock=clock, api={"allow_other_card_type": True})
        return Month(hospital, clock, capsys, seed=seed, doctors=DOCTORS, days=DAYS)

    return make


def draw_faults(dice: Random) -> list[dict]:
    """Draw what befalls the calls of one step."""
    lost = dice.randint(1, 3)
    return [
        strike(STATUS, LOST, nth=[lost, lost + 2]),
        strike(STATUS, "throttle", nth=[lost + 1]),
        strike(ENABLE, LOST, nth=[lost]),
        strike(SEAL, LOST, nth=[lost]),
        strike(ENABLE, "throttle", nth=[lost + 1]),
        strike(CANCEL, LOST, nth=[lost]),
        strike(DISABLE, LOST, nth=[1]),
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_month_after_the_seals(month_of, seed):
    month, dice = month_of(seed), Random(f"steps {seed}")
    outage, unlisted = (17, 11) if len(DAYS) == 30 else (4, 5)
    for step in range(len(DAYS)):
        white_list = {unlisted: "unlisted", unlisted + 1: "forbidden"}.get(step, "on")
        faults = draw_faults(dice) if step % 3 != 1 else [strike(CANCEL, LOST, nth=[1])] * (step == 1)
        month.play(step, faults, white_list=white_list, outage=step == outage)
    assert set(month.seen) >= MET, f"never met: {MET - set(month.seen)}"
    assert month.go("ledger", "check")["exit"] == 0
