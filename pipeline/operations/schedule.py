"""Renders what starts a run every day: a systemd timer, a line of cron, a task of Windows.

`pipeline.operations.schedule_install` puts it where the system looks for it, `pipeline.operations.installed_schedules`
finds it there. Each text ends with a digest of itself: by it a change that a person made is known.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from pipeline.config.settings import Config
from pipeline.errors import UsageError
from pipeline.support.rights import acting_user, owner_of
from pipeline.version import PROGRAM

Kind = Literal["systemd", "cron", "windows"]
Service = Literal["run", "worker", "page"]  # a run every day, or a program that runs all the time
KINDS: Sequence[Kind] = ("systemd", "cron", "windows")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_NEEDS_QUOTES = re.compile(r"[\s\"'\\;]")
_DIGEST = re.compile(
    r"\s(?:(?:#|rem|<!--) )?sha256 ([0-9a-f]{16})(?: -->)?\s*\Z"
)  # ends what `install` wrote
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
SYSTEM_UNITS = Path("/etc/systemd/system")
_FIRST_DAY = "2026-01-01"  # any day that has passed: the task starts every day from then on


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What is to be scheduled."""

    configs: Sequence[Config]  # of the hospitals that one run goes over
    top_level: Config  # of config.yaml
    config_path: Path  # absolute
    hospitals: Sequence[str] = ()  # the options that choose them
    start: str  # HH:MM, local time
    language: str | None = None  # for --lang; None: the configuration has one
    name: str | None = None  # distinguishes several schedules of one host
    is_user_unit: bool = False  # systemd: of this user's own manager
    service: Service = "run"  # systemd, page: also Windows

    @property
    def takes_new_hospitals(self) -> bool:
        """Whether a hospital that is added to config.yaml later takes part without a new installation."""
        return self.service == "worker" or "--all" in self.hospitals

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
    def user(self) -> str:
        """The user who runs it: the owner of the first ledger, without one that of the configuration."""
        ledger = self.configs[0].resolve_ledger_file()
        return owner_of(ledger if ledger.exists() else self.config_path)

    @property
    def state_home(self) -> str | None:
        """The folder of state that this user has set: with another one, a run would have another registry of ledgers."""
        is_ours = os.name != "nt" and self.user == acting_user()
        return (os.environ.get("XDG_STATE_HOME") or None) if is_ours else None

    @property
    def written_folders(self) -> list[Path]:
        """The folders that are written into, each once: the page also puts rosters and pictures into theirs."""
        state = Path(self.state_home) if self.state_home else _get_home(self.user) / ".local" / "state"
        folders = [state / PROGRAM, *self.backup_folders]  # the registry
        for config in self.configs:
            # the folder of a server ledger's side files: how the last run ended
            folders.append(config.resolve_ledger_file().parent)
            if config.metrics_file is not None:
                folders.append(config.resolve_path(config.metrics_file).parent)
            folders += [config.resolve_path(path) for path in (config.work, config.out)]
            if self.service == "page":
                folders += [config.resolve_path(path) for path in (*config.roster, config.seals)]
        if self.takes_new_hospitals:
            folders += _list_parents_of_hospitals(self.top_level)
        absolute = sorted({Path(os.path.abspath(folder)) for folder in folders})  # noqa: PTH100 - ".." taken out
        return [folder for folder in absolute if not any(other in folder.parents for other in absolute)]

    @property
    def backup_folders(self) -> list[Path]:
        """The folders of ledger backups, on other disks."""
        folders = ((config, config.backup.folder) for config in self.configs)
        return [config.resolve_path(folder).absolute() for config, folder in folders if folder is not None]


def _list_parents_of_hospitals(top_level: Config) -> Iterator[Path]:
    """Yield the folders in which a hospital that is added has its own: what `derive_path` adds the profile's name to."""
    for key in ("ledger", "work", "out"):
        path = getattr(top_level, key)
        if not isinstance(path, Path):  # a ledger on a server
            continue
        if not path.is_absolute():
            yield top_level.base
        else:
            yield path.parent if key == "ledger" else path


@dataclass(frozen=True, slots=True)
class Rendered:
    """The files of a schedule, and the commands that put them into effect."""

    files: Mapping[Path, str] = field(default_factory=dict)
    commands: Sequence[Sequence[str]] = ()
    cron_line: str | None = None


def choose_name(hospitals: Sequence[str | None], service: Service) -> str | None:
    """Return the name of a schedule that is given none: one hospital's own, with that of the service; None for the usual one."""
    if service == "worker":
        return service
    kind = None if service == "run" else service
    if len(hospitals) != 1 or hospitals[0] is None:
        return kind
    if not NAME.fullmatch(hospitals[0]):
        raise UsageError("schedule.needs_name", name=hospitals[0])
    return f"{hospitals[0]}-{kind}" if kind else hospitals[0]


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
    for path in (schedule.config_path, *schedule.written_folders, *map(Path, schedule.words)):
        if _CONTROL.search(str(path)):
            raise UsageError("schedule.path", path=path)
    renderers: Mapping[Kind, Callable[[Schedule], Rendered]] = {
        "systemd": _render_systemd,
        "cron": lambda schedule: Rendered(cron_line=render_cron_line(schedule)),
        "windows": _render_windows,
    }
    return renderers[kind](schedule)


