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
from wire_support import UPLOAD, Relay, fault, read_alone, set_limits

from pipeline.clock import SystemClock
from pipeline.domain.masking import Masker
from pipeline.esign.products import PlatformAgent
from pipeline.esign.rate_limiter import ProcessRateLimiter
from pipeline.esign.responses import Reading, Reply, SeenAnswers, read_upload
from pipeline.sandbox.actions import Rules
from pipeline.sending import submit
from pipeline.sending.circuit_breaker import OutageMonitor
from pipeline.sending.create import Job
from pipeline.sending.run_state import RunState


def test_every_create_that_left_is_counted(hospital_with):
    hospital = hospital_with(faults=[fault("throttle")])
    hospital.seal_doctors(2)
    assert sorted(row["attempts"] for row in hospital.outcomes()) == [1, 2]
    assert hospital.record()["rate"]["throttled"] == 1


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


def test_an_outage_of_the_file_host_stops_the_run(hospital_with):
    hospital = hospital_with(faults=[{"match": {"action": UPLOAD, "from": 2}, "do": "http_502"}])
    hospital.doctors(30)
    assert hospital.go("run") == 5
    # whichever comes first: the minutes without an answer, or the calls that may be repeated
    assert hospital.record()["halted"]["code"] in {"OUTAGE", "ATTEMPT_BUDGET"}


LATE = {"code": "AuthFailure.SignatureExpire"}
FILE_GONE = {"code": "ResourceNotFound.File"}


@pytest.mark.parametrize(
    ("faults", "creates"),
    [
        ([fault(LATE, action=UPLOAD, nth=(1,)), fault(LATE, nth=(1,))], 1),
        ([fault(LATE, nth=(1, 3)), fault(FILE_GONE, nth=(2,))], 3),
    ],
    ids=["upload and create", "create, upload and create"],
)
def test_a_clock_that_does_not_heal_within_a_row_stops_the_run(hospital_with, faults, creates):
    hospital = hospital_with(faults=faults)
    hospital.doctors(2)
    assert hospital.run_to_end("run") == (4, {"not_sent": 2})
    assert hospital.creates() == creates


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


OK = b'{"Response":{"SealId":"sealid-1","RequestId":"r"}}'


@pytest.mark.parametrize("status", [201, 206, 302, 500, 502])
def test_any_other_status_is_unknown_and_keeps_its_evidence(status):
    read = read_alone(Reply(status, OK, None))
    assert (read.verdict.kind, read.seal_id, read.meaning) == ("unknown", "sealid-1", "unknown")
    assert read.verdict.request_id == "r"


@pytest.mark.parametrize("body", [
    b'{"Response":{"SealId":7}}', b'{"Response":{"SealId":["s"]}}', b'{"Response":{"SealId":"s","Error":{}}}',
    b'{"Response":{"SealId":"s","Error":{"Code":""}}}', b"[" * 200_000,
])  # fmt: skip
def test_answers_that_are_no_success(body):
    assert read_alone(Reply(200, body, None)).verdict.kind == "unknown"


def test_answers_that_are_no_upload():
    def read(status: int, body: bytes, now: float = 0) -> Reading:
        reply = Reply(status, body, None)
        return read_upload(reply, now=now, answers=SeenAnswers(), owner="row", masker=Masker())

    one = b'{"Response":{"FileIds":["f"],"Deadline":2000}}'
    assert not read(502, one).is_done
    assert not read(200, b'{"Response":{"FileIds":["f","g"]}}').is_done
    whole = read(200, one)
    assert (whole.file_id, whole.expires_at) == ("f", 2000.0)
    without_deadline = read(200, b'{"Response":{"FileIds":["f"]}}', now=5)
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
    send = Job.send

    async def send_and_count(job, image):
        held.append(job.prepared.size)
        most.append(sum(held))
        try:
            return await send(job, image)
        finally:
            held.remove(job.prepared.size)

    monkeypatch.setattr(Job, "send", send_and_count)
    assert hospital.run_to_end("run") == (0, {"sealed": 12})
    assert max(sizes) < max(most) <= 3 * max(sizes)
