"""Ledgers on a PostgreSQL server of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count

from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.hosts.lease import Lease
from pipeline.hosts.ledger import PostgresLedger, open_server_ledger
from pipeline.hosts.writer import PostgresWriter

SECRET = "an operator's secret of the tests"
TENANT = "sandbox/app/org"
NOW = 1_795_000_000.0
_numbers = count(1)


@contextmanager
def open_for_writing(
    address: ServerAddress, tenant: str = TENANT, *, run: str = "r0", **options
) -> Iterator[PostgresLedger]:
    """Hold the lease and the ledger of a tenant."""
    with Lease(address, tenant, SECRET).acquire(run=run, now=NOW) as lease:
        ledger, _ = open_server_ledger(address, tenant, now=NOW, secret=SECRET, lease=lease, **options)
        try:
            yield ledger
        finally:
            ledger.close()


class LedgerBench:
    """One ledger of a server for many tests, emptied before each: making its tables costs more than most tests."""

    def __init__(self, server) -> None:
        self.server = server
        self.tenant = f"sandbox/app/org{next(_numbers)}"
        self.address = ServerAddress(server.make_url())
        self.schema = name_schema(self.tenant)
        self.lease = Lease(self.address, self.tenant, SECRET).acquire(run="r0", now=NOW)
        ledger, self.site_key = open_server_ledger(
            self.address, self.tenant, now=NOW, secret=SECRET, lease=self.lease
        )
        ledger.close()
        self._connection = server.connect()
        self._readers: list = []  # connections that the next ledger uses again: each costs as much as a short test
        tables = self._connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s", [self.schema]
        )
        kept = {"meta", "site_key", "schema_version", "last_commit"}
        self._emptying = (
            "SET session_replication_role = replica;"  # no trigger, no reference
            + "".join(f"DELETE FROM {self.schema}.{name};" for (name,) in tables if name not in kept)
            + f"UPDATE {self.schema}.meta SET receipts_n = DEFAULT, receipts_sha256 = DEFAULT, receipts_size = DEFAULT"
        )

    @contextmanager
    def open_empty(
        self, *, lease: Lease | None = None, counters=(), port: int | None = None, **options
    ) -> Iterator[PostgresLedger]:
        """Hold the ledger, with nothing in it, and a writer of its own; ``port`` is that of a wire before the server."""
        self.restore_lease()
        self._connection.execute(self._emptying.encode())
        address = ServerAddress(self.server.make_url(port=port))
        writer = PostgresWriter(address, self.schema, lease or self.lease, counters, **options)
        ledger = PostgresLedger(address, self.schema, site_key=self.site_key, writer=writer)
        readers = ledger._free_readers if port is None else []
        readers += self._readers
        self._readers = []
        try:
            yield ledger
        finally:
            self._readers = [*readers]
            readers.clear()
            ledger.close()

    def restore_lease(self) -> None:
        """Take the lease anew where a test before took it over, whether or not its holder has noticed."""
        tokens = self.query("SELECT token FROM lease WHERE ledger = %s", self.schema)
        if self.lease.is_intact() and tokens == [(self.lease.token,)]:
            return
        self.lease.release()
        self.query("UPDATE lease SET expires_at = NULL WHERE ledger = %s", self.schema)
        self.lease = Lease(self.address, self.tenant, SECRET).acquire(run="r0", now=NOW)

    def open_reader(self) -> closing[PostgresLedger]:
        """Open the ledger for reading."""
        return closing(PostgresLedger(self.address, self.schema, site_key=self.site_key))

    def query(self, statement: str, *values) -> list[tuple]:
        """Ask the server, or change something, behind the ledger's back; names are those of the ledger's tables."""
        self._connection.execute(f"SET search_path = {self.schema}, esign_import".encode())
        cursor = self._connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def reconnect(self) -> None:
        """Ask again after the server was stopped or killed."""
        self._connection.close()
        self._connection = self.server.connect()

    def close(self) -> None:
        """End its connections."""
        for reader in self._readers:
            reader.close()
        self.lease.release()
        self._connection.close()
