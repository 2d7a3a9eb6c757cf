"""Starts this program itself as a child process: a run of a worker, a check or a run of the page."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO


def list_own_words(config_path: Path, language: str | None = None) -> list[str]:
    """Return the words that start this program, frozen or not, for one hospital; the command follows them."""
    program = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "pipeline"]
    words = [*program, "--config", str(config_path)]
    if language:
        words += ["--lang", language]
    return words


def start_own_program(
    words: list[str],
    *,
    stdout: int | IO[str] = subprocess.PIPE,
    stderr: int | IO[str] = subprocess.PIPE,
    variables: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start a child in a session of its own: a Ctrl-C on the terminal goes to this process alone. Raises OSError.

    What it prints is UTF-8. ``variables`` are added to the environment.
    """
    flags = subprocess.CREATE_NEW_PROCESS_GROUP if os.name == "nt" else 0  # type: ignore[attr-defined,unused-ignore]
    return subprocess.Popen(  # noqa: S603 - this program itself
        words,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONUTF8": "1", **(variables or {})},
        start_new_session=True,
        creationflags=flags,
    )


def interrupt_program(pid: int) -> None:
    """Send a process what Ctrl-C sends; on Windows it must have been started by this process. Raises OSError."""
    os.kill(pid, signal.CTRL_BREAK_EVENT if os.name == "nt" else signal.SIGINT)  # type: ignore[attr-defined,unused-ignore]


def runs_with_word(pid: int, word: str) -> bool:
    """Return whether a process runs that has a word in its command line: the number may be another process's by now."""
    import psutil  # noqa: PLC0415 - a run does not need it

    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and word in process.cmdline()
    return False


def has_begun_before(pid: int, moment: float) -> bool:
    """Return whether a process runs that began before a moment (unix seconds, rounded): a later one has only got its number."""
    import psutil  # noqa: PLC0415 - a run does not need it

    with suppress(psutil.Error):
        return bool(psutil.Process(pid).create_time() <= moment + 1)
    return False
