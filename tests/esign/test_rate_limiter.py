"""The limiter under a clock whose hand the test moves."""

import asyncio
import itertools
from random import Random

import pytest
from manual_clock import ManualClock, settle

from pipeline.esign.rate_limiter import AdaptiveRateLimiter, max_in_rolling_second

ACTION = "Create"


async def _send(limiter: AdaptiveRateLimiter, times: int) -> None:
    for _ in range(times):
        await limiter.acquire(ACTION)
        await limiter.record_departure(ACTION)


@pytest.fixture
def clock():
    return ManualClock()


async def test_slots_are_51_5_ms_apart_at_20_a_second(clock):
    limiter = AdaptiveRateLimiter(20, clock)
    sending = asyncio.gather(*[_send(limiter, 10) for _ in range(5)])
    await clock.advance(10)
    await sending

    departures = limiter.list_departures(ACTION)
    assert len(departures) == 50
    assert [pytest.approx(0.0515)] * 49 == [b - a for a, b in itertools.pairwise(departures)]
    assert max_in_rolling_second(departures) == 20


async def test_each_action_has_its_own_queue(clock):
    limiter = AdaptiveRateLimiter(20, clock)
    await limiter.acquire("a")
    await limiter.acquire("b")
    assert clock.monotonic() == 0


async def test_a_throttle_holds_everyone_for_a_second(clock):
    limiter = AdaptiveRateLimiter(20, clock)
    await _send(limiter, 1)
    waiting = [asyncio.ensure_future(_send(limiter, 1)) for _ in range(3)]
    await settle()
    limiter.record_throttle(ACTION, 20, 25)
    await clock.advance(0.99)
    assert not any(task.done() for task in waiting)
    await clock.advance(0.3)
    assert all(task.done() for task in waiting)


async def test_a_lower_limit_in_a_throttle_is_believed(clock):
    limiter = AdaptiveRateLimiter(20, clock)
    await _send(limiter, 1)
    limiter.record_throttle(ACTION, 5, 6)
    sending = asyncio.ensure_future(_send(limiter, 20))
    await clock.advance(10)
    await sending
    assert max_in_rolling_second(limiter.list_departures(ACTION)[1:]) <= 5


async def test_a_stall_is_not_caught_up(clock):
    limiter = AdaptiveRateLimiter(20, clock)
    await _send(limiter, 1)
    await clock.advance(5)
    sending = asyncio.ensure_future(_send(limiter, 40))
    await clock.advance(5)
    await sending
    assert max_in_rolling_second(limiter.list_departures(ACTION)) <= 20


async def test_late_departures_never_exceed_the_limit(clock):
    """Commits may take different times: what counts is when calls leave, not when their slots came."""
    limiter = AdaptiveRateLimiter(20, clock)

    async def one(delay: float) -> None:
        await limiter.acquire(ACTION)
        await clock.sleep(delay)
        await limiter.record_departure(ACTION)

    sending = asyncio.gather(*[one(0.2 if number % 3 == 0 else 0.0) for number in range(80)])
    await clock.advance(20)
    await sending
    assert max_in_rolling_second(limiter.list_departures(ACTION)) <= 20


def test_most_in_a_second_counts_a_rolling_window():
    assert max_in_rolling_second(()) == 0
    assert max_in_rolling_second((0.0, 0.5, 0.999, 1.0)) == 3
    assert max_in_rolling_second((0.0, 1.0, 1.5, 2.6)) == 2


async def _spacing(limiter: AdaptiveRateLimiter, clock: ManualClock, seconds: float) -> float:
    """Send at full pace for a while; return the spacing at its end."""
    sending = asyncio.ensure_future(_send(limiter, 1_000_000))
    await clock.advance(seconds)
    sending.cancel()
    await settle()
    departures = limiter.list_departures(ACTION)
    return departures[-1] - departures[-2]


async def test_the_spacing_is_narrowed_while_nothing_is_refused(clock):
    limiter = AdaptiveRateLimiter(20, clock)
    assert await _spacing(limiter, clock, 7.9) == pytest.approx(0.0515)
    assert await _spacing(limiter, clock, 5) == pytest.approx(0.0514)
    assert await _spacing(limiter, clock, 200) == pytest.approx(0.05002)
    assert max_in_rolling_second(limiter.list_departures(ACTION)) == 20


async def test_each_throttle_widens_the_spacing_and_delays_its_narrowing_longer(clock):
    limiter = AdaptiveRateLimiter(20, clock)
    await _spacing(limiter, clock, 200)
    limiter.record_throttle(ACTION, 20, 25)
    assert await _spacing(limiter, clock, 55) == pytest.approx(0.050123)
    assert await _spacing(limiter, clock, 9) == pytest.approx(0.050023)
    limiter.record_throttle(ACTION, 20, 25)
    assert await _spacing(limiter, clock, 115) == pytest.approx(0.050126, abs=1e-6)
    assert await _spacing(limiter, clock, 9) == pytest.approx(0.050026, abs=1e-6)


async def test_the_wider_the_spacing_that_was_refused_the_wider_the_step_back(clock):
    limiter = AdaptiveRateLimiter(20, clock)
    await _spacing(limiter, clock, 1)
    limiter.record_throttle(ACTION, 20, 21)
    assert await _spacing(limiter, clock, 5) == pytest.approx(0.051825)


@pytest.mark.parametrize(("counted", "held"), [(21, 1), (22, 2), (23, None), (None, None)])
async def test_one_call_too_many_costs_a_slot_and_not_a_second(clock, counted, held):
    """Jitter put it into a second of twenty others; more than two too many are no jitter."""
    limiter = AdaptiveRateLimiter(20, clock)
    await _send(limiter, 1)
    await clock.advance(1)
    limiter.record_throttle(ACTION, 20, counted)
    waiting = asyncio.ensure_future(_send(limiter, 1))
    seconds = 1.0 if held is None else held * 0.0515
    await clock.advance(seconds - 0.001)
    assert not waiting.done()
    await clock.advance(0.002)
    assert waiting.done()


