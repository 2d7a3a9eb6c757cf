"""The fault matrix: 38 faults, each with the exact end of its row.

What may become of an answer strikes every second create of three runs. Other cases have a run each: three rows, one at a
time; the fault strikes the second create (the first is the canary). Each case says how the row ends, how many seals the
service made, how many requests for all three rows came whole, and the exit code.
"""

from __future__ import annotations

import json
import os
import random
import resource
import socket
import sqlite3
import sys
import zlib
from dataclasses import dataclass
from itertools import count
from queue import SimpleQueue

import pytest
from fault_wire import Connection, Wire, slowly
from PIL import Image
from run_support import QuickClock
from tls_support import CERTIFICATE, EXPIRED, WRONG_HOST, TlsRelay
from wire_support import CREATE, fault, set_limits

from pipeline.clock import SystemClock
from pipeline.esign import client
from pipeline.sandbox.actions import Rules
from pipeline.sending import circuit_breaker
from pipeline.support.failpoints import enable_failpoint

HTML = b"<html><body>Bad Gateway</body></html>"
TYPE = "Content-Type: application/json"
TCP_FIN_WAIT1 = 4  # linux/tcp_states.h


@dataclass(frozen=True)
class Case:
    """One fault: what it does, and what must come of it."""

    do: object  # a strike of the wire, or a fault of the sandbox
    status: str
    made: int = 3
    requests: int = 3
    exit: int = 3


def close_and_wait(accepted: socket.socket) -> None:
    """Close a connection; return when the other end's kernel has acknowledged it."""
    with accepted.dup() as watched:  # the strike closes its own as soon as it reads the end
        accepted.shutdown(socket.SHUT_RDWR)
        while watched.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_FIN_WAIT1:
            os.sched_yield()


def executed(status: str = "200 OK", body: bytes | None = None, *headers: str):
    """The service did its work; this is what comes back."""

    def strike(connection: Connection) -> None:
        _, answer = connection.answer()
        connection.reply(status, answer if body is None else body, *(headers or (TYPE,)))

    return strike


def reset_after(connection: Connection) -> None:
    connection.answer()
    connection.reset()


def fin_unexecuted(connection: Connection) -> None:
    connection.request()


def reset_at_the_first_bytes(connection: Connection) -> None:
    connection.client.recv(1)
    connection.reset()


def hang(connection: Connection) -> None:
    connection.answer()
    connection.hang()


def cut(connection: Connection) -> None:
    _, body = connection.answer()
    connection.reply("200 OK", body[:-3], TYPE, length=len(body))


def cut_at_its_length(connection: Connection) -> None:
    _, body = connection.answer()
    connection.reply("200 OK", body[:-3], TYPE)


def endless(connection: Connection) -> None:
    connection.answer()
    connection.reply("200 OK", b"", TYPE, length=200_000_000)
    for _ in range(200):
        connection.client.sendall(b" " * 1_000_000)


def gzip_bomb(connection: Connection) -> None:
    compressor = zlib.compressobj(1, wbits=31)
    bomb = b"".join(compressor.compress(b" " * 1_000_000) for _ in range(80)) + compressor.flush()
    executed("200 OK", bomb, TYPE, "Content-Encoding: gzip")(connection)


def garbage(connection: Connection) -> None:
    connection.answer()
    connection.client.sendall(b"SMTP ready\r\n\r\n")


