"""A pooler between the program and PostgreSQL is recognised before a statement that sets or writes something."""

from contextlib import closing

import pytest
from pooler import run_pgbouncer, run_plain_pooler
from server_ledger import NOW, SECRET, TENANT

from pipeline.clock import SystemClock
from pipeline.domain.server_address import ServerAddress
from pipeline.errors import UsageError
from pipeline.hosts.connection import open_connection
from pipeline.hosts.lease import Lease
from pipeline.hosts.queue import JobConnector, open_queue


@pytest.fixture
def url(postgres_server):
    return postgres_server.make_database()


def replace_port(postgres_server, url, port):
    return ServerAddress(url.replace(f":{postgres_server.port}/", f":{port}/"))


def list_schemas(postgres_server, url):
    with postgres_server.connect(url.rpartition("/")[2]) as connection:
        return connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'esign%'").fetchall()


@pytest.mark.parametrize("mode", ["transaction", "session"])
async def test_pgbouncer_is_refused_in_every_mode(postgres_server, url, mode):
    with run_pgbouncer(postgres_server, mode) as port:
        pooled = replace_port(postgres_server, url, port)
        with pytest.raises(UsageError, match="PgBouncer"):
            open_connection(pooled, purpose="test")
        with pytest.raises(UsageError, match="PgBouncer"):
            Lease(pooled, TENANT, SECRET).acquire(run="r1", now=NOW)
        connector = JobConnector(pooled, SECRET, SystemClock(), patience=5, connections=3)
        with pytest.raises(UsageError, match="PgBouncer"):
            async with open_queue(connector):
                pass
    assert list_schemas(postgres_server, url) == []


def test_a_pooler_that_shows_the_numbers_of_the_server_is_refused(postgres_server, url):
    with run_plain_pooler(postgres_server) as port:
        pooled = replace_port(postgres_server, url, port)
        for _ in range(2):
            with pytest.raises(UsageError, match="PgBouncer"):
                open_connection(pooled, purpose="test")


def test_the_server_itself_is_used(url):
    with closing(open_connection(ServerAddress(url), purpose="test", schema="x")) as connection:
        assert connection.execute("SHOW search_path").fetchone() == ("x, esign_import",)
