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
    for each in _noted(path):
        try:
            if _is_edited(each):
                kept.append(each.rename(_free(each)))
            elif each != path:
                each.unlink(missing_ok=True)
            else:
                continue
        except PermissionError:
            continue
        _note(each).unlink(missing_ok=True)
    return kept


def remember_written(path: Path) -> None:
    """Note what a workbook looks like now that it was written."""
    digest = _digest(path)
    write_atomically(_note(path), lambda temporary: _fill(temporary, digest))


def newest(path: Path) -> Path:
    """Return the workbook that was written last: the one of that name, or a numbered sibling of it."""
    return max(_noted(path), key=lambda each: _note(each).stat().st_mtime_ns, default=path)


def _noted(path: Path) -> Iterator[Path]:
    return (each for each in (path, *siblings(path)) if _note(each).exists())


def _is_edited(path: Path) -> bool:
    try:
        return _digest(path) != _note(path).read_text("ascii").strip()
    except FileNotFoundError:
        return False


def _free(path: Path) -> Path:
    names = (
        path.with_name(f"{path.stem} (edited{'' if number == 1 else f' {number}'}){path.suffix}")
        for number in itertools.count(1)
    )
    return next(name for name in names if not name.exists())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _fill(temporary: Path, text: str) -> None:
    temporary.write_text(text, "ascii")


def _note(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha256")
