"""Previews what a run would send, and sends it: the only stage with a network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING

from pipeline.config.settings import Config
from pipeline.domain.masking import Masker
from pipeline.domain.run import (
    RETRYABLE_STATUSES,
    Halt,
    Notice,
    RowOutcome,
    RowPlan,
    RunRequest,
    Status,
    Traffic,
    compute_exit_code,
)
from pipeline.ledger.ledger import Ledger
from pipeline.planning.checked_plan import RowNames, list_chosen_lines, list_chosen_rows
from pipeline.planning.covered_rows import list_retried_rows, list_rows_of
from pipeline.planning.guards import GuardLimits, RunGuards, compute_deadline
from pipeline.sending.circuit_breaker import OutageMonitor
from pipeline.sending.run_state import RunState
from pipeline.workflow.stage_settings import (
    build_agent,
    build_client,
    describe_keys,
    get_contract,
    get_product,
)

if TYPE_CHECKING:
    from pipeline.esign.rate_limiter import Limiter
    from pipeline.esign.signing import CredentialsSource
    from pipeline.sending.exchange import Exchange
    from pipeline.workflow.run_plan import RunPlan, RunResources, RunStart

CLOCK_TOLERANCE = 60.0  # seconds by which the clock may differ from the service's before it is said


def load_sending_modules() -> None:
    """Import the modules that only calls need, while the ledger is written. What fails here fails again in `send_rows`."""
    with suppress(ImportError):
        import pipeline.sending.submit  # noqa: F401, PLC0415


@dataclass(frozen=True, slots=True)
class SentRows:
    """The outcomes of the rows to send, sent or not, and the calls that were made."""

    outcomes: Sequence[RowOutcome]
    halt: Halt | None
    traffic: Traffic
    kept_back: frozenset[int] = frozenset()  # indexes of row plans that the limit left for later
    notices: Sequence[Notice] = ()


def list_covered_rows(
    plan: RunPlan, request: RunRequest, ledger: Ledger, names: RowNames
) -> frozenset[int] | None:
    """Return the indexes of the row plans that a retry covers, or a run of some people; None for a run, which covers all.

    Raises UsageError for people whom no row or several rows fit.
    """
    if request.only and request.checked is not None:
        chosen = list_chosen_rows(request.checked, request.only, names, plan.row_plans)
        others = [person for person in request.only if not list_chosen_lines([person])]
        return chosen | list_rows_of(plan.row_plans, others)
    if request.only:
        return list_rows_of(plan.row_plans, request.only)
    run = ledger.get_run(request.retried_run) if request.retried_run else None
    if run is None:
        return None
    masker = Masker.of_doctors(row_plan.doctor for row_plan in plan.row_plans)
    return list_retried_rows(plan.row_plans, plan.report.files, run, ledger.list_rows(run.run), masker)


def select_rows_to_send(
    row_plans: Sequence[RowPlan], covered: frozenset[int] | None, ledger: Ledger
) -> list[RowPlan]:
    """Return the rows to send, those first whose turn did not come the last time: all READY rows that are ``covered``."""
    ready = [row_plan for row_plan in row_plans if row_plan.status is Status.READY]
    if covered is not None:
        return [row_plan for row_plan in ready if row_plan.index in covered]
    waiting = _list_previously_unsent(ledger)
    return sorted(ready, key=lambda row_plan: row_plan.doctor.row_id not in waiting)


def _list_previously_unsent(ledger: Ledger) -> frozenset[str]:
    """Return the row_ids whose turn did not come in the last run that ended."""
    last = ledger.get_last_run(complete=True)
    if last is None or not last.record or not json.loads(last.record)["statuses"].get("not_sent"):
        return frozenset()
    return frozenset(row.row_id for row in ledger.list_rows(last.run) if row.status == "not_sent")


@asynccontextmanager
async def open_exchange(
    config: Config,
    credentials: CredentialsSource,
    run_state: RunState,
    limiter: Limiter,
    *,
    masker: Masker,
    actions: Sequence[str],
    in_flight: int,
) -> AsyncIterator[Exchange]:
    """Yield the way to the service for these actions, of each of which so many calls may be in flight."""
    from pipeline.sending.exchange import Exchange  # noqa: PLC0415 - a run without changes imports no aiohttp

    # open connections that may wait for a slot: so few that none waits long
    waiting = ceil(min(config.limits.requests_per_second * limiter.waiting_seconds, in_flight))
    async with build_client(config, credentials, run_state.clock) as client:
        yield Exchange(
            client=client,
            limiter=limiter,
            clock=run_state.clock,
            agent=build_agent(config),
            masker=masker,
            run_state=run_state,
            connection_slots={action: asyncio.Semaphore(waiting) for action in actions},
        )


async def send_rows(
    plan: RunPlan,
    start: RunStart,
    request: RunRequest,
    config: Config,
    resources: RunResources,
    *,
    masker: Masker,
) -> SentRows:
    """Send the rows; without credentials none is sent, since there is none to send or the start's halt forbids it."""
    limit, product = config.limits.requests_per_second, get_product(config)
    ready, guards, credentials = start.ready, start.guards, start.credentials
    if credentials is None:
        return SentRows(tuple(map(RowOutcome.not_sent, ready)), start.halt, Traffic(limit=limit))
    # aiohttp: a run without changes does not need it
    from pipeline.sending.create import CreateContext  # noqa: PLC0415
    from pipeline.sending.submit import Submission  # noqa: PLC0415

    run_state = RunState(
        resources.stop.event,
        resources.clock,
        resources.outages or OutageMonitor(resources.clock),
        RunGuards(guards, plan.seal_counts.own, plan.seal_counts.existing_names),
        describe_keys(config, credentials),
    )
    creates_in_flight = config.limits.concurrency
    begun = resources.clock.monotonic()
    async with open_exchange(
        config,
        credentials,
        run_state,
        resources.limiter,
        masker=masker,
        actions=(product.create, product.upload),
        in_flight=creates_in_flight,
    ) as exchange:
        creates = asyncio.Semaphore(creates_in_flight)
        contract = get_contract(config)
        submission = Submission(
            CreateContext(exchange, resources.ledger, contract, request.run, creates),
            count_workers(config),
            resources.observer,
            request.limit,
            _compute_deadline_timestamp(guards, resources.clock.now()),
        )
        outcomes = await submission.run(ready)
        if resources.stop.signal is not None:
            run_state.halt_for_outage()
        notices = tuple(_list_service_notices(exchange.client.clock_offset, run_state.deprecated))
        traffic = exchange.summarize_traffic(product.create, begun, limit)
    return SentRows(outcomes, run_state.halted, traffic, submission.kept_back, notices)


