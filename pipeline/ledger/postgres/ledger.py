"""The ledger of a tenant in a PostgreSQL database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg

from pipeline.domain.seals import Verdict
from pipeline.errors import LeaseLost
from pipeline.ledger import attempts
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.postgres.address import ServerAddress
from pipeline.ledger.postgres.connection import (
    SHARED_SCHEMA,
    PostgresConnection,
    explain_server_error,
    open_connection,
    use_schemas,
)
from pipeline.ledger.postgres.writer import PostgresWriter


class PostgresLedger(DatabaseLedger):
    """A ledger on a server; `open_server_ledger` (opening.py) opens it. Connections for reading are used again."""

    def __init__(
        self,
        address: ServerAddress,
        schema: str,
        *,
        digest: Callable[[str], str],
        writer: PostgresWriter | None = None,
    ) -> None:
        super().__init__(digest=digest, writer=writer)
        self._address = address
        self._schema = schema
        self._server_writer = writer
        self._free_readers: list[psycopg.Connection] = []

    async def record_verdict(self, uuid: str, verdict: Verdict, *, now: float) -> None:
        """Enter an attempt's verdict; after the lease was lost, what can still be entered of it, and raise LeaseLost."""
        try:
            await super().record_verdict(uuid, verdict, now=now)
        except LeaseLost:
            assert self._server_writer is not None
            entered = self._server_writer.submit_late(
                lambda connection: attempts.enter_late_verdict(connection, uuid, verdict, now)
            )
            await asyncio.shield(asyncio.wrap_future(entered))
            raise

    def close(self) -> None:
        """Finish the queued writes and close the connections."""
        super().close()
        while self._free_readers:
            self._free_readers.pop().close()

    @contextmanager
    def _open_reader(self) -> Iterator[PostgresConnection]:
        try:
            reader = self._find_reader()
        except psycopg.Error as error:
            raise explain_server_error(self._address, error) from error
        try:
            yield PostgresConnection(reader)
        except psycopg.Error as error:
            raise explain_server_error(self._address, error) from error
        finally:
            with suppress(psycopg.Error):
                reader.execute("ROLLBACK")
                self._free_readers.append(reader)

    def _find_reader(self) -> psycopg.Connection:
        """Return a connection inside a transaction that sees one moment; one that has ended meanwhile is replaced."""
        while self._free_readers:
            reader = self._free_readers.pop()
            with suppress(psycopg.Error):
                reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                return reader
            reader.close()
        reader = open_connection(self._address, purpose="reader")
        use_schemas(reader, self._schema, SHARED_SCHEMA)
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return reader
