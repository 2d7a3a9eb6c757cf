"""Opens the cases that wait for a decision, chooses the one that a query means, and enters a decision on it.

The command line, the Python API and the page use the same functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.run import RunRequest
from pipeline.domain.site_key import SiteKey
from pipeline.errors import UsageError
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import LastDecision
from pipeline.planning.guards import reads_same_rosters
from pipeline.resolution import decide
from pipeline.resolution.case_reader import CaseReader
from pipeline.resolution.cases import Case, DecisionKind, compute_decision_digest
from pipeline.resolution.decide import DecisionMaker
from pipeline.resolution.person_query import PersonFinder
from pipeline.resolution.service_time import make_service_clock
from pipeline.version import PROGRAM
from pipeline.workflow.run_request import build_request, list_roster_runs
from pipeline.workflow.stage_settings import build_agent, build_image_examiner
from pipeline.workflow.tenant_ledger import (
    WARNING_LOG,
    WarningOutput,
    lock_ledger,
    open_configured_ledger,
    require_ledger,
)

PERSON_KINDS = frozenset({"same_person", "other_person"})  # for rows held as possibly another's
CONTENT_KINDS = frozenset({"keep", "replace"})  # for rows that differ from their seal
ASKED_KINDS = frozenset({"created", "not_theirs"})  # asked once more, whatever the case
KINDS_WITH_SURE = frozenset({"not_created", "keep", "replace", "withdraw", *ASKED_KINDS})


@dataclass(frozen=True, slots=True)
class OpenCases:
    """The cases that wait for a decision, and the open ledger."""

    config: Config
    clock: Clock
    ledger: Ledger
    site_key: SiteKey
    cases: Sequence[Case]

    def list_meant(self, query: str, kind: str = "") -> list[Case]:
        """Return the cases that a query means; where several do, those that the decision is for. UsageError for none."""
        fitting = [case for case in self.cases if case.is_meant_by(query)]
        if not fitting:
            raise self._explain_nothing_to_resolve(query)
        of_this_kind = [case for case in fitting if _may_be_decided(case, kind)] if kind else []
        return of_this_kind if len(fitting) > 1 and of_this_kind else fitting

    def _explain_nothing_to_resolve(self, query: str) -> UsageError:
        """Return the error for a query that means no case: its doctor has a seal and nothing to resolve, or is not known."""
        finder = self._make_finder()
        timelines = finder.list_timelines([query])
        if len(timelines) == 1 and timelines[0].seal is not None:
            name, seal_id = timelines[0].name or query, timelines[0].seal.seal_id
            return UsageError("resolve_sealed", name=name, seal_id=seal_id, then=("explain", seal_id))
        if len(timelines) == 1 and not timelines[0].creates:
            name = timelines[0].name or query
            return UsageError("resolve_not_submitted", name=name, then=("explain", query))
        similar = [] if timelines else finder.suggest_words([query])
        for word in similar:
            if any(case.is_meant_by(word) for case in self.cases):
                return UsageError("resolve_similar", query=query, name=word, then=("resolve", word))
        return UsageError(
            "resolve_nobody", query=query, then=("explain", query) if timelines else ("resolve",)
        )

    def get_last_decision(self, query: str) -> LastDecision:
        """Return the last decision on the doctor whom a query means; UsageError for none, and for several doctors."""
        timelines = self._make_finder().list_timelines([query])
        fitting = {last.decision.id: last for timeline in timelines if (last := timeline.last_decision)}
        exact = [last for last in fitting.values() if query in {last.seal_id, last.decision.key}]
        lasts = exact or list(fitting.values())
        if len(lasts) > 1:
            raise UsageError("resolve_many", query=query, n=len(lasts), then=("explain", query))
        if not lasts:
            key = "resolve.no_decision" if timelines else "resolve_nobody"
            raise UsageError(key, query=query, then=("explain", query) if timelines else ("resolve",))
        return lasts[0]

    def _make_finder(self) -> PersonFinder:
        return PersonFinder(self.ledger, self.site_key, None, self.ledger.list_same_persons())

    def withdraw(self, last: LastDecision, *, who: str, sure: bool = False, why: str | None = None) -> None:
        """Withdraw the last decision on a person. Raises UsageError where it cannot be withdrawn."""
        with _point_to("explain", last.unique_word, about=compute_decision_digest(last)):
            decide.enter_withdrawal(self._make_maker(who, why), last, sure=sure)

    def _make_maker(self, who: str, why: str | None) -> DecisionMaker:
        """Return a user who decides now."""
        return DecisionMaker.of_user(who, self.ledger, self.clock, why or "", build_agent(self.config))

    def enter(
        self,
        case: Case,
        kind: DecisionKind,
        *,
        who: str,
        value: str | None = None,
        sure: bool = False,
        why: str | None = None,
    ) -> None:
        """Enter a decision of the user ``who``; ``value`` is the SealId, or the name of a new seal.

        Raises UsageError where it cannot be entered.
        """
        maker = self._make_maker(who, why)
        with _point_to("resolve", case.unique_word, about=case.compute_digest()):
            match kind:
                case "created":
                    decide.enter_created(maker, case, value or "", sure=sure)
                case "not_created":
                    service_clock = make_service_clock(self.config, self.clock)
                    decide.enter_not_created(maker, case, service_clock, sure=sure)
                case "not_theirs":
                    decide.enter_not_theirs(maker, case, sure=sure)
                case "keep":
                    images = build_image_examiner(self.config)
                    decide.enter_keep(maker, case, self.site_key, images, sure=sure)
                case "replace":
                    decide.enter_replace(maker, case, value, sure=sure)
                case "same_person":
                    decide.enter_same_person(maker, case)
                case "other_person":
                    decide.enter_other_person(maker, case)


@contextmanager
def open_cases(
    config: Config,
    clock: Clock,
    *,
    changes: bool,
    invocation: str = PROGRAM,
    warnings: WarningOutput = WARNING_LOG,
    reader: CaseReader | None = None,
) -> Iterator[OpenCases]:
    """Read the ledger, the configured rosters and those of the last run; the lock is taken only to enter ``changes``.

    ``reader`` is that of a process which stays.
    """
    require_ledger(config)
    request = replace(build_request("resolve", config, clock, invocation=invocation), command="check")
    opened = (
        lock_ledger(config, "resolve", clock, warnings=warnings)
        if changes
        else open_configured_ledger(config, clock, warnings=warnings)
    )
    with opened as (ledger, site_key):
        requests = list(filter(None, (request, _repeat_last_run(request, ledger))))
        cases = (reader or CaseReader()).read(requests, config, ledger, site_key, clock)
        yield OpenCases(config, clock, ledger, site_key, cases)


def require_one_case(cases: Sequence[Case], query: str) -> Case:
    """Return the only case; UsageError where a query means several."""
    if len(cases) > 1:
        raise UsageError("resolve_many", query=query, n=len(cases), then=("resolve", cases[0].unique_word))
    return cases[0]


@contextmanager
def _point_to(*command: str, about: str) -> Iterator[None]:
    """Let a decision that cannot be entered end with the command that shows what it is about and decides nothing."""
    try:
        yield
    except UsageError as error:
        error.then = error.then or command
        if isinstance(error, decide.NotSure):
            error.about = about
        raise


def _may_be_decided(case: Case, kind: str) -> bool:
    if kind in PERSON_KINDS:
        return case.possibly_same is not None
    if kind in CONTENT_KINDS:
        return case.status.value == "changed" or (kind == "keep" and case.held_image is not None)
    return case.attempt is not None


def _repeat_last_run(request: RunRequest, ledger: Ledger) -> RunRequest | None:
    """Return a request that reads the files of the last run; None where it read the configured rosters.

    A file whose recorded path is masked is not read: it is named by a number.
    """
    last_run = next(iter(list_roster_runs(ledger)), None)
    configured = request.make_path_digests(ledger.site_key).digest_all(request.rosters)
    if last_run is None or reads_same_rosters(last_run, configured):
        return None
    content = last_run.content
    rosters = tuple(path for file in content.get("files", ()) if (path := Path(file["path"])).exists())
    seals = Path(content["seals"]) if "seals" in content else None
    if seals is None or not seals.exists():
        seals = request.seals
    return replace(request, rosters=rosters, seals=seals) if rosters else None
