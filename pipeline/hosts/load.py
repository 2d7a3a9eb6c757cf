"""Loads the ledger of a file into a server: copied in one transaction, compared row by row, and then the file is renamed.

The name of the file decides which of the two ledgers is in use: under its own name the file, as ``<file>.loaded`` the one
on the server. Until the rename is known to be done, the copy holds a row of ``unfinished_load``, which names the file. A
command that died is typed again: it copies anew where the file is in use, and finishes where it is not.
"""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.errors import LedgerError, UsageError, reason_of
from pipeline.hosts import schema
from pipeline.hosts.connection import (
    PostgresConnection,
    connect_server,
    require_durable_commits,
)
from pipeline.hosts.lease import Lease
from pipeline.hosts.ledger import (
    has_schema,
    read_unfinished_load,
)
from pipeline.hosts.operator_secret import encrypt_key, lock_secret_salt
from pipeline.ledger.disk import key_path, list_side_files, loaded_path, reserve_path
from pipeline.ledger.maintenance import LedgerCounts, check_ledger, count_ledger
from pipeline.ledger.open import open_ledger
from pipeline.ledger.ownership import Ownership
from pipeline.ledger.progress import identify_ledger
from pipeline.ledger.receipt_sync import read_position, receipts_path
from pipeline.ledger.receipts import read_line_number
from pipeline.ledger.registry import holds_ledger
from pipeline.ledger.sqlite_ledger import connect, explain_write_error
from pipeline.ledger.tenant import is_empty
from pipeline.support import atomic_files
from pipeline.support.failpoints import hit_failpoint

PATIENCE_SECONDS = 3600.0  # that one statement may take: all rows are checked at once


@dataclass(frozen=True, slots=True)
class LoadedLedger:
    """A ledger that was loaded."""

    file: Path  # its name from now on
    counts: LedgerCounts
    rows: int | None = None  # compared one by one; None: an earlier call had done so


@dataclass(frozen=True, slots=True)
class FileLoad:
    """A file whose ledger is loaded into a server; the caller holds its run lock and the lease."""

    path: Path
    address: ServerAddress
    tenant: str
    secret: str = field(repr=False)
    lease: Lease
    ownership: Ownership

    def load(self, *, now: float) -> LoadedLedger:
        """Load the ledger, or finish that.

        Raises UsageError where a ledger is in use on the server, for a file whose run was interrupted, and for one that a
        run would refuse; LedgerError for a file with defects, a copy that differs, and a disk or server that fails.
        """
        try:
            with connect_server(
                self.address, purpose="load", schema=self._schema, patience=PATIENCE_SECONDS
            ) as server:
                require_durable_commits(server, self.address)
                rows = None
                if self.path.exists():
                    rows = self._copy_file(server, now)
                else:
                    self._require_loaded(server)
                self._rename_files()
                self._end(server)
                ledger = PostgresConnection(server)
                for counter in self.ownership.register(self.address.shown, identify_ledger(ledger)):
                    counter.close()
                return LoadedLedger(loaded_path(self.path), count_ledger(ledger), rows)
        except (sqlite3.Error, OSError) as error:
            raise explain_write_error(self.path, error) from error

    @property
    def _schema(self) -> str:
        return name_schema(self.tenant)

    def _copy_file(self, server: psycopg.Connection, now: float) -> int:
        """Copy the ledger of the file, which stays in use; return how many rows were compared."""
        path = self.path
        if loaded_path(path).exists():
            raise UsageError("load.name_taken", path=path, file=loaded_path(path))
        _require_no_open_attempt(path)
        opened, site_key = open_ledger(path, self.tenant, now=now, ownership=self.ownership)
        opened.close()
        if defects := check_ledger(path, self.tenant).defects:
            raise LedgerError("load.defects", path=path, n=len(defects), then=("ledger", "check"))
        with closing(connect(path, readonly=True)) as file, server.transaction():
            self._make_room(server)
            schema.create_ledger_tables(server, self._schema)
            server.execute(
                "INSERT INTO unfinished_load (host, path) VALUES (%s, %s)",
                [socket.gethostname(), str(path.absolute())],
            )
            server.execute(
                "INSERT INTO site_key (salt, encrypted) VALUES (%s, %s)",
                encrypt_key(
                    site_key.secret, self.secret, lock_secret_salt(server, self.address, self.secret)
                ),
            )
            rows = _copy_rows(path, file, server)
            self.lease.require(server)
            hit_failpoint("load: before the commit")
        hit_failpoint("load: after the commit")
        self.ownership.require()
        return rows

    def _make_room(self, server: psycopg.Connection) -> None:
        """Remove the copy of this file that an earlier call left, or a ledger that holds nothing.

        Raises UsageError where a ledger is in use on the server, or another file is being loaded.
        """
        if not has_schema(server, self._schema):
            return
        load = read_unfinished_load(server)
        if load is not None and Path(load.path) != self.path.absolute():
            raise UsageError("load.unfinished", server=self.address.shown, host=load.host, path=load.path)
        if load is None and not is_empty(PostgresConnection(server)):
            raise UsageError(
                "load.server_in_use", server=self.address.shown, path=self.path, then=("status",)
            )
        server.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(self._schema)))

    def _require_loaded(self, server: psycopg.Connection) -> None:
        """Raise UsageError where there is no file, and the ledger on the server is not the one that it held."""
        loaded = loaded_path(self.path)
        if not loaded.exists():
            raise UsageError("never_run", path=self.path, then=("check",))
        if not has_schema(server, self._schema) or not holds_ledger(
            loaded, identify_ledger(PostgresConnection(server)).ledger_id
        ):
            raise UsageError("load.other_ledger", server=self.address.shown, file=loaded)

    def _rename_files(self) -> None:
        """Rename the file, which takes it out of use, and then what belongs to it; a repetition renames the rest."""
        path, loaded = self.path, loaded_path(self.path)
        hit_failpoint("load: before the file is renamed")
        for file, new_name in (
            (path, loaded),
            *zip(list_side_files(path), list_side_files(loaded), strict=True),
            (key_path(path), key_path(loaded)),
            (receipts_path(path), loaded.with_name(f"{loaded.name}.{receipts_path(path).name}")),
        ):
            if file.exists():
                file.rename(new_name)
                atomic_files.sync_folder(path.parent)
                hit_failpoint("load: after a file is renamed")
        reserve_path(path).unlink(missing_ok=True)

    def _end(self, server: psycopg.Connection) -> None:
        with server.transaction():
            server.execute("DELETE FROM unfinished_load")
            self.lease.require(server)
            hit_failpoint("load: before the end")
        hit_failpoint("load: after the end")


