"""One quota for several processes whose ledgers are on one PostgreSQL server (needs the server's programs).

First whole runs: the same doctors in one hospital or spread over four and twelve, each a process of its own, against the
sandbox with its limiter on; beside them one process with its ledger in a file. Then plain loops of slots under a
ten times higher limit: what a small hospital loses beside large ones.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from bench.hospital import Hospital, make_hospital
from bench.measure import REPOSITORY, print_progress, read_load_average
from pipeline.clock import SystemClock
from pipeline.domain.server_address import ServerAddress
from pipeline.esign.products import ESSBASIC
from pipeline.esign.rate_limiter import max_in_rolling_second
from pipeline.hosts.shared_rate_limiter import SharedRateLimiter
from pipeline.sandbox.actions import Rules
from pipeline.sandbox.gateway import SANDBOX, LimiterKind
from pipeline.sandbox.server import Sandbox
from pipeline.sandbox.service import FakeService

sys.path.insert(0, str(REPOSITORY / "tests" / "support"))
from postgres_server import PostgresServer, run_server

RATE, DOCTORS, LATENCY = 20, 480, 0.08
PROCESSES = (1, 4, 12)
FAST_RATE = 200.0  # of the plain loops: hours become minutes
SIZES = (50, 2000), (50, 2000, 2000, 2000)  # rows of hospitals that begin at once
ORGANIZATION = "org_sandbox_{number}"


@dataclass(frozen=True)
class Outcome:
    """What the sandbox saw of some processes, of the creates."""

    name: str
    per_second: float  # from the first call's arrival to the last one's
    most_rolling: int
    most_calendar: int
    throttled: int  # of uploads, too
    duplicates: int
    sealed: int
    load: float

    def format_line(self) -> str:
        return (
            f"| {self.name} | {self.per_second:.2f} | {self.most_rolling} | {self.most_calendar} "
            f"| {self.throttled} | {self.duplicates} | {self.sealed} | {self.load:.1f} |"
        )


# -- whole runs


async def serve(kind: LimiterKind, hospitals: int) -> None:
    """Be the sandbox of so many hospitals with one account."""
    tenants = [
        replace(SANDBOX, organization_open_id=ORGANIZATION.format(number=number))
        for number in range(hospitals)
    ]
    async with Sandbox(
        FakeService(Rules(limiter=kind, rate=RATE), tenants=tenants), latency=LATENCY
    ) as sandbox:
        print(sandbox.url, flush=True)
        await asyncio.get_running_loop().create_future()


@contextmanager
def start_sandbox(kind: LimiterKind, hospitals: int) -> Iterator[str]:
    process = start_child("--serve", kind, str(hospitals))
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate()


def start_child(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.several_processes", *arguments]
    return subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def configure(hospital: Hospital, url: str, number: int, database: str | None) -> None:
    hospital.configure(url, rate=RATE, **({"ledger": database} if database else {}))
    config = hospital.folder / "config.yaml"
    organization = ORGANIZATION.format(number=number)
    config.write_text(config.read_text("utf-8").replace(SANDBOX.organization_open_id, organization), "utf-8")
    secret = hospital.folder / "secrets" / "ledger__secret"
    secret.write_text("the operator's secret of the bench")
    secret.chmod(0o600)


def measure_runs(kind: LimiterKind, processes: int, database: str | None, folder: Path) -> Outcome:
    """Let so many hospitals import their doctors at once."""
    hospitals = [make_hospital(folder / f"{number:02d}", DOCTORS // processes) for number in range(processes)]
    with start_sandbox(kind, processes) as url:
        for number, hospital in enumerate(hospitals):
            configure(hospital, url, number, database)
        runs = [
            subprocess.Popen(
                hospital.command("run", "--yes", "--accept-guards"),
                cwd=REPOSITORY,
                env={**os.environ, **hospital.environment},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for hospital in hospitals
        ]
        codes = [run.wait() for run in runs]
        assert set(codes) <= {0, 5}, codes
        with urllib.request.urlopen(url + "/_truth") as answer:
            truth = json.load(answer)
    creates = truth["arrivals"][ESSBASIC.create]
    location = "on the server" if database else "in a file (ProcessRateLimiter)"
    return Outcome(
        f"{kind}, {processes} {'process' if processes == 1 else 'processes'}, ledgers {location}",
        (len(creates) - 1) / (creates[-1] - creates[0]),
        *count_most(truth["arrivals"]),
        sum(
            truth["counts"][action].get("RequestLimitExceeded", 0)
            for action in (ESSBASIC.create, ESSBASIC.upload)
        ),
        len(truth["duplicates"]),
        len(truth["seals"]),
        read_load_average(),
    )


def count_most(arrivals: dict[str, list[float]]) -> tuple[int, int]:
    """Return the most calls of an action in any rolling second, and in a second of the clock that moments are of."""
    rolling = max(
        max_in_rolling_second(tuple(arrivals[action])) for action in (ESSBASIC.create, ESSBASIC.upload)
    )
    calendar = max(
        list(map(int, arrivals[action])).count(second)
        for action in (ESSBASIC.create, ESSBASIC.upload)
        for second in set(map(int, arrivals[action]))
    )
    return rolling, calendar


def measure_all_runs(server: PostgresServer, kinds: Sequence[LimiterKind]) -> Iterator[Outcome]:
    for kind in kinds:
        for processes, is_shared in ((1, False), *((number, True) for number in PROCESSES)):
            print_progress(f"several processes: {kind} second, {processes}, shared: {is_shared}")
            with tempfile.TemporaryDirectory() as folder:
                database = server.make_database() if is_shared else None
                yield measure_runs(kind, processes, database, Path(folder))


# -- plain loops of slots


async def take_slots(url: str, rows: int) -> None:
    """Take a slot for each row as a run does; print how long it took, and when each call left."""
    limiter = SharedRateLimiter(ServerAddress(url), FAST_RATE)
    clock = SystemClock()
    print("ready", flush=True)
    sys.stdin.readline()
    began = clock.monotonic()
    numbers = iter(range(rows))

    async def worker() -> None:
        for _ in numbers:
            while not limiter.record_departure(ESSBASIC.create, await limiter.acquire(ESSBASIC.create)):
                pass
            await clock.sleep(LATENCY * RATE / FAST_RATE)

    await asyncio.gather(*[worker() for _ in range(20)])
    seconds = clock.monotonic() - began
    limiter.close()
    print(json.dumps({"seconds": seconds, "departures": limiter.list_departures(ESSBASIC.create)}))


def measure_loops(server: PostgresServer, sizes: Sequence[int]) -> list[dict]:
    """Let runs of these sizes begin at the same moment; return what each printed."""
    url = server.make_database()
    processes = [start_child("--loop", url, str(rows)) for rows in sizes]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return [json.loads(process.communicate()[0]) for process in processes]


def describe_fairness(server: PostgresServer, sizes: Sequence[int]) -> Iterator[str]:
    print_progress(f"several processes: {len(sizes)} hospitals at once, {sum(sizes)} rows")
    together = measure_loops(server, sizes)
    moments = tuple(sorted(chain(*(run["departures"] for run in together))))
    per_second = (len(moments) - 1) / (moments[-1] - moments[0])
    yield (
        f"{len(sizes)} hospitals at once, {len(moments)} rows, limit {FAST_RATE:.0f} a second: {per_second:.1f} a second, "
        f"most in any second {max_in_rolling_second(moments)}, load {read_load_average():.1f}"
    )
    yield "| rows | alone, s | with the others, s | ratio |"
    yield "|---|---|---|---|"
    for rows, run in zip(sizes, together, strict=True):
        alone = statistics.median(measure_loops(server, (rows,))[0]["seconds"] for _ in range(3))
        yield f"| {rows} | {alone:.2f} | {run['seconds']:.2f} | {run['seconds'] / alone:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", nargs=2, metavar=("KIND", "HOSPITALS"), help=argparse.SUPPRESS)
    parser.add_argument("--loop", nargs=2, metavar=("URL", "ROWS"), help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="one kind of second, small hospitals")
    chosen = parser.parse_args()
    if chosen.serve:
        asyncio.run(serve(chosen.serve[0], int(chosen.serve[1])))
    elif chosen.loop:
        asyncio.run(take_slots(chosen.loop[0], int(chosen.loop[1])))
    else:
        with run_server() as server:
            print_figures(server, is_quick=chosen.quick)


def print_figures(server: PostgresServer, *, is_quick: bool) -> None:
    print("| creates | a second | most, rolling | most, calendar | throttled | duplicates | seals | load |")
    print("|---|---|---|---|---|---|---|---|")
    for outcome in measure_all_runs(server, ("rolling",) if is_quick else ("rolling", "calendar")):
        print(outcome.format_line(), flush=True)
    for sizes in SIZES[:1] if is_quick else SIZES:
        print(*describe_fairness(server, sizes), sep="\n", flush=True)


if __name__ == "__main__":
    main()
