"""The figures of a run's calls."""

import pytest

from pipeline.sending.call_metrics import OUTAGE, CallMetrics


class HandClock:
    """A clock that a test sets."""

    def __init__(self):
        self.moment = 0.0

    def now(self):
        return 1_795_000_000.0 + self.moment

    def monotonic(self):
        return self.moment


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def metrics(clock):
    return CallMetrics(clock)


def send(metrics, clock, action, moment, *, wait=0.0, takes=0.1, number=1):
    clock.moment = moment - wait
    call = metrics.start_call(action)
    clock.moment = moment
    metrics.record_departure(call, number)
    clock.moment = moment + takes
    metrics.record_answer(call)


def test_a_run_without_a_call_has_no_timing(metrics, clock):
    with metrics.measure_wait(OUTAGE):
        clock.moment += 5
    assert metrics.summarize() is None


def test_waits_sends_and_losses_are_distinguished(metrics, clock):
    send(metrics, clock, "create", 1.0, wait=0.5)
    send(metrics, clock, "create", 2.0, number=2)
    lost = metrics.start_call("create")
    metrics.record_departure(lost, 3)
    clock.moment = 40.0
    metrics.record_loss(lost)
    metrics.record_loss(metrics.start_call("create"))  # its connection never came: nothing left

    timing = metrics.summarize()

    assert (timing.sends, timing.resends) == ({"create": 3}, {"create": 2})
    assert timing.lost == 1
    assert timing.waits["slot"].count == 3
    assert timing.waits["slot"].longest == 0.5
    assert timing.answers["create"].count == 2


def test_durations_are_summarized(metrics, clock):
    for index in range(100):
        send(metrics, clock, "create", 10.0 * index, takes=float(index))
    with metrics.measure_wait(OUTAGE):
        clock.moment += 2.5

    timing = metrics.summarize()

    answers = timing.answers["create"]
    assert (answers.count, answers.total, answers.longest) == (100, 4950.0, 99.0)
    assert (answers.median, answers.p95) == (50.0, 95.0)
    assert timing.waits[OUTAGE].total == 2.5
