"""What flows between the steps of a run: its resources, what was read, validated, paired and planned, and how it starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.clock import Clock
from pipeline.domain.roster import Doctor, FileReport, FileStat, Row
from pipeline.domain.run import Halt, RowOutcome, RowPlan, RunPreview, RunReport
from pipeline.domain.seals import Bearer
from pipeline.esign.signing import CredentialsSource
from pipeline.intake.images.prepare import ImageExaminer
from pipeline.intake.pairing.image_index import ImageListing
from pipeline.intake.pairing.match import MatchResult
from pipeline.ledger.protocol import Ledger, RunRecord
from pipeline.ledger.tenant import SiteKey
from pipeline.planning.guards import NO_SEALS, Guards, SealCounts

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
    find_credentials: Callable[[], CredentialsSource]  # called only when something has to be sent
    clock: Clock
    stop: StopSignal
    confirm: Callable[[RunPreview], bool] = lambda _: True
    on_row_end: Callable[[RowOutcome], None] = lambda _: None  # called with each row that is sent, as it ends
    outages: OutageMonitor | None = None  # shows meanwhile whether the service answers
    was_silent: bool = False  # the service did not answer another hospital a moment ago
    prepare_in_thread: bool = False  # for an event loop that has other work as well


@dataclass(frozen=True, slots=True)
class RunInputs:
    """The rows of the rosters with their ids, the reports of their files, and the files that may be pictures."""

    rows: Sequence[Row]
    row_ids: Sequence[str | None]  # without a site key none
    files: Sequence[FileReport]
    images: ImageListing


@dataclass(frozen=True, slots=True)
class PairedRows:
    """The doctors with their pictures and all that speaks against rows."""

    doctors: Sequence[Doctor]
    matches: MatchResult


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
class RunStart:
    """What a run sends, or why it sends nothing."""

    ready: Sequence[RowPlan]
    covered: frozenset[int] | None  # of a retry: the indexes of the row plans that it covers
    guards: Guards
    record: RunRecord
    halt: Halt | None  # a guard, or an answer that is not resolved
    credentials: CredentialsSource | None  # None: there is nothing to send, or it is forbidden
