"""Copied, older and second ledgers: refused before anything is sent or written, and the way back loses nothing.

The judge is the sandbox: how many seals it made for each identity number.
"""

import json
import os
import re
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest
from people import name
from run_support import keep_outcomes, wait_until

from pipeline.sandbox.actions import Rules

SIDE = ("ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm")
PARTS = ("ledger.sqlite3", "ledger.sqlite3.key", "receipts.jsonl")


@pytest.fixture
def hospital(hospital_with):
    """A hospital whose service lets a second seal of one name pass: nothing but the ledger prevents it."""
    return hospital_with(rules=Rules(limiter="none", unique_names="off"))


@pytest.fixture
def own_folder(hospital, tmp_path, monkeypatch):
    """Move the registry of this test to a known folder, and make it strict."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ESIGN_IMPORT_LEDGER_REGISTRY", "strict")
    return tmp_path / "home"


def second_seals(hospital):
    made = Counter(seal.number for seal in hospital.service.seals)
    return sum(count - 1 for count in made.values())


def contents(folder):
    """Every file of the state folder that a run could lose something by writing to it."""
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and not path.name.endswith(("-shm", ".lock", ".holder")) and path.stat().st_size
    }


def refuse(hospital, capsys, *, code, arguments=("run",)):
    """Run, expect a refusal that writes and sends nothing; return what was said."""
    state = hospital.folder / "state"
    before, calls = contents(state), len(hospital.service.received)
    capsys.readouterr()
    assert hospital.go(*arguments) == code
    assert contents(state) == before
    assert len(hospital.service.received) == calls
    return capsys.readouterr().err


def slow(*, rate):
    return {"ESIGN_IMPORT_LIMITS__REQUESTS_PER_SECOND": str(rate), "ESIGN_IMPORT_LIMITS__CONCURRENCY": "4"}


def kill_in_a_run(hospital, zygote, doctors, *, seals):
    """Start a run in a process of its own and kill it once the service has made so many seals."""
    hospital.doctors(doctors)
    process = zygote.start(hospital, "run", "--yes", **slow(rate=40))
    wait_until(lambda: len(hospital.service.seals) >= seals)
    process.kill()
    return len(hospital.service.seals)


def forget_wal(hospital):
    for side in SIDE[1:]:
        (hospital.folder / "state" / side).unlink(missing_ok=True)


def forget_registry(monkeypatch, tmp_path):
    """Go on as on another machine: its registry has never heard of the tenant."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))


@pytest.fixture
def one_seal(scene, own_folder):
    """A doctor was sealed; the registry of the tests is strict."""

    def play(hospital):
        hospital.seal_doctors(1)

    return scene(play, rules=Rules(limiter="none", unique_names="off"))


@pytest.mark.parametrize(("machine", "out"), [("the same", "there"), ("another", "tidied away")])
def test_a_copy_without_its_wal_is_refused_and_rebuilt(
    hospital, zygote, own_folder, capsys, monkeypatch, tmp_path, machine, out
):
    """kill -9 in a run, then the three files were copied and the write-ahead log was not."""
    kill_in_a_run(hospital, zygote, 12, seals=5)
    forget_wal(hospital)
    if out == "tidied away":
        shutil.rmtree(hospital.folder / "out")
    if machine == "another":
        forget_registry(monkeypatch, tmp_path)
    ledger = hospital.folder / "state" / "ledger.sqlite3"
    code = 74 if ledger.exists() and ledger.stat().st_size else 2
    assert "ledger rebuild" in refuse(hospital, capsys, code=code)
    assert hospital.go("ledger", "rebuild") == 0
    assert hospital.go("run") in {0, 3}
    assert second_seals(hospital) == 0
    seal_ids = {row["seal_id"] for row in hospital.outcomes() if row["seal_id"]}
    held = {row["name"] for row in hospital.outcomes() if row["status"] == "unknown"}
    assert all(seal.seal_id in seal_ids or seal.name in held for seal in hospital.service.seals)


