"""`resolve`: list what waits for a decision, and enter decisions one at a time or by the Unknown sheet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.context import Session
from pipeline.cli.decision_grounds import SEEN, certify_place, grounds_of, one_sealed
from pipeline.cli.run_commands import RUNS_SEARCHED, ask_of, ready_config
from pipeline.cli.run_record import recorded
from pipeline.cli.unresolved_list import print_unresolved, sure_word
from pipeline.clock import shown, stamp
from pipeline.config.language import readable
from pipeline.config.named_paths import no_such_path
from pipeline.errors import UsageError
from pipeline.planning.run_history import read_rosters
from pipeline.workflow.run_environment import (
    credentials_of,
    locked_ledger,
    open_for_config,
    require_ledger,
    require_ready,
)

if TYPE_CHECKING:
    from pipeline.config.settings import Config
    from pipeline.domain.run import RunRequest
    from pipeline.ledger.site_key import SiteKey
    from pipeline.ledger.sqlite_ledger import SqliteLedger
    from pipeline.resolution.cases import Case
    from pipeline.resolution.decide import DecisionMaker

DECLINED = 2  # a create that was not sent again is no success
PERSON_WAYS = frozenset({"same_person", "other_person"})  # for rows held as possibly another's


@click.command()
@click.argument("query", required=False, metavar="[QUERY|RESULTS.xlsx]")
@click.option("--seal-id", metavar="ID", help="It was created: this is its SealId.")
@click.option("--not-created", is_flag=True, help="It was not created: the next run sends it again.")
@click.option(
    "--sure", is_flag=True, help="With --not-created: it is known otherwise than by not finding a seal."
)
@click.option(
    "--not-theirs",
    is_flag=True,
    help="The seal of this name is another person's: the next run takes another name.",
)
@click.option(
    "--probe", is_flag=True, help="Send the identical request again (only once `certify` allows it)."
)
@click.option("--look-up", is_flag=True, help="Ask the service; it can confirm, never refute.")
@click.option("--keep", is_flag=True, help="The roster's present content is right, the seal stays.")
@click.option("--replace", "replaced", is_flag=True, help="Give the seal up: the next run makes a new one.")
@click.option("--seal-name", metavar="N", help="With --replace: the name of the new seal.")
@click.option("--same-person", is_flag=True, help="The number is a corrected one: the person's seal stays.")
@click.option("--other-person", is_flag=True, help="The number is another person's: the next run sends it.")
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
    **ways: object,
) -> int:
    """Settle rows that are unknown, exist, have changed or are held.

    Without a QUERY all of them are listed. QUERY is a name, staff number, last four digits, seal name or trace id; a
    results workbook settles the lines of its Unknown sheet that are filled in.
    """
    chosen = {name.removesuffix("d") if name == "replaced" else name for name, value in ways.items() if value}
    if len(chosen) > 1 or (seal_name and "replace" not in chosen) or (sure and "not_created" not in chosen):
        raise UsageError("resolve_one_way")
    if "probe" in chosen:
        return _probe(session, query)
    with _desk(session, changes=bool(chosen) or _is_workbook(query)) as (site_key, ledger, found):
        who = _who(session, why)
        if query is None:
            tell_unanswered(session, ledger)
            return print_unresolved(session, ledger, found)
        if _is_workbook(query) and not chosen:
            return _by_workbook(session, ledger, found, Path(query), who)
        way = chosen.pop() if chosen else ""
        case = _one(session, ledger, found, query, way)
        if not way:
            return print_unresolved(session, ledger, [case])
        with _back_to(case):
            if way == "look_up":
                return _look_up(session, ledger, case, who)
            value = ways.get("seal_id")
            _settle(
                session, site_key, ledger, case, who, seal_name=seal_name, way=way, value=value, sure=sure
            )
    return 0


@contextmanager
def _back_to(case: Case) -> Iterator[None]:
    """Let a decision that cannot be entered end with the command that shows this case and decides nothing."""
    try:
        yield
    except UsageError as wrong:
        wrong.then = wrong.then or ("resolve", sure_word(case))
        raise


def _settle(
    session: Session,
    site_key: SiteKey,
    ledger: SqliteLedger,
    case: Case,
    who: DecisionMaker,
    *,
    seal_name: str | None,
    way: str,
    value: object,
    sure: bool,
) -> None:
    from pipeline.resolution import decide  # noqa: PLC0415
    from pipeline.resolution.changed_content import accepted_content, number_key, replacement_name  # noqa: PLC0415

    match way:
        case "seal_id":
            decide.created(ledger, case, str(value), who)
        case "not_created":
            decide.not_created(ledger, case, who, grounds_of(session, ledger), sure=sure)
        case "not_theirs":
            decide.not_theirs(ledger, case, who)
        case "keep":
            decide.keep(ledger, case, accepted_content(case, site_key.digest), who)
        case "replace":
            decide.replace_seal(ledger, case, replacement_name(case, seal_name), who)
        case "same_person":
            decide.enter_same_person(ledger, case, who)
        case "other_person":
            own = number_key(case, site_key.person, site_key.digest, ledger.same_persons())
            decide.enter_other_person(ledger, case, who, number_key=own)
        case _:
            raise AssertionError(way)
    session.say("resolved", name=case.name, way=session.word(f"way_{way}"))
    session.proceed("next_list", "resolve")


def _probe(session: Session, query: str | None) -> int:
    """Send one create again, as a night of one row; config and certificate must allow it, the fence be passed."""
    from pipeline.cli.run_session import run_command  # noqa: PLC0415
    from pipeline.resolution.decide import require_fence  # noqa: PLC0415

    config = session.config()
    with recorded(session, "resolve", config) as recorder:
        require_ready(config, session.config_name)
        if config.unknown != "probe":
            raise UsageError("probe_not_allowed")
        with _desk(session, changes=False) as (_, ledger, found):
            case = _one(session, ledger, found, query or "")
            with _back_to(case):
                if case.attempt is None or case.planned is None:
                    raise UsageError("probe_nothing", name=case.name)
                require_fence(case, session.clock.now(), grounds_of(session, ledger).service_time)
        ask = replace(ask_of("resolve", session, config, run=recorder.run), only_keys=frozenset({case.key}))
        return run_command(
            session, config, ask, recorder=recorder, clock=session.clock, latest=None, yes=True
        )


def _look_up(session: Session, ledger: SqliteLedger, case: Case, who: DecisionMaker) -> int:
    """Ask the service about the doctor; what it confirms is entered, all else is only said."""
    from pipeline.esign.rate_limiter import AdaptiveRateLimiter  # noqa: PLC0415
    from pipeline.resolution import decide, lookup  # noqa: PLC0415

    config = ready_config(session)
    if case.attempt is None:
        raise UsageError("probe_nothing", name=case.name)
    known = {past.seal.seal_id for past in ledger.snapshot().people.values() if past.seal}
    told = asyncio.run(
        lookup.look_up(
            case,
            config,
            known=known,
            limiter=AdaptiveRateLimiter(config.limits.requests_per_second, session.clock),
            credentials=credentials_of(config)(),
            clock=session.clock,
        )
    )
    if told.seal_id is None:
        session.alarm("looked_up_nothing", name=case.name, words=told.words)
        session.proceed("next_list", "resolve")
        return 3
    decide.created(ledger, case, told.seal_id, replace(who, why=f"look-up {told.request_id}"))
    session.say("looked_up", name=case.name, seal_id=told.seal_id)
    session.proceed("next_list", "resolve")
    return 0


def _is_workbook(query: str | None) -> bool:
    """Tell whether the query is a workbook; UsageError where it is called like one and is not there."""
    if query is None or not query.lower().endswith((".xlsx", ".xlsm", ".xlsb", ".xls", ".et", ".ods")):
        return False
    if not Path(query).is_file():
        wrong = no_such_path(Path(query))
        wrong.then = ("resolve",)
        raise wrong
    return True


def _who(session: Session, why: str | None) -> DecisionMaker:
    from pipeline.ledger.lock import user  # noqa: PLC0415
    from pipeline.resolution.decide import DecisionMaker  # noqa: PLC0415

    return DecisionMaker(user(), session.clock.now(), why or "resolve")


@contextmanager
def _desk(session: Session, *, changes: bool) -> Iterator[tuple[SiteKey, SqliteLedger, list[Case]]]:
    """Read the ledger, the configured rosters and those of the last run; the lock is taken only to enter something."""
    from pipeline.resolution.cases import add_cases, cases  # noqa: PLC0415
    from pipeline.workflow.import_run import prepare_run  # noqa: PLC0415

    config = ready_config(session)
    clock = session.clock
    require_ledger(config)
    ask = replace(ask_of("resolve", session, config), command="check")
    opened = (
        locked_ledger(config, ask, clock, warn=session.warn)
        if changes
        else open_for_config(config, clock, readonly=True)
    )
    with opened as (ledger, site_key):
        prepare = partial(prepare_run, config=config, ledger=ledger, site_key=site_key, clock=clock)
        snapshot = ledger.snapshot()
        found = cases(prepare(ask).planned, snapshot)
        if elsewhere := _as_last_run(ask, ledger):
            found = add_cases(found, cases(prepare(elsewhere).planned, snapshot))
        yield site_key, ledger, found


def _as_last_run(ask: RunRequest, ledger: SqliteLedger) -> RunRequest | None:
    """Return what to read to see the rows of the last run; None where the configured rosters are what it read."""
    runs = (each for each in ledger.runs(RUNS_SEARCHED) if each.command == "run" and each.rosters)
    last = next(filter(read_rosters, runs), None)
    if last is None or set(last.rosters) == {str(path.absolute()) for path in ask.rosters}:
        return None
    rosters = tuple(path for path in map(Path, last.rosters) if path.exists())
    seals = Path(last.seals) if last.seals and Path(last.seals).exists() else ask.seals
    return replace(ask, rosters=rosters, seals=seals) if rosters else None


def _one(session: Session, ledger: SqliteLedger, found: list[Case], query: str, way: str = "") -> Case:
    """Return the one case that a query means; where several do, the one that the chosen way is for."""
    query = readable(query)
    fitting = [case for case in found if case.answers_to(query)]
    if not fitting:
        raise UsageError("resolve_nobody", query=query, then=("resolve",))
    if way and len(fitting) > 1:
        meant = [case for case in fitting if (case.possibly_same is not None) == (way in PERSON_WAYS)]
        fitting = meant or fitting
    if len(fitting) > 1:
        print_unresolved(session, ledger, fitting)
        raise UsageError("resolve_many", query=query, n=len(fitting), then=("resolve", sure_word(fitting[0])))
    return fitting[0]


def _by_workbook(
    session: Session, ledger: SqliteLedger, found: list[Case], path: Path, who: DecisionMaker
) -> int:
    from pipeline.resolution.decide import by_sheet  # noqa: PLC0415
    from pipeline.resolution.sheet_line_check import require_agreement  # noqa: PLC0415
    from pipeline.resolution.unknown_sheet import answers  # noqa: PLC0415

    lines = answers(path)
    require_agreement(lines, found, ledger.life, path)
    who = replace(who, why=f"{who.why}: {path.name}")
    told = by_sheet(ledger, found, lines, who, grounds_of(session, ledger))
    for row, trouble in told.items():
        if trouble is not None:
            session.alarm("resolve_line", row=row, why=trouble)
    settled = sum(trouble is None for trouble in told.values())
    session.say("resolved_lines", settled=settled, left=len(told) - settled)
    session.proceed("next_list", "resolve")
    return 3 if settled < len(told) else 0


@click.command()
@click.argument("query", metavar="QUERY")
@click.option(
    "--yes", is_flag=True, help="The doctor consents to a second seal, should the service make one."
)
@click.option("--console", type=click.Choice(SEEN), help="Whether the console shows the doctor's seal.")
@click.option("--audit-log", type=click.Choice(SEEN), help="Whether the audit log shows the doctor's seal.")
@click.option(
    "--auto-sign", is_flag=True, help="Ask the service for the doctor's seal, and record the answer."
)
@click.option("--why", metavar="TEXT", help="Kept with the record.")
@click.pass_obj
def certify(
    session: Session,
    *,
    query: str,
    yes: bool,
    console: str | None,
    audit_log: str | None,
    auto_sign: bool,
    why: str | None,
) -> int:
    """Find out what this tenant refuses and shows.

    QUERY names one sealed doctor: name, staff number, seal name or SealId. With --console, --audit-log or --auto-sign it
    is recorded whether that place shows the seal; only then, for 90 days, not finding another one there counts.

    Without them the doctor's create is sent again. Where it is refused, `unknown: probe` and `resolve --probe` are allowed
    for 90 days; else the doctor has a second seal.
    """
    seen = {"console": console, "audit_log": audit_log, "auto_sign": auto_sign}
    if any(seen.values()):
        return certify_place(session, query, seen, why or "certify")
    config = session.config()
    with recorded(session, "certify", config) as recorder:
        require_ready(config, session.config_name)
        code = _certify_create(session, config, recorder.run, query, yes=yes)
        return recorder.end_early(code) if code is not None else DECLINED


def _certify_create(session: Session, config: Config, run: str, query: str, *, yes: bool) -> int | None:
    """Send a sealed doctor's create once more, and say what came of it; None where the user said no."""
    from pipeline.esign.rate_limiter import AdaptiveRateLimiter  # noqa: PLC0415
    from pipeline.ledger.lock import user  # noqa: PLC0415
    from pipeline.resolution import certify as desk  # noqa: PLC0415
    from pipeline.workflow import stage_settings  # noqa: PLC0415
    from pipeline.workflow.import_run import prepare_run  # noqa: PLC0415

    require_ledger(config)
    clock = session.clock
    ask = replace(ask_of("certify", session, config, run=run), command="check")
    with locked_ledger(config, ask, clock, warn=session.warn) as (ledger, site_key):
        planned = prepare_run(ask, config, ledger=ledger, site_key=site_key, clock=clock).planned
        sealed = one_sealed(planned, readable(query))
        request, prepared = desk.request_of(sealed, stage_settings.preparer(config))
        if not yes and not session.agreed("certify_sure", name=request.name):
            session.repeat("next_again")
            return None
        found = asyncio.run(
            desk.certify(
                request,
                prepared,
                config,
                ledger=ledger,
                limiter=AdaptiveRateLimiter(config.limits.requests_per_second, clock),
                credentials=credentials_of(config)(),
                clock=clock,
                who=user(),
            )
        )
    key = "certified" if found.refused else "not_certified"
    session.alarm(key, code=found.code, request_id=found.request_id, seal_id=found.seal_id, name=request.name)
    session.proceed("next_list", "resolve")
    return 0 if found.refused else 3


def tell_unanswered(session: Session, ledger: SqliteLedger) -> None:
    """Say that a second create of a certification got no verdict: the doctor may have two seals."""
    from pipeline.resolution.certify import unanswered  # noqa: PLC0415

    told = unanswered(ledger)
    past = ledger.snapshot().people.get(told.key) if told and told.key else None
    if told is None or past is None:
        return
    name = past.seal.content.name if past.seal and past.seal.content else "—"
    session.alarm("certify_open", name=name, seal_name=past.seal_name, at=shown(stamp(told.at)), why=told.why)
