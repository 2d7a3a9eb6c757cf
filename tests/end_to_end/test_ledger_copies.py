"""Copied, older and second ledgers: each enters what the journals hold, and no doctor is created twice.

The judge is the sandbox: how many seals it made for each identity number.
"""

import os
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest
from run_support import wait_until

from pipeline.sandbox.actions import Rules

# a service that lets a second seal of one name pass: nothing but the ledger prevents it
RULES = Rules(limiter="none", unique_names="off")
SIDE_FILES = ("ledger.sqlite3-wal", "ledger.sqlite3-shm")
PARTS = ("ledger.sqlite3", "ledger.sqlite3.key")
LOSSES = ["nothing", "the results", "the user's state"]


@pytest.fixture
def hospital(hospital_with):
    return hospital_with(rules=RULES)


def count_second_seals(hospital) -> int:
    made = Counter(seal.number for seal in hospital.service.seals)
    return sum(count - 1 for count in made.values())


def lose(hospital, what: str) -> None:
    match what:
        case "the results":
            shutil.rmtree(hospital.folder / "out")
        case "the user's state":
            shutil.rmtree(os.environ["XDG_STATE_HOME"])


def start_slow_run(hospital, zygote, *, doctors: int, seals: int, rate: int):
    """Start a run in a process of its own; return it once the service has made so many seals."""
    hospital.doctors(doctors)
    limits = {"REQUESTS_PER_SECOND": str(rate), "CONCURRENCY": "4"}
    settings = {f"ESIGN_IMPORT_LIMITS__{name}": value for name, value in limits.items()}
    process = zygote.start(hospital, "run", "--yes", **settings)
    wait_until(lambda: len(hospital.service.seals) >= seals)
    return process


def require_known(hospital) -> None:
    """Require that the results show each seal of the service, or hold its doctor as unknown."""
    rows = hospital.outcomes()
    seal_ids = {row["seal_id"] for row in rows}
    held = {row["name"] for row in rows if row["status"] == "unknown"}
    assert all(seal.seal_id in seal_ids or seal.name in held for seal in hospital.service.seals)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_copy_without_its_wal_is_completed(hospital, zygote, loss):
    """kill -9 in a run, then the three files were copied and the write-ahead log was not."""
    start_slow_run(hospital, zygote, doctors=12, seals=5, rate=40).kill()
    for name in SIDE_FILES:
        (hospital.folder / "state" / name).unlink(missing_ok=True)
    lose(hospital, loss)
    assert hospital.go("run") in {0, 3}
    assert count_second_seals(hospital) == 0
    require_known(hospital)


@pytest.fixture
def two_runs(scene):
    """A hospital that ran over one doctor, kept a copy of the state folder, `older`, and ran over two."""

    def play(hospital):
        hospital.seal_doctors(1)
        shutil.copytree(hospital.folder / "state", hospital.folder / "older")
        hospital.doctors(2)
        assert hospital.go("run", "--accept-guards") == 0

    return scene(play, rules=RULES)


def put_back_older(hospital) -> None:
    shutil.rmtree(hospital.folder / "state")
    shutil.copytree(hospital.folder / "older", hospital.folder / "state")


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_state_folder_put_back_whole_from_an_older_copy_is_completed(two_runs, capsys, loss, command):
    put_back_older(two_runs)
    lose(two_runs, loss)
    capsys.readouterr()
    assert two_runs.run_to_end(command) == (0, {"unchanged": 2})
    assert "were entered from its journals" in capsys.readouterr().err
    assert two_runs.go("ledger", "check") == 0
    assert two_runs.go("run") == 0
    assert two_runs.creates() == 2


def test_the_journals_of_a_killed_run_complete_an_older_ledger(two_runs, zygote):
    start_slow_run(two_runs, zygote, doctors=8, seals=4, rate=40).kill()
    put_back_older(two_runs)
    assert two_runs.go("run") in {0, 3}
    assert count_second_seals(two_runs) == 0
    require_known(two_runs)


