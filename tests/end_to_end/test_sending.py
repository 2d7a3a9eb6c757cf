"""One row's way over the wire and the readings behind it: each test kills a mutant that once survived."""

import asyncio
import itertools
import shutil
import signal
import time

import pytest
from manual_clock import ManualClock
from people import number
from run_support import wait_until
from wire_support import CREATE, UPLOAD, Relay, fault, read_alone, set_limits

from pipeline.clock import SystemClock
from pipeline.esign.products import PlatformAgent
from pipeline.esign.rate_limiter import ProcessRateLimiter
from pipeline.esign.responses import Reply, SeenAnswers, read_upload
from pipeline.sandbox.actions import Rules
from pipeline.sending import submit
from pipeline.sending.circuit_breaker import OutageMonitor
from pipeline.sending.create import CreateSender
from pipeline.sending.run_state import RunState


def test_every_create_that_left_is_counted(hospital_with):
    hospital = hospital_with(faults=[fault("throttle")])
    hospital.seal_doctors(2)
    assert sorted(row["attempts"] for row in hospital.outcomes()) == [1, 2]
    assert hospital.record()["rate"]["throttled"] == 1


def test_a_throttled_upload_is_counted(hospital_with):
    hospital = hospital_with(faults=[fault("throttle", action=UPLOAD)])
    hospital.seal_doctors(2)
    assert hospital.record()["rate"]["throttled"] == 1


def test_a_halt_reaches_those_who_wait_for_their_slot(hospital_with):
    refusal = {"code": {"code": "UnauthorizedOperation", "message": "x"}}
    hospital = hospital_with(
        rules=Rules(limiter="none", inline="on"), api={"contract": "inline"}, faults=[fault(refusal)]
    )
    hospital.doctors(30)
    set_limits(hospital, requests_per_second=2, concurrency=8)
    assert hospital.go("run") == 4
    assert hospital.record()["halted"]["code"] == "UnauthorizedOperation"
    assert hospital.creates() == 2
    assert hospital.statuses() == {"sealed": 1, "not_sent": 29}
    assert hospital.run_to_end("check") == (0, {"unchanged": 1, "ready": 29}), "no attempt stays open"


def test_the_canary_is_the_first_row_that_reaches_a_create(hospital_with):
    hospital = hospital_with(
        latency=0.1,
        faults=[
            fault({"code": "InvalidParameter.FileType"}, action=UPLOAD, nth=(1,)),
            fault({"code": {"code": "UnauthorizedOperation", "message": "x"}}, nth=(1,)),
        ],
    )
    hospital.doctors(20)
    assert hospital.go("run") == 4
    assert hospital.creates() == 1
    assert len(hospital.service.received) == 3


@pytest.mark.parametrize("do", ["http_502", "close"])
def test_an_outage_of_the_file_host_stops_the_run(hospital_with, do):
    hospital = hospital_with(faults=[{"match": {"action": UPLOAD, "from": 2}, "do": do}])
    hospital.doctors(30)
    assert hospital.go("run") == 5
    # whichever comes first: the minutes without an answer, or the calls that may be repeated
    assert hospital.record()["halted"]["code"] in {"OUTAGE", "ATTEMPT_BUDGET"}


def test_internal_errors_for_ever_are_an_outage(hospital_with):
    hospital = hospital_with(
        faults=[{"match": {"action": CREATE, "from": 2}, "do": {"code": "InternalError"}}]
    )
    hospital.doctors(30)
    assert hospital.go("run") == 5
    assert hospital.record()["halted"]["code"] in {"OUTAGE", "TOO_MANY_UNKNOWN"}


def test_refused_rows_are_no_outage(hospital_with):
    hospital = hospital_with(
        faults=[{"match": {"action": CREATE}, "do": {"code": "InvalidParameter.CardNumber"}}]
    )
    hospital.doctors(12)
    assert hospital.run_to_end("run") == (3, {"failed": 12})


def test_a_clock_that_does_not_heal_stops_the_run(hospital_with):
    hospital = hospital_with(faults=[fault({"code": "AuthFailure.SignatureExpire"}, nth=(2, 3))])
    hospital.doctors(2)
    assert hospital.go("run") == 4
    assert hospital.creates() == 3
    assert hospital.statuses() == {"sealed": 1, "not_sent": 1}


@pytest.mark.parametrize(
    ("nth", "uploads", "statuses"), [((2,), 3, {"sealed": 2}), ((2, 3), 3, {"sealed": 1, "failed": 1})]
)
def test_a_lost_file_is_uploaded_again_once(hospital_with, nth, uploads, statuses):
    hospital = hospital_with(faults=[fault({"code": "ResourceNotFound.File"}, nth=nth)])
    hospital.doctors(2)
    hospital.go("run")
    assert sum(call.action == UPLOAD for call in hospital.service.received) == uploads
    assert hospital.statuses() == statuses


