"""Keeps workbooks that were edited or are held open by a program, and finds the newest one.

A note beside each workbook holds its digest at the time of writing; another digest means that it was edited.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from pathlib import Path

from pipeline.support.atomic_files import write_atomically


def preserve_edited_workbooks(path: Path) -> list[Path]:
    """Rename a workbook and its numbered siblings if they were edited, and return the new paths.

    Unedited siblings belong to an earlier run and are removed. A workbook that a program holds open stays.
    """
    kept = []
    for workbook in _list_noted(path):
        try:
            if _is_edited(workbook):
                kept.append(workbook.rename(_find_free_path(workbook)))
            elif workbook != path:
                workbook.unlink(missing_ok=True)
            else:
                continue
        except PermissionError:
            continue
        _note_path(workbook).unlink(missing_ok=True)
    return kept


def remember_written(path: Path) -> None:
    """Note the digest of a workbook that was just written."""
    digest = _hash_file(path)

    def write_digest(temporary: Path) -> None:
        temporary.write_text(digest, "ascii")

    write_atomically(_note_path(path), write_digest)


def find_newest_workbook(path: Path) -> Path:
    """Return the workbook that was written last: the one at ``path``, or a numbered sibling."""
    return max(_list_noted(path), key=lambda workbook: _note_path(workbook).stat().st_mtime_ns, default=path)


def _list_noted(path: Path) -> list[Path]:
    """Return the workbook and its siblings "name (2).ext", "name (3).ext" …, those that have a note."""
    if not path.parent.is_dir():
        return []
    note = re.compile(rf"\.({re.escape(path.stem)}(?: \(\d+\))?{re.escape(path.suffix)})\.sha256")
    matches = (note.fullmatch(entry.name) for entry in path.parent.iterdir())
    names = [match[1] for match in matches if match]
    return [path.with_name(name) for name in sorted(names, key=lambda name: (len(name), name))]


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


def _note_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha256")
