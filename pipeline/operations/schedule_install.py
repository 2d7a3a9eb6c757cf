"""Installs a schedule (unit files and systemctl, a line of the crontab, a task of Windows), and finds those installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.operations.schedule import (
    SYSTEM_UNITS,
    Kind,
    Rendered,
    Schedule,
    encode_file,
    get_user_units,
    render_schedule,
)
from pipeline.support.atomic_files import make_folder, write_bytes
from pipeline.support.rights import acting_user
from pipeline.support.terminal_text import join
from pipeline.version import PROGRAM

SYSTEMD_RUNS = Path("/run/systemd/system")
CRON_FILES = (Path("/etc/crontab"), Path("/etc/cron.d"))
LINGERING = Path("/var/lib/systemd/linger")  # holds a file for each user whose units run without a login
WORKER = "Restart=always"  # stands in the unit of a worker, which needs no timer
_SECONDS = 10  # that crontab and schtasks may take to list what is installed
_READABLE = 0o644  # for `systemctl cat` and other users; nothing in it is secret


def is_installable(kind: Kind) -> bool:
    """Return whether this machine can have such a schedule."""
    return (kind == "windows") == (os.name == "nt")


def install_schedule(kind: Kind, schedule: Schedule) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Install a schedule, or renew the one that was installed for this configuration under the same name.

    Returns what was written, and the commands that are left to type. Raises UsageError where it belongs to another
    configuration, where rights are missing, or a program refuses it.
    """
    if kind == "systemd":
        create_written_folders(schedule)
    rendered = render_schedule(kind, schedule)
    if rendered.cron_line is not None:
        return [_install_cron_line(schedule, rendered.cron_line)], ()
    for path in rendered.files:
        _require_own_file(path, schedule)
    try:
        for path, text in rendered.files.items():
            write_bytes(path, encode_file(path, text)).chmod(_READABLE)
    except PermissionError as error:
        key = "schedule.needs_root" if kind == "systemd" else "schedule.no_rights"
        raise UsageError(key, path=error.filename, user=acting_user()) from error
    return [str(path) for path in rendered.files], _run_or_return_commands(kind, rendered)


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
    if not path.exists():
        return
    text = path.read_bytes().decode("utf-16" if path.suffix == ".xml" else "utf-8", "replace")
    if f": {schedule.config_path}" not in text.replace("%%", "%"):
        raise UsageError("schedule.taken", path=path)


def _run_or_return_commands(kind: Kind, rendered: Rendered) -> Sequence[Sequence[str]]:
    """Run the commands that put the files into effect, or return them where the service that takes them does not run."""
    if kind == "systemd" and not SYSTEMD_RUNS.is_dir():
        return rendered.commands
    for command in rendered.commands:
        _run_program(command, asks=kind == "windows")
    return ()


def _install_cron_line(schedule: Schedule, line: str) -> str:
    """Put a line into the crontab of the user who runs it, in place of the one with the same comment; return how it is shown."""
    user = schedule.user
    options = () if user == acting_user() else ("-u", user)
    if shutil.which("crontab") is None:
        raise UsageError("schedule.no_crontab")
    comment = line.rpartition(" # ")[2]
    lines = [old for old in _read_crontab(options) if not old.endswith(f" # {comment}")]
    _run_program(["crontab", *options, "-"], text="".join(f"{entry}\n" for entry in (*lines, line)))
    return join(["crontab", *options, "-l"])


def _read_crontab(options: Sequence[str]) -> Iterator[str]:
    """Return the lines of a crontab; an error other than that there is none must not empty it."""
    done = subprocess.run(["crontab", *options, "-l"], capture_output=True, text=True, check=False)  # noqa: S603, S607 - found by which
    if done.returncode and "no crontab" not in done.stderr:
        raise UsageError(
            "schedule.failed", command=join(["crontab", *options, "-l"]), why=done.stderr.strip()
        )
    yield from done.stdout.splitlines() if not done.returncode else ()


def _run_program(command: Sequence[str], *, text: str | None = None, asks: bool = False) -> None:
    """Run a program; UsageError with what it printed where it fails. One that asks has the terminal."""
    try:
        done = subprocess.run(command, input=text, capture_output=not asks, text=True, check=False)  # noqa: S603 - our own words
    except OSError as error:
        raise UsageError("schedule.failed", command=join(command), why=error.strerror) from error
    if done.returncode:
        why = (done.stderr or "").strip() or done.returncode
        raise UsageError("schedule.failed", command=join(command), why=why)


# -- what is installed


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer that is installed: where, and the commands without which it starts no run."""

    location: str
    missing_commands: Sequence[Sequence[str]] = ()


def get_installed_timer(config: Path) -> Timer | None:
    """Return a timer that names the configuration or lies next to it, None where there is none.

    One that starts runs comes before one that is installed only.
    """
    timers = list(_list_timers(config))
    return min(timers, key=lambda timer: bool(timer.missing_commands), default=None)


def _list_timers(config: Path) -> Iterator[Timer]:
    folder = str(config.parent)
    for timer in _list_unit_files():
        service = _read(timer.with_suffix(".service"))
        if _names_folder(service, folder):
            yield Timer(str(timer), list(_list_missing_commands(timer)))
    for path in CRON_FILES:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            if _is_read_by_cron(file) and _has_line(_read(file), folder):
                yield Timer(str(file))
    if os.name == "nt":
        if PROGRAM in _read_output(["schtasks", "/Query", "/FO", "CSV", "/V"]):
            yield Timer("Task Scheduler")
    elif _has_line(_read_output(["crontab", "-l"]), folder):
        yield Timer("crontab")


def _list_missing_commands(timer: Path) -> Iterator[Sequence[str]]:
    """Yield the commands that enable a unit: enabled is what a folder `*.wants` or `*.requires` links to.

    These folders are read, since `systemctl is-enabled` needs rights and, for a user's units, that user's session.
    """
    is_user_unit = timer.parent != SYSTEM_UNITS
    links = (path for kind in ("wants", "requires") for path in timer.parent.glob(f"*.{kind}/{timer.name}"))
    if not any(link.is_symlink() or link.exists() for link in links):
        yield ("systemctl", *(("--user",) if is_user_unit else ()), "enable", "--now", timer.name)
    if is_user_unit and not (LINGERING / acting_user()).exists():
        yield ("loginctl", "enable-linger")


def _is_read_by_cron(file: Path) -> bool:
    """Return whether cron reads a file of its folder: a copy, or one that is switched off, has a dot or "~" in its name."""
    return not set(file.name) & {".", "~"}


def _list_unit_files() -> Iterator[Path]:
    for folder in (SYSTEM_UNITS, get_user_units()):
        with suppress(OSError):
            yield from sorted(folder.glob(f"*{PROGRAM}*.timer"))
            yield from sorted(unit for unit in folder.glob(f"*{PROGRAM}*.service") if WORKER in _read(unit))


def _has_line(text: str, folder: str) -> bool:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return any(PROGRAM in line and _names_folder(line.replace("\\%", "%"), folder) for line in lines)


def _names_folder(text: str, folder: str) -> bool:
    """Return whether a text names a folder or a file in it; /srv/a is not /srv/ab."""
    return re.search(re.escape(folder) + r"(?:[/\\\s\"']|$)", text) is not None


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_text("utf-8", "replace")
    return ""


def _read_output(command: Sequence[str]) -> str:
    """Return what a program prints, "" where there is none or it fails."""
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603 - our own words
        return done.stdout.decode("utf-8", "replace")
    return ""
