"""The only thread that writes a ledger. It commits all queued operations at once and waits for no timer.

Writes that arrive during a commit share the next one: a single write is not delayed, and twenty at once cost one flush.
"""

from __future__ import annotations

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import LedgerError
from pipeline.ledger.protocol import Connection, LedgerConflict
from pipeline.ledger.receipts import Fact
from pipeline.support.progress_file import record_progress

Operation = Callable[[Connection], Sequence[Fact]]  # returns what it has set, for the receipts
Outcome = Sequence[Fact] | Exception  # of an operation

MAX_JOBS_IN_COMMIT = 500


@dataclass(frozen=True, slots=True)
class CommitJob:
    """An operation that waits for its commit; ``late`` is what can still be entered of it once the lease is lost."""

    operation: Operation
    late: Operation | None = None
    future: Future[None] = field(default_factory=Future)


class CommitQueue(ABC):
    """Runs operations, functions of the writing connection, in shared transactions.

    Each operation has its own savepoint: one that fails takes nothing of its neighbours with it.
    """

    failure: LedgerError | None = None  # the first write that the disk or the server refused
    _integrity_error: type[Exception]  # of the database

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[CommitJob | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run_thread, name="ledger-writer", daemon=True)
        self._thread.start()

    def submit(self, operation: Operation, *, late: Operation | None = None) -> Future[None]:
        """Queue an operation; the future resolves once the commit that holds it is on the disk.

        It raises LedgerConflict for a broken constraint, LedgerError for a disk or server that failed, and the exceptions of
        the operation itself. After another process has taken the lease of a ledger on a server, it raises LeaseLost and
        commits ``late`` instead, which only adds known facts and changes no plan. An operation whose future is cancelled
        before its turn is not executed.
        """
        if self._closed:
            raise RuntimeError("the ledger is closed")
        job = CommitJob(operation, late)
        self._queue.put(job)
        return job.future

    def close(self) -> None:
        """Finish the queue and close what is open."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    @staticmethod
    def _resolve(jobs: Sequence[CommitJob], outcomes: Sequence[object]) -> None:
        """Resolve the futures of jobs; an outcome that is an exception is raised to who waits."""
        record_progress()
        for job, outcome in zip(jobs, outcomes, strict=True):
            if isinstance(outcome, Exception):
                job.future.set_exception(outcome)
            else:
                job.future.set_result(None)

    def _run_operation(self, connection: Connection, operation: Operation) -> Outcome:
        """Run one operation in the transaction; return its result, or the exception that undid this operation alone."""
        connection.execute("SAVEPOINT operation")
        try:
            result: Outcome = operation(connection)
        except self._integrity_error as error:
            result = LedgerConflict(self._name_conflict(error))
        except (LedgerConflict, LedgerError) as error:
            result = error
        if isinstance(result, Exception):
            connection.execute("ROLLBACK TO operation")
        connection.execute("RELEASE operation")
        return result

    @abstractmethod
    def _name_conflict(self, error: Any) -> str:
        """Return the name of the constraint that refused a write."""

    @abstractmethod
    def _commit(self, jobs: Sequence[CommitJob]) -> None:
        """Run the jobs in one transaction and resolve their futures; raises nothing."""

    @abstractmethod
    def _close_files(self) -> None:
        """Close what is open, in the thread that writes."""

    def _run_thread(self) -> None:
        while (batch := self._next_batch()) is not None:
            jobs = [job for job in batch if job.future.set_running_or_notify_cancel()]
            if jobs:
                self._commit(jobs)
        self._close_files()

    def _next_batch(self) -> list[CommitJob] | None:
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
