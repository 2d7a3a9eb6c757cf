"""Loads the ledger of a file into a server: copied in one transaction and compared, and then the file is out of use.

The event `moved` takes the file out of use, with every copy of it that is opened with its journals. It is entered before
the copy is committed: at no moment can both be written. A command that died is typed again.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.domain.site_key import SiteKey
from pipeline.errors import LedgerError, UsageError, reason_of
from pipeline.hosts.connection import PostgresConnection, connect_server, require_durable_commits
from pipeline.hosts.lease import Lease
from pipeline.hosts.ledger import LONG_SECONDS, create_ledger, has_schema
from pipeline.ledger.disk import key_path, list_side_files, loaded_path, reserve_path
from pipeline.ledger.lock import FileHold
from pipeline.ledger.maintenance import LedgerCounts, check_events, count_ledger, read_identity
from pipeline.ledger.opening import enter_journals, explain_journals
from pipeline.ledger.operations import MOVED
from pipeline.ledger.places import Places
from pipeline.ledger.sqlite_ledger import connect, explain_write_error, open_for_writing
from pipeline.ledger.tables import MADE_NAMES, Connection
from pipeline.ledger.tenant import is_empty
from pipeline.support import atomic_files
from pipeline.support.failpoints import hit_failpoint

LOAD = "load"  # in place of a run's id, where the holder of the ledger is named
_TABLES = ("meta", "event", "file_stat", "auto_sign", *MADE_NAMES)


@dataclass(frozen=True, slots=True)
class LoadedLedger:
    """A ledger that was loaded."""

    file: Path  # its name from now on
    counts: LedgerCounts
    rows: int | None = None  # compared one by one; None: an earlier call had done so


@dataclass(frozen=True, slots=True)
class FileLoad:
    """A file whose ledger is loaded into a server; its journals stay where they are."""

    path: Path
    address: ServerAddress
    places: Places
    secret: str = field(repr=False)  # the operator's

    def load(self, *, now: float) -> LoadedLedger:
        """Load the ledger, or finish that; no run can use either meanwhile.

        Raises UsageError where a ledger is in use on the server; Locked, naming the holder; LedgerError for a file that a run
        would refuse or that has defects, a copy that differs, and a disk or server that fails.
        """
        try:
            with (
                FileHold(self.path, self.places.lock_base).acquire(run=LOAD, now=now) as hold,
                Lease(self.address, self.places.tenant, self.secret).acquire(run=LOAD, now=now) as lease,
                connect_server(
                    self.address, purpose="load", schema=self._schema, patience=LONG_SECONDS
                ) as server,
            ):
                require_durable_commits(server, self.address)
                rows = None
                if self.path.exists():
                    rows = self._move_ledger(server, hold, lease, now)
                else:
                    self._require_loaded(server)
                self._rename_files()
                return LoadedLedger(loaded_path(self.path), count_ledger(PostgresConnection(server)), rows)
        except (sqlite3.Error, OSError) as error:
            raise explain_write_error(self.path, error) from error

    @property
    def _schema(self) -> str:
        return name_schema(self.places.tenant)

    def _move_ledger(
        self, server: psycopg.Connection, hold: FileHold, lease: Lease, now: float
    ) -> int | None:
        """Copy the ledger of the file, and take that out of use; return how many rows were compared.

        None where the server has this ledger already: it enters from the journals what it lacks.
        """
        path = self.path
        if loaded_path(path).exists():
            raise UsageError("load.name_taken", path=path, file=loaded_path(path))
        opened = open_for_writing(path, self.places, hold, now=now, may_be_moved=True)
        with closing(opened), server.transaction():
            if health := opened.read(check_events, self.places.make_journals(opened.site_key)).defects:
                raise LedgerError("load.defects", path=path, n=len(health), then=("ledger", "check"))
            rows = None
            if not self._has_this_ledger(server, opened.site_key):
                create_ledger(server, self.address, opened.site_key, self.secret)
                rows = _copy_rows(path, server)
                with explain_journals(path):
                    enter_journals(PostgresConnection(server), self.places.make_journals(opened.site_key))
            lease.require(server)
            hit_failpoint("load: before the event")
            if not opened.read(_is_moved):
                opened.write([(MOVED, {"to": self.address.shown, "at": now})])
            hit_failpoint("load: before the commit")
        hit_failpoint("load: after the commit")
        return rows

    def _has_this_ledger(self, server: psycopg.Connection, site_key: SiteKey) -> bool:
        """Return whether the server has the ledger of this key; one that holds nothing makes room for it.

        Raises UsageError where another ledger is in use.
        """
        if not has_schema(server, self._schema):
            return False
        if _read_key_check(server) == site_key.check():
            return True
        if not is_empty(PostgresConnection(server)):
            server_shown = self.address.shown
            raise UsageError("load.server_in_use", server=server_shown, path=self.path, then=("status",))
        server.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(self._schema)))
        return False

    def _require_loaded(self, server: psycopg.Connection) -> None:
        """Raise UsageError where there is no file, and the ledger on the server is not the one that it held."""
        loaded = loaded_path(self.path)
        if not loaded.exists():
            raise UsageError("never_run", path=self.path, then=("check",))
        identity = read_identity(loaded)
        if not has_schema(server, self._schema) or _read_key_check(server) != identity.key_check:
            raise UsageError("load.other_ledger", server=self.address.shown, file=loaded)

    def _rename_files(self) -> None:
        """Rename the file and what belongs to it; a repetition renames the rest."""
        path, loaded = self.path, loaded_path(self.path)
        hit_failpoint("load: before the file is renamed")
        for file, new_name in (
            (path, loaded),
            *zip(list_side_files(path), list_side_files(loaded), strict=True),
            (key_path(path), key_path(loaded)),
        ):
            if file.exists():
                file.rename(new_name)
                atomic_files.sync_folder(path.parent)
                hit_failpoint("load: after a file is renamed")
        reserve_path(path).unlink(missing_ok=True)


def _is_moved(connection: Connection) -> bool:
    return connection.execute("SELECT 1 FROM event WHERE op = ?", (MOVED,)).fetchone() is not None


def _read_key_check(server: psycopg.Connection) -> str:
    ((check,),) = server.execute("SELECT key_check FROM meta").fetchall()
    return str(check)


def _copy_rows(path: Path, server: psycopg.Connection) -> int:
    """Copy the tables of a file into empty ones; return how many rows were compared.

    Raises LedgerError for a value that PostgreSQL does not take and for a copy that differs.
    """
    count = 0
    with closing(connect(path, readonly=True)) as file:
        file.execute("BEGIN")
        for table in _TABLES:
            rows = file.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - names of our own schema
            name = sql.Identifier(table)
            try:
                with (
                    server.cursor() as cursor,
                    cursor.copy(sql.SQL("COPY {} FROM STDIN").format(name)) as copy,
                ):
                    for row in rows:
                        copy.write_row(row)
            except psycopg.DataError as error:
                raise LedgerError("load.not_taken", table=table, why=reason_of(error)) from error
            hit_failpoint("load: after a table is copied")
            copied = server.execute(sql.SQL("SELECT * FROM {}").format(name)).fetchall()
            if sorted(copied, key=repr) != sorted(rows, key=repr):
                raise LedgerError("load.differs", table=table)
            count += len(rows)
    return count
