"""The loop of a call: when it waits, what it sends again, what it journals; over a socket, on a clock that waits move on."""

import asyncio
import random
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from manual_clock import settle
from wire_support import fault, refusing_port

from pipeline.clock import SystemClock
from pipeline.domain.masking import Masker
from pipeline.domain.roster import CardType
from pipeline.esign.auto_sign_calls import Signer, build_status_query, read_status
from pipeline.esign.client import Client
from pipeline.esign.products import ESSBASIC, PlatformAgent
from pipeline.esign.rate_limiter import HOLD_SECONDS, ProcessRateLimiter
from pipeline.esign.responses import NO_ANSWER, NOT_SENT, SeenAnswers
from pipeline.esign.signing import Credentials
from pipeline.planning.guards import RESEND_BUDGET, RESEND_COSTS
from pipeline.sandbox.actions import Rules
from pipeline.sandbox.faults import parse_faults
from pipeline.sandbox.gateway import SANDBOX
from pipeline.sandbox.server import Sandbox
from pipeline.sandbox.service import FakeService
from pipeline.sending.circuit_breaker import MAX_SILENT_IN_A_ROW, OutageMonitor
from pipeline.sending.exchange import MAX_EXPIRED_WAITS, MAX_SENDS, Body, Call, Exchange
from pipeline.sending.run_state import RunState
from pipeline.support.failpoints import enable_failpoint

ACTION = ESSBASIC.auto_sign_status
AGENT = PlatformAgent(SANDBOX.app_id, SANDBOX.organization_open_id, SANDBOX.operator_open_id)
SIGNER = Signer("王小明", CardType.ID_CARD, "11010119900307467X")
THROTTLE, LATE = "RequestLimitExceeded", "AuthFailure.SignatureExpire"


class MovedClock(SystemClock):
    """A clock that each wait moves on at once; it notes who waited how long."""

    def __init__(self):
        self.moved = self.wall_ahead = 0.0  # seconds
        self.waits = []

    def now(self):
        return super().now() + self.moved + self.wall_ahead

    def monotonic(self):
        return super().monotonic() + self.moved

    def sleep(self, seconds):
        self.waits.append((sys._getframe(1).f_code.co_name, seconds))
        return self._move_on(seconds)

    async def _move_on(self, seconds):
        await settle()  # a call whose slot has come leaves before
        self.moved += max(0.0, seconds)

    def list_back_offs(self):
        return [seconds for name, seconds in self.waits if name == "back_off"]


class JournalledCall(Call):
    """A call that notes what the loop asks of it."""

    def __init__(self, scene, *, is_repeatable=False, **more):
        super().__init__(ACTION, **more)
        self.is_repeatable = is_repeatable
        self.scene, self.journal = scene, []
        self.stale_slots = 0  # that come too late

    async def prepare(self):
        self.journal.append("prepare")
        return True

    def build_body(self):
        return Body(build_status_query(AGENT, SIGNER))

    async def open_attempt(self, trace_id, signed):
        assert trace_id
        assert signed.is_open()
        self.journal.append(("open", self.scene.count_departures(), len(self.scene.calls)))

    def may_leave(self):
        self.stale_slots -= 1
        return self.stale_slots < 0

    async def close_unsent(self, message):
        self.journal.append(("unsent", message.key))

    def read(self, reply):
        self.journal.append("read")
        return read_status(reply, sent=(), masker=Masker())

    async def record_answer(self, reading):
        self.journal.append(("answer", reading.code, self.scene.exchange.run_state.is_stopping))
        return reading


@dataclass
class Scene:
    """A service, and the way to it."""

    service: FakeService
    exchange: Exchange
    clock: MovedClock

    @property
    def calls(self):
        return [call.action for call in self.service.received]

    @property
    def halt(self):
        return self.exchange.run_state.halted

    def count_departures(self):
        return len(self.exchange.limiter.list_departures(ACTION))

    def make_call(self, **more):
        return JournalledCall(self, **more)

    async def send(self, call=None, **more):
        call = call or self.make_call(**more)
        return call, await self.exchange.send_until_answered(call)


