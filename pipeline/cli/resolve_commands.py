"""`resolve`: list what waits for a decision, and enter decisions."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import click

from pipeline.cli.context import Session
from pipeline.cli.terminal import Tone
from pipeline.clock import shown, stamp
from pipeline.config.environment import restore_argument
from pipeline.domain.run import Status
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.ledger.ledger import Ledger
    from pipeline.ledger.records import LastDecision
    from pipeline.resolution.cases import Case, DecisionKind, WaitingCase
    from pipeline.resolution.open_cases import OpenCases

MAX_WITHDRAWABLE = 10  # decisions that are listed as those that can be withdrawn
SENT_BY_NEXT_RUN = frozenset({"not_created", "not_theirs", "replace", "other_person"})
EXIT_ATTENTION = 3
HELD = "step.held_picture"
KINDS = {"seal_id": "created"}  # of decisions, where the option has another name


@click.command()
@click.argument("query", required=False, metavar="[QUERY]")
@click.option("--seal-id", metavar="SEALID", help="It was created, with this SealId.")
@click.option(
    "--not-created", is_flag=True, help="With --sure: it was not created, and the next run sends it again."
)
@click.option(
    "--sure",
    is_flag=True,
    help="With --not-created: known from another source than not finding a seal. With --keep, --replace: one person. "
    "Else: answers yes to the question.",
)
@click.option(
    "--not-theirs",
    is_flag=True,
    help="The seal with this name is another person's: the next run uses another name.",
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
@click.option("--withdraw", is_flag=True, help="Take the last decision on this doctor back.")
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
    way = _choose_way(ways, query, seal_name=seal_name, sure=sure)
    _require_query(query, is_decision=bool(way or why))
    if way == "seal_id" and not ways["seal_id"].strip():
        raise UsageError("resolve_empty_seal_id", then=("resolve", *filter(None, [query])))
    if query is None:
        with _open_cases(session, changes=False) as opened:
            return print_unresolved(session, opened)
    if not way:
        with _open_cases(session, changes=False) as opened:
            return _print_choice(session, opened, _choose_case(session, opened, query))
    value = seal_name if way == "replace" else ways["seal_id"]
    enter = partial(_decide, session, query, way, value, why)
    if way == "withdraw":
        enter = partial(_withdraw, session, query, why)
    return _enter_asked(session, query, enter, sure=sure)


def _enter_asked(session: Session, query: str, enter: Callable[..., int], *, sure: bool) -> int:
    """Enter something; where it is asked once more, ask on a terminal, and raise NotSure elsewhere.

    The ledger is not held while a person thinks.
    """
    from pipeline.resolution.decide import NotSure

    try:
        return enter(sure=sure)
    except NotSure as error:
        if not sys.stdin.isatty():
            raise
        if session.confirm("resolve_confirm", question=error.question):
            return enter(sure=True, asked=error.about)
        session.print_json(declined=True)
        session.inform("resolve_declined")
        session.suggest_command("next_list", "resolve", query)
        return 0


def _open_cases(session: Session, *, changes: bool) -> AbstractContextManager[OpenCases]:
    from pipeline.resolution.open_cases import open_cases

    config = session.require_ready_config()
    return open_cases(config, session.clock, changes=changes, invocation=session.invocation, warnings=session)


def _decide(
    session: Session, query: str, way: str, value: str | None, why: str | None, *, sure: bool, asked: str = ""
) -> int:
    """Enter a decision on the case that a query means; ``asked`` is the digest of the case that was asked about."""
    from pipeline.ledger.lock import read_user_name
    from pipeline.resolution.cases import describe_case

    kind = KINDS.get(way, way)
    with _open_cases(session, changes=True) as opened:
        cases = opened.cases
        case = _choose_case(session, opened, query, kind)
        if asked not in {"", case.compute_digest()}:
            raise UsageError("resolve_moved", then=("resolve", query))
        described = describe_case(opened.ledger, case)
        decision = cast("DecisionKind", kind)
        opened.enter(case, decision, who=read_user_name(), value=value, sure=sure, why=why)
    is_picture = way == "keep" and case.held_image is not None
    phrase = session.render_sentence("way_keep_picture" if is_picture else f"way_{way}")
    session.print_json(decision=kind, resolved=described.to_dict())
    session.inform("resolved", Tone.DONE, name=case.name, way=phrase)
    if way == "replace" and case.history.seal is not None:
        session.alert("replaced", seal_id=case.history.seal.seal_id, place="export")
    if len(cases) > 1:
        session.suggest_command("next_list", "resolve")
    if len(cases) == 1 or is_picture or way in SENT_BY_NEXT_RUN:
        session.suggest_command("next_run", "run")
    return 0


def _withdraw(session: Session, query: str, why: str | None, *, sure: bool, asked: str = "") -> int:
    """Withdraw the last decision on the doctor whom a query means; ``asked`` is the digest of the one that was asked about."""
    from pipeline.ledger.lock import read_user_name
    from pipeline.resolution.cases import compute_decision_digest, dump_last_decision
    from pipeline.resolution.explanation import describe_last_decision

    with _open_cases(session, changes=True) as opened:
        last = opened.get_last_decision(restore_argument(query))
        if asked not in {"", compute_decision_digest(last)}:
            raise UsageError("resolve_moved", then=("resolve", query))
        opened.withdraw(last, who=read_user_name(), sure=sure, why=why)
    session.print_json(decision="withdraw", withdrawn=dump_last_decision(last))
    session.inform("resolve_withdrawn", **describe_last_decision(last, session.spoken))
    session.suggest_command("next_list", "resolve")
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
    if (seal_name and "replace" not in chosen) or (
        sure and KINDS_WITH_SURE.isdisjoint(KINDS.get(name, name) for name in chosen)
    ):
        raise UsageError("resolve_one_way")
    return next(iter(chosen), "")


def _choose_case(session: Session, opened: OpenCases, query: str, kind: str = "") -> Case:
    """Return the one case that a query means; where it means several, list them and raise UsageError."""
    from pipeline.resolution.open_cases import require_one_case

    query = restore_argument(query)
    fitting = opened.list_meant(query, kind)
    if len(fitting) > 1:
        _print_cases(session, opened.ledger, fitting)
        _print_ways(session, fitting)
    return require_one_case(fitting, query)


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
        session.print_line(step.render(session.spoken))
    for command in step.render_commands(session.spoken):
        session.inform("command", command=command)
    session.suggest_command("next_story", "explain", case.unique_word)
    return EXIT_ATTENTION


def print_unresolved(session: Session, opened: OpenCases) -> int:
    """List all cases on stdout; print how each kind is resolved, and the next command, which decides nothing."""
    from pipeline.resolution.explanation import describe_last_decision
    from pipeline.resolution.ledger_status import describe_command_line

    cases, withdrawable = opened.cases, opened.ledger.list_withdrawable(MAX_WITHDRAWABLE)
    _print_cases(session, opened.ledger, cases, withdrawable)
    if cases:
        _print_ways(session, cases)
    else:
        session.inform("resolve_nothing")
    for last in withdrawable:
        session.print_text("resolve_withdrawable", **describe_last_decision(last, session.spoken))
    if withdrawable:
        command_line = describe_command_line(session.require_ready_config(), session.invocation)
        session.inform("resolve_withdraw", name=withdrawable[0].person.name or "—")
        session.inform(
            "command", command=command_line.build("resolve", withdrawable[0].unique_word, "--withdraw")
        )
    if not cases:
        session.suggest_command("next_run", "run")
        return 0
    session.suggest_command("next_story", "explain", cases[0].unique_word)
    return EXIT_ATTENTION


def _print_cases(
    session: Session, ledger: Ledger, cases: Sequence[Case], withdrawable: Sequence[LastDecision] = ()
) -> None:
    from pipeline.resolution.cases import describe_case, dump_last_decision

    waiting = [describe_case(ledger, case) for case in cases]
    session.print_json(
        waiting=[described.to_dict() for described in waiting],
        withdrawable=list(map(dump_last_decision, withdrawable)),
    )
    for case, described in zip(cases, waiting, strict=True):
        _print_case(session, case, described)


def _print_ways(session: Session, cases: Sequence[Case]) -> None:
    """Print the commands that enter decisions on these cases, and where to look for seals.

    Of several cases of one kind it is the command of the first, which is named.
    """
    from pipeline.esign.products import ESS
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
        is_customer = session.require_ready_config().api.product == ESS.name
        session.inform("resolve_where.ess" if is_customer else "resolve_where")
    if any(case.status is Status.UNKNOWN and not case.history.is_contested for case in cases):
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
        if described.seal_id_in_answer:
            session.print_text("resolve_evidence", seal_id=described.seal_id_in_answer)
        if described.contradicting:
            session.print_text("resolve_contradicting", seal_ids=" ".join(described.contradicting))
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
