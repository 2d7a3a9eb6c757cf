"""Hooks of the end of a run: called once for every run, however it ended, and for no rebuilt report."""

import pytest

from pipeline import api
from pipeline.ledger.lock import RunLock
from pipeline.operations import run_hooks


@pytest.fixture
def ended_runs(monkeypatch):
    """Collect command, exit code and halt code of each run that a hook is called with."""
    ended = []

    def note(report, config):
        assert config.api.app_id
        ended.append((report.command, report.exit, report.halt and report.halt.code))

    monkeypatch.setattr(run_hooks, "list_run_end_hooks", lambda _: [note])
    return ended


def test_a_hook_is_called_for_every_end_of_a_run(hospital, ended_runs):
    assert hospital.go("run", "--yes") == 0
    hospital.doctors(1)
    assert hospital.go("check") == 0
    with RunLock(hospital.folder / "state" / "ledger.sqlite3").acquire(run="another", now=1.0):
        assert hospital.go("run", "--yes") == 6
    assert hospital.go("run", "--yes") == 0
    assert hospital.go("report") == 0
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
    assert api.run(config=hospital.folder / "config.yaml").exit == 0
    assert ended_runs == [("run", 0, None)]


def test_a_hook_that_fails_changes_nothing(hospital, monkeypatch, caplog):
    def fail(report, config):
        raise ConnectionError("no network")

    monkeypatch.setattr(run_hooks, "list_run_end_hooks", lambda _: [fail])
    hospital.doctors(1)
    assert hospital.go("run", "--yes") == 0
    assert hospital.record()["exit"] == 0
    assert "a hook of the run failed" in caplog.text
