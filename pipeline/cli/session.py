"""One command's surroundings: its configuration, its language, where it speaks."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import click

from pipeline.cli.words import word
from pipeline.clock import Clock, SystemClock
from pipeline.config import Config, load
from pipeline.errors import EsignImportError, UsageError
from pipeline.session import PROGRAM, locale_language

DEFAULT = Path("config.yaml")


@dataclass(slots=True)
class Session:
    """The global options; stdout is for data, everything said goes to stderr."""

    config_path: Path | None = None
    lang: str | None = None
    verbose: bool = field(default=False, kw_only=True)
    quiet: bool = field(default=False, kw_only=True)
    as_json: bool = field(default=False, kw_only=True)
    clock: Clock = field(default_factory=SystemClock, kw_only=True)
    _configured: str | None = field(default=None, init=False)

    @property
    def language(self) -> str:
        """``--lang``, else the configuration's, else the locale's: ``zh`` or ``en``."""
        if chosen := self.lang or self._configured or os.environ.get("PIPELINE_LANGUAGE"):
            return chosen
        return locale_language()

    def say(self, key: str, **details: object) -> None:
        """Say a sentence on stderr, unless ``-q``."""
        if not self.quiet:
            click.echo(word(key, self.language, **details), err=True)

    def word(self, key: str, **details: object) -> str:
        """Return a sentence in the session's language."""
        return word(key, self.language, **details)

    def alarm(self, key: str, **details: object) -> None:
        """Say a sentence on stderr also with ``-q``: somebody has to know."""
        click.echo(word(key, self.language, **details), err=True)

    def fail(self, trouble: EsignImportError) -> None:
        """Say why a command ends, also with ``-q``."""
        click.echo(trouble.say(self.language), err=True)

    def config(self) -> Config:
        """Return the configuration; UsageError where there is none."""
        found = self.config_if_any()
        if found is None:
            raise usage("no_config")
        return found

    def config_if_any(self) -> Config | None:
        """Return the configuration, or None where none is named and none lies in the current folder."""
        path = self.config_path or (DEFAULT if DEFAULT.exists() else None)
        if path is None:
            return None
        config = load(path, os.environ)
        self._configured = config.language
        return config

    @property
    def invocation(self) -> str:
        """How the program was called, for the commands that are suggested."""
        program = PROGRAM
        if shutil.which(program) is None:  # installed, but its folder is not on the PATH
            called = Path(sys.argv[0])
            program = str(called) if called.name == program else f"{sys.executable} -m pipeline"
        return f"{program} --config {shlex.quote(str(self.config_path))}" if self.config_path else program

    @property
    def config_name(self) -> Path:
        """The file that `config` reads."""
        return self.config_path or DEFAULT


def usage(key: str, **details: object) -> UsageError:
    """Make a UsageError of a catalogued sentence."""
    return UsageError(word(key, "en", **details), word(key, "zh", **details))
