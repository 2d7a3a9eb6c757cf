"""Finds the schedules that are installed for a configuration, and compares them with what would be installed today.

A schedule of `schedule install` has the comment that names the program and the configuration. One that a person wrote
names the folder of the configuration.
"""

from __future__ import annotations

import csv
import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from difflib import ndiff
from html import unescape
from itertools import pairwise
from pathlib import Path

from pipeline.clock import stamp
from pipeline.errors import UsageError
from pipeline.operations.schedule import (
    SYSTEM_UNITS,
    Kind,
    Rendered,
    Service,
    decode_file,
    get_user_units,
    split_digest,
)
from pipeline.support.rights import acting_user, owner_of
from pipeline.support.terminal_text import join
from pipeline.version import PROGRAM

SYSTEMD_RUNS = Path("/run/systemd/system")
CRON_FILES = (Path("/etc/crontab"), Path("/etc/cron.d"))
LINGERING = Path("/var/lib/systemd/linger")  # holds a file for each user whose units run without a login
CRONTAB, TASKS = "crontab", "Task Scheduler"  # locations that are no file
WORKER = "Restart=always"  # stands in the unit of a worker, which needs no timer
NEVER_RAN = frozenset({"267011"})  # result of a task of Windows that has not run yet
IS_WINDOWS = os.name == "nt"
_SECONDS = 10  # that a program may take to list what is installed
_CRON_TIME = re.compile(r"(\d{1,2}) (\d{1,2}) \* \* \* ")
_UNIT_TIME = re.compile(r"^OnCalendar=\*-\*-\* (\d\d:\d\d):00$", re.MULTILINE)
_TASK_TIME = re.compile(r"<StartBoundary>[^<]*T(\d\d:\d\d):00</StartBoundary>")
_QUOTED = re.compile(r'"([^"]*)"')


