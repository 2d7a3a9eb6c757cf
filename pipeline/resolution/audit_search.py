"""Searches the audit log of the cloud account, and judges what it shows of a create without a verdict.

An event is our create's where it holds the create's TraceId, or the RequestId or SealId of its answer, or where it names the same
organisation, the whole identity number and the seal name. A seal's name alone is no link: the log is that of the account, as a rule
the platform's, and doctors of other hospitals have the same names.

* Linked, without an error code and with one SealId: it confirms the create.
* Linked, without an error code and without a SealId: the call arrived. That it made a seal is likely and not proven.
* Linked, with the code of a refusal after which surely no seal exists: it counts as absent. Any other code proves nothing.
* No linked event: absent, where this search would have found one. Two known creates are searched for in the same way: the one that
  certified the place, and the one that was sent nearest to the sought one, as a rule in the same run and with the same keys. Their
  events must be linked by a kind of id that the sought create has as well.

Whether absence counts, and after which delay, is decided in `pipeline.resolution.decide`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.domain.message import Message
from pipeline.domain.run import Status
from pipeline.domain.seals import fold_seal_id
from pipeline.esign.audit_log import KEPT_DAYS, AuditEvent, build_event_query, read_event_page
from pipeline.esign.products import DESCRIBE_EVENTS
from pipeline.esign.responses import means_nothing_was_made
from pipeline.esign.signing import REPLAY_WINDOW_SECONDS
from pipeline.ledger.person_history import AttemptRecord
from pipeline.messages.catalogue import make_message
from pipeline.resolution.audit_access import AuditAccess
from pipeline.resolution.evidence import CLOCK_TOLERANCE, Asking, Evidence, LedgerKnowledge, SoughtCreate
from pipeline.resolution.repeated_calls import RepeatedCalls

AUDIT = "audit"  # the name of the place
MARGIN_SECONDS = 2 * CLOCK_TOLERANCE  # around the minutes in which a create could be carried out
MAX_PAGES = 600  # of one search: eight minutes of an account's creates, at 60 in a second


@dataclass(frozen=True, slots=True)
class AuditReading:
    """The events around creates; ``fault`` is why they are not all there."""

    events: Sequence[AuditEvent]
    asking: Asking
    fault: str | None = None
    is_over: bool = (
        True  # the minutes in which the creates could be carried out were over when the question was asked
    )


async def read_events(
    access: AuditAccess, groups: Sequence[Sequence[AttemptRecord]], event_name: str
) -> list[AuditReading]:
    """Ask for every event of an action around the creates of each group, at the pace of the quota."""
    readings = []
    async with access.open_client() as client:
        for creates in groups:
            events: list[AuditEvent] = []
            calls = RepeatedCalls(access, client, DESCRIBE_EVENTS)
            fault: str | None = None
            for create in creates:
                fault = fault or await _read_span(calls, create, event_name, events)
            is_over = all(_get_end(create) <= access.clock.now() for create in creates)
            readings.append(AuditReading(events, calls.asking, fault, is_over))
    return readings


def _get_end(create: AttemptRecord) -> float:
    """Return until when a create is searched for."""
    return create.signed_at + REPLAY_WINDOW_SECONDS + MARGIN_SECONDS


async def _read_span(
    calls: RepeatedCalls, create: AttemptRecord, event_name: str, events: list[AuditEvent]
) -> str | None:
    """Add the events around one create; return why they are not all there, None where they are."""
    now = calls.service.clock.now()
    start = int(create.signed_at - MARGIN_SECONDS)
    end = int(min(_get_end(create), now))  # a moment that is still to come may be refused
    if start < now - KEPT_DAYS * 86_400:
        return make_message("audit.too_old", days=KEPT_DAYS)
    token: int | None = None
    tokens: set[int | None] = set()
    while token not in tokens:
        if calls.asking.pages >= MAX_PAGES:
            return make_message("audit.too_long", n=MAX_PAGES)
        tokens.add(token)
        answer = await calls.send(build_event_query(event_name, start, max(start, end), token))
        if isinstance(answer, str):
            return answer
        page = read_event_page(answer)
        if page is None:
            return calls.refuse_answer()
        events += [event for event in page.events if event.holds(event_name)]
        if page.next_token is None:
            return None
        token = page.next_token
    return make_message("audit.circle")


# -- what it proves


@dataclass(frozen=True, slots=True)
class Control:
    """A create of this program that made a known seal, and the events in which it is searched for."""

    create: AttemptRecord
    seal_id: str
    reading: AuditReading

    def list_links(self) -> set[str]:
        """Return by which ids its event is found: trace_id, request_id, seal_id; none where it is not found."""
        links: set[str] = set()
        for event in self.reading.events:
            if event.error_code is not None:
                continue
            if event.holds(self.create.uuid):
                links.add("trace_id")
            if event.holds(self.create.request_id):
                links.add("request_id")
            if fold_seal_id(self.seal_id) in map(fold_seal_id, event.list_seal_ids()):
                links.add("seal_id")
        return links


def judge_audit(  # noqa: PLR0911 - one for each answer
    reading: AuditReading, sought: SoughtCreate, known: LedgerKnowledge, controls: Sequence[Control]
) -> Evidence:
    """Return what the log shows of a create.

    ``controls`` are the known create by which the place was certified, none where it is not, and the one that was sent nearest
    to the create: with other keys it would be in another account's log.
    """
    if not sought.creates:
        return Evidence(AUDIT, "nothing", make_message("audit.no_create"))
    if reading.fault is not None:
        words = make_message("audit.in_part", why=reading.fault, n=len(reading.events))
        return Evidence(AUDIT, "nothing", words, reading.asking)
    linked = [event for event in reading.events if _is_linked(event, sought)]
    passed = [event for event in linked if event.error_code is None]
    seal_ids = {seal_id for event in passed for seal_id in event.list_seal_ids()}
    if len(seal_ids) > 1:
        words = make_message("audit.several", n=len(seal_ids), ids=", ".join(sorted(seal_ids)))
        return Evidence(AUDIT, "nothing", words, reading.asking)
    if seal_ids:
        return _judge_seal_id(seal_ids.pop(), sought, known, reading.asking)
    if passed:
        return Evidence(AUDIT, "nothing", make_message("audit.arrived"), reading.asking)
    reason = _explain_doubt(reading, linked, sought, controls)
    if reason is not None:
        return Evidence(AUDIT, "nothing", reason, reading.asking)
    words = make_message("audit.absent", n=len(reading.events))
    if linked:
        words = make_message("audit.refused", code=linked[-1].error_code or "—")
    return Evidence(AUDIT, "absent", words, reading.asking)


def _is_linked(event: AuditEvent, sought: SoughtCreate) -> bool:
    if any(event.holds(create.uuid) or event.holds(create.request_id) for create in sought.creates):
        return True
    if sought.stated_seal_id and sought.stated_seal_id in event.list_seal_ids():
        return True
    return (
        sought.seal_name in event.list_seal_names()
        and event.holds(sought.number)
        and (sought.organization is None or event.holds(sought.organization))
    )


def _judge_seal_id(seal_id: str, sought: SoughtCreate, known: LedgerKnowledge, asking: Asking) -> Evidence:
    stated = sought.stated_seal_id
    if known.knows(seal_id):
        return Evidence(AUDIT, "nothing", make_message("audit.known_seal", seal_id=seal_id), asking)
    if stated and fold_seal_id(stated) != fold_seal_id(seal_id):
        words = make_message("audit.other_id", seal_id=seal_id, stated=stated)
        return Evidence(AUDIT, "nothing", words, asking)
    return Evidence(AUDIT, "confirms", make_message("audit.confirms", seal_id=seal_id), asking, seal_id)


def _explain_doubt(  # noqa: PLR0911 - one for each reason
    reading: AuditReading,
    linked: Sequence[AuditEvent],
    sought: SoughtCreate,
    controls: Sequence[Control],
) -> Message | None:
    """Return why the create may have made a seal although no event shows it."""
    if sought.status is not Status.UNKNOWN:
        return make_message("list.name_exists")
    codes = [event.error_code or "" for event in linked]
    if doubtful := [code for code in codes if not means_nothing_was_made(code)]:
        return make_message("audit.doubtful_code", code=doubtful[0])
    if any(not event.is_readable for event in reading.events):
        return make_message("audit.unreadable")
    if any(sought.seal_name in event.list_seal_names() for event in reading.events if event not in linked):
        return make_message("audit.same_name", seal_name=sought.seal_name)
    if not reading.is_over:
        return make_message("audit.too_early")
    if not controls:
        return make_message("audit.no_control")
    if fault := next((control.reading.fault for control in controls if control.reading.fault), None):
        return make_message("audit.control_unread", why=fault)
    has_request_id = all(create.request_id for create in sought.creates)
    own_ids = {"trace_id", "request_id"} if has_request_id else {"trace_id"}
    for control in controls:
        if not own_ids & control.list_links():
            return make_message("audit.control_not_linked", seal_id=control.seal_id)
    return None
