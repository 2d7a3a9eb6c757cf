"""The ledger of a tenant in a PostgreSQL database: opened, made, repaired from its journals, and read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Concatenate, NamedTuple

import psycopg
from psycopg import sql

from pipeline.clock import SystemClock, pause
from pipeline.domain.server_address import ServerAddress
from pipeline.domain.site_key import SiteKey
from pipeline.errors import EsignImportError, LedgerError, UsageError
from pipeline.hosts.connection import (
    SHARED_SCHEMA,
    PostgresConnection,
    connect_server,
    explain_server_error,
    is_server_away,
    open_connection,
    require_durable_commits,
)
from pipeline.hosts.hold import ServerHold
from pipeline.hosts.operator_secret import derive_key, read_site_key
from pipeline.hosts.schema import create_ledger_tables
from pipeline.hosts.writer import AWAY_SECONDS, RETRY_SECONDS, PostgresWriter
from pipeline.ledger.ledger import Arguments, Ledger, Result
from pipeline.ledger.lock import read_user_name
from pipeline.ledger.opening import Repair, enter_shared_journals, explain_journals, is_behind_files
from pipeline.ledger.persons import count_events, read_summary
from pipeline.ledger.places import Places
from pipeline.ledger.purge import PersonTraces
from pipeline.ledger.records import LedgerSummary
from pipeline.ledger.tables import MADE_NAMES, Connection, enter_meta

LONG_SECONDS = 3600.0  # for a statement that goes over a whole table
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_BEGIN_IN_SCHEMA = sql.SQL(f"{_BEGIN}; SET LOCAL search_path TO {{}}, {{}}")


class PostgresLedger(Ledger):
    """A ledger on a server; Connections for reading are used again."""

    def __init__(
        self,
        address: ServerAddress,
        schema: str,
        *,
        site_key: SiteKey,
        writer: PostgresWriter | None = None,
        repair: Repair | None = None,
    ) -> None:
        super().__init__(site_key=site_key, writer=writer, repair=repair)
        self._address = address
        self._schema = schema
        self._free_readers: list[psycopg.Connection] = []

    def close(self) -> None:
        """Finish the queued writes and close the connections."""
        super().close()
        while self._free_readers:
            self._free_readers.pop().close()

    def read(
        self,
        read: Callable[Concatenate[Connection, Arguments], Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Return what ``read`` finds; a run waits for a server that is away as its writer does, and reads again."""
        monotonic, writer = SystemClock().monotonic, self._writer
        gives_up_at = monotonic() + (AWAY_SECONDS if writer is not None and writer.failure is None else 0.0)
        while True:
            try:
                return super().read(read, *args, **kwargs)
            except LedgerError as error:
                if not is_server_away(error, None) or monotonic() >= gives_up_at:
                    raise
            pause(RETRY_SECONDS)

    def purge_person(self, traces: PersonTraces, *, now: float, who: str) -> None:
        """Remove a person's data; the tables are written anew, so that no old version of a row remains in them."""
        super().purge_person(traces, now=now, who=who)
        with connect_server(
            self._address, purpose="purge", schema=self._schema, patience=LONG_SECONDS
        ) as connection:
            for table in ("event", "file_stat", "auto_sign", *MADE_NAMES):
                connection.execute(f"VACUUM FULL {table}".encode())

    @contextmanager
    def _open_reader(self) -> Iterator[PostgresConnection]:
        try:
            reader = self._take_reader()
            try:
                yield PostgresConnection(reader)
            finally:
                self._give_back(reader)
        except psycopg.Error as error:
            raise explain_server_error(self._address, error) from error

    def _take_reader(self) -> psycopg.Connection:
        """Return a connection inside a transaction that sees one moment; one that has ended meanwhile is replaced."""
        while self._free_readers:
            reader = self._free_readers.pop()
            with suppress(psycopg.Error):
                reader.execute(_BEGIN)
                return reader
            reader.close()
        reader = open_connection(self._address, purpose="reader", schema=self._schema)
        try:
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


class ServerReader:
    """Reads ledgers of one server over one connection: hundreds are read for one command.

    A server that could not be connected to is not asked again: each time it may take as long.
    """

    def __init__(self, address: ServerAddress) -> None:
        self._address = address
        self._connection: psycopg.Connection | None = None
        self._failure: EsignImportError | None = None  # of connecting

    @contextmanager
    def open_schema(self, name: str) -> Iterator[psycopg.Connection]:
        """Yield the connection in a transaction that sees one moment; its names are those of a ledger's schema."""
        try:
            connection = self._connect()
            connection.execute(_BEGIN_IN_SCHEMA.format(*map(sql.Identifier, (name, SHARED_SCHEMA))))
            try:
                yield connection
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
                self._connection = open_connection(self._address, purpose="opening")
            except EsignImportError as error:
                self._failure = error
                raise
        return self._connection


