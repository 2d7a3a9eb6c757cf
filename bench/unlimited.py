"""The limit lifted: rows a second and CPU a row, compared with the official SDK with 20 threads making the same calls.

Both are of what a hospital takes more than one with a tenth of the rows: start-up counts for neither side. Rows a second
are counted from the start of the process to the service's last create, so reading and all checks count for ours, and the
results do not. CPU a row holds the results as well. `bare_program` shows what the same import takes at least.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from bench.hospital import Hospital, make_hospital_apart
from bench.measure import REPOSITORY, Child, Measured, alternate, print_progress, run_python

RATE = 100_000  # calls a second: no limit
ROWS, TURNS = (500, 150), (5, 1)  # in full, in the short form
PICTURE = 300_000  # bytes


class Speed(NamedTuple):
    """What one side reached in one turn."""

    rows_a_second: float
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
    return hospital.run()


def run_official(
    hospital: Hospital,
    url: str,
    contract: str,
    rows: int,
    watch: Callable[[float, float], object] | None = None,
) -> Child:
    """Do the same calls with the SDK."""
    address = url.removeprefix("http://")
    arguments = (address, contract, str(hospital.folder), str(rows))
    return run_python("bench.official", *arguments, log=hospital.folder / "official.log", watch=watch)


def run_bare(hospital: Hospital, url: str, contract: str, rows: int) -> Child:
    """Do the same import with the bare libraries."""
    arguments = (url, contract, str(hospital.folder), str(rows))
    return run_python("bench.bare_program", *arguments, log=hospital.folder / "bare.log")


def measure_speed(hospitals: Hospitals, url: str, rows: int, run: Callable[[Hospital, int], Child]) -> Speed:
    """Do a run of a tenth of the rows, and one of all."""
    few = rows // 10
    read_facts(url)
    seconds, cpu = [], []
    for hospital, count in zip(hospitals, (few, rows), strict=True):
        start = time.monotonic()  # the service's clock as well
        cpu.append(run(hospital, count).cpu)
        facts = read_facts(url)
        assert facts["creates"] == count, facts
        seconds.append(facts["last"] - start)
    more = rows - few
    return Speed(more / (seconds[1] - seconds[0]), 1000 * (cpu[1] - cpu[0]) / more)


def measure_baselines(hospitals: Hospitals, url: str, contract: str, rows: int) -> Mapping[str, Speed]:
    """Measure the SDK, which checks nothing, and the bare program."""
    return {
        "sdk": measure_speed(
            hospitals, url, rows, lambda _, n: run_official(hospitals.whole, url, contract, n)
        ),
        "program": measure_speed(
            hospitals, url, rows, lambda hospital, n: run_bare(hospital, url, contract, n)
        ),
    }


def measure(short: bool) -> Iterator[Measured]:
    rows, times = ROWS[short], TURNS[short]
    with tempfile.TemporaryDirectory(prefix="bench-") as name, run_service() as url:
        print_progress(f"unlimited: making {rows} pictures of {PICTURE // 1000} KB")
        hospitals = Hospitals(
            make_hospital_apart(Path(name) / "small", rows // 10, picture_bytes=PICTURE),
            make_hospital_apart(Path(name) / "whole", rows, picture_bytes=PICTURE),
        )
        for contract in ("file_id", "inline"):
            for hospital in hospitals:
                hospital.configure(url, rate=RATE, contract=contract)
            baselines, own = alternate(
                times,
                f"unlimited: {contract}",
                lambda contract=contract: measure_baselines(hospitals, url, contract, rows),
                lambda: measure_speed(hospitals, url, rows, run_ours),
            )
            for part, figure in enumerate(("rows", "cpu")):
                yield Measured(
                    f"unlimited.{contract}.checked.{figure}",
                    [turn[part] for turn in own],
                    {name: [turn[name][part] for turn in baselines] for name in ("sdk", "program")},
                    rows,
                    is_enough=not short,
                )