@pytest.fixture
def open_scene(monkeypatch):
    """Open a service with these faults of its calls; each random wait is as long as it may be."""
    monkeypatch.setattr(random, "uniform", lambda shortest, longest: shortest * 0 + longest)

    @asynccontextmanager
    async def open_service(*faults, url=None):
        clock, service = MovedClock(), FakeService(Rules(limiter="none"), tenants=(SANDBOX,))
        struck = parse_faults({"faults": list(faults)})
        async with Sandbox(service, faults=struck, clock=clock) as sandbox:
            client = Client(
                product=ESSBASIC,
                endpoint=url or sandbox.url,
                file_endpoint=url or sandbox.url,
                credentials=Credentials(SANDBOX.secret_id, SANDBOX.secret_key),
                clock=clock,
                timeout=5,
                answers=SeenAnswers(),
            )
            async with client:
                run_state = RunState(asyncio.Event(), clock, OutageMonitor(clock))
                limiter = ProcessRateLimiter(1000.0, clock)
                slots = {ACTION: asyncio.Semaphore(8)}
                exchange = Exchange(client, limiter, clock, AGENT, Masker(), run_state, slots)
                yield Scene(service, exchange, clock)

    return open_service


def strike(do, *nth):
    return fault(do, action=ACTION, nth=nth or (1,))


def refuse(code):
    return {"code": {"code": code, "message": "不行"}}


@pytest.mark.parametrize(
    ("do", "is_repeatable", "calls", "code"),
    [
        (refuse(THROTTLE), False, 2, None),
        (refuse(LATE), False, 2, None),
        ("reset_before", False, 1, NO_ANSWER),
        ("http_502", False, 1, "http_502"),
        ("truncated_json", False, 1, "unreadable"),
        (refuse("InternalError"), False, 1, "InternalError"),
        (refuse("Unheard.Of"), False, 1, "Unheard.Of"),
        (refuse("InvalidParameter.Name"), False, 1, "InvalidParameter.Name"),
        (refuse(THROTTLE), True, 2, None),
        ("reset_before", True, 2, None),
        ("http_502", True, 2, None),
        (refuse("InternalError"), True, 2, None),
        (refuse("InvalidParameter.Name"), True, 1, "InvalidParameter.Name"),
    ],
)
async def test_what_is_in_doubt_is_repeated_only_where_the_call_allows_it(
    open_scene, do, is_repeatable, calls, code
):
    async with open_scene(strike(do)) as scene:
        call, reading = await scene.send(is_repeatable=is_repeatable)
    assert (len(scene.calls), call.sends, reading.code) == (calls, calls, code)
    assert len([entry for entry in call.journal if entry[0] == "answer"]) == calls, "each is recorded"
    assert len(scene.clock.list_back_offs()) == calls - 1
    assert scene.halt is None


@pytest.mark.parametrize(("do", "cost"), [(refuse(THROTTLE), "throttle"), ("http_502", "transport")])
async def test_four_sends_with_waits_that_double(open_scene, do, cost):
    async with open_scene(strike(do, 1, 2, 3, 4, 5)) as scene:
        call, reading = await scene.send(is_repeatable=True)
    assert (call.sends, MAX_SENDS) == (4, 4)
    assert scene.clock.list_back_offs() == [1.0, 2.0, 4.0], "at most: full jitter begins at nothing"
    assert not reading.is_done
    run_state = scene.exchange.run_state
    assert run_state.requests[ACTION].total() == 4
    assert run_state.guards.resend_budget == RESEND_BUDGET - 4 * RESEND_COSTS[cost]


async def test_a_wait_is_anything_from_nothing_on(open_scene, monkeypatch):
    async with open_scene(strike(refuse(THROTTLE), 1, 2, 3)) as scene:
        monkeypatch.setattr(random, "uniform", lambda shortest, longest: shortest + longest * 0)
        await scene.send()
    assert scene.clock.list_back_offs() == [0.0, 0.0, 0.0]


async def test_a_throttle_makes_all_calls_wait(open_scene):
    async with open_scene(strike(refuse(THROTTLE), 1, 2, 3, 4)) as scene:
        _, throttled = await scene.send()
        _, other = await scene.send()
    assert (throttled.code, other.is_done) == (THROTTLE, True)
    last, moment = scene.exchange.limiter.list_departures(ACTION)[-2:]
    assert moment - last >= HOLD_SECONDS
    assert scene.exchange.run_state.outages.throttled == 4