def test_a_number_in_a_services_message_is_masked_in_the_ledger(hospital_with):
    message = f"证件 {number(2)} 不一致"
    hospital = hospital_with(
        faults=[fault({"code": {"code": "InvalidParameter.CardNumber", "message": message}}, nth=(1, 2))]
    )
    hospital.doctors(2)
    hospital.go("run")
    for path in (hospital.folder / "state").glob("ledger.sqlite3*"):
        assert number(2).encode() not in path.read_bytes()


@pytest.mark.parametrize("contract", ["file_id", "inline"])
def test_tls_trouble_halts(hospital_with, contract):
    hospital = hospital_with()
    hospital.doctors(5)
    url = hospital.sandbox.url.replace("http:", "https:")
    hospital.configure(endpoint=url, file_endpoint=url, contract=contract)
    assert hospital.go("run") == 4
    assert hospital.record()["halted"]["code"] == "TLS"
    assert hospital.statuses() == {"not_sent": 5}


def test_the_service_does_not_answer_a_create(hospital):
    hospital.doctors(8)
    hospital.configure(endpoint="http://127.0.0.1:9", contract="inline")
    assert hospital.run_to_end("run") == (5, {"not_sent": 8})
    assert hospital.record()["halted"]["code"] == "OUTAGE"


def test_a_call_closed_before_its_slot_is_not_sent_and_free_for_the_next_run(hospital_with):
    """A server that closes every connection before its slot comes: nothing was sent, nothing is in doubt."""
    hospital = hospital_with(rules=Rules(limiter="none", inline="on"))
    hospital.doctors(4)
    with Relay(hospital, idle=0.05) as url:
        hospital.configure(endpoint=url, file_endpoint=url, contract="inline")
        set_limits(hospital, 8, 6)
        assert hospital.go("run") == 5
    first = hospital.statuses()
    assert set(first) <= {"sealed", "not_sent"}
    assert hospital.record()["halted"] is None  # a wait that was too long is no outage
    assert {row["attempts"] for row in hospital.outcomes() if row["status"] == "not_sent"} == {0}
    hospital.configure(contract="inline")
    assert hospital.go("run") == 0
    assert hospital.service.list_duplicates() == {}


OK = b'{"Response":{"SealId":"sealid-1","RequestId":"r"}}'


@pytest.mark.parametrize("status", [201, 206, 302, 500, 502])
def test_any_other_status_is_unknown_and_keeps_its_evidence(status):
    read = read_alone(Reply(status, OK, None))
    assert (read.verdict.kind, read.verdict.seal_id, read.meaning) == ("unknown", "sealid-1", None)
    assert read.verdict.request_id == "r"


@pytest.mark.parametrize("body", [
    b'{"Response":{"SealId":7}}', b'{"Response":{"SealId":["s"]}}', b'{"Response":{"SealId":"s","Error":{}}}',
    b'{"Response":{"SealId":"s","Error":{"Code":""}}}', b"[" * 200_000,
])  # fmt: skip
def test_answers_that_are_no_success(body):
    assert read_alone(Reply(200, body, None)).verdict.kind == "unknown"


def test_answers_that_are_no_upload():
    one = b'{"Response":{"FileIds":["f"],"Deadline":2000}}'
    assert read_upload(Reply(502, one, None), now=0, answers=SeenAnswers(), owner="row").file_id is None
    two = Reply(200, b'{"Response":{"FileIds":["f","g"]}}', None)
    assert read_upload(two, now=0, answers=SeenAnswers(), owner="row").file_id is None
    whole = read_upload(Reply(200, one, None), now=0, answers=SeenAnswers(), owner="row")
    assert (whole.file_id, whole.expires_at) == ("f", 2000.0)
    undated = Reply(200, b'{"Response":{"FileIds":["f"]}}', None)
    without_deadline = read_upload(undated, now=5, answers=SeenAnswers(), owner="row")
    assert (without_deadline.file_id, without_deadline.expires_at) == ("f", 605)


def test_the_body_of_the_agent():
    agent = PlatformAgent("a", "o", "u", "p", "q")
    sent = {"AppId": "a", "ProxyAppId": "q", "ProxyOrganizationOpenId": "o", "ProxyOperator": {"OpenId": "p"}}
    assert agent.build_caller() == {"Agent": sent, "Operator": {"OpenId": "u"}}
    assert agent.build_query_caller() == agent.build_upload_caller() == {"Agent": sent}


