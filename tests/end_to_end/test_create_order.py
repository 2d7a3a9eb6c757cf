"""A create's order: signature and connection, then the attempt durable, then its slot, then the bytes."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from contextlib import suppress

import pytest
from manual_clock import settle
from run_support import wait_until
from wire_support import CREATE, UPLOAD, set_limits

from pipeline.clock import SystemClock
from pipeline.esign.rate_limiter import max_in_rolling_second
from pipeline.esign.responses import OF_THIS_PROCESS
from pipeline.sandbox.actions import Rules
from pipeline.support.failpoints import enable_failpoint

RULES = Rules(limiter="none", unique_names="off")


@pytest.fixture
def enable():
    """Enable an action at the failpoints of this test."""
    yield enable_failpoint
    enable_failpoint(None)


class DrivenClock(SystemClock):
    """A clock that slots and slow disks move on: nobody sleeps for them. Each further slot comes ``late``, while there are some."""

    def __init__(self, late=()) -> None:
        self.wall = self.steady = 0.0  # seconds that passed at once
        self.late = list(late)  # seconds on the wall clock and on the steady one

    def now(self) -> float:
        return super().now() + self.wall

    def monotonic(self) -> float:
        return super().monotonic() + self.steady

    async def sleep(self, seconds: float) -> None:
        if sys._getframe(1).f_code.co_name != "_wait_for_slot":  # the progress display waits as well
            await super().sleep(seconds / 50)
            return
        await settle()  # a call whose slot has come leaves before the clock moves on for the next one
        wall, steady = self.late.pop() if self.late else (0.0, 0.0)
        self.wall += seconds + wall
        self.steady += seconds + steady


def read_attempts(hospital) -> list[tuple[str, str | None, str | None]]:
    """Return key, verdict and message key of the attempts in the ledger, in their order."""
    with sqlite3.connect(f"file:{hospital.folder / 'state' / 'ledger.sqlite3'}?mode=ro", uri=True) as ledger:
        rows = ledger.execute(
            "SELECT person, verdict, message FROM attempt ORDER BY event_number, uuid"
        ).fetchall()
    return [(key, verdict, message and json.loads(message)["key"]) for key, verdict, message in rows]


def count_open(hospital) -> int:
    """Return how many attempts wait for their verdict; none before there is a ledger."""
    with suppress(sqlite3.OperationalError):
        return sum(verdict is None for _, verdict, _ in read_attempts(hospital))
    return 0


def test_a_slow_disk_sends_no_more_calls_in_a_second(hospital_with, enable):
    """Each commit takes 0.4 s in which the slots of others go by."""
    clock, departures = DrivenClock(), []
    hospital = hospital_with(rules=RULES, api={"contract": "inline"}, clock=clock)
    hospital.doctors(80)
    set_limits(hospital, 20, 60)

    def act(point):
        if point == "ledger: before the commit":
            clock.wall, clock.steady = clock.wall + 0.4, clock.steady + 0.4
        elif point == f"{CREATE}: before the headers":
            departures.append(clock.monotonic())

    enable(act)
    assert hospital.run_to_end("run", clock=clock) == (0, {"sealed": 80})
    assert len(departures) == 80
    assert max_in_rolling_second(tuple(departures)) <= 20
    assert hospital.record()["rate"]["max_in_second"] <= 20


@pytest.mark.parametrize(
    ("late", "unsent"),
    [((61.0, 61.0), 1), ((61.0, 0.0), 1), ((0.0, 61.0), 1), ((-3600.0, 61.0), 1), ((55.0, 55.0), 0)],
    ids=["late", "suspended", "the wall clock stood", "the wall clock was set back", "in time"],
)
def test_a_slot_that_comes_a_minute_late_closes_its_attempt(hospital_with, late, unsent):
    clock = DrivenClock([late])
    hospital = hospital_with(rules=RULES, api={"contract": "inline"})
    hospital.doctors(2)
    set_limits(hospital, 0.25, 1)
    assert hospital.run_to_end("run", clock=clock) == (0, {"sealed": 2})
    assert hospital.creates() == 2, "nothing left after a late slot"
    attempts = read_attempts(hospital)
    assert [attempt[1:] for attempt in attempts if attempt[1] != "sealed"] == [
        ("not_executed", "wire.no_slot")
    ] * unsent


def test_a_file_id_that_another_picture_got_before_the_slot_is_not_used(hospital, enable):
    hospital.doctors(1)

    def act(point):
        if point == "ledger: after the commit" and count_open(hospital) == 1:
            for file_id in [*hospital.service._actions.uploads][:1]:
                OF_THIS_PROCESS.claim_file(file_id, "another picture")

    enable(act)
    assert hospital.run_to_end("run") == (0, {"sealed": 1})
    verdicts = [attempt[1:] for attempt in read_attempts(hospital)]
    assert verdicts == [("not_executed", "wire.no_slot"), ("sealed", None)]
    assert [call.action for call in hospital.service.received] == [UPLOAD, UPLOAD, CREATE]


class StandingClock(SystemClock):
    """A clock on which no further slot comes."""

    async def sleep(self, seconds: float) -> None:
        if sys._getframe(1).f_code.co_name == "_wait_for_slot":
            await asyncio.Event().wait()
        await super().sleep(seconds / 50)


def test_attempts_that_wait_for_a_slot_in_a_drain_are_not_executed(hospital_with, enable):
    hospital = hospital_with(rules=RULES, api={"contract": "inline"})
    hospital.doctors(9)
    set_limits(hospital, 4, 4)
    is_full = False

    def act(point):
        nonlocal is_full
        if point != "ledger: after the commit" or is_full:
            return
        is_full = count_open(hospital) == 4
        if is_full:
            os.kill(os.getpid(), signal.SIGTERM)

    enable(act)
    assert hospital.run_to_end("run", clock=StandingClock()) == (143, {"sealed": 1, "not_sent": 8})
    assert is_full
    verdicts = [attempt[1:] for attempt in read_attempts(hospital)]
    assert verdicts == [("sealed", None), *[("not_executed", "wire.cancelled")] * 4]
    enable(None)
    assert hospital.go("run") == 0
    assert hospital.service.list_duplicates() == {}
    assert len(hospital.service.seals) == 9


@pytest.mark.parametrize(
    ("contract", "rate", "calls"),
    [("inline", 4, 1), ("file_id", 1000, 1 + 4 + 1 + 8)],
    ids=["before their slots", "on the wire"],
)
def test_a_kill_leaves_no_more_unknown_than_may_be_under_way(hospital_with, zygote, contract, rate, calls):
    """On the wire: the next rows have uploaded their pictures and wait for their turn."""
    slow = {"match": {"action": CREATE, "from": 2, "to": 5}, "do": {"delay_after": 30}}
    faults = [slow] if contract == "file_id" else []
    hospital = hospital_with(rules=RULES, api={"contract": contract}, faults=faults)
    hospital.doctors(20)
    set_limits(hospital, rate, 4)
    run = zygote.start(hospital)
    wait_until(lambda: count_open(hospital) >= 3 and len(hospital.service.received) >= calls)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    hospital.configure(contract=contract)
    assert hospital.go("run") == 3
    assert 0 < hospital.statuses()["unknown"] <= 4
    assert hospital.service.list_duplicates() == {}
