"""How long a small hospital waits among four large ones, with two workers of two runs each: from the queue to its end.

The small one is queued once the large ones run, which is the worst moment. The large ones are not waited for.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.hospital import make_hospital
from bench.measure import REPOSITORY, print_progress, read_load_average
from bench.several_hosts_failover import SECRET, count_creates, wait_for
from bench.several_processes import ORGANIZATION, RATE, start_sandbox
from pipeline.sandbox.gateway import SANDBOX

sys.path.insert(0, str(REPOSITORY / "tests" / "support"))
from postgres_server import PostgresServer, run_server

SMALL, LARGE = 10, 400  # doctors
WORKERS, PROCESSES, LARGE_HOSPITALS, TURNS = 2, 2, 4, 3
SENDING = 40  # creates after which the large ones are under way


class Platform:
    """Hospitals in one config.yaml, and their queue in a database of their own."""

    def __init__(self, folder: Path, server: PostgresServer, url: str, sizes: dict[str, int]) -> None:
        self.folder = folder
        self._server = server
        self._database = server.make_database()
        for name, size in sizes.items():
            make_hospital(folder / name, size)
        first = next(iter(sizes))
        (folder / first / "secrets").rename(folder / "secrets")
        (folder / "secrets" / "ledger__secret").write_text(SECRET)
        (folder / "secrets" / "ledger__secret").chmod(0o600)
        for number, name in enumerate(sizes):
            own = f"api: {{organization_open_id: {ORGANIZATION.format(number=number)}}}\n"
            (folder / name / "config.yaml").write_text(own)
        (folder / "common.yaml").write_text(
            f"api: {{endpoint: '{url}', app_id: {SANDBOX.app_id}, operator_open_id: {SANDBOX.operator_open_id}}}\n"
            f"limits: {{requests_per_second: {RATE}}}\nsecrets_dir: ../secrets\nledger: {self._database}\n"
            f"workers: {{processes: {PROCESSES}}}\n"
        )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the program; its output goes to output.log."""
        config = ("--config", str(self.folder), "--lang", "en")
        command = [sys.executable, "-m", "pipeline", *config, *arguments]
        with (self.folder / "output.log").open("ab") as output:
            variables = {**os.environ, "XDG_STATE_HOME": str(self.folder / "user")}
            return subprocess.Popen(command, cwd=REPOSITORY, stdout=output, stderr=output, env=variables)

    def enqueue(self, *names: str) -> None:
        """Queue hospitals in this order."""
        assert self.start("enqueue", *names).wait() == 0

    def list_seconds(self, names: Sequence[str]) -> list[float]:
        """Return how long hospitals took from the queue to the end of their run, of those that have ended."""
        statement = (
            "SELECT extract(epoch FROM finished_at - enqueued_at)::float FROM esign_import.daily_job"
            " WHERE finished_at IS NOT NULL AND hospital = ANY(%s)"
        )
        with self._server.connect(self._database.rpartition("/")[2]) as connection:
            return [seconds for (seconds,) in connection.execute(statement, [list(names)])]

    @contextmanager
    def run_workers(self) -> Iterator[None]:
        """Let the workers work; they and their runs are killed at the end."""
        workers = [self.start("worker") for _ in range(WORKERS)]
        try:
            wait_for(
                lambda: (self.folder / "output.log").read_text().count("The worker has started") == WORKERS
            )
            yield
        finally:
            for worker in workers:
                for process in [*psutil.Process(worker.pid).children(), worker]:
                    process.kill()
                worker.wait()


def measure_wait(server: PostgresServer, folder: Path, turn: int) -> tuple[float, float]:
    """Return how long a small hospital takes alone, and among the large ones."""
    large = [f"large{number}" for number in range(LARGE_HOSPITALS)]
    sizes = {"alone": SMALL, "among": SMALL} | dict.fromkeys(large, LARGE)
    with start_sandbox("rolling", len(sizes)) as url:
        platform = Platform(folder / str(turn), server, url, sizes)
        with platform.run_workers():
            platform.enqueue("alone")
            wait_for(lambda: platform.list_seconds(["alone"]))
            platform.enqueue(*large)
            creates = count_creates(url)
            wait_for(lambda: count_creates(url) >= creates + SENDING)
            platform.enqueue("among")
            wait_for(lambda: platform.list_seconds(["among"]))
            alone, among = (platform.list_seconds([name])[0] for name in ("alone", "among"))
            return alone, among


def measure_slots() -> None:
    """Print the figure: the median of some turns."""
    with run_server() as server, tempfile.TemporaryDirectory() as folder:
        ratios = []
        print("| alone, s | among four large ones, s | ratio | load |")
        print("|---|---|---|---|")
        for turn in range(TURNS):
            print_progress(f"slots: turn {turn + 1} of {TURNS}")
            alone, among = measure_wait(server, Path(folder), turn)
            ratios.append(among / alone)
            print(f"| {alone:.1f} | {among:.1f} | {ratios[-1]:.2f} | {read_load_average():.1f} |", flush=True)
    median = statistics.median(ratios)
    print(f"\nA small hospital among four large ones: {median:.2f} times its time alone (at most 2)\n")
