"""Measures what several_hosts.py computes with: runs with the ledger in a file and in PostgreSQL, from outside.

Each hospital is imported once, from a sandbox that refuses no call, and then run without changes. The first of these runs
adds a line for each doctor to the ledger (sealed before, unchanged now), the second makes another version of many rows
in PostgreSQL, whose place the later ones use again: by what these add, a ledger grows. The server is vacuumed between
two runs, as it vacuums itself between two days.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.hospital import Hospital, make_hospital, run_sandbox
from bench.measure import REPOSITORY, Child, print_progress, read_load_average

sys.path.insert(0, str(REPOSITORY / "tests" / "support"))
from postgres_server import PostgresServer, run_server

SMALL, USUAL, LARGE = 50, 1000, 2000  # doctors
UNCHANGED_RUNS = 7
SETTLING_RUNS = 2
RATE = 100  # calls a second: of a larger quota
SECRET = "an operator's secret of the benchmark"


@dataclass(frozen=True)
class Measured:
    """What one hospital took."""

    rows: int
    first: Child
    unchanged: Child  # the median of several, by CPU
    server_cpu: float  # of the server, in one run without changes
    size: int  # bytes of the ledger
    growth: float  # bytes that a run without changes adds


def measure_hospital(folder: Path, rows: int, server: PostgresServer | None) -> Measured:
    """Import a hospital, then run it without changes."""
    print_progress(f"{rows} doctors, ledger {'in PostgreSQL' if server else 'in a file'}")
    hospital = make_hospital(folder, rows, picture_bytes=60_000)
    (folder / "secrets" / "ledger__secret").write_text(SECRET)
    ledger = "state/ledger.sqlite3" if server is None else server.make_database()
    measure_size = _measure_server_size(server, ledger) if server else _measure_file_size(hospital)
    with run_sandbox(limiter="none") as url:
        hospital.configure(url, rate=RATE, ledger=ledger)
        first = hospital.run()
        assert first.code == 0, (folder / "output.log").read_text()
        before, runs, sizes = _read_server_cpu(server), [], []
        for _ in range(UNCHANGED_RUNS):
            runs.append(hospital.run())
            assert runs[-1].code == 0, (folder / "output.log").read_text()
            sizes.append(measure_size())
    assert hospital.record()["statuses"]["unchanged"] == rows
    server_cpu = (_read_server_cpu(server) - before) / UNCHANGED_RUNS
    median = sorted(runs, key=lambda run: run.cpu)[UNCHANGED_RUNS // 2]
    settled = sizes[SETTLING_RUNS - 1 :]
    return Measured(
        rows, first, median, server_cpu, settled[0], (settled[-1] - settled[0]) / (len(settled) - 1)
    )


def _measure_file_size(hospital: Hospital) -> Callable[[], int]:
    """Return what measures the ledger."""
    return lambda: (hospital.folder / "state" / "ledger.sqlite3").stat().st_size


def _measure_server_size(server: PostgresServer, url: str) -> Callable[[], int]:
    """Return what measures the hospital's tables and indexes, vacuumed."""

    def measure_size() -> int:
        with server.connect(url.rpartition("/")[2]) as connection:
            connection.execute("VACUUM")
            row = connection.execute(
                "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
                "WHERE nspname LIKE 'esign_sandbox%' AND relkind = 'r'"
            ).fetchone()
        return int(row[0]) if row else 0

    return measure_size


def _read_server_cpu(server: PostgresServer | None) -> float:
    """Return the CPU that the server has taken, with its processes that have ended."""
    if server is None:
        return 0.0
    process = psutil.Process(server.pid)
    times = process.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in process.children():
        times = child.cpu_times()
        total += times.user + times.system
    return total


def describe(measured: Measured) -> list[str]:
    """Return a line of the table."""
    first, unchanged = measured.first, measured.unchanged
    return [
        f"{measured.rows:,}",
        f"{first.wall:.1f} s, {first.cpu:.1f} s",
        f"{unchanged.wall:.2f} s, {unchanged.cpu:.2f} s",
        f"{measured.server_cpu:.2f} s",
        f"{unchanged.peak:.0f} MB",
        f"{measured.size / measured.rows:.0f}",
        f"{measured.growth:.0f}",
    ]


HEAD = (
    *("ledger", "doctors", "import at 100/s: wall, CPU", "run without changes: wall, CPU"),
    *("… CPU of the server", "… memory", "bytes of the ledger a doctor", "bytes more a run"),
)


def measure_costs() -> None:
    """Print the table, and the costs for several_hosts.py."""
    from bench.several_hosts import Costs, format_rows

    rows = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name, run_server() as server:
        for own_server in (None, server):
            kind = "PostgreSQL" if own_server else "SQLite"
            hospitals = [
                measure_hospital(Path(name) / f"{kind}{count}", count, own_server)
                for count in (SMALL, USUAL, LARGE)
            ]
            rows += [[kind, *describe(measured)] for measured in hospitals]
    small, usual, large = hospitals
    row = (_sum_cpu(large) - _sum_cpu(small)) / (LARGE - SMALL)
    sent = statistics.mean((one.first.cpu - one.unchanged.cpu) / one.rows for one in (usual, large))
    ledger_row = (large.size - small.size) / (LARGE - SMALL)
    print(format_rows(HEAD, rows))
    costs = Costs(
        run=round(_sum_cpu(small) - row * SMALL, 2),
        row=round(row, 5),
        sent_row=round(sent, 4),
        ledger=round(small.size - ledger_row * SMALL),
        ledger_row=round(ledger_row),
        ledger_run=round(statistics.mean(one.growth for one in hospitals)),
    )
    print(f"\nLoad average {read_load_average():.1f}. {costs}\n")


def _sum_cpu(measured: Measured) -> float:
    return measured.unchanged.cpu + measured.server_cpu
