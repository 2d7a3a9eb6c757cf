"""Hooks of the end of a run: called once for every run, however it ended."""

import json
import signal

import psutil
import pytest
from crash_support import read_places
from run_support import wait_until

import pipeline
from pipeline.ledger.lock import RunLock
from pipeline.operations import run_hooks

NUMBER = "11010119900307" + "0011"


@pytest.fixture
def ended_runs(monkeypatch):
    """Collect command, exit code and halt code of each run that a hook is called with."""
    ended = []

    def note(report, config):
        assert config.api.app_id
        ended.append((report.command, report.exit, report.halt and report.halt.code))

    monkeypatch.setattr(run_hooks, "list_run_end_hooks", lambda *_: [("note", note)])
    return ended


def test_a_hook_is_called_for_every_end_of_a_run(hospital, ended_runs):
    assert hospital.go("run", "--yes") == 0
    hospital.doctors(1)
    assert hospital.go("check") == 0
    with RunLock(hospital.folder / "state" / "ledger.sqlite3").acquire(run="another", now=1.0):
        assert hospital.go("run", "--yes") == 6
    assert hospital.go("run", "--yes") == 0
    secrets = hospital.folder / "secrets"
    for path in secrets.iterdir():
        path.unlink()
    hospital.doctors(2)
    assert hospital.go("run", "--yes") == 4
    assert ended_runs == [
        ("run", 0, None),
        ("check", 0, None),
        ("run", 6, "LOCKED"),
        ("run", 0, None),
        ("run", 4, "CREDENTIALS_MISSING"),
    ]


def test_the_python_api_calls_the_same_hooks(hospital, ended_runs):
    hospital.doctors(1)
    assert pipeline.run(config=hospital.folder / "config.yaml").exit == 0
    assert ended_runs == [("run", 0, None)]


@pytest.fixture
def failing_hook(monkeypatch):
    """A hook of a run's end that breaks with an error that is no message."""

    def fail(*_):
        raise KeyError(NUMBER)

    monkeypatch.setattr(run_hooks, "list_run_end_hooks", lambda *_: [("backup", fail)])


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("zh", "警告：backup 这一步因程序错误没有完成（KeyError，"),
        ("en", "Warning: The step backup was not completed"),
    ],
)
def test_a_hook_that_breaks_changes_nothing_and_is_a_warning(
    hospital, failing_hook, capsys, language, sentence
):
    hospital.doctors(1)
    assert hospital.go("--lang", language, "run", "--yes") == 0
    assert hospital.record()["exit"] == 0
    stderr_text = capsys.readouterr().err
    assert sentence in stderr_text
    assert "test_run_end_hooks.py:" in stderr_text
    log = hospital.newest / "log.jsonl"
    assert str(log) in stderr_text
    assert "the hook backup failed" in log.read_text("utf-8")
    assert NUMBER not in stderr_text + log.read_text("utf-8")


def test_where_no_log_is_written_the_details_of_a_broken_hook_are_printed_on_demand(
    hospital, failing_hook, capsys
):
    hospital.doctors(1)
    assert hospital.go("check") == 0
    assert "run the command again with -v" in capsys.readouterr().err
    assert hospital.go("-v", "check") == 0
    stderr_text = capsys.readouterr().err
    assert "Traceback" in stderr_text
    assert "run the command again" not in stderr_text
    assert NUMBER not in stderr_text


# -- a run whose lock file is gone


@pytest.fixture
def writes_metrics(hospital):
    """A hospital whose runs write metrics at their end."""
    hospital.doctors(12)
    with (hospital.folder / "config.yaml").open("a") as config:
        config.write("metrics_file: metrics.prom\n")
    return hospital


def lose_lock_after_first_row(hospital, zygote):
    """Start a run, stop it while no write is under way, and delete its two lock files."""
    process = zygote.start(hospital, stopped_at="create: settled")
    wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
    lock_base = read_places(hospital.folder).lock_base
    for lock in (
        hospital.folder / "state" / "ledger.sqlite3.lock",
        lock_base.with_name(f"{lock_base.name}.lock"),
    ):
        lock.unlink()
    return process


def test_a_run_whose_lock_another_run_took_publishes_nothing(writes_metrics, zygote):
    hospital = writes_metrics
    process = lose_lock_after_first_row(hospital, zygote)
    assert hospital.run_to_end("run") == (0, {"sealed": 11, "unchanged": 1})
    published = [*(hospital.folder / "out" / "latest").iterdir(), hospital.folder / "metrics.prom"]
    before = {path: path.read_bytes() for path in published}
    process.send_signal(signal.SIGCONT)
    assert process.wait() == 6
    assert {path: path.read_bytes() for path in published} == before
    assert (hospital.runs[0] / "results.xlsx").exists()
    assert hospital.creates() == 12


def test_a_run_whose_lock_file_was_deleted_and_not_taken_is_published_and_reported(writes_metrics, zygote):
    """No other run would do so."""
    hospital = writes_metrics
    process = lose_lock_after_first_row(hospital, zygote)
    process.send_signal(signal.SIGCONT)
    assert process.wait() == 6
    record = json.loads((hospital.folder / "out" / "latest" / "run.json").read_text("utf-8"))
    assert (record["exit"], record["halted"]["code"]) == (6, "HOLD_LOST")
    assert "superseded" not in record
    assert (hospital.folder / "metrics.prom").exists()
    assert hospital.run_to_end("run") == (0, {"sealed": 11, "unchanged": 1})
