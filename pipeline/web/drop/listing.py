"""What the roster folders and the folder of pictures hold: rosters, and files that wait for a person."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.intake.pairing.file_names import is_image_extension, split_extension
from pipeline.intake.pairing.image_index import is_debris
from pipeline.intake.readers.discover import expand_paths, get_lock_file

_WAITING = re.compile(r"\.waiting-([0-9a-f]{16})-(.+)", re.DOTALL)
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in one of the folders; ``stamp`` changes with its content."""

    path: Path = field(repr=False)
    size: int
    modified: float
    stamp: str

    @classmethod
    def of(cls, path: Path) -> StoredFile:
        """Return the file at a path. Raises OSError."""
        status = path.lstat()
        # the time of the last change of any kind: another file of the same size can have been given the same time of writing
        parts = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size)
        return cls(path, status.st_size, status.st_mtime, "-".join(map(str, parts)))

    @property
    def id(self) -> str:
        """What stands for its path in a form; it is looked up in a fresh listing."""
        return make_id(self.path)

    def digest(self) -> str:
        """Return the SHA-256 of its bytes. Raises OSError."""
        return _digest_file(self.path, self.stamp)


@dataclass(frozen=True, slots=True)
class WaitingFile:
    """A file that may take the place of another one, if a person decides so."""

    id: str
    target: Path = field(repr=False)
    new: StoredFile
    former: StoredFile | None  # None: it is gone by now

    @property
    def stamp(self) -> str:
        """The stamp of the former file; empty where it is gone."""
        return self.former.stamp if self.former else ""

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture, by its name."""
        return _is_picture(self.target.name)

    @property
    def is_open(self) -> bool:
        """Whether Excel, WPS or LibreOffice has the former file open."""
        return get_lock_file(self.target) is not None


@dataclass(frozen=True, slots=True)
class FolderContent:
    """What the folders hold now."""

    rosters: list[StoredFile]
    waiting: list[WaitingFile]

    @property
    def waiting_digest(self) -> str:
        """What changes with each file that waits, and with each former one."""
        seen = sorted(f"{waiting.id} {waiting.stamp}" for waiting in self.waiting)
        return hashlib.sha256("\n".join(seen).encode()).hexdigest()[:32]


def make_id(path: Path) -> str:
    """Return what stands for a path in a form."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def get_file(path: Path) -> StoredFile | None:
    """Return the file at a path, None where there is none."""
    try:
        return StoredFile.of(path)
    except OSError:
        return None


def get_stamp(path: Path) -> str:
    """Return the stamp of a file, empty where there is none."""
    stored = get_file(path)
    return stored.stamp if stored else ""


@lru_cache(maxsize=1024)
def _digest_file(path: Path, _stamp: str) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def list_folder_content(config: Config) -> FolderContent:
    """Return the rosters and the files that wait; folders that are away hold nothing."""
    folders = [config.resolve_path(path) for path in config.roster]
    rosters = []
    for path in expand_paths(folders):
        with suppress(OSError):
            if stat.S_ISREG(path.stat().st_mode):
                rosters.append(StoredFile.of(path))
    for folder, _, names in os.walk(config.resolve_path(config.seals)):
        if any(map(_WAITING.fullmatch, names)):
            folders.append(Path(folder))
    waiting = [one for folder in folders for one in list_waiting(folder)]
    return FolderContent(rosters, waiting)


def make_waiting_name(name: str) -> str:
    """Return the hidden name under which a file waits for a person."""
    return f".waiting-{secrets.token_hex(8)}-{name}"


def list_waiting(folder: Path) -> Iterator[WaitingFile]:
    names: list[str] = []
    with suppress(OSError):
        names = sorted(name for name in os.listdir(folder) if name.startswith(".waiting-"))  # noqa: PTH208
    for name in names:
        if (named := _WAITING.fullmatch(name)) is not None:
            target, new = folder / named[2], get_file(folder / name)
            if new is not None:
                yield WaitingFile(named[1], target, new, get_file(target))


def _is_picture(name: str) -> bool:
    return not is_debris(name) and is_image_extension(split_extension(name)[1])
