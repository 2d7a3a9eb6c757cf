"""Makes what a configuration needs: the store of its ledger and a rate limiter, of this machine or of several hosts.

It is the one place from which a run comes to `pipeline.hosts`, and it imports that only where ``ledger:`` names a server.
"""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, TypeAlias

from pipeline.clock import Clock
from pipeline.config.named_paths import read_ledger_secret, read_server_address
from pipeline.config.settings import Config
from pipeline.errors import UsageError
from pipeline.ledger.file_store import FileStore
from pipeline.ledger.summary import LedgerSummary

if TYPE_CHECKING:
    from pipeline.domain.server_address import ServerAddress
    from pipeline.esign.rate_limiter import Limiter
    from pipeline.hosts.server_store import ServerStore
    from pipeline.hosts.server_summaries import ServerSummaries

LedgerStore: TypeAlias = "FileStore | ServerStore"


def make_store(config: Config) -> LedgerStore:
    """Return the place of the configured ledger; UsageError where it is on a server and what that needs is missing."""
    address = read_server_address(config, os.environ)
    if address is None:
        return FileStore(config.resolve_ledger_file(), config.tenant)
    try:
        from pipeline.hosts.connection import require_known_options  # noqa: PLC0415 - they need the extra "postgres"
        from pipeline.hosts.server_store import ServerStore  # noqa: PLC0415 - the same
    except ImportError as error:
        raise UsageError("server.no_extra", address=address) from error
    require_known_options(address)
    return ServerStore(address, config.tenant, read_ledger_secret(config, os.environ))


class SummaryReader:
    """Reads the summaries of several ledgers; those on one server over one connection."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._servers: dict[tuple[ServerAddress, str], ServerSummaries] = {}

    def read(self, store: LedgerStore) -> LedgerSummary | None:
        """Return the summary of a ledger (summary.py), None where there is none."""
        if isinstance(store, FileStore):
            if not store.exists():
                return None
            ledger, _ = store.open(now=self._clock.now(), readonly=True)
            with closing(ledger):
                return ledger.read_summary()
        from pipeline.hosts.server_summaries import ServerSummaries  # noqa: PLC0415 - it needs the extra "postgres"

        server = (store.address, store.secret)
        if server not in self._servers:
            self._servers[server] = ServerSummaries(*server)
        return self._servers[server].read(store.tenant)

    def close(self) -> None:
        """End the connections."""
        for server in self._servers.values():
            server.close()


def make_limiter(config: Config, clock: Clock) -> Limiter:
    """Return a limiter, to be closed at its end: where the ledger is on a server, all its processes share the slots.

    With a ledger in a file the limiter is this process's alone.
    """
    limits, address = config.limits, read_server_address(config, os.environ)
    if address is None:
        from pipeline.esign.rate_limiter import AdaptiveRateLimiter  # noqa: PLC0415 - `check` needs no asyncio

        return AdaptiveRateLimiter(limits.requests_per_second, clock)
    from pipeline.hosts.shared_rate_limiter import SharedRateLimiter  # noqa: PLC0415 - it needs the extra "postgres"

    return SharedRateLimiter(address, limits.requests_per_second, clock)
