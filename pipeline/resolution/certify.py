"""Does this tenant refuse a second identical create? Asked once, with one consenting doctor who has a seal already.

Where the answer is no, the doctor has a second seal afterwards: that is why a human picks the doctor, and says yes.
The ledger allows no attempt beside a live seal, so the create is entered as a decision before its first byte leaves.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.roster import PreparedImage
from pipeline.domain.run import RowPlan, Status
from pipeline.domain.seals import SealRequest
from pipeline.errors import UsageError, reason_of
from pipeline.esign.client import NoAnswer, NotSent
from pipeline.esign.contracts.base import CREATE, UPLOAD, CreateImage, build_upload
from pipeline.esign.rate_limiter import Limiter
from pipeline.esign.responses import read_create, read_upload
from pipeline.esign.signing import Credentials
from pipeline.intake.pairing import image_index
from pipeline.ledger.protocol import Decision, DecisionRecord, Ledger
from pipeline.messages.texts import make_text
from pipeline.planning import run_history
from pipeline.reports.service_text import describe_failure
from pipeline.resolution.single_call import send_single_call
from pipeline.workflow import stage_settings


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the second create was answered with."""

    refused: bool
    code: str  # the service's, or ok
    request_id: str | None
    seal_id: str | None  # of the second seal, where it was not refused


def request_of(planned: RowPlan, prepare: Callable[..., object]) -> tuple[SealRequest, PreparedImage]:
    """Return the create that made a doctor's seal, to the letter; UsageError where the row is not unchanged."""
    doctor, past = planned.doctor, planned.history
    seal = past.seal if past else None
    if (
        past is None
        or planned.status is not Status.UNCHANGED
        or seal is None
        or seal.content is None
        or doctor.errors
    ):
        raise UsageError("desk.not_unchanged", name=doctor.name)
    assert doctor.name
    assert doctor.number
    assert doctor.id_type
    prepared = prepare(planned) if doctor.picture else None
    if not isinstance(prepared, PreparedImage):
        raise UsageError("desk.no_picture", name=doctor.name)
    request = SealRequest(
        key=past.key,
        row_id=doctor.row_id or "",
        name=doctor.name,
        number=doctor.number,
        id_type=doctor.id_type,
        seal_name=seal.seal_name,
        mobile=doctor.mobile,
        scene_key=doctor.scene_key,
        enable_auto_sign=doctor.enable_auto_sign,
        license_type=doctor.license_type,
        seal_image_compress=doctor.seal_image_compress,
        content=seal.content,
    )
    return request, prepared


async def certify(
    request: SealRequest,
    prepared: PreparedImage,
    config: Config,
    *,
    ledger: Ledger,
    limiter: Limiter,
    credentials: Credentials,
    clock: Clock,
    who: str,
) -> Certificate:
    """Send the create a second time and record what came of it. Raises UsageError where no verdict came.

    A doctor whose second create got no verdict may have a second seal: that is said as well.
    """
    agent, data = stage_settings.agent(config), _bytes_of(prepared)
    contract = stage_settings.contract_of(config)
    trace_id = str(uuid.uuid4())

    def enter(kind: str, why: str, seal_id: str | None = None) -> None:
        words = f"{contract.name} {why}"
        ledger.decide(Decision(kind, request.key, clock.now(), who, words, seal_id=seal_id))

    async with stage_settings.client(config, credentials, clock) as client:
        try:
            file_id = None
            if contract.needs_upload:
                suffix = "png" if prepared.format == "PNG" else "jpg"
                reply = await send_single_call(
                    client, limiter, UPLOAD, build_upload(agent, f"certify.{suffix}", data)
                )
                file = read_upload(reply, now=client.now())
                if file.file_id is None:
                    raise _nothing_sent(file.counted_as, credentials)
                file_id = file.file_id
            body = contract.build_create(agent, request, CreateImage(data, file_id))
        except (NotSent, NoAnswer) as error:
            raise _nothing_sent(str(error)) from error
        enter(run_history.CERTIFY_SENT, trace_id)
        try:
            read = read_create(await send_single_call(client, limiter, CREATE, body, trace_id=trace_id))
        except NotSent as error:
            enter(run_history.CERTIFY_VOID, "not_sent")
            raise _nothing_sent(str(error)) from error
        except NoAnswer as error:
            raise _no_verdict(str(error), trace_id) from error
    said = f"{read.counted_as} {read.verdict.request_id or ''}".strip()
    if read.verdict.kind == "not_executed":
        enter(run_history.CERTIFY_VOID, said)
        raise _nothing_sent(read.counted_as, credentials)
    if read.verdict.kind != "sealed" and read.meaning != "exists":
        raise _no_verdict(read.counted_as, trace_id)
    refused = read.meaning == "exists"
    found = Certificate(refused, read.counted_as, read.verdict.request_id, read.verdict.seal_id)
    enter(run_history.CERTIFIED if refused else run_history.NOT_CERTIFIED, said, found.seal_id)
    return found


def _bytes_of(prepared: PreparedImage) -> bytes:
    """Return the bytes that were checked. Raises UsageError where they are no longer there."""
    try:
        data = image_index.read(prepared.path)
    except OSError as error:
        raise _nothing_sent(reason_of(error)) from error
    if hashlib.sha256(data).hexdigest() != prepared.sha256:
        raise _nothing_sent(make_text("image.changed_in_run"))
    return data


def unanswered(ledger: Ledger) -> DecisionRecord | None:
    """Return the last second create of a certification, where nobody knows what came of it."""
    told = [each for each in ledger.decisions() if each.kind in run_history.CERTIFICATION]
    return told[-1] if told and told[-1].kind == run_history.CERTIFY_SENT else None


def _nothing_sent(why: str, credentials: Credentials | None = None) -> UsageError:
    source = credentials.source if credentials else ""
    return UsageError("desk.nothing_sent", why=describe_failure(why, source))


def _no_verdict(why: str, trace_id: str) -> UsageError:
    return UsageError("desk.no_verdict", why=describe_failure(why, ""), trace_id=trace_id)
