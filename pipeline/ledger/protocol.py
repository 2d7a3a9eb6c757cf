"""The interface of a ledger, its records, and what its statements need of a connection to a database.

A writing method returns once its facts are on the disk.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as _field
from typing import Any, Protocol

from pipeline.domain.auto_sign import AutoSignAnswer, AutoSignRecord
from pipeline.domain.roster import FileStat
from pipeline.domain.row_record import RowLine
from pipeline.domain.seals import (
    Bearer,
    LedgerSnapshot,
    PersonDigests,
    PictureDecision,
    SealContent,
    Verdict,
)


class LedgerConflict(Exception):
    """A constraint of the ledger refuses a write; nothing was written.

    ``constraint`` names it:

    ================ ===================================================================
    live_seal        the person has a seal already
    open_attempt     an earlier create of the person is unresolved
    frozen_name      the person's seal name is locked as another one
    seal_name        the seal name belongs to another person
    seal_id          the SealId is known already
    request_id       another attempt has this RequestId already
    built_on         the decision cannot be withdrawn: a create was sent on it, a later decision rests on it, or it does not count
    no_live_seal     the person has no seal that could be kept or replaced
    same_person      the number has a seal or an unresolved attempt of its own, or the person has neither
    attempt          an attempt of this uuid is known already
    settled          no attempt of this uuid waits for a verdict
    run              this run is known already, or no such run was begun
    person           no person of this key is known
    ================ ===================================================================

    Any other text is the database's message, which names columns and never values.
    """

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


UPLOAD_REFUSED = "upload"  # contract of an attempt that was refused at its upload: no create was sent


@dataclass(frozen=True, slots=True)
class Attempt:
    """One create about to be sent; ``uuid`` goes with it as X-TC-TraceId."""

    uuid: str
    key: str
    run: str
    row_id: str
    name: str = _field(repr=False)  # the person's, for listings
    id_masked: str
    seal_name: str
    contract: str
    host: str
    signed_at: float  # unix seconds, by the service's clock
    content: SealContent
    # unix seconds, by this machine's clock: no copy of it can be accepted any more
    dead_at: float
    staff_no: str = ""  # HMAC of the person's; "" for none


@dataclass(frozen=True, slots=True)
class UnansweredAttempt:
    """An unresolved create whose answer, if there was one, did not become its verdict in the ledger."""

    uuid: str
    key: str
    run: str
    seal_id: str | None  # evidence that came after another process had taken the ledger


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run: its request and, once it is over, how it ended."""

    run: str
    command: str
    started: float  # unix seconds
    # empty in what is read from a run.json
    host: str = ""
    pid: int = 0
    user: str = ""
    rosters: tuple[str, ...] = ()  # the arguments, resolved by the caller
    seals: str | None = None
    out: str = ""
    contract: str | None = None
    config_digest: str = ""
    version: str = ""
    finished: float | None = None  # None: the run is under way or was killed
    exit: int | None = None
    record: str | None = None  # run.json; of a run without an end its "files" alone

    @property
    def content(self) -> Mapping[str, Any]:
        """The run.json, empty if the run left none."""
        content: Mapping[str, Any] = json.loads(self.record) if self.record else {}
        return content


