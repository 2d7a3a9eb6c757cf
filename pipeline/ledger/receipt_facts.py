"""The guarded rows of the ledger as receipts, and back: what is told of a write, of everything, and after a crash."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pipeline.domain.seals import Verdict
from pipeline.ledger import attempts
from pipeline.ledger.receipts import Mark, Receipt

# table -> its primary key, in an order in which each refers to what stands before it
GUARDED = {
    "meta": "id",
    "run": "run",
    "person": "key",
    "seal_name": "seal_name",
    "decision": "id",
    "attempt": "uuid",
    "seal": "id",
}
_LEFT_OUT = {
    "meta": ("receipts_n", "receipts_sha256", "receipts_size"),
    "run": ("record", "rosters", "context", "seals"),
}
# A path of a roster may hold an identity number: it stands in the ledger, where `retry` reads it, and nowhere else.
_UNTOLD = {"run": {"rosters": "[]", "context": "[]"}}
_VERDICT = ("verdict", "settled_at", "http_status", "request_id", "code", "message", "seal_id")


class Fact(NamedTuple):
    """Rows that a write has set: those of ``table`` whose ``column`` is ``value``; ``set`` names columns, None is all."""

    table: str
    column: str
    value: str | int
    set: tuple[str, ...] | None = None


def of_run(run: str) -> tuple[Fact, ...]:
    """Return what a run's begin or end sets."""
    return (Fact("run", "run", run),)


def of_attempt(uuid: str, key: str, seal_name: str, before: str | None = None) -> tuple[Fact, ...]:
    """Return what entering an attempt sets; ``before`` is the person from whom the name passed on."""
    return (
        *((Fact("person", "key", before),) if before else ()),
        Fact("person", "key", key),
        Fact("seal_name", "seal_name", seal_name),
        Fact("attempt", "uuid", uuid),
    )


def of_verdict(uuid: str) -> tuple[Fact, ...]:
    """Return what a verdict sets."""
    return (Fact("attempt", "uuid", uuid, _VERDICT), Fact("seal", "attempt", uuid))


def told(connection: sqlite3.Connection, facts: Iterable[Fact]) -> list[Receipt]:
    """Return the receipts of a write, from the rows as they are now."""
    return [
        receipt
        for fact in facts
        for receipt in _rows(connection, fact.table, fact.column, fact.value, fact.set)
    ]


def every(connection: sqlite3.Connection) -> list[Receipt]:
    """Return the receipts of all that the ledger holds."""
    return [receipt for table in GUARDED for receipt in _rows(connection, table)]


def mark_of(connection: sqlite3.Connection) -> Mark:
    """Return how far the receipts reach that the ledger knows of."""
    return Mark(*connection.execute("SELECT receipts_n, receipts_sha256, receipts_size FROM meta").fetchone())


def remember(connection: sqlite3.Connection, mark: Mark) -> None:
    """Note how far the receipts reach, in the transaction that they belong to."""
    connection.execute("UPDATE meta SET receipts_n = ?, receipts_sha256 = ?, receipts_size = ?", mark)


def of_receipts(behind: Iterable[Receipt]) -> list[Fact]:
    """Return the rows that receipts speak of, to be told once more as the ledger holds them."""
    rows = dict.fromkeys((each.table, each.id) for each in behind)
    made = [
        Fact("seal", "attempt", key) for table, key in rows if table == "attempt"
    ]  # perhaps under another id
    return [*(Fact(table, GUARDED[table], key) for table, key in rows), *made]


def replay_receipts(connection: sqlite3.Connection, behind: Iterable[Receipt]) -> None:
    """Enter the verdicts of receipts whose commit did not come about; an attempt without one never left.

    A seal id that the service gave would otherwise be lost with the process that heard it.
    """
    for receipt in behind:
        columns = receipt.columns
        if receipt.table != "attempt" or columns.get("verdict") is None:
            continue
        waiting = connection.execute(
            "SELECT 1 FROM attempt WHERE uuid = ? AND verdict IS NULL", (receipt.id,)
        )
        if waiting.fetchone() is None:
            continue
        verdict = Verdict(
            columns["verdict"],
            columns["seal_id"],
            columns["request_id"],
            columns["code"],
            columns["message"],
            columns["http_status"],
        )
        attempts.enter_verdict(connection, str(receipt.id), verdict, columns["settled_at"])


def restore(connection: sqlite3.Connection, receipts: Iterable[Receipt]) -> None:
    """Fill an empty ledger with what the receipts say; the constraints hold over the result, not on the way to it.

    Raises sqlite3.IntegrityError where they do not add up, and then nothing was entered.
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
                _insert(connection, table, columns)
        for _, statement in triggers:
            connection.execute(statement)
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _insert(connection: sqlite3.Connection, table: str, told: dict[str, Any]) -> None:
    columns = {**told, **_UNTOLD.get(table, {})}  # receipts of an earlier version still tell the paths
    known = [name for name in (*_columns(connection, table), *_UNTOLD.get(table, {})) if name in columns]
    marks = ", ".join("?" * len(known))
    connection.execute(
        f"INSERT INTO {table} ({', '.join(known)}) VALUES ({marks})",  # noqa: S608 - names of our own schema
        [columns[name] for name in known],
    )


def _columns(connection: sqlite3.Connection, table: str) -> Sequence[str]:
    return [
        row[1]
        for row in connection.execute(f"PRAGMA table_info({table})")
        if row[1] not in _LEFT_OUT.get(table, ())
    ]


def _rows(
    connection: sqlite3.Connection,
    table: str,
    column: str | None = None,
    value: str | int | None = None,
    chosen: tuple[str, ...] | None = None,
) -> Iterator[Receipt]:
    columns = chosen or tuple(_columns(connection, table))
    identity = GUARDED[table]
    where = f" WHERE {column} = ?" if column else ""
    found = connection.execute(
        f"SELECT {identity}, {', '.join(columns)} FROM {table}{where}",  # noqa: S608 - names of our own schema
        () if column is None else (value,),
    )
    for key, *values in found:
        yield Receipt(table, key, dict(zip(columns, values, strict=True)))
