"""Calls outside a run: slot, signature, the clock set right by the service's; and the question what time it has."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.errors import UsageError
from pipeline.esign import error_codes
from pipeline.esign.client import Client, NoAnswer, NotSent
from pipeline.esign.contracts.base import PROBE, build_probe
from pipeline.esign.rate_limiter import Limiter
from pipeline.esign.responses import Reply, parse_answer
from pipeline.esign.signing import Credentials
from pipeline.workflow import stage_settings


async def send_single_call(
    client: Client, limiter: Limiter, action: str, body: bytes, *, trace_id: str | None = None
) -> Reply:
    """Send a call and return its answer; one that was refused for its timestamp is sent once more with the service's.

    Raises NotSent or NoAnswer.
    """
    trace_id = trace_id or str(uuid.uuid4())

    async def gate(_: Callable[[], bool]) -> None:
        await limiter.acquire(action)
        await limiter.leave(action)

    reply = await client.call(action, body, trace_id=trace_id, gate=gate)
    answer = parse_answer(reply.body)
    refused = (
        answer is not None and answer.code is not None and error_codes.of_create(answer.code, "") == "clock"
    )
    if not refused or reply.skew is None:
        return reply
    client.offset = reply.skew
    return await client.call(action, body, trace_id=trace_id, gate=gate)


async def ask_service_time(
    config: Config, *, limiter: Limiter, credentials: Credentials, clock: Clock
) -> float:
    """Return unix seconds by the service's clock, from the answer to a call that changes nothing.

    Raises UsageError where the service does not answer in its own form.
    """
    async with stage_settings.client(config, credentials, clock) as client:
        try:
            reply = await send_single_call(client, limiter, PROBE, build_probe(stage_settings.agent(config)))
        except (NotSent, NoAnswer) as error:
            raise UsageError("desk.no_service_time", why=str(error)) from error
    answer = parse_answer(reply.body)
    if answer is None or answer.request_id is None or reply.skew is None:
        raise UsageError("desk.no_service_time", why=f"HTTP {reply.status}")
    return clock.now() + reply.skew
