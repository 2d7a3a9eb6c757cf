"""Guards: what stops a run, and what passes it."""

import json
import re
from datetime import UTC, datetime, time

import openpyxl
import pytest
from end_to_end.conftest import HEADERS
from people import make_row, name, number
from run_support import draw_seal
from wire_support import CREATE, fault, set_limits

from pipeline.clock import SystemClock
from pipeline.domain.run import Status
from pipeline.planning.guards import GuardLimits, RunGuards, compute_deadline
from pipeline.sending import circuit_breaker

REFUSED = {"code": "InvalidParameter.CardNumber"}


def guarded(hospital, **guards):
    """Write guards into the hospital's configuration."""
    path = hospital.folder / "config.yaml"
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("guards:")]
    path.write_text("\n".join([*lines, f"guards: {json.dumps(guards)}"]) + "\n", "utf-8")


def halted(hospital):
    return hospital.record()["halted"]["code"]


def test_twenty_refusals_of_one_kind_and_nothing_else_stop_the_run(hospital_with, capsys):
    hospital = hospital_with(faults=[{"match": {"action": CREATE}, "do": REFUSED}])
    hospital.doctors(32)
    assert hospital.go("run", "--yes") == 5, "--yes accepts no guard"
    assert halted(hospital) == "SAME_REFUSAL"
    assert hospital.creates() <= 20 + 8
    assert hospital.statuses()["not_sent"] >= 32 - 28
    stderr_text = capsys.readouterr().err
    assert "Find out what stopped the run first" in stderr_text
    assert "later" not in stderr_text


def test_accepted_guards_let_the_run_pass(hospital_with):
    hospital = hospital_with(faults=[{"match": {"action": CREATE}, "do": REFUSED}])
    hospital.doctors(22)
    assert hospital.run_to_end("run", "--accept-guards") == (3, {"failed": 22})


def test_one_success_among_the_first_is_enough_for_the_first_rule():
    watch = RunGuards()
    assert watch.count_outcome(Status.SEALED, None) is None
    assert all(watch.count_outcome(Status.FAILED, "A") is None for _ in range(98))
    assert watch.count_outcome(Status.FAILED, "A").code == "SAME_REFUSAL"  # 99 of the last 100


@pytest.mark.parametrize(("same", "stopped"), [(89, False), (90, True)])
def test_ninety_of_the_last_hundred(same, stopped):
    watch = RunGuards()
    halts = [watch.count_outcome(Status.SEALED, None) for _ in range(100 - same)]
    halts += [watch.count_outcome(Status.FAILED, "A") for _ in range(same)]
    assert any(halts) is stopped


def test_different_refusals_are_no_pattern():
    watch = RunGuards()
    assert not any(watch.count_outcome(Status.FAILED, "AB"[number % 2]) for number in range(300))


def test_more_than_twenty_unknown_rows_stop_the_run(hospital_with, monkeypatch):
    hospital = hospital_with(
        faults=[{"match": {"action": CREATE, "from": 2, "every": 2}, "do": "truncated_json"}]
    )
    hospital.doctors(20)
    guarded(hospital, unknown=3)
    monkeypatch.setattr(circuit_breaker, "GIVE_UP_SECONDS", 300.0)
    assert hospital.go("run") == 5
    assert halted(hospital) == "TOO_MANY_UNKNOWN"
    assert 4 <= hospital.statuses()["unknown"] <= 4 + 8


def test_attempts_found_open_at_the_start_do_not_count(hospital_with):
    hospital = hospital_with(faults=[fault("truncated_json", nth=(2, 4))])
    hospital.doctors(6)
    guarded(hospital, unknown=2)
    assert hospital.go("run") == 3
    assert hospital.go("run") == 3
    assert hospital.record()["halted"] is None


def test_new_rows_beyond_the_bound_stop_the_run_before_its_first_call(hospital):
    hospital.doctors(2)
    guarded(hospital, new_rows=3)
    assert hospital.go("run") == 0, "in a first run all rows are new"
    hospital.doctors(6)
    before = len(hospital.service.received)
    assert hospital.go("run") == 5
    assert halted(hospital) == "TOO_MANY_NEW"
    assert len(hospital.service.received) == before
    assert hospital.statuses() == {"unchanged": 2, "not_sent": 4}
    assert hospital.go("check") == 5, "a run that was stopped has not made them known"
    assert hospital.run_to_end("run", "--accept-guards") == (0, {"sealed": 4, "unchanged": 2})


