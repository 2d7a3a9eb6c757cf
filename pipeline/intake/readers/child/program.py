"""The program of the child process, which does one task with one roster file.

It gets a `Task` on standard input, and writes what that returns, or a FileRefused, on standard output; both are pickled.
It writes `READY` first.
"""

from __future__ import annotations

import pickle
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import NamedTuple

from pipeline.errors import FileRefused
from pipeline.intake.readers.model import (
    MAX_COLUMN,
    MAX_MERGES,
    MAX_TEXT,
    Line,
    Sheet,
    make_danger_refusal,
    make_text_refusal,
)

READY = b"\n"
_MAX_FILE = 100_000_000  # bytes: msoffcrypto decrypts an .xls into a temporary file


class Task(NamedTuple):
    """What a child process has to do."""

    function: Callable[[], object]  # of a module, with its arguments
    max_memory: int  # bytes
    max_seconds: float  # of processor time


class Reading(NamedTuple):
    """What a file holds: each sheet without its lines, and its lines, each pickled by itself."""

    sheets: list[tuple[Sheet, list[bytes]]]
    notes: tuple[str, ...]


def main() -> None:
    """Do the task on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the parent's to answer
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    task: Task = pickle.load(sys.stdin.buffer)  # noqa: S301  the parent is this program
    _limit_resources(task.max_memory, task.max_seconds)
    pickle.dump(do_task(task), sys.stdout.buffer)
    sys.stdout.buffer.flush()


def do_task(task: Task) -> object:
    """Return what the function returns, or why the file is refused."""
    try:
        return task.function()
    except FileRefused as refusal:
        return refusal
    except MemoryError:
        return make_danger_refusal("file.reader_memory", limit=task.max_memory // 1_000_000)


def read_sheets(kind: str, data: bytes) -> Reading:
    """Return what a file of a kind holds."""
    reader = import_module(f"{__package__}.{kind}")  # only its library is loaded
    try:
        book = reader.read(data)
        return Reading([_pack_sheet(sheet) for sheet in book.sheets], book.notes)
    except (FileRefused, MemoryError):
        raise
    except Exception as error:  # whatever a damaged file leads to
        raise FileRefused("FILE_CORRUPT", {"found": reader.DAMAGED}) from error


def _pack_sheet(sheet: Sheet) -> tuple[Sheet, list[bytes]]:
    lines = [_pack_line(line) for line in sheet.lines]
    if len(sheet.merges) > MAX_MERGES:
        raise make_danger_refusal("file.too_many_merged", limit=MAX_MERGES)
    return replace(sheet, lines=iter(())), lines


def _pack_line(line: Line) -> bytes:
    for column, cell in line.cells.items():
        if column >= MAX_COLUMN:
            raise make_danger_refusal("file.row_too_wide", row=line.number, limit=MAX_COLUMN)
        if len(cell.display_text) > MAX_TEXT:
            raise make_text_refusal(column, line.number, len(cell.display_text))
    return pickle.dumps(line)


def _limit_resources(max_memory: int, max_seconds: float) -> None:
    """Bound memory, processor time and files on POSIX; elsewhere the parent's watcher is the bound."""
    try:
        import resource  # noqa: PLC0415  absent on Windows
    except ImportError:
        return
    # the watcher is first, and knows why
    limits = {
        "RLIMIT_AS": max_memory,
        "RLIMIT_CPU": int(max_seconds) + 1,
        "RLIMIT_FSIZE": _MAX_FILE,
        "RLIMIT_CORE": 0,
    }
    for name, limit in limits.items():
        try:
            kind = getattr(resource, name)
            hard = resource.getrlimit(kind)[1]
            value = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(kind, (value, value))
        except (AttributeError, OSError, ValueError):  # macOS has no bound on memory
            continue
