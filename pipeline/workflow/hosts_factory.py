"""Makes what a configuration needs: where its ledger is and a rate limiter, of this machine or of several hosts.

It is the one place from which a run comes to `pipeline.hosts`, and it imports that only where ``ledger:`` names a server.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pipeline.clock import Clock
from pipeline.config.named_paths import read_ledger_secret, read_server_address
from pipeline.config.settings import Config
from pipeline.errors import UsageError
from pipeline.ledger.journal import get_tenant_folder
from pipeline.ledger.places import SHARE, Places, get_state_folder
from pipeline.ledger.sqlite_ledger import LedgerFile

if TYPE_CHECKING:
    from pipeline.domain.server_address import ServerAddress
    from pipeline.esign.rate_limiter import Limiter
    from pipeline.hosts.ledger import LedgerSchema, ServerReader
    from pipeline.hosts.load import LoadedLedger

LedgerLocation: TypeAlias = "LedgerFile | LedgerSchema"


def get_demo_folder(config: Config) -> Path:
    """Return the folder next to the ledger in which a `demo` keeps its journal: it leaves nothing in the user's."""
    return get_tenant_folder(config.resolve_ledger_file().parent.absolute(), config.tenant)


class ServerReaders:
    """One connection for all ledgers of a server whose summaries are read for one command."""

    def __init__(self) -> None:
        self._readers: dict[ServerAddress, ServerReader] = {}

    def get_reader(self, address: ServerAddress) -> ServerReader:
        """Return the reader of a server's ledgers."""
        from pipeline.hosts.ledger import ServerReader  # noqa: PLC0415 - it needs the extra "postgres"

        return self._readers.setdefault(address, ServerReader(address))

    def close(self) -> None:
        """End the connections."""
        for reader in self._readers.values():
            reader.close()


def make_location(config: Config, readers: ServerReaders | None = None) -> LedgerLocation:
    """Return where the configured ledger is; UsageError where it is on a server and what that needs is missing."""
    address = read_server_address(config, os.environ)
    share = config.resolve_path(config.out).absolute() / SHARE
    if address is None:
        demo_folder = get_demo_folder(config)
        is_demo = config.tenant.startswith("sandbox/") and demo_folder.is_dir()
        places = Places(config.tenant, demo_folder.parent if is_demo else get_state_folder(), share)
        return LedgerFile(config.resolve_ledger_file(), places)
    try:
        from pipeline.hosts.connection import require_known_options  # noqa: PLC0415 - they need the extra "postgres"
        from pipeline.hosts.ledger import LedgerSchema  # noqa: PLC0415 - the same
    except ImportError as error:
        raise UsageError("server.no_extra", address=address) from error
    require_known_options(address)
    places = Places(config.tenant, get_state_folder(), share)
    secret = read_ledger_secret(config, os.environ)
    return LedgerSchema(address, places, secret, readers.get_reader(address) if readers is not None else None)


def load_ledger(config: Config, file: Path, clock: Clock) -> LoadedLedger:
    """Load the ledger of a file into the configured server; UsageError where the configured ledger is in a file."""
    location = make_location(config)
    if isinstance(location, LedgerFile):
        raise UsageError("load.no_server", path=config.name_ledger())
    from pipeline.hosts.load import load_file  # noqa: PLC0415 - it needs the extra "postgres"

    return load_file(file, location, now=clock.now())


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
