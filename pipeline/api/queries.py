"""`status`, `explain`, `export` and `resolve`: what the ledger holds, and decisions that are entered into it."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.api.arguments import StrPath, check_arguments, load_ready_config, name_invocation
from pipeline.clock import Clock, SystemClock
from pipeline.config.settings import Config
from pipeline.operations.export import collect_seals
from pipeline.reports.seal_list import ListedSeal
from pipeline.resolution.explanation import Explanation, explain_people
from pipeline.resolution.ledger_status import LedgerStatus, read_status


@check_arguments
def status(config: Config | StrPath, *, clock: Clock | None = None) -> LedgerStatus:
    """Return what the ledger holds: people, creates without an answer, the last run. It takes no lock.

    Where there is no ledger, its ``ledger`` is None.
    """
    return read_status(load_ready_config(config), clock or SystemClock())


@check_arguments
def explain(
    config: Config | StrPath, query: str | Sequence[str], *, clock: Clock | None = None
) -> Explanation:
    """Return one doctor's history across runs, or the doctors whom a query means. It takes no lock.

    With a single doctor in its ``people``, ``step`` is what to do next; with none, ``similar`` are names and staff numbers.
    """
    words = (query,) if isinstance(query, str) else tuple(query)
    loaded = load_ready_config(config)
    return explain_people(loaded, clock or SystemClock(), words, name_invocation(config))


@check_arguments
def export(
    config: Config | StrPath, *, run: str | None = None, leavers: bool = False, clock: Clock | None = None
) -> list[ListedSeal]:
    """Return every seal in the order of their creation, also those that were abandoned and may still be valid."""
    return collect_seals(load_ready_config(config), clock or SystemClock(), run=run, leavers=leavers)
