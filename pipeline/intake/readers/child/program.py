"""The program of the child process that reads one roster file of a rare format.

It gets the file on standard input and writes one JSON value a line on standard output. A list is a row of cells, an
object is anything else. Nothing that it reads can reach the parent but through these lines.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from importlib import import_module
from math import isfinite
from typing import Any, BinaryIO


class ValueKind(StrEnum):
    """The kind of a cell on standard output.

    A cell is a list: its column from 0, its kind, its value, and for a number its cell style (an integer) or the text
    that a person sees.
    """

    TEXT = "t"
    NUMBER = "n"
    DATE = "d"
    TRUTH = "b"
    ERROR = "e"
    NO_VALUE = "v"
    PICTURE = "p"


NO_NUMBER = "#NUM!"  # what Excel shows for NaN and infinity
MAX_COLUMN, MAX_ROW = 16_384, 1_048_576  # of a sheet, as in Excel
_MODULES = {"html": "html_tables"}  # that read a kind, where they are not called like it


class Refused(Exception):
    """The file is refused: a file code of the catalogue, and what was found.

    ``finding`` is a key of the catalogue for these arguments, or plain words.
    """

    def __init__(self, code: str, finding: str = "", **arguments: object) -> None:
        super().__init__(code)
        self.code, self.finding, self.arguments = code, finding, arguments


class Output:
    """Writes what a reader finds, and counts rows and cells up to the limits of one file."""

    def __init__(self, stream: BinaryIO, *, max_rows: int, max_cells: int) -> None:
        self._stream = stream
        self._max_rows, self._max_cells = max_rows, max_cells
        self._rows = self._cells = 0

    def write_row(self, number: int, cells: Sequence[Sequence[object]], *, hidden: bool = False) -> None:
        """Write a row that holds something: its number as Excel shows it, and its cells by column.

        Raises Refused FILE_TOO_LARGE above the limits.
        """
        self._rows += 1
        self._cells += len(cells)
        if self._rows > self._max_rows:
            raise Refused("FILE_TOO_LARGE", "file.too_many_rows", limit=self._max_rows)
        if self._cells > self._max_cells:
            raise Refused("FILE_TOO_LARGE", "file.too_many_cells", limit=self._max_cells)
        self._write_line([number, int(hidden), cells])

    def end_sheet(
        self,
        name: str | None,
        *,
        hidden: bool = False,
        merges: Iterable[Sequence[int]] = (),
        hidden_columns: Iterable[int] = (),
    ) -> None:
        """End the sheet of the rows written since the last one; a merge is top, bottom, left, right like a Merge."""
        columns = sorted(hidden_columns)
        self._write_line({"sheet": name, "hidden": hidden, "merges": list(merges), "hidden_columns": columns})

    def write_facts(self, **facts: object) -> None:
        """Write what concerns the whole file."""
        self._write_line(facts)

    def _write_line(self, value: object) -> None:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        self._stream.write(text.encode() + b"\n")


def main(description: str) -> None:
    """Read the file on standard input; the JSON object names the kind of file, and the limits."""
    task = json.loads(description)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the parent's to answer
    kind = task["kind"]
    reader = import_module(f"{__package__}.{_MODULES.get(kind, kind)}")  # only its library is loaded
    _limit_resources(task["max_memory"], task["max_seconds"])
    stream = sys.stdout.buffer
    output = Output(stream, max_rows=task["max_rows"], max_cells=task["max_cells"])
    output.write_facts(ready=True)
    stream.flush()
    read_file(reader, sys.stdin.buffer.read(), output, max_memory=task["max_memory"])
    stream.flush()


def read_file(reader: Any, data: bytes, output: Output, *, max_memory: int) -> None:
    """Write what the module of a kind finds in a file, or why the file is refused."""
    try:
        reader.read(data, output)
        output.write_facts(complete=True)
    except Refused as refusal:
        output.write_facts(refused=refusal.code, finding=refusal.finding, arguments=refusal.arguments)
    except MemoryError:
        limit = max_memory // 1_000_000
        output.write_facts(
            refused="FILE_SUSPICIOUS", finding="file.reader_memory", arguments={"limit": limit}
        )
    except Exception:  # noqa: BLE001  whatever a damaged file leads to
        output.write_facts(refused="FILE_CORRUPT", finding=reader.DAMAGED, arguments={})


def _limit_resources(max_memory: int, max_seconds: int) -> None:
    """Bound memory, processor time and files on POSIX; elsewhere the parent's watcher is the bound."""
    try:
        import resource  # noqa: PLC0415  absent on Windows
    except ImportError:
        return
    limits = {"RLIMIT_AS": max_memory, "RLIMIT_CPU": max_seconds, "RLIMIT_FSIZE": 0, "RLIMIT_CORE": 0}
    for name, limit in limits.items():
        try:
            kind = getattr(resource, name)
            hard = resource.getrlimit(kind)[1]
            value = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(kind, (value, value))
        except (AttributeError, OSError, ValueError):  # macOS has no bound on memory
            continue


def make_number(value: float, *shown: int | str) -> list[object]:
    """Return kind and value of a number, and its cell style or shown text; NaN and infinity are an error, as in Excel."""
    return [ValueKind.NUMBER, value, *shown] if isfinite(value) else [ValueKind.ERROR, NO_NUMBER]