def test_the_exit_of_a_retry_counts_its_own_rows(hospital_with):
    hospital = hospital_with(
        faults=[fault("reset_after", nth=(2,)), fault({"code": "InvalidParameter.Name"}, nth=(3,))]
    )
    hospital.doctors(3)
    assert hospital.go("run") == 3
    assert hospital.run_to_end("retry") == (0, {"sealed": 1, "unchanged": 1, "unknown": 1})


def test_a_retry_takes_the_pictures_that_are_named(hospital):
    hospital.doctors(1)
    other = hospital.folder / "other"
    shutil.move(hospital.folder / "seals", other)
    (hospital.folder / "seals").mkdir()
    hospital.configure(endpoint="http://127.0.0.1:9", file_endpoint="http://127.0.0.1:9")
    assert hospital.go("run", "--seals", str(other)) == 5
    hospital.configure()
    assert hospital.run_to_end("retry") == (3, {"rejected": 1})
    assert hospital.run_to_end("retry", "--seals", str(other)) == (0, {"sealed": 1})


def test_placeholders_are_refused(hospital):
    hospital.configure(app_id="…")
    assert hospital.go("run") == 2


async def test_a_rate_below_one_is_kept():
    clock = ManualClock()
    limiter = ProcessRateLimiter(0.5, clock)

    async def one():
        assert limiter.record_departure("a", await limiter.acquire("a"))

    sending = asyncio.gather(*[one() for _ in range(4)])
    await clock.advance(10)
    await sending
    moments = limiter.list_departures("a")
    assert all(later - earlier >= 2 for earlier, later in itertools.pairwise(moments))


@pytest.mark.parametrize("half", [b'"\\ud83d"'])
def test_half_a_character_in_an_answer_costs_no_results(hospital_with, half):
    hospital = hospital_with(faults=[fault({"code": {"code": "FailedOperation", "message": "XXXXXX"}})])
    hospital.doctors(3)
    with Relay(hospital, b'"XXXXXX"', half) as url:
        hospital.configure(endpoint=url, file_endpoint=url)
        assert hospital.go("run") == 3
    assert hospital.statuses() == {"sealed": 2, "failed": 1}


def test_the_graver_reason_to_stop_counts():
    clock = ManualClock()
    course = RunState(asyncio.Event(), clock, OutageMonitor(clock))
    course.halt("OUTAGE", "", 5)
    course.halt("UnauthorizedOperation", "", 4)
    course.halt("LEDGER", "", 74)
    assert (course.halted.code, course.halted.exit) == ("UnauthorizedOperation", 4)


def test_inline_switched_off_stops_although_the_canary_failed_for_itself(hospital_with):
    hospital = hospital_with(
        rules=Rules(limiter="none", inline="ignored"),
        api={"contract": "inline"},
        faults=[fault({"code": "InvalidParameter.CardNumber"}, nth=(1,))],
    )
    hospital.doctors(30)
    assert hospital.run_to_end("run") == (4, {"failed": 1, "not_sent": 29})


def test_a_drain_is_quick_at_a_slow_pace(hospital, zygote):
    hospital.doctors(40)
    set_limits(hospital, 0.5, 20)
    run = zygote.start(hospital)
    wait_until(lambda: len(hospital.service.received) >= 3)
    began = time.monotonic()
    run.send_signal(signal.SIGTERM)
    assert run.wait() == 143
    assert time.monotonic() - began < 40, "the rows that wait would take 80 s"


def test_a_server_that_tires_of_silent_connections_is_no_outage(hospital):
    hospital.doctors(5)
    with Relay(hospital, idle=0.8) as url:
        hospital.configure(endpoint=url, file_endpoint=url)
        set_limits(hospital, 2, 20)
        assert hospital.go("run", clock=SystemClock()) == 0
    assert hospital.statuses() == {"sealed": 5}


def test_pictures_are_held_only_for_as_many_rows_as_the_limit_allows(hospital, monkeypatch):
    hospital.doctors(12)
    sizes = [path.stat().st_size for path in (hospital.folder / "seals").iterdir()]
    monkeypatch.setattr(submit, "MAX_IMAGE_BYTES_HELD", 3 * max(sizes))
    held, most = [], []
    send = CreateSender.send

    async def send_and_count(sender, job, image):
        held.append(len(image))
        most.append(sum(held))
        try:
            return await send(sender, job, image)
        finally:
            held.remove(len(image))

    monkeypatch.setattr(CreateSender, "send", send_and_count)
    assert hospital.run_to_end("run") == (0, {"sealed": 12})
    assert max(most) <= 3 * max(sizes)
