"""Writes a ledger: prove the hold, apply, both journals durable, commit.

One thread writes. It commits all queued writes at once and waits for no timer: a single write is not delayed, and twenty
at once cost one flush.
"""

from __future__ import annotations

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import LedgerError, reason_of
from pipeline.ledger.events import Event
from pipeline.ledger.journal import LastLine
from pipeline.ledger.opening import Journals, append_events, note_last_lines
from pipeline.ledger.operations import DECIDED, UNDO, enter
from pipeline.ledger.records import LedgerConflict
from pipeline.ledger.tables import Connection, compute_next
from pipeline.support.failpoints import hit_failpoint
from pipeline.support.progress_file import record_progress

MAX_WRITES_IN_COMMIT = 500
Operation = tuple[str, Mapping[str, Any]]  # the name of an operation, and the arguments of its event
Write = Callable[[Connection], Sequence[Operation]]  # returns what is entered, together or not at all
Outcome = list[Event] | Exception  # of a write


@dataclass(frozen=True, slots=True)
class Job:
    """A write that waits for its commit."""

    write: Write
    # what it enters, if that is kept although hold, place or database refuse it
    answer: Sequence[Operation] = ()
    future: Future[None] = field(default_factory=Future)


@dataclass(slots=True)
class Batch:
    """Writes of one commit; it may be tried several times, with the same events once the journals hold them."""

    jobs: Sequence[Job]
    outcomes: Sequence[Outcome] | None = None  # None: not applied yet
    last_lines: Mapping[str, LastLine] = field(default_factory=dict)  # of the journals that hold the events

    @property
    def events(self) -> list[Event]:
        """The events of all writes that were not rolled back."""
        outcomes = self.outcomes or ()
        return [event for outcome in outcomes if not isinstance(outcome, Exception) for event in outcome]


