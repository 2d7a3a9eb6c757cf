"""Calls outside a run: the service's time, and whether a doctor's auto-sign shows a seal.

The auto-sign query can confirm a create. It gives the SealId only of doctors who have opened auto-sign, so an empty answer
refutes nothing; and a SealId that the ledger knows already is an older seal.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Self

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.service_codes import find_create_meaning
from pipeline.errors import UsageError
from pipeline.esign.client import Client, NoAnswer, NotSent
from pipeline.esign.contracts import LIVENESS_CHECK, build_liveness_check
from pipeline.esign.rate_limiter import AdaptiveRateLimiter, Limiter
from pipeline.esign.responses import Answer, Reply, is_seal_id, parse_answer
from pipeline.esign.signing import Credentials
from pipeline.messages.catalogue import make_phrase
from pipeline.reports.explanations import describe_failure
from pipeline.resolution.cases import Case
from pipeline.workflow import stage_settings
from pipeline.workflow.run_request import make_credentials_finder

AUTO_SIGN_QUERY = "ChannelDescribeUserAutoSignStatus"


@dataclass(frozen=True, slots=True)
class ServiceAccess:
    """What a call outside a run needs."""

    config: Config
    credentials: Credentials
    limiter: Limiter
    clock: Clock

    @classmethod
    def from_config(cls, config: Config, clock: Clock) -> Self:
        """Find the credentials; raises CredentialsMissing."""
        limiter = AdaptiveRateLimiter(config.limits.requests_per_second, clock)
        return cls(config, make_credentials_finder(config)(), limiter, clock)

    def open_client(self) -> Client:
        """Return a client, to be entered as a context."""
        return stage_settings.build_client(self.config, self.credentials, self.clock)

    async def send_single_call(
        self, client: Client, action: str, body: bytes, *, trace_id: str | None = None
    ) -> Reply:
        """Send a call and return its answer; one refused for its timestamp is sent once more with the service's time.

        Raises NotSent or NoAnswer.
        """
        trace_id = trace_id or str(uuid.uuid4())

        async def before_send(_: Callable[[], bool]) -> None:
            await self.limiter.acquire(action)
            await self.limiter.record_departure(action)

        reply = await client.call(action, body, trace_id=trace_id, before_send=before_send)
        answer = parse_answer(reply.body)
        code = answer.code if answer is not None else None
        if code is None or find_create_meaning(code, "") != "clock" or reply.skew is None:
            return reply
        client.clock_offset = reply.skew
        return await client.call(action, body, trace_id=trace_id, before_send=before_send)


async def ask_service_time(service: ServiceAccess) -> float:
    """Return unix seconds by the service's clock, from the answer to a call that changes nothing.

    Raises UsageError where the service does not answer in its own form.
    """
    body = build_liveness_check(stage_settings.build_agent(service.config))
    async with service.open_client() as client:
        try:
            reply = await service.send_single_call(client, LIVENESS_CHECK, body)
        except (NotSent, NoAnswer) as error:
            raise UsageError("resolve.no_service_time", why=str(error)) from error
    answer = parse_answer(reply.body)
    if answer is None or answer.request_id is None or reply.skew is None:
        raise UsageError("resolve.no_service_time", why=f"HTTP {reply.status}")
    return service.clock.now() + reply.skew


@dataclass(frozen=True, slots=True)
class AutoSignAnswer:
    """The answer to the auto-sign query."""

    seal_id: str | None  # one that may be this create's; None proves nothing
    request_id: str | None
    explanation: object  # the service's code, or why there is no SealId
    is_open: bool = False  # the doctor has opened auto-sign: only then a seal can be shown


async def query_auto_sign(case: Case, service: ServiceAccess, *, known: Collection[str]) -> AutoSignAnswer:
    """Ask once; ``known`` are the SealIds of the ledger. Raises UsageError where no roster holds the doctor's number."""
    doctor = case.row_plan.doctor if case.row_plan else None
    if doctor is None or not (doctor.name and doctor.number and doctor.id_type):
        raise UsageError("resolve.not_in_rosters", name=case.name)
    body = {
        "Agent": stage_settings.build_agent(service.config).build_body(),
        "SceneKey": doctor.scene_key or "E_PRESCRIPTION_AUTO_SIGN",
        "UserInfo": {"Name": doctor.name, "IdCardType": str(doctor.id_type), "IdCardNumber": doctor.number},
    }
    encoded_body = json.dumps(body, ensure_ascii=False).encode()
    async with service.open_client() as client:
        try:
            reply = await service.send_single_call(client, AUTO_SIGN_QUERY, encoded_body)
        except (NotSent, NoAnswer) as error:
            return AutoSignAnswer(None, None, str(error))
    answer = parse_answer(reply.body) if reply.status == 200 else None
    if answer is None:
        return AutoSignAnswer(None, None, f"HTTP {reply.status}")
    if answer.code is not None:
        reason = describe_failure(answer.code, service.credentials.source)
        return AutoSignAnswer(None, answer.request_id, reason)
    return _read_auto_sign(answer, known)


def _read_auto_sign(answer: Answer, known: Collection[str]) -> AutoSignAnswer:
    if answer.fields.get("IsOpen") is not True:
        return AutoSignAnswer(None, answer.request_id, "IsOpen = false")
    seal_id = answer.get_text("SealId")
    if seal_id is None or not is_seal_id(seal_id):
        return AutoSignAnswer(None, answer.request_id, make_phrase("resolve.no_seal_set"), is_open=True)
    if seal_id in known:
        older = make_phrase("resolve.older_seal", seal_id=seal_id)
        return AutoSignAnswer(None, answer.request_id, older, is_open=True)
    return AutoSignAnswer(seal_id, answer.request_id, seal_id, is_open=True)
