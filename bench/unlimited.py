"""The limit lifted to ten times the service's: rows a second, memory and CPU a row, compared with the SDK.

The official SDK makes the same calls with 20 threads and without a limit. Rows a second and CPU are of what a hospital takes more than one with a tenth
of the rows: start-up counts for neither side. Rows a second are counted from the start of the process to the service's last
create, so reading and all checks count for ours, and the results do not. CPU a row holds the results as well.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from bench.hospital import Hospital, make_hospital_apart
from bench.measure import REPOSITORY, Child, Measured, alternate, print_progress, run_python

RATE = 200  # calls a second
ROWS, TURNS = (500, 150), (5, 1)  # in full, in the short form
PICTURE = 300_000  # bytes


class Speed(NamedTuple):
    """What one side reached in one turn."""

    rows_a_second: float
    memory: float  # MB, the most
    cpu_a_row: float  # milliseconds


@contextlib.contextmanager
def run_service() -> Iterator[str]:
    """Run the lightest service in a process of its own; gives its address."""
    process = subprocess.Popen([sys.executable, "-m", "bench.wire"], cwd=REPOSITORY, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().decode().strip()
    finally:
        process.terminate()
        process.wait()


def read_facts(url: str) -> dict:
    """Return what the service saw since it was asked last."""
    with urllib.request.urlopen(url + "/_facts") as answer:
        return json.load(answer)


class Hospitals(NamedTuple):
    """A hospital, and one with the first tenth of its rows."""

    small: Hospital
    whole: Hospital


def run_ours(hospital: Hospital, _: int) -> Child:
    """Do a first run."""
    hospital.forget()
    return hospital.run(watch=lambda *_: None)


def run_official(hospital: Hospital, url: str, rows: int) -> Child:
    """Do the same calls with the SDK."""
    address = url.removeprefix("http://")
    log = hospital.folder / "official.log"
    return run_python(
        "bench.official", address, str(hospital.folder), str(rows), log=log, watch=lambda *_: None
    )


def measure_speed(hospitals: Hospitals, url: str, rows: int, run: Callable[[Hospital, int], Child]) -> Speed:
    """Do a run of a tenth of the rows, and one of all."""
    few = rows // 10
    read_facts(url)
    seconds, cpu, peaks = [], [], []
    for hospital, count in zip(hospitals, (few, rows), strict=True):
        start = time.monotonic()  # the service's clock as well
        child = run(hospital, count)
        cpu.append(child.cpu)
        peaks.append(child.peak)
        facts = read_facts(url)
        assert facts["creates"] == count, facts
        seconds.append(facts["last"] - start)
    more = rows - few
    return Speed(more / (seconds[1] - seconds[0]), max(peaks), 1000 * (cpu[1] - cpu[0]) / more)


def measure(short: bool) -> Iterator[Measured]:
    rows, times = ROWS[short], TURNS[short]
    with tempfile.TemporaryDirectory(prefix="bench-") as name, run_service() as url:
        print_progress(f"unlimited: making {rows} pictures of {PICTURE // 1000} KB")
        hospitals = Hospitals(
            make_hospital_apart(Path(name) / "small", rows // 10, picture_bytes=PICTURE),
            make_hospital_apart(Path(name) / "whole", rows, picture_bytes=PICTURE),
        )
        for hospital in hospitals:
            hospital.configure(url, rate=RATE)
        sdk, own = alternate(
            times,
            "unlimited",
            lambda: measure_speed(hospitals, url, rows, lambda _, n: run_official(hospitals.whole, url, n)),
            lambda: measure_speed(hospitals, url, rows, run_ours),
        )
    for part, figure in enumerate(("rows", "memory", "cpu")):
        values, baseline = [turn[part] for turn in own], {"sdk": [turn[part] for turn in sdk]}
        yield Measured(f"unlimited.{figure}", values, baseline, rows, is_enough=not short)
