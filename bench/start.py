"""CPU of the commands that people type most, beside the least that has to be done for them."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.hospital import make_hospital_apart
from bench.measure import Measured, alternate, measure_command, require_success, run_python

ROWS = 60
TURNS = (9, 3)  # in full, in the short form


def measure(short: bool) -> Iterator[Measured]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        hospital = make_hospital_apart(folder / "hospital", ROWS, picture_bytes=60_000)
        hospital.configure("http://127.0.0.1:9")
        run_python("bench.unchanged", "seal", str(hospital.folder), log=folder / "seal.log")
        hospital.measure("check")  # the first one may translate modules
        config = ("--config", str(hospital.folder / "config.yaml"))
        bare = ("-m", "bench.baselines")
        ledger = str(hospital.folder / "state" / "ledger.sqlite3")
        for figure, size, words, baseline, least in (
            ("help", None, ("--help",), "python", ("-c", "pass")),
            ("check", ROWS, (*config, "check"), "libraries", (*bare, "check", str(hospital.folder))),
            ("status", None, (*config, "status"), "sqlite", (*bare, "count", ledger)),
        ):
            theirs, ours = alternate(
                TURNS[short],
                f"start: {figure}",
                lambda least=least: measure_cpu(least, folder / "baseline.log"),
                lambda words=words: measure_cpu(("-m", "pipeline", *words), folder / "ours.log"),
            )
            yield Measured(f"start.{figure}", ours, {baseline: theirs}, size)


def measure_cpu(arguments: tuple[str, ...], log: Path) -> float:
    """Run Python with these arguments and return its CPU seconds."""
    return require_success(measure_command([sys.executable, *arguments], log=log), log).cpu
