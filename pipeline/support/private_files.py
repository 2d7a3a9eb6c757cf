"""Files and folders for their owner alone, whatever the umask, that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents (0700); one that is there already keeps its mode."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
        parent.chmod(FOLDER_MODE)


def create(path: Path) -> None:
    """Create an empty file (0600); raises FileExistsError."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE)
    os.close(descriptor)
    path.chmod(FILE_MODE)


def draft_of(path: Path) -> Path:
    """Return a name beside ``path`` that no other process uses."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")


def free_name(path: Path) -> Path:
    """Return a name beside ``path`` that is not taken: ``<name>.replaced-1`` and so on."""
    return next(name for n in count(1) if not (name := path.with_name(f"{path.name}.replaced-{n}")).exists())


@contextmanager
def create_atomically(path: Path) -> Iterator[Path]:
    """Yield an empty draft (0600) that takes the name ``path``, durably, once the block has filled it.

    Where the name is taken by then the first one stays. A link and not a rename: a rename would take the place of what
    another process has just put there.
    """
    draft = draft_of(path)
    create(draft)
    try:
        yield draft
        sync_file(draft)
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    sync_folder(path.parent)


def identify_file(path: Path) -> tuple[int, int] | None:
    """Return device and inode of the file at a path, None where there is none; a file that replaces it differs."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def sync_file(path: Path) -> None:
    """Make a file's bytes durable."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; Windows keeps them with the file and cannot be asked."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
