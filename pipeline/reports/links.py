"""Links from the workbook to the folders of pictures; never to a file, whose name may be a number."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.domain.run import RunReport
from pipeline.reports.cell_text import clean_text
from pipeline.reports.presenter import Presenter
from pipeline.reports.styles import Format, Worksheet

LONGEST = 1_000  # characters; Excel takes 2,079
LONGEST_TIP = 120  # characters; Excel takes 255 UTF-16 units
# Excel takes a # for the end of the address however it is escaped, and may undo %41 once more than it was made
_MISREAD = re.compile("#|%[0-9A-Fa-f]{2}|[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_ESCAPED = re.compile(r'[% "<>\[\]^`{}]')


class FolderLinks:
    """The folders of a report's pictures, each looked at once: 100,000 pictures lie in few folders.

    Addresses are as seen from the workbook, so that a moved tree keeps its links. With ``absolute`` they hold from
    anywhere, for a workbook whose copy lies at another depth.
    """

    def __init__(self, report: RunReport, presenter: Presenter, *, absolute: bool = False) -> None:
        self._out, self._seals, self._presenter, self._absolute = (
            report.out,
            report.seals,
            presenter,
            absolute,
        )
        self._folders: dict[Path, Path] = {}
        self._targets: dict[Path, str | None] = {}
        self._tips: dict[Path, str] = {}

    def find_folder(self, picture: Path) -> Path:
        """Return the folder that can be opened: what lies in a zip or a workbook lies in none, its file does."""
        parent = picture.parent
        if parent not in self._folders:
            container = next((each for each in picture.parents if each.is_file()), None)
            self._folders[parent] = parent if container is None else container.parent
        return self._folders[parent]

    def find_address(self, folder: Path) -> str | None:
        """Return the address of a folder, or of the nearest one above it among the pictures that can be said.

        An address cannot be masked, and some characters mean something else in it. None where even the picture folder
        itself cannot be said.
        """
        if folder not in self._targets:
            said = map(self._build_address, self._list_upwards(folder))
            self._targets[folder] = next(filter(None, said), None)
        return self._targets[folder]

    def write(
        self, sheet: Worksheet, row: int, column: int, folder: Path, *, text: str, look: Format
    ) -> bool:
        """Write a text that leads to a folder, which is named when the mouse rests on it; False where nothing leads there."""
        target = self.find_address(folder)
        if target is None:
            return False
        if folder not in self._tips:
            tip = clean_text(self._presenter.mask_path(folder.absolute()))
            self._tips[folder] = tip if len(tip) <= LONGEST_TIP else f"… {tip[-LONGEST_TIP:]}"
        sheet.write_url(row, column, target, look, clean_text(text), self._tips[folder])
        return True

    def _list_upwards(self, folder: Path) -> Iterator[Path]:
        yield folder
        if self._seals is not None and folder.is_relative_to(self._seals):
            above = folder.relative_to(self._seals).parents
            yield from (self._seals / each for each in above)

    def _build_address(self, folder: Path) -> str | None:
        try:
            address = str(folder.absolute()) if self._absolute else os.path.relpath(folder, self._out)
        except ValueError:  # another drive
            address = str(folder.absolute())
        misread = _MISREAD.search(address) or (os.sep == "/" and "\\" in address)
        if misread or len(address) > LONGEST:
            return None
        if self._presenter.mask_text(address) != address:
            return None
        return _escape_address(address)


def _escape_address(address: str) -> str:
    """Return a path as XlsxWriter takes it, escaped by ourselves: it leaves alone what looks escaped already."""
    escaped = _ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", address)
    # XlsxWriter takes file:///data for a relative path, and leaves alone what it does not know as one
    return f"FILE://{escaped}" if escaped.startswith("/") else f"external:{escaped}"
