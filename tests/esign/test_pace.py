"""The limiter under a clock whose hand the test moves."""

import asyncio
import itertools

import pytest

from pipeline.clock import ManualClock, settle
from pipeline.esign.pace import EvenLimiter, most_in_a_second

ACTION = "Create"


async def _send(limiter: EvenLimiter, times: int) -> None:
    for _ in range(times):
        await limiter.acquire(ACTION)
        await limiter.leave(ACTION)


@pytest.fixture
def clock():
    return ManualClock()


async def test_slots_are_51_5_ms_apart_at_20_a_second(clock):
    limiter = EvenLimiter(20, clock)
    sending = asyncio.gather(*[_send(limiter, 10) for _ in range(5)])
    await clock.advance(10)
    await sending

    left = limiter.departures(ACTION)
    assert len(left) == 50
    assert [pytest.approx(0.0515)] * 49 == [b - a for a, b in itertools.pairwise(left)]
    assert most_in_a_second(left) == 20


async def test_each_action_has_its_own_queue(clock):
    limiter = EvenLimiter(20, clock)
    await limiter.acquire("a")
    await limiter.acquire("b")
    assert clock.monotonic() == 0


async def test_a_throttle_holds_everyone_for_a_second(clock):
    limiter = EvenLimiter(20, clock)
    await _send(limiter, 1)
    waiting = [asyncio.ensure_future(_send(limiter, 1)) for _ in range(3)]
    await settle()
    limiter.throttled(ACTION, 20)
    await clock.advance(0.99)
    assert not any(task.done() for task in waiting)
    await clock.advance(0.3)
    assert all(task.done() for task in waiting)


async def test_a_lower_limit_in_a_throttle_is_believed(clock):
    limiter = EvenLimiter(20, clock)
    await _send(limiter, 1)
    limiter.throttled(ACTION, 5)
    sending = asyncio.ensure_future(_send(limiter, 20))
    await clock.advance(10)
    await sending
    assert most_in_a_second(limiter.departures(ACTION)[1:]) <= 5


async def test_a_stall_is_not_caught_up(clock):
    limiter = EvenLimiter(20, clock)
    await _send(limiter, 1)
    await clock.advance(5)
    sending = asyncio.ensure_future(_send(limiter, 40))
    await clock.advance(5)
    await sending
    assert most_in_a_second(limiter.departures(ACTION)) <= 20


async def test_late_departures_never_exceed_the_limit(clock):
    """Commits may take different times: what counts is when calls leave, not when their slots came."""
    limiter = EvenLimiter(20, clock)

    async def one(delay: float) -> None:
        await limiter.acquire(ACTION)
        await clock.sleep(delay)
        await limiter.leave(ACTION)

    sending = asyncio.gather(*[one(0.2 if number % 3 == 0 else 0.0) for number in range(80)])
    await clock.advance(20)
    await sending
    assert most_in_a_second(limiter.departures(ACTION)) <= 20


def test_most_in_a_second_counts_a_rolling_window():
    assert most_in_a_second(()) == 0
    assert most_in_a_second((0.0, 0.5, 0.999, 1.0)) == 3
    assert most_in_a_second((0.0, 1.0, 1.5, 2.6)) == 2
