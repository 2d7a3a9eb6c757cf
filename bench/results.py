"""What was measured, kept as JSON: bench/results.json is what the pages are made from."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.figures import BASELINES, Figure
from bench.measure import REPOSITORY

RESULTS = REPOSITORY / "bench" / "results.json"
LIBRARIES = ("aiohttp", "pillow", "python-calamine", "xlsxwriter", "pandas", "tencentcloud-sdk-python-common")
COMBINE = {"median": statistics.median, "mean": statistics.fmean, "max": max}


@dataclass
class GroupResults:
    """What one group gave: the values of its figures, or why there are none."""

    begun: str = ""  # date and time
    commit: str = ""
    seconds: float = 0.0
    load_before: float = 0.0  # load average of the last minute
    load_most: float = 0.0
    error: str | None = None
    figures: dict[str, dict[str, Any]] = field(
        default_factory=dict
    )  # fields of Measured by the figure's name


@dataclass
class Results:
    """One bench: the machine, and each group."""

    machine: dict[str, Any]
    is_short: bool = False
    groups: dict[str, GroupResults] = field(default_factory=dict)

    def save(self, path: Path = RESULTS) -> None:
        path.write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n", "utf-8")


def load_results(path: Path = RESULTS) -> Results | None:
    """Return what was measured before, if anything."""
    if not path.exists():
        return None
    values = json.loads(path.read_text("utf-8"))
    groups = {name: GroupResults(**group) for name, group in values.pop("groups").items()}
    return Results(**values, groups=groups)


def describe_machine() -> dict[str, Any]:
    """Return what the figures depend on: processor, cores, memory, system, Python, libraries."""
    return {
        "cpu": _read_processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": _read_memory(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",  # its build changes nothing
        "python": platform.python_version(),
        "libraries": {name: number for name in LIBRARIES if (number := _get_version(name))},
    }


def _read_processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _read_memory() -> int:
    import psutil

    return round(psutil.virtual_memory().total / 2**30)


def _get_version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def read_commit() -> str:
    """Return the commit that is measured, with a + where files differ from it, leaving out what the bench writes."""
    command = ["git", "-C", str(REPOSITORY)]
    try:
        commit = subprocess.run(
            [*command, "rev-parse", "--short=8", "HEAD"], capture_output=True, text=True, check=True
        )
        others = [":!bench/results.json", ":!docs"]
        changed = subprocess.run(
            [*command, "status", "--porcelain", "--untracked-files=no", "--", ".", *others],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")


@dataclass(frozen=True)
class Line:
    """One figure with its values, combined and judged."""

    figure: Figure
    ours: float | None  # None: not measured
    baselines: Mapping[str, float]
    size: int | None
    is_reached: bool | None  # None: no goal, or too little was measured to judge it
    error: str | None = None

    @property
    def ratio(self) -> float | None:
        """Ours divided by the first baseline."""
        if self.ours is None or not self.baselines:
            return None
        first = next(iter(self.baselines.values()))
        return self.ours / first if first else None

    @property
    def judged(self) -> float | None:
        """The value that the goal is about."""
        return self.ratio if self.figure.goal and self.figure.goal.is_ratio else self.ours


def build_line(figure: Figure, group: GroupResults | None) -> Line:
    """Combine the turns of one figure and judge it."""
    values = group.figures.get(figure.name) if group else None
    if not values:
        return Line(figure, None, {}, None, None, (group.error if group else None) or None)
    combine = COMBINE[figure.combine]
    baselines = {name: combine(some) for name, some in values["baselines"].items() if some}
    assert baselines.keys() <= BASELINES.keys(), figure.name
    line = Line(figure, combine(values["ours"]), baselines, values["size"], None)
    if figure.goal is None or not values["is_enough"] or line.judged is None:
        return line
    is_reached = figure.goal.is_reached(line.judged)
    return Line(figure, line.ours, baselines, line.size, is_reached)