class ServerFacts(NamedTuple):
    """What is worth knowing of a server that can be used."""

    schema: str  # of the ledger
    version: str
    synchronous_commit: str
    clock_ahead: float  # seconds by which the server's clock is before this machine's


class LedgerSchema:
    """One tenant's ledger on a server, which may not exist yet; ``hold`` keeps other processes from it, once it is acquired.

    The journals lie as those of a file do. Every host has a state folder; ``out`` is the same for all. ``secret`` is the
    operator's. Without a ``reader`` each question has a connection of its own. Every method raises LedgerError for a server that
    cannot be used, another secret, and a ledger that is damaged or of another version.
    """

    def __init__(
        self, address: ServerAddress, places: Places, secret: str, reader: ServerReader | None = None
    ) -> None:
        self.address = address
        self.places = places
        self.secret = secret
        self.hold = ServerHold(address, places, secret)
        self._reader = reader

    def exists(self) -> bool:
        """Return whether there is a ledger."""
        with self._look() as ledger:
            return ledger is not None

    def is_behind(self, *, with_left: bool = True) -> bool:
        """Return whether the journals hold what the ledger lacks: it is gone, or an older database was put in its place.

        ``with_left``: or what checks have left is to be entered.
        """
        with explain_journals(self.address.shown), self._look() as ledger:
            files = self.places.list_files(with_left=with_left)
            if ledger is None:
                return bool(files)
            return is_behind_files(ledger, self.places.make_folders(), files)

    def read_summary(self) -> LedgerSummary | None:
        """Return the summary of the ledger, None where there is none."""
        with self._look() as ledger:
            return None if ledger is None else read_summary(ledger)

    def examine_server(self, now: float) -> ServerFacts:
        """Return facts about the server."""
        with connect_server(self.address, purpose="doctor") as connection:
            require_durable_commits(connection, self.address)
            self.read_site_key(connection)
            row = connection.execute(
                "SELECT current_setting('server_version'), current_setting('synchronous_commit'), "
                "extract(epoch FROM clock_timestamp())::float8"
            ).fetchone()
        assert row is not None
        return ServerFacts(self.hold.schema, row[0], row[1], row[2] - now)

    def open_for_reading(self) -> PostgresLedger:
        """Open the ledger; nothing is made or changed. Raises UsageError where there is none."""
        with connect_server(self.address, purpose="opening", schema=self.hold.schema) as connection:
            site_key = self.read_site_key(connection)
        if site_key is None:
            raise UsageError("never_run", path=self.address.shown, then=("check",))
        return PostgresLedger(self.address, self.hold.schema, site_key=site_key)

    def open_for_writing(self, *, now: float) -> PostgresLedger:
        """Open the ledger, whose hold is acquired; it is made, or repaired from its journals, in one transaction.

        Raises LedgerError for a place that cannot be written, a key that is another one, and an event of a newer program;
        HoldLost where another process has taken the ledger.
        """
        hold, places = self.hold, self.places
        try:
            with explain_journals(self.address.shown):
                connection = hold.connect()
                ledger = PostgresConnection(connection)
                with connection.transaction():
                    site_key = self.read_site_key(connection)
                    if site_key is None:
                        site_key = self._provide_key()
                        create_ledger_tables(connection, hold.schema)
                        enter_meta(ledger, site_key, now)
                        hold.enter_key(site_key)
                    else:
                        hold.prove(ledger)
                        places.read_key(places.key_copy, check=site_key.check())
                    journals = places.make_journals(site_key)
                    repair = enter_shared_journals(ledger, journals, now)
                    places.keep_key(
                        places.key_copy, site_key.secret
                    )  # it has proved to be that of the journals
                    ledger.execute("UPDATE meta SET opened_by = ?", (read_user_name(),))
                    entered = count_events(ledger)
        except psycopg.Error as error:
            raise explain_server_error(self.address, error) from error
        writer = PostgresWriter(hold, journals, entered=entered)
        return PostgresLedger(self.address, hold.schema, site_key=site_key, writer=writer, repair=repair)

    def read_site_key(self, connection: psycopg.Connection) -> SiteKey | None:
        """Return the site key of the ledger, None where there is none."""
        return read_site_key(connection, self.address, self.places.tenant, self.secret)

    @contextmanager
    def _look(self) -> Iterator[PostgresConnection | None]:
        """Yield a connection in a transaction that sees one moment of the ledger, None where there is no ledger."""
        reader = self._reader or ServerReader(self.address)
        try:
            with reader.open_schema(self.hold.schema) as connection:
                is_there = self.read_site_key(connection) is not None
                yield PostgresConnection(connection) if is_there else None
        finally:
            if self._reader is None:
                reader.close()

    def _provide_key(self) -> SiteKey:
        """Return the site key of a ledger that is missing: the copy in the state folder, else the one that the secret makes."""
        copy = self.places.read_key(self.places.key_copy, check=None)
        tenant = self.places.tenant
        return derive_key(self.secret, tenant) if copy is None else SiteKey(copy, tenant)
