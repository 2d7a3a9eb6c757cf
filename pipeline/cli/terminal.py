"""What a terminal gets: lines broken between words at its width, and colour by meaning.

A pipe or a log gets every text as it is: one fact a line, without colour. ``NO_COLOR`` and ``FORCE_COLOR`` choose the colour
whatever the stream is; where both are set, there is none.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from pathlib import PurePath
from typing import TextIO

from pipeline.domain.message import Message
from pipeline.support.terminal_text import measure_width, wrap_line

USUAL_COLUMNS = 80  # of a terminal whose width is unknown
MAX_COLUMNS = 100  # longer lines are hard to read
FEWEST_COLUMNS = 40
MARGIN = 2  # columns that stay empty at the right, as in the help
HANG = 2  # blanks before the second line of a paragraph without a bullet
COMMANDS = frozenset({"command", "program"})  # names of details that are typed as they stand
# names of details that are paths, also where a blank is in them
PATHS = frozenset({"copy", "file", "folder", "inbox", "out", "path", "place", "roster", "seals", "template"})

_STOPS = r"\uff0c\u3002\uff1b\uff1a\u3001"  # of Chinese: comma, full stop, semicolon, colon, comma of lists
# what begins a line of a list; its other lines begin below the text
_BULLET = re.compile(r" *(?:(?:->|[-+~*·]|\[[^\]]+\]|\d+\.) +)?")
_COLUMN = re.compile(r" *\S.*? {2,}(?=\S)")  # the left one of two columns
_LABEL = re.compile(
    r" *(?:\[[^\]]+\]|(?:[^:\uff1a\u3002.\n]|\.(?=\S)){1,60}?[:\uff1a](?=[ \n]|[^\x00-\x7f]))"
)
_PATH = re.compile(rf"(?:[A-Za-z]:|[.~])?(?:[/\\][^\s/\\{_STOPS}\uff08\uff09“”]+){{2,}}")
_PATH_VALUE = re.compile(rf"[^\n{_STOPS}]*(?:[/\\]|\.[A-Za-z0-9]{{2,5}}$)[^\n{_STOPS}]*")
_LIST_OF_PATHS = re.compile(r"[,;] ")
# a command in a sentence, with its options and the names of its arguments
_COMMAND = re.compile(
    r"`[^`\n]+`|(?<![\w/-])esign-import(?: -[-\w]+(?: \S*[/\\.]\S*)?)*(?: (?:ledger|config|notify|schedule))? [a-z]+"
    r"(?: (?:-[-\w]+|[A-Z_]{2,}|\d+|systemd|cron|windows)(?!\w))*"
)


class Tone(StrEnum):
    """A meaning, as the terminal's code for its colour."""

    DONE = "32"  # green
    NEEDS_PERSON = "33"  # amber
    FAULT = "31"  # red
    TYPED = "1"  # bold: what to type next


# of messages that always have the same meaning
TONES: Mapping[str, Tone] = {
    "bug": Tone.FAULT,
    "command": Tone.TYPED,
    "copy_held": Tone.NEEDS_PERSON,
    "doctor.line.fault": Tone.FAULT,
    "doctor.line.ok": Tone.DONE,
    "doctor.line.warning": Tone.NEEDS_PERSON,
    "file_partly": Tone.NEEDS_PERSON,
    "file_refused": Tone.FAULT,
    "forecast_guarded": Tone.NEEDS_PERSON,
    "kept_edits": Tone.NEEDS_PERSON,
    "ledger_sound": Tone.DONE,
    "locale": Tone.FAULT,
    "locale_names": Tone.NEEDS_PERSON,
    "misused": Tone.FAULT,
    "no_doctors": Tone.NEEDS_PERSON,
    "no_rosters": Tone.FAULT,
    "no_seals": Tone.NEEDS_PERSON,
    "outage_began": Tone.NEEDS_PERSON,
    "outage_over": Tone.DONE,
    "outage_paused": Tone.NEEDS_PERSON,
    "pictures_unread": Tone.NEEDS_PERSON,
    "resolved": Tone.DONE,
    "run_halted": Tone.FAULT,
    "run_refused": Tone.FAULT,
    "status_lost": Tone.FAULT,
    "status_unknown": Tone.NEEDS_PERSON,
    "unread": Tone.NEEDS_PERSON,
    "warning": Tone.NEEDS_PERSON,
}
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


def lay_out(text: str, stream: TextIO, *, whole: Collection[str] = (), tone: Tone | None = None) -> str:
    """Return a text as a stream shows it; the texts ``whole`` stay on one line each, to be copied."""
    if stream.isatty():
        width = _measure_stream(stream)
        text = "\n".join(line for long in text.split("\n") for line in _wrap(long, width, whole))
    return _paint(text, tone) if tone is not None and _is_coloured(stream) else text


def list_whole_texts(details: Mapping[str, object]) -> set[str]:
    """Return what stays on one line among the details of a message: commands, paths, file names and addresses."""
    texts: set[str] = set()
    for name, value in details.items():
        if isinstance(value, Message):
            texts |= list_whole_texts(value.arguments)
        elif name in COMMANDS or isinstance(value, PurePath):
            texts.add(str(value))
        elif isinstance(value, str) and _is_path(name, value):
            texts.add(value)
    return texts - {""}


def _is_path(name: str, value: str) -> bool:
    """Return whether a detail with this name is one path, file name or address."""
    if " " in value and (name not in PATHS or _LIST_OF_PATHS.search(value)):
        return False
    return _PATH_VALUE.fullmatch(value) is not None


def _measure_stream(stream: TextIO) -> int:
    """Return how wide a line on a terminal may be."""
    columns = os.environ.get("COLUMNS", "")
    try:
        width = int(columns) if columns.isdecimal() else os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        width = 0
    return max(min(width or USUAL_COLUMNS, MAX_COLUMNS), FEWEST_COLUMNS) - MARGIN


def _wrap(line: str, width: int, whole: Collection[str]) -> Iterator[str]:
    """Yield the lines into which one breaks, the others below the text of the first."""
    if measure_width(line) <= width:
        yield line
        return
    whole = {*whole, *_PATH.findall(line), *_COMMAND.findall(line)}
    indent = len(line) - len(line.lstrip(" "))
    bullet = _BULLET.match(line)
    hang = measure_width(bullet[0]) if bullet is not None and bullet[0].strip() else indent + HANG
    column = _COLUMN.match(line)
    if column is not None and not (bullet is not None and bullet[0] == column[0]):
        if (
            measure_width(column[0]) > width / 2
        ):  # too wide for a text beside it: what is typed, and its meaning
            yield column[0].rstrip()
            line, hang = " " * (indent + 2 * HANG) + line[column.end() :], indent + 2 * HANG
        else:
            whole, hang = {*whole, column[0].strip()}, measure_width(column[0])
    yield from wrap_line(line, width, hang, whole)


def _is_coloured(stream: TextIO) -> bool:
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


def _paint(text: str, tone: Tone) -> str:
    """Return a text with its label in colour, or all of it where it has none."""
    label = _LABEL.match(text)
    end = len(text) if label is None else label.end()
    painted = [_paint_line(line, tone) for line in text[:end].split("\n")]
    return "\n".join(painted) + text[end:]


def _paint_line(line: str, tone: Tone) -> str:
    words = line.lstrip(" ")
    return f"{line[: len(line) - len(words)]}\x1b[{tone}m{words}\x1b[0m" if words else line
