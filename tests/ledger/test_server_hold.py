"""The hold of a ledger on a server: who may take it when, and what a process that lost it can still do."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace

import pytest
from ledger_support import decision, make_request, open_attempt, record_verdict, send
from postgres_server import run_server
from run_support import wait_until
from server_ledger import (
    NOW,
    SECRET,
    LedgerBench,
    make_places,
    make_store,
    open_for_reading,
    open_for_writing,
)
from server_wire import ServerWire

from pipeline.domain.seals import Verdict
from pipeline.domain.server_address import ServerAddress
from pipeline.errors import HoldLost, LedgerError, Locked
from pipeline.hosts import connection, hold, writer
from pipeline.hosts.ledger import LedgerSchema
from pipeline.hosts.schema import lock_shared_schema
from pipeline.ledger.creates import build_attempt_args
from pipeline.ledger.purge import PersonTraces
from pipeline.ledger.records import LedgerConflict
from pipeline.support.failpoints import enable_failpoint


@pytest.fixture
def bench(ledger_bench):
    """The ledger that the tests of this process share."""
    return ledger_bench


@contextmanager
def take_over(bench: LedgerBench):
    """Take the ledger on another host, once the server has ended its holder's session; the holder has not noticed yet."""
    bench.end_sessions()
    with bench.make_other_store().hold.acquire(run="r9", now=NOW) as taken:
        yield taken


def test_a_run_waits_while_others_make_what_all_hospitals_share(postgres_server):
    """Many runs may begin at the same moment."""
    address = ServerAddress(postgres_server.make_database())
    name = address.url.rpartition("/")[2]
    with (
        postgres_server.connect(name) as other,
        postgres_server.connect(name) as watcher,
        ThreadPoolExecutor(1) as thread,
    ):
        with other.transaction():
            lock_shared_schema(other)
            taking = thread.submit(make_store(address).hold.acquire, run="r1", now=NOW)
            waiting = (
                "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '%writer'"
                " AND clock_timestamp() - xact_start > interval '1 s'"
            )
            wait_until(lambda: taking.done() or watcher.execute(waiting).fetchall())
            assert not taking.done(), taking.exception()
        taking.result().release()


def test_a_held_ledger_is_refused_with_its_holder(bench):
    with bench.open_empty():
        for offset in (0, -600, 600):  # the clock of the host does not count
            with pytest.raises(Locked, match=f"r0.*process {os.getpid()}"):
                bench.make_other_store().hold.acquire(run="r1", now=NOW + offset)
        assert bench.make_other_store().hold.get_holder().run == "r0"
        assert bench.make_other_store().hold.is_taken()
        assert bench.hold.is_intact()
    assert not bench.make_other_store().hold.is_taken()
    assert bench.make_other_store().hold.get_holder() is None


def test_who_lost_the_hold_enters_nothing_and_the_next_holder_goes_on(bench, attempt, run_record):
    with bench.open_empty() as ledger:
        ledger.begin_run(run_record("r1"))
        asyncio.run(open_attempt(ledger, attempt("p1")))
        with take_over(bench):
            with pytest.raises(HoldLost) as lost:
                asyncio.run(open_attempt(ledger, attempt("p2")))
            assert lost.value.exit_code == 6
            with pytest.raises(HoldLost):
                ledger.begin_run(run_record("r2"))
            assert not bench.hold.is_intact()
            assert set(ledger.snapshot().people) == {"p1"}
            assert ledger.get_run("r2") is None


def test_who_lost_the_hold_and_finds_the_ledger_free_enters_nothing(bench, attempt, run_record):
    """The lock is there to be taken again; the epoch in the ledger is that of another process."""
    with bench.open_empty() as ledger:
        ledger.begin_run(run_record("r1"))
        with take_over(bench):
            pass
        with pytest.raises(HoldLost):
            asyncio.run(open_attempt(ledger, attempt("p1")))
        assert bench.query("SELECT count(*) FROM attempt") == [(0,)]


def open_elsewhere(bench: LedgerBench):
    """Open the ledger on another host, once it is free."""
    return open_for_writing(bench.address, bench.tenant, host="two")


