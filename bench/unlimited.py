"""The limit lifted: rows a second and CPU a row, beside the official SDK with 20 threads making the same calls.

Rows a second are counted by the service, from the first create to the last. CPU a row is what a run of all rows takes
more than a run of a tenth of them, divided: neither start-up nor the reading of a roster's frame counts for either.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.hospital import Hospital, make_hospital
from bench.measure import (
    REPOSITORY,
    Child,
    Figure,
    format_table,
    measure_command,
    print_progress,
    read_load_average,
)

RATE = 100_000  # calls a second: no limit
WANTED = {"file_id": 1.7, "inline": 1.5}  # of the SDK's rows a second
CPU_WANTED = 0.65


@dataclass(frozen=True)
class Speed:
    """What one side reached in one turn."""

    rows_a_second: float
    cpu_a_row: float  # seconds
    peak: float  # MB


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


def run_ours(hospital: Hospital, rows: int) -> Child:
    """Do a first run of ``rows`` rows; the roster holds more, and so both runs read the same."""
    hospital.forget()
    log = hospital.folder / "output.log"
    limit = ("--limit", str(rows))
    run = measure_command(hospital.command("run", "--yes", "--accept-guards", *limit), log=log)
    assert run.code == 0, log.read_text()
    return run


def run_official(hospital: Hospital, url: str, contract: str, rows: int) -> Child:
    """Do the same calls with the SDK."""
    address = url.removeprefix("http://")
    command = [sys.executable, "-m", "bench.official", address, contract, str(hospital.folder), str(rows)]
    child = measure_command(command)
    assert child.code == 0
    return child


def measure_speed(url: str, rows: int, run) -> Speed:
    """Do a small and a whole run."""
    few = rows // 10
    small = run(few)
    read_facts(url)
    whole = run(rows)
    seen = read_facts(url)
    assert seen["creates"] == rows, seen
    return Speed(
        (rows - 1) / (seen["last"] - seen["first"]), (whole.cpu - small.cpu) / (rows - few), whole.peak
    )


def measure_figures(rows: int, times: int, *, picture_bytes: int = 300_000) -> list[Figure]:
    """Measure both contracts, ours and the SDK in turn."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name, run_service() as url:
        print_progress(f"unlimited: making {rows} rows with pictures of {picture_bytes // 1000} KB")
        hospital = make_hospital(Path(name) / "hospital", rows, picture_bytes=picture_bytes)
        for contract, wanted in WANTED.items():
            hospital.configure(url, rate=RATE, contract=contract)
            own, sdk = [], []
            before = read_load_average()
            for turn in range(times):
                print_progress(f"unlimited: {contract}, turn {turn + 1} of {times}")
                own.append(measure_speed(url, rows, lambda n: run_ours(hospital, n)))
                sdk.append(measure_speed(url, rows, lambda n, c=contract: run_official(hospital, url, c, n)))
            figures += build_figures(contract, wanted, own, sdk, max(before, read_load_average()))
    return figures


def build_figures(
    contract: str, wanted: float, own: list[Speed], sdk: list[Speed], now: float
) -> list[Figure]:
    fast, slow = (statistics.median(speed.rows_a_second for speed in side) for side in (own, sdk))
    cpu, their_cpu = (statistics.median(speed.cpu_a_row for speed in side) for side in (own, sdk))
    return [
        Figure(
            f"limit lifted, 300 KB, {contract}: rows a second",
            f"{fast:.0f}",
            f"{slow:.0f} official SDK, 20 threads",
            f"{fast / slow:.2f} x",
            f">= {wanted} x",
            fast / slow >= wanted,
            now,
        ),
        Figure(
            f"limit lifted, 300 KB, {contract}: CPU a row",
            f"{cpu * 1000:.2f} ms",
            f"{their_cpu * 1000:.2f} ms",
            f"{cpu / their_cpu:.2f} x",
            f"<= {CPU_WANTED} x",
            cpu / their_cpu <= CPU_WANTED,
            now,
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="300 rows, once")
    chosen = parser.parse_args()
    print(format_table(measure_figures(300, 1) if chosen.quick else measure_figures(chosen.rows, 5)))


if __name__ == "__main__":
    main()
