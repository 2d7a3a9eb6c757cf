"""A roster folder that is empty or gone: nothing to do before a run has read a roster there, exit 5 afterwards."""

import json
import shutil
import sqlite3
from contextlib import closing

import openpyxl
import people
import pytest

import pipeline

HR = "hr.xlsx"
ANSWERED = "ChannelCreatePreparedPersonalEsign: answered"


def halted(hospital) -> dict:
    return json.loads((hospital.runs[-1] / "run.json").read_text("utf-8"))["halted"]


def halt_of(state: str, *folders) -> dict:
    """Return why a run stops whose roster folders are missing or empty."""
    text = ", ".join(map(str, folders))
    return {"code": "ROSTER_MISSING", "message": text, state: text}


def empty(inbox, *, gone: bool) -> None:
    if inbox.exists():
        for file in inbox.iterdir():
            file.unlink()
    if gone and inbox.exists():
        inbox.rmdir()


def test_an_inbox_that_never_held_a_roster_is_nothing_to_do(hospital):
    assert hospital.go("run") == 0
    (hospital.folder / "inbox").mkdir()
    assert hospital.go("run") == 0
    assert pipeline.run(hospital.folder / "config.yaml").exit == 0


def test_an_inbox_that_held_a_roster_stops_the_run(hospital, capsys):
    hospital.seal_doctors(1)
    results = (hospital.folder / "out" / "latest" / "results.xlsx").read_bytes()
    inbox = hospital.folder / "inbox"
    for gone, command in ((False, "check"), (False, "run"), (True, "check"), (True, "run")):
        empty(inbox, gone=gone)
        capsys.readouterr()
        assert hospital.go(command) == 5
        printed = "".join(capsys.readouterr())
        assert f"there is no roster {'folder' if gone else 'in'} {inbox}, but earlier runs" in printed
        assert "shared folder" in printed
        assert printed.endswith(f" {command}\n")
        assert halted(hospital) == halt_of("missing" if gone else "empty", inbox)
        assert (hospital.folder / "out" / "latest" / "results.xlsx").read_bytes() == results
        if command == "check":
            continue
        assert hospital.go("status") == 0
        printed = "".join(capsys.readouterr())
        assert f"run {hospital.runs[-1].name}" in printed
        assert f"there is no roster {'folder' if gone else 'in'} {inbox}, but earlier runs" in printed
        assert printed.endswith(" run\n")
        assert hospital.go("status", "--lang", "zh") == 0
        assert f"{inbox} {'不存在' if gone else '里没有名单'}，而以前的运行" in "".join(capsys.readouterr())
        hospital.go("--json", "status")
        assert json.loads(capsys.readouterr().out)["last_run"]["halted"]["code"] == "ROSTER_MISSING"
        assert pipeline.run(hospital.folder / "config.yaml").exit == 5
    assert hospital.go("run", "--accept-guards") == 0


def test_the_runs_around_a_missing_roster_go_on_as_if_it_had_not_been(hospital):
    """Neither the number of rows to compare with nor the rows to retry are those of the run without a roster."""
    hospital.doctors(12)
    (hospital.folder / "seals" / "00012.png").rename(hospital.folder / "12.png")
    assert hospital.go("run") == 3
    roster = hospital.folder / "inbox" / "roster.xlsx"
    roster.rename(hospital.folder / "roster.xlsx")
    assert hospital.go("run") == 5
    (hospital.folder / "roster.xlsx").rename(roster)
    (hospital.folder / "12.png").rename(hospital.folder / "seals" / "00012.png")
    assert hospital.go("retry") == 0
    assert hospital.creates() == 12
    hospital.doctors(8)
    assert hospital.go("run") == 5
    assert halted(hospital)["code"] == "ROSTER_SHRUNK"


def add_empty_folder(hospital):
    """Give the hospital a second roster folder, which holds no roster; return it."""
    extra = hospital.folder / "extra"
    extra.mkdir()
    config = hospital.folder / "config.yaml"
    config.write_text(config.read_text("utf-8") + "roster: [inbox, extra]\n", "utf-8")
    return extra


def test_one_of_two_folders_that_is_empty_stops_the_run_only_if_it_held_a_roster(hospital):
    hospital.doctors(1)
    add_empty_folder(hospital)
    assert hospital.go("run") == 0
    assert hospital.go("run") == 0
    empty(hospital.folder / "inbox", gone=False)
    assert hospital.go("run") == 5
    assert halted(hospital) == halt_of("empty", hospital.folder / "inbox")


def ask_ledger(hospital, statement: str) -> list[tuple]:
    path = hospital.folder / "state" / "ledger.sqlite3"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as ledger, ledger:
        return ledger.execute(statement).fetchall()


COMMITTED = [("ledger: after the commit", count) for count in (1, 2)]


