"""Not finding a seal proves nothing, and no wall clock ends the wait for a late copy."""

import re
from datetime import datetime

import openpyxl
import pytest
from resolution_support import LaterClock, read_unknown_rows, run_later
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


def sealed(hospital) -> str:
    return next(row["name"] for row in hospital.outcomes() if row["seal_id"])


def test_a_seal_that_was_not_found_is_not_taken_for_not_created(overlooked, capsys):
    (who,) = read_unknown_rows(overlooked)
    assert run_later(overlooked, "resolve", who, "--not-created") == 2
    assert "may still exist" in capsys.readouterr().err
    assert overlooked.go("run") == 3
    assert overlooked.service.list_duplicates() == {}
    assert run_later(overlooked, "resolve", who, "--not-created", "--sure") == 0, "a human's own word"
    assert run_later(overlooked, "explain", who) == 0
    assert "another source" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--console", "--audit-log"])
def test_a_place_that_was_seen_to_show_a_seal_counts(overlooked, option, capsys):
    (who,) = read_unknown_rows(overlooked)
    assert run_later(overlooked, "certify", sealed(overlooked), option, "shown", "--why", "seen by Li") == 0
    assert run_later(overlooked, "explain", sealed(overlooked)) == 0
    stdout_text, stderr_text = capsys.readouterr()
    assert "shows seal" in stdout_text
    assert "seen by Li" in stdout_text
    assert "not finding a seal there is enough" in stderr_text
    other = {"--console": "audit log", "--audit-log": "console"}[option]
    assert other not in stderr_text, "only the place that was seen to show a seal counts"
    assert run_later(overlooked, "resolve", who, "--not-created") == 0


def test_the_last_record_of_a_place_counts_until_it_expires(overlooked):
    class MuchLater(LaterClock):
        passed = 91 * 86_400.0

    (who,) = read_unknown_rows(overlooked)
    assert run_later(overlooked, "certify", sealed(overlooked), "--console", "shown") == 0
    assert run_later(overlooked, "resolve", who, "--not-created", clock=MuchLater()) == 2
    assert run_later(overlooked, "certify", sealed(overlooked), "--console", "not-shown") == 3
    assert run_later(overlooked, "resolve", who, "--not-created") == 2
    sent = overlooked.creates()
    assert overlooked.go("run") == 3
    assert overlooked.creates() == sent


def test_the_auto_sign_query_is_recorded_and_never_refutes(overlooked, capsys):
    (who,) = read_unknown_rows(overlooked)
    assert run_later(overlooked, "certify", sealed(overlooked), "--auto-sign") == 2, (
        "this doctor has not opened it"
    )
    seal = next(seal for seal in overlooked.service.seals if seal.name == sealed(overlooked))
    overlooked.service.open_auto_sign(seal)
    capsys.readouterr()
    assert run_later(overlooked, "certify", sealed(overlooked), "--auto-sign") == 0
    assert "is no reason for --not-created" in capsys.readouterr().err
    assert run_later(overlooked, "explain", sealed(overlooked)) == 0
    assert "auto-sign query shows seal" in capsys.readouterr().out
    assert run_later(overlooked, "resolve", who, "--not-created") == 2
    overlooked.service.auto_sign.open(seal.person, "yD" + "0" * 30, overlooked.service_clock.now())
    assert run_later(overlooked, "certify", sealed(overlooked), "--auto-sign") == 3
    overlooked.service.auto_sign.open(seal.person, "", overlooked.service_clock.now())
    assert run_later(overlooked, "certify", sealed(overlooked), "--auto-sign") == 3


def test_an_open_auto_sign_without_a_seal_is_reported_as_that(overlooked, capsys):
    (who,) = read_unknown_rows(overlooked)
    seal = next(seal for seal in overlooked.service.seals if seal.name == who)
    overlooked.service.auto_sign.open(seal.person, "", overlooked.service_clock.now())
    assert run_later(overlooked, "resolve", who, "--look-up") == 3
    stderr_text = capsys.readouterr().err
    assert "no seal is set" in stderr_text
    assert "IsOpen" not in stderr_text
    overlooked.service.auto_sign.open(seal.person, "  ", overlooked.service_clock.now())
    assert run_later(overlooked, "resolve", who, "--look-up") == 3, "no SealId"


def test_a_seal_made_by_hand_certifies_no_place(overlooked):
    who = sealed(overlooked)
    (overlooked.folder / "state").rename(overlooked.folder / "old state")
    (overlooked.folder / "out").rename(overlooked.folder / "old out")
    book = openpyxl.Workbook()
    serial = next(seal for seal in overlooked.service.seals if seal.name == who)
    for line in (("姓名", "身份证号", "印章ID"), (who, serial.number, serial.seal_id)):
        book.active.append(line)
    book.save(overlooked.folder / "old.xlsx")
    assert run_later(overlooked, "adopt", str(overlooked.folder / "old.xlsx")) == 0
    assert run_later(overlooked, "certify", who, "--console", "shown") == 2


def test_certify_accepts_one_place_at_a_time(overlooked):
    for options in (("--console", "shown", "--auto-sign"), ("--console", "perhaps")):
        assert run_later(overlooked, "certify", sealed(overlooked), *options) == 2


class SetAhead(SystemClock):
    """A machine whose clock was set seven minutes ahead just after the run."""

    def now(self) -> float:
        return super().now() + 420


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
    assert hospital.go(*decision, clock=WrongClock(later + 300)) == 2
    refusal = capsys.readouterr().err
    assert "may still be carried out" in refusal
    moment = re.search(r"\d{4}-\d\d-\d\d.\d\d:\d\d:\d\d", refusal)[0]
    assert datetime.fromisoformat(moment).timestamp() >= int(began) + 360
    hospital.configure(endpoint=url)
    hospital.service_clock.ahead = 400
    assert hospital.go(*decision, clock=WrongClock(later + 400)) == 0


def test_not_created_is_refused_while_the_time_of_the_service_is_unknown(overlooked, capsys):
    (who,) = read_unknown_rows(overlooked)
    overlooked.configure(endpoint="http://127.0.0.1:9")
    assert run_later(overlooked, "resolve", who, "--not-created", "--sure") == 2
    assert "service's time is not available" in capsys.readouterr().err
