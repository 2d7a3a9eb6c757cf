"""What somebody at the desk asks of a ledger: whom a word means, and one person's whole life. The night needs none of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from dataclasses import field as _field
from typing import Any, Protocol

from pipeline.ledger.protocol import UPLOAD_REFUSED, DecisionRecord, RowRecord, RunRecord


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt, whole: what was sent, what came back, and the decision that settled it."""

    uuid: str  # sent as X-TC-TraceId
    run: str
    contract: str  # UPLOAD: it was refused at its upload, no create was sent
    host: str
    at: float  # unix seconds, signed time
    seal_name: str
    name: str = _field(repr=False)
    verdict: str | None  # None: it waits for its answer
    settled_at: float | None
    http_status: int | None
    code: str | None
    message: str | None = _field(repr=False)
    request_id: str | None
    seal_id: str | None  # the seal's with ``sealed``; else it stood in an answer that proves nothing
    decision: int | None
    dead_at: float  # unix seconds, by this machine's clock: no copy of it can be accepted any more
    row_id: str  # of the roster's row that was sent

    @property
    def sent(self) -> bool:
        """Whether a create left, or may have left, this machine."""
        return self.contract != UPLOAD_REFUSED and (
            self.verdict != "not_executed" or self.http_status is not None
        )

    @property
    def open(self) -> bool:
        """Whether nothing more is sent for the person before somebody settles this one."""
        return self.decision is None and self.verdict in {None, "unknown", "exists"}


@dataclass(frozen=True, slots=True)
class SealRecord:
    """One seal that a person has or had."""

    seal_id: str
    seal_name: str | None
    source: str  # sent | resolved | adopted | receipt
    run: str | None
    attempt: str | None
    request_id: str | None
    at: float  # unix seconds
    decision: int | None
    ended_by: int | None  # the decision that gave it up


@dataclass(frozen=True, slots=True)
class RowHistoryEntry:
    """What one run or more of them in a row said of a roster's row."""

    row: RowRecord
    first: str  # run
    at: float  # unix seconds: its start
    last: str
    until: float
    nights: int
    still: bool  # the newest run over these rosters says it, too


@dataclass(frozen=True, slots=True)
class PersonRecords:
    """All that the ledger knows of one person, oldest first."""

    key: str | None  # None: only rows without a usable number
    name: str | None = _field(repr=False)
    id_masked: str | None
    seal_name: str | None  # frozen at the first attempt
    creates: tuple[AttemptRecord, ...] = ()
    seals: tuple[SealRecord, ...] = ()
    decisions: tuple[DecisionRecord, ...] = ()
    said: tuple[RowHistoryEntry, ...] = ()


class PersonArchive(Protocol):
    """The reading half of a ledger that remembers more than a night asks; any thread may call."""

    def find_run(self, run: str) -> RunRecord | None:
        """Return a run, None if there is none of that name."""

    def list_runs(self, limit: int) -> list[RunRecord]:
        """Return the last runs, the newest first."""

    def find_people(self, word: str) -> tuple[set[str], list[dict[str, Any]]]:
        """Return the keys of people whom a word may mean, and the lines of rows that hold a value ending with it."""

    def find_rows_without_number(self, names: Collection[str]) -> list[dict[str, Any]]:
        """Return the lines of rows that bear one of these names and no usable number."""

    def list_people(self) -> list[tuple[str | None, str | None]]:
        """Return name and staff number of everybody who was ever seen or has a seal."""

    def list_same_persons(self) -> Mapping[str, str]:
        """Return the keys of corrected numbers, with the keys of the people to whom these belong."""

    def read_person(self, key: str | None, row_ids: Collection[str] = ()) -> PersonRecords:
        """Return all that is known of a person; ``row_ids`` are rows without a usable number that are hers as well."""

    def list_runs_with_rows(self) -> set[str]:
        """Return the runs whose words of their rows the ledger holds."""
