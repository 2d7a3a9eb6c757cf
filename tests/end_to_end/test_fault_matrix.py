"""The fault matrix: 38 faults, each with the exact end of its row.

Three rows, one at a time; the fault strikes the second create (the first is the canary). Each case says how the row
ends, how many seals the service made, how many requests for all three rows came whole, and the exit code.
"""

from __future__ import annotations

import random
import resource
import socket
import sys
import zlib
from dataclasses import dataclass

import pytest
from fault_wire import Connection, Wire, slowly
from PIL import Image
from run_support import QuickClock
from tls_support import CERTIFICATE, EXPIRED, WRONG_HOST, TlsRelay
from wire_support import CREATE, fault, set_limits

from pipeline.clock import SystemClock
from pipeline.esign import client
from pipeline.sandbox.actions import Rules

HTML = b"<html><body>Bad Gateway</body></html>"
TYPE = "Content-Type: application/json"


@dataclass(frozen=True)
class Case:
    """One fault: what it does, and what must come of it."""

    do: object  # a strike of the wire, or a fault of the sandbox
    status: str
    made: int = 3
    requests: int = 3
    exit: int = 3


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


def endless(connection: Connection) -> None:
    connection.answer()
    connection.reply("200 OK", b"", TYPE, length=200_000_000)
    for _ in range(200):
        connection.client.sendall(b" " * 1_000_000)


def gzip_bomb(connection: Connection) -> None:
    compressor = zlib.compressobj(1, wbits=31)
    bomb = b"".join(compressor.compress(b" " * 1_000_000) for _ in range(200)) + compressor.flush()
    executed("200 OK", bomb, TYPE, "Content-Encoding: gzip")(connection)


def garbage(connection: Connection) -> None:
    connection.answer()
    connection.client.sendall(b"SMTP ready\r\n\r\n")


GBK = '{"Response":{"SealId":"yDS","RequestId":"r","Name":"张伟"}}'.encode("gbk")
CASES = {
    "F9 RST at the first bytes": Case(reset_at_the_first_bytes, "unknown", 2, 2),
    "F11 FIN after the request, not executed": Case(fin_unexecuted, "unknown", 2),
    "F12 RST after executing": Case(reset_after, "unknown"),
    "F13 no answer": Case(hang, "unknown"),
    "F14 an answer that drips": Case(slowly, "unknown"),
    "F15 the body is cut": Case(cut, "unknown"),
    "F16 truncated JSON, right length": Case("truncated_json", "unknown"),
    "F17 HTML 502": Case(executed("502 Bad Gateway", HTML), "unknown"),
    "F18 HTML 503": Case(executed("503 Service Unavailable", HTML), "unknown"),
    "F19 HTML 504": Case(executed("504 Gateway Timeout", HTML), "unknown"),
    "F20 HTML 500": Case(executed("500 Internal Server Error", HTML), "unknown"),
    "F17 a success under 502": Case(executed("502 Bad Gateway"), "unknown"),
    "F21 HTML 200": Case(executed("200 OK", HTML, "Content-Type: text/html"), "unknown"),
    "F22 wrong Content-Type": Case(executed("200 OK", None, "Content-Type: text/html"), "sealed", exit=0),
    "F22 no Content-Type": Case(executed("200 OK", None, "X-None: 1"), "sealed", exit=0),
    "F23 GBK": Case(executed("200 OK", GBK), "unknown"),
    "F24 invalid UTF-8": Case(executed("200 OK", b'{"Response":{"SealId":"yDS\xff"}}'), "unknown"),
    "F25 {}": Case(executed("200 OK", b"{}"), "unknown"),
    "F25 no bytes": Case(executed("200 OK", b""), "unknown"),
    "F25 an empty Response": Case(executed("200 OK", b'{"Response":{}}'), "unknown"),
    "F25 an empty SealId": Case("empty_seal_id", "unknown"),
    "F25 a SealId that is a number": Case(executed("200 OK", b'{"Response":{"SealId":1}}'), "unknown"),
    "F27 a gzip bomb": Case(gzip_bomb, "unknown"),
    "F27 200 MB": Case(endless, "unknown"),
    "F27 a header of 20 KB": Case(executed("200 OK", None, TYPE, f"X-Long: {'x' * 20_000}"), "unknown"),
    "F27 no HTTP": Case(garbage, "unknown"),
    "F32 the clock is refused once": Case({"code": "AuthFailure.SignatureExpire"}, "sealed", 3, 4, 0),
    "F34 InternalError.DbInsert after executing": Case(
        {"internal_error_after": {"code": "InternalError.DbInsert", "message": "数据库"}}, "unknown"
    ),
    "F28 throttled once": Case("throttle", "sealed", 3, 4, 0),
}  # fmt: skip


@pytest.fixture
def inline(hospital_with):
    """Make a hospital whose creates carry the picture: each connection is one create, and nothing else is called."""

    def make(**more):
        made = hospital_with(rules=Rules(limiter="none", inline="on"), **more)
        made.doctors(3)
        return made

    return make


def run_over_wire(hospital, wire: Wire, clock=None) -> int:
    """Run; only a wire that gives no answer in time is waited for briefly."""
    seconds = 3 if wire.strike in (hang, slowly) else 30
    hospital.configure(endpoint=wire.url, file_endpoint=wire.url, contract="inline", timeout_seconds=seconds)
    set_limits(hospital, 1000, 1)
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


