"""`schedule`: what starts the runs of every day on this host."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.context import Session
from pipeline.cli.help import CommandGroup
from pipeline.clock import shown
from pipeline.errors import ConfigError, UsageError
from pipeline.messages.catalogue import join_messages
from pipeline.support.rights import owner_of
from pipeline.support.terminal_text import join

if TYPE_CHECKING:
    from pipeline.config.settings import Config
    from pipeline.domain.message import Message
    from pipeline.operations.installed_schedules import InstalledSchedule
    from pipeline.operations.schedule import Kind, Rendered, Schedule, Service

NOT_FOR_TIMERS = ("ESIGN_IMPORT_", "TENCENTCLOUD_SECRET")  # variables of this shell that a timer does not get
KINDS = ("systemd", "cron", "windows")
USUAL_START = "02:00"


class TimeOfDay(click.ParamType[str]):
    """The time at which a schedule starts."""

    name = "time"

    def convert(self, value: str, _param: click.Parameter | None, _context: click.Context | None) -> str:
        """Return the time as HH:MM. Raises UsageError for what is none; the usual time is suggested."""
        try:
            return f"{datetime.strptime(value, '%H:%M'):%H:%M}"  # noqa: DTZ007 - a time without a day
        except ValueError:
            error = UsageError("config.no_time", value=value)
            error.meant = (value, USUAL_START)
            raise error from None


@click.group("schedule", cls=CommandGroup)
def schedule_group() -> None:
    """Start a run every day by systemd, cron or the Task Scheduler."""


def _take_schedule(command: Callable[[Session, Kind, Schedule], int]) -> Callable[..., int]:
    """Give a command the arguments of a schedule, as one value."""

    @click.argument("kind", type=click.Choice(KINDS), metavar="systemd|cron|windows")
    @click.option(
        "--at",
        "start",
        type=TimeOfDay(),
        default=USUAL_START,
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
        start: str,
        name: str | None,
        is_user_unit: bool,
        service: Service,
    ) -> int:
        from pipeline.operations.schedule import Schedule, choose_name

        session.require_config()
        hospitals = session.hospitals
        configs = _load_hospitals(session, None if service == "worker" else hospitals)
        unseen = sorted(name for name in os.environ if name.startswith(NOT_FOR_TIMERS))
        if unseen:
            names = session.render_sentence("separator.comma").join(unseen)
            session.alert("warning", text=session.render_sentence("schedule.unseen", names=names))
        is_language_needed = session.lang_given or any(config.language is None for config in configs)
        schedule = Schedule(
            configs=configs,
            top_level=session.open_config_file(session.config_name).load(),
            config_path=session.config_name.absolute(),
            hospitals=_list_hospital_options(session),
            start=start,
            language=session.language if is_language_needed else None,
            name=name or choose_name(hospitals, service),
            is_user_unit=is_user_unit,
            service=service,
        )
        return command(session, kind, schedule)

    return take


def _load_hospitals(session: Session, hospitals: Sequence[str | None] | None) -> list[Config]:
    """Return the configurations of hospitals; of every one where none is named."""
    file = session.open_config_file(session.config_name)
    return [file.load(hospital) for hospital in (file.list_hospitals() if hospitals is None else hospitals)]


def _list_hospital_options(session: Session) -> list[str]:
    """Return the options that choose the hospitals of this command line."""
    if session.all_profiles:
        return ["--all"]
    return [word for name in session.hospitals if name is not None for word in ("--profile", name)]


@schedule_group.command("print")
@_take_schedule
def print_schedule(session: Session, kind: Kind, schedule: Schedule) -> int:
    """Print the files or the line that start a run every day."""
    _print_schedule(session, kind, schedule)
    return 0


def _print_schedule(session: Session, kind: Kind, schedule: Schedule) -> None:
    """Print a schedule, and the command that installs one on this machine."""
    from pipeline.operations.schedule import render_schedule
    from pipeline.operations.schedule_install import is_installable

    _print_rendered(session, render_schedule(kind, schedule))
    key = "schedule.next_install"
    if not is_installable(kind):
        session.alert("schedule.other_system", kind=kind)
        from pipeline.operations.schedule_install import choose_usual_kind

        kind, key = choose_usual_kind(), "schedule.next_here"
    if session.as_json:
        return
    options = ["--name", schedule.name] if schedule.name else []
    options += ["--user"] if schedule.is_user_unit else []
    options += _list_service_options(schedule.service)
    hospitals = schedule.hospitals if len(session.hospitals) > 1 else ()  # of one: named anyhow
    start = ("--at", schedule.start) if schedule.service == "run" else ()
    session.suggest_command(key, *hospitals, "schedule", "install", kind, *start, *options)


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
    """Install a schedule for this configuration, or replace it.

    On a machine of another system it prints the files.
    """
    from pipeline.config.named_paths import require_ready
    from pipeline.operations.schedule_install import get_closed_folder, install_schedule, is_installable

    for config in schedule.configs:
        require_ready(config, session.config_name)
    if not is_installable(kind):
        _print_schedule(session, kind, schedule)
        return 0
    paths = install_schedule(kind, schedule)
    for path in paths:
        session.inform("schedule.installed", path=path)
    if (closed := get_closed_folder(schedule)) is not None:
        text = session.render_sentence("schedule.closed", user=schedule.user, folder=closed)
        session.alert("warning", text=text)
    session.suggest_command("schedule.next_status", "schedule", "status")
    session.print_json(installed=[*paths], commands=[])
    return 0


@schedule_group.command("status")
@click.pass_obj
def show_schedules(session: Session) -> int:
    """List the installed schedules: next start, last result, differences.

    It lists those of this configuration. What differs is listed by lines: "-" as installed, "+" as `schedule install` would write it now.
    """
    listed = [_describe_schedule(session, installed) for installed in _list_installed(session)]
    session.print_json(schedules=listed)
    if not listed:
        session.print_text("schedule.none", path=session.config_name)
        from pipeline.operations.schedule_install import choose_usual_kind

        session.suggest_command("schedule.next_first", "schedule", "install", choose_usual_kind())
    elif any(schedule["differences"] for schedule in listed):
        schedule = next(schedule for schedule in listed if schedule["differences"])
        session.suggest_command("schedule.next_renew", *schedule["install_arguments"])
    elif not session.as_json:
        session.suggest_command("schedule.next_last_run", "status")
    return 0


def _list_installed(session: Session) -> list[InstalledSchedule]:
    """Return the schedules of this configuration, or those of the hospitals that are chosen."""
    from pipeline.operations.installed_schedules import list_installed_schedules

    session.require_config()
    file = session.open_config_file(session.config_name)
    for profile in session.profiles:
        file.require_profile(profile)
    users = []
    for hospital in file.list_hospitals():
        with suppress(ConfigError):
            ledger = file.load(hospital).resolve_ledger_file()
            users += [owner_of(ledger)] if ledger.exists() else []
    installed = list_installed_schedules(session.config_name.absolute(), users)
    chosen = _list_hospital_options(session)
    if session.profiles:
        chosen = [word for profile in session.profiles for word in ("--profile", profile)]
    return [schedule for schedule in installed if not chosen or schedule.hospitals == chosen]


def _render_today(session: Session, installed: InstalledSchedule) -> Rendered | None:
    """Return what `schedule install` would write today in place of a schedule; None where a hospital of it is not there any more."""
    from pipeline.operations.schedule import Schedule, render_schedule

    options = installed.hospitals
    hospitals: Sequence[str | None] | None = options[1::2] or [None]
    if installed.service == "worker" or "--all" in options:
        hospitals = None
    try:
        configs = _load_hospitals(session, hospitals)
        is_language_needed = any(config.language is None for config in configs)
        schedule = Schedule(
            configs=configs,
            top_level=session.open_config_file(session.config_name).load(),
            config_path=session.config_name.absolute(),
            hospitals=options,
            start=installed.start or USUAL_START,
            language=installed.language or (session.language if is_language_needed else None),
            name=installed.name,
            is_user_unit=installed.is_user_unit,
            service=installed.service,
        )
        return render_schedule(installed.kind, schedule)
    except UsageError:
        return None


def _describe_schedule(session: Session, installed: InstalledSchedule) -> dict[str, Any]:
    """Print a schedule, and return its values for JSON."""
    today = _render_today(session, installed) if installed.unit is not None else None
    last = installed.get_last_start()
    session.print_text(
        f"schedule.line.{installed.kind}", name=installed.unit or "", location=installed.location
    )
    if installed.unit is None:
        session.print_text("schedule.by_hand")
    if installed.missing_commands:
        commands = " && ".join(map(join, installed.missing_commands))
        session.print_text("schedule.off", commands=commands)
    following = installed.get_next_start(session.clock.now())
    if following is not None:
        session.print_text("schedule.next", time=shown(following))
    if last is not None:
        session.print_text("schedule.last", exit=last.exit, time=shown(last.finished or ""))
    changed = installed.list_changed(today) if installed.unit is not None else []
    for path in changed:
        session.print_text("schedule.changed_file", path=path)
    for folder in installed.additions:
        session.print_text("schedule.added", path=folder)
    differences = dict(installed.list_differences(today)) if today is not None else {}
    if installed.unit is not None and today is None:
        session.print_text("schedule.no_hospital")
    for path, lines in differences.items():
        session.print_text("schedule.differs", path=path)
        for line in lines:
            session.print_text("schedule.differing_line", line=line)
    return {
        "kind": installed.kind,
        "unit": installed.unit,
        "location": installed.location,
        "start": installed.start,
        "next": following,
        "last": None if last is None else {"exit": last.exit, "finished": last.finished},
        "command": installed.words,
        "missing_commands": [[*command] for command in installed.missing_commands],
        "changed": changed,
        "additions": [str(path) for path in installed.additions],
        "differences": differences,
        "install_arguments": _list_install_arguments(installed) if installed.unit is not None else [],
    }


def _list_install_arguments(installed: InstalledSchedule) -> list[str]:
    """Return the arguments that install a schedule again as it is."""
    start = ["--at", installed.start or USUAL_START] if installed.service == "run" else []
    name = ["--name", installed.name] if installed.name else []
    user = ["--user"] if installed.is_user_unit else []
    service = _list_service_options(installed.service)
    return [*installed.hospitals, "schedule", "install", installed.kind, *start, *name, *user, *service]


def _list_service_options(service: Service) -> list[str]:
    """Return the option that chooses what is started."""
    return [] if service == "run" else [f"--{service}"]


@schedule_group.command()
@click.argument("kind", type=click.Choice(KINDS), metavar="[systemd|cron|windows]", required=False)
@click.option("--name", metavar="NAME", help="Name of this schedule, where one host has several.")
@click.option("--changed", "with_changes", is_flag=True, help="Remove it also where a person changed it.")
@click.pass_obj
def remove(session: Session, *, kind: Kind | None, name: str | None, with_changes: bool) -> int:
    """Remove the schedule of this configuration.

    What `schedule install` wrote is removed, and nothing else. What a person changed since then stays, unless --changed. A run in progress goes on.
    """
    from pipeline.operations.schedule_install import remove_schedule

    every = _list_installed(session)
    own = [schedule for schedule in every if schedule.unit is not None]
    chosen = [schedule for schedule in own if kind in {None, schedule.kind} and name in {None, schedule.name}]
    if not chosen and own:
        raise UsageError("schedule.no_such", names=_name_schedules(own), then=("schedule", "status"))
    if len(chosen) > 1:
        raise UsageError("schedule.several", names=_name_schedules(chosen), then=("schedule", "status"))
    removed: list[str] = []
    for schedule in chosen:
        changed = schedule.list_changed(_render_today(session, schedule))
        if changed and not with_changes:
            paths = join_messages(changed)
            raise UsageError("schedule.changed", paths=paths, then=("schedule", "status"))
        removed += remove_schedule(schedule)
        for path in removed:
            session.inform("schedule.removed", name=schedule.unit, path=path)
        for folder in schedule.additions:
            session.inform("schedule.kept", path=folder)
    if not chosen:
        session.inform("schedule.none", path=session.config_name)
    for schedule in every:
        if schedule.unit is None:
            session.inform("schedule.kept", path=schedule.location)
    session.print_json(removed=removed)
    session.suggest_command("schedule.next_status", "schedule", "status")
    return 0


def _name_schedules(schedules: Sequence[InstalledSchedule]) -> Message:
    return join_messages([f"{schedule.unit} ({schedule.kind})" for schedule in schedules])
