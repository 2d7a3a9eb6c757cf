"""The lease of a ledger on a server: who may take it when, and what a process that lost it can still do."""

from __future__ import annotations

import asyncio
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import replace

import pytest
from ledger_support import decision, make_request, open_attempt, record_verdict, send
from postgres_server import run_server
from run_support import wait_until
from server_ledger import (
    NOW,
    SECRET,
    TENANT,
    LedgerBench,
    make_places,
    open_for_reading,
    open_for_writing,
)
from server_wire import ServerWire

from pipeline.domain.seals import Verdict
from pipeline.domain.server_address import ServerAddress
from pipeline.errors import LeaseLost, LedgerError, Locked
from pipeline.hosts import connection, lease
from pipeline.hosts.lease import Lease
from pipeline.hosts.schema import lock_shared_schema
from pipeline.hosts.server_store import ServerStore
from pipeline.ledger.creates import build_attempt_args
from pipeline.ledger.purge import PersonTraces
from pipeline.ledger.records import LedgerConflict


@pytest.fixture
def bench(ledger_bench):
    """The shared ledger, with its own lease also after a test that took it over."""
    ledger_bench.restore_lease()
    yield ledger_bench
    ledger_bench.restore_lease()


def take_over(bench: LedgerBench) -> Lease:
    """Take the bench's lease as another process does once it has run out; its holder has not noticed yet."""
    bench.query(
        "UPDATE lease SET expires_at = clock_timestamp() - interval '1 s' WHERE ledger = %s", bench.schema
    )
    return Lease(bench.address, bench.tenant, SECRET).acquire(run="r9", now=NOW)


def end_connections(bench: LedgerBench, purpose: str) -> None:
    """End this program's connections of a purpose, as the server's administrator can; wait until they are gone.

    The server ends a connection, and gives back its locks, some time after it was asked to.
    """
    name = f"esign-import {purpose}"
    ended = [
        pid
        for (pid,) in bench.query("SELECT pid FROM pg_stat_activity WHERE application_name = %s", name)
        if bench.query("SELECT pg_terminate_backend(%s)", pid) == [(True,)]
    ]
    wait_until(lambda: not bench.query("SELECT 1 FROM pg_stat_activity WHERE pid = ANY(%s)", ended))


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
            taking = thread.submit(Lease(address, TENANT, SECRET).acquire, run="r1", now=NOW)
            waiting = (  # longer than it waits for another lock
                "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '%lease'"
                f" AND clock_timestamp() - xact_start > interval '{lease.LOCK_SECONDS + 1} s'"
            )
            wait_until(lambda: taking.done() or watcher.execute(waiting).fetchall())
            assert not taking.done(), taking.exception()
        taking.result().release()


def test_a_held_lease_is_refused_with_its_holder(bench):
    for _ in range(2):
        with pytest.raises(Locked, match=f"r0.*process {os.getpid()}"):
            Lease(bench.address, bench.tenant, SECRET).acquire(run="r1", now=NOW)
    assert Lease(bench.address, bench.tenant, SECRET).get_holder()
    assert bench.lease.is_intact()


def test_the_clock_of_the_host_does_not_count(bench):
    """Ten minutes ahead or behind: the server's clock alone decides."""
    for offset in (-600, 600):
        with pytest.raises(Locked):
            Lease(bench.address, bench.tenant, SECRET).acquire(run="r1", now=NOW + offset)


def test_who_lost_the_lease_enters_nothing_and_the_next_holder_goes_on(bench, attempt, run_record):
    with bench.open_empty() as ledger:
        ledger.begin_run(run_record("r1"))
        asyncio.run(open_attempt(ledger, attempt("p1")))
        with take_over(bench):
            with pytest.raises(LeaseLost) as lost:
                asyncio.run(open_attempt(ledger, attempt("p2")))
            assert lost.value.exit_code == 6
            with pytest.raises(LeaseLost):
                ledger.begin_run(run_record("r2"))
            assert set(ledger.snapshot().people) == {"p1"}
            assert ledger.get_run("r2") is None


