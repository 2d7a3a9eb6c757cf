"""What an answer of the service proves about a create without a verdict: the create that is looked for, and one place's word.

A place `confirms` a create by the SealId that it made. It shows the create to be `absent` where its answer is whole and would
show it. Whether that absence counts is decided in `pipeline.resolution.decide` alone. Everything else is `nothing`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from dataclasses import field as _field
from typing import Literal, TypeAlias

from pipeline.domain.message import Message
from pipeline.domain.run import Status
from pipeline.domain.seals import LedgerSnapshot, fold_seal_id
from pipeline.errors import UsageError
from pipeline.esign.client import MIN_CORRECTION
from pipeline.esign.signing import REPLAY_WINDOW_SECONDS
from pipeline.ledger.person_history import AttemptRecord, PersonRecords
from pipeline.messages.catalogue import make_message
from pipeline.resolution.cases import Case

Outcome: TypeAlias = Literal["confirms", "absent", "nothing"]
CLOCK_TOLERANCE = (
    MIN_CORRECTION  # seconds: the signed time of a create follows the service's clock only so far
)


@dataclass(frozen=True, slots=True)
class Asking:
    """When a question was asked: seconds before its first call left, by this machine's clock and by the service's."""

    asked_at: float
    service_at: float | None  # None: the answers named no time
    pages: int = 0
    request_id: str | None = None  # of the last answer


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one place shows of a create."""

    place_name: str
    outcome: Outcome
    words: str  # why, for people
    asking: Asking | None = None  # None: nothing was sent
    seal_id: str | None = None  # of a confirmed create
    shows_newer: bool = False  # the same answer shows a seal of ours that was made after the create
    other_seals: frozenset[str] = (
        frozenset()
    )  # folded SealIds that it shows to be other seals than the create's

    def describe(self) -> Message:
        """Return what the place answered, as the journal keeps it."""
        assert self.asking is not None
        return make_message(
            f"evidence.{self.outcome}",
            words=self.words,
            n=self.asking.pages,
            request_id=self.asking.request_id or "—",
        )


@dataclass(frozen=True, slots=True)
class KnownSeal:
    """A live seal that this program made."""

    key: str
    seal_id: str
    trace_id: str
    request_id: str | None
    created_at: float


@dataclass(frozen=True, slots=True)
class SoughtCreate:
    """The create that is looked for, and the earlier ones of the same person and name that may have made the seal."""

    key: str
    status: Status
    seal_name: str
    creates: Sequence[AttemptRecord] = _field(repr=False)
    signed_at: float  # of the open create
    stated_seal_id: str | None  # from an answer that proves nothing
    organization: str | None  # as a call names it
    number: str | None = _field(repr=False)  # the whole number, where a roster holds it

    def is_made_by(self, moment: float) -> bool:
        """Return whether a seal that was made at a moment of the service's clock may be one of these creates'."""
        return any(
            create.signed_at - CLOCK_TOLERANCE
            <= moment
            <= create.signed_at + REPLAY_WINDOW_SECONDS + CLOCK_TOLERANCE
            for create in self.creates
        )

    @property
    def begins_at(self) -> float:
        """The earliest moment at which one of the creates may have made a seal."""
        first = min((create.signed_at for create in self.creates), default=self.signed_at)
        return min(first, self.signed_at) - CLOCK_TOLERANCE


def build_sought_create(case: Case, person: PersonRecords, organization: str | None) -> SoughtCreate:
    """Return what is looked for in place of a case's open create; ``person`` is what the ledger holds of its doctor.

    UsageError where no create is open.
    """
    opened = person.open_create
    if opened is None or case.attempt is None:
        raise UsageError("probe_nothing", name=case.name)
    creates = [
        create
        for create in person.attempts
        if create.seal_name == opened.seal_name and _may_have_made(create)
    ]
    doctor = case.row_plan.doctor if case.row_plan else None
    return SoughtCreate(
        key=case.key,
        status=case.status,
        seal_name=opened.seal_name,
        creates=creates,
        signed_at=opened.signed_at,
        stated_seal_id=case.attempt.unproven_seal_id or None,
        organization=organization,
        number=doctor.number if doctor else None,
    )


def _may_have_made(create: AttemptRecord) -> bool:
    """Return whether a create may have made a seal: one that was answered that the name exists has made none."""
    is_bare_refusal = create.verdict == "refused" and create.code == "FailedOperation"
    return create.was_sent and (create.verdict in {None, "unknown"} or is_bare_refusal)


@dataclass(frozen=True, slots=True)
class LedgerKnowledge:
    """What the ledger knows of other seals and creates."""

    seal_ids: frozenset[str]  # of all seals, folded
    made_here: Sequence[KnownSeal]
    other_open_names: frozenset[str]  # seal names of other people's creates without a verdict

    @classmethod
    def of(cls, snapshot: LedgerSnapshot, seal_ids: Collection[str], key: str) -> LedgerKnowledge:
        """Return what a ledger knows of others than the person of this key."""
        made_here = [
            KnownSeal(
                person.key,
                person.seal.seal_id,
                person.seal.trace_id,
                person.seal.request_id,
                person.seal.created_at,
            )
            for person in snapshot.people.values()
            if person.seal is not None and person.seal.trace_id is not None
        ]
        other_names = (
            person.seal_name or ""
            for person in snapshot.people.values()
            if person.key != key and person.unresolved_attempt is not None
        )
        return cls(
            frozenset(map(fold_seal_id, seal_ids)),
            made_here,
            frozenset(map(fold_seal_name, filter(None, other_names))),
        )

    def knows(self, seal_id: str) -> bool:
        """Return whether a seal of the ledger has a SealId."""
        return fold_seal_id(seal_id) in self.seal_ids


def fold_seal_name(name: str) -> str:
    """Return what seal names are compared by where they must not be overlooked."""
    return "".join(unicodedata.normalize("NFKC", name).split()).casefold()
