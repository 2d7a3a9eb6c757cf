"""A hospital full of traps, judged by what reaches the service's wire.

``TRAP_SEEDS=20 pytest tests/generated_rosters/test_traps.py`` sweeps more hospitals than the one of every day.
"""

import os
from pathlib import Path

import pytest
from generated_rosters.corpus import corpus
from generated_rosters.score import score
from generated_rosters.stage import play

SEEDS = int(os.environ.get("TRAP_SEEDS", "0"))  # make trap
WAYS = ("folder", "windows", "macos")
REPORTS = os.environ.get("TRAP_REPORTS")  # a folder for the reports of a sweep


def _list_runs() -> list[tuple[int, str]]:
    if not SEEDS:
        return [(2, "windows")]
    return [(seed, WAYS[seed % 3]) for seed in range(100, 100 + SEEDS)]


@pytest.mark.parametrize(("seed", "way"), _list_runs())
def test_a_hospital_full_of_traps(seed, way, tmp_path):
    """One test: each process that had a part of it would play the whole hospital again.

    `make trap` also compares the run with a check before it and with a second run; the hospital of every day runs once,
    with every second trap.
    """
    whole = bool(SEEDS) and way == "folder"
    hospital = corpus(seed, way, times=2 if whole else 1, plain=120 if whole else 20, step=1 if SEEDS else 2)
    record = play(hospital, tmp_path, marked_copies=bool(SEEDS), only_run=not SEEDS)
    judged = score(hospital, record)
    if REPORTS:
        Path(REPORTS).mkdir(parents=True, exist_ok=True)
        (Path(REPORTS) / f"{seed}-{way}.txt").write_text(judged.report(), "utf-8")
    assert not judged.critical, judged.report()
    assert judged.wrong_share <= 0.01, f"an expert would decide otherwise: {judged.report()}"
    if SEEDS:
        _require_same_problems_in_check(record)
        _require_ready_to_be_sealed(record)
        _require_no_calls_in_a_second_run(record)


def _reported(line):
    problems = [
        (problem["code"], problem["field"], problem["cell"], problem["severity"], problem["message"])
        for problem in line["problems"]
    ]
    return line["codes"], problems, line["changes"], line["seal_name"], line["picture"]


def _require_same_problems_in_check(record):
    position = ("path", "sheet", "row")
    before = {tuple(line[entry] for entry in position): _reported(line) for line in record.plan}
    after = {tuple(line[entry] for entry in position): _reported(line) for line in record.outcomes}
    assert before == after
    assert record.plan_files == record.files


def _require_ready_to_be_sealed(record):
    ready = [(line["file"], line["sheet"], line["row"]) for line in record.plan if line["status"] == "ready"]
    sealed = [
        (line["file"], line["sheet"], line["row"]) for line in record.outcomes if line["status"] == "sealed"
    ]
    assert ready == sealed


def _require_no_calls_in_a_second_run(record):
    assert record.creates_again == 0
    before = {(line["file"], line["sheet"], line["row"]): line["status"] for line in record.outcomes}
    after = {(line["file"], line["sheet"], line["row"]): line["status"] for line in record.again}
    wanted = {key: "unchanged" if status == "sealed" else status for key, status in before.items()}
    assert after == wanted
