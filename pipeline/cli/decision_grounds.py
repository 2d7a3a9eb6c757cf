"""What a decision on a create without a verdict may rest on: places that were seen to show a seal, the service's time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from pipeline.cli.context import Session
from pipeline.cli.run_commands import ask_of, ready_config
from pipeline.errors import UsageError
from pipeline.workflow.run_environment import credentials_of, locked_ledger, require_ledger

if TYPE_CHECKING:
    from pipeline.config.settings import Config
    from pipeline.domain.run import RowPlan
    from pipeline.ledger.sqlite_ledger import SqliteLedger
    from pipeline.resolution.decide import Grounds

SEEN = ("shown", "not-shown")


def grounds_of(session: Session, ledger: SqliteLedger) -> Grounds:
    """Return what is certified, and how to ask the service for its time: once, and only where it is needed."""
    from pipeline.esign.rate_limiter import AdaptiveRateLimiter  # noqa: PLC0415
    from pipeline.resolution.certified_places import find_certified_place  # noqa: PLC0415
    from pipeline.resolution.decide import Grounds  # noqa: PLC0415
    from pipeline.resolution.single_call import ask_service_time  # noqa: PLC0415

    @cache
    def service_time() -> float:
        config = ready_config(session)
        limiter = AdaptiveRateLimiter(config.limits.requests_per_second, session.clock)
        return asyncio.run(
            ask_service_time(
                config, limiter=limiter, credentials=credentials_of(config)(), clock=session.clock
            )
        )

    found = find_certified_place(ledger, session.clock.now())
    return Grounds(found.place if found else None, service_time)


def certify_place(session: Session, query: str, seen: Mapping[str, object], why: str) -> int:
    """Record whether one place shows the seal of a doctor; return the exit code."""
    from pipeline.ledger.lock import user  # noqa: PLC0415
    from pipeline.resolution import certified_places  # noqa: PLC0415
    from pipeline.resolution.decide import DecisionMaker  # noqa: PLC0415
    from pipeline.workflow.import_run import prepare_run  # noqa: PLC0415

    told = {place: value for place, value in seen.items() if value}
    if len(told) > 1:
        raise UsageError("certify_one_place")
    ((place, value),) = told.items()
    config = ready_config(session)
    require_ledger(config)
    clock = session.clock
    ask = replace(ask_of("certify", session, config), command="check")
    with locked_ledger(config, ask, clock) as (ledger, site_key):
        planned = prepare_run(ask, config, ledger=ledger, site_key=site_key, clock=clock).planned
        sealed = one_sealed(planned, query)
        assert sealed.history is not None
        shown = (
            _shown_by_auto_sign(session, config, sealed)
            if place == certified_places.AUTO_SIGN
            else value == "shown"
        )
        certified_places.record_place(
            ledger, sealed.history, place, DecisionMaker(user(), clock.now(), why), shown=shown
        )
    session.say("certified_shown" if shown else "certified_not_shown", place=session.word(f"place_{place}"))
    session.proceed("next_list", "resolve")
    return 0 if shown else 3


def _shown_by_auto_sign(session: Session, config: Config, sealed: RowPlan) -> bool:
    """Ask the service for a doctor's seal; UsageError where its answer tells neither."""
    from pipeline.esign.rate_limiter import AdaptiveRateLimiter  # noqa: PLC0415
    from pipeline.resolution import lookup  # noqa: PLC0415
    from pipeline.resolution.cases import Case  # noqa: PLC0415

    past = sealed.history
    assert past is not None
    assert past.seal is not None
    name = sealed.doctor.name or past.seal.seal_name
    told = asyncio.run(
        lookup.look_up(
            Case(past.key, sealed.status, name, past, sealed),
            config,
            known=(),
            limiter=AdaptiveRateLimiter(config.limits.requests_per_second, session.clock),
            credentials=credentials_of(config)(),
            clock=session.clock,
        )
    )
    if not told.is_open:
        raise UsageError("certify_not_open", name=name, words=told.words)
    return told.seal_id == past.seal.seal_id


def one_sealed(planned: Sequence[RowPlan], query: str) -> RowPlan:
    """Return the one sealed doctor whom a query means; UsageError for none or several."""
    fitting = [each for each in planned if _sealed_as(each, query)]
    if len(fitting) != 1:
        raise UsageError("certify_who" if fitting else "certify_nobody", query=query, n=len(fitting))
    return fitting[0]


def _sealed_as(planned: RowPlan, query: str) -> bool:
    seal = planned.history.seal if planned.history else None
    doctor = planned.doctor
    return seal is not None and query in (doctor.name, doctor.staff_no, seal.seal_name, seal.seal_id)
