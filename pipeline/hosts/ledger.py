"""The ledger of a tenant in a PostgreSQL database: opened, made, repaired from its journals, and read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Concatenate

import psycopg

from pipeline.clock import SystemClock, pause
from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.domain.site_key import SiteKey
from pipeline.errors import LedgerError, UsageError
from pipeline.hosts.connection import (
    PostgresConnection,
    connect_server,
    explain_server_error,
    is_server_away,
    open_connection,
)
from pipeline.hosts.hold import ServerHold
from pipeline.hosts.operator_secret import derive_key, read_site_key
from pipeline.hosts.schema import create_ledger_tables
from pipeline.hosts.writer import AWAY_SECONDS, RETRY_SECONDS, PostgresWriter
from pipeline.ledger.ledger import Arguments, Ledger, Result
from pipeline.ledger.lock import read_user_name
from pipeline.ledger.opening import Repair, enter_shared_journals, explain_journals
from pipeline.ledger.persons import count_events
from pipeline.ledger.places import Places
from pipeline.ledger.purge import PersonTraces
from pipeline.ledger.tables import MADE_NAMES, Connection, enter_meta

LONG_SECONDS = 3600.0  # for a statement that goes over a whole table
BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


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
                reader.execute(BEGIN_READING)
                return reader
            reader.close()
        reader = open_connection(self._address, purpose="reader", schema=self._schema)
        try:
            reader.execute(BEGIN_READING)
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


def open_for_reading(address: ServerAddress, places: Places, secret: str) -> PostgresLedger:
    """Open a tenant's ledger; nothing is made or changed. ``secret`` is the operator's.

    Raises UsageError where there is none; LedgerError for a server that cannot be used, another secret, and a ledger that is
    damaged or of another version.
    """
    name = name_schema(places.tenant)
    with connect_server(address, purpose="opening", schema=name) as connection:
        site_key = read_site_key(connection, address, places.tenant, secret)
    if site_key is None:
        raise UsageError("never_run", path=address.shown, then=("check",))
    return PostgresLedger(address, name, site_key=site_key)


def open_for_writing(
    address: ServerAddress, places: Places, hold: ServerHold, *, now: float, secret: str
) -> PostgresLedger:
    """Open a tenant's ledger, whose hold is taken; it is made, or repaired from its journals, in one transaction.

    Raises LedgerError as `open_for_reading`, for a place that cannot be written, a key that is another one, and an event of a
    newer program; LeaseLost where another process has taken the ledger.
    """
    try:
        with explain_journals(address.shown):
            connection = hold.connect()
            ledger = PostgresConnection(connection)
            with connection.transaction():
                site_key = read_site_key(connection, address, places.tenant, secret)
                if site_key is None:
                    site_key = _provide_key(places, secret)
                    create_ledger_tables(connection, hold.schema)
                    enter_meta(ledger, site_key, now)
                    hold.enter_key(site_key)
                else:
                    hold.prove(ledger)
                    places.read_key(places.key_copy, check=site_key.check())
                places.keep_key(places.key_copy, site_key.secret)
                journals = places.make_journals(site_key)
                repair = enter_shared_journals(ledger, journals, now)
                ledger.execute("UPDATE meta SET opened_by = ?", (read_user_name(),))
                entered = count_events(ledger)
    except psycopg.Error as error:
        raise explain_server_error(address, error) from error
    writer = PostgresWriter(hold, journals, entered=entered)
    return PostgresLedger(address, hold.schema, site_key=site_key, writer=writer, repair=repair)


def _provide_key(places: Places, secret: str) -> SiteKey:
    """Return the site key of a ledger that is missing: the copy in the state folder, else the one that the secret makes."""
    copy = places.read_key(places.key_copy, check=None)
    return derive_key(secret, places.tenant) if copy is None else SiteKey(copy, places.tenant)
