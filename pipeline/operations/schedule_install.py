"""Installs a schedule (unit files and systemctl, a line of the crontab, a task of Windows), and removes one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.operations import installed_schedules
from pipeline.operations.installed_schedules import (
    CRONTAB,
    InstalledSchedule,
    get_cron_unit,
    get_crontab_options,
    is_of_config,
    list_enabling_links,
    read_crontab,
)
from pipeline.operations.schedule import Kind, Schedule, decode_file, encode_file, render_schedule
from pipeline.support.atomic_files import make_folder, write_bytes
from pipeline.support.rights import acting_user
from pipeline.support.terminal_text import join

_READABLE = 0o644  # for `systemctl cat` and other users; nothing in it is secret


def is_installable(kind: Kind) -> bool:
    """Return whether this machine can have such a schedule."""
    return (kind == "windows") == installed_schedules.IS_WINDOWS


def choose_usual_kind() -> Kind:
    """Return the kind of schedule that works on this machine."""
    if installed_schedules.IS_WINDOWS:
        return "windows"
    return "systemd" if installed_schedules.SYSTEMD_RUNS.is_dir() else "cron"


def install_schedule(kind: Kind, schedule: Schedule) -> Sequence[str]:
    """Install a schedule, or renew the one that was installed for this configuration under the same name.

    Returns what was written. Raises UsageError where it belongs to another configuration, where what starts it does not
    run on this machine, where rights are missing, or a program refuses it.
    """
    if kind == "cron" and shutil.which(CRONTAB) is None:
        then = ("schedule", "install", "systemd") if installed_schedules.SYSTEMD_RUNS.is_dir() else ()
        raise UsageError("schedule.no_crontab", then=then)
    if kind == "systemd" and not installed_schedules.SYSTEMD_RUNS.is_dir():
        raise _explain_no_systemd(schedule)
    if kind == "systemd":
        create_written_folders(schedule)
    rendered = render_schedule(kind, schedule)
    if rendered.cron_line is not None:
        return [_install_cron_line(schedule, rendered.cron_line)]
    for path in rendered.files:
        _require_own_file(path, schedule)
    try:
        for path, text in rendered.files.items():
            write_bytes(path, encode_file(path, text)).chmod(_READABLE)
    except PermissionError as error:
        key = "schedule.needs_root" if kind == "systemd" else "schedule.no_rights"
        raise UsageError(key, path=error.filename, user=acting_user()) from error
    for command in rendered.commands:
        _run_program(command, asks=kind == "windows")
    return [str(path) for path in rendered.files]


def _explain_no_systemd(schedule: Schedule) -> UsageError:
    """Return the error for a machine without systemd, with what starts a schedule there."""
    if schedule.service != "run":
        hospitals = schedule.hospitals if schedule.service == "page" else ("--all",)
        then = ("schedule", "print", "systemd", *hospitals, f"--{schedule.service}")
        return UsageError(f"schedule.no_systemd_{schedule.service}", then=then)
    has_cron = shutil.which(CRONTAB) is not None
    then = ("schedule", "install", "cron") if has_cron else ("schedule", "print", "systemd")
    return UsageError("schedule.no_systemd", then=then)


def remove_schedule(installed: InstalledSchedule) -> Sequence[str]:
    """Switch a schedule of `install` off and remove what `install` wrote; return what was removed.

    A run that is under way goes on. Files that a person added, and the data of the runs, stay.
    """
    assert installed.unit is not None
    if installed.cron_line is not None:
        return [_remove_cron_line(installed)]
    for path in installed.files:
        if not os.access(path.parent, os.W_OK):
            raise UsageError("schedule.not_removable", path=path, user=acting_user())
    manager = ("systemctl", "--user") if installed.is_user_unit else ("systemctl",)
    has_systemd = installed.kind == "systemd" and installed_schedules.SYSTEMD_RUNS.is_dir()
    if has_systemd:
        _run_program([*manager, "disable", "--now", Path(installed.location).name])
    if installed.kind == "windows" and not installed.missing_commands:
        _run_program(["schtasks", "/Delete", "/F", "/TN", installed.unit])
    for path in installed.files:
        for link in list_enabling_links(path):
            link.unlink()
        path.unlink()
    if has_systemd:
        _run_program([*manager, "daemon-reload"])
    return [str(path) for path in installed.files]


def get_closed_folder(schedule: Schedule) -> Path | None:
    """Return a folder above the program that another user who is to run it probably may not enter, None where there is none."""
    if schedule.user in {acting_user(), "root"} or os.name == "nt":
        return None
    programs = (Path(schedule.words[0]), Path(sys.executable).resolve())
    folders = (folder for program in programs for folder in reversed(program.parents))
    return next((folder for folder in folders if not _may_enter(folder, schedule.user)), None)


def _may_enter(folder: Path, user: str) -> bool:
    return bool(folder.stat().st_mode & 0o001) or folder.owner() == user


def create_written_folders(schedule: Schedule) -> None:
    """Create the folders that a run writes into, for its user: systemd makes only folders writable that exist."""
    backup_folders = schedule.backup_folders  # a disk that is not mounted must not be replaced by a folder
    for folder in schedule.written_folders:
        if folder in backup_folders:
            continue
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        with suppress(PermissionError):  # of another user: the first run creates it
            make_folder(folder)
            for path in missing if acting_user() != schedule.user else ():
                shutil.chown(path, schedule.user)


def _require_own_file(path: Path, schedule: Schedule) -> None:
    """Raise UsageError where a file with this name exists that starts another configuration."""
    if path.exists() and not is_of_config(decode_file(path, path.read_bytes()), schedule.config_path):
        raise UsageError("schedule.taken", path=path)


def _install_cron_line(schedule: Schedule, line: str) -> str:
    """Put a line into the crontab of the user who runs it, in place of the one with the same name; return how it is shown."""
    kept = [
        old
        for old in read_crontab(schedule.user)
        if get_cron_unit(old, schedule.config_path) != schedule.unit
    ]
    return _write_crontab(schedule.user, [*kept, line])


def _remove_cron_line(installed: InstalledSchedule) -> str:
    """Take a line out of the crontab that it is in; return how the crontab is shown."""
    user = installed.user or acting_user()
    return _write_crontab(user, [line for line in read_crontab(user) if line != installed.cron_line])


def _write_crontab(user: str, lines: Sequence[str]) -> str:
    options = get_crontab_options(user)
    _run_program([CRONTAB, *options, "-"], text="".join(f"{line}\n" for line in lines))
    return join([CRONTAB, *options, "-l"])


def _run_program(command: Sequence[str], *, text: str | None = None, asks: bool = False) -> None:
    """Run a program; UsageError with what it printed where it fails. One that asks has the terminal."""
    try:
        done = subprocess.run(command, input=text, capture_output=not asks, text=True, check=False)  # noqa: S603 - our own words
    except OSError as error:
        raise UsageError("schedule.failed", command=join(command), why=error.strerror) from error
    if done.returncode:
        why = (done.stderr or "").strip() or done.returncode
        raise UsageError("schedule.failed", command=join(command), why=why)
