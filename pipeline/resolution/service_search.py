"""Asks the service about a create without a verdict, and enters what its answers prove.

The auto-sign query, the organisation's list of seals and the audit log are places that are asked; each gives an `Evidence`. What was
asked and answered is in the journal, whatever follows from it. A seal that one place confirms is entered where no other place
contradicts; absence is entered where `pipeline.resolution.decide` lets it count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pipeline.clock import Clock, shown, stamp
from pipeline.config.settings import Config
from pipeline.domain.message import Message
from pipeline.domain.seals import fold_seal_id
from pipeline.errors import UsageError
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.person_history import AttemptRecord
from pipeline.messages.catalogue import join_messages, make_message
from pipeline.resolution import decide
from pipeline.resolution.audit_access import AuditAccess
from pipeline.resolution.audit_search import AUDIT, Control, judge_audit, read_events
from pipeline.resolution.cases import Case
from pipeline.resolution.decide import DecisionMaker
from pipeline.resolution.evidence import (
    Asking,
    Evidence,
    LedgerKnowledge,
    SoughtCreate,
    build_sought_create,
)
from pipeline.resolution.seal_listing import LIST, judge_listing, read_listing
from pipeline.resolution.service_calls import ServiceAccess, query_auto_sign
from pipeline.workflow.stage_settings import get_organization, get_product

AUTO_SIGN = "auto_sign"


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What the places said about a create, and what was entered."""

    sources: Sequence[Evidence]
    entered: Literal["created", "not_created"] | None
    seal_id: str | None = None
    proof: Evidence | None = None  # that led to what was entered
    conflict: str | None = None  # why nothing was entered although places showed something

    @property
    def request_id(self) -> str | None:
        """The RequestId of the answer that was entered, else of the first one."""
        sources = [self.proof] if self.proof is not None else self.sources
        ids = [source.asking.request_id for source in sources if source.asking is not None]
        return next(filter(None, ids), None)

    @property
    def words(self) -> str:
        """What the places showed, or why that was not entered."""
        if self.conflict is not None:
            return self.conflict
        sources = [self.proof] if self.proof is not None else self.sources
        return join_messages(
            [_name_source(source, source.words) for source in sources], "separator.semicolon"
        )

    @property
    def message_key(self) -> str:
        """The key of the sentence on what was entered."""
        return {"created": "looked_up", "not_created": "looked_up_absent"}.get(
            self.entered or "", "looked_up_nothing"
        )

    def to_dict(self) -> dict[str, object]:
        """Return the result as `resolve --json` shows it."""
        sources = [
            {
                "place": source.place_name,
                "outcome": source.outcome,
                "seal_id": source.seal_id,
                "pages": source.asking.pages if source.asking else 0,
                "asked": stamp(source.asking.asked_at) if source.asking else None,
                "request_id": source.asking.request_id if source.asking else None,
                "words": str(source.words),
            }
            for source in self.sources
        ]
        return {
            "decision": self.entered,
            "seal_id": self.seal_id,
            "request_id": self.request_id,
            "sources": sources,
        }


