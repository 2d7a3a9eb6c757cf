"""Roster files of rare formats: read in a disposable child process, as locked workbooks are opened in one.

The libraries for these formats trust what they read: a stray cell can cost them all memory, a damaged record can end
the process. In a child, bounded in memory and time, that costs the file and nothing else. A watcher thread bounds the
child on every system, also where there are no limits of POSIX.
"""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from pipeline.clock import SystemClock
from pipeline.errors import FileRefused, NotReadNow
from pipeline.intake.readers.child import CHILD_ARGUMENT
from pipeline.intake.readers.child.program import READY, Task, read_sheets
from pipeline.intake.readers.compound_files import MAX_BYTES, OLE_MAGIC, Compound
from pipeline.intake.readers.detect import Kind, detect_charset
from pipeline.intake.readers.model import (
    Book,
    make_danger_refusal,
    make_results_refusal,
    make_size_refusal,
)
from pipeline.messages.areas import get_pair
from pipeline.messages.catalogue import make_message

MAX_SHEETS = 1_000
_HEAD = 1 << 14  # bytes in which a page declares its encoding; Excel writes its styles first
_DECLARED = re.compile(
    rb"<meta[^>]{1,500}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})|<\?xml[^>]{1,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})",
    re.IGNORECASE,
)
_XML_DECLARATION = re.compile(r"\A<\?xml\b[^>]*\?>")
_MIME = re.compile(rb"(?im)\A(?:[\w-]+:.*\r?\n(?:[ \t].*\r?\n)*)*?mime-version:")

MAX_MEMORY = 1_000_000_000  # bytes: 200,000 rows of 9 cells take three quarters of it in the greediest reader
MAX_SECONDS = 120  # of processor time: 200,000 rows of HTML take 45
MAX_WAIT = 600  # seconds by the clock, on a machine that is busy with other things
_PERIOD = 0.02  # seconds between two looks at the child: 60 MB are the most that it was seen to grow in them

# the names of the sheets of a results workbook, in each language
_RESULTS_SHEETS = tuple(
    zip(
        *(get_pair(f"sheet.{sheet}") for sheet in ("summary", "all", "fix", "unknown", "unpaired")),
        strict=True,
    )
)
T = TypeVar("T")
_PACKAGES = str(Path(__file__).parents[3])
_START = (
    "import sys; sys.path[:] = sys.argv[1:]; from pipeline.intake.readers.child.program import main; main()"
)
# variables that a frozen program, Windows or a loader of libraries needs; no secret reaches the child
_VARIABLES = ("_MEIPASS", "_PYI", "DYLD_", "LD_LIBRARY_PATH", "PATH", "SYSTEMROOT", "TEMP", "TMP")


def read(kind: Kind, data: bytes) -> Book:
    """Open a file of a kind that has no reader in this process.

    Raises FileRefused for one that is locked, damaged, oversized or hostile.
    """
    if len(data) > MAX_BYTES:
        raise make_size_refusal(len(data), MAX_BYTES)
    if kind != "xls":
        data = _decode_markup(data)
    elif data.startswith(OLE_MAGIC):
        data = Compound(data).read_workbook()
    packed, notes = run_in_child(partial(read_sheets, kind, data))
    names = {sheet.name for sheet, _ in packed}
    if any(names.issuperset(titles) for titles in _RESULTS_SHEETS):  # ours, saved in another format
        raise make_results_refusal()
    if len(packed) > MAX_SHEETS:
        raise make_danger_refusal("file.too_many_sheets", limit=MAX_SHEETS)
    sheets = [replace(sheet, lines=map(pickle.loads, lines)) for sheet, lines in packed]
    return Book(iter(sheets), notes)


def _decode_markup(data: bytes) -> bytes:
    """Return a page or an XML text in UTF-8, without the text before its first tag, whose declared encoding is now wrong."""
    head = data[:_HEAD]
    if _MIME.match(head):
        raise FileRefused("FILE_FORMAT", {"found": "MHTML"})
    declared = _DECLARED.search(head)
    label = (declared[1] or declared[2]).decode("ascii") if declared else ""
    text = "".join(detect_charset(data, label).chunks(data))
    return _XML_DECLARATION.sub("", text.lstrip("\ufeff \t\r\n"), count=1).encode()


def run_in_child(function: Callable[[], T]) -> T:
    """Return what a function of a module returns for a file.

    Raises FileRefused FILE_SUSPICIOUS for one over which the child broke down or went over its limits, and the
    refusal that the function raised for any other; NotReadNow where no child can be started.
    """
    try:
        process = _start_child()
    except OSError as error:
        raise NotReadNow(error) from error
    assert process.stdin is not None
    assert process.stdout is not None
    watcher = _Watcher(process)
    result: T | FileRefused | None = None
    try:
        is_ready = process.stdout.read(len(READY)) == READY
        with suppress(OSError, EOFError, pickle.UnpicklingError):  # of a child that ended
            pickle.dump(Task(function, MAX_MEMORY, MAX_SECONDS), process.stdin)
            process.stdin.flush()
            result = pickle.load(process.stdout)  # noqa: S301  the child is this program
    finally:
        process.kill()
        process.wait()
        watcher.stop()
        process.stdout.close()
        with suppress(OSError):
            process.stdin.close()
    if not is_ready:
        raise NotReadNow(OSError("the process that reads the file does not start"))
    if result is None:
        finding = watcher.exceeded or make_message("file.reader_exit", code=process.returncode)
        raise FileRefused("FILE_SUSPICIOUS", {"found": finding})
    if isinstance(result, FileRefused):
        raise result
    return result


def _start_child() -> subprocess.Popen[bytes]:
    """Start the child: this Python with the parent's search path, or the frozen program itself. Raises OSError.

    It is out of reach of the terminal's Ctrl-C, which goes to this process.
    """
    is_frozen = getattr(sys, "frozen", False)
    path = [os.path.abspath(entry) for entry in (*sys.path, _PACKAGES)]  # noqa: PTH100  "" is the current folder
    # -S: the child gets the parent's search path, not the one that site.py would make
    words = [CHILD_ARGUMENT] if is_frozen else ["-I", "-S", "-c", _START, *path]
    kept = {name: value for name, value in os.environ.items() if name.upper().startswith(_VARIABLES)}
    return subprocess.Popen(  # noqa: S603  the program is this one
        [sys.executable, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=kept,
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


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
                    self.exceeded = make_message("file.reader_memory", limit=MAX_MEMORY // 1_000_000)
                elif times.user + times.system > MAX_SECONDS:
                    self.exceeded = make_message("file.reader_time", limit=MAX_SECONDS)
                elif clock.monotonic() > end:
                    self.exceeded = make_message("file.reader_time", limit=MAX_WAIT)
                else:
                    continue
                self._process.kill()
                return
