"""Summaries of the ledgers of one server, read over one connection: hundreds are read for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.errors import EsignImportError
from pipeline.hosts.connection import (
    SHARED_SCHEMA,
    PostgresConnection,
    explain_server_error,
    open_connection,
)
from pipeline.hosts.ledger import BEGIN_READING
from pipeline.hosts.operator_secret import read_site_key
from pipeline.ledger.opening import explain_journals, is_behind_files
from pipeline.ledger.persons import read_summary
from pipeline.ledger.places import Places
from pipeline.ledger.records import LedgerSummary

_BEGIN = sql.SQL(f"{BEGIN_READING}; SET LOCAL search_path TO {{}}, {{}}")


class ServerSummaries:
    """The summaries of a server's ledgers. Their site keys are not needed: nothing that is masked by one is read."""

    def __init__(self, address: ServerAddress, secret: str) -> None:
        self._address = address
        self._secret = secret
        self._connection: psycopg.Connection | None = None
        self._failure: EsignImportError | None = None  # of connecting

    def read(self, places: Places) -> LedgerSummary | None:
        """Return the summary of a tenant's ledger, None where it has none.

        Raises LedgerError where the server cannot be used, or its operator's secret is another one. A server that could
        not be connected to is not asked again for the other ledgers: each time it may take as long.
        """
        with self._look_at(places.tenant) as connection:
            return None if connection is None else read_summary(connection)

    def is_behind(self, places: Places) -> bool:
        """Return whether the journals of a tenant hold what its ledger lacks; see `ServerStore.is_behind`."""
        with explain_journals(self._address.shown), self._look_at(places.tenant) as connection:
            files = places.list_files()
            if connection is None:
                return bool(files)
            return is_behind_files(connection, places.make_folders(), files)

    @contextmanager
    def _look_at(self, tenant: str) -> Iterator[PostgresConnection | None]:
        """Yield the connection in a transaction that sees one moment of a tenant's ledger; None where there is no ledger."""
        name = name_schema(tenant)
        try:
            connection = self._connect()
            connection.execute(_BEGIN.format(*map(sql.Identifier, (name, SHARED_SCHEMA))))
            try:
                site_key = read_site_key(connection, self._address, tenant, self._secret)
                yield None if site_key is None else PostgresConnection(connection)
            finally:
                connection.execute("ROLLBACK")
        except psycopg.Error as error:
            self.close()  # the next ledger is read over another connection
            raise explain_server_error(self._address, error) from error

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> psycopg.Connection:
        if self._failure is not None:
            raise self._failure
        if self._connection is None:
            try:
                self._connection = open_connection(self._address, purpose="summaries")
            except EsignImportError as error:
                self._failure = error
                raise
        return self._connection