GBK = '{"Response":{"SealId":"yDS","RequestId":"r","Name":"张伟"}}'.encode("gbk")
STRIKES = {
    "F9 RST at the first bytes": reset_at_the_first_bytes,
    "F22 wrong Content-Type": executed("200 OK", None, "Content-Type: text/html"),
    "F22 no Content-Type": executed("200 OK", None, "X-None: 1"),
    "F11 FIN after the request, not executed": fin_unexecuted,
    "F12 RST after executing": reset_after,
    "F15 the body is cut": cut,
    "F16 truncated JSON, right length": cut_at_its_length,
    "F17 HTML 502": executed("502 Bad Gateway", HTML),
    "F18 HTML 503": executed("503 Service Unavailable", HTML),
    "F19 HTML 504": executed("504 Gateway Timeout", HTML),
    "F20 HTML 500": executed("500 Internal Server Error", HTML),
    "F17 a success under 502": executed("502 Bad Gateway"),
    "F21 HTML 200": executed("200 OK", HTML, "Content-Type: text/html"),
    "F23 GBK": executed("200 OK", GBK),
    "F24 invalid UTF-8": executed("200 OK", b'{"Response":{"SealId":"yDS\xff"}}'),
    "F25 {}": executed("200 OK", b"{}"),
    "F25 no bytes": executed("200 OK", b""),
    "F25 an empty Response": executed("200 OK", b'{"Response":{}}'),
    "F25 an empty SealId": executed("200 OK", b'{"Response":{"SealId":"","RequestId":"r"}}'),
    "F25 a SealId that is a number": executed("200 OK", b'{"Response":{"SealId":1}}'),
    "F27 a header of 20 KB": executed("200 OK", None, TYPE, f"X-Long: {'x' * 20_000}"),
    "F27 no HTTP": garbage,
}
SEALED = {"F22 wrong Content-Type", "F22 no Content-Type"}
CUT_OFF = "F9 RST at the first bytes"
NOT_EXECUTED = {CUT_OFF, "F11 FIN after the request, not executed"}
CASES = {
    "F14 an answer that drips": Case(slowly, "unknown"),
    "F27 a gzip bomb": Case(gzip_bomb, "unknown"),
    "F27 200 MB": Case(endless, "unknown"),
    "F32 the clock is refused once": Case({"code": "AuthFailure.SignatureExpire"}, "sealed", 3, 4, 0),
    "F34 InternalError.DbInsert after executing": Case(
        {"internal_error_after": {"code": "InternalError.DbInsert", "message": "数据库"}}, "unknown"
    ),
    "F28 throttled once": Case("throttle", "sealed", 3, 4, 0),
}


@pytest.fixture
def inline(hospital_with):
    """Make a hospital whose creates carry the picture: each connection is one create, and nothing else is called."""

    def make(**more):
        made = hospital_with(rules=Rules(limiter="none", inline="on"), **more)
        made.doctors(3)
        return made

    return make


def run_over_wire(hospital, wire: Wire, clock=None, **guards) -> int:
    """Run; only a wire that gives no answer in time is waited for briefly."""
    seconds = 3 if wire.strike in (hang, slowly) else 30
    hospital.configure(endpoint=wire.url, file_endpoint=wire.url, contract="inline", timeout_seconds=seconds)
    set_limits(hospital, 1000, 1)
    path = hospital.folder / "config.yaml"
    path.write_text(f"{path.read_text('utf-8')}guards: {json.dumps(guards)}\n", "utf-8")
    return hospital.go("run", clock=clock)


def judge(hospital, wire: Wire, case: Case, code: int) -> None:
    # which of the two rows behind the canary comes second is chance
    first, *others = [row["status"] for row in hospital.outcomes()]
    assert (first, sorted(others)) == ("sealed", sorted(["sealed", case.status]))
    assert code == case.exit
    assert len(hospital.service.seals) == case.made
    assert wire.requests == case.requests
    assert hospital.service.list_duplicates() == {}
    assert all(bool(row["seal_id"]) == (row["status"] == "sealed") for row in hospital.outcomes())


@pytest.mark.parametrize("part", range(3))  # ten answers of fifty that are of no use open the circuit breaker
def test_each_row_ends_in_the_exact_class_of_what_became_of_its_answer(inline, part):
    hospital = inline()
    names = list(STRIKES)[part::3]
    rows = 2 * len(names) + 1
    hospital.doctors(rows)
    doctors, following = {}, iter(names)

    def strike(connection: Connection) -> None:
        name = next(following)
        read = connection.request

        def read_and_note() -> bytes:
            request = read()
            doctors[name] = json.loads(request.partition(b"\r\n\r\n")[2])["UserName"]
            return request

        connection.request = read_and_note
        STRIKES[name](connection)

    with Wire(hospital, strike, nth=range(2, rows, 2)) as wire:
        assert run_over_wire(hospital, wire, unknown=None) == 3
        assert (wire.connections, wire.requests) == (rows, rows - (CUT_OFF in names))
        statuses = {row["name"]: row["status"] for row in hospital.outcomes()}
        expected = {name: "sealed" if name in SEALED else "unknown" for name in names}
        assert hospital.statuses()["unknown"] == list(expected.values()).count("unknown")
        expected.pop(CUT_OFF, None)  # nothing of it came: the number of unknown rows tells
        assert {name: statuses[doctor] for name, doctor in doctors.items()} == expected
        made = {seal.seal_id: seal.name for seal in hospital.service.seals}
        assert len(made) == rows - len(NOT_EXECUTED.intersection(names))
        assert hospital.service.list_duplicates() == {}
        for row in hospital.outcomes():
            assert bool(row["seal_id"]) == (row["status"] == "sealed")
            assert made.get(row["seal_id"]) == (row["name"] if row["seal_id"] else None)
        if part == 0:  # another run sends nothing for unknown rows
            assert run_over_wire(hospital, wire, unknown=None) == 3
            assert wire.connections == rows


