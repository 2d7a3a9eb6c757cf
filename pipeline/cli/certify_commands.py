"""`certify`: find out and record what this tenant refuses and shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from pipeline.cli.context import Session
from pipeline.clock import shown
from pipeline.config.environment import restore_argument
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pipeline.config.settings import Config
    from pipeline.domain.run import RowPlan
    from pipeline.ledger.database_ledger import DatabaseLedger
    from pipeline.resolution.ledger_status import UnansweredCertification

DECLINED = 2  # a create that was not sent again is no success
ANSWERS = ("shown", "not-shown")


@click.command()
@click.argument("query", required=False, metavar="[QUERY]")
@click.option(
    "--yes", is_flag=True, help="The doctor consents to a second seal, should the service make one."
)
@click.option("--console", type=click.Choice(ANSWERS), help="Whether the console shows the doctor's seal.")
@click.option(
    "--audit-log", type=click.Choice(ANSWERS), help="Whether the audit log shows the doctor's seal."
)
@click.option(
    "--auto-sign", is_flag=True, help="Ask the service for the doctor's seal and record the answer."
)
@click.option(
    "--list",
    "seal_list",
    is_flag=True,
    help="Ask the hospital's list of seals for a seal, and record the answer.",
)
@click.option(
    "--audit",
    is_flag=True,
    help="Ask the audit log of the account that owns the keys for a create, and record the answer.",
)
@click.option("--why", metavar="TEXT", help="Kept with the record.")
@click.pass_obj
def certify(
    session: Session,
    *,
    query: str | None,
    yes: bool,
    console: str | None,
    audit_log: str | None,
    auto_sign: bool,
    seal_list: bool,
    audit: bool,
    why: str | None,
) -> int:
    """Test whether a second seal is refused, and where seals show.

    QUERY names one sealed doctor: name, staff number, seal name or SealId. With --console, --audit-log, --auto-sign, --list
    or --audit it is recorded whether that place shows the seal; only then, for 90 days, not finding another one there counts.
    With --list and --audit the newest seal is asked for where no QUERY is given.

    Without them the doctor's create is sent again. Where it is refused, `unknown: probe` and `resolve --probe` are allowed
    for 90 days; else the doctor has a second seal.
    """
    from pipeline.cli.run_log import record_command

    answers = {
        "console": console,
        "audit_log": audit_log,
        "auto_sign": auto_sign,
        "list": seal_list,
        "audit": audit,
    }
    given = {name: answer for name, answer in answers.items() if answer}
    if len(given) > 1:
        raise UsageError("certify_one_place")
    for place_name in given.keys() & {"list", "audit"}:
        return _ask_place(session, restore_argument(query) if query else None, place_name, why or "certify")
    if query is None:
        raise UsageError("certify_no_query", then=("certify", "--help"))
    if given:
        return _certify_place(session, restore_argument(query), given, why or "certify")
    config = session.require_config()
    with record_command(session, "certify", config) as recorder:
        code = _certify_create(session, config, recorder.run, restore_argument(query), yes=yes)
        return recorder.record_nothing_to_do(code) if code is not None else DECLINED


def _open_sealed_row(
    session: Session, config: Config, query: str, run: str | None = None
) -> AbstractContextManager[tuple[DatabaseLedger, RowPlan]]:
    """Hold the lock and the ledger, and give the row of the one sealed doctor whom a query means."""
    from pipeline.resolution.sealed_row import open_sealed_row

    return open_sealed_row(
        config, session.clock, query, run=run, invocation=session.invocation, warnings=session
    )


def _certify_create(session: Session, config: Config, run: str, query: str, *, yes: bool) -> int | None:
    """Send a sealed doctor's create once more, and print the result; None where the user declined."""
    import asyncio

    from pipeline.ledger.lock import read_user_name
    from pipeline.resolution.service_calls import ServiceAccess, certify_create, repeat_request
    from pipeline.workflow import stage_settings

    with _open_sealed_row(session, config, query, run) as (ledger, row_plan):
        request, prepared = repeat_request(row_plan, stage_settings.build_image_examiner(config))
        if not yes and not session.confirm("certify_sure", name=request.name):
            session.print_json(declined=True)
            session.suggest_same_command("next_begin_again")
            return None
        service = ServiceAccess.from_config(config, session.clock, ledger)
        response = asyncio.run(
            certify_create(request, prepared, service, ledger=ledger, who=read_user_name())
        )
    is_refused = response.meaning == "exists"
    session.print_json(
        refused=is_refused,
        code=response.counted_as,
        request_id=response.verdict.request_id,
        seal_id=response.verdict.seal_id,
    )
    session.alert(
        "certified" if is_refused else "not_certified",
        code=response.counted_as,
        request_id=response.verdict.request_id,
        seal_id=response.verdict.seal_id,
        name=request.name,
    )
    session.suggest_command("next_list", "resolve")
    return 0 if is_refused else 3


