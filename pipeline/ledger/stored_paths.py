"""Stores the paths of a run without the numbers in them, and finds the files of a stored path again.

The name of a roster or folder may hold an identity number. Every text that looks like a number is masked, and a digest
of the whole path is appended. Equal paths are stored equally, and the digest selects the right one of several files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pipeline.domain.masking import compile_masked_name, mask_every_number
from pipeline.ledger.protocol import RunRecord

_HIDDEN = re.compile(r"(?P<masked>.*\*.*) #(?P<digest>[0-9a-f]{32})", re.DOTALL)


class StoredPaths:
    """Turns paths into what is stored of them, and back; ``digest`` is the site key's."""

    def __init__(self, digest: Callable[[str], str]) -> None:
        self._digest = digest
        self._restored: dict[str, str] = {}

    def hide(self, path: str, run: str = "") -> str:
        """Return what is stored of a path, which may be stored already; the id of its ``run`` is no number of a person."""
        if _HIDDEN.fullmatch(path):
            return path
        masked = run.join(map(mask_every_number, path.split(run))) if run else mask_every_number(path)
        return path if masked == path else f"{masked} #{self._digest(path)}"

    def restore(self, stored: str) -> str:
        """Return the path of which this was stored; with its mask where nothing of that name is left."""
        match = _HIDDEN.fullmatch(stored)
        if match is None:
            return stored
        if stored not in self._restored:
            masked = Path(match["masked"])
            paths = (str(path) for path in _find_matching(Path(masked.anchor), masked.parts[1:]))
            fitting = (path for path in paths if self._digest(path) == match["digest"])
            self._restored[stored] = next(fitting, str(masked))
        return self._restored[stored]

    def hide_record(self, record: RunRecord) -> RunRecord:
        """Return a run's record with its paths as they are stored."""
        return replace(
            record,
            rosters=tuple(map(self.hide, record.rosters)),
            seals=self.hide(record.seals) if record.seals else record.seals,
            out=self.hide(record.out, record.run),
        )

    def restore_record(self, record: RunRecord) -> RunRecord:
        """Return a stored record with its paths."""
        return replace(
            record,
            rosters=tuple(map(self.restore, record.rosters)),
            seals=self.restore(record.seals) if record.seals else record.seals,
            out=self.restore(record.out),
        )


def _find_matching(folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    """Yield the entries below a folder whose path fits these parts, in which a ``*`` stands for any character."""
    if not parts:
        yield folder
    elif "*" not in parts[0]:
        yield from _find_matching(folder / parts[0], parts[1:])
    else:
        fits = compile_masked_name(parts[0]).fullmatch
        names: list[str] = []
        with suppress(OSError):
            names = [entry.name for entry in folder.iterdir() if fits(entry.name)]
        for name in names:
            yield from _find_matching(folder / name, parts[1:])
