"""What the file system refuses a ledger: rights, room, a read-only disk. Nothing is damaged then, nothing to rebuild."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pipeline.errors import LedgerError, LedgerUnreachable, reason_of
from pipeline.support import private_files
from pipeline.support.rights import find_unreadable, find_unwritable, is_on_read_only_disk

SIDE_SUFFIXES = ("-wal", "-shm", "-journal")  # of the files that SQLite keeps beside a database
REFUSED = frozenset({"SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH"})


def require_rights(ledger: Path, *, writing: bool) -> None:
    """Raise LedgerUnreachable for a file of a ledger, or its folder, that this user may not read, or write.

    Asked before SQLite is: it would leave a ``-shm`` with the rights that a ledger has for one night, and that file
    refuses every writer from then on.
    """
    if barrier := _find_barrier(ledger, writing=writing):
        raise barrier


def open_stale_files(ledger: Path) -> Iterator[LedgerError]:
    """Give our own side files back the rights of a ledger that was read-only for a time; yield what to warn of."""
    for suffix in SIDE_SUFFIXES:
        path = ledger.with_name(ledger.name + suffix)
        with suppress(OSError):
            status = path.stat()
            if hasattr(os, "geteuid") and status.st_uid == os.geteuid() and not status.st_mode & 0o200:
                path.chmod(private_files.FILE_MODE)
                yield LedgerError("ledger.side_file_opened", path=path)


def explain_refusal(ledger: Path, error: sqlite3.Error, *, writing: bool) -> LedgerError | None:
    """Return what the file system refused behind an SQLite error; None where the database itself is at fault."""
    name = str(getattr(error, "sqlite_errorname", ""))
    if name == "SQLITE_FULL":
        return LedgerUnreachable.of(OSError(errno.ENOSPC, "", str(ledger)))
    if not name.startswith(tuple(REFUSED)):
        return None
    barrier = _find_barrier(ledger, writing=writing)
    return barrier or LedgerError("ledger.not_opened", path=ledger, why=reason_of(error), then=("status",))


def explain_error(key: str, path: Path, error: OSError | NotImplementedError) -> LedgerError:
    """Return the error of a file beside the ledger: the cure where rights or room lack, else the sentence of a key."""
    if isinstance(error, OSError) and LedgerUnreachable.fits(error):
        if not error.filename:
            error.filename = str(path)
        return LedgerUnreachable.of(error)
    return LedgerError(key, path=path, why=reason_of(error))


def _find_barrier(ledger: Path, *, writing: bool) -> LedgerUnreachable | None:
    if not writing:
        path = find_unreadable([ledger.parent, *_files(ledger), *_secrets(ledger)])
    else:
        path = find_unreadable(_secrets(ledger)) or find_unwritable([ledger.parent, *_files(ledger)])
    if path is None:
        return None
    number = errno.EROFS if writing and is_on_read_only_disk(path) else errno.EACCES
    stale = path.name.endswith("-shm") and number == errno.EACCES
    return LedgerUnreachable.of(OSError(number, "", str(path)), key="ledger.stale_shm" if stale else None)


def _files(ledger: Path) -> Iterator[Path]:
    yield ledger
    for suffix in SIDE_SUFFIXES:
        yield ledger.with_name(ledger.name + suffix)


def _secrets(ledger: Path) -> list[Path]:
    return [ledger.with_name(f"{ledger.name}.key")]