def test_a_share_of_the_seals_may_be_more_than_the_bound(hospital):
    guarded(hospital, new_rows=1)
    hospital.seal_doctors(20, write=False)
    hospital.seal_doctors(24)


def test_a_row_that_an_earlier_run_has_seen_is_not_new(hospital):
    hospital.seal_doctors(2)
    hospital.doctors(6)
    for serial in range(3, 7):
        (hospital.folder / "seals" / f"{serial:05d}.png").rename(hospital.folder / f"{serial}.png")
    guarded(hospital, new_rows=3)
    assert hospital.run_to_end("run") == (3, {"unchanged": 2, "rejected": 4})
    for serial in range(3, 7):
        (hospital.folder / f"{serial}.png").rename(hospital.folder / "seals" / f"{serial:05d}.png")
    assert hospital.go("run") == 0


@pytest.mark.usefixtures("marked_copies_on")
@pytest.mark.parametrize("name_of_copy", ["roster.xlsx", "corrected.xlsx"])
def test_a_marked_copy_with_few_of_the_rows_stops_the_run(hospital, name_of_copy):
    """Also where its roster, which it replaces, lies in the same folder."""
    hospital.doctors(12)
    hospital.go("run", "--limit", "1")
    book = openpyxl.load_workbook(hospital.folder / "out" / "latest" / "rosters" / "roster.xlsx")
    book.active.delete_rows(5, 40)
    book.save(hospital.folder / "inbox" / name_of_copy)
    assert hospital.go("run") == 5
    assert halted(hospital) == "ROSTER_SHRUNK"
    if name_of_copy != "roster.xlsx":
        (report,) = [line for line in hospital.outcomes("files.jsonl") if line["file"] == "roster.xlsx"]
        assert "which has 3 rows where this file has 12" in report["notes"][0]


def test_a_roster_that_shrank_stops_the_run(hospital):
    hospital.seal_doctors(12, write=False)
    hospital.doctors(8)
    assert hospital.go("run") == 5
    assert halted(hospital) == "ROSTER_SHRUNK"
    assert hospital.go("check") == 5
    assert hospital.go("run", "--accept-guards") == 0
    assert hospital.go("check") == 0


CLOSED_PORT = "http://127.0.0.1:9"


def run_without_service(hospital):
    """Run while nothing listens: every row stays unsent."""
    hospital.configure(endpoint=CLOSED_PORT)
    assert hospital.go("run") == 5
    hospital.configure()
    assert hospital.creates() == 0 or set(hospital.statuses()) <= {"not_sent", "unchanged"}


@pytest.mark.parametrize("first", ["not sent", "accepted", "rejected", "checked", "other tenant"])
def test_a_ledger_without_a_create_knows_no_shrunken_roster(hospital, first):
    """Who tried the sample goes on with the own roster; a folder that held a roster is still missed."""
    hospital.doctors(12)
    if first == "rejected":
        for picture in (hospital.folder / "seals").iterdir():
            picture.unlink()
        assert hospital.go("run") == 3
    elif first == "checked":
        assert hospital.go("check") == 0
    elif first == "accepted":
        hospital.configure(endpoint=CLOSED_PORT)
        assert hospital.go("run", "--accept-guards") == 5
        hospital.configure()
    else:
        run_without_service(hospital)
    if first == "other tenant":
        hospital.organization = "org_of_another_hospital"
        hospital.configure()
        hospital.doctors(3)
        assert hospital.go("check") == 0
        return
    guarded(hospital, new_rows=3)
    roster = hospital.folder / "inbox" / "roster.xlsx"
    hidden = roster.rename(hospital.folder / "hidden.xlsx")
    assert hospital.go("check") == (0 if first == "checked" else 5)
    hidden.rename(roster)
    hospital.doctors(8, start=20)
    assert hospital.go("check") == 0, "neither ROSTER_SHRUNK nor TOO_MANY_NEW"
    assert hospital.run_to_end("run") == (0, {"sealed": 8})
    hospital.doctors(8, start=40)
    assert hospital.go("check") == 5
    assert halted(hospital) == "TOO_MANY_NEW"


