"""The breaker under a clock whose hand the test moves: who passes, when it asks, when it gives up."""

import asyncio

import pytest
from manual_clock import ManualClock, settle

from pipeline.sending import circuit_breaker
from pipeline.sending.circuit_breaker import CircuitBreaker

CREATE, UPLOAD = "create", "upload"
USUAL_SECONDS = circuit_breaker.GIVE_UP_SECONDS  # while the tests are collected


@pytest.fixture(autouse=True)
def usual_outages(monkeypatch):
    monkeypatch.setattr(circuit_breaker, "GIVE_UP_SECONDS", USUAL_SECONDS)


class Service:
    """Answers probes as it is told, and notes when it was asked and who passed."""

    def __init__(self):
        self.clock = ManualClock()
        self.alive = False
        self.asked, self.passed, self.given_up = [], [], []
        self.breaker = CircuitBreaker(
            self.clock,
            wait=self._wait,
            give_up=self.given_up.append,
        )

    async def _wait(self, seconds):
        await self.clock.sleep(seconds)
        return not self.given_up

    async def _probe(self):
        self.asked.append(self.clock.monotonic())
        return self.alive

    async def call(self, seconds=1.0, *, answered=True, action=CREATE):
        async with self.breaker.permit(self._probe):
            self.passed.append(self.clock.monotonic())
            await self.clock.sleep(seconds)
            self.breaker.record_result(action, answered=answered)

    def break_it(self):
        for _ in range(5):
            self.breaker.record_result(CREATE, answered=False)


async def test_five_in_a_row_of_one_action_open_it():
    service = Service()
    for _ in range(4):
        service.breaker.record_result(CREATE, answered=False)
        service.breaker.record_result(UPLOAD, answered=True)
    assert service.breaker.is_closed
    service.breaker.record_result(CREATE, answered=False)
    assert not service.breaker.is_closed


@pytest.mark.parametrize(("answers_between", "opens"), [(3, True), (6, False)])
async def test_ten_of_the_last_fifty_open_it_and_older_ones_are_forgotten(answers_between, opens):
    service = Service()
    for _ in range(9):
        service.breaker.record_result(CREATE, answered=False)
        for _ in range(answers_between):
            service.breaker.record_result(CREATE, answered=True)
    assert service.breaker.is_closed
    service.breaker.record_result(CREATE, answered=False)
    assert service.breaker.is_closed is not opens


async def test_the_breaker_probes_after_five_seconds_and_backs_off_to_thirty():
    service = Service()
    service.break_it()
    calls = [asyncio.ensure_future(service.call()) for _ in range(3)]
    await service.clock.advance(130)
    assert service.asked == [5, 15, 35, 65, 95, 125]
    assert service.passed == []
    for call in calls:
        call.cancel()


async def test_half_open_one_at_a_time_and_closed_after_three_answers():
    service = Service()
    service.break_it()
    service.alive = True
    calls = [asyncio.ensure_future(service.call()) for _ in range(6)]
    await service.clock.advance(20)
    assert service.asked == [5]
    assert service.passed == [5, 6, 7, 8, 8, 8]
    assert service.breaker.is_closed
    await asyncio.gather(*calls)


async def test_silence_while_half_open_opens_it_again():
    service = Service()
    service.break_it()
    service.alive = True
    calls = [asyncio.ensure_future(service.call(answered=number != 1)) for number in range(5)]
    await service.clock.advance(7)
    assert service.passed == [5, 6]
    await service.clock.advance(9.5)
    assert service.asked == [5]
    await service.clock.advance(1)
    assert service.asked == [5, 17]
    await service.clock.advance(30)
    await asyncio.gather(*calls)


async def test_the_breaker_gives_up_after_fifteen_minutes():
    service = Service()
    service.break_it()
    call = asyncio.ensure_future(service.call())
    await service.clock.advance(904)
    assert service.given_up == []
    await service.clock.advance(2)
    assert service.given_up == ["15 min"]
    await service.clock.advance(2)
    assert call.done()  # it passes: its caller sees that the run was stopped


async def test_a_probe_that_answers_while_calls_stay_silent_does_not_go_on_for_ever(monkeypatch):
    monkeypatch.setattr(circuit_breaker, "GIVE_UP_SECONDS", 60.0)
    service = Service()
    service.break_it()
    service.alive = True
    calls = [asyncio.ensure_future(service.call(answered=False)) for _ in range(50)]
    await service.clock.advance(200)
    assert len(service.given_up) >= 1
    assert len(service.passed) < 10
    for call in calls:
        call.cancel()
    await settle()


async def test_a_call_sees_that_the_breaker_opened_since_it_began():
    service = Service()
    async with service.breaker.permit(service._probe) as opened:
        assert service.breaker.open_count == opened
        service.break_it()
        assert service.breaker.open_count != opened


@pytest.mark.parametrize("answered", [True, False])
async def test_late_answers_of_calls_under_way_do_not_open_it_twice(answered):
    service = Service()
    service.break_it()
    service.breaker.record_result(CREATE, answered=answered)
    assert service.breaker.open_count == 1
    assert not service.breaker.is_closed
