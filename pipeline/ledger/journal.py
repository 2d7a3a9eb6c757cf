"""The journal: the events of a ledger once more, in files outside the ledger's folder.

A place is a folder; each host writes one file there, ``<tenant>/<host>.jsonl``, and reads those of all hosts. A line is an
HMAC and JSON. The HMAC covers the tenant, the HMAC of the line before and the line's bytes, so that no line can be changed,
moved or taken out unnoticed. The first line names tenant, host and a check of the key.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import itertools
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pipeline.domain.site_key import SiteKey
from pipeline.ledger.events import Event
from pipeline.support.atomic_files import make_folder, sync_folder
from pipeline.support.failpoints import hit_failpoint
from pipeline.support.rights import FILE_MODE

SUFFIX = ".jsonl"
TENANT_CHARS = 16  # hexadecimal digits of the tenant's digest in the name of a folder
_MAC_CHARS = 64
_FORMAT = 1


class JournalOfOtherKey(Exception):
    """A file was written with another site key; its text is the file's path."""


class JournalDamaged(Exception):
    """A line behind the first one does not prove itself, and a later one does; ``line`` is its number."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line}")
        self.line = line


class JournalChanged(OSError):
    """Another process wrote into a file that this one appends to."""


class LastLine(NamedTuple):
    """How far a file was entered: where its last entered line starts and ends (bytes), and the line's HMAC."""

    start: int
    end: int
    mac: str


@dataclass(frozen=True, slots=True)
class JournalReading:
    """What a file holds behind a known line."""

    events: Sequence[Event]
    last_line: LastLine
    is_whole: bool  # the file was read from its first line: the known one did not fit
    torn_bytes: int = 0  # behind the last line that proves itself; nothing there does


def get_tenant_folder(base: Path, tenant: str) -> Path:
    """Return where the files of a tenant lie in a place; the name begins with the environment."""
    digest = hashlib.sha256(tenant.encode()).hexdigest()[:TENANT_CHARS]
    return base / f"{tenant.partition('/')[0]}-{digest}"


