"""Which rate limiter a configuration needs."""

from __future__ import annotations

import os

from pipeline.clock import Clock
from pipeline.config.named_paths import find_server_address
from pipeline.config.settings import Config
from pipeline.esign.rate_limiter import AdaptiveRateLimiter, Limiter


def make_limiter(config: Config, clock: Clock) -> Limiter:
    """Return a limiter, to be closed at its end: where the ledger is on a server, all processes of the quota share its slots.

    With a ledger in a file the limiter is this process's alone.
    """
    limits, address = config.limits, find_server_address(config, os.environ)
    if address is None:
        return AdaptiveRateLimiter(limits.requests_per_second, clock)
    from pipeline.sending.shared_rate_limiter import (  # noqa: PLC0415 - it needs the extra "postgres"
        SharedRateLimiter,
    )

    return SharedRateLimiter(address, limits.quota, limits.requests_per_second, clock)
