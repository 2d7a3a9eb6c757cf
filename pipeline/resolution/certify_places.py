"""Finds out whether a place of which the program asks the service shows a seal that surely exists: the list, the audit log.

Not found is recorded as not shown, no answer is not recorded at all. The seal is one that this program made, the doctor whom a
person names or, without a name, the newest: the younger the seal, the sooner the place's silence counts. An audit log may show
a call late, so that an older one is asked for as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.seals import PersonHistory
from pipeline.errors import UsageError
from pipeline.esign.audit_log import KEPT_DAYS
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.ownership import WarningOutput
from pipeline.messages.catalogue import make_message
from pipeline.resolution import decide
from pipeline.resolution.audit_access import AuditAccess
from pipeline.resolution.audit_search import AUDIT, Control, read_events
from pipeline.resolution.decide import DecisionMaker
from pipeline.resolution.seal_listing import query_listed_seal
from pipeline.resolution.sealed_row import open_sealed_row
from pipeline.resolution.service_calls import ServiceAccess
from pipeline.version import PROGRAM
from pipeline.workflow.run_request import build_request
from pipeline.workflow.stage_settings import build_agent, get_product
from pipeline.workflow.tenant_ledger import WARNING_LOG, lock_ledger, require_ledger


@dataclass(frozen=True, slots=True)
class CertifiedPlace:
    """What a place answered about a seal that exists."""

    is_shown: bool
    seal_id: str
    request_id: str | None
    links: Sequence[str] = ()  # of the audit log: by which ids the create was found
    message_key: str = "certified_not_shown"  # of the sentence on what was recorded


@dataclass(frozen=True, slots=True)
class PlaceCertification:
    """Asks places, with the ledger held, and enters what they show."""

    config: Config
    clock: Clock
    ledger: DatabaseLedger

    def list_known_seals(self, place_name: str) -> list[PersonHistory]:
        """Return whose seals are asked for where no doctor is named. UsageError where this program has made none."""
        oldest = self.clock.now() - (KEPT_DAYS - 1) * 86_400
        people = [
            person
            for person in self.ledger.snapshot().people.values()
            if person.seal is not None
            and person.seal.trace_id is not None
            and (place_name != AUDIT or person.seal.created_at > oldest)
        ]
        if not people:
            raise UsageError("certify_no_seal")
        people.sort(key=lambda person: person.seal.created_at if person.seal else 0.0)
        newest, first = people[-1], people[0]
        return [newest, first] if place_name == AUDIT and first is not newest else [newest]

    def certify(
        self, place_name: str, people: Sequence[PersonHistory], maker: DecisionMaker
    ) -> CertifiedPlace:
        """Ask a place for the seals of these people until it shows one, and enter whether it does.

        UsageError where no answer came: nothing is entered.
        """
        for person in people:
            if person.seal is None or person.seal.trace_id is None:
                raise UsageError("resolve.not_made_here")
        person, answer = people[0], self._ask_for_seal(place_name, people[0])
        for older in people[1:]:
            if not answer.is_shown:
                person, answer = older, self._ask_for_seal(place_name, older)
        maker = replace(maker, why=" ".join(filter(None, (maker.why, answer.request_id))))
        decide.enter_place(maker, person, place_name, shown=answer.is_shown)
        return answer

    def _ask_for_seal(self, place_name: str, person: PersonHistory) -> CertifiedPlace:
        assert person.seal is not None
        if place_name == AUDIT:
            return self._ask_audit_log(person)
        service = ServiceAccess.from_config(self.config, self.clock, self.ledger)
        is_shown, asking, why = asyncio.run(query_listed_seal(service, person.seal.seal_id))
        if is_shown is None:
            raise _explain_no_answer(place_name, why)
        key = "certified_list_shown" if is_shown else "certified_list_not_shown"
        return CertifiedPlace(is_shown, person.seal.seal_id, asking.request_id, (), key)

    def _ask_audit_log(self, person: PersonHistory) -> CertifiedPlace:
        assert person.seal is not None
        create = decide.get_create_of_seal(self.ledger, person.key, person.seal.seal_id)
        if create is None:
            raise UsageError("resolve.not_made_here")
        access = AuditAccess.from_config(self.config, self.clock, self.ledger)
        (reading,) = asyncio.run(read_events(access, [[create]], get_product(self.config).create))
        if reading.fault is not None:
            raise _explain_no_answer(AUDIT, reading.fault)
        links = sorted(Control(create, person.seal.seal_id, reading).list_links())
        key = "certified_audit_not_shown"
        if links:
            key = (
                "certified_audit_shown"
                if {*links} & {"trace_id", "request_id"}
                else "certified_audit_confirms"
            )
        return CertifiedPlace(bool(links), person.seal.seal_id, reading.asking.request_id, links, key)


def certify_asked_place(
    config: Config,
    clock: Clock,
    place_name: str,
    query: str | None,
    *,
    user: str,
    why: str,
    invocation: str = PROGRAM,
    warnings: WarningOutput = WARNING_LOG,
) -> CertifiedPlace:
    """Ask a place for the seal of the doctor whom a query means, else for the newest, and enter the answer, under the lock."""
    with _open_ledger(config, clock, query, invocation, warnings) as (ledger, history):
        certification = PlaceCertification(config, clock, ledger)
        people = [history] if history is not None else certification.list_known_seals(place_name)
        maker = DecisionMaker.of_user(user, ledger, clock, why, build_agent(config))
        return certification.certify(place_name, people, maker)


@contextmanager
def _open_ledger(
    config: Config, clock: Clock, query: str | None, invocation: str, warnings: WarningOutput
) -> Iterator[tuple[DatabaseLedger, PersonHistory | None]]:
    """Hold the lock and the ledger; rosters are read only to find a doctor."""
    if query is not None:
        opened = open_sealed_row(config, clock, query, invocation=invocation, warnings=warnings)
        with opened as (ledger, row_plan):
            yield ledger, row_plan.history
        return
    require_ledger(config)
    request = build_request("certify", config, clock, invocation=invocation)
    with lock_ledger(config, replace(request, command="check"), clock, warnings=warnings) as (ledger, _):
        yield ledger, None


def _explain_no_answer(place_name: str, why: str) -> UsageError:
    return UsageError("certify_no_answer", place=make_message(f"place.{place_name}"), why=why)
