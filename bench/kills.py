"""kill -9 at every point of a small run, then the run again, compared with a script that keeps a CSV of what it made.

The script does what people write first: it skips whom the CSV names, calls the official SDK, appends the SealId.
"""

from __future__ import annotations

import csv
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench.hospital import Hospital, make_hospital
from bench.measure import (
    FAILURES,
    REPOSITORY,
    ChildFailed,
    Measured,
    measure_command,
    print_progress,
    require_success,
)
from pipeline.sandbox.actions import Rules
from pipeline.sandbox.server import Sandbox, SandboxThread
from pipeline.sandbox.service import FakeService

sys.path.insert(0, str(REPOSITORY / "tests" / "support"))
from crash_support import CREATE, Zygote, outcomes

ROWS = 3
EVERY = (1, 12)  # every position in full; in the short form every point once and every 12th position
STEPS = ("before the call", "before the record", "after the record")  # of the script, for each doctor
NEVER = 10**6


def measure(short: bool) -> Iterator[Measured]:
    service = FakeService(Rules(limiter="none", unique_names="off"))
    with tempfile.TemporaryDirectory(prefix="bench-") as name, SandboxThread(Sandbox(service)) as sandbox:
        hospital = make_hospital(Path(name) / "hospital", ROWS)
        os.environ.update(hospital.environment)
        hospital.configure(sandbox.url, concurrency=2)
        twice, lost, changes = kill_ours(hospital, service, EVERY[short])
        try:
            theirs = [{"script": [count]} for count in kill_script(hospital, service, sandbox.url)]
        except ChildFailed as error:
            FAILURES.append(f"the baseline: {error}")
            theirs = [{}, {}]
    yield Measured("kills.duplicates", [per_hundred(twice)], theirs[0], len(twice), is_enough=not short)
    yield Measured("kills.lost", [per_hundred(lost)], theirs[1], len(lost), is_enough=not short)
    yield Measured("kills.changes", [max(changes)], size=len(changes), is_enough=not short)


def per_hundred(counts: list[int]) -> float:
    return 100 * sum(counts) / len(counts)


def count_duplicates(service: FakeService) -> int:
    return sum(len(ids) - 1 for ids in service.list_duplicates().values())


def count_creates(service: FakeService) -> int:
    return sum(call.action == CREATE for call in service.received)


def kill_ours(hospital: Hospital, service: FakeService, every: int) -> tuple[list[int], list[int], list[int]]:
    """Kill at each position; return duplicates, seals that no row shows or doubts, and calls of a second rerun."""
    twice, lost, changes = [], [], []
    with Zygote() as zygote:
        hospital.forget()
        passed: Counter[str] = Counter()
        positions = []
        for point in zygote.run(hospital)["points"]:
            passed[point] += 1
            positions.append((point, passed[point]))
        chosen = [
            position for index, position in enumerate(positions) if position[1] == 1 or index % every == 0
        ]
        for index, (point, count) in enumerate(chosen):
            if index % 20 == 0:
                print_progress(f"kills: position {index + 1} of {len(chosen)}")
            hospital.forget()
            service.reset()
            ended = zygote.run(hospital, **{"name": point, "pass": count})
            if ended["signal"] != signal.SIGKILL:  # points of a shared commit may be one fewer this time
                continue
            zygote.run(hospital)
            rows = outcomes(hospital)
            kept = {row["seal_id"] for row in rows}
            doubted = {row["name"] for row in rows if row["status"] in {"unknown", "exists"}}
            lost.append(sum(seal.seal_id not in kept and seal.name not in doubted for seal in service.seals))
            calls = count_creates(service)
            zygote.run(hospital)
            changes.append(count_creates(service) - calls)
            twice.append(count_duplicates(service))
    return twice, lost, changes


def kill_script(hospital: Hospital, service: FakeService, url: str) -> tuple[float, float]:
    """Kill the script at each of its steps, and run it again; return duplicates and lost seals a hundred kills."""
    twice, lost = [], []
    for position in range(ROWS * len(STEPS)):
        print_progress(f"kills: the script, position {position + 1} of {ROWS * len(STEPS)}")
        service.reset()
        target = hospital.folder / "made.csv"
        target.unlink(missing_ok=True)
        for killed_at in (position, NEVER):
            arguments = (url.removeprefix("http://"), str(hospital.folder), str(killed_at))
            log = hospital.folder / "script.log"
            child = measure_command([sys.executable, "-m", "bench.kills", *arguments], log=log)
            if child.code != -signal.SIGKILL:
                require_success(child, log)
        kept = {seal_id for _, seal_id in read_made(target)}
        lost.append(sum(seal.seal_id not in kept for seal in service.seals))
        twice.append(count_duplicates(service))
    shutil.rmtree(hospital.folder / "out", ignore_errors=True)
    return per_hundred(twice), per_hundred(lost)


def read_made(path: Path) -> list[list[str]]:
    """Return the lines of the script's CSV."""
    return list(csv.reader(path.read_text().splitlines())) if path.exists() else []


def run_script(address: str, folder: str, killed_at: str) -> None:
    """Make the seals that the CSV does not name; die at a step."""
    from bench.official import create

    steps = iter(range(NEVER))

    def pass_step() -> None:
        if next(steps) == int(killed_at):
            os.kill(os.getpid(), signal.SIGKILL)

    target = Path(folder) / "made.csv"
    made = {serial for serial, _ in read_made(target)}
    for serial in range(1, ROWS + 1):
        if str(serial) in made:
            continue
        pass_step()
        seal_id = create(address, Path(folder) / "seals", serial)
        pass_step()
        with target.open("a") as output:
            csv.writer(output).writerow((serial, seal_id))
        pass_step()


if __name__ == "__main__":
    run_script(*sys.argv[1:])