def _certify_place(session: Session, query: str, given: Mapping[str, object], why: str) -> int:
    """Record whether one place shows the seal of a doctor; return the exit code."""
    from pipeline.ledger.lock import read_user_name
    from pipeline.resolution.decide import SEARCHABLE_PLACES, DecisionMaker, enter_place
    from pipeline.workflow.stage_settings import build_agent

    ((place_name, answer),) = given.items()
    config = session.require_ready_config()
    with _open_sealed_row(session, config, query) as (ledger, row_plan):
        assert row_plan.history is not None
        # the option --auto-sign has no value: the service answers
        is_shown = (
            _is_shown_by_auto_sign(session, config, ledger, row_plan) if answer is True else answer == "shown"
        )
        maker = DecisionMaker.of_user(read_user_name(), ledger, session.clock, why, build_agent(config))
        enter_place(maker, row_plan.history, place_name, shown=is_shown)
    session.print_json(place=place_name, shown=is_shown)
    key = "certified_not_shown"
    if is_shown:
        key = "certified_shown" if place_name in SEARCHABLE_PLACES else "certified_confirms"
    session.inform(key, place=session.render_sentence(f"place.{place_name}"))
    session.suggest_command("next_list", "resolve")
    return 0 if is_shown else 3


def _ask_place(session: Session, query: str | None, place_name: str, why: str) -> int:
    """Ask a place of the service for a seal that exists, and record the answer; return the exit code."""
    from pipeline.ledger.lock import read_user_name
    from pipeline.resolution.certify_places import certify_asked_place

    config = session.require_ready_config()
    answer = certify_asked_place(
        config,
        session.clock,
        place_name,
        query,
        user=read_user_name(),
        why=why,
        invocation=session.invocation,
        warnings=session,
    )
    session.print_json(
        place=place_name,
        shown=answer.is_shown,
        seal_id=answer.seal_id,
        request_id=answer.request_id,
        found_by=list(answer.links),
    )
    session.inform(answer.message_key, place=session.render_sentence(f"place.{place_name}"))
    session.suggest_command("next_list", "resolve")
    return 0 if answer.is_shown else 3


def _is_shown_by_auto_sign(
    session: Session, config: Config, ledger: DatabaseLedger, row_plan: RowPlan
) -> bool:
    """Ask the service for a doctor's seal; UsageError where the doctor has not opened auto-sign."""
    import asyncio

    from pipeline.resolution.service_calls import ServiceAccess, query_auto_sign

    assert row_plan.history is not None
    seal = row_plan.history.seal
    assert seal is not None
    name = row_plan.doctor.name or seal.seal_name
    service = ServiceAccess.from_config(config, session.clock, ledger)
    answer = asyncio.run(query_auto_sign(row_plan, name, service, known=()))
    if not answer.is_open:
        raise UsageError("certify_not_open", name=name, words=answer.explanation)
    return answer.seal_id == seal.seal_id


def warn_of_unanswered_create(session: Session, certification: UnansweredCertification | None) -> None:
    """Print that a second create of a certification got no verdict: the doctor may have two seals."""
    if certification is not None:
        session.alert(
            "certify_open",
            name=certification.name or "—",
            seal_name=certification.seal_name,
            at=shown(certification.sent),
            why=certification.why,
        )
