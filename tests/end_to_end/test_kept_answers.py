"""Answers with a SealId that could not be entered in the ledger: kept by the run, taken by the next one, never forged."""

from __future__ import annotations

import json
import os
import resource
import shutil
from pathlib import Path

import pytest
from crash_support import Zygote, kept_seals
from run_support import wait_until
from wire_support import fault

from pipeline.sandbox.actions import Rules

KEPT = "create: the answer is kept"
ANSWERED = "ChannelCreatePreparedPersonalEsign: answered"


@pytest.fixture
def hospital(hospital_with):
    """A hospital whose sandbox enforces no seal names: whatever is sent twice makes two seals."""
    return hospital_with(latency=0.05, rules=Rules(limiter="none", unique_names="off"))


def kill(hospital, zygote, name: str, count: int) -> Path:
    """Kill a run when it passes a point for the ``count``-th time; return the folder of its results.

    The first row is sent alone, so that of two rows one is settled and the other one is not.
    """
    assert zygote.run(hospital, **{"name": name, "pass": count})["signal"] == 9
    return hospital.runs[-1]


@pytest.fixture
def killed(scene):
    """A run over two doctors was killed once the second answer was kept and not entered."""

    def play(hospital):
        hospital.doctors(2)
        with Zygote() as zygote:
            kill(hospital, zygote, KEPT, 2)

    return scene(play, latency=0.05, rules=Rules(limiter="none", unique_names="off"))


def read_answers(folder: Path) -> list[dict]:
    lines = (folder / "log.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if '"kept_answer"' in line]


def add_answers(path: Path, *lines: object) -> None:
    with path.open("a", encoding="utf-8") as stream:
        stream.writelines(json.dumps(line) + "\n" for line in lines)


def require_each_doctor_once(hospital, made) -> None:
    """Run again: every seal that was ``made`` is known, and every other doctor has one or was never sent.

    An attempt that waited for its slot when the disk failed could not be closed: it is unknown, and nothing left.
    """
    code, statuses = hospital.run_to_end("run")
    assert made <= {row["seal_id"] for row in hospital.outcomes()}
    assert hospital.service.list_duplicates() == {}
    unknown = statuses.get("unknown", 0)
    assert code == (3 if unknown else 0)
    assert len(hospital.service.seals) + unknown == 20


def test_a_run_killed_between_an_answer_and_its_commit_loses_nothing(killed, capsys):
    assert killed.run_to_end("run") == (0, {"unchanged": 2})
    assert "1 doctor" in capsys.readouterr().err
    assert {row["seal_id"] for row in killed.outcomes()} == {seal.seal_id for seal in killed.service.seals}
    assert killed.go("explain", "00002") == 0
    assert "answer kept by run" in capsys.readouterr().out
    assert killed.go("ledger", "check") == 0


def test_a_disk_that_refuses_every_write_loses_no_answer(hospital, zygote):
    """The kernel refuses ledger, receipts and workbook in the middle of the run; the short log still fits."""
    hospital.doctors(20)
    process = zygote.start(hospital, "run")
    wait_until(lambda: len(hospital.service.seals) >= 4)
    size = (hospital.folder / "state" / "receipts.jsonl").stat().st_size
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))
    assert process.wait() == 74
    made = {seal.seal_id for seal in hospital.service.seals}
    assert made == kept_seals(hospital)
    require_each_doctor_once(hospital, made)


def test_answers_that_no_file_takes_are_printed_and_can_be_put_back(hospital):
    """The kernel refuses every byte more of every file, the log's as well."""
    hospital.doctors(20)
    process = hospital.start("run")
    wait_until(lambda: len(hospital.service.seals) >= 4)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, 0))
    _, printed = process.communicate(timeout=60)
    assert process.returncode == 74
    lines = [line for line in printed.splitlines() if line.startswith("{")]
    assert lines
    with (hospital.runs[0] / "log.jsonl").open("a", encoding="utf-8") as log:
        log.writelines(f"\n{line}\n" for line in lines)
    require_each_doctor_once(hospital, {seal.seal_id for seal in hospital.service.seals})


def test_an_answer_that_only_the_outcomes_keep_is_taken(killed):
    """The log was lost, or the run was one of the Python API, which writes none."""
    folder = killed.runs[-1]
    answers = read_answers(folder)
    (folder / "log.jsonl").unlink()
    add_answers(folder / "outcomes.jsonl", *answers)
    assert killed.run_to_end("run") == (0, {"unchanged": 2})


