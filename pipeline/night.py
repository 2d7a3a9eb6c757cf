"""The night, top to bottom: read, judge, pair, compare, plan, send, tell.

``check`` is ``run`` cut before the network: one code path, so both find the same problems. Ledger, limiter,
credentials and clock come from outside.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from pipeline import wiring
from pipeline.clock import Clock
from pipeline.config import Config
from pipeline.errors import LedgerError
from pipeline.esign.pace import Limiter
from pipeline.esign.signing import Credentials
from pipeline.exits import exit_code
from pipeline.intake.across import compare
from pipeline.intake.pair import pair
from pipeline.intake.pictures import index
from pipeline.intake.read import read_rosters
from pipeline.intake.validate import validate
from pipeline.ledger.protocol import Ledger, SeenRow
from pipeline.ledger.sitekey import SiteKey
from pipeline.model import (
    Ask,
    Doctor,
    FileReport,
    FileStat,
    Forecast,
    Halt,
    Night,
    Outcome,
    Planned,
    Prepared,
    Snapshot,
    Status,
    Traffic,
)
from pipeline.plan import meet, standing
from pipeline.results.lines import outcome_line, run_record
from pipeline.results.privacy import mask_text, numbers_of
from pipeline.sending import Course, Sender
from pipeline.submit import PREPARERS, Prepare, Submission, not_sent, rejected

LOG = logging.getLogger(__name__)
TOUCHABLE = frozenset({Status.READY, Status.REJECTED, Status.FAILED})  # what `retry` covers


@dataclass(slots=True)
class Stop:
    """Set from outside to drain; ``signal`` is the number of what asked for it."""

    event: asyncio.Event = field(default_factory=asyncio.Event)
    signal: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """Everything that is known before the first call."""

    planned: tuple[Planned, ...]
    files: tuple[FileReport, ...]
    unclaimed: tuple[Path, ...]
    stats: Mapping[str, FileStat]  # fingerprints to remember


def draft(
    ask: Ask, config: Config, *, ledger: Ledger | None, site_key: SiteKey | None, clock: Clock
) -> Draft:
    """Read, judge, pair, compare and plan: the offline half, the same for `check` and `run`."""
    judge = partial(validate, defaults=wiring.defaults(config), today=clock.today(), identify=site_key)
    rows, files = read_rosters(ask.rosters, columns=config.columns, to_fix_only=ask.to_fix_only)
    doctors = judge(rows)
    others = _others(doctors, judge(read_rosters(ask.context, columns=config.columns)[0]))
    pairing = pair([*doctors, *others], index(ask.seals), known=ledger.known_files() if ledger else {})
    compared = compare(pairing.doctors)[: len(doctors)]
    snapshot = ledger.snapshot() if ledger else Snapshot({}, {})
    planned = meet(compared, snapshot, wiring.rules(ask, config, site_key))
    return Draft(tuple(planned), tuple(files), pairing.unclaimed, pairing.stats)


def _others(doctors: Sequence[Doctor], context: Iterable[Doctor]) -> list[Doctor]:
    """Return the rows of the context that none of ``doctors`` is the corrected copy of.

    Two namesakes stay two, and a shared picture stays shared, also when only one of them is on the To fix sheet.
    """
    replaced = {doctor.row.ticket for doctor in doctors}
    return [doctor for doctor in context if doctor.row_id not in replaced]


def check(
    ask: Ask, config: Config, *, ledger: Ledger | None, site_key: SiteKey | None, clock: Clock
) -> Night:
    """Find everything that a run would find, pictures decoded, without a call."""
    started = clock.now()
    plan = draft(ask, config, ledger=ledger, site_key=site_key, clock=clock)
    with ThreadPoolExecutor(PREPARERS) as threads:
        outcomes = tuple(threads.map(partial(_examined, wiring.preparer(config)), plan.planned))
    return Night(
        run=ask.run,
        command=ask.command,
        started=started,
        finished=clock.now(),
        exit=exit_code(outcomes, plan.files, None),
        tenant=wiring.tenant_of(config) if site_key else None,
        contract=config.api.contract,
        outcomes=outcomes,
        files=plan.files,
        unclaimed=plan.unclaimed,
        traffic=Traffic(limit=config.limits.requests_per_second),
        halted=None,
        out=ask.out,
        seals=ask.seals,
    )


async def run(
    ask: Ask,
    config: Config,
    *,
    ledger: Ledger,
    site_key: SiteKey,
    limiter: Limiter,
    credentials: Credentials,
    clock: Clock,
    stop: Stop,
    confirm: Callable[[Forecast], bool] = lambda _: True,
    watch: Callable[[Outcome], None] = lambda _: None,
) -> Night | None:
    """Send what has to be sent; None when ``confirm`` said no, and then nothing happened.

    ``watch`` hears of each row that is sent, as it ends.
    """
    started = clock.now()
    plan = draft(ask, config, ledger=ledger, site_key=site_key, clock=clock)
    ready = [each for each in plan.planned if each.status is Status.READY]
    chosen = ready[: ask.limit]
    if not confirm(wiring.forecast(len(plan.planned), chosen, config)):
        return None
    ledger.remember_files(plan.stats)
    ledger.begin_run(wiring.record(ask, config, started))
    _see(ledger, ask.run, map(standing, plan.planned))

    numbers = numbers_of(each.doctor for each in plan.planned)
    async with wiring.client(config, credentials, clock) as client:
        sender = Sender(
            client=client,
            limiter=limiter,
            ledger=ledger,
            clock=clock,
            agent=wiring.agent(config),
            contract=config.api.contract,
            run=ask.run,
            mask=partial(mask_text, numbers=numbers),
            course=Course(stop.event),
            creates=asyncio.Semaphore(config.limits.concurrency),
        )
        submission = Submission(sender, wiring.preparer(config), wiring.workers(config), watch)
        submitted = await submission.go(chosen)

    sent = {id(each): outcome for each, outcome in zip(chosen, submitted.outcomes, strict=True)}
    kept_back = frozenset(map(id, ready[len(chosen) :]))
    outcomes = tuple(sent.get(id(each)) or _unsent(each, kept_back) for each in plan.planned)
    counting = outcomes if ask.command == "run" else [each for each in outcomes if _covered(each)]
    night = Night(
        run=ask.run,
        command=ask.command,
        started=started,
        finished=clock.now(),
        exit=exit_code(counting, plan.files, submitted.halted, signal=stop.signal, limited=kept_back),
        tenant=wiring.tenant_of(config),
        contract=config.api.contract,
        outcomes=outcomes,
        files=plan.files,
        unclaimed=plan.unclaimed,
        traffic=wiring.traffic(config, limiter, submitted),
        halted=submitted.halted,
        out=ask.out,
        seals=ask.seals,
        limited=bool(kept_back),
    )
    return _closed(night, ledger)


def _examined(prepare: Prepare, planned: Planned) -> Outcome:
    """Decode the picture of a row that would be sent: what a run would find just before its upload."""
    if planned.status is not Status.READY or planned.doctor.picture is None:
        return standing(planned)
    prepared = prepare(planned.doctor.picture)
    if not isinstance(prepared, Prepared):
        return rejected(planned, prepared)
    return replace(standing(planned), problems=(*planned.problems, *prepared.problems), prepared=prepared)


def _unsent(planned: Planned, kept_back: frozenset[int]) -> Outcome:
    return not_sent(planned) if id(planned) in kept_back else standing(planned)


def _covered(outcome: Outcome) -> bool:
    """Tell whether a row is one that `retry` may touch: its exit code counts no others."""
    return outcome.planned.status in TOUCHABLE


def _see(ledger: Ledger, run: str, outcomes: Iterable[Outcome]) -> None:
    """Enter what this run says of its rows; the line leaves the run's id out, so that equal ones are kept once."""
    seen = []
    for outcome in outcomes:
        line = outcome_line(outcome, run="", language="en")
        doctor = outcome.doctor
        assert doctor.row_id is not None
        seen.append(
            SeenRow(
                row_id=doctor.row_id,
                key=doctor.key,
                file=str(line["file"]),
                sheet=doctor.row.origin.sheet,
                row=doctor.row.origin.row,
                status=outcome.status,
                codes=tuple(dict.fromkeys(each.code for each in outcome.problems)),
                line=json.dumps(line, ensure_ascii=False),
            )
        )
    ledger.see_rows(run, seen)


def _closed(night: Night, ledger: Ledger) -> Night:
    """Enter how the run ended; a disk that fails now changes the exit code, not what happened."""
    try:
        _see(ledger, night.run, night.outcomes)
        record = json.dumps(run_record(night), ensure_ascii=False)
        ledger.finish_run(night.run, exit=night.exit, finished=night.finished, record=record)
    except LedgerError as error:
        LOG.exception("the run's end could not be recorded")
        return replace(night, exit=74, halted=night.halted or Halt("LEDGER", error.en, 74))
    return night
