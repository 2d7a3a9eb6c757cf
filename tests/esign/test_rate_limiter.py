"""The limiter under a clock whose hand the test moves."""

import asyncio
import itertools
from random import Random

import pytest
from limiter_support import ACTION, SleepyClock, send, send_late
from manual_clock import ManualClock, settle

from pipeline.esign.rate_limiter import ProcessRateLimiter, max_in_rolling_second


@pytest.fixture
def clock():
    return ManualClock()


async def test_slots_are_51_6_ms_apart_at_20_a_second(clock):
    limiter = ProcessRateLimiter(20, clock)
    sending = asyncio.gather(*[send(limiter, 10) for _ in range(5)])
    await clock.advance(10)
    await sending
    departures = limiter.list_departures(ACTION)
    assert len(departures) == 50
    assert [pytest.approx(0.0516)] * 49 == [b - a for a, b in itertools.pairwise(departures)]
    assert max_in_rolling_second(departures) == 20


async def test_each_action_has_its_own_queue(clock):
    limiter = ProcessRateLimiter(20, clock)
    await limiter.acquire("a")
    await limiter.acquire("b")
    assert clock.monotonic() == 0


async def test_a_throttle_holds_all_for_a_second_and_widens_the_spacing_for_good(clock):
    limiter = ProcessRateLimiter(20, clock)
    await send(limiter, 1)
    waiting = [asyncio.ensure_future(send(limiter, 1)) for _ in range(3)]
    await settle()
    for _ in range(5):  # they were under way together
        limiter.record_throttle(ACTION, None)
    await clock.advance(0.999)
    assert not any(task.done() for task in waiting)
    await clock.advance(3600)
    sending = asyncio.ensure_future(send(limiter, 2))
    await clock.advance(1)
    await sending
    spacing = 1.03 * 0.0516
    spaces = [b - a for a, b in itertools.pairwise(limiter.list_departures(ACTION))]
    assert spaces[0] == pytest.approx(1.0)
    assert [spaces[1], spaces[2], spaces[4]] == pytest.approx([spacing] * 3)


async def test_a_lower_limit_that_a_throttle_states_is_adopted_and_a_higher_one_is_not(clock):
    limiter = ProcessRateLimiter(20, clock)
    limiter.record_throttle(ACTION, 5)
    await clock.advance(2)
    limiter.record_throttle(ACTION, 50)
    sending = asyncio.ensure_future(send(limiter, 20))
    await clock.advance(10)
    await sending
    assert max_in_rolling_second(limiter.list_departures(ACTION)) == 5


async def test_a_stall_is_not_caught_up(clock):
    limiter = ProcessRateLimiter(20, clock)
    await send(limiter, 1)
    await clock.advance(5)
    sending = asyncio.ensure_future(send(limiter, 40))
    await clock.advance(5)
    await sending
    assert max_in_rolling_second(limiter.list_departures(ACTION)) <= 20


@pytest.mark.parametrize("delay", [0.02, 0.04, 0.3, 0.7])
async def test_a_machine_that_is_always_late_gets_on(clock, delay):
    limiter = ProcessRateLimiter(20, clock)
    sending = asyncio.ensure_future(send(limiter, 10, lambda: delay))
    await clock.advance(60)
    assert sending.done()


@pytest.mark.parametrize("seed", range(20))
async def test_no_second_holds_more_than_the_limit_whatever_is_late(seed):
    """Late wake-ups, slow disks, throttles: calls are counted when they leave."""
    chance = Random(seed)
    rate = chance.choice([0.5, 3, 20, 20, 50])
    clock = SleepyClock(chance, chance.choice([0.001, 0.03, 0.2]))
    moments = await send_late([ProcessRateLimiter(rate, clock)], chance, 60)
    assert max_in_rolling_second(moments) <= max(1, rate)
    assert len(moments) > min(60, 20 * rate), "they get on"


@pytest.mark.parametrize(("late", "least"), [(0.001, 19.3), (0.03, 18.5), (0.1, 14), (0.2, 10)])
async def test_a_late_wake_up_costs_no_slot(late, least):
    clock = SleepyClock(Random(1), late)
    limiter = ProcessRateLimiter(20, clock)
    sending = asyncio.ensure_future(send(limiter, 1_000_000))
    await clock.advance(60)
    sending.cancel()
    assert len(limiter.list_departures(ACTION)) / 60 > least


def test_most_in_a_second_counts_a_rolling_window():
    assert max_in_rolling_second(()) == 0
    assert max_in_rolling_second((0.0, 0.5, 0.999, 1.0)) == 3
    assert max_in_rolling_second((0.0, 1.0, 1.5, 2.6)) == 2


@pytest.mark.parametrize(("rate", "seconds"), [(0.5, 60), (1.5, 60), (19.5, 60), (1000, 12)])
async def test_no_second_holds_more_than_the_limit_at_any_rate(clock, rate, seconds):
    limiter = ProcessRateLimiter(rate, clock)
    sending = asyncio.ensure_future(send(limiter, 1_000_000))
    await clock.advance(seconds)
    sending.cancel()
    departures = limiter.list_departures(ACTION)
    assert max_in_rolling_second(departures) <= max(1, rate)
    assert len(departures) > 0.95 * seconds * (rate if rate < 1 else int(rate))
