"""The limiter whose slots come from a row on a PostgreSQL server: against the one in the process, and in several processes."""

import asyncio
import itertools
import json
import os
import subprocess
import sys
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

import psycopg
import pytest
from limiter_support import ACTION, SleepyClock, send, send_late
from postgres_server import run_server
from queue_support import queue_at

from pipeline.clock import SystemClock
from pipeline.domain.server_address import ServerAddress
from pipeline.errors import LedgerError
from pipeline.esign.rate_limiter import ProcessRateLimiter, max_in_rolling_second
from pipeline.hosts import shared_rate_limiter
from pipeline.hosts.connection import open_connection
from pipeline.hosts.overview import read_overview
from pipeline.hosts.schema import make_shared_schema
from pipeline.hosts.shared_rate_limiter import SharedRateLimiter


class HandClock:
    """A clock that a sleep moves at once; the server's clock is the same one, ten minutes ahead."""

    AHEAD = 600.0

    def __init__(self, server: psycopg.Connection | None = None) -> None:
        self._server = server
        self._moment = 5000.0
        self.move(0)

    def now(self) -> float:
        return self._moment

    def monotonic(self) -> float:
        return self._moment

    async def sleep(self, seconds: float) -> None:
        self.move(max(0.0, seconds))
        await asyncio.sleep(0)

    def today(self) -> date:
        return datetime.fromtimestamp(self._moment, UTC).date()

    def move(self, seconds: float) -> None:
        self._moment += seconds
        if self._server is not None:
            self._server.execute("UPDATE public.hand SET moment = %s", [self._moment + self.AHEAD])

    def set_server_back(self, seconds: float) -> None:
        self._server.execute("UPDATE public.hand SET moment = moment - %s", [seconds])


@pytest.fixture
def address(postgres_server):
    return ServerAddress(postgres_server.make_database())


@pytest.fixture
def clock(address):
    """The hand that the server's clock follows, too."""
    with open_connection(address, purpose="test") as connection:
        make_shared_schema(connection)
        connection.execute("SET synchronous_commit = off")
        connection.execute("CREATE TABLE public.hand AS SELECT 0::float8 AS moment")
        connection.execute(
            "CREATE OR REPLACE FUNCTION esign_import.server_seconds() RETURNS float8 LANGUAGE sql VOLATILE "
            "AS 'SELECT moment FROM public.hand'"
        )
        yield HandClock(connection)


@contextmanager
def share(address, clock=None, rate=20.0):
    with closing(SharedRateLimiter(address, rate, clock)) as limiter:
        yield limiter


async def read_row(limiter, column):
    """Return a column of the row once what was learnt so far is stored."""

    def read(connection):
        row = connection.execute(f"SELECT {column} FROM rate WHERE action = %s", [ACTION]).fetchone()
        return row[0] if row else None

    return await asyncio.wrap_future(limiter._submit(read))


@pytest.mark.parametrize("seed", range(3 if os.environ.get("HOSTS") else 1))  # make hosts
async def test_a_single_process_has_the_pace_of_the_limiter_in_memory(address, clock, seed):
    """Random calls, pauses and refusals: every call leaves at the same moment."""
    dice = Random(seed)
    rate = dice.choice((0.7, 5, 20, 50))
    own_clock = HandClock()
    own = ProcessRateLimiter(rate, own_clock)
    steps = []
    for _ in range(15):
        steps += [
            ("call", dice.choice((1, 1, 2, 30, 200))),
            ("pause", dice.choice((0.0, 0.02, 0.3, 2.0, 20.0))),
            *([("throttle", dice.choice((None, None, int(rate) or 1, 3)))] if dice.random() < 0.3 else []),
        ]
    with share(address, clock, rate) as shared:
        for step, value in steps:
            for limiter, hand in ((own, own_clock), (shared, clock)):
                if step == "call":
                    await send(limiter, value)
                elif step == "pause":
                    hand.move(value)
                else:
                    limiter.record_throttle(ACTION, value)
            await read_row(shared, "spacing")
        departures = shared.list_departures(ACTION)
    assert departures == pytest.approx(own.list_departures(ACTION), abs=1e-4)
    assert len({round(b - a, 5) for a, b in itertools.pairwise(departures)}) > 3, "the spacing grew"


