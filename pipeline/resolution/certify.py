"""Finds out and records what this tenant refuses and shows: a second identical create, and the places that list seals.

The second create is sent once, for one consenting doctor who has a seal already. Where it is not refused, the doctor has a
second seal afterwards: that is why a person picks the doctor and confirms. The ledger allows no attempt beside a live seal,
so the create is entered as a decision before its first byte leaves.

Not finding a seal in a place proves nothing until that place was seen to show one that is known to exist.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.domain.fields import list_sent_values
from pipeline.domain.roster import PreparedImage
from pipeline.domain.run import RowPlan, Status
from pipeline.domain.seals import PersonHistory, SealRequest
from pipeline.errors import UsageError, reason_of
from pipeline.esign.client import NoAnswer, NotSent
from pipeline.esign.contracts import CREATE, UPLOAD, CreateImage, build_upload
from pipeline.esign.responses import read_create, read_upload
from pipeline.esign.signing import Credentials
from pipeline.intake.images import image_files
from pipeline.ledger.protocol import Decision, DecisionRecord, Ledger
from pipeline.messages.texts import make_text
from pipeline.planning import guards
from pipeline.reports.explanations import describe_failure
from pipeline.resolution.decide import DecisionMaker
from pipeline.resolution.service_calls import ServiceAccess
from pipeline.workflow import stage_settings

SHOWN, NOT_SHOWN = "place_shown", "place_not_shown"  # kinds of decisions
AUTO_SIGN = "auto_sign"
SEARCHABLE_PLACES = ("console", "audit_log")  # auto-sign lists only doctors who opened it: it never refutes


@dataclass(frozen=True, slots=True)
class CreateCertificate:
    """The answer to the second create."""

    refused: bool
    code: str  # the service's, or ok
    request_id: str | None
    seal_id: str | None  # of the second seal, where it was not refused


def find_sealed_row(row_plans: Sequence[RowPlan], query: str) -> RowPlan:
    """Return the row of the one sealed doctor whom a query means; UsageError for none or several."""
    rows = [row_plan for row_plan in row_plans if _is_sealed_as(row_plan, query)]
    if len(rows) != 1:
        raise UsageError("certify_who" if rows else "certify_nobody", query=query, n=len(rows))
    return rows[0]


def _is_sealed_as(row_plan: RowPlan, query: str) -> bool:
    seal = row_plan.history.seal if row_plan.history else None
    doctor = row_plan.doctor
    return seal is not None and query in (doctor.name, doctor.staff_no, seal.seal_name, seal.seal_id)


def repeat_request(row_plan: RowPlan, prepare: Callable[..., object]) -> tuple[SealRequest, PreparedImage]:
    """Return the create that made a doctor's seal, to the letter; UsageError where the row is not unchanged."""
    doctor, history = row_plan.doctor, row_plan.history
    seal = history.seal if history else None
    if (
        history is None
        or row_plan.status is not Status.UNCHANGED
        or seal is None
        or seal.content is None
        or doctor.errors
    ):
        raise UsageError("resolve.not_unchanged", name=doctor.name)
    prepared = prepare(row_plan) if doctor.picture else None
    if not isinstance(prepared, PreparedImage):
        raise UsageError("resolve.no_picture", name=doctor.name)
    request = SealRequest(
        key=history.key,
        row_id=doctor.row_id or "",
        seal_name=seal.seal_name,
        values=list_sent_values(doctor),
        content=seal.content,
    )
    return request, prepared


