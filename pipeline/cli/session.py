"""One command's surroundings: its configuration, its language, where it speaks."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import language
from pipeline.clock import Clock, SystemClock
from pipeline.config import Config, load
from pipeline.errors import EsignImportError, UsageError
from pipeline.results.privacy import mask_text
from pipeline.session import PROGRAM
from pipeline.shell import join, quote
from pipeline.words.cli import word

DEFAULT = Path("config.yaml")


@dataclass(slots=True)
class Session:
    """The global options; stdout is for data, everything said goes to stderr."""

    config_path: Path | None = None
    lang: str | None = None
    arguments: tuple[str, ...] = field(default=(), kw_only=True)
    verbose: bool = field(default=False, kw_only=True)
    quiet: bool = field(default=False, kw_only=True)
    as_json: bool = field(default=False, kw_only=True)
    clock: Clock = field(default_factory=SystemClock, kw_only=True)

    @property
    def language(self) -> str:
        """The language of the results: ``zh`` or ``en``, by default the locale's."""
        return self.lang or language.of_locale(os.environ)

    @property
    def spoken(self) -> str:
        """The language of what is said here: the same, unless the console cannot write it."""
        return speakable(self.language)

    def say(self, key: str, **details: object) -> None:
        """Say a sentence on stderr, unless ``-q``."""
        if not self.quiet:
            self.alarm(key, **details)

    def word(self, key: str, **details: object) -> str:
        """Return a sentence in the language that is spoken."""
        return word(key, self.spoken, **details)

    def alarm(self, key: str, **details: object) -> None:
        """Say a sentence on stderr also with ``-q``: somebody has to know."""
        self.write(self.word(key, **details))

    def fail(self, trouble: EsignImportError) -> None:
        """Say why a command ends, also with ``-q``."""
        self.write(trouble.say(self.spoken))

    def then(self, text: str, command: str) -> None:
        """Say what to do next; its command ends what is said, alone on its line, to be typed as it stands."""
        self.say("next", text=text)
        self.say("command", command=command)

    def proceed(self, key: str, *words: str) -> None:
        """Say what to do next, with a command of this program."""
        self.then(self.word(key), f"{self.invocation} {join(words)}")

    @staticmethod
    def write(text: str) -> None:
        """Write a line to stderr as the console can: click would take an ASCII one for UTF-8."""
        with suppress(OSError):  # whoever read it has gone; that is no reason to end a night
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - the one place that speaks

    def config(self) -> Config:
        """Return the configuration; UsageError where there is none."""
        found = self.config_if_any()
        if found is None:
            raise usage("no_config", then=("demo",))
        return found

    def config_if_any(self) -> Config | None:
        """Return the configuration, or None where none is named and none lies in the current folder."""
        path = self.config_path or (DEFAULT if DEFAULT.exists() else None)
        if path is None:
            return None
        return load(path, os.environ)

    @property
    def program(self) -> str:
        """What to type to call the program, before any option."""
        if shutil.which(PROGRAM) is not None:
            return PROGRAM
        called = Path(sys.argv[0])  # installed, but its folder is not on the PATH
        return quote(str(called)) if called.stem == PROGRAM else f"{quote(sys.executable)} -m pipeline"

    @property
    def invocation(self) -> str:
        """How the program was called, for the commands that are suggested."""
        return f"{self.program} --config {quote(str(self.config_path))}" if self.config_path else self.program

    @property
    def again(self) -> str:
        """The command as it was typed."""
        return mask_text(f"{self.program} {join(self.arguments)}")

    @property
    def config_name(self) -> Path:
        """The file that `config` reads."""
        return self.config_path or DEFAULT


def speakable(chosen: str) -> str:
    """Return the language, or ``en`` where the console cannot write Chinese: question marks help nobody."""
    for stream in (sys.stdout, sys.stderr):
        try:
            "中文".encode(getattr(stream, "encoding", None) or "utf-8")
        except (UnicodeEncodeError, LookupError):
            return "en"
    return chosen


def usage(key: str, *, then: tuple[str, ...] = (), **details: object) -> UsageError:
    """Make a UsageError of a catalogued sentence; ``then`` are the words of the command to type next."""
    return UsageError(word(key, "en", **details), word(key, "zh", **details), then=then)
