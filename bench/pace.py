"""Pacing under the service's limit: our limiter and two usual ones, simulated under many seeds and over a socket.

The share is what was accepted of what the limit would have let through, from the departure of the 20th accepted call to
that of the last. A refused call counts against the limit, and goes back through the limiter.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

from bench.hospital import run_sandbox
from bench.limiters import FixedSpacing, LeakyBucket
from bench.measure import Measured, print_progress
from pipeline.clock import Clock, SystemClock
from pipeline.esign.client import Client, SignedCall
from pipeline.esign.contracts import build_liveness_check
from pipeline.esign.products import ESSBASIC, PlatformAgent
from pipeline.esign.rate_limiter import Limiter, ProcessRateLimiter, max_in_rolling_second
from pipeline.esign.responses import SeenAnswers
from pipeline.esign.signing import Credentials
from pipeline.sandbox.gateway import SANDBOX, CallCounter, LimiterKind

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from manual_clock import ManualClock

RATE, CALLS, LATENCY, IN_FLIGHT = 20, 1200, 0.08, 20
LATE = 0.0005  # seconds by which this machine wakes up late, on average
BACKOFF = 1.0  # seconds at most before a refused call asks for its next slot
LIMITERS: dict[str, Callable[[float, Clock], Limiter]] = {
    "ours": ProcessRateLimiter,
    "bucket": LeakyBucket,
    "fixed": FixedSpacing,
}
# kind of limit, jitter in seconds
KINDS: dict[str, tuple[LimiterKind, float]] = {
    "rolling30": ("rolling", 0.03),
    "rolling60": ("rolling", 0.06),
    "calendar30": ("calendar", 0.03),
    "calendar60": ("calendar", 0.06),
}
SEEDS = 24, 4  # in full, in the short form
TURNS = 5
BASELINE_CALLS = 200  # over sockets: they reach half the limit, in 20 seconds as in 60

Call = Callable[[Limiter], Awaitable[tuple[float, bool]]]
"""Sends one call through the limiter: when it was sent, and whether the service refused it."""


@dataclass(frozen=True)
class Run:
    """One run's result."""

    share: float
    throttles: float  # per 1,000 accepted
    most: int  # of our own departures in a rolling second


async def send_calls(limiter: Limiter, call: Call, clock: Clock, calls: int, chance: Random) -> Run:
    """Send until so many calls are accepted."""
    accepted: list[float] = []
    refused: list[float] = []
    numbers = iter(range(calls))

    async def worker() -> None:
        for _ in numbers:
            while True:
                sent_at, is_refused = await call(limiter)
                if not is_refused:
                    accepted.append(sent_at)
                    break
                refused.append(sent_at)
                limiter.record_throttle(ESSBASIC.organization_seals, RATE)
                await clock.sleep(chance.random() * BACKOFF)

    await asyncio.gather(*[worker() for _ in range(IN_FLIGHT)])
    accepted.sort()
    share = (calls - RATE) / ((accepted[-1] - accepted[RATE - 1]) * RATE)
    most = max_in_rolling_second(limiter.list_departures(ESSBASIC.organization_seals))
    return Run(share, 1000 * len(refused) / calls, most)


def simulate_run(name: str, kind: LimiterKind, jitter: float, seed: int) -> Run:
    """Run one limiter against the sandbox's own count under a simulated clock."""
    return asyncio.run(simulate(name, kind, jitter, Random(seed)))


async def simulate(name: str, kind: LimiterKind, jitter: float, chance: Random) -> Run:
    clock = ManualClock(1_795_000_000.0 + chance.random())  # a calendar second begins anywhere
    service = CallCounter(kind, RATE)
    limiter = LIMITERS[name](RATE, clock)

    async def call(limiter: Limiter) -> tuple[float, bool]:
        has_left = False
        while not has_left:
            latest = await limiter.acquire(ESSBASIC.organization_seals)
            await clock.sleep(chance.expovariate(1 / LATE))
            has_left = limiter.record_departure(ESSBASIC.organization_seals, latest)
        sent_at = clock.monotonic()
        await clock.sleep(chance.random() * jitter)
        counted = service.count_call(
            ("", ESSBASIC.organization_seals), now=clock.now(), steady=clock.monotonic()
        )
        await clock.sleep(LATENCY)
        return sent_at, counted is not None

    running = asyncio.ensure_future(send_calls(limiter, call, clock, CALLS, chance))
    while not running.done():
        await clock.advance(1.0)
    return running.result()


