"""A platform of 1,000 hospitals and a million doctors: what one quota, several hosts and the ledger make of it.

The tables are computed and simulated in seconds, from costs that ``--measure`` has measured (COSTS): a run without
changes, a sent row, the size of a ledger. ``--measure`` needs PostgreSQL's programs and takes some minutes; ``--failover``
kills a run, a worker and the server, and takes some more; ``--slots`` measures a small hospital's wait for a slot.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

HOSPITALS, DOCTORS = 1000, 1_000_000
FEWEST, MOST = 50, 20_000  # doctors of a hospital
RATE = 20  # calls a second of each action
SHARE = 0.96  # of it that is used
ARRIVALS = 0.005  # new doctors in a month, as a share of all
DAYS = 30  # of a month
CORES = 2  # of a host
SEED = 14


@dataclass(frozen=True)
class Costs:
    """What was measured on one host; seconds are CPU of one core, of the program and of the server."""

    run: float  # a run that reads no row
    row: float  # each row of a roster
    sent_row: float  # each row that is sent, more than one that is not
    ledger: float  # bytes of a ledger in PostgreSQL without doctors
    ledger_row: float  # bytes of a doctor in it
    ledger_run: float  # bytes that a run without changes adds


# printed by --measure
COSTS = Costs(run=1.4, row=0.0015, sent_row=0.0148, ledger=831_383, ledger_row=10_734, ledger_run=2_185)


# -- the hospitals


def draw_sizes(chance: Random) -> list[int]:
    """Draw how many doctors each hospital has: most are small, a few have thousands; together DOCTORS."""
    weights = [chance.lognormvariate(0, 1.3) for _ in range(HOSPITALS)]
    low, high = 0.0, MOST
    while high - low > 1e-6:  # the factor with which the clipped sizes add up
        factor = (low + high) * 0.5
        total = sum(min(MOST, max(FEWEST, weight * factor)) for weight in weights)
        low, high = (factor, high) if total < DOCTORS else (low, factor)
    sizes = [round(min(MOST, max(FEWEST, weight * high))) for weight in weights]
    sizes[sizes.index(max(sizes))] += DOCTORS - sum(sizes)
    return sizes


def draw_arrivals(chance: Random, sizes: Sequence[int]) -> list[int]:
    """Draw how many new doctors each hospital has in one day."""
    return [_draw_poisson(chance, size * ARRIVALS / DAYS) for size in sizes]


def _draw_poisson(chance: Random, mean: float) -> int:
    bound, product, drawn = math.exp(-mean), chance.random(), 0
    while product > bound:
        product *= chance.random()
        drawn += 1
    return drawn


# -- the simulation: no clock but its own


@dataclass
class Run:
    """One run: seconds of CPU that it needs before it sends, and the rows that it sends."""

    cpu: float
    to_send: float


@dataclass(frozen=True)
class Result:
    """What a simulated day took, in seconds."""

    wall: float
    cpu: float  # of all hosts


def simulate(sizes: Sequence[int], sent: Sequence[int], *, hosts: int, processes: int) -> Result:
    """Let the workers of all hosts take one hospital after the other, the largest first, until none is left.

    A run computes, then it sends. The runs of a host share its cores, each of them at most one; the runs that send
    share the quota equally, and each row that is sent costs CPU.
    """
    queue = iter(sorted(zip(sizes, sent, strict=True), reverse=True))
    working = [[_take_next(queue) for _ in range(processes)] for _ in range(hosts)]
    now = cpu = 0.0
    while any(run for runs in working for run in runs):
        senders = sum(run is not None and not run.cpu for run in itertools.chain(*working))
        speeds = {}
        for runs in working:
            core = min(1.0, CORES / max(1, sum(run is not None for run in runs)))
            for run in filter(None, runs):
                share = RATE * SHARE / max(1, senders)
                speeds[id(run)] = core if run.cpu else min(share, core / COSTS.sent_row)
        step = min(
            (run.cpu or run.to_send) / speeds[id(run)] for run in filter(None, itertools.chain(*working))
        )
        now += step
        for runs in working:
            for position, run in enumerate(runs):
                if run is None:
                    continue
                done = speeds[id(run)] * step
                if run.cpu:
                    cpu, run.cpu = cpu + done, _subtract(run.cpu, done)
                else:
                    cpu, run.to_send = cpu + done * COSTS.sent_row, _subtract(run.to_send, done)
                if not run.cpu and not run.to_send:
                    runs[position] = _take_next(queue)
    return Result(now, cpu)


def _take_next(queue: Iterator[tuple[int, int]]) -> Run | None:
    drawn = next(queue, None)
    if drawn is None:
        return None
    size, to_send = drawn
    return Run(COSTS.run + COSTS.row * size, float(to_send))


def _subtract(amount: float, done: float) -> float:
    return 0.0 if amount - done < 1e-9 else amount - done


# -- the tables


def format_rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def print_paper() -> None:
    """Print what is computed and simulated."""
    chance = Random(SEED)
    sizes = draw_sizes(chance)
    ordered = sorted(sizes)
    print(
        f"{HOSPITALS:,} hospitals of {ordered[0]} to {ordered[-1]:,} doctors, half of them below "
        f"{ordered[HOSPITALS // 2]:,}; {sum(sizes):,} doctors. Costs: {COSTS}\n"
    )
    rows = []
    for hosts, processes in ((1, 1), (2, 4)):
        result = simulate(sizes, sizes, hosts=hosts, processes=processes)
        least = DOCTORS / (RATE * SHARE)
        rows.append(
            [
                f"{hosts} x {processes}",
                _hours(least),
                _hours(result.wall),
                _hours(result.cpu),
            ]
        )
    print("First import of everybody\n")
    print(format_rows(["hosts x processes", "computed: rows / rate", "simulated", "CPU"], rows))
    arrivals = draw_arrivals(chance, sizes)
    rows = []
    for hosts, processes in ((1, 1), (1, 2), (2, 2), (10, 2)):
        result = simulate(sizes, arrivals, hosts=hosts, processes=processes)
        rows.append(
            [f"{hosts} x {processes}", _minutes(result.wall), _hours(result.cpu), _hours(result.wall * hosts)]
        )
    print(
        f"\nA usual day: {sum(arrivals)} new doctors in {sum(map(bool, arrivals))} hospitals, one quota: "
        f"{sum(arrivals) / RATE / SHARE:.0f} s of it\n"
    )
    print(format_rows(["hosts x processes", "all hospitals done after", "CPU", "machine hours"], rows))
    people = HOSPITALS * COSTS.ledger + DOCTORS * COSTS.ledger_row
    runs = 365 * HOSPITALS * COSTS.ledger_run
    growth = DOCTORS * ARRIVALS * 12 * COSTS.ledger_row
    print("\nThe ledger\n")
    print(
        format_rows(
            ["", "size"],
            [
                ["after the first import", _gigabytes(people)],
                ["a year of daily runs, more", _gigabytes(runs)],
                ["a year of new doctors, more", _gigabytes(growth)],
            ],
        )
    )


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min"


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--measure", action="store_true", help="measure the costs first (PostgreSQL, minutes)"
    )
    parser.add_argument(
        "--failover", action="store_true", help="kill a run, the server and a worker (minutes)"
    )
    parser.add_argument(
        "--slots", action="store_true", help="queue a small hospital beside large ones (minutes)"
    )
    chosen = parser.parse_args()
    if chosen.measure:
        from bench.several_hosts_costs import measure_costs

        measure_costs()
    if chosen.failover:
        from bench.several_hosts_failover import measure_failover

        measure_failover()
    if chosen.slots:
        from bench.several_hosts_slots import measure_slots

        measure_slots()
    print_paper()


if __name__ == "__main__":
    main()
