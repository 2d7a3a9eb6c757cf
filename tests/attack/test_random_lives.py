"""Random hospitals, some runs each: no wrong picture, no second seal, and few doctors held without need.

``make lives`` plays LIVES hospitals of each profile from SEED on, six runs each, and prints a line for each.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from random import Random

import pytest
from attack.random_hospital import PROFILES, RandomHospital
from attack.stage import LONG, Stage, open_sandbox

LIVES = int(os.environ.get("LIVES", "10" if LONG else "1"))
SEED = int(os.environ.get("SEED", "1"))
RUNS = 6 if LONG or "LIVES" in os.environ else 4


@dataclass
class LifeCounts:
    """What came of one hospital; rows count once a run."""

    profile: str
    seed: int
    runs: int = 0
    rows: int = 0
    people: int = 0
    seals: int = 0
    wrong: int = 0  # seals with another doctor's picture
    second: int = 0
    held: int = 0  # rows refused with IMAGE_AMBIGUOUS
    needless: int = (
        0  # of these, the ones whose only file shows the doctor's own mark and is found by no other row
    )
    needless_people: int = 0
    warned: int = 0  # rows of sealed doctors that have the same code as a warning without need
    remarks: list[str] = field(default_factory=list)
    held_doctors: list[str] = field(default_factory=list)  # the rows of ``needless``


@pytest.fixture(scope="module")
def sandbox():
    with open_sandbox() as thread:
        yield thread


@pytest.fixture
def open_stage(tmp_path, sandbox, zygote):
    sandbox.service.reset()
    return Stage(tmp_path / "hospital", tmp_path / "user", sandbox, zygote)


def play(hospital: RandomHospital, counts: LifeCounts) -> None:
    """Play the runs of one hospital and count what became of it."""
    stage, needless = hospital.stage, set()
    for run in range(1, RUNS + 1):
        hospital.log.append(f"run {run}")
        words = hospital.prepare()
        clear = hospital.list_clear()
        ended = stage.go(*words)
        if ended.code not in {0, 3}:
            counts.remarks.append(f"run {run} ended with {ended.code}: {ended.output[-200:]}")
            continue
        rows = stage.outcomes()
        assert len(rows) == len(hospital.doctors)
        counts.runs += 1
        counts.rows += len(rows)
        for doctor, row in zip(hospital.doctors, sorted(rows, key=lambda row: row["row"]), strict=True):
            is_needless = doctor.serial in clear and not doctor.damage
            if "IMAGE_AMBIGUOUS" in row["codes"]:
                hospital.log.append(
                    f"  {row['status']} {row['codes']} {doctor} {'without need' * is_needless}"
                )
                if row["status"] == "rejected":
                    counts.held += 1
                    if is_needless:
                        counts.needless += 1
                        needless.add(doctor.serial)
                        counts.held_doctors.append(f"run {run}: {doctor}")
                else:
                    counts.warned += is_needless
        judged = stage.judge()
        if (judged.wrong_pictures, judged.second_seals) != (counts.wrong, counts.second):
            counts.wrong, counts.second = judged.wrong_pictures, judged.second_seals
            hospital.log.append(f"  WRONG {counts.wrong}, SECOND {counts.second}")
    counts.remarks += stage.counts.remarks
    counts.people = len(hospital.doctors) + len(hospital.gone)
    counts.seals = len(stage.service.seals)
    counts.needless_people = len(needless)


@pytest.mark.parametrize("seed", range(SEED, SEED + LIVES))
@pytest.mark.parametrize("profile", PROFILES)
def test_no_doctor_gets_another_doctors_picture(open_stage, profile, seed, record_property):
    counts = LifeCounts(profile, seed)
    hospital = RandomHospital(open_stage, PROFILES[profile], Random(f"{profile} {seed}"))
    play(hospital, counts)
    record_property("life", asdict(counts))
    log = "\n".join(hospital.log)
    assert (counts.wrong, counts.second) == (0, 0), log
    assert not counts.remarks, f"{counts.remarks}\n{log}"
