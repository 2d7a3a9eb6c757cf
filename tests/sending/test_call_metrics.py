"""What is measured of a night's calls: right in short nights, small in long ones."""

import json
import random
from dataclasses import asdict

import pytest

from pipeline.sending.call_metrics import MAX_STEPS, OUTAGE, CallMetrics


class Hand:
    """A clock whose hand a test sets."""

    def __init__(self):
        self.moment = 0.0

    def now(self):
        return 1_795_000_000.0 + self.moment

    def monotonic(self):
        return self.moment


@pytest.fixture
def hand():
    return Hand()


@pytest.fixture
def meter(hand):
    return CallMetrics(hand)


def send(meter, hand, action, moment, *, wait=0.0, takes=0.1, number=1):
    hand.moment = moment - wait
    call = meter.start_call(action)
    hand.moment = moment
    meter.record_departure(call, number)
    hand.moment = moment + takes
    meter.record_answer(call)


def test_a_run_without_a_call_has_no_timing(meter, hand):
    with meter.measure_wait(OUTAGE):
        hand.moment += 5
    assert meter.summarize() is None


def test_calls_stand_in_the_second_in_which_they_left(meter, hand):
    for position in (3.0, 3.5, 3.99, 4.0, 6.2):
        send(meter, hand, "create", position, takes=2.0)
    send(meter, hand, "upload", 3.1)

    timing = meter.summarize()

    assert timing.began == 1_795_000_003.0
    assert timing.step == 1.0
    assert timing.calls == {"create": (3, 1, 0, 1), "upload": (1, 0, 0, 0)}
    assert timing.latency == {"create": (2.0, 2.0, None, 2.0), "upload": (0.1, None, None, None)}


def test_waits_sends_losses_and_throttles_are_distinguished(meter, hand):
    send(meter, hand, "create", 1.0, wait=0.5)
    send(meter, hand, "create", 2.0, number=2)
    lost = meter.start_call("create")
    meter.record_departure(lost, 3)
    hand.moment = 40.0
    meter.record_loss(lost)
    meter.record_loss(meter.start_call("create"))  # its connection never came: nothing left
    hand.moment = 2.5
    meter.count_throttle()

    timing = meter.summarize()

    assert timing.sends == {"create": (1, 1, 1)}
    assert sum(timing.lost) == 1
    assert timing.lost[1] == 1, "in the second in which it left"
    assert timing.throttled[1] == 1
    assert timing.waits["slot"].count == 3
    assert timing.waits["slot"].longest == 0.5
    assert timing.answers["create"].count == 2


def test_silence_is_spread_over_the_seconds_it_lasted(meter, hand):
    send(meter, hand, "create", 0.2)
    hand.moment = 1.5
    with meter.measure_wait(OUTAGE):
        hand.moment = 4.0

    timing = meter.summarize()

    assert timing.silent == (0.0, 0.5, 1.0, 1.0, 0.0)
    assert timing.waits[OUTAGE].total == 2.5


def test_a_long_run_stays_small_and_loses_no_call(meter, hand):
    dice = random.Random(7)
    took = []
    for index in range(100_000):
        took.append(dice.lognormvariate(-2.4, 0.4))
        send(meter, hand, "create", index / 19.5, takes=took[-1])
    with meter.measure_wait(OUTAGE):
        hand.moment += 1000

    timing = meter.summarize()

    assert len(timing.throttled) <= MAX_STEPS
    assert timing.step == 32.0
    assert sum(timing.calls["create"]) == 100_000
    assert max(timing.calls["create"]) / timing.step == pytest.approx(19.5, rel=0.01)
    assert sum(timing.silent) == pytest.approx(1000, abs=1)
    assert len(json.dumps(asdict(timing))) < 12_000
    spread = timing.answers["create"]
    took.sort()
    assert spread.median == pytest.approx(took[50_000], rel=0.06)
    assert spread.p95 == pytest.approx(took[95_000], rel=0.06)
    assert spread.longest == pytest.approx(took[-1], abs=1e-4)
    assert sum(spread.bins) == 100_000
