"""`resolve`: list what waits for a decision, and enter decisions."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import click

from pipeline.cli.certify_commands import warn_of_unanswered_create
from pipeline.cli.context import Session
from pipeline.clock import shown, stamp
from pipeline.config.environment import restore_argument
from pipeline.domain.run import Status
from pipeline.domain.seals import is_seal_id, is_usual_seal_id
from pipeline.errors import UsageError
from pipeline.messages.catalogue import make_message

if TYPE_CHECKING:
    from pipeline.ledger.database_ledger import DatabaseLedger
    from pipeline.resolution.cases import Case, DecisionKind, WaitingCase
    from pipeline.resolution.open_cases import OpenCases

SENT_BY_NEXT_RUN = frozenset({"not_created", "not_theirs", "replace", "other_person"})
EXIT_ATTENTION = 3
HELD = "step.held_picture"
KINDS = {"seal_id": "created"}  # of decisions, where the option has another name


@click.command()
@click.argument("query", required=False, metavar="[QUERY]")
@click.option("--seal-id", metavar="SEALID", help="It was created, with this SealId.")
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
@click.option(
    "--look-up",
    is_flag=True,
    help="Ask the service: the auto-sign query and the hospital's list of seals; the list rules a seal out once certified.",
)
@click.option(
    "--audit",
    is_flag=True,
    help="Ask the audit log of the account that owns the keys; it rules a seal out once certified.",
)
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
    """Resolve rows that are unknown, exist, changed or are held.

    Without a QUERY all of them are listed. QUERY is a name, staff number, last four digits, seal name or trace id.
    """
    from pipeline.ledger.lock import read_user_name
    from pipeline.resolution.cases import describe_case
    from pipeline.resolution.ledger_status import get_unanswered_certification
    from pipeline.resolution.open_cases import open_cases

    way = _choose_way(ways, query, seal_name=seal_name, sure=sure)
    _require_query(query, is_decision=bool(way or why))
    if way == "seal_id" and not _confirm_seal_id(session, query, ways["seal_id"].strip()):
        return 0
    if way == "probe":
        return _probe(session, query)
    with open_cases(
        session.require_ready_config(),
        session.clock,
        changes=bool(way),
        invocation=session.invocation,
        warnings=session,
    ) as opened:
        cases, ledger = opened.cases, opened.ledger
        if query is None:
            warn_of_unanswered_create(session, get_unanswered_certification(ledger))
            return print_unresolved(session, ledger, cases)
        kind = KINDS.get(way, way)
        case = _choose_case(session, opened, query, kind)
        if not way:
            return _print_choice(session, opened, case)
        if way in {"look_up", "audit"}:
            return _look_up(session, opened, case, in_audit_log=way == "audit")
        described = describe_case(ledger, case)
        value = seal_name if way == "replace" else ways["seal_id"]
        decision = cast("DecisionKind", kind)
        opened.enter(case, decision, who=read_user_name(), value=value, sure=sure, why=why)
    is_picture = way == "keep" and case.held_image is not None
    phrase = session.render_sentence("way_keep_picture" if is_picture else f"way_{way}")
    session.print_json(decision=kind, resolved=described.to_dict())
    session.inform("resolved", name=case.name, way=phrase)
    if way == "replace" and case.history.seal is not None:
        session.alert("replaced", seal_id=case.history.seal.seal_id)
    if len(cases) > 1:
        session.suggest_command("next_list", "resolve")
    if len(cases) == 1 or is_picture or way in SENT_BY_NEXT_RUN:
        session.suggest_command("next_run", "run")
    return 0


def _require_query(query: str | None, *, is_decision: bool) -> None:
    """Raise UsageError for a decision without a doctor."""
    if query is None and is_decision:
        raise UsageError("resolve_no_query", then=("resolve",))


def _choose_way(ways: dict[str, Any], query: str | None, *, seal_name: str | None, sure: bool) -> str:
    """Return the one option that enters a decision, "" for none; UsageError for several, and for what does not go with it."""
    from pipeline.resolution.open_cases import KINDS_WITH_SURE

    given = {name.removesuffix("d") if name == "replaced" else name: value for name, value in ways.items()}
    chosen = [name for name, value in given.items() if value not in {None, False}]
    if len(chosen) > 1:
        options = [f"--{name.replace('_', '-')}" for name in chosen]
        then = ("explain", query) if query else ("resolve",)
        raise UsageError("resolve_two_ways", first=options[0], second=options[1], then=then)
    if (seal_name and "replace" not in chosen) or (sure and not KINDS_WITH_SURE & set(chosen)):
        raise UsageError("resolve_one_way")
    return next(iter(chosen), "")


def _confirm_seal_id(session: Session, query: str | None, seal_id: str) -> bool:
    """Warn of a SealId of an unusual length, and ask on a terminal whether to record it; UsageError for an empty one."""
    if not seal_id:
        raise UsageError("resolve_empty_seal_id", then=("resolve", *filter(None, [query])))
    if is_usual_seal_id(seal_id) or not is_seal_id(seal_id, ()):  # the ledger refuses what is none
        return True
    session.alert("warning", text=make_message("resolve_odd_seal_id", seal_id=seal_id, length=len(seal_id)))
    if not sys.stdin.isatty() or session.confirm("resolve_confirm_seal_id"):
        return True
    session.print_json(declined=True)
    session.inform("resolve_declined")
    session.suggest_command("next_list", "resolve", *filter(None, [query]))
    return False


def _choose_case(session: Session, opened: OpenCases, query: str, kind: str = "") -> Case:
    """Return the one case that a query means; where it means several, list them and raise UsageError."""
    from pipeline.resolution.open_cases import require_one_case

    query = restore_argument(query)
    fitting = opened.list_meant(query, kind)
    if len(fitting) > 1:
        print_unresolved(session, opened.ledger, fitting)
    return require_one_case(fitting, query)


def _probe(session: Session, query: str | None) -> int:
    """Send one create again, as a run of one row; configuration and certificate must allow it.

    The signature of the former call must have expired.
    """
    from pipeline.cli.run_log import record_command
    from pipeline.cli.run_session import run_command
    from pipeline.resolution.decide import require_signature_expired
    from pipeline.resolution.open_cases import open_cases, point_to
    from pipeline.resolution.service_calls import make_service_clock
    from pipeline.workflow.run_request import build_request

    config = session.require_config()
    clock = session.clock
    with record_command(session, "resolve", config) as recorder:
        if config.unknown != "probe":
            raise UsageError(
                "probe_not_allowed", place=session.config_name, then=("resolve", *filter(None, [query]))
            )
        with open_cases(
            session.require_ready_config(), clock, changes=False, invocation=session.invocation
        ) as opened:
            case = _choose_case(session, opened, query or "")
            with point_to(case):
                if case.attempt is None or case.row_plan is None:
                    raise UsageError("probe_nothing", name=case.name)
                require_signature_expired(case, clock.now(), make_service_clock(config, clock))
        request = build_request("resolve", config, clock, invocation=session.invocation, run=recorder.run)
        request = replace(request, only_keys=frozenset({case.key}))
        return run_command(recorder, request, latest=None, yes=True)


def _look_up(session: Session, opened: OpenCases, case: Case, *, in_audit_log: bool) -> int:
    """Ask the service about the doctor; what is proven is entered, all else is only printed."""
    from pipeline.ledger.lock import read_user_name

    result = opened.look_up(case, read_user_name(), in_audit_log=in_audit_log)
    session.print_json(**result.to_dict())
    session.alert(result.message_key, name=case.name, words=result.words, seal_id=result.seal_id)
    session.suggest_command("next_list", "resolve")
    if result.entered == "not_created":
        session.suggest_command("next_run", "run")
    return 0 if result.entered is not None else EXIT_ATTENTION


def _print_choice(session: Session, opened: OpenCases, case: Case) -> int:
    """Print one case, the commands that enter what was found out, and the next command, which decides nothing."""
    from pipeline.resolution.cases import describe_case
    from pipeline.resolution.ledger_status import describe_command_line

    described = describe_case(opened.ledger, case)
    session.print_json(waiting=[described.to_dict()])
    _print_case(session, case, described)
    step = case.choose_step(describe_command_line(opened.config, session.invocation))
    if not step.is_decision:  # the row is corrected: its command leads on
        session.print_steps([step])
        return EXIT_ATTENTION
    if not session.quiet:
        session.print_wrapped(step.render(session.spoken), whole=step.commands)
    for command in step.render_commands(session.spoken):
        session.inform("command", command=command)
    session.suggest_command("next_story", "explain", case.unique_word)
    return EXIT_ATTENTION


def print_unresolved(session: Session, ledger: DatabaseLedger, cases: Sequence[Case]) -> int:
    """List cases on stdout; print how each kind is resolved, and the next command, which decides nothing."""
    from pipeline.resolution.cases import describe_case

    waiting = [describe_case(ledger, case) for case in cases]
    session.print_json(waiting=[described.to_dict() for described in waiting])
    if not cases:
        session.inform("resolve_nothing")
        session.suggest_command("next_run", "run")
        return 0
    for case, described in zip(cases, waiting, strict=True):
        _print_case(session, case, described)
    _print_ways(session, cases)
    session.suggest_command("next_story", "explain", cases[0].unique_word)
    return EXIT_ATTENTION


def _print_ways(session: Session, cases: Sequence[Case]) -> None:
    """Print the commands that enter decisions on these cases, and where to look for seals.

    Of several cases of one kind it is the command of the first, which is named.
    """
    from pipeline.resolution.ledger_status import describe_command_line

    command_line = describe_command_line(session.require_ready_config(), session.invocation)
    commands: defaultdict[tuple[str, str], dict[str, Case]] = defaultdict(dict)  # by way and options
    for case in cases:
        step = case.choose_step(command_line)
        for command in step.render_commands(session.spoken) if step.is_decision else ():
            words = command.removeprefix(f"{session.invocation} resolve ")
            option = words[words.index(" --") :]
            way = option.split()[0].removeprefix("--").replace("-", "_")
            key = "resolve_way.keep_picture" if step.text.key == HELD else f"resolve_way.{way}"
            commands[key, option][command] = case
    for (key, _), of_kind in commands.items():
        who = _name_cases(session, list(of_kind.values()))
        session.inform("resolve_way_of", who=who, way=session.render_sentence(key))
        session.inform("command", command=next(iter(of_kind)))
    if any(case.attempt is not None for case in cases):
        session.inform("resolve_where")
    if any(case.status is Status.UNKNOWN for case in cases):
        session.inform("resolve_where_not_found")


def _name_cases(session: Session, cases: Sequence[Case]) -> str:
    """Return the doctor of a single case, and the statuses of several with the doctor of the first."""
    if len(cases) == 1:
        return cases[0].name
    statuses = dict.fromkeys(session.render_sentence(f"status.{case.status}") for case in cases)
    joined = session.render_sentence("separator.comma").join(statuses)
    return session.render_sentence("resolve_first_of", statuses=joined, name=cases[0].name)


def _print_case(session: Session, case: Case, described: WaitingCase) -> None:
    from pipeline.messages.problems import render_problem

    details = {
        "name": case.name,
        "place": described.describe_location(session.spoken),
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