@pytest.mark.parametrize(
    ("content", "positions"),
    [("doctors", [*COMMITTED, (ANSWERED, 1)]), ("nothing that can be read", COMMITTED)],
    ids=["read", "refused"],
)
def test_a_killed_run_counts_for_the_folder_alone_that_it_read(hospital, zygote, content, positions):
    hospital.doctors(1)
    roster = hospital.folder / "inbox" / "roster.xlsx"
    if content != "doctors":
        roster.write_bytes(b"PK")
    add_empty_folder(hospital)
    entered = 0
    for point, count in positions:
        assert zygote.run(hospital, **{"name": point, "pass": count})["signal"] == 9
        is_entered = bool(ask_ledger(hospital, "SELECT 1 FROM run"))
        entered += is_entered
        hidden = roster.rename(hospital.folder / "roster.xlsx")
        assert hospital.go("run") == (5 if is_entered else 0), count
        if is_entered:
            assert halted(hospital) == halt_of("empty", roster.parent), count
        hidden.rename(roster)
        assert hospital.go("run") != 5, count
        assert hospital.go("check") != 5, count
        hospital.forget_ledger()
        shutil.rmtree(hospital.folder / "out")
        hospital.service.reset()
    assert entered > 0, positions


def test_a_retry_counts_for_no_folder_that_was_empty(hospital):
    hospital.doctors(1)
    add_empty_folder(hospital)
    assert hospital.go("run") == 0
    assert hospital.go("retry") == 0
    assert hospital.go("run") == 0
    empty(hospital.folder / "inbox", gone=False)
    assert hospital.go("run") == 5
    assert halted(hospital) == halt_of("empty", hospital.folder / "inbox")


def break_roster(hospital, kind: str) -> None:
    """Run while the second folder's roster is gone, is no workbook, or holds no line under its titles."""
    roster = hospital.folder / "extra" / HR
    if kind == "gone":
        roster.unlink()
    else:
        roster.write_bytes(b"")
    assert hospital.go("run") == (5 if kind == "gone" else 7)


def test_after_broken_rosters_one_without_rows_stops_the_run(hospital):
    """They are compared with the last run that read every roster, until a run without these doctors is accepted."""
    extra = add_empty_folder(hospital)
    hospital.doctors(12)
    (hospital.folder / "inbox" / "roster.xlsx").rename(extra / HR)
    hospital.seal_doctors(4, start=20)
    hospital.roster([], file="../empty.xlsx")
    for kind in ("refused", "gone", "refused"):
        break_roster(hospital, kind)
        shutil.copy(hospital.folder / "empty.xlsx", extra / HR)
        assert hospital.go("run") == 5
        assert halted(hospital) == {"code": "ROSTER_SHRUNK", "message": "16 → 4"}
    assert hospital.go("run", "--accept-guards") == 0
    assert hospital.go("run") == 0
    hospital.doctors(3, start=20)
    assert hospital.go("run") == 0, "one of four may have left"


def test_a_roster_that_was_never_read_leaves_the_other_one_its_guard(hospital):
    hospital.doctors(2)
    other = hospital.folder / "inbox" / HR
    other.write_bytes(b"")
    assert hospital.go("run") == 7
    assert hospital.go("export", "--leavers") == 2, "whose doctors the other one holds is not known"
    other.unlink()
    hospital.roster([])
    assert hospital.go("run") == 5
    assert halted(hospital) == {"code": "ROSTER_SHRUNK", "message": "2 → 0"}
    hospital.doctors(2)
    assert hospital.go("run") == 0


@pytest.fixture
def two_rosters(scene):
    """Two doctors of the first folder and one of the second are sealed."""

    def play(hospital):
        extra = add_empty_folder(hospital)
        hospital.doctors(1, start=20)
        (hospital.folder / "inbox" / "roster.xlsx").rename(extra / HR)
        hospital.seal_doctors(2)

    return scene(play)


def test_while_one_roster_is_refused_the_other_one_keeps_its_guard(two_rosters):
    """The rows of the refused file have not gone away."""
    hospital = two_rosters
    (hospital.folder / "extra" / HR).write_bytes(b"")
    for _ in range(2):
        assert hospital.go("run") == 7
    hospital.roster([])
    assert hospital.go("run") == 5
    assert halted(hospital) == {"code": "ROSTER_SHRUNK", "message": "2 → 0"}
    assert hospital.go("run", "--accept-guards") == 7
    assert hospital.go("run") == 7


def test_a_refused_file_of_another_name_may_hold_the_doctors_who_are_missing(two_rosters):
    hospital = two_rosters
    roster = hospital.folder / "inbox" / "roster.xlsx"
    roster.rename(roster.with_name("new.xlsx")).write_bytes(b"")
    assert hospital.go("run") == 7


