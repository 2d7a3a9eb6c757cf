"""The options of one command line, the configuration it reads, and what it prints: data to stdout, all else to stderr."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from pipeline.cli.streams import (
    READER_GONE,
    discard_output,
    limit_to_console,
    print_traceback,
)
from pipeline.cli.terminal import Tone, paint
from pipeline.config import environment
from pipeline.config.hospitals import list_hospitals
from pipeline.domain.masking import mask_text
from pipeline.domain.message import Message
from pipeline.errors import ConfigError, DiskTrouble, EsignImportError, HookFailed, UsageError, reason_of
from pipeline.messages.catalogue import join_messages, make_message, render
from pipeline.support.interrupts import read_line
from pipeline.support.terminal_text import join
from pipeline.version import PROGRAM

if TYPE_CHECKING:
    from pipeline.clock import Clock
    from pipeline.config.settings import Config
    from pipeline.domain.run import RunRequest
    from pipeline.esign.rate_limiter import Limiter
    from pipeline.reports.next_steps import NextStep

DEFAULT_CONFIG = Path("config.yaml")
OTHER_FILES = frozenset(
    {"config.not_text", "config.no_mapping", "config.too_large"}
)  # faults of a file that is something else
MAX_NAMES_SHOWN = 10  # of hospitals, in a message
ANSWERS = {"y": True, "yes": True, "n": False, "no": False, "": False}


@dataclass(kw_only=True)
class Session:
    """The options of one command line, and the place where its output is printed."""

    clock: Clock
    arguments: tuple[str, ...] = ()
    config_path: Path | None = None
    lang: str | None = None
    lang_given: bool = False  # by --lang
    verbose: bool = False
    quiet: bool = False
    as_json: bool = False
    profiles: tuple[str, ...] = ()  # those of --profile
    all_profiles: bool = False
    hospital_file: Path | None = None  # the configuration of this hospital among several
    is_one_of_several: bool = False
    is_first: bool = True
    broken_run: tuple[str, int] = ("", 0)  # its id, and how many seals it made
    headless_streams: set[TextIO] = field(default_factory=set)  # that the heading has not been printed to
    log_path: Path | None = None  # log.jsonl of the run that is under way
    has_document: bool = False  # whether the JSON of this session was printed
    # shared by the hospitals of one command line
    configs: dict[Path | None, Config] = field(default_factory=dict)  # that were read, by their files
    limiters: dict[float, Limiter] = field(default_factory=dict)  # of this process, by their limits
    printed_faults: dict[str, str | None] = field(default_factory=dict)  # with the hospital of each

    @property
    def language(self) -> str:
        """The language of the results, ``zh`` or ``en``."""
        return environment.choose_language(self.lang)

    @property
    def spoken(self) -> str:
        """The language of messages: the same, unless the console cannot write it."""
        return limit_to_console(self.language)

    def render_sentence(self, key: str, **details: object) -> str:
        """Return a message in the language of messages."""
        return render(key, self.spoken, **details)

    # -- stderr

    def print_line(self, text: str, *, tone: Tone | None = None) -> None:
        """Print a text to stderr as it is, and as the console can: click would take an ASCII one for UTF-8."""
        with suppress(OSError):  # the reader has gone, or the disk is full: no reason to end a run
            self._print_heading(sys.stderr)
            print(paint(text, tone, sys.stderr), file=sys.stderr, flush=True)  # noqa: T201 - the one place that prints

    def _print_heading(self, stream: TextIO) -> None:
        """Print which hospital follows, once to each stream, and once to a terminal that shows both."""
        if stream not in self.headless_streams:
            return
        is_shared = sys.stdout.isatty() and sys.stderr.isatty()
        self.headless_streams -= {sys.stdout, sys.stderr} if is_shared else {stream}
        print(f"\n== {self.profile} ==", file=stream)

    def inform(self, key: str, tone: Tone | None = None, /, **details: object) -> None:
        """Print a message to stderr, unless ``-q``."""
        if not self.quiet:
            self.alert(key, tone, **details)

    def alert(self, key: str, tone: Tone | None = Tone.NEEDS_PERSON, /, **details: object) -> None:
        """Print a message to stderr, also with ``-q``."""
        self.print_line(self.render_sentence(key, **details), tone=tone)

    def print_error(self, error: EsignImportError) -> None:
        """Print why a command ends, also with ``-q``; numbers are masked except in the ids of the configuration."""
        parts = [error.render(self.spoken)]
        if error.ids:
            longest_first = sorted(error.ids, key=len, reverse=True)
            parts = re.split(f"({'|'.join(map(re.escape, longest_first))})", parts[0])
        text = "".join(part if part in error.ids else mask_text(part) for part in parts)
        self.print_line(text, tone=Tone.FAULT)

    def print_warning(self, error: EsignImportError) -> None:
        """Print what is no reason to stop, also with ``-q``."""
        self.alert("warning", text=mask_text(error.render(self.spoken)))

    def warn_of_hook(self, error: EsignImportError) -> None:
        """Print that a hook of a run failed, and where the details of a program error are."""
        self.print_warning(error)
        if not isinstance(error, HookFailed):
            return
        if self.log_path is not None:
            self.alert("hooks.details", path=mask_text(str(self.log_path)))
        elif not self.verbose:
            self.alert("hooks.verbose")
        if self.verbose and error.__cause__ is not None:
            print_traceback(error.__cause__)

    def print_next_step(self, text: str, command: str) -> None:
        """Print what to do next; the command stands alone on the last line, to be typed as it is."""
        self.inform("next", text=text)
        self.inform("command", Tone.TYPED, command=command)

    def print_changes(self, changes: Sequence[Message]) -> None:
        """Print how the rosters differ from those of the last run: the count, and with ``-v`` a line a person."""
        if self.quiet or not changes:
            return
        for text in changes if self.verbose else changes[:1]:
            self.print_line(text.render(self.spoken))
        if len(changes) > 1 and not self.verbose:
            self.inform("changes.verbose")

    def print_steps(self, steps: Iterable[NextStep]) -> None:
        """Print steps so that the first stands last: above the prompt, with the command to type at the very end."""
        typed = []
        for step in steps:
            if step.command:
                typed.append(step)
            else:
                self.inform("next", text=step.render(self.spoken))
        for step in reversed(typed):
            self.print_next_step(step.render(self.spoken), step.command or "")

    def suggest_command(self, key: str, *arguments: str, **details: object) -> None:
        """Print what to do next, with a command of this program; a path that is not shown cannot be typed."""
        command = f"{self.invocation} {join(arguments)}"
        if mask_text(command) == command:
            self.print_next_step(self.render_sentence(key, **details), command)

    def confirm(self, key: str, **details: object) -> bool:
        """Ask a question; only a clear yes is one. Raises click.Abort where stdin is at its end.

        An event loop would handle a Ctrl-C only after the answer, so here Ctrl-C ends the command as usual.
        """
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            question = f"{self.render_sentence(key, **details)} [y/N] "
            while (answer := read_answer(question).lower()) not in ANSWERS:
                self.alert("answer_yes_or_no")
            return ANSWERS[answer]
        except KeyboardInterrupt:
            self.print_line("")  # behind the question
            raise
        except click.Abort:
            self.print_line("")
            context = click.get_current_context(silent=True)
            parameters = context.command.params if context is not None else ()
            takes_yes = any("--yes" in parameter.opts for parameter in parameters)
            self.alert("unanswered", yes=self.render_sentence("unanswered.yes") if takes_yes else "")
            raise
        finally:
            signal.signal(signal.SIGINT, handler)

    # -- stdout

    def print_data(self, text: str, *, nl: bool = True, tone: Tone | None = None) -> None:
        """Print data to stdout as it is; a reader that has seen enough (`| head`) is no trouble."""
        try:
            if self.as_json:
                self.has_document = True
            else:
                self._print_heading(sys.stdout)
            click.echo(paint(text, tone, sys.stdout), nl=nl, color=True)  # whether it has one is chosen
        except OSError as error:
            discard_output(sys.stdout)
            if error.errno not in READER_GONE:
                raise DiskTrouble("disk.stdout", why=reason_of(error)) from error

    def print_text(self, key: str, tone: Tone | None = None, /, **details: object) -> None:
        """Print a message that a command was asked for to stdout; with ``--json``, `print_json` prints the same."""
        if not self.as_json:
            self.print_data(self.render_sentence(key, **details), tone=tone)

    def print_json(self, **values: Any) -> None:
        """Print one JSON object to stdout, where ``--json`` asks for it."""
        if self.as_json:
            self.print_data(json.dumps(self.label_data({"schema": 1, **values}), ensure_ascii=False))

    def print_record(self, record: Mapping[str, Any]) -> None:
        """Print a run.json to stdout, where ``--json`` asks for it; each run has one, however it ended."""
        if self.as_json and not self.has_document:
            self.print_data(json.dumps(self.label_data(record), ensure_ascii=False))

    def print_failure(self, exit_code: int, text: str) -> None:
        """Print why a command ended as its JSON, where it printed none before."""
        if not self.has_document:
            with suppress(DiskTrouble):  # the failure itself was printed
                self.print_json(exit=exit_code, error=mask_text(text))

    def label_data(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the values of a JSON object with the hospital they belong to, where one is chosen."""
        return values if self.profile is None else {"profile": self.profile, **values}

    # -- hospitals

    @property
    def profile(self) -> str | None:
        """The name of this session's hospital, where one is chosen."""
        return self.profiles[0] if len(self.profiles) == 1 else None

    def list_hospitals(self) -> Mapping[str, Path]:
        """Return the configuration files of all hospitals by name; UsageError where there are none."""
        path = self.config_path or DEFAULT_CONFIG
        if self.config_path is not None:
            from pipeline.config.named_paths import require_existing

            require_existing(path)
        hospitals = list_hospitals(path)
        if not hospitals:
            raise UsageError("no_hospitals", path=path)
        return hospitals

    def choose_hospitals(self, names: Sequence[str] = ()) -> Mapping[str, Path]:
        """Return the configuration files of the chosen hospitals by name, ``names`` among them.

        Raises UsageError where the choice is missing or cannot be met.
        """
        chosen = tuple(dict.fromkeys([*names, *self.profiles]))
        if chosen and self.all_profiles:
            raise UsageError("hospitals.both")
        if (chosen or self.all_profiles) and not self.config_path and not DEFAULT_CONFIG.exists():
            raise _make_missing_config()
        hospitals = self.list_hospitals()
        for name in chosen:
            self._require_hospital(name, hospitals)
        if len(hospitals) > 1 and not chosen and not self.all_profiles:
            known = _join_hospitals(hospitals)
            raise UsageError("hospitals.choose", path=self.config_path, known=known)
        return {name: hospitals[name] for name in chosen or hospitals}

    def _require_hospital(self, name: str, hospitals: Mapping[str, Path]) -> None:
        """Raise UsageError for a hospital that is not there; one that is nearly it is suggested."""
        if name in hospitals:
            return
        from pipeline.config.yaml_loader import suggest_name

        path = self.config_path or DEFAULT_CONFIG
        near, known = suggest_name(name, [*hospitals]), _join_hospitals(hospitals)
        raise UsageError("hospitals.unknown", name=name, near=near, path=path, known=known)

    def begin_hospitals(self) -> Sequence[Session]:
        """Return a session for each chosen hospital; for the only one it is this session."""
        chosen = self.choose_hospitals()
        if len(chosen) == 1 and not self.all_profiles:
            return [self]
        return [
            replace(
                self,
                lang=environment.choose_message_language(self.arguments, os.environ, file),
                profiles=(name,),
                all_profiles=False,
                hospital_file=file,
                is_one_of_several=True,
                is_first=file == next(iter(chosen.values())),
                headless_streams={sys.stdout, sys.stderr},
            )
            for name, file in chosen.items()
        ]

    # -- configuration

    @property
    def config_name(self) -> Path:
        """The file of the configuration. Raises UsageError where several hospitals are chosen."""
        if self.hospital_file is None:
            chosen = self.choose_hospitals()
            if len(chosen) > 1:
                command = click.get_current_context().command_path.partition(" ")[2]
                raise UsageError("hospitals.one_command", command=command)
            (self.hospital_file,) = chosen.values()
        return self.hospital_file

    def read_config_if_any(self) -> Config | None:
        """Return the configuration, or None where none is named and none lies in the current folder."""
        is_named = self.config_path or self.profiles or self.all_profiles
        return self.read_config(self.config_name) if is_named or DEFAULT_CONFIG.exists() else None

    def require_config(self) -> Config:
        """Return the configuration; UsageError where there is none."""
        config = self.read_config_if_any()
        if config is None:
            raise _make_missing_config()
        return config

    def require_ready_config(self) -> Config:
        """Return a configuration that names application, organisation and operator; UsageError else."""
        from pipeline.config.named_paths import require_ready

        config = self.require_config()
        require_ready(config, self.config_name)
        return config

    def read_config(self, file: Path | None) -> Config:
        """Read the configuration of a hospital's file once; without a file, that of the defaults."""
        from pipeline.config.settings import Config

        if file not in self.configs:
            try:
                self.configs[file] = Config.load(file)
            except ConfigError as error:
                if file is None or error.faults[0].key not in OTHER_FILES:
                    raise
                raise UsageError("config_is_another_file", path=error.faults[0].arguments["path"]) from error
        return self.configs[file]

    # -- how the program is called

    @property
    def invocation(self) -> str:
        """How the program was called, for the commands that are suggested."""
        is_module = Path(sys.argv[0]).name == "__main__.py"
        program = (Path(sys.executable).stem, "-m", "pipeline") if is_module else (PROGRAM,)
        config = ("--config", str(self.config_path)) if self.config_path else ()
        profile = ("--profile", self.profile) if self.profile else ()
        return join([*program, *config, *profile])


def _make_missing_config() -> UsageError:
    return UsageError("no_config", folder=Path.cwd(), then=("init",))


def _join_hospitals(hospitals: Mapping[str, Path]) -> Message:
    """Return the names of hospitals for a message, of many the first ones."""
    names = [*hospitals]
    shown = join_messages(names[:MAX_NAMES_SHOWN])
    if len(names) <= MAX_NAMES_SHOWN:
        return shown
    return make_message("hospitals.more", names=shown, n=len(names) - MAX_NAMES_SHOWN)


def read_answer(question: str) -> str:
    """Ask on stderr and return what was typed. Raises click.Abort at the end of stdin."""
    click.echo(question, nl=False, err=True)
    line = read_line()
    if not line:
        raise click.Abort
    return line.strip()


def warn_of_pictures(session: Session, request: RunRequest) -> None:
    """Print that there is no folder of pictures, or that the locale's encoding is not that of their names.

    A hospital whose pictures are in cells needs no folder.
    """
    if request.seals is None:
        session.inform("no_seals", Tone.NEEDS_PERSON, path=(request.missing_seals or Path()).absolute())
    elif name := environment.get_misread_name(request.seals):
        session.alert("locale_names", encoding=sys.getfilesystemencoding(), folder=request.seals, name=name)
