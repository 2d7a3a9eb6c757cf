"""One command's surroundings: its configuration, its language, where it speaks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from pipeline.cli.streams import GONE, let_go
from pipeline.clock import Clock, SystemClock
from pipeline.config import language
from pipeline.config.settings import Config, load
from pipeline.domain.masking import mask_text
from pipeline.errors import DiskTrouble, EsignImportError, UsageError, reason_of
from pipeline.messages.catalogue import say
from pipeline.messages.localized import Phrase
from pipeline.support.shell_quoting import join, quote
from pipeline.workflow.run_environment import PROGRAM

DEFAULT = Path("config.yaml")
PYTHONS = ("python", "python3")
ANSWERS = {"y": True, "yes": True, "n": False, "no": False, "": False}


@dataclass(slots=True)
class Session:
    """The global options; stdout is for data, everything said goes to stderr."""

    config_path: Path | None = None
    lang: str | None = None
    lang_given: bool = field(default=False, kw_only=True)  # by --lang
    arguments: tuple[str, ...] = field(default=(), kw_only=True)
    verbose: bool = field(default=False, kw_only=True)
    quiet: bool = field(default=False, kw_only=True)
    as_json: bool = field(default=False, kw_only=True)
    clock: Clock = field(default_factory=SystemClock, kw_only=True)
    made: tuple[str, int] = field(
        default=("", 0), kw_only=True
    )  # by a run that broke: its id, how many seals
    _rosters_lang: str | None = field(default=None, init=False)
    _warned: set[str] = field(default_factory=set, init=False)

    @property
    def language(self) -> str:
        """The language of the results: ``zh`` or ``en``, by default the locale's, else that of the rosters' titles."""
        return self.lang or language.of_locale(os.environ) or self._rosters_lang or "en"

    def hear_titles(self, titles: Iterable[str]) -> None:
        """Note the language of the rosters' titles, which counts where nothing else names one."""
        self._rosters_lang = language.of_titles(titles) or self._rosters_lang

    @property
    def spoken(self) -> str:
        """The language of what is said here: the same, unless the console cannot write it."""
        return speakable(self.language)

    def say(self, key: str, **details: object) -> None:
        """Say a sentence on stderr, unless ``-q``."""
        if not self.quiet:
            self.alarm(key, **details)

    def tell(self, key: str, **details: object) -> None:
        """Write a sentence that a command was asked for to stdout; with ``--json`` the same is told by `put_json`."""
        if not self.as_json:
            self.put(self.word(key, **details))

    def put_json(self, **told: Any) -> None:
        """Write one JSON object to stdout, where ``--json`` asks for it."""
        if self.as_json:
            self.put(json.dumps({"schema": 1, **told}, ensure_ascii=False))

    def word(self, key: str, **details: object) -> str:
        """Return a sentence in the language that is spoken."""
        return say(key, self.spoken, **details)

    def alarm(self, key: str, **details: object) -> None:
        """Say a sentence on stderr also with ``-q``: somebody has to know."""
        self.write(self.word(key, **details))

    def fail(self, trouble: EsignImportError) -> None:
        """Say why a command ends, also with ``-q``; a path in it may hold a number."""
        self.write(mask_text(trouble.say(self.spoken)))

    def warn(self, trouble: EsignImportError) -> None:
        """Say what is no reason to stop, also with ``-q``."""
        self.alarm("warning", text=mask_text(trouble.say(self.spoken)))

    @staticmethod
    def put(text: str, *, nl: bool = True) -> None:
        """Write data to stdout; whoever read it may have seen enough (`| head`), which is no trouble."""
        try:
            click.echo(text, nl=nl)
        except OSError as error:
            let_go(sys.stdout)
            if error.errno not in GONE:
                raise DiskTrouble("disk.stdout", why=reason_of(error)) from error

    def then(self, text: str, command: str) -> None:
        """Say what to do next; its command ends what is said, alone on its line, to be typed as it stands."""
        self.say("next", text=text)
        self.say("command", command=command)

    def proceed(self, key: str, *words: str) -> None:
        """Say what to do next, with a command of this program."""
        self.then(self.word(key), f"{self.invocation} {join(words)}")

    def agreed(self, key: str, **details: object) -> bool:
        """Ask a question; only a clear yes is one. Raises click.Abort where nobody answers.

        An event loop would hear a Ctrl-C only after the answer: while it is awaited, Ctrl-C ends the command as usual.
        """
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            text = f"{self.word(key, **details)} [y/N]"
            while (answer := _read_answer(text)) not in ANSWERS:
                self.alarm("answer_yes_or_no")
            return ANSWERS[answer]
        finally:
            signal.signal(signal.SIGINT, before)

    @staticmethod
    def write(text: str) -> None:
        """Write a line to stderr as the console can: click would take an ASCII one for UTF-8."""
        with suppress(OSError):  # the reader has gone, or the disk is full; that is no reason to end a night
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - the one place that speaks

    def config(self) -> Config:
        """Return the configuration; UsageError where there is none."""
        found = self.config_if_any()
        if found is None:
            raise UsageError("no_config", folder=Path.cwd(), then=("demo",))
        return found

    def config_if_any(self) -> Config | None:
        """Return the configuration, or None where none is named and none lies in the current folder."""
        path = self.config_path or (DEFAULT if DEFAULT.exists() else None)
        if path is None:
            return None
        return self.load(path)

    def load(self, path: Path | None) -> Config:
        """Read a configuration; what is to be warned of is said once, however often a command reads it."""
        return load(path, os.environ, warn=self._warn_of)

    def _warn_of(self, warning: Phrase) -> None:
        text = warning.say(self.spoken)
        if text not in self._warned:
            self._warned.add(text)
            self.alarm("warning", text=text)

    @property
    def program(self) -> str:
        """What to type to call the program, before any option."""
        called = Path(sys.argv[0])
        if called.stem == PROGRAM:
            return PROGRAM if _found_as(PROGRAM, called) else quote(str(called))
        if called.name != "__main__.py" and shutil.which(PROGRAM) is not None:
            return PROGRAM  # called by another program
        word = next((name for name in PYTHONS if _found_as(name, Path(sys.executable))), sys.executable)
        return f"{quote(word)} -m pipeline"

    @property
    def invocation(self) -> str:
        """How the program was called, for the commands that are suggested."""
        given = ("--config", quote(str(self.config_path))) if self.config_path else ()
        return " ".join((self.program, *given, *self._told_language))

    @property
    def caller(self) -> str:
        """What to type for a help, which reads no configuration."""
        return " ".join((self.program, *self._told_language))

    @property
    def _told_language(self) -> tuple[str, ...]:
        return ("--lang", self.lang) if self.lang and self.lang_given else ()

    @property
    def again(self) -> str:
        """The command as it was typed."""
        return f"{self.program} {join(self.arguments)}"

    def repeat(self, key: str) -> None:
        """Say that the same command is to be typed again; where a path holds a number it is not shown, and not typed."""
        if mask_text(self.again) == self.again:
            self.then(self.word(key), self.again)
        else:
            self.proceed("next_unshown", "status")

    @property
    def config_name(self) -> Path:
        """The file that `config` reads."""
        return self.config_path or DEFAULT


def _found_as(name: str, called: Path) -> bool:
    """Tell whether typing a name starts the very program that was called."""
    found = shutil.which(name)
    return found is not None and Path(found).absolute().with_suffix("") == called.absolute().with_suffix("")


def speakable(chosen: str) -> str:
    """Return the language, or ``en`` where the console cannot write Chinese: question marks help nobody."""
    for stream in (sys.stdout, sys.stderr):
        try:
            "中文".encode(getattr(stream, "encoding", None) or "utf-8")
        except (UnicodeEncodeError, LookupError):
            return "en"
    return chosen


def _read_answer(question: str) -> str:
    """Ask on stderr and return what was typed, in small letters; raises click.Abort where nobody answers."""
    typed: str = click.prompt(question, prompt_suffix=" ", default="", show_default=False, err=True)
    return typed.strip().lower()
