"""What the attacks share: a fresh hospital each, and the table at their end."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pytest
from attack.page_stage import LifeClock, PageStage
from attack.stage import LONG, Stage, ThisProcess, open_sandbox
from crash_support import Zygote

# `make test` plays a few attacks of these kinds; the rest is `make attack`, and has its like in tests/end_to_end
SHORT = {
    "test_evidence_decisions.py",
    "test_evidence_over_time.py",
    "test_former_staff.py",
    "test_honest_changes.py",
    "test_marked_copies.py",
    "test_other_persons.py",
    "test_page_lives.py",
    "test_persons.py",
    "test_pictures_by_name.py",
    "test_pictures_in_rosters.py",
    "test_random_lives.py",
    "test_shared_staff_numbers.py",
}
collect_ignore = (
    [] if LONG else [path.name for path in Path(__file__).parent.glob("test_*.py") if path.name not in SHORT]
)

COLUMNS = (
    "cases",
    "failed",
    "second seals",
    "(unknowable)",
    "wrong pictures",
    "false claims",
    "refused, wrote",
)


@pytest.fixture(scope="session")
def zygote():
    """What runs the commands: a process that forks them, in `make test` this one."""
    if not LONG:
        yield ThisProcess()
        return
    with Zygote() as process:
        yield process


@pytest.fixture(scope="session", autouse=True)
def no_stray_settings():
    """Keep credentials and settings of the machine away from every command that is started here."""
    for variable in [variable for variable in os.environ if variable.startswith(("TENCENTCLOUD_", "ESIGN_"))]:
        del os.environ[variable]


@pytest.fixture
def report(request):
    """Return what enters a stage's counts in the table at the end."""
    stages = []
    yield stages.append
    for stage in stages:
        fault_counts = stage.judge()
        counts = [
            fault_counts.second_seals,
            fault_counts.unknowable,
            fault_counts.wrong_pictures,
            fault_counts.false_claims,
            fault_counts.refused_that_wrote,
        ]
        request.node.user_properties.append(("attack", [request.module.GROUP, *counts]))


@pytest.fixture
def stage_with(tmp_path, zygote, report):
    """Make a hospital whose sandbox has these rules; its user has a state folder of its own."""
    opened = []

    def make(*, folder="hospital", **sandbox) -> Stage:
        thread = open_sandbox(**sandbox)
        thread.__enter__()
        opened.append(thread)
        stage = Stage(tmp_path / folder, tmp_path / "user", thread, zygote)
        report(stage)
        return stage

    yield make
    for thread in opened:
        thread.__exit__()


@pytest.fixture
def stage(stage_with):
    return stage_with()


@pytest.fixture(scope="module")
def service_clock():
    return LifeClock()


@pytest.fixture(scope="module")
def page_sandbox(service_clock):
    with open_sandbox(clock=service_clock) as thread:
        yield thread


@pytest.fixture
def open_pages(tmp_path, page_sandbox, service_clock, monkeypatch):
    """The page of a hospital of its own, whose commands are played in this process."""
    page_sandbox.service.reset()
    service_clock.ahead = 0.0
    stage = Stage(tmp_path / "hospital", tmp_path / "user", page_sandbox, ThisProcess())
    stage.strike()
    with PageStage(stage, service_clock, monkeypatch) as pages:
        yield pages


def print_lives(terminalreporter) -> None:
    """Print what became of each random hospital, and of all hospitals of a profile."""
    lives = [
        value
        for entries in terminalreporter.stats.values()
        for entry in entries
        if getattr(entry, "when", None) == "call"
        for key, value in entry.user_properties
        if key == "life"
    ]
    for profile in sorted({counts["profile"] for counts in lives}):
        terminalreporter.section(f"random hospitals: {profile}")
        counted = [counts for counts in lives if counts["profile"] == profile]
        titles = [title for title, value in counted[0].items() if title != "seed" and isinstance(value, int)]
        total = {title: sum(counts[title] for counts in counted) for title in titles}
        for counts in sorted(counted, key=lambda counts: counts["seed"]):
            line = ", ".join(f"{title} {counts[title]}" for title in titles)
            terminalreporter.write_line(f"seed {counts['seed']}: {line}")
            for doctor in counts["held_doctors"]:
                terminalreporter.write_line(f"  held without need in {doctor}")
        line = ", ".join(f"{title} {value}" for title, value in total.items())
        terminalreporter.write_line(f"{len(counted)} hospitals: {line}")
        terminalreporter.write_line(
            f"hospitals with a wrong picture or a second seal: {sum(bool(c['wrong'] or c['second']) for c in counted)}; "
            f"held without need: {total['needless'] / total['rows']:.2%} of the rows, "
            f"{total['needless_people'] / total['people']:.2%} of the doctors"
        )


def pytest_terminal_summary(terminalreporter):
    """Print how each group of cases ended."""
    if LONG or "LIVES" in os.environ:
        print_lives(terminalreporter)
    if not LONG:
        return
    rows: dict[str, list[int]] = defaultdict(lambda: [0] * len(COLUMNS))
    failed = {item.nodeid for item in terminalreporter.stats.get("failed", ())}
    for entry in terminalreporter.stats.get("", ()):
        for key, value in entry.user_properties if entry.when == "teardown" else ():
            if key == "attack":
                group, *counts = value
                row = rows[group]
                row[0] += 1
                row[1] += entry.nodeid in failed
                for index, count in enumerate(counts, start=2):
                    row[index] += count
    terminalreporter.section("attacks")
    width = max(map(len, rows), default=0)
    terminalreporter.write_line(" " * width + "".join(f"{title:>16}" for title in COLUMNS))
    for group, counts in sorted(rows.items()):
        terminalreporter.write_line(group.ljust(width) + "".join(f"{count:>16}" for count in counts))
    total = [sum(column) for column in zip(*rows.values(), strict=True)]
    terminalreporter.write_line("in all".ljust(width) + "".join(f"{count:>16}" for count in total))