class SlowLimiter(SharedRateLimiter):
    """One of several under one manual clock, which the server's follows: its requests and their answers take time."""

    def __init__(self, address, rate, clock, hand, chance, slow):
        super().__init__(address, rate, clock)
        self._hand, self._chance, self._slow = hand, chance, slow

    async def _take_slot(self, action, extra):
        await self.clock.sleep(self._slow * self._chance.random() ** 3)
        wait = await super()._take_slot(action, extra)
        await self.clock.sleep(self._slow * self._chance.random() ** 3)
        return wait

    def _submit(self, work):
        """Do it at once: the clock stands still meanwhile."""
        self._hand.move(self.clock.monotonic() - self._hand.monotonic())
        done = Future()
        done.set_result(self._run(work))
        return done


@pytest.mark.parametrize("seed", range(12 if os.environ.get("HOSTS") else 6))
async def test_no_second_of_all_processes_holds_more_than_the_limit_whatever_is_late(address, clock, seed):
    """Slow answers, late wake-ups, slow disks, throttles: the calls of all are counted when they leave."""
    chance = Random(seed)
    rate = chance.choice([0.5, 3, 20, 20, 50])
    late, slow = chance.choice([0.001, 0.03, 0.2]), chance.choice([0.001, 0.02, 0.2])
    own = SleepyClock(chance, late)
    with ExitStack() as stack:
        limiters = [
            stack.enter_context(closing(SlowLimiter(address, rate, own, clock, chance, slow)))
            for _ in range(1 + seed % 4)
        ]
        moments = await send_late(limiters, chance, 20)
    assert max_in_rolling_second(moments) <= max(1, rate)
    assert len(moments) > 5, "they get on"


async def test_a_call_that_is_always_late_puts_the_next_slot_off(address, clock):
    with share(address, clock) as limiter:
        await send(limiter, 1, lambda: 0.06)
        due = limiter.list_departures(ACTION)[0] - 0.06 + HandClock.AHEAD
        assert await read_row(limiter, "next_slot") == pytest.approx(due + 0.0516 + 0.075, abs=1e-5)


async def test_a_refusal_anywhere_holds_all_calls(address, clock):
    with share(address, clock) as one, share(address, clock) as other:
        await send(one, 3)
        await send(other, 1)
        begun = clock.monotonic()
        one.record_throttle(ACTION, None)
        other.record_throttle(ACTION, None)
        assert await read_row(one, "spacing") == await read_row(other, "spacing")
        await send(other, 1)
        assert clock.monotonic() - begun == pytest.approx(1.0)
        assert await read_row(one, "spacing") == pytest.approx(1.03 * 0.0516), "both were refused together"
        one.record_throttle(ACTION, 5)
        assert await read_row(one, "spacing") == pytest.approx(1.032 / 5), "the lower limit"


async def test_a_slot_that_was_taken_before_a_refusal_is_not_used(address):
    with share(address, rate=2) as limiter:
        await send(limiter, 1)
        waiting = asyncio.ensure_future(limiter.acquire(ACTION))
        await read_row(limiter, "spacing")
        limiter.record_throttle(ACTION, None)
        begun = SystemClock().monotonic()
        await waiting
        assert SystemClock().monotonic() - begun > 0.9, "it was half a second away"


async def test_a_row_of_long_ago_or_of_a_higher_limit_begins_anew(address, clock):
    with share(address, clock) as limiter:
        await send(limiter, 1)
        limiter.record_throttle(ACTION, 4)
        assert await read_row(limiter, "spacing") > 0.25
    clock.move(100)
    with share(address, clock) as limiter:
        await send(limiter, 1)
        assert await read_row(limiter, "spacing") > 0.25, "the others were refused a moment ago"
    clock.move(3601)
    with share(address, clock) as limiter:
        await send(limiter, 1)
        assert await read_row(limiter, "spacing") == pytest.approx(0.0516)
    with share(address, clock, rate=10) as limiter:
        await send(limiter, 1)
        assert await read_row(limiter, "spacing") == pytest.approx(0.1032)
    with share(address, clock, rate=50) as limiter:
        await send(limiter, 1)
        assert await read_row(limiter, "spacing") == pytest.approx(0.1032), "the smallest limit counts"


async def test_a_server_clock_that_is_set_back_costs_no_wait(address, clock):
    with share(address, clock) as limiter:
        await send(limiter, 3)
        clock.set_server_back(600)
        begun = clock.monotonic()
        await send(limiter, 3)
        assert clock.monotonic() - begun < 1.3


