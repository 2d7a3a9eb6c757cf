"""Writes a ledger on a server: every transaction proves that the lease is still this process's.

A commit whose answer was lost is looked up by its transaction number: it is never guessed, and never made twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import psycopg

from pipeline.clock import pause
from pipeline.errors import LeaseLost, LedgerError
from pipeline.ledger.commit_queue import CommitJob, CommitQueue, Operation, Outcome, run_operation
from pipeline.ledger.postgres.address import ServerAddress
from pipeline.ledger.postgres.connection import (
    SHARED_SCHEMA,
    PostgresConnection,
    explain_server_error,
    is_server_away,
    open_connection,
    use_schemas,
)
from pipeline.ledger.postgres.lease import Lease
from pipeline.ledger.postgres.receipt_rows import append_receipts
from pipeline.ledger.postgres.schema import name_conflict
from pipeline.ledger.receipt_sync import make_receipts
from pipeline.ledger.receipts import Mark
from pipeline.ledger.registry import ProgressCounter, read_progress
from pipeline.support.failpoints import hit_failpoint

AWAY_SECONDS = 60.0  # for which a server that does not answer is waited for
RETRY_SECONDS = 0.5

# A lock on the lease until the end of the transaction: a process that takes the lease waits for it, or its epoch is read here.
_BEGIN = (
    "SELECT epoch, pg_current_xact_id()::text, receipts_n, receipts_sha256, receipts_size "
    "FROM esign_import.lease, meta WHERE ledger = %s FOR SHARE OF lease FOR UPDATE OF meta"
)


@dataclass(slots=True)
class _Transaction:
    """One try of a commit."""

    number: str | None = None  # by which the server knows what became of it
    outcomes: list[Outcome] = field(default_factory=list)


class PostgresWriter(CommitQueue):
    """Owns the connection that writes a ledger on a server; see `CommitQueue`.

    A server that is away is waited for; then the operations raise LedgerError, and ``failure`` holds it. Operations of
    a process that has lost its lease raise LeaseLost and are not executed, but for those of `submit_late`.
    """

    def __init__(
        self,
        address: ServerAddress,
        schema: str,
        lease: Lease,
        counter: ProgressCounter | None,
        *,
        away_seconds: float = AWAY_SECONDS,
    ) -> None:
        self._address = address
        self._schema = schema
        self._lease = lease
        self._counter = counter
        self._away_seconds = away_seconds
        self._connection: psycopg.Connection | None = None
        self._late: set[int] = set()  # ids of jobs that need no lease
        super().__init__()

    def submit_late(self, operation: Operation) -> Future[None]:
        """Queue an operation that is executed although the lease may be lost: it adds what is known, and changes no plan."""
        job = CommitJob(operation)
        self._late.add(id(job))
        self._put(job)
        return job.future

    def _commit(self, jobs: Sequence[CommitJob]) -> None:
        try:
            outcomes = self._commit_through_failures(jobs)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to those who wait, not to the thread
            if len(jobs) > 1 and not isinstance(error, LedgerError):
                for job in jobs:
                    self._commit([job])
                return
            failure = (
                explain_server_error(self._address, error) if isinstance(error, psycopg.Error) else error
            )
            if self.failure is None and isinstance(failure, LedgerError):
                self.failure = failure
            outcomes = [failure] * len(jobs)
        for job, outcome in zip(jobs, outcomes, strict=True):
            self._late.discard(id(job))
            if isinstance(outcome, Exception):
                job.future.set_exception(outcome)
            else:
                job.future.set_result(None)

    def _commit_through_failures(self, jobs: Sequence[CommitJob]) -> list[Outcome]:
        """Run the jobs in one transaction, again where the connection was lost before the commit.

        Raises LedgerError where the server stays away, psycopg.Error where it refuses a statement.
        """
        waited = 0.0
        while True:
            transaction = _Transaction()
            try:
                self._transact(jobs, transaction)
            except (psycopg.Error, LedgerError) as error:
                is_away = is_server_away(error, self._connection)
                self._disconnect()
                if not is_away:
                    raise
                if waited >= self._away_seconds:
                    raise self._explain(error) from error
                pause(RETRY_SECONDS)
                waited += RETRY_SECONDS
                if transaction.number is None or not self._find_committed(transaction.number):
                    continue
            return transaction.outcomes

    def _transact(self, jobs: Sequence[CommitJob], transaction: _Transaction) -> None:
        """Run the jobs in one transaction; ``transaction`` gets its number and what became of each job."""
        connection = self._connect()
        adapter = PostgresConnection(connection)
        connection.execute("BEGIN")
        row = connection.execute(_BEGIN, [self._schema]).fetchone()
        assert row is not None
        epoch, transaction.number, *mark = row
        if epoch != self._lease.epoch:
            self._lease.mark_lost()
        for job in jobs:
            if self._lease.is_intact() or id(job) in self._late:
                outcome = run_operation(adapter, job.operation, psycopg.IntegrityError, name_conflict)
            else:
                outcome = LeaseLost("ledger.lease_lost", server=self._address.shown)
            transaction.outcomes.append(outcome)
        hit_failpoint("ledger: before the receipts")
        self._append_receipts(adapter, Mark(*mark), transaction.outcomes)
        progress = read_progress(adapter)
        hit_failpoint("ledger: before the commit")
        connection.execute("COMMIT")
        hit_failpoint("ledger: after the commit")
        if self._counter is not None:
            self._counter.advance(progress)

    def _append_receipts(self, adapter: PostgresConnection, mark: Mark, outcomes: Sequence[Outcome]) -> None:
        """Enter the receipts of what succeeded, in the transaction that they belong to."""
        facts = [fact for outcome in outcomes if not isinstance(outcome, Exception) for fact in outcome]
        if facts:
            append_receipts(adapter, mark, make_receipts(adapter, facts))

    def _find_committed(self, number: str) -> bool:
        """Return whether a transaction whose commit got no answer was executed; waits until the server knows.

        Raises LedgerError where the server stays away, or no longer knows.
        """
        waited = 0.0
        while True:
            try:
                row = self._connect().execute("SELECT pg_xact_status(%s::xid8)", [number]).fetchone()
                if row is None or row[0] is None:
                    raise LedgerError("ledger.server_commit_unknown", server=self._address.shown)
                if row[0] != "in progress":
                    return bool(row[0] == "committed")
            except (psycopg.Error, LedgerError) as error:
                is_away = is_server_away(error, self._connection)
                self._disconnect()
                if not is_away or waited >= self._away_seconds:
                    raise self._explain(error) from error
            pause(RETRY_SECONDS)
            waited += RETRY_SECONDS

    def _explain(self, error: psycopg.Error | LedgerError) -> LedgerError:
        return explain_server_error(self._address, error) if isinstance(error, psycopg.Error) else error

    def _connect(self) -> psycopg.Connection:
        if self._connection is None:
            self._connection = open_connection(self._address, purpose="writer")
            use_schemas(self._connection, self._schema, SHARED_SCHEMA)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _close_files(self) -> None:
        self._disconnect()
        if self._counter is not None:
            self._counter.close()
