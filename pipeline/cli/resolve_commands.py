"""`resolve`: list what waits for a decision, and enter decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.certify_commands import make_service_clock, warn_of_unanswered_create
from pipeline.cli.context import Session
from pipeline.clock import shown, stamp
from pipeline.config.environment import restore_argument
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.domain.run import RunRequest
    from pipeline.domain.site_key import SiteKey
    from pipeline.ledger.database_ledger import DatabaseLedger
    from pipeline.resolution.cases import Case
    from pipeline.resolution.decide import DecisionMaker

PERSON_WAYS = frozenset({"same_person", "other_person"})  # for rows held as possibly another's
SENT_BY_NEXT_RUN = frozenset({"not_created", "not_theirs", "replace", "other_person"})
WITH_SURE = frozenset({"not_created", "keep", "replace"})


@click.command()
@click.argument("query", required=False, metavar="[QUERY]")
@click.option("--seal-id", metavar="ID", help="It was created, with this SealId.")
@click.option("--not-created", is_flag=True, help="It was not created: the next run sends it again.")
@click.option(
    "--sure",
    is_flag=True,
    help="With --not-created: known from another source than not finding a seal. With --keep, --replace: one person.",
)
@click.option(
    "--not-theirs",
    is_flag=True,
    help="The seal with this name is another person's: the next run uses another name.",
)
@click.option(
    "--probe", is_flag=True, help="Send the identical request again (only once `certify` allows it)."
)
@click.option("--look-up", is_flag=True, help="Ask the service; it can confirm a seal, but not rule one out.")
@click.option(
    "--keep",
    is_flag=True,
    help="The current roster is right, the seal stays; of a held picture: it is this doctor's.",
)
@click.option(
    "--replace",
    "replaced",
    is_flag=True,
    help="Abandon this seal, which stays valid until it is disabled: the next run creates a new one.",
)
@click.option("--seal-name", metavar="N", help="With --replace: the name of the new seal.")
@click.option("--same-person", is_flag=True, help="Corrected number of the same person: the seal stays.")
@click.option("--other-person", is_flag=True, help="Another person's number: the next run sends it.")
@click.option("--why", metavar="TEXT", help="Kept with the decision.")
@click.pass_obj
def resolve(
    session: Session,
    /,
    *,
    query: str | None,
    seal_name: str | None,
    sure: bool,
    why: str | None,
    **ways: Any,
) -> int:
    """Resolve rows that are unknown, exist, have changed or are on hold.

    Without a QUERY all of them are listed. QUERY is a name, staff number, last four digits, seal name or trace id.
    """
    from pipeline.resolution.decide import DecisionMaker
    from pipeline.resolution.ledger_status import get_unanswered_certification
    from pipeline.workflow.stage_settings import build_agent

    chosen = {name.removesuffix("d") if name == "replaced" else name for name, value in ways.items() if value}
    if len(chosen) > 1 or (seal_name and "replace" not in chosen) or (sure and not chosen & WITH_SURE):
        raise UsageError("resolve_one_way")
    way = next(iter(chosen), "")
    if way == "probe":
        return _probe(session, query)
    with _open_cases(session, changes=bool(way)) as (ledger, site_key, cases):
        agent = build_agent(session.require_ready_config())
        maker = DecisionMaker.current_user(ledger, session.clock, why or "resolve", agent)
        if query is None:
            warn_of_unanswered_create(session, get_unanswered_certification(ledger))
            return print_unresolved(session, ledger, cases)
        case = _choose_case(session, ledger, cases, query, way)
        if not way:
            return print_unresolved(session, ledger, [case])
        with _point_to(case):
            if way == "look_up":
                return _look_up(session, maker, case)
            value = seal_name if way == "replace" else ways["seal_id"]
            _enter_decision(session, maker, site_key, case, way=way, value=value, sure=sure)
    is_picture = way == "keep" and case.held_image is not None
    phrase = session.render_sentence("way_keep_picture" if is_picture else f"way_{way}")
    session.inform("resolved", name=case.name, way=phrase)
    if way == "replace" and case.history.seal is not None:
        session.alert("replaced", seal_id=case.history.seal.seal_id)
    if len(cases) > 1:
        session.suggest_command("next_list", "resolve")
    if len(cases) == 1 or is_picture or way in SENT_BY_NEXT_RUN:
        session.suggest_command("next_run", "run")
    return 0


@contextmanager
def _open_cases(
    session: Session, *, changes: bool
) -> Iterator[tuple[DatabaseLedger, SiteKey, Sequence[Case]]]:
    """Read the ledger, the configured rosters and those of the last run; the lock is taken only to enter ``changes``."""
    from pipeline.resolution.cases import list_cases, merge_cases
    from pipeline.workflow.import_run import prepare_run
    from pipeline.workflow.run_request import build_request
    from pipeline.workflow.tenant_ledger import lock_ledger, open_configured_ledger, require_ledger

    config = session.require_ready_config()
    clock = session.clock
    require_ledger(config)
    request = replace(build_request("resolve", config, clock, invocation=session.invocation), command="check")
    opened = (
        lock_ledger(config, request, clock, warnings=session)
        if changes
        else open_configured_ledger(config, clock)
    )
    with opened as (ledger, site_key):
        snapshot = ledger.snapshot()
        cases: list[Case] = []
        for one_request in filter(None, (request, _repeat_last_run(request, ledger))):
            run_plan = prepare_run(one_request, config, ledger=ledger, site_key=site_key, clock=clock)
            cases = merge_cases(cases, list_cases(run_plan.row_plans, snapshot))
        yield ledger, site_key, cases


def _repeat_last_run(request: RunRequest, ledger: DatabaseLedger) -> RunRequest | None:
    """Return a request that reads the rosters of the last run; None where it read the configured ones."""
    from pipeline.workflow.run_request import get_last_roster_run

    last_run = get_last_roster_run(ledger)
    if last_run is None or set(last_run.rosters) == {str(path.absolute()) for path in request.rosters}:
        return None
    rosters = tuple(path for path in map(Path, last_run.rosters) if path.exists())
    seals = Path(last_run.seals) if last_run.seals and Path(last_run.seals).exists() else request.seals
    return replace(request, rosters=rosters, seals=seals) if rosters else None


def _choose_case(
    session: Session, ledger: DatabaseLedger, cases: Sequence[Case], query: str, way: str = ""
) -> Case:
    """Return the one case that a query means; where several do, the one that the chosen way is for."""
    query = restore_argument(query)
    fitting = [case for case in cases if case.is_meant_by(query)]
    if not fitting:
        raise UsageError("resolve_nobody", query=query, then=("resolve",))
    if way and len(fitting) > 1:
        of_this_kind = [case for case in fitting if _may_be_decided(case, way)]
        fitting = of_this_kind or fitting
    if len(fitting) > 1:
        print_unresolved(session, ledger, fitting)
        then = ("resolve", fitting[0].unique_word)
        raise UsageError("resolve_many", query=query, n=len(fitting), then=then)
    return fitting[0]


def _may_be_decided(case: Case, way: str) -> bool:
    """Return whether a way is for a case of this kind."""
    if way in PERSON_WAYS:
        return case.possibly_same is not None
    if way in {"keep", "replace"}:
        return case.status.value == "changed" or (way == "keep" and case.held_image is not None)
    return case.attempt is not None


@contextmanager
def _point_to(case: Case) -> Iterator[None]:
    """Let a decision that cannot be entered end with the command that shows this case and decides nothing."""
    try:
        yield
    except UsageError as error:
        error.then = error.then or ("resolve", case.unique_word)
        raise


def _enter_decision(
    session: Session,
    maker: DecisionMaker,
    site_key: SiteKey,
    case: Case,
    *,
    way: str,
    value: str | None,
    sure: bool,
) -> None:
    """Enter a decision; ``value`` is the SealId, or the name of a new seal."""
    from pipeline.resolution import decide
    from pipeline.workflow.stage_settings import build_image_examiner

    match way:
        case "seal_id":
            decide.enter_created(maker, case, value or "")
        case "not_created":
            decide.enter_not_created(maker, case, make_service_clock(session), sure=sure)
        case "not_theirs":
            decide.enter_not_theirs(maker, case)
        case "keep":
            images = build_image_examiner(session.require_ready_config())
            decide.enter_keep(maker, case, site_key, images, sure=sure)
        case "replace":
            decide.enter_replace(maker, case, value, sure=sure)
        case "same_person":
            decide.enter_same_person(maker, case)
        case "other_person":
            decide.enter_other_person(maker, case, site_key)
        case _:
            raise AssertionError(way)


def _probe(session: Session, query: str | None) -> int:
    """Send one create again, as a run of one row; configuration and certificate must allow it.

    The signature of the former call must have expired.
    """
    from pipeline.cli.run_log import record_command
    from pipeline.cli.run_session import run_command
    from pipeline.resolution.decide import require_signature_expired
    from pipeline.workflow.run_request import build_request

    config = session.require_config()
    clock = session.clock
    with record_command(session, "resolve", config) as recorder:
        if config.unknown != "probe":
            raise UsageError("probe_not_allowed", then=("resolve",))
        with _open_cases(session, changes=False) as (ledger, _, cases):
            case = _choose_case(session, ledger, cases, query or "")
            with _point_to(case):
                if case.attempt is None or case.row_plan is None:
                    raise UsageError("probe_nothing", name=case.name)
                require_signature_expired(case, clock.now(), make_service_clock(session))
        request = build_request("resolve", config, clock, invocation=session.invocation, run=recorder.run)
        request = replace(request, only_keys=frozenset({case.key}))
        return run_command(recorder, request, latest=None, yes=True)


def _look_up(session: Session, maker: DecisionMaker, case: Case) -> int:
    """Ask the service about the doctor; what it confirms is entered, all else is only printed."""
    import asyncio

    from pipeline.resolution.decide import enter_created
    from pipeline.resolution.service_calls import ServiceAccess, query_auto_sign

    if case.attempt is None:
        raise UsageError("probe_nothing", name=case.name)
    known = {person.seal.seal_id for person in maker.ledger.snapshot().people.values() if person.seal}
    service = ServiceAccess.from_config(session.require_ready_config(), session.clock, maker.ledger)
    answer = asyncio.run(query_auto_sign(case.row_plan, case.name, service, known=known))
    if answer.seal_id is None:
        session.alert("looked_up_nothing", name=case.name, words=answer.explanation)
    else:
        enter_created(replace(maker, why=f"look-up {answer.request_id}"), case, answer.seal_id)
        session.inform("looked_up", name=case.name, seal_id=answer.seal_id)
    session.suggest_command("next_list", "resolve")
    return 3 if answer.seal_id is None else 0


def print_unresolved(session: Session, ledger: DatabaseLedger, cases: Sequence[Case]) -> int:
    """List cases on stdout; print how each kind is resolved, and the next command, which decides nothing."""
    from pipeline.resolution.cases import case_as_dict, locate_case

    located = [(case, locate_case(ledger, case)) for case in cases]
    session.print_json(waiting=[case_as_dict(case, location) for case, location in located])
    if not cases:
        session.inform("resolve_nothing")
        session.suggest_command("next_run", "run")
        return 0
    for case, location in located:
        _print_case(session, case, location)
    session.inform("resolve_ways", program=session.invocation)
    session.suggest_command("next_story", "explain", cases[0].unique_word)
    return 3


def _print_case(session: Session, case: Case, location: Mapping[str, Any]) -> None:
    from pipeline.messages.problems import render_problem
    from pipeline.resolution.cases import describe_location

    details = {
        "name": case.name,
        "place": describe_location(location, session.spoken),
        "seal_name": case.seal_name,
    }
    if case.attempt is not None:
        session.print_text(
            f"resolve_{case.status.value}",
            **details,
            at=shown(stamp(case.attempt.signed_at)),
            trace=case.attempt.uuid,
            host=case.attempt.host,
        )
        if case.attempt.unproven_seal_id:
            session.print_text("resolve_evidence", seal_id=case.attempt.unproven_seal_id)
    elif (same_person := case.same_person_detail) is not None:
        seal, trace = same_person.get("seal"), same_person.get("trace")
        session.print_text(
            "resolve_rejected",
            **details | {"seal_name": same_person["sealed"]},
            agreed=_join_fields(session, same_person["agreed"].split()),
            tail=same_person["tail"],
            at=same_person["day"],
            word=f"SealId {seal}" if seal else f"TraceId {trace}",
        )
    elif case.held_image is not None:
        assert case.row_plan is not None
        held = next(problem for problem in case.row_plan.problems if problem.severity == "error")
        session.print_text("resolve_held", **details, reason=render_problem(held, session.spoken))
    else:
        assert case.history.seal is not None
        session.print_text(
            "resolve_another" if case.may_be_another_person else "resolve_changed",
            **details,
            seal_id=case.history.seal.seal_id,
            differs=_join_fields(session, case.differing_fields),
        )


def _join_fields(session: Session, fields: Sequence[str]) -> str:
    from pipeline.messages.catalogue import name_field

    return session.render_sentence("separator.comma").join(
        name_field(field, session.spoken) for field in fields
    )
