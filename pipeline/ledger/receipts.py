"""receipts.jsonl: the facts of the ledger in a second, append-only file, each line chained to the one before.

A line is ``{"n", "prev", "table", "id", "set"}``: the new values of a row, none where the row was removed. The last value of
each column counts, so the file alone restores the ledger (`ledger rebuild`). The number of a line only grows, also where the file is written again:
it shows how far a ledger has got, in the registry and in run.json. Lines are durable before the commit they belong to; the ledger stores
the position of the last one. Lines behind the position belong to a commit that a crash prevented.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.support import atomic_files
from pipeline.support.failpoints import hit_failpoint
from pipeline.support.rights import FILE_MODE

FILE_NAME = "receipts.jsonl"
FIRST_PREVIOUS = "0" * 64  # ``prev`` of the first line
_NUMBER = re.compile(rb'\{"n":(\d+),')
_TAIL_BYTES = 1 << 16  # bytes read to find where the last line starts; a line is some hundred


class ReceiptPosition(NamedTuple):
    """How far the receipts reach: number and sha256 of the last line, and the size of the file up to its end."""

    n: int = 0
    sha256: str = FIRST_PREVIOUS
    size: int = 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """One line: the columns of a row of ``table`` that are set from now on; ``id`` is the row's primary key.

    Without columns: the row was removed.
    """

    table: str
    id: str | int
    columns: Mapping[str, Any]


class Fact(NamedTuple):
    """Rows that a write has set: those of ``table`` whose ``column`` is ``value``; ``set`` names columns, None is all.

    ``()``: the row whose primary key is ``value`` was removed.
    """

    table: str
    column: str
    value: str | int
    set: tuple[str, ...] | None = None


class ReceiptsDamaged(Exception):
    """The chain breaks: a line was changed, lost or put in; ``line`` is its number."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line}")
        self.line = line


