"""Links from the workbook to the folders of pictures; never to a file, whose name may be a number (DESIGN §7)."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.results.privacy import Numbers, mask_text

LONGEST = 1_000  # characters; Excel takes 2,079
AMBIGUOUS = set("#%")  # in an address they mean something else


class FolderLinks:
    """The folders of a night's pictures, each looked at once: 100,000 pictures lie in few folders."""

    def __init__(self, out: Path, numbers: Numbers) -> None:
        self._out, self._numbers = out, numbers
        self._folders: dict[Path, Path] = {}
        self._targets: dict[Path, str | None] = {}

    def folder(self, picture: Path) -> Path:
        """Return the folder that can be opened: what lies in a zip or a workbook lies in none, its file does."""
        parent = picture.parent
        if parent not in self._folders:
            container = next((each for each in picture.parents if each.is_file()), None)
            self._folders[parent] = parent if container is None else container.parent
        return self._folders[parent]

    def target(self, folder: Path) -> str | None:
        """Return a folder's address as seen from the workbook, so that a moved tree keeps its links; else absolute.

        None where a number stands in it, for an address cannot be masked; and where the workbook could not say it.
        """
        if folder not in self._targets:
            try:
                address = os.path.relpath(folder, self._out)
            except ValueError:  # another drive
                address = str(folder.absolute())
            plain = len(address) <= LONGEST and not set(address) & AMBIGUOUS and address.isprintable()
            self._targets[folder] = (
                address if plain and mask_text(address, self._numbers) == address else None
            )
        return self._targets[folder]
