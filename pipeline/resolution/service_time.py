"""Asks the service for its time, outside a run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cache

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.errors import UsageError
from pipeline.esign.client import NoAnswer, NotSent, SignedCall
from pipeline.esign.contracts import build_liveness_check
from pipeline.esign.reply_faults import describe_reply_fault
from pipeline.workflow import stage_settings
from pipeline.workflow.hosts_factory import make_limiter


def make_service_clock(config: Config, clock: Clock) -> Callable[[], float]:
    """Return the function that asks the service for its time: once, and only where it is needed.

    It also works inside a running event loop, of a notebook for instance.
    """

    def read_time() -> float:
        return asyncio.run(_ask_service_time(config, clock))

    def read_time_anywhere() -> float:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return read_time()
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(read_time).result()

    return cache(read_time_anywhere)


async def _ask_service_time(config: Config, clock: Clock) -> float:
    """Return unix seconds by the service's clock, from the answer to a call that changes nothing.

    A refusal of the call shows the time as well. Raises CredentialsMissing, and UsageError where the service does not answer
    in its own form.
    """
    credentials = stage_settings.get_credentials_places(config).find()
    action = stage_settings.get_product(config).organization_seals
    body = build_liveness_check(stage_settings.build_agent(config))
    with closing(make_limiter(config, clock)) as limiter:

        async def before_send(_: SignedCall) -> None:
            while not limiter.record_departure(action, await limiter.acquire(action)):
                pass

        async with stage_settings.build_client(config, credentials, clock) as client:
            try:
                reply = await client.call(action, body, before_send=before_send)
            except (NotSent, NoAnswer) as error:
                raise UsageError("resolve.no_service_time", why=str(error)) from error
    if not reply.is_from_service or reply.skew is None:
        raise UsageError("resolve.no_service_time", why=describe_reply_fault(reply))
    return clock.now() + reply.skew
