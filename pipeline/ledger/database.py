"""What the statements of the ledger need of a database connection: sqlite3's, or PostgreSQL's behind an adapter.

The statements are written in SQL that SQLite takes; an adapter translates the few words that
PostgreSQL has under other names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol


class Cursor(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int:
        """Return how many rows the statement changed."""

    @property
    def description(self) -> Any:
        """Return the columns of the result, the name first in each."""

    def fetchone(self) -> Any:
        """Return the next row, or None."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows that are left."""


class Connection(Protocol):
    """A connection in autocommit mode; a transaction is begun and ended by statements."""

    def execute(self, statement: str, values: Any = ..., /) -> Cursor:
        """Run a statement with the values of its ``?`` or ``?1`` marks."""

    def executemany(self, statement: str, rows: Iterable[Any], /) -> object:
        """Run a statement once for each row of values."""
