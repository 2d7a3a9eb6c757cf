"""Pacing under the service's limit: our limiter and two usual ones, simulated under many seeds and over a socket.

The share is what was accepted of what the limit would have let through, from the departure of the 20th accepted call to
that of the last. A refused call counts against the limit, and goes back through the limiter.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import sys
import uuid
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

from bench.hospital import run_sandbox
from bench.limiters import FixedSpacing, LeakyBucket
from bench.measure import Figure, format_table, print_progress, read_load_average
from pipeline.clock import Clock, SystemClock
from pipeline.domain.service_codes import find_stated_rate
from pipeline.esign.client import Client
from pipeline.esign.contracts import LIVENESS_CHECK, Agent, build_liveness_check
from pipeline.esign.rate_limiter import AdaptiveRateLimiter, Limiter, max_in_rolling_second
from pipeline.esign.responses import parse_answer
from pipeline.esign.signing import Credentials
from pipeline.sandbox.authentication import SANDBOX, CallCounter

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from manual_clock import ManualClock

RATE, CALLS, LATENCY, IN_FLIGHT = 20, 1200, 0.08, 20
LEARNING = 600  # seconds before the calls that count
LATE = 0.0005  # seconds by which this machine wakes up late, on average
BACKOFF = 1.0  # seconds at most before a refused call asks for its next slot
LIMITERS: dict[str, Callable[[float, Clock], Limiter]] = {
    "ours": AdaptiveRateLimiter,
    "AsyncLimiter(20, 1)": LeakyBucket,
    "50 ms fixed": FixedSpacing,
}
# service, jitter in seconds, seconds of learning before, share wanted, throttles per 1,000 wanted
WANTED = (
    ("rolling", 0.03, 0, 0.965, 1.0),
    ("rolling", 0.005, 0, 0.975, 2.0),
    ("calendar", 0.03, 0, 0.97, 1.0),
    ("calendar", 0.005, 0, 0.97, 1.0),
    ("rolling", 0.005, LEARNING, 0.99, 2.0),
)

Call = Callable[[Limiter], Awaitable[tuple[float, int | None]]]
"""Sends one call through the limiter: when it was sent, and how many calls the service counted if it refused it."""


@dataclass(frozen=True)
class Run:
    """One run's result."""

    share: float
    throttles: float  # per 1,000 accepted
    most: int  # of our own departures in a rolling second


async def send_calls(limiter: Limiter, call: Call, clock: Clock, calls: int, chance: Random) -> Run:
    """Send until so many calls are accepted; the last CALLS of them are judged."""
    accepted: list[float] = []
    refused: list[float] = []
    numbers = iter(range(calls))

    async def worker() -> None:
        for _ in numbers:
            while True:
                sent_at, counted = await call(limiter)
                if counted is None:
                    accepted.append(sent_at)
                    break
                refused.append(sent_at)
                limiter.record_throttle(LIVENESS_CHECK, RATE, counted)
                await clock.sleep(chance.random() * BACKOFF)

    await asyncio.gather(*[worker() for _ in range(IN_FLIGHT)])
    judged = sorted(accepted)[-CALLS:]
    while_judged = [moment for moment in refused if moment >= judged[0]]
    share = (len(judged) - RATE) / ((judged[-1] - judged[RATE - 1]) * RATE)
    most = max_in_rolling_second(tuple(sorted(limiter.list_departures(LIVENESS_CHECK))))
    return Run(share, 1000 * len(while_judged) / len(judged), most)


def simulate_run(name: str, kind: str, jitter: float, learning: float, seed: int) -> Run:
    """Run one limiter against the sandbox's own count under a simulated clock."""
    return asyncio.run(simulate(name, kind, jitter, learning, Random(seed)))


async def simulate(name: str, kind: str, jitter: float, learning: float, chance: Random) -> Run:
    clock = ManualClock(1_795_000_000.0 + chance.random())  # a calendar second begins anywhere
    service = CallCounter(kind, RATE)
    limiter = LIMITERS[name](RATE, clock)

    async def call(limiter: Limiter) -> tuple[float, int | None]:
        await limiter.acquire(LIVENESS_CHECK)
        await clock.sleep(chance.expovariate(1 / LATE))
        await limiter.record_departure(LIVENESS_CHECK)
        sent_at = clock.monotonic()
        await clock.sleep(chance.random() * jitter)
        counted = service.count_call(("", LIVENESS_CHECK), now=clock.now(), steady=clock.monotonic())
        await clock.sleep(LATENCY)
        return sent_at, counted

    running = asyncio.ensure_future(send_calls(limiter, call, clock, CALLS + int(learning * RATE), chance))
    while not running.done():
        await clock.advance(1.0)
    return running.result()


