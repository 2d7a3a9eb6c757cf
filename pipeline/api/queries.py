"""`status`, `explain`, `export` and `resolve`: what the ledger holds, and decisions that are entered into it."""

from __future__ import annotations

from pipeline.api.arguments import StrPath, check_arguments, load_ready_config
from pipeline.clock import Clock, SystemClock
from pipeline.config.settings import Config
from pipeline.resolution.ledger_status import LedgerStatus, read_status


@check_arguments
def status(config: Config | StrPath, *, clock: Clock | None = None) -> LedgerStatus:
    """Return what the ledger holds: people, creates without an answer, the last run. It takes no lock.

    Where there is no ledger, its ``ledger`` is None.
    """
    return read_status(load_ready_config(config), clock or SystemClock())