@pytest.mark.parametrize("is_taken_over", [False, True], ids=["before the next holder opened", "after"])
@pytest.mark.parametrize("is_cancelled", [False, True], ids=["", "its caller was cancelled"])
def test_an_answer_after_the_hold_was_lost_is_kept(bench, attempt, run_record, is_taken_over, is_cancelled):
    """It stands in the journals; the next opening enters it."""

    async def answer() -> None:
        entering = asyncio.ensure_future(record_verdict(ledger, first, verdict, now=2.0))
        await asyncio.sleep(0)
        if is_cancelled:
            entering.cancel()
        await entering

    verdict = Verdict("sealed", seal_id="S1", request_id="q", http_status=200)
    with bench.open_empty() as ledger:
        ledger.begin_run(run_record("r1"))
        first = attempt("p1")
        asyncio.run(open_attempt(ledger, first))
        with take_over(bench):
            pass
        if is_taken_over:
            with open_elsewhere(bench) as later:
                assert later.snapshot().people["p1"].unresolved_attempt.uuid == first.uuid
        with pytest.raises(asyncio.CancelledError) if is_cancelled else nullcontext():
            asyncio.run(answer())
        with pytest.raises(HoldLost):
            ledger.begin_run(run_record("r2"))
        ledger.close()
        assert bench.query("SELECT state FROM attempt") == [("open",)]
        assert bench.make_other_store().is_behind()
        with open_elsewhere(bench) as later:
            assert later.snapshot().people["p1"].seal.seal_id == "S1"


def test_a_late_answer_counts_before_a_decision_that_was_taken_meanwhile(bench, attempt, run_record):
    """A clerk has named another seal: the create was answered before, and the decision is left without effect."""
    with bench.open_empty() as ledger:
        ledger.begin_run(run_record("r1"))
        first = attempt("p1")
        asyncio.run(open_attempt(ledger, first))
        with take_over(bench):
            pass
        with open_elsewhere(bench) as later:
            later.record_decision(decision("created", "p1", attempt=first.uuid, seal_id="S2"))
        verdict = Verdict("sealed", seal_id="S1", request_id="q", http_status=200)
        asyncio.run(record_verdict(ledger, first, verdict, now=2.0))
        ledger.close()
        with open_elsewhere(bench) as later:
            assert later.snapshot().people["p1"].seal.seal_id == "S1"
            assert [(one.seal_id, one.has_effect) for one in later.list_decisions()] == [("S2", False)]


def test_two_servers_that_both_answer_after_a_fail_over_give_one_create(
    tmp_path, postgres_server, attempt, run_record
):
    """The former server's holder finds the other opening on the share before its byte leaves; its answers are kept."""
    former = postgres_server.make_database()
    with open_for_writing(ServerAddress(former)) as ledger:
        ledger.begin_run(run_record("r1"))
    places = make_places(ServerAddress(former))
    following = postgres_server.make_database(former.rpartition("/")[2])  # a standby that was promoted
    with open_for_writing(ServerAddress(former)) as ledger:
        ledger.begin_run(run_record("r2"))
        sent = attempt("p1")
        asyncio.run(open_attempt(ledger, sent))
        store = LedgerSchema(ServerAddress(following), replace(places, state=tmp_path / "two"), SECRET)
        with store.hold.acquire(run="r3", now=NOW), closing(store.open_for_writing(now=NOW)) as other:
            assert len(other.repair.entered) == 2
            with pytest.raises(LedgerConflict, match="open_attempt"):
                asyncio.run(open_attempt(other, attempt("p1")))
            with pytest.raises(HoldLost, match="opened the ledger"):
                asyncio.run(open_attempt(ledger, attempt("p2")))
            verdict = Verdict("sealed", seal_id="S1", request_id="q", http_status=200)
            asyncio.run(record_verdict(ledger, sent, verdict, now=2.0))
            asyncio.run(open_attempt(other, attempt("p2")))
    again = LedgerSchema(ServerAddress(following), replace(places, state=tmp_path / "two"), SECRET)
    with again.hold.acquire(run="r4", now=NOW), closing(again.open_for_writing(now=NOW)) as other:
        people = other.snapshot().people
        assert people["p1"].seal.seal_id == "S1"
        assert [one.state for one in people["p2"].attempts] == ["not_executed", "open"]


