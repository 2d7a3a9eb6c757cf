"""Loads the ledger of a file into a server: copied in one transaction, and then the file is out of use.

The event `moved` takes the file out of use, with every copy of it that is opened with its journals. It is entered before
the copy is committed: at no moment can both be written. A command that died is typed again.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql

from pipeline.domain.site_key import SiteKey
from pipeline.errors import LedgerError, UsageError
from pipeline.hosts.connection import PostgresConnection, explain_server_error, replace_nul
from pipeline.hosts.hold import ServerHold
from pipeline.hosts.ledger import LedgerSchema
from pipeline.hosts.schema import create_ledger_tables
from pipeline.ledger.disk import key_path, list_side_files, loaded_path, reserve_path
from pipeline.ledger.lock import Hold, RunLock
from pipeline.ledger.maintenance import LedgerCounts, check_events, count_ledger, read_identity
from pipeline.ledger.operations import MOVED
from pipeline.ledger.sqlite_ledger import LedgerFile, connect, explain_write_error
from pipeline.ledger.tables import MADE_NAMES, Connection
from pipeline.ledger.tenant import is_empty
from pipeline.support import atomic_files
from pipeline.support.failpoints import hit_failpoint

LOAD = "load"  # in place of a run's id, where the holder of the ledger is named
_TABLES = ("meta", "event", "journal", "file_stat", "auto_sign", *MADE_NAMES)


class LoadedLedger(NamedTuple):
    """A ledger that was loaded."""

    file: Path  # its name from now on
    counts: LedgerCounts
    rows: int | None  # that were copied; None: an earlier call had done so


def load_file(path: Path, target: LedgerSchema, *, now: float) -> LoadedLedger:
    """Load the ledger of a file, or finish that; no run can use either meanwhile.

    Raises UsageError where a ledger is in use on the server; Locked, naming the holder; LedgerError for a file that a run
    would refuse or that has defects, a copy that differs, and a disk or server that fails.
    """
    hold, places = target.hold, target.places
    source = LedgerFile(
        path, places, Hold(RunLock(path))
    )  # the lock of the state folder is that of the target
    try:
        with source.hold.acquire(run=LOAD, now=now), hold.acquire(run=LOAD, now=now):
            server = hold.connect()
            site_key = target.read_site_key(server)
            rows = None
            if path.exists():
                if loaded_path(path).exists():
                    raise UsageError("load.name_taken", path=path, file=loaded_path(path))
                opened = source.open_for_writing(now=now, may_be_moved=True)
                with closing(opened), server.transaction():
                    if defects := opened.read(check_events, places.make_journals(opened.site_key)).defects:
                        raise LedgerError("load.defects", path=path, n=len(defects), then=("ledger", "check"))
                    if site_key != opened.site_key:
                        _make_room(path, hold, server, site_key)
                        rows = _copy_tables(path, server)
                        hold.enter_key(opened.site_key)
                    hold.prove(PostgresConnection(server))
                    hit_failpoint("load: before the event")
                    if not opened.read(_is_moved):
                        opened.write([(MOVED, {"to": hold.address.shown, "at": now})])
                    hit_failpoint("load: before the commit")
                hit_failpoint("load: after the commit")
            else:
                _require_loaded(path, hold, site_key)
            _rename_files(path)
            return LoadedLedger(loaded_path(path), count_ledger(PostgresConnection(server)), rows)
    except psycopg.Error as error:
        raise explain_server_error(hold.address, error) from error
    except (sqlite3.Error, OSError) as error:
        raise explain_write_error(path, error) from error


def _make_room(path: Path, hold: ServerHold, server: psycopg.Connection, site_key: SiteKey | None) -> None:
    """Make the empty tables; a ledger that holds nothing is removed. UsageError where one is in use."""
    if site_key is not None:
        if not is_empty(PostgresConnection(server)):
            raise UsageError("load.server_in_use", server=hold.address.shown, path=path, then=("status",))
        server.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(hold.schema)))
    create_ledger_tables(server, hold.schema)


def _copy_tables(path: Path, server: psycopg.Connection) -> int:
    """Copy the tables of a file into empty ones; return how many rows there are. LedgerError for a copy that differs."""
    total = 0
    with closing(connect(path, readonly=True)) as file:
        file.execute("BEGIN")
        for table in _TABLES:
            rows = file.execute(f"SELECT * FROM {table}")  # noqa: S608 - names of our own schema
            columns = [sql.Identifier(column[0]) for column in rows.description]
            statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
                sql.Identifier(table), sql.SQL(", ").join(columns)
            )
            with server.cursor() as cursor, cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row([replace_nul(value) for value in row])
            hit_failpoint("load: after a table is copied")
            count = f"SELECT count(*) FROM {table}"  # noqa: S608 - the same
            (expected,) = file.execute(count).fetchone()
            if server.execute(count.encode()).fetchone() != (expected,):
                raise LedgerError("load.differs", table=table)
            total += expected
    return total


def _is_moved(connection: Connection) -> bool:
    return connection.execute("SELECT 1 FROM event WHERE op = ?", (MOVED,)).fetchone() is not None


def _require_loaded(path: Path, hold: ServerHold, site_key: SiteKey | None) -> None:
    """Raise UsageError where there is no file, and the ledger on the server is not the one that it held."""
    loaded = loaded_path(path)
    if not loaded.exists():
        raise UsageError("never_run", path=path, then=("check",))
    if site_key is None or site_key.check() != read_identity(loaded).key_check:
        raise UsageError("load.other_ledger", server=hold.address.shown, file=loaded)


def _rename_files(path: Path) -> None:
    """Rename the file and what belongs to it; a repetition renames the rest."""
    loaded = loaded_path(path)
    hit_failpoint("load: before the file is renamed")
    old_names = (path, *list_side_files(path), key_path(path))
    new_names = (loaded, *list_side_files(loaded), key_path(loaded))
    for file, new_name in zip(old_names, new_names, strict=True):
        if file.exists():
            file.rename(new_name)
            atomic_files.sync_folder(path.parent)
            hit_failpoint("load: after a file is renamed")
    reserve_path(path).unlink(missing_ok=True)
