"""Roster files of rare formats: read in a disposable child process, and made a book of typed cells here.

The libraries for these formats trust what they read: a stray cell can cost them all memory, a damaged record can end
the process. In a child, bounded in memory, time and output, that costs the file and nothing else. A watcher thread
bounds the child on every system, also where there are no limits of POSIX. The child is not trusted either: order of
rows and columns, lengths and types are checked on what it writes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path
from typing import IO, Any, NamedTuple

from pipeline.clock import SystemClock
from pipeline.domain.roster import CellKind
from pipeline.errors import FileRefused, NotReadNow
from pipeline.intake.readers.child import CHILD_ARGUMENT
from pipeline.intake.readers.child.program import ValueKind
from pipeline.intake.readers.compound_files import MAX_BYTES, OLE_MAGIC, Compound
from pipeline.intake.readers.detect import Kind, detect_charset
from pipeline.intake.readers.model import (
    MAX_CELLS,
    MAX_COLUMN,
    MAX_MERGES,
    MAX_ROW,
    MAX_TEXT,
    Book,
    Line,
    Merge,
    RawCell,
    ReadOptions,
    Sheet,
    date_cell,
    make_damage_refusal,
    make_danger_refusal,
    make_results_refusal,
    make_size_refusal,
    make_text_refusal,
    text_cell,
)
from pipeline.intake.readers.xlsx.styles import (
    EPOCH_1900,
    EPOCH_1904,
    GENERAL,
    Format,
    make_formats,
    styled_number,
)
from pipeline.messages.areas import get_pair, is_known
from pipeline.messages.catalogue import make_message

MAX_SHEETS = 1_000
_NAMES = {"xls": ".xls", "html": "HTML"}  # in the note on pictures
_KINDS: Mapping[str, CellKind] = {
    ValueKind.ERROR: CellKind.ERROR,
    ValueKind.NO_VALUE: CellKind.NO_VALUE,
    ValueKind.PICTURE: CellKind.PICTURE,
}
_HEAD = 1 << 14  # bytes in which a page declares its encoding; Excel writes its styles first
_DECLARED = re.compile(
    rb"<meta[^>]{1,500}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})|<\?xml[^>]{1,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})",
    re.IGNORECASE,
)
_XML_DECLARATION = re.compile(r"\A<\?xml\b[^>]*\?>")
_MIME = re.compile(rb"(?im)\A(?:[\w-]+:.*\r?\n(?:[ \t].*\r?\n)*)*?mime-version:")

MAX_MEMORY = 1_000_000_000  # bytes: 200,000 rows take a quarter of it in the greediest reader
MAX_SECONDS = 120  # of processor time: 200,000 rows of HTML take 45
MAX_WAIT = 600  # seconds by the clock, on a machine that is busy with other things
MAX_OUTPUT = 1_000_000_000  # bytes; 3.5 million cells are about 200 million
_MAX_LINE = 100_000_000  # bytes of one row
_MAX_FACTS = 10_000  # lines that are no rows: one for each sheet, and those of the file
_PERIOD = 0.02  # seconds between two looks at the child: 60 MB are the most that it was seen to grow in them

# the names of the sheets of a results workbook, in each language
_RESULTS_SHEETS = tuple(
    zip(
        *(get_pair(f"sheet.{sheet}") for sheet in ("summary", "all", "fix", "unknown", "unpaired")),
        strict=True,
    )
)
# -S: the child gets the parent's search path, not the one that site.py would make
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1])['path'];"
    "from pipeline.intake.readers.child.program import main; main(sys.argv[1])"
)
# variables that a frozen program, Windows or a loader of libraries needs; no secret reaches the child
_VARIABLES = ("_MEIPASS", "_PYI", "DYLD_", "LD_LIBRARY_PATH", "PATH", "SYSTEMROOT", "TEMP", "TMP")


def read(kind: Kind, data: bytes, options: ReadOptions) -> Book:
    """Open a file of a kind that has no reader in this process.

    Raises FileRefused for one that is locked, damaged, oversized or hostile; its lines raise it for damaged cells.
    """
    if len(data) > MAX_BYTES:
        raise make_size_refusal(len(data), MAX_BYTES)
    if kind != "xls":
        data = _decode_markup(data)
    elif data.startswith(OLE_MAGIC):
        data = Compound(data).read_workbook()
    book = read_in_child(kind, data, max_rows=options.max_rows)
    if _holds_results(book):
        raise make_results_refusal()
    notes = [make_message(key) for key in book.facts.get("notes", ()) if is_known(key)]
    tables = sum(bool(sheet.rows) for sheet in book.sheets)
    if kind == "html" and tables > 1:
        notes.append(make_message("note.tables", n=tables))
    if book.facts.get("pictures"):
        notes.append(make_message("note.pictures_not_read", format=_NAMES[kind]))
    return Book(make_sheets(book), tuple(notes))


def _holds_results(book: ChildBook) -> bool:
    """Return whether a results workbook of ours was saved in another format: all of its sheets are there."""
    names = {sheet.facts["sheet"] for sheet in book.sheets}
    return any(names.issuperset(titles) for titles in _RESULTS_SHEETS)


def _decode_markup(data: bytes) -> bytes:
    """Return a page or an XML text in UTF-8, without the text before its first tag, whose declared encoding is now wrong."""
    head = data[:_HEAD]
    if _MIME.match(head):
        raise FileRefused("FILE_FORMAT", {"found": "MHTML"})
    declared = _DECLARED.search(head)
    label = (declared[1] or declared[2]).decode("ascii") if declared else ""
    text = "".join(detect_charset(data, label).chunks(data))
    return _XML_DECLARATION.sub("", text.lstrip("\ufeff \t\r\n"), count=1).encode()


class ChildSheet(NamedTuple):
    """A sheet as the child wrote it: the object behind its rows, and its rows as lines of JSON."""

    facts: Mapping[str, Any]
    rows: list[bytes]


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
        raise make_refusal(book.facts)
    if not book.facts.get("complete"):
        finding = watcher.exceeded or make_message("file.reader_exit", code=process.returncode)
        raise FileRefused("FILE_SUSPICIOUS", {"found": finding})
    return book


def make_refusal(facts: Mapping[str, Any]) -> FileRefused:
    """Return the refusal that the child found; its words are keys of ``files.toml`` where they have one."""
    code, finding, arguments = str(facts["refused"]), str(facts["finding"]), facts["arguments"]
    if not finding:
        return FileRefused(code)
    detail = {"found": make_message(finding, **arguments) if is_known(finding) else finding}
    if code == "FILE_TOO_LARGE":
        detail["limit"] = make_message(finding.replace("file.too_many_", "limit."), **arguments)
    return FileRefused(code, detail)


def _start_child(task: Mapping[str, object]) -> subprocess.Popen[bytes]:
    """Start the child: this Python with the parent's search path, or the frozen program itself. Raises OSError.

    It is out of reach of the terminal's Ctrl-C, which goes to this process.
    """
    is_frozen = getattr(sys, "frozen", False)
    command = [sys.executable, CHILD_ARGUMENT, json.dumps(task)] if is_frozen else _make_python_command(task)
    kept = {name: value for name, value in os.environ.items() if name.upper().startswith(_VARIABLES)}
    return subprocess.Popen(  # noqa: S603  the program is this one
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=kept,
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def _make_python_command(task: Mapping[str, object]) -> list[str]:
    """Return the words that start the child's program; ``sys.argv[1]`` is the task as JSON, this process's search path in it."""
    package = str(Path(__file__).parents[3])
    path = [os.path.abspath(entry) for entry in (*sys.path, package)]  # noqa: PTH100  "" is the current folder
    return [sys.executable, "-I", "-S", "-c", _START, json.dumps({**task, "path": path})]


def _feed_child(stream: IO[bytes], data: bytes) -> None:
    """Write a child its input; one that ended already needs it no more."""
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
                    self.exceeded = make_message("file.reader_memory", limit=MAX_MEMORY // 1_000_000)
                elif times.user + times.system > MAX_SECONDS:
                    self.exceeded = make_message("file.reader_time", limit=MAX_SECONDS)
                elif clock.monotonic() > end:
                    self.exceeded = make_message("file.reader_time", limit=MAX_WAIT)
                else:
                    continue
                self._process.kill()
                return


def make_sheets(book: ChildBook) -> Iterator[Sheet]:
    """Yield the sheets of what the child found."""
    if len(book.sheets) > MAX_SHEETS:
        raise make_danger_refusal("file.too_many_sheets", limit=MAX_SHEETS)
    formats = make_formats(book.facts.get("formats", ()), book.facts.get("codes", {}))
    epoch = EPOCH_1904 if book.facts.get("since_1904") else EPOCH_1900
    for sheet in book.sheets:
        facts = sheet.facts
        if len(facts["merges"]) > MAX_MERGES:
            raise make_danger_refusal("file.too_many_merged", limit=MAX_MERGES)
        yield Sheet(
            facts["sheet"],
            iter(()) if facts["hidden"] else _read_lines(sheet, formats, epoch),
            hidden=facts["hidden"],
            merges=[Merge(*corners) for corners in facts["merges"]],
            hidden_columns=frozenset(facts["hidden_columns"]),
        )


def _read_lines(sheet: ChildSheet, formats: Sequence[Format], epoch: datetime) -> Iterator[Line]:
    last_row = 0
    for text in sheet.rows:
        row, hidden, entries = json.loads(text)
        if not last_row < row <= MAX_ROW:
            raise make_damage_refusal("file.row_order", row=row, before=last_row)
        last_row = row
        cells: dict[int, RawCell] = {}
        last_column = -1
        for column, kind, value, *more in entries:
            if column >= MAX_COLUMN:
                raise make_danger_refusal("file.row_too_wide", row=row, limit=MAX_COLUMN)
            if column <= last_column:
                raise make_damage_refusal("file.row", row=row)
            last_column = column
            cell = _make_cell(kind, value, more, formats, epoch)
            if len(cell.display_text) > MAX_TEXT:
                raise make_text_refusal(column, row, len(cell.display_text))
            cells[column] = cell
        yield Line(row, cells, bool(hidden))


def _make_cell(
    kind: str, value: Any, more: Sequence[Any], formats: Sequence[Format], epoch: datetime
) -> RawCell:
    """Return a cell of the child's output with its type; a style that is not there is none."""
    if kind == ValueKind.TEXT:
        return text_cell(value)
    if kind == ValueKind.NUMBER:
        if more and isinstance(more[0], str):
            return RawCell(CellKind.NUMBER, value, more[0])
        is_styled = more and more[0] < len(formats)
        return styled_number(value, formats[more[0]] if is_styled else GENERAL, epoch)
    if kind == ValueKind.DATE:
        return date_cell(datetime.fromisoformat(value) if "-" in value else time.fromisoformat(value))
    if kind == ValueKind.TRUTH:
        return RawCell(CellKind.BOOL, value, "TRUE" if value else "FALSE")
    return RawCell(_KINDS[kind], value, (value or "#") if kind == ValueKind.ERROR else "")
