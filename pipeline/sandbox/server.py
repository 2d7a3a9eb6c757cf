"""The HTTP server of the fake service: sockets, headers, waiting, faults, and the truth for tests in other processes."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import random
import socket
import struct
import threading
from collections.abc import Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Self

from aiohttp import web

from pipeline.clock import Clock, SystemClock
from pipeline.sandbox.actions import Seal
from pipeline.sandbox.faults import Fault, Faults
from pipeline.sandbox.gateway import Call, Role, read_call
from pipeline.sandbox.replies import (
    GivenAnswers,
    SocketReply,
    build_broken_reply,
    build_spoiled_reply,
    make_refusal,
)
from pipeline.sandbox.service import FakeService

HOST = "127.0.0.1"
READ_LIMIT = 256 * 1024 * 1024  # bytes; what is longer is cut here and fails on its size, or on its signature
RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: close() sends RST


@dataclass(eq=False)
class Sandbox:
    """A fake service on a loopback socket: ``async with Sandbox(service) as sandbox: … sandbox.url``."""

    service: FakeService = field(default_factory=FakeService)
    _: KW_ONLY
    faults: InitVar[Sequence[Fault]] = ()
    latency: float = 0.0  # seconds each answer takes
    arrival_jitter: float = 0.0  # a call reaches the limiter up to so many seconds after it came, uniformly
    seed: InitVar[int | None] = None  # of the jitter
    port: int = 0  # 0 lets the system choose
    two_ports: bool = False  # one address for each host role, as in production; else one address plays both
    clock: Clock = field(default_factory=SystemClock)
    truth_file: Path | None = None  # keeps the seals across restarts

    def __post_init__(self, faults: Sequence[Fault], seed: int | None) -> None:
        self.url = self.file_url = ""  # set by start()
        self._faults = Faults(faults)
        self._given = GivenAnswers()
        self._random = random.Random(seed)  # noqa: S311  chance for a rehearsal, no secret
        self._runners: list[web.ServerRunner] = []

    async def start(self) -> None:
        """Recall the truth file and listen; ``url`` and ``file_url`` are known from here on."""
        if self.truth_file is not None:
            self.service.restore_seals(_read_seals(self.truth_file))
        if self.two_ports:
            self.url = await self._listen_on("general", self.port)
            self.file_url = await self._listen_on("file", 0)
        else:
            self.url = self.file_url = await self._listen_on("both", self.port)

    async def stop(self) -> None:
        """Stop listening; answers still held back are never given."""
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _listen_on(self, role: Role, port: int) -> str:
        server = web.Server(partial(self._handle_request, role), access_log=None, auto_decompress=False)
        runner = web.ServerRunner(server, shutdown_timeout=0.01)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, HOST, port).start()
        return f"http://{HOST}:{runner.addresses[0][1]}"

    async def _handle_request(self, role: Role, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/_truth":
            return self._serve_truth(request)
        if request.path != "/":
            return web.Response(status=404, headers={"Server": "nginx"})
        arrived = self.clock.monotonic()
        body, whole = await _read_body(request)
        call = read_call(
            body,
            headers=request.headers,
            role=role,
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

    def _serve_truth(self, request: web.BaseRequest) -> web.Response:
        if not ipaddress.ip_address(request.remote or "0.0.0.0").is_loopback:  # noqa: S104  an address that is refused
            return web.Response(status=404)
        body = json.dumps(self.service.build_report(), ensure_ascii=False).encode()
        return web.Response(body=body, headers={"Content-Type": "application/json"})


class SandboxThread:
    """``with SandboxThread(Sandbox(service)) as sandbox: … sandbox.url``; its service may be read meanwhile."""

    def __init__(self, sandbox: Sandbox | None = None) -> None:
        self._sandbox = sandbox or Sandbox()
        self.service = self._sandbox.service
        self.url = self.file_url = ""  # known once it listens
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._sandbox.start(), self._loop).result()
        except BaseException:  # a taken port, a damaged file
            self.__exit__()
            raise
        self.url, self.file_url = self._sandbox.url, self._sandbox.file_url
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
        file.write(json.dumps(seal.build_record(), ensure_ascii=False) + "\n")


def _read_seals(path: Path) -> list[Seal]:
    """Return the seals of a truth file, none when there is no file yet."""
    if not path.exists():
        return []
    seals = []
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        seals.append(Seal(created_at=record.pop("at"), **record))
    return seals