def test_the_former_holder_purges_no_file_of_the_host_that_goes_on(
    tmp_path, postgres_server, attempt, run_record
):
    former = postgres_server.make_database()
    with open_for_writing(ServerAddress(former)) as ledger:
        ledger.begin_run(run_record("r1"))
    places = replace(make_places(ServerAddress(former)), state=tmp_path / "two")
    following = postgres_server.make_database(former.rpartition("/")[2])
    traces = PersonTraces(frozenset({"p9"}), frozenset(), frozenset())
    with open_for_writing(ServerAddress(former)) as ledger:
        store = LedgerSchema(ServerAddress(following), places, SECRET)
        with store.hold.acquire(run="r3", now=NOW), closing(store.open_for_writing(now=NOW)) as other:
            asyncio.run(open_attempt(other, attempt("p1")))
            files = set(places.share.rglob("*.jsonl"))
            with pytest.raises(HoldLost, match="opened the ledger"):
                ledger.purge_person(traces, now=NOW, who="it")
            assert set(places.share.rglob("*.jsonl")) == files


def test_two_processes_of_one_host_do_not_write_one_journal(bench):
    """The server has ended the session of a holder that was stopped: only another host may go on."""
    with bench.open_empty():
        bench.end_sessions()
        with pytest.raises(Locked, match="r0"), open_for_writing(bench.address, bench.tenant):
            pass


def test_a_connection_that_broke_is_replaced_and_the_hold_goes_on(bench, run_record):
    with bench.open_empty() as ledger:
        for number in range(3):
            bench.end_sessions()
            ledger.begin_run(run_record(f"r{number}"))
            with pytest.raises(Locked):
                bench.make_other_store().hold.acquire(run="r9", now=NOW)
        assert bench.hold.is_intact()


def test_a_holder_without_work_connects_again(bench, monkeypatch):
    monkeypatch.setattr(writer.PostgresWriter, "beat_seconds", 0.05)
    with bench.open_empty():
        bench.end_sessions()
        wait_until(bench.make_other_store().hold.is_taken)


