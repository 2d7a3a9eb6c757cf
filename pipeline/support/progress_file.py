"""The progress of a run, for the worker or the page that started it: a file whose time changes while the run gets on.

It changes where a run has read a row, examined a picture, got an answer or a slot, or committed; never by a timer. A run that
hangs leaves the file as it is, whatever keeps it. Once the run sends, the file holds its numbers; they are written again only
where they have changed. The file of a `check` holds its step.
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
_has_steps = False


def enable_progress_file(environment: Mapping[str, str], *, steps: bool = False) -> None:
    """Record progress from now on, in a process that a worker or the page watches; with ``steps`` also by `write_step`."""
    global _path, _has_steps
    _path, _has_steps = environment.get(VARIABLE), steps


def is_enabled() -> bool:
    """Return whether this process is watched."""
    return _path is not None


def record_progress() -> None:
    """Record that the run gets on."""
    if _path is not None:
        with suppress(OSError):  # its worker is gone
            os.utime(_path)


def write_step(step: str, done: int | None = None, total: int | None = None) -> None:
    """Write which step a check has reached, and how much of it is done."""
    if _has_steps:
        write_progress({"step": step, "done": done, "total": total})


def write_progress(numbers: Mapping[str, object]) -> None:
    """Write the numbers of the run, which have changed; they hold no name. What the disk refuses is left out."""
    if _path is None:
        return
    draft = f"{_path}.new"
    with suppress(OSError):
        with open(draft, "w", encoding="utf-8", opener=partial(os.open, mode=0o600)) as file:
            json.dump(numbers, file)
        Path(draft).replace(_path)
