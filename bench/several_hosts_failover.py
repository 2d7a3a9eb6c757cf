"""Kills a run, a worker with its run, and the server, each in mid-run, and measures until the hospital's calls go on.

PostgreSQL, the sandbox and the workers are processes of this machine: what is measured is what the program waits for,
not what an operator or a cluster needs to notice a fault.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from bench.hospital import Hospital, make_hospital, read_truth, run_sandbox
from bench.measure import REPOSITORY, print_progress

sys.path.insert(0, str(REPOSITORY / "tests" / "support"))
from postgres_server import PostgresServer, run_server

ROWS, KILLED_AFTER = 300, 40  # creates
SECRET = "an operator's secret of the benchmark"
DOWN_SECONDS = 5.0  # of the server
PATIENCE_SECONDS = 300.0
LOCKED = 6  # exit code


def count_creates(url: str) -> int:
    return len(list_creates(url))


def list_creates(url: str) -> list[float]:
    """Return when the creates came, by the steady clock that all processes of a machine share."""
    arrivals = read_truth(url)["arrivals"]
    return sorted(arrivals.get("ChannelCreatePreparedPersonalEsign", []))


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def wait_for_create(url: str, since: float) -> float:
    """Return how long after a moment the next create came."""
    wait_for(lambda: any(moment > since for moment in list_creates(url)))
    return next(moment for moment in list_creates(url) if moment > since) - since


def start(hospital: Hospital, *arguments: str) -> subprocess.Popen[bytes]:
    """Start the program on a hospital; its output goes to output.log."""
    with (hospital.folder / "output.log").open("ab") as output:
        return subprocess.Popen(
            hospital.command(*arguments),
            cwd=REPOSITORY,
            stdout=output,
            stderr=output,
            env={**os.environ, **hospital.environment},
        )


def make_server_hospital(folder: Path, server: PostgresServer, url: str, more: str = "") -> Hospital:
    hospital = make_hospital(folder, ROWS)
    (folder / "secrets" / "ledger__secret").write_text(SECRET)
    hospital.configure(url, ledger=server.make_database())
    with (folder / "config.yaml").open("a") as file:
        file.write(more)
    return hospital


def measure_killed_run(folder: Path, server: PostgresServer) -> float:
    """Kill a run, and start the next one at once."""
    with run_sandbox() as url:
        hospital = make_server_hospital(folder, server, url)
        first = start(hospital, "run", "--yes")
        wait_for(lambda: count_creates(url) >= KILLED_AFTER)
        first.kill()
        first.wait()
        killed = time.monotonic()
        while True:
            following = start(hospital, "run", "--yes", "--accept-guards")
            wait_for(lambda: following.poll() is not None or list_creates(url)[-1] > killed + 1)  # noqa: B023
            if following.poll() != LOCKED:
                break
        took = wait_for_create(url, killed)
        following.wait()
        require_no_duplicates(url)
    return took


def measure_killed_server(folder: Path, server: PostgresServer) -> float:
    """Kill the server in mid-run and start it again; from the moment at which it takes connections."""
    with run_sandbox() as url:
        hospital = make_server_hospital(folder, server, url)
        run = start(hospital, "run", "--yes")
        wait_for(lambda: count_creates(url) >= KILLED_AFTER)
        server.kill()
        time.sleep(DOWN_SECONDS)
        server.start()
        took = wait_for_create(url, time.monotonic())
        assert run.wait() == 0, (folder / "output.log").read_text()
        require_no_duplicates(url)
    return took


def measure_killed_worker(folder: Path, server: PostgresServer) -> float:
    """Kill the worker that has the hospital, with its run; another worker is idle."""
    with run_sandbox() as url:
        hospital = make_server_hospital(folder, server, url)
        workers = [start(hospital, "worker") for _ in range(2)]
        try:
            assert start(hospital, "enqueue").wait() == 0, (folder / "output.log").read_text()
            wait_for(lambda: count_creates(url) >= KILLED_AFTER)
            killed = _kill_host(workers)
            took = wait_for_create(url, killed)
            wait_for(lambda: len(read_truth(url)["seals"]) >= ROWS - 25)
        finally:
            for worker in workers:
                worker.send_signal(signal.SIGTERM)
                worker.wait()
        require_no_duplicates(url)
    return took


def _kill_host(workers: list[subprocess.Popen[bytes]]) -> float:
    """Kill the worker that runs the hospital and its child, as a host dies; return when."""
    for worker in workers:
        children = psutil.Process(worker.pid).children(recursive=True)
        if children:
            worker.kill()
            for child in children:
                with suppress(psutil.NoSuchProcess):
                    child.kill()
            return time.monotonic()
    raise AssertionError("no worker runs the hospital")


def require_no_duplicates(url: str) -> None:
    duplicates = read_truth(url)["duplicates"]
    assert not duplicates, duplicates


MEASURES = {
    "kill -9 of a run, the next one started at once": measure_killed_run,
    "kill -9 of the server (down for 5 s), from its restart": measure_killed_server,
    "kill -9 of a worker and its run, another worker idle": measure_killed_worker,
}


def measure_failover() -> None:
    """Print the table."""
    from bench.several_hosts import format_rows

    rows = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name, run_server() as server:
        for number, (what, measure) in enumerate(MEASURES.items()):
            print_progress(what)
            rows.append([what, f"{measure(Path(name) / str(number), server):.1f} s"])
    print(format_rows(["what", "until the hospital's next call"], rows) + "\n")
