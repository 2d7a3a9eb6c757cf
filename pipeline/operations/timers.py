"""Finds a timer that runs this program: a systemd unit, a line of cron, a task of Windows."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.version import PROGRAM

SYSTEM_UNITS = Path("/etc/systemd/system")
CRON_FILES = (Path("/etc/crontab"), Path("/etc/cron.d"))
_SECONDS = 10  # that crontab and schtasks may take


def find_installed_timer(config: Path) -> str | None:
    """Return where a timer is installed that names the configuration or lies beside it, None where there is none."""
    return next(_list_timers(config), None)


def _list_timers(config: Path) -> Iterator[str]:
    folder = str(config.parent)
    for timer in _list_unit_files():
        service = _read(timer.with_suffix(".service"))
        if _names_folder(service, folder):
            yield str(timer)
    for path in CRON_FILES:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            if _has_line(_read(file), folder):
                yield str(file)
    if os.name == "nt":
        if PROGRAM in _run_program(["schtasks", "/Query", "/FO", "CSV", "/V"]):
            yield "Task Scheduler"
    elif _has_line(_run_program(["crontab", "-l"]), folder):
        yield "crontab"


def find_user_units() -> Path:
    """Return the folder of the user's own units."""
    configured = os.environ.get("XDG_CONFIG_HOME")
    return (Path(configured) if configured else Path.home() / ".config") / "systemd" / "user"


def _list_unit_files() -> Iterator[Path]:
    for folder in (SYSTEM_UNITS, find_user_units()):
        with suppress(OSError):
            yield from sorted(folder.glob(f"*{PROGRAM}*.timer"))


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