def _list_service_notices(offset: float, deprecated: Mapping[str, str]) -> Iterator[Notice]:
    """Yield notices of a clock that is more than a minute from the service's, and of interfaces that will end.

    ``offset`` is how far the service's clock is ahead; ``deprecated`` maps actions to the service's words.
    """
    if abs(offset) > CLOCK_TOLERANCE:
        direction = "slow" if offset > 0 else "fast"
        yield Notice("CLOCK_WRONG", {"minutes": f"{abs(offset) / 60:.0f}", "direction": direction})
    for action, message in deprecated.items():
        yield Notice("SERVICE_DEPRECATED", {"action": action, "message": message})


def compute_run_exit_code(
    request: RunRequest,
    plan: RunPlan,
    outcomes: Sequence[RowOutcome],
    sent: SentRows,
    *,
    covered: frozenset[int] | None,
    signal: int | None,
) -> int:
    """Return the exit code.

    A retry counts the rows that it covers and may touch, a run of some people their rows. No run counts the rows that it left for
    the next one on purpose.
    """
    if covered is None:
        counted = list(outcomes)
    elif request.only:
        counted = [outcome for outcome in outcomes if outcome.row_plan.index in covered]
    else:
        counted = [
            outcome
            for outcome in outcomes
            if outcome.row_plan.index in covered and outcome.row_plan.status in RETRYABLE_STATUSES
        ]
    to_send = {outcome.row_plan.index for outcome in sent.outcomes}
    not_asked_for = {
        row_plan.index
        for row_plan in plan.row_plans
        if row_plan.status is Status.READY and row_plan.index not in to_send
    }
    left_out = sent.kept_back | not_asked_for
    return compute_exit_code(counted, plan.report.files, sent.halt, signal=signal, left_out=left_out)


def count_workers(config: Config) -> int:
    """Return how many rows are between upload and verdict at a time: enough for both calls of a row."""
    return config.limits.concurrency * (2 if get_contract(config).needs_upload else 1)


def _compute_deadline_timestamp(guards: GuardLimits, now: float) -> float | None:
    """Return the unix second at which this run has to stop."""
    moment = compute_deadline(guards, datetime.fromtimestamp(now, UTC).astimezone())
    return moment.timestamp() if moment else None
