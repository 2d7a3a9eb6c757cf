"""Kill, stop, and two at once: the command line in processes of its own."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pty_support import run_on_terminal
from run_support import wait_until
from wire_support import fault

from pipeline.sandbox.actions import Rules


def test_kill_9_in_the_middle_then_a_run(hospital_with, zygote):
    hospital = hospital_with(latency=0.2)
    hospital.doctors(24)
    first = zygote.start(hospital)
    wait_until(lambda: len(hospital.service.seals) >= 6)
    first.kill()
    wait_until(lambda: len(hospital.service.seals) == len(hospital.service.list_arrivals()))
    made = {seal.number: seal for seal in hospital.service.seals}
    assert 6 <= len(made) < 24

    code = hospital.go("run")
    statuses = hospital.statuses()
    assert hospital.service.list_duplicates() == {}
    assert set(statuses) <= {"sealed", "unchanged", "unknown"}
    assert sum(statuses.values()) == 24
    assert statuses.get("unknown", 0) <= 8  # creates that were in flight
    assert code == (3 if "unknown" in statuses else 0)
    by_trace = {seal.trace_id: seal for seal in hospital.service.seals}
    for outcome in hospital.outcomes():
        seal = by_trace.get(outcome["trace_id"])
        if outcome["status"] == "unknown":
            assert outcome["seal_id"] is None
        else:
            assert outcome["seal_id"] == seal.seal_id
    assert {outcome["trace_id"] for outcome in hospital.outcomes()} >= {
        seal.trace_id for seal in made.values()
    }

    before = hospital.creates()
    assert hospital.go("run") == code
    assert hospital.creates() == before


@pytest.mark.parametrize("backed_up", [True, False])
def test_a_killed_run_whose_machine_is_lost_as_well_is_known_from_the_share(
    hospital_with, zygote, tmp_path, backed_up
):
    """The machine and its disk failed during the run; the results lie on a share. Without a backup the key is lost."""
    hospital = hospital_with(latency=0.2, rules=Rules(limiter="none", unique_names="off"))
    hospital.seal_doctors(1)
    assert hospital.go("ledger", "backup", str(tmp_path / "old")) == 0
    hospital.doctors(20)
    process = zygote.start(hospital)
    wait_until(lambda: len(hospital.service.seals) >= 5)
    process.kill()
    wait_until(lambda: len(hospital.service.seals) == len(hospital.service.list_arrivals()))
    for folder in (hospital.folder / "state", os.environ["XDG_STATE_HOME"]):
        shutil.rmtree(folder)
    sent = hospital.creates()
    if not backed_up:
        assert hospital.go("run") == 74
        assert hospital.creates() == sent
        return
    assert hospital.go("ledger", "restore", str(tmp_path / "old")) == 0
    assert hospital.go("run") in {0, 3}
    assert hospital.service.list_duplicates() == {}
    assert hospital.creates() <= 20
    shown = {row["seal_id"] for row in hospital.outcomes()}
    unknown = {row["name"] for row in hospital.outcomes() if row["status"] == "unknown"}
    assert all(
        seal.seal_id in shown or seal.name.removesuffix("处方章") in unknown
        for seal in hospital.service.seals
    )


def test_sigterm_drains_and_writes_the_results(hospital_with, zygote):
    hospital = hospital_with(rules=Rules(limiter="none"), latency=0.2)
    hospital.doctors(20)
    run = zygote.start(hospital)
    wait_until(lambda: len(hospital.service.seals) >= 3)
    run.send_signal(signal.SIGTERM)
    assert run.wait() == 143
    assert "Stopping" in run.printed.read_text("utf-8")
    statuses = hospital.statuses()
    assert set(statuses) == {"sealed", "not_sent"}
    assert statuses["sealed"] == len(hospital.service.seals)
    assert hospital.record()["exit"] == 143
    assert hospital.go("run") == 0
    assert hospital.service.list_duplicates() == {}


def test_while_a_run_goes_on_a_second_one_is_turned_away_and_explain_distinguishes_it_from_a_killed_one(
    hospital_with, zygote, capsys
):
    hospital = hospital_with(latency=0.5)
    hospital.doctors(20)
    run = zygote.start(hospital)
    wait_until(lambda: len(hospital.service.received) >= 2)
    assert hospital.go("run") == 6
    assert hospital.go("check") in {0, 3}  # a check needs no lock; what is in flight is unknown to it
    assert hospital.go("status") == 0
    waiting = "00020"
    capsys.readouterr()
    assert hospital.go("explain", waiting) == 0
    printed = "".join(capsys.readouterr())
    run.kill()
    assert " · in progress" in printed
    assert "interrupted" not in printed
    assert printed.rstrip().endswith(" status")
    assert hospital.go("explain", waiting) == 0
    printed = "".join(capsys.readouterr())
    assert " · interrupted" in printed
    assert "in progress" not in printed


def piped(hospital, *arguments):
    """Run a command whose reader closes the pipe at once; returns (exit code, stderr)."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", "--config", str(hospital.folder / "config.yaml"), *arguments],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            check=False,
        )
    finally:
        os.close(writing)
    return done.returncode, done.stderr


