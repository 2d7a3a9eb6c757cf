"""The picture folder as an index of names, and the fingerprints of its files; no picture is decoded here.

The index is made from directory entries alone. A file is opened only to be hashed (``fingerprint``) or prepared, and
then so that a link, a pipe or a device put in its place is refused, not followed or waited for (reliability.md §5.2).
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.intake import stems
from pipeline.roster import FileStat

MAX_BYTES = 64_000_000  # eight times what the service takes: beyond it a file is not even hashed

_DEBRIS = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
_DEBRIS_STARTS = (".", "~$")  # with the dot: ._张伟.png and .DS_Store of macOS, whatever else is hidden
_CHUNK = 1 << 20
# Windows has neither flag, POSIX no O_BINARY
_OPEN_FLAGS = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One file of the folder that may be a seal picture, as its directory entry tells it."""

    path: Path = field(repr=False)
    relative: str = field(repr=False)  # below the folder, with "/" on every system
    stem: str = field(repr=False)  # the base name without a picture extension
    size: int  # bytes
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Library:
    """The candidates of a folder in the order of their relative paths, and dictionaries of what they are called.

    All keys are folded (``stems.fold``); ``by_stem`` also knows each stem without its known suffixes. ``by_name`` and
    ``by_path`` hold the base name and the relative path, each with and without the extension.
    """

    folder: Path | None = field(repr=False)  # None: no folder was given, or it does not exist
    candidates: tuple[Candidate, ...] = field(default=(), repr=False)
    by_stem: Mapping[str, Sequence[Candidate]] = field(default_factory=dict, repr=False)
    by_name: Mapping[str, Sequence[Candidate]] = field(default_factory=dict, repr=False)
    by_path: Mapping[str, Sequence[Candidate]] = field(default_factory=dict, repr=False)
    unreadable: tuple[str, ...] = field(default=(), repr=False)  # sub-folders that could not be listed


def index(folder: Path | None) -> Library:
    """Return the index of a folder and its sub-folders; the result does not depend on the order of directory entries.

    Taken are regular files with a picture extension in any case, or with none. Links are not followed, wherever they
    lead; debris of macOS, Windows and Office is passed over. A folder that does not exist gives an empty library with
    ``folder=None``, one that cannot be listed stands in ``unreadable``.
    """
    if folder is None or not folder.is_dir():
        return Library(None)
    candidates: list[Candidate] = []
    unreadable: list[str] = []
    waiting = [(folder, "")]
    while waiting:
        place, prefix = waiting.pop()
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    if _is_debris(entry.name):
                        continue
                    relative = prefix + entry.name
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode) and not _is_junction(status):
                        waiting.append((place / entry.name, relative + "/"))
                    elif stat.S_ISREG(status.st_mode):
                        stem, extension = stems.split(entry.name)
                        if not extension or extension in stems.EXTENSIONS:
                            path = place / entry.name
                            candidates.append(
                                Candidate(path, relative, stem, status.st_size, status.st_mtime_ns)
                            )
        except OSError:
            unreadable.append(prefix.rstrip("/") or ".")
    candidates.sort(key=lambda candidate: candidate.relative)
    return _library(folder, candidates, sorted(unreadable))


def fingerprint(path: Path, known: Mapping[str, FileStat]) -> FileStat:
    """Return size, time and digest of a regular file; it is opened only where size or time differ from ``known``.

    ``known`` is keyed by ``str(path)``. Raises OSError where the file is gone, unreadable, or no regular file any more.
    """
    status = os.lstat(path)
    _require_regular(status, path)
    before = known.get(str(path))
    if before and (before.size, before.mtime_ns) == (status.st_size, status.st_mtime_ns):
        return before
    with os.fdopen(_open_regular(path), "rb") as file:
        status = os.fstat(
            file.fileno()
        )  # taken before the bytes: a later change shows in the next comparison
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return FileStat(status.st_size, status.st_mtime_ns, digest.hexdigest())


def read(path: Path, *, limit: int = MAX_BYTES) -> bytes:
    """Return the bytes of a regular file, at most ``limit`` + 1 of them so that the caller sees an excess.

    Raises OSError where the file is gone, unreadable, or no regular file.
    """
    with os.fdopen(_open_regular(path), "rb") as file:
        return file.read(limit + 1)


def _library(folder: Path, candidates: list[Candidate], unreadable: list[str]) -> Library:
    by_stem: dict[str, list[Candidate]] = {}
    by_name: dict[str, list[Candidate]] = {}
    by_path: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        for form in stems.undressed(candidate.stem):
            by_stem.setdefault(form, []).append(candidate)
        place, slash, name = candidate.relative.rpartition("/")
        for written in dict.fromkeys((name, candidate.stem)):
            by_name.setdefault(stems.fold(written), []).append(candidate)
            by_path.setdefault(stems.fold(place + slash + written), []).append(candidate)
    return Library(folder, tuple(candidates), by_stem, by_name, by_path, tuple(unreadable))


def _is_debris(name: str) -> bool:
    return name.lower() in _DEBRIS or name.startswith(_DEBRIS_STARTS)


def _is_junction(status: os.stat_result) -> bool:
    """Tell whether a Windows directory entry leads elsewhere; lstat calls it a directory (absent on POSIX)."""
    tag: int = getattr(status, "st_reparse_tag", 0)
    return tag != 0 and tag == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)


def _open_regular(path: Path) -> int:
    _require_regular(
        os.lstat(path), path
    )  # a pipe is not even opened; what is put there since then is caught below
    descriptor = os.open(path, _OPEN_FLAGS)
    try:
        _require_regular(os.fstat(descriptor), path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _require_regular(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
