"""Not finding a seal proves nothing, and no wall clock ends the wait for a late copy."""

import re
from datetime import datetime

import pytest
from resolution_support import read_unknown_rows, run_later
from run_support import QuickClock
from wire_support import fault

from pipeline.clock import SystemClock
from pipeline.sandbox.actions import Rules


@pytest.fixture
def overlooked(scene):
    """Doctor 2's create was carried out and its answer lost; this service takes a second seal of the same name."""

    def play(hospital):
        hospital.doctors(3)
        assert hospital.run_to_end("run") == (3, {"sealed": 2, "unknown": 1})

    rules = Rules(limiter="none", unique_names="off")
    return scene(play, rules=rules, faults=[fault("reset_after", nth=(2,))])


def test_a_seal_that_was_not_found_is_not_taken_for_not_created(overlooked, capsys):
    (who,) = read_unknown_rows(overlooked)
    assert run_later(overlooked, "resolve", who, "--not-created") == 2
    printed = capsys.readouterr().err
    assert "may still exist" in printed
    assert "add --sure" in printed
    assert overlooked.go("run") == 3
    assert overlooked.service.list_duplicates() == {}
    words = ("--not-created", "--sure", "--why", "asked Li")
    assert run_later(overlooked, "resolve", who, *words) == 0, "a human's own word"
    assert run_later(overlooked, "explain", who) == 0
    assert "asked Li" in capsys.readouterr().out


def test_a_decision_counts_what_an_older_ledger_lacks(overlooked, capsys):
    """Another doctor's seal, made after the backup, is entered before SealId and decision are compared."""
    (who,) = read_unknown_rows(overlooked)
    assert run_later(overlooked, "ledger", "backup", str(overlooked.folder / "old")) == 0
    overlooked.doctors(4)
    assert run_later(overlooked, "run") == 3
    newest = overlooked.service.seals[-1]
    overlooked.lose_ledger()
    assert run_later(overlooked, "ledger", "restore", str(overlooked.folder / "old")) == 0
    sent = overlooked.creates()
    assert run_later(overlooked, "resolve", who, "--seal-id", newest.seal_id, "--sure") == 2
    assert newest.name.removesuffix("处方章") in capsys.readouterr().err
    assert run_later(overlooked, "run") == 3
    assert overlooked.creates() == sent


class SetAhead(SystemClock):
    """A machine whose clock was set eleven minutes ahead just after the run."""

    def now(self) -> float:
        return super().now() + 660


def test_a_clock_that_was_set_ahead_does_not_end_the_wait(overlooked, capsys):
    """The landed program believed it: the late copy came after the doctor had been sent again."""
    (who,) = read_unknown_rows(overlooked)
    assert run_later(overlooked, "resolve", who, "--not-created", "--sure", clock=SetAhead()) == 2
    assert "may still be carried out" in capsys.readouterr().err
    assert who in read_unknown_rows(overlooked)
    assert run_later(overlooked, "resolve", who, "--not-created", "--sure") == 0


class WrongClock(QuickClock):
    """A machine whose clock is so many seconds ahead of the service's."""

    def __init__(self, ahead: float) -> None:
        self.ahead = ahead

    def now(self) -> float:
        return super().now() + self.ahead


@pytest.mark.parametrize(("ahead", "later"), [(400, 400), (-400, 0)], ids=["ahead", "set right later"])
def test_a_wrong_clock_makes_no_late_copy_end_early(hospital_with, capsys, ahead, later):
    """The later of both clocks decides until when a copy counts, also where the service's cannot be asked."""
    rules = Rules(limiter="none", unique_names="off")
    hospital = hospital_with(rules=rules, faults=[fault("reset_after", nth=(2,))])
    hospital.doctors(3)
    began = WrongClock(later).now()
    assert hospital.run_to_end("run", clock=WrongClock(ahead)) == (3, {"sealed": 2, "unknown": 1})
    (who,) = read_unknown_rows(hospital)
    url = hospital.sandbox.url
    hospital.configure(endpoint="http://127.0.0.1:9")
    capsys.readouterr()
    decision = "resolve", who, "--not-created", "--sure"
    assert hospital.go(*decision, clock=WrongClock(later + 560)) == 2
    refusal = capsys.readouterr().err
    assert "may still be carried out" in refusal
    moment = re.search(r"\d{4}-\d\d-\d\d.\d\d:\d\d:\d\d", refusal)[0]
    assert datetime.fromisoformat(moment).timestamp() >= int(began) + 600
    hospital.configure(endpoint=url)
    hospital.service_clock.ahead = 640
    assert hospital.go(*decision, clock=WrongClock(later + 640)) == 0


def test_not_created_is_refused_while_the_time_of_the_service_is_unknown(overlooked, capsys):
    (who,) = read_unknown_rows(overlooked)
    overlooked.configure(endpoint="http://127.0.0.1:9")
    assert run_later(overlooked, "resolve", who, "--not-created", "--sure") == 2
    assert "service's time is not available" in capsys.readouterr().err
