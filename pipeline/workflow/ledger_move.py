"""Moves the configured ledger from its file to a PostgreSQL server, or from the server to a file."""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clock import Clock
from pipeline.config.ledger_secrets import find_ledger_secret, find_server_address
from pipeline.config.settings import Config
from pipeline.errors import LedgerError, UsageError
from pipeline.ledger.lock import RunLock
from pipeline.ledger.postgres.address import ServerAddress
from pipeline.ledger.registry import Ownership
from pipeline.messages.catalogue import make_phrase
from pipeline.workflow.tenant_ledger import Warn, find_registry, log_warning, refuse_older

if TYPE_CHECKING:
    from pipeline.ledger.postgres.move import MovedLedger

RUN = "ledger move"  # in place of a run's id, where the holder of the ledger is named


def move_ledger(
    config: Config, target: Path | ServerAddress, clock: Clock, *, warn: Warn = log_warning
) -> MovedLedger:
    """Move the configured ledger to a place of the other kind; no run can use either meanwhile.

    Raises UsageError where the two places are of one kind, and for a ledger that a run would refuse; Locked, naming the holder.
    """
    if isinstance(target, ServerAddress) == config.is_ledger_on_server:
        kind = make_phrase("moved.kind_server" if config.is_ledger_on_server else "moved.kind_file")
        raise UsageError("moved.same_kind", ledger=config.name_ledger(), target=target, kind=kind)
    if isinstance(target, ServerAddress):
        path, on_server = config.resolve_ledger_file(), config.model_copy(update={"ledger": target})
    else:
        path, on_server = target, config
    address = find_server_address(on_server, os.environ)
    assert address is not None
    try:
        from pipeline.ledger.postgres.lease import Lease  # noqa: PLC0415 - it needs the extra "postgres"
        from pipeline.ledger.postgres.move import Ends, move_to_file, move_to_server  # noqa: PLC0415
    except ImportError as error:
        raise UsageError("server.no_extra", address=address) from error
    secret, registry, now = find_ledger_secret(on_server, os.environ), find_registry(config), clock.now()
    with ExitStack() as locks:
        lock = locks.enter_context(RunLock(path).acquire(run=RUN, now=now))
        if registry.strict:
            try:
                locks.enter_context(RunLock(registry.lock_path).acquire(run=RUN, now=now))
            except LedgerError as error:
                warn(error)
        lease = locks.enter_context(Lease(address, config.tenant).acquire(run=RUN, now=now))
        ownership = Ownership(registry, lock, approve=partial(refuse_older, config), warn=warn)
        move = move_to_file if config.is_ledger_on_server else move_to_server
        return move(Ends(path, address, config.tenant, secret, lease), ownership, now=now)