@dataclass(frozen=True, slots=True)
class LastStart:
    """How the host recorded the last start of a schedule."""

    exit: int
    finished: str | None  # local time, as the host has it


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledSchedule:
    """A schedule that is installed: where, and the commands without which it starts no run."""

    kind: Kind
    location: str
    missing_commands: Sequence[Sequence[str]] = ()
    unit: str | None = None  # the name of unit, task or line; None: a person wrote it
    files: Mapping[Path, str] = field(default_factory=dict)
    cron_line: str | None = None
    user: str | None = None  # whose crontab
    additions: Sequence[Path] = ()  # that a person put next to the unit; systemd reads them too

    @property
    def name(self) -> str | None:
        """The name that distinguishes it from others of this host."""
        return (self.unit or "").removeprefix(PROGRAM).removeprefix("-") or None

    @property
    def is_user_unit(self) -> bool:
        """Whether it is a unit of this user's own manager."""
        return any(path.parent == get_user_units() for path in self.files)

    @property
    def service(self) -> Service:
        """What it starts: a run every day, or a worker or the page, which run all the time."""
        if self.words[-1:] == ["serve"]:
            return "page"
        has_timer = any(path.suffix == ".timer" for path in self.files)
        return "worker" if self.kind == "systemd" and not has_timer else "run"

    @property
    def start(self) -> str | None:
        """When it starts a run every day, as HH:MM; None where a person chose other days, and for what runs all the time."""
        if self.cron_line is not None:
            time = _CRON_TIME.match(self.cron_line)
            return f"{int(time[2]):02d}:{int(time[1]):02d}" if time else None
        pattern = _UNIT_TIME if self.kind == "systemd" else _TASK_TIME
        times = [time for text in self.files.values() for time in pattern.findall(text)]
        return times[0] if len(times) == 1 else None

    @property
    def words(self) -> list[str]:
        """The words of the command that it starts; [] where they cannot be read."""
        if self.cron_line is not None:
            command = self.cron_line.replace("\\%", "%").partition("PYTHONUTF8=1 ")[2]
            return _split_words(command.rpartition(f" # {self.unit}: ")[0])
        for path, text in self.files.items():
            lines = text.splitlines()
            if path.suffix == ".service":
                started = [line.partition("=")[2] for line in lines if line.startswith("ExecStart=")]
                words = _split_words(started[0]) if len(started) == 1 else []
                return [word.replace("%%", "%").replace("$$", "$") for word in words]
            if path.suffix == ".cmd":
                started = [line for line in lines if line.startswith('"')]
                words = _QUOTED.findall(started[0]) if len(started) == 1 else []
                return [word.replace("%%", "%") for word in words]
        return []

    @property
    def hospitals(self) -> list[str]:
        """The options that choose the hospitals in the command."""
        chosen = ["--all"] if "--all" in self.words else []
        return chosen + [word for name in self._list_values("--profile") for word in ("--profile", name)]

    @property
    def language(self) -> str | None:
        """The language that the command names."""
        return next(iter(self._list_values("--lang")), None)

    def _list_values(self, option: str) -> list[str]:
        words = self.words
        return [value for word, value in pairwise(words) if word == option]

    def list_changed(self, today: Rendered | None) -> list[str]:
        """Return which of its files were changed since `install` wrote them.

        A text without a digest is unchanged where it is what `install` writes today.
        """
        rendered = {} if today is None else {str(path): text for path, text in today.files.items()}
        if today is not None and today.cron_line is not None:
            rendered[self.location] = today.cron_line
        changed = []
        for location, text in self._list_texts():
            body, is_intact = split_digest(text)
            if is_intact is None:
                is_intact = location in rendered and split_digest(rendered[location])[0] == body
            if not is_intact:
                changed.append(location)
        return changed

    def list_differences(self, today: Rendered) -> Iterator[tuple[str, Sequence[str]]]:
        """Yield each text that would be written differently today, and its lines: "- " as it is, "+ " as it would be."""
        rendered = {str(path): text for path, text in today.files.items()}
        if today.cron_line is not None:
            rendered[self.location] = today.cron_line
        installed = dict(self._list_texts())
        for location in {**installed, **rendered}:
            before, after = (split_digest(texts.get(location, ""))[0] for texts in (installed, rendered))
            lines = [line for line in ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]
            if lines:
                yield location, lines

    def _list_texts(self) -> list[tuple[str, str]]:
        if self.cron_line is not None:
            return [(self.location, self.cron_line)]
        return [(str(path), text) for path, text in self.files.items()]

    def get_next_start(self, now: float) -> str | None:
        """Return when it starts next, as a `stamp`; None where it starts nothing, or at times of its own that the host does not show."""
        if self.missing_commands or self.service != "run" or self.unit is None:
            return None
        if self.kind == "systemd" and SYSTEMD_RUNS.is_dir():
            asked = self._ask_systemd(f"{self.unit}.timer", "NextElapseUSecRealtime")
            seconds = asked.get("NextElapseUSecRealtime", "").removeprefix("@")
            if seconds.isdecimal():
                return stamp(int(seconds))
        if self.start is None:
            return None
        hour, minute = map(int, self.start.split(":"))
        moment = datetime.fromtimestamp(now, UTC).astimezone()
        following = moment.replace(hour=hour, minute=minute, second=0, microsecond=0)
        if following <= moment:
            following += timedelta(days=1)
        return stamp(following.replace(tzinfo=None).astimezone().timestamp())

    def get_last_start(self) -> LastStart | None:
        """Return how its last start ended; None where the host does not record it, as cron does not, or nothing was started yet."""
        if self.unit is None:
            return None
        if self.kind == "windows":
            return parse_task(
                _read_output(["schtasks", "/Query", "/TN", self.unit, "/FO", "CSV", "/V", "/NH"])
            )
        if self.kind != "systemd" or not SYSTEMD_RUNS.is_dir():
            return None
        asked = self._ask_systemd(f"{self.unit}.service", "ExecMainStatus", "ExecMainExitTimestamp")
        exit_code, seconds = (
            asked.get("ExecMainStatus", ""),
            asked.get("ExecMainExitTimestamp", "").removeprefix("@"),
        )
        if not exit_code.isdecimal() or not seconds.isdecimal() or seconds == "0":
            return None
        return LastStart(int(exit_code), stamp(int(seconds)))

    def _ask_systemd(self, unit: str, *properties: str) -> dict[str, str]:
        manager = ("systemctl", "--user") if self.is_user_unit else ("systemctl",)
        wanted = ",".join(properties)
        output = _read_output([*manager, "show", unit, f"--property={wanted}", "--timestamp=unix"])
        return {key: value for key, _, value in (line.partition("=") for line in output.splitlines())}


