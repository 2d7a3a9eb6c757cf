"""The HTTP server of the fake service: sockets, headers, waiting, faults, and the truth for tests in other processes.

``GET /_truth`` returns what happened.

What goes back over the socket are answers as they are, answers that faults spoil, and broken connections.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import threading
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, InitVar, asdict, dataclass, field, replace
from email.utils import formatdate
from pathlib import Path
from typing import Any, Literal, Self

from aiohttp import web

from pipeline.clock import Clock, SystemClock
from pipeline.sandbox.actions import Seal
from pipeline.sandbox.faults import EITHER_SIDE, Fault, Faults
from pipeline.sandbox.gateway import CREATE, UPLOAD, Call, Refusal, build_throttle_refusal, read_call
from pipeline.sandbox.service import CallAnswer, FakeService

HOST = "127.0.0.1"
FREE_PORTS = range(20_000, 30_000)  # below those that systems give to outgoing connections
READ_LIMIT = 256 * 1024 * 1024  # bytes; what is longer is cut here and fails on its size, or on its signature
RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: close() sends RST
JSON_TYPE = "application/json"  # exactly so, without a charset
HTML_502 = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    b"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
HTML_PORTAL = (
    b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form>network login</form></body></html>"
)


@dataclass(eq=False)
class Sandbox:
    """A fake service on a loopback socket: ``async with Sandbox(service) as sandbox: … sandbox.url``."""

    service: FakeService = field(default_factory=FakeService)
    _: KW_ONLY
    faults: InitVar[Sequence[Fault]] = ()
    latency: float = 0.0  # seconds each answer takes
    arrival_jitter: float = 0.0  # a call reaches the limiter up to so many seconds after it came, uniformly
    port: int = 0  # 0 lets the system choose
    clock: Clock = field(default_factory=SystemClock)
    truth_file: Path | None = None  # keeps the seals across restarts

    def __post_init__(self, faults: Sequence[Fault]) -> None:
        self.url = ""  # set by start()
        self._faults = Faults(faults)
        self._given = GivenAnswers()
        self._random = random.Random()  # noqa: S311  chance for a rehearsal, no secret
        self._runner: web.ServerRunner | None = None

    async def start(self) -> None:
        """Recall the truth file and listen; ``url`` is known from here on."""
        if self.truth_file is not None:
            self.service.restore_seals(_read_seals(self.truth_file))
        server = web.Server(self._handle_request, access_log=None, auto_decompress=False)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.01)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self.port).start()
        self.url = f"http://{HOST}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Stop listening; answers still held back are never given."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _handle_request(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/_truth":
            return self._show_truth()
        if request.path != "/":
            return web.Response(status=404, headers={"Server": "nginx"})
        arrived = self.clock.monotonic()
        body, whole = await _read_body(request)
        call = read_call(
            body,
            headers=request.headers,
            method=request.method,
            query=request.rel_url.raw_query_string,
            connection="{}:{}".format(*(request.get_extra_info("peername") or ("", 0))[:2]),
        )
        if not whole:
            self.service.record_call(call, "incomplete", steady=self.clock.monotonic(), arrived=arrived)
            return _send_reply(request, SocketReply(end="close"), 0.0)
        struck = self._faults.choose_faults(call)
        skew = sum(fault.seconds for fault in struck if fault.kind == "clock_skew")
        reply = await self._answer_call(call, struck, arrived=arrived, skew=skew)
        return _send_reply(request, reply, self.clock.now() + skew)

    async def _answer_call(
        self, call: Call, struck: Sequence[Fault], *, arrived: float, skew: float
    ) -> SocketReply:
        names = tuple(fault.name for fault in struck)
        await self._wait_seconds(
            _sum_seconds(struck, "delay_before") + self.arrival_jitter * self._random.random()
        )
        steady = self.clock.monotonic()
        for fault in struck:
            if fault.breaks_before:
                self.service.record_call(call, fault.name, steady=steady, arrived=arrived, faults=names)
                return build_broken_reply(fault)
        answer = self.service.receive_call(
            call,
            now=self.clock.now(),
            steady=steady,
            arrived=arrived,
            skew=skew,
            instead=make_refusal(struck, rate=self.service.rules.rate),
            faults=names,
        )
        if answer.seal is not None and self.truth_file is not None:
            _append_seal(self.truth_file, answer.seal)
        reply = build_spoiled_reply(call, answer, struck, self._given)
        self._given.keep(call, answer)
        await self._wait_seconds(self.latency + _sum_seconds(struck, "delay_after"))
        return reply

    async def _wait_seconds(self, seconds: float) -> None:
        if seconds > 0:
            await self.clock.sleep(seconds)

    def _show_truth(self) -> web.Response:
        body = json.dumps(self.service.build_report(), ensure_ascii=False).encode()
        return web.Response(body=body, headers={"Content-Type": JSON_TYPE})


def choose_free_port() -> int:
    """Return a port of this machine that nothing listens on now."""
    while True:
        port = random.choice(FREE_PORTS)  # noqa: S311 - no secret
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port


class SandboxThread:
    """``with SandboxThread(Sandbox(service)) as sandbox: … sandbox.url``; its service may be read meanwhile."""

    def __init__(self, sandbox: Sandbox | None = None) -> None:
        self._sandbox = sandbox or Sandbox()
        self.service = self._sandbox.service
        self.url = ""  # known once it listens
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._sandbox.start(), self._loop).result()
        except BaseException:  # a taken port, a damaged file
            self.__exit__()
            raise
        self.url = self._sandbox.url
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        """Stop the sandbox; a request that never gets its answer ends, too."""
        await self._sandbox.stop()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _sum_seconds(faults: Sequence[Fault], kind: str) -> float:
    return sum(fault.seconds for fault in faults if fault.kind == kind)


async def _read_body(request: web.BaseRequest) -> tuple[bytes, bool]:
    """Return the body, and whether it came whole."""
    body = bytearray()
    try:
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > READ_LIMIT:
                break
    except (ConnectionError, web.RequestPayloadError):
        return bytes(body), False
    return bytes(body), True


def _send_reply(request: web.BaseRequest, reply: SocketReply, now: float) -> web.Response:
    """Write the reply, or end the connection; what is returned after an end goes nowhere."""
    headers = {"Server": "nginx", "Date": formatdate(now, usegmt=True), "Content-Type": reply.content_type}
    if reply.location is not None:
        headers["Location"] = reply.location
    transport = request.transport
    if reply.end != "answer" and transport is not None:
        if reply.end == "reset":
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            transport.abort()
        else:
            transport.close()
    return web.Response(status=reply.status, body=reply.body, headers=headers)


def _append_seal(path: Path, seal: Seal) -> None:
    """Append a seal to the truth file, one JSON object a line, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(seal), ensure_ascii=False) + "\n")