@dataclass(frozen=True, slots=True)
class RowRecord:
    """What a run recorded of one row of a roster.

    ``line`` is its line of outcomes.jsonl without the run's id: lines that are equal in successive runs are stored once.
    """

    row_id: str
    key: str | None
    file: str
    sheet: str | None
    row: int
    status: str
    codes: tuple[str, ...]
    line: str = _field(repr=False)

    @classmethod
    def from_line(cls, line: RowLine) -> RowRecord:
        """Make the record of a row of the roster."""
        assert line.row_id is not None
        return cls(
            row_id=line.row_id,
            key=line.key,
            file=line.file,
            sheet=line.sheet,
            row=line.row,
            status=line.status,
            codes=line.codes,
            line=line.to_ledger_text(),
        )

    def read_line(self) -> RowLine:
        """Return what the line holds."""
        return RowLine.from_text(self.line)


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision of a person about a doctor, and its reason; the program itself decides on what its own results prove.

    ``created``: the open ``attempt`` made ``seal_id``, or the seal of its name is the person's. ``not_created``: it made
    nothing. ``not_theirs``: the seal of its name is another person's; the next create goes under another name.
    ``keep``: ``content`` is what the live seal is compared with from now on. ``replace``: the live seal is ended, the next create
    goes under the name in ``detail``. ``same_person``: the number whose key is ``detail`` is this person's corrected one.
    ``other_person``: it is another person's.
    ``adopt``: the person has the seal ``seal_id``, which was made elsewhere. ``withdraw``: the decision ``withdraws`` does not count any more.
    """

    kind: str
    key: str | None  # None for a decision on no one person
    decided_at: float  # unix seconds
    who: str
    why: str
    attempt: str | None = None
    seal_id: str | None = None
    detail: str | None = _field(default=None, repr=False)
    content: SealContent | None = None  # not recorded with the decision
    id_masked: str | None = None  # same_person: of the corrected number; not recorded with the decision
    withdraws: int | None = None  # of a withdrawal: the number of the decision that it withdraws
    number: int = 0  # of a recorded one: what attempts and seals point to
    withdrawn_at: float | None = None  # of a recorded one: unix seconds; None: it was not withdrawn

    @property
    def counts(self) -> bool:
        """Whether it holds: it is no withdrawal, and was not withdrawn."""
        return self.withdraws is None and self.withdrawn_at is None


@dataclass(frozen=True, slots=True)
class AdoptedSeal:
    """A seal that was created elsewhere."""

    key: str
    seal_id: str
    name: str | None = _field(repr=False)
    id_masked: str
    seal_name: str | None
    staff_no: str = ""  # HMAC
    mobile: str = ""  # HMAC
    name_key: str = ""  # HMAC


class Ledger(Protocol):
    """One tenant's journal. Only the holder of the run lock writes.

    Every write takes effect whole or not at all. Coroutines are called in the event loop, all else from any thread.
    tests/ledger/test_ledger_contract.py asks every promise below of every implementation.
    """

    def snapshot(self) -> LedgerSnapshot:
        """Return every person at one moment; an attempt without a verdict counts as unknown.

        ``PersonHistory.seal_name_locked``: another seal name would be refused as ``frozen_name``.
        """

    def list_request_ids(self) -> Collection[str]:
        """Return the RequestIds of all answers to creates that were entered."""

    def list_seal_ids(self) -> Collection[str]:
        """Return the SealIds of all seals, also of those that were given up."""

    def list_known_files(self) -> Mapping[str, FileStat]:
        """Return the recorded files by path."""

    def record_files(self, stats: Mapping[str, FileStat]) -> None:
        """Record size, time and digest of files by path, replacing what was recorded of them."""

    def begin_run(self, record: RunRecord) -> None:
        """Enter a run, before anything that refers to it."""

    def record_rows(self, run: str, rows: Iterable[RowRecord]) -> None:
        """Record these rows of a run, replacing what it recorded of them before; ``rows`` can be iterated again."""

    def record_person_digests(self, digests: Mapping[str, PersonDigests]) -> None:
        """Record the digests of persons by key, replacing what was recorded of them."""

    async def open_attempt(self, attempt: Attempt) -> None:
        """Enter a create before its first byte leaves; raises LedgerConflict where none may be sent.

        Cancelled, it leaves no open attempt: the caller did not get permission to send.
        """

    async def record_verdict(self, uuid: str, verdict: Verdict, *, now: float) -> None:
        """Enter an attempt's verdict at ``now`` (unix seconds); ``sealed`` makes the seal as well.

        A SealId or RequestId that is known already raises LedgerConflict and leaves the attempt open: the caller records it
        as unknown. Cancelling the caller does not cancel the entry.
        """

    def finish_run(self, run: str, *, exit: int, finished: float, record: str) -> None:  # noqa: A002 - the name in run.json
        """Enter how a run ended; ``record`` is its run.json."""

    def get_run(self, run: str) -> RunRecord | None:
        """Return one run, or None."""

    def list_runs(self, limit: int) -> list[RunRecord]:
        """Return the newest runs, newest first."""

    def get_last_run(self, *, complete: bool = False) -> RunRecord | None:
        """Return the newest run, or the newest that came to its end."""

    def list_rows(self, run: str) -> list[RowRecord]:
        """Return the row records of a run, sorted by file, sheet and row."""

    def list_staff_numbers(self) -> Mapping[str, Collection[str]]:
        """Return the staff numbers that runs read for every person with a seal, by key."""

    def list_seen_rows(self, row_ids: Collection[str]) -> set[str]:
        """Return which of these rows an earlier run has seen; one that a guard of the plan stopped does not count."""

    def record_decision(self, decision: Decision) -> None:
        """Enter a decision and its consequences; LedgerConflict where it contradicts the facts."""

    def record_withdrawal(self, number: int, *, now: float, who: str, why: str) -> None:
        """Withdraw the decision with this number: the person is as before it.

        LedgerConflict (``built_on``) where a later create may have made a seal, or a later decision on the person counts.
        """

    def record_adopted_seals(self, seals: Sequence[AdoptedSeal], *, now: float, who: str, why: str) -> None:
        """Enter seals created elsewhere, all or none; LedgerConflict names the constraint that refuses one."""

    def record_judgement(self, judgement: PictureDecision, *, now: float, who: str, why: str) -> None:
        """Enter the judgement of a picture; it counts in every later run."""

    def list_picture_decisions(self) -> list[PictureDecision]:
        """Return the decisions on pictures that were not withdrawn, the oldest first."""

    def record_bearers(self, new: Sequence[Bearer]) -> None:
        """Enter who bore which name, staff number and picture in a run, as far as the ledger does not hold it yet."""

    def record_pixels(self, pixels: Mapping[str, str]) -> None:
        """Enter the digests of the pixels of bearers' pictures, by the sha256 of these."""

    def pictures_without_pixels(self) -> set[str]:
        """Return the sha256 of bearers' pictures whose pixels are not known."""

    def list_bearers(self, tenant: str) -> list[Bearer]:
        """Return every bearer of earlier runs and of adopted seals; none where the ledger is another tenant's."""

    def count_receipts(self) -> int:
        """Return how far the ledger has got: a number that every commit raises, and that none lowers."""

    def list_auto_sign_records(self) -> Mapping[str, AutoSignRecord]:
        """Return by key what is known of the auto-sign of people for whom the service was asked."""

    async def record_auto_sign_answer(self, answer: AutoSignAnswer) -> None:
        """Record what came of asking for a person; an asking without an answer keeps the facts of the one before."""

    def list_decisions(self) -> list[Decision]:
        """Return the decisions, oldest first."""

    def close(self) -> None:
        """Finish the queued writes and close the files."""


class Cursor(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int:
        """Return how many rows the statement changed."""

    @property
    def description(self) -> Any:
        """Return the columns of the result, the name first in each."""

    def fetchone(self) -> Any:
        """Return the next row, or None."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows that are left."""


class Connection(Protocol):
    """A connection in autocommit mode, sqlite3's or PostgreSQL's behind an adapter (pipeline/hosts/connection.py).

    A transaction is begun and ended by statements, which are written in SQL that SQLite takes.
    """

    def execute(self, statement: str, values: Any = ..., /) -> Cursor:
        """Run a statement with the values of its ``?`` or ``?1`` placeholders."""

    def executemany(self, statement: str, rows: Iterable[Any], /) -> object:
        """Run a statement once for each row of values."""
