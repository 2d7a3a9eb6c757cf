"""Renders what starts a run every day (a systemd timer, a line of cron, a task of Windows), and installs units and tasks.

Each file begins with a comment that names the configuration and how the schedule is removed.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from pipeline.config.settings import Config
from pipeline.errors import UsageError
from pipeline.support.atomic_files import write_bytes
from pipeline.support.rights import acting_user, owner_of
from pipeline.version import PROGRAM

Kind = Literal["systemd", "cron", "windows"]
Service = Literal["run", "worker", "page"]  # a run every day, or a program that runs all the time
KINDS: Sequence[Kind] = ("systemd", "cron", "windows")
IS_WINDOWS = os.name == "nt"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_NEEDS_QUOTES = re.compile(r"[\s\"'\\;]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
SYSTEM_UNITS = Path("/etc/systemd/system")
SYSTEMD_RUNS = Path("/run/systemd/system")
_READABLE = 0o644  # for `systemctl cat` and other users; nothing in it is secret
_FIRST_DAY = "2026-01-01"  # any day that has passed: the task starts every day from then on


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What is to be scheduled."""

    configs: Sequence[Config]  # of the hospitals that one run goes over
    config_path: Path  # absolute; of a file or folder
    hospitals: Sequence[str] = ()  # the options that choose them
    start: str  # HH:MM, local time
    language: str | None = None  # for --lang; None: the configuration has one
    name: str | None = None  # distinguishes several schedules of one host
    is_user_unit: bool = False  # systemd: of this user's own manager
    service: Service = "run"  # systemd, page: also Windows

    @property
    def unit(self) -> str:
        """The name of unit and task, in a crontab the start of the comment."""
        return f"{PROGRAM}-{self.name}" if self.name else PROGRAM

    @property
    def words(self) -> list[str]:
        """The command line that starts a run, a worker or the page."""
        language = ("--lang", self.language) if self.language else ()
        config = ("--config", str(self.config_path))
        if self.service == "worker":
            return [*get_program_words(), *config, *language, "worker"]
        command = "serve" if self.service == "page" else "run"
        return [*get_program_words(), *config, *self.hospitals, *language, command]

    @property
    def folder(self) -> Path:
        """The folder in which it starts: that of the configuration."""
        return self.config_path if self.config_path.is_dir() else self.config_path.parent

    @property
    def user(self) -> str:
        """The user who runs it: the owner of the first ledger, without one that of the configuration."""
        ledger = self.configs[0].resolve_ledger_file()
        return owner_of(ledger if ledger.exists() else self.config_path)

    @property
    def state_home(self) -> str | None:
        """The folder of state that this user has set: with another one, a run would have another journal."""
        is_ours = os.name != "nt" and self.user == acting_user()
        return (os.environ.get("XDG_STATE_HOME") or None) if is_ours else None


@dataclass(frozen=True, slots=True)
class Rendered:
    """The files of a schedule, and the commands that put them into effect."""

    files: Mapping[Path, str] = field(default_factory=dict)
    commands: Sequence[Sequence[str]] = ()
    cron_line: str | None = None


def choose_name(hospital: str | None, service: Service) -> str | None:
    """Return the name of a schedule that is given none: that of its hospital and its service; None for the usual one."""
    if service == "worker":
        return service
    kind = None if service == "run" else service
    if hospital is None:
        return kind
    if not NAME.fullmatch(hospital):
        raise UsageError("schedule.needs_name", name=hospital)
    return f"{hospital}-{kind}" if kind else hospital


def get_program_words() -> list[str]:
    """Return the words that start this very program, wherever it is started from."""
    if getattr(sys, "frozen", False):
        return [sys.executable]
    script = Path(sys.executable).with_name(f"{PROGRAM}.exe" if os.name == "nt" else PROGRAM)
    return [str(script)] if script.is_file() else [sys.executable, "-m", "pipeline"]


