"""Children measured from outside, and what one figure's measurement gave."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

REPOSITORY = Path(__file__).parents[1]
LOOK = 0.1  # seconds between two looks at a child's memory
Value = TypeVar("Value")
Other = TypeVar("Other")


FAILURES: list[str] = []
"""What could not be measured although its group could."""


class ChildFailed(Exception):
    """A process that was to be measured ended with an error."""


@dataclass(frozen=True)
class Child:
    """What a process took, start to end."""

    wall: float  # seconds
    cpu: float  # seconds, user and system, with its children
    peak: float  # MB of resident memory
    code: int


@dataclass(frozen=True)
class Measured:
    """What one figure's measurement gave, a value a turn."""

    name: str  # of the figure
    ours: Sequence[float]
    baselines: Mapping[str, Sequence[float]] = field(default_factory=dict)
    size: int | None = None  # rows, pictures, seeds
    is_enough: bool = True  # False: too few rows or turns to judge the goal


def measure_command(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    watch: Callable[[float, float], object] | None = None,
) -> Child:
    """Run a command to its end, in the repository; its output goes to ``log``.

    A program that is installed has its modules compiled: a run must not do it anew because its shell forbids to keep
    them. ``watch`` gets the steady time and the MB of memory of the process and of what its children have for themselves,
    ten times a second; the peak then is theirs together, otherwise that of the process alone.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    most = 0.0
    with (log or Path(os.devnull)).open("ab") as output:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=REPOSITORY, env={**environment, **(env or {})}, stdout=output, stderr=output
        )
        if watch:
            for moment, size in _watch_memory(process.pid):
                watch(moment, size)
                most = max(most, size)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    # ru_maxrss is in KiB on Linux, in bytes on macOS
    unit = 1 if sys.platform == "darwin" else 1024
    peak = max(most, usage.ru_maxrss * unit / 1e6)
    return Child(wall, usage.ru_utime + usage.ru_stime, peak, process.returncode)


def _watch_memory(number: int):
    """Yield the steady time and the MB of a process and its children until it ends."""
    import psutil

    process = psutil.Process(number)
    while os.waitid(os.P_PID, number, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        size = 0
        with suppress(psutil.Error):
            size = process.memory_info().rss
            for child in process.children(recursive=True):
                with suppress(psutil.Error):
                    size += child.memory_full_info().uss  # the rest it shares with its parent
        yield time.monotonic(), size / 1e6
        time.sleep(LOOK)


def require_success(child: Child, log: Path) -> Child:
    """Raise ChildFailed with the last line of its output if a child failed."""
    if child.code != 0:
        lines = log.read_text("utf-8", "replace").strip().splitlines() if log.exists() else []
        raise ChildFailed(f"exit {child.code}: " + "".join(lines[-1:]))
    return child


def run_python(*arguments: str, log: Path, watch: Callable[[float, float], object] | None = None) -> Child:
    """Run a module of this folder in a process of its own; raise ChildFailed if it fails."""
    return require_success(measure_command([sys.executable, "-m", *arguments], log=log, watch=watch), log)


def alternate(
    times: int, what: str, baseline: Callable[[], Value], ours: Callable[[], Other]
) -> tuple[list[Value], list[Other]]:
    """Measure baseline and ours in turn, so many times.

    A baseline that fails, such as one whose library is missing, is left out and noted in `FAILURES`.
    """
    baselines, own, works = [], [], True
    for turn in range(times):
        print_progress(f"{what}: turn {turn + 1} of {times}")
        try:
            if works:
                baselines.append(baseline())
        except ChildFailed as error:
            FAILURES.append(f"the baseline: {error}")
            baselines, works = [], False
        own.append(ours())
    return baselines, own


def read_load_average() -> float:
    """Return the load average of the last minute."""
    return os.getloadavg()[0]


def print_progress(what: str) -> None:
    """Print on stderr what is being measured."""
    print(f"… {what}", file=sys.stderr, flush=True)