async def certify_create(
    request: SealRequest, prepared: PreparedImage, service: ServiceAccess, *, ledger: Ledger, who: str
) -> CreateCertificate:
    """Send the create a second time and record the answer. Raises UsageError where no verdict came.

    A doctor whose second create got no verdict may have a second seal: the error mentions it.
    """
    contract, agent = stage_settings.find_contract(service.config), stage_settings.build_agent(service.config)
    data = _read_checked(prepared)
    trace_id = str(uuid.uuid4())

    def enter_decision(kind: str, reason: str, seal_id: str | None = None) -> None:
        now = service.clock.now()
        ledger.record_decision(
            Decision(kind, request.key, now, who, f"{contract.name} {reason}", seal_id=seal_id)
        )

    async with service.open_client() as client:
        try:
            file_id = None
            if contract.needs_upload:
                suffix = "png" if prepared.format == "PNG" else "jpg"
                upload = build_upload(agent, f"certify.{suffix}", data)
                reply = await service.send_single_call(client, UPLOAD, upload)
                uploaded = read_upload(reply, now=client.service_time())
                if uploaded.file_id is None:
                    raise _not_sent_error(uploaded.counted_as, service.credentials)
                file_id = uploaded.file_id
            body = contract.build_create(agent, request, CreateImage(data, file_id))
        except (NotSent, NoAnswer) as error:
            raise _not_sent_error(str(error)) from error
        enter_decision(guards.CERTIFY_SENT, trace_id)
        try:
            reply = await service.send_single_call(client, CREATE, body, trace_id=trace_id)
        except NotSent as error:
            enter_decision(guards.CERTIFY_VOID, "not_sent")
            raise _not_sent_error(str(error)) from error
        except NoAnswer as error:
            raise _no_verdict_error(str(error), trace_id) from error
    response = read_create(reply)
    verdict = response.verdict
    reason = f"{response.counted_as} {verdict.request_id or ''}".strip()
    if verdict.kind == "not_executed":
        enter_decision(guards.CERTIFY_VOID, reason)
        raise _not_sent_error(response.counted_as, service.credentials)
    refused = response.meaning == "exists"
    if verdict.kind != "sealed" and not refused:
        raise _no_verdict_error(response.counted_as, trace_id)
    enter_decision(guards.CERTIFIED if refused else guards.NOT_CERTIFIED, reason, verdict.seal_id)
    return CreateCertificate(refused, response.counted_as, verdict.request_id, verdict.seal_id)


def _read_checked(prepared: PreparedImage) -> bytes:
    """Return the bytes that were checked. Raises UsageError where they have changed."""
    try:
        data = image_files.read_regular_file(prepared.path)
    except OSError as error:
        raise _not_sent_error(reason_of(error)) from error
    if hashlib.sha256(data).hexdigest() != prepared.sha256:
        raise _not_sent_error(make_text("image.changed_in_run"))
    return data


def find_unanswered_create(ledger: Ledger) -> DecisionRecord | None:
    """Return the last second create of a certification, where it got no verdict."""
    records = [record for record in ledger.list_decisions() if record.kind in guards.CERTIFICATION]
    return records[-1] if records and records[-1].kind == guards.CERTIFY_SENT else None


def _not_sent_error(reason: str, credentials: Credentials | None = None) -> UsageError:
    source = credentials.source if credentials else ""
    return UsageError("resolve.nothing_sent", why=describe_failure(reason, source))


def _no_verdict_error(reason: str, trace_id: str) -> UsageError:
    return UsageError("resolve.no_verdict", why=describe_failure(reason, ""), trace_id=trace_id)


def record_place(
    ledger: Ledger, history: PersonHistory, place_name: str, maker: DecisionMaker, *, shown: bool
) -> None:
    """Enter whether a place shows the seal of a person; UsageError for a seal that this program did not make.

    A seal made by hand may be shown where imported ones are not.
    """
    seal = history.seal
    if seal is None or seal.trace_id is None:
        raise UsageError("resolve.not_made_here")
    kind = SHOWN if shown else NOT_SHOWN
    ledger.record_decision(
        Decision(
            kind,
            history.key,
            maker.decided_at,
            maker.name,
            maker.why,
            seal_id=seal.seal_id,
            detail=place_name,
        )
    )


def find_certified_place(ledger: Ledger, now: float) -> str | None:
    """Return a place where not finding a seal counts: its last record is that it shows one, and is not too old."""
    records = {
        record.detail: record for record in ledger.list_decisions() if record.kind in {SHOWN, NOT_SHOWN}
    }
    for place_name in SEARCHABLE_PLACES:
        record = records.get(place_name)
        if (
            record is not None
            and record.kind == SHOWN
            and record.decided_at >= now - guards.CERTIFICATE_DAYS * 86_400
        ):
            return place_name
    return None