@pytest.mark.parametrize("out", ["fixed", "tidied away"])
def test_an_older_ledger_with_newer_receipts_is_refused_and_rebuilt(
    hospital, own_folder, capsys, monkeypatch, tmp_path, out
):
    monkeypatch.delenv("ESIGN_IMPORT_LEDGER_REGISTRY")
    arguments = ("run", "--out", str(hospital.folder / "results")) if out == "fixed" else ("run",)
    state = hospital.folder / "state"
    hospital.doctors(1)
    assert hospital.go(*arguments) == 0
    shutil.copy(state / "ledger.sqlite3", tmp_path / "last week")
    hospital.doctors(2)
    assert hospital.go(*arguments, "--accept-guards") == 0
    assert hospital.go(*arguments) == 0
    shutil.copy(tmp_path / "last week", state / "ledger.sqlite3")
    if out == "tidied away":
        shutil.rmtree(hospital.folder / "out")
    forget_registry(monkeypatch, tmp_path)
    stderr_text = refuse(hospital, capsys, code=74, arguments=arguments)
    assert "submissions: 1, seals: 1" in stderr_text
    assert stderr_text.rstrip().endswith("ledger rebuild")
    refuse(hospital, capsys, code=74, arguments=("check",))
    assert hospital.go("ledger", "check") == 74
    assert hospital.go("ledger", "rebuild") == 0
    assert hospital.run_to_end(*arguments) == (0, {"unchanged": 2})
    assert second_seals(hospital) == 0


def put_back(hospital, older):
    state = hospital.folder / "state"
    shutil.rmtree(state)
    shutil.copytree(older, state)


ELSEWHERE = "elsewhere"  # where the results lie with --out


@pytest.fixture
def two_runs(scene, own_folder):
    """Return what runs over one doctor, keeps a copy of the state folder, `older`, and runs over two."""

    def run_twice(hospital, *arguments):
        hospital.doctors(1)
        assert hospital.go("run", *arguments) == 0
        shutil.copytree(hospital.folder / "state", hospital.folder / "older")
        hospital.doctors(2)
        assert hospital.go("run", "--accept-guards", *arguments) == 0

    def run_elsewhere(hospital):
        run_twice(hospital, "--out", str(hospital.folder / ELSEWHERE))

    def make(*, elsewhere=False):
        rules = Rules(limiter="none", unique_names="off")
        return scene(run_elsewhere if elsewhere else run_twice, rules=rules)

    return make


@pytest.mark.parametrize("traces", ["registry", "run", "quiet run", "check"])
def test_a_state_folder_put_back_whole_from_an_older_copy_is_refused(
    two_runs, capsys, monkeypatch, tmp_path, traces
):
    """Its ledger and receipts agree: the registry finds it, or any result that shows a later seal."""
    hospital = two_runs(elsewhere=traces != "run")
    if traces in {"quiet run", "check"}:
        shutil.rmtree(hospital.folder / "out")
        assert hospital.go("run" if traces == "quiet run" else "check") == 0
    put_back(hospital, hospital.folder / "older")
    if traces == "registry":
        shutil.rmtree(hospital.folder / "out")
        shutil.rmtree(hospital.folder / ELSEWHERE)
    else:
        forget_registry(monkeypatch, tmp_path)
    stderr_text = refuse(hospital, capsys, code=2)
    for way in ("ledger restore", "ledger recover") if traces == "registry" else ("ledger recover",):
        assert way in stderr_text
    assert "--new-ledger" not in stderr_text


def test_after_adopted_seals_and_an_accepted_older_ledger_no_doctor_is_looked_up_again(
    two_runs, capsys, tmp_path
):
    hospital = two_runs()
    results = keep_outcomes(hospital, tmp_path)
    put_back(hospital, hospital.folder / "older")
    refuse(hospital, capsys, code=2)
    assert hospital.go("adopt", str(results)) == 0
    refuse(hospital, capsys, code=2)
    assert hospital.go("run", "--new-ledger") == 0
    assert hospital.run_to_end("run") == (0, {"unchanged": 2})
    assert second_seals(hospital) == 0


