"""What the opening of a ledger on a server repairs from the journals, and what it refuses."""

from __future__ import annotations

import asyncio
from contextlib import closing

import pytest
from ledger_support import open_attempt, send
from server_ledger import NOW, TENANT, make_places, make_store, open_for_reading, open_for_writing

from pipeline.domain.seals import Verdict
from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.errors import HoldLost, LedgerError
from pipeline.ledger.events import Event
from pipeline.ledger.journal import get_tenant_folder
from pipeline.support.failpoints import enable_failpoint

SEALED = Verdict("sealed", seal_id="S1", request_id="q", http_status=200)


@pytest.fixture
def address(postgres_server) -> ServerAddress:
    return ServerAddress(postgres_server.make_database())


@pytest.fixture
def admin(postgres_server, address):
    with postgres_server.connect(address.url.rpartition("/")[2]) as connection:
        yield connection


@pytest.fixture
def used(address, attempt, run_record) -> ServerAddress:
    """A database whose ledger has a seal."""
    with open_for_writing(address) as ledger:
        ledger.begin_run(run_record("r1"))
        send(ledger, attempt("p1"), SEALED)
    return address


def test_a_ledger_that_is_gone_is_made_again_from_the_journals(used, admin):
    admin.execute(f"DROP SCHEMA {name_schema(TENANT)} CASCADE".encode())
    assert make_store(used).is_behind()
    assert not make_store(used).exists()
    with open_for_writing(used) as ledger:
        assert [event.op for event in ledger.repair.entered] == ["run", "attempt", "verdict"]
        assert ledger.snapshot().people["p1"].seal.seal_id == "S1"
    assert not make_store(used).is_behind()


def test_a_ledger_that_is_gone_is_made_again_by_another_host(used, admin):
    """The operator's secret makes its key there as well."""
    admin.execute(f"DROP SCHEMA {name_schema(TENANT)} CASCADE".encode())
    with open_for_writing(used, host="two") as ledger:
        assert ledger.snapshot().people["p1"].seal.seal_id == "S1"


def test_a_loaded_ledger_that_is_gone_is_not_begun_anew_by_a_host_without_its_key(
    address, admin, attempt, run_record
):
    """The share holds journals, and their key is in the state folder of another host."""
    places = make_places(address)
    places.keep_key(places.key_copy, bytes(range(32)))
    with open_for_writing(address) as ledger:
        ledger.begin_run(run_record("r1"))
        send(ledger, attempt("p1"), SEALED)
    admin.execute(f"DROP SCHEMA {name_schema(TENANT)} CASCADE".encode())
    with pytest.raises(LedgerError) as refused, open_for_writing(address, host="two"):
        pass
    assert (refused.value.key, refused.value.exit_code) == ("ledger.journal_other_key", 74)
    assert not make_store(address).exists()
    for host in ("one", "two"):
        with open_for_writing(address, host=host) as ledger:
            assert ledger.snapshot().people["p1"].seal.seal_id == "S1"


def test_another_host_enters_what_the_share_alone_holds(used, admin):
    """The database lacks the last answer, and the host that got it is gone."""
    schema = name_schema(TENANT)
    admin.execute(f"DELETE FROM {schema}.event WHERE op = 'verdict'".encode())
    admin.execute(f"UPDATE {schema}.attempt SET state = 'open', verdict = NULL, seal_id = NULL".encode())
    admin.execute(f"DELETE FROM {schema}.journal".encode())
    with open_for_reading(used) as ledger:
        assert ledger.snapshot().people["p1"].seal is None
    with open_for_writing(used, host="two") as ledger:
        assert [event.op for event in ledger.repair.entered] == ["verdict"]
        assert ledger.snapshot().people["p1"].seal.seal_id == "S1"


def test_a_share_that_cannot_be_written_stops_the_opening(address):
    places = make_places(address)
    places.share.parent.mkdir(parents=True)
    places.share.write_text("a file in the place of the folder")
    with pytest.raises(LedgerError) as refused, open_for_writing(address):
        pass
    assert refused.value.exit_code == 74
    assert not make_store(address).exists(), "nothing was committed"


def test_a_place_that_fails_in_a_run_stops_it_before_the_next_create(used, attempt, run_record):
    """Nothing durable, nothing sent; the answer that is under way goes to the place that is left."""
    with open_for_writing(used) as ledger:
        ledger.begin_run(run_record("r2"))
        first = attempt("p2", run="r2")
        asyncio.run(open_attempt(ledger, first))
        places = make_places(used)
        folder = get_tenant_folder(places.share, TENANT)
        folder.rename(folder.with_name("away"))
        with pytest.raises(LedgerError) as refused:
            asyncio.run(open_attempt(ledger, attempt("p3", run="r2")))
        assert refused.value.exit_code == 74
        verdict = Verdict("sealed", seal_id="S2", request_id="q2", http_status=200)
        asyncio.run(ledger.record_verdict(first.uuid, "p2", verdict, now=2.0))
        folder.with_name("away").rename(folder)
        assert ledger.snapshot().people["p2"].seal.seal_id == "S2"
        assert "p3" not in ledger.snapshot().people
    with open_for_writing(used, host="two") as ledger:
        assert ledger.snapshot().people["p2"].seal.seal_id == "S2"


def test_a_create_whose_commit_failed_is_closed_in_the_journals(used, attempt, run_record):
    """Its byte has not left: the next opening knows that."""

    def fail(point: str) -> None:
        if point == "ledger: before the commit":
            raise OSError("refused")

    with open_for_writing(used) as ledger:
        ledger.begin_run(run_record("r2"))
        enable_failpoint(fail)
        try:
            with pytest.raises(LedgerError):
                asyncio.run(open_attempt(ledger, attempt("p2", run="r2")))
        finally:
            enable_failpoint(None)
        with pytest.raises(LedgerError):
            asyncio.run(open_attempt(ledger, attempt("p3", run="r2")))
    with open_for_writing(used, host="two") as ledger:
        people = ledger.snapshot().people
        assert [one.state for one in people["p2"].attempts] == ["not_executed"]
        assert "p3" not in people


def test_an_older_opening_on_the_share_ends_no_hold(used, attempt, run_record):
    """Hosts take turns; each has opened the ledger before the other one."""
    for number, host in enumerate(("two", "one", "two"), start=2):
        with open_for_writing(used, host=host) as ledger:
            ledger.begin_run(run_record(f"r{number}"))
            asyncio.run(open_attempt(ledger, attempt(f"p{number}", run=f"r{number}")))
    with open_for_reading(used) as ledger:
        assert set(ledger.snapshot().people) == {"p1", "p2", "p3", "p4"}


def test_the_opening_itself_is_refused_where_another_host_opened_meanwhile(used, run_record):
    """Both servers answered from the start: the one that wrote its line first sees the other's when it reads again."""
    other = make_store(used, host="two")
    with open_for_writing(used) as ledger:
        journals = other.places.make_journals(ledger.site_key)
        known = ledger.count_events()
    file = journals.make_own_file("out")
    file.create()
    store = make_store(used)

    def open_elsewhere(point: str) -> None:
        if point == "journal: before the append":
            enable_failpoint(None)
            file.append([Event.make(known + 100, "opened", {"host": "two", "at": NOW})])

    enable_failpoint(open_elsewhere)
    try:
        with (
            store.hold.acquire(run="r3", now=NOW),
            pytest.raises(HoldLost, match="Host two"),
            closing(store.open_for_writing(now=NOW)),
        ):
            pass
    finally:
        enable_failpoint(None)
