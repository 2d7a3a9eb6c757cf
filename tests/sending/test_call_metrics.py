"""The figures of a run's calls: right in a short run, small in a long one."""

import json
import random
import threading
from dataclasses import asdict

import pytest

from pipeline.sending.call_metrics import MAX_STEPS, OUTAGE, CallMetrics


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


def test_calls_stand_in_the_second_in_which_they_left(metrics, clock):
    for position in (3.0, 3.5, 3.99, 4.0, 6.2):
        send(metrics, clock, "create", position, takes=2.0)
    send(metrics, clock, "upload", 3.1)

    timing = metrics.summarize()

    assert timing.began == 1_795_000_003.0
    assert timing.step == 1.0
    assert timing.calls == {"create": (3, 1, 0, 1), "upload": (1, 0, 0, 0)}
    assert timing.latency == {"create": (2.0, 2.0, None, 2.0), "upload": (0.1, None, None, None)}


def test_waits_sends_losses_and_throttles_are_distinguished(metrics, clock):
    send(metrics, clock, "create", 1.0, wait=0.5)
    send(metrics, clock, "create", 2.0, number=2)
    lost = metrics.start_call("create")
    metrics.record_departure(lost, 3)
    clock.moment = 40.0
    metrics.record_loss(lost)
    metrics.record_loss(metrics.start_call("create"))  # its connection never came: nothing left
    clock.moment = 2.5
    metrics.count_throttle()

    timing = metrics.summarize()

    assert timing.sends == {"create": (1, 1, 1)}
    assert sum(timing.lost) == 1
    assert timing.lost[1] == 1, "in the second in which it left"
    assert timing.throttled[1] == 1
    assert timing.waits["slot"].count == 3
    assert timing.waits["slot"].longest == 0.5
    assert timing.answers["create"].count == 2


def test_silence_is_spread_over_the_seconds_it_lasted(metrics, clock):
    send(metrics, clock, "create", 0.2)
    clock.moment = 1.5
    with metrics.measure_wait(OUTAGE):
        clock.moment = 4.0

    timing = metrics.summarize()

    assert timing.silent == (0.0, 0.5, 1.0, 1.0, 0.0)
    assert timing.waits[OUTAGE].total == 2.5


def test_a_long_run_stays_small_and_loses_no_call(metrics, clock):
    dice = random.Random(7)
    took = []
    for index in range(100_000):
        took.append(dice.lognormvariate(-2.4, 0.4))
        send(metrics, clock, "create", index / 19.5, takes=took[-1])
    with metrics.measure_wait(OUTAGE):
        clock.moment += 1000

    timing = metrics.summarize()

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


def test_a_silence_ends_whatever_the_clock_shows():
    """A machine that has been up for 2**21 seconds: moments are rounded, and some into the step that they end."""
    dice = random.Random(1)

    def measure() -> None:
        for power in (16, 21, 24):
            for _ in range(800):
                clock = HandClock()
                clock.moment = 2.0**power - dice.uniform(0, 200)
                metrics = CallMetrics(clock)
                send(metrics, clock, "create", clock.moment)
                silences = [dice.choice((1.0, 5.0, dice.uniform(0, 40))) for _ in range(20)]
                for seconds in silences:
                    clock.moment = float(round(clock.moment, 7))
                    with metrics.measure_wait(OUTAGE):
                        clock.moment += seconds
                assert sum(metrics.summarize().silent) == pytest.approx(sum(silences), rel=0.01, abs=5)
        done.append(True)

    done = []
    thread = threading.Thread(target=measure, daemon=True)
    thread.start()
    thread.join(60)
    assert done
