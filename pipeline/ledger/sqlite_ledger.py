"""The ledger in an SQLite file, with write-ahead log and every commit flushed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import LedgerError, reason_of
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.disk import explain_refusal
from pipeline.ledger.writer import Writer

BUSY_SECONDS = 5.0


def connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    """Open the file in autocommit mode with the settings of a ledger; read-only, nothing in it can change."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'ro' if readonly else 'rw'}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    if not readonly:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: flush the drive's cache as well
        connection.execute("PRAGMA foreign_keys = ON")
    return connection


class SqliteLedger(DatabaseLedger):
    """A ledger in a file; `open_ledger` (open.py) opens it. Every read has a connection of its own."""

    def __init__(self, path: Path, *, digest: Callable[[str], str], writer: Writer | None = None) -> None:
        super().__init__(digest=digest, writer=writer)
        self._path = path

    @contextmanager
    def _open_reader(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = connect(self._path, readonly=True)
        except sqlite3.Error as error:
            raise explain_read_error(self._path, error) from error
        try:
            connection.execute("BEGIN")
            yield connection
        except sqlite3.Error as error:
            raise explain_read_error(self._path, error) from error
        finally:
            connection.close()


def explain_read_error(path: Path, error: sqlite3.Error) -> LedgerError:
    """Return the error for a failed read: the refusal of the file system, else a damaged ledger with the way to restore it."""
    return explain_refusal(path, error, writing=False) or LedgerError(
        "ledger.not_read", path=path, why=reason_of(error), then=("ledger", "rebuild")
    )
