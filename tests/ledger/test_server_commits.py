"""Commits on a PostgreSQL server whose connection breaks at every point: made once, never twice, never guessed."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace

import pytest
from ledger_support import UNKNOWN, open_attempt, record_verdict, settle_attempt
from postgres_server import run_server
from run_support import wait_until
from server_ledger import LedgerBench, open_for_writing
from server_wire import ServerWire

from pipeline.domain.seals import Verdict
from pipeline.domain.server_address import ServerAddress
from pipeline.errors import LedgerError
from pipeline.hosts import connection, hold, writer
from pipeline.ledger.journal import JournalFile
from pipeline.support.failpoints import enable_failpoint

pytestmark = pytest.mark.server
LONG = bool(os.environ.get("HOSTS"))  # make hosts


@pytest.fixture
def impatient(monkeypatch):
    """Let the writer try again at once, and wait for a silent server for half a second only."""
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(hold, "PATIENCE_SECONDS", 0.4)
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 2)
    monkeypatch.setattr(connection, "_MARGIN_SECONDS", 0.1)


@pytest.fixture(scope="module")
def own_bench():
    """A ledger on a server that the tests of this module stop, kill and start again."""
    with run_server() as server, closing(LedgerBench(server)) as bench:
        yield bench


@contextmanager
def failpoint(act):
    enable_failpoint(act)
    try:
        yield
    finally:
        enable_failpoint(None)


def check_journals(bench: LedgerBench) -> int:
    """Assert that both journals hold the events of the ledger, each once; return how many there are."""
    known = sorted(identity for (identity,) in bench.query("SELECT id FROM event"))
    files = bench.places.list_files()
    for path in files:
        reading = JournalFile(path, bench.site_key).read(None)
        assert sorted(event.id for event in reading.events) == known
        assert not reading.torn_bytes
    assert len(files) == 2
    return len(known)


def _wait_briefly(condition) -> None:
    """Wait for what comes at once or never: a part of a pipeline has no answer of its own."""
    with suppress(AssertionError):
        wait_until(condition, 0.2)


class Breaker:
    """Breaks the writer's connection at the n-th piece that it sends: before it arrives, after, or it arrives late.

    A late piece arrives while the next connection waits for what the broken one still holds.
    """

    def __init__(self, bench: LedgerBench, nth: int, mode: str) -> None:
        self.bench, self.nth, self.mode, self.count = bench, nth, mode, 0
        self.has_struck = False
        self._next = None

    def __call__(self, link, piece: bytes) -> bool:
        if link.name != "writer":
            return True
        if self.has_struck and b"pg_try_advisory_lock" in piece:
            self._next = link, link.answers
        self.count += 1
        if self.count != self.nth:
            return True
        self.has_struck = True
        answers = link.answers
        if self.mode == "answer lost":
            link.answers_pass = False
            link.server.sendall(piece)
            _wait_briefly(lambda: link.answers > answers)
        elif self.mode == "late":
            link.client.close()
            _wait_briefly(self._is_next_waiting)
            link.server.sendall(piece)
            _wait_briefly(lambda: link.answers > answers)
        link.cut()
        return False

    def _is_next_waiting(self) -> bool:
        """Return whether the next transaction waits for this one, or has no need to."""
        if self._next is None:
            return False
        link, answers = self._next
        return link.answers > answers or self.bench.query("SELECT 1 FROM pg_locks WHERE NOT granted") != []


@pytest.mark.parametrize("mode", ["cut", "answer lost", "late"])
def test_a_connection_that_breaks_at_every_statement(ledger_bench, attempt, run_record, impatient, mode):
    """The attempt is entered once, in the ledger and in both journals."""
    nth, events = 0, {}
    has_struck = True
    while has_struck:
        nth += 1
        with (
            ServerWire(ledger_bench.server.port) as wire,
            ledger_bench.open_empty(port=wire.own_port) as ledger,
        ):
            ledger.begin_run(run_record("r1"))
            wire.strike = breaker = Breaker(ledger_bench, nth, mode)
            asyncio.run(open_attempt(ledger, attempt("p1")))
            has_struck = breaker.has_struck
            assert ledger_bench.query("SELECT count(*) FROM attempt") == [(1,)], nth
            assert ledger_bench.query("SELECT count(*) FROM event WHERE op = 'attempt'") == [(1,)], nth
            events[nth] = check_journals(ledger_bench)
    assert nth > 10, "there are as many statements"
    assert len(set(events.values())) == 1, events


def test_a_server_that_crashes_in_a_commit_is_waited_for(own_bench, attempt, run_record, impatient):
    server, passed = own_bench.server, []

    def crash(name: str) -> None:
        if name.startswith("ledger: ") and name.endswith(" the commit") and len(passed) < 4:
            passed.append(name)
            if len(passed) % 3 == 2:
                server.kill()
                server.start()
                own_bench.reconnect()

    with own_bench.open_empty() as ledger:
        ledger.begin_run(run_record("r1"))
        with failpoint(crash):
            asyncio.run(settle_attempt(ledger, attempt("p1"), UNKNOWN, now=2.0))
        history = ledger.snapshot().people["p1"]
        assert (history.create_count, history.unresolved_attempt.verdict) == (1, "unknown")
        assert own_bench.hold.is_intact()
    assert len(passed) >= 4
    check_journals(own_bench)


def test_a_run_reads_on_once_the_server_is_back(own_bench, attempt, run_record):
    server = own_bench.server
    with own_bench.open_empty() as ledger, ThreadPoolExecutor(2) as threads:
        ledger.begin_run(run_record("r1"))
        assert ledger.snapshot().people == {}
        server.stop()
        reading = threads.submit(ledger.snapshot)
        writing = threads.submit(asyncio.run, open_attempt(ledger, attempt("p1")))
        server.start()
        own_bench.reconnect()
        reading.result(30)
        writing.result(30)
        assert set(ledger.snapshot().people) == {"p1"}


def test_a_server_that_stays_away_is_given_up_once_and_the_ledger_closes(
    own_bench, attempt, run_record, impatient, monkeypatch
):
    """What the service answered meanwhile stands in the journals, and is entered by the next opening."""
    monkeypatch.setattr(writer, "AWAY_SECONDS", 0.2)
    server = own_bench.server
    with own_bench.open_empty() as ledger:
        ledger.begin_run(run_record("r1"))
        first = attempt("p1")
        asyncio.run(open_attempt(ledger, first))
        server.kill()
        try:
            with pytest.raises(LedgerError) as refused:
                asyncio.run(open_attempt(ledger, attempt("p2")))
            assert refused.value.exit_code == 74
            sealed = Verdict("sealed", seal_id="S1", request_id="q", http_status=200)
            asyncio.run(record_verdict(ledger, first, sealed, now=2.0))
            with pytest.raises(LedgerError) as again:
                ledger.begin_run(run_record("r2"))
            for error in (refused.value, again.value):
                assert error.__cause__ is not error, "the log would never come to the end of its causes"
        finally:
            ledger.close()
            server.start()
            own_bench.reconnect()
    with open_for_writing(own_bench.address, own_bench.tenant, host="two") as again:
        people = again.snapshot().people
        assert (people["p1"].seal.seal_id, set(people)) == ("S1", {"p1"})


@pytest.mark.parametrize("names", [("writer",), ("writer", "reader")] if LONG else [("writer",)])
def test_a_silent_server_is_given_up_and_asked_again(ledger_bench, attempt, run_record, impatient, names):
    """A proxy, or a stopped server, that holds connections open and never answers."""
    with ServerWire(ledger_bench.server.port) as wire, ThreadPoolExecutor(1) as threads:
        with ledger_bench.open_empty(port=wire.own_port) as ledger:
            ledger.begin_run(run_record("r1"))
            wire.silence(*names)
            writing = threads.submit(asyncio.run, open_attempt(ledger, attempt("p1")))
            wait_until(lambda: sum(link.name == "writer" for link in wire.links) >= 3)  # it has tried again
            assert not writing.done()
            wire.heal()
            writing.result(30)
            assert set(ledger.snapshot().people) == {"p1"}
        check_journals(ledger_bench)


def test_a_ledger_closes_although_the_server_is_silent(ledger_bench, run_record, impatient, monkeypatch):
    monkeypatch.setattr(writer, "AWAY_SECONDS", 0.2)
    with ServerWire(ledger_bench.server.port) as wire, ledger_bench.open_empty(port=wire.own_port) as ledger:
        ledger.begin_run(run_record("r1"))
        wire.silence()
        with pytest.raises(LedgerError):
            ledger.begin_run(run_record("r2"))
        ledger.close()


def test_an_operation_that_breaks_leaves_nothing_of_its_commit_behind(
    ledger_bench, attempt, run_record, held
):
    """Whatever an operation raises, nothing uncommitted gets into the next transaction."""
    with ledger_bench.open_empty() as ledger:
        ledger.begin_run(run_record("r1"))

        def break_down(adapter):
            adapter.execute("UPDATE run SET exit_code = 99")
            raise ValueError("a bug")

        with held(ledger):
            broken = ledger._writer.submit(break_down)
        with pytest.raises(ValueError, match="a bug"):
            broken.result(10)
        asyncio.run(open_attempt(ledger, attempt("p1")))
        assert ledger_bench.query("SELECT exit_code FROM run") == [(None,)]


def test_a_server_that_lost_the_last_commits_of_a_run_gets_no_more(ledger_bench, attempt, run_record):
    """A standby that was behind has taken over; the ledger that it holds lacks an attempt that was sent."""
    with ledger_bench.open_empty() as ledger:
        ledger.begin_run(run_record("r1"))
        asyncio.run(open_attempt(ledger, attempt("p1")))
        ledger_bench.query("DELETE FROM event WHERE op = 'attempt'; DELETE FROM attempt")
        for person in ("p1", "p2"):
            with pytest.raises(LedgerError, match="has lost commits") as refused:
                asyncio.run(open_attempt(ledger, attempt(person)))
            assert refused.value.exit_code == 74
        assert ledger_bench.query("SELECT count(*) FROM attempt") == [(0,)]


def test_what_a_database_sets_for_its_sessions_does_not_count(
    postgres_server, attempt, run_record, monkeypatch
):
    monkeypatch.setenv("PGCLIENTENCODING", "GBK")
    url = postgres_server.make_database()
    name = url.rpartition("/")[2]
    with postgres_server.connect() as admin:
        for setting in (
            "default_transaction_isolation = 'serializable'",
            "default_transaction_read_only = on",
            "extra_float_digits = 0",
            "statement_timeout = 5000",  # milliseconds
        ):
            admin.execute(f"ALTER DATABASE {name} SET {setting}".encode())
    with closing(connection.open_connection(ServerAddress(url), purpose="test", patience=7.0)) as opened:
        assert opened.execute("SELECT current_setting('statement_timeout')").fetchone() == ("7s",)
    with open_for_writing(ServerAddress(url)) as ledger:
        ledger.begin_run(run_record("r1", started=1_795_000_000.123456))
        asyncio.run(open_attempt(ledger, attempt("p1"), name="𠮷田😀"))
        assert ledger.snapshot().people["p1"].name == "𠮷田😀"
        assert ledger.get_run("r1").started == 1_795_000_000.123456


def test_text_with_a_nul_character_is_held(ledger_bench, attempt, run_record):
    """SQLite takes it, PostgreSQL does not: an answer of the service may contain one."""
    with ledger_bench.open_empty() as ledger:
        ledger.begin_run(run_record("r1"))
        first = attempt("p1")
        asyncio.run(settle_attempt(ledger, first, replace(UNKNOWN, code="a\0b"), now=2.0))
        assert ledger.snapshot().people["p1"].unresolved_attempt.code == "a␀b"