def test_a_smaller_roster_of_which_a_sheet_is_never_read_is_accepted_once(hospital):
    hospital.seal_doctors(10)
    hospital.doctors(4)
    roster = hospital.folder / "inbox" / "roster.xlsx"
    book = openpyxl.load_workbook(roster)
    book.create_sheet("B").append(people.make_row(5))
    book.save(roster)
    assert hospital.go("check") == 5
    assert hospital.go("run", "--accept-guards") == 7
    assert hospital.go("check") == 7


def test_a_run_without_one_roster_makes_the_rows_of_the_others_known_to_no_guard(hospital, capsys):
    """Nor is a doctor a leaver whose roster was not there."""
    extra = add_empty_folder(hospital)
    hospital.doctors(2, start=50)
    (hospital.folder / "inbox" / "roster.xlsx").rename(extra / HR)
    hospital.seal_doctors(2)
    config = hospital.folder / "config.yaml"
    config.write_text(config.read_text("utf-8") + "guards: {new_rows: 3}\n", "utf-8")
    hospital.doctors(6)
    hidden = (extra / HR).rename(hospital.folder / HR)
    assert hospital.go("run") == 5
    assert halted(hospital)["code"] == "ROSTER_MISSING"
    capsys.readouterr()
    assert hospital.go("export", "--leavers") == 3
    assert "ROSTER_MISSING" in capsys.readouterr().err
    hidden.rename(extra / HR)
    assert hospital.go("run") == 5
    assert halted(hospital) == {"code": "TOO_MANY_NEW", "message": "4 > 3"}
    assert hospital.run_to_end("run", "--accept-guards") == (0, {"sealed": 4, "unchanged": 4})


def test_a_configured_folder_that_is_gone_is_a_wrong_path_until_a_run_has_read_a_roster_there(
    hospital, capsys
):
    hospital.doctors(1)
    extra = add_empty_folder(hospital)
    extra.rmdir()
    assert hospital.go("run") == 2
    assert f"{extra} (roster in the configuration) does not exist" in capsys.readouterr().err
    extra.mkdir()
    hospital.doctors(1)
    (hospital.folder / "inbox" / "roster.xlsx").rename(extra / "roster.xlsx")
    hospital.doctors(1, start=2)
    assert hospital.go("run") == 0
    hidden = extra.rename(hospital.folder / "hidden")
    for command in ("run", "check"):
        assert hospital.go(command) == 5
        assert halted(hospital) == halt_of("missing", extra)
    assert pipeline.run(hospital.folder / "config.yaml").exit == 5
    assert pipeline.check(hospital.folder / "config.yaml").exit == 5
    shutil.rmtree(hospital.folder / "inbox")
    capsys.readouterr()
    assert hospital.go("run") == 5
    inbox = hospital.folder / "inbox"
    assert halted(hospital) == halt_of("missing", inbox, extra)
    assert f"there is no roster folder {inbox}, {extra}, but" in " ".join(capsys.readouterr().err.split())
    assert hospital.creates() == 2
    hidden.rename(extra)
    hospital.doctors(1, start=2)
    assert hospital.go("run") == 0
    assert hospital.creates() == 2


def move(hospital):
    """Move the hospital's folder, with its rosters, pictures, ledger and results."""
    hospital.folder = hospital.folder.rename(f"{hospital.folder}-moved")
    hospital.configure()


@pytest.mark.parametrize("folders", [1, 2])
def test_a_folder_that_was_moved_keeps_its_guards(hospital, capsys, folders):
    hospital.doctors(1)
    if folders == 2:
        add_empty_folder(hospital)
    assert hospital.go("run") == 0
    move(hospital)
    if folders == 2:
        config = hospital.folder / "config.yaml"
        config.write_text(config.read_text("utf-8") + "roster: [inbox, extra]\n", "utf-8")
    capsys.readouterr()
    assert hospital.go("check") == 0
    assert "The rosters are as in run" in capsys.readouterr().err
    hospital.roster([])
    assert hospital.go("check") == 5
    assert halted(hospital) == {"code": "ROSTER_SHRUNK", "message": "1 → 0"}
    inbox = hospital.folder / "inbox"
    for gone in (False, True):
        empty(inbox, gone=gone)
        assert hospital.go("check") == 5
        assert halted(hospital) == halt_of("missing" if gone else "empty", inbox)
    assert hospital.go("run") == 5


def test_after_a_move_the_rows_of_a_refused_roster_have_not_gone_away(two_rosters):
    hospital = two_rosters
    move(hospital)
    config = hospital.folder / "config.yaml"
    config.write_text(config.read_text("utf-8") + "roster: [inbox, extra]\n", "utf-8")
    (hospital.folder / "extra" / HR).write_bytes(b"")
    hospital.roster([])
    assert hospital.go("run") == 5
    assert halted(hospital) == {"code": "ROSTER_SHRUNK", "message": "2 → 0"}