class JournalFile:
    """One host's file of a tenant in one place."""

    def __init__(self, path: Path, site_key: SiteKey) -> None:
        self.path = path
        self._site_key = site_key
        self._prefix = site_key.tenant.encode() + b"\0"
        self._last_line: LastLine | None = None  # the end of what this process appended or read
        self._size = 0  # of the file as this process knows it; a torn tail lies between that line and this
        self.is_given_up = False  # an append failed and could not be cut off

    def read(self, last_line: LastLine | None) -> JournalReading:
        """Return the events behind a known line that still stands there, else all of the file.

        Raises FileNotFoundError, OSError, JournalOfOtherKey, JournalDamaged.
        """
        with self.path.open("rb") as file:
            if last_line is not None and _holds_line(file, last_line):
                file.seek(last_line.end)
                reading = self._read_lines(file.read(), last_line, number=2)
            else:
                file.seek(0)
                reading = self._read_whole(file.read())
        self._last_line, self._size = reading.last_line, reading.last_line.end + reading.torn_bytes
        return reading

    def require_own_key(self) -> None:
        """Raise JournalOfOtherKey where the first line names another key; OSError."""
        with self.path.open("rb") as file:
            self._require_own_key(file.readline())

    def create(self, *, host: str | None = None) -> LastLine:
        """Make the file with its first line; raises FileExistsError where there is one, OSError."""
        make_folder(self.path.parent)
        head = {
            "journal": _FORMAT,
            "tenant": self._site_key.tenant,
            "host": host or self.path.stem,
            "key": self._site_key.check(),
        }
        line = self._format_line(b"", json.dumps(head).encode())
        descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE)
        try:
            _write_all(descriptor, line)
            os.fsync(descriptor)
            sync_folder(self.path.parent)
        except OSError as error:
            error.filename = error.filename or str(self.path)
            raise
        finally:
            os.close(descriptor)
        self._last_line, self._size = LastLine(0, len(line), line[:_MAC_CHARS].decode()), len(line)
        return self._last_line

    def rewrite(self, events: Sequence[Event]) -> LastLine:
        """Put a file that holds these events in place of this one; raises OSError, and then the old one stands."""
        self.remove_draft()
        draft = JournalFile(self._draft_path, self._site_key)
        draft.create(host=self.path.stem)
        last_line = draft.append(events)
        draft.path.replace(self.path)
        sync_folder(self.path.parent)
        self._last_line, self._size, self.is_given_up = last_line, last_line.end, False
        return last_line

    def remove_draft(self) -> None:
        """Remove what a process that was killed in `rewrite` has left; raises OSError."""
        self._draft_path.unlink(missing_ok=True)

    @property
    def _draft_path(self) -> Path:
        return self.path.with_suffix(".draft")

    def append(self, events: Sequence[Event]) -> LastLine:
        """Append events behind what was read and make them durable; return the new last line.

        Raises OSError, after the file was cut to its last whole line or given up.
        """
        last_line = self._last_line
        if last_line is None or self.is_given_up:
            raise OSError(errno.EBUSY, "given up", str(self.path))
        lines, start, mac = bytearray(), last_line.start, last_line.mac
        for event in events:
            line = self._format_line(mac.encode(), event.to_text().encode())
            start, mac = last_line.end + len(lines), line[:_MAC_CHARS].decode()
            lines += line
        descriptor = os.open(self.path, os.O_WRONLY)
        try:
            hit_failpoint("journal: before the append")
            if os.fstat(descriptor).st_size != self._size:
                self.is_given_up = True  # another process wrote into it
                raise JournalChanged(errno.EBUSY, "changed", str(self.path))
            os.ftruncate(descriptor, last_line.end)
            os.lseek(descriptor, last_line.end, os.SEEK_SET)
            _write_all(descriptor, bytes(lines))
            hit_failpoint("journal: before the fsync")
            os.fsync(descriptor)
        except OSError as error:
            self._cut(descriptor, last_line)
            error.filename = error.filename or str(self.path)
            raise
        finally:
            os.close(descriptor)
        self._last_line, self._size = (
            LastLine(start, last_line.end + len(lines), mac),
            last_line.end + len(lines),
        )
        return self._last_line

    def _cut(self, descriptor: int, last_line: LastLine) -> None:
        """Cut off what an append has left; the file is given up where that fails."""
        if self.is_given_up:
            return
        try:
            os.ftruncate(descriptor, last_line.end)
            os.fsync(descriptor)
            self._size = last_line.end
        except OSError:
            self.is_given_up = True

    def _require_own_key(self, head: bytes) -> None:
        with suppress(ValueError):
            stored = json.loads(head[_MAC_CHARS + 1 :])
            if isinstance(stored, dict) and stored.get("key") not in (None, self._site_key.check()):
                raise JournalOfOtherKey(str(self.path))

    def _read_whole(self, content: bytes) -> JournalReading:
        head, separator, rest = content.partition(b"\n")
        line = head + separator
        self._require_own_key(head)
        if not self._proves(b"", line):
            raise JournalDamaged(1)
        last_line = LastLine(0, len(line), line[:_MAC_CHARS].decode())
        reading = self._read_lines(rest, last_line, number=2)
        return JournalReading(reading.events, reading.last_line, is_whole=True, torn_bytes=reading.torn_bytes)

    def _read_lines(self, content: bytes, last_line: LastLine, *, number: int) -> JournalReading:
        """Return the events of the lines of ``content``, which follows the last line."""
        events: list[Event] = []
        lines = content.splitlines(keepends=True)
        for index, line in enumerate(lines):
            if not self._proves(last_line.mac.encode(), line):
                self._require_torn(lines[index:], number + index)
                torn = sum(map(len, lines[index:]))
                return JournalReading(events, last_line, is_whole=False, torn_bytes=torn)
            events.append(Event.from_text(line[_MAC_CHARS + 1 :]))
            last_line = LastLine(last_line.end, last_line.end + len(line), line[:_MAC_CHARS].decode())
        return JournalReading(events, last_line, is_whole=False)

    def _require_torn(self, lines: Sequence[bytes], number: int) -> None:
        """Raise JournalDamaged where one of the lines behind the first proves itself by the one before it."""
        for before, line in itertools.pairwise(lines):
            if self._proves(before[:_MAC_CHARS], line):
                raise JournalDamaged(number)

    def _format_line(self, before: bytes, body: bytes) -> bytes:
        return self._digest(before, body) + b" " + body + b"\n"

    def _proves(self, before: bytes, line: bytes) -> bool:
        """Return whether a line is whole and its HMAC is the one behind the line before."""
        if not line.endswith(b"\n") or line[_MAC_CHARS : _MAC_CHARS + 1] != b" ":
            return False
        expected = self._digest(before, line[_MAC_CHARS + 1 : -1])
        return hmac.compare_digest(expected, line[:_MAC_CHARS])

    def _digest(self, before: bytes, body: bytes) -> bytes:
        return (
            hmac.digest(self._site_key.secret, self._prefix + before + b"\0" + body, "sha256").hex().encode()
        )


def ends_at(path: Path, last_line: LastLine) -> bool:
    """Return whether a file ends with a known line. Raises OSError."""
    with path.open("rb") as file:
        return os.fstat(file.fileno()).st_size == last_line.end and _holds_line(file, last_line)


def _holds_line(file: BinaryIO, last_line: LastLine) -> bool:
    """Return whether a known line still stands where it was."""
    file.seek(last_line.start)
    line = file.read(last_line.end - last_line.start)
    is_whole = len(line) == last_line.end - last_line.start and line.endswith(b"\n")
    return is_whole and line[:_MAC_CHARS] == last_line.mac.encode()


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
