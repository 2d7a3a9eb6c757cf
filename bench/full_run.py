"""A whole run under the limit: from process start to the closed workbook, compared with the official SDK without a limit.

The SDK's calls go to the lightest service as fast as they can: its CPU, its memory and its first call are compared, and
the time of the run with rows ÷ limit, which no program can go below.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.hospital import Hospital, make_hospital_apart, read_truth, run_sandbox
from bench.measure import Measured, alternate
from bench.unlimited import read_facts, run_official, run_service

RATE = 20
ROWS, TURNS = (2000, 200), (5, 1)  # in full, in the short form


class Turn(NamedTuple):
    """What one run took."""

    wall: float  # seconds to the closed workbook
    first: float  # seconds to the first call
    memory: float  # MB, the most between the first and the last call
    cpu: float  # seconds


def measure_run(hospital: Hospital, rows: int) -> Turn:
    """Do one first run."""
    hospital.forget()
    sizes: list[tuple[float, float]] = []
    with run_sandbox() as url:
        hospital.configure(url, rate=RATE)
        begun, begun_at = time.monotonic(), time.time()  # one steady clock for all processes of a machine
        child = hospital.run(watch=lambda moment, size: sizes.append((moment, size)))
        state = read_truth(url)
    assert len(state["seals"]) == rows
    arrivals = [moment for moments in state["arrivals"].values() for moment in moments]
    first, last = min(arrivals), max(arrivals)
    memory = max(size for moment, size in sizes if first <= moment <= last)
    [workbook] = (hospital.folder / "out").glob("[0-9]*/results.xlsx")
    return Turn(workbook.stat().st_mtime - begun_at, first - begun, memory, child.cpu)


def measure_sdk(hospital: Hospital, url: str, rows: int) -> Turn:
    """Do the same calls with the SDK, without a limit."""
    read_facts(url)
    begun = time.monotonic()
    child = run_official(hospital, url, rows)
    facts = read_facts(url)
    return Turn(child.wall, facts["first"] - begun, child.peak, child.cpu)


def measure(short: bool) -> Iterator[Measured]:
    rows, times = ROWS[short], TURNS[short]
    with tempfile.TemporaryDirectory(prefix="bench-") as name, run_service() as url:
        hospital = make_hospital_apart(Path(name) / "hospital", rows, picture_bytes=60_000)
        sdk, own = alternate(
            times,
            f"run: {rows} rows, about {rows / RATE:.0f} seconds",
            lambda: measure_sdk(hospital, url, rows),
            lambda: measure_run(hospital, rows),
        )
    walls, ideal = [turn.wall for turn in own], [rows / RATE] * times
    yield Measured("run.wall", walls, {"rate": ideal}, rows, is_enough=not short)
    for figure, pick in (
        ("first", lambda turn: turn.first),
        ("memory", lambda turn: turn.memory),
        ("cpu", lambda turn: turn.cpu),
    ):
        baseline = {"sdk": [pick(turn) for turn in sdk]}
        yield Measured(f"run.{figure}", [pick(turn) for turn in own], baseline, rows, is_enough=not short)