def _require_no_open_attempt(path: Path) -> None:
    """Raise UsageError for a file whose last run was interrupted: the next run enters what became of its creates."""
    with closing(connect(path, readonly=True)) as file:
        (waiting,) = file.execute("SELECT count(*) FROM attempt WHERE verdict IS NULL").fetchone()
    if waiting:
        raise UsageError("load.open_attempts", path=path, n=waiting)


# -- copy and comparison


class Table(NamedTuple):
    """A table of the ledger: its columns, and those of its primary key."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]


def list_tables(file: sqlite3.Connection) -> list[Table]:
    """Return the tables of a ledger file."""
    names = file.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    tables = []
    for (name,) in names.fetchall():
        columns = file.execute("SELECT name, pk FROM pragma_table_info(?)", (name,)).fetchall()
        key = sorted((number, column) for column, number in columns if number)
        tables.append(Table(name, tuple(column for column, _ in columns), tuple(column for _, column in key)))
    return tables


def _copy_rows(path: Path, file: sqlite3.Connection, server: psycopg.Connection) -> int:
    """Copy tables and receipts into empty tables, in the caller's transaction; return how many rows were compared.

    The conditions of the tables are checked on the result; the triggers, which judge a change, are off meanwhile.
    Raises LedgerError for a value that PostgreSQL does not take and for a copy that differs.
    """
    tables = list_tables(file)
    receipts = Table("receipt", ("n", "line"), ("n",))
    size = read_position(file).size
    server.execute("SET CONSTRAINTS ALL DEFERRED")
    for table in tables:
        server.execute(_format("ALTER TABLE {table} DISABLE TRIGGER USER", table))
    for table in tables:
        _copy_table(server, table, _read_file(file, table))
    _copy_table(server, receipts, _read_receipts(path, size))
    server.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for table in tables:
        server.execute(_format("ALTER TABLE {table} ENABLE TRIGGER USER", table))
        _set_next_number(server, table)
    hit_failpoint("load: after the rows are copied")
    rows = sum(_compare_table(server, table, _read_file(file, table)) for table in tables)
    return rows + _compare_table(server, receipts, _read_receipts(path, size))


def _copy_table(server: psycopg.Connection, table: Table, rows: Iterator[tuple[Any, ...]]) -> None:
    try:
        with (
            server.cursor() as cursor,
            cursor.copy(_format("COPY {table} ({columns}) FROM STDIN", table)) as copy,
        ):
            for row in rows:
                copy.write_row(row)
    except psycopg.DataError as error:
        raise LedgerError("load.not_taken", table=table.name, why=reason_of(error)) from error


def _compare_table(server: psycopg.Connection, table: Table, rows: Iterator[tuple[Any, ...]]) -> int:
    """Return how many rows a table has, each compared with the file's; LedgerError for the first that differs."""
    count = 0
    with server.cursor(name=f"rows of {table.name}") as copied:
        copied.execute(_format("SELECT {columns} FROM {table} ORDER BY {key}", table))
        for row, copy in zip_longest(rows, copied):
            if row != copy:
                raise LedgerError("load.differs", table=table.name, row=count)
            count += 1
    return count


def _read_file(file: sqlite3.Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    columns, key = (", ".join(f'"{name}"' for name in names) for names in (table.columns, table.key))
    return file.execute(f"SELECT {columns} FROM {table.name} ORDER BY {key}")  # noqa: S608 - names of our own schema


def _read_receipts(path: Path, size: int) -> Iterator[tuple[int, str]]:
    """Yield number and line of the receipts that the ledger knows; `check_ledger` has followed their chain."""
    if size:
        with receipts_path(path).open("rb") as lines:
            while lines.tell() < size:
                line = lines.readline()
                yield read_line_number(line), line.decode()


def _set_next_number(server: psycopg.Connection, table: Table) -> None:
    """Let the rows that a table numbers itself follow the highest number that it holds."""
    sequence = server.execute("SELECT pg_get_serial_sequence(%s, %s)", [table.name, table.key[0]]).fetchone()
    if sequence is not None and sequence[0] is not None:
        server.execute(
            _format("SELECT setval(%s, max({key})) FROM {table} HAVING max({key}) IS NOT NULL", table),
            sequence,
        )


def _format(statement: str, table: Table) -> sql.Composed:
    return sql.SQL(statement).format(
        table=sql.Identifier(table.name),
        columns=sql.SQL(", ").join(map(sql.Identifier, table.columns)),
        key=sql.SQL(", ").join(map(sql.Identifier, table.key)),
    )
