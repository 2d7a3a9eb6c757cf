"""Checks the disk of a ledger: refuses network disks, explains errors of the file system, and keeps a reserve file.

SQLite's write-ahead log needs memory shared by all its processes, so two machines cannot use one ledger
(sqlite.org/wal.html). Locks over NFS and SMB depend on the server.
"""

from __future__ import annotations

import errno
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pipeline.errors import LedgerError, LedgerUnreachable, reason_of
from pipeline.ledger.journal import JournalChanged
from pipeline.support import atomic_files
from pipeline.support.rights import FILE_MODE, get_unreadable, get_unwritable, is_on_read_only_disk

NETWORK = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|ncpfs|afs|coda|ceph|lustre|gpfs|glusterfs|beegfs|davfs|fuse\.(sshfs|glusterfs|"
    r"rclone|s3fs|goofys|davfs2?|gvfsd-fuse|cephfs|mfs|juicefs|ossfs|cosfs|seaweedfs)"
)


def require_local_disk(path: Path) -> None:
    """Raise LedgerError where the folder of ``path`` lies on a known network file system."""
    if (kind := get_network_disk_kind(path)) is not None:
        raise LedgerError("ledger.network_disk", folder=path.parent, kind=kind)


def get_network_disk_kind(path: Path) -> str | None:
    """Return the kind of the known network file system on which the folder of ``path`` lies, None for a local disk."""
    kind = _get_file_system(path.absolute().resolve())
    return kind if NETWORK.fullmatch(kind) else None


def _get_file_system(path: Path) -> str:
    """Return the type of the file system that holds a path, "smb" for a drive of another machine, "" where it is not known."""
    import psutil  # noqa: PLC0415 - `--help` needs no ledger

    if path.drive.startswith("\\\\"):  # \\server\share on Windows
        return "smb"
    folders = {str(folder) for folder in path.parents}
    longest, kind = -1, ""
    with suppress(OSError):
        for partition in psutil.disk_partitions(all=True):
            point = partition.mountpoint
            if point in folders and len(point) >= longest:  # of two on one point the later one lies on top
                longest = len(point)
                kind = "smb" if "remote" in partition.opts else partition.fstype
    return kind


_SIDE_SUFFIXES = ("-wal", "-shm", "-journal")  # of the files that SQLite keeps next to a database
_REFUSALS = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")


def list_side_files(ledger: Path) -> list[Path]:
    """Return the files that SQLite may keep next to a ledger."""
    return [ledger.with_name(ledger.name + suffix) for suffix in _SIDE_SUFFIXES]


def key_path(ledger: Path) -> Path:
    """Return the path of a ledger's site key."""
    return ledger.with_name(f"{ledger.name}.key")


def loaded_path(ledger: Path) -> Path:
    """Return the name of a ledger's file once it was loaded into a server (pipeline/hosts/load.py)."""
    return ledger.with_name(f"{ledger.name}.loaded")


def require_not_loaded(ledger: Path) -> None:
    """Raise LedgerError where there is no ledger because its file was loaded into a server."""
    if not ledger.exists() and loaded_path(ledger).exists():
        raise LedgerError("load.loaded", path=ledger, file=loaded_path(ledger))


def require_rights(ledger: Path, *, writing: bool) -> None:
    """Raise LedgerUnreachable for a file of a ledger, or its folder, that this user may not read, or write.

    Checked before SQLite opens it: SQLite would create a ``-shm`` with the rights the ledger has now, and a read-only
    ``-shm`` refuses every later writer.
    """
    if barrier := _get_barrier(ledger, writing=writing):
        raise barrier


def restore_side_file_rights(ledger: Path) -> Iterator[LedgerError]:
    """Make side files of this user writable after the ledger was read-only for a time; yield a warning for each."""
    for path in list_side_files(ledger):
        with suppress(OSError):
            status = path.stat()
            if hasattr(os, "geteuid") and status.st_uid == os.geteuid() and not status.st_mode & 0o200:
                path.chmod(FILE_MODE)
                yield LedgerError("ledger.side_file_opened", path=path)


def explain_refusal(ledger: Path, error: sqlite3.Error, *, writing: bool) -> LedgerError | None:
    """Return the refusal of the file system behind an SQLite error; None where the database itself is at fault."""
    name = str(getattr(error, "sqlite_errorname", ""))
    if name == "SQLITE_FULL":
        return LedgerUnreachable.of(OSError(errno.ENOSPC, "", str(ledger)))
    if not name.startswith(_REFUSALS):
        return None
    barrier = _get_barrier(ledger, writing=writing)
    return barrier or LedgerError("ledger.not_opened", path=ledger, why=reason_of(error), then=("status",))


def explain_error(key: str, path: Path, error: OSError | NotImplementedError) -> LedgerError:
    """Return the error for a file of the ledger: missing rights or space with the cure, else the message ``key``.

    A file in another folder is one of its journals.
    """
    if isinstance(error, JournalChanged):
        return LedgerError("ledger.journal_changed", path=error.filename)
    if isinstance(error, OSError) and LedgerUnreachable.fits(error):
        if not error.filename:
            error.filename = str(path)
        return LedgerUnreachable.of(error)
    if isinstance(error, OSError) and error.filename and Path(error.filename).parent != path.parent:
        return LedgerError("ledger.place_refused", path=error.filename, why=reason_of(error))
    return LedgerError(key, path=path, why=reason_of(error))


def _get_barrier(ledger: Path, *, writing: bool) -> LedgerUnreachable | None:
    key, files = [key_path(ledger)], [ledger.parent, ledger, *list_side_files(ledger)]
    path = get_unreadable(key) or get_unwritable(files) if writing else get_unreadable([*files, *key])
    if path is None:
        return None
    number = errno.EROFS if writing and is_on_read_only_disk(path) else errno.EACCES
    stale = path.name.endswith("-shm") and number == errno.EACCES
    return LedgerUnreachable.of(OSError(number, "", str(path)), key="ledger.stale_shm" if stale else None)


RESERVE_BYTES = 1 << 20  # bytes; a verdict and its lines of journals need some four thousand


def reserve_path(ledger: Path) -> Path:
    """Return the path of a ledger's reserve file."""
    return ledger.with_name(f"{ledger.name}.ballast")


def fill_reserve(ledger: Path) -> None:
    """Fill the reserve file where it is not full, so that a full disk is found before a create is sent.

    Raises OSError. The content is random, because some file systems store a file of zeros without using space.
    """
    path = reserve_path(ledger)
    if path.exists() and path.stat().st_size == RESERVE_BYTES:
        return
    path.unlink(missing_ok=True)
    atomic_files.create_private_file(path)
    try:
        path.write_bytes(os.urandom(RESERVE_BYTES))
        atomic_files.sync_file(path)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def release_reserve(ledger: Path) -> None:
    """Empty the reserve file, so that the verdicts of creates in flight can be written."""
    with suppress(OSError):
        os.truncate(reserve_path(ledger), 0)
