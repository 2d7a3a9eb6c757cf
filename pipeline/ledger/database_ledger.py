"""A ledger in a database: its reads and writes, the same for SQLite (sqlite_ledger.py) and PostgreSQL (pipeline/hosts)."""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from pipeline.domain.auto_sign import AutoSignAnswer
from pipeline.domain.masking import compile_masked_name, mask_every_number, mask_path
from pipeline.domain.roster import FileStat
from pipeline.domain.seals import Bearer, LedgerSnapshot, PersonDigests, Verdict
from pipeline.domain.site_key import SiteKey
from pipeline.ledger import attempts, auto_sign, decisions, person_history, run_history, withdrawal
from pipeline.ledger import snapshot as people
from pipeline.ledger.commit_queue import CommitQueue, Operation
from pipeline.ledger.progress import identify_ledger
from pipeline.ledger.protocol import UPLOAD_REFUSED, Attempt, Connection, RunRecord
from pipeline.ledger.receipts import Fact
from pipeline.ledger.schema import count_receipts
from pipeline.ledger.summary import read_known_runs, read_summary

LOG = logging.getLogger(__name__)
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_ROWS_IN_A_COMMIT = 2_000  # their receipts are held in memory until it
_HIDDEN = re.compile(r"(?P<masked>.*\*.*) #(?P<digest>[0-9a-f]{32})", re.DOTALL)


