"""`schedule`: print or install what starts a run every day."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING

import click

from pipeline.cli.context import Session
from pipeline.support.terminal_text import join

if TYPE_CHECKING:
    from pipeline.operations.schedule import Kind, Rendered, Schedule

KINDS = ("systemd", "cron", "windows")


@click.group("schedule")
def schedule_group() -> None:
    """Start a run every day: by systemd, cron or the Task Scheduler of Windows."""


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
    @click.option("--worker", "is_worker", is_flag=True, help="systemd: a worker that runs all the time.")
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
        is_worker: bool,
    ) -> int:
        from pipeline.operations.schedule import Schedule, choose_name, list_unseen_variables

        session.require_config()
        file = session.open_config_file(session.config_name)
        hospitals = file.list_hospitals() if is_worker else session.hospitals
        configs = [file.load(hospital) for hospital in hospitals]
        unseen = [*list_unseen_variables(os.environ)]
        if unseen:
            names = session.render_sentence("mark.comma").join(unseen)
            session.alert("warning", text=session.render_sentence("schedule.unseen", names=names))
        is_language_needed = session.lang_given or any(config.language is None for config in configs)
        schedule = Schedule(
            configs=configs,
            config_path=session.config_name.absolute(),
            hospitals=_list_hospital_options(session),
            start=f"{start:%H:%M}",
            language=session.language if is_language_needed else None,
            name=name or ("worker" if is_worker else choose_name(session.hospitals)),
            is_user_unit=is_user_unit,
            is_worker=is_worker,
        )
        return command(session, kind, schedule)

    return take


def _list_hospital_options(session: Session) -> list[str]:
    """Return the options that choose the hospitals of this command line."""
    if session.all_profiles:
        return ["--all"]
    return [word for name in session.hospitals if name is not None for word in ("--profile", name)]


@schedule_group.command("print")
@_take_schedule
def print_schedule(session: Session, kind: Kind, schedule: Schedule) -> int:
    """Print the files or the line that start a run of this configuration every day."""
    from pipeline.operations.schedule import render_schedule

    rendered = render_schedule(kind, schedule)
    _print_rendered(session, rendered)
    if not session.as_json:
        options = ["--name", schedule.name] if schedule.name else []
        options += ["--user"] if schedule.is_user_unit else []
        options += ["--worker"] if schedule.is_worker else []
        hospitals = schedule.hospitals if len(session.hospitals) > 1 else ()  # of one: named anyhow
        start = () if schedule.is_worker else ("--at", schedule.start)
        arguments = [*hospitals, "schedule", "install", kind, *start, *options]
        session.suggest_command("schedule.next_install", *arguments)
    return 0


def _print_rendered(session: Session, rendered: Rendered) -> None:
    texts = [f"# {path}\n{text}" for path, text in rendered.files.items()]
    if not session.as_json:
        session.print_data(rendered.cron_line or "\n".join(texts), nl=rendered.cron_line is not None)
    session.print_json(
        files={str(path): text for path, text in rendered.files.items()},
        commands=[[*command] for command in rendered.commands],
        cron_line=rendered.cron_line,
    )


@schedule_group.command()
@_take_schedule
def install(session: Session, kind: Kind, schedule: Schedule) -> int:
    """Install it for this configuration; done again, it replaces what was installed.

    On a machine of another system it prints the files.
    """
    from pipeline.operations.schedule import render_schedule
    from pipeline.operations.schedule_install import find_closed_folder, install_schedule, is_installable
    from pipeline.workflow.run_request import require_ready

    for config in schedule.configs:
        require_ready(config, session.config_name)
    if not is_installable(kind):
        rendered = render_schedule(kind, schedule)
        _print_rendered(session, rendered)
        session.alert("schedule.other_system", kind=kind)
        _print_commands(session, rendered.commands)
        return 0
    installed = install_schedule(kind, schedule)
    for path in installed.paths:
        session.inform("schedule.installed", path=path)
    if (closed := find_closed_folder(schedule)) is not None:
        text = session.render_sentence("schedule.closed", user=schedule.user, folder=closed)
        session.alert("warning", text=text)
    if installed.commands:
        _print_commands(session, installed.commands)
    else:
        session.suggest_command("schedule.next_doctor", "doctor")
    session.print_json(installed=[*installed.paths], commands=[[*command] for command in installed.commands])
    return 0


def _print_commands(session: Session, commands: Sequence[Sequence[str]]) -> None:
    """Print the commands that are left to type, on one line."""
    if commands:
        text = session.render_sentence("schedule.next_enable")
        session.print_next_step(text, " && ".join(join(command) for command in commands))