@pytest.mark.parametrize("start", ["sealed", "adopted"])
def test_a_roster_is_compared_with_the_last_run_that_sent_or_had_nothing_to_send(hospital, start):
    hospital.doctors(3)
    if start == "sealed":
        assert hospital.go("run") == 0
    else:
        seals = [(*make_row(serial), f"yD{serial:030d}") for serial in range(1, 4)]
        hospital.roster(seals, headers=(*HEADERS, "SealId"), file="../old.xlsx")
        assert hospital.go("adopt", str(hospital.folder / "old.xlsx")) == 0
    hospital.doctors(20)
    run_without_service(hospital)
    hospital.doctors(3)
    assert hospital.run_to_end("run") == (0, {"unchanged": 3}), "the 20 were never sent"
    hospital.doctors(12)
    assert hospital.go("run", "--limit", "1") == 0
    assert hospital.statuses()["sealed"] == 1
    hospital.doctors(3)
    assert hospital.go("check") == 5, "a run with a limit has sent"
    hospital.doctors(12)
    assert hospital.go("run") == 0
    hospital.doctors(10)
    assert hospital.run_to_end("run") == (0, {"unchanged": 10})
    hospital.doctors(8)
    assert hospital.run_to_end("run") == (0, {"unchanged": 8}), "of the ten of a run without a change"
    hospital.doctors(5)
    assert hospital.go("check") == 0, "few"


@pytest.mark.parametrize("guard", ["ROSTER_SHRUNK", "TOO_MANY_NEW", "ROSTER_MISSING"])
def test_a_check_that_a_guard_stops_advises_no_run(hospital, capsys, guard):
    """One advice, which holds when it is typed."""
    hospital.seal_doctors(12, write=False)
    guarded(hospital, new_rows=3)
    hospital.doctors(16)
    if guard == "ROSTER_MISSING":
        (hospital.folder / "inbox" / "roster.xlsx").unlink()
    elif guard == "ROSTER_SHRUNK":
        hospital.roster([make_row(serial) for serial in (1, 2, 13)])
    for language in ("en", "zh"):
        capsys.readouterr()
        assert hospital.go("check", "--lang", language) == 5
        assert halted(hospital) == guard
        stderr_text = capsys.readouterr().err
        assert not re.search(r"passed the check|可以提交| run\n", stderr_text), stderr_text
        assert stderr_text.endswith(" check\n")
    hospital.doctors(12)
    assert hospital.go("check") == 0


def test_an_old_roster_next_to_the_new_one_is_no_second_crowd_and_gives_each_problem_once(hospital):
    """Guards count people: taking the old roster away again is no shrinking."""
    hospital.doctors(10)
    wrong = [
        (name(11), number(11)[:17], None, "00011", "内科"),
        (name(12), None, None, "00012", "内科"),
        (name(13), None, "15400000013", None, "内科"),
    ]
    for serial in (11, 12):
        draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", serial)
    draw_seal(hospital.folder / "seals" / f"{name(13)}.png", 13)
    rows = [make_row(serial) for serial in range(1, 11)]
    hospital.roster([*rows, *wrong])
    assert hospital.go("run") == 3
    hospital.roster([*rows[2:], *wrong], file="roster-new.xlsx")
    assert hospital.go("run") == 3
    codes_by_line = {
        (row["file"], row["row"]): set(row["codes"]) - {"ID_TYPE_INFERRED"} for row in hospital.outcomes()
    }
    faults = [{"ID_LENGTH", "MOBILE_MISSING"}, {"ID_MISSING", "MOBILE_MISSING"}, {"ID_MISSING"}]
    for index, codes in enumerate(faults):
        first, second = sorted([("roster.xlsx", 12 + index), ("roster-new.xlsx", 10 + index)])
        assert codes_by_line[first] == codes
        assert codes_by_line[second] == {"ROW_DUPLICATE"} | (codes & {"MOBILE_MISSING"})
    (hospital.folder / "inbox" / "roster.xlsx").unlink()
    assert hospital.go("run") == 3
    assert hospital.record()["halted"] is None