def render_schedule(kind: Kind, schedule: Schedule) -> Rendered:
    """Return the files and commands of a schedule; UsageError where a path or the name cannot stand in them."""
    if schedule.name is not None and not NAME.fullmatch(schedule.name):
        raise UsageError("schedule.name", name=schedule.name)
    if schedule.service == "worker" and kind != "systemd":
        raise UsageError("schedule.worker")
    if schedule.service == "page" and kind == "cron":
        raise UsageError("schedule.page")
    for word in (str(schedule.config_path), *schedule.words):
        if _CONTROL.search(word):
            raise UsageError("schedule.path", path=word)
    if kind == "cron":
        return Rendered(cron_line=_render_cron_line(schedule))
    return _render_systemd(schedule) if kind == "systemd" else _render_windows(schedule)


def _render_systemd(schedule: Schedule) -> Rendered:
    settings = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    folder = Path(settings) / "systemd" / "user" if schedule.is_user_unit else SYSTEM_UNITS
    endings = ("service", "timer") if schedule.service == "run" else ("service",)
    paths = {ending: folder / f"{schedule.unit}.{ending}" for ending in endings}
    manager = ("systemctl", "--user") if schedule.is_user_unit else ("systemctl",)
    started = f"{schedule.unit}.{endings[-1]}"
    removal = [[*manager, "disable", "--now", started], ["rm", *map(str, paths.values())]]
    values = {
        "removal": " && ".join(map(shlex.join, removal)),
        "secrets": _list_secrets(schedule.configs),
        "user": schedule.user,
        "is_user_unit": schedule.is_user_unit,
        "service": schedule.service,
        "sets_group": any(config.results_group for config in schedule.configs),
    }
    files = {
        path: _render_template(f"schedule.{ending}.j2", schedule, **values) for ending, path in paths.items()
    }
    commands: list[Sequence[str]] = [[*manager, "daemon-reload"], [*manager, "enable", "--now", started]]
    if schedule.is_user_unit:
        commands.append(["loginctl", "enable-linger"])  # else it runs only while the user is logged in
    return Rendered(files, commands)


def _render_cron_line(schedule: Schedule) -> str:
    hour, minute = schedule.start.split(":")
    command = shlex.join([*schedule.words[:-1], "--quiet", "run"])  # cron mails what is printed
    state = f"XDG_STATE_HOME={shlex.quote(schedule.state_home)} " if schedule.state_home else ""
    line = f"{state}PYTHONUTF8=1 {command} # {schedule.unit}: {schedule.config_path}"
    return f"{int(minute)} {int(hour)} * * * {line}".replace("%", "\\%")  # cron ends the command at %


def _render_windows(schedule: Schedule) -> Rendered:
    folder = schedule.folder
    task, command_file = folder / f"{schedule.unit}.xml", folder / f"{schedule.unit}.cmd"
    values = {"command_file": command_file, "first_day": _FIRST_DAY, "service": schedule.service}
    files = {
        command_file: _render_template("schedule.cmd.j2", schedule, task=schedule.unit),
        task: _render_template("schedule.xml.j2", schedule, **values),
    }
    # /RP *: asks for the password, without which a task runs only while its user is logged in
    create = ["schtasks", "/Create", "/F", "/TN", schedule.unit, "/XML", str(task)]
    return Rendered(files, [[*create, "/RU", _name_windows_user(), "/RP", "*"]])


def is_installable(kind: Kind) -> bool:
    """Return whether this machine can have such a schedule."""
    return (kind == "windows") == IS_WINDOWS


def install_schedule(kind: Kind, schedule: Schedule) -> Sequence[Path]:
    """Install units or a task, or renew those of this configuration with the same name; return the files that were written.

    Raises UsageError where a file belongs to another configuration, where systemd does not run, where rights are
    missing, or a program refuses it.
    """
    if kind == "systemd" and not SYSTEMD_RUNS.is_dir():
        raise UsageError("schedule.no_systemd")
    rendered = render_schedule(kind, schedule)
    for path, text in rendered.files.items():
        comment = next(line for line in text.splitlines() if f"{PROGRAM}: " in line)
        encoding = "utf-16" if path.suffix == ".xml" else "utf-8"
        if path.exists() and comment not in path.read_text(encoding, "replace").splitlines():
            raise UsageError("schedule.taken", path=path)
    try:
        for path, text in rendered.files.items():
            write_bytes(path, encode_file(path, text)).chmod(_READABLE)
    except PermissionError as error:
        key = "schedule.needs_root" if kind == "systemd" else "schedule.no_rights"
        raise UsageError(key, path=error.filename, user=acting_user()) from error
    for command in rendered.commands:
        _run_program(command, asks=kind == "windows")
    return list(rendered.files)