def test_an_older_ledger_that_was_accepted_is_not_asked_about_again(two_runs, capsys):
    """What a later run made is entered from its results and its log, which stay where they are."""
    hospital = two_runs()
    put_back(hospital, hospital.folder / "older")
    hospital.doctors(1)
    refuse(hospital, capsys, code=2)
    assert hospital.go("run", "--new-ledger") == 2
    assert "ledger recover" in capsys.readouterr().err
    assert hospital.go("ledger", "recover", "--yes") == 0
    assert hospital.go("run") == 0
    assert hospital.go("ledger", "check") == 0
    assert second_seals(hospital) == 0


def test_the_log_of_a_killed_run_refuses_an_older_ledger(
    one_seal, zygote, own_folder, capsys, monkeypatch, tmp_path
):
    """Ledger and receipts are of before that run, on a machine whose registry does not know them."""
    hospital = one_seal
    shutil.copytree(hospital.folder / "state", tmp_path / "older")
    kill_in_a_run(hospital, zygote, 8, seals=4)
    put_back(hospital, tmp_path / "older")
    forget_registry(monkeypatch, tmp_path)
    assert "log.jsonl" in refuse(hospital, capsys, code=2)


def test_an_older_backup_is_reported_by_restore_and_check_and_refused_by_a_run(
    one_seal, own_folder, capsys, tmp_path
):
    hospital = one_seal
    assert hospital.go("ledger", "backup", str(tmp_path / "backup")) == 0
    hospital.doctors(2)
    assert hospital.go("run", "--accept-guards") == 0
    for folder in ("state", "out"):
        shutil.rmtree(hospital.folder / folder)
    capsys.readouterr()
    assert hospital.go("ledger", "restore", str(tmp_path / "backup")) == 0
    assert "receipts are missing" in capsys.readouterr().err
    assert hospital.go("ledger", "check") == 2
    refuse(hospital, capsys, code=2)


def test_a_restored_ledger_is_the_tenants_again(one_seal, own_folder, tmp_path):
    hospital = one_seal
    assert hospital.go("ledger", "backup", str(tmp_path / "backup")) == 0
    for folder in ("state", "out"):
        shutil.rmtree(hospital.folder / folder)
    hospital.doctors(1, start=11)
    assert hospital.go("run", "--new-ledger") == 0
    for folder in ("state", "out"):
        shutil.rmtree(hospital.folder / folder)
    assert hospital.go("ledger", "restore", str(tmp_path / "backup")) == 0
    hospital.doctors(1)
    assert hospital.run_to_end("run") == (0, {"unchanged": 1})
    assert second_seals(hospital) == 0


def copy_project(hospital, folder):
    shutil.copytree(hospital.folder, folder, ignore=shutil.ignore_patterns("home", "copy", "state-*"))
    return folder


def go_in(hospital, folder, *arguments):
    own, hospital.folder = hospital.folder, folder
    try:
        return hospital.go(*arguments)
    finally:
        hospital.folder = own


def test_of_two_copies_of_a_project_one_is_used(one_seal, own_folder, capsys, tmp_path_factory):
    hospital = one_seal
    copy = copy_project(hospital, tmp_path_factory.mktemp("copies") / "copy")
    hospital.doctors(2)
    shutil.copy(hospital.folder / "inbox" / "roster.xlsx", copy / "inbox" / "roster.xlsx")
    shutil.copytree(hospital.folder / "seals", copy / "seals", dirs_exist_ok=True)
    capsys.readouterr()
    assert go_in(hospital, copy, "run", "--accept-guards") == 2
    stderr_text = capsys.readouterr().err
    assert str(hospital.folder / "state" / "ledger.sqlite3") in stderr_text
    assert str(copy / "state" / "ledger.sqlite3") in stderr_text
    assert hospital.go("run", "--accept-guards") == 0
    assert go_in(hospital, copy, "run", "--accept-guards") == 2, "it is older now"
    assert second_seals(hospital) == 0


