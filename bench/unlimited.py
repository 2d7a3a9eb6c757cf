"""The limit lifted: rows a second and CPU a row, beside the official SDK with 20 threads making the same calls.

Rows a second are counted by the service, from the first create to the last. CPU a row is what a run of all rows takes
more than a run of a tenth of them, divided: neither start-up nor the reading of a roster's frame counts for either.
Pictures are known where a `check` has looked at them before.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
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


def run_ours(hospital: Hospital, rows: int, state: Path | None = None) -> Child:
    """Do a first run of ``rows`` rows, after what a `check` left in ``state``; the roster holds more."""
    hospital.forget()
    if state:
        shutil.copytree(state, hospital.folder / "state")
    return hospital.run("--limit", str(rows))


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


def measure_speed(url: str, rows: int, run: Callable[[int], Child]) -> Speed:
    """Do a small and a whole run."""
    few = rows // 10
    small = run(few)
    read_facts(url)
    whole = run(rows)
    facts = read_facts(url)
    assert facts["creates"] == rows, facts
    seconds = facts["last"] - facts["first"]
    return Speed((rows - 1) / seconds, 1000 * (whole.cpu - small.cpu) / (rows - few))


def check_pictures(hospital: Hospital, target: Path) -> Path:
    """Do a `check` and keep its state in ``target``."""
    hospital.forget()
    hospital.measure("check")
    source = hospital.folder / "state"
    if source.exists():
        shutil.copytree(source, target)
    else:
        target.mkdir()
    return target


def measure(short: bool) -> Iterator[Measured]:
    rows, times = ROWS[short], TURNS[short]
    with tempfile.TemporaryDirectory(prefix="bench-") as name, run_service() as url:
        print_progress(f"unlimited: making {rows} pictures of {PICTURE // 1000} KB")
        hospital = make_hospital_apart(Path(name) / "hospital", rows, picture_bytes=PICTURE)
        for contract in ("file_id", "inline"):
            hospital.configure(url, rate=RATE, contract=contract)
            state = check_pictures(hospital, Path(name) / f"state-{contract}")
            sdk, own = alternate(
                times,
                f"unlimited: {contract}",
                lambda c=contract: measure_speed(url, rows, lambda n: run_official(hospital, url, c, n)),
                lambda known=state: (
                    measure_speed(url, rows, lambda n: run_ours(hospital, n)),
                    measure_speed(url, rows, lambda n: run_ours(hospital, n, known)),
                ),
            )
            for index, kind in enumerate(("checked", "known")):
                for figure, part in (("rows", 0), ("cpu", 1)):
                    yield Measured(
                        f"unlimited.{contract}.{kind}.{figure}",
                        [turn[index][part] for turn in own],
                        {"sdk": [speed[part] for speed in sdk]},
                        rows,
                        is_enough=not short,
                    )
