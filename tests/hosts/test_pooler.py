"""A pooler between the program and PostgreSQL is recognised before a statement that sets or writes something."""

from contextlib import closing

import pytest
from pooler import run_pgbouncer, run_plain_pooler
from server_ledger import NOW, SECRET, make_store, open_for_writing

from pipeline.clock import SystemClock
from pipeline.domain.roster import FileStat
from pipeline.domain.server_address import ServerAddress
from pipeline.errors import Locked, UsageError
from pipeline.hosts.connection import open_connection
from pipeline.hosts.queue import JobConnector, open_queue


@pytest.fixture
def url(postgres_server):
    return postgres_server.make_database()


def replace_port(postgres_server, url, port):
    return ServerAddress(url.replace(f":{postgres_server.port}/", f":{port}/"))


def list_schemas(postgres_server, url):
    with postgres_server.connect(url.rpartition("/")[2]) as connection:
        return connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'esign%'").fetchall()


async def test_pgbouncer_is_refused_where_transactions_share_sessions(postgres_server, url):
    with run_pgbouncer(postgres_server, "transaction") as port:
        pooled = replace_port(postgres_server, url, port)
        for _ in range(2):
            with pytest.raises(UsageError, match="PgBouncer"):
                open_connection(pooled, purpose="test")
        with pytest.raises(UsageError, match="PgBouncer"):
            make_store(pooled).hold.acquire(run="r1", now=NOW)
        connector = JobConnector(pooled, SECRET, SystemClock(), patience=5, connections=3)
        with pytest.raises(UsageError, match="PgBouncer"):
            async with open_queue(connector):
                pass
    assert list_schemas(postgres_server, url) == []


def test_pgbouncer_is_used_where_each_client_has_a_session(postgres_server, url):
    """The hold ends with its client there as well."""
    with run_pgbouncer(postgres_server, "session") as port:
        pooled = replace_port(postgres_server, url, port)
        with open_for_writing(pooled, run="r1") as ledger:
            ledger.record_files({"a.png": FileStat(1, 2, "a" * 64)})
            with pytest.raises(Locked, match="r1"):
                make_store(ServerAddress(url), host="two").hold.acquire(run="r2", now=NOW)
            assert len(ledger.list_known_files()) == 1
        with open_for_writing(ServerAddress(url), host="two") as ledger:
            assert len(ledger.list_known_files()) == 1


def test_a_pooler_that_shows_the_numbers_of_the_server_is_refused(postgres_server, url):
    with run_plain_pooler(postgres_server) as port:
        pooled = replace_port(postgres_server, url, port)
        for _ in range(2):
            with pytest.raises(UsageError, match="PgBouncer"):
                open_connection(pooled, purpose="test")


def test_the_server_itself_is_used(url):
    with closing(open_connection(ServerAddress(url), purpose="test", schema="x")) as connection:
        assert connection.execute("SHOW search_path").fetchone() == ("x, esign_import",)