def test_a_project_that_was_moved_goes_on(one_seal, own_folder, tmp_path_factory):
    hospital = one_seal
    moved = tmp_path_factory.mktemp("moved") / "project"
    copy_project(hospital, moved)
    shutil.rmtree(hospital.folder / "state")
    assert go_in(hospital, moved, "run") == 0
    assert second_seals(hospital) == 0


def test_a_second_ledger_of_the_tenant_is_refused_until_it_is_accepted(
    hospital, own_folder, capsys, monkeypatch
):
    hospital.seal_doctors(2)
    shutil.rmtree(hospital.folder / "out")
    monkeypatch.setenv("ESIGN_IMPORT_LEDGER", "other/ledger.sqlite3")
    capsys.readouterr()
    assert hospital.go("run") == 2
    assert "state/ledger.sqlite3" in capsys.readouterr().err
    assert not (hospital.folder / "other").exists() or not list((hospital.folder / "other").glob("*.sqlite3"))
    assert hospital.creates() == 2
    monkeypatch.setenv("ESIGN_IMPORT_LEDGER_REGISTRY", "warn")
    assert hospital.go("run", "--limit", "1") == 0
    assert capsys.readouterr().err.count("Warning: According to the registry") == 1


def test_a_lost_ledger_is_known_to_the_registry_alone(one_seal, own_folder, capsys):
    hospital = one_seal
    shutil.rmtree(hospital.folder / "out")
    for part in (hospital.folder / "state").iterdir():
        if part.is_file():
            part.unlink()
    capsys.readouterr()
    assert hospital.go("run") == 2
    assert "registry" in capsys.readouterr().err
    assert hospital.creates() == 1


def test_a_hard_linked_ledger_is_a_copy(one_seal, own_folder, capsys, tmp_path):
    hospital = one_seal
    second = hospital.folder / "second"
    second.mkdir()
    for part in PARTS:
        os.link(hospital.folder / "state" / part, second / part)
    capsys.readouterr()
    arguments = ("run",)
    os.environ["ESIGN_IMPORT_LEDGER"] = "second/ledger.sqlite3"
    try:
        assert hospital.go(*arguments) == 2
    finally:
        del os.environ["ESIGN_IMPORT_LEDGER"]
    assert "two copies of the same ledger" in capsys.readouterr().err


@pytest.mark.parametrize("position", ["first", "midst", "last"])
def test_a_changed_line_of_the_receipts_stops_the_run_and_is_written_again(
    one_seal, own_folder, capsys, position
):
    hospital = one_seal
    receipts = hospital.folder / "state" / "receipts.jsonl"
    lines = receipts.read_bytes().splitlines(keepends=True)
    number = {"first": 0, "midst": len(lines) // 2, "last": len(lines) - 1}[position]
    digit = rb"\d(?=\D*$)"  # one digit for another: the file keeps its length
    lines[number] = re.sub(digit, lambda match: b"1" if match[0] != b"1" else b"2", lines[number])
    receipts.write_bytes(b"".join(lines))
    if position != "last":  # a last line that is not the ledger's is known by the ledger's own position
        stderr_text = refuse(hospital, capsys, code=74)
        assert f"Line {number + 2}" in stderr_text
        assert hospital.go("ledger", "rebuild") == 0
        assert "written again from the ledger" in capsys.readouterr().err
    assert hospital.go("run") == 0
    assert hospital.go("ledger", "check") == 0
    assert second_seals(hospital) == 0


def test_a_registry_that_cannot_be_written_is_reported_and_ends_no_run(
    hospital, own_folder, capsys, monkeypatch, tmp_path
):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "a file"))
    hospital.seal_doctors(1)
    assert "XDG_STATE_HOME" in capsys.readouterr().err
    assert hospital.go("run") == 0