def parse_task(output: str) -> LastStart | None:
    """Return the last result of a task from what schtasks prints as CSV: the order of its columns is that of every language."""
    for columns in csv.reader(output.splitlines()):
        if len(columns) > 6 and columns[6].lstrip("-").isdecimal() and columns[6] not in NEVER_RAN:
            return LastStart(int(columns[6]), columns[5])
    return None


def get_installed_timer(config: Path) -> InstalledSchedule | None:
    """Return a timer that names the configuration or lies next to it, None where there is none.

    One that starts runs comes before one that is installed only.
    """
    timers = list_installed_schedules(config)
    return min(timers, key=lambda timer: bool(timer.missing_commands), default=None)


def get_next_run(config: Path, profile: str | None, now: float) -> str | None:
    """Return when a schedule starts the next run of a hospital, as a `stamp`; None where none does that the host shows."""
    starts = []
    for schedule in list_installed_schedules(config):
        if schedule.hospitals == ["--all"] or profile in (schedule.hospitals[1::2] or (None,)):
            start = schedule.get_next_start(now)
            if start is not None:
                starts.append(start)
    return min(starts, default=None)


def list_installed_schedules(config: Path, users: Sequence[str] = ()) -> Iterator[InstalledSchedule]:
    """Yield the schedules that name the configuration or its folder, first those of `install`.

    Root sees also the crontabs of the configuration's owner and of ``users``.
    """
    schedules = [
        *_list_units(config),
        *_list_cron_files(config),
        *_list_cron_lines(config, users),
        *_list_tasks(config),
    ]
    yield from sorted(schedules, key=lambda schedule: schedule.unit is None)


def is_of_config(text: str, config: Path) -> bool:
    """Return whether a file has the comment by which `install` marks it for this configuration."""
    comment = rf"(?m)(?:^# |^rem |>){PROGRAM}: {re.escape(str(config))}(?:$|<)"
    return any(re.search(comment, form) for form in (text, text.replace("%%", "%"), unescape(text)))


def _list_units(config: Path) -> Iterator[InstalledSchedule]:
    for unit in _list_unit_files():
        service = unit.with_suffix(".service")
        files = {path: _read_file(path) for path in dict.fromkeys((service, unit)) if path.exists()}
        is_own = any(is_of_config(text, config) for text in files.values())
        if is_own or _names_folder(files.get(service, ""), str(config.parent)):
            yield InstalledSchedule(
                kind="systemd",
                location=str(unit),
                missing_commands=list(_list_missing_commands(unit)),
                unit=unit.stem if is_own else None,
                files=files,
                additions=[folder for path in files if (folder := Path(f"{path}.d")).is_dir()],
            )


def _list_cron_files(config: Path) -> Iterator[InstalledSchedule]:
    for path in CRON_FILES:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            if _is_read_by_cron(file) and any(_list_lines(_read_file(file), config)):
                yield InstalledSchedule(kind="cron", location=str(file))


def _list_cron_lines(config: Path, users: Sequence[str]) -> Iterator[InstalledSchedule]:
    if os.name == "nt":
        return
    is_root = os.geteuid() == 0
    for user in dict.fromkeys((acting_user(), *((owner_of(config), *users) if is_root else ()))):
        options = get_crontab_options(user)
        foreign = False
        for line in _list_lines(_read_output([CRONTAB, *options, "-l"]), config):
            unit = get_cron_unit(line, config)
            if unit is not None:
                location = join([CRONTAB, *options])
                yield InstalledSchedule(kind="cron", location=location, unit=unit, cron_line=line, user=user)
            elif not foreign:
                foreign = True
                yield InstalledSchedule(kind="cron", location=join([CRONTAB, *options]), user=user)