async def run_over_socket(name: str, url: str) -> Run:
    """Run one limiter with the program's own client against a sandbox in another process."""
    clock = SystemClock()
    tenant = SANDBOX
    agent = Agent(tenant.app_id, tenant.organization_open_id, tenant.operator_open_id)
    client = Client(
        endpoint=url,
        file_endpoint=url,
        credentials=Credentials(tenant.secret_id, tenant.secret_key),
        clock=clock,
        timeout=10,
    )

    async def call(limiter: Limiter) -> tuple[float, int | None]:
        sent_at = 0.0

        async def before_send(_: Callable[[], bool]) -> None:
            nonlocal sent_at
            await limiter.acquire(LIVENESS_CHECK)
            await limiter.record_departure(LIVENESS_CHECK)
            sent_at = clock.monotonic()

        reply = await client.call(
            LIVENESS_CHECK, build_liveness_check(agent), trace_id=str(uuid.uuid4()), before_send=before_send
        )
        answer = parse_answer(reply.body)
        assert answer is not None
        assert answer.code in {None, "RequestLimitExceeded"}, answer
        return sent_at, find_stated_rate(answer.message or "")[1] if answer.code else None

    async with client:
        return await send_calls(LIMITERS[name](RATE, clock), call, clock, CALLS, Random())


async def run_all_over_sockets(kind: str, jitter: float) -> dict[str, Run]:
    """Run every limiter at the same time, each against a sandbox of its own, under the same conditions."""
    with contextlib.ExitStack() as stack:
        options = ("--limiter", kind, "--latency", str(LATENCY), "--jitter", str(jitter))
        urls = {name: stack.enter_context(run_sandbox(*options)) for name in LIMITERS}
        runs = await asyncio.gather(*[run_over_socket(name, url) for name, url in urls.items()])
        return dict(zip(urls, runs, strict=True))


def measure_figures(seeds: int, *, sockets: Sequence[tuple[str, float]]) -> list[Figure]:
    """Simulate every limiter under so many seeds, then measure each once per kind of socket delay."""
    figures = []
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        for kind, jitter, learning, share, throttles in WANTED:
            some = seeds if not learning else max(3, seeds // 4)
            print_progress(f"pace: {kind} second, {jitter * 1000:.0f} ms, {some} seeds")
            runs = {
                name: list(
                    processes.map(
                        simulate_run,
                        *zip(*[(name, kind, jitter, learning, n) for n in range(some)], strict=True),
                    )
                )
                for name in LIMITERS
                if not (learning and name not in {"50 ms fixed", "ours"})
            }
            what = f"{kind} second, {jitter * 1000:.0f} ms jitter, {some} seeds"
            what += f", after {learning / 60:.0f} min" if learning else ""
            figures.append(build_figure(what, runs, share, throttles))
    for kind, jitter in sockets:
        print_progress(f"pace: {kind} second, {jitter * 1000:.0f} ms, over a socket, about two minutes")
        before = read_load_average()
        runs = {name: [run] for name, run in asyncio.run(run_all_over_sockets(kind, jitter)).items()}
        share, throttles = next((w[3], w[4]) for w in WANTED if w[:3] == (kind, jitter, 0))
        figures.append(
            build_figure(
                f"{kind} second, {jitter * 1000:.0f} ms jitter, real socket", runs, share, throttles, before
            )
        )
    return figures


def build_figure(
    what: str, runs: dict[str, list[Run]], share: float, throttles: float, before: float | None = None
) -> Figure:
    ours = runs["ours"]
    got = statistics.median(run.share for run in ours)
    refused = statistics.mean(run.throttles for run in ours)
    most = max(run.most for run in ours)
    others = {
        name: statistics.median(run.share for run in rest) for name, rest in runs.items() if name != "ours"
    }
    summary = ", ".join(
        f"{name} {others[name]:.1%} / {statistics.mean(run.throttles for run in runs[name]):.0f}"
        for name in others
    )
    return Figure(
        f"share / throttles per 1,000: {what}",
        f"{got:.2%} / {refused:.2f}, most in a second {most}",
        summary,
        f"{got / max(others.values()):.2f} x",
        f">= {share:.1%} / <= {throttles:g}, most <= 20",
        got >= share and refused <= throttles and most <= RATE,
        max(before or 0.0, read_load_average()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few seeds, one run over a socket")
    chosen = parser.parse_args()
    print(format_table(measure_quickly() if chosen.quick else measure_fully()))


def measure_quickly() -> list[Figure]:
    """Return the figures of a few seeds and one run over a socket."""
    return measure_figures(12, sockets=[("rolling", 0.03)])


def measure_fully() -> list[Figure]:
    """Return the figures of many seeds and of every weather over a socket."""
    return measure_figures(40, sockets=[("rolling", 0.03), ("rolling", 0.005), ("calendar", 0.03)])


if __name__ == "__main__":
    main()
