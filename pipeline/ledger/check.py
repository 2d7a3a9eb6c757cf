"""Checks a ledger: its own integrity, and whether its receipts agree with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from pipeline.ledger import receipt_facts, receipts, schema
from pipeline.ledger.disk import require_rights
from pipeline.ledger.open import read_key, require_own_ledger
from pipeline.ledger.receipt_sync import find_missing_facts, receipts_path
from pipeline.ledger.receipts import Mark
from pipeline.ledger.site_key import SiteKey
from pipeline.ledger.sqlite_ledger import connect, explain_read_error


class LedgerCounts(NamedTuple):
    """How much a ledger holds."""

    people: int
    seals: int  # live ones
    unresolved: int  # attempts


@dataclass(frozen=True, slots=True)
class LedgerDefect:
    """One finding of `check_ledger`: where, and what identifies it."""

    kind: Literal["ledger", "behind", "end", "line", "differs"]
    what: str


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """What `check_ledger` read and found."""

    troubles: tuple[LedgerDefect, ...]
    receipts: int  # lines that the ledger reaches to
    people: int
    seals: int
    unresolved: int


def check_ledger(path: Path, tenant: str) -> LedgerCheck:
    """Return the defects of ledger, key and receipts, and how much was read.

    Raises LedgerError or UsageError for a ledger that cannot even be opened.
    """
    require_rights(path, writing=False)
    site_key = SiteKey(read_key(path), tenant)
    try:
        require_own_ledger(path, site_key)
        with closing(connect(path, readonly=True)) as connection:
            defects = [
                *find_internal_defects(connection),
                *_compare_with_receipts(connection, receipts_path(path)),
            ]
            lines = receipt_facts.read_mark(connection).n
        held = count_ledger(path)
    except sqlite3.Error as error:
        raise explain_read_error(path, error) from error
    return LedgerCheck(tuple(defects), lines, held.people, held.seals, held.unresolved)


def find_internal_defects(connection: sqlite3.Connection) -> Iterator[LedgerDefect]:
    """Yield the defects that the database itself finds."""
    for (finding,) in connection.execute("PRAGMA integrity_check"):
        if finding != "ok":
            yield LedgerDefect("ledger", finding)
    for row in connection.execute("PRAGMA foreign_key_check"):
        yield LedgerDefect("ledger", str(row[0]))


def _compare_with_receipts(connection: sqlite3.Connection, receipts_file: Path) -> Iterator[LedgerDefect]:
    """Yield where the receipts are broken, or differ from the ledger."""
    mark = receipt_facts.read_mark(connection)
    if mark == Mark():
        return  # a ledger in which nothing was ever written under the lock
    reached = receipts.has_marked_line(receipts_file, mark)
    if receipts_file.exists():
        after = mark if reached else Mark()
        lacking = find_missing_facts(connection, receipts.read_unchained(receipts_file, after=after))
        if attempts := lacking.answered + lacking.unanswered or lacking.seals:
            yield LedgerDefect("behind", str(attempts))
            return
    if not reached:
        yield LedgerDefect("end", str(mark.n))
        return
    receipted: dict[tuple[str, str | int], dict[str, object]] = {}
    try:
        for receipt in receipts.read_chained(receipts_file):
            receipted.setdefault((receipt.table, receipt.id), {}).update(receipt.columns)
    except receipts.ReceiptsDamaged as damaged:
        yield LedgerDefect("line", str(damaged.line))
        return
    held = {
        (receipt.table, receipt.id): dict(receipt.columns)
        for receipt in receipt_facts.make_all_receipts(connection)
    }
    for table, identity in sorted(
        {key for key in receipted.keys() | held.keys() if _is_different(key, receipted, held)}, key=str
    ):
        yield LedgerDefect("differs", f"{table} {identity if table in {'run', 'attempt'} else '…'}")


def _is_different(
    key: tuple[str, str | int],
    receipted: dict[tuple[str, str | int], dict[str, object]],
    held: dict[tuple[str, str | int], dict[str, object]],
) -> bool:
    return key[0] != "run" and _drop_empty_columns(receipted.get(key)) != _drop_empty_columns(
        held.get(key)
    )  # what a run saw is no receipt


def _drop_empty_columns(columns: dict[str, object] | None) -> dict[str, object] | None:
    """Leave out empty columns: older receipts lack columns that were added later."""
    return columns and {name: value for name, value in columns.items() if value is not None}


def count_ledger(path: Path) -> LedgerCounts:
    """Return how many persons, live seals and unresolved attempts a ledger holds."""
    with closing(connect(path, readonly=True)) as connection:
        (people,) = connection.execute("SELECT count(*) FROM person").fetchone()
        (seals,) = connection.execute("SELECT count(*) FROM seal WHERE ended_by IS NULL").fetchone()
        (unresolved,) = connection.execute(
            f"SELECT count(*) FROM attempt WHERE {schema.OPEN_ATTEMPT}"  # noqa: S608 - our own words
        ).fetchone()
    return LedgerCounts(people, seals, unresolved)