def hold_in_the_midst(hospital, zygote, *, doctors, seals):
    """Start a slow run in a process of its own; return it once so many seals are made."""
    hospital.doctors(doctors)
    process = zygote.start(hospital, "run", "--yes", **slow(rate=8))
    wait_until(lambda: len(hospital.service.seals) >= seals)
    return process


@pytest.mark.parametrize(
    ("accident", "registry", "exit_code"),
    [
        ("lock deleted", "warn", 6),
        ("state renamed and copied back", "strict", 6),
        ("ledger replaced", "warn", 74),
    ],
)
def test_a_run_whose_lock_or_ledger_was_taken_away_sends_nothing_more(
    hospital, zygote, own_folder, monkeypatch, accident, registry, exit_code
):
    monkeypatch.setenv("ESIGN_IMPORT_LEDGER_REGISTRY", registry)
    process = hold_in_the_midst(hospital, zygote, doctors=12, seals=3)
    state = hospital.folder / "state"
    if accident == "lock deleted":
        (state / "ledger.sqlite3.lock").unlink()
    elif accident == "ledger replaced":  # as programs that synchronise folders do
        shutil.copy(state / "ledger.sqlite3", state / "copy")
        (state / "copy").replace(state / "ledger.sqlite3")
    else:
        state.rename(hospital.folder / "state-away")
        shutil.copytree(
            hospital.folder / "state-away", state, dirs_exist_ok=True
        )  # the run goes on meanwhile
    if accident != "lock deleted":
        process.send_signal(signal.SIGSTOP)  # else it may have come to its end before the second run begins
    second = hospital.go("run")
    process.send_signal(signal.SIGCONT)
    assert process.wait() == exit_code
    if accident != "lock deleted":
        assert second == 6
    assert len(hospital.service.seals) < 12 or registry == "warn"
    assert second_seals(hospital) == 0


def test_names_of_the_doctors_stand_in_no_file_of_the_registry(one_seal, own_folder):
    hospital = one_seal
    texts = [path.read_text() for path in own_folder.rglob("*") if path.is_file()]
    assert len(texts) >= 2
    assert not any(name(1) in text for text in texts)
    assert all(path.stat().st_mode & 0o077 == 0 for path in own_folder.rglob("*"))
    record = next(json.loads(text) for text in texts if text.startswith("{"))
    assert Path(record["path"]) == (hospital.folder / "state" / "ledger.sqlite3").resolve()


@pytest.mark.parametrize(("adopted", "code", "unknown"), [("all", 0, 0), ("the first", 3, 1)])
def test_after_an_adoption_the_creates_of_the_lost_ledger_are_recovered(
    one_seal, capsys, adopted, code, unknown
):
    """State and key are lost; the results of one run or of both are adopted in their place."""
    hospital = one_seal
    first = hospital.newest / "outcomes.jsonl"
    hospital.seal_doctors(2)
    results = first if adopted == "the first" else hospital.newest / "outcomes.jsonl"
    shutil.rmtree(hospital.folder / "state")
    with (hospital.folder / "config.yaml").open("a") as config:
        config.write("ledger_registry: strict\n")
    assert hospital.go("run") == 2
    assert hospital.go("adopt", str(results)) == 0
    capsys.readouterr()
    for command in ("run", "check"):
        assert hospital.go(command) == 2
        printed = capsys.readouterr().err
        assert "--new-ledger" not in printed
        assert printed.rstrip().endswith("ledger recover")
    assert hospital.go("ledger", "recover", "--yes") == code
    statuses = {"unchanged": 2 - unknown} | ({"unknown": unknown} if unknown else {})
    assert hospital.run_to_end("run") == (code, statuses)
    assert hospital.service.list_duplicates() == {}
    assert hospital.go("ledger", "check") == 0
