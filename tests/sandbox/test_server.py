"""The sandbox on its socket, looked at byte by byte: what the answers are like, and each fault on the wire."""

import asyncio
import contextlib
import email.utils
import json
import socket

import pytest
from manual_clock import ManualClock, settle

from pipeline.clock import SystemClock
from pipeline.sandbox.actions import Rules
from pipeline.sandbox.faults import Fault, Match
from pipeline.sandbox.gateway import CREATE
from pipeline.sandbox.server import HTML_502, Sandbox, SandboxThread
from pipeline.sandbox.service import FakeService

UPLOAD = "UploadFiles"


class Wire:
    """One connection: sends whole requests, reads whole answers, tells a reset from an end."""

    def __init__(self, headers):
        self.sign = headers
        self.reader = self.writer = None

    async def open(self, url):
        self.reader, self.writer = await asyncio.open_connection(*url.removeprefix("http://").split(":"))
        return self

    async def send(self, parameters, action=CREATE, *, moment=None):
        body = json.dumps(parameters).encode()
        headers = self.sign(body, action, moment=SystemClock().now() if moment is None else moment)
        await self.write("POST /", headers | {"Content-Length": str(len(body))}, body)

    async def write(self, line, headers, body=b""):
        head = "\r\n".join(
            [f"{line} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        )
        self.writer.write(head.encode() + body)
        await self.writer.drain()

    async def answer(self):
        """Return (status, headers, body); ``reset`` or ``closed`` in place of the status at an end."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except ConnectionResetError:
            return "reset", {}, b""
        except asyncio.IncompleteReadError:
            return "closed", {}, b""
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        return int(status.split()[1]), headers, await self.reader.readexactly(int(headers["Content-Length"]))

    async def close(self):
        self.writer.close()
        with contextlib.suppress(ConnectionResetError):
            await self.writer.wait_closed()


@pytest.fixture
async def wire(headers):
    """Open a connection to a sandbox; all are closed in the end."""
    opened = []

    async def connect(url):
        opened.append(await Wire(headers).open(url))
        return opened[-1]

    yield connect
    for one in opened:
        await one.close()


async def exchange(wire, sandbox, parameters, action=CREATE):
    line = await wire(sandbox.url)
    await line.send(parameters, action)
    return await line.answer()


async def until(condition):
    """Give way until something on the event loop has come true."""
    async with asyncio.timeout(30):
        while not condition():
            await settle(1)


def inside(body):
    return json.loads(body)["Response"]


async def test_an_answer_looks_like_the_services(wire, create):
    async with Sandbox() as sandbox:
        status, headers, body = await exchange(wire, sandbox, create())
        assert status == 200
        assert headers["Content-Type"] == "application/json"
        assert headers["Server"] == "nginx"
        assert abs(email.utils.parsedate_to_datetime(headers["Date"]).timestamp() - SystemClock().now()) < 5
        assert inside(body).keys() == {"SealId", "RequestId"}
        status, headers, body = await exchange(wire, sandbox, create())
        assert (status, headers["Content-Type"]) == (200, "application/json")
        assert inside(body)["Error"] == {
            "Code": "FailedOperation.ExistSameSealName",
            "Message": "存在同名印章。",
        }


async def test_a_connection_can_be_used_again_and_is_recorded(wire, create):
    async with Sandbox() as sandbox:
        line = await wire(sandbox.url)
        for person in (1, 2):
            await line.send(create(person))
            assert (await line.answer())[0] == 200
        await exchange(wire, sandbox, create(3))
        connections = [request.connection for request in sandbox.service.received]
    assert connections[0] == connections[1] != connections[2]
    assert connections[0].startswith("127.0.0.1:")


@pytest.mark.parametrize(
    ("fault", "end", "made"),
    [
        (Fault("reset_before"), "reset", 0),
        (Fault("reset_after"), "reset", 1),
        (Fault("close", when="before"), "closed", 0),
        (Fault("close", when="after"), "closed", 1),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else str(value),
)
async def test_a_connection_can_end_before_or_after_the_seal_is_made(wire, create, fault, end, made):
    async with Sandbox(faults=(fault,)) as sandbox:
        assert (await exchange(wire, sandbox, create()))[0] == end
        assert len(sandbox.service.seals) == made
        (request,) = sandbox.service.received
        assert (request.executed, request.faults) == (bool(made), (fault.name,))


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
async def test_html_in_place_of_an_answer(wire, create, when, made):
    faults = (Fault("http_502", Match(nth=(1,)), when=when), Fault("html_200", Match(nth=(2,)), when=when))
    async with Sandbox(faults=faults) as sandbox:
        status, headers, body = await exchange(wire, sandbox, create(1))
        assert (status, headers["Content-Type"], body) == (502, "text/html", HTML_502)
        status, headers, body = await exchange(wire, sandbox, create(2))
        assert (status, headers["Content-Type"]) == (200, "text/html")
        assert b"SealId" not in body
        assert len(sandbox.service.seals) == 2 * made


async def test_a_redirect_names_the_other_place_and_executes_nothing(wire, create):
    async with Sandbox(faults=(Fault("redirect", url="http://127.0.0.1:9/"),)) as sandbox:
        status, headers, _ = await exchange(wire, sandbox, create())
        assert (status, headers["Location"]) == (307, "http://127.0.0.1:9/")
        assert not sandbox.service.seals


@pytest.mark.parametrize(
    ("fault", "code", "made"),
    [
        (Fault("throttle"), "RequestLimitExceeded", 0),
        (Fault("code", code="InternalError"), "InternalError", 0),
        (Fault("internal_error_after"), "InternalError", 1),
        (Fault("internal_error_after", code="InternalError.DbInsert"), "InternalError.DbInsert", 1),
        (Fault("code", code="ResourceNotFound.File"), "ResourceNotFound.File", 0),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else str(value),
)
async def test_an_error_in_place_of_the_answer(wire, create, fault, code, made):
    async with Sandbox(faults=(fault,)) as sandbox:
        _, _, body = await exchange(wire, sandbox, create())
        assert inside(body)["Error"]["Code"] == code
        assert "SealId" not in inside(body)
        assert len(sandbox.service.seals) == made


async def test_a_throttle_on_purpose_reads_like_a_real_one(wire, create):
    async with Sandbox(faults=(Fault("throttle"),)) as sandbox:
        _, _, body = await exchange(wire, sandbox, create())
        assert "请求 `21` 次" in inside(body)["Error"]["Message"]


async def test_an_internal_error_after_leaves_a_refusal_as_it_is(wire, create):
    async with Sandbox(faults=(Fault("internal_error_after"),)) as sandbox:
        _, _, body = await exchange(wire, sandbox, create(SealName=""))
        assert inside(body)["Error"]["Code"] == "MissingParameter.SealName"


async def test_a_seal_id_can_be_missing_another_ones_or_none_at_all(wire, create):
    kinds = ("no_seal_id", "same_seal_id", "seal_id")
    faults = tuple(Fault(kind, Match(nth=(nth,)), seal_id="\u3000") for nth, kind in enumerate(kinds, 2))
    async with Sandbox(faults=faults) as sandbox:
        answers = [inside((await exchange(wire, sandbox, create(person)))[2]) for person in range(4)]
        assert answers[1].get("SealId") is None
        assert answers[2]["SealId"] == answers[0]["SealId"]
        assert answers[3]["SealId"] == "\u3000"
        assert len({seal.seal_id for seal in sandbox.service.seals}) == 4


async def test_an_earlier_answer_is_repeated_to_the_letter(wire, create):
    earlier = Match(user_name="张伟", nth=(1,))
    faults = (
        Fault("replay", Match(nth=(3,)), earlier=earlier),
        Fault("replay", Match(nth=(4,))),
        Fault("replay", Match(nth=(5,)), earlier=Match(action=UPLOAD)),
    )
    async with Sandbox(faults=faults) as sandbox:
        people = ["张伟", "李四", "王五", "赵六", "钱七"]
        calls = [create(person, UserName=people[person]) for person in range(5)]
        answers = [inside((await exchange(wire, sandbox, call))[2]) for call in calls]
        assert answers[2] == answers[0]
        assert answers[3]["SealId"] == sandbox.service.seals[2].seal_id, (
            "the last answer, before it was replaced"
        )
        assert answers[4]["SealId"] == sandbox.service.seals[4].seal_id, "there is none to repeat"
        assert len(sandbox.service.seals) == 5, "each call is executed"


async def test_json_cut_short_with_a_length_that_fits(wire, create):
    async with Sandbox(faults=(Fault("truncated_json"),)) as sandbox:
        status, headers, body = await exchange(wire, sandbox, create())
        assert (status, headers["Content-Type"]) == (200, "application/json")
        with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
            json.loads(body)
        assert len(sandbox.service.seals) == 1


async def test_a_charset_in_the_type_changes_nothing_else(wire, create):
    async with Sandbox(faults=(Fault("charset"),)) as sandbox:
        status, headers, body = await exchange(wire, sandbox, create())
        assert (status, headers["Content-Type"]) == (200, "application/json; charset=utf-8")
        assert inside(body)["SealId"] == sandbox.service.seals[0].seal_id


@pytest.mark.parametrize("skew", [600, -600])
async def test_a_skewed_clock_shows_in_the_date_and_can_be_healed_by_it(wire, create, skew):
    async with Sandbox(faults=(Fault("clock_skew", seconds=skew),)) as sandbox:
        line = await wire(sandbox.url)
        await line.send(create())
        _, headers, body = await line.answer()
        assert inside(body)["Error"]["Code"] == "AuthFailure.SignatureExpire"
        reported = email.utils.parsedate_to_datetime(headers["Date"]).timestamp()
        assert abs(reported - SystemClock().now() - skew) < 5
        await line.send(create(), moment=reported)
        assert "SealId" in inside((await line.answer())[2])


async def test_delays_hold_the_call_or_the_answer_back(wire, create):
    faults = (
        Fault("delay_before", Match(nth=(1,)), seconds=60),
        Fault("delay_after", Match(nth=(2,)), seconds=60),
    )
    clock = ManualClock()
    async with Sandbox(faults=faults, clock=clock) as sandbox:
        for person, made_at_once in ((1, 0), (2, 1)):
            line = await wire(sandbox.url)
            await line.send(create(person), moment=clock.now())
            reading = asyncio.create_task(line.answer())
            await until(lambda: clock._sleepers)
            assert (
                sum(seal.seal_name == f"测试{person}处方章" for seal in sandbox.service.seals) == made_at_once
            )
            await clock.advance(59.9)
            assert not reading.done()
            await clock.advance(0.2)
            assert "SealId" in inside((await reading)[2])


async def test_a_client_that_stopped_waiting_has_its_seal_all_the_same(wire, create):
    clock = ManualClock()
    async with Sandbox(faults=(Fault("delay_after", seconds=60),), clock=clock) as sandbox:
        line = await wire(sandbox.url)
        await line.send(create(), moment=clock.now())
        await until(lambda: sandbox.service.seals)
        await line.close()
        assert sandbox.service.received[0].executed


async def test_jitter_delays_what_the_limiter_sees_and_latency_the_answer(wire, create):
    clock = ManualClock()
    async with Sandbox(FakeService(Rules(rate=1)), latency=5.0, arrival_jitter=0.5, clock=clock) as sandbox:
        line = await wire(sandbox.url)
        await line.send(create(), moment=clock.now())
        reading = asyncio.create_task(line.answer())
        await until(lambda: clock._sleepers)
        assert not sandbox.service.received
        await clock.advance(0.5)
        (request,) = sandbox.service.received
        assert request.arrived == 0.0
        assert 0.0 < request.counted < 0.5
        await clock.advance(4.4)
        assert not reading.done()
        await clock.advance(1.0)
        assert (await reading)[0] == 200


async def test_a_request_that_breaks_off_is_noted_and_executes_nothing(wire, create, headers):
    async with Sandbox() as sandbox:
        line = await wire(sandbox.url)
        await line.write("POST /", headers(b"", CREATE, moment=1) | {"Content-Length": "1000"}, b"{half")
        line.writer.transport.abort()
        await until(lambda: sandbox.service.received)
        (request,) = sandbox.service.received
        assert (request.code, request.executed) == ("incomplete", False)


async def test_the_truth_can_be_asked_over_the_socket(wire, create, number):
    async with Sandbox() as sandbox:
        await exchange(wire, sandbox, create(4))
        line = await wire(sandbox.url)
        await line.write("GET /_truth", {"Host": "sandbox"})
        _, _, body = await line.answer()
        record = json.loads(body)
        assert record == json.loads(json.dumps(sandbox.service.build_report()))
        assert record["seals"][0]["number"] == number(4)
        assert record["counts"] == {CREATE: {"ok": 1}}
        await line.write("GET /elsewhere", {"Host": "sandbox"})
        assert (await line.answer())[0] == 404


async def test_the_truth_file_makes_a_restart_honest(wire, create, number, tmp_path):
    path = tmp_path / "state" / "truth.jsonl"
    async with Sandbox(truth_file=path) as sandbox:
        await exchange(wire, sandbox, create(1))
        await exchange(wire, sandbox, create(SealName=""))
        made = list(sandbox.service.seals)
    async with Sandbox(truth_file=path) as sandbox:
        assert sandbox.service.seals == made
        await exchange(wire, sandbox, create(1, SealName="另一个"))
        assert list(sandbox.service.list_duplicates()) == [number(1)]
        assert inside((await exchange(wire, sandbox, create(1)))[2])["Error"]["Code"].endswith("SameSealName")
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2


async def test_a_sandbox_that_was_left_answers_no_more(wire, create):
    async with Sandbox() as sandbox:
        assert (await exchange(wire, sandbox, create()))[0] == 200
    with pytest.raises(ConnectionRefusedError):
        await wire(sandbox.url)


def test_a_thread_raises_what_kept_its_sandbox_from_starting():
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="address already in use"),
    ):
        SandboxThread(Sandbox(port=taken.getsockname()[1])).__enter__()
