"""The user of this process, and the files that it may not read or write."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path


def acting_user() -> str:
    """Return the name of the user whose rights count; cron and sudo leave another one in the environment."""
    if not hasattr(os, "geteuid"):  # Windows
        return os.environ.get("USERNAME", "?")
    return _name_of(os.geteuid())


def owner_of(path: Path) -> str:
    """Return the name of the user to whom a file belongs, "?" where it is unknown."""
    try:
        return _name_of(path.stat().st_uid) if hasattr(os, "geteuid") else "?"
    except OSError:
        return "?"


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


def find_unwritable(paths: Iterable[Path]) -> Path | None:
    """Return the first of these files and folders that is there and may not be read and written by this process."""
    return next((path for path in paths if is_there(path) and not os.access(path, os.R_OK | os.W_OK)), None)


def find_unreadable(paths: Iterable[Path]) -> Path | None:
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
