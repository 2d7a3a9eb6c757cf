"""Copies a ledger's tables and receipts between SQLite and PostgreSQL, and compares them value by value."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from pipeline.errors import LedgerError, reason_of
from pipeline.ledger.receipts import Mark, ReceiptsDamaged, follow_chain
from pipeline.ledger.schema import without_triggers


@dataclass(frozen=True, slots=True)
class Table:
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


def copy_to_server(file: sqlite3.Connection, server: psycopg.Connection) -> None:
    """Copy the rows of a ledger file into empty tables of a server, in the caller's transaction there.

    The conditions of the tables are checked on the result; the triggers, which judge a change, are off meanwhile.
    Raises LedgerError for a value that PostgreSQL does not take, psycopg.Error for a row that breaks a condition.
    """
    tables = list_tables(file)
    server.execute("SET CONSTRAINTS ALL DEFERRED")
    for table in tables:
        server.execute(_format("ALTER TABLE {table} DISABLE TRIGGER USER", table))
    for table in tables:
        statement = _format("COPY {table} ({columns}) FROM STDIN", table)
        try:
            with server.cursor() as cursor, cursor.copy(statement) as copy:
                for row in _read_file(file, table):
                    copy.write_row(row)
        except psycopg.DataError as error:
            raise LedgerError("moved.not_taken", table=table.name, why=reason_of(error)) from error
    server.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for table in tables:
        server.execute(_format("ALTER TABLE {table} ENABLE TRIGGER USER", table))
        _set_next_number(server, table)


def copy_to_file(server: psycopg.Connection, file: sqlite3.Connection) -> None:
    """Copy the rows of a ledger on a server into the empty tables of a file, in one transaction of the file.

    Raises sqlite3.Error for a row that breaks a condition of the tables.
    """
    with without_triggers(file):
        for table in list_tables(file):
            columns = ", ".join(f'"{column}"' for column in table.columns)
            marks = ", ".join("?" * len(table.columns))
            file.executemany(
                f"INSERT INTO {table.name} ({columns}) VALUES ({marks})",  # noqa: S608 - names of our own schema
                _read_server(server, table),
            )


def require_equal_tables(file: sqlite3.Connection, server: psycopg.Connection) -> int:
    """Return how many rows a ledger has, after each was compared with the other copy's; LedgerError for a difference."""
    rows = 0
    for table in list_tables(file):
        for ours, theirs in zip_longest(_read_file(file, table), _read_server(server, table)):
            if ours != theirs:
                raise LedgerError("moved.differs", table=table.name, row=rows)
            rows += 1
    return rows


def copy_receipts_to_server(lines: Iterable[bytes], server: psycopg.Connection) -> None:
    """Enter the lines of receipts as rows of a server, in the caller's transaction."""
    with server.cursor() as cursor, cursor.copy("COPY receipt (n, line) FROM STDIN") as copy:
        for number, line in enumerate(lines, 1):
            copy.write_row((number, line.decode()))


def read_receipts(server: psycopg.Connection) -> Iterator[bytes]:
    """Yield the receipts of a ledger on a server as the lines of a file, inside the caller's transaction."""
    with server.cursor(name="receipts") as cursor:
        for number, (n, line) in enumerate(cursor.execute("SELECT n, line FROM receipt ORDER BY n"), 1):
            if n != number:
                raise LedgerError("moved.receipts_broken", line=number)
            yield line.encode()


def read_receipt_lines(path: Path, mark: Mark) -> Iterator[bytes]:
    """Yield the lines of a receipts file up to a mark, checked as by `follow_receipts`."""
    with path.open("rb") as file:
        yield from follow_receipts(file, mark)


def follow_receipts(lines: Iterable[bytes], end: Mark) -> Iterator[bytes]:
    """Yield the lines of receipts up to a mark, each checked against the one before.

    Raises LedgerError where the chain is broken or does not end at the mark.
    """
    mark, chain = Mark(), follow_chain(lines, Mark())
    with suppress(StopIteration, ReceiptsDamaged):
        while mark != end:
            line, mark = next(chain)
            yield line
    if mark != end:
        raise LedgerError("moved.receipts_broken", line=mark.n + 1)


def require_equal_receipts(lines: Iterable[bytes], others: Iterable[bytes]) -> None:
    """Raise LedgerError where two copies of receipts differ in a byte."""
    for number, (ours, theirs) in enumerate(zip_longest(lines, others), 1):
        if ours != theirs:
            raise LedgerError("moved.differs", table="receipt", row=number)


def _read_file(file: sqlite3.Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    columns, key = (", ".join(f'"{name}"' for name in names) for names in (table.columns, table.key))
    return file.execute(f"SELECT {columns} FROM {table.name} ORDER BY {key}")  # noqa: S608 - names of our own schema


def _read_server(server: psycopg.Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    with server.cursor(name=f"rows of {table.name}") as cursor:
        yield from cursor.execute(_format("SELECT {columns} FROM {table} ORDER BY {key}", table))


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