def test_a_reader_who_has_seen_enough_is_no_trouble(hospital_with):
    hospital = hospital_with(faults=[fault("reset_after")])
    hospital.doctors(3)
    for arguments, code in (
        (("--json", "run"), 3),
        (("--help",), 0),
    ):
        ended, printed = piped(hospital, *arguments)
        assert (ended, "ledger check" in printed, "Exception" in printed) == (code, False, False), (
            arguments,
            printed,
        )


IMPORT_TIMES = {"PYTHONPROFILEIMPORTTIME": "1"}  # each import is a line on stderr


def test_of_two_simultaneous_starts_one_runs_and_the_other_names_it(hospital_with):
    hospital = hospital_with(latency=0.8)  # the first still runs when the other has started
    hospital.doctors(8)
    both = {
        run.pid: run for run in (hospital.start("run", **IMPORT_TIMES), hospital.start("run", **IMPORT_TIMES))
    }
    ended = []
    how = os.WEXITED | os.WNOHANG | os.WNOWAIT
    wait_until(lambda: ended.extend(pid for pid in both if os.waitid(os.P_PID, pid, how)) or ended)
    loser = both.pop(ended[0])
    (winner,) = both.values()
    _, stderr_text = loser.communicate(timeout=60)
    assert loser.returncode == 6
    assert f"process {winner.pid}" in stderr_text
    imported = {
        line.rsplit("|", 1)[1].strip() for line in stderr_text.splitlines() if line.startswith("import time")
    }
    assert "pipeline.ledger.lock" in imported
    assert not imported & {
        "aiohttp",
        "PIL",
        "pipeline.workflow.import_run",
        "pipeline.intake.read_rosters",
    }, "it is away in no time"
    with winner.stderr:
        winner.stderr.read()
    assert winner.wait() == 0
    assert hospital.statuses() == {"sealed": 8}
    assert hospital.creates() == 8


def test_nothing_personal_in_the_log(hospital):
    hospital.doctors(3)
    hospital.go("run")
    (log,) = Path(hospital.folder, "out").glob("*/log.jsonl")
    assert "110199" not in log.read_text("utf-8")


def test_a_request_on_its_way_waits_for_no_other(hospital_with, zygote, capsys):
    """While a run goes on, a create without an answer is no case for `resolve`."""
    hospital = hospital_with(faults=[fault({"delay_after": 4}, nth=(1,))], api={"timeout_seconds": 30})
    hospital.doctors(1)
    hospital.go("status")  # imports what it needs
    process = zygote.start(hospital)
    wait_until(hospital.creates)
    capsys.readouterr()
    assert hospital.go("status") == 0
    printed = "".join(capsys.readouterr())
    process.wait()
    assert "1 person sent, not answered yet" in printed
    assert "unknown: 0" in printed
    assert "resolve" not in printed
    assert hospital.go("status") == 0
    assert "Sent, not answered yet" not in capsys.readouterr().out


def test_ctrl_c_stops_a_sandbox(hospital, zygote):
    process = zygote.start(hospital, "sandbox", "--port", "0")
    wait_until(lambda: process.printed.exists() and "Ctrl-C" in process.printed.read_text("utf-8"))
    process.send_signal(signal.SIGINT)
    assert process.wait() == 0
    assert process.printed.read_text("utf-8").splitlines()[-1] == "The sandbox has stopped."


def test_the_service_is_not_called_before_the_keys_are_there(hospital):
    """At a terminal there is a question; what would fail after it fails before."""
    hospital.doctors(1)
    (hospital.folder / "secrets" / "tencent__secret_key").unlink()
    code, seen = run_on_terminal(
        hospital.command("run"), columns=200, typed=b"n\n", HOME=str(hospital.folder)
    )
    assert code == 4
    assert "[y/N]" not in seen
    assert hospital.service.received == []
