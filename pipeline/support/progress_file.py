"""The progress of a run, for the worker or the page that started it: a file whose time changes while the run gets on.

It changes where a run has read a row, examined a picture, got an answer or a slot, or committed; never by a timer. A run that
hangs leaves the file as it is, whatever keeps it. Once the run sends, the file holds its numbers; they are written again only
where they have changed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

VARIABLE = "ESIGN_RUN_PROGRESS"  # of the environment of a run: the file that shows its progress

_path: str | None = None


def enable_progress_file(environment: Mapping[str, str]) -> None:
    """Record progress from now on, in a process that a worker or the page watches."""
    global _path  # noqa: PLW0603 - a process has one run that is watched
    _path = environment.get(VARIABLE)


def is_enabled() -> bool:
    """Return whether this process is watched."""
    return _path is not None


def record_progress() -> None:
    """Record that the run gets on."""
    if _path is not None:
        with suppress(OSError):  # its worker is gone
            os.utime(_path)


def write_progress(numbers: Mapping[str, object]) -> None:
    """Write the numbers of the run, which have changed; they hold no name. What the disk refuses is left out."""
    if _path is None:
        return
    draft = f"{_path}.new"
    with suppress(OSError):
        with open(draft, "w", encoding="utf-8", opener=partial(os.open, mode=0o600)) as file:
            json.dump(numbers, file)
        Path(draft).replace(_path)
