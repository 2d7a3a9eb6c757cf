"""Ledgers on a PostgreSQL server of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from pipeline.ledger.postgres.address import ServerAddress
from pipeline.ledger.postgres.lease import Lease
from pipeline.ledger.postgres.ledger import PostgresLedger
from pipeline.ledger.postgres.opening import open_server_ledger

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


@contextmanager
def open_new_ledger(server) -> Iterator[PostgresLedger]:
    """Hold a new ledger; the ledgers of one server lie in one database, each in a schema of its own."""
    with open_for_writing(ServerAddress(server.make_url()), f"sandbox/app/org{next(_numbers)}") as ledger:
        yield ledger
