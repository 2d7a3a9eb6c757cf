"""The one thread that writes a ledger: it commits whatever is queued, without a timer.

Writes that arrive during a commit share the next one: a single write is not delayed, and twenty at once cost one flush.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from dataclasses import field as _field
from pathlib import Path

from pipeline.errors import LedgerError, reason_of
from pipeline.ledger.disk import explain_refusal, release_reserve
from pipeline.ledger.protocol import LedgerConflict
from pipeline.ledger.receipt_sync import make_receipts, write_mark
from pipeline.ledger.receipts import Fact, Mark, Receipts
from pipeline.ledger.registry import ProgressCounter, read_progress
from pipeline.ledger.schema import CONSTRAINTS
from pipeline.support.failpoints import hit_failpoint

Operation = Callable[[sqlite3.Connection], Sequence[Fact]]  # returns what it has set, for the receipts
Outcome = Sequence[Fact] | Exception  # of an operation

MAX_JOBS_IN_COMMIT = 500


@dataclass(frozen=True, slots=True)
class _Job:
    operation: Operation
    future: Future[None] = _field(default_factory=Future)


class Writer:
    """Owns the writing connection. An operation is a function of it that runs within the shared transaction.

    Each operation has its own savepoint: one that fails takes nothing of its neighbours with it. When the disk fails a
    commit, that stands in ``failure`` from then on, and its operations are tried once more, one by one: a verdict may
    still find room where a longer one did not, or in the room of the reserve file.

    Receipts are durable before the commit they belong to. Where that fails for good they stay, beyond the mark that the
    ledger remembers: the next opening takes them up.

    ``counter`` counts each commit in the registry. ``require_ownership`` is asked before each commit: it raises
    LedgerError once another process may be writing, and then nothing is written.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        *,
        receipts: Receipts | None,
        counter: ProgressCounter | None,
        require_ownership: Callable[[], None] | None,
    ) -> None:
        self.failure: LedgerError | None = None  # the first write the disk refused
        self._path = path
        self._connection = connection
        self._receipts = receipts
        self._counter = counter
        self._require_ownership = require_ownership
        self._behind = False  # a verdict stands in the receipts alone: the ledger's mark stays before it
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run_thread, name="ledger-writer", daemon=True)
        self._thread.start()

    def submit(self, operation: Operation) -> Future[None]:
        """Queue an operation; the future resolves once the commit that holds it is on the disk.

        It raises LedgerConflict for a broken constraint, LedgerError for a disk that failed, and whatever the operation
        itself raised. A future that is cancelled before its turn is not executed.
        """
        if self._closed:
            raise RuntimeError("the ledger is closed")
        job = _Job(operation)
        self._queue.put(job)
        return job.future

    def close(self) -> None:
        """Finish the queue, apply the write-ahead log to the ledger and close the connection."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    def _run_thread(self) -> None:
        while (batch := self._next_batch()) is not None:
            jobs = [job for job in batch if job.future.set_running_or_notify_cancel()]
            if jobs:
                self._commit(jobs)
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            pass  # all is durable in the write-ahead log; the next opening applies it
        finally:
            self._connection.close()
            if self._receipts is not None:
                self._receipts.close()
            if self._counter is not None:
                self._counter.close()

    def _next_batch(self) -> list[_Job] | None:
        """Wait for one job and take all that came with it; None once the queue was closed and is empty."""
        first = self._queue.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < MAX_JOBS_IN_COMMIT:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._queue.put(None)
                break
            batch.append(job)
        return batch

    def _commit(self, jobs: Sequence[_Job], *, last: bool = False) -> None:
        try:
            outcomes = self._transact(jobs, last=last)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to those who wait, not to the thread
            failure = self._record_failure(error) if isinstance(error, (sqlite3.Error, OSError)) else error
            if len(jobs) > 1 or not last:
                for job in jobs:
                    self._commit([job], last=True)
                return
            outcomes = [failure]
        for job, outcome in zip(jobs, outcomes, strict=True):
            if isinstance(outcome, Exception):
                job.future.set_exception(outcome)
            else:
                job.future.set_result(None)

    def _transact(self, jobs: Sequence[_Job], *, last: bool) -> list[Outcome]:
        """Run the jobs in one transaction; return what each has set, or the exception that undid it alone.

        ``last``: it is not tried again, so the receipts of a commit that fails are kept.
        """
        connection, mark = self._connection, None
        if self._require_ownership is not None:
            self._require_ownership()
        try:
            connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._run_operation(job.operation) for job in jobs]
            hit_failpoint("ledger: before the receipts")
            mark = self._append_receipts(outcomes, last=last)
            if mark is not None and not self._behind:
                write_mark(connection, mark)
            hit_failpoint("ledger: before the commit")
            connection.execute("COMMIT")
            hit_failpoint("ledger: after the commit")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if mark is not None and self._receipts is not None:
                if last:
                    self._receipts.keep(mark)
                    self._behind = True
                else:
                    self._receipts.rewind()
            raise
        if mark is not None and self._receipts is not None:
            self._receipts.keep(mark)
        if self._counter is not None:
            self._counter.advance(read_progress(connection))
        return outcomes

    def _append_receipts(self, outcomes: Sequence[Outcome], *, last: bool) -> Mark | None:
        """Append the receipts of what succeeded; return the new mark, None where there is nothing to append.

        A verdict that finds no room in the receipts is still committed (``last``): the ledger counts, and the next
        opening writes the receipts again.
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
            self._connection.execute("UPDATE meta SET receipts_n = 0")
            return None

    def _run_operation(self, operation: Operation) -> Outcome:
        connection = self._connection
        connection.execute("SAVEPOINT operation")
        try:
            result: Outcome = operation(connection)
        except sqlite3.IntegrityError as error:
            result = LedgerConflict(CONSTRAINTS.get(str(error), str(error)))
        except (LedgerConflict, LedgerError) as error:
            result = error
        if isinstance(result, Exception):
            connection.execute("ROLLBACK TO operation")
        connection.execute("RELEASE operation")
        return result

    def _record_failure(self, error: sqlite3.Error | OSError) -> LedgerError:
        failure = explain_write_error(self._path, error)
        if self.failure is None:
            self.failure = failure
            release_reserve(self._path)
        return failure


def explain_write_error(path: Path, error: sqlite3.Error | OSError) -> LedgerError:
    """Return the error for a failed write, with what the file system refused."""
    failure = LedgerError("ledger.not_written", path=path, why=reason_of(error))
    if isinstance(error, sqlite3.Error):
        failure = explain_refusal(path, error, writing=True) or failure
    failure.__cause__ = error
    return failure