async def test_a_row_that_a_crash_of_the_server_lost_is_made_anew(address, clock):
    with share(address, clock) as limiter:
        await send(limiter, 3)
        await asyncio.wrap_future(limiter._submit(lambda connection: connection.execute("DELETE FROM rate")))
        begun = clock.monotonic()
        await send(limiter, 3)
        assert clock.monotonic() - begun < 0.3


async def test_slots_and_throttles_of_the_last_minute_are_counted(address, clock):
    async def read_use():
        async with queue_at(address.url) as (connector, _):
            (use,) = (await read_overview(connector)).quotas
            return use

    with share(address, clock, rate=4) as one, share(address, clock, rate=4) as other:
        clock.move(60 - (clock.now() + clock.AHEAD) % 60)  # a minute of the server begins
        await send(one, 60)
        await send(other, 60)
        use = await read_use()
        assert (use.requests_per_second, round(use.slots), use.throttles) == (4, 120, 0)
        assert use.share == pytest.approx(0.5)
        one.record_throttle(ACTION, None)
        other.record_throttle(ACTION, 4)
        assert await read_row(one, "held_until") <= await read_row(other, "held_until")
        assert (await read_use()).throttles == 2
        clock.move(60)
        assert round((await read_use()).slots) == pytest.approx(60, abs=12), "half of that minute has passed"
        assert (await read_use()).throttles == 0
        await send(one, 12)
        assert round((await read_use()).slots) == pytest.approx(66, abs=8), (
            "12, and the rest of the minute before"
        )
        clock.move(120)
        assert (await read_use()).slots == 0
        await send(one, 1)
        assert (await read_use()).slots == 1


async def test_two_actions_have_slots_of_their_own(address, clock):
    with share(address, clock) as limiter:
        await limiter.acquire(ACTION)
        await limiter.acquire("Upload")
        assert clock.monotonic() == 5000.0


async def test_clocks_ten_minutes_apart_do_not_matter(address):
    class WrongClock(SystemClock):
        def now(self) -> float:
            return super().now() - 600

        def monotonic(self) -> float:
            return super().monotonic() + 600

    with share(address, rate=50) as one, share(address, WrongClock(), rate=50) as other:
        await asyncio.gather(send(one, 20), send(other, 20))
        moments = [*one.list_departures(ACTION), *(moment - 600 for moment in other.list_departures(ACTION))]
    moments.sort()
    assert 0.7 * 39 * 1.032 / 50 < moments[-1] - moments[0] < 60, "no call waits for ten minutes"
    assert max_in_rolling_second(tuple(moments)) <= 50


@pytest.mark.server
async def test_a_server_that_is_away_for_a_moment_is_waited_for_and_not_for_ever(monkeypatch):
    with run_server() as server, share(ServerAddress(server.make_database())) as limiter:
        await send(limiter, 1)
        server.kill()  # the row is lost with the last commits, or is not
        waiting = asyncio.ensure_future(send(limiter, 1))
        await asyncio.wait([waiting], timeout=0.3)
        assert not waiting.done()
        server.start()
        await asyncio.wait_for(waiting, 60)
        assert len(limiter.list_departures(ACTION)) == 2
        monkeypatch.setattr(shared_rate_limiter, "AWAY_SECONDS", 0.3)
        server.kill()
        with pytest.raises(LedgerError):
            await send(limiter, 1)


PROCESS = """
import asyncio, json, sys
from pipeline.domain.server_address import ServerAddress
from pipeline.hosts.shared_rate_limiter import SharedRateLimiter

async def main(url, rate, rows):
    limiter = SharedRateLimiter(ServerAddress(url), rate)
    print("ready", flush=True)
    sys.stdin.readline()
    numbers = iter(range(rows))

    async def worker():
        for _ in numbers:
            while not limiter.record_departure("Create", await limiter.acquire("Create")):
                pass

    await asyncio.gather(*[worker() for _ in range(20)])
    limiter.close()
    print(json.dumps(limiter.list_departures("Create")))

asyncio.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
"""


def test_processes_share_one_quota_in_turn(address):
    rate, small, large = 100, 40, 300
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, address.url, str(rate), str(rows)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for rows in (large, small)
    ]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    moments = tuple(sorted(itertools.chain(*outputs)))
    assert len(moments) == small + large
    assert max_in_rolling_second(moments) <= rate
    assert outputs[1][-1] < outputs[0][small * 3], "the small run has not waited for the large one"
