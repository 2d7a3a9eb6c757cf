"""On which kind of disk a ledger lies: a network's loses locks and flushes, and with them the promise.

SQLite's write-ahead log needs memory that all its processes share, so no two machines may use one ledger (sqlite.org/wal.html);
file locks over NFS and SMB are kept or not, as the server likes.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from pipeline.errors import LedgerError

MOUNTS = Path("/proc/self/mountinfo")  # Linux: proc_pid_mountinfo(5)
NETWORK = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|ncpfs|afs|coda|ceph|lustre|gpfs|glusterfs|beegfs|davfs|fuse\.(sshfs|glusterfs|"
    r"rclone|s3fs|goofys|davfs2?|gvfsd-fuse|cephfs|mfs|juicefs|ossfs|cosfs|seaweedfs)"
)
_REMOTE = 4  # Windows: DRIVE_REMOTE of GetDriveTypeW, also for \\server\share
_OCTAL = re.compile(rb"\\([0-7]{3})")  # a space in a mount's name, and such


def require_local(path: Path) -> None:
    """Raise LedgerError where the folder of ``path`` lies on a network file system; where nobody can tell, it passes."""
    kind = _remote_drive(path) if sys.platform == "win32" else _mounted_as(path)
    if kind is not None and NETWORK.fullmatch(kind):
        raise LedgerError("ledger.network_disk", folder=path.parent, kind=kind)


def _mounted_as(path: Path) -> str | None:
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


def _remote_drive(path: Path) -> str | None:
    import ctypes  # noqa: PLC0415 - for Windows alone

    root = path.absolute().anchor
    return "smb" if ctypes.windll.kernel32.GetDriveTypeW(root) == _REMOTE else None  # type: ignore[attr-defined,unused-ignore]
