"""`hosts`: what concerns the hospitals of one database, and their jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from pipeline.cli.context import Session
from pipeline.cli.help import CommandGroup
from pipeline.cli.profiles import choose_hospitals
from pipeline.cli.schedule_commands import open_queue_configuration, show_hospital

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
    hospitals = _choose_hospitals(session, "hosts cancel", names)
    cancelled = _do_for_each(session, hospitals, lambda control, hospital: control.cancel(hospital))
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
        session.suggest_command("hosts.next_enqueue", "enqueue", *_name_again(session, hospitals))
    else:
        session.suggest_command("hosts.next_pause", "hosts", "pause", *_name_again(session, hospitals))
    return 0


@hosts_group.command()
@click.argument("names", nargs=-1, metavar="[HOSPITAL]...")
@click.pass_obj
def pause(session: Session, *, names: tuple[str, ...]) -> int:
    """Keep the jobs of hospitals in the queue until `hosts resume`.

    A run in progress goes on. HOSPITAL is a profile; --all means every one.
    """
    hospitals = _choose_hospitals(session, "hosts pause", names)
    paused = _do_for_each(session, hospitals, lambda control, hospital: control.pause(hospital))
    for hospital, is_new in paused.items():
        key = "hosts.paused" if is_new else "hosts.paused_before"
        session.print_text(key, hospital=show_hospital(session, hospital))
    session.print_json(paused=paused)
    session.suggest_command("hosts.next_resume", "hosts", "resume", *_name_again(session, hospitals))
    return 0


@hosts_group.command()
@click.argument("names", nargs=-1, metavar="[HOSPITAL]...")
@click.pass_obj
def resume(session: Session, *, names: tuple[str, ...]) -> int:
    """Let the jobs of paused hospitals go again.

    Of several days that were queued meanwhile, the last one is run. HOSPITAL is a profile; --all means every one.
    """
    hospitals = _choose_hospitals(session, "hosts resume", names)
    resumed = _do_for_each(session, hospitals, lambda control, hospital: control.resume(hospital))
    for hospital, was_paused in resumed.items():
        key = "hosts.resumed" if was_paused else "hosts.not_paused"
        session.print_text(key, hospital=show_hospital(session, hospital))
    session.print_json(resumed=resumed)
    return 0


def _choose_hospitals(session: Session, command: str, names: Sequence[str]) -> list[str]:
    """Return the names of the chosen hospitals; that of the configuration's top level is empty."""
    return [profile or "" for profile in choose_hospitals(session, command, names)]


def _name_again(session: Session, hospitals: Sequence[str]) -> Sequence[str]:
    """Return the words by which another command means the same hospitals."""
    return ["--all"] if session.all_profiles else [*filter(None, hospitals)]


def _do_for_each(
    session: Session, hospitals: Sequence[str], act: Callable[[JobControl, str], Awaitable[T]]
) -> dict[str, T]:
    """Do something with the jobs of each hospital; return what came of it."""
    _, address = open_queue_configuration(session)
    from pipeline.hosts.job_control import JobControl
    from pipeline.hosts.queue import JobConnector, open_queue, run_in_loop
    from pipeline.ledger.lock import Holder

    holder = Holder.of_this_process("", session.clock.now())
    done: dict[str, T] = {}

    async def do_for_each() -> None:
        connector = JobConnector(address, session.clock, patience=10, connections=2)
        async with open_queue(connector):
            control = JobControl(connector, f"{holder.user}@{holder.host}")
            for hospital in hospitals:
                done[hospital] = await act(control, hospital)

    run_in_loop(do_for_each())
    return done
