"""Workbooks that somebody holds open or has edited: none of them is lost, and the newest is the one that is named.

Beside each workbook lies a note of what it looked like when it was written, by which an edited one is known.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

from pipeline.support.atomic_files import siblings, write_atomically


def preserve_edited_workbooks(path: Path) -> list[Path]:
    """Keep what was edited of a workbook and its numbered siblings under other names, which are returned.

    Siblings that nobody edited tell of an earlier run and are removed. What a program still holds open stays.
    """
    kept = []
    for each in _list_noted(path):
        try:
            if _is_edited(each):
                kept.append(each.rename(_find_free_path(each)))
            elif each != path:
                each.unlink(missing_ok=True)
            else:
                continue
        except PermissionError:
            continue
        _note_path(each).unlink(missing_ok=True)
    return kept


def remember_written(path: Path) -> None:
    """Note what a workbook looks like now that it was written."""
    digest = _hash_file(path)
    write_atomically(_note_path(path), lambda temporary: _fill(temporary, digest))


def find_newest_workbook(path: Path) -> Path:
    """Return the workbook that was written last: the one of that name, or a numbered sibling of it."""
    return max(_list_noted(path), key=lambda each: _note_path(each).stat().st_mtime_ns, default=path)


def _list_noted(path: Path) -> Iterator[Path]:
    return (each for each in (path, *siblings(path)) if _note_path(each).exists())


def _is_edited(path: Path) -> bool:
    try:
        return _hash_file(path) != _note_path(path).read_text("ascii").strip()
    except FileNotFoundError:
        return False


def _find_free_path(path: Path) -> Path:
    names = (
        path.with_name(f"{path.stem} (edited{'' if number == 1 else f' {number}'}){path.suffix}")
        for number in itertools.count(1)
    )
    return next(name for name in names if not name.exists())


def _hash_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _fill(temporary: Path, text: str) -> None:
    temporary.write_text(text, "ascii")


def _note_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha256")
