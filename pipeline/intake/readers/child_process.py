"""Reads one roster file in a disposable child process, bounded in memory, time and output.

The libraries for the rare formats trust what they read: a stray cell can cost them all memory, a damaged record can
end the process. In a child that costs the file and nothing else. A watcher thread bounds the child on every system,
also where there are no limits of POSIX.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from pipeline.clock import SystemClock
from pipeline.errors import FileRefused, NotReadNow
from pipeline.intake.readers.child import CHILD_ARGUMENT
from pipeline.intake.readers.model import MAX_CELLS, make_danger_refusal
from pipeline.messages.texts import TEXTS, make_text

MAX_MEMORY = 1_000_000_000  # bytes: 200,000 rows take a quarter of it in the greediest reader
MAX_SECONDS = 120  # of processor time: 200,000 rows of HTML take 45
MAX_WAIT = 600  # seconds by the clock, on a machine that is busy with other things
MAX_OUTPUT = 1_000_000_000  # bytes; 3.5 million cells are about 200 million
_MAX_LINE = 100_000_000  # bytes of one row
_MAX_FACTS = 10_000  # lines that are no rows: one for each sheet, and those of the file
_PERIOD = 0.02  # seconds between two looks at the child: 60 MB are the most that it was seen to grow in them

# -S: the child gets the parent's search path, not the one that site.py would make
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1])['path'];"
    "from pipeline.intake.readers.child.program import main; main(sys.argv[1])"
)
# variables that a frozen program, Windows or a loader of libraries needs; no secret reaches the child
_VARIABLES = ("_MEIPASS", "_PYI", "DYLD_", "LD_LIBRARY_PATH", "PATH", "SYSTEMROOT", "TEMP", "TMP")


@dataclass(frozen=True, slots=True)
class ChildSheet:
    """A sheet as the child wrote it: its rows as lines of JSON, and the object behind them."""

    facts: Mapping[str, Any]
    rows: list[bytes] = field(repr=False)


@dataclass(slots=True)
class ChildBook:
    """What the child found in a file."""

    sheets: list[ChildSheet] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)  # that concern the whole file


def read_in_child(kind: str, data: bytes, *, max_rows: int) -> ChildBook:
    """Read a file of a kind that ``child.program`` has a reader for.

    Raises FileRefused FILE_SUSPICIOUS for one over which the child broke down or went over its limits, and the
    refusal of the child for any other that cannot be read; NotReadNow where no child can be started.
    """
    task = {
        "kind": kind,
        "max_rows": max_rows,
        "max_cells": MAX_CELLS,
        "max_memory": MAX_MEMORY,
        "max_seconds": MAX_SECONDS + 1,  # the watcher is first, and knows why
    }
    try:
        process = _start_child(task)
    except OSError as error:
        raise NotReadNow(error) from error
    watcher = _Watcher(process)
    assert process.stdin is not None
    assert process.stdout is not None
    feeder = threading.Thread(target=_feed_child, args=(process.stdin, data), daemon=True)
    feeder.start()
    try:
        book = collect_output(process.stdout, max_lines=max_rows + _MAX_FACTS)
    except ValueError as error:  # no line of JSON: the child is no longer what it was
        raise make_danger_refusal("file.records") from error
    finally:
        process.kill()
        process.wait()
        watcher.stop()
        feeder.join()
        process.stdout.close()
    if not book.facts.get("ready"):
        raise NotReadNow(OSError("the process that reads the file does not start"))
    if book.facts.get("refused"):
        raise _make_refusal(book.facts)
    if not book.facts.get("complete"):
        raise FileRefused(
            "FILE_SUSPICIOUS",
            {"found": watcher.exceeded or make_text("file.reader_exit", code=process.returncode)},
        )
    return book


def _make_refusal(facts: Mapping[str, Any]) -> FileRefused:
    """Return the refusal that the child found; its words are keys of ``messages.texts`` where they have one."""
    code, finding, arguments = str(facts["refused"]), str(facts["finding"]), facts["arguments"]
    if not finding:
        return FileRefused(code)
    detail = {"found": make_text(finding, **arguments) if finding in TEXTS else finding}
    if code == "FILE_TOO_LARGE":
        detail["limit"] = make_text(finding.replace("file.too_many_", "limit."), **arguments)
    return FileRefused(code, detail)


def _start_child(task: Mapping[str, object]) -> subprocess.Popen[bytes]:
    """Start the child: this Python with the parent's search path, or the frozen program itself."""
    if getattr(sys, "frozen", False):
        command = [sys.executable, CHILD_ARGUMENT, json.dumps(task)]
    else:
        package = str(Path(__file__).parents[3])
        path = [os.path.abspath(entry) for entry in (*sys.path, package)]  # noqa: PTH100  "" is the current folder
        command = [sys.executable, "-I", "-S", "-c", _START, json.dumps({**task, "path": path})]
    return subprocess.Popen(  # noqa: S603  the program is this one
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name.upper().startswith(_VARIABLES)},
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def _feed_child(stream: IO[bytes], data: bytes) -> None:
    """Write the file to the child; one that ended already needs it no more."""
    with suppress(OSError):
        stream.write(data)
    with suppress(OSError):
        stream.close()


def collect_output(stream: IO[bytes], *, max_lines: int) -> ChildBook:
    """Read the child's output to its end, or to its limits."""
    book = ChildBook()
    rows: list[bytes] = []
    size = 0
    for _ in range(max_lines):
        line = stream.readline(_MAX_LINE)
        size += len(line)
        if size > MAX_OUTPUT or not line.endswith(b"\n"):
            break
        if line.startswith(b"["):
            rows.append(line)
            continue
        facts = json.loads(line)
        if "sheet" in facts:
            book.sheets.append(ChildSheet(facts, rows))
            rows = []
        else:
            book.facts |= facts
    return book


class _Watcher:
    """A thread that kills the child when it takes too much memory or time."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.exceeded = ""  # the limit that the child went over
        self._process = process
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch_child, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join()

    def _watch_child(self) -> None:
        import psutil  # noqa: PLC0415  only files of rare formats need it

        clock = SystemClock()
        end = clock.monotonic() + MAX_WAIT
        with suppress(psutil.Error):
            child = psutil.Process(self._process.pid)
            while not self._stopped.wait(_PERIOD):
                times = child.cpu_times()
                if child.memory_info().rss > MAX_MEMORY:
                    self.exceeded = make_text("file.reader_memory", limit=MAX_MEMORY // 1_000_000)
                elif times.user + times.system > MAX_SECONDS:
                    self.exceeded = make_text("file.reader_time", limit=MAX_SECONDS)
                elif clock.monotonic() > end:
                    self.exceeded = make_text("file.reader_time", limit=MAX_WAIT)
                else:
                    continue
                self._process.kill()
                return
