"""Rights of files: which user this process is, what it may read and write, and who may read what it writes.

Files are readable by their owner alone, in folders that are shared also by a group. A network share may refuse a mode, a
group or a sync. Such a refusal is kept and reported, and stops nothing.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


# -- who may read what is written


@dataclass(slots=True)
class FolderAccess:
    """The rights of files below one folder."""

    mode: int = FILE_MODE
    group: str | None = None
    refusal: OSError | LookupError | None = None  # the first one since the folder was shared

    @property
    def folder_mode(self) -> int:
        """The mode of a folder: who may read the files may also enter."""
        return self.mode | (self.mode & 0o444) >> 2


_PRIVATE = FolderAccess()
_shared: dict[Path, FolderAccess] = {}  # by absolute path


def share_folder(folder: Path, *, mode: int = FILE_MODE, group: str | None = None) -> None:
    """Give the files that this process writes below a folder a mode and a group from now on."""
    if (mode, group) == (FILE_MODE, None):
        _shared.pop(folder.absolute(), None)
    else:
        _shared[folder.absolute()] = FolderAccess(mode, group)


def get_sharing_refusal(folder: Path) -> OSError | LookupError | None:
    """Return what was refused first below a folder since it was shared: LookupError for a group that is unknown."""
    return _get_access(folder).refusal


def set_file_access(path: Path) -> None:
    """Give a file the mode, and where it lies in a shared folder the group, that it is to have."""
    access = _get_access(path)
    _set_access(path, access, access.mode, FILE_MODE)


def set_folder_access(folder: Path) -> None:
    """Give a folder that was made the mode and the group that it is to have."""
    access = _get_access(folder)
    _set_access(folder, access, access.folder_mode, FOLDER_MODE)


def open_shared_folder(folder: Path) -> None:
    """Give a folder that exists, and those above it up to the shared one, the rights they are to have.

    A folder that is not shared keeps its rights.
    """
    access = _get_access(folder)
    if access is _PRIVATE:
        return
    for path in (folder, *folder.absolute().parents):
        if path.stat().st_mode & 0o777 != access.folder_mode or access.group is not None:
            _set_access(path, access, access.folder_mode, FOLDER_MODE)
        if path.absolute() in _shared:
            break


@contextmanager
def allow_unsupported() -> Iterator[None]:
    """Pass over what the file system does not support; any other error is raised."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


def _get_access(path: Path) -> FolderAccess:
    absolute = path.absolute()
    above = [folder for folder in _shared if absolute.is_relative_to(folder)]
    return _shared[max(above, key=lambda folder: len(folder.parts))] if above else _PRIVATE


def _set_access(path: Path, access: FolderAccess, mode: int, private_mode: int) -> None:
    """Set group and mode; where the group is refused, no other group may read."""
    try:
        if access.group is not None:
            _set_group(path, access.group)
    except (OSError, LookupError) as error:
        if isinstance(error, OSError) and error.errno not in UNSUPPORTED:
            raise
        access.refusal, mode = access.refusal or error, private_mode
    try:
        path.chmod(mode)  # after the group: changing it may take rights away
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        access.refusal = access.refusal or error


def _set_group(path: Path, group: str) -> None:
    if os.name == "nt":  # the rights of the folder are inherited
        return
    import grp  # noqa: PLC0415 - Windows has none

    number = grp.getgrnam(group).gr_gid
    if path.stat().st_gid != number:
        os.chown(path, -1, number)
