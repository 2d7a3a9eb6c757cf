"""The ledger in an SQLite file, with write-ahead log and every commit flushed, and the writer of it and its receipts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.domain.site_key import SiteKey
from pipeline.errors import LedgerError, reason_of
from pipeline.ledger.commit_queue import CommitJob, CommitQueue, Outcome
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.disk import explain_refusal, release_reserve
from pipeline.ledger.ownership import Ownership
from pipeline.ledger.progress import read_progress
from pipeline.ledger.receipt_sync import make_receipts, write_position
from pipeline.ledger.receipts import ReceiptPosition, Receipts
from pipeline.ledger.registry import ReceiptCounter
from pipeline.ledger.schema import CONSTRAINTS
from pipeline.support.failpoints import hit_failpoint

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


class SqliteWriter(CommitQueue):
    """Owns the connection that writes an SQLite ledger.

    When a commit fails because of the disk, ``failure`` holds the error from then on. Its operations are tried once more,
    one by one: a short verdict may still fit on the disk, or in the space that the reserve file releases.

    Receipts are durable before the commit they belong to. If that commit fails for good, they stay behind the position that the
    ledger has stored, and the next opening enters them.

    ``counter`` counts each commit in the registry. ``ownership`` is asked before each commit: once another process may be
    writing, nothing is written.
    """

    _integrity_error = sqlite3.IntegrityError

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        *,
        receipts: Receipts,
        counters: Sequence[ReceiptCounter],
        ownership: Ownership,
    ) -> None:
        self._path = path
        self._connection = connection
        self._receipts: Receipts | None = receipts  # None: they found no room
        self._counters = counters
        self._ownership = ownership
        self._behind = False  # a verdict stands in the receipts alone: the ledger's position stays before it
        super().__init__()

    def _name_conflict(self, error: Exception) -> str:
        return CONSTRAINTS.get(str(error), str(error))

    def _close_files(self) -> None:
        """Apply the write-ahead log to the ledger and close connection, receipts and counter."""
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            pass  # all is durable in the write-ahead log; the next opening applies it
        finally:
            self._connection.close()
            if self._receipts is not None:
                self._receipts.close()
            for counter in self._counters:
                counter.close()

    def _commit(self, jobs: Sequence[CommitJob], *, last: bool = False) -> None:
        try:
            outcomes = self._transact(jobs, last=last)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to those who wait, not to the thread
            failure = self._record_failure(error) if isinstance(error, (sqlite3.Error, OSError)) else error
            if len(jobs) > 1 or not last:
                for job in jobs:
                    self._commit([job], last=True)
                return
            outcomes = [failure]
        self._resolve(jobs, outcomes)

    def _transact(self, jobs: Sequence[CommitJob], *, last: bool) -> list[Outcome]:
        """Run the jobs in one transaction; return what each has set, or the exception that undid it alone.

        ``last``: it is not tried again, so the receipts of a commit that fails are kept.
        """
        connection, position = self._connection, None
        self._ownership.require()
        try:
            connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._run_operation(connection, job.operation) for job in jobs]
            hit_failpoint("ledger: before the receipts")
            position = self._append_receipts(outcomes, last=last)
            if position is not None and not self._behind:
                write_position(connection, position)
            hit_failpoint("ledger: before the commit")
            connection.execute("COMMIT")
            hit_failpoint("ledger: after the commit")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if position is not None and self._receipts is not None:
                if last:
                    self._receipts.keep(position)
                    self._behind = True
                else:
                    self._receipts.rewind()
            raise
        if position is not None and self._receipts is not None:
            self._receipts.keep(position)
        for counter in self._counters:
            counter.advance(read_progress(connection))
        return outcomes

    def _append_receipts(self, outcomes: Sequence[Outcome], *, last: bool) -> ReceiptPosition | None:
        """Append the receipts of what succeeded; return the new position, None where there is nothing to append.

        A verdict that does not fit into the receipts is still committed (``last``): the ledger counts, and the next opening
        writes the receipts again.
        """
        if self._receipts is None:
            return None
        facts = [fact for outcome in outcomes if not isinstance(outcome, Exception) for fact in outcome]
        if not facts:
            return None
        try:
            return self._receipts.append(make_receipts(self._connection, facts))
        except OSError as error:
            self._record_failure(error)
            if not last:
                raise
            self._receipts.close()
            self._receipts = None
            self._connection.execute("UPDATE meta SET receipts_n = receipts_n + 1, receipts_sha256 = ''")
            return None

    def _record_failure(self, error: sqlite3.Error | OSError) -> LedgerError:
        failure = explain_write_error(self._path, error)
        if self.failure is None:
            self.failure = failure
            release_reserve(self._path)
        return failure


class SqliteLedger(DatabaseLedger):
    """A ledger in a file; `open_ledger` (open.py) opens it. Every read has a connection of its own."""

    def __init__(self, path: Path, *, site_key: SiteKey, writer: SqliteWriter | None = None) -> None:
        super().__init__(site_key=site_key, writer=writer)
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


def explain_write_error(path: Path, error: sqlite3.Error | OSError) -> LedgerError:
    """Return the error for a failed write, with what the file system refused."""
    failure = LedgerError("ledger.not_written", path=path, why=reason_of(error))
    if isinstance(error, sqlite3.Error):
        failure = explain_refusal(path, error, writing=True) or failure
    failure.__cause__ = error
    return failure


def explain_read_error(path: Path, error: sqlite3.Error) -> LedgerError:
    """Return the error for a failed read: the refusal of the file system, else a damaged ledger with the way to restore it."""
    return explain_refusal(path, error, writing=False) or LedgerError(
        "ledger.not_read", path=path, why=reason_of(error), then=("ledger", "rebuild")
    )
