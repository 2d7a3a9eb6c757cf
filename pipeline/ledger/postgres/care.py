"""Care of a ledger on a server: its check, the removal of a person's data, and what `doctor` asks of the server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql

from pipeline.ledger import receipt_sync
from pipeline.ledger.database import Connection
from pipeline.ledger.maintenance import LedgerCheck, LedgerDefect, compare_with_receipts, count_ledger
from pipeline.ledger.postgres import schema
from pipeline.ledger.postgres.address import ServerAddress, name_schema
from pipeline.ledger.postgres.connection import (
    SHARED_SCHEMA,
    PostgresConnection,
    explain_server_error,
    open_connection,
    require_durable_commits,
    use_schemas,
)
from pipeline.ledger.postgres.lease import Lease
from pipeline.ledger.postgres.opening import open_server_ledger
from pipeline.ledger.postgres.receipt_rows import write_all_receipts
from pipeline.ledger.postgres.writer import PostgresWriter
from pipeline.ledger.purge import PersonTraces, erase_records
from pipeline.ledger.receipts import FILE_NAME, Fact
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
    "row_seen", "row_line", "person", "seal_name", "attempt", "seal", "decision", "file_stat", "receipt",
)  # fmt: skip


class ServerFacts(NamedTuple):
    """What is worth knowing of a server that can be used."""

    schema: str  # of the ledger
    version: str
    synchronous_commit: str
    clock_ahead: float  # seconds by which the server's clock is before this machine's


class Holder(NamedTuple):
    """Who holds the lease of a ledger."""

    run: str
    since: float  # unix seconds
    pid: int
    name: str  # of the user
    host: str


def check_server_ledger(address: ServerAddress, tenant: str, *, secret: str) -> LedgerCheck:
    """Return the defects of a ledger on a server, its key and its receipts, and how much was read.

    Raises LedgerError or UsageError for a ledger that cannot even be opened.
    """
    ledger, _ = open_server_ledger(address, tenant, now=0, secret=secret)
    ledger.close()
    name = name_schema(tenant)
    try:
        with closing(open_connection(address, purpose="check", patience=LONG_SECONDS)) as raw:
            use_schemas(raw, name, SHARED_SCHEMA)
            raw.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection = PostgresConnection(raw)
            defects = [*_find_missing_guards(raw, name), *_compare_with_receipts(connection)]
            return LedgerCheck(tuple(defects), receipt_sync.read_mark(connection).n, count_ledger(connection))
    except psycopg.Error as error:
        raise explain_server_error(address, error) from error


def _find_missing_guards(raw: psycopg.Connection, name: str) -> Iterator[LedgerDefect]:
    """Yield the constraints, indexes and triggers that a ledger needs and that are not there, or not in force."""
    present = {str(guard) for (guard,) in raw.execute(_GUARDS, {"schema": name})}
    yield from (LedgerDefect("ledger", guard) for guard in sorted(schema.GUARDS - present))


def _compare_with_receipts(connection: PostgresConnection) -> Iterator[LedgerDefect]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / FILE_NAME
        with file.open("wb") as lines, connection.raw.cursor(name="receipts") as cursor:
            cursor.execute("SELECT line FROM receipt ORDER BY n")
            lines.writelines(line.encode() for (line,) in cursor)
        yield from compare_with_receipts(connection, file)


def erase_person(
    address: ServerAddress, tenant: str, traces: PersonTraces, *, lease: Lease, now: float, who: str
) -> None:
    """Remove a person's data from the ledger and its receipts, in one transaction of the lease's holder.

    Afterwards the tables are written anew, so that no old version of a row remains in them. Raises LedgerError.
    """
    name = name_schema(tenant)

    def erase(connection: Connection) -> Sequence[Fact]:
        connection.execute("SET CONSTRAINTS ALL DEFERRED")
        erase_records(connection, traces, now=now, who=who)
        hit_failpoint("purge: before the receipts")
        write_all_receipts(connection)
        return ()

    with closing(PostgresWriter(address, name, lease, None)) as writer:
        writer.submit(erase).result()
    hit_failpoint("purge: after the commit")
    try:
        with closing(open_connection(address, purpose="purge", patience=LONG_SECONDS)) as raw:
            for table in _TABLES_OF_A_PERSON:
                raw.execute(sql.SQL("VACUUM FULL {}.{}").format(*map(sql.Identifier, (name, table))))
    except psycopg.Error as error:
        raise explain_server_error(address, error) from error


def examine_server(address: ServerAddress, tenant: str, *, now: float) -> ServerFacts:
    """Return facts about a server; LedgerError for one that cannot be used, or may lose commits."""
    name = name_schema(tenant)
    try:
        with closing(open_connection(address, purpose="doctor")) as raw:
            require_durable_commits(raw, address)
            row = raw.execute(
                "SELECT current_setting('server_version'), current_setting('synchronous_commit'), "
                "extract(epoch FROM clock_timestamp())::float8"
            ).fetchone()
    except psycopg.Error as error:
        raise explain_server_error(address, error) from error
    assert row is not None
    return ServerFacts(name, row[0], row[1], row[2] - now)


def find_holder(address: ServerAddress, tenant: str) -> Holder | None:
    """Return who holds the lease of a tenant's ledger, or held it when it was last renewed in time."""
    try:
        with closing(open_connection(address, purpose="doctor")) as raw:
            row = raw.execute(
                "SELECT run, since, pid, holder, host FROM esign_import.lease "
                "WHERE ledger = %s AND expires_at >= clock_timestamp()",
                [name_schema(tenant)],
            ).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    except psycopg.Error as error:
        raise explain_server_error(address, error) from error
    return Holder(*row) if row else None