def test_people_whose_rows_were_all_written_anew_are_not_new(hospital):
    hospital.seal_doctors(2)
    rows = [make_row(serial) for serial in range(1, 7)]
    hospital.roster(rows)
    guarded(hospital, new_rows=3)
    assert hospital.go("run") == 3, "without pictures"
    for serial in range(3, 7):
        draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", serial)
    hospital.roster([(*row[:4], "外科") for row in rows])
    assert hospital.run_to_end("run") == (0, {"sealed": 4, "unchanged": 2})


@pytest.mark.parametrize("guard", ["ROSTER_SHRUNK", "TOO_MANY_NEW"])
def test_after_a_guard_the_roster_is_looked_at_and_no_command_overrides_it(hospital, capsys, guard):
    """A plain run of the same roster would be stopped again, so "run again later" leads nowhere."""
    shrinks = guard == "ROSTER_SHRUNK"
    hospital.seal_doctors(12 if shrinks else 1, write=False)
    hospital.doctors(8)
    guarded(hospital, new_rows=3)
    capsys.readouterr()
    assert hospital.go("run", str(hospital.folder / "inbox")) == 5
    assert halted(hospital) == guard
    stderr_text = capsys.readouterr().err
    assert stderr_text.endswith(f" run {hospital.folder / 'inbox'}\n")
    assert "run once with --accept-guards" in stderr_text, "the reason of the stop names it"
    assert "Check whether the roster is complete" in stderr_text
    assert "later" not in stderr_text


def test_a_roster_that_cannot_be_read_is_no_shrunken_one(hospital):
    hospital.doctors(12)
    hospital.seal_doctors(1, write=False, start=20, file="b.xlsx")
    (hospital.folder / "inbox" / "roster.xlsx").write_bytes(b"PK\x03\x04broken")
    assert hospital.go("run") == 7


def test_a_retry_is_not_judged_by_what_is_gone(hospital_with):
    hospital = hospital_with(faults=[fault(REFUSED, nth=(2,))])
    hospital.doctors(10)
    assert hospital.go("run") == 3
    hospital.doctors(3)
    assert hospital.go("retry") == 0


def test_the_deadline_is_the_next_one():
    now = datetime.now(UTC).astimezone()
    assert compute_deadline(GuardLimits(deadline=time(6)), now.replace(hour=5, minute=0)).hour == 6
    assert compute_deadline(GuardLimits(deadline=time(6)), now.replace(hour=6, minute=0)) > now.replace(
        hour=6, minute=0
    )
    assert compute_deadline(GuardLimits(), now) is None


class Morning(SystemClock):
    """The machine's clock set to ten to six, and to six once ten seals are made, for service and program alike."""

    def __init__(self):
        now = datetime.now(UTC).astimezone()
        self.away = (now.replace(hour=5, minute=50, second=0, microsecond=0) - now).total_seconds()
        self.seals = []

    def now(self):
        return super().now() + self.away + (600 if len(self.seals) >= 10 else 0)

    async def sleep(self, seconds):
        await super().sleep(min(seconds, 0.01))


def test_at_the_deadline_the_rest_waits_and_goes_first_the_next_run(hospital_with):
    clock = Morning()
    hospital = hospital_with(clock=clock)
    clock.seals = hospital.service.seals
    hospital.doctors(30)
    set_limits(hospital, 50, 1)
    guarded(hospital, deadline="06:00")
    assert hospital.go("run", clock=clock) == 5
    assert halted(hospital) == "DEADLINE"
    waiting = [outcome["name"] for outcome in hospital.outcomes() if outcome["status"] == "not_sent"]
    assert 10 < len(waiting) < 30
    hospital.doctors(3, start=31, file="a.xlsx")  # newcomers whose file is read first
    set_limits(hospital, 1000, 1)
    before = len(hospital.service.seals)
    assert hospital.go("run", clock=clock) == 0
    made = [seal.name for seal in hospital.service.seals[before:]]
    assert len(made) == len(waiting) + 3
    # uploads overtake each other where the two meet, so the last places are not looked at
    assert set(made[: len(waiting) - 3]) <= set(waiting)


def test_the_attempt_budget_is_refilled_by_successes():
    watch = RunGuards()
    for _ in range(50):
        assert watch.count_resend("transport") is None
        for _ in range(14):
            watch.count_outcome(Status.SEALED, None)
    halts = [watch.count_resend("throttle") for _ in range(41)]
    assert halts[-1].code == "ATTEMPT_BUDGET"
    assert not any(halts[:-1])