def _list_tasks(config: Path) -> Iterator[InstalledSchedule]:
    tasks = _read_output(["schtasks", "/Query", "/FO", "CSV", "/V"]) if IS_WINDOWS else ""
    is_own = False
    for task in sorted(config.parent.glob(f"{PROGRAM}*.xml")) if IS_WINDOWS else ():
        files = {path: _read_file(path) for path in (task.with_suffix(".cmd"), task) if path.exists()}
        if is_of_config(files[task], config):
            is_own = True
            is_known = f'\\{task.stem}"' in tasks
            create = ["schtasks", "/Create", "/F", "/TN", task.stem, "/XML", str(task)]
            yield InstalledSchedule(
                kind="windows",
                location=str(task),
                missing_commands=() if is_known else [create],
                unit=task.stem,
                files=files,
            )
    if PROGRAM in tasks and not is_own:
        yield InstalledSchedule(kind="windows", location=TASKS)


def get_cron_unit(line: str, config: Path) -> str | None:
    """Return the name of the schedule that a line of a crontab is, None where `install` did not write it for this configuration."""
    body, _ = split_digest(line)
    match = re.search(rf" # ({PROGRAM}(?:-[\w.-]+)?): {re.escape(str(config))}$", body.replace("\\%", "%"))
    return match[1] if match else None


def get_crontab_options(user: str) -> Sequence[str]:
    """Return the options by which crontab lists and takes the lines of a user."""
    return () if user == acting_user() else ("-u", user)


def read_crontab(user: str) -> list[str]:
    """Return the lines of a crontab; an error other than that there is none must not empty it."""
    command = [CRONTAB, *get_crontab_options(user), "-l"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - found by which
    if done.returncode and "no crontab" not in done.stderr:
        raise UsageError("schedule.failed", command=join(command), why=done.stderr.strip())
    return done.stdout.splitlines() if not done.returncode else []


def list_enabling_links(unit: Path) -> list[Path]:
    """Return the links by which systemd starts a unit: those in folders `*.wants` and `*.requires`."""
    links = (path for kind in ("wants", "requires") for path in unit.parent.glob(f"*.{kind}/{unit.name}"))
    return [link for link in links if link.is_symlink() or link.exists()]


def _list_missing_commands(unit: Path) -> Iterator[Sequence[str]]:
    """Yield the commands that enable a unit.

    The links are read, since `systemctl is-enabled` needs rights and, for a user's units, that user's session.
    """
    is_user_unit = unit.parent != SYSTEM_UNITS
    if not list_enabling_links(unit):
        yield ("systemctl", *(("--user",) if is_user_unit else ()), "enable", "--now", unit.name)
    if is_user_unit and not (LINGERING / acting_user()).exists():
        yield ("loginctl", "enable-linger")


def _is_read_by_cron(file: Path) -> bool:
    """Return whether cron reads a file of its folder: a copy, or one that is switched off, has a dot or "~" in its name."""
    return not set(file.name) & {".", "~"}


def _list_unit_files() -> Iterator[Path]:
    for folder in (SYSTEM_UNITS, get_user_units()):
        with suppress(OSError):
            yield from sorted(folder.glob(f"*{PROGRAM}*.timer"))
            yield from sorted(
                unit for unit in folder.glob(f"*{PROGRAM}*.service") if WORKER in _read_file(unit)
            )


def _list_lines(text: str, config: Path) -> Iterator[str]:
    """Yield the lines of a crontab that start this program for a configuration."""
    folder = str(config.parent)
    for line in text.splitlines():
        is_comment = line.lstrip().startswith("#")
        if not is_comment and PROGRAM in line and _names_folder(line.replace("\\%", "%"), folder):
            yield line


def _names_folder(text: str, folder: str) -> bool:
    """Return whether a text names a folder or a file in it; /srv/a is not /srv/ab."""
    return re.search(re.escape(folder) + r"(?:[/\\\s\"']|$)", text) is not None


def _split_words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # a person changed it
        return []


def _read_file(path: Path) -> str:
    with suppress(OSError):
        return decode_file(path, path.read_bytes())
    return ""


def _read_output(command: Sequence[str]) -> str:
    """Return what a program prints, "" where there is none or it fails."""
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603 - our own words
        return done.stdout.decode("utf-8", "replace")
    return ""