def _read_seals(path: Path) -> list[Seal]:
    """Return the seals of a truth file, none when there is no file yet."""
    if not path.exists():
        return []
    lines = filter(None, path.read_text(encoding="utf-8").split("\n"))
    return [Seal(**json.loads(line)) for line in lines]


@dataclass(frozen=True, slots=True)
class SocketReply:
    """What goes back over the socket: an answer, or the end of the connection by RST or FIN."""

    status: int = 200
    content_type: str = JSON_TYPE
    body: bytes = field(default=b"", repr=False)
    location: str | None = None
    end: Literal["answer", "reset", "close"] = "answer"


class GivenAnswers:
    """The answers of the service so far, for faults that repeat one."""

    def __init__(self) -> None:
        self._answers: list[tuple[str, str | None, CallAnswer]] = []  # action, UserName, answer

    def keep(self, call: Call, answer: CallAnswer) -> None:
        self._answers.append((call.operation, call.get_text("UserName"), answer))

    def get_replayed_answer(self, call: Call, faults: Sequence[Fault]) -> CallAnswer | None:
        """Return the answer that a call gets in place of its own, None for its own."""
        earlier = next((fault.earlier for fault in faults if fault.kind == "replay"), None)
        if earlier is None:
            return None
        action = earlier.action or call.operation
        fitting = [
            answer
            for given, user_name, answer in self._answers
            if given == action and earlier.user_name in (None, user_name)
        ]
        number = earlier.nth[0] if earlier.nth else len(fitting)
        return fitting[number - 1] if 0 < number <= len(fitting) else None

    def get_first_value(self, action: str, name: str) -> object:
        """Return a value of the first answer to an action that holds it, None where there is none."""
        answers = (answer.response for given, _, answer in self._answers if given == action)
        return next((response[name] for response in answers if name in response), None)