def open_elsewhere(bench: LedgerBench):
    """Open the ledger on another host, once its lease is free."""
    return open_for_writing(bench.address, bench.tenant, host="two")


@pytest.mark.parametrize("is_taken_over", [False, True], ids=["before the next holder opened", "after"])
@pytest.mark.parametrize("is_cancelled", [False, True], ids=["", "its caller was cancelled"])
def test_an_answer_after_the_lease_was_lost_is_kept(bench, attempt, run_record, is_taken_over, is_cancelled):
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
        taken = take_over(bench)
        taken.release()
        if is_taken_over:
            with open_elsewhere(bench) as later:
                assert later.snapshot().people["p1"].unresolved_attempt.uuid == first.uuid
        with pytest.raises(asyncio.CancelledError) if is_cancelled else nullcontext():
            asyncio.run(answer())
        with pytest.raises(LeaseLost):
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
        take_over(bench).release()
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
        store = ServerStore(ServerAddress(following), replace(places, state=tmp_path / "two"), SECRET)
        with store.hold.acquire(run="r3", now=NOW), closing(store.open(now=NOW)) as other:
            assert len(other.repair.entered) == 2
            with pytest.raises(LedgerConflict, match="open_attempt"):
                asyncio.run(open_attempt(other, attempt("p1")))
            with pytest.raises(LeaseLost, match="opened the ledger"):
                asyncio.run(open_attempt(ledger, attempt("p2")))
            verdict = Verdict("sealed", seal_id="S1", request_id="q", http_status=200)
            asyncio.run(record_verdict(ledger, sent, verdict, now=2.0))
            asyncio.run(open_attempt(other, attempt("p2")))
    again = ServerStore(ServerAddress(following), replace(places, state=tmp_path / "two"), SECRET)
    with again.hold.acquire(run="r4", now=NOW), closing(again.open(now=NOW)) as other:
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
        store = ServerStore(ServerAddress(following), places, SECRET)
        with store.hold.acquire(run="r3", now=NOW), closing(store.open(now=NOW)) as other:
            asyncio.run(open_attempt(other, attempt("p1")))
            files = set(places.share.rglob("*.jsonl"))
            with pytest.raises(LeaseLost, match="opened the ledger"):
                ledger.purge_person(traces, now=NOW, who="it")
            assert set(places.share.rglob("*.jsonl")) == files


def test_two_processes_of_one_host_do_not_write_one_journal(bench):
    """The lease has run out, and its holder was stopped: only another host may go on."""
    take_over(bench).release()
    with (
        pytest.raises(Locked, match="r0"),
        open_for_writing(bench.address, bench.tenant),
    ):
        pass


def test_a_lease_whose_connection_has_ended_is_free_at_once(bench, monkeypatch):
    """After kill -9 the next run need not wait until the lease has run out."""
    monkeypatch.setattr(bench.lease, "_renew", lambda: False)
    end_connections(bench, "lease")
    wait_until(lambda: not Lease(bench.address, bench.tenant, SECRET).get_holder())
    with Lease(bench.address, bench.tenant, SECRET).acquire(run="r1", now=NOW) as taken:
        assert taken.epoch > bench.lease.epoch
        monkeypatch.undo()
        bench.lease.renew_soon()
        wait_until(lambda: not bench.lease.is_intact())


def test_a_lease_whose_connection_broke_is_held_again(bench):
    for _ in range(3):
        end_connections(bench, "lease")
        bench.lease.renew_soon()
        wait_until(lambda: Lease(bench.address, bench.tenant, SECRET).get_holder())
        with pytest.raises(Locked):
            Lease(bench.address, bench.tenant, SECRET).acquire(run="r1", now=NOW)
    assert bench.lease.is_intact()