HELD = ("F11 FIN after the request, not executed", "F17 HTML 502")


@pytest.mark.parametrize("name", CASES)
def test_the_row_ends_in_the_exact_class(inline, name):
    case = CASES[name]
    struck = not callable(case.do)
    hospital = inline(faults=[fault(case.do)] if struck else [])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Wire(hospital, Connection.pass_on if struck else case.do) as wire:
        code = run_over_wire(hospital, wire)
        judge(hospital, wire, case, code)
        assert wire.connections == max(case.requests, 3)
        if name in HELD:  # as every unknown row: another run sends nothing for it
            sent = wire.connections
            assert run_over_wire(hospital, wire) == 3
            assert wire.connections == sent
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


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_f26_a_redirect_is_not_followed(inline, status):
    hospital = inline()
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.setblocking(False)
        location = f"Location: http://127.0.0.1:{other.getsockname()[1]}/"
        strike = executed(status, b"", location)
        with Wire(hospital, strike) as wire:
            judge(hospital, wire, Case(strike, "unknown"), run_over_wire(hospital, wire))
        with pytest.raises(BlockingIOError):
            other.accept()


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


def test_f38_each_request_has_its_own_connection(inline):
    """An answer can reach no other row: none is left on a connection that is used again."""
    hospital = inline()
    hospital.doctors(12)
    with Wire(hospital, hang, nth={4}) as wire:
        assert run_over_wire(hospital, wire) == 3
        assert wire.connections == wire.requests == 12
    used = [call.connection for call in hospital.service.received if call.action == CREATE]
    assert len(set(used)) == 12
    made = {seal.seal_id: seal.name for seal in hospital.service.seals}
    assert all(made[row["seal_id"]] == row["name"] for row in hospital.outcomes() if row["seal_id"])


@pytest.mark.parametrize(
    "code",
    ["AuthFailure.TokenFailure", "AuthFailure.SecretIdNotFound", "FailedOperation.LicenseNoQuota"],
)
def test_f33_credentials_that_are_revoked_in_the_middle_cost_the_calls_in_flight(hospital_with, code):
    struck = {"match": {"action": CREATE, "from": 9}, "do": {"code": {"code": code, "message": "不行"}}}
    hospital = hospital_with(faults=[struck])
    hospital.doctors(20)
    assert hospital.go("run") == 4
    assert hospital.record()["halted"]["code"] == code
    statuses = hospital.statuses()
    assert statuses == {"sealed": 8, "not_sent": 12}
    assert 9 <= hospital.creates() <= 8 + 8, "limits.concurrency creates may be under way"


def test_f30_half_of_the_answers_are_lost_for_a_while(hospital_with):
    """The breaker opens, asks, lets one through at a time, and closes: most rows are sealed in the end."""
    storm = {"match": {"action": CREATE, "from": 5, "to": 40, "share": 0.5, "seed": 3}, "do": "http_502"}
    hospital = hospital_with(faults=[storm])
    hospital.doctors(50)
    path = hospital.folder / "config.yaml"
    path.write_text(path.read_text("utf-8").replace("give_up_minutes: 0.02", "give_up_minutes: 60"), "utf-8")
    assert quickly(hospital) == 3
    statuses = hospital.statuses()
    assert statuses.keys() == {"sealed", "unknown"}
    assert 5 <= statuses["unknown"] <= 20
    assert hospital.service.list_duplicates() == {}
    assert len(hospital.service.seals) == 50


def test_f31_the_service_does_not_answer_for_a_while(hospital_with):
    """All that is lost is what was under way; nothing is created while the breaker is open; a rerun does the rest."""
    blackout = {"match": {"from": 45, "to": 61}, "do": "reset_before"}
    hospital = hospital_with(faults=[blackout])
    hospital.doctors(40)
    path = hospital.folder / "config.yaml"
    path.write_text(path.read_text("utf-8").replace("give_up_minutes: 0.02", "give_up_minutes: 60"), "utf-8")
    assert quickly(hospital) in {3, 5}
    statuses = hospital.statuses()
    assert statuses.keys() <= {"sealed", "unknown", "not_sent"}
    assert statuses["unknown"] <= 8 + 5, "in flight, and those that opened it"
    assert statuses.get("not_sent", 0) <= 8, "uploads that were lost four times"
    assert len(hospital.service.seals) == statuses["sealed"]
    assert quickly(hospital) == 3
    assert hospital.statuses().keys() <= {"sealed", "unchanged", "unknown"}
    assert len(hospital.service.seals) == 40 - statuses["unknown"]


def test_f28_a_burst_of_throttles_cost_nothing_but_time(hospital_with):
    burst = {"match": {"action": CREATE, "from": 5, "to": 60, "share": 0.35, "seed": 1}, "do": "throttle"}
    hospital = hospital_with(faults=[burst])
    hospital.doctors(50)
    assert quickly(hospital) in {0, 5}
    statuses = hospital.statuses()
    assert statuses.keys() <= {"sealed", "not_sent"}
    throttled = hospital.record()["rate"]["throttled"]
    assert throttled >= 10
    assert statuses.get("not_sent", 0) <= throttled / 4, "each was throttled four times"
    assert quickly(hospital) == 0
    assert hospital.service.list_duplicates() == {}
