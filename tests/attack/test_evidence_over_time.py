"""A file that another doctor bore in an earlier run is evidence for a doctor only by the own identity number."""

from __future__ import annotations

import pytest
from attack.clerk import Clerk, list_held
from attack.evidence_scenes import NEIGHBOURS, SCENES, Scene
from attack.stage import LONG, person, read_lines
from run_support import newest_results

GROUP = "evidence over time"
SHORT = ("reissue", "g2", "m5", "e4, pair 1")


def assert_held(
    clerk: Clerk, scene: Scene, serials: tuple[int, ...], *, file: str = "outcomes.jsonl"
) -> None:
    """Fail unless these rows are held for the scene's reason, and nothing wrong has been sent."""
    rows = read_lines(newest_results(clerk.stage.folder / "out") / file)
    remaining = {person(serial).number[-4:] for serial in serials} - list_held(rows, scene.codes)
    assert not remaining, (remaining, [(row["name"], row["status"], row["codes"]) for row in rows])


def list_codes(clerk: Clerk, serials: tuple[int, ...], *, file: str = "outcomes.jsonl") -> list[list[str]]:
    return [clerk.row_of(serial, file=file)["codes"] for serial in serials]


def assert_safe(clerk: Clerk, scene: Scene, serials: tuple[int, ...]) -> None:
    clerk.stage.assert_clean()
    assert_held(clerk, scene, serials)


@pytest.mark.parametrize("case", SCENES if LONG else SHORT)
def test_what_another_doctor_bore_is_held(stage, case):
    """A check shows it, the run holds it, and in `make attack` so do the runs after it."""
    clerk = Clerk(stage)
    serials = SCENES[case].play(clerk)
    checked = stage.go("check")
    shown = list_codes(clerk, serials, file="plan.jsonl")
    for _ in range(3 if LONG else 1):
        ended = clerk.run()
        assert_safe(clerk, SCENES[case], serials)
        assert (checked.code, ended.code) == (3, 3)
        assert list_codes(clerk, serials) == shown


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("case", NEIGHBOURS if LONG else ())
def test_every_mark_and_every_earlier_end_is_held(stage, case):
    clerk = Clerk(stage)
    serials = NEIGHBOURS[case].play(clerk)
    for _ in range(2):
        ended = clerk.run()
        assert_safe(clerk, NEIGHBOURS[case], serials)
        assert ended.code == 3


# scenes that are also played on other ways
PLAYED = ("reissue", "a", "b11", "g2", "k1", "k2", "k3", "b9", "b14", "b15", "b5", "m5", "m16", "e4, pair 1")


def retry_first(clerk: Clerk) -> None:
    clerk.stage.go("retry")


def limit_first(clerk: Clerk) -> None:
    clerk.run("--limit", "1")


def stop_first(clerk: Clerk) -> None:
    """A guard stops a run of the new roster before its first call."""
    clerk.guard()
    clerk.run()
    clerk.unguard()


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize(
    "first", [retry_first, limit_first, stop_first] if LONG else (), ids=lambda first: first.__name__
)
@pytest.mark.parametrize("case", PLAYED if LONG else ())
def test_no_other_command_sends_the_row(stage, case, first):
    clerk = Clerk(stage)
    serials = SCENES[case].play(clerk)
    first(clerk)
    stage.assert_clean()
    clerk.run()
    assert_safe(clerk, SCENES[case], serials)
    stage.go("retry")
    assert_safe(clerk, SCENES[case], serials)


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("case", [case for case in PLAYED if not SCENES[case].is_copy] if LONG else ())
def test_a_text_file_is_judged_like_a_workbook(stage, case):
    clerk = Clerk(stage, file="roster.csv")
    serials = SCENES[case].play(clerk)
    ended = clerk.run()
    assert_safe(clerk, SCENES[case], serials)
    assert ended.code == 3
