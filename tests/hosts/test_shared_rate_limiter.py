"""The limiter whose slots come from a row on a PostgreSQL server: against the one in the process, and in several processes."""

import asyncio
import itertools
import json
import os
import subprocess
import sys
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

import psycopg
import pytest
from postgres_server import run_server
from queue_support import queue_at

from pipeline.clock import SystemClock
from pipeline.domain.server_address import ServerAddress
from pipeline.errors import LedgerError
from pipeline.esign.rate_limiter import AdaptiveRateLimiter, max_in_rolling_second
from pipeline.hosts import rate_row
from pipeline.hosts.connection import open_connection
from pipeline.hosts.overview import read_overview
from pipeline.hosts.schema import make_shared_schema
from pipeline.hosts.shared_rate_limiter import SharedRateLimiter

ACTION = "Create"


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


async def send(limiter, times=1):
    for _ in range(times):
        await limiter.acquire(ACTION)
        await limiter.record_departure(ACTION)


async def read_row(limiter, column):
    """Return a column of the row once what was learnt so far is stored."""

    def read(connection):
        row = connection.execute(f"SELECT {column} FROM rate WHERE action = %s", [ACTION]).fetchone()
        return row[0] if row else None

    return await asyncio.wrap_future(limiter._rows._submit(read))


@pytest.mark.parametrize("seed", range(3 if os.environ.get("HOSTS") else 1))  # make hosts
async def test_a_single_process_has_the_pace_of_the_limiter_in_memory(address, clock, seed):
    """Random calls, pauses and refusals: every call leaves at the same moment."""
    dice = Random(seed)
    rate = dice.choice((0.7, 5, 20, 50))
    own_clock = HandClock()
    own = AdaptiveRateLimiter(rate, own_clock)
    steps = []
    for _ in range(15):
        granted = dice.choice((None, None, int(rate) or 1, int(rate) or 1, 3))
        counted = None if granted is None else granted + dice.choice((1, 1, 2, 3, 9))
        steps += [
            ("call", dice.choice((1, 1, 2, 30, 200))),
            ("pause", dice.choice((0.0, 0.02, 0.3, 2.0, 20.0))),
            *([("throttle", (granted, counted))] if dice.random() < 0.3 else []),
        ]
    with share(address, clock, rate) as shared:
        for step, value in steps:
            for limiter, hand in ((own, own_clock), (shared, clock)):
                if step == "call":
                    await send(limiter, value)
                elif step == "pause":
                    hand.move(value)
                else:
                    limiter.record_throttle(ACTION, *value)
            await read_row(shared, "version")
        departures = shared.list_departures(ACTION)
    assert departures == pytest.approx(own.list_departures(ACTION), abs=1e-4)
    assert len({round(b - a, 5) for a, b in itertools.pairwise(departures)}) > 3, "it learnt something"


async def test_a_refusal_anywhere_holds_the_calls_that_have_their_slots_already(address, clock):
    with share(address, clock) as one, share(address, clock) as other:
        await send(one, 3)
        await send(other)
        begun = clock.monotonic()
        one.record_throttle(ACTION, 20, 25)
        await read_row(one, "version")
        await send(other)
        assert clock.monotonic() - begun == pytest.approx(1.0)
        one.record_throttle(ACTION, 5, 6)
        await read_row(one, "version")
        await send(other, 2)
        assert other.list_departures(ACTION)[-1] - other.list_departures(ACTION)[-2] > 0.2, "the lower limit"


async def test_a_reserved_slot_is_moved_by_a_refusal(address):
    with share(address, rate=2) as one, share(address, rate=2) as other:
        await send(one)
        waiting = [asyncio.ensure_future(other.acquire(ACTION)) for _ in range(2)]
        await waiting[0]
        other.record_throttle(ACTION, None, None)
        begun = SystemClock().monotonic()
        await asyncio.gather(*waiting)
        assert SystemClock().monotonic() - begun > 0.9, "it was half a second away"


async def test_a_slot_that_is_used_late_is_exchanged_for_a_new_one(address, clock):
    with share(address, clock) as limiter:
        await send(limiter, 2)
        taken = await read_row(limiter, "next_slot")
        await limiter.acquire(ACTION)
        clock.move(0.02)
        await limiter.record_departure(ACTION)
        assert await read_row(limiter, "next_slot") == pytest.approx(taken + 0.0515), (
            "a little late is in time"
        )
        await limiter.acquire(ACTION)
        clock.move(0.3)
        late = clock.monotonic()
        await limiter.record_departure(ACTION)
        assert await read_row(limiter, "next_slot") > late + HandClock.AHEAD, "the commit took long"


async def test_a_row_of_another_day_or_of_a_higher_limit_begins_anew(address, clock):
    with share(address, clock) as limiter:
        await send(limiter)
        limiter.record_throttle(ACTION, 4, 5)
        assert await read_row(limiter, "spacing") > 0.25
    clock.move(100)
    with share(address, clock) as limiter:
        await send(limiter)
        assert await read_row(limiter, "spacing") > 0.25, "learnt by the others, a moment ago"
    clock.move(3601)
    with share(address, clock) as limiter:
        await send(limiter)
        assert await read_row(limiter, "spacing") == pytest.approx(0.0515)
    with share(address, clock, rate=10) as limiter:
        await send(limiter)
        assert await read_row(limiter, "spacing") == pytest.approx(0.103)
    with share(address, clock, rate=50) as limiter:
        await send(limiter)
        assert await read_row(limiter, "spacing") == pytest.approx(0.103), "the smallest limit counts"