@pytest.mark.parametrize("name", CASES)
def test_the_row_ends_in_the_exact_class(inline, name):
    case = CASES[name]
    struck = not callable(case.do)
    hospital = inline(faults=[fault(case.do)] if struck else [])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Wire(hospital, Connection.pass_on if struck else case.do) as wire:
        judge(hospital, wire, case, run_over_wire(hospital, wire))
        assert wire.connections == max(case.requests, 3)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 60_000, f"{grown} KB more memory"


def test_f10_a_reset_in_the_middle_of_a_large_body(inline):
    def strike(connection):
        connection.client.recv(50_000)
        connection.reset()

    hospital = inline()
    for serial in (2, 3):
        noise = random.Random(serial).randbytes(800 * 600 * 3)
        Image.frombytes("RGB", (800, 600), noise).save(hospital.folder / "seals" / f"0000{serial}.png")
    with Wire(hospital, strike) as wire:
        judge(hospital, wire, Case(strike, "unknown", 2, 2), run_over_wire(hospital, wire))
        assert wire.connections == 3


def test_f26_a_redirect_is_not_followed(inline):
    hospital = inline()
    hospital.doctors(7)
    statuses = iter(["302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.setblocking(False)
        location = f"Location: http://127.0.0.1:{other.getsockname()[1]}/"

        def strike(connection):
            executed(next(statuses), b"", location)(connection)

        with Wire(hospital, strike, nth={2, 4, 6}) as wire:
            assert run_over_wire(hospital, wire) == 3
            assert wire.requests == len(hospital.service.seals) == 7
        with pytest.raises(BlockingIOError):
            other.accept()
    assert hospital.statuses() == {"sealed": 4, "unknown": 3}


class Fifty(SystemClock):
    """The machine's clock, of which waits and what is measured of them run fifty times as fast."""

    def monotonic(self):
        return super().monotonic() * 50

    async def sleep(self, seconds):
        await super().sleep(seconds / 50)


def quickly(hospital, *arguments: str) -> int:
    return hospital.go(*(arguments or ("run",)), clock=Fifty())


class Repair(QuickClock):
    """Mends the wire when the program first backs off, so that its first try surely met the fault."""

    def __init__(self, mend) -> None:
        self.mend = mend

    def sleep(self, seconds):
        if sys._getframe(1).f_code.co_name == "back_off":
            self.mend()
        return super().sleep(seconds)


def test_f1_refused_then_reachable(inline):
    hospital = inline()
    wire = Wire(hospital, Connection.pass_on)
    assert run_over_wire(hospital, wire, Repair(wire.listen)) == 0
    wire.__exit__()
    assert hospital.statuses() == {"sealed": 3}
    assert wire.requests == 3
    assert [row["attempts"] for row in hospital.outcomes()] == [1, 1, 1]


def test_f2_refused_for_good(inline):
    hospital = inline()
    wire = Wire(hospital, Connection.pass_on)
    assert run_over_wire(hospital, wire) == 5
    wire.__exit__()
    assert hospital.statuses() == {"not_sent": 3}


def test_f3_a_name_that_does_not_resolve_at_first(inline, monkeypatch):
    hospital = inline()
    resolve, failed = socket.getaddrinfo, []

    def broken(host, *more, **options):
        if host == "localhost" and not failed:
            failed.append(host)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return resolve("127.0.0.1" if host == "localhost" else host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", broken)
    with Wire(hospital, Connection.pass_on) as wire:
        wire.url = wire.url.replace("127.0.0.1", "localhost")
        assert run_over_wire(hospital, wire) == 0
    assert failed
    assert (hospital.statuses(), wire.requests) == ({"sealed": 3}, 3)


def test_f4_the_connection_is_not_answered_at_first(inline, monkeypatch):
    """A full backlog drops SYNs: the connect times out, nothing left."""
    monkeypatch.setattr(client, "CONNECT_SECONDS", 0.3)
    hospital = inline()
    with (
        Wire(hospital, Connection.pass_on) as wire,
        socket.create_server(("127.0.0.1", 0), backlog=0) as full,
    ):
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for connection in waiting:
            connection.setblocking(False)
            connection.connect_ex(address)
        deaf = f"http://127.0.0.1:{address[1]}"
        real, wire.url = wire.url, deaf
        assert run_over_wire(hospital, wire) == 5
        assert hospital.statuses() == {"not_sent": 3}
        wire.url = real
        assert run_over_wire(hospital, wire) == 0
        assert wire.requests == 3
        for connection in waiting:
            connection.close()


@pytest.mark.parametrize(
    ("certificate", "authority"),
    [(WRONG_HOST, WRONG_HOST), (CERTIFICATE, None), (EXPIRED, EXPIRED)],
    ids=["F5 wrong host", "F6 unknown authority", "F7 expired"],
)
def test_a_bad_certificate_stops_the_run_with_nothing_sent(inline, certificate, authority):
    hospital = inline()
    with TlsRelay(hospital.sandbox.url, certificate) as relay:
        url = f"https://127.0.0.1:{relay.port}"
        trusted = {"ca_file": str(authority)} if authority else {}
        hospital.configure(endpoint=url, file_endpoint=url, contract="inline", **trusted)
        assert hospital.go("run") == 4
        assert relay.received == 0
    assert hospital.record()["halted"]["code"] == "TLS"
    assert hospital.statuses() == {"not_sent": 3}


def test_f8_a_tls_greeting_without_an_answer(inline, monkeypatch):
    monkeypatch.setattr(client, "CONNECT_SECONDS", 0.2)
    hospital = inline()
    with Wire(hospital, Connection.hang, nth=range(100)) as wire:
        wire.url = wire.url.replace("http:", "https:")
        assert run_over_wire(hospital, wire) == 5
        assert wire.requests == 0
    assert hospital.statuses() == {"not_sent": 3}


def test_f21_a_portal_that_answers_every_request(inline):
    """Nobody gets through: unknown until the breaker gives up."""
    hospital = inline()
    hospital.doctors(40)
    portal = executed("200 OK", HTML, "Content-Type: text/html")
    with Wire(hospital, portal, nth=range(2, 1000)) as wire:
        assert run_over_wire(hospital, wire) == 5
    assert hospital.record()["halted"]["code"] in {"OUTAGE", "TOO_MANY_UNKNOWN"}
    statuses = hospital.statuses()
    assert statuses["sealed"] == 1
    assert 5 <= statuses["unknown"] <= 21
    assert len(hospital.service.seals) == 1 + statuses["unknown"]


@pytest.mark.parametrize(
    ("closings", "fails", "code", "statuses"),
    [
        (1, False, 0, {"sealed": 3}),
        (6, False, 5, {"sealed": 2, "not_sent": 1}),
        (1, True, 74, {"sealed": 1, "not_sent": 2}),
    ],
    ids=["once", "at each wait", "once, and then the disk fails"],
)
def test_an_attempt_whose_connection_closed_during_its_commit_was_not_executed(
    inline, closings, fails, code, statuses
):
    """The attempt stands in the ledger, and no byte of its create has left."""
    hospital, waiting = inline(), SimpleQueue()
    commits = None  # those after the canary's: of an attempt and of its verdict in turn

    def strike(connection):
        waiting.put(connection)
        connection.hang()

    def act(point):
        nonlocal commits
        if point == "create: settled":
            commits = commits or count()
        if point != "ledger: before the commit" or commits is None:
            return
        number, is_verdict = divmod(next(commits), 2)
        if number < closings and not is_verdict:
            close_and_wait(waiting.get(timeout=20).client)
        elif number >= closings and fails:
            raise sqlite3.OperationalError("disk I/O error")

    with Wire(hospital, strike, nth=range(2, 2 + closings)) as wire:
        enable_failpoint(act)
        try:
            assert run_over_wire(hospital, wire) == code
        finally:
            enable_failpoint(None)
        assert hospital.statuses() == statuses
        assert wire.requests == len(hospital.service.seals) == statuses["sealed"]
        assert sorted(row["attempts"] for row in hospital.outcomes()) == [
            *[0] * statuses.get("not_sent", 0),
            *[1] * statuses["sealed"],
        ]
        assert run_over_wire(hospital, wire) == 0
    assert hospital.service.list_duplicates() == {}
    assert len(hospital.service.seals) == 3


def test_f13_no_answer_and_f38_each_request_has_its_own_connection(inline):
    """An answer can reach no other row: none is left on a connection that is used again."""
    hospital = inline()
    hospital.doctors(12)
    with Wire(hospital, hang, nth={4}) as wire:
        assert run_over_wire(hospital, wire) == 3
        assert wire.connections == wire.requests == len(hospital.service.seals) == 12
    assert hospital.statuses() == {"sealed": 11, "unknown": 1}
    used = [call.connection for call in hospital.service.received if call.action == CREATE]
    assert len(set(used)) == 12
    made = {seal.seal_id: seal.name for seal in hospital.service.seals}
    assert all(made[row["seal_id"]] == row["name"] for row in hospital.outcomes() if row["seal_id"])


def test_f33_credentials_that_are_revoked_in_the_middle_cost_the_calls_in_flight(hospital_with):
    code = "AuthFailure.TokenFailure"
    struck = {"match": {"action": CREATE, "from": 4}, "do": {"code": {"code": code, "message": "不行"}}}
    hospital = hospital_with(faults=[struck])
    hospital.doctors(8)
    assert hospital.go("run") == 4
    assert hospital.record()["halted"]["code"] == code
    statuses = hospital.statuses()
    assert statuses == {"sealed": 3, "not_sent": 5}
    assert 4 <= hospital.creates() <= 3 + 8, "limits.concurrency creates may be under way"


def test_f30_half_of_the_answers_are_lost_for_a_while(hospital_with, monkeypatch):
    """The breaker opens, asks, lets one through at a time, and closes: most rows are sealed in the end."""
    storm = {"match": {"action": CREATE, "from": 5, "to": 24, "share": 0.5, "seed": 3}, "do": "http_502"}
    hospital = hospital_with(faults=[storm])
    hospital.doctors(30)
    monkeypatch.setattr(circuit_breaker, "GIVE_UP_SECONDS", 3600.0)
    assert quickly(hospital) == 3
    statuses = hospital.statuses()
    assert statuses.keys() == {"sealed", "unknown"}
    assert 5 <= statuses["unknown"] <= 20
    assert hospital.service.list_duplicates() == {}
    assert len(hospital.service.seals) == 30


def test_f31_the_service_does_not_answer_for_a_while(hospital_with, monkeypatch):
    """All that is lost is what was under way; nothing is created while the breaker is open; a rerun does the rest."""
    blackout = {"match": {"from": 45, "to": 61}, "do": "reset_before"}
    hospital = hospital_with(faults=[blackout])
    hospital.doctors(40)
    monkeypatch.setattr(circuit_breaker, "GIVE_UP_SECONDS", 3600.0)
    assert quickly(hospital) in {0, 3, 5}, "it may meet uploads alone"
    statuses = hospital.statuses()
    unknown = statuses.get("unknown", 0)
    assert statuses.keys() <= {"sealed", "unknown", "not_sent"}
    assert unknown <= 8 + 5, "in flight, and those that opened it"
    assert statuses.get("not_sent", 0) <= 8, "uploads that were lost four times"
    assert len(hospital.service.seals) == statuses["sealed"]
    assert quickly(hospital) == (3 if unknown else 0)
    assert hospital.statuses().keys() <= {"sealed", "unchanged", "unknown"}
    assert len(hospital.service.seals) == 40 - unknown


def test_f28_a_burst_of_throttles_cost_nothing_but_time(hospital_with):
    burst = {"match": {"action": CREATE, "from": 5, "to": 45, "share": 0.35, "seed": 1}, "do": "throttle"}
    hospital = hospital_with(faults=[burst])
    hospital.doctors(30)
    assert quickly(hospital) in {0, 5}
    statuses = hospital.statuses()
    assert statuses.keys() <= {"sealed", "not_sent"}
    throttled = hospital.record()["rate"]["throttled"]
    assert throttled >= 10
    assert statuses.get("not_sent", 0) <= throttled / 4, "each was throttled four times"
    assert quickly(hospital) == 0
    assert hospital.service.list_duplicates() == {}
