"""The ledger in an SQLite file, with write-ahead log and every commit flushed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pipeline.domain.roster import FileStat
from pipeline.domain.run import Judged, Judgement
from pipeline.domain.seals import CHECKED, LedgerSnapshot, PersonMarks, Verdict
from pipeline.errors import LedgerError, reason_of
from pipeline.ledger import (
    attempts,
    decisions,
    disk,
    person_history,
    receipt_facts,
    run_history,
)
from pipeline.ledger import snapshot as people
from pipeline.ledger.disk import explain_refusal
from pipeline.ledger.person_history import PersonRecords
from pipeline.ledger.protocol import (
    UPLOAD_REFUSED,
    AdoptedSeal,
    Attempt,
    Decision,
    DecisionRecord,
    RowRecord,
    RunRecord,
)
from pipeline.ledger.receipts import Receipts
from pipeline.ledger.registry import ProgressCounter
from pipeline.ledger.writer import FactSource, Operation, Writer

Result = TypeVar("Result")

BUSY_SECONDS = 5.0
_MARKS_IN_A_COMMIT = 2_000  # their receipts are held in memory until it


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


class SqliteLedger:
    """A `Ledger` (protocol.py) and a `PersonArchive` (person_history.py); opened by `open_ledger` (open.py).

    Writes go through one thread; every read has its own connection and sees one moment. The paths of recorded files are
    stored as ``digest`` of them: a picture's name may be an identity number.
    """

    def __init__(
        self,
        path: Path,
        *,
        digest: Callable[[str], str],
        readonly: bool,
        receipts: Receipts | None = None,
        counter: ProgressCounter | None = None,
        require_ownership: Callable[[], None] | None = None,
    ) -> None:
        self._path = path
        self._digest = digest
        self._writer = (
            None
            if readonly
            else Writer(
                path,
                connect(path, readonly=False),
                receipts,
                partial(disk.release_reserve, path),
                counter=counter,
                require_ownership=require_ownership,
            )
        )

    def snapshot(self) -> LedgerSnapshot:
        """Return every person at one moment; an attempt without a verdict counts as unknown."""
        with self._open_reader() as connection:
            return people.read_snapshot(connection, self._digest)

    def list_known_files(self) -> Mapping[str, FileStat]:
        """Return the recorded files by path."""
        with self._open_reader() as connection:
            rows = connection.execute("SELECT path, size, mtime_ns, sha256 FROM file_stat")
            return KnownFiles({path: FileStat(*stat) for path, *stat in rows}, self._digest)

    def record_files(self, stats: Mapping[str, FileStat]) -> None:
        """Record size, time and digest of files by path, replacing what was recorded of them."""
        rows = [(self._digest(path), stat.size, stat.mtime_ns, stat.sha256) for path, stat in stats.items()]

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT INTO file_stat (path, size, mtime_ns, sha256) VALUES (?, ?, ?, ?) ON CONFLICT (path) DO UPDATE "
                "SET size = excluded.size, mtime_ns = excluded.mtime_ns, sha256 = excluded.sha256",
                rows,
            )

        if rows:
            self._write(write)

    def begin_run(self, record: RunRecord) -> None:
        """Enter a run, before anything that refers to it."""
        self._write(
            lambda ledger: run_history.enter_run(ledger, record), receipt_facts.list_run_facts(record.run)
        )

    def record_rows(self, run: str, rows: Iterable[RowRecord]) -> None:
        """Record these rows of a run, replacing what it recorded of them before."""
        self._write(lambda connection: run_history.enter_rows(connection, run, rows))

    def record_marks(self, marks: Mapping[str, PersonMarks]) -> None:
        """Record staff number and mobile of persons by key, replacing what was recorded of them."""
        with self._open_reader() as connection:
            earlier = decisions.read_earlier_staff_numbers(connection, self._digest)
        all_marks = {**{key: PersonMarks(staff_no, "") for key, staff_no in earlier.items()}, **marks}
        keys = list(all_marks)
        for first in range(0, len(keys), _MARKS_IN_A_COMMIT):
            some = {key: all_marks[key] for key in keys[first : first + _MARKS_IN_A_COMMIT]}
            self._write(
                partial(decisions.update_marks, marks=some),
                [receipt_facts.Fact("person", "key", key, ("staff_no", "mobile")) for key in some],
            )

    async def open_attempt(self, attempt: Attempt) -> None:
        """Enter a create before its first byte leaves; raises LedgerConflict where none may be sent.

        After the first write that the disk refused, every further one raises LedgerError; verdicts are still accepted.
        """
        writer = self._require_writer()

        def write(connection: sqlite3.Connection) -> str | None:
            if writer.failure is not None:
                raise copy(writer.failure) from writer.failure.__cause__
            return attempts.enter_attempt(connection, attempt)

        entered = writer.submit(
            write,
            lambda before: receipt_facts.list_attempt_facts(
                attempt.uuid, attempt.key, attempt.seal_name, before
            ),
        )
        try:
            await asyncio.wrap_future(entered)
        except asyncio.CancelledError:
            # too late to cancel: it is on the disk, but the caller did not get permission to send
            if not entered.cancel():
                writer.submit(
                    lambda ledger: attempts.withdraw_attempt(ledger, attempt.uuid, attempt.signed_at),
                    receipt_facts.list_verdict_facts(attempt.uuid),
                )
            raise

    async def record_verdict(self, uuid: str, verdict: Verdict, *, now: float) -> None:
        """Enter the verdict of an attempt at ``now`` (unix seconds); ``sealed`` enters the seal as well."""
        entered = self._require_writer().submit(
            lambda ledger: attempts.enter_verdict(ledger, uuid, verdict, now),
            receipt_facts.list_verdict_facts(uuid),
        )
        await asyncio.shield(asyncio.wrap_future(entered))

    def finish_run(self, run: str, *, exit: int, finished: float, record: str) -> None:  # noqa: A002 - the name in run.json
        """Enter how a run ended; ``record`` is its run.json."""
        self._write(
            lambda ledger: run_history.enter_run_end(ledger, run, exit, finished, record),
            receipt_facts.list_run_facts(run),
        )

    def find_run(self, run: str) -> RunRecord | None:
        """Return one run, or None."""
        return next(iter(self._select_runs("WHERE run = ?", run)), None)

    def list_runs(self, limit: int) -> list[RunRecord]:
        """Return the newest runs, newest first."""
        return self._select_runs("ORDER BY number DESC LIMIT ?", limit)

    def find_last_run(self, *, complete: bool = False) -> RunRecord | None:
        """Return the newest run, or the newest that came to its end."""
        ended = "WHERE finished IS NOT NULL" if complete else ""
        return next(iter(self._select_runs(f"{ended} ORDER BY number DESC LIMIT ?", 1)), None)

    def list_rows(self, run: str) -> list[RowRecord]:
        """Return the row records of a run, sorted by file, sheet and row."""
        with self._open_reader() as connection:
            return run_history.read_rows(connection, run)

    def list_staff_numbers(self) -> Mapping[str, Collection[str]]:
        """Return the staff numbers that runs read for every person with a seal, by key."""
        with self._open_reader() as connection:
            return people.read_staff_numbers(connection)

    def count_creates(self, run: str) -> int:
        """Return how many creates of a run were entered, whatever became of them."""
        with self._open_reader() as connection:
            (entered,) = connection.execute(
                "SELECT count(*) FROM attempt WHERE run = ? AND contract <> ?", (run, UPLOAD_REFUSED)
            ).fetchone()
            return int(entered)

    def run_ids(self) -> set[str]:
        """Return the ids of all runs."""
        with self._open_reader() as connection:
            return {run for (run,) in connection.execute("SELECT run FROM run")}

    def attempt_ids(self) -> set[str]:
        """Return the uuids of all attempts."""
        with self._open_reader() as connection:
            return {uuid for (uuid,) in connection.execute("SELECT uuid FROM attempt")}

    def seal_ids(self) -> set[str]:
        """Return every SealId that is known, of seals that were given up as well."""
        with self._open_reader() as connection:
            return {seal_id for (seal_id,) in connection.execute("SELECT seal_id FROM seal")}

    def ended_seals(self) -> set[str]:
        """Return the SealIds of seals that were given up."""
        with self._open_reader() as connection:
            return {
                seal_id
                for (seal_id,) in connection.execute("SELECT seal_id FROM seal WHERE ended_by IS NOT NULL")
            }

    def find_seen_rows(self, row_ids: Collection[str]) -> set[str]:
        """Return which of these rows an earlier run has seen."""
        with self._open_reader() as connection:
            return run_history.find_seen_rows(connection, row_ids)

    def find_corrections(self, row_ids: Collection[str]) -> Mapping[str, RowRecord]:
        """Return the corrected copies of these roster rows whose person has a live seal, by the roster row's id."""
        with self._open_reader() as connection:
            return run_history.find_corrections(connection, row_ids)

    def record_decision(self, decision: Decision) -> None:
        """Enter a decision and its consequences."""
        self._write(
            lambda ledger: decisions.enter_decision(ledger, decision),
            lambda number: decisions.list_decision_facts(decision, number),
        )

    def record_adopted_seals(self, seals: Sequence[AdoptedSeal], *, now: float, who: str, why: str) -> None:
        """Enter seals created elsewhere, all or none."""
        self._write(
            lambda ledger: decisions.enter_adopted_seals(ledger, seals, now, who, why),
            decisions.list_adoption_facts(seals),
        )

    def record_judgements(self, judgements: Mapping[str, Judged], *, now: float, who: str, why: str) -> None:
        """Enter the judgements of a review, all or none; they count in every later run."""
        self._write(
            lambda ledger: decisions.enter_judgements(ledger, judgements, now, who, why),
            lambda numbers: [receipt_facts.Fact("decision", "id", number) for number in numbers],
        )

    def list_judgements(self) -> Mapping[str, Judgement]:
        """Return the last judgement on each content."""
        with self._open_reader() as connection:
            return decisions.read_judgements(connection)

    def record_accepted_runs(self, runs: Sequence[str], *, now: float, who: str) -> None:
        """Enter that the ledger is used without the seals of these runs: their results no longer refuse it."""
        self._write(
            lambda ledger: decisions.enter_accepted_runs(ledger, runs, now, who),
            lambda number: [receipt_facts.Fact("decision", "id", number)],
        )

    def list_accepted_runs(self) -> set[str]:
        """Return the runs that `record_accepted_runs` entered."""
        with self._open_reader() as connection:
            return decisions.read_accepted_runs(connection)

    def record_checked_sizes(self, seal_ids: Collection[str]) -> None:
        """Note that these live seals, made before sizes were recorded, were made from pictures sent whole."""
        rows = [(CHECKED, seal_id) for seal_id in seal_ids]

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany("UPDATE seal SET content_sent_size = ? WHERE seal_id = ?", rows)

        if rows:
            set_alone = ("content_sent_size",)
            self._write(
                write, [receipt_facts.Fact("seal", "seal_id", seal_id, set_alone) for _, seal_id in rows]
            )

    def list_decisions(self, kind: str | None = None) -> list[DecisionRecord]:
        """Return the decisions, oldest first."""
        with self._open_reader() as connection:
            return [
                DecisionRecord(*row)
                for row in connection.execute(
                    "SELECT at, who, why, kind, key, attempt, seal_id, id, detail FROM decision WHERE ?1 IS NULL OR kind = ?1 ORDER BY id",
                    (kind,),
                )
            ]

    def find_people(self, query: str) -> tuple[set[str], list[dict[str, Any]]]:
        """Return the keys of persons that a query may mean, and the row lines that hold a value ending with it."""
        with self._open_reader() as connection:
            return person_history.find_people(connection, query)

    def find_rows_without_number(self, names: Collection[str]) -> list[dict[str, Any]]:
        """Return the lines of rows with one of these names and no usable number."""
        with self._open_reader() as connection:
            return person_history.find_rows_without_number(connection, names)

    def list_people(self) -> list[tuple[str | None, str | None]]:
        """Return name and staff number of every person that was read or has a seal."""
        with self._open_reader() as connection:
            return list(person_history.list_people(connection))

    def list_same_persons(self) -> Mapping[str, str]:
        """Return the keys of corrected numbers, with the keys of the people to whom these belong."""
        with self._open_reader() as connection:
            return decisions.read_same_persons(connection)[0]

    def read_person(self, key: str | None, row_ids: Collection[str] = ()) -> PersonRecords:
        """Return all records of a person; ``row_ids`` are further rows of the person, without a usable number."""
        with self._open_reader() as connection:
            return person_history.read_person(connection, key, row_ids)

    def list_runs_with_rows(self) -> set[str]:
        """Return the runs whose row records the ledger holds."""
        with self._open_reader() as connection:
            return person_history.list_runs_with_rows(connection)

    def close(self) -> None:
        """Finish the queued writes and close the files."""
        if self._writer is not None:
            self._writer.close()

    def _select_runs(self, which: str, value: str | int) -> list[RunRecord]:
        with self._open_reader() as connection:
            return run_history.read_runs(connection, which, value)

    def _require_writer(self) -> Writer:
        if self._writer is None:
            raise RuntimeError("the ledger was opened for reading")
        return self._writer

    def _write(self, operation: Operation[Result], facts: FactSource = ()) -> Result:
        return self._require_writer().submit(operation, facts).result()

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


class KnownFiles(Mapping[str, FileStat]):
    """Recorded files by path. Only digests of the paths are stored; iterating gives the digests."""

    def __init__(self, stats: Mapping[str, FileStat], digest: Callable[[str], str]) -> None:
        self._stats = stats
        self._digest = digest

    def __getitem__(self, path: str) -> FileStat:
        stat = self._stats.get(self._digest(path))
        return self._stats[path] if stat is None else stat

    def __iter__(self) -> Iterator[str]:
        return iter(self._stats)

    def __len__(self) -> int:
        return len(self._stats)


def explain_read_error(path: Path, error: sqlite3.Error) -> LedgerError:
    """Return the error for a failed read: the refusal of the file system, else a damaged ledger with the way to restore it."""
    return explain_refusal(path, error, writing=False) or LedgerError(
        "ledger.not_read", path=path, why=reason_of(error), then=("ledger", "rebuild")
    )