def test_the_lock_is_got_back_from_a_connection_that_the_server_still_holds(
    bench, attempt, run_record, monkeypatch
):
    """After a partition the server keeps the former connection, and with it the lock, until TCP gives it up."""
    monkeypatch.setattr(hold, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(connection, "_MARGIN_SECONDS", 0.1)
    with (
        ServerWire(bench.server.port) as wire,
        bench.open_empty(port=wire.own_port) as ledger,
        ThreadPoolExecutor(1) as threads,
    ):
        ledger.begin_run(run_record("r1"))
        cut_off = next(link for link in wire.links if link.name == "writer")
        wire.silence("writer")
        writing = threads.submit(asyncio.run, open_attempt(ledger, attempt("p1")))
        wait_until(lambda: bench.hold.connection is None)
        wire.forget(cut_off)
        wire.heal()
        writing.result(30)
        assert bench.query("SELECT count(*) FROM attempt") == [(1,)]


@pytest.fixture
def short_silence(monkeypatch):
    """Let a session be ended after a second; a holder shows life as often as in a minute."""
    monkeypatch.setattr(hold, "SILENT_SECONDS", 1.0)


def test_a_silent_session_is_ended_by_the_server(bench, short_silence):
    """That of a process that was stopped between two statements, or in a transaction."""
    for statement in ("SELECT 1", "BEGIN"):
        with bench.open_empty(), closing(bench.hold.connection) as silent:
            silent.execute(statement.encode())
            bench.hold.connection = None  # nothing is sent on it any more
            wait_until(lambda: not bench.make_other_store().hold.is_taken())


@pytest.mark.parametrize("statement", ["SELECT 1", "BEGIN", "COPY event FROM STDIN"])
def test_who_wants_the_ledger_ends_a_silent_session(bench, monkeypatch, statement):
    """The server's own limits do not end one that was stopped while it sends or receives what a statement needs."""
    with bench.open_empty() as ledger:
        ledger.close()
        bench.hold.connection.pgconn.send_query(statement.encode())
        with pytest.raises(Locked):
            bench.make_other_store().hold.acquire(run="r9", now=NOW)
        monkeypatch.setattr(hold, "SILENT_SECONDS", 0.3)
        wait_until(lambda: can_be_taken(bench.make_other_store()))


def can_be_taken(store: LedgerSchema) -> bool:
    try:
        store.hold.acquire(run="r9", now=NOW).release()
    except Locked:
        return False
    return True


@pytest.mark.parametrize("point", ["journal: before the append", "journal: before the fsync"])
@pytest.mark.parametrize("is_new", [True, False], ids=["a new ledger", "a known one"])
def test_an_opening_that_is_stopped_is_taken_over(
    postgres_server, attempt, run_record, monkeypatch, point, is_new
):
    """It is in its transaction. Revived it commits nothing, and sends nothing."""
    address = ServerAddress(postgres_server.make_database())
    if not is_new:
        with open_for_writing(address) as ledger:
            ledger.begin_run(run_record("r1"))
    is_stopped, goes_on = threading.Event(), threading.Event()

    def stop(name: str) -> None:
        if name == point and not is_stopped.is_set():
            is_stopped.set()
            goes_on.wait(30)

    def open_ledger() -> None:
        with open_for_writing(address, host="one") as ledger:
            asyncio.run(open_attempt(ledger, attempt("p1")))

    enable_failpoint(stop)
    try:
        with ThreadPoolExecutor(1) as threads:
            opening = threads.submit(open_ledger)
            assert is_stopped.wait(10)
            monkeypatch.setattr(hold, "SILENT_SECONDS", 0.3)
            wait_until(lambda: can_be_taken(make_store(address, host="two")))
            with open_for_writing(address, host="two") as ledger:
                goes_on.set()
                with pytest.raises(LedgerError):
                    opening.result(30)
                assert ledger.snapshot().people == {}
    finally:
        enable_failpoint(None)
        goes_on.set()


def test_a_holder_that_writes_slowly_is_left_alone(bench, held, run_record):
    with bench.open_empty() as ledger:
        ledger.begin_run(run_record("r1"))
        with held(ledger), pytest.raises(Locked):
            bench.make_other_store().hold.acquire(run="r9", now=NOW)
        ledger.begin_run(run_record("r2"))


def test_a_transaction_whose_session_was_ended_enters_nothing(bench, held, attempt, run_record):
    """A process that was stopped in the middle of a transaction would hold the ledger for ever."""
    with bench.open_empty() as ledger:
        ledger.begin_run(run_record("r1"))
        with held(ledger, ends_with=HoldLost):
            args = build_attempt_args(attempt("p1"), make_request(attempt("p1")))
            entering = ledger._writer.submit(lambda _: [("attempt", args)])
            with take_over(bench):
                pass
        with pytest.raises(HoldLost):
            entering.result(10)
        assert bench.query("SELECT count(*) FROM attempt") == [(0,)]


def test_another_epoch_shuts_its_former_holder_out_although_the_lock_is_still_his(bench, attempt, run_record):
    """A pooler, or a server that was put back, may have given one lock to two."""
    with bench.open_empty() as ledger:
        ledger.begin_run(run_record("r1"))
        bench.query("UPDATE meta SET epoch = 'of another process'")
        with pytest.raises(HoldLost):
            asyncio.run(open_attempt(ledger, attempt("p1")))
        assert bench.query("SELECT count(*) FROM attempt") == [(0,)]


def test_a_hold_is_released_in_bounded_time_although_the_server_is_silent(bench):
    with ServerWire(bench.server.port) as wire:
        address = ServerAddress(bench.server.make_url(port=wire.own_port))
        held = make_store(address, f"{bench.tenant}-silent").hold.acquire(run="r1", now=NOW)
        wire.silence()
        held.release()


# -- servers that are refused


@pytest.mark.parametrize(
    "level",
    ["ALTER DATABASE {database} SET", "ALTER ROLE postgres IN DATABASE {database} SET", "the address"],
)
@pytest.mark.parametrize("value", ["off", "local", "remote_write"])
def test_a_server_that_may_lose_commits_is_refused(postgres_server, level, value):
    url = postgres_server.make_database()
    if level == "the address":
        url += f"?options=-csynchronous_commit%3D{value}"
    else:
        with postgres_server.connect() as admin:
            level = level.format(database=url.rpartition("/")[2])
            admin.execute(f"{level} synchronous_commit = {value}".encode())
    with (
        pytest.raises(LedgerError, match=f"synchronous_commit is {value}") as refused,
        open_for_writing(ServerAddress(url)),
    ):
        pass
    assert refused.value.exit_code == 74


def test_commits_that_a_standby_has_applied_are_enough(postgres_server):
    url = postgres_server.make_database() + "?options=-csynchronous_commit%3Dremote_apply"
    with open_for_writing(ServerAddress(url)):
        pass


def test_a_server_that_is_made_unsafe_during_a_run_gets_no_more(postgres_server, run_record):
    url = postgres_server.make_database()
    with open_for_writing(ServerAddress(url)) as ledger, postgres_server.connect() as admin:
        ledger.begin_run(run_record("r1"))
        admin.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = off".encode())
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'esign-import writer' AND datname = %s",
            [url.rpartition("/")[2]],
        )
        with pytest.raises(LedgerError, match="synchronous_commit is off"):
            ledger.begin_run(run_record("r2"))


