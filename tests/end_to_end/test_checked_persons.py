"""Who stood in a ready row of a check bears name and staff number: a later doctor of the same gets no picture by them."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing

import pytest
from people import make_row, name, number
from run_support import draw_seal
from wire_support import fault

from pipeline.clock import SystemClock
from pipeline.config.settings import Config
from pipeline.ledger import lock
from pipeline.ledger.places import get_state_folder
from pipeline.workflow.tenant_ledger import lock_ledger

FIRST, OTHER, PICTURE = 1, 7, 901  # two persons and a picture, by serial
ROWS = {
    "a namesake after one who left": make_row(OTHER, name=name(FIRST)),
    "another one with the staff number": make_row(OTHER, staff_no="00001"),
}
FILES = {"a namesake after one who left": f"{name(FIRST)}.png"}


def list_first(hospital, *, file="roster.xlsx"):
    """Write a roster with the first doctor, whose picture is found by name and by staff number."""
    hospital.roster([make_row(FIRST)], file=file)


def write_picture(hospital, file):
    draw_seal(hospital.folder / "seals" / file, PICTURE)


def get_end(hospital):
    (row,) = hospital.outcomes()
    return row["status"], row["codes"]


def count_bearers(hospital):
    with closing(sqlite3.connect(hospital.folder / "state" / "ledger.sqlite3")) as connection:
        return connection.execute("SELECT count(*) FROM bearer").fetchone()[0]


def list_left_files():
    return list(get_state_folder().rglob("left-*"))


def load_config(hospital):
    return Config.load(hospital.folder / "config.yaml", environment={})


@pytest.fixture
def checked(hospital):
    """A hospital whose first check has shown a doctor and the picture."""

    def check(file, *, roster="roster.xlsx"):
        list_first(hospital, file=roster)
        write_picture(hospital, file)
        assert hospital.go("check") == 0
        return hospital

    return check


@pytest.mark.parametrize("case", ["a namesake after one who left", "another one with the staff number"])
@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_a_picture_that_a_check_showed_is_not_another_ones(checked, case, kind):
    hospital = checked(FILES.get(case, "00001.png"))
    if kind == "csv":
        (hospital.folder / "inbox" / "roster.xlsx").unlink()
        header = "姓名,证件号码,手机号,工号,科室\n"
        (hospital.folder / "inbox" / "roster.csv").write_text(header + ",".join(ROWS[case]) + "\n", "utf-8")
    else:
        hospital.roster([ROWS[case]])
    for command in ("check", "run"):
        hospital.go(command, *(["--yes"] if command == "run" else []))
    assert get_end(hospital) == ("rejected", ["IMAGE_AMBIGUOUS"])
    assert hospital.service.seals == []


def test_the_reason_names_the_doctor_and_the_check(checked, capsys):
    hospital = checked(f"{name(FIRST)}.png")
    run = hospital.newest.name
    hospital.roster([ROWS["a namesake after one who left"]])
    hospital.go("run", "--yes")
    (problem,) = hospital.outcomes()[0]["problems"]
    for word in (name(FIRST), "roster.xlsx", run):
        assert word in problem["message"], word


def test_a_ledger_that_runs_have_used_learns_from_checks_as_well(hospital):
    hospital.seal_doctors(1, start=20)
    hospital.roster([make_row(20), make_row(FIRST)])
    write_picture(hospital, f"{name(FIRST)}.png")
    assert hospital.go("check") == 0
    hospital.roster([make_row(20), ROWS["a namesake after one who left"]])
    hospital.go("run", "--yes")
    ends = {row["name"]: (row["status"], row["codes"]) for row in hospital.outcomes()}
    assert ends[name(FIRST)] == ("rejected", ["IMAGE_AMBIGUOUS"])
    assert [seal.number for seal in hospital.service.seals] == [number(20)]


@pytest.mark.parametrize(
    "changes",
    [
        {"number": number(OTHER)},  # staff number and mobile stay
        {"number": number(OTHER), "mobile": "15400009999"},
        {"number": number(OTHER), "staff_no": "00009"},
        {"name": name(OTHER)},
        {"staff_no": "00009"},
        {"department": "外科"},
    ],
)
def test_a_row_that_is_corrected_between_checks_is_the_same_doctor(checked, changes):
    file = "00001.png" if "name" in changes else f"{name(FIRST)}.png"
    hospital = checked(file)
    hospital.roster([make_row(FIRST, **changes)])
    assert hospital.go("check") == 0
    assert hospital.go("run", "--yes") == 0
    assert [row["status"] for row in hospital.outcomes()] == ["sealed"]


@pytest.mark.parametrize(("changes", "is_same"), [({}, True), ({"mobile": "15400009999"}, False)])
def test_a_staff_number_is_no_sign_of_a_correction_after_a_create(hospital_with, changes, is_same):
    """The service refused the first number, with which the picture was sent: only the mobile shows a correction then."""
    refusal = {"code": {"code": "InvalidParameter.CardNumber", "message": "证件号码错误"}}
    hospital = hospital_with(faults=[fault(refusal, nth=(1,))])
    list_first(hospital)
    write_picture(hospital, f"{name(FIRST)}.png")
    assert hospital.go("run", "--yes") == 3
    hospital.roster([make_row(FIRST, number=number(OTHER), **changes)])
    hospital.go("run", "--yes")
    assert get_end(hospital) == (("sealed", []) if is_same else ("rejected", ["IMAGE_AMBIGUOUS"]))


def test_a_row_that_is_not_ready_shows_no_person(hospital):
    list_first(hospital)
    assert hospital.go("check") == 3  # no picture
    assert count_bearers(hospital) == 0


def test_the_same_check_again_enters_nothing(checked):
    hospital = checked("00001.png")
    assert count_bearers(hospital) == 1
    assert hospital.go("check") == 0
    assert count_bearers(hospital) == 1


def test_what_a_check_saw_while_a_run_held_the_ledger_is_entered_by_the_next_opening(hospital, capsys):
    """The ledger is not called lost or behind for it."""
    hospital.seal_doctors(1, start=20)
    config = load_config(hospital)
    hospital.roster([make_row(20), make_row(FIRST)])
    write_picture(hospital, f"{name(FIRST)}.png")
    with lock_ledger(config, "20260101-000000-001", SystemClock()):
        before = count_bearers(hospital)
        assert hospital.go("check") == 0
        assert count_bearers(hospital) == before
        assert hospital.go("status") == 0
    assert len(list_left_files()) == 1
    hospital.roster([make_row(20), ROWS["a namesake after one who left"]])
    hospital.go("run", "--yes")
    ends = {row["name"]: (row["status"], row["codes"]) for row in hospital.outcomes()}
    assert ends[name(FIRST)] == ("rejected", ["IMAGE_AMBIGUOUS"])
    assert list_left_files() == []
    assert "journals" not in capsys.readouterr().err


def test_a_check_that_can_enter_nothing_warns_and_is_complete(checked, capsys):
    hospital = checked("00001.png")
    (hospital.folder / "out" / ".ledger").rename(hospital.folder / "kept")
    (hospital.folder / "out" / ".ledger").write_text("no folder", "utf-8")
    hospital.roster([make_row(2)])
    draw_seal(hospital.folder / "seals" / "00002.png", 2)
    capsys.readouterr()
    assert hospital.go("check") == 0
    assert "could not be entered" in capsys.readouterr().err
    assert [row["status"] for row in hospital.outcomes("plan.jsonl")] == ["ready"]


def test_brief_work_on_the_ledger_is_waited_for(checked, monkeypatch):
    hospital = checked("00001.png")
    with ExitStack() as held:
        held.enter_context(lock_ledger(load_config(hospital), "resolve", SystemClock()))
        monkeypatch.setattr(
            lock, "pause", lambda seconds: held.close() if seconds == lock.BETWEEN_TRIES else None
        )
        assert hospital.go("run", "--yes") == 0
    with lock_ledger(load_config(hospital), "20260101-000000-001", SystemClock()):
        assert hospital.go("run", "--yes") == 6
