"""The progress of a run, for the worker that started it: the time of a file changes while the run gets on.

It changes where a run has read a row, examined a picture, got an answer or a slot, or committed; never by a timer. A run that
hangs leaves the file as it is, whatever keeps it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

VARIABLE = "ESIGN_RUN_PROGRESS"  # of the environment of a run: the file whose time shows its progress

_path: str | None = None


def enable_progress_file(environment: Mapping[str, str]) -> None:
    """Record progress from now on, in a process that a worker watches."""
    global _path  # noqa: PLW0603 - a process has one run that a worker watches
    _path = environment.get(VARIABLE)


def record_progress() -> None:
    """Record that the run gets on."""
    if _path is not None:
        with suppress(OSError):  # its worker is gone
            os.utime(_path)
