"""One call from the desk: its slot, its signature, and the clock set right where the service says that it is wrong."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from pipeline.esign import codes
from pipeline.esign.client import Client, Reply
from pipeline.esign.contract import parse
from pipeline.esign.pace import Limiter


async def call(
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
    answer = parse(reply.body)
    refused = answer is not None and answer.code is not None and codes.of_create(answer.code, "") == "clock"
    if not refused or reply.skew is None:
        return reply
    client.offset = reply.skew
    return await client.call(action, body, trace_id=trace_id, gate=gate)
