"""The files that paths on the command line mean: by their names alone, nothing is opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.domain.roster import ROSTER_SUFFIXES
from pipeline.messages.areas import get_pair

_DEBRIS = ("~$", ".")  # of Office, WPS, LibreOffice and macOS


def expand_paths(paths: Sequence[Path]) -> list[Path]:
    """Return the files meant, each once; a folder gives what may be a roster, without debris and sub-folders."""
    once: dict[Path, Path] = {}
    for path in paths:
        for file in _list_folder(path) if _is_folder(path) else (path,):
            once.setdefault(_resolve_path(file), file)
    return list(once.values())


def list_empty_folders(paths: Sequence[Path]) -> list[Path]:
    """Return the folders among these that hold nothing that may be a roster."""
    return [path for path in paths if _is_folder(path) and not list(_list_folder(path))]


def list_usable_rosters(paths: Sequence[Path]) -> list[Path]:
    """Return the paths that are worth naming again: what may be a roster, and folders that hold one.

    Beside others, the template that `init` writes is none.
    """
    usable = [path for path in paths if _is_folder(path) or path.suffix.lower() in ROSTER_SUFFIXES]
    empty = list_empty_folders(usable)
    filled = [path for path in usable if path not in empty]
    return [path for path in filled if path.name not in get_pair("init.template")] or filled


def list_other_files(paths: Sequence[Path]) -> list[Path]:
    """Return what folders hold besides rosters, without debris and sub-folders: mostly pictures."""
    files = []
    for folder in filter(_is_folder, paths):
        for file in sorted(folder.iterdir()):
            is_other = file.suffix.lower() not in ROSTER_SUFFIXES and not file.name.startswith(_DEBRIS)
            if is_other and file.is_file():
                files.append(file)
    return files


def list_lock_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files in folders that Excel, WPS or LibreOffice put there while a roster was open."""
    patterns = ("~$*", ".~lock.*#")
    return [file for folder in filter(_is_folder, paths) for name in patterns for file in folder.glob(name)]


def _list_folder(folder: Path) -> Iterator[Path]:
    """Yield what may be a roster, by name; links that lead nowhere and pipes are reported when they are opened."""
    try:
        files = sorted(folder.iterdir(), key=lambda file: file.name)
    except OSError:
        yield folder  # reported when it is opened like a file
        return
    for file in files:
        if (
            file.suffix.lower() in ROSTER_SUFFIXES
            and not file.name.startswith(_DEBRIS)
            and not _is_folder(file)
        ):
            yield file


def get_lock_file(path: Path) -> Path | None:
    """Return the file that Excel, WPS or LibreOffice puts beside a document while it is open; None without one."""
    for name in (f"~${path.name}", f".~lock.{path.name}#"):
        try:
            if (lock := path.with_name(name)).is_file():
                return lock
        except OSError:  # a name that is too long
            continue
    return None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # reported when it is opened
        return False


def _resolve_path(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # links in a circle, a NUL
        return path.absolute()
