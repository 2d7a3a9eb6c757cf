"""Makes what a configuration needs: the store of its ledger and a rate limiter, of this machine or of several hosts.

It is the one place from which a run comes to `pipeline.hosts`, and it imports that only where ``ledger:`` names a server.
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pipeline.clock import Clock
from pipeline.config.named_paths import read_ledger_secret, read_server_address
from pipeline.config.settings import Config
from pipeline.errors import UsageError
from pipeline.ledger.file_store import FileStore
from pipeline.ledger.journal import get_tenant_folder
from pipeline.ledger.places import SHARE, Places, get_state_folder
from pipeline.ledger.records import LedgerSummary

if TYPE_CHECKING:
    from pipeline.domain.server_address import ServerAddress
    from pipeline.esign.rate_limiter import Limiter
    from pipeline.hosts.server_store import ServerStore
    from pipeline.hosts.server_summaries import ServerSummaries

LedgerStore: TypeAlias = "FileStore | ServerStore"


def get_demo_folder(config: Config) -> Path:
    """Return the folder next to the ledger in which a `demo` keeps its journal: it leaves nothing in the user's."""
    return get_tenant_folder(config.resolve_ledger_file().parent.absolute(), config.tenant)


def make_store(config: Config) -> LedgerStore:
    """Return where the configured ledger is; UsageError where it is on a server and what that needs is missing."""
    address = read_server_address(config, os.environ)
    share = config.resolve_path(config.out).absolute() / SHARE
    if address is None:
        demo_folder = get_demo_folder(config)
        is_demo = config.tenant.startswith("sandbox/") and demo_folder.is_dir()
        places = Places(config.tenant, demo_folder.parent if is_demo else get_state_folder(), share)
        return FileStore(config.resolve_ledger_file(), places)
    try:
        from pipeline.hosts.connection import require_known_options  # noqa: PLC0415 - they need the extra "postgres"
        from pipeline.hosts.server_store import ServerStore  # noqa: PLC0415 - the same
    except ImportError as error:
        raise UsageError("server.no_extra", address=address) from error
    require_known_options(address)
    places = Places(config.tenant, get_state_folder(), share)
    return ServerStore(address, places, read_ledger_secret(config, os.environ))


class SummaryReader:
    """Reads the summaries of several ledgers; those on one server over one connection."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._servers: dict[tuple[ServerAddress, str], ServerSummaries] = {}

    def read(self, store: LedgerStore) -> LedgerSummary | None:
        """Return the summary of a ledger, None where there is none."""
        if isinstance(store, FileStore):
            if not store.exists():
                return None
            with closing(store.open(now=self._clock.now(), readonly=True)) as ledger:
                return ledger.read_summary()
        return self._connect(store).read(store.places)

    def is_behind(self, store: LedgerStore) -> bool:
        """Return whether the journals of a ledger hold what it lacks."""
        if isinstance(store, FileStore):
            return store.is_behind()
        return self._connect(store).is_behind(store.places)

    def _connect(self, store: ServerStore) -> ServerSummaries:
        from pipeline.hosts.server_summaries import ServerSummaries  # noqa: PLC0415 - it needs the extra "postgres"

        server = (store.address, store.secret)
        if server not in self._servers:
            self._servers[server] = ServerSummaries(*server)
        return self._servers[server]

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
        from pipeline.esign.rate_limiter import ProcessRateLimiter  # noqa: PLC0415 - `check` needs no asyncio

        return ProcessRateLimiter(limits.requests_per_second, clock)
    from pipeline.hosts.shared_rate_limiter import SharedRateLimiter  # noqa: PLC0415 - it needs the extra "postgres"

    return SharedRateLimiter(address, limits.requests_per_second, clock)
