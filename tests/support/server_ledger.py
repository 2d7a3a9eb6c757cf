"""Ledgers on a PostgreSQL server of the tests' own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.hosts.hold import ServerHold
from pipeline.hosts.ledger import LedgerSchema, PostgresLedger
from pipeline.ledger.journal import SUFFIX, get_tenant_folder
from pipeline.ledger.places import Places

SECRET = "an operator's secret of the tests"
TENANT = "sandbox/app/org"
NOW = 1_795_000_000.0
_numbers = count(1)
_folder = TemporaryDirectory(dir=os.environ.get("PYTEST_DEBUG_TEMPROOT"), prefix="journals-")


def make_places(address: ServerAddress, tenant: str = TENANT, *, host: str = "one") -> Places:
    """Return where the journals of a tenant lie: a state folder of a host, and the share of all hosts of a database."""
    folder = Path(_folder.name) / hashlib.sha256(address.url.encode()).hexdigest()[:16]
    return Places(tenant, folder / host, folder / "out" / ".ledger")


def make_store(
    address: ServerAddress, tenant: str = TENANT, *, host: str = "one", secret: str = SECRET
) -> LedgerSchema:
    """Return the place of a tenant's ledger as a host sees it."""
    return LedgerSchema(address, make_places(address, tenant, host=host), secret)


@contextmanager
def open_for_writing(
    address: ServerAddress, tenant: str = TENANT, *, run: str = "r0", host: str = "one"
) -> Iterator[PostgresLedger]:
    """Hold and open the ledger of a tenant."""
    store = make_store(address, tenant, host=host)
    with store.hold.acquire(run=run, now=NOW), closing(store.open_for_writing(now=NOW)) as ledger:
        yield ledger


def open_for_reading(
    address: ServerAddress, tenant: str = TENANT, *, secret: str = SECRET
) -> closing[PostgresLedger]:
    """Open the ledger of a tenant; nothing is changed."""
    return closing(make_store(address, tenant, secret=secret).open_for_reading())


class LedgerBench:
    """One ledger of a server for many tests, emptied before each: making its tables costs more than most tests."""

    def __init__(self, server) -> None:
        self.server = server
        self.tenant = f"sandbox/app/org{next(_numbers)}"
        self.address = ServerAddress(server.make_url())
        self.schema = name_schema(self.tenant)
        self.places = make_places(self.address, self.tenant)
        self.store = make_store(self.address, self.tenant)
        with open_for_writing(self.address, self.tenant) as ledger:
            self.site_key = ledger.site_key
        self._connection = server.connect()
        tables = self.query("SELECT tablename FROM pg_tables WHERE schemaname = %s", self.schema)
        self._emptying = "".join(f"DELETE FROM {name};" for (name,) in tables if name != "meta")

    @property
    def hold(self) -> ServerHold:
        """The hold that its ledger is written under."""
        return self.store.hold

    @contextmanager
    def open_empty(self, *, port: int | None = None) -> Iterator[PostgresLedger]:
        """Hold the ledger, with nothing in it but its opening; ``port`` is that of a wire before the server."""
        self.query(self._emptying)
        folder = get_tenant_folder(self.places.state, self.tenant).name
        for path in self.places.state.parent.rglob(f"{folder}/*{SUFFIX}"):  # of all hosts
            path.unlink()
        self.store = LedgerSchema(ServerAddress(self.server.make_url(port=port)), self.places, SECRET)
        with self.hold.acquire(run="r0", now=NOW), closing(self.store.open_for_writing(now=NOW)) as ledger:
            yield ledger

    def end_sessions(self) -> None:
        """End the sessions that hold the ledger, as the server does once they are silent; wait until they are gone."""
        self.query(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory' "
            "AND (classid::bigint << 32) | objid::bigint = hashtextextended(%s, 0)",
            self.schema,
        )

    def make_other_store(self) -> LedgerSchema:
        """Return the ledger as another host sees it."""
        return make_store(self.address, self.tenant, host="two")

    def open_reader(self) -> closing[PostgresLedger]:
        """Open the ledger for reading."""
        return open_for_reading(self.address, self.tenant)

    def query(self, statement: str, *values) -> list[tuple]:
        """Ask the server, or change something, behind the ledger's back; names are those of the ledger's tables."""
        self._connection.execute(f"SET search_path = {self.schema}, esign_import".encode())
        cursor = self._connection.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []

    def reconnect(self) -> None:
        """Ask again after the server was stopped or killed."""
        self._connection.close()
        self._connection = self.server.connect()

    def close(self) -> None:
        """End its connection."""
        self._connection.close()
