"""A tenant's ledger: its reads and writes, the same for SQLite (sqlite_ledger.py) and PostgreSQL (pipeline/hosts)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from pipeline.domain.auto_sign import AutoSignAnswer
from pipeline.domain.roster import FileStat
from pipeline.domain.seals import (
    Attempt,
    Bearer,
    PersonDigests,
    PictureDecision,
    SealRequest,
    Verdict,
)
from pipeline.domain.site_key import SiteKey
from pipeline.ledger import auto_sign, bearers, creates, decisions, history, people, persons, purge
from pipeline.ledger.events import Event
from pipeline.ledger.opening import Repair, finish_purges
from pipeline.ledger.records import AdoptedSeal, Decision, RowRecord, RunRecord
from pipeline.ledger.tables import Connection, compute_next
from pipeline.ledger.writing import LedgerWriter, Operation
from pipeline.messages.catalogue import make_message

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_IN_ONE_EVENT = 2_000  # persons
WITHDRAWN = make_message("wire.cancelled")


def _read_by(
    read: Callable[Concatenate[Connection, Arguments], Result],
) -> Callable[Concatenate[Ledger, Arguments], Result]:
    """Return the method that calls ``read`` with a connection of its own, which sees one moment."""

    def method(ledger: Ledger, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return ledger.read(read, *args, **kwargs)

    return method


class Ledger(ABC):
    """One tenant's ledger. A writing method returns once its events are in both journals and committed.

    Writes go through one thread; every read sees one moment. The paths of recorded files are stored as ``digest`` of
    them: a picture's name may be an identity number.
    Coroutines are called in the event loop, all else from any thread.
    """

    def __init__(
        self, *, site_key: SiteKey, writer: LedgerWriter | None, repair: Repair | None = None
    ) -> None:
        self._site_key = site_key
        self._writer = writer  # None: opened for reading
        self.repair = repair or Repair()  # what the opening entered from the journals
        self.keys_set_aside: Sequence[Path] = ()  # where the opening kept files that held another key

    @property
    def site_key(self) -> SiteKey:
        """The key of the digests that stand in the ledger."""
        return self._site_key

    count_events = _read_by(persons.count_events)

    def get_other_user(self, user: str) -> str | None:
        """Return the user who opened the ledger for writing last, where that is not ``user``: another state folder is used."""
        opened_by: str = self.read(persons.get_last_user)
        return opened_by if opened_by not in {"", user} else None

    # --- runs

    def begin_run(self, record: RunRecord) -> None:
        """Enter a run, before anything that refers to it."""
        self.write([("run", history.build_run_args(record))])

    def finish_run(self, run: str, *, exit: int, finished: float, record: str) -> None:  # noqa: A002 - the name in run.json
        """Enter how a run ended, in whatever place takes it; ``record`` is its run.json."""
        args = history.build_run_end_args(run, exit_code=exit, finished=finished, record=record)
        self._require_writer().submit_answer([("run_end", args)]).result()

    get_run = _read_by(history.get_run)
    list_runs = _read_by(history.list_runs)
    get_last_run = _read_by(history.get_last_run)

    def record_rows(self, run: str, rows: Iterable[RowRecord]) -> None:
        """Record rows of a run: the first time all, later the ones that replace them."""

        def write(connection: Connection) -> Sequence[Operation]:
            return [("rows", args) for args in history.build_rows_args(connection, run, rows)]

        self._submit(write)

    list_rows = _read_by(history.list_rows)
    list_open_rows = _read_by(history.list_open_rows)
    list_seen_rows = _read_by(history.list_seen_rows)
    list_staff_numbers = _read_by(history.list_staff_numbers)
    list_rows_without_number = _read_by(history.list_rows_without_number)
    list_people = _read_by(history.list_people)

    # --- people

    snapshot = _read_by(people.read_snapshot)
    list_same_persons = _read_by(people.list_same_persons)
    search_people = _read_by(persons.search_people)
    read_person = _read_by(persons.read_person)
    read_summary = _read_by(persons.read_summary)
    attempt_ids = _read_by(persons.list_attempt_ids)
    list_seal_ids = _read_by(persons.list_seal_ids)
    list_request_ids = _read_by(persons.list_request_ids)

    def record_person_digests(self, digests: Mapping[str, PersonDigests]) -> None:
        """Record the digests of persons by key, replacing what was recorded of them."""
        keys = list(digests)
        for first in range(0, len(keys), _IN_ONE_EVENT):
            some = {key: list(digests[key]) for key in keys[first : first + _IN_ONE_EVENT]}
            self.write([("persons", {"persons": some})])

    def purge_person(self, traces: purge.PersonTraces, *, now: float, who: str) -> None:
        """Remove a person's data from ledger and journals; what prevents a second seal stays."""
        self.write([(purge.PURGE, purge.build_purge_args(traces, now=now, who=who))])
        writer = self._require_writer()

        def write(connection: Connection) -> Sequence[Operation]:
            writer.journals.require_last_opening()
            finish_purges(connection, writer.journals)
            return []

        self._submit(write)
        self._submit(lambda connection: _remove_read_again(connection, traces))

    # --- creates

    async def open_attempt(self, attempt: Attempt, request: SealRequest) -> None:
        """Enter a create before its first byte leaves; raises LedgerConflict where none may be sent.

        After the first write that was refused each raises LedgerError. Cancelled, it leaves no open attempt: the caller
        did not get permission to send.
        """
        import asyncio  # noqa: PLC0415 - it imports ssl: what only reads needs neither

        writer = self._require_writer()
        args = creates.build_attempt_args(attempt, request)
        entered = writer.submit(lambda _: [("attempt", args)])
        try:
            await asyncio.wrap_future(entered)
        except asyncio.CancelledError:
            # too late to cancel: it is on the disk, but the caller did not get permission to send
            if not entered.cancel():
                verdict = Verdict("not_executed", message=WITHDRAWN)
                closing = creates.build_verdict_args(attempt.uuid, attempt.key, verdict, attempt.signed_at)
                writer.submit_answer([("verdict", closing)])
            raise

    async def record_verdict(self, uuid: str, key: str, verdict: Verdict, *, now: float) -> None:
        """Enter the verdict of a person's attempt at ``now`` (unix seconds); ``sealed`` makes the seal as well.

        A SealId that is known already raises LedgerConflict and leaves the attempt open: the caller records it as
        unknown. Cancelling the caller does not cancel the entry. It is kept although the hold is lost.
        """
        args = creates.build_verdict_args(uuid, key, verdict, now)
        await self._enter_answer([("verdict", args)])

    async def record_refused_upload(
        self, attempt: Attempt, request: SealRequest, verdict: Verdict, *, now: float
    ) -> None:
        """Enter that the service refused an upload; no create was sent."""
        opened = creates.build_attempt_args(attempt, request)
        refused = creates.build_verdict_args(attempt.uuid, attempt.key, verdict, now)
        await self._enter_answer([("attempt", opened), ("verdict", refused)])

    # --- decisions

    def record_decision(self, decision: Decision) -> None:
        """Enter a decision and its consequences; LedgerConflict where it contradicts the facts."""
        self.write([("decision", decisions.build_decision_args(decision))])

    def record_withdrawal(self, identity: str, *, now: float, who: str, why: str) -> None:
        """Withdraw the decision with this id: the person is as before it.

        LedgerConflict (``built_on``) where a later create may have made a seal, or a later decision on the person counts.
        """

        def write(connection: Connection) -> Sequence[Operation]:
            decision = decisions.get_last_decision(connection, identity).decision
            args = {"decision": identity, "person": decision.key, "at": now, "who": who, "why": why}
            if decision.kind in decisions.OF_TWO_NUMBERS:
                args["other"] = decision.detail
            return [("withdraw", args)]

        self._submit(write)

    def record_adopted_seals(self, seals: Sequence[AdoptedSeal], *, now: float, who: str, why: str) -> None:
        """Enter seals created elsewhere, all or none; LedgerConflict names the constraint that refuses one."""
        self.write(
            [("adopt", decisions.build_adoption_args(seal, now=now, who=who, why=why)) for seal in seals]
        )

    def record_judgement(self, judgement: PictureDecision, *, now: float, who: str, why: str) -> None:
        """Enter the judgement of a picture; it counts in every later run."""
        self._record_picture(decisions.REVIEW, judgement, now=now, who=who, why=why)

    def record_given_picture(self, given: PictureDecision, *, now: float, who: str, why: str) -> None:
        """Enter that a picture is a doctor's. Raises LedgerConflict where it is given to another doctor, number and name."""
        self._record_picture(decisions.GIVE_PICTURE, given, now=now, who=who, why=why)

    def record_withdrawn_picture(self, given: PictureDecision, *, now: float, who: str, why: str) -> None:
        """Enter that a picture is no longer given to a doctor. Raises LedgerConflict where it was not."""
        self._record_picture(decisions.WITHDRAW_PICTURE, given, now=now, who=who, why=why)

    list_picture_decisions = _read_by(decisions.read_picture_decisions)
    list_decisions = _read_by(decisions.read_decisions)
    list_last_decisions = _read_by(decisions.list_last_decisions)
    list_withdrawable = _read_by(decisions.list_withdrawable)

    # --- evidence

    def record_bearers(self, new: Sequence[Bearer]) -> None:
        """Enter who bore which name, staff number and picture in a run, as far as the ledger does not hold it yet."""
        for args in bearers.build_bearers_args(new):
            self.write([("bearers", args)])

    def make_bearer_events(self, new: Sequence[Bearer]) -> list[Event]:
        """Return the events of bearers, which a later opening is to enter."""
        first = self.read(compute_next, "event", "n")
        return [
            Event.make(number, "bearers", args)
            for number, args in enumerate(bearers.build_bearers_args(new), first)
        ]

    def record_pixels(self, pixels: Mapping[str, str]) -> None:
        """Enter the digests of the pixels of bearers' pictures, by the sha256 of these."""
        if pixels:
            self.write([("pixels", {"pixels": dict(pixels)})])

    list_bearers = _read_by(bearers.read_bearers)
    pictures_without_pixels = _read_by(bearers.list_pictures_without_pixels)

    # --- what is read or asked again where it is missing

    list_auto_sign_records = _read_by(auto_sign.read_records)

    async def record_auto_sign_answer(self, answer: AutoSignAnswer) -> None:
        """Record what came of asking for a person; an asking without an answer keeps the facts of the one before."""
        import asyncio  # noqa: PLC0415 - the same

        def write(connection: Connection) -> Sequence[Operation]:
            auto_sign.enter_answer(connection, answer)
            return []

        await asyncio.shield(asyncio.wrap_future(self._require_writer().submit(write)))

    def list_known_files(self) -> Mapping[str, FileStat]:
        """Return the recorded files by path."""
        return KnownFiles(self.read(_read_files), self._site_key)

    def record_files(self, stats: Mapping[str, FileStat]) -> None:
        """Record size, time and digest of files by path, replacing what was recorded of them."""
        rows = [
            (self._site_key.digest(path), stat.size, stat.mtime_ns, stat.sha256)
            for path, stat in stats.items()
        ]

        def write(connection: Connection) -> Sequence[Operation]:
            connection.executemany(
                "INSERT INTO file_stat (path, size, mtime_ns, sha256) VALUES (?, ?, ?, ?) ON CONFLICT (path) DO UPDATE "
                "SET size = excluded.size, mtime_ns = excluded.mtime_ns, sha256 = excluded.sha256",
                rows,
            )
            return []

        if rows:
            self._submit(write)

    # --- how it is read and written

    def read(
        self,
        read: Callable[Concatenate[Connection, Arguments], Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Return what a function reads through a connection that sees one moment."""
        with self._open_reader() as connection:
            return read(connection, *args, **kwargs)

    def write(self, operations: Sequence[Operation]) -> None:
        """Enter operations, together or not at all; LedgerConflict where one contradicts what is known."""
        self._submit(lambda _: operations)

    def require_held(self) -> None:
        """Raise HoldLost once another process may have taken the ledger, LedgerError where that cannot be found out."""
        self.write([])

    def close(self) -> None:
        """Finish the queued writes and close the files."""
        if self._writer is not None:
            self._writer.close()

    def _record_picture(self, kind: str, entered: PictureDecision, *, now: float, who: str, why: str) -> None:
        self.write([("picture", decisions.build_picture_args(kind, entered, now=now, who=who, why=why))])

    async def _enter_answer(self, operations: Sequence[Operation]) -> None:
        """Have the writer enter what the service answered; cancelling the caller does not cancel it."""
        import asyncio  # noqa: PLC0415 - the same

        await asyncio.shield(asyncio.wrap_future(self._require_writer().submit_answer(operations)))

    def _submit(self, write: Callable[[Connection], Sequence[Operation]]) -> None:
        self._require_writer().submit(write).result()

    def _require_writer(self) -> LedgerWriter:
        if self._writer is None:
            raise RuntimeError("the ledger was opened for reading")
        return self._writer

    @abstractmethod
    def _open_reader(self) -> AbstractContextManager[Connection]:
        """Return a connection inside a transaction that sees one moment; LedgerError where the database cannot be read."""


def _remove_read_again(connection: Connection, traces: purge.PersonTraces) -> Sequence[Operation]:
    """Remove what a purge leaves in the tables that hold no event."""
    for key in traces.keys:
        connection.execute("DELETE FROM auto_sign WHERE person = ?", (key,))
    connection.execute("DELETE FROM file_stat")  # pictures are read again
    return []


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
