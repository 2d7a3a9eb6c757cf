"""`before_run`: a command prepares the rosters of a run that names none; where it fails, the run ends with its record."""

import json
import shlex
import shutil
import sys

import pytest

import pipeline
from pipeline.workflow import before_run

MADE = "made.xlsx"


@pytest.fixture
def prepared(hospital):
    """Return a hospital whose roster lies elsewhere until a command copies it into the inbox."""
    hospital.doctors(2)
    roster = hospital.folder / "inbox" / "roster.xlsx"
    shutil.move(roster, hospital.folder / MADE)

    def prepare(program: str) -> None:
        command = f"{shlex.quote(sys.executable)} -c {shlex.quote(program)}"
        with (hospital.folder / "config.yaml").open("a", encoding="utf-8") as config:
            config.write(f"before_run: {json.dumps(command)}\n")

    hospital.prepare = prepare
    return hospital


COPY = f"import shutil; shutil.copy({MADE!r}, 'inbox')"  # paths count from the folder of the configuration
FAIL = "import sys; print('no answer from 10.0.0.7'); sys.exit(9)"


def read_last_record(hospital) -> dict:
    return json.loads((hospital.runs[-1] / "run.json").read_text("utf-8"))


def test_a_run_reads_what_the_command_has_made(prepared):
    prepared.prepare(COPY)
    assert prepared.run_to_end("run") == (0, {"sealed": 2})


def test_where_the_command_fails_the_run_ends_with_its_record(prepared, capsys):
    prepared.prepare(FAIL)
    assert prepared.go("run") == 5
    printed = "".join(capsys.readouterr())
    assert "exit code 9" in printed
    assert "no answer from 10.0.0.7" in printed
    record = read_last_record(prepared)
    assert (record["exit"], record["halted"]["code"]) == (5, "BEFORE_RUN")
    with pytest.raises(pipeline.PreparationFailed, match="exit code 9"):
        pipeline.run(prepared.folder / "config.yaml")
    assert read_last_record(prepared)["halted"]["code"] == "BEFORE_RUN"
    assert prepared.go("status") == 0
    assert "exit code 9" in "".join(capsys.readouterr())
    assert not prepared.service.received


def test_a_command_that_does_not_end_is_stopped_with_all_that_it_started(prepared, capsys, monkeypatch):
    monkeypatch.setattr(before_run, "MAX_MINUTES", 0.02)
    prepared.prepare("import subprocess; print('waits', flush=True); subprocess.run(['sleep', '600'])")
    assert prepared.go("run") == 5
    assert "waits" in "".join(capsys.readouterr())


def test_rosters_that_are_named_are_not_prepared_and_a_check_prepares_none(prepared):
    prepared.prepare(FAIL)
    assert prepared.go("check") == 0
    assert prepared.run_to_end("run", str(prepared.folder / MADE)) == (0, {"sealed": 2})
