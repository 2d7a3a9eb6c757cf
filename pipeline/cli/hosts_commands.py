"""`worker`, `enqueue` and `hosts`: the hospitals of one database, whose runs several hosts share."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from pipeline.cli.context import Session
from pipeline.cli.help import CommandGroup
from pipeline.clock import shown, stamp
from pipeline.config.hospitals import CONFIG, get_folder
from pipeline.errors import DiskTrouble, EsignImportError, UsageError
from pipeline.version import PROGRAM

if TYPE_CHECKING:
    from pipeline.config.settings import Config
    from pipeline.domain.server_address import ServerAddress
    from pipeline.hosts.daily_jobs import Hospital, LastEnd
    from pipeline.hosts.job_control import JobControl
    from pipeline.hosts.overview import Overview

T = TypeVar("T")
DAY = 86_400.0
# libraries whose warnings are shown with -v alone: failures have messages of ours
TALKATIVE = ("procrastinate", "psycopg")
# events of a worker that are printed also with -q
URGENT = frozenset(
    {
        "worker.closed",
        "worker.failed",
        "worker.killed",
        "worker.left_behind",
        "worker.line",
        "worker.no_progress",
        "worker.run_limit",
        "worker.too_often",
        "worker.unshared",
    }
)


@click.command()
@click.pass_obj
def worker(session: Session) -> int:
    """Run every hospital once a day, shared with other hosts.

    It runs until Ctrl-C or SIGTERM, on which the runs stop after the requests in progress. The hospitals' ledgers lie in one
    PostgreSQL database; each host has the same configuration and reaches the rosters.
    """
    config, address = _open_queue_configuration(session, is_for_all=True)
    from pipeline.config.named_paths import read_ledger_secret
    from pipeline.hosts.queue import run_in_loop
    from pipeline.hosts.worker import HospitalWorker
    from pipeline.operations.hospitals_alarm import read_alarm_channels
    from pipeline.operations.metrics import render_worker_metrics

    secret = read_ledger_secret(config, os.environ)
    log = WorkerLog(session)
    files = session.list_hospitals()
    known = _read_hospitals(session, files, address)
    tenants = _name_tenants(session)

    def list_hospitals_again() -> Sequence[Hospital]:
        """Read the configuration again; while it has faults or its share is away, the hospitals stay those of before."""
        nonlocal known, tenants
        session.configs.clear()
        try:
            known = _read_hospitals(session, session.list_hospitals(), address)
            tenants = _name_tenants(session)
        except UsageError as error:
            log.report_error(error)
        except OSError as error:
            log.report_error(DiskTrouble.of(error))
        return known

    def make_metrics(overview: Overview, last_ends: list[LastEnd], own: Mapping[str, float]) -> bytes:
        """Return the metrics without a look at the configuration: its share may hang."""
        return render_worker_metrics(overview, last_ends, tenants, own)

    _warn_of_unshared_results(session, files, log)
    send_alarm = _make_alarm(session, config, log) if read_alarm_channels(config, os.environ) else None
    hospital_worker = HospitalWorker(
        address,
        secret,
        config.workers,
        folder=get_folder(next(iter(files.values()))).parent.absolute(),
        list_hospitals=list_hospitals_again,
        make_metrics=make_metrics,
        send_alarm=send_alarm,
        clock=session.clock,
        report=log.report,
        language=session.lang if session.lang_given else None,
    )
    run_in_loop(hospital_worker.run())
    log.report("worker.stopped")
    return 0


def _warn_of_unshared_results(session: Session, files: Mapping[str, Path], log: WorkerLog) -> None:
    """Report the first hospital of each fault of the results folders; `doctor` reports all."""
    from pipeline.workflow.tenant_ledger import explain_unshared_results

    reported = set()
    for hospital, file in files.items():
        with suppress(EsignImportError):  # what else is wrong its run reports
            unshared = explain_unshared_results(session.read_config(file))
            if unshared is not None and unshared.key not in reported:
                reported.add(unshared.key)
                log.report("worker.unshared", hospital=hospital, why=unshared.as_message())


def _make_alarm(
    session: Session, config: Config, log: WorkerLog
) -> Callable[[str | None, list[LastEnd]], str]:
    """Return what a worker calls with how the last jobs of the hospitals ended. Raises UsageError without the extra."""
    from pipeline.config.values import parse_duration
    from pipeline.operations.hospitals_alarm import HospitalsAlarm, get_hospital_fault, read_alarm_channels
    from pipeline.operations.notify import name_channel

    channels = read_alarm_channels(config, os.environ)
    for channel in channels:
        name_channel(channel)
    age = config.workers.alarm_age
    alarm = HospitalsAlarm(channels, PROGRAM, age, session.language)

    def send_alarm(stored: str | None, ends: list[LastEnd]) -> str:
        faults = {
            end.hospital: fault
            for end in ends
            if (fault := get_hospital_fault(end, parse_duration(age))) is not None
        }
        state, undelivered = alarm.send_news(stored, faults, len(ends), session.clock.now())
        if undelivered:
            log.report_error(UsageError("alarm.undelivered", n=undelivered))
        return state

    return send_alarm


@click.command()
@click.argument("names", nargs=-1, metavar="[HOSPITAL]...")
@click.pass_obj
def enqueue(session: Session, *, names: tuple[str, ...]) -> int:
    """Queue hospitals for the workers now, not at the usual time.

    HOSPITAL is a folder's name; --all means every one. One that is queued or running already is left alone.
    """
    config, address = _open_queue_configuration(session)
    from pipeline.config.named_paths import read_ledger_secret
    from pipeline.hosts.daily_jobs import compute_day, enqueue_hospitals
    from pipeline.hosts.queue import JobConnector, run_in_loop

    hospitals = _read_hospitals(session, session.choose_hospitals(names), address)
    secret = read_ledger_secret(config, os.environ)
    day, _ = compute_day(session.clock.now(), config.workers.start)
    queued: dict[str, bool] = {}

    async def enqueue_all() -> None:
        connector = JobConnector(address, secret, session.clock, patience=10, connections=2)
        async for hospital, is_queued, is_paused in enqueue_hospitals(connector, hospitals, day):
            queued[hospital] = is_queued
            key = "enqueue.paused" if is_paused else "enqueue.queued" if is_queued else "enqueue.present"
            session.print_text(key, hospital=hospital, day=day)

    run_in_loop(enqueue_all())
    session.print_json(day=str(day), queued=queued)
    several = ["--all"] if len(queued) > 1 else []
    options = several or [word for name in queued for word in ("--profile", name)]
    session.suggest_command("enqueue.next", "status", *options)
    return 0


@click.group("hosts", cls=CommandGroup)
def hosts_group() -> None:
    """Several hosts: what concerns all hospitals of one database."""


@hosts_group.command("status")
@click.pass_obj
def show_status(session: Session) -> int:
    """Show workers, queue, ledgers in use and quotas.

    It covers all hosts and hospitals of the database. How the last run of each hospital ended: `status --all`.
    """
    config, address = _open_queue_configuration(session, is_for_all=True)
    from pipeline.cli.hosts_status import print_overview
    from pipeline.config.named_paths import read_ledger_secret
    from pipeline.hosts.overview import read_overview
    from pipeline.hosts.queue import JobConnector, open_queue, run_in_loop

    secret = read_ledger_secret(config, os.environ)

    async def print_status() -> None:
        connector = JobConnector(address, secret, session.clock, patience=10, connections=2)
        async with open_queue(connector):
            overview = await read_overview(connector)
        print_overview(session, overview, _name_tenants(session))

    run_in_loop(print_status())
    return 0


@hosts_group.command()
@click.argument("names", nargs=-1, metavar="[HOSPITAL]...")
@click.pass_obj
def cancel(session: Session, *, names: tuple[str, ...]) -> int:
    """Cancel the queued and running jobs of hospitals.

    A run in progress ends after the requests in progress, on whichever host it is. It is not tried again; `enqueue` queues it anew. HOSPITAL is a folder's name; --all means every one.
    """
    cancelled = _do_for_each(session, names, lambda control, hospital: control.cancel(hospital))
    for hospital, jobs in cancelled.items():
        for job in jobs:
            session.print_text(f"hosts.cancelled_{job.was}", hospital=hospital, day=job.day)
        if not jobs:
            session.print_text("hosts.nothing_to_cancel", hospital=hospital)
    session.print_json(
        cancelled={
            hospital: [{"day": str(job.day), "was": job.was} for job in jobs]
            for hospital, jobs in cancelled.items()
        }
    )
    if any(cancelled.values()):
        session.suggest_command("hosts.next_enqueue", "enqueue", *_name_again(session, cancelled))
    else:
        session.suggest_command("hosts.next_pause", "hosts", "pause", *_name_again(session, cancelled))
    return 0


@hosts_group.command()
@click.argument("names", nargs=-1, metavar="[HOSPITAL]...")
@click.pass_obj
def pause(session: Session, *, names: tuple[str, ...]) -> int:
    """Keep the jobs of hospitals in the queue until `hosts resume`.

    A run in progress goes on. HOSPITAL is a folder's name; --all means every one.
    """
    paused = _do_for_each(session, names, lambda control, hospital: control.pause(hospital))
    for hospital, is_changed in paused.items():
        key = "hosts.paused" if is_changed else "hosts.paused_before"
        session.print_text(key, hospital=hospital)
    session.print_json(paused=paused)
    session.suggest_command("hosts.next_resume", "hosts", "resume", *_name_again(session, paused))
    return 0


@hosts_group.command()
@click.argument("names", nargs=-1, metavar="[HOSPITAL]...")
@click.pass_obj
def resume(session: Session, *, names: tuple[str, ...]) -> int:
    """Let the jobs of paused hospitals go again.

    Of several days that were queued meanwhile, the last one is run. HOSPITAL is a folder's name; --all means every one.
    """
    resumed = _do_for_each(session, names, lambda control, hospital: control.resume(hospital))
    for hospital, jobs in resumed.items():
        key = "hosts.not_paused" if jobs is None else "hosts.resumed" if jobs else "hosts.resumed_without_job"
        session.print_text(key, hospital=hospital)
    session.print_json(resumed={hospital: jobs is not None for hospital, jobs in resumed.items()})
    without_job = [hospital for hospital, jobs in resumed.items() if jobs == 0]
    if len(without_job) == len(resumed):
        session.suggest_command("hosts.next_run", "enqueue", *_name_again(session, without_job))
    elif without_job:
        session.suggest_command("hosts.next_run", "enqueue", *without_job)
    else:
        session.suggest_command("hosts.next_status", "hosts", "status")
    return 0


def _name_again(session: Session, hospitals: Iterable[str]) -> Sequence[str]:
    """Return the words by which another command means the same hospitals."""
    return ["--all"] if session.all_profiles else [*hospitals]


def _do_for_each(
    session: Session, names: Sequence[str], act: Callable[[JobControl, str], Awaitable[T]]
) -> dict[str, T]:
    """Do something with the jobs of each chosen hospital; return what came of it."""
    hospitals = session.choose_hospitals(names)
    config, address = _open_queue_configuration(session)
    from pipeline.config.named_paths import read_ledger_secret
    from pipeline.hosts.job_control import JobControl
    from pipeline.hosts.queue import JobConnector, open_queue, run_in_loop
    from pipeline.ledger.lock import Holder

    secret = read_ledger_secret(config, os.environ)
    holder = Holder.of_this_process("", session.clock.now())
    done: dict[str, T] = {}

    async def do_for_each() -> None:
        connector = JobConnector(address, secret, session.clock, patience=10, connections=2)
        async with open_queue(connector):
            control = JobControl(connector, f"{holder.user}@{holder.host}")
            for hospital in hospitals:
                done[hospital] = await act(control, hospital)

    run_in_loop(do_for_each())
    return done


def _name_tenants(session: Session) -> dict[str, str]:
    """Return the hospitals of the configuration by their tenants; those whose configuration has faults are missing."""
    names = {}
    for name, file in session.list_hospitals().items():
        with suppress(UsageError):
            names[session.read_config(file).tenant] = name
    return names


def _open_queue_configuration(session: Session, *, is_for_all: bool = False) -> tuple[Config, ServerAddress]:
    """Return the configuration of the first hospital that has no faults, and the address of the queue's database.

    Raises UsageError where the extra is not installed, or where the ledger is not on a server; with ``is_for_all``, where
    one hospital is chosen.
    """
    from pipeline.config.named_paths import read_server_address

    if is_for_all and session.profiles:
        command = click.get_current_context().command_path.partition(" ")[2]
        raise UsageError("hospitals.every", command=command)
    config = _read_first_config(session)
    address = read_server_address(config, os.environ)
    if address is None:
        then = ("schedule", "install", "--help")
        raise UsageError("jobs.no_server", ledger=config.name_ledger(), then=then)
    if find_spec("procrastinate") is None:
        raise UsageError("jobs.no_extra")
    if not session.verbose:
        for library in TALKATIVE:
            logger = logging.getLogger(library)
            logger.addHandler(logging.NullHandler())
            logger.propagate = False
    return config, address


def _read_first_config(session: Session) -> Config:
    """Return the configuration of the first hospital that has no faults; the fault of the last where each has one."""
    *files, last = session.list_hospitals().values()
    for file in files:
        with suppress(UsageError):
            return session.read_config(file)
    return session.read_config(last)


def _read_hospitals(session: Session, files: Mapping[str, Path], address: ServerAddress) -> list[Hospital]:
    """Return hospitals as the queue needs them. One whose configuration has faults is queued: its run reports them.

    Raises UsageError where hospitals do not fit together: another database, other workers, something of another one's.
    """
    from pipeline.config.separate_hospitals import require_separate_hospitals
    from pipeline.config.values import parse_age
    from pipeline.hosts.daily_jobs import KEEP_DAYS, Hospital

    configs: dict[str, Config] = {}
    for name, file in files.items():
        if file.name != CONFIG:
            raise UsageError("jobs.no_folder", file=file)
        with suppress(UsageError):
            configs[name] = session.read_config(file)
    hospitals = [Hospital(name, (), KEEP_DAYS) for name in files if name not in configs]
    for name, config in configs.items():
        if str(config.ledger) != str(address):
            ledger = config.name_ledger()
            raise UsageError("jobs.other_database", hospital=name, ledger=ledger, queue=address)
        first = next(iter(configs))
        if config.workers != configs[first].workers:
            raise UsageError("jobs.other_workers", hospital=name, first=first)
        rosters = [config.resolve_path(path) for path in config.roster]
        age = parse_age(config.retention.runs or "")
        hospitals.append(Hospital(name, rosters, round(age / DAY) if age else KEEP_DAYS))
    require_separate_hospitals(configs)
    return hospitals


class WorkerLog:
    """Prints what a worker reports: text to stderr, JSON to stdout."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._host = socket.gethostname()

    def report(self, key: str, **values: object) -> None:
        """Print a message; what is no trouble is left out with ``-q``."""
        text = self._session.render_sentence(key, **values)
        self._print_line(key, text, values.get("hospital"), is_urgent=key in URGENT)

    def report_error(self, error: EsignImportError) -> None:
        """Print what is no reason for the worker to end."""
        self._print_line("warning", error.render(self._session.spoken), None, is_urgent=True)

    def _print_line(self, event: str, text: str, hospital: object, *, is_urgent: bool) -> None:
        session = self._session
        if session.quiet and not is_urgent:
            return
        time = stamp(session.clock.now())
        if not session.as_json:
            session.print_line(f"{shown(time, to=19)} {self._host} {text}")
            return
        line = {
            "time": time,
            "level": "warning" if is_urgent else "info",
            "host": self._host,
            "hospital": hospital,
            "event": event,
            "message": text,
        }
        session.print_data(json.dumps(line, ensure_ascii=False))
        session.has_document = False  # an error that ends the worker is one more line