def test_a_decision_finds_the_answer_before_a_person_has_to_know_it(killed, capsys):
    assert killed.go("resolve", "00002", "--not-created", "--sure") == 2
    assert "has the seal" in capsys.readouterr().err
    assert killed.run_to_end("run") == (0, {"unchanged": 2})


def test_what_the_site_key_did_not_prove_settles_nothing(hospital, zygote):
    """Lines of a person who may write in the folder of results: made up, of other attempts, persons and tenants, broken."""
    hospital.doctors(2)
    folder = kill(hospital, zygote, ANSWERED, 2)
    own = read_answers(folder)
    assert len(own) == 1
    assert hospital.run_to_end("run")[0] == 3, "no process read its answer"
    (held,) = [row for row in hospital.outcomes() if row["status"] == "unknown"]
    true = next(seal.seal_id for seal in hospital.service.seals if seal.name == held["name"])
    proven = own[0]["kept_answer"]
    forged = [
        {"trace_id": held["trace_id"], "key": held["key"], "kept_answer": {**proven, **changes}}
        for changes in (
            {},
            {"seal_id": true},
            {"seal_id": true, "proof": "0" * 32},
            {"seal_id": true, "proof": ""},
            {"seal_id": true, "proof": None},
            {"seal_id": true, "proof": ["0"]},
            {"seal_id": {"a": 1}},
            {"verdict": "unknown"},
            {"verdict": "refused"},
            {"seal_id": true, "request_id": 7},
            {"proof": "é" * 32},
        )
    ]
    strange = [
        None,
        [],
        {"kept_answer": None},
        {"kept_answer": [1]},
        {"trace_id": None, "kept_answer": proven},
        {"trace_id": held["trace_id"], "kept_answer": {"verdict": ["sealed"], "seal_id": true, "proof": "x"}},
    ]
    for name in ("log.jsonl", "outcomes.jsonl"):
        add_answers(folder / name, *forged, *strange)
        with (folder / name).open("a") as stream:
            stream.write('"kept_answer"' + "[" * 100_000 + "\n" + '{"kept_answer": ' + "7" * 3_000_000)
    sealed = {row["seal_id"] for row in hospital.outcomes() if row["seal_id"]}
    assert hospital.run_to_end("run") == (3, {"unchanged": 1, "unknown": 1})
    assert {row["seal_id"] for row in hospital.outcomes() if row["seal_id"]} == sealed
    assert hospital.service.list_duplicates() == {}


def test_a_pipe_in_place_of_the_outcomes_does_not_hold_the_run_up(killed):
    folder = killed.runs[-1]
    os.mkfifo(folder / "outcomes.jsonl")
    assert killed.run_to_end("run") == (0, {"unchanged": 2})


def test_a_line_that_ends_within_a_character_hides_no_create(killed):
    """The process was killed, or the disk was full, in the middle of it."""
    folder = killed.runs[-1]
    with (folder / "log.jsonl").open("ab") as log:
        log.write('{"event": "医'.encode()[:-1] + b"\n")
    state = killed.folder / "state"
    kept = state.rename(killed.folder / "kept")
    assert killed.go("run") == 2, "the log shows that there was a ledger"
    shutil.rmtree(state, ignore_errors=True)
    kept.rename(state)
    assert killed.run_to_end("run") == (0, {"unchanged": 2})


def test_what_a_person_decided_meanwhile_stays(killed, capsys):
    """The answer lay where no command could see it until a person had found the seal in the console."""
    folder = killed.runs[-1]
    hidden = folder.rename(killed.folder / folder.name)
    assert killed.go("run") == 3
    (held,) = [row for row in killed.outcomes() if row["status"] == "unknown"]
    made = next(seal.seal_id for seal in killed.service.seals if seal.name == held["name"])
    assert killed.go("resolve", held["trace_id"], "--sure", "--seal-id", made) == 0
    hidden.rename(folder)
    capsys.readouterr()
    assert killed.run_to_end("run") == (0, {"unchanged": 2})
    assert "answer" not in capsys.readouterr().err


def test_a_kept_seal_id_of_another_person_is_evidence_alone_and_stops_the_run(hospital_with):
    hospital = hospital_with(
        rules=Rules(limiter="none", unique_names="off"), faults=[fault("same_seal_id", nth=(2,))]
    )
    hospital.doctors(2)
    with Zygote() as zygote:
        kill(hospital, zygote, KEPT, 2)
    assert hospital.go("run") == 4
    assert hospital.record()["halted"]["code"] == "SEAL_ID_REUSED"
    assert hospital.statuses()["unknown"] == 1
