"""Which workbooks of a folder of results were edited since they were written.

One file of the folder holds the digest that each had at the time of writing; another digest means that it was edited.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pipeline.domain.results_format import COPIES, WORKBOOK
from pipeline.support.atomic_files import write_json

NOTES = ".written.json"
_SIBLING = re.compile(rf"{re.escape(Path(WORKBOOK).stem)} \(\d+\){re.escape(Path(WORKBOOK).suffix)}")


class WrittenWorkbooks:
    """The results workbook of a folder, its numbered siblings, and the marked copies of rosters."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def remember(self, workbook: Path, *, copied_from: Path | None = None) -> None:
        """Note the digest of a workbook that was just written; a copy may meanwhile be replaced by another run's."""
        name = workbook.relative_to(self._folder).as_posix()
        self._save({**self._read_notes(), name: _hash_file(copied_from or workbook) or ""})

    def preserve_edited(self) -> list[Path]:
        """Rename the results workbook and its siblings if they were edited, and return the new paths.

        Unedited siblings belong to an earlier run and are removed. A workbook that a program holds open stays.
        """
        names = [name for name in self._read_notes() if name == WORKBOOK or _SIBLING.fullmatch(name)]
        return list(self._put_aside(names, kept=WORKBOOK))

    def clear_copies(self) -> None:
        """Remove the marked copies of an earlier run; one that was edited is renamed, and stays."""
        list(self._put_aside([name for name in self._read_notes() if name.startswith(f"{COPIES}/")]))

    def _put_aside(self, names: list[str], *, kept: str = "") -> Iterator[Path]:
        """Rename the edited ones of these workbooks and yield their new paths; remove the others, but the ``kept`` one."""
        notes = self._read_notes()
        for name in names:
            workbook = self._folder / name
            try:
                if _hash_file(workbook) not in (None, notes[name]):
                    yield workbook.rename(_choose_free_path(workbook))
                elif name == kept:
                    continue
                else:
                    workbook.unlink(missing_ok=True)
            except PermissionError:  # a program holds it open
                continue
            except FileNotFoundError:  # a run at the same time has renamed it
                pass
            del notes[name]
        if names:
            self._save(notes)

    def _read_notes(self) -> dict[str, str]:
        """Return the digests; none where the file is missing or damaged."""
        with suppress(OSError, ValueError):
            notes = json.loads((self._folder / NOTES).read_text("utf-8"))
            if isinstance(notes, dict):
                return notes
        return {}

    def _save(self, notes: Mapping[str, str]) -> None:
        write_json(self._folder / NOTES, notes)


def _choose_free_path(path: Path) -> Path:
    names = (
        path.with_name(f"{path.stem} (edited{'' if number == 1 else f' {number}'}){path.suffix}")
        for number in itertools.count(1)
    )
    return next(name for name in names if not name.exists())


def _hash_file(path: Path) -> str | None:
    """Return the SHA-256 of a file, None where it is not there: a run at the same time may have taken it away."""
    with (
        suppress(FileNotFoundError),
        path.open("rb") as file,
    ):  # megabytes of a large workbook are not held at once
        return hashlib.file_digest(file, "sha256").hexdigest()
    return None
