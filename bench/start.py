"""CPU of the commands that people type most, next to the least that has to be done for them."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.hospital import Hospital, make_hospital_apart
from bench.measure import Measured, alternate, measure_command, require_success, run_python

ROWS = 60
TURNS = (9, 3)  # in full, in the short form


def measure(short: bool) -> Iterator[Measured]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        new, sealed = (
            make_hospital_apart(folder / which, ROWS, picture_bytes=60_000) for which in ("new", "sealed")
        )
        for hospital in (new, sealed):
            hospital.configure("http://127.0.0.1:9")
        run_python("bench.unchanged", "seal", str(sealed.folder), log=folder / "seal.log")
        new.measure("check")  # the first one may compile modules
        bare, ledger = ("-m", "bench.baselines"), str(sealed.folder / "state" / "ledger.sqlite3")
        for figure, hospital, size, words, baseline, least in (
            ("help", new, None, ("--help",), "python", ("-c", "pass")),
            (
                "check",
                new,
                ROWS,
                (*name_config(new), "check"),
                "libraries",
                (*bare, "check", str(new.folder)),
            ),
            ("status", sealed, None, (*name_config(sealed), "status"), "sqlite", (*bare, "count", ledger)),
        ):

            def measure_ours(hospital: Hospital = hospital, words: tuple[str, ...] = words) -> float:
                new.forget()  # what an earlier check found out about the pictures
                return measure_cpu(("-m", "pipeline", *words), folder / "ours.log", hospital.environment)

            theirs, ours = alternate(
                TURNS[short],
                f"start: {figure}",
                lambda least=least: measure_cpu(least, folder / "baseline.log"),
                measure_ours,
            )
            yield Measured(f"start.{figure}", ours, {baseline: theirs}, size)


def name_config(hospital: Hospital) -> tuple[str, str]:
    return "--config", str(hospital.folder / "config.yaml")


def measure_cpu(arguments: tuple[str, ...], log: Path, variables: Mapping[str, str] | None = None) -> float:
    """Run Python with these arguments and return its CPU seconds."""
    return require_success(measure_command([sys.executable, *arguments], env=variables, log=log), log).cpu