def make_refusal(faults: Sequence[Fault], *, rate: float) -> Refusal | None:
    """Return what is answered in place of executing the call, or None."""
    for fault in faults:
        if fault.kind == "throttle":
            return build_throttle_refusal(rate + 1, rate)
        if fault.kind == "code":
            return Refusal(fault.code, fault.message)
    return None


def build_broken_reply(fault: Fault) -> SocketReply:
    """Build the reply of a fault that breaks the connection, before or after the call was executed."""
    match fault.kind:
        case "reset_before" | "reset_after":
            return SocketReply(end="reset")
        case "close":
            return SocketReply(end="close")
        case "http_502":
            return SocketReply(502, "text/html", HTML_502)
        case "html_200":
            return SocketReply(200, "text/html", HTML_PORTAL)
        case "redirect":
            return SocketReply(307, "text/html", location=fault.url)
        case _:
            raise ValueError(fault.kind)


def build_spoiled_reply(
    call: Call,
    answer: CallAnswer,
    faults: Sequence[Fault],
    given: GivenAnswers,
) -> SocketReply:
    """Return the answer as these faults let it out; ``given`` are the answers that they may repeat."""
    if (replayed := given.get_replayed_answer(call, faults)) is not None:
        answer = replayed
    response = dict(answer.response)
    for fault in faults:
        response = _spoil(response, fault, given, executed=answer.executed)
    reply = SocketReply(body=_encode_response(response))
    for fault in faults:
        if fault.kind == "truncated_json":
            reply = replace(reply, body=reply.body[: len(reply.body) // 2])
        elif fault.kind == "charset":
            reply = replace(reply, content_type=f"{JSON_TYPE}; charset=utf-8")
        elif fault.kind == "reset_after" or fault.kind in EITHER_SIDE:
            return build_broken_reply(fault)
    return reply


def _spoil(response: dict[str, Any], fault: Fault, given: GivenAnswers, *, executed: bool) -> dict[str, Any]:
    """Return the inside of an answer as one fault changes it."""
    changes: dict[str, Any] = {}
    match fault.kind:
        case "deprecated":
            changes = {"DeprecatedWarning": fault.message}
        case "internal_error_after" if executed:
            refusal = Refusal(fault.code or "InternalError", fault.message)
            changes = {"Error": {"Code": refusal.code, "Message": refusal.message}}
            response = {name: response[name] for name in response.keys() & {"RequestId", "DeprecatedWarning"}}
        case "same_file_id" if "FileIds" in response:
            changes = {"FileIds": given.get_first_value(UPLOAD, "FileIds") or response["FileIds"]}
        case "no_seal_id":
            response = {name: value for name, value in response.items() if name != "SealId"}
        case "seal_id" if "SealId" in response:
            changes = {"SealId": fault.seal_id}
        case "link" if "Url" in response:
            changes = {"Url": fault.url}
        case "same_seal_id" if "SealId" in response:
            changes = {"SealId": given.get_first_value(CREATE, "SealId") or response["SealId"]}
        case _:
            pass
    return response | changes


def _encode_response(response: Mapping[str, Any]) -> bytes:
    return json.dumps({"Response": response}, ensure_ascii=False, separators=(",", ":")).encode()
