"""A file that another doctor bore in an earlier run is evidence for a doctor only by the own identity number."""

from __future__ import annotations

import pytest
from attack.clerk import Clerk, list_held
from attack.evidence_scenes import SCENES
from attack.stage import LONG, person, read_lines
from run_support import newest_results

GROUP = "evidence over time"
SHORT = ("reissue", "g2", "m5", "e4, pair 1")


def assert_held(clerk: Clerk, case: str, serials: tuple[int, ...], *, file: str = "outcomes.jsonl") -> None:
    """Fail unless these rows are held for the scene's reason, and nothing wrong has been sent."""
    rows = read_lines(newest_results(clerk.stage.folder / "out") / file)
    remaining = {person(serial).number[-4:] for serial in serials} - list_held(rows, SCENES[case].codes)
    assert not remaining, (remaining, [(row["name"], row["status"], row["codes"]) for row in rows])


def list_codes(clerk: Clerk, serials: tuple[int, ...], *, file: str = "outcomes.jsonl") -> list[list[str]]:
    return [clerk.row_of(serial, file=file)["codes"] for serial in serials]


def assert_safe(clerk: Clerk, case: str, serials: tuple[int, ...]) -> None:
    clerk.stage.assert_clean()
    assert_held(clerk, case, serials)


@pytest.mark.parametrize("case", SCENES if LONG else SHORT)
def test_what_another_doctor_bore_is_held(stage, case):
    """A check shows it, the run holds it, and so do the runs after it."""
    clerk = Clerk(stage)
    serials = SCENES[case].play(clerk)
    checked = stage.go("check")
    shown = list_codes(clerk, serials, file="plan.jsonl")
    for _ in range(3 if LONG else 2):
        ended = clerk.run()
        assert_safe(clerk, case, serials)
        assert (checked.code, ended.code) == (3, 3)
        assert list_codes(clerk, serials) == shown
