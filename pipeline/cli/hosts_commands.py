"""`hosts`: what concerns the hospitals of one database, and their jobs."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from pipeline.cli.context import Session
from pipeline.cli.help import CommandGroup
from pipeline.cli.profiles import choose_hospitals
from pipeline.cli.schedule_commands import open_queue_configuration, show_hospital
from pipeline.errors import ConfigError, LedgerError, Locked, UsageError

if TYPE_CHECKING:
    from pipeline.hosts.job_control import JobControl

T = TypeVar("T")


@click.group("hosts", cls=CommandGroup)
def hosts_group() -> None:
    """Several hosts: what concerns all hospitals of one database."""


@hosts_group.command()
@click.argument("names", nargs=-1, metavar="[HOSPITAL]...")
@click.pass_obj
def cancel(session: Session, *, names: tuple[str, ...]) -> int:
    """Cancel the queued and running jobs of hospitals.

    A run in progress ends after the requests in progress, on whichever host it is. It is not tried again; `enqueue` queues it anew. HOSPITAL is a profile; --all means every one.
    """
    cancelled = _do_for_each(
        session, "hosts cancel", names, lambda control, hospital: control.cancel(hospital)
    )
    for hospital, jobs in cancelled.items():
        for job in jobs:
            session.print_text(
                f"hosts.cancelled_{job.was}", hospital=show_hospital(session, hospital), day=job.day
            )
        if not jobs:
            session.print_text("hosts.nothing_to_cancel", hospital=show_hospital(session, hospital))
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

    A run in progress goes on. HOSPITAL is a profile; --all means every one.
    """
    paused = _do_for_each(session, "hosts pause", names, lambda control, hospital: control.pause(hospital))
    _print_each(session, paused, "hosts.paused", "hosts.paused_before")
    session.print_json(paused=paused)
    session.suggest_command("hosts.next_resume", "hosts", "resume", *_name_again(session, paused))
    return 0


@hosts_group.command()
@click.argument("names", nargs=-1, metavar="[HOSPITAL]...")
@click.pass_obj
def resume(session: Session, *, names: tuple[str, ...]) -> int:
    """Let the jobs of paused hospitals go again.

    Of several days that were queued meanwhile, the last one is run. HOSPITAL is a profile; --all means every one.
    """
    resumed = _do_for_each(session, "hosts resume", names, lambda control, hospital: control.resume(hospital))
    _print_each(session, resumed, "hosts.resumed", "hosts.not_paused")
    session.print_json(resumed=resumed)
    return 0


@hosts_group.command("rotate-secret")
@click.option(
    "--former",
    "former_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    required=True,
    help="File that holds the former operator's secret.",
)
@click.pass_obj
def rotate_secret(session: Session, *, former_file: Path) -> int:
    """Replace the operator's secret of all ledgers in the database.

    The new one is read as always (ledger__secret). The former one is refused from then on; copy the new one to every host.

    A hospital whose run is in progress is left for later, and an interrupted command is typed again: it goes on where it ended.
    """
    if session.profiles:
        raise UsageError("rotation.every_hospital")
    config, address = open_queue_configuration(session)
    from pipeline.config.named_paths import read_ledger_secret
    from pipeline.hosts.secret_rotation import KeyState, SecretRotation

    rotation = SecretRotation(address, _read_secret(former_file), read_ledger_secret(config, os.environ))
    names = _name_tenants(session)
    rotated = []
    for key in rotation.rotate(now=session.clock.now()):
        rotated.append(key)
        hospital = names.get(key.tenant, key.tenant)
        if key.holder is not None:
            session.alert("rotation.in_use", hospital=hospital, why=key.holder.as_message())
        elif key.state is KeyState.OTHER_SECRET:
            session.alert("rotation.other_secret", hospital=hospital, schema=key.schema)
    states = [key.state for key in rotated]
    session.print_json(
        ledgers=[
            {"hospital": names.get(key.tenant), "schema": key.schema, "state": key.state.value}
            for key in rotated
        ]
    )
    done = states.count(KeyState.ENCRYPTED_ANEW)
    session.inform("rotation.done", n=done, before=states.count(KeyState.DONE_BEFORE))
    if KeyState.IN_USE in states:
        session.suggest_same_command("rotation.next_again")
        return Locked.exit_code
    session.suggest_command("rotation.next_doctor", "doctor", *(["--all"] if len(names) > 1 else []))
    return LedgerError.exit_code if KeyState.OTHER_SECRET in states else 0


def _print_each(session: Session, hospitals: Mapping[str, bool], changed: str, unchanged: str) -> None:
    """Print one of two messages for each hospital: whether the command has changed something for it."""
    for hospital, is_changed in hospitals.items():
        session.print_text(changed if is_changed else unchanged, hospital=show_hospital(session, hospital))


def _name_again(session: Session, hospitals: Iterable[str]) -> Sequence[str]:
    """Return the words by which another command means the same hospitals."""
    return ["--all"] if session.all_profiles else [*filter(None, hospitals)]


def _do_for_each(
    session: Session, command: str, names: Sequence[str], act: Callable[[JobControl, str], Awaitable[T]]
) -> dict[str, T]:
    """Do something with the jobs of each chosen hospital; return what came of it.

    The name of the hospital of the configuration's top level is empty.
    """
    hospitals = [profile or "" for profile in choose_hospitals(session, command, names)]
    config, address = open_queue_configuration(session)
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


def _read_secret(file: Path) -> str:
    """Return the secret that a file holds; UsageError where it cannot be read or is blank."""
    from pipeline.config.named_paths import read_secret_file, require_existing

    require_existing(file)
    secret = next(iter(read_secret_file(file)), "").strip()  # as `read_ledger_secret` has read it
    if not secret:
        raise UsageError("rotation.blank", path=file)
    return secret


def _name_tenants(session: Session) -> dict[str, str]:
    """Return the hospitals of the configuration by their tenants; those whose configuration has faults are missing."""
    file = session.open_config_file(session.config_name)
    names = {}
    for profile in file.list_hospitals():
        with suppress(ConfigError):
            names[file.load(profile).tenant] = show_hospital(session, profile)
    return names
