"""Writes a ledger on a server: every transaction proves that the lease is still this process's.

A commit whose answer was lost is never guessed, and never made twice: each transaction leaves its number in a row of its
own writer, and the next one finds it there or not. (The transaction number of the server would not do: one that was not
flushed before a crash is given out again, to another transaction.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

import psycopg

from pipeline.clock import SystemClock, pause
from pipeline.domain.server_address import ServerAddress
from pipeline.errors import LedgerError
from pipeline.hosts.connection import (
    PostgresConnection,
    explain_server_error,
    is_server_away,
    open_connection,
    require_durable_commits,
)
from pipeline.hosts.lease import Lease
from pipeline.hosts.schema import name_conflict
from pipeline.ledger.commit_queue import CommitJob, CommitQueue
from pipeline.ledger.progress import PROGRESS_COLUMNS, LedgerProgress
from pipeline.ledger.protocol import Connection
from pipeline.ledger.receipt_sync import make_all_receipts, make_receipts, read_position, write_position
from pipeline.ledger.receipts import Fact, Receipt, ReceiptPosition, format_lines
from pipeline.ledger.registry import ReceiptCounter
from pipeline.support.failpoints import hit_failpoint

AWAY_SECONDS = 60.0  # for which a server that does not answer is waited for
PATIENCE_SECONDS = 50.0  # that one statement may take
RETRY_SECONDS = 0.5

# Locks the lease's key until the end of the transaction: a process that takes the lease waits for it, or its token is
# read here. A former connection whose commit got no answer holds the other two until its transaction has ended.
_BEGIN = """
    SELECT lease.token, number, receipts_n, receipts_sha256, receipts_size FROM esign_import.lease, last_commit, meta
    WHERE ledger = %s AND writer = %s FOR KEY SHARE OF lease FOR UPDATE OF last_commit, meta
"""
_REGISTER = """
    WITH forgotten AS (DELETE FROM last_commit WHERE epoch < %(epoch)s - 50)
    INSERT INTO last_commit (writer, epoch) VALUES (%(writer)s, %(epoch)s) ON CONFLICT DO NOTHING
"""
# The row of progress is what other hosts note of this ledger (`pipeline.ledger.registry`); it is never lowered.
_END = f"""
    WITH ended AS (UPDATE last_commit SET number = %(number)s WHERE writer = %(writer)s RETURNING writer),
    reached AS (SELECT receipts_n, receipts_sha256, receipts_size, {PROGRESS_COLUMNS} FROM meta, ended),
    noted AS (
        UPDATE esign_import.progress AS noted
        SET recoveries = reached.recoveries, receipts = reached.receipts, attempts = reached.attempts
        FROM reached WHERE noted.ledger = %(ledger)s
            AND (noted.recoveries, noted.receipts) <= (reached.recoveries, reached.receipts)
    )
    SELECT * FROM reached
