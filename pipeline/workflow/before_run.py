"""Calls the command that fetches or prepares the rosters, before a run reads them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import PreparationFailed

MAX_MINUTES = 30
_SHOWN_BYTES = 500  # of the end of what the command printed


def call_before_run(command: str, folder: Path) -> None:
    """Call a command of the shell in a folder, that of the configuration, and wait for its end.

    Raises PreparationFailed where it ends with another exit code than 0, or takes longer than `MAX_MINUTES`.
    """
    # a file, since a pipe stays open as long as any process that the command has started
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S602 - the configuration is the operator's
            command,
            shell=True,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(MAX_MINUTES * 60)
        except subprocess.TimeoutExpired as error:
            _end(process)
            shown = _read_end(output)
            raise PreparationFailed(
                "before_run.too_long", command=command, minutes=MAX_MINUTES, output=shown
            ) from error
        except BaseException:  # a Ctrl-C
            _end(process)
            raise
        if code:
            raise PreparationFailed("before_run.failed", command=command, code=code, output=_read_end(output))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command with the processes that it has started, where the system has groups of them."""
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read_end(output: BinaryIO) -> str:
    """Return the end of what was printed, as one line."""
    output.seek(max(0, output.seek(0, os.SEEK_END) - _SHOWN_BYTES))
    return " ".join(output.read().decode(errors="replace").split())
