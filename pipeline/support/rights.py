"""Rights of files: which user this process is, what it may read and write, and who may read what it writes.

Files are readable by their owner alone; a network share may refuse a mode or a sync.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700
# what a file system answers that has no modes, groups, links or syncs, or that leaves them to its server
UNSUPPORTED = frozenset({errno.EPERM, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


def acting_user() -> str:
    """Return the name of the user whose rights count; cron and sudo leave another one in the environment."""
    if not hasattr(os, "geteuid"):  # Windows
        return os.environ.get("USERNAME", "").strip() or os.getlogin()  # which asks the system there
    return _name_of(os.geteuid())


def owner_of(path: Path) -> str:
    """Return the name of the user to whom a file belongs, "?" where it is unknown."""
    try:
        return _name_of(path.stat().st_uid) if hasattr(os, "geteuid") else "?"
    except OSError:
        return "?"


def describe_lacking_mode(path: Path) -> tuple[str, str] | None:
    """Return the mode of a file or folder of this user, and what `chmod` adds where it lets the user not read and write.

    None where the mode is not at fault.
    """
    if not hasattr(os, "geteuid"):  # Windows
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    needed = FOLDER_MODE if stat.S_ISDIR(status.st_mode) else FILE_MODE
    if status.st_uid != os.geteuid() or status.st_mode & needed == needed:
        return None
    return f"{stat.S_IMODE(status.st_mode):04o}", "u+rwx" if needed == FOLDER_MODE else "u+rw"


def is_there(path: Path) -> bool:
    """Return whether a file or folder exists, as far as this process may see."""
    try:
        return path.exists()
    except OSError:
        return False


def is_exposed(path: Path) -> bool:
    """Return whether a file's rights let others read it.

    A group counts only where the file is our own: else it may be by the group that we read it.
    """
    if os.name == "nt":  # its rights are no mode
        return False
    try:
        status = path.stat()
    except OSError:
        return False
    others = stat.S_IROTH | (stat.S_IRGRP if status.st_uid == os.geteuid() else 0)
    return bool(status.st_mode & others)


def get_unwritable(paths: Iterable[Path]) -> Path | None:
    """Return the first of these files and folders that is there and may not be read and written by this process."""
    return next((path for path in paths if is_there(path) and not os.access(path, os.R_OK | os.W_OK)), None)


def get_unreadable(paths: Iterable[Path]) -> Path | None:
    """Return the first of these files and folders that is there and may not be read by this process."""
    return next((path for path in paths if is_there(path) and not os.access(path, os.R_OK)), None)


def is_on_read_only_disk(path: Path) -> bool:
    """Return whether a file lies on a disk that is mounted read-only."""
    return hasattr(os, "statvfs") and bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _name_of(number: int) -> str:
    import pwd  # noqa: PLC0415 - Windows has none

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # a container may know no name for it
        return str(number)


@contextmanager
def allow_unsupported() -> Iterator[None]:
    """Pass over what the file system does not support; any other error is raised."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


def make_private(path: Path) -> None:
    """Let only the owner read and write a file, or enter a folder, where the file system knows modes."""
    with allow_unsupported():
        path.chmod(FOLDER_MODE if path.is_dir() else FILE_MODE)