async def run_over_socket(name: str, url: str, calls: int) -> Run:
    """Run one limiter with the program's own client against a sandbox in another process."""
    clock = SystemClock()
    tenant = SANDBOX
    agent = PlatformAgent(tenant.app_id, tenant.organization_open_id, tenant.operator_open_id)
    client = Client(
        product=ESSBASIC,
        endpoint=url,
        file_endpoint=url,
        credentials=Credentials(tenant.secret_id, tenant.secret_key),
        clock=clock,
        timeout=10,
        answers=SeenAnswers(),
    )

    async def call(limiter: Limiter) -> tuple[float, bool]:
        sent_at = 0.0

        async def before_send(_: SignedCall) -> None:
            nonlocal sent_at
            has_left = False
            while not has_left:
                latest = await limiter.acquire(ESSBASIC.organization_seals)
                has_left = limiter.record_departure(ESSBASIC.organization_seals, latest)
            sent_at = clock.monotonic()

        reply = await client.call(
            ESSBASIC.organization_seals,
            build_liveness_check(agent),
            trace_id=str(uuid.uuid4()),
            before_send=before_send,
        )
        answer = reply.answer
        assert answer is not None
        assert answer.code in {None, "RequestLimitExceeded"}, answer
        return sent_at, answer.code is not None

    async with client:
        return await send_calls(LIMITERS[name](RATE, clock), call, clock, calls, Random())


async def run_over_sockets(kind: LimiterKind, jitter: float, calls: Mapping[str, int]) -> dict[str, Run]:
    """Run limiters at the same time, so many calls each, each against a sandbox of its own."""
    with contextlib.ExitStack() as stack:
        urls = {
            name: stack.enter_context(run_sandbox(limiter=kind, latency=LATENCY, jitter=jitter))
            for name in calls
        }
        runs = await asyncio.gather(*[run_over_socket(name, urls[name], calls[name]) for name in calls])
        return dict(zip(calls, runs, strict=True))


def measure_socket_turn(kind: LimiterKind, jitter: float, calls: Mapping[str, int]) -> dict[str, Run]:
    """Run limiters over sockets, in this process."""
    return asyncio.run(run_over_sockets(kind, jitter, calls))


def measure(short: bool) -> Iterator[Measured]:
    """Measure every limiter: under a simulated clock with many seeds, then over sockets."""
    most: list[int] = []
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        seeds = SEEDS[short]
        for name, (kind, jitter) in KINDS.items():
            print_progress(f"pace: {name}, {seeds} seeds")
            runs = {
                limiter: list(
                    processes.map(
                        simulate_run, [limiter] * seeds, [kind] * seeds, [jitter] * seeds, range(seeds)
                    )
                )
                for limiter in LIMITERS
            }
            yield from build_measured(f"simulated.{name}", runs, seeds, is_enough=not short)
            most += [run.most for run in runs["ours"]]
    yield from measure_sockets(most, short=short)
    yield Measured("pace.most", most)


def measure_sockets(most: list[int], *, short: bool) -> Iterator[Measured]:
    """Measure baselines and ours in turn; every kind of limit at the same time: each sends 20 small calls a second."""
    kinds = {name: KINDS[name] for name in (("rolling30",) if short else KINDS)}
    calls = CALLS // 2 if short else CALLS
    sides = {"bucket": BASELINE_CALLS, "fixed": BASELINE_CALLS}, {"ours": calls}
    turns = []
    with ProcessPoolExecutor(len(kinds)) as processes:
        for turn in range(1 if short else TURNS):
            print_progress(f"pace: over sockets, turn {turn + 1}, about {calls / RATE + 20:.0f} seconds")
            runs: list[dict[str, Run]] = [{} for _ in kinds]
            for side in sides:
                measured = processes.map(
                    measure_socket_turn, *zip(*kinds.values(), strict=True), [side] * len(kinds)
                )
                for known, more in zip(runs, measured, strict=True):
                    known.update(more)
            turns.append(runs)
    for index, name in enumerate(kinds):
        by_limiter = {limiter: [turn[index][limiter] for turn in turns] for limiter in LIMITERS}
        yield from build_measured(f"socket.{name}", by_limiter, calls, is_enough=not short)
        most += [run.most for run in by_limiter["ours"]]


def build_measured(
    name: str, runs: dict[str, list[Run]], size: int, *, is_enough: bool = True
) -> Iterator[Measured]:
    """Yield share and throttles of one kind of limit."""
    shares = {limiter: [100 * run.share for run in some] for limiter, some in runs.items()}
    throttles = {limiter: [run.throttles for run in some] for limiter, some in runs.items()}
    for what, values in (("share", shares), ("throttles", throttles)):
        yield Measured(f"pace.{name}.{what}", values.pop("ours"), values, size, is_enough)
