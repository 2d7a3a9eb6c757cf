"""Converts rows of the ledger to receipts and back: for one write, for a full export, and for a rebuild."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pipeline.ledger.receipts import Fact, Mark, Receipt

# table -> its primary key; each table refers only to earlier ones
GUARDED = {
    "meta": "id",
    "run": "run",
    "person": "key",
    "seal_name": "seal_name",
    "decision": "id",
    "attempt": "uuid",
    "seal": "id",
}
_OMITTED_COLUMNS = {
    "meta": ("receipts_n", "receipts_sha256", "receipts_size"),
    "run": ("record", "rosters", "context", "seals"),
}
# The path of a roster may hold an identity number: only the ledger stores it, where `retry` reads it.
_REPLACED_COLUMNS = {"run": {"rosters": "[]", "context": "[]"}}


def make_receipts(connection: sqlite3.Connection, facts: Iterable[Fact]) -> list[Receipt]:
    """Return the receipts of facts, from the rows as they are now."""
    return [
        receipt
        for fact in facts
        for receipt in _make_row_receipts(connection, fact.table, fact.column, fact.value, fact.set)
    ]


def make_all_receipts(connection: sqlite3.Connection) -> list[Receipt]:
    """Return the receipts of all that the ledger holds."""
    return [receipt for table in GUARDED for receipt in _make_row_receipts(connection, table)]


def read_mark(connection: sqlite3.Connection) -> Mark:
    """Return the mark of the last receipt that the ledger knows."""
    return Mark(*connection.execute("SELECT receipts_n, receipts_sha256, receipts_size FROM meta").fetchone())


def write_mark(connection: sqlite3.Connection, mark: Mark) -> None:
    """Store the mark of the last receipt, in the transaction that it belongs to."""
    connection.execute("UPDATE meta SET receipts_n = ?, receipts_sha256 = ?, receipts_size = ?", mark)


def list_receipt_facts(behind: Iterable[Receipt]) -> list[Fact]:
    """Return the facts of the rows that receipts name, to write receipts of their present state."""
    rows = dict.fromkeys((receipt.table, receipt.id) for receipt in behind)
    made = [
        Fact("seal", "attempt", key) for table, key in rows if table == "attempt"
    ]  # perhaps under another id
    return [*(Fact(table, GUARDED[table], key) for table, key in rows), *made]


def restore_rows(connection: sqlite3.Connection, receipts: Iterable[Receipt]) -> None:
    """Fill an empty ledger from receipts; the constraints are checked on the result.

    Raises sqlite3.IntegrityError where they are violated; then nothing was entered.
    """
    rows: dict[str, dict[str | int, dict[str, Any]]] = {table: {} for table in GUARDED}
    for receipt in receipts:
        rows[receipt.table].setdefault(receipt.id, {}).update(receipt.columns)
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("PRAGMA defer_foreign_keys = ON")
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("DELETE FROM meta")
        for table, held in rows.items():
            for columns in held.values():
                _insert_row(connection, table, columns)
        for _, statement in triggers:
            connection.execute(statement)
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _insert_row(connection: sqlite3.Connection, table: str, receipted: dict[str, Any]) -> None:
    columns = {
        **receipted,
        **_REPLACED_COLUMNS.get(table, {}),
    }  # receipts of an earlier version hold the paths
    known = [
        name
        for name in (*_list_columns(connection, table), *_REPLACED_COLUMNS.get(table, {}))
        if name in columns
    ]
    marks = ", ".join("?" * len(known))
    connection.execute(
        f"INSERT INTO {table} ({', '.join(known)}) VALUES ({marks})",  # noqa: S608 - names of our own schema
        [columns[name] for name in known],
    )


def _list_columns(connection: sqlite3.Connection, table: str) -> Sequence[str]:
    return [
        row[1]
        for row in connection.execute(f"PRAGMA table_info({table})")
        if row[1] not in _OMITTED_COLUMNS.get(table, ())
    ]


def _make_row_receipts(
    connection: sqlite3.Connection,
    table: str,
    column: str | None = None,
    value: str | int | None = None,
    chosen: tuple[str, ...] | None = None,
) -> Iterator[Receipt]:
    columns = chosen or tuple(_list_columns(connection, table))
    identity = GUARDED[table]
    where = f" WHERE {column} = ?" if column else ""
    rows = connection.execute(
        f"SELECT {identity}, {', '.join(columns)} FROM {table}{where}",  # noqa: S608 - names of our own schema
        () if column is None else (value,),
    )
    for key, *values in rows:
        yield Receipt(table, key, dict(zip(columns, values, strict=True)))