def get_closed_folder(schedule: Schedule) -> Path | None:
    """Return a folder above the program that another user who is to run it probably may not enter, None where there is none."""
    if schedule.user in {acting_user(), "root"} or os.name == "nt":
        return None
    programs = (Path(schedule.words[0]), Path(sys.executable).resolve())
    folders = (folder for program in programs for folder in reversed(program.parents))
    return next((folder for folder in folders if not _may_enter(folder, schedule.user)), None)


def _may_enter(folder: Path, user: str) -> bool:
    return bool(folder.stat().st_mode & 0o001) or folder.owner() == user


def _run_program(command: Sequence[str], *, asks: bool) -> None:
    """Run a program; UsageError with what it printed where it fails. One that asks has the terminal."""
    try:
        done = subprocess.run(command, capture_output=not asks, text=True, check=False)  # noqa: S603 - our own words
    except OSError as error:
        raise UsageError("schedule.failed", command=shlex.join(command), why=error.strerror) from error
    if done.returncode:
        why = (done.stderr or "").strip() or done.returncode
        raise UsageError("schedule.failed", command=shlex.join(command), why=why)


def encode_file(path: Path, text: str) -> bytes:
    """Return the bytes of a schedule's file as the system expects them."""
    if path.suffix == ".xml":
        return text.replace("\n", "\r\n").encode("utf-16")
    return (text.replace("\n", "\r\n") if path.suffix == ".cmd" else text).encode()


def _name_windows_user() -> str:
    domain, user = (os.environ.get(name, "") for name in ("USERDOMAIN", "USERNAME"))
    return f"{domain}\\{user}" if domain and user else user or "USER"


def _list_secrets(configs: Sequence[Config]) -> list[Path]:
    """Return the secret files that are there, for `LoadCredential`: a unit with one that is missing does not start.

    None where hospitals have different ones: what systemd loads would count for all of them. It ignores a path with `..`.
    """
    folders = {config.secrets_dir and config.resolve_path(config.secrets_dir).resolve() for config in configs}
    folder = folders.pop()
    if folders or folder is None:
        return []
    try:
        return sorted(path for path in folder.iterdir() if path.is_file() and "__" in path.name)
    except OSError:
        return []


def _render_template(template: str, schedule: Schedule, **values: object) -> str:
    environment = Environment(
        loader=PackageLoader("pipeline.operations"),
        undefined=StrictUndefined,
        autoescape=select_autoescape(enabled_extensions=("xml.j2",), default=False),
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    language = schedule.language or schedule.configs[0].language
    environment.globals["say"] = lambda zh, en: zh if language == "zh" else en
    environment.filters |= {
        "escape_percent": lambda text: str(text).replace("%", "%%"),
        "quote_unit": lambda word: _quote_for_unit(word.replace("$", "$$")),
        "quote_path": lambda path: _quote_for_unit(str(path)),
        "quote_cmd": lambda word: '"{}"'.format(word.replace("%", "%%")),
    }
    return environment.get_template(template).render(
        config=schedule.config_path,
        folder=schedule.folder,
        name=(schedule.name or schedule.folder.name).replace("%", "%%"),
        words=schedule.words,
        start=schedule.start,
        state_home=schedule.state_home,
        **values,
    )


def _quote_for_unit(word: str) -> str:
    """Return a word of a unit file: % starts a specifier, and a backslash an escape."""
    word = word.replace("%", "%%")
    if not _NEEDS_QUOTES.search(word):
        return word
    return '"{}"'.format(word.replace("\\", "\\\\").replace('"', '\\"'))
