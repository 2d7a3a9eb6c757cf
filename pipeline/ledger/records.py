"""What is entered in a ledger and read from it, except people and their creates (`pipeline.domain.seals`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as _field
from typing import Any, NamedTuple

from pipeline.domain.auto_sign import AutoSignRecord
from pipeline.domain.row_record import RowLine
from pipeline.domain.run import Status
from pipeline.domain.seals import Attempt, Person, SealContent


class LedgerConflict(Exception):
    """A write contradicts what the ledger holds; nothing was written.

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
    picture_given    the picture is given to another doctor, or is not given to this one
    ================ ===================================================================

    Any other text is the database's message, which names columns and never values.
    """

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


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
    rosters: tuple[str, ...] = ()  # digests of the paths that were named or configured
    out: str = ""  # masked: a folder that is named by a number is not found again
    contract: str | None = None
    config_digest: str = ""
    version: str = ""
    finished: float | None = None  # None: the run is under way or was killed
    exit: int | None = None
    record: str | None = None  # run.json; of a run without an end what it has read alone

    @property
    def content(self) -> Mapping[str, Any]:
        """The run.json, empty if the run left none."""
        content: Mapping[str, Any] = json.loads(self.record) if self.record else {}
        return content


@dataclass(frozen=True, slots=True)
class RowRecord:
    """What a run recorded of one row of a roster.

    ``line`` is its line of outcomes.jsonl without the run's id: a line that successive runs share is stored once.
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
        return RowLine.from_text(self.line)


@dataclass(frozen=True, slots=True)
class RowHistoryEntry:
    """The record of a roster row over one run or several successive ones."""

    row: RowRecord
    first_run: str
    first_started: float  # unix seconds
    last_run: str
    last_started: float  # unix seconds
    runs: int
    is_current: bool  # the newest run over these rosters recorded it, too


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision of a person about a doctor, and its reason.

    ``created``: the ``attempt`` made ``seal_id``, or the seal of its name is the person's. ``not_created``: it made
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
    content: SealContent | None = None  # not read again
    id_masked: str | None = None  # same_person: of the corrected number; not read again
    withdraws: str | None = None  # of a withdrawal: the id of the decision that it withdraws
    id: str = ""  # of a recorded one
    withdrawn_at: float | None = None  # of a recorded one: unix seconds; None: it was not withdrawn
    has_effect: bool = True  # of a recorded one: it fitted what was known

    @property
    def counts(self) -> bool:
        """Whether it holds: it is no withdrawal, was not withdrawn, and fitted."""
        return self.withdraws is None and self.withdrawn_at is None and self.has_effect


@dataclass(frozen=True, slots=True)
class LastDecision:
    """The last decision on a person that counts, with the person."""

    decision: Decision
    person: Person
    create_at: float | None  # unix seconds: a create was sent on it, so that it cannot be withdrawn

    @property
    def seal_id(self) -> str | None:
        """The SealId of the live seal."""
        return self.person.seal.seal_id if self.person.seal else None

    @property
    def unique_word(self) -> str:
        """The word that means this person and no other: the live seal's id, the trace id of the create, or else the key."""
        return self.seal_id or self.decision.attempt or self.decision.key or ""

    @property
    def can_be_withdrawn(self) -> bool:
        """Whether nothing was built on it."""
        return self.create_at is None


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


@dataclass(frozen=True, slots=True)
class PersonRecords:
    """All records of one person, oldest first."""

    key: str | None  # None: only rows without a usable number
    person: Person | None  # None: nothing was sent for the person, and no seal adopted
    attempts: tuple[Attempt, ...] = ()  # of all numbers that are the person's
    decisions: tuple[Decision, ...] = ()
    last_decision: LastDecision | None = None  # that counts, of a kind that is withdrawn
    picture_decisions: tuple[Decision, ...] = ()
    rows: tuple[RowHistoryEntry, ...] = ()
    auto_sign: AutoSignRecord | None = None  # None: the service was never asked

    @property
    def name(self) -> str | None:
        """The name under which the ledger knows the person."""
        return self.person.name if self.person is not None else None

    @property
    def id_masked(self) -> str | None:
        """The last four of the person's number."""
        return self.person.id_masked if self.person is not None else None

    @property
    def seal_name(self) -> str | None:
        """The seal name that was fixed at the first attempt."""
        return self.person.seal_name if self.person is not None else None

    @property
    def seals(self) -> list[Attempt]:
        """The seals that the person has or had."""
        return [one for one in self.attempts if one.has_seal]

    @property
    def live_seal(self) -> Attempt | None:
        """The seal that no decision has ended; None while another create contradicts it."""
        if any(one.is_contested for one in self.attempts):
            return None
        return next((one for one in self.attempts if one.state == "sealed"), None)

    @property
    def open_create(self) -> Attempt | None:
        """The create that waits for a decision, or a contested one."""
        return next((one for one in self.attempts if one.is_unresolved), None)


class LedgerSummary(NamedTuple):
    """The last run, how many people the ledger holds, and what waits for a decision."""

    last_run: RunRecord | None
    open_creates: tuple[tuple[Attempt, Person], ...]  # oldest first
    sealed: int  # people
    refused: int  # people whom the service refused, and who are not sealed since
    changed_rows: int  # of the last run; no decision on their person since
    auto_sign: tuple[AutoSignRecord, ...] = ()  # of everybody for whom the service was asked


CHANGED = Status.CHANGED.value
