"""`explain`: one doctor's whole life across nights, without a call and without the lock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.context import Session
from pipeline.cli.run_commands import ready_config
from pipeline.config.language import readable
from pipeline.messages.catalogue import phrase
from pipeline.messages.localized import Joined
from pipeline.support.shell_quoting import join
from pipeline.workflow.run_environment import open_for_config

if TYPE_CHECKING:
    from pipeline.config.settings import Config
    from pipeline.ledger.person_queries import Archive
    from pipeline.resolution.next_step import Program
    from pipeline.resolution.person_query import Desk
    from pipeline.resolution.timeline import PersonTimeline

SHOWN = 20  # of the doctors whom a query fits


@click.command()
@click.argument("query", nargs=-1, required=True, metavar="QUERY...")
@click.pass_obj
def explain(session: Session, *, query: tuple[str, ...]) -> int:
    """Tell one doctor's history across nights.

    QUERY is a name, staff number, last four digits, whole number, seal name, SealId, RequestId or trace id; of several
    words all must fit the doctor.
    """
    from pipeline.resolution.person_query import Desk  # noqa: PLC0415

    config = ready_config(session)
    path = config.path(config.ledger)
    query = tuple(map(readable, query))
    with open_for_config(config, session.clock, readonly=True) as (ledger, site_key):
        under_way, same_persons = _under_way(path, ledger), ledger.same_persons()
        desk = Desk(ledger, site_key, config.path(config.out), under_way, same_persons)
        found = desk.find(query) or desk.find([" ".join(query)])
        if not found:
            return _nobody(session, desk, query, path=path, out=config.path(config.out))
        if len(found) > 1:
            return _many(session, found, query)
        return _tell(session, desk, found[0], config)


def _under_way(path: Path, ledger: Archive) -> str | None:
    """Return the run that is under way: the newest, if it has not ended and a process holds the lock."""
    from pipeline.ledger.lock import held  # noqa: PLC0415

    return next((each.run for each in ledger.runs(1) if each.finished is None and held(path)), None)


def _tell(session: Session, desk: Desk, story: PersonTimeline, config: Config) -> int:
    from pipeline.resolution.next_step import next_step  # noqa: PLC0415
    from pipeline.resolution.timeline_data import facts  # noqa: PLC0415
    from pipeline.resolution.timeline_text import story_lines  # noqa: PLC0415

    step = next_step(story, program_of(session, config), cache(desk.ledger.run), session.language)
    told = facts(story, step, session.language)
    if session.as_json:
        return _json(session, query_fits=1, doctor=told)
    for line in story_lines(told, session.language, config.base.absolute()):
        session.put(line)
    if step.decides:  # only somebody who has looked may type these: what is said last decides nothing
        session.proceed("next_list", "resolve")
    elif step.commands:
        session.then(session.word("next_run"), step.commands[0])
    else:
        session.proceed("next_run", "status")
    return 0


def _many(session: Session, found: Sequence[PersonTimeline], query: Sequence[str]) -> int:
    """List whom the query fits, and show how to say which."""
    from pipeline.domain.masking import mask_text  # noqa: PLC0415
    from pipeline.messages.timeline import say  # noqa: PLC0415
    from pipeline.resolution.person_query import telling_word  # noqa: PLC0415
    from pipeline.resolution.timeline_data import brief  # noqa: PLC0415
    from pipeline.resolution.timeline_text import candidates  # noqa: PLC0415

    people = [brief(story) for story in found]
    if session.as_json:
        _json(session, query_fits=len(found), people=people)
        return 2
    language = session.language
    session.put(say("many", language, n=len(found), query=mask_text(" ".join(query))))
    for line in candidates(people[:SHOWN], language):
        session.put(line)
    if len(found) > SHOWN:
        session.put(say("many.more", language, n=len(found) - SHOWN))
    first, *others = found
    words = [*filter(None, [first.name]), telling_word(first, others)]
    session.then(say("many.narrow", language), f"{session.invocation} {join(['explain', *words])}")
    return 2


def _nobody(session: Session, desk: Desk, query: Sequence[str], *, path: object, out: object) -> int:
    from pipeline.domain.masking import mask_text  # noqa: PLC0415

    near = desk.similar(query)
    if session.as_json:
        _json(session, query_fits=0, similar=near)
    session.alarm("explain_nobody", query=mask_text(" ".join(query)), path=path, out=out)
    if near:
        session.alarm("explain_similar", names=Joined(near, phrase("mark.comma")))
        session.proceed("next_run", "explain", near[0])
    else:
        session.proceed("next_check", "check")
    return 2


def _json(session: Session, **told: Any) -> int:
    session.put(json.dumps({"schema": 1, **told}, ensure_ascii=False))
    return 0


def program_of(session: Session, config: Config) -> Program:
    """Return how the program is called, and what it reads when nothing is named."""
    from pipeline.resolution.next_step import Program  # noqa: PLC0415

    rosters = tuple(str(config.path(each).absolute()) for each in config.roster)
    return Program(session.invocation, rosters, str(config.path(config.seals).absolute()))
