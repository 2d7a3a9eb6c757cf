"""What flows between the steps of a run: its resources, its view of the ledger, what was read, validated, paired and planned, and how it starts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.clock import Clock
from pipeline.domain.roster import FileReport, FileStat, Row
from pipeline.domain.run import Halt, RowOutcome, RowPlan, RunObserver, RunReport
from pipeline.domain.seals import Bearer, LedgerSnapshot
from pipeline.domain.site_key import PLAIN_KEY, SiteKey
from pipeline.esign.signing import CredentialsFinder, CredentialsSource
from pipeline.intake.images.prepare import ImageExaminer
from pipeline.intake.pairing.decided_pictures import DecidedPictures
from pipeline.intake.pairing.earlier_evidence import EarlierEvidence, EvidenceRecords
from pipeline.intake.pairing.image_index import ImageListing
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import RunRecord
from pipeline.planning.guards import NO_SEALS, GuardLimits, SealCounts

if TYPE_CHECKING:  # they import asyncio: `check` does not need it
    from pipeline.esign.rate_limiter import Limiter
    from pipeline.sending.circuit_breaker import OutageMonitor
    from pipeline.sending.run_state import StopSignal


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResources:
    """The things that a run works with, apart from its request and its configuration."""

    ledger: Ledger
    site_key: SiteKey
    limiter: Limiter
    credentials: CredentialsFinder
    clock: Clock
    stop: StopSignal
    observer: RunObserver = field(default_factory=RunObserver)
    outages: OutageMonitor | None = None  # shows meanwhile whether the service answers
    prepare_in_thread: bool = False  # for an event loop that has other work as well


@dataclass(frozen=True, slots=True)
class RunInputs:
    """The rows of the rosters with their ids, the reports of their files, and the files that may be pictures."""

    rows: Sequence[Row]
    row_ids: Sequence[str | None]  # without a site key none
    files: Sequence[FileReport]
    images: ImageListing


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Everything that is known before the first call."""

    row_plans: tuple[RowPlan, ...]
    report: RunReport  # as far as it is known yet
    file_stats: Mapping[str, FileStat]  # fingerprints to remember
    images: ImageExaminer
    new_bearers: Sequence[Bearer] = ()  # what the rows show that the ledger does not hold yet
    seal_counts: SealCounts = NO_SEALS  # not counted where there is nothing to send
    untrusted_answer: Halt | None = None  # nothing is sent before it is resolved


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run after its end: the report, whose rows hold no whole number, and the plan of the rows, which hold them."""

    report: RunReport
    row_plans: Sequence[RowPlan] = field(repr=False)

    def list_whole_outcomes(self) -> list[RowOutcome]:
        """Return the outcomes with the numbers that the rosters hold, for the marked copies."""
        return [
            exchange_plan(outcome, row_plan)
            for outcome, row_plan in zip(self.report.outcomes, self.row_plans, strict=True)
        ]


def exchange_plan(outcome: RowOutcome, row_plan: RowPlan) -> RowOutcome:
    """Return an outcome with another form of its row's plan: with whole numbers, or without them."""
    if row_plan is outcome.row_plan:
        return outcome
    later = outcome.problems[len(outcome.row_plan.problems) :]
    return replace(outcome, row_plan=row_plan, problems=(*row_plan.problems, *later))


@dataclass(frozen=True, slots=True)
class RunStart:
    """What a run sends, or why it sends nothing."""

    ready: Sequence[RowPlan]
    covered: frozenset[int] | None  # of a retry: the indexes of the row plans that it covers
    guards: GuardLimits
    record: RunRecord
    halt: Halt | None  # a guard, or an answer that is not resolved
    credentials: CredentialsSource | None  # None: there is nothing to send, or it is forbidden


@dataclass(frozen=True)
class LedgerView:
    """What the preparation of a run reads from the ledger: nothing for a check without one.

    Without a site key people are distinguished by PLAIN_KEY: the digests it makes must not leave this process.
    """

    ledger: Ledger | None
    site_key: SiteKey | None

    @cached_property
    def snapshot(self) -> LedgerSnapshot:
        """The people and seals, read once."""
        return self.ledger.snapshot() if self.ledger else LedgerSnapshot({}, {})

    @property
    def person_digests(self) -> SiteKey:
        """The key under which people are known."""
        return self.site_key or PLAIN_KEY

    @cached_property
    def known_keys(self) -> Collection[str]:
        """The keys of people who have a seal or an unresolved attempt."""
        return {
            person.key for person in self.snapshot.people.values() if person.seal or person.unresolved_attempt
        }

    def _list_acted_keys(self, decided: DecidedPictures) -> frozenset[str]:
        """Return the keys of people who have a create, a seal or a decision."""
        snapshot = self.snapshot
        sent = {person.key for person in snapshot.people.values() if person.attempts}
        distinguished = {key for pair in snapshot.other_persons for key in pair}
        return frozenset(sent | distinguished | set(snapshot.same_persons.values()) | decided.list_keys())

    @property
    def known_files(self) -> Mapping[str, FileStat]:
        """The fingerprints of files that need not be opened again."""
        return self.ledger.list_known_files() if self.ledger else {}

    def make_decided_pictures(
        self,
        images: ImageExaminer,
        rows: Iterable[tuple[str | None, str | None]],
    ) -> DecidedPictures | None:
        """Return what people decided on pictures; None without a site key: nothing can be reviewed.

        ``rows`` are key and name of the rows.
        """
        if self.site_key is None:
            return None
        known = self.ledger.list_picture_decisions() if self.ledger else []
        return DecidedPictures(
            self.site_key,
            known,
            same_persons=self.snapshot.same_persons,
            rows=rows,
            known_pixels={bearer.picture: bearer.pixels for bearer in self.bearers if bearer.pixels},
            images=images,
        )

    def count_seals(self) -> SealCounts:
        """Count the seals of the ledger, and the creates that wait for a decision because the seal name exists."""
        people = self.snapshot.people.values()
        seals = [person.seal for person in people if person.seal is not None]
        attempts = (person.unresolved_attempt for person in people)
        return SealCounts(
            live=len(seals),
            creates=sum(person.create_count for person in people),
            own=sum(seal.is_own for seal in seals),
            existing_names=sum(attempt is not None and attempt.verdict == "exists" for attempt in attempts),
        )

    def count_absent_unresolved(self, keys: Collection[str | None]) -> int:
        """Return how many people with an unresolved attempt are not among these."""
        unresolved = {person.key for person in self.snapshot.people.values() if person.unresolved_attempt}
        return len(unresolved.difference(keys))

    @cached_property
    def bearers(self) -> Sequence[Bearer]:
        """Who bore which name, staff number and picture, read once."""
        return self.ledger.list_bearers() if self.ledger and self.site_key else ()

    def make_earlier_evidence(
        self, decided: DecidedPictures | None, images: ImageExaminer
    ) -> EarlierEvidence:
        """Return what decides whose picture a file may be by earlier runs."""
        if self.ledger is None or self.site_key is None or decided is None:
            return EarlierEvidence()
        records = EvidenceRecords(
            bearers=self.bearers,
            site_key=self.site_key,
            settled_keys=self.known_keys,
            acted_keys=self._list_acted_keys(decided),
            same_persons=self.snapshot.same_persons,
            other_persons=self.snapshot.other_persons,
            decided=decided,
            images=images,
        )
        return EarlierEvidence(records)
