"""The colour of what a terminal gets, by its meaning; lines are broken by the terminal itself.

A pipe or a log gets every text without colour. ``NO_COLOR`` and ``FORCE_COLOR`` choose the colour whatever the stream is; where
both are set, there is none.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import TextIO

import click

_LABEL = re.compile(r"[^:\uff1a\u3002\n]*(?:\uff1a|:(?= ))")


class Tone(StrEnum):
    """A meaning, as click's name of its colour."""

    DONE = "green"
    NEEDS_PERSON = "yellow"
    FAULT = "red"
    TYPED = "bold"  # no colour: what to type next


# of rows by the value of their status
STATUS_TONES: Mapping[str, Tone] = {
    "sealed": Tone.DONE,
    "unchanged": Tone.DONE,
    "changed": Tone.NEEDS_PERSON,
    "rejected": Tone.NEEDS_PERSON,
    "unknown": Tone.NEEDS_PERSON,
    "exists": Tone.NEEDS_PERSON,
    "not_sent": Tone.NEEDS_PERSON,
    "failed": Tone.FAULT,
}
# of runs by their exit code; all others are faults
EXIT_TONES: Mapping[int, Tone] = {0: Tone.DONE, 3: Tone.NEEDS_PERSON, 5: Tone.NEEDS_PERSON}


def paint(text: str, tone: Tone | None, stream: TextIO) -> str:
    """Return a text for a stream with its label in colour, or its first line where it has none."""
    if tone is None or not is_coloured(stream):
        return text
    if tone is Tone.TYPED:
        return click.style(text, bold=True)
    label = _LABEL.match(text)
    end = len(text.partition("\n")[0]) if label is None else label.end()
    return click.style(text[:end], fg=tone.value) + text[end:]


def is_coloured(stream: TextIO) -> bool:
    """Return whether a text on a stream has colour."""
    if os.environ.get("NO_COLOR"):
        return False
    if forced := os.environ.get("FORCE_COLOR"):
        return forced not in {"0", "false"}
    return stream.isatty() and os.environ.get("TERM") != "dumb" and _accepts_codes(stream)


def _accepts_codes(stream: TextIO) -> bool:
    """Return whether a terminal reads codes for colours; a console of Windows is asked to."""
    if sys.platform == "win32":
        import ctypes  # Windows alone
        import msvcrt

        handle = ctypes.c_void_p(msvcrt.get_osfhandle(stream.fileno()))
        mode, reads_codes = ctypes.c_ulong(), 4
        console = ctypes.windll.kernel32
        is_console = console.GetConsoleMode(handle, ctypes.byref(mode))
        return bool(is_console and console.SetConsoleMode(handle, mode.value | reads_codes))
    return True