async def test_many_throttles_that_are_just_over_mean_that_another_person_is_calling(clock):
    limiter = AdaptiveRateLimiter(20, clock)
    for _ in range(3):
        limiter.record_throttle(ACTION, 20, 21)
        assert await _spacing(limiter, clock, 5) < 0.053
    limiter.record_throttle(ACTION, 20, 21)
    assert await _spacing(limiter, clock, 5) > 0.064


async def test_throttles_of_calls_that_were_under_way_together_are_one(clock):
    limiter = AdaptiveRateLimiter(20, clock)
    await _spacing(limiter, clock, 1)
    for _ in range(5):
        limiter.record_throttle(ACTION, 20, 25)
    assert await _spacing(limiter, clock, 5) == pytest.approx(0.051825)


async def test_a_much_lower_limit_that_no_message_names_is_found_in_a_few_throttles(clock):
    """Five a second are granted; every call counts, and the sixth of a rolling second is refused."""
    limiter = AdaptiveRateLimiter(20, clock)
    refused = []

    async def send() -> None:
        while True:
            await _send(limiter, 1)
            now = clock.monotonic()
            if sum(now - remaining < 1 for remaining in limiter.list_departures(ACTION)[-21:]) > 5:
                refused.append(now)
                limiter.record_throttle(ACTION, None, None)

    sending = asyncio.ensure_future(send())
    await clock.advance(600)
    sending.cancel()
    assert len([moment for moment in refused if moment > 120]) <= 10
    assert len(limiter.list_departures(ACTION)) > 0.9 * 5 * 600


async def test_an_idle_limiter_learns_nothing(clock):
    limiter = AdaptiveRateLimiter(20, clock)
    for _ in range(400):
        await _send(limiter, 1)
        await clock.advance(1)
    assert await _spacing(limiter, clock, 1) == pytest.approx(0.0515)


async def _send_answered(
    limiter: AdaptiveRateLimiter, clock: ManualClock, seconds: float, spread: float
) -> float:
    """Send calls whose answers take up to ``spread`` seconds more or less; return the spacing that came of it."""
    answer_seconds = itertools.cycle([0.1, 0.1 + spread])

    async def send() -> None:
        while True:
            await _send(limiter, 1)
            limiter.record_answer(ACTION, next(answer_seconds))

    sending = asyncio.ensure_future(send())
    await clock.advance(seconds)
    sending.cancel()
    await settle()
    departures = limiter.list_departures(ACTION)
    return departures[-1] - departures[-2]


@pytest.mark.parametrize(("spread", "spacing"), [(0, 0.05005), (0.005, 0.050425), (0.025, 0.0515)])
async def test_answers_that_take_nearly_the_same_time_narrow_the_spacing_at_once(clock, spread, spacing):
    limiter = AdaptiveRateLimiter(20, clock)
    assert await _send_answered(limiter, clock, 5.1, spread) == pytest.approx(0.0515)
    assert await _send_answered(limiter, clock, 2, spread) == pytest.approx(spacing)


async def test_after_such_a_step_the_small_steps_wait_until_they_would_have_come_there(clock):
    limiter = AdaptiveRateLimiter(20, clock)
    assert await _send_answered(limiter, clock, 80, 0.005) == pytest.approx(0.050425)
    assert await _send_answered(limiter, clock, 40, 0.005) < 0.0504


async def test_after_a_throttle_answer_times_are_no_evidence(clock):
    limiter = AdaptiveRateLimiter(20, clock)
    await _send_answered(limiter, clock, 30, 0)
    limiter.record_throttle(ACTION, 20, 21)
    widened = 0.05005 + 0.0001 + 0.15 * 0.00005
    assert await _send_answered(limiter, clock, 30, 0) == pytest.approx(widened)


@pytest.mark.parametrize(
    ("spread", "spacing"), [(0, 0.05005), (0.002, 0.0502), (0.005, 0.050425), (0.02, 0.0515)]
)
async def test_calls_that_leave_late_stay_apart_from_the_next_and_lose_no_slot(clock, spread, spacing):
    limiter = AdaptiveRateLimiter(20, clock)
    chance = Random(1)
    answer_seconds = itertools.cycle([0.1, 0.1 + spread])

    async def send() -> None:
        while True:
            await limiter.acquire(ACTION)
            await clock.sleep(chance.choice([0, 0, 0, 0.001, 0.04]))
            await limiter.record_departure(ACTION)
            limiter.record_answer(ACTION, next(answer_seconds))

    sending = [asyncio.ensure_future(send()) for _ in range(5)]
    await clock.advance(30)
    for task in sending:
        task.cancel()
    await settle()
    departures = [moment for moment in limiter.list_departures(ACTION) if moment > 8]
    spans = [last - first for first, last in zip(departures, departures[20:], strict=False)]
    assert min(spans) >= 1 + spread - 1e-9
    assert len(departures) >= (departures[-1] - departures[0]) / spacing - 1


@pytest.mark.parametrize(("rate", "seconds"), [(0.5, 60), (3, 60), (20, 60), (50, 60), (1000, 12)])
async def test_no_second_of_ours_holds_more_than_the_limit_at_any_rate(clock, rate, seconds):
    limiter = AdaptiveRateLimiter(rate, clock)
    await _spacing(limiter, clock, seconds)
    assert max_in_rolling_second(limiter.list_departures(ACTION)) <= max(1, rate)
