"""Children measured from outside, medians, and the lines of the report."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


@dataclass(frozen=True)
class Figure:
    """One line of the report; ``holds`` is None where a quick run or a stand-in proves nothing about the figure."""

    what: str
    ours: str
    baseline: str
    ratio: str
    wanted: str
    holds: bool | None
    load: float  # load average over the last minute, when it was measured


@dataclass(frozen=True)
class Child:
    """What a process took, start to end."""

    wall: float  # seconds
    cpu: float  # seconds, user and system, with its children
    peak: float  # MB of resident memory, of the process itself
    code: int


def measure_command(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, log: Path | None = None
) -> Child:
    """Run a command to its end, in the repository; its output goes to ``log``.

    A program that is installed has its modules translated: a run must not do it anew because its shell forbids to keep them.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with (log or Path(os.devnull)).open("ab") as output:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=REPOSITORY, env={**environment, **(env or {})}, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    # ru_maxrss is in KiB on Linux, in bytes on macOS
    unit = 1 if sys.platform == "darwin" else 1024
    return Child(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6, process.returncode)


def read_load_average() -> float:
    """Return the load average of the last minute."""
    return os.getloadavg()[0]


def format_table(figures: Sequence[Figure]) -> str:
    """Return the report as a Markdown table, its columns in line so that a terminal shows it as well."""
    head = ("figure", "ours", "baseline", "ratio", "wanted", "", "load")
    marks = {True: "holds", False: "MISSED", None: "–"}
    rows = [
        (
            figure.what,
            figure.ours,
            figure.baseline,
            figure.ratio,
            figure.wanted,
            marks[figure.holds],
            f"{figure.load:.1f}",
        )
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"
        for row in (head, *rows)
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def print_progress(what: str) -> None:
    """Say on stderr what is being measured."""
    print(f"… {what}", file=sys.stderr, flush=True)