def test_a_lease_gets_its_advisory_lock_back_from_a_connection_that_the_server_still_holds(
    bench, monkeypatch
):
    """After a partition the server keeps the former connection, and with it the lock, until TCP gives it up."""
    monkeypatch.setattr(lease, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(connection, "_MARGIN_SECONDS", 0.1)
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 2)
    tenant = f"{bench.tenant}-partitioned"
    with ServerWire(bench.server.port) as wire:
        address = ServerAddress(bench.server.make_url(port=wire.own_port))
        with Lease(address, tenant, SECRET, seconds=4).acquire(run="r1", now=NOW) as held:
            cut_off = wire.links[0]
            wire.silence("lease")
            held.renew_soon()
            wait_until(lambda: held._connection.closed)
            wire.forget(cut_off)
            wire.heal()
            wait_until(lambda: held._connection is not None and not held._connection.closed, 10)
            wait_until(
                lambda: bench.query(
                    "SELECT 1 FROM lease WHERE tenant = %s AND expires_at > now() + interval '2 s'", tenant
                )
            )
            cut_off.cut()  # the server notices at last
            wait_until(lambda: Lease(bench.address, tenant, SECRET).get_holder())
            with pytest.raises(Locked):
                Lease(bench.address, tenant, SECRET).acquire(run="r2", now=NOW)


def test_a_long_transaction_does_not_keep_the_lease_from_being_renewed(bench, held, run_record):
    with bench.open_empty() as ledger:
        ledger.begin_run(run_record("r1"))
        question = "SELECT expires_at FROM lease WHERE ledger = %s"
        (before,) = bench.query(question, bench.schema)
        with held(ledger):
            bench.lease.renew_soon()
            wait_until(lambda: bench.query(question, bench.schema)[0] > before, 5)


def test_a_transaction_that_its_holder_does_not_end_is_ended_before_the_lease_is_taken(
    bench, held, attempt, run_record, monkeypatch
):
    """A process that was stopped in the middle of a transaction would hold the ledger for ever."""
    monkeypatch.setattr(lease, "LOCK_SECONDS", 0.2)
    with bench.open_empty() as ledger:
        ledger.begin_run(run_record("r1"))
        with held(ledger, ends_with=LeaseLost):
            args = build_attempt_args(attempt("p1"), make_request(attempt("p1")))
            entering = ledger._writer.submit(lambda _: [("attempt", args)])
            with take_over(bench):
                assert bench.query("SELECT count(*) FROM attempt") == [(0,)]
        with pytest.raises(LeaseLost):
            entering.result(10)
        assert bench.query("SELECT count(*) FROM attempt") == [(0,)]


def test_a_transaction_of_a_holder_whose_lease_has_not_run_out_is_left_alone(bench, held, run_record):
    with bench.open_empty() as ledger:
        ledger.begin_run(run_record("r1"))
        with held(ledger), pytest.raises(Locked):
            Lease(bench.address, bench.tenant, SECRET).acquire(run="r9", now=NOW)
        ledger.begin_run(run_record("r2"))


def test_an_epoch_that_a_server_lost_and_gave_out_again_does_not_let_an_earlier_holder_write(
    bench, attempt, run_record
):
    with bench.open_empty() as ledger:
        ledger.begin_run(run_record("r1"))
        bench.query("UPDATE lease SET epoch = epoch - 1, expires_at = NULL WHERE ledger = %s", bench.schema)
        with Lease(bench.address, bench.tenant, SECRET).acquire(run="r9", now=NOW) as taken:
            assert taken.epoch == bench.lease.epoch
            with pytest.raises(LeaseLost):
                asyncio.run(open_attempt(ledger, attempt("p1")))


def test_a_lease_is_released_in_bounded_time_although_the_server_is_silent(bench, monkeypatch):
    monkeypatch.setattr(lease, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(connection, "_MARGIN_SECONDS", 0.1)
    with ServerWire(bench.server.port) as wire:
        address = ServerAddress(bench.server.make_url(port=wire.own_port))
        held = Lease(address, f"{bench.tenant}-silent", SECRET).acquire(run="r1", now=NOW)
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
