"""The ledger of a tenant in a PostgreSQL database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Concatenate

import psycopg

from pipeline.clock import SystemClock, pause
from pipeline.domain.seals import Verdict
from pipeline.errors import LedgerError
from pipeline.ledger import attempts
from pipeline.ledger.database import Connection
from pipeline.ledger.database_ledger import Arguments, DatabaseLedger, Result
from pipeline.ledger.postgres.address import ServerAddress
from pipeline.ledger.postgres.connection import (
    SHARED_SCHEMA,
    PostgresConnection,
    explain_server_error,
    is_server_away,
    open_connection,
    use_schemas,
)
from pipeline.ledger.postgres.writer import AWAY_SECONDS, RETRY_SECONDS, PostgresWriter

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


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
        self._require_writer()
        assert self._server_writer is not None
        entered = self._server_writer.submit_verdict(
            lambda connection: attempts.enter_verdict(connection, uuid, verdict, now),
            late=lambda connection: attempts.enter_late_verdict(connection, uuid, verdict, now),
        )
        await asyncio.shield(asyncio.wrap_future(entered))

    def close(self) -> None:
        """Finish the queued writes and close the connections."""
        super().close()
        while self._free_readers:
            self._free_readers.pop().close()

    def _read(
        self,
        read: Callable[Concatenate[Connection, Arguments], Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Return what ``read`` finds; a run waits for a server that is away as its writer does, and reads again."""
        monotonic = SystemClock().monotonic
        writer = self._server_writer
        gives_up_at = monotonic() + (AWAY_SECONDS if writer is not None and writer.failure is None else 0.0)
        while True:
            try:
                return super()._read(read, *args, **kwargs)
            except LedgerError as error:
                if not is_server_away(error, None) or monotonic() >= gives_up_at:
                    raise
            pause(RETRY_SECONDS)

    @contextmanager
    def _open_reader(self) -> Iterator[PostgresConnection]:
        try:
            reader = self._find_reader()
            try:
                yield PostgresConnection(reader)
            finally:
                self._give_back(reader)
        except psycopg.Error as error:
            raise explain_server_error(self._address, error) from error

    def _find_reader(self) -> psycopg.Connection:
        """Return a connection inside a transaction that sees one moment; one that has ended meanwhile is replaced."""
        while self._free_readers:
            reader = self._free_readers.pop()
            with suppress(psycopg.Error):
                reader.execute(_BEGIN)
                return reader
            reader.close()
        reader = open_connection(self._address, purpose="reader")
        try:
            use_schemas(reader, self._schema, SHARED_SCHEMA)
            reader.execute(_BEGIN)
        except psycopg.Error:
            reader.close()
            raise
        return reader

    def _give_back(self, reader: psycopg.Connection) -> None:
        try:
            reader.execute("ROLLBACK")
        except psycopg.Error:
            reader.close()
        else:
            self._free_readers.append(reader)
