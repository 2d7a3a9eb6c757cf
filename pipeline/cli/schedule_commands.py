"""`schedule`: what starts the runs of every day on this host."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING

import click

from pipeline.cli.context import DEFAULT_CONFIG, Session
from pipeline.cli.help import CommandGroup
from pipeline.cli.hospitals import require_separate

if TYPE_CHECKING:
    from pipeline.operations.schedule import Kind, Schedule, Service

NOT_FOR_TIMERS = ("ESIGN_IMPORT_", "TENCENTCLOUD_SECRET")  # variables of this shell that a timer does not get
KINDS = ("systemd", "cron", "windows")


@click.group("schedule", cls=CommandGroup)
def schedule_group() -> None:
    """Start a run every day by systemd, cron or the Task Scheduler."""


def _take_schedule(command: Callable[[Session, Kind, Schedule], int]) -> Callable[..., int]:
    """Give a command the arguments of a schedule, as one value."""

    @click.argument("kind", type=click.Choice(KINDS), metavar="systemd|cron|windows")
    @click.option(
        "--at",
        "start",
        type=click.DateTime(["%H:%M"]),
        default="02:00",
        show_default=True,
        metavar="HH:MM",
        help="Local time.",
    )
    @click.option("--name", metavar="NAME", help="Name of this schedule, where one host has several.")
    @click.option(
        "--user", "is_user_unit", is_flag=True, help="systemd: as a unit of this user, without root."
    )
    @click.option(
        "--worker",
        "service",
        flag_value="worker",
        default="run",
        help="systemd: a worker that runs all the time.",
    )
    @click.option(
        "--page",
        "service",
        flag_value="page",
        help="systemd, windows: the page, `serve`, from the machine's start on.",
    )
    @click.pass_obj
    @wraps(command)
    def take(
        session: Session,
        /,
        *,
        kind: Kind,
        start: datetime,
        name: str | None,
        is_user_unit: bool,
        service: Service,
    ) -> int:
        from pipeline.operations.schedule import Schedule, choose_name

        hospitals = session.begin_hospitals()
        configs = [hospital.require_config() for hospital in hospitals]
        require_separate(hospitals)
        unseen = sorted(name for name in os.environ if name.startswith(NOT_FOR_TIMERS))
        if unseen:
            names = session.render_sentence("separator.comma").join(unseen)
            session.alert("warning", text=session.render_sentence("schedule.unseen", names=names))
        is_language_needed = session.lang_given or any(config.language is None for config in configs)
        schedule = Schedule(
            configs=configs,
            config_path=(session.config_path or DEFAULT_CONFIG).absolute(),
            hospitals=_list_hospital_options(session),
            start=f"{start:%H:%M}",
            language=session.language if is_language_needed else None,
            name=name or choose_name(session.profile, service),
            is_user_unit=is_user_unit,
            service=service,
        )
        return command(session, kind, schedule)

    return take


def _list_hospital_options(session: Session) -> list[str]:
    """Return the options that choose the hospitals of this command line."""
    if session.all_profiles:
        return ["--all"]
    return [word for name in session.profiles for word in ("--profile", name)]


@schedule_group.command("print")
@_take_schedule
def print_schedule(session: Session, kind: Kind, schedule: Schedule) -> int:
    """Print the files or the line that start a run every day."""
    _print_schedule(session, kind, schedule)
    return 0


def _print_schedule(session: Session, kind: Kind, schedule: Schedule) -> None:
    from pipeline.operations.schedule import render_schedule

    rendered = render_schedule(kind, schedule)
    if not session.as_json:
        texts = [f"# {path}\n{text}" for path, text in rendered.files.items()]
        session.print_data(rendered.cron_line or "\n".join(texts), nl=rendered.cron_line is not None)
    session.print_json(
        files={str(path): text for path, text in rendered.files.items()},
        commands=[[*command] for command in rendered.commands],
        cron_line=rendered.cron_line,
    )


@schedule_group.command()
@_take_schedule
def install(session: Session, kind: Kind, schedule: Schedule) -> int:
    """Install a schedule for this configuration, or replace it.

    A line of cron is printed, to be put into the crontab by `crontab -e`; so are the files for a machine of another system.
    """
    from pipeline.config.named_paths import require_ready
    from pipeline.operations.schedule import get_closed_folder, install_schedule, is_installable

    for hospital in session.begin_hospitals():
        require_ready(hospital.require_config(), hospital.config_name)
    if kind == "cron" or not is_installable(kind):
        _print_schedule(session, kind, schedule)
        session.alert("schedule.crontab" if kind == "cron" else "schedule.other_system", kind=kind)
        return 0
    paths = install_schedule(kind, schedule)
    for path in paths:
        session.inform("schedule.installed", path=path)
    if (closed := get_closed_folder(schedule)) is not None:
        text = session.render_sentence("schedule.closed", user=schedule.user, folder=closed)
        session.alert("warning", text=text)
    session.print_json(installed=[str(path) for path in paths])
    return 0
