"""Ask the service about one doctor's auto-sign (`ChannelDescribeUserAutoSignStatus`): it can confirm a create.

It tells the SealId only of doctors who have opened auto-sign, so an empty answer refutes nothing; and a SealId that the
ledger knows already is an older seal.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.errors import UsageError
from pipeline.esign.client import NoAnswer, NotSent
from pipeline.esign.rate_limiter import Limiter
from pipeline.esign.responses import Answer, is_seal_id, parse_answer
from pipeline.esign.signing import Credentials
from pipeline.messages.catalogue import phrase
from pipeline.reports.service_text import describe_failure
from pipeline.resolution.cases import Case
from pipeline.resolution.single_call import send_single_call
from pipeline.workflow import stage_settings

ACTION = "ChannelDescribeUserAutoSignStatus"


@dataclass(frozen=True, slots=True)
class Told:
    """What the service said."""

    seal_id: str | None  # one that may be this create's; None proves nothing
    request_id: str | None
    words: object  # the code, or what was told, for the human
    is_open: bool = False  # the doctor has opened auto-sign: only then a seal can be shown


async def look_up(
    case: Case,
    config: Config,
    *,
    known: Collection[str],
    limiter: Limiter,
    credentials: Credentials,
    clock: Clock,
) -> Told:
    """Ask once; ``known`` are the SealIds of the ledger. Raises UsageError where there is nothing to ask with."""
    doctor = case.planned.doctor if case.planned else None
    if doctor is None or not (doctor.name and doctor.number and doctor.id_type):
        raise UsageError("desk.not_in_rosters", name=case.name)
    body = {
        "Agent": stage_settings.agent(config).build_body(),
        "SceneKey": doctor.scene_key or "E_PRESCRIPTION_AUTO_SIGN",
        "UserInfo": {"Name": doctor.name, "IdCardType": str(doctor.id_type), "IdCardNumber": doctor.number},
    }

    async with stage_settings.client(config, credentials, clock) as client:
        try:
            reply = await send_single_call(
                client, limiter, ACTION, json.dumps(body, ensure_ascii=False).encode()
            )
        except (NotSent, NoAnswer) as error:
            return Told(None, None, str(error))
    answer = parse_answer(reply.body) if reply.status == 200 else None
    if answer is None:
        return Told(None, None, f"HTTP {reply.status}")
    if answer.code is not None:
        return Told(None, answer.request_id, describe_failure(answer.code, credentials.source))
    return _told(answer, known)


def _told(answer: Answer, known: Collection[str]) -> Told:
    if answer.fields.get("IsOpen") is not True:
        return Told(None, answer.request_id, "IsOpen = false")
    seal_id = answer.get_text("SealId")
    if seal_id is None or not is_seal_id(seal_id):
        return Told(None, answer.request_id, phrase("desk.no_seal_set"), is_open=True)
    if seal_id in known:
        return Told(None, answer.request_id, phrase("desk.older_seal", seal_id=seal_id), is_open=True)
    return Told(seal_id, answer.request_id, seal_id, is_open=True)
