"""Ledgers on a PostgreSQL server of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from pipeline.ledger.postgres.address import ServerAddress, name_schema
from pipeline.ledger.postgres.lease import Lease
from pipeline.ledger.postgres.ledger import PostgresLedger
from pipeline.ledger.postgres.opening import open_server_ledger
from pipeline.ledger.postgres.writer import PostgresWriter

SECRET = "an operator's secret of the tests"
TENANT = "sandbox/app/org"
NOW = 1_795_000_000.0
_numbers = count(1)


@contextmanager
def open_for_writing(
    address: ServerAddress, tenant: str = TENANT, *, run: str = "r0", **options
) -> Iterator[PostgresLedger]:
    """Hold the lease and the ledger of a tenant."""
    with Lease(address, tenant).acquire(run=run, now=NOW) as lease:
        ledger, _ = open_server_ledger(address, tenant, now=NOW, secret=SECRET, lease=lease, **options)
        try:
            yield ledger
        finally:
            ledger.close()


class LedgerBench:
    """One ledger of a server for many tests, emptied before each: making its tables costs more than most tests."""

    def __init__(self, server) -> None:
        self._address = ServerAddress(server.make_url())
        tenant = f"sandbox/app/org{next(_numbers)}"
        self._schema = name_schema(tenant)
        self._lease = Lease(self._address, tenant).acquire(run="r0", now=NOW)
        ledger, self._site_key = open_server_ledger(
            self._address, tenant, now=NOW, secret=SECRET, lease=self._lease
        )
        ledger.close()
        self._connection = server.connect()
        tables = self._connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s", [self._schema]
        )
        kept = {"meta", "site_key", "schema_version", "last_commit"}
        self._emptying = (
            "SET session_replication_role = replica;"  # no trigger, no reference
            + "".join(f"DELETE FROM {self._schema}.{name};" for (name,) in tables if name not in kept)
            + f"UPDATE {self._schema}.meta SET receipts_n = DEFAULT, receipts_sha256 = DEFAULT, receipts_size = DEFAULT"
        )

    @contextmanager
    def open_empty(self) -> Iterator[PostgresLedger]:
        """Hold the ledger, with nothing in it, and a writer of its own."""
        self._connection.execute(self._emptying.encode())
        writer = PostgresWriter(self._address, self._schema, self._lease, None)
        ledger = PostgresLedger(self._address, self._schema, digest=self._site_key.digest, writer=writer)
        try:
            yield ledger
        finally:
            ledger.close()

    def close(self) -> None:
        """End its connections."""
        self._lease.release()
        self._connection.close()