@dataclass(frozen=True, slots=True)
class ServiceSearch:
    """Asks places about the creates of one hospital."""

    config: Config
    clock: Clock
    ledger: DatabaseLedger

    def look_up(self, case: Case) -> list[Evidence]:
        """Ask the auto-sign query and the list of seals. UsageError where neither can be asked."""
        sought, known = self._describe(case)
        sources = [self._ask_auto_sign(case), self._ask_list(sought, known)]
        if all(source.asking is None for source in sources):
            raise UsageError("look_up_not_asked", words=sources[0].words, list=sources[1].words)
        return sources

    def search_audit_log(self, case: Case) -> list[Evidence]:
        """Ask the audit log of the account."""
        sought, known = self._describe(case)
        access = AuditAccess.from_config(self.config, self.clock, self.ledger)
        return [asyncio.run(self._search_events(access, sought, known))]

    def _describe(self, case: Case) -> tuple[SoughtCreate, LedgerKnowledge]:
        person = self.ledger.read_person(case.key)
        sought = build_sought_create(case, person, get_organization(self.config))
        known = LedgerKnowledge.of(self.ledger.snapshot(), self.ledger.list_seal_ids(), case.key)
        return sought, known

    def _ask_auto_sign(self, case: Case) -> Evidence:
        service = ServiceAccess.from_config(self.config, self.clock, self.ledger)
        asked_at = self.clock.now()
        try:
            answer = asyncio.run(
                query_auto_sign(case.row_plan, case.name, service, known=self.ledger.list_seal_ids())
            )
        except UsageError as error:
            return Evidence(AUTO_SIGN, "nothing", error.as_message())
        asking = Asking(asked_at, None, 1 if answer.request_id else 0, answer.request_id)
        outcome: Literal["confirms", "nothing"] = "nothing" if answer.seal_id is None else "confirms"
        return Evidence(AUTO_SIGN, outcome, str(answer.explanation), asking, answer.seal_id)

    def _ask_list(self, sought: SoughtCreate, known: LedgerKnowledge) -> Evidence:
        """Read the list, unless it is recorded that it shows no imported seals."""
        record = decide.get_place_record(self.ledger, LIST)
        if record is not None and record.kind == decide.NOT_SHOWN:
            words = make_message("list.not_shown", moment=shown(stamp(record.decided_at)))
            return Evidence(LIST, "nothing", words)
        service = ServiceAccess.from_config(self.config, self.clock, self.ledger)
        return judge_listing(asyncio.run(read_listing(service)), sought, known)

    async def _search_events(
        self, access: AuditAccess, sought: SoughtCreate, known: LedgerKnowledge
    ) -> Evidence:
        event_name = get_product(self.config).create
        known_creates = self._list_known_creates(sought, known)
        groups = [sought.creates, *([create] for _, create in known_creates)]
        reading, *others = await read_events(access, groups, event_name)
        controls = [
            Control(create, seal_id, other)
            for (seal_id, create), other in zip(known_creates, others, strict=True)
        ]
        return judge_audit(reading, sought, known, controls)

    def _list_known_creates(
        self, sought: SoughtCreate, known: LedgerKnowledge
    ) -> list[tuple[str, AttemptRecord]]:
        """Return the create that certified the audit log, and the one nearest to the sought create, with their SealIds."""
        certificate = decide.get_certificate(self.ledger, AUDIT, self.clock.now())
        if certificate is None:
            return []
        seals = {(certificate.key, certificate.seal_id)}
        if known.made_here:
            nearest = min(known.made_here, key=lambda seal: abs(seal.created_at - sought.signed_at))
            seals.add((nearest.key, nearest.seal_id))
        creates = [(seal_id, decide.get_create_of_seal(self.ledger, key, seal_id)) for key, seal_id in seals]
        if any(create is None for _, create in creates):
            return []
        return [(seal_id or "", create) for seal_id, create in creates if create is not None]


def enter_evidence(maker: DecisionMaker, case: Case, sources: Sequence[Evidence]) -> SearchResult:
    """Enter what was asked and answered, and what follows from it. UsageError where the ledger forbids a confirmed seal."""
    for source in sources:
        if source.asking is not None:
            decide.enter_asked(maker, case, source)
    confirmed = {fold_seal_id(source.seal_id): source for source in sources if source.seal_id is not None}
    others = frozenset().union(*(source.other_seals for source in sources))
    if confirmed:
        is_contradicted = any(source.outcome == "absent" for source in sources) or not others.isdisjoint(
            confirmed
        )
        if len(confirmed) > 1 or is_contradicted:
            return SearchResult(sources, None, conflict=make_message("evidence.contradiction"))
        (source,) = confirmed.values()
        assert source.seal_id is not None
        decide.enter_created(replace(maker, why=_explain(source)), case, source.seal_id, sure=True)
        return SearchResult(sources, "created", source.seal_id, source)
    for source in sources:
        if source.outcome == "absent":
            try:
                decide.enter_absence(replace(maker, why=_explain(source)), case, source)
            except UsageError as error:
                conflict = _name_source(source, error.as_message())
                return SearchResult(sources, None, conflict=conflict)
            return SearchResult(sources, "not_created", proof=source)
    return SearchResult(sources, None)


def _name_source(source: Evidence, words: str) -> Message:
    """Return what is shown of a place, behind its name."""
    return make_message("looked_up_in", place=make_message(f"place.{source.place_name}"), words=words)


def _explain(source: Evidence) -> str:
    """Return the reason of a decision: which place answered, and the RequestId of its answer."""
    request_id = source.asking.request_id if source.asking is not None else None
    return f"{source.place_name} {request_id or ''}".strip()
