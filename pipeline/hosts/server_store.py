"""A ledger on a PostgreSQL server, as a run and the commands use it; pipeline/ledger/file_store.py is the other place."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psycopg

from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.domain.site_key import SiteKey
from pipeline.hosts.connection import PostgresConnection, connect_server, require_durable_commits
from pipeline.hosts.hold import ServerHold
from pipeline.hosts.ledger import open_for_reading, open_for_writing
from pipeline.hosts.load import LoadedLedger, load_file
from pipeline.hosts.operator_secret import read_site_key
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.opening import explain_journals, is_behind_files
from pipeline.ledger.places import Places


class ServerFacts(NamedTuple):
    """What is worth knowing of a server that can be used."""

    schema: str  # of the ledger
    version: str
    synchronous_commit: str
    clock_ahead: float  # seconds by which the server's clock is before this machine's


@dataclass(slots=True)
class ServerStore:
    """One tenant's ledger, which may not exist yet; ``hold`` keeps other processes from it, once it is acquired.

    The journals lie as those of a file do. Every host has a state folder; ``out`` is the same for all.
    """

    address: ServerAddress
    places: Places
    secret: str = field(repr=False)  # the operator's
    hold: ServerHold = field(init=False)

    def __post_init__(self) -> None:
        self.hold = ServerHold(self.address, self.places, self.secret)

    def exists(self) -> bool:
        """Return whether there is a ledger; LedgerError for another operator's secret than the database's."""
        with connect_server(self.address, purpose="opening") as connection:
            return self._read_site_key(connection) is not None

    def is_behind(self, *, with_left: bool = True) -> bool:
        """Return whether the journals hold what the ledger lacks: it is gone, or an older database was put in its place.

        ``with_left``: or what checks have left is to be entered.
        """
        name = name_schema(self.places.tenant)
        with (
            connect_server(self.address, purpose="opening", schema=name) as connection,
            explain_journals(self.address.shown),
        ):
            files = self.places.list_files(with_left=with_left)
            if self._read_site_key(connection) is None:
                return bool(files)
            return is_behind_files(PostgresConnection(connection), self.places.make_folders(), files)

    def open(self, *, now: float, readonly: bool = False) -> Ledger:
        """Open the ledger; to write, ``hold`` must be acquired."""
        if readonly:
            return open_for_reading(self.address, self.places, self.secret)
        return open_for_writing(self.address, self.places, self.hold, now=now, secret=self.secret)

    def examine_server(self, now: float) -> ServerFacts:
        """Return facts about the server; LedgerError for one that cannot be used."""
        with connect_server(self.address, purpose="doctor") as connection:
            require_durable_commits(connection, self.address)
            self._read_site_key(connection)
            row = connection.execute(
                "SELECT current_setting('server_version'), current_setting('synchronous_commit'), "
                "extract(epoch FROM clock_timestamp())::float8"
            ).fetchone()
        assert row is not None
        return ServerFacts(name_schema(self.places.tenant), row[0], row[1], row[2] - now)

    def load(self, file: Path, *, now: float) -> LoadedLedger:
        """Load the ledger of a file into the server; see `load_file`."""
        return load_file(file, self.hold, self.places, self.secret, now=now)

    def _read_site_key(self, connection: psycopg.Connection) -> SiteKey | None:
        return read_site_key(connection, self.address, self.places.tenant, self.secret)
