"""On which kind of disk a ledger lies: a network's loses locks and flushes, and with them the promise.

SQLite's write-ahead log needs memory that all its processes share, so no two machines may use one ledger (sqlite.org/wal.html);
file locks over NFS and SMB are kept or not, as the server likes.
"""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pipeline.errors import LedgerError, LedgerUnreachable, reason_of
from pipeline.support import private_files
from pipeline.support.rights import find_unreadable, find_unwritable, is_on_read_only_disk

MOUNTS = Path("/proc/self/mountinfo")  # Linux: proc_pid_mountinfo(5)
NETWORK = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|ncpfs|afs|coda|ceph|lustre|gpfs|glusterfs|beegfs|davfs|fuse\.(sshfs|glusterfs|"
    r"rclone|s3fs|goofys|davfs2?|gvfsd-fuse|cephfs|mfs|juicefs|ossfs|cosfs|seaweedfs)"
)
_REMOTE = 4  # Windows: DRIVE_REMOTE of GetDriveTypeW, also for \\server\share
_OCTAL = re.compile(rb"\\([0-7]{3})")  # a space in a mount's name, and such


def require_local_disk(path: Path) -> None:
    """Raise LedgerError where the folder of ``path`` lies on a network file system; where nobody can tell, it passes."""
    kind = _find_drive_kind(path) if sys.platform == "win32" else _find_file_system(path)
    if kind is not None and NETWORK.fullmatch(kind):
        raise LedgerError("ledger.network_disk", folder=path.parent, kind=kind)


def _find_file_system(path: Path) -> str | None:
    """Return the type of the file system that holds a path, or None where the system does not tell."""
    try:
        table = MOUNTS.read_bytes()
    except OSError:
        return None
    folders = {os.fsencode(folder) for folder in path.absolute().resolve().parents}
    longest, found = -1, None
    for line in table.splitlines():
        mount, _, more = line.partition(b" - ")
        point = _OCTAL.sub(lambda match: bytes([int(match[1], 8)]), (mount.split()[4:5] or [b""])[0])
        if point in folders and len(point) >= longest:  # of two on one point the later one lies on top
            longest, found = len(point), os.fsdecode(more.split()[0])
    return found


def _find_drive_kind(path: Path) -> str | None:
    import ctypes  # noqa: PLC0415 - for Windows alone

    root = path.absolute().anchor
    return "smb" if ctypes.windll.kernel32.GetDriveTypeW(root) == _REMOTE else None  # type: ignore[attr-defined,unused-ignore]


SIDE_SUFFIXES = ("-wal", "-shm", "-journal")  # of the files that SQLite keeps beside a database
REFUSAL_ERRORS = frozenset({"SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH"})


def require_rights(ledger: Path, *, writing: bool) -> None:
    """Raise LedgerUnreachable for a file of a ledger, or its folder, that this user may not read, or write.

    Asked before SQLite is: it would leave a ``-shm`` with the rights that a ledger has for one night, and that file
    refuses every writer from then on.
    """
    if barrier := _find_barrier(ledger, writing=writing):
        raise barrier


def restore_side_file_rights(ledger: Path) -> Iterator[LedgerError]:
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
    if not name.startswith(tuple(REFUSAL_ERRORS)):
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
        path = find_unreadable([ledger.parent, *_list_ledger_files(ledger), *_list_key_files(ledger)])
    else:
        path = find_unreadable(_list_key_files(ledger)) or find_unwritable(
            [ledger.parent, *_list_ledger_files(ledger)]
        )
    if path is None:
        return None
    number = errno.EROFS if writing and is_on_read_only_disk(path) else errno.EACCES
    stale = path.name.endswith("-shm") and number == errno.EACCES
    return LedgerUnreachable.of(OSError(number, "", str(path)), key="ledger.stale_shm" if stale else None)


def _list_ledger_files(ledger: Path) -> Iterator[Path]:
    yield ledger
    for suffix in SIDE_SUFFIXES:
        yield ledger.with_name(ledger.name + suffix)


def _list_key_files(ledger: Path) -> list[Path]:
    return [ledger.with_name(f"{ledger.name}.key")]


RESERVE_BYTES = 1 << 20  # bytes; a verdict and its receipt need some four thousand


def reserve_path(ledger: Path) -> Path:
    """Return where a ledger's ballast lies."""
    return ledger.with_name(f"{ledger.name}.ballast")


def fill_reserve(ledger: Path) -> None:
    """Fill the ballast where it is not whole; a disk without that room is found out now, not with a seal in flight.

    Raises OSError; a file of zeros would take no room on some file systems, so it is random.
    """
    place = reserve_path(ledger)
    if place.exists() and place.stat().st_size == RESERVE_BYTES:
        return
    place.unlink(missing_ok=True)
    private_files.create(place)
    try:
        place.write_bytes(os.urandom(RESERVE_BYTES))
        private_files.sync_file(place)
    except OSError:
        place.unlink(missing_ok=True)
        raise


def release_reserve(ledger: Path) -> None:
    """Make the room; a ballast that is not there gives none."""
    try:
        os.truncate(reserve_path(ledger), 0)
    except OSError:
        return
