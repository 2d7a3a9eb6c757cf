"""`status`, `explain`, `export`, `history` (the runs) and `resolve`: what the ledger holds, and decisions that are entered into it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

from pipeline.api.arguments import Count, StrPath, Text, check_arguments, load_ready_config, name_invocation
from pipeline.clock import SystemClock
from pipeline.config.settings import Config
from pipeline.errors import UsageError
from pipeline.ledger.lock import read_user_name
from pipeline.operations.export import ListedRun, collect_runs, collect_seals
from pipeline.reports.seal_list import ListedSeal
from pipeline.resolution.cases import DecisionKind, WaitingCase, describe_case
from pipeline.resolution.explanation import Explanation, explain_people
from pipeline.resolution.ledger_status import LedgerStatus, read_status
from pipeline.resolution.open_cases import KINDS_WITH_SURE, open_cases, require_one_case


@check_arguments
def status(config: Config | StrPath) -> LedgerStatus:
    """Return what the ledger holds: people, creates without an answer, the last run. It takes no lock.

    Where there is no ledger, its ``ledger`` is None.
    """
    return read_status(load_ready_config(config), SystemClock())


@check_arguments
def explain(config: Config | StrPath, query: Text | Sequence[Text]) -> Explanation:
    """Return one doctor's history across runs, or the doctors whom a query means. It takes no lock.

    With a single doctor in its ``people``, ``step`` is what to do next; with none, ``similar`` are names and staff numbers.
    """
    words = (query,) if isinstance(query, str) else tuple(query)
    loaded = load_ready_config(config)
    return explain_people(loaded, SystemClock(), words, name_invocation(config))


@check_arguments
def export(config: Config | StrPath, *, run: Text | None = None, leavers: bool = False) -> list[ListedSeal]:
    """Return every seal in the order of their creation, also those that were abandoned and may still be valid."""
    return collect_seals(load_ready_config(config), SystemClock(), run=run, leavers=leavers)


@check_arguments
def history(
    config: Config | StrPath,
    *,
    limit: Count = 30,
) -> list[ListedRun]:
    """Return at most ``limit`` of the newest runs, the newest first, also those that ended before they had a ledger. It takes no lock."""
    return collect_runs(load_ready_config(config), SystemClock(), limit)


@check_arguments
def resolve(
    config: Config | StrPath,
    query: Text | None = None,
    decision: DecisionKind | Literal["withdraw"] | None = None,
    *,
    seal_id: Text | None = None,
    seal_name: Text | None = None,
    sure: bool = False,
    why: Text | None = None,
) -> list[WaitingCase]:
    """Return the cases that wait for a decision, all or those that a query means; or enter a decision on one of them.

    With a ``decision`` the query must mean a single case, which is returned as it was. The service is asked for its time,
    and for nothing else, where ``not_created`` needs it. ``withdraw`` takes the last decision on a doctor back, and returns
    the case that waits again, if there is one.
    """
    if decision is not None and query is None:
        raise UsageError("usage.decision", name="decision", needed="query")
    for name, value, kinds in (
        ("seal_id", seal_id, {"created"}),
        ("seal_name", seal_name, {"replace"}),
        ("sure", sure, KINDS_WITH_SURE),
    ):
        if value and decision not in kinds:
            needed = " | ".join(f"decision={kind!r}" for kind in sorted(kinds))
            raise UsageError("usage.decision", name=name, needed=needed)
    loaded, clock = load_ready_config(config), SystemClock()
    open_ = partial(open_cases, loaded, clock, invocation=name_invocation(config))
    if decision == "withdraw":
        with open_(changes=True) as opened:
            last = opened.get_last_decision(query or "")
            opened.withdraw(last, who=read_user_name(), sure=sure, why=why)
        with open_(changes=False) as opened:
            keys = {last.decision.key, last.decision.detail}
            return [describe_case(opened.ledger, case) for case in opened.cases if case.key in keys]
    with open_(changes=decision is not None) as opened:
        cases = opened.cases if query is None else opened.list_meant(query, decision or "")
        described = [describe_case(opened.ledger, case) for case in cases]
        if decision is not None:
            case = require_one_case(cases, query or "")
            value = seal_name or seal_id
            opened.enter(case, decision, who=read_user_name(), value=value, sure=sure, why=why)
        return described