class Receipts:
    """The file, open for appending; one process at a time (the holder of the run lock)."""

    def __init__(self, path: Path, position: ReceiptPosition) -> None:
        """Continue after ``position``; lines behind it are cut off, for their commit failed."""
        self.position = position
        self._file = os.open(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_BINARY", 0), FILE_MODE)
        path.chmod(FILE_MODE)  # also where it was put back with another mode
        os.ftruncate(self._file, position.size)

    def append(self, receipts: Sequence[Receipt]) -> ReceiptPosition:
        """Write lines and make them durable; return the new position, which counts once it is passed to ``keep``.

        Raises OSError where the disk refuses, and then nothing was added.
        """
        lines, position = format_lines(self.position, receipts)
        try:
            os.ftruncate(self._file, self.position.size)  # lines of a commit that did not come about
            os.lseek(self._file, self.position.size, os.SEEK_SET)
            rest = memoryview(b"".join(lines))
            while rest:
                rest = rest[os.write(self._file, rest) :]
            hit_failpoint("receipts: before the fsync")
            os.fsync(self._file)
        except OSError:
            self.rewind()
            raise
        return position

    def keep(self, position: ReceiptPosition) -> None:
        """Set the end of the file to ``position``: the commit that stores it is durable."""
        self.position = position

    def rewind(self) -> None:
        """Cut off what was appended since the last ``keep``: its commit failed."""
        try:
            os.ftruncate(self._file, self.position.size)
        except OSError:  # a disk that is gone; the next opening compares with the ledger's position
            return

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def read_chained(path: Path, *, after: ReceiptPosition | None = None) -> Iterator[Receipt]:
    """Yield the receipts behind a position (None: all), the chain checked as it is read; a torn last line is none.

    Raises ReceiptsDamaged where the chain breaks, OSError where the file cannot be read.
    """
    return (receipt for _, receipt in _read_chain(path, after or ReceiptPosition()))


def read_unchained(path: Path, *, after: ReceiptPosition | None = None) -> Iterator[Receipt]:
    """Yield every receipt behind a position (None: all) that can be read by itself, even if the chain is broken."""
    with path.open("rb") as file:
        file.seek(after.size if after else 0)
        for line in file:
            if (receipt := _parse_line(line)) is not None:
                yield receipt


def get_break(path: Path, *, after: ReceiptPosition | None = None) -> int | None:
    """Return the number of the first line behind a position (None: all) that breaks the chain, or None."""
    try:
        for _ in read_chained(path, after=after):
            pass
    except ReceiptsDamaged as damaged:
        return damaged.line
    return None


def read_line_number(line: bytes) -> int:
    """Return the number that a line bears, or 0 where it cannot be read."""
    match = _NUMBER.match(line)
    return int(match[1]) if match else 0


def is_next_line(line: bytes, number: int, previous: str) -> bool:
    """Return whether a line bears this number and the digest of the line before it, without parsing the rest."""
    return line.startswith(f'{{"n":{number},"prev":"{previous}",'.encode())


def follow_chain(
    lines: Iterable[bytes], position: ReceiptPosition
) -> Iterator[tuple[bytes, ReceiptPosition]]:
    """Yield the lines behind a position, each checked against the one before, with the position behind it; raises ReceiptsDamaged."""
    for line in lines:
        if (
            position.size == 0
        ):  # the first line of receipts that were written again has the number behind the last one before
            position = position._replace(n=max(read_line_number(line), 1) - 1)
        if not is_next_line(line, position.n + 1, position.sha256):
            raise ReceiptsDamaged(position.n + 1)
        position = ReceiptPosition(
            position.n + 1, hashlib.sha256(line).hexdigest(), position.size + len(line)
        )
        yield line, position


def read_end_position(path: Path) -> ReceiptPosition:
    """Return the position behind the last whole line, the chain checked from the start."""
    return max((position for position, _ in _read_chain(path, ReceiptPosition())), default=ReceiptPosition())


def holds_line_at(path: Path, position: ReceiptPosition) -> bool:
    """Return whether the file holds the line that ends at a position; one line is read. The first position has none before it."""
    if position.n == 0:
        return False
    try:
        with path.open("rb") as file:
            start = max(0, position.size - _TAIL_BYTES)
            file.seek(start)
            before = file.read(position.size - start)
    except OSError:
        return False
    if len(before) != position.size - start or not before.endswith(b"\n"):
        return False
    return hashlib.sha256(before[before.rfind(b"\n", 0, -1) + 1 :]).hexdigest() == position.sha256


def rewrite_receipts(path: Path, receipts: Sequence[Receipt], *, after: int) -> ReceiptPosition:
    """Replace the file atomically by one with these receipts, numbered on behind ``after``; return its position."""
    with atomic_files.make_draft(path) as draft:
        with closing(Receipts(draft, ReceiptPosition(after))) as fresh:
            position = fresh.append(receipts)
        draft.replace(path)
    atomic_files.sync_folder(path.parent)
    return position


def format_lines(
    position: ReceiptPosition, receipts: Sequence[Receipt]
) -> tuple[list[bytes], ReceiptPosition]:
    """Return the lines of receipts behind a position, and the position behind them."""
    n, previous, size = position
    lines = []
    for receipt in receipts:
        n += 1
        line = _format_line(n, previous, receipt)
        previous = hashlib.sha256(line).hexdigest()
        size += len(line)
        lines.append(line)
    return lines, ReceiptPosition(n, previous, size)


def _format_line(n: int, previous: str, receipt: Receipt) -> bytes:
    fields = {
        "n": n,
        "prev": previous,
        "table": receipt.table,
        "id": receipt.id,
        "set": dict(receipt.columns),
    }
    return (
        json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
    )


def _parse_line(line: bytes) -> Receipt | None:
    """Return the receipt of a line, None where it cannot be read; its number and the digest of the line before may be wrong."""
    try:
        fields = json.loads(line.decode("utf-8", "surrogatepass"))
        return Receipt(fields["table"], fields["id"], dict(fields["set"]))
    except (ValueError, KeyError, TypeError):
        return None


def _read_chain(path: Path, position: ReceiptPosition) -> Iterator[tuple[ReceiptPosition, Receipt]]:
    """Yield the receipts behind a position with the position behind each; see `read_chained`."""
    with path.open("rb") as file:
        file.seek(position.size)
        whole_lines = takewhile(lambda line: line.endswith(b"\n"), file)  # the last may have been cut off
        for line, line_position in follow_chain(whole_lines, position):
            if (receipt := _parse_line(line)) is None:
                raise ReceiptsDamaged(line_position.n)
            yield line_position, receipt
