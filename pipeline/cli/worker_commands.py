"""`worker` and `enqueue`: the runs of every hospital, shared by the workers of several hosts."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from pipeline.cli.context import Session
from pipeline.errors import ConfigError, UsageError
from pipeline.messages.catalogue import JoinedTexts, make_phrase
from pipeline.support.memory import collect_new_objects

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.settings import Config
    from pipeline.jobs.daily_jobs import Hospital
    from pipeline.ledger.postgres.address import ServerAddress

DAY = 86_400.0
URGENT = frozenset({"worker.failed", "worker.closed", "worker.too_often", "worker.line"})  # also with -q
TALKATIVE = (
    "procrastinate",
    "psycopg",
)  # their warnings are shown with -v alone: failures have messages of ours


@click.command()
@click.pass_obj
def worker(session: Session) -> int:
    """Run every hospital once a day, shared with the workers of other hosts.

    It runs until Ctrl-C or SIGTERM, on which the runs stop after the requests in progress. The hospitals' ledgers lie in one
    PostgreSQL database; each host has the same configuration and reaches the rosters.
    """
    if session.profiles:
        raise UsageError("jobs.every_hospital")
    config, address = _open_configuration(session)
    from pipeline.config.ledger_secrets import find_ledger_secret
    from pipeline.jobs.database import run_in_loop
    from pipeline.jobs.worker import HospitalWorker

    def list_hospitals() -> Sequence[Hospital]:
        return _read_hospitals(
            session, session.open_config_file(session.config_name).list_hospitals(), address
        )

    find_ledger_secret(config, os.environ)  # without it every run would fail
    known = list_hospitals()

    def list_hospitals_again() -> Sequence[Hospital]:
        """Read the configuration again; while it has faults, the hospitals stay those of before."""
        nonlocal known
        session.config_files.clear()
        try:
            known = list_hospitals()
        except UsageError as error:
            session.print_warning(error)
        return known

    def report(key: str, **values: object) -> None:
        if "hospital" in values:
            values["hospital"] = _show(session, str(values["hospital"]))
        if key in URGENT:
            session.alert(key, **values)
        else:
            session.inform(key, **values)

    hospital_worker = HospitalWorker(
        address,
        config.workers,
        config_path=session.config_name.absolute(),
        list_hospitals=list_hospitals_again,
        clock=session.clock,
        report=report,
        language=session.lang if session.lang_given else None,
    )
    collect_new_objects()
    run_in_loop(hospital_worker.run())
    session.inform("worker.stopped")
    return 0


@click.command()
@click.argument("names", nargs=-1, metavar="[HOSPITAL]...")
@click.pass_obj
def enqueue(session: Session, *, names: tuple[str, ...]) -> int:
    """Queue hospitals for the workers now, instead of at the usual time.

    HOSPITAL is a profile; --all means every one. One that is queued or running already is left alone.
    """
    config, address = _open_configuration(session)
    from pipeline.jobs.daily_jobs import enqueue_hospitals, find_day
    from pipeline.jobs.database import JobConnector, run_in_loop

    hospitals = _read_hospitals(session, _choose_hospitals(session, names), address)
    day, _ = find_day(session.clock.now(), config.workers.start)
    queued: dict[str, bool] = {}

    async def enqueue_all() -> None:
        connector = JobConnector(address, session.clock, patience=10, connections=2)
        async for hospital, is_queued in enqueue_hospitals(connector, hospitals, day):
            queued[hospital.name] = is_queued
            key = "enqueue.queued" if is_queued else "enqueue.present"
            session.print_text(key, hospital=_show(session, hospital.name), day=day)

    run_in_loop(enqueue_all())
    session.print_json(day=str(day), queued=queued)
    several = ["--all"] if len(queued) > 1 else []
    options = several or [word for name in queued if name for word in ("--profile", name)]
    session.suggest_command("enqueue.next", "status", *options)
    return 0


def _open_configuration(session: Session) -> tuple[Config, ServerAddress]:
    """Return the configuration's top level, and the address of the queue's database.

    Raises UsageError where the extra is not installed, or where the ledger is not on a server.
    """
    from pipeline.config.ledger_secrets import find_server_address

    config = session.require_config()
    address = find_server_address(config, os.environ)
    if address is None:
        raise UsageError("jobs.no_server", ledger=config.name_ledger())
    if find_spec("procrastinate") is None:
        raise UsageError("jobs.no_extra")
    if not session.verbose:
        for library in TALKATIVE:
            logger = logging.getLogger(library)
            logger.addHandler(logging.NullHandler())
            logger.propagate = False
    return config, address


def _choose_hospitals(session: Session, names: Sequence[str]) -> Sequence[str | None]:
    """Return the chosen profiles; None is the top level. UsageError where the choice is missing or cannot be met."""
    file = session.open_config_file(session.config_name)
    hospitals = file.list_hospitals()
    chosen = tuple(dict.fromkeys([*names, *session.profiles]))
    if chosen and session.all_profiles:
        raise UsageError("profiles.both")
    for name in chosen:
        file.require_profile(name)
    if not chosen and not session.all_profiles and None not in hospitals:
        known = JoinedTexts(file.names, make_phrase("mark.comma"))
        then = ("enqueue", "--all")
        raise UsageError("profiles.choose", path=session.config_name, known=known, then=then)
    return chosen or (hospitals if session.all_profiles else [None])


def _read_hospitals(
    session: Session, profiles: Sequence[str | None], address: ServerAddress
) -> list[Hospital]:
    """Return hospitals as the queue needs them. One whose configuration has faults is queued: its run reports them.

    Raises UsageError for a hospital whose ledger is in another database.
    """
    from pipeline.config.sections import parse_age
    from pipeline.jobs.daily_jobs import KEEP_DAYS, Hospital

    file = session.open_config_file(session.config_name)
    hospitals = []
    for profile in profiles:
        rosters: Sequence[Path] = ()
        age = None
        with suppress(ConfigError):
            config = file.load(profile)
            if str(config.ledger) != str(address):
                raise UsageError(
                    "jobs.other_database",
                    hospital=_show(session, profile),
                    ledger=config.name_ledger(),
                    queue=address,
                )
            rosters = [config.resolve_path(path) for path in config.roster]
            age = parse_age(config.retention.runs or "")
        hospitals.append(Hospital(profile or "", rosters, round(age / DAY) if age else KEEP_DAYS))
    return hospitals


def _show(session: Session, hospital: str | None) -> str:
    """Return the name of a hospital as people read it."""
    return hospital or session.render_sentence("profiles.top")