async def test_the_services_clock_is_adopted_at_once(open_scene):
    ahead = {"match": {"action": ACTION, "from": 4}, "do": {"clock_skew": 600}}
    async with open_scene(ahead) as scene:
        for sends in (1, 1, 1, 2, 1):
            call, reading = await scene.send()
            assert (call.sends, reading.is_done) == (sends, True)


async def test_the_services_clock_is_learned_from_each_answer(open_scene):
    async with open_scene({"match": {"action": ACTION}, "do": {"clock_skew": 200}}) as scene:
        await scene.send()
        assert scene.exchange.client.clock_offset == pytest.approx(200, abs=2)


async def test_the_services_clock_is_adopted_once_a_call(open_scene):
    async with open_scene(strike(refuse(LATE), 1, 2)) as scene:
        call, reading = await scene.send()
    assert (call.sends, reading.code) == (2, LATE)
    assert (scene.halt.code, scene.halt.exit) == (LATE, 4)


@pytest.mark.parametrize(
    "code",
    [
        "AuthFailure.SignatureFailure",
        "UnauthorizedOperation.NoPermissionFeature",
        "OperationDenied.UserNotInOrganization",
        "FailedOperation.LicenseNoQuota",
        "UnknownParameter",
    ],
)
async def test_what_concerns_everyone_is_recorded_and_stops_the_run(open_scene, code):
    async with open_scene(strike(refuse(code))) as scene:
        call, reading = await scene.send(is_repeatable=True, halt_detail={"action": ACTION})
        other, nothing = await scene.send()
    assert (call.journal[-1], reading.code) == (("answer", code, False), code)
    assert (scene.halt.code, scene.halt.exit, scene.halt.detail["action"]) == (code, 4, ACTION)
    assert other.journal == ["prepare", ("unsent", "wire.cancelled")], "no attempt is opened in a drain"
    assert (nothing, len(scene.calls)) == (None, 1)


async def test_an_attempt_is_durable_before_slot_and_bytes_and_the_answer_before_the_end(open_scene):
    async with open_scene() as scene:
        call, reading = await scene.send()
    assert call.journal == ["prepare", ("open", 0, 0), "read", ("answer", None, False)]
    assert (reading.is_done, scene.count_departures(), scene.calls) == (True, 1, [ACTION])


async def test_an_answer_that_came_in_a_drain_is_recorded(open_scene):
    class Drained(JournalledCall):
        def may_leave(self):
            self.scene.exchange.run_state.stop.set()
            return True

    async with open_scene() as scene:
        call, reading = await scene.send(Drained(scene))
    assert (call.journal[-1], reading.is_done) == (("answer", None, True), True)


async def test_what_the_record_proves_decides_on_a_repeat(open_scene):
    class Contradicted(JournalledCall):
        async def record_answer(self, reading):
            return replace(reading, code="repeated_answer", meaning="unknown")

    async with open_scene(strike(refuse(THROTTLE))) as scene:
        _, reading = await scene.send(Contradicted(scene))
    assert (reading.code, len(scene.calls)) == ("repeated_answer", 1)


async def test_a_stop_before_the_slot_closes_the_attempt(open_scene):
    class Stopped(JournalledCall):
        async def open_attempt(self, trace_id, signed):
            await super().open_attempt(trace_id, signed)
            self.scene.exchange.run_state.stop.set()

    async with open_scene() as scene:
        call, reading = await scene.send(Stopped(scene))
    assert call.journal == ["prepare", ("open", 0, 0), ("unsent", "wire.cancelled")]
    assert (reading, call.sends, scene.calls) == (None, 0, [])


async def test_a_send_that_breaks_off_after_its_slot_stays_open(open_scene):
    class Cancelled(JournalledCall):
        def may_leave(self):
            asyncio.current_task().cancel()
            return True

    async with open_scene() as scene:
        call = Cancelled(scene)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(scene.send(call))
    assert (call.journal, call.sends) == (["prepare", ("open", 0, 0)], 1)


async def test_a_call_waits_for_the_service_while_the_breaker_is_open(open_scene):
    class Surprised(JournalledCall):
        async def open_attempt(self, trace_id, signed):
            await super().open_attempt(trace_id, signed)
            breaker = self.scene.exchange.run_state.breaker
            for _ in range(MAX_SILENT_IN_A_ROW if breaker.open_count == 0 else 0):
                breaker.record_result(ACTION, answered=False)

    async with open_scene() as scene:
        call, reading = await scene.send(Surprised(scene))
    opened = [entry if isinstance(entry, str) else entry[0] for entry in call.journal]
    assert opened == ["prepare", "open", "unsent", "prepare", "open", "read", "answer"]
    assert scene.calls == [ESSBASIC.organization_seals, ACTION], "a call that changes nothing goes first"
    assert (reading.is_done, scene.clock.list_back_offs()) == (True, [])


