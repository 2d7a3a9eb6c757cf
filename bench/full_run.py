"""Measures a whole run under the limit: from process start to the closed workbook, and memory with large pictures."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from bench.hospital import Hospital, make_hospital, read_truth, run_sandbox
from bench.measure import Child, Figure, format_table, print_progress, read_load_average

RATE = 20
SLOWEST, FIRST, MOST_MB = 1.05, 5.0, 250


def measure_run(hospital: Hospital, rows: int) -> tuple[Child, float]:
    """Do one first run; returns what it took, and the seconds from its start to its first call."""
    hospital.forget()
    with run_sandbox() as url:
        hospital.configure(url, rate=RATE)
        begun = time.monotonic()
        child = hospital.run()
        state = read_truth(url)
    assert child.code == 0, (hospital.folder / "output.log").read_text()
    assert len(state["seals"]) == rows
    first = min(arrival for arrivals in state["arrivals"].values() for arrival in arrivals)
    return child, first - begun  # one steady clock for all processes of a machine


def measure_figures(rows: int, times: int, *, large_rows: int) -> list[Figure]:
    """Measure whole runs, and one with 2 MB pictures."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        hospital = make_hospital(Path(name) / "hospital", rows, picture_bytes=60_000)
        runs = []
        before = read_load_average()
        for turn in range(times):
            print_progress(f"run: {rows} rows, turn {turn + 1} of {times}, about {rows / RATE:.0f} s")
            runs.append(measure_run(hospital, rows))
        now = max(before, read_load_average())
        heavy = make_hospital(Path(name) / "heavy", large_rows, picture_bytes=2_000_000)
        print_progress(f"run: {large_rows} pictures of 2 MB")
        large, _ = measure_run(heavy, large_rows)
    ideal = rows / RATE
    took = statistics.median(child.wall for child, _ in runs)
    first = statistics.median(moment for _, moment in runs)
    return [
        Figure(
            f"run of {rows} rows, 60 KB: start to closed workbook",
            f"{took:.1f} s",
            f"{ideal:.1f} s = rows / rate",
            f"{took / ideal:.3f} x",
            f"<= {SLOWEST} x at 2,000 rows",
            took / ideal <= SLOWEST if rows >= 2000 or took / ideal <= SLOWEST else None,
            now,
        ),
        Figure(
            f"run of {rows} rows: first call after",
            f"{first:.1f} s",
            "",
            "",
            f"<= {FIRST:.0f} s",
            first <= FIRST,
            now,
        ),
        Figure(
            f"run of {large_rows} rows, 2 MB at {RATE}/s: memory",
            f"{large.peak:.0f} MB",
            "",
            "",
            f"<= {MOST_MB} MB",
            large.peak <= MOST_MB,
            read_load_average(),
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--quick", action="store_true", help="600 rows, once")
    chosen = parser.parse_args()
    print(format_table(measure_quickly() if chosen.quick else measure_fully(chosen.rows)))


def measure_quickly() -> list[Figure]:
    """Return the figures of one short run."""
    return measure_figures(600, 1, large_rows=120)


def measure_fully(rows: int = 2000) -> list[Figure]:
    """Return the figures of five whole runs."""
    return measure_figures(rows, 5, large_rows=400)


if __name__ == "__main__":
    main()