"""  # noqa: S608 - our own words


@dataclass(slots=True)
class _Transaction:
    """A commit that is tried until it has been made; what it holds is of the last try."""

    number: int  # among those of this writer
    facts: list[Fact] = field(default_factory=list)  # that its operations have set
    errors: list[Exception | None] = field(default_factory=list)  # of each operation
    position: ReceiptPosition = field(default_factory=ReceiptPosition)  # of the receipts, and
    progress: LedgerProgress = field(
        default_factory=LedgerProgress
    )  # how far the ledger has got, once it is committed


class PostgresWriter(CommitQueue):
    """Owns the connection that writes a ledger on a server; see `CommitQueue`.

    A server that is away is waited for; then the operations raise LedgerError, and ``failure`` holds it. Operations of
    a process that has lost its lease raise LeaseLost and are not executed, but for the late ones.
    """

    _integrity_error = psycopg.IntegrityError

    def __init__(
        self,
        address: ServerAddress,
        schema: str,
        lease: Lease,
        counters: Sequence[ReceiptCounter],
        *,
        away_seconds: float = AWAY_SECONDS,
    ) -> None:
        self._address = address
        self._schema = schema
        self._lease = lease
        self._counters = counters
        self._away_seconds = away_seconds
        self._clock = SystemClock()
        self._away_since: float | None = None  # the server has not answered since this moment
        self._connection: psycopg.Connection | None = None
        self._id = str(uuid4())  # of this writer: a lease may have several, one after another
        self._number = 0  # of the last transaction
        self._position = ReceiptPosition()  # of the receipts, after the last commit that is known to be made
        super().__init__()

    def _commit(self, jobs: Sequence[CommitJob]) -> None:
        try:
            errors = self._commit_through_failures(jobs)
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
            errors = [failure] * len(jobs)
        self._resolve(jobs, errors)

    def _commit_through_failures(self, jobs: Sequence[CommitJob]) -> list[Exception | None]:
        """Run the jobs in one transaction, again where the connection was lost; return the error of each.

        Raises LedgerError where the server stays away, psycopg.Error where it refuses a statement.
        """
        self._number += 1
        transaction = _Transaction(self._number)
        while True:
            try:
                self._transact(jobs, transaction)
            except (psycopg.Error, LedgerError) as error:
                is_away = is_server_away(error, self._connection)
                self._disconnect()
                if not is_away:
                    raise
                self._lease.renew_soon()
                if self._is_away_for_too_long():
                    if isinstance(error, LedgerError):
                        raise
                    raise explain_server_error(self._address, error) from error
                pause(RETRY_SECONDS)
            except BaseException:
                self._disconnect()  # nothing of it may be committed with the next one
                raise
            else:
                self._away_since = None
                return transaction.errors

    def _transact(self, jobs: Sequence[CommitJob], transaction: _Transaction) -> None:
        """Make one try of a transaction, unless an earlier try turns out to be committed."""
        connection = self._connect()
        adapter = PostgresConnection(connection)
        connection.execute("BEGIN")
        row = connection.execute(_BEGIN, [self._schema, self._id]).fetchone()
        token, number, *values = row if row is not None else (None, None, *ReceiptPosition())
        position = ReceiptPosition(*values)
        if number == transaction.number:
            connection.execute("ROLLBACK")
        else:
            if token != self._lease.token:
                self._lease.note_loss()
            elif _is_before(position, self._position):
                raise LedgerError("ledger.server_behind", server=self._address.shown)
            self._execute(adapter, jobs, transaction)
            hit_failpoint("ledger: before the receipts")
            if transaction.facts:
                append_receipts(adapter, position, make_receipts(adapter, transaction.facts))
            self._end(connection, transaction)
            hit_failpoint("ledger: before the commit")
            connection.execute("COMMIT")
            hit_failpoint("ledger: after the commit")
        self._position = transaction.position
        for counter in self._counters:
            counter.advance(transaction.progress)

    def _execute(
        self, adapter: PostgresConnection, jobs: Sequence[CommitJob], transaction: _Transaction
    ) -> None:
        """Run the operations, or what is left of them once the lease is lost."""
        transaction.facts, transaction.errors = [], []
        for job in jobs:
            lost, operation = None, job.operation
            if not self._lease.is_intact():
                lost = self._lease.explain_loss()
                operation = job.late or _do_nothing
            outcome = self._run_operation(adapter, operation)
            if isinstance(outcome, Exception):
                transaction.errors.append(lost or outcome)
            else:
                transaction.facts += outcome
                transaction.errors.append(lost)

    def _end(self, connection: psycopg.Connection, transaction: _Transaction) -> None:
        """Leave the transaction's number, and note what the ledger holds with it."""
        values = {"number": transaction.number, "writer": self._id, "ledger": self._schema}
        row = connection.execute(_END.encode(), values).fetchone()
        if row is not None:  # else the lease is lost for long
            transaction.position, transaction.progress = ReceiptPosition(*row[:3]), LedgerProgress(*row[3:])

    def _is_away_for_too_long(self) -> bool:
        """Return whether the server has not answered for the time that it is waited for; later writes do not wait again."""
        now = self._clock.monotonic()
        if self._away_since is None:
            self._away_since = now
        return now - self._away_since >= self._away_seconds

    def _connect(self) -> psycopg.Connection:
        if self._connection is None:
            connection = self._connection = open_connection(
                self._address, purpose="writer", schema=self._schema, patience=PATIENCE_SECONDS
            )
            require_durable_commits(connection, self._address)  # after a failover it is another server
            connection.execute(_REGISTER, {"writer": self._id, "epoch": self._lease.epoch})
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _name_conflict(self, error: psycopg.Error) -> str:
        return name_conflict(error)

    def _close_files(self) -> None:
        self._disconnect()
        for counter in self._counters:
            counter.close()


def append_receipts(connection: Connection, position: ReceiptPosition, receipts: Sequence[Receipt]) -> None:
    """Enter receipts behind a position as rows, chained as the lines of receipts.jsonl, in the transaction that they belong to."""
    lines, new_position = format_lines(position, receipts)
    connection.executemany(
        "INSERT INTO receipt (n, line) VALUES (?, ?)",
        [(number, line.decode()) for number, line in enumerate(lines, position.n + 1)],
    )
    write_position(connection, new_position)


def write_all_receipts(connection: Connection) -> None:
    """Put receipts of all that the ledger holds in place of those that are there, in the caller's transaction.

    They are numbered on: the number of a receipt only grows.
    """
    connection.execute("DELETE FROM receipt")
    append_receipts(connection, ReceiptPosition(read_position(connection).n), make_all_receipts(connection))


def _is_before(position: ReceiptPosition, known: ReceiptPosition) -> bool:
    """Return whether receipts reach less far than was committed, or are others: a server lost its last commits."""
    return position.n < known.n or (position.n == known.n and position.sha256 != known.sha256)


def _do_nothing(_: Connection) -> Sequence[Fact]:
    return ()