@pytest.mark.parametrize(
    ("do", "is_closed"),
    [("reset_before", False), ("http_502", False), (refuse("InvalidParameter.Name"), True)],
    ids=["silence", "no answer", "refusals"],
)
async def test_the_breaker_counts_what_came_of_each_send(open_scene, do, is_closed):
    async with open_scene(strike(do, *range(1, MAX_SILENT_IN_A_ROW + 1))) as scene:
        breaker = scene.exchange.run_state.breaker
        for _ in range(MAX_SILENT_IN_A_ROW):
            assert breaker.is_closed
            await scene.send()
        assert breaker.is_closed == is_closed


@pytest.mark.parametrize("waits", [MAX_EXPIRED_WAITS, MAX_EXPIRED_WAITS + 1])
async def test_slots_that_come_too_late_are_given_up_at_last(open_scene, waits):
    async with open_scene() as scene:
        call = scene.make_call()
        call.stale_slots = waits
        _, reading = await scene.send(call)
    is_sent = waits <= MAX_EXPIRED_WAITS
    assert call.journal.count(("unsent", "wire.no_slot")) == waits
    assert (reading.was_sent, call.sends, len(scene.calls)) == (is_sent, is_sent, is_sent)


async def test_what_never_left_is_closed_and_sent_again(open_scene):
    with refusing_port() as port:
        async with open_scene(url=f"http://127.0.0.1:{port}") as scene:
            call, reading = await scene.send()
    assert (reading.code, call.sends, len(scene.clock.list_back_offs())) == (NOT_SENT, 0, 3)
    assert call.journal == ["prepare", ("unsent", "wire.no_connection")] * 4
    assert scene.exchange.run_state.requests == {}


async def test_a_connection_that_closes_after_its_slot_sent_nothing(open_scene):
    def close(point):
        if point == f"{ACTION}: before the headers":
            raise ConnectionResetError

    async with open_scene() as scene:
        enable_failpoint(close)
        try:
            call, reading = await scene.send()
        finally:
            enable_failpoint(None)
    assert (reading.code, call.sends, scene.count_departures(), scene.calls) == (NOT_SENT, 0, 4, [])
    assert [entry for entry in call.journal if entry[0] == "unsent"] == [("unsent", "wire.closed_before")] * 4


async def test_a_connection_that_is_not_safe_stops_the_run(open_scene):
    async with (
        open_scene() as plain,
        open_scene(url=f"https://{plain.exchange.client.host_of(ACTION)}") as scene,
    ):
        _, reading = await scene.send(is_repeatable=True)
    assert (reading.was_sent, scene.halt.code, scene.halt.exit) == (False, "TLS", 4)
    assert scene.clock.list_back_offs() == []


async def test_a_clock_that_jumped_is_compared_before_anything_is_signed(open_scene):
    async with open_scene() as scene:
        scene.clock.wall_ahead = 3600.0
        await scene.send()
    assert scene.calls == [ESSBASIC.organization_seals, ACTION]


async def test_a_call_with_nothing_to_send_is_not_sent(open_scene):
    class Held(JournalledCall):
        async def prepare(self):
            return False

    async with open_scene() as scene:
        _, reading = await scene.send(Held(scene))
    assert (reading, scene.calls) == (None, [])


async def test_no_more_calls_are_under_way_than_allowed_until_their_answers_are_recorded(open_scene):
    under_way, most = 0, []

    class Counted(JournalledCall):
        async def open_attempt(self, trace_id, signed):
            nonlocal under_way
            await super().open_attempt(trace_id, signed)
            under_way += 1
            most.append(under_way)

        async def record_answer(self, reading):
            nonlocal under_way
            await asyncio.sleep(0.01)
            under_way -= 1
            return reading

    async with open_scene() as scene:
        limit = asyncio.Semaphore(2)
        await asyncio.gather(*(scene.send(Counted(scene, in_flight=limit)) for _ in range(6)))
    assert max(most) == 2
