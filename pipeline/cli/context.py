"""The options of one command line, the configuration it reads, and what it prints: data to stdout, all else to stderr."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
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
from pipeline.domain.masking import mask_text
from pipeline.domain.message import Message
from pipeline.errors import ConfigError, DiskTrouble, EsignImportError, HookFailed, UsageError, reason_of
from pipeline.messages.catalogue import render
from pipeline.support.interrupts import read_line
from pipeline.support.terminal_text import join
from pipeline.version import PROGRAM

if TYPE_CHECKING:
    from pipeline.clock import Clock
    from pipeline.config.settings import Config, ConfigFile
    from pipeline.domain.run import RunRequest
    from pipeline.esign.rate_limiter import Limiter
    from pipeline.reports.next_steps import NextStep
    from pipeline.workflow.hosts_factory import SummaryReader

DEFAULT_CONFIG = Path("config.yaml")
OTHER_FILES = frozenset(
    {"config.not_text", "config.no_mapping", "config.too_large"}
)  # faults of a file that is something else
ANSWERS = {"y": True, "yes": True, "n": False, "no": False, "": False}


class SeveralHospitals:
    """What the hospitals of one command line share: the limit of calls with its limiter, connections."""

    def __init__(self, requests_per_second: float) -> None:
        self.resources = ExitStack()  # closed after the last hospital
        self.requests_per_second = requests_per_second  # the smallest that is configured for one of them
        self.limiter: Limiter | None = None
        self.summaries: SummaryReader | None = None
        self._fault = ("", "")  # the last one that was printed, and its hospital

    def get_same_fault(self, fault: str, hospital: str) -> str | None:
        """Return the hospital before for which the same fault was printed, None where it was another one."""
        known, first = self._fault
        if fault == known:
            return first
        self._fault = (fault, hospital)
        return None


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
    profile: str | None = None  # the hospital of this session; None: that of the top level
    hospitals: Sequence[str | None] = (None,)  # those that the command line chooses
    several: SeveralHospitals | None = None  # what it has in common with the others of this command line
    broken_run: tuple[str, int] = ("", 0)  # its id, and how many seals it made
    headless_streams: set[TextIO] = field(default_factory=set)  # that the heading has not been printed to
    config_files: dict[Path | None, ConfigFile] = field(default_factory=dict)  # that were read
    log_path: Path | None = None  # log.jsonl of the run that is under way
    has_document: bool = False  # whether the JSON of this session was printed

    def begin_hospital(self, profile: str | None, several: SeveralHospitals) -> Session:
        """Return the session of one of several hospitals; what it prints first is a heading."""
        return replace(
            self,
            profile=profile,
            several=several,
            broken_run=("", 0),
            log_path=None,
            has_document=False,
            headless_streams={sys.stdout, sys.stderr},
        )

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
        print(f"\n== {self.render_sentence('profiles.heading', name=self.hospital)} ==", file=stream)

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
        """Return the values of a JSON object with the profile they belong to, where one is chosen."""
        return (
            values if self.profile is None and self.several is None else {"profile": self.profile, **values}
        )

    @property
    def hospital(self) -> str:
        """The name of this session's hospital among several."""
        return self.name_hospital(self.profile)

    def name_hospital(self, profile: str | None) -> str:
        """Return a hospital as people read it; that of the top level has no name of its own."""
        return profile or self.render_sentence("profiles.top")

    # -- configuration

    @property
    def config_name(self) -> Path:
        """The file of the configuration."""
        return self.config_path or DEFAULT_CONFIG

    def read_config_if_any(self) -> Config | None:
        """Return the configuration, or None where none is named and none lies in the current folder."""
        if self.config_path:
            _require_file(self.config_path)
        return self.read_config(self.config_name) if self.config_path or DEFAULT_CONFIG.exists() else None

    def require_config(self) -> Config:
        """Return the configuration; UsageError where there is none."""
        config = self.read_config_if_any()
        if config is None:
            raise UsageError("no_config", folder=Path.cwd(), then=("init",))
        return config

    def require_ready_config(self) -> Config:
        """Return a configuration that names application, organisation and operator; UsageError else."""
        from pipeline.config.named_paths import require_ready

        config = self.require_config()
        require_ready(config, self.config_name)
        return config

    def read_config(self, path: Path | None) -> Config:
        """Return the configuration of this session's hospital."""
        config = self.open_config_file(path).load(self.profile)
        if self.several is None:
            return config
        rate = {"requests_per_second": self.several.requests_per_second}
        limits = config.limits.model_copy(update=rate)
        return config.model_copy(update={"limits": limits})

    def open_config_file(self, path: Path | None) -> ConfigFile:
        """Read a configuration file once."""
        from pipeline.config.settings import ConfigFile

        if path not in self.config_files:
            try:
                self.config_files[path] = ConfigFile(path, os.environ)
            except ConfigError as error:
                if path is None or error.faults[0].key not in OTHER_FILES:
                    raise
                raise UsageError("config_is_another_file", path=path) from error
        return self.config_files[path]

    # -- how the program is called

    @property
    def invocation(self) -> str:
        """How the program was called, for the commands that are suggested."""
        is_module = Path(sys.argv[0]).name == "__main__.py"
        program = (Path(sys.executable).stem, "-m", "pipeline") if is_module else (PROGRAM,)
        config = ("--config", str(self.config_path)) if self.config_path else ()
        profile = ("--profile", self.profile) if self.profile else ()
        return join([*program, *config, *profile])


def _require_file(path: Path) -> None:
    """Raise UsageError for a configuration that is not there, or is a folder."""
    from pipeline.config.named_paths import no_such_path

    if not path.exists():
        raise no_such_path(path)
    if path.is_dir():
        raise UsageError("config_is_a_folder", path=path)


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
