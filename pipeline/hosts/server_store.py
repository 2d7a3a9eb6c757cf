"""A ledger on a PostgreSQL server, as a run and the commands use it: its lease, opening, check, and care."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql

from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.domain.site_key import SiteKey
from pipeline.errors import UsageError
from pipeline.hosts import schema
from pipeline.hosts.connection import (
    PostgresConnection,
    connect_server,
    require_durable_commits,
)
from pipeline.hosts.lease import Lease
from pipeline.hosts.ledger import (
    list_noted_ledgers,
    open_server_ledger,
    read_server_identity,
    require_no_lost_server_ledger,
)
from pipeline.hosts.load import FileLoad, LoadedLedger
from pipeline.hosts.operator_secret import require_same_secret
from pipeline.hosts.writer import PostgresWriter, write_all_receipts
from pipeline.ledger import receipt_sync
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.maintenance import LedgerCheck, LedgerDefect, compare_with_receipts, count_ledger
from pipeline.ledger.ownership import Ownership
from pipeline.ledger.progress import NotedLedger
from pipeline.ledger.protocol import Connection
from pipeline.ledger.purge import PersonTraces, erase_records
from pipeline.ledger.receipts import FILE_NAME, Fact
from pipeline.ledger.registry import TenantRegistry
from pipeline.support.failpoints import hit_failpoint

# what refuses a second seal, as the catalogue of the database names it; one that is missing or disabled guards nothing
_GUARDS = """
    SELECT conname FROM pg_constraint WHERE connamespace = %(schema)s::regnamespace AND convalidated
    UNION SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        WHERE relnamespace = %(schema)s::regnamespace AND indisvalid
    UNION SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE relnamespace = %(schema)s::regnamespace AND NOT tgisinternal AND tgenabled IN ('O', 'A')
"""
LONG_SECONDS = 3600.0  # for a statement that goes over a whole table
_TABLES_OF_A_PERSON = (
    "row_seen", "row_line", "person", "seal_name", "attempt", "seal", "decision", "file_stat", "bearer", "auto_sign",
    "receipt",
)  # fmt: skip


class ServerFacts(NamedTuple):
    """What is worth knowing of a server that can be used."""

    schema: str  # of the ledger
    version: str
    synchronous_commit: str
    clock_ahead: float  # seconds by which the server's clock is before this machine's


@dataclass(slots=True)
class ServerStore:
    """A ledger in a schema of a database, with its key and receipts; `FileStore` (file_store.py) describes the methods."""

    address: ServerAddress
    tenant: str
    secret: str = field(repr=False)
    hold: Lease = field(init=False)

    def __post_init__(self) -> None:
        self.hold = Lease(self.address, self.tenant, self.secret)

    def exists(self) -> bool:
        return read_server_identity(self.address, self.tenant, self.secret) is not None

    def get_ledger_trace(self) -> Path | None:
        return None  # its receipts are lost with it

    def examine_server(self, now: float) -> ServerFacts:
        with connect_server(self.address, purpose="doctor") as connection:
            require_durable_commits(connection, self.address)
            require_same_secret(connection, self.address, self.secret)
            row = connection.execute(
                "SELECT current_setting('server_version'), current_setting('synchronous_commit'), "
                "extract(epoch FROM clock_timestamp())::float8"
            ).fetchone()
        assert row is not None
        return ServerFacts(name_schema(self.tenant), row[0], row[1], row[2] - now)

    def open(
        self, *, now: float, readonly: bool = False, ownership: Ownership | None = None
    ) -> tuple[DatabaseLedger, SiteKey]:
        lease = None if readonly else self.hold
        return open_server_ledger(
            self.address, self.tenant, now=now, secret=self.secret, lease=lease, ownership=ownership
        )

    def list_noted_ledgers(self) -> list[NotedLedger]:
        """Return how far all ledgers of the database have got."""
        return list_noted_ledgers(self.address)

    def require_not_lost(self, ownership: Ownership) -> None:
        require_no_lost_server_ledger(self.address, ownership)

    def load(self, path: Path, ownership: Ownership, *, now: float) -> LoadedLedger:
        """Load the ledger of a file into this place, whose ``hold`` is acquired; see `FileLoad.load`."""
        load = FileLoad(path, self.address, self.tenant, self.secret, self.hold, ownership)
        return load.load(now=now)

    def check(self) -> LedgerCheck:
        ledger, _ = self.open(now=0, readonly=True)
        ledger.close()
        name = name_schema(self.tenant)
        with connect_server(self.address, purpose="check", schema=name, patience=LONG_SECONDS) as raw:
            raw.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection = PostgresConnection(raw)
            defects = [*_list_missing_guards(raw, name), *_compare_with_receipts(connection)]
            return LedgerCheck(
                tuple(defects), receipt_sync.read_position(connection).n, count_ledger(connection)
            )

    def get_conflict(self, registry: TenantRegistry) -> UsageError | None:
        identity = read_server_identity(self.address, self.tenant, self.secret)
        return registry.get_conflict(self.address.shown, identity)

    def erase_person(self, traces: PersonTraces, *, now: float, who: str) -> None:
        """Remove a person's data from the ledger and its receipts, in one transaction of the lease's holder.

        Afterwards the tables are written anew, so that no old version of a row remains in them.
        """
        name = name_schema(self.tenant)

        def erase(connection: Connection) -> Sequence[Fact]:
            connection.execute("SET CONSTRAINTS ALL DEFERRED")
            erase_records(connection, traces, now=now, who=who)
            hit_failpoint("purge: before the receipts")
            write_all_receipts(connection)
            return ()

        with closing(PostgresWriter(self.address, name, self.hold, ())) as writer:
            writer.submit(erase).result()
        hit_failpoint("purge: after the commit")
        with connect_server(self.address, purpose="purge", patience=LONG_SECONDS) as connection:
            for table in _TABLES_OF_A_PERSON:
                connection.execute(sql.SQL("VACUUM FULL {}.{}").format(*map(sql.Identifier, (name, table))))


def _list_missing_guards(connection: psycopg.Connection, name: str) -> Iterator[LedgerDefect]:
    """Yield the constraints, indexes and triggers that a ledger needs and that are not there, or not in force."""
    present = {str(guard) for (guard,) in connection.execute(_GUARDS, {"schema": name})}
    yield from (LedgerDefect("ledger", guard) for guard in sorted(schema.GUARDS - present))


def _compare_with_receipts(connection: PostgresConnection) -> Iterator[LedgerDefect]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / FILE_NAME
        with file.open("wb") as lines, connection.raw.cursor(name="receipts") as cursor:
            cursor.execute("SELECT line FROM receipt ORDER BY n")
            lines.writelines(line.encode() for (line,) in cursor)
        yield from compare_with_receipts(connection, file)