def copy_project(hospital, folder: Path) -> Path:
    shutil.copytree(hospital.folder, folder)
    return folder


def go_in(hospital, folder: Path, *arguments: str) -> int:
    own, hospital.folder = hospital.folder, folder
    try:
        return hospital.go(*arguments)
    finally:
        hospital.folder = own


def test_copies_of_a_project_that_are_used_in_turn_know_each_others_seals(two_runs, tmp_path_factory):
    copy = copy_project(two_runs, tmp_path_factory.mktemp("copies") / "copy")
    projects = [two_runs.folder, copy]
    for doctors in (3, 4, 5):
        two_runs.doctors(doctors)
        shutil.copytree(two_runs.folder / "inbox", copy / "inbox", dirs_exist_ok=True)
        shutil.copytree(two_runs.folder / "seals", copy / "seals", dirs_exist_ok=True)
        for folder in projects:
            assert go_in(two_runs, folder, "run", "--accept-guards") == 0
        projects.reverse()
    assert two_runs.creates() == 5
    assert count_second_seals(two_runs) == 0


def test_copies_of_a_project_are_not_used_at_once(hospital, zygote, tmp_path_factory):
    hospital.seal_doctors(1)
    copy = copy_project(hospital, tmp_path_factory.mktemp("copies") / "copy")
    process = start_slow_run(hospital, zygote, doctors=12, seals=3, rate=8)
    process.send_signal(signal.SIGSTOP)
    assert go_in(hospital, copy, "run") == 6
    process.send_signal(signal.SIGCONT)
    assert process.wait() == 0
    assert count_second_seals(hospital) == 0


@pytest.mark.parametrize("way", ["moved", "another path", "hard links"])
def test_a_ledger_at_another_path_is_the_tenants(two_runs, monkeypatch, tmp_path_factory, way):
    if way == "moved":
        folder = copy_project(two_runs, tmp_path_factory.mktemp("moved") / "project")
        shutil.rmtree(two_runs.folder / "state")
    else:
        folder = two_runs.folder
        monkeypatch.setenv("ESIGN_IMPORT_LEDGER", "second/ledger.sqlite3")
    if way == "hard links":
        (folder / "second").mkdir()
        for part in PARTS:
            os.link(folder / "state" / part, folder / "second" / part)
    assert go_in(two_runs, folder, "run") == 0
    assert two_runs.creates() == 2
    assert go_in(two_runs, folder, "ledger", "check") == 0


@pytest.mark.parametrize(
    ("accident", "exit_code"),
    [("lock deleted", 6), ("state renamed and copied back", 6), ("ledger replaced", 74)],
)
def test_a_run_whose_lock_or_ledger_was_taken_away_sends_nothing_more(hospital, zygote, accident, exit_code):
    process = start_slow_run(hospital, zygote, doctors=12, seals=3, rate=8)
    process.send_signal(signal.SIGSTOP)  # else it may have come to its end before the second run begins
    state = hospital.folder / "state"
    if accident == "lock deleted":
        (state / "ledger.sqlite3.lock").unlink()
    elif accident == "ledger replaced":  # as programs that synchronise folders do
        shutil.copy(state / "ledger.sqlite3", state / "copy")
        (state / "copy").replace(state / "ledger.sqlite3")
    else:
        state.rename(hospital.folder / "state-away")
        shutil.copytree(hospital.folder / "state-away", state)
    assert hospital.go("run") == 6, "the lock in the user's state folder is held"
    process.send_signal(signal.SIGCONT)
    assert process.wait() == exit_code
    assert len(hospital.service.seals) < 12
    assert hospital.go("run") in {0, 3}
    assert count_second_seals(hospital) == 0
    require_known(hospital)


def test_files_of_the_users_state_are_private(two_runs):
    paths = [path for path in Path(os.environ["XDG_STATE_HOME"]).rglob("*") if path.is_file()]
    assert len(paths) >= 3, "journal, key, host"
    assert all(path.stat().st_mode & 0o077 == 0 for path in paths)