class LedgerWriter(ABC):
    """Owns the connection that writes; the databases differ in how a transaction begins, and in what is explained."""

    failure: LedgerError | None = None  # the first write that was refused: this hold sends nothing more
    beat_seconds: float | None = (
        None  # after which a writer without work proves its hold, where the database asks for it
    )

    def __init__(self, journals: Journals) -> None:
        self.journals = journals
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closed = False
        self._last = 0  # number of the last event that was made
        self._thread = threading.Thread(target=self._run_thread, name="ledger-writer", daemon=True)
        self._thread.start()

    def submit(self, write: Write) -> Future[None]:
        """Queue a write; the future resolves once its events are durable in both journals and committed.

        It raises LedgerConflict where it contradicts what is known, LedgerError for a disk or server that failed, and the
        exceptions of the write itself. After a refused write only answers are taken. A write whose future is cancelled
        before its turn is not executed; one may be executed again where the connection to a server broke.
        """
        return self._submit(Job(write))

    def submit_answer(self, answer: Sequence[Operation]) -> Future[None]:
        """Queue what the service answered, or how a run ended: it is kept although the hold is lost, by whatever place takes it."""
        return self._submit(Job(lambda _: answer, answer))

    def _submit(self, job: Job) -> Future[None]:
        if self._closed:
            raise RuntimeError("the ledger is closed")
        self._queue.put(job)
        return job.future

    def close(self) -> None:
        """Finish the queue and close what is open."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    @abstractmethod
    def _begin(self) -> Connection:
        """Begin a transaction and return its connection; the holder's."""

    @abstractmethod
    def _prove_hold(self, connection: Connection) -> None:
        """Raise LedgerError once another process may be writing."""

    @abstractmethod
    def _commit(self, connection: Connection) -> None:
        """Commit the transaction."""

    @abstractmethod
    def _roll_back(self) -> None:
        """Undo the transaction, if there is one; raises nothing."""

    @abstractmethod
    def _explain(self, error: Exception) -> Exception:
        """Return the LedgerError for a disk or server that failed, and any other exception as it is."""

    @abstractmethod
    def _get_conflict(self, error: Exception) -> LedgerConflict | None:
        """Return the conflict for the database's error about a constraint, None for any other one."""

    @abstractmethod
    def _close_files(self) -> None:
        """Close what is open, in the thread that writes."""

    def _run_thread(self) -> None:
        while (batch := self._next_batch()) is not None:
            jobs = [job for job in batch if job.future.set_running_or_notify_cancel()]
            if jobs or not batch:
                self._write(jobs)
        self._close_files()

    def _next_batch(self) -> list[Job] | None:
        """Wait for one job and take all that came with it; none after `beat_seconds`; None once the queue was closed and is empty."""
        try:
            first = self._queue.get(timeout=self.beat_seconds)
        except queue.Empty:
            return []
        if first is None:
            return None
        batch = [first]
        while len(batch) < MAX_WRITES_IN_COMMIT:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._queue.put(None)
                break
            batch.append(job)
        return batch

    def _write(self, jobs: Sequence[Job]) -> None:
        """Enter these writes and resolve their futures; raises nothing."""
        outcomes: Sequence[object]
        try:
            if self.failure is not None:
                raise copy(self.failure) from self.failure.__cause__
            outcomes = self._transact(jobs)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to those who wait, not to the thread
            explained = self._explain(error)
            if isinstance(explained, LedgerError) and self.failure is None:
                self.failure = explained
                self._react_to_failure()
            outcomes = [self._save_answer(job, explained) if job.answer else explained for job in jobs]
        if jobs:
            record_progress()
        for job, outcome in zip(jobs, outcomes, strict=True):
            if isinstance(outcome, Exception):
                job.future.set_exception(outcome)
            else:
                job.future.set_result(None)

    def _react_to_failure(self) -> None:  # noqa: B027 - most databases have nothing to prepare
        """Prepare for the answers that are still to be saved."""

    def _transact(self, jobs: Sequence[Job]) -> Sequence[Outcome]:
        """Enter the writes in one transaction; return the events of each, or the exception that undid it alone."""
        batch = Batch(jobs)
        try:
            self._try(batch)
        except Exception:
            self._roll_back()
            if batch.last_lines:
                self._close_refused(batch)
            raise
        assert batch.outcomes is not None
        return batch.outcomes

    def _try(self, batch: Batch) -> None:
        """Try a commit; what an earlier try has brought into the journals is entered as it stands there."""
        connection = self._begin()
        self._prove_hold(connection)
        if batch.last_lines and _is_entered(connection, batch.events[0]):
            self._roll_back()  # only the answer to an earlier commit was lost
            return
        if batch.last_lines:
            assert batch.outcomes is not None
            for job, outcome in zip(batch.jobs, batch.outcomes, strict=True):
                again = (
                    outcome if isinstance(outcome, Exception) else self._apply(connection, job.write, outcome)
                )
                if isinstance(again, Exception) and again is not outcome:
                    raise again
        else:
            batch.outcomes = [self._apply(connection, job.write) for job in batch.jobs]
            self._write_journals(batch)
        note_last_lines(connection, self.journals.host, batch.last_lines)
        hit_failpoint("ledger: before the commit")
        self._commit(connection)
        hit_failpoint("ledger: after the commit")

    def _write_journals(self, batch: Batch) -> None:
        """Bring the events of a batch into both journals. Raises OSError where a place refuses them.

        A create is sent only if no other host has opened the ledger before its line was durable; else raises HoldLost.
        """
        events = batch.events
        if not events:
            return
        hit_failpoint("ledger: before the journals")
        batch.last_lines, refusal = self.journals.append(events)
        if refusal is not None:
            raise refusal
        if any(event.op == "attempt" for event in events):
            self.journals.require_last_opening()

    def _apply(self, connection: Connection, write: Write, made: Sequence[Event] = ()) -> Outcome:
        """Apply one write in the transaction; return its events, or the exception that undid this write alone.

        ``made`` are its events where an earlier try has made them.
        """
        connection.execute("SAVEPOINT entry")
        events: list[Event] = []
        conflict: Exception | None = None
        try:
            for number, (name, args) in enumerate(write(connection)):
                event = made[number] if made else self._make_event(connection, name, args)
                enter(connection, event)
                append_events(connection, [event])
                events.append(event)
        except (LedgerConflict, LedgerError, UnicodeError) as error:  # the last: no database holds the text
            conflict = error
        except Exception as error:
            conflict = self._get_conflict(error)
            if conflict is None:
                raise
        if conflict is not None:
            connection.execute("ROLLBACK TO SAVEPOINT entry")
        connection.execute("RELEASE SAVEPOINT entry")
        return conflict or events

    def _make_event(self, connection: Connection, name: str, args: Mapping[str, Any]) -> Event:
        event = Event.make(compute_next(connection, "event", "n"), name, args)
        self._last = event.n
        return event

    def _save_answer(self, job: Job, failure: Exception) -> Outcome:
        """Enter an answer in whatever takes it: the places of the journal, and the database if it is held.

        The next opening enters what the database lacks, and judges it. Return ``failure`` where nothing took it.
        """
        connection: Connection | None = None
        try:
            connection = self._begin()
            self._prove_hold(connection)
            outcome = self._apply(connection, job.write)
            if isinstance(outcome, Exception):
                self._roll_back()
                return outcome
            events = outcome
        except Exception:  # noqa: BLE001 - the first failure is the one that is returned
            self._roll_back()
            connection = None
            events = [Event.make(number, *one) for number, one in enumerate(job.answer, self._last + 1)]
            self._last += len(events)
        last_lines, _ = self.journals.append(events)
        is_saved = bool(last_lines)
        if connection is not None:
            try:
                self._commit(connection)
                is_saved = True
            except Exception:  # noqa: BLE001 - the same
                self._roll_back()
        return events if is_saved else failure

    def _close_refused(self, batch: Batch) -> None:
        """Close in the journals what the commit refused: a create was not executed, a decision was not made.

        Raises LedgerError where a place that holds a decision does not take this.
        """
        number = max(event.n for event in batch.events) + 1
        closing = []
        never_made = []
        for event in batch.events:
            if event.op == "attempt":
                closing.append(_make_not_executed(event, number))
            elif event.op in DECIDED:
                never_made.append(event.id)
        if never_made:
            closing.append(Event.make(number, UNDO, {"events": never_made}))
        if not closing:
            return
        last_lines, refusal = self.journals.append(closing)
        if never_made and refusal is not None and not batch.last_lines.keys() <= last_lines.keys():
            why = reason_of(refusal)
            raise LedgerError("ledger.may_be_recorded", path=refusal.filename, why=why) from refusal


def _is_entered(connection: Connection, event: Event) -> bool:
    return connection.execute("SELECT 1 FROM event WHERE id = ?", (event.id,)).fetchone() is not None


def _make_not_executed(attempt: Event, number: int) -> Event:
    """Return the verdict of an attempt that never got permission to be sent."""
    args = attempt.args
    verdict = {
        "uuid": args["uuid"],
        "person": args["person"],
        "kind": "not_executed",
        "at": args["signed_at"],
    }
    return Event.make(number, "verdict", verdict)
