"""Finds what runs this program: a timer or worker of systemd, a line of cron, a task of Windows."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.support.rights import acting_user
from pipeline.version import PROGRAM

SYSTEM_UNITS = Path("/etc/systemd/system")
CRON_FILES = (Path("/etc/crontab"), Path("/etc/cron.d"))
LINGERING = Path("/var/lib/systemd/linger")  # holds a file for each user whose units run without a login
WORKER = "Restart=always"  # stands in the unit of a worker, which needs no timer
_SECONDS = 10  # that crontab and schtasks may take


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer that is installed: where, and the commands without which it starts no run."""

    location: str
    missing_commands: Sequence[Sequence[str]] = ()


def find_installed_timer(config: Path) -> Timer | None:
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
        if PROGRAM in _run_program(["schtasks", "/Query", "/FO", "CSV", "/V"]):
            yield Timer("Task Scheduler")
    elif _has_line(_run_program(["crontab", "-l"]), folder):
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


def find_user_units() -> Path:
    """Return the folder of the user's own units."""
    configured = os.environ.get("XDG_CONFIG_HOME")
    return (Path(configured) if configured else Path.home() / ".config") / "systemd" / "user"


def _list_unit_files() -> Iterator[Path]:
    for folder in (SYSTEM_UNITS, find_user_units()):
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


def _run_program(command: Sequence[str]) -> str:
    """Return what a program prints, "" where there is none or it fails."""
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603 - our own words
        return done.stdout.decode("utf-8", "replace")
    return ""