async def test_a_server_clock_that_is_set_back_costs_no_wait(address, clock):
    with share(address, clock) as limiter:
        await send(limiter, 3)
        clock.set_server_back(600)
        begun = clock.monotonic()
        await send(limiter, 3)
        assert clock.monotonic() - begun < 0.3


async def test_a_row_that_a_crash_of_the_server_lost_is_made_anew(address, clock):
    with share(address, clock) as limiter:
        await send(limiter, 3)
        limiter.record_throttle(ACTION, None, None)
        assert await read_row(limiter, "pushed") > 0.9
        await send(limiter)
        await asyncio.wrap_future(
            limiter._rows._submit(lambda connection: connection.execute("DELETE FROM rate"))
        )
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
        one.record_throttle(ACTION, None, None)
        other.record_throttle(ACTION, 4, 5)
        assert await read_row(one, "version") + await read_row(other, "version") > 0
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
        await send(one)
        assert (await read_use()).slots == 1


async def test_a_run_with_few_rows_goes_first_and_a_large_one_is_not_forgotten(address, clock):
    with share(address, clock) as small, share(address, clock) as large:
        small.expect_rows(20)
        large.expect_rows(20_000)
        await send(small)
        await send(large)
        slots = [small._rows.take_slot(ACTION, small._compute_slots_ahead()) for _ in range(12)]
        answers = [await asyncio.wrap_future(slot) for slot in slots]
        assert all(answer.is_taken for answer in answers), "a small run reserves far ahead"
        refused = await asyncio.wrap_future(large._rows.take_slot(ACTION, large._compute_slots_ahead()))
        assert not refused.is_taken
        assert refused.wait == pytest.approx(8 * 0.0515, abs=0.06)
        await large.acquire(ACTION)
        large.expect_rows(-19_990)
        assert large._compute_slots_ahead() == small._compute_slots_ahead()


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
    assert 0.7 * 39 * 1.03 / 50 < moments[-1] - moments[0] < 60, "no call waits for ten minutes"
    assert max_in_rolling_second(tuple(moments)) <= 50


@pytest.mark.server
async def test_a_server_that_is_away_for_a_moment_is_waited_for_and_not_for_ever(monkeypatch):
    with run_server() as server, share(ServerAddress(server.make_database())) as limiter:
        await send(limiter)
        server.kill()  # the row is lost with the last commits, or is not
        waiting = asyncio.ensure_future(send(limiter))
        await asyncio.wait([waiting], timeout=0.3)
        assert not waiting.done()
        server.start()
        await asyncio.wait_for(waiting, 60)
        assert len(limiter.list_departures(ACTION)) == 2
        monkeypatch.setattr(rate_row, "AWAY_SECONDS", 0.3)
        server.kill()
        with pytest.raises(LedgerError):
            await send(limiter)


async def test_a_limit_beyond_what_the_server_answers_in_time_costs_no_slots(address):
    """A slot comes every tenth of a millisecond: each is over when its answer comes."""
    with share(address, rate=10_000) as limiter:
        limiter.expect_rows(20_000)
        await asyncio.wait_for(asyncio.gather(*[send(limiter, 5) for _ in range(20)]), 60)
        assert len(limiter.list_departures(ACTION)) == 100
        assert limiter._queues[ACTION]._round_trip > 0


async def test_a_call_that_is_given_up_leaves_its_slot_to_the_next(address):
    with share(address, rate=5) as limiter:
        await send(limiter)
        given_up = asyncio.ensure_future(limiter.acquire(ACTION))
        await read_row(limiter, "version")
        await read_row(limiter, "version")
        given_up.cancel()
        before = await read_row(limiter, "next_slot")
        await limiter.acquire(ACTION)
        assert await read_row(limiter, "next_slot") == before


async def test_a_run_that_waits_behind_others_keeps_few_connections_waiting(address):
    async def call(limiter, waiting):
        async with limiter.take_turn(ACTION):
            waiting.add(asyncio.current_task())
            await limiter.acquire(ACTION)
            waiting.discard(asyncio.current_task())
        await limiter.record_departure(ACTION)

    with share(address, rate=50) as small, share(address, rate=50) as large:
        large.expect_rows(20_000)
        open_of_large: set = set()
        most = 0
        tasks = [asyncio.ensure_future(call(large, open_of_large)) for _ in range(100)]
        others = [asyncio.ensure_future(call(small, set())) for _ in range(60)]
        while not all(task.done() for task in others):
            await asyncio.wait(others, timeout=0.02)
            most = max(most, len(open_of_large))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert 1 <= most <= 40  # of 100, which would all be open without turns


PROCESS = """
import asyncio, json, sys
from pipeline.domain.server_address import ServerAddress
from pipeline.hosts.shared_rate_limiter import SharedRateLimiter

async def main(url, rate, rows):
    limiter = SharedRateLimiter(ServerAddress(url), rate)
    print("ready", flush=True)
    sys.stdin.readline()
    limiter.expect_rows(rows)
    numbers = iter(range(rows))

    async def worker():
        for _ in numbers:
            async with limiter.take_turn("Create"):
                await limiter.acquire("Create")
            await limiter.record_departure("Create")
            limiter.expect_rows(-1)

    await asyncio.gather(*[worker() for _ in range(20)])
    limiter.close()
    print(json.dumps(limiter.list_departures("Create")))

asyncio.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
"""


def test_processes_share_one_quota_and_the_small_run_is_soon_done(address):
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
    outputs = []
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    moments = tuple(sorted(itertools.chain(*outputs)))
    assert len(moments) == small + large
    assert max_in_rolling_second(moments) <= rate
    assert outputs[1][-1] < outputs[0][small * 3], "the small run has not waited for the large one"
