"""Does this tenant refuse a second identical create? Asked once, with one consenting doctor who has a seal already.

Where the answer is no, the doctor has a second seal afterwards: that is why a human picks the doctor, and says yes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline import wiring
from pipeline.clock import Clock
from pipeline.config import Config
from pipeline.desk.calling import call
from pipeline.errors import UsageError
from pipeline.esign import verdict as reading
from pipeline.esign.client import NoAnswer, NotSent
from pipeline.esign.contract import CREATE, UPLOAD, create_body, upload_body
from pipeline.esign.pace import Limiter
from pipeline.esign.signing import Credentials
from pipeline.ledger.protocol import Decision, Ledger
from pipeline.ledger.sitekey import SiteKey
from pipeline.model import Planned, SealRequest, Status
from pipeline.roster import Prepared


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the second create was answered with."""

    refused: bool
    code: str  # the service's, or ok
    request_id: str | None
    seal_id: str | None  # of the second seal, where it was not refused


def request_of(
    planned: Planned, site_key: SiteKey, prepare: Callable[..., object]
) -> tuple[SealRequest, Prepared]:
    """Return the create that made a doctor's seal, to the letter; UsageError where the row is not unchanged."""
    doctor, past = planned.doctor, planned.past
    seal = past.seal if past else None
    if planned.status is not Status.UNCHANGED or seal is None or seal.content is None or doctor.errors:
        raise UsageError(
            f"{doctor.name}: only a doctor whose seal was made from just this row can be asked for twice.",
            f"{doctor.name}：只能用名单内容与印章完全一致的医生来验证。",
        )
    assert doctor.name
    assert doctor.number
    assert doctor.id_type
    prepared = prepare(doctor.picture) if doctor.picture else None
    if not isinstance(prepared, Prepared):
        raise UsageError(f"{doctor.name}: the picture cannot be used.", f"{doctor.name}：图片不能用。")
    request = SealRequest(
        key=site_key.person(doctor.number),
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
    prepared: Prepared,
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
    agent, data = wiring.agent(config), prepared.path.read_bytes()
    async with wiring.client(config, credentials, clock) as client:
        try:
            if config.api.contract == "file_id":
                suffix = "png" if prepared.format == "PNG" else "jpg"
                reply = await call(client, limiter, UPLOAD, upload_body(agent, f"certify.{suffix}", data))
                file = reading.of_upload(reply, now=client.now())
                if file.file_id is None:
                    raise _no_verdict(file.tally)
                body = create_body(agent, request, file_id=file.file_id)
            else:
                body = create_body(agent, request, picture=data)
            read = reading.of_create(await call(client, limiter, CREATE, body))
        except (NotSent, NoAnswer) as error:
            raise _no_verdict(str(error)) from error
    if read.verdict.kind != "sealed" and read.meaning != "exists":
        raise _no_verdict(read.tally)
    refused = read.meaning == "exists"
    found = Certificate(refused, read.tally, read.verdict.request_id, read.verdict.seal_id)
    ledger.decide(
        Decision(
            wiring.CERTIFIED if refused else wiring.NOT_CERTIFIED,
            request.key,
            clock.now(),
            who,
            f"{config.api.contract} {found.code} {found.request_id or ''}".strip(),
            seal_id=found.seal_id,
        )
    )
    return found


def _no_verdict(why: str) -> UsageError:
    return UsageError(
        f"No verdict ({why}): look into the console whether the doctor has two seals now, then try again.",
        f"没有结论（{why}）；请先到控制台查看该医生是否有了两枚印章，再重试。",
    )
