"""Starts this Python again for a piece of work whose input it gets on standard input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO


def make_python_command(program: str, task: Mapping[str, object]) -> list[str]:
    """Return the words that run a line of Python; ``sys.argv[1]`` is the task as JSON, this process's search path in it.

    -S: the child takes that path, not the one that site.py would make.
    """
    package = str(Path(__file__).parents[2])
    path = [os.path.abspath(entry) for entry in (*sys.path, package)]  # noqa: PTH100  "" is the current folder
    return [sys.executable, "-I", "-S", "-c", program, json.dumps({**task, "path": path})]


def start_child(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a child out of reach of the terminal's Ctrl-C, which goes to this process. Raises OSError."""
    return subprocess.Popen(  # noqa: S603  the program is this one
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def feed_child(stream: IO[bytes], data: bytes) -> None:
    """Write a child its input; one that ended already needs it no more."""
    with suppress(OSError):
        stream.write(data)
    with suppress(OSError):
        stream.close()