def test_a_database_that_cannot_hold_every_name_is_refused(postgres_server):
    with postgres_server.connect() as admin:
        admin.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    with (
        pytest.raises(LedgerError, match=r"encoding of the database .* is LATIN1"),
        open_for_writing(ServerAddress(postgres_server.make_url("latin"))),
    ):
        pass


def test_a_database_without_what_all_hospitals_share_is_read_and_completed_by_a_run(postgres_server):
    address = ServerAddress(postgres_server.make_database())
    with open_for_writing(address):
        pass
    with postgres_server.connect(address.url.rpartition("/")[2]) as admin:
        admin.execute("DROP SCHEMA esign_import CASCADE")
    with open_for_reading(address):
        pass
    with open_for_writing(address), open_for_reading(address):
        pass


@pytest.mark.server
def test_copies_of_a_server_fsync_off_a_standby_and_an_older_backup(attempt, run_record):
    """What a server may become from one run to the next; an older database is completed from the journals."""
    with run_server() as server:
        address = ServerAddress(server.make_url())
        with open_for_writing(address) as ledger:
            ledger.begin_run(run_record("r1"))
            send(ledger, attempt("p1"), Verdict("sealed", seal_id="S1"))
        server.stop()
        backup = server.folder.with_name(f"{server.folder.name}-backup")
        shutil.copytree(server.folder, backup)
        try:
            server.start()
            with open_for_writing(address) as ledger:
                ledger.begin_run(run_record("r2"))
                send(ledger, attempt("p2"), Verdict("sealed", seal_id="S2"))
            server.stop()
            server.replace_data(backup)
        finally:
            shutil.rmtree(backup)
        server.start()
        with open_for_writing(address, host="two") as ledger:
            assert {key: one.seal.seal_id for key, one in ledger.snapshot().people.items()} == {
                "p1": "S1",
                "p2": "S2",
            }
            with pytest.raises(LedgerConflict, match="live_seal"):
                asyncio.run(open_attempt(ledger, attempt("p2")))
        server.stop()
        server.settings["fsync"] = "off"
        server.start()
        with pytest.raises(LedgerError, match="fsync is off"), open_for_writing(address):
            pass
        server.stop()
        server.settings["fsync"] = "on"
        server.become_standby()
        server.start()
        with pytest.raises(LedgerError, match="read-only standby") as refused, open_for_writing(address):
            pass
        assert refused.value.exit_code == 74