def _read_by(
    read: Callable[Concatenate[Connection, Arguments], Result],
) -> Callable[Concatenate[DatabaseLedger, Arguments], Result]:
    """Return the method that calls ``read`` with a connection of its own, which sees one moment."""

    def method(ledger: DatabaseLedger, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return ledger._read(read, *args, **kwargs)

    return method


def _write_by(
    enter: Callable[Concatenate[Connection, Arguments], Sequence[Fact]],
) -> Callable[Concatenate[DatabaseLedger, Arguments], None]:
    """Return the method that has ``enter`` run by the writer and returns once its facts are on the disk."""

    def method(ledger: DatabaseLedger, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        ledger._write(enter, *args, **kwargs)

    return method


def _read_set(statement: str) -> Callable[[DatabaseLedger], set[str]]:
    """Return the method that returns the values of a statement with one column."""
    return _read_by(lambda connection: {value for (value,) in connection.execute(statement)})


class DatabaseLedger(ABC):
    """A `Ledger` (protocol.py); what only some commands ask is described where it is read or entered.

    Writes go through one thread; every read sees one moment. The paths of recorded files are stored as ``digest`` of
    them: a picture's name may be an identity number. The paths of a run are stored as `StoredPaths` hides them.
    """

    def __init__(self, *, site_key: SiteKey, writer: CommitQueue | None) -> None:
        self._site_key = site_key
        self._writer = writer  # None: opened for reading
        self._paths = StoredPaths(site_key)

    @property
    def site_key(self) -> SiteKey:
        """The key of the digests that stand in the ledger."""
        return self._site_key

    def begin_run(self, record: RunRecord) -> None:
        self._write(run_history.enter_run, self._paths.hide_record(record))

    def get_run(self, run: str) -> RunRecord | None:
        """Return one run, or None."""
        record = self._read(run_history.get_run, run)
        return record and self._paths.restore_record(record)

    def list_runs(self, limit: int) -> list[RunRecord]:
        return list(map(self._paths.restore_record, self._read(run_history.list_runs, limit)))

    def get_last_run(self, *, complete: bool = False) -> RunRecord | None:
        """Return the newest run, or the newest that came to its end."""
        record = self._read(run_history.get_last_run, complete=complete)
        return record and self._paths.restore_record(record)

    finish_run = _write_by(run_history.enter_run_end)
    record_rows = _write_by(run_history.enter_rows)
    record_decision = _write_by(decisions.enter_decision)
    record_kept_answer = _write_by(decisions.enter_kept_answer)
    record_withdrawal = _write_by(withdrawal.enter_withdrawal)
    record_adopted_seals = _write_by(decisions.enter_adopted_seals)
    record_judgement = _write_by(decisions.enter_judgement)
    record_given_picture = _write_by(decisions.enter_given_picture)
    record_withdrawn_picture = _write_by(decisions.enter_withdrawn_picture)
    record_accepted_runs = _write_by(decisions.enter_accepted_runs)
    record_recovery = _write_by(decisions.enter_recovery)

    list_rows = _read_by(run_history.read_rows)
    list_open_rows = _read_by(run_history.read_open_rows)
    list_seen_rows = _read_by(run_history.list_seen_rows)
    list_unanswered_attempts = _read_by(attempts.read_unanswered_attempts)
    list_abandoned_seals = _read_by(people.read_abandoned_seals)
    list_staff_numbers = _read_by(people.read_staff_numbers)
    pictures_without_pixels = _read_set("SELECT picture FROM bearer WHERE picture <> '' AND pixels = ''")
    list_bearers = _read_by(run_history.read_bearers)
    list_picture_decisions = _read_by(decisions.read_picture_decisions)
    list_decisions = _read_by(decisions.read_decisions)
    list_last_decisions = _read_by(withdrawal.list_last_decisions)
    list_withdrawable = _read_by(withdrawal.list_withdrawable)
    list_same_persons = _read_by(decisions.list_same_persons)
    list_auto_sign_records = _read_by(auto_sign.read_records)
    search_people = _read_by(person_history.search_people)
    list_rows_without_number = _read_by(person_history.list_rows_without_number)
    list_people = _read_by(person_history.list_people)
    # a ledger rebuilt from receipts lacks the rows of earlier runs
    list_runs_with_rows = _read_set(
        "SELECT run FROM run WHERE saw_rows = 1 AND number >= (SELECT min(first_run) FROM row_seen)"
    )

    run_ids = _read_set("SELECT run FROM run")
    attempt_ids = _read_set("SELECT uuid FROM attempt")
    list_request_ids = _read_set("SELECT request_id FROM attempt WHERE request_id IS NOT NULL")
    list_seal_ids = _read_set("SELECT seal_id FROM seal")
    ended_seals = _read_set("SELECT seal_id FROM seal WHERE ended_by IS NOT NULL")

    identify = _read_by(identify_ledger)
    read_summary = _read_by(read_summary)
    read_known_runs = _read_by(read_known_runs)

    def count_receipts(self) -> int:
        return self._read(count_receipts)

    def snapshot(self) -> LedgerSnapshot:
        return self._read(people.read_snapshot, self._site_key)

    def read_person(self, key: str | None, row_ids: Collection[str] = ()) -> person_history.PersonRecords:
        """Return all records of a person."""
        return self._read(person_history.read_person, key, row_ids)

    def list_known_files(self) -> Mapping[str, FileStat]:
        return KnownFiles(self._read(_read_files), self._site_key)

    def record_files(self, stats: Mapping[str, FileStat]) -> None:
        rows = [
            (self._site_key.digest(path), stat.size, stat.mtime_ns, stat.sha256)
            for path, stat in stats.items()
        ]

        def write(connection: Connection) -> list[Fact]:
            connection.executemany(
                "INSERT INTO file_stat (path, size, mtime_ns, sha256) VALUES (?, ?, ?, ?) ON CONFLICT (path) DO UPDATE "
                "SET size = excluded.size, mtime_ns = excluded.mtime_ns, sha256 = excluded.sha256",
                rows,
            )
            return []

        if rows:
            self._write(write)

    def record_person_digests(self, digests: Mapping[str, PersonDigests]) -> None:
        earlier = self._read(decisions.read_earlier_staff_numbers, self._site_key)
        all_digests = {**{key: PersonDigests(staff_no, "") for key, staff_no in earlier.items()}, **digests}
        keys = list(all_digests)
        for first in range(0, len(keys), _ROWS_IN_A_COMMIT):
            some = keys[first : first + _ROWS_IN_A_COMMIT]
            self._write(decisions.update_person_digests, {key: all_digests[key] for key in some})

    def record_bearers(self, new: Sequence[Bearer]) -> None:
        for first in range(0, len(new), _ROWS_IN_A_COMMIT):
            self._write(run_history.enter_bearers, new[first : first + _ROWS_IN_A_COMMIT])

    def record_pixels(self, pixels: Mapping[str, str]) -> None:
        if pixels:
            self._write(run_history.enter_pixels, pixels)

    async def open_attempt(self, attempt: Attempt) -> None:
        """See `Ledger`. After the first write that the disk refused each raises LedgerError; verdicts are still accepted."""
        import asyncio  # noqa: PLC0415 - it imports ssl: what only reads needs neither

        writer = self._require_writer()

        def write(connection: Connection) -> list[Fact]:
            if writer.failure is not None:
                raise copy(writer.failure) from writer.failure.__cause__
            return attempts.enter_attempt(connection, attempt)

        entered = writer.submit(write)
        try:
            await asyncio.wrap_future(entered)
        except asyncio.CancelledError:
            # too late to cancel: it is on the disk, but the caller did not get permission to send
            if not entered.cancel():
                writer.submit(
                    lambda connection: attempts.withdraw_attempt(connection, attempt.uuid, attempt.signed_at)
                )
            raise
        # before its first byte leaves: what is left of this attempt if the database is put back to an earlier state
        status = "failed" if attempt.contract == UPLOAD_REFUSED else "unknown"
        facts = {"row_id": attempt.row_id, "status": status, "trace_id": attempt.uuid}
        LOG.info("attempt", extra=facts)

    async def record_verdict(self, uuid: str, verdict: Verdict, *, now: float) -> None:
        await self._enter(
            lambda connection: attempts.enter_verdict(connection, uuid, verdict, now),
            late=lambda connection: attempts.enter_late_verdict(connection, uuid, verdict, now),
        )

    async def record_auto_sign_answer(self, answer: AutoSignAnswer) -> None:
        await self._enter(lambda connection: auto_sign.enter_answer(connection, answer))

    def require_held(self) -> None:
        """Raise LeaseLost once another process may have taken the ledger, LedgerError where that cannot be found out."""
        self._write(lambda _: [])

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    async def _enter(self, operation: Operation, *, late: Operation | None = None) -> None:
        """Have the writer run an operation; cancelling the caller does not cancel it."""
        import asyncio  # noqa: PLC0415 - the same

        entered = self._require_writer().submit(operation, late=late)
        await asyncio.shield(asyncio.wrap_future(entered))

    def _require_writer(self) -> CommitQueue:
        if self._writer is None:
            raise RuntimeError("the ledger was opened for reading")
        return self._writer

    def _write(
        self,
        operation: Callable[Concatenate[Connection, Arguments], Sequence[Fact]],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> None:
        self._require_writer().submit(lambda connection: operation(connection, *args, **kwargs)).result()

    def _read(
        self,
        read: Callable[Concatenate[Connection, Arguments], Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        with self._open_reader() as connection:
            return read(connection, *args, **kwargs)

    @abstractmethod
    def _open_reader(self) -> AbstractContextManager[Connection]:
        """Return a connection inside a transaction that sees one moment; LedgerError where the database cannot be read."""


def _read_files(connection: Connection) -> dict[str, FileStat]:
    """Return the recorded files by the digest of their paths."""
    rows = connection.execute("SELECT path, size, mtime_ns, sha256 FROM file_stat")
    return {path: FileStat(*stat) for path, *stat in rows}


class KnownFiles(Mapping[str, FileStat]):
    """Recorded files by path. Only digests of the paths are stored; iterating gives the digests."""

    def __init__(self, stats: Mapping[str, FileStat], site_key: SiteKey) -> None:
        self._stats = stats
        self._site_key = site_key

    def __getitem__(self, path: str) -> FileStat:
        stat = self._stats.get(self._site_key.digest(path))
        return self._stats[path] if stat is None else stat

    def __iter__(self) -> Iterator[str]:
        return iter(self._stats)

    def __len__(self) -> int:
        return len(self._stats)


class StoredPaths:
    """Turns paths of a run into what is stored of them, and back; with digests of the site key.

    The name of a roster or folder may hold an identity number. Every text that looks like a number is masked, and a digest
    of the whole path is appended. Equal paths are stored equally, and the digest selects the right one of several files.
    """

    def __init__(self, site_key: SiteKey) -> None:
        self._site_key = site_key
        self._restored: dict[str, str] = {}

    def hide(self, path: str, run: str = "") -> str:
        """Return what is stored of a path, which may be stored already; the id of its ``run`` is no number of a person."""
        if _HIDDEN.fullmatch(path):
            return path
        masked = run.join(map(mask_every_number, path.split(run))) if run else mask_every_number(path)
        return path if masked == path else f"{masked} #{self._site_key.digest(path)}"

    @staticmethod
    def show(stored: str) -> str:
        """Return a stored path as a person may read it: with its mask, without its digest."""
        match = _HIDDEN.fullmatch(stored)
        return match["masked"] if match else mask_path(stored)

    def restore(self, stored: str) -> str:
        """Return the path of which this was stored; with its mask where nothing of that name is left."""
        match = _HIDDEN.fullmatch(stored)
        if match is None:
            return stored
        if stored not in self._restored:
            masked = Path(match["masked"])
            paths = (str(path) for path in _list_matching_entries(Path(masked.anchor), masked.parts[1:]))
            fitting = (path for path in paths if self._site_key.digest(path) == match["digest"])
            self._restored[stored] = next(fitting, str(masked))
        return self._restored[stored]

    def hide_record(self, record: RunRecord) -> RunRecord:
        """Return a run's record with its paths as they are stored."""
        return replace(
            record,
            rosters=tuple(map(self.hide, record.rosters)),
            seals=self.hide(record.seals) if record.seals else record.seals,
            out=self.hide(record.out, record.run),
        )

    def restore_record(self, record: RunRecord) -> RunRecord:
        """Return a stored record with its paths."""
        return replace(
            record,
            rosters=tuple(map(self.restore, record.rosters)),
            seals=self.restore(record.seals) if record.seals else record.seals,
            out=self.restore(record.out),
        )


def _list_matching_entries(folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    """Yield the entries below a folder whose path fits these parts, in which a ``*`` stands for any character."""
    if not parts:
        yield folder
    elif "*" not in parts[0]:
        yield from _list_matching_entries(folder / parts[0], parts[1:])
    else:
        fits = compile_masked_name(parts[0]).fullmatch
        names: list[str] = []
        with suppress(OSError):
            names = [entry.name for entry in folder.iterdir() if fits(entry.name)]
        for name in names:
            yield from _list_matching_entries(folder / name, parts[1:])