def get_user_units() -> Path:
    """Return the folder of the user's own units."""
    configured = os.environ.get("XDG_CONFIG_HOME")
    return (Path(configured) if configured else Path.home() / ".config") / "systemd" / "user"


def _render_systemd(schedule: Schedule) -> Rendered:
    folder = get_user_units() if schedule.is_user_unit else SYSTEM_UNITS
    values = {
        "secrets": _list_secrets(schedule.configs),
        "written": sorted(set(map(_get_existing_folder, schedule.written_folders))),
        "user": schedule.user,
        "is_user_unit": schedule.is_user_unit,
        "service": schedule.service,
        "sets_group": any(config.results_group for config in schedule.configs),
    }
    files = {}
    for ending in ("service", "timer") if schedule.service == "run" else ("service",):
        text = _render_template(f"schedule.{ending}.j2", schedule, **values)
        files[folder / f"{schedule.unit}.{ending}"] = _add_digest(text, "#")
    manager = ("systemctl", "--user") if schedule.is_user_unit else ("systemctl",)
    commands: list[Sequence[str]] = [
        [*manager, "daemon-reload"],
        [
            *manager,
            "enable",
            "--now",
            f"{schedule.unit}.{'timer' if schedule.service == 'run' else 'service'}",
        ],
    ]
    if schedule.is_user_unit:
        commands.append(["loginctl", "enable-linger"])  # else it runs only while the user is logged in
    return Rendered(files, commands)


def render_cron_line(schedule: Schedule) -> str:
    """Return the line of a crontab: it is known as ours by its comment."""
    hour, minute = schedule.start.split(":")
    command = shlex.join([*schedule.words[:-1], "--quiet", "run"])  # cron mails what is printed
    state = f"XDG_STATE_HOME={shlex.quote(schedule.state_home)} " if schedule.state_home else ""
    line = f"{state}PYTHONUTF8=1 {command} # {schedule.unit}: {schedule.config_path}"
    escaped = f"{int(minute)} {int(hour)} * * * {line}".replace("%", "\\%")  # cron ends the command at %
    return f"{escaped} sha256 {_compute_digest(escaped)}"


def _render_windows(schedule: Schedule) -> Rendered:
    folder = schedule.config_path.parent
    task, command_file = folder / f"{schedule.unit}.xml", folder / f"{schedule.unit}.cmd"
    script = _render_template("schedule.cmd.j2", schedule)
    text = _render_template(
        "schedule.xml.j2", schedule, command_file=command_file, first_day=_FIRST_DAY, service=schedule.service
    )
    files = {
        command_file: _add_digest(script, "rem"),
        task: _add_digest(text, "<!--", " -->"),
    }
    # /RP *: asks for the password, without which a task runs only while its user is logged in
    create = ["schtasks", "/Create", "/F", "/TN", schedule.unit, "/XML", str(task)]
    return Rendered(files, [[*create, "/RU", _name_windows_user(), "/RP", "*"]])


def _compute_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _add_digest(text: str, begin: str, end: str = "") -> str:
    """Return a file's text with its digest as a comment at its end."""
    body = text.rstrip("\n")
    return f"{body}\n{begin} sha256 {_compute_digest(body)}{end}\n"


def split_digest(text: str) -> tuple[str, bool | None]:
    """Return a text without its digest, and whether the digest is that of the text; None where it has none."""
    match = _DIGEST.search(text)
    if match is None:
        return text.rstrip("\n"), None
    body = text[: match.start()]
    return body, match[1] == _compute_digest(body)


def decode_file(path: Path, content: bytes) -> str:
    """Return the text of a schedule's file."""
    encoding = "utf-16" if path.suffix == ".xml" and content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    return content.decode(encoding, "replace").replace("\r\n", "\n")


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

    None where hospitals have different ones: what systemd loads would count for all of them.
    """
    folders = {
        config.secrets_dir and config.resolve_path(config.secrets_dir).absolute() for config in configs
    }
    folder = folders.pop()
    if folders or folder is None:
        return []
    try:
        return sorted(path for path in folder.iterdir() if path.is_file() and "__" in path.name)
    except OSError:
        return []


def _get_home(user: str) -> Path:
    if os.name == "nt":
        return Path.home()
    import pwd  # noqa: PLC0415 - Windows has none

    try:
        return Path(pwd.getpwnam(user).pw_dir)
    except KeyError:  # a number without a name
        return Path.home()


def _get_existing_folder(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that exists: systemd refuses one that is missing."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


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
        "quote_optional_path": lambda path: _quote_for_unit(f"-{path}"),
        "quote_cmd": lambda word: '"{}"'.format(word.replace("%", "%%")),
    }
    return environment.get_template(template).render(
        config=schedule.config_path,
        folder=schedule.config_path.parent,
        name=(schedule.name or schedule.config_path.parent.name).replace("%", "%%"),
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
